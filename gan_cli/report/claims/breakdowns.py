"""Claims about training that breaks down: it stalls, or a number strays."""

import math
from dataclasses import dataclass

import numpy as np

from gan_cli import checks
from gan_cli.evaluation.number_format import format_value
from gan_cli.report.claims.base import HELD, NOT_HELD, UNDECIDED, RunClaim, Verdict, bounds, falling, limits, missing, within
from gan_cli.report.records.runs import RunRecord


@dataclass(frozen=True, kw_only=True)
class Stalls(RunClaim):
    """``tag`` (positive, lower is better) never becomes better than at step ``start`` by ``factor``: training fails.

    ``start`` counts with its newest value; everything after it is judged. Undecided while it is still falling.
    """

    tag: str
    factor: float
    start: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.number("factor", self.factor, above=0)

    def rule(self) -> str:
        """The factor."""
        return f"{self.tag} never better than at step {self.start} by the factor {self.factor:g}"

    def verdict(self, run: RunRecord) -> Verdict:
        """The best value against the first."""
        series = run.series(self.tag).finite()
        later = series.after(self.start).values
        first = float(series.at(np.array([self.start]))[0]) if series else math.nan
        if not len(later) or not math.isfinite(first):
            return missing(self.tag)
        best = float(later.min())
        says = f"{self.tag} was {format_value(first)} at step {self.start}, at best {format_value(best)} later"
        if best * self.factor <= first:
            return Verdict(NOT_HELD, says)
        short = falling(self.tag, series)
        return Verdict(UNDECIDED, short) if short is not None else Verdict(HELD, says)


@dataclass(frozen=True, kw_only=True)
class Exceeds(RunClaim):
    """``tag`` lies ``above`` or ``below`` a threshold in at least ``part`` of its values after step ``after``; 0: in one."""

    tag: str
    above: float | None = None
    below: float | None = None
    part: float = 0.0
    after: int = -1

    def __post_init__(self) -> None:
        super().__post_init__()
        limits(self.above, self.below, ("above", "below"))
        checks.number("part", self.part, least=0)

    def rule(self) -> str:
        """The threshold and how often."""
        often = f"in {self.part:.0%} of its values or more" if self.part else "at least once"
        return f"{self.tag} {bounds(self.above, self.below)} {often}" + (f" after step {self.after}" if self.after >= 0 else "")

    def verdict(self, run: RunRecord) -> Verdict:
        """The share of values beyond the threshold."""
        values = run.series(self.tag).after(self.after).finite().values
        if not len(values):
            return missing(self.tag)
        beyond = [within(float(value), self.above, self.below) == HELD for value in values]
        says = f"{sum(beyond)} of {len(values)} values, {values.min():.4g} to {values.max():.4g}"
        return Verdict(HELD if any(beyond) and np.mean(beyond) >= self.part else NOT_HELD, says)
