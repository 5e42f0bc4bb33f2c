"""Exact Wasserstein-1 distance between two sets of samples of equal size."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from torch import Tensor

from gan_cli.errors import UserError
from gan_cli.metrics.base import Metric
from gan_cli.metrics.features import Identity


def wasserstein1(real: Tensor, fake: Tensor) -> float:
    """min over permutations π of (1/N) Σᵢ ‖xᵢ − y_π(i)‖₂, for samples ``[N, d]`` each.

    The optimal transport between two uniform distributions on N points is a permutation (Birkhoff): in one dimension
    the one that sorts both, else the solution of an assignment problem, about 1 s for 2 000 points and growing as N³.
    It is the samples' own distance; as an estimate of the distance between the laws behind them it is biased upwards.

    Raises UserError where the sizes or dimensions differ, no sample is there, or one holds NaN or Inf.
    """
    if real.shape != fake.shape or not len(real):
        raise UserError(
            f"Wasserstein distance: needs as many generated as real samples, at least 1, of equal dimension; "
            f"got {list(real.shape)} real, {list(fake.shape)} generated."
        )
    x, y = (samples.detach().cpu().double().numpy() for samples in (real, fake))
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise UserError("Wasserstein distance: the samples hold NaN or Inf.")
    if x.shape[1] == 1:
        return float(np.abs(np.sort(x, axis=0) - np.sort(y, axis=0)).mean())
    distances = cdist(x, y)
    return float(distances[linear_sum_assignment(distances)].mean())


@dataclass(frozen=True)
class Wasserstein(Metric):
    """The exact Wasserstein-1 distance in the space of ``features``; made for points in the plane."""

    n_samples: int = 1000

    @property
    def name(self) -> str:
        """``w1`` between the samples themselves, ``w1_<features>`` in any other space."""
        return "w1" if isinstance(self.features, Identity) else f"w1_{self.features.name}"

    def measure(self, real: Tensor, fake: Tensor) -> float:
        """``wasserstein1`` of the two feature matrices."""
        return wasserstein1(real, fake)
