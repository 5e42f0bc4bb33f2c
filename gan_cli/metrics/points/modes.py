"""Which modes of a known Gaussian mixture the samples reach, and how well.

Srivastava et al.: VEEGAN: Reducing Mode Collapse in GANs using Implicit Variational Learning (2017); Lin, Khetan, Fanti, Oh:
PacGAN: The Power of Two Samples in Generative Adversarial Networks (2018).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, NamedTuple

import torch
from scipy.stats import chi2
from torch import Tensor

from gan_cli.data.base import Data, Dataset, Subset, generator
from gan_cli.data.points.toy import Points
from gan_cli.errors import UserError
from gan_cli.metrics.base import Metric, Value
from gan_cli.metrics.features.base import Encoded, validate_pair
from gan_cli.metrics.points.discrete import kl

RADIUS = 3.0
"""In standard deviations of a mode: a sample that is no farther from the nearest center is of high quality."""


class Coverage(NamedTuple):
    """``modes``: number of modes with a high-quality sample; ``high_quality``: share of such samples; ``reverse_kl``, in
    nats; ``spread``: 1 is right, not a number without high-quality samples; ``counts``: of them at each mode, int64 ``[K]``.
    """

    modes: int
    high_quality: float
    reverse_kl: float
    spread: float
    counts: Tensor


def mode_coverage(samples: Tensor, centers: Tensor, std: float, weights: Tensor | Sequence[float] | None = None) -> Coverage:
    """How ``samples [N, d]`` cover the mixture of N(cₖ, σ²I) with ``centers [K, d]``, ``std`` σ and ``weights [K]``.

    A sample is of high quality when the nearest center is within 3σ, and counts for that mode. The law itself has a share
    of h = P(χ²_d ≤ 9) of them, 98.89 % in the plane: more means that the spread has collapsed.

    reverse_kl = KL(samples‖law) of the K mode counts and of the rest, where the law has (h·w₁, …, h·w_K, 1 − h), w all 1/K
    by default. It counts the rest as a cell of its own; with every sample given to its nearest mode, as in PacGAN, noise
    that fills the plane would score well. h takes it that the modes do not overlap.

    spread = root of the mean square distance of high-quality samples to their center, over the same root for the law cut
    off at 3σ, which is σ√(d·P(χ²_{d+2} ≤ 9)/P(χ²_d ≤ 9)): 0 for a collapse onto the centers, 1 for the law, and 1.54 for
    noise in the plane.

    Raises UserError for no samples, another d, a std that is not above 0, NaN or Inf.
    """
    samples, centers = (points.double() for points in validate_pair("mode coverage", samples, centers))
    if not std > 0:
        raise UserError(f"mode coverage: the modes' standard deviation must be above 0 and is {std}.")
    (K, d), N = centers.shape, len(samples)
    h = float(chi2.cdf(RADIUS**2, d))
    r, mode = _distances(samples, centers).min(1)
    good = r <= RADIUS * std
    counts = torch.bincount(mode[good], minlength=K)
    w = torch.full((K,), 1 / K, dtype=torch.float64) if weights is None else torch.as_tensor(weights, dtype=torch.float64)
    law = torch.cat([h * w, torch.tensor([1 - h])])
    drawn = torch.cat([counts, (~good).sum()[None]]) / N
    expected_square = d * std**2 * float(chi2.cdf(RADIUS**2, d + 2)) / h
    spread = (r[good].square().mean() / expected_square).sqrt()
    return Coverage(int((counts > 0).sum()), float(good.double().mean()), kl(drawn, law), float(spread), counts)


def mode_table(
    fake: Tensor, real: Tensor, centers: Tensor, std: float, weights: Tensor | Sequence[float] | None = None
) -> dict[str, Coverage]:
    """``mode_coverage`` of generated samples beside that of the data and of as much uniform noise, by row.

    Coverage means nothing alone: noise over the box of the centers, 3σ wider on each side, reaches about 23 of the 25 modes
    of a grid with 2 500 samples, of which 2.5 % are of high quality.
    """
    rows = {"generated": fake, "data": real, "uniform noise": uniform_noise(len(fake), centers, std)}
    return {row: mode_coverage(samples, centers, std, weights) for row, samples in rows.items()}


def uniform_noise(n: int, centers: Tensor, std: float) -> Tensor:
    """``n`` points, uniform over the bounding box of ``centers [K, d]`` and 3σ around it; always the same ones."""
    low, high = centers.double().min(0).values - RADIUS * std, centers.double().max(0).values + RADIUS * std
    d = centers.shape[1]
    return low + (high - low) * torch.rand(n, d, generator=generator("uniform_noise", d), dtype=torch.float64)


class Mixture(NamedTuple):
    """The modes of a data set: ``centers [K, d]``, their ``std``, and their share of the training points, ``weights [K]``."""

    centers: Tensor
    std: float
    weights: Tensor


@dataclass(frozen=True)
class ModeCoverage(Metric):
    """Modes, high-quality share, reverse KL and spread for data whose modes are known: ring, grid25, gaussians_1d.

    Taken of the samples themselves, whatever the features. The chief number is the reverse KL, the one that neither noise
    nor a collapse can make small: noise reaches all modes, a collapsed generator has the best quality.

    Raises UserError for data without modes.
    """

    n_samples: int = 2500
    needs_samples: ClassVar[bool] = True
    mixture: Mixture | None = field(default=None, init=False, repr=False, compare=False)

    def fitted(self, data: Data, device: torch.device) -> Metric:
        """This metric for the modes of ``data.train``."""
        ready = replace(self, features=self.features.fitted(data, device))
        object.__setattr__(ready, "mixture", mixture_of(data.train))
        return ready

    @property
    def name(self) -> str:
        """``reverse_kl``."""
        return "reverse_kl"

    def measure(self, real: Encoded, fake: Encoded) -> dict[str, Value]:
        """``reverse_kl``, ``modes``, ``high_quality``, ``spread``; of the last two the data's own values are right."""
        coverage = mode_coverage(fake.x.flatten(1), *self._known())
        h = coverage.high_quality
        return {
            self.name: Value(coverage.reverse_kl),
            "modes": Value(coverage.modes, higher_is_better=True),
            "high_quality": Value(h, (h * (1 - h) / len(fake)) ** 0.5, higher_is_better=True),
            "spread": Value(coverage.spread, higher_is_better=None),
        }

    def details(self, real: Encoded, fake: Encoded) -> dict[str, Any]:
        """``table``: one row each for the generated samples, the data and uniform noise, with the counts per mode."""
        table = mode_table(fake.x.flatten(1), real.x.flatten(1), *self._known())
        rows = [{"samples": row} | coverage._asdict() | {"counts": coverage.counts.tolist()} for row, coverage in table.items()]
        return {"modes_of_data": len(self._known().centers), "table": rows}

    def _known(self) -> Mixture:
        if self.mixture is None:
            raise UserError("mode coverage: the modes are known once the metric is fitted to a data set.")
        return self.mixture


def mixture_of(dataset: Dataset) -> Mixture:
    """The modes of a data set of points, also of a part of one; a training point counts for the nearest mode.

    Raises UserError where it has none.
    """
    whole = dataset
    while isinstance(whole, Subset):
        whole = whole.whole
    if not isinstance(whole, Points) or whole.centers is None or not whole.std:
        raise UserError(
            "metric=modes needs a data set whose modes are known and have a width: ring, grid25 or gaussians_1d.\n"
            "For other points take metric=wasserstein, metric=histogram or metric=mmd."
        )
    x = dataset.batch(torch.arange(len(dataset))).x.double()
    nearest = _distances(x, whole.centers.double()).argmin(1)
    counts = torch.bincount(nearest, minlength=len(whole.centers)).double()
    return Mixture(whole.centers, whole.std, counts / counts.sum())


def _distances(x: Tensor, centers: Tensor) -> Tensor:
    return torch.cdist(x, centers, compute_mode="donot_use_mm_for_euclid_dist")  # exact where samples sit on centers
