"""Everything that runs have written to disk, read once: config, logged numbers, pictures and evaluations."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from gan_cli.config.names import settings_text
from gan_cli.errors import EarlierVersionError, UserError, warn
from gan_cli.evaluation import results, sweeps
from gan_cli.evaluation.results import Result
from gan_cli.evaluation.sweeps import SweepRun
from gan_cli.report.records import presets
from gan_cli.report.records.series import ScalarSeries
from gan_cli.runs import checkpoint, logger
from gan_cli.runs.folder import holds_config, read_result
from gan_cli.runs.trained import warn_of_edits


@dataclass(frozen=True)
class RunRecord:
    """One run.

    Attributes:
        folder: Folder of the run.
        sweep_run: The run as part of its sweep: config, overrides and status.
        settings: The swept keys with their values in this run, which name its method; empty for a single run.
        rows: Rows of ``metrics.jsonl``: the step and the values logged at it, by tag.
        results: Results of gan-eval.
    """

    folder: Path
    sweep_run: SweepRun
    settings: Mapping[str, str]
    rows: Sequence[Mapping[str, Any]]
    results: Sequence[Result]

    @property
    def name(self) -> str:
        """Method and seed; the name of the folder if the config is missing."""
        if not self.config:
            return self.sweep_run.name
        return f"{self.method}, seed {self.sweep_run.seed}" if self.method else f"seed {self.sweep_run.seed}"

    @property
    def method(self) -> str:
        """The swept settings in one line; empty for a single run."""
        return settings_text(self.settings)

    @property
    def config(self) -> Mapping[str, Any]:
        """The config as plain data; empty if the run never began."""
        return self.sweep_run.config

    @property
    def trained_config(self) -> Mapping[str, Any]:
        """The config that the run was trained with: the newest checkpoint's, or ``config`` if there is no checkpoint."""
        return self.config if self._state is None else self._state["config"]

    @property
    def step(self) -> int:
        """The last logged step."""
        return max((int(row["step"]) for row in self.rows), default=0)

    @cached_property
    def result(self) -> Mapping[str, Any]:
        """The content of ``result.json``; empty if there is none."""
        return read_result(self.folder) or {}

    @cached_property
    def shortened(self) -> tuple[str, ...]:
        """The sizes that are below those of the run's experiment, as ``train.steps=600 instead of 1500``."""
        return presets.shortened(self.folder, self.config, self.sweep_run.overrides)

    @cached_property
    def shape(self) -> tuple[int, ...] | None:
        """Shape of one sample; None if there is no readable checkpoint."""
        return None if self._state is None else tuple(self._state["data"]["shape"])

    @cached_property
    def parameters(self) -> Mapping[str, int]:
        """Number of parameters and buffer elements of each player."""
        counts: dict[str, int] = {}
        for key, value in (self._state or {}).get("game", {}).items():
            player = key.partition(".")[0]
            if isinstance(value, Tensor):
                counts[player] = counts.get(player, 0) + value.numel()
        return counts

    @cached_property
    def _state(self) -> Mapping[str, Any] | None:
        try:
            state = checkpoint.newest(self.folder)
        except EarlierVersionError:
            raise
        except UserError as error:
            warn(str(error))
            return None
        if state is not None:
            warn_of_edits(self.folder, state)
        return state

    @property
    def tags(self) -> list[str]:
        """All logged tags, in the order in which they first appear."""
        return list(dict.fromkeys(key for row in self.rows for key in row if key != "step"))

    def series(self, tag: str) -> ScalarSeries:
        """Return the curve of ``tag``, empty if it was never logged."""
        points = {int(row["step"]): row[tag] for row in self.rows if tag in row}
        steps = np.array(sorted(points), dtype=np.int64)
        return ScalarSeries(steps, np.array([points[step] for step in steps.tolist()], dtype=np.float64))

    def pictures(self) -> dict[int, Path]:
        """Return the pictures of samples by step."""
        matches = {
            path: re.fullmatch(r"step_(\d+)\.png", path.name) for path in sorted((self.folder / "samples").glob("*.png"))
        }
        return {int(match[1]): path for path, match in matches.items() if match}

    def matches(self, where: Mapping[str, Any]) -> bool:
        """Return True if the config or the overrides agree with every entry of ``where``, as ``{loss: wgan}``."""
        return all(self.sweep_run.setting(key) == _override_text(value) for key, value in where.items())

    def setting(self, key: str) -> float | None:
        """Return the value of a swept key as a number, or None if it is not numeric."""
        try:
            return float(self.sweep_run.setting(key))
        except ValueError:
            return None

    def number(self, name: str) -> float | None:
        """Return one number that describes the whole run.

        Args:
            name: A logged tag (``metric/w1``), whose last value is returned, or the name of a gan-eval number at the last
                checkpoint.

        Returns:
            The value, or None if the run has none.
        """
        if "/" in name:
            series = self.series(name)
            return float(series.values[-1]) if series else None
        values = [result.numbers[name].value for result in self.results if "last" in result.chosen and name in result.numbers]
        return values[-1] if values else None


def run_records(folder: Path) -> list[RunRecord]:
    """Read the run or the runs in ``folder``.

    Returns:
        The runs, those of one method together; jobs that never began come last.

    Raises:
        EarlierVersionError: If an earlier version made all of them.
        UserError: If there is no run, or none of them has logged anything yet.
    """
    alone = holds_config(folder)
    sweep_runs = [sweeps.sweep_run(folder)] if alone else sweeps.each_once(sweeps.sweep_runs(folder))
    grouped = [(group.settings, run) for group in sweeps.groups(sweep_runs) for run in group.sweep_runs]
    grouped += [({}, run) for run in sweep_runs if not run.config]
    if all(run.problem == sweeps.EARLIER_VERSION for run in sweep_runs):
        raise EarlierVersionError(folder)
    paths = [folder if alone else folder / run.name for _, run in grouped]
    records = [
        RunRecord(path, run, settings, logger.read(path), results.read(path))
        for path, (settings, run) in zip(paths, grouped, strict=True)
    ]
    if not any(run.rows for run in records):
        raise UserError(f"nothing is logged yet in {folder}: the report can be made once training has begun.")
    return records


def _override_text(value: Any) -> str:
    """Return a value of ``where`` as it is written on the command line."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
