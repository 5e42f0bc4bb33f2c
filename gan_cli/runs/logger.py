"""What a run writes down: numbers and pictures, in TensorBoard and in plain files."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.tensorboard import SummaryWriter, summary

from gan_cli import files
from gan_cli.drawing import save_png

BESIDE = {
    "estimated and measured": {
        name: ["Multiline", [f"estimate/{short}$", f"heldout/{short}$", "metric/w1$", f"metric/{short}$"]]
        for name, short in (("Wasserstein", "wasserstein"), ("Jensen-Shannon", "js"))
    }
}
"""TensorBoard's page of custom scalars: what the critic estimates, in one chart with what the samples say."""
EVALUATIONS = ".gan-eval"
"""How the names of event files end that gan-eval wrote."""


class RunLogger:
    """TensorBoard events, ``metrics.jsonl`` and ``samples/*.png`` of one run folder.

    ``step``: where the run starts or continues; whatever the folder holds of later steps is taken back, so that a resumed
    run's curves have each step once.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self.folder = folder
        self.lines = folder / "metrics.jsonl"
        kept = [row for row in read(folder) if row["step"] <= step] if step else []
        files.write_bytes(self.lines, "".join(_line(row) for row in kept).encode())
        self.writer = SummaryWriter(str(folder), purge_step=step + 1 if step else 0)
        self.writer.add_custom_scalars(BESIDE)

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        """Scalars under their tags."""
        with open(self.lines, "a", encoding="utf-8") as file:
            file.write(_line({"step": step, **values}))
        for tag, value in values.items():
            self.writer.add_scalar(tag, value, step)

    def picture(self, step: int, tag: str, picture: np.ndarray) -> Path:
        """A picture ``[H, W, 3]``, also as ``samples/step_<step>.png``, whose path is returned."""
        path = self.folder / "samples" / f"step_{step:08d}.png"
        save_png(picture, path)
        self.writer.add_image(tag, picture, step, dataformats="HWC")
        return path

    def hparams(self, settings: Mapping[str, Any], values: Mapping[str, float]) -> None:
        """The run's settings with its final metric, for TensorBoard's table of runs.

        The table reads the values from the curves of the same names, so nothing is added to those.
        """
        plain = {key: value if isinstance(value, bool | int | float | str) else str(value) for key, value in settings.items()}
        for part in summary.hparams(plain, dict(values)):
            self.writer.file_writer.add_summary(part)  # type: ignore[attr-defined]

    def flush(self) -> None:
        """Everything so far reaches the disk."""
        self.writer.flush()

    def close(self) -> None:
        """Ends the files."""
        self.writer.close()


def write_evaluations(folder: Path, values: Mapping[int, Mapping[str, float]]) -> None:
    """What gan-eval found at which step, as ``eval/<name>`` in the TensorBoard of the run in ``folder``, instead of what it
    wrote there before."""
    before = list(folder.glob(f"events.out.tfevents.*{EVALUATIONS}"))
    with SummaryWriter(str(folder), filename_suffix=EVALUATIONS) as writer:
        for step, numbers in sorted(values.items()):
            for name, value in numbers.items():
                writer.add_scalar(f"eval/{name}", value, step)
    for path in before:
        path.unlink(missing_ok=True)


def read(folder: Path) -> list[dict[str, Any]]:
    """The rows of a run's ``metrics.jsonl``; a last line cut off by a crash is left out."""
    path = folder / "metrics.jsonl"
    rows: list[dict[str, Any]] = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


def _line(row: Mapping[str, Any]) -> str:
    # JSON knows no NaN; a number that is none is written as null
    finite = {key: value if not isinstance(value, float) or math.isfinite(value) else None for key, value in row.items()}
    return json.dumps(finite) + "\n"
