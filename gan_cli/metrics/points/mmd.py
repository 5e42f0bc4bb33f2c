"""Maximum mean discrepancy with a sum of Gaussian kernels.

Gretton, Borgwardt, Rasch, Schölkopf, Smola: A Kernel Two-Sample Test (2012); Li, Swersky, Zemel: Generative Moment Matching
Networks (2015) for the sum of kernels. The functions up to ``mmd2_linear`` are differentiable and compute in the precision
and on the device of their input, so that they can serve as training losses; they propagate NaN, which the metric reports.
Games also use ``rational_quadratic`` and ``mmd2_of_kernel``, on batches whose kernel matrices fit into memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.data.base import evenly_spaced, seeded_generator
from gan_cli.errors import FieldError, UserError
from gan_cli.metrics.base import Metric, Value
from gan_cli.metrics.features.base import Encoded, validate_pair

ROWS = 256
"""Rows of a kernel matrix that are held at a time."""


class LinearEstimate(NamedTuple):
    """A mean over independent terms and its standard error, 0-d tensors."""

    value: Tensor
    error: Tensor


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """Return ‖xᵢ − yⱼ‖² >= 0, ``[n, m]``, for ``x`` ``[n, d]`` and ``y`` ``[m, d]``."""
    center = y.detach().mean(0)  # far from the origin ‖x‖² + ‖y‖² − 2x·y loses digits
    x, y = x - center, y - center
    return (x.square().sum(1)[:, None] + y.square().sum(1) - 2 * x @ y.T).clamp(min=0)


def gaussian_kernel(squared: Tensor, bandwidths: Sequence[float]) -> Tensor:
    """Return k = Σ_σ exp(−‖x − y‖²/2σ²), in [0, len(bandwidths)].

    Args:
        squared: Squared distances ‖x − y‖², of any shape.
        bandwidths: The σ.

    Returns:
        A tensor of the same shape.
    """
    kernel = torch.zeros_like(squared)
    for sigma in bandwidths:
        kernel = kernel + torch.exp(squared / (-2 * sigma**2))
    return kernel


def rational_quadratic(squared: Tensor, alphas: Sequence[float]) -> Tensor:
    """Return k = Σ_α (1 + ‖x − y‖²/2α)^−α, in (0, len(alphas)] (Bińkowski et al., 2018).

    Its tails are heavy, so gradients do not vanish between distant samples.

    Args:
        squared: Squared distances ‖x − y‖², of any shape.
        alphas: The α.

    Returns:
        A tensor of the same shape.
    """
    kernel = torch.zeros_like(squared)
    for alpha in alphas:
        kernel = kernel + (1 + squared / (2 * alpha)) ** -alpha
    return kernel


def mmd2_of_kernel(xx: Tensor, yy: Tensor, xy: Tensor, biased: bool = False) -> Tensor:
    """Return MMD² from kernel matrices, a 0-d tensor.

    Args:
        xx: Kernel between samples of the first set, ``[n, n]``.
        yy: Kernel between samples of the second set, ``[m, m]``.
        xy: Kernel between the sets, ``[n, m]``.
        biased: False for the unbiased estimate of ``mmd2``. If true, the means within a set include the diagonal: the estimate
            is >= 0, and too large by (k(x, x) − E k(x, x'))/n for each set.

    Raises:
        UserError: If a set has fewer than two samples.
    """
    if min(len(xx), len(yy)) < 2:
        raise UserError("MMD needs at least 2 samples of each kind: increase train.batch_size.")
    within = [k.mean() if biased else (k.sum() - k.trace()) / (len(k) * (len(k) - 1)) for k in (xx, yy)]
    return within[0] + within[1] - 2 * xy.mean()


def mmd2(x: Tensor, y: Tensor, bandwidths: Sequence[float]) -> Tensor:
    """Return the unbiased estimate of MMD² = E k(x, x') + E k(y, y') − 2 E k(x, y), a 0-d tensor.

    The means run over distinct samples (a U-statistic), so the expectation is 0 for equal distributions, and the estimate is
    often negative there. Since the kernels are summed, it is at most 2·len(bandwidths).

    Args:
        x: ``[n, d]``.
        y: ``[m, d]``.
        bandwidths: Bandwidths σ of the Gaussian kernels, in units of the samples.

    Raises:
        UserError: If a set has fewer than two samples, the dimensions differ, or a bandwidth is not above 0.
    """
    _check(x, y, bandwidths, minimum=2)
    between = torch.stack([gaussian_kernel(squared_distances(rows, y), bandwidths).sum() for rows in x.split(ROWS)]).sum()
    return _mean_within(x, bandwidths) + _mean_within(y, bandwidths) - 2 * between / (len(x) * len(y))


def mmd2_linear(x: Tensor, y: Tensor, bandwidths: Sequence[float]) -> LinearEstimate:
    """Return the unbiased linear-time estimate of MMD²: the mean of k(x₁, x₂) + k(y₁, y₂) − k(x₁, y₂) − k(x₂, y₁) over pairs.

    Pairs are disjoint and taken in the order of the samples, which must be random. The last samples of the larger set are
    not used. The standard error is that over other samples ``y``, with ``x`` fixed: √(mean (h − h')² / 2n) over the n
    terms h, where h' has the same pair of ``x`` and the next pair of ``y``. It is far larger than the error of ``mmd2``.

    Args:
        x: ``[n, d]``.
        y: ``[m, d]``.
        bandwidths: Bandwidths σ of the Gaussian kernels, in units of the samples.

    Raises:
        UserError: If a set has fewer than four samples, the dimensions differ, or a bandwidth is not above 0.
    """
    _check(x, y, bandwidths, minimum=4)
    pairs = min(len(x), len(y)) // 2
    x1, x2, y1, y2 = x[: 2 * pairs : 2], x[1 : 2 * pairs : 2], y[: 2 * pairs : 2], y[1 : 2 * pairs : 2]

    def k(a: Tensor, b: Tensor) -> Tensor:
        return gaussian_kernel((a - b).square().sum(1), bandwidths)

    def terms(y1: Tensor, y2: Tensor) -> Tensor:
        return k(x1, x2) + k(y1, y2) - k(x1, y2) - k(x2, y1)

    h = terms(y1, y2)
    change = h - terms(y1.roll(1, 0), y2.roll(1, 0))
    return LinearEstimate(h.mean(), (change.square().mean() / (2 * pairs)).sqrt())


def median_distance(x: Tensor, max_samples: int = 1000) -> float:
    """Return the median of ‖xᵢ − xⱼ‖ over all pairs of a subset of the samples.

    Args:
        x: ``[n, d]``, n >= 2.
        max_samples: Largest size of the subset, which is evenly spaced.
    """
    subset = x.detach().cpu()[evenly_spaced(len(x), max_samples)].double()
    return float(torch.nn.functional.pdist(subset).median())


@dataclass(frozen=True)
class MMD(Metric):
    """MMD² with a sum of Gaussian kernels in the space of ``features``: the unbiased and the linear-time estimate.

    Args:
        features: The feature space.
        n_samples: Number of samples of each kind.
        split: Part of the data set that the real samples come from, ``train`` or ``heldout``.
        bandwidths: The σ of the kernels. Li et al. use 2, 5, 10, 20, 40, 80 for small images, unscaled.
        scaled: True if the bandwidths are multiples of the median distance between real samples, false if they are in units of
            the features. A scaled kernel depends on the real samples, so numbers for different data have different kernels.

    Raises:
        UserError: If a bandwidth is not above 0. In ``measure``, if the median distance between real samples is 0 and
            ``scaled`` is true.
    """

    within_classes: ClassVar[bool] = True
    least_samples: ClassVar[int] = 4
    bandwidths: Sequence[float] = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
    scaled: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.flag("scaled", self.scaled)
        bandwidths = self.bandwidths if isinstance(self.bandwidths, Sequence) else [self.bandwidths]
        _check_bandwidths(bandwidths)
        object.__setattr__(
            self, "bandwidths", tuple(float(sigma) for sigma in bandwidths)
        )  # a plain tuple instead of a config's list

    @property
    def name(self) -> str:
        """``mmd2`` for the samples themselves, ``mmd2_<features>`` for other features."""
        return self.features.label("mmd2")

    def measure(self, real: Encoded, fake: Encoded) -> dict[str, Value]:
        """Return ``mmd2``, and ``mmd2_linear`` over random pairs, which are the same for the same sizes."""
        x, y = (features.double() for features in validate_pair("MMD", real.features, fake.features, minimum=4))
        sigmas = self.sigmas(x)
        linear = mmd2_linear(x[_random_order(len(x), "real")], y[_random_order(len(y), "fake")], sigmas)
        return {
            self.name: Value(float(mmd2(x, y, sigmas))),
            self.features.label("mmd2_linear"): Value(float(linear.value), float(linear.error)),
        }

    def details(self, real: Encoded, fake: Encoded) -> dict[str, Any]:
        """Return ``bandwidths``, in units of the features."""
        return {"bandwidths": self.sigmas(real.features)}

    def sigmas(self, real: Tensor) -> list[float]:
        """Return the bandwidths in units of the features, given real features ``[N, d]``.

        Raises:
            UserError: If the median distance between real samples is 0 and ``scaled`` is true.
        """
        scale = median_distance(real) if self.scaled else 1.0
        if scale == 0:
            raise UserError(
                "MMD: the median distance between real samples is 0, so bandwidths cannot be multiples of it.\n"
                "Give them in units of the features: metric.scaled=false 'metric.bandwidths=[...]'."
            )
        return [sigma * scale for sigma in self.bandwidths]


def _mean_within(x: Tensor, bandwidths: Sequence[float]) -> Tensor:
    """Return the mean of k(xᵢ, xⱼ) over i ≠ j; the kernel is symmetric, so that i < j is enough."""
    starts = range(0, len(x), ROWS)
    upper = [gaussian_kernel(squared_distances(x[i : i + ROWS], x[i:]), bandwidths).triu(1).sum() for i in starts]
    return 2 * torch.stack(upper).sum() / (len(x) * (len(x) - 1))


def _random_order(n: int, kind: str) -> Tensor:
    """Return a random order; real samples may be sorted by class, which must not affect the pairs."""
    return torch.randperm(n, generator=seeded_generator("mmd", kind, n))


def _check(x: Tensor, y: Tensor, bandwidths: Sequence[float], minimum: int) -> None:
    _check_bandwidths(bandwidths)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or min(len(x), len(y)) < minimum:
        raise UserError(
            f"MMD: needs at least {minimum} samples [N, d] of each kind, of equal dimension, "
            f"and got {list(x.shape)}, {list(y.shape)}."
        )


def _check_bandwidths(bandwidths: Sequence[float]) -> None:
    if not bandwidths or isinstance(bandwidths, str):
        raise FieldError("bandwidths", bandwidths, "it must be a list of at least one number.")
    for sigma in bandwidths:
        checks.number("bandwidths", sigma, above=0)
