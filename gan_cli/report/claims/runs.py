"""Claims about single tags of a run."""

import math
from dataclasses import dataclass

import numpy as np

from gan_cli import checks
from gan_cli.evaluation.number_format import format_value
from gan_cli.report.claims.base import HELD, NOT_HELD, UNDECIDED, RunClaim, Verdict, not_logged, of_last, still_falling
from gan_cli.report.claims.bounds import check_bounds, describe_bounds, inside
from gan_cli.report.records.runs import RunRecord


@dataclass(frozen=True, kw_only=True)
class Falls(RunClaim):
    """``tag`` falls between two steps by a bounded number of orders of magnitude, log10(start / end).

    A rise is a negative number of orders; a fall to 0 counts as infinitely many. Undecided unless the value at ``start`` is
    positive.

    Args:
        tag: The logged number.
        at_least: Minimum number of orders of magnitude.
        at_most: Maximum number of orders of magnitude.
        start: First step; its newest value counts. None: the first step logged.
        end: Last step; its newest value counts. None: the last step logged.
        median: Width in points of the median filter applied to the tag; odd, 1 means no filter.
    """

    tag: str
    at_least: float | None = None
    at_most: float | None = None
    start: int | None = None
    end: int | None = None
    median: int = 1

    def __post_init__(self) -> None:
        check_bounds(self.at_least, self.at_most)
        checks.odd("median", self.median)
        super().__post_init__()

    def holds_at(self, value: float) -> bool:
        return inside(value, self.at_least, self.at_most)

    def rule(self) -> str:
        start = "the first step logged" if self.start is None else f"step {self.start}"
        end = "the last" if self.end is None else f"step {self.end}"
        bounds = describe_bounds(self.at_least, self.at_most)
        return f"{self.tag} falls by {bounds} orders of magnitude between {start} and {end}"

    def verdict(self, run: RunRecord) -> Verdict:
        series = run.series(self.tag).smooth(self.median)
        if not series:
            return not_logged(self.tag)
        ends = [series.steps[0] if self.start is None else self.start, series.steps[-1] if self.end is None else self.end]
        before, after = series.at(np.array(ends)).tolist()
        if not before > 0 or not after >= 0 or ends[1] > run.step:
            return Verdict(
                UNDECIDED, f"{self.tag} is {format_value(before)} at step {ends[0]} and {format_value(after)} at step {ends[1]}"
            )
        orders = math.log10(before / after) if after > 0 else math.inf
        reason = f"{before:.3g} at step {ends[0]}, {after:.3g} at step {ends[1]}: {in_orders(orders)}"
        return Verdict(self.judged(orders), reason)


def in_orders(orders: float) -> str:
    """Return a fall by a number of orders of magnitude in words; a negative number is a rise."""
    if math.isinf(orders):
        return "a fall to 0"
    size = f"{abs(orders):.2f}"
    if float(size) == 0:
        return "unchanged to within 0.01 orders of magnitude"
    return f"a {'fall' if orders > 0 else 'rise'} by {size} orders of magnitude"


@dataclass(frozen=True, kw_only=True)
class Reaches(RunClaim):
    """The final value of ``tag`` lies above or below a threshold.

    Args:
        tag: The logged number.
        above: Lower bound of the final value.
        below: Upper bound of the final value.
        last: The final value is the median of this many last values.
    """

    tag: str
    above: float | None = None
    below: float | None = None
    last: int = 1

    def __post_init__(self) -> None:
        check_bounds(self.above, self.below, ("above", "below"))
        checks.count("last", self.last)
        super().__post_init__()

    def holds_at(self, value: float) -> bool:
        return math.isfinite(value) and inside(value, self.above, self.below)

    def rule(self) -> str:
        final = "final value" if self.last == 1 else f"median of the last {self.last} values"
        return f"{final} of {self.tag} {describe_bounds(self.above, self.below)}"

    def verdict(self, run: RunRecord) -> Verdict:
        values = run.series(self.tag).values[-self.last :]
        if len(values) < self.last:
            return not_logged(self.tag)
        final = float(np.median(values))
        return Verdict(self.judged(final), f"{self.tag} ends at {format_value(final)}{of_last(self.last)}")


@dataclass(frozen=True, kw_only=True)
class StaysWithin(RunClaim):
    """``tag`` never leaves [``low``, ``high``] after step ``after``; a value that is not finite counts as outside."""

    tag: str
    low: float | None = None
    high: float | None = None
    after: int = -1

    def __post_init__(self) -> None:
        check_bounds(self.low, self.high, ("low", "high"))
        super().__post_init__()

    def holds_at(self, value: float) -> bool:
        return inside(value, self.low, self.high)

    def rule(self) -> str:
        start = f" after step {self.after}" if self.after >= 0 else ""
        return f"{self.tag} is always {describe_bounds(self.low, self.high)}{start}"

    def verdict(self, run: RunRecord) -> Verdict:
        values = run.series(self.tag).after(self.after).values
        if not len(values):
            return not_logged(self.tag)
        if not np.isfinite(values).all():
            return Verdict(NOT_HELD, f"{self.tag} became not finite")
        low, high = float(values.min()), float(values.max())
        state = HELD if self.holds_at(low) and self.holds_at(high) else NOT_HELD
        return Verdict(state, f"{self.tag} from {low:.4g} to {high:.4g} in {len(values)} values")


@dataclass(frozen=True, kw_only=True)
class Improves(RunClaim):
    """``tag`` improves on its value at step 0 by ``factor``; undecided while it is still falling.

    Args:
        tag: The logged number; positive, lower is better.
        factor: Required ratio of the value at step 0 to the final value; above 0.
        last: The final value is the median of this many last evaluations.
    """

    tag: str
    factor: float = 1.0
    last: int = 1

    def __post_init__(self) -> None:
        checks.number("factor", self.factor, above=0)
        checks.count("last", self.last)
        super().__post_init__()

    def holds_at(self, value: float) -> bool:
        return value >= self.factor

    def rule(self) -> str:
        return f"{self.tag}{of_last(self.last)} better than at step 0 by the factor {self.factor:g}"

    def verdict(self, run: RunRecord) -> Verdict:
        series = run.series(self.tag).finite()
        if len(series.steps) < 2 or series.steps[0] != 0:
            return not_logged(self.tag)
        first, last = series.values[0], float(np.median(series.values[-self.last :]))
        reason = f"{self.tag} went from {format_value(first)} to {format_value(last)}{of_last(self.last)}"
        if last <= 0:
            return Verdict(HELD, reason)
        if self.holds_at(first / last):
            return Verdict(HELD, f"{reason}, better by the factor {first / last:.3g}")
        unfinished = still_falling(self.tag, series)
        return Verdict(UNDECIDED, unfinished) if unfinished is not None else Verdict(NOT_HELD, reason)


@dataclass(frozen=True, kw_only=True)
class Monotone(RunClaim):
    """``tag`` only falls (``falling=True``) or only rises.

    Args:
        tag: The logged number.
        falling: Expected direction.
        tolerance: Largest step in the other direction that is still accepted, in the unit of the tag.
        after: Only values logged after this step are checked.
    """

    tag: str
    falling: bool = True
    tolerance: float = 0.0
    after: int = -1

    def __post_init__(self) -> None:
        checks.flag("falling", self.falling)
        checks.number("tolerance", self.tolerance, least=0)
        super().__post_init__()

    def holds_at(self, value: float) -> bool:
        return value <= self.tolerance

    def rule(self) -> str:
        slack = f", up to {self.tolerance:g}" if self.tolerance else ""
        return f"{self.tag} only {'falls' if self.falling else 'rises'}{slack}"

    def verdict(self, run: RunRecord) -> Verdict:
        values = run.series(self.tag).after(self.after).finite().values
        if len(values) < 2:
            return not_logged(self.tag)
        back = float((np.diff(values) if self.falling else -np.diff(values)).max())
        first, last = (format_value(float(values[end])) for end in (0, -1))
        reason = f"from {first} to {last}, largest step back {max(back, 0.0):.3g}"
        return Verdict(self.judged(back), reason)
