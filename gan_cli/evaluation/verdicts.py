"""Verdicts on the differences between methods: better, worse, or not told apart."""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from gan_cli.evaluation.moderated import LEVEL, MIN_SEEDS, fit_prior, half_width, joint_level, moderate, seeds_to_decide
from gan_cli.evaluation.number_format import ROUNDING

TOGETHER = "not told apart"
"""The verdict on a difference whose interval contains 0."""


class Difference(NamedTuple):
    """Difference between a method and the one that it is compared with.

    Attributes:
        value: The difference, method minus the other; at equal seeds if enough are shared.
        interval: Its confidence interval. None: too few seeds.
        n: Number of seeds: those that both have if enough are shared, else those of the method that has fewer.
        verdict: ``better``, ``worse``, ``not told apart`` (the interval contains 0), ``too few seeds`` or ``not finite``.
        seeds: Number of seeds of each method at which the same difference would be told apart; None: unknown, or very many.
    """

    value: float
    interval: tuple[float, float] | None
    n: int
    verdict: str
    seeds: int | None = None


class Observed(NamedTuple):
    """Difference between two methods as it was observed.

    Attributes:
        value: The difference.
        variance: Its variance for a single seed: the standard error is √(variance / n).
        dof: Degrees of freedom of the variance.
        n: Number of seeds; with unequal numbers their harmonic mean.
    """

    value: float
    variance: float
    dof: float
    n: float


class Moderated(NamedTuple):
    """Moderated variance of a difference.

    Attributes:
        variance: The variance for a single seed.
        dof: Its degrees of freedom.
        n: Number of seeds.
        prior_dof: The degrees of freedom that the prior adds to those of the seeds.
    """

    variance: float
    dof: float
    n: float
    prior_dof: float


def observe(a: Mapping[int, float], b: Mapping[int, float]) -> Observed | None:
    """Return the difference a - b between two methods, given their values by seed.

    If at least ``MIN_SEEDS`` seeds are shared, it is the mean of the differences at equal seeds, and the variance is that of
    these differences. Otherwise it is the difference of the means, with the sum of the variances of both and the smaller of
    their degrees of freedom (Hsu 1938).

    Returns:
        None: One of the methods has fewer than ``MIN_SEEDS`` seeds.
    """
    if min(len(a), len(b)) < MIN_SEEDS:
        return None
    shared = sorted(a.keys() & b.keys())
    if len(shared) >= MIN_SEEDS:
        x, y = (np.array([method[seed] for seed in shared]) for method in (a, b))
        rounded = (x - y).std() <= ROUNDING * max(np.abs(x).max(), np.abs(y).max())
        return Observed(float((x - y).mean()), 0.0 if rounded else float((x - y).var(ddof=1)), len(shared) - 1, len(shared))
    x, y = np.array(list(a.values())), np.array(list(b.values()))
    n = 2 / (1 / len(x) + 1 / len(y))
    variance = n * (x.var(ddof=1) / len(x) + y.var(ddof=1) / len(y))
    return Observed(float(x.mean() - y.mean()), float(variance), min(len(x), len(y)) - 1, n)


def differences_to(
    base: int, values: Sequence[Mapping[int, float]], higher_is_better: bool, comparisons: int | None = None
) -> list[Difference | None]:
    """Compare methods with one of them.

    Args:
        base: Index of the method that all are compared with.
        values: Values of each method by seed. The spreads of all methods are used for each interval.
        higher_is_better: True if larger values are better.
        comparisons: Number of intervals that hold jointly. None: all pairs of methods that have enough seeds, which is needed
            if ``base`` was chosen by the values, such as the best method.

    Returns:
        One difference for each method; None for ``base``.
    """
    level = joint_level(all_pairs(values) if comparisons is None else comparisons)
    finite = [all(map(math.isfinite, method.values())) for method in values]
    pairs = {
        (i, j): one
        for i, j in combinations(range(len(values)), 2)
        if finite[i] and finite[j] and (one := observe(values[i], values[j])) is not None
    }
    moderated = _moderate(pairs)
    found: list[Difference | None] = []
    for i, method in enumerate(values):
        pair = min(i, base), max(i, base)
        if i == base:
            found.append(None)
        elif not finite[i] or not finite[base]:
            found.append(Difference(math.nan, None, _seeds(method, values[base]), "not finite"))
        elif pair not in pairs:
            found.append(_too_few(method, values[base]))
        else:
            value = pairs[pair].value if i < base else -pairs[pair].value
            found.append(_judge(value, moderated[pair], _seeds(method, values[base]), higher_is_better, level))
    return found


def all_pairs(values: Sequence[Mapping[int, float]]) -> int:
    """Return the number of pairs of methods that have enough seeds to be compared."""
    return math.comb(sum(len(method) >= MIN_SEEDS for method in values), 2)


def describe_level(comparisons: int, what: str = "all pairs of methods") -> str:
    """Return the kind of interval in words: its level and, if several hold jointly, the level of each one."""
    if comparisons <= 1:
        return f"{100 * LEVEL:g} % intervals"
    return f"{100 * LEVEL:g} % simultaneous intervals (Bonferroni over {what}, {100 * joint_level(comparisons):.5g} % each)"


def _moderate(pairs: Mapping[tuple[int, int], Observed]) -> dict[tuple[int, int], Moderated]:
    """Return the moderated variances of all differences."""
    if not pairs:
        return {}
    _, variances, dof, n = np.array(list(pairs.values()), dtype=np.float64).T
    prior = fit_prior(variances, dof, len({method for pair in pairs for method in pair}))
    variances, dof = moderate(variances, dof, prior)
    return {
        pair: Moderated(float(variances[i]), float(dof[i]), float(n[i]), float(prior.dof[0])) for i, pair in enumerate(pairs)
    }


def _judge(value: float, one: Moderated, n: int, higher_is_better: bool, level: float) -> Difference:
    half = float(half_width(one.variance, one.dof, one.n, level))
    ends = value - half, value + half
    if abs(value) <= half:
        return Difference(value, ends, n, TOGETHER, seeds_to_decide(value, one.variance, one.prior_dof, level))
    return Difference(value, ends, n, "better" if (value > 0) == higher_is_better else "worse")


def _seeds(a: Mapping[int, float], b: Mapping[int, float]) -> int:
    shared = len(a.keys() & b.keys())
    return shared if shared >= MIN_SEEDS else min(len(a), len(b))


def _too_few(method: Mapping[int, float], base: Mapping[int, float]) -> Difference:
    """Return the difference without an interval: at equal seeds, or of the means if no seed is shared."""
    shared = method.keys() & base.keys()
    x, y = ([one[seed] for seed in (shared or one)] for one in (method, base))
    value = float(np.mean(x) - np.mean(y)) if x and y else math.nan
    return Difference(value, None, _seeds(method, base), "too few seeds")
