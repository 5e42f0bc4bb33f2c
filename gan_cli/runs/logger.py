"""Logging of numbers and pictures to ``metrics.jsonl`` and to the loggers of a run."""

import errno
import json
import logging
import math
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from gan_cli import files, own_code
from gan_cli.drawing import save_png
from gan_cli.errors import warn
from gan_cli.loggers.base import LoggedRun, Logger
from gan_cli.runs import checkpoint

METRICS = "metrics.jsonl"
"""Name of the file of logged numbers: a row for each step at which something was logged, as JSON."""

log = logging.getLogger(__name__)


class RunLogger:
    """``metrics.jsonl`` and ``samples/*.png`` of one run folder, and the loggers that the run has beside them.

    A logger that fails is left out from then on, with one line; a full disk is an error, as the run could not go on either.

    Args:
        folder: Folder of the run.
        step: The step at which the run starts or continues. Everything logged at later steps is removed, so that the curves of
            a resumed run have each step once. A file with damaged lines is kept under another name.
        loggers: The loggers, by the names of their options.
        config: The config of the run as plain data, for the loggers.
        say: Prints a line about a logger that fails.

    Attributes:
        continued: The newest value of every tag that was logged up to ``step``.
    """

    def __init__(
        self,
        folder: Path,
        step: int,
        loggers: Mapping[str, Logger] | None = None,
        config: Mapping[str, Any] | None = None,
        say: Callable[[str], None] = print,
    ) -> None:
        self.folder = folder
        self.lines = folder / METRICS
        kept = [row for row in read(folder) if row["step"] <= step] if step else []
        self.continued = {tag: value for row in kept for tag, value in row.items() if value is not None}
        if _parse(self.lines)[1]:
            shutil.copy2(self.lines, files.unused(folder / f"{self.lines.stem}.damaged.jsonl"))
        files.write_bytes(self.lines, "".join(_line(row) for row in kept).encode())
        self.loggers, self.say = dict(loggers or {}), say
        self._each(lambda logger: logger.begin(LoggedRun(folder, step, kept, config or {})))

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        """Log scalars under their tags."""
        with open(self.lines, "a", encoding="utf-8") as file:
            file.write(_line({"step": step, **values}))
        self._each(lambda logger: logger.scalars(step, values))

    def picture(self, step: int, tag: str, picture: np.ndarray) -> Path:
        """Log a picture ``[H, W, 3]``, also as ``samples/step_<step>.png``, and return the path of that file."""
        path = self.folder / "samples" / f"step_{step:08d}.png"
        save_png(picture, path)
        self._each(lambda logger: logger.image(step, tag, picture, path))
        return path

    def hparams(self, settings: Mapping[str, Any], values: Mapping[str, float], first: Collection[str]) -> None:
        """Log the settings of the finished run by dotted key, with its final metric; those in ``first`` matter most."""
        self._each(lambda logger: logger.hparams(settings, values, first))

    def shown_by(self) -> dict[str, str]:
        """Return, for each logger that has one, the command or the address that shows its log."""
        return {name: text for name, logger in self.loggers.items() if (text := logger.shown_by())}

    def flush(self) -> None:
        """Write everything logged so far to disk."""
        self._each(lambda logger: logger.flush())

    def close(self) -> None:
        """Close the files."""
        self._each(lambda logger: logger.close())

    def _each(self, action: Callable[[Logger], None]) -> None:
        """Let every logger do ``action``, and leave out those that fail."""
        for name, logger in list(self.loggers.items()):
            try:
                action(logger)
            except Exception as error:
                if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise
                del self.loggers[name]
                log.warning("the logger %s failed", name, exc_info=error)
                reason = own_code.reason(error).rstrip(".")
                self.say(f"warning: the logger {name} failed: {reason}. The run goes on without it.")
                with suppress(Exception):
                    logger.close()


def read(folder: Path) -> list[dict[str, Any]]:
    """Return the rows of a run's ``metrics.jsonl``; every reader of logged numbers gets them here.

    A last line cut off by a crash is left out. Lines that cannot be read are named in a warning. If there are any, or if rows
    are missing at the end, the numbers come from TensorBoard's event files as far as those hold them.
    """
    path = folder / METRICS
    rows, damaged = _parse(path)
    last = max((row["step"] for row in rows), default=-1)
    saved = max(checkpoint.steps_in(folder), default=-1)
    if not damaged and last >= saved:
        return rows
    from gan_cli.loggers import events  # imports TensorBoard

    rows, recovered = _completed(rows, events.scalars(folder))
    source = f"{recovered} of its numbers come from TensorBoard's event files, in single precision."
    if damaged:
        several = len(damaged) > 1
        lines = f"line{'s' * several} {', '.join(map(str, damaged))} cannot be read and {'are' if several else 'is'} left out"
        warn(f"{path}: {lines}{f'; {source}' if recovered else '.'}")
    elif recovered:
        warn(f"{path}: {f'nothing follows step {last}' if rows and last >= 0 else 'it holds no rows'}; {source}")
    return rows


def _parse(path: Path) -> tuple[list[dict[str, Any]], list[int]]:
    """Return the rows of a file, and the numbers of the lines that are none; a last line without an end may be cut off."""
    rows: list[dict[str, Any]] = []
    damaged: list[int] = []
    *lines, last = path.read_bytes().split(b"\n") if path.is_file() else [b""]
    for number, line in enumerate([*lines, last], start=1):
        row = _row(line)
        if row is not None:
            rows.append(row)
        elif number <= len(lines):
            damaged.append(number)
    return rows, damaged


def _row(line: bytes) -> dict[str, Any] | None:
    """Return the content of a line if it has the form of a row, else None."""
    try:
        row = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict) or type(row.get("step")) is not int:
        return None
    return row if all(value is None or type(value) in (int, float) for value in row.values()) else None


def _completed(rows: Sequence[dict[str, Any]], logged: Mapping[int, Mapping[str, float]]) -> tuple[list[dict[str, Any]], int]:
    """Return the rows in the order of their steps with the numbers that only ``logged`` has, and the count of the latter."""
    known = {(row["step"], tag) for row in rows for tag in row}
    lacking = {step: {tag: v for tag, v in values.items() if (step, tag) not in known} for step, values in logged.items()}
    more = [
        {"step": step, **{tag: value if math.isfinite(value) else None for tag, value in values.items()}}
        for step, values in lacking.items()
        if values
    ]
    return sorted([*rows, *more], key=lambda row: row["step"]), sum(map(len, lacking.values()))


def _line(row: Mapping[str, Any]) -> str:
    # JSON has no NaN; non-finite numbers are written as null
    finite = {key: value if not isinstance(value, float) or math.isfinite(value) else None for key, value in row.items()}
    return json.dumps(finite) + "\n"
