"""Simultaneous intervals of differences between methods with few seeds each: moderated variances, Student's t, Bonferroni.

All functions take arrays. The last axis is that of the differences between pairs of methods; axes before it are repetitions.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy import special

Array = np.ndarray[Any, np.dtype[np.float64]]

LEVEL = 0.97
"""Nominal joint confidence level of the intervals. ``docs/rankings.md`` has the simulated ones, with skewed noise, too."""
MIN_SEEDS = 3
"""Minimum number of seeds of each method for an interval."""
MAX_WEIGHT = 2
"""Maximum weight of the prior, as a multiple of that of a difference's own variance."""
MAX_SEEDS = 1000
"""Maximum number of seeds that ``seeds_to_decide`` considers."""
STEPS = 20
"""Number of Newton steps that invert the trigamma function."""


class Prior(NamedTuple):
    """Scaled inverse chi-squared distribution that the variances of the differences of a sweep are drawn from.

    Attributes:
        dof: d₀, the number of degrees of freedom that it is worth ``[..., 1]``.
        variance: s₀², its scale ``[..., 1]``.
    """

    dof: Array
    variance: Array


def fit_prior(variances: Array, dof: Array, methods: int) -> Prior:
    """Return the prior of the variances of all differences.

    d₀ solves ψ'(d₀/2) = Var(log s²) - mean ψ'(d/2), the moments of log s² (Smyth 2004, "Linear models and empirical Bayes
    methods for assessing differential expression in microarray experiments"). So it is small where the methods differ much in
    their spread, and large where they do not. It is at most 2 d, so that values that lie close together by chance do not make
    a method with a large spread look like the others, and at most (k - 2) d, so that d₀ + d does not exceed the degrees of
    freedom of k methods. s₀² is the geometric mean of the variances, corrected for the bias of log s².

    Args:
        variances: s² of each difference ``[..., pairs]``. Variances of 0 are left out.
        dof: Their degrees of freedom d ``[pairs]``.
        methods: The number k of methods.
    """
    half = np.broadcast_to(dof / 2, variances.shape)
    known = variances > 0
    count = known.sum(-1, keepdims=True)
    several = np.maximum(count, 2)

    def mean(values: Array) -> Array:
        total: Array = np.sum(values, axis=-1, keepdims=True, where=known)
        average: Array = total / several
        return average

    logs = np.log(np.where(known, variances, 1.0)) - special.digamma(half) + np.log(half)
    centre = mean(logs)
    excess = mean((logs - centre) ** 2) * several / (several - 1) - mean(special.polygamma(1, half))
    most = min(methods - 2, MAX_WEIGHT) * 2 * mean(half)
    fitted = np.minimum(2 * _inverse_trigamma(np.maximum(excess, 1e-12)), most)
    return Prior(np.where(count > 1, fitted, 0.0), np.where(count > 1, np.exp(centre), 0.0))


def moderate(variances: Array, dof: Array, prior: Prior) -> tuple[Array, Array]:
    """Return the moderated variances s̃² = max(s², (d₀ s₀² + d s²)/(d₀ + d)) and their degrees of freedom d₀ + d.

    Unlike Smyth's, these variances are never below s²: otherwise the method with the largest spread would be told apart from
    equal ones too often.
    """
    total = prior.dof + dof
    return np.maximum(variances, (prior.dof * prior.variance + dof * variances) / total), np.broadcast_to(
        total, variances.shape
    )


def half_width(variances: Array | float, dof: Array | float, n: Array | float, level: float) -> Array:
    """Return half the width t √(s²/n) of the confidence intervals.

    Args:
        variances: Variance s² of the difference for a single seed.
        dof: Its degrees of freedom.
        n: Number of seeds.
        level: Confidence level of each interval, in (0, 1).
    """
    half: Array = special.stdtrit(dof, (1 + level) / 2) * np.sqrt(variances / n)
    return half


def joint_level(comparisons: int) -> float:
    """Return the level of each of ``comparisons`` intervals for which all of them hold jointly with ``LEVEL`` (Bonferroni).

    The best method is selected after looking at the data, so the pair that differs most by chance is among those compared.
    Therefore verdicts against the best method count all k(k - 1)/2 pairs; those against a method that was named before count
    the k - 1 pairs with it.
    """
    return 1 - (1 - LEVEL) / max(1, comparisons)


def seeds_to_decide(value: float, variance: float, prior_dof: float, level: float) -> int | None:
    """Return the smallest number of seeds of each method at which the interval of the same difference excludes 0.

    Args:
        value: The difference.
        variance: Its moderated variance for a single seed, which is taken to stay as it is.
        prior_dof: d₀.
        level: Confidence level of the interval, in (0, 1).

    Returns:
        The number of seeds. None: it is larger than ``MAX_SEEDS``.
    """
    n = np.arange(MIN_SEEDS, MAX_SEEDS + 1, dtype=np.float64)
    decided = half_width(variance, n - 1 + prior_dof, n, level) < abs(value)
    return int(n[decided.argmax()]) if decided.any() else None


def _inverse_trigamma(values: Array) -> Array:
    """Return y with ψ'(y) = value > 0, by Newton's method for 1/ψ', which is nearly linear (Smyth 2004, appendix)."""
    y = 0.5 + 1 / values
    for _ in range(STEPS):
        trigamma = special.polygamma(1, y)
        y = y + trigamma * (1 - trigamma / values) / special.polygamma(2, y)
    return y
