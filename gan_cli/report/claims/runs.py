"""Claims about one run each, by its logged numbers."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from gan_cli import checks
from gan_cli.evaluation.number_format import format_value
from gan_cli.report.claims.base import HELD, NOT_HELD, UNDECIDED, RunClaim, Verdict, bounds, falling, limits, missing, within
from gan_cli.report.records.runs import RunRecord


@dataclass(frozen=True, kw_only=True)
class Correlation(RunClaim):
    """Spearman's rank correlation between two tags is ``at_least`` or ``at_most`` this, in [-1, 1].

    Taken at the steps of ``y`` after ``warmup``, where ``x`` counts with its newest value, median filtered over ``median``
    points (odd; 1: not at all). Undecided with fewer than ``n`` evaluations, or where one of the two never moves.
    """

    x: str
    y: str
    at_least: float | None = None
    at_most: float | None = None
    warmup: int = 0
    n: int = 10
    median: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        limits(self.at_least, self.at_most)
        checks.count("warmup", self.warmup, 0)
        checks.count("n", self.n, 3)
        checks.odd("median", self.median)

    def rule(self) -> str:
        """The limits, and when it counts."""
        filtered = f", {self.x} median filtered over {self.median} points" if self.median > 1 else ""
        return (
            f"Spearman correlation of {self.x} and {self.y} {bounds(self.at_least, self.at_most)}, "
            f"after step {self.warmup}, over {self.n} evaluations or more{filtered}"
        )

    def verdict(self, run: RunRecord) -> Verdict:
        """Spearman's coefficient against the limits."""
        y = run.series(self.y).after(self.warmup)
        x = run.series(self.x).smooth(self.median).at(y.steps)
        good = np.isfinite(x) & np.isfinite(y.values)
        if (n := int(good.sum())) < self.n:
            return Verdict(UNDECIDED, f"{n} evaluations with both numbers after step {self.warmup}: {self.n} are asked for")
        if np.ptp(x[good]) == 0 or np.ptp(y.values[good]) == 0:
            return Verdict(UNDECIDED, f"one of the two never moves in {n} evaluations")
        rho = float(stats.spearmanr(x[good], y.values[good]).statistic)
        return Verdict(within(rho, self.at_least, self.at_most), f"Spearman correlation {rho:.2f} over {n} evaluations")


@dataclass(frozen=True, kw_only=True)
class Falls(RunClaim):
    """``tag`` falls between two steps by ``at_least`` or ``at_most`` this many orders of magnitude, log10(start / end).

    ``start``, ``end``: steps, each counting with its newest value (None: the first and the last one logged), median filtered
    over ``median`` points (odd). A rise is a negative number of orders. Undecided unless the start is positive; an end that has
    come to 0 has fallen by any number of orders.
    """

    tag: str
    at_least: float | None = None
    at_most: float | None = None
    start: int | None = None
    end: int | None = None
    median: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        limits(self.at_least, self.at_most)
        checks.odd("median", self.median)

    def rule(self) -> str:
        """The orders, and between which steps."""
        start = "the first step logged" if self.start is None else f"step {self.start}"
        end = "the last" if self.end is None else f"step {self.end}"
        return f"{self.tag} falls by {bounds(self.at_least, self.at_most)} orders of magnitude between {start} and {end}"

    def verdict(self, run: RunRecord) -> Verdict:
        """The orders against the limits."""
        series = run.series(self.tag).smooth(self.median)
        if not series:
            return missing(self.tag)
        ends = [series.steps[0] if self.start is None else self.start, series.steps[-1] if self.end is None else self.end]
        before, after = series.at(np.array(ends)).tolist()
        if not before > 0 or not after >= 0 or ends[1] > run.step:
            return Verdict(
                UNDECIDED, f"{self.tag} is {format_value(before)} at step {ends[0]} and {format_value(after)} at step {ends[1]}"
            )
        orders = math.log10(before / after) if after > 0 else math.inf
        said = f"by {orders:.2f} orders" if after > 0 else "to 0"
        says = f"{before:.3g} at step {ends[0]}, {after:.3g} at step {ends[1]}: fallen {said}"
        return Verdict(within(orders, self.at_least, self.at_most), says)


@dataclass(frozen=True, kw_only=True)
class Reaches(RunClaim):
    """The final value of ``tag``, the median of the ``last`` ones logged, lies ``above`` or ``below`` a threshold."""

    tag: str
    above: float | None = None
    below: float | None = None
    last: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        limits(self.above, self.below, ("above", "below"))
        checks.count("last", self.last)

    def rule(self) -> str:
        """The threshold."""
        final = "final value" if self.last == 1 else f"median of the last {self.last} values"
        return f"{final} of {self.tag} {bounds(self.above, self.below)}"

    def verdict(self, run: RunRecord) -> Verdict:
        """The final value against the threshold."""
        values = run.series(self.tag).values[-self.last :]
        if len(values) < self.last:
            return missing(self.tag)
        final = float(np.median(values))
        state = within(final, self.above, self.below) if math.isfinite(final) else NOT_HELD
        return Verdict(state, f"{self.tag} ends at {format_value(final)}")


@dataclass(frozen=True, kw_only=True)
class StaysWithin(RunClaim):
    """``tag`` never leaves [``low``, ``high``] after step ``after``; a value that is not finite has left it."""

    tag: str
    low: float | None = None
    high: float | None = None
    after: int = -1

    def __post_init__(self) -> None:
        super().__post_init__()
        limits(self.low, self.high, ("low", "high"))

    def rule(self) -> str:
        """The interval."""
        return f"{self.tag} always {bounds(self.low, self.high)}" + (f" after step {self.after}" if self.after >= 0 else "")

    def verdict(self, run: RunRecord) -> Verdict:
        """Lowest and highest value against the interval."""
        values = run.series(self.tag).after(self.after).values
        if not len(values):
            return missing(self.tag)
        if not np.isfinite(values).all():
            return Verdict(NOT_HELD, f"{self.tag} became not finite")
        low, high = float(values.min()), float(values.max())
        inside = HELD if within(low, self.low, None) == within(high, None, self.high) == HELD else NOT_HELD
        return Verdict(inside, f"{self.tag} from {low:.4g} to {high:.4g} in {len(values)} values")


@dataclass(frozen=True, kw_only=True)
class Improves(RunClaim):
    """``tag`` (positive, lower is better) becomes better than at step 0 by ``factor``; undecided while it is still falling.

    Both ends are medians over ``last`` evaluations at the end, and the one at step 0.
    """

    tag: str
    factor: float = 1.0
    last: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.number("factor", self.factor, above=0)
        checks.count("last", self.last)

    def rule(self) -> str:
        """The factor."""
        return f"{self.tag} better than at step 0 by the factor {self.factor:g}"

    def verdict(self, run: RunRecord) -> Verdict:
        """First and last value against the factor."""
        series = run.series(self.tag).finite()
        if len(series.steps) < 2 or series.steps[0] != 0:
            return missing(self.tag)
        first, last = series.values[0], float(np.median(series.values[-self.last :]))
        says = f"{self.tag} went from {format_value(first)} to {format_value(last)}"
        if last * self.factor <= first:
            return Verdict(HELD, f"{says}, better by the factor {first / last:.3g}" if last > 0 else says)
        short = falling(self.tag, series)
        return Verdict(UNDECIDED, short) if short is not None else Verdict(NOT_HELD, says)


@dataclass(frozen=True, kw_only=True)
class Agrees(RunClaim):
    """``tag`` agrees with ``reference``, a closed form that was logged beside it, wherever both are finite.

    |tag − reference| ≤ ``absolute`` + ``relative`` · |reference| at every step after ``after``.
    """

    tag: str
    reference: str
    absolute: float = 0.0
    relative: float = 0.0
    after: int = -1

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.number("absolute", self.absolute, least=0)
        checks.number("relative", self.relative, least=0)

    def rule(self) -> str:
        """The tolerance."""
        words = [f"{self.absolute:g}" if self.absolute else "", f"{self.relative:.3g} of it" if self.relative else ""]
        return f"{self.tag} within {' + '.join(filter(None, words)) or '0'} of {self.reference}"

    def verdict(self, run: RunRecord) -> Verdict:
        """The worst deviation against the tolerance."""
        measured = run.series(self.tag).after(self.after)
        exact = {step: value for step, value in zip(*run.series(self.reference), strict=True) if math.isfinite(value)}
        pairs = [(value, exact[step]) for step, value in zip(*measured, strict=True) if step in exact]
        if not pairs:
            return Verdict(UNDECIDED, f"{self.tag} and {self.reference} were never logged at the same step")
        a, b = np.array(pairs).T
        excess = np.abs(a - b) - (self.absolute + self.relative * np.abs(b))
        worst = int(np.nan_to_num(excess, nan=np.inf).argmax())
        says = f"at worst {format_value(float(a[worst]))} against {format_value(float(b[worst]))}, in {len(pairs)} pairs"
        return Verdict(HELD if excess[worst] <= 0 else NOT_HELD, says)


@dataclass(frozen=True, kw_only=True)
class Beats(RunClaim):
    """``tag`` (positive, lower is better) ends below ``reference``, logged beside it, divided by ``factor``.

    Both are medians of the ``last`` values logged.
    """

    tag: str
    reference: str
    factor: float = 1.0
    last: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.number("factor", self.factor, above=0)
        checks.count("last", self.last)

    def rule(self) -> str:
        """The factor."""
        return f"{self.tag} ends below {self.reference}" + (f" / {self.factor:g}" if self.factor != 1 else "")

    def verdict(self, run: RunRecord) -> Verdict:
        """Both final values."""
        values, others = (run.series(tag).values[-self.last :] for tag in (self.tag, self.reference))
        if min(len(values), len(others)) < self.last:
            return missing(self.tag if len(values) < self.last else self.reference)
        final, reference = float(np.median(values)), float(np.median(others))
        state = HELD if final * self.factor < reference else NOT_HELD  # also where one is not a number
        return Verdict(state, f"{format_value(final)} against {format_value(reference)}")


@dataclass(frozen=True, kw_only=True)
class Monotone(RunClaim):
    """``tag`` only falls (``falling=True``) or only rises; no step goes back by more than ``tolerance``."""

    tag: str
    falling: bool = True
    tolerance: float = 0.0
    after: int = -1

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.flag("falling", self.falling)
        checks.number("tolerance", self.tolerance, least=0)

    def rule(self) -> str:
        """The direction."""
        slack = f", up to {self.tolerance:g}" if self.tolerance else ""
        return f"{self.tag} only {'falls' if self.falling else 'rises'}{slack}"

    def verdict(self, run: RunRecord) -> Verdict:
        """The largest step back against the tolerance."""
        values = run.series(self.tag).after(self.after).finite().values
        if len(values) < 2:
            return missing(self.tag)
        back = float((np.diff(values) if self.falling else -np.diff(values)).max())
        first, last = (format_value(float(values[end])) for end in (0, -1))
        says = f"from {first} to {last}, largest step back {max(back, 0.0):.3g}"
        return Verdict(HELD if back <= self.tolerance else NOT_HELD, says)
