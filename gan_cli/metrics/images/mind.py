"""Monge Inception Distance: a sliced Wasserstein distance on the scale of the Fréchet distance.

Berthet et al.: MIND: Monge Inception Distance for Generative Models Evaluation (2026), https://arxiv.org/abs/2605.06797.
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
from gan_cli.metrics.points.sliced_wasserstein import unit_directions
from gan_cli.metrics.points.wasserstein import transport_cost_1d

DIRECTIONS = 1000
"""Number of directions, the published value."""

COLUMNS = 64
"""Number of directions projected at a time."""


def monge_distance(real_features: Tensor, fake_features: Tensor, directions: int = DIRECTIONS) -> Estimate:
    """Return MIND = 3 d · SW₂², with SW₂² the mean over unit directions θ of W₂²(θ·x, θ·y).

    A shift of all samples by t has MIND 3 ‖t‖², where the Fréchet distance is ‖t‖². The directions are always the same.

    The distance is biased upwards, by an amount of the order of 1/N; compare only numbers from the same N and M.

    The error is that of a mean over the generated samples, with the real samples and the directions fixed: the derivative of
    W₂² with respect to the weight of a sample is the Kantorovich potential ψ(θ·y), ψ'(s) = 2(s − T(s)) with the transport map
    T to the real samples, so that the error is 3 d · √(Var mean_θ ψ(θ·y) / M).

    Everything is computed in the precision of the features, centred at the real mean.

    Args:
        real_features: ``[N, d]``.
        fake_features: ``[M, d]``.
        directions: Number of directions θ.

    Raises:
        UserError: If a set has fewer than two samples, the dimensions differ, there are NaN or Inf, or there are no directions.
    """
    checks.count("directions", directions)
    x, y = validate_pair("MIND", real_features, fake_features, minimum=2)
    center, theta = x.mean(0), unit_directions(directions, x.shape[1]).to(x.dtype)
    x, y = x - center, y - center
    total, potentials = 0.0, torch.zeros(len(y), dtype=torch.float64)
    for part in theta.split(COLUMNS):
        mapped, (sorted_y, order) = (part @ x.T).sort(-1).values, (part @ y.T).sort(-1)
        total += float(transport_cost_1d(mapped, sorted_y, 2).double().sum())
        potentials.index_add_(0, order.flatten(), _potentials(mapped, sorted_y).double().flatten())
    factor = 3 * x.shape[1] / len(theta)
    return Estimate(factor * total, factor * float(potentials.std()) / len(y) ** 0.5)


@dataclass(frozen=True)
class MIND(Metric):
    """MIND in the space of ``features``.

    Args:
        features: The feature space.
        n_samples: Number of samples of each kind.
        split: Part of the data set that the real samples come from, ``train`` or ``heldout``.
        directions: Number of directions.

    Raises:
        UserError: If ``directions`` is below 1.
    """

    within_classes: ClassVar[bool] = True
    directions: int = DIRECTIONS

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.count("directions", self.directions)

    @property
    def name(self) -> str:
        """``mind`` for the samples themselves, ``mind_<features>`` for other features."""
        return self.features.label("mind")

    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """Return ``mind`` with its standard error."""
        return {self.name: Value(*monge_distance(real.features, fake.features, self.directions))}


def _potentials(x: Tensor, y: Tensor) -> Tensor:
    """Return ψ at each of the sorted samples ``y`` ``[K, M]``, given the sorted samples ``x`` ``[K, N]``, row by row."""
    gap = 2 * (y - _quantile_means(x, y.shape[1]))
    steps = y.diff(dim=1) * (gap[:, 1:] + gap[:, :-1]) / 2
    return torch.nn.functional.pad(steps.cumsum(1), (1, 0))


def _quantile_means(x: Tensor, parts: int) -> Tensor:
    """Return the means of the quantile function of sorted samples ``x`` ``[K, N]`` over ``parts`` equal parts of [0, 1]."""
    n = x.shape[1]
    if n == parts:
        return x
    integral = torch.nn.functional.pad(x.double().cumsum(1), (1, 0))
    position = torch.arange(parts + 1, dtype=torch.float64) * n / parts
    below = position.floor().long().clamp(max=n - 1)
    at = integral[:, below] + (position - below) * (integral[:, below + 1] - integral[:, below])
    return at.diff(dim=1).mul(parts / n).to(x.dtype)
