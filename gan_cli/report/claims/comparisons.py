"""Claims that set runs of a sweep against each other."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from gan_cli import checks
from gan_cli.evaluation.comparison import LEVEL, difference
from gan_cli.evaluation.number_format import format_value, signed
from gan_cli.report.claims.base import HELD, NOT_HELD, UNDECIDED, Claim, Judgement, bounds, limits, within
from gan_cli.report.records.runs import RunRecord

STATES = {"better": HELD, "worse": NOT_HELD}


@dataclass(frozen=True, kw_only=True)
class Ordering(Claim):
    """One method is better than another by the mean of their paired differences over seeds.

    ``number``: a number of gan-eval at the last checkpoint, or a tag (``metric/w1``: its last value); ``better`` and
    ``worse``: the two methods' runs, by config or override. Held where a 95 % interval of the differences of equal seeds lies
    on the side of ``better``, not held on the other side, undecided where it holds 0 or fewer than three seeds are paired.
    """

    number: str
    better: Mapping[str, Any]
    worse: Mapping[str, Any]
    higher_is_better: bool = False

    def __post_init__(self) -> None:
        checks.flag("higher_is_better", self.higher_is_better)

    def rule(self) -> str:
        """What is compared with what."""
        names = (", ".join(f"{key}={value}" for key, value in where.items()) for where in (self.better, self.worse))
        side = "higher" if self.higher_is_better else "lower"
        return f"{self.number} {side} for {' than for '.join(names)}, by {LEVEL:.0%} of the paired differences over seeds"

    def judge(self, runs: Sequence[RunRecord]) -> Judgement:
        """The interval of the differences against 0."""
        chosen = self.about(runs)
        a, b = (self._by_seed([run for run in chosen if run.fits(where)]) for where in (self.better, self.worse))
        if unready := [run.name for run in chosen if self._compares(run) and run.sweep_run.problem is not None]:
            return self.judged(UNDECIDED, f"not finished: {', '.join(unready)}")
        found = difference(a, b, self.higher_is_better, LEVEL)
        if not found.n:
            return self.judged(UNDECIDED, f"no two runs of one seed have {self.number}")
        says = f"difference {signed(found.value)} over {found.n} paired seeds"
        if found.interval is not None:
            says += f", interval {signed(found.interval[0])} to {signed(found.interval[1])}"
        return self.judged(STATES.get(found.verdict, UNDECIDED), f"{found.verdict} ({says})")

    def _compares(self, run: RunRecord) -> bool:
        return run.fits(self.better) or run.fits(self.worse)

    def _by_seed(self, runs: Sequence[RunRecord]) -> dict[int, float]:
        values = {run.sweep_run.seed: run.number(self.number) for run in runs if run.config}
        return {seed: value for seed, value in values.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class Trend(Claim):
    """Across a sweep, ``number`` follows the swept ``key``: Spearman's correlation is ``at_least`` or ``at_most`` this.

    Every run counts by itself. Undecided with fewer than ``n`` runs, or fewer than three values of the key.
    """

    number: str
    key: str
    at_least: float | None = None
    at_most: float | None = None
    n: int = 3

    def __post_init__(self) -> None:
        limits(self.at_least, self.at_most)
        checks.count("n", self.n, 3)

    def rule(self) -> str:
        """The limits."""
        return f"Spearman correlation of {self.number} with {self.key} {bounds(self.at_least, self.at_most)} over the runs"

    def judge(self, runs: Sequence[RunRecord]) -> Judgement:
        """Spearman's coefficient against the limits."""
        chosen = self.about(runs)
        if unready := [run.name for run in chosen if run.sweep_run.problem is not None]:
            return self.judged(UNDECIDED, f"not finished: {', '.join(unready)}")
        points = [(x, y) for run in chosen if (x := run.setting(self.key)) is not None and (y := self._value(run)) is not None]
        if len(points) < self.n or len({x for x, _ in points}) < 3:
            return self.judged(UNDECIDED, f"{len(points)} runs with {self.number} and a number as {self.key}")
        x, y = np.array(sorted(points)).T
        if np.ptp(y) == 0:
            return self.judged(UNDECIDED, f"{self.number} is {format_value(float(y[0]))} in every run")
        rho = float(stats.spearmanr(x, y).statistic)
        ends = " and ".join(f"{format_value(float(y[i]))} at {x[i]:g}" for i in (0, -1))
        says = f"Spearman correlation {rho:.2f} over {len(x)} runs, {ends}"
        return self.judged(within(rho, self.at_least, self.at_most), says)

    def _value(self, run: RunRecord) -> float | None:
        value = run.number(self.number)
        return value if value is not None and math.isfinite(value) else None
