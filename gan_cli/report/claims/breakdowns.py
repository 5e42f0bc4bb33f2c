"""Claims about training that fails: no progress, or values beyond a threshold."""

import math
from dataclasses import dataclass

import numpy as np

from gan_cli import checks
from gan_cli.evaluation.number_format import format_value
from gan_cli.report.claims.base import HELD, NOT_HELD, UNDECIDED, RunClaim, Verdict, not_logged, still_falling
from gan_cli.report.claims.bounds import check_bounds, describe_bounds, inside
from gan_cli.report.records.runs import RunRecord


@dataclass(frozen=True, kw_only=True)
class Stalls(RunClaim):
    """``tag`` never improves on its value at step ``start`` by ``factor``: training fails.

    Undecided while the tag is still falling.

    Args:
        tag: The logged number; positive, lower is better.
        factor: Ratio of the value at ``start`` to the best later value that must not be reached; above 0.
        start: The newest value at this step is the reference; all later values are checked.
    """

    tag: str
    factor: float
    start: int = 0

    def __post_init__(self) -> None:
        checks.number("factor", self.factor, above=0)
        super().__post_init__()

    def holds_at(self, value: float) -> bool:
        """Return whether the claim holds where the best later value is better by the factor ``value``."""
        return value < self.factor

    def rule(self) -> str:
        return f"{self.tag} is never better than at step {self.start} by the factor {self.factor:g}"

    def verdict(self, run: RunRecord) -> Verdict:
        series = run.series(self.tag).finite()
        later = series.after(self.start).values
        first = float(series.at(np.array([self.start]))[0]) if series else math.nan
        if not len(later) or not math.isfinite(first):
            return not_logged(self.tag)
        best = float(later.min())
        reason = f"{self.tag} was {format_value(first)} at step {self.start}, at best {format_value(best)} later"
        if best <= 0 or not self.holds_at(first / best):
            return Verdict(NOT_HELD, reason)
        unfinished = still_falling(self.tag, series)
        return Verdict(UNDECIDED, unfinished) if unfinished is not None else Verdict(HELD, reason)


@dataclass(frozen=True, kw_only=True)
class Exceeds(RunClaim):
    """``tag`` lies beyond a threshold in at least a given fraction of its values.

    Args:
        tag: The logged number.
        above: Values of at least this count.
        below: Values of at most this count.
        part: Minimum fraction of the values, in [0, 1]. 0: a single value is enough.
        after: Only values logged after this step are checked.
    """

    tag: str
    above: float | None = None
    below: float | None = None
    part: float = 0.0
    after: int = -1

    def __post_init__(self) -> None:
        check_bounds(self.above, self.below, ("above", "below"))
        checks.number("part", self.part, least=0)
        super().__post_init__()

    def holds_at(self, value: float) -> bool:
        """Return whether the claim holds where ``value`` is the fraction of the values that lie beyond."""
        return value > 0 and value >= self.part

    def rule(self) -> str:
        often = f"in {self.part:.0%} of its values or more" if self.part else "at least once"
        start = f" after step {self.after}" if self.after >= 0 else ""
        return f"{self.tag} {describe_bounds(self.above, self.below)} {often}{start}"

    def verdict(self, run: RunRecord) -> Verdict:
        values = run.series(self.tag).after(self.after).finite().values
        if not len(values):
            return not_logged(self.tag)
        beyond = [inside(float(value), self.above, self.below) for value in values]
        reason = f"{sum(beyond)} of {len(values)} values, {values.min():.4g} to {values.max():.4g}"
        return Verdict(self.judged(float(np.mean(beyond))), reason)
