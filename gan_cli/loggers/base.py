"""The base class of loggers, and what they are told about a run."""

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class LoggedRun(NamedTuple):
    """A run that begins or continues.

    Attributes:
        folder: Folder of the run.
        step: The step at which it begins (0) or continues.
        rows: The rows of ``metrics.jsonl`` up to this step; none if the run begins. A number that is not finite is None.
        config: The whole config as plain data.
    """

    folder: Path
    step: int
    rows: Sequence[Mapping[str, Any]]
    config: Mapping[str, Any]

    def numbers(self) -> dict[int, dict[str, float]]:
        """Return the numbers of the rows by step and tag, NaN for those that are not finite."""
        found: dict[int, dict[str, float]] = {}
        for row in self.rows:
            values = {tag: math.nan if value is None else value for tag, value in row.items() if tag != "step"}
            found.setdefault(row["step"], {}).update(values)
        return found


class Logger(ABC):
    """A place where the numbers and pictures of a run can be seen, beside ``metrics.jsonl``, which is always written.

    All loggers receive the same numbers under the same tags (``loss/generator``). A logger that raises an exception is left
    out from then on, and training goes on. A logger must not draw from the random streams of training.
    """

    @abstractmethod
    def begin(self, run: LoggedRun) -> None:
        """Open the log of ``run``, and make it hold what was logged up to ``run.step``, each step once."""

    @abstractmethod
    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Log numbers by tag; called several times for a step, and never for an earlier step than before."""

    def image(self, step: int, tag: str, picture: np.ndarray, file: Path) -> None:
        """Log a picture ``[H, W, 3]`` of uint8, which ``file`` holds as PNG. By default pictures are not logged."""

    def hparams(self, settings: Mapping[str, Any], values: Mapping[str, float], first: Collection[str]) -> None:
        """Log the settings of a run that has finished, with its final numbers. By default nothing is logged.

        Args:
            settings: The option of each group, and the values of the config by dotted key.
            values: The final numbers by tag.
            first: The settings that are swept, or that the command line names.
        """

    def flush(self) -> None:
        """Write everything logged so far; called before each checkpoint."""

    def close(self) -> None:
        """End the log. The run may have finished, stopped or failed."""

    def shown_by(self) -> str:
        """Return the command or the address that shows the log; empty if there is none."""
        return ""
