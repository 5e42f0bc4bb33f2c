"""The sliced Wasserstein distance: the mean of one-dimensional ones over directions.

Bonneel, Rabin, Peyré, Pfister: Sliced and Radon Wasserstein Barycenters of Measures (2015).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.data.base import generator
from gan_cli.metrics.base import Metric, Value
from gan_cli.metrics.features.base import Encoded, validate_pair
from gan_cli.metrics.points.wasserstein import check_order, transport_cost_1d

ROWS, COLUMNS = 1024, 64
"""Samples and directions that are projected at a time: no float64 copy of all features is held."""


def unit_directions(count: int, d: int) -> Tensor:
    """``count`` directions θ, uniform on the unit sphere of ``d`` dimensions, float64 ``[count, d]``.

    Always the same ones for the same numbers. On the line there is one direction only.
    """
    if d == 1:
        return torch.ones(1, 1, dtype=torch.float64)
    normal = torch.randn(count, d, generator=generator("sliced_wasserstein", d), dtype=torch.float64)
    return normal / normal.norm(dim=1, keepdim=True)


def projected_costs(x: Tensor, y: Tensor, theta: Tensor, p: int = 2) -> Tensor:
    """W_p^p between the projections of ``x [N, d]`` and ``y [M, d]`` on each direction of ``theta [K, d]`` -> ``[K]``.

    Differentiable in both sets; computed in the precision of ``theta``.
    """
    return torch.cat([transport_cost_1d(_project(x, some), _project(y, some), p) for some in theta.split(COLUMNS)])


def sliced_wasserstein(x: Tensor, y: Tensor, p: int = 2, directions: int = 1000) -> float:
    """SW_p = (mean over unit directions θ of W_p^p(θ·x, θ·y))^(1/p), p = 1 or 2, for ``x [N, d]`` and ``y [M, d]``.

    A mean over the sphere and not an integral over it: a shift by t costs SW₂ = ‖t‖/√d, and in one dimension it is W_p
    itself. The directions are ``unit_directions``.

    Raises UserError for another p, no direction, different d, no samples, NaN or Inf.
    """
    return float(_costs(x, y, p, directions).mean() ** (1 / p))


def error_over_directions(x: Tensor, y: Tensor, p: int = 2, directions: int = 1000) -> float:
    """Standard error of ``sliced_wasserstein`` that comes of taking finitely many directions alone, by the delta method.

    Not an error over samples: two measurements share their directions, so that most of it is common to both. It tells
    whether there are enough of them. 0 in one dimension; not a number for a single direction above that.
    """
    costs = _costs(x, y, p, directions)
    mean = costs.mean()
    if x.shape[1] == 1 or mean == 0:
        return 0.0
    return float(costs.std() / len(costs) ** 0.5 * mean ** (1 / p - 1) / p) if len(costs) > 1 else float("nan")


@dataclass(frozen=True)
class SlicedWassersteinDistance(Metric):
    """The sliced Wasserstein distance of order ``p``, 1 or 2, over ``directions`` in the space of ``features``.

    Raises UserError for another p and fewer than one direction.
    """

    n_samples: int = 5000
    p: int = 2
    directions: int = 1000

    def __post_init__(self):
        super().__post_init__()
        check_order(self.p)
        checks.count("directions", self.directions)

    @property
    def name(self) -> str:
        """``sw1`` or ``sw2`` between the samples themselves, ``sw1_<features>`` or ``sw2_<features>`` elsewhere."""
        return self.features.label(f"sw{self.p}")

    def measure(self, real: Encoded, fake: Encoded) -> dict[str, Value]:
        """``sliced_wasserstein`` of the two feature matrices."""
        return {self.name: Value(sliced_wasserstein(real.features, fake.features, self.p, self.directions))}

    def details(self, real: Encoded, fake: Encoded) -> dict[str, float]:
        """``error_over_directions``."""
        error = error_over_directions(real.features, fake.features, self.p, self.directions)
        return {"error_over_directions": error}


def _project(x: Tensor, theta: Tensor) -> Tensor:
    return torch.cat([theta @ rows.to(theta.dtype).T for rows in x.split(ROWS)], 1)


def _costs(x: Tensor, y: Tensor, p: int, directions: int) -> Tensor:
    check_order(p)
    checks.count("directions", directions)
    x, y = validate_pair("sliced Wasserstein distance", x, y)
    return projected_costs(x, y, unit_directions(directions, x.shape[1]), p)
