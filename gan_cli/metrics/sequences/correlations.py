"""How steps and features of sequences hang together: distances between correlations, over time and between features.

Ni, Szpruch, Wiese, Liao, Xiao: Conditional Sig-Wasserstein GANs for Time Series Generation (2020),
https://arxiv.org/abs/2006.05421, section 5, which compares the same two.
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

STILL = 1e-6
"""A feature whose standard deviation is a smaller part of its size does not move."""


def lagged_correlations(x: Tensor, lags: int) -> Tensor:
    """c[k, i, j] = corr(x_i(t), x_j(t + k)), in [-1, 1], for k = 0 … ``lags``: sequences ``[N, T, F]`` -> ``[lags + 1, F, F]``.

    Pearson's, over all sequences and all t together, float64. The mean is that of all sequences: what the level of a whole
    sequence contributes stays in, which a mean of each sequence of its own would take out, and bias short ones. A feature
    that does not move is correlated with nothing: 0.

    A VAR(1) with x_t = φ x_{t−1} + n_t and correlation σ of the features' noise has c[k, i, i] = φ^k, c[k, i, j] = σφ^k.

    Raises UserError where a lag of at least T is asked for.
    """
    if not 0 <= lags < x.shape[1]:
        raise UserError(f"metric.lags={lags}: sequences of {x.shape[1]} steps have lags from 0 to {x.shape[1] - 1}.")
    x = x.double()
    return torch.stack([_correlations(x[:, : x.shape[1] - k], x[:, k:]) for k in range(lags + 1)])


def _correlations(a: Tensor, b: Tensor) -> Tensor:
    """Between the features of a and b ``[N, T, F]`` at equal places -> ``[F, F]``."""
    a, b = (_standardised(part.flatten(0, 1)) for part in (a, b))
    return (a.T @ b / len(a)).clamp(-1, 1)


def _standardised(x: Tensor) -> Tensor:
    """``[n, F]`` of mean 0 and variance 1; what does not move is 0 everywhere."""
    centred = x - x.mean(0)
    std = centred.square().mean(0).sqrt()
    moves = std > STILL * x.abs().amax(0)
    return torch.where(moves, centred / torch.where(moves, std, 1.0), 0.0)


def autocorrelation_distance(real: Tensor, fake: Tensor) -> float:
    """Mean of |c_real[k, i, i] − c_fake[k, i, i]| over the features and k = 1 … lags, in [0, 2]; both ``[lags + 1, F, F]``."""
    return float((real - fake)[1:].diagonal(dim1=1, dim2=2).abs().mean())


def cross_correlation_distance(real: Tensor, fake: Tensor) -> float:
    """Mean of |c_real[k, i, j] − c_fake[k, i, j]| over i ≠ j and k = 0 … lags, in [0, 2]; both ``[lags + 1, F, F]``, F ≥ 2."""
    F = real.shape[1]
    return float((real - fake).abs()[:, ~torch.eye(F, dtype=torch.bool)].mean())


@dataclass(frozen=True)
class Correlations(SequenceMetric):
    """Distances of autocorrelations up to ``lags`` (chief) and, of several features, of their correlations with each other.

    ``lags``: at most T − 1 count. 0 says that these second moments agree, after scaling each feature, and nothing of the values
    themselves. Raises UserError for sequences of one step.
    """

    n_samples: int = 2000
    lags: int = 10

    def __post_init__(self):
        super().__post_init__()
        checks.count("lags", self.lags)

    @property
    def name(self) -> str:
        """``autocorrelation``."""
        return "autocorrelation"

    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """``autocorrelation`` and, of several features, ``cross_correlation``."""
        a, b = self._both(real, fake)
        found = {self.name: Value(autocorrelation_distance(a, b))}
        return found | ({"cross_correlation": Value(cross_correlation_distance(a, b))} if a.shape[1] > 1 else {})

    def details(self, real: Encoded, fake: Encoded) -> Mapping[str, Any]:
        """``real``, ``fake``: the autocorrelations, for each feature those at lag 1, 2, …"""
        a, b = self._both(real, fake)
        return {side: c[1:].diagonal(dim1=1, dim2=2).T.tolist() for side, c in (("real", a), ("fake", b))}

    def _both(self, real: Encoded, fake: Encoded) -> tuple[Tensor, Tensor]:
        x, y = validate_sequence_pair(self.name, real.x, fake.x, minimum=2)
        lags = min(self.lags, x.shape[1] - 1)
        if not lags:
            raise UserError(f"{self.name}: sequences of one step have no lag.")
        return lagged_correlations(x, lags), lagged_correlations(y, lags)
