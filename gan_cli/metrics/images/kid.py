"""Squared maximum mean discrepancy with a cubic kernel, called KID in the features of the Inception network.

Bińkowski et al.: Demystifying MMD GANs (2018), https://arxiv.org/abs/1801.01401.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.data.base import seeded_generator
from gan_cli.metrics.base import Metric, Value
from gan_cli.metrics.features.base import Encoded, validate_pair

ROWS = 256
"""Rows of the kernel matrix that are held at a time: 20 MB in float64 for 10 000 columns."""

SUBSETS, SUBSET_SIZE = 100, 1000
"""Number and size of the random subsets, the customary values."""


class Estimate(NamedTuple):
    """A mean over subsets and its standard error."""

    value: float
    error: float


class _Comparison(NamedTuple):
    """MMD² ``[S]`` of S pairs of subsets, and the variance of the witness function over generated samples, free of noise."""

    mmd2: Tensor
    spread: Tensor


def kernel_distance(
    real_features: Tensor, fake_features: Tensor, subsets: int = SUBSETS, subset_size: int = SUBSET_SIZE
) -> Estimate:
    """Return KID: the mean over random subsets of the unbiased MMD² with the kernel k(a, b) = (aᵀb/d + 1)³.

    MMD² = Σ_{i≠j} [k(x_i, x_j) + k(y_i, y_j)] / (m(m − 1)) − 2 Σ_ij k(x_i, y_j) / m² within a pair of subsets of
    m = ``subset_size`` samples (all samples if there are fewer). Subsets are drawn without replacement and are always the same
    for the same N, M and sizes. The expectation does not depend on N, M or m, so the estimate may be negative. With
    ``subset_size`` >= N = M it is a single U-statistic over all samples, whose variance no choice of subsets can reduce.

    The error is the standard deviation over other generated samples, with the real samples fixed. It is the root of
    4 Var f(y)/M + 2v/M² + Var MMD²/S. The first two terms are the variance of a U-statistic (Hoeffding: A Class of
    Statistics with Asymptotically Normal Distribution, 1948), with the witness function f = E k(·, y) − mean k(·, x) and
    the variance v of the doubly centred kernel, see ``interaction``. The third is the variance of the mean over S subsets.
    Where f is known only from m samples, v/m is subtracted from its variance. The customary error, the third term alone,
    is several times too small if subsets overlap (ten times at m = 1000 and N = 2000).

    aᵀb is computed in the precision of the features, everything else in float64.

    Args:
        real_features: ``[N, d]``.
        fake_features: ``[M, d]``.
        subsets: Number of pairs of subsets.
        subset_size: Samples m in each subset.

    Raises:
        UserError: If a set has fewer than two samples, the dimensions differ, there are NaN or Inf, or a size is out of range.
    """
    checks.count("subsets", subsets)
    checks.count("subset_size", subset_size, least=2)
    x, y = validate_pair("KID", real_features, fake_features, minimum=2)
    size = min(subset_size, len(x), len(y))
    i, j = (_draw(kind, len(z), subsets, size) for kind, z in (("real", x), ("fake", y)))
    mmd2, spread = _compare(x, y, i, j)
    between_subsets = mmd2.var() / subsets if subsets > 1 else 0.0
    variance = 4 * spread.clamp(min=0) / len(y) + 2 * interaction(*_halves(y), _kernel) / len(y) ** 2 + between_subsets
    return Estimate(float(mmd2.mean()), float(variance) ** 0.5)


def interaction(a: Tensor, b: Tensor, kernel: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Return the variance of the doubly centred kernel k(a, b) − E k(a, ·) − E k(·, b) + E k.

    Args:
        a: ``[n, d]``.
        b: ``[m, d]``, independent of ``a``.
        kernel: Returns k, ``[n, m]``.
    """
    k = kernel(a, b)
    centred = k - k.mean(0) - k.mean(1, keepdim=True) + k.mean()
    return centred.square().sum() / max((len(a) - 1) * (len(b) - 1), 1)


def _halves(y: Tensor) -> tuple[Tensor, Tensor]:
    """Return two disjoint sets of at most ``ROWS`` samples each, every second sample in the one."""
    return y[::2][:ROWS], y[1::2][:ROWS]


def mmd2_of_subsets(x: Tensor, y: Tensor, i: Tensor, j: Tensor) -> Tensor:
    """Return the unbiased MMD² of ``x[i[s]]`` and ``y[j[s]]`` for every s.

    Args:
        x: ``[N, d]``.
        y: ``[M, d]``.
        i: Rows of ``x``, int64 ``[S, m]``, without repetition within a row.
        j: Rows of ``y``, likewise.

    Returns:
        float64 ``[S]``.
    """
    return _compare(x, y, i, j).mmd2


@dataclass(frozen=True)
class KID(Metric):
    """KID in the space of ``features``.

    Args:
        features: The feature space.
        n_samples: Number of samples of each kind.
        split: Part of the data set that the real samples come from, ``train`` or ``heldout``.
        subsets: Number of pairs of subsets that the estimate is averaged over.
        subset_size: Real and generated samples in each pair.

    Raises:
        UserError: If a size is out of range.
    """

    within_classes: ClassVar[bool] = True
    subsets: int = SUBSETS
    subset_size: int = SUBSET_SIZE

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.count("subsets", self.subsets)
        checks.count("subset_size", self.subset_size, least=2)

    @property
    def name(self) -> str:
        """``kid`` for the samples themselves, ``kid_<features>`` for other features."""
        return self.features.label("kid")

    def settings(self) -> dict[str, Any]:
        """Return the settings; a subset has at most ``n_samples`` samples."""
        return {**super().settings(), "subset_size": min(self.subset_size, self.n_samples)}

    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """Return ``kid`` with its standard error."""
        return {self.name: Value(*kernel_distance(real.features, fake.features, self.subsets, self.subset_size))}


def _draw(kind: str, n: int, subsets: int, size: int) -> Tensor:
    """Draw ``subsets`` random choices of ``size`` out of ``n``, int64 ``[subsets, size]``."""
    g = seeded_generator("kid subsets", kind)
    return torch.stack([torch.randperm(n, generator=g)[:size] for _ in range(subsets)])


def _compare(x: Tensor, y: Tensor, i: Tensor, j: Tensor) -> _Comparison:
    """Compare subset by subset, or all at once if the kernel of all samples has fewer entries (25 times fewer by default)."""
    subsets, size = i.shape
    if (len(x) + len(y)) ** 2 <= subsets * (2 * size) ** 2:
        return _compare_together(x, y, _membership(len(x), i), _membership(len(y), j))
    ones = torch.ones(size, 1, dtype=torch.float64)
    mmd2, spreads = zip(*(_compare_together(x[a], y[b], ones, ones) for a, b in zip(i, j, strict=True)), strict=True)
    noise = interaction(x[:ROWS], y[:ROWS], _kernel) / size  # of the mean over a part of the real samples
    return _Comparison(torch.cat(mmd2), torch.stack(spreads).mean() - noise)


def _membership(n: int, subsets: Tensor) -> Tensor:
    """Convert index lists ``[S, m]`` to float64 ``[n, S]``: 1 if sample a is in subset s, else 0."""
    return torch.zeros(len(subsets), n, dtype=torch.float64).scatter_(1, subsets, 1.0).T


def _compare_together(x: Tensor, y: Tensor, u: Tensor, v: Tensor) -> _Comparison:
    """Compare all subsets at once, from sums over the kernel of all samples; memberships ``u`` ``[N, S]``, ``v`` ``[M, S]``."""
    size = u[:, 0].sum()
    u, v = (torch.cat([w, torch.ones(len(w), 1, dtype=w.dtype)], 1) for w in (u, v))  # the last subset holds all samples
    xx, yy, (xy, yx) = _sums_within(x, u), _sums_within(y, v), _sums_between(x, y, u, v)
    mmd2 = ((u * xx).sum(0) + (v * yy).sum(0)) / (size * (size - 1)) - 2 * (u * xy).sum(0) / size**2
    witness = yy[:, -1] / (len(y) - 1) - yx[:, -1] / len(x)
    return _Comparison(mmd2[:-1], witness.var() - interaction(*_halves(y), _kernel) / len(y))


def _sums_within(x: Tensor, u: Tensor) -> Tensor:
    """Return Σ_{b≠a} k(x_a, x_b) u_bs, ``[N, S]``; every pair of samples is visited once."""
    sums = torch.zeros_like(u)
    for start in range(0, len(x), ROWS):
        rows = slice(start, start + ROWS)
        k = _kernel(x[rows], x[start:]).fill_diagonal_(0)
        sums[rows] += k @ u[start:]
        sums[rows.stop :].addmm_(k[:, ROWS:].T, u[rows])
    return sums


def _sums_between(x: Tensor, y: Tensor, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Return Σ_b k(x_a, y_b) v_bs, ``[N, S]``, and Σ_a k(x_a, y_b) u_as, ``[M, S]``."""
    over_y, over_x = torch.zeros_like(u), torch.zeros_like(v)
    for start in range(0, len(x), ROWS):
        rows = slice(start, start + ROWS)
        k = _kernel(x[rows], y)
        over_y[rows] = k @ v
        over_x.addmm_(k.T, u[rows])
    return over_y, over_x


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    """Return (aᵀb/d + 1)³ in float64, ``[N, M]``.

    The product is computed in the features' precision: for float32 it has an error of 1e-9 and takes a third of the time.
    """
    return (a @ b.T).double().div_(a.shape[1]).add_(1).pow_(3)
