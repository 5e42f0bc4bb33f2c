"""Fréchet distance between Gaussians fitted to real and generated features.

Heusel et al.: GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium (2017),
https://arxiv.org/abs/1706.08500. Only with the Inception network's features is it called FID.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.errors import UserError
from gan_cli.metrics.base import Metric


def frechet_distance(real_features: Tensor, fake_features: Tensor) -> float:
    """‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½), covariances with 1/(N − 1), for features ``[N, d]`` and ``[M, d]``.

    With Σᵢ = RᵢᵀRᵢ, tr(Σ₁Σ₂)^½ is the nuclear norm of R₁R₂ᵀ: the eigenvalues of Σ₁Σ₂ are the squares of its singular
    values. No matrix root, nothing added to the covariances, exact also where they are singular. In float64 on the CPU.
    Biased upwards, the more so the fewer the samples: compare only numbers from the same N and M.

    Returns a number >= 0. Raises UserError for fewer than two samples, different d, NaN or Inf.
    """
    x, y = _checked(real_features, "real"), _checked(fake_features, "generated")
    if x.shape[1] != y.shape[1]:
        raise UserError(f"Fréchet distance: real features have {x.shape[1]} dimensions, generated ones {y.shape[1]}.")
    R1, R2 = _root_of_covariance(x), _root_of_covariance(y)
    means = (x.mean(0) - y.mean(0)).square().sum()
    traces = R1.square().sum() + R2.square().sum() - 2 * torch.linalg.svdvals(R1 @ R2.T).sum()
    return float(means + traces.clamp(min=0))  # rounding may leave −1e-12 where the covariances are equal


@dataclass(frozen=True)
class Frechet(Metric):
    """The Fréchet distance in the space of ``features``."""

    @property
    def name(self) -> str:
        """``fd_<features>``."""
        return f"fd_{self.features.name}"

    def measure(self, real: Tensor, fake: Tensor) -> float:
        """``frechet_distance`` of the two feature matrices."""
        return frechet_distance(real, fake)


def _root_of_covariance(x: Tensor) -> Tensor:
    """R ``[min(N, d), d]`` with RᵀR = Σ: the centred samples over √(N − 1), or their triangular QR factor."""
    R = (x - x.mean(0)) / (len(x) - 1) ** 0.5
    return R if len(R) <= R.shape[1] else torch.linalg.qr(R, mode="r").R


def _checked(features: Tensor, whose: str) -> Tensor:
    if len(features) < 2:
        raise UserError(f"Fréchet distance: needs at least 2 {whose} samples and got {len(features)}.")
    if not features.isfinite().all():
        raise UserError(f"Fréchet distance: the {whose} features hold NaN or Inf.")
    return features.detach().cpu().double()
