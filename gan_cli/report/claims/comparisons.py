"""Claims that compare runs of a sweep with each other."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from gan_cli import checks
from gan_cli.evaluation.number_format import format_interval, format_signed, format_value
from gan_cli.evaluation.verdicts import describe_level, differences_to
from gan_cli.report.claims.base import HELD, NOT_HELD, UNDECIDED, Assessment, BoundedClaim, Claim, undecidable
from gan_cli.report.claims.bounds import check_bounds, describe_bounds, inside
from gan_cli.report.records.runs import RunRecord

STATES = {"better": HELD, "worse": NOT_HELD}


@dataclass(frozen=True, kw_only=True)
class Ordering(Claim):
    """One method is better than another by the mean of their paired differences over seeds.

    Held if the interval of the mean difference at equal seeds (``evaluation.verdicts``) lies on the side of ``better``, not
    held if it lies on the other side, and undecided if it contains 0 or a method has fewer than three seeds. What the claim
    requires is required of the better method alone: a method that has learnt nothing may be the worse one.

    Args:
        number: Name of a gan-eval number at the last checkpoint, or a tag (``metric/w1``), whose last value is used.
        better: Selects the runs of the better method by config or override.
        worse: Selects the runs of the worse method.
        higher_is_better: True if larger values of ``number`` are better.
    """

    number: str
    better: Mapping[str, Any]
    worse: Mapping[str, Any]
    higher_is_better: bool = False

    def __post_init__(self) -> None:
        checks.flag("higher_is_better", self.higher_is_better)
        super().__post_init__()

    def rule(self) -> str:
        names = (", ".join(f"{key}={value}" for key, value in where.items()) for where in (self.better, self.worse))
        side = "higher" if self.higher_is_better else "lower"
        compared = f"{self.number} is {side} for {' than for '.join(names)}"
        return f"{compared}, by {describe_level(1)} of the mean paired difference over seeds"

    def assess(self, runs: Sequence[RunRecord]) -> Assessment:
        chosen = self.select(runs)
        a, b = (self._by_seed([run for run in chosen if run.matches(where)]) for where in (self.better, self.worse))
        if reason := undecidable([run for run in chosen if self._compares(run)]):
            return self.assessment(UNDECIDED, reason)
        if unmet := self.unmet([run for run in chosen if run.matches(self.better)]):
            return self.assessment(UNDECIDED, unmet)
        paired, _ = differences_to(1, [a, b], self.higher_is_better)
        if paired is None or not paired.n:
            return self.assessment(UNDECIDED, f"a method has no run with {self.number}")
        seeds = f"over {paired.n} seeds"
        reason = f"difference {format_signed(paired.value)} {seeds}"
        if paired.interval is not None:
            value, low, high = format_interval(paired.value, *paired.interval)
            reason = f"difference {value} {seeds}, interval {low} to {high}"
        return self.assessment(STATES.get(paired.verdict, UNDECIDED), f"{paired.verdict} ({reason})")

    def _compares(self, run: RunRecord) -> bool:
        return run.matches(self.better) or run.matches(self.worse)

    def _by_seed(self, runs: Sequence[RunRecord]) -> dict[int, float]:
        values = {run.sweep_run.seed: run.number(self.number) for run in runs if run.config}
        return {seed: value for seed, value in values.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class Trend(BoundedClaim):
    """Across a sweep, ``number`` correlates with the swept ``key`` (Spearman's rank correlation).

    Every run is one point. Undecided with fewer than ``n`` runs, or fewer than three distinct values of the key.

    Args:
        number: Name of a gan-eval number at the last checkpoint, or a tag, whose last value is used.
        key: The swept key; its values must be numbers.
        at_least: Lower bound of the correlation, in [-1, 1].
        at_most: Upper bound of the correlation, in [-1, 1].
        n: Minimum number of runs, at least 3.
    """

    number: str
    key: str
    at_least: float | None = None
    at_most: float | None = None
    n: int = 3

    def __post_init__(self) -> None:
        check_bounds(self.at_least, self.at_most)
        checks.count("n", self.n, 3)
        super().__post_init__()

    def holds_at(self, value: float) -> bool:
        return inside(value, self.at_least, self.at_most)

    def rule(self) -> str:
        bounds = describe_bounds(self.at_least, self.at_most)
        return f"Spearman correlation of {self.number} with {self.key} {bounds} over the runs"

    def assess(self, runs: Sequence[RunRecord]) -> Assessment:
        chosen = self.select(runs)
        if reason := undecidable(chosen) or self.unmet(chosen):
            return self.assessment(UNDECIDED, reason)
        points = [(x, y) for run in chosen if (x := run.setting(self.key)) is not None and (y := self._value(run)) is not None]
        if len(points) < self.n or len({x for x, _ in points}) < 3:
            return self.assessment(UNDECIDED, f"only {len(points)} runs have {self.number} and a numeric {self.key}")
        x, y = np.array(sorted(points)).T
        if np.ptp(y) == 0:
            return self.assessment(UNDECIDED, f"{self.number} is {format_value(float(y[0]))} in every run")
        rho = float(stats.spearmanr(x, y).statistic)
        ends = " and ".join(f"{format_value(float(y[i]))} at {x[i]:g}" for i in (0, -1))
        reason = f"Spearman correlation {rho:.2f} over {len(x)} runs, {ends}"
        return self.assessment(HELD if self.holds_at(rho) else NOT_HELD, reason)

    def _value(self, run: RunRecord) -> float | None:
        value = run.number(self.number)
        return value if value is not None and math.isfinite(value) else None
