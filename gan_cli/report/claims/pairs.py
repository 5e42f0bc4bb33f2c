"""Claims about two tags of the same run: correlation, agreement and order."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from gan_cli import checks
from gan_cli.evaluation.number_format import format_value
from gan_cli.report.claims.base import UNDECIDED, RunClaim, Verdict, not_logged, of_last
from gan_cli.report.claims.bounds import check_bounds, describe_bounds, inside
from gan_cli.report.records.runs import RunRecord


@dataclass(frozen=True, kw_only=True)
class Correlation(RunClaim):
    """Spearman's rank correlation between two tags is bounded.

    It is computed at the steps of ``y`` after ``warmup``, with the newest value of ``x`` at each step. Undecided with fewer
    than ``n`` evaluations, or if one of the two tags is constant.

    Args:
        x: The tag that is logged more often, usually an estimate.
        y: The other tag, usually a metric.
        at_least: Lower bound of the correlation, in [-1, 1].
        at_most: Upper bound of the correlation, in [-1, 1].
        warmup: Steps up to this one are ignored.
        n: Minimum number of evaluations, at least 3.
        median: Width in points of the median filter applied to ``x``; odd, 1 means no filter.
        changes: If true, the changes from one evaluation to the next are correlated instead of the values. Two curves that both
            fall correlate as values, whatever they measure.
    """

    x: str
    y: str
    at_least: float | None = None
    at_most: float | None = None
    warmup: int = 0
    n: int = 10
    median: int = 1
    changes: bool = False

    def __post_init__(self) -> None:
        check_bounds(self.at_least, self.at_most)
        checks.count("warmup", self.warmup, 0)
        checks.count("n", self.n, 3)
        checks.odd("median", self.median)
        checks.flag("changes", self.changes)
        super().__post_init__()

    def holds_at(self, value: float) -> bool:
        return inside(value, self.at_least, self.at_most)

    def rule(self) -> str:
        filtered = f", {self.x} median filtered over {self.median} points" if self.median > 1 else ""
        correlated = f"{'the changes of ' if self.changes else ''}{self.x} and {self.y}"
        return (
            f"Spearman correlation of {correlated} {describe_bounds(self.at_least, self.at_most)}, "
            f"after step {self.warmup}, over {self.n} evaluations or more{filtered}"
        )

    def verdict(self, run: RunRecord) -> Verdict:
        y = run.series(self.y).after(self.warmup)
        x = run.series(self.x).smooth(self.median).at(y.steps)
        good = np.isfinite(x) & np.isfinite(y.values)
        if (n := int(good.sum())) < self.n:
            return Verdict(UNDECIDED, f"{n} evaluations with both numbers after step {self.warmup}, {self.n} are needed")
        pair = [np.diff(values[good]) if self.changes else values[good] for values in (x, y.values)]
        if any(np.ptp(values) == 0 for values in pair):
            return Verdict(
                UNDECIDED, f"one of the two {'changes evenly' if self.changes else 'is constant'} over {n} evaluations"
            )
        rho = float(stats.spearmanr(*pair).statistic)
        return Verdict(self.judged(rho), f"Spearman correlation {rho:.2f} over {n} evaluations")


@dataclass(frozen=True, kw_only=True)
class Agrees(RunClaim):
    """``tag`` agrees with ``reference``, a closed form logged at the same steps, wherever the reference is finite.

    |tag - reference| <= ``absolute`` + ``relative`` · |reference| at every step after ``after``.
    """

    tag: str
    reference: str
    absolute: float = 0.0
    relative: float = 0.0
    after: int = -1

    def __post_init__(self) -> None:
        checks.number("absolute", self.absolute, least=0)
        checks.number("relative", self.relative, least=0)
        super().__post_init__()

    def holds_at(self, value: float) -> bool:
        """Return whether the claim holds where ``value`` is |tag - reference| - ``relative`` · |reference|."""
        return value <= self.absolute

    def rule(self) -> str:
        terms = [f"{self.absolute:g}" if self.absolute else "", f"{self.relative:.3g} of it" if self.relative else ""]
        return f"{self.tag} within {' + '.join(filter(None, terms)) or '0'} of {self.reference}"

    def verdict(self, run: RunRecord) -> Verdict:
        measured = run.series(self.tag).after(self.after)
        exact = {step: value for step, value in zip(*run.series(self.reference), strict=True) if math.isfinite(value)}
        pairs = [(value, exact[step]) for step, value in zip(*measured, strict=True) if step in exact]
        if not pairs:
            return Verdict(UNDECIDED, f"{self.tag} and {self.reference} were never logged at the same step")
        a, b = np.array(pairs).T
        beyond = np.nan_to_num(np.abs(a - b) - self.relative * np.abs(b), nan=np.inf)
        worst = int(beyond.argmax())
        reason = f"at worst {format_value(float(a[worst]))} against {format_value(float(b[worst]))}, in {len(pairs)} pairs"
        return Verdict(self.judged(float(beyond[worst])), reason)


@dataclass(frozen=True, kw_only=True)
class Beats(RunClaim):
    """``tag`` ends below ``reference`` / ``factor``, where both are logged in the same run.

    Args:
        tag: The logged number; positive, lower is better.
        reference: The tag that it is compared with.
        factor: Required ratio of the reference to the tag; above 0.
        last: Both final values are medians of this many last values.
    """

    tag: str
    reference: str
    factor: float = 1.0
    last: int = 1

    def __post_init__(self) -> None:
        checks.number("factor", self.factor, above=0)
        checks.count("last", self.last)
        super().__post_init__()

    def holds_at(self, value: float) -> bool:
        """Return whether the claim holds where the reference is ``value`` times the tag."""
        return value > self.factor

    def rule(self) -> str:
        divided = f" / {self.factor:g}" if self.factor != 1 else ""
        return f"{self.tag} ends below {self.reference}{divided}{of_last(self.last)}"

    def verdict(self, run: RunRecord) -> Verdict:
        values, others = (run.series(tag).values[-self.last :] for tag in (self.tag, self.reference))
        if min(len(values), len(others)) < self.last:
            return not_logged(self.tag if len(values) < self.last else self.reference)
        final, reference = float(np.median(values)), float(np.median(others))
        ratio = math.inf if final <= 0 else reference / final  # NaN compares as not held
        return Verdict(self.judged(ratio), f"{format_value(final)} against {format_value(reference)}{of_last(self.last)}")
