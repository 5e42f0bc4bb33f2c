"""The maximum mean discrepancy with a sum of Gaussian kernels.

Gretton, Borgwardt, Rasch, Schölkopf, Smola: A Kernel Two-Sample Test (2012); Li, Swersky, Zemel: Generative Moment Matching
Networks (2015) for the sum. The functions up to ``mmd2_linear`` are differentiable and compute in the precision and on the
device of their input, as a training loss wants it: they pass NaN on, the metric names it. Games take ``rational_quadratic``
and ``mmd2_of_kernel`` too, on batches whose kernel matrices fit into memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.data.base import evenly, generator
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
    """‖xᵢ − yⱼ‖² for ``x [n, d]`` and ``y [m, d]`` -> ``[n, m]``, at least 0."""
    center = y.detach().mean(0)  # far from the origin ‖x‖² + ‖y‖² − 2x·y would lose the digits that matter
    x, y = x - center, y - center
    return (x.square().sum(1)[:, None] + y.square().sum(1) - 2 * x @ y.T).clamp(min=0)


def gaussian_kernel(squared: Tensor, bandwidths: Sequence[float]) -> Tensor:
    """k = Σ_σ exp(−‖x − y‖²/2σ²) over the bandwidths σ, from squared distances of any shape; within [0, len(bandwidths)]."""
    kernel = torch.zeros_like(squared)
    for sigma in bandwidths:
        kernel = kernel + torch.exp(squared / (-2 * sigma**2))
    return kernel


def rational_quadratic(squared: Tensor, alphas: Sequence[float]) -> Tensor:
    """k = Σ_α (1 + ‖x − y‖²/2α)^−α over ``alphas``, from squared distances; within (0, len(alphas)] (Bińkowski et al., 2018).

    Its tails are heavy, so that samples which are far apart still feel each other.
    """
    kernel = torch.zeros_like(squared)
    for alpha in alphas:
        kernel = kernel + (1 + squared / (2 * alpha)) ** -alpha
    return kernel


def mmd2_of_kernel(xx: Tensor, yy: Tensor, xy: Tensor, biased: bool = False) -> Tensor:
    """MMD² from kernel matrices ``[n, n]``, ``[m, m]``, ``[n, m]``, a 0-d tensor.

    Unbiased as ``mmd2``; ``biased``: the means within run over all pairs, so that it is at least 0 and too large by
    (k(x, x) − E k(x, x'))/n for each of the two.

    Raises UserError for fewer than two samples of a kind.
    """
    if min(len(xx), len(yy)) < 2:
        raise UserError("MMD needs at least 2 samples of a kind: raise train.batch_size.")
    within = [k.mean() if biased else (k.sum() - k.trace()) / (len(k) * (len(k) - 1)) for k in (xx, yy)]
    return within[0] + within[1] - 2 * xy.mean()


def mmd2(x: Tensor, y: Tensor, bandwidths: Sequence[float]) -> Tensor:
    """Unbiased estimate of MMD² = E k(x, x') + E k(y, y') − 2 E k(x, y), a 0-d tensor, for ``x [n, d]`` and ``y [m, d]``.

    The means run over distinct samples (a U-statistic), so that it is 0 in expectation for equal laws and often below 0
    there. At most 2·len(bandwidths), since the kernels are summed.

    Raises UserError for fewer than two samples of a kind, different d, and bandwidths that are not above 0.
    """
    _check(x, y, bandwidths, minimum=2)
    across = torch.stack([gaussian_kernel(squared_distances(rows, y), bandwidths).sum() for rows in x.split(ROWS)]).sum()
    return _mean_within(x, bandwidths) + _mean_within(y, bandwidths) - 2 * across / (len(x) * len(y))


def mmd2_linear(x: Tensor, y: Tensor, bandwidths: Sequence[float]) -> LinearEstimate:
    """Unbiased estimate of MMD² in linear time: the mean of k(x₁, x₂) + k(y₁, y₂) − k(x₁, y₂) − k(x₂, y₁) over disjoint pairs.

    Pairs are taken in the order of the samples ``x [n, d]`` and ``y [m, d]``, which must be random; of the longer set the
    last samples are not used. The terms are independent, so that the standard error is theirs, but far larger than that of
    ``mmd2``.

    Raises UserError for fewer than four samples of a kind, different d, and bandwidths that are not above 0.
    """
    _check(x, y, bandwidths, minimum=4)
    pairs = min(len(x), len(y)) // 2
    x1, x2, y1, y2 = x[: 2 * pairs : 2], x[1 : 2 * pairs : 2], y[: 2 * pairs : 2], y[1 : 2 * pairs : 2]

    def k(a: Tensor, b: Tensor) -> Tensor:
        return gaussian_kernel((a - b).square().sum(1), bandwidths)

    h = k(x1, x2) + k(y1, y2) - k(x1, y2) - k(x2, y1)
    return LinearEstimate(h.mean(), h.std() / pairs**0.5)


def median_distance(x: Tensor, most: int = 1000) -> float:
    """Median of ‖xᵢ − xⱼ‖ over all pairs of at most ``most`` evenly spaced samples of ``x [n, d]``, n at least 2."""
    some = x.detach().cpu()[evenly(len(x), most)].double()
    return float(torch.nn.functional.pdist(some).median())


@dataclass(frozen=True)
class MMD(Metric):
    """MMD² with a sum of Gaussian kernels in the space of ``features``: the unbiased and the linear-time estimate.

    ``bandwidths``: their σ; ``scaled``: in units of the median distance between real samples, else of the features
    themselves (2, 5, 10, 20, 40, 80 for small images is Li et al.'s choice). A scaled kernel follows the real samples:
    numbers with other data have another kernel.

    Raises UserError for bandwidths that are not above 0, and where half of the real samples are equal.
    """

    bandwidths: Sequence[float] = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
    scaled: bool = True

    def __post_init__(self):
        super().__post_init__()
        checks.flag("scaled", self.scaled)
        bandwidths = self.bandwidths if isinstance(self.bandwidths, Sequence) else [self.bandwidths]
        _check_bandwidths(bandwidths)
        object.__setattr__(self, "bandwidths", tuple(float(sigma) for sigma in bandwidths))  # plain, not a config's list

    @property
    def name(self) -> str:
        """``mmd2`` between the samples themselves, ``mmd2_<features>`` elsewhere."""
        return self.features.label("mmd2")

    def measure(self, real: Encoded, fake: Encoded) -> dict[str, Value]:
        """``mmd2``, and ``mmd2_linear`` over random pairs, the same for the same sizes."""
        x, y = (features.double() for features in validate_pair("MMD", real.features, fake.features, minimum=4))
        sigmas = self.sigmas(x)
        linear = mmd2_linear(x[_shuffled(len(x), "real")], y[_shuffled(len(y), "fake")], sigmas)
        return {
            self.name: Value(float(mmd2(x, y, sigmas))),
            self.features.label("mmd2_linear"): Value(float(linear.value), float(linear.error)),
        }

    def details(self, real: Encoded, fake: Encoded) -> dict[str, Any]:
        """``bandwidths``, in units of the features."""
        return {"bandwidths": self.sigmas(real.features)}

    def sigmas(self, real: Tensor) -> list[float]:
        """The bandwidths in units of the features, for real features ``[N, d]``."""
        scale = median_distance(real) if self.scaled else 1.0
        if scale == 0:
            raise UserError(
                "MMD: the median distance between real samples is 0, which cannot be a unit for bandwidths.\n"
                "Give them in units of the features: metric.scaled=false 'metric.bandwidths=[...]'."
            )
        return [sigma * scale for sigma in self.bandwidths]


def _mean_within(x: Tensor, bandwidths: Sequence[float]) -> Tensor:
    """Mean of k(xᵢ, xⱼ) over i ≠ j; the kernel is symmetric, so that i < j is enough."""
    starts = range(0, len(x), ROWS)
    upper = [gaussian_kernel(squared_distances(x[i : i + ROWS], x[i:]), bandwidths).triu(1).sum() for i in starts]
    return 2 * torch.stack(upper).sum() / (len(x) * (len(x) - 1))


def _shuffled(n: int, whose: str) -> Tensor:
    """A random order; real samples may come sorted by class, which pairs must not see."""
    return torch.randperm(n, generator=generator("mmd", whose, n))


def _check(x: Tensor, y: Tensor, bandwidths: Sequence[float], minimum: int) -> None:
    _check_bandwidths(bandwidths)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or min(len(x), len(y)) < minimum:
        raise UserError(
            f"MMD: needs at least {minimum} samples [N, d] of either kind, of equal dimension, "
            f"and got {list(x.shape)}, {list(y.shape)}."
        )


def _check_bandwidths(bandwidths: Sequence[float]) -> None:
    if not bandwidths or isinstance(bandwidths, str):
        raise FieldError("bandwidths", bandwidths, "it must be a list of at least one number.")
    for sigma in bandwidths:
        checks.number("bandwidths", sigma, above=0)
