"""Coverage of the modes of a known Gaussian mixture.

Srivastava et al.: VEEGAN: Reducing Mode Collapse in GANs using Implicit Variational Learning (2017); Lin, Khetan, Fanti, Oh:
PacGAN: The Power of Two Samples in Generative Adversarial Networks (2018).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from gan_cli.data.base import Data, Dataset, Subset, seeded_generator
from gan_cli.data.points.toy import Points
from gan_cli.errors import UserError
from gan_cli.metrics.base import Metric, Value
from gan_cli.metrics.features.base import Encoded, validate_pair
from gan_cli.metrics.points.discrete import kl

RADIUS = 3.0
"""Largest distance of a high-quality sample from the nearest center, in standard deviations of a mode."""


class Coverage(NamedTuple):
    """Coverage of the modes by a set of samples.

    Attributes:
        modes: Number of modes with a high-quality sample.
        high_quality: Share of high-quality samples, in [0, 1].
        reverse_kl: KL(samples‖distribution) of the mode counts, in nats.
        spread: Spread around the centers relative to the distribution's; 1 is right, NaN without high-quality samples.
        counts: Number of high-quality samples at each mode, int64 ``[K]``.
    """

    modes: int
    high_quality: float
    reverse_kl: float
    spread: float
    counts: Tensor


def mode_coverage(samples: Tensor, centers: Tensor, std: float, weights: Tensor | Sequence[float] | None = None) -> Coverage:
    """Return how samples cover the mixture of the Gaussians N(cₖ, σ²I).

    A sample is of high quality, and counts for the nearest mode, if that mode's center is within 3σ. Samples of the mixture
    itself have a share h = P(χ²_d ≤ 9) of them, 98.89 % in the plane; a larger share means that the spread has collapsed.

    ``reverse_kl`` = KL(samples‖mixture) of the K mode counts and the rest; the mixture has (h·w₁, …, h·w_K, 1 − h). The rest is
    a cell of its own: if every sample counted for its nearest mode, as in PacGAN, uniform noise would score well. h assumes
    that the modes do not overlap.

    ``spread`` is the root mean squared distance of high-quality samples to their center, divided by that of the mixture
    truncated at 3σ, σ√(d·P(χ²_{d+2} ≤ 9)/P(χ²_d ≤ 9)): 0 for a collapse onto the centers, 1 for the mixture, 1.54 for noise in
    the plane.

    Args:
        samples: ``[N, d]``.
        centers: Centers c, ``[K, d]``.
        std: Standard deviation σ of every mode.
        weights: Weights w of the modes, ``[K]``; all 1/K by default.

    Raises:
        UserError: If there are no samples, the dimensions differ, ``std`` is not above 0, or there are NaN or Inf.
    """
    from scipy.special import chdtr  # here: most runs need no scipy

    samples, centers = (points.double() for points in validate_pair("mode coverage", samples, centers))
    if not std > 0:
        raise UserError(f"mode coverage: the modes' standard deviation must be above 0 and is {std}.")
    (K, d), N = centers.shape, len(samples)
    h = float(chdtr(d, RADIUS**2))
    r, mode = _distances(samples, centers).min(1)
    good = r <= RADIUS * std
    counts = torch.bincount(mode[good], minlength=K)
    w = torch.full((K,), 1 / K, dtype=torch.float64) if weights is None else torch.as_tensor(weights, dtype=torch.float64)
    expected = torch.cat([h * w, torch.tensor([1 - h])])
    observed = torch.cat([counts, (~good).sum()[None]]) / N
    expected_square = d * std**2 * float(chdtr(d + 2, RADIUS**2)) / h
    spread = (r[good].square().mean() / expected_square).sqrt()
    return Coverage(int((counts > 0).sum()), float(good.double().mean()), kl(observed, expected), float(spread), counts)


def mode_table(
    fake: Tensor, real: Tensor, centers: Tensor, std: float, weights: Tensor | Sequence[float] | None = None
) -> dict[str, Coverage]:
    """Return ``mode_coverage`` of generated samples, of the data and of as much uniform noise, by row name.

    Coverage alone is not informative: 2 500 samples of noise over the box of the centers, 3σ wider on each side, reach about 23
    of the 25 modes of a grid, and 2.5 % of them are of high quality.

    Args:
        fake: Generated samples ``[N, d]``.
        real: Real samples ``[M, d]``.
        centers: Centers ``[K, d]``.
        std: Standard deviation of every mode.
        weights: Weights of the modes, ``[K]``; all 1/K by default.
    """
    rows = {"generated": fake, "data": real, "uniform noise": uniform_noise(len(fake), centers, std)}
    return {row: mode_coverage(samples, centers, std, weights) for row, samples in rows.items()}


def uniform_noise(n: int, centers: Tensor, std: float) -> Tensor:
    """Return ``n`` points, uniform over the bounding box of ``centers`` ``[K, d]`` and 3σ around it; always the same points."""
    low, high = centers.double().min(0).values - RADIUS * std, centers.double().max(0).values + RADIUS * std
    d = centers.shape[1]
    return low + (high - low) * torch.rand(n, d, generator=seeded_generator("uniform_noise", d), dtype=torch.float64)


class Mixture(NamedTuple):
    """The modes of a data set.

    Attributes:
        centers: ``[K, d]``.
        std: Standard deviation of every mode.
        weights: Share of the training points at each mode, ``[K]``.
    """

    centers: Tensor
    std: float
    weights: Tensor


@dataclass(frozen=True)
class ModeCoverage(Metric):
    """Mode coverage for data whose modes are known: ring, grid25, gaussians_1d.

    It is computed from the samples themselves, whatever the features. The primary number is the reverse KL, since neither noise
    nor a collapse makes it small: noise reaches all modes, and a collapsed generator has the highest quality.

    Args:
        features: Not used.
        n_samples: Number of samples of each kind.
        split: Part of the data set that the real samples come from, ``train`` or ``heldout``.

    Raises:
        UserError: In ``fitted``, if the modes of the data are not known.
    """

    n_samples: int = 2500
    needs_samples: ClassVar[bool] = True
    mixture: Mixture | None = field(default=None, init=False, repr=False, compare=False)

    def fitted(self, data: Data, device: torch.device) -> Metric:
        """Return this metric for the modes of ``data.train``."""
        ready = replace(self, features=self.features.fitted(data, device))
        object.__setattr__(ready, "mixture", mixture_of(data.train))
        return ready

    @property
    def name(self) -> str:
        """``reverse_kl``."""
        return "reverse_kl"

    def measure(self, real: Encoded, fake: Encoded) -> dict[str, Value]:
        """Return ``reverse_kl``, ``modes``, ``high_quality`` and ``spread``; the last two should equal those of the data."""
        coverage = mode_coverage(fake.x.flatten(1), *self._require_mixture())
        h = coverage.high_quality
        return {
            self.name: Value(coverage.reverse_kl),
            "modes": Value(coverage.modes, higher_is_better=True),
            "high_quality": Value(h, (h * (1 - h) / len(fake)) ** 0.5, higher_is_better=True),
            "spread": Value(coverage.spread, higher_is_better=None),
        }

    def details(self, real: Encoded, fake: Encoded) -> dict[str, Any]:
        """Return ``modes_of_data``, their number, and ``table``: coverage of generated samples, data and uniform noise."""
        table = mode_table(fake.x.flatten(1), real.x.flatten(1), *self._require_mixture())
        rows = [{"samples": row} | coverage._asdict() | {"counts": coverage.counts.tolist()} for row, coverage in table.items()]
        return {"modes_of_data": len(self._require_mixture().centers), "table": rows}

    def _require_mixture(self) -> Mixture:
        if self.mixture is None:
            raise UserError("mode coverage: the modes are not known yet: call metric.fitted(data, device) first.")
        return self.mixture


def mixture_of(dataset: Dataset) -> Mixture:
    """Return the modes of a data set of points or of a subset of one; each training point counts for the nearest mode.

    Raises:
        UserError: If the modes of the data set are not known or have no width.
    """
    whole = dataset
    while isinstance(whole, Subset):
        whole = whole.dataset
    if not isinstance(whole, Points) or whole.centers is None or not whole.std:
        raise UserError(
            "metric=modes needs a data set whose modes are known and have one width: ring, grid25 or gaussians_1d.\n"
            "For other points use metric=wasserstein, metric=histogram or metric=mmd."
        )
    x = dataset.batch(torch.arange(len(dataset))).x.double()
    nearest = _distances(x, whole.centers.double()).argmin(1)
    counts = torch.bincount(nearest, minlength=len(whole.centers)).double()
    return Mixture(whole.centers, whole.std, counts / counts.sum())


def _distances(x: Tensor, centers: Tensor) -> Tensor:
    return torch.cdist(x, centers, compute_mode="donot_use_mm_for_euclid_dist")  # exact for samples at the centers
