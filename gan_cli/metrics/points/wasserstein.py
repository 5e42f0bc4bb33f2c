"""Exact Wasserstein distances between two sets of samples."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gan_cli.data.base import Data
from gan_cli.errors import FieldError, UserError
from gan_cli.metrics.base import Metric, Value
from gan_cli.metrics.features.base import Encoded, validate_pair

COSTS = {1: "euclidean", 2: "sqeuclidean"}
"""SciPy's name of the cost ‖x − y‖^p for each order p."""

MAX_SAMPLES = 5000
"""Largest assignment problem, about 7 s; time grows as the cube of the number of samples, memory as its square."""


def wasserstein(x: Tensor, y: Tensor, p: int = 1) -> float:
    """Return W_p = (min over permutations π of (1/N) Σᵢ ‖xᵢ − y_π(i)‖₂^p)^(1/p).

    The optimal transport between two uniform distributions on N points is a permutation (Birkhoff), the solution of an
    assignment problem. In one dimension it is found by sorting, and the sizes may differ. The result is the exact distance
    between the two sets; as an estimate of the distance between their distributions it is biased upwards.

    Args:
        x: ``[N, d]``.
        y: ``[N, d]``; in one dimension ``[M, 1]``.
        p: Order, 1 or 2.

    Raises:
        UserError: If p is not 1 or 2, sizes or dimensions differ, there are no samples or, in more than one dimension, more
            than ``MAX_SAMPLES``, or there are NaN or Inf.
    """
    check_order(p)
    x, y = (samples.double() for samples in validate_pair("Wasserstein distance", x, y))
    if x.shape[1] == 1:
        return float(transport_cost_1d(x[:, 0], y[:, 0], p) ** (1 / p))
    if len(x) != len(y):
        raise UserError(f"Wasserstein distance: needs sets of equal size and got {len(x)} and {len(y)} samples.")
    _check_size(len(x))
    from scipy.optimize import linear_sum_assignment  # here: most runs need no scipy
    from scipy.spatial.distance import cdist

    costs = cdist(x.numpy(), y.numpy(), COSTS[p])
    return float(costs[linear_sum_assignment(costs)].mean() ** (1 / p))


def transport_cost_1d(x: Tensor, y: Tensor, p: int) -> Tensor:
    """Return W_p^p = ∫₀¹ |F⁻¹(u) − G⁻¹(u)|^p du on the line.

    F⁻¹ and G⁻¹ are the quantile functions: steps of width 1/N and 1/M over the sorted samples. The cost is differentiable in
    both sets.

    Args:
        x: ``[..., N]``.
        y: ``[..., M]``.
        p: Order.

    Returns:
        ``[...]``.
    """
    N, M = x.shape[-1], y.shape[-1]
    x, y = x.sort(-1).values, y.sort(-1).values
    if N == M:
        return (x - y).abs().pow(p).mean(-1)
    # Steps end at i/N and j/M. In units of 1/(N·M) these are integers, so rounding cannot create an additional step.
    ends = torch.cat([M * torch.arange(1, N + 1), N * torch.arange(1, M + 1)]).unique().to(x.device)
    widths = torch.diff(ends, prepend=ends.new_zeros(1)).to(x.dtype) / (N * M)
    return ((x[..., (ends - 1) // M] - y[..., (ends - 1) // N]).abs().pow(p) * widths).sum(-1)


@dataclass(frozen=True)
class WassersteinDistance(Metric):
    """The exact Wasserstein distance in the space of ``features``; intended for points in the plane.

    Args:
        features: The feature space.
        n_samples: Number of samples of each kind; at most ``MAX_SAMPLES`` in more than one dimension.
        split: Part of the data set that the real samples come from, ``train`` or ``heldout``.
        p: Order, 1 or 2.

    Raises:
        UserError: If p is not 1 or 2. In ``fitted``, if ``n_samples`` is too large.
    """

    within_classes: ClassVar[bool] = True
    n_samples: int = 1000
    p: int = 1
    equal_sizes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_order(self.p)

    def fitted(self, data: Data, device: torch.device) -> Metric:
        """Return this metric with its features fitted; too many samples are refused before any work is done."""
        if math.prod(data.shape) > 1:
            _check_size(self.n_samples)
        return super().fitted(data, device)

    @property
    def name(self) -> str:
        """``w1`` or ``w2`` for the samples themselves, ``w1_<features>`` or ``w2_<features>`` for other features."""
        return self.features.label(f"w{self.p}")

    def measure(self, real: Encoded, fake: Encoded) -> dict[str, Value]:
        """Return ``w<p>``."""
        return {self.name: Value(wasserstein(real.features, fake.features, self.p))}


def check_order(p: int) -> None:
    """Check the order of a Wasserstein distance.

    Raises:
        UserError: If ``p`` is not 1 or 2.
    """
    if isinstance(p, bool) or p not in COSTS:
        raise FieldError("p", p, "the order of a Wasserstein distance must be 1 or 2.")


def _check_size(n: int) -> None:
    if n > MAX_SAMPLES:
        raise UserError(
            f"Wasserstein distance: {n} samples make the assignment problem too large; at most {MAX_SAMPLES} are possible.\n"
            f"Use metric.n_samples={MAX_SAMPLES} or fewer, or metric=sliced_wasserstein."
        )
