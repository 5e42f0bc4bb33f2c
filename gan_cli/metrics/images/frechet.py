"""Fréchet distance between Gaussians fitted to real and generated features.

Heusel et al.: GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium (2017),
https://arxiv.org/abs/1706.08500. Only with the Inception network's features is it called FID.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gan_cli.metrics.base import Metric, Value
from gan_cli.metrics.features.base import Encoded, validate_pair
from gan_cli.metrics.images.kid import SUBSET_SIZE, SUBSETS, kernel_distance

ROWS, COLUMNS = 1000, 256  # of a block when covariances are summed: the fastest of those tried at 10 000 × 2048


def frechet_distance(real_features: Tensor, fake_features: Tensor) -> float:
    """‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½), covariances with 1/(N − 1), for features ``[N, d]`` and ``[M, d]``.

    With Σ₁ = RᵀR of the smaller set, Σ₁Σ₂ has, but for zeros, the eigenvalues of RΣ₂Rᵀ: symmetric, none below 0, of order
    min(N − 1, d). So no matrix root is taken, nothing is added to the covariances, and singular ones are no exception. In
    float64 on the CPU. Rounding, and so the distance of identical sets, stays below 1e-10 of tr(Σ₁ + Σ₂); below 1e-5 of it
    for covariances of lower rank than sample count and dimension allow (dead features, collapsed samples).
    Biased upwards, the more so the fewer the samples: compare only numbers from the same N and M.

    Returns a number >= 0. Raises UserError for fewer than two samples, different d, NaN or Inf.
    """
    x, y = sorted(validate_pair("Fréchet distance", real_features, fake_features, minimum=2), key=len)
    mu1, mu2 = x.mean(0, dtype=torch.float64), y.mean(0, dtype=torch.float64)
    R1, trace1 = _root_of_covariance(x, mu1)
    if len(y) > y.shape[1]:
        S2 = _covariance(y, mu2)
        trace2, product = S2.trace(), R1 @ S2 @ R1.T
    else:
        R2, trace2 = _root_of_covariance(y, mu2)
        product = (R1 @ R2.T) @ (R2 @ R1.T)
    root = torch.linalg.eigvalsh(product).clamp(min=0).sqrt().sum()  # rounding leaves −1e-17 for a 0
    return float((mu1 - mu2).square().sum() + (trace1 + trace2 - 2 * root).clamp(min=0))


@dataclass(frozen=True)
class Frechet(Metric):
    """The Fréchet distance in the space of ``features`` and, beside it, KID, which has no bias from the number of samples."""

    @property
    def name(self) -> str:
        """``fd_<features>``; ``fid`` in the Inception network's."""
        return self.features.label("fd")

    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """``frechet_distance`` and ``kernel_distance`` of the features."""
        kid = Value(*kernel_distance(real.features, fake.features))
        return {**self.jackknife_values(real, fake), self.features.label("kid"): kid}

    def settings(self) -> dict[str, Any]:
        """Those of the KID beside it."""
        return {"kid": {"subsets": SUBSETS, "subset_size": SUBSET_SIZE}}

    def jackknife_values(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """The Fréchet distance alone: KID knows its error."""
        return {self.name: Value(frechet_distance(real.features, fake.features))}


def _root_of_covariance(x: Tensor, mean: Tensor) -> tuple[Tensor, Tensor]:
    """R ``[min(N − 1, d), d]`` with RᵀR = Σ, and tr Σ."""
    n, d = x.shape
    if n <= d:
        x = x - mean
        # Centred rows sum to 0. A reflection of the sample axis turns that direction into one row of zeros, left out here:
        # the products of R would have an eigenvalue 0 for it, of which rounding and the root make 1e-8 of the largest.
        R = (x[1:] - x[0] / (n**0.5 + 1)) / (n - 1) ** 0.5
        return R, R.square().sum()
    S = _covariance(x, mean)
    R, failed = torch.linalg.cholesky_ex(S, upper=True)
    if failed:  # singular: a tenth of the speed
        w, V = torch.linalg.eigh(S)
        R = (V * w.clamp(min=0).sqrt()).T
    return R, S.trace()


def _covariance(x: Tensor, mean: Tensor) -> Tensor:
    """Σ ``[d, d]`` in float64 of samples ``[N, d]``, of which only a block of rows is copied to float64 at a time."""
    n, d = x.shape
    S = torch.zeros(d, d, dtype=torch.float64)
    for rows in x.split(ROWS):
        rows = rows - mean
        for start in range(0, d, COLUMNS):  # the upper triangle alone: half the work
            columns = slice(start, start + COLUMNS)
            S[: columns.stop, columns].addmm_(rows[:, : columns.stop].T, rows[:, columns])
    return S.triu_().add_(S.triu(1).T).div_(n - 1)
