"""Logging to TensorBoard."""

import shlex
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from torch.utils.tensorboard import SummaryWriter, summary

from gan_cli.loggers import events
from gan_cli.loggers.base import LoggedRun, Logger

CUSTOM_SCALARS = {
    "estimated and measured": {
        name: ["Multiline", [f"estimate/{short}$", f"heldout/{short}$", "metric/w1$", f"metric/{short}$"]]
        for name, short in (("Wasserstein", "wasserstein"), ("Jensen-Shannon", "js"))
    },
    "discriminator": {
        "D(x) and D(G(z))": ["Multiline", ["D/real", "D/fake"]],
        "mean logits of data and fakes": ["Multiline", ["logit/real", "logit/fake"]],
        "accuracy on data and fakes": ["Multiline", ["accuracy/real", "accuracy/fake"]],
    },
}
"""TensorBoard's layout of custom scalars: curves that are read together, in one chart each."""


class TensorBoard(Logger):
    """TensorBoard's event files in the run's folder: curves, pictures of samples, and the table of runs."""

    folder: Path
    writer: SummaryWriter

    def begin(self, run: LoggedRun) -> None:
        self.folder = run.folder
        self.writer = events.open_writer(run.folder, run.step + 1 if run.step else 0)
        self.writer.add_custom_scalars(CUSTOM_SCALARS)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        for tag, value in values.items():
            self.writer.add_scalar(tag, value, step)

    def image(self, step: int, tag: str, picture: np.ndarray, file: Path) -> None:
        height, width, channels = picture.shape  # the PNG is not encoded once more, as ``add_image`` would
        image = Summary.Image(height=height, width=width, colorspace=channels, encoded_image_string=file.read_bytes())
        self.writer.file_writer.add_summary(Summary(value=[Summary.Value(tag=tag, image=image)]), step)  # type: ignore[attr-defined]

    def hparams(self, settings: Mapping[str, Any], values: Mapping[str, float], first: Collection[str]) -> None:
        """Log the settings for TensorBoard's table of runs, which reads the values from the curves of the same names."""
        plain = {key: value if isinstance(value, bool | int | float | str) else str(value) for key, value in settings.items()}
        experiment, start, end = summary.hparams(plain, dict(values))
        plugin = experiment.value[0].metadata.plugin_data
        content = HParamsPluginData.FromString(plugin.content)
        for info in content.experiment.hparam_infos:
            info.differs = info.name in first  # the table shows these columns first
        plugin.content = content.SerializeToString()
        for part in (experiment, start, end):
            self.writer.file_writer.add_summary(part)  # type: ignore[attr-defined]

    def flush(self) -> None:
        self.writer.flush()

    def close(self) -> None:
        self.writer.close()

    def shown_by(self) -> str:
        return f"tensorboard --logdir {shlex.quote(str(self.folder))}"
