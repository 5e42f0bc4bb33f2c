"""Squared maximum mean discrepancy with a wide Gaussian kernel, called CMMD in the features of a CLIP network.

Jayasumana et al.: Rethinking FID: Towards a Better Evaluation Metric for Image Generation (2024),
https://arxiv.org/abs/2401.09603.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.metrics.base import Metric, Value
from gan_cli.metrics.features.base import Encoded, validate_pair
from gan_cli.metrics.images.kid import Estimate

ROWS = 256
"""Rows of the kernel matrix that are held at a time."""

SIGMA, SCALE = 10.0, 1000.0
"""Bandwidth of the kernel and factor of the published number."""


def gaussian_mmd(real_features: Tensor, fake_features: Tensor, sigma: float = SIGMA, scale: float = SCALE) -> Estimate:
    """Return CMMD: ``scale`` · MMD² between features of unit length with the kernel k(a, b) = exp(−‖a − b‖²/2σ²).

    MMD² = Σ_ij k(x_i, x_j)/N² + Σ_ij k(y_i, y_j)/M² − 2 Σ_ij k(x_i, y_j)/NM, the biased estimate, as published: it is >= 0, and
    a pair of samples from one distribution is expected at ``scale`` · (1 − E k)(1/N + 1/M). Vectors of unit length are at most
    2 apart, so the kernel with σ = 10 is nearly linear, and the number nearly 10 ‖E x − E y‖².

    The error is 2 · ``scale`` · √(Var f(y)/M) with the witness function f = mean k(y, ·) − mean k(x, ·). It covers other
    generated samples of the same distribution, with the real samples fixed.

    Scalar products are computed in the precision of the features, everything else in float64.

    Args:
        real_features: ``[N, d]``.
        fake_features: ``[M, d]``.
        sigma: Bandwidth σ, in units of the length 1.
        scale: Factor of the result.

    Raises:
        UserError: If a set has fewer than two samples, the dimensions differ, there are NaN or Inf, or ``sigma`` or ``scale``
            is not above 0.
    """
    checks.number("sigma", sigma, above=0)
    checks.number("scale", scale, above=0)
    x, y = (torch.nn.functional.normalize(z) for z in validate_pair("CMMD", real_features, fake_features, minimum=2))
    xx, yy, xy, yx = (_kernel_means(a, b, sigma) for a, b in ((x, x), (y, y), (x, y), (y, x)))
    return Estimate(float(scale * (xx.mean() + yy.mean() - 2 * xy.mean())), float(2 * scale * (yy - yx).std() / len(y) ** 0.5))


@dataclass(frozen=True)
class CMMD(Metric):
    """CMMD's kernel distance in the space of ``features``, whose vectors are scaled to unit length.

    Args:
        features: The feature space.
        n_samples: Number of samples of each kind.
        split: Part of the data set that the real samples come from, ``train`` or ``heldout``.
        sigma: Bandwidth of the kernel, in units of the length 1.
        scale: Factor of the result.

    Raises:
        UserError: If ``sigma`` or ``scale`` is not above 0.
    """

    within_classes: ClassVar[bool] = True
    sigma: float = SIGMA
    scale: float = SCALE

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.number("sigma", self.sigma, above=0)
        checks.number("scale", self.scale, above=0)

    @property
    def name(self) -> str:
        """``cmmd`` for the samples themselves, ``cmmd_<features>`` for other features."""
        return self.features.label("cmmd")

    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """Return ``cmmd`` with its standard error."""
        return {self.name: Value(*gaussian_mmd(real.features, fake.features, self.sigma, self.scale))}


def _kernel_means(a: Tensor, b: Tensor, sigma: float) -> Tensor:
    """Return the mean over ``b`` ``[M, d]`` of k − 1 at each vector of ``a`` ``[N, d]``, float64 ``[N]``.

    The constant cancels in MMD². Without it, values near 0 keep their digits.
    """
    # ‖a − b‖² = 2 − 2 aᵀb at unit length; vectors that are 0 keep the length 0
    a2, b2 = (z.double().square().sum(1) for z in (a, b))
    squared = ((a2[i : i + ROWS, None] + b2 - 2 * (a[i : i + ROWS] @ b.T)) for i in range(0, len(a), ROWS))
    return torch.cat([torch.expm1(part.clamp(min=0) / (-2 * sigma**2)).mean(1) for part in squared])
