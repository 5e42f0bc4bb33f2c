"""Logging to a table of comma-separated values."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gan_cli.files import atomic_write
from gan_cli.loggers.base import LoggedRun, Logger

FILE = "metrics.csv"
"""Name of the table in the run's folder."""


class CSV(Logger):
    """``metrics.csv`` in the run's folder: a row for each step and a column for each tag, as spreadsheets and pandas read it.

    A number that was not logged at a step is an empty cell, one that is not finite is ``nan``, ``inf`` or ``-inf``. A row is
    written when the next step begins.
    """

    path: Path
    columns: list[str]

    def begin(self, run: LoggedRun) -> None:
        self.path, self.row = run.folder / FILE, dict[str, Any]()
        self._write([{"step": step, **values} for step, values in run.numbers().items()])

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        if self.row.get("step", step) != step:
            self.flush()
        self.row |= {"step": step, **values}

    def flush(self) -> None:
        row, self.row = self.row, {}
        if not set(row) <= set(self.columns):
            with open(self.path, encoding="utf-8", newline="") as file:
                before = list(csv.DictReader(file))
            self._write([*before, row])
        elif row:
            with open(self.path, "a", encoding="utf-8", newline="") as file:
                csv.DictWriter(file, self.columns, lineterminator="\n").writerow(row)

    def close(self) -> None:
        self.flush()

    def shown_by(self) -> str:
        return str(self.path)

    def _write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write the whole table."""
        self.columns = list(dict.fromkeys(["step", *(tag for row in rows for tag in row)]))
        with atomic_write(self.path) as unfinished, open(unfinished, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, self.columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
