"""Exact Wasserstein distances between two sets of samples."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from torch import Tensor

from gan_cli.data.base import Data
from gan_cli.errors import FieldError, UserError
from gan_cli.metrics.base import Metric, Value
from gan_cli.metrics.features.base import Encoded, validate_pair

COSTS = {1: "euclidean", 2: "sqeuclidean"}
"""Order p -> SciPy's name of the cost ‖x − y‖^p."""

MOST = 5000
"""Most samples of an assignment problem: it takes about 7 s there, its time grows as the cube, its memory as the square."""


def wasserstein(x: Tensor, y: Tensor, p: int = 1) -> float:
    """W_p = (min over permutations π of (1/N) Σᵢ ‖xᵢ − y_π(i)‖₂^p)^(1/p), p = 1 or 2, for samples ``[N, d]`` each.

    The optimal transport between two uniform distributions on N points is a permutation (Birkhoff): the solution of an
    assignment problem. In one dimension sorting finds it, and there the sizes may differ. It is the samples' own distance;
    as an estimate of the distance between the laws behind them it is biased upwards.

    Raises UserError for another p, sizes or dimensions that differ, no samples, more than ``MOST`` of them above one
    dimension, NaN or Inf.
    """
    check_order(p)
    x, y = (samples.double() for samples in validate_pair("Wasserstein distance", x, y))
    if x.shape[1] == 1:
        return float(transport_cost_1d(x[:, 0], y[:, 0], p) ** (1 / p))
    if len(x) != len(y):
        raise UserError(f"Wasserstein distance: needs sets of equal size and got {len(x)} and {len(y)} samples.")
    _check_size(len(x))
    costs = cdist(x.numpy(), y.numpy(), COSTS[p])
    return float(costs[linear_sum_assignment(costs)].mean() ** (1 / p))


def transport_cost_1d(x: Tensor, y: Tensor, p: int) -> Tensor:
    """W_p^p = ∫₀¹ |F⁻¹(u) − G⁻¹(u)|^p du on the line, for samples ``[..., N]`` and ``[..., M]`` -> ``[...]``.

    F⁻¹ and G⁻¹ are the quantile functions: of sorted samples, steps of width 1/N and 1/M. Differentiable in both sets.
    """
    N, M = x.shape[-1], y.shape[-1]
    x, y = x.sort(-1).values, y.sort(-1).values
    if N == M:
        return (x - y).abs().pow(p).mean(-1)
    # Steps end at i/N and j/M: whole numbers in units of 1/(N·M), so that no rounding makes an extra step.
    ends = torch.cat([M * torch.arange(1, N + 1), N * torch.arange(1, M + 1)]).unique().to(x.device)
    widths = torch.diff(ends, prepend=ends.new_zeros(1)).to(x.dtype) / (N * M)
    return ((x[..., (ends - 1) // M] - y[..., (ends - 1) // N]).abs().pow(p) * widths).sum(-1)


@dataclass(frozen=True)
class WassersteinDistance(Metric):
    """The exact Wasserstein distance of order ``p``, 1 or 2, in the space of ``features``; made for points in the plane.

    Raises UserError for another p, and for data of more than one dimension with more than ``MOST`` samples.
    """

    n_samples: int = 1000
    p: int = 1
    equal_sizes: ClassVar[bool] = True

    def __post_init__(self):
        super().__post_init__()
        check_order(self.p)

    def fitted(self, data: Data, device: torch.device) -> Metric:
        """This metric with its features ready; too many samples are refused before any work is done."""
        if math.prod(data.shape) > 1:
            _check_size(self.n_samples)
        return super().fitted(data, device)

    @property
    def name(self) -> str:
        """``w1`` or ``w2`` between the samples themselves, ``w1_<features>`` or ``w2_<features>`` elsewhere."""
        return self.features.label(f"w{self.p}")

    def measure(self, real: Encoded, fake: Encoded) -> dict[str, Value]:
        """``wasserstein`` of the two feature matrices."""
        return {self.name: Value(wasserstein(real.features, fake.features, self.p))}


def check_order(p: int) -> None:
    """UserError unless p is 1 or 2."""
    if isinstance(p, bool) or p not in COSTS:
        raise FieldError("p", p, "the order of a Wasserstein distance must be 1 or 2.")


def _check_size(n: int) -> None:
    if n > MOST:
        raise UserError(
            f"Wasserstein distance: {n} samples make too large an assignment problem, at most {MOST} are possible.\n"
            f"Take metric.n_samples={MOST} or fewer, or metric=sliced_wasserstein."
        )
