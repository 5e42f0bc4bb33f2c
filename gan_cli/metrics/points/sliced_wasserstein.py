"""Sliced Wasserstein distance: the mean over directions of one-dimensional Wasserstein distances.

Bonneel, Rabin, Peyré, Pfister: Sliced and Radon Wasserstein Barycenters of Measures (2015).
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.data.base import seeded_generator
from gan_cli.metrics.base import Metric, Value
from gan_cli.metrics.features.base import Encoded, validate_pair
from gan_cli.metrics.points.wasserstein import check_order, transport_cost_1d

ROWS, COLUMNS = 1024, 64
"""Number of samples and of directions projected at a time, so that no float64 copy of all features is held."""


def unit_directions(count: int, d: int) -> Tensor:
    """Return ``count`` directions θ, uniform on the unit sphere in ``d`` dimensions, float64 ``[count, d]``.

    They are always the same for the same arguments. In one dimension there is a single direction.
    """
    if d == 1:
        return torch.ones(1, 1, dtype=torch.float64)
    normal = torch.randn(count, d, generator=seeded_generator("sliced_wasserstein", d), dtype=torch.float64)
    return normal / normal.norm(dim=1, keepdim=True)


def projected_costs(x: Tensor, y: Tensor, theta: Tensor, p: int = 2) -> Tensor:
    """Return W_p^p between the projections of two sets on each direction.

    The costs are differentiable in both sets and computed in the precision of ``theta``.

    Args:
        x: ``[N, d]``.
        y: ``[M, d]``.
        theta: Directions ``[K, d]``.
        p: Order, 1 or 2.

    Returns:
        ``[K]``.
    """
    return torch.cat([transport_cost_1d(_project(x, part), _project(y, part), p) for part in theta.split(COLUMNS)])


def sliced_wasserstein(x: Tensor, y: Tensor, p: int = 2, directions: int = 1000) -> float:
    """Return SW_p = (mean over unit directions θ of W_p^p(θ·x, θ·y))^(1/p).

    This is the mean over the sphere, not the integral: a shift by t has SW₂ = ‖t‖/√d, and in one dimension SW_p = W_p. The
    directions are those of ``unit_directions``.

    Args:
        x: ``[N, d]``.
        y: ``[M, d]``.
        p: Order, 1 or 2.
        directions: Number of directions.

    Raises:
        UserError: If p is not 1 or 2, there are no directions or no samples, the dimensions differ, or there are NaN or Inf.
    """
    return float(_costs(x, y, p, directions).mean() ** (1 / p))


def error_over_directions(x: Tensor, y: Tensor, p: int = 2, directions: int = 1000) -> float:
    """Return the standard error of ``sliced_wasserstein`` due to the finite number of directions, by the delta method.

    It is not an error over samples: two measurements use the same directions and share most of it. It shows whether there are
    enough directions. It is 0 in one dimension, and NaN for a single direction in more dimensions.

    Args:
        x: ``[N, d]``.
        y: ``[M, d]``.
        p: Order, 1 or 2.
        directions: Number of directions.
    """
    costs = _costs(x, y, p, directions)
    mean = costs.mean()
    if x.shape[1] == 1 or mean == 0:
        return 0.0
    return float(costs.std() / len(costs) ** 0.5 * mean ** (1 / p - 1) / p) if len(costs) > 1 else float("nan")


@dataclass(frozen=True)
class SlicedWassersteinDistance(Metric):
    """The sliced Wasserstein distance in the space of ``features``.

    Args:
        features: The feature space.
        n_samples: Number of samples of each kind.
        split: Part of the data set that the real samples come from, ``train`` or ``heldout``.
        p: Order, 1 or 2.
        directions: Number of directions.

    Raises:
        UserError: If p is not 1 or 2, or ``directions`` is below 1.
    """

    within_classes: ClassVar[bool] = True
    n_samples: int = 5000
    p: int = 2
    directions: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        check_order(self.p)
        checks.count("directions", self.directions)

    @property
    def name(self) -> str:
        """``sw1`` or ``sw2`` for the samples themselves, ``sw1_<features>`` or ``sw2_<features>`` for other features."""
        return self.features.label(f"sw{self.p}")

    def measure(self, real: Encoded, fake: Encoded) -> dict[str, Value]:
        """Return ``sw<p>``."""
        return {self.name: Value(sliced_wasserstein(real.features, fake.features, self.p, self.directions))}

    def details(self, real: Encoded, fake: Encoded) -> dict[str, float]:
        """Return ``error_over_directions``."""
        error = error_over_directions(real.features, fake.features, self.p, self.directions)
        return {"error_over_directions": error}


def _project(x: Tensor, theta: Tensor) -> Tensor:
    return torch.cat([theta @ rows.to(theta.dtype).T for rows in x.split(ROWS)], 1)


def _costs(x: Tensor, y: Tensor, p: int, directions: int) -> Tensor:
    check_order(p)
    checks.count("directions", directions)
    x, y = validate_pair("sliced Wasserstein distance", x, y)
    return projected_costs(x, y, unit_directions(directions, x.shape[1]), p)
