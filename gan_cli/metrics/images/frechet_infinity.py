"""Fréchet distance extrapolated to infinitely many generated samples, called FID∞ in the features of the Inception network.

Chong, Forsyth: Effectively Unbiased FID and Inception Score and where to find them (2020), https://arxiv.org/abs/1911.07023.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.data.base import seeded_generator
from gan_cli.metrics.base import Metric, Value
from gan_cli.metrics.features.base import Encoded, validate_pair
from gan_cli.metrics.images.frechet import root_of_covariance
from gan_cli.metrics.images.kid import Estimate

POINTS = 15
"""Number of subsets, the published value."""

LARGEST_START = 5000
"""Size of the smallest subset if there are 50 000 samples or more, the published value; below that a tenth of the samples."""


def subset_sizes(n: int, points: int) -> Tensor:
    """Return the sizes of the subsets of ``n`` samples: evenly spaced from min(5000, n/10) to n, int64 ``[points]``."""
    return torch.linspace(min(LARGEST_START, n // 10), n, points, dtype=torch.float64).floor().long()


def extrapolation_weights(sizes: Tensor) -> Tensor:
    """Return the weights by which values at sizes N are summed to the intercept of their least-squares line in 1/N."""
    u = 1 / sizes.double()
    centred = u - u.mean()
    return 1 / len(u) - u.mean() * centred / centred.square().sum()


def frechet_infinity(real_features: Tensor, fake_features: Tensor, points: int = POINTS) -> Estimate:
    """Return the intercept of a line in 1/N through the Fréchet distances of subsets of N generated samples.

    The subsets are drawn at random without replacement, always the same for the same M; their sizes are ``subset_sizes``. The
    bias due to the number of generated samples is a/N + O(1/N²), of which the line removes a/N; what remains is small if the
    smallest subset has more samples than the features have dimensions of notable variance. The bias due to the number of real
    samples remains. The result may be negative.

    The error covers other generated samples of the same distribution and other subsets, with the real samples fixed. The
    derivative of the distance with respect to the weight of a sample y is IF(y) = ‖y − μ‖² − bᵀP^(−½)b + 2(μ − μ₁)ᵀ(y − μ) with
    Σ₁ = RᵀR, b = R(y − μ) and P = RΣRᵀ. The intercept depends on each sample j by c_j IF(y_j), where c_j is the sum over the
    subsets with j of their extrapolation weight divided by their size; so the error is √(Var IF · Σ c_j²).

    Args:
        real_features: ``[N, d]``.
        fake_features: ``[M, d]``.
        points: Number of subsets.

    Raises:
        UserError: If there are fewer than 20 generated or 2 real samples, the dimensions differ, there are NaN or Inf, or
            ``points`` is below 3.
    """
    checks.count("points", points, least=3)
    x, y = validate_pair("Fréchet distance", real_features, fake_features, minimum=2)
    checks.count("number of generated samples", len(y), least=FrechetInfinity.least_samples)
    mean = x.mean(0, dtype=torch.float64)
    R, trace = root_of_covariance(x, mean)
    y = y.double() - mean
    B, sizes, g = y @ R.T, subset_sizes(len(y), points), seeded_generator("frechet infinity", len(y))
    distances, shares = torch.empty(points, dtype=torch.float64), torch.zeros(points, len(y), dtype=torch.float64)
    for k, size in enumerate(sizes.tolist()):
        subset = torch.randperm(len(y), generator=g)[:size]
        part = y[subset]
        root = _nuclear_norm(B[subset]) / (size - 1) ** 0.5
        distances[k] = part.mean(0).square().sum() + trace + part.var(0).sum() - 2 * root
        shares[k, subset] = 1 / size
    weights = extrapolation_weights(sizes)
    error = _influence(y, B).var() * (weights @ shares).square().sum()
    return Estimate(float(weights @ distances), float(error) ** 0.5)


@dataclass(frozen=True)
class FrechetInfinity(Metric):
    """The extrapolated Fréchet distance in the space of ``features``.

    Args:
        features: The feature space.
        n_samples: Number of samples of each kind.
        split: Part of the data set that the real samples come from, ``train`` or ``heldout``.
        points: Number of subsets of the generated samples that the line is fitted to.

    Raises:
        UserError: If ``points`` is below 3.
    """

    within_classes: ClassVar[bool] = True
    least_samples: ClassVar[int] = 20
    floor_draws: ClassVar[int] = 3
    points: int = POINTS

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.count("points", self.points, least=3)

    @property
    def name(self) -> str:
        """``fd_infinity_<features>``, or ``fid_infinity`` in the features of the Inception network."""
        return self.features.label("fd_infinity")

    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """Return ``fd_infinity`` with its standard error."""
        return {self.name: Value(*frechet_infinity(real.features, fake.features, self.points))}

    def details(self, real: Encoded, fake: Encoded) -> Mapping[str, Any]:
        """Return the sizes of the subsets."""
        return {"subset_sizes": subset_sizes(len(fake), self.points).tolist()}


def _nuclear_norm(B: Tensor) -> Tensor:
    """Return the sum of the singular values of ``B`` ``[n, r]`` with centred columns."""
    B = B - B.mean(0)
    return torch.linalg.eigvalsh(B.T @ B if len(B) > B.shape[1] else B @ B.T).clamp(min=0).sqrt().sum()


def _influence(y: Tensor, B: Tensor) -> Tensor:
    """Return the derivative of the distance with respect to the weight of each sample, up to a constant, ``[M]``.

    Args:
        y: Generated features minus the real mean, ``[M, d]``.
        B: ``y`` Rᵀ ``[M, r]``.
    """
    mean = y.mean(0)
    y, B = y - mean, B - B.mean(0)
    n, r = B.shape
    if n > r:
        eigenvalues, V = torch.linalg.eigh(B.T @ B / (n - 1))
        positive = eigenvalues > 1e-12 * eigenvalues[-1]
        ratio = ((B @ V[:, positive]).square() / eigenvalues[positive].sqrt()).sum(1)
    else:  # bᵀP^(−½)b is the diagonal of the root of the samples' own Gram matrix
        eigenvalues, V = torch.linalg.eigh(B @ B.T)
        ratio = (n - 1) ** 0.5 * V.square() @ eigenvalues.clamp(min=0).sqrt()
    return y.square().sum(1) - ratio + 2 * y @ mean
