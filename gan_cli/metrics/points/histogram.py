"""Divergences between histograms of samples in one or two dimensions."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.data.base import Data
from gan_cli.errors import UserError
from gan_cli.metrics.base import Metric, Value
from gan_cli.metrics.features.base import Encoded, validate_pair
from gan_cli.metrics.points.discrete import js, kl, tv


class Histograms(NamedTuple):
    """Shares of the real and of the generated samples in the same cells.

    Attributes:
        real: float64 ``[bins^d + 1]`` that sums to 1; the last cell is everything outside the window.
        fake: The same for the generated samples.
    """

    real: Tensor
    fake: Tensor


def histograms(real: Tensor, fake: Tensor, bins: int) -> Histograms:
    """Return the histograms of two sets of samples.

    The window extends from the smallest to the largest real value of each coordinate, both included. Generated samples outside
    it share one additional cell, which holds no real sample.

    Args:
        real: ``[N, d]``, d = 1 or 2.
        fake: ``[M, d]``.
        bins: Number of equal intervals of each coordinate.

    Raises:
        UserError: If d is not 1 or 2, a set is empty, ``bins`` is below 1, or there are NaN or Inf.
    """
    checks.count("bins", bins)
    real, fake = (samples.double() for samples in validate_pair("histogram", real, fake))
    _check_dimensions(real.shape[1])
    low, high = real.min(0).values, real.max(0).values
    return Histograms(_shares(real, low, high, bins), _shares(fake, low, high, bins))


@dataclass(frozen=True)
class Histogram(Metric):
    """JS, KL in both directions and TV between histograms of points in one or two dimensions.

    The divergences of histograms are at most those of the distributions. Estimates from finite samples are biased upwards: two
    sets of n samples from one distribution that fills B cells have a JS of about (B − 1)/4n, and log 2/n more for each
    coordinate whose tails the window cuts off. Compare the value with the floor, the value between two sets of real samples.
    Both KLs are usually infinite.

    Args:
        features: The feature space, of at most two dimensions.
        n_samples: Number of samples of each kind.
        split: Part of the data set that the real samples come from, ``train`` or ``heldout``.
        bins: Number of equal intervals of each coordinate.

    Raises:
        UserError: If ``bins`` is below 1. In ``fitted``, if the data have more than two dimensions.
    """

    n_samples: int = 10_000
    bins: int = 50

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.count("bins", self.bins)

    def fitted(self, data: Data, device: torch.device) -> Metric:
        _check_dimensions(math.prod(data.shape))
        return super().fitted(data, device)

    @property
    def name(self) -> str:
        """``js`` in these features: it is symmetric and always finite."""
        return self.features.label("js")

    def measure(self, real: Encoded, fake: Encoded) -> dict[str, Value]:
        """Return ``js``, ``kl_forward``, ``kl_reverse`` and ``tv``.

        ``kl_forward`` = KL(real‖generated) is infinite if the generated samples miss one cell of the real ones; ``kl_reverse``
        = KL(generated‖real) is infinite if a generated sample lies in a cell without real ones.
        """
        p, q = histograms(real.features, fake.features, self.bins)
        label = self.features.label
        return {
            self.name: Value(js(p, q)),
            label("kl_forward"): Value(kl(p, q)),
            label("kl_reverse"): Value(kl(q, p)),
            label("tv"): Value(tv(p, q)),
        }

    def details(self, real: Encoded, fake: Encoded) -> dict[str, Any]:
        """Return ``outside``, the share of generated samples outside the window, and ``filled_cells`` of the real samples."""
        p, q = histograms(real.features, fake.features, self.bins)
        return {"outside": float(q[-1]), "filled_cells": int((p > 0).sum())}


def _shares(x: Tensor, low: Tensor, high: Tensor, bins: int) -> Tensor:
    d = x.shape[1]
    extent = (high - low).where(high > low, torch.ones_like(low))  # of a constant coordinate only one bin is used
    index = ((x - low) / extent * bins).floor().clamp(0, bins - 1).long()  # the upper end belongs to the last bin
    cell = index @ bins ** torch.arange(d - 1, -1, -1)
    inside = ((low <= x) & (x <= high)).all(1)
    counts = torch.bincount(cell.where(inside, bins**d), minlength=bins**d + 1)
    return counts.double() / len(x)


def _check_dimensions(d: int) -> None:
    if d > 2:
        raise UserError(
            f"metric=histogram compares points of 1 or 2 dimensions; these have {d}, so almost every cell would be empty.\n"
            "Use metric=sliced_wasserstein, metric=mmd or metric=frechet."
        )
