"""Divergences between histograms of samples on the line or in the plane."""

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
    """Shares of the real and of the generated samples in the same cells, float64 ``[bins^d + 1]`` each, summing to 1.

    The last cell is everything outside the window.
    """

    real: Tensor
    fake: Tensor


def histograms(real: Tensor, fake: Tensor, bins: int) -> Histograms:
    """Samples ``[N, d]`` and ``[M, d]``, d = 1 or 2, in ``bins`` equal intervals of each coordinate.

    The window reaches from the least to the greatest real value of each coordinate, both included. Generated samples
    outside it share one more cell, so that none is lost; no real sample lies there.

    Raises UserError for other d, no samples, fewer than one bin, NaN or Inf.
    """
    checks.count("bins", bins)
    real, fake = (samples.double() for samples in validate_pair("histogram", real, fake))
    _check_dimensions(real.shape[1])
    low, high = real.min(0).values, real.max(0).values
    return Histograms(_shares(real, low, high, bins), _shares(fake, low, high, bins))


@dataclass(frozen=True)
class Histogram(Metric):
    """JS, KL in both directions and TV between histograms with ``bins`` intervals of each coordinate, 1 or 2 of them.

    The histograms' divergences are at most the laws', and of finite samples biased upwards: two samples of n from one law
    that fills B cells have a JS of about (B − 1)/4n, and log 2/n more for each coordinate whose tails the window cuts off.
    Read it beside the number between two real samples. Both KLs are infinite more often than not.

    Raises UserError for data of more than two dimensions and for fewer than one bin.
    """

    n_samples: int = 10_000
    bins: int = 50

    def __post_init__(self):
        super().__post_init__()
        checks.count("bins", self.bins)

    def fitted(self, data: Data, device: torch.device) -> Metric:
        """This metric with its features ready."""
        _check_dimensions(math.prod(data.shape))
        return super().fitted(data, device)

    @property
    def name(self) -> str:
        """``js``: always finite, and symmetric."""
        return self.features.label("js")

    def measure(self, real: Encoded, fake: Encoded) -> dict[str, Value]:
        """``js``; ``kl_forward`` = KL(real‖generated), infinite as soon as the generated samples leave out one cell of the
        real ones; ``kl_reverse`` = KL(generated‖real), infinite as soon as one of them lies where no real one is; ``tv``.
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
        """``outside``: the share of generated samples outside the window of the real ones; ``filled_cells`` of those."""
        p, q = histograms(real.features, fake.features, self.bins)
        return {"outside": float(q[-1]), "filled_cells": int((p > 0).sum())}


def _shares(x: Tensor, low: Tensor, high: Tensor, bins: int) -> Tensor:
    d = x.shape[1]
    extent = (high - low).where(high > low, torch.ones_like(low))  # a constant coordinate has one bin that is used
    index = ((x - low) / extent * bins).floor().clamp(0, bins - 1).long()  # the upper end belongs to the last bin
    cell = index @ bins ** torch.arange(d - 1, -1, -1)
    inside = ((low <= x) & (x <= high)).all(1)
    counts = torch.bincount(cell.where(inside, bins**d), minlength=bins**d + 1)
    return counts.double() / len(x)


def _check_dimensions(d: int) -> None:
    if d > 2:
        raise UserError(
            f"metric=histogram compares points of 1 or 2 dimensions, these have {d}: almost every cell would be empty.\n"
            "Take metric=sliced_wasserstein, metric=mmd or metric=frechet."
        )
