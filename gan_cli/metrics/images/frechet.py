"""Fréchet distance between Gaussians fitted to real and generated features.

Heusel et al.: GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium (2017),
https://arxiv.org/abs/1706.08500. It is called FID only in the features of the Inception network.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from gan_cli.metrics.base import Metric, Value
from gan_cli.metrics.features.base import Encoded, validate_pair
from gan_cli.metrics.images.kid import SUBSET_SIZE, SUBSETS, kernel_distance

ROWS, COLUMNS = 1000, 256
"""Block size when covariances are summed, the fastest of those tried at 10 000 × 2048."""


def frechet_distance(real_features: Tensor, fake_features: Tensor) -> float:
    """Return the Fréchet distance ‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½), with covariances normalised by 1/(N − 1).

    With Σ₁ = RᵀR of the smaller set, the nonzero eigenvalues of Σ₁Σ₂ are those of RΣ₂Rᵀ, which is symmetric, positive
    semidefinite and of order min(N − 1, d). So no matrix root is computed, nothing is added to the covariances, and singular
    covariances need no special treatment. Everything is computed in float64 on the CPU. The rounding error, and so the distance
    of identical sets, is below 1e-10 of tr(Σ₁ + Σ₂); below 1e-5 of it if a covariance has lower rank than sample count and
    dimension allow (dead features, collapsed samples).

    The distance is biased upwards, more strongly for fewer samples: compare only numbers from the same N and M.

    Args:
        real_features: ``[N, d]``.
        fake_features: ``[M, d]``.

    Returns:
        A number >= 0, in squared units of the features.

    Raises:
        UserError: If a set has fewer than two samples, the dimensions differ, or there are NaN or Inf.
    """
    x, y = sorted(validate_pair("Fréchet distance", real_features, fake_features, minimum=2), key=len)
    mu1, mu2 = x.mean(0, dtype=torch.float64), y.mean(0, dtype=torch.float64)
    R1, trace1 = root_of_covariance(x, mu1)
    if len(y) > y.shape[1]:
        S2 = _covariance(y, mu2)
        trace2, product = S2.trace(), R1 @ S2 @ R1.T
    else:
        R2, trace2 = root_of_covariance(y, mu2)
        product = (R1 @ R2.T) @ (R2 @ R1.T)
    root = torch.linalg.eigvalsh(product).clamp(min=0).sqrt().sum()  # rounding may turn 0 into −1e-17
    return float((mu1 - mu2).square().sum() + (trace1 + trace2 - 2 * root).clamp(min=0))


@dataclass(frozen=True)
class Frechet(Metric):
    """The Fréchet distance in the space of ``features``, and KID, which is unbiased for any number of samples."""

    within_classes: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """``fd_<features>``, or ``fid`` in the features of the Inception network."""
        return self.features.label("fd")

    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """Return the Fréchet distance, ``fd``, and ``kid``."""
        kid = Value(*kernel_distance(real.features, fake.features))
        return {**self.jackknife_values(real, fake), self.features.label("kid"): kid}

    def settings(self) -> dict[str, Any]:
        """Return the settings of KID; a subset has at most ``n_samples`` samples."""
        return {"kid": {"subsets": SUBSETS, "subset_size": min(SUBSET_SIZE, self.n_samples)}}

    def jackknife_values(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """Return the Fréchet distance alone, since KID has an error of its own."""
        return {self.name: Value(frechet_distance(real.features, fake.features))}


def root_of_covariance(x: Tensor, mean: Tensor) -> tuple[Tensor, Tensor]:
    """Return R ``[min(N − 1, d), d]`` with RᵀR = Σ, and tr Σ."""
    n, d = x.shape
    if n <= d:
        x = x - mean
        # Centred rows sum to 0. A reflection of the sample axis turns that direction into a row of zeros, which is dropped:
        # it would add an eigenvalue 0, which rounding and the square root turn into 1e-8 of the largest one.
        R = (x[1:] - x[0] / (n**0.5 + 1)) / (n - 1) ** 0.5
        return R, R.square().sum()
    S = _covariance(x, mean)
    R, failed = torch.linalg.cholesky_ex(S, upper=True)
    if failed:  # a singular covariance; this is ten times slower
        w, V = torch.linalg.eigh(S)
        R = (V * w.clamp(min=0).sqrt()).T
    return R, S.trace()


def _covariance(x: Tensor, mean: Tensor) -> Tensor:
    """Return Σ ``[d, d]`` in float64 of samples ``[N, d]``, converting only one block of rows to float64 at a time."""
    n, d = x.shape
    S = torch.zeros(d, d, dtype=torch.float64)
    for rows in x.split(ROWS):
        rows = rows - mean
        for start in range(0, d, COLUMNS):  # only the upper triangle, half the work
            columns = slice(start, start + COLUMNS)
            S[: columns.stop, columns].addmm_(rows[:, : columns.stop].T, rows[:, columns])
    return S.triu_().add_(S.triu(1).T).div_(n - 1)
