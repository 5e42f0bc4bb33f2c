"""What runs left behind, read once: config, logged numbers, pictures, evaluations."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from gan_cli.errors import UserError
from gan_cli.evaluation import results, sweeps
from gan_cli.evaluation.results import Result
from gan_cli.evaluation.sweeps import SweepRun
from gan_cli.report.records.series import ScalarSeries
from gan_cli.runs import checkpoint, logger
from gan_cli.runs.folder import holds_config, read_result


@dataclass(frozen=True)
class RunRecord:
    """One run. ``settings``: the swept keys and their values here, which name its method; empty for a run alone."""

    folder: Path
    sweep_run: SweepRun
    settings: Mapping[str, str]
    rows: Sequence[Mapping[str, Any]]
    results: Sequence[Result]

    @property
    def name(self) -> str:
        """Method and seed; its folder's name where even the config is missing."""
        if not self.config:
            return self.sweep_run.name
        return f"{self.method}, seed {self.sweep_run.seed}" if self.method else f"seed {self.sweep_run.seed}"

    @property
    def method(self) -> str:
        """Its swept settings in one line; empty for a run alone."""
        return ", ".join(_named(key, value) for key, value in self.settings.items())

    @property
    def config(self) -> Mapping[str, Any]:
        """As plain data."""
        return self.sweep_run.config

    @property
    def step(self) -> int:
        """The last one that was logged."""
        return max((int(row["step"]) for row in self.rows), default=0)

    @cached_property
    def result(self) -> Mapping[str, Any]:
        """``result.json``; empty where there is none yet."""
        return read_result(self.folder) or {}

    @cached_property
    def shape(self) -> tuple[int, ...] | None:
        """Of one sample; None while there is no readable checkpoint."""
        return None if self._state is None else tuple(self._state["data"]["shape"])

    @cached_property
    def parameters(self) -> Mapping[str, int]:
        """How many numbers each player holds, buffers among them."""
        counts: dict[str, int] = {}
        for key, value in (self._state or {}).get("game", {}).items():
            player = key.partition(".")[0]
            counts[player] = counts.get(player, 0) + value.numel()
        return counts

    @cached_property
    def _state(self) -> Mapping[str, Any] | None:
        try:
            return checkpoint.newest(self.folder)[0]
        except UserError:
            return None

    @property
    def tags(self) -> list[str]:
        """Everything that was logged, in the order in which it first came."""
        return list(dict.fromkeys(key for row in self.rows for key in row if key != "step"))

    def series(self, tag: str) -> ScalarSeries:
        """The curve of ``tag``, empty where it was not logged."""
        points = {int(row["step"]): row[tag] for row in self.rows if tag in row}
        steps = np.array(sorted(points), dtype=np.int64)
        return ScalarSeries(steps, np.array([points[step] for step in steps.tolist()], dtype=np.float64))

    def pictures(self) -> dict[int, Path]:
        """Step -> the picture of its samples."""
        found = {path: re.fullmatch(r"step_(\d+)\.png", path.name) for path in sorted((self.folder / "samples").glob("*.png"))}
        return {int(match[1]): path for path, match in found.items() if match}

    def fits(self, where: Mapping[str, Any]) -> bool:
        """Whether its config or its overrides say all of ``where``, as ``{loss: wgan}``."""
        return all(self.sweep_run.setting(key) == _text(value) for key, value in where.items())

    def setting(self, key: str) -> float | None:
        """The value of a swept key as a number; None where it is none."""
        try:
            return float(self.sweep_run.setting(key))
        except ValueError:
            return None

    def number(self, name: str) -> float | None:
        """One number of the whole run, None where it has none.

        ``name``: a logged tag (``metric/w1``: its last value), else a number that gan-eval found at the last checkpoint.
        """
        if "/" in name:
            series = self.series(name)
            return float(series.values[-1]) if series else None
        found = [result.numbers[name].value for result in self.results if "last" in result.chosen and name in result.numbers]
        return found[-1] if found else None


def run_records(folder: Path) -> list[RunRecord]:
    """The runs that ``folder`` is or holds, those of one method together, then those that never began.

    Raises UserError where there is no run, or none of them has logged anything yet.
    """
    alone = holds_config(folder)
    sweep_runs = [sweeps.sweep_run(folder)] if alone else sweeps.sweep_runs(folder)
    grouped = [(group.settings, run) for group in sweeps.groups(sweep_runs) for run in group.sweep_runs]
    grouped += [({}, run) for run in sweep_runs if not run.config]
    paths = [folder if alone else folder / run.name for _, run in grouped]
    found = [
        RunRecord(path, run, settings, logger.read(path), results.read(path))
        for path, (settings, run) in zip(paths, grouped, strict=True)
    ]
    if not any(run.rows for run in found):
        raise UserError(f"nothing is logged yet in {folder}: the report can be made once training has begun.")
    return found


def _named(key: str, value: str) -> str:
    """A swept key with its value; a ``method`` is its own name."""
    return value if key == "method" else f"{key.removesuffix('._target_').rpartition('.')[2]}={value}"


def _text(value: Any) -> str:
    """A value of ``where`` as a command line would have it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
