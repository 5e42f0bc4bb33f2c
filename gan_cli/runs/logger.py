"""Logging of numbers and pictures to TensorBoard and to plain files."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.tensorboard import SummaryWriter, summary

from gan_cli import files
from gan_cli.drawing import save_png

CUSTOM_SCALARS = {
    "estimated and measured": {
        name: ["Multiline", [f"estimate/{short}$", f"heldout/{short}$", "metric/w1$", f"metric/{short}$"]]
        for name, short in (("Wasserstein", "wasserstein"), ("Jensen-Shannon", "js"))
    }
}
"""TensorBoard's layout of custom scalars: the critic's estimate in one chart with the distance measured on samples."""
EVALUATION_SUFFIX = ".gan-eval"
"""Suffix of the event files that gan-eval writes."""


class RunLogger:
    """TensorBoard events, ``metrics.jsonl`` and ``samples/*.png`` of one run folder.

    Args:
        folder: Folder of the run.
        step: The step at which the run starts or continues. Everything logged at later steps is removed, so that the curves of
            a resumed run have each step once.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self.folder = folder
        self.lines = folder / "metrics.jsonl"
        kept = [row for row in read(folder) if row["step"] <= step] if step else []
        files.write_bytes(self.lines, "".join(_line(row) for row in kept).encode())
        self.writer = SummaryWriter(str(folder), purge_step=step + 1 if step else 0)
        self.writer.add_custom_scalars(CUSTOM_SCALARS)

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        """Log scalars under their tags."""
        with open(self.lines, "a", encoding="utf-8") as file:
            file.write(_line({"step": step, **values}))
        for tag, value in values.items():
            self.writer.add_scalar(tag, value, step)

    def picture(self, step: int, tag: str, picture: np.ndarray) -> Path:
        """Log a picture ``[H, W, 3]``, also as ``samples/step_<step>.png``, and return the path of that file."""
        path = self.folder / "samples" / f"step_{step:08d}.png"
        save_png(picture, path)
        self.writer.add_image(tag, picture, step, dataformats="HWC")
        return path

    def hparams(self, settings: Mapping[str, Any], values: Mapping[str, float]) -> None:
        """Log the settings of the run with its final metric, for TensorBoard's table of runs.

        The table reads the values from the curves of the same names, so no values are added to the curves.
        """
        plain = {key: value if isinstance(value, bool | int | float | str) else str(value) for key, value in settings.items()}
        for part in summary.hparams(plain, dict(values)):
            self.writer.file_writer.add_summary(part)  # type: ignore[attr-defined]

    def flush(self) -> None:
        """Write everything logged so far to disk."""
        self.writer.flush()

    def close(self) -> None:
        """Close the files."""
        self.writer.close()


def write_evaluations(folder: Path, values: Mapping[int, Mapping[str, float]]) -> None:
    """Write the numbers of gan-eval as ``eval/<name>`` to the run's TensorBoard, replacing those of earlier evaluations.

    Args:
        folder: Folder of the run.
        values: Numbers by step and name.
    """
    previous = list(folder.glob(f"events.out.tfevents.*{EVALUATION_SUFFIX}"))
    with SummaryWriter(str(folder), filename_suffix=EVALUATION_SUFFIX) as writer:
        for step, numbers in sorted(values.items()):
            for name, value in numbers.items():
                writer.add_scalar(f"eval/{name}", value, step)
    for path in previous:
        path.unlink(missing_ok=True)


def read(folder: Path) -> list[dict[str, Any]]:
    """Return the rows of a run's ``metrics.jsonl``; a last line cut off by a crash is left out."""
    path = folder / "metrics.jsonl"
    rows: list[dict[str, Any]] = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


def _line(row: Mapping[str, Any]) -> str:
    # JSON has no NaN; non-finite numbers are written as null
    finite = {key: value if not isinstance(value, float) or math.isfinite(value) else None for key, value in row.items()}
    return json.dumps(finite) + "\n"
