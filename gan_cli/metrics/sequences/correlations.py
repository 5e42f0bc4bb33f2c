"""Distances between the correlations of sequences, over time and between features.

Ni, Szpruch, Wiese, Liao, Xiao: Conditional Sig-Wasserstein GANs for Time Series Generation (2020),
https://arxiv.org/abs/2006.05421, section 5, compares both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.errors import UserError
from gan_cli.metrics.base import Value
from gan_cli.metrics.features.base import Encoded
from gan_cli.metrics.sequences.base import SequenceMetric, validate_sequence_pair

MIN_RELATIVE_STD = 1e-6
"""A feature whose standard deviation is a smaller fraction of its largest absolute value counts as constant."""


def lagged_correlations(x: Tensor, lags: int) -> Tensor:
    """Return c[k, i, j] = corr(x_i(t), x_j(t + k)), in [-1, 1], for lags k = 0 … ``lags``.

    These are Pearson correlations over all sequences and all t together, in float64. The mean is taken over all sequences, so
    differences between the levels of whole sequences contribute; the mean of each single sequence would remove them and bias
    short sequences. A constant feature has correlation 0 with every feature.

    A VAR(1) with x_t = φ x_{t−1} + n_t, whose noise has correlation σ between features, has c[k, i, i] = φ^k and
    c[k, i, j] = σφ^k.

    Args:
        x: Sequences ``[N, T, F]``.
        lags: Largest lag, in steps, below T.

    Returns:
        float64 ``[lags + 1, F, F]``.

    Raises:
        UserError: If ``lags`` is not in 0 … T − 1.
    """
    if not 0 <= lags < x.shape[1]:
        raise UserError(f"metric.lags={lags}: sequences of {x.shape[1]} steps have lags from 0 to {x.shape[1] - 1}.")
    x = x.double()
    return torch.stack([_correlations(x[:, : x.shape[1] - k], x[:, k:]) for k in range(lags + 1)])


def _correlations(a: Tensor, b: Tensor) -> Tensor:
    """Return the correlations ``[F, F]`` between the features of a and b ``[N, T, F]`` at equal positions."""
    a, b = (_standardised(part.flatten(0, 1)) for part in (a, b))
    return (a.T @ b / len(a)).clamp(-1, 1)


def _standardised(x: Tensor) -> Tensor:
    """Standardise ``[n, F]`` to mean 0 and variance 1; constant features become 0."""
    centred = x - x.mean(0)
    std = centred.square().mean(0).sqrt()
    moves = std > MIN_RELATIVE_STD * x.abs().amax(0)
    return torch.where(moves, centred / torch.where(moves, std, 1.0), 0.0)


def autocorrelation_distance(real: Tensor, fake: Tensor) -> float:
    """Return the mean of |c_real[k, i, i] − c_fake[k, i, i]| over features i and lags k >= 1, in [0, 2].

    Args:
        real: Lagged correlations ``[lags + 1, F, F]``.
        fake: The same of generated sequences.
    """
    return float((real - fake)[1:].diagonal(dim1=1, dim2=2).abs().mean())


def cross_correlation_distance(real: Tensor, fake: Tensor) -> float:
    """Return the mean of |c_real[k, i, j] − c_fake[k, i, j]| over features i ≠ j and lags k >= 0, in [0, 2].

    Args:
        real: Lagged correlations ``[lags + 1, F, F]``, F >= 2.
        fake: The same of generated sequences.
    """
    F = real.shape[1]
    return float((real - fake).abs()[:, ~torch.eye(F, dtype=torch.bool)].mean())


@dataclass(frozen=True)
class Correlations(SequenceMetric):
    """Distance of autocorrelations (primary) and, for several features, of cross-correlations.

    A distance of 0 means that these second moments agree after scaling each feature; it says nothing about the values
    themselves.

    Args:
        features: Not used.
        n_samples: Number of sequences of each kind.
        split: Part of the data set that the real sequences come from, ``train`` or ``heldout``.
        lags: Largest lag in steps; at most T − 1 lags are used.

    Raises:
        UserError: If ``lags`` is below 1. In ``measure``, if sequences have only one step.
    """

    n_samples: int = 2000
    lags: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.count("lags", self.lags)

    @property
    def name(self) -> str:
        """``autocorrelation``."""
        return "autocorrelation"

    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """Return ``autocorrelation`` and, for several features, ``cross_correlation``."""
        a, b = self._both(real, fake)
        values = {self.name: Value(autocorrelation_distance(a, b))}
        return values | ({"cross_correlation": Value(cross_correlation_distance(a, b))} if a.shape[1] > 1 else {})

    def details(self, real: Encoded, fake: Encoded) -> Mapping[str, Any]:
        """Return the autocorrelations, ``real`` and ``fake``: a list over lags 1, 2, … for each feature."""
        a, b = self._both(real, fake)
        return {side: c[1:].diagonal(dim1=1, dim2=2).T.tolist() for side, c in (("real", a), ("fake", b))}

    def _both(self, real: Encoded, fake: Encoded) -> tuple[Tensor, Tensor]:
        x, y = validate_sequence_pair(self.name, real.x, fake.x, minimum=2)
        lags = min(self.lags, x.shape[1] - 1)
        if not lags:
            raise UserError(f"{self.name}: sequences of one step have no lags.")
        return lagged_correlations(x, lags), lagged_correlations(y, lags)
