"""ring, grid25, gaussians_1d, swiss_roll, spiral, parallel_lines: toy distributions in one and two dimensions.

Samples are drawn once and held in memory. Every function draws ``n`` training points and ``n_heldout`` held-out points
from separate generators seeded by ``seed``, so that the held-out points do not depend on ``n``. ``max_samples`` keeps only the
first so many of each part.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.data.base import Data, Dataset, seeded_generator
from gan_cli.errors import FieldError
from gan_cli.types import Batch

Sampler = Callable[[int, torch.Generator], tuple[Tensor, Tensor | None]]
"""(n, generator) -> n points float32 ``[n, d]`` and their labels, int64 ``[n]`` or None."""


class Points(Dataset):
    """Points or sequences in memory.

    Args:
        x: Points float32 ``[n, d]`` or sequences ``[n, T, F]``.
        y: Labels int64 ``[n]``, or None.
        classes: Number of labels; 0 without labels.
        centers: Means of the modes of a mixture ``[classes, d]``, in the order of the labels; None without modes.
        std: Standard deviation of each mode in each coordinate; None without modes, or if they differ.
    """

    def __init__(
        self,
        x: Tensor,
        y: Tensor | None = None,
        classes: int = 0,
        centers: Tensor | None = None,
        std: float | None = None,
    ):
        self.x, self.y, self.classes, self.centers, self.std = x, y, classes, centers, std
        self.shape = tuple(x.shape[1:])

    def __len__(self) -> int:
        return len(self.x)

    def known_labels(self) -> Tensor | None:
        return self.y

    def batch(self, indices: Tensor) -> Batch:
        return Batch(self.x.index_select(0, indices), None if self.y is None else self.y.index_select(0, indices))


def ring(
    n: int = 50_000,
    n_heldout: int = 10_000,
    seed: int = 0,
    modes: int = 8,
    radius: float = 1.0,
    std: float = 0.01,
    max_samples: int | None = None,
) -> Data:
    """Return an equal mixture of Gaussians on a circle; the label is the mode, counted anticlockwise from (radius, 0).

    Args:
        n: Number of training points.
        n_heldout: Number of held-out points.
        seed: Seed of the samples.
        modes: Number of Gaussians.
        radius: Radius of the circle.
        std: Standard deviation of each Gaussian in each coordinate, at least 0.
        max_samples: Largest number of points of each part; None for all.

    Raises:
        UserError: If an argument is out of its range.
    """
    checks.count("modes", modes)
    checks.number("radius", radius)
    angles = 2 * math.pi * torch.arange(modes) / modes
    return _mixture(radius * torch.stack([angles.cos(), angles.sin()], 1), std, n, n_heldout, seed, max_samples)


def grid25(
    n: int = 50_000,
    n_heldout: int = 10_000,
    seed: int = 0,
    spacing: float = 2.0,
    std: float = 0.05,
    max_samples: int | None = None,
) -> Data:
    """Return an equal mixture of 25 Gaussians on a 5 × 5 grid around the origin; the label is the mode, row by row.

    Args:
        n: Number of training points.
        n_heldout: Number of held-out points.
        seed: Seed of the samples.
        spacing: Distance of neighbouring means.
        std: Standard deviation of each Gaussian in each coordinate, at least 0.
        max_samples: Largest number of points of each part; None for all.

    Raises:
        UserError: If an argument is out of its range.
    """
    checks.number("spacing", spacing)
    ticks = spacing * torch.arange(-2.0, 3.0)
    return _mixture(torch.cartesian_prod(ticks, ticks), std, n, n_heldout, seed, max_samples)


def gaussians_1d(
    n: int = 50_000,
    n_heldout: int = 10_000,
    seed: int = 0,
    means: Sequence[float] | float = (-2.0, 0.0, 2.0),
    std: Sequence[float] | float = 0.25,
    weights: Sequence[float] | None = None,
    max_samples: int | None = None,
) -> Data:
    """Return a mixture of Gaussians on the line, points of shape ``(1,)``; the label is the mode.

    Args:
        n: Number of training points.
        n_heldout: Number of held-out points.
        seed: Seed of the samples.
        means: Means of the Gaussians: a list, or one number.
        std: Standard deviation of each Gaussian, at least 0: a list, or one number for all.
        weights: Share of each Gaussian, above 0; they need not sum to 1. None for equal shares.
        max_samples: Largest number of points of each part; None for all.

    Raises:
        UserError: If an argument is out of its range.
    """
    means = means if isinstance(means, Sequence) else [means]
    if not means:
        raise FieldError("means", means, "it must name the mean of at least one Gaussian.")
    for mean in means:
        checks.number("means", mean)
    centers = torch.tensor([float(mean) for mean in means])[:, None]
    if not isinstance(std, Sequence) and weights is None:
        return _mixture(centers, std, n, n_heldout, seed, max_samples)
    stds = _one_for_each("std", std if isinstance(std, Sequence) else [std] * len(means), means, least=0)
    shares = _one_for_each("weights", [1] * len(means) if weights is None else weights, means, above=0)

    def draw(n: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
        mode = torch.multinomial(shares, n, replacement=True, generator=g)
        return centers[mode] + stds[mode, None] * torch.randn(n, 1, generator=g), mode

    width = float(stds[0]) if len(set(stds.tolist())) == 1 else None  # modes of different widths are known by none
    parts = _draw_parts(draw, n, n_heldout, seed, max_samples)
    return Data(*(Points(*part, len(centers), centers, width) for part in parts))


def swiss_roll(
    n: int = 50_000,
    n_heldout: int = 10_000,
    seed: int = 0,
    noise: float = 0.25,
    scale: float = 7.5,
    max_samples: int | None = None,
) -> Data:
    """Return (t cos t, t sin t) / scale with t = 1.5π(1 + 2u), u ~ U[0, 1], and Gaussian noise before the scaling.

    This is the two-dimensional Swiss roll of Gulrajani et al. (2017); it lies within about [-2, 2]^2.

    Args:
        n: Number of training points.
        n_heldout: Number of held-out points.
        seed: Seed of the samples.
        noise: Standard deviation of the noise in each coordinate, at least 0.
        scale: Divisor of all coordinates, at least 1e-6.
        max_samples: Largest number of points of each part; None for all.

    Raises:
        UserError: If an argument is out of its range.
    """
    checks.number("noise", noise, least=0)
    checks.number("scale", scale, least=1e-6)

    def draw(n: int, g: torch.Generator) -> tuple[Tensor, None]:
        t = 1.5 * math.pi * (1 + 2 * torch.rand(n, generator=g))
        x = torch.stack([t * t.cos(), t * t.sin()], 1) + noise * torch.randn(n, 2, generator=g)
        return x / scale, None

    return Data(*(Points(*part) for part in _draw_parts(draw, n, n_heldout, seed, max_samples)))


def spiral(
    n: int = 50_000,
    n_heldout: int = 10_000,
    seed: int = 0,
    arms: int = 2,
    turns: float = 1.5,
    radius: float = 2.0,
    noise: float = 0.05,
    max_samples: int | None = None,
) -> Data:
    """Return Archimedean spirals around the origin; the label is the arm.

    A point of arm k lies at distance radius·√u and angle 2π(turns·√u + k/arms), u ~ U[0, 1], which fills an arm about evenly.

    Args:
        n: Number of training points.
        n_heldout: Number of held-out points.
        seed: Seed of the samples.
        arms: Number of spirals.
        turns: Number of turns of each arm.
        radius: Distance of the arms' ends from the origin.
        noise: Standard deviation of Gaussian noise in each coordinate, at least 0.
        max_samples: Largest number of points of each part; None for all.

    Raises:
        UserError: If an argument is out of its range.
    """
    checks.count("arms", arms)
    checks.number("turns", turns)
    checks.number("radius", radius)
    checks.number("noise", noise, least=0)

    def draw(n: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
        arm = torch.randint(arms, (n,), generator=g)
        t = torch.rand(n, generator=g).sqrt()
        angle = 2 * math.pi * (turns * t + arm / arms)
        x = radius * t[:, None] * torch.stack([angle.cos(), angle.sin()], 1)
        return x + noise * torch.randn(n, 2, generator=g), arm

    return Data(*(Points(*part, classes=arms) for part in _draw_parts(draw, n, n_heldout, seed, max_samples)))


def parallel_lines(
    n: int = 50_000, n_heldout: int = 10_000, seed: int = 0, theta: float = 0.0, max_samples: int | None = None
) -> Data:
    """Return points (θ, z) with z ~ U[0, 1] on a vertical line (Arjovsky, Chintala & Bottou 2017, Example 1).

    Args:
        n: Number of training points.
        n_heldout: Number of held-out points.
        seed: Seed of the samples.
        theta: First coordinate of all points.
        max_samples: Largest number of points of each part; None for all.

    Raises:
        UserError: If an argument is out of its range.
    """
    checks.number("theta", theta)

    def draw(n: int, g: torch.Generator) -> tuple[Tensor, None]:
        z = torch.rand(n, generator=g)
        return torch.stack([torch.full_like(z, theta), z], 1), None

    return Data(*(Points(*part) for part in _draw_parts(draw, n, n_heldout, seed, max_samples)))


def _one_for_each(
    name: str, values: Sequence[float], means: Sequence[float], least: float = -math.inf, above: float = -math.inf
) -> Tensor:
    if isinstance(values, str) or not isinstance(values, Sequence) or len(values) != len(means):
        raise FieldError(name, values, f"it needs a number for each of the {len(means)} means.")
    for index, value in enumerate(values):
        checks.number(f"{name}[{index}]", value, least=least, above=above)
    return torch.tensor([float(value) for value in values])


def _mixture(centers: Tensor, std: float, n: int, n_heldout: int, seed: int, max_samples: int | None) -> Data:
    checks.number("std", std, least=0)

    def draw(n: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
        mode = torch.randint(len(centers), (n,), generator=g)
        return centers[mode] + std * torch.randn(n, centers.shape[1], generator=g), mode

    parts = _draw_parts(draw, n, n_heldout, seed, max_samples)
    return Data(*(Points(*part, len(centers), centers, std) for part in parts))


def _draw_parts(
    draw: Sampler, n: int, n_heldout: int, seed: int, max_samples: int | None
) -> list[tuple[Tensor, Tensor | None]]:
    """Draw the training and the held-out sample."""
    limit = math.inf if max_samples is None else max_samples
    if max_samples is not None:
        checks.count("max_samples", max_samples)
    samples = []
    for field, part, count in (("n", "train", n), ("n_heldout", "heldout", n_heldout)):
        checks.count(field, count)
        x, y = draw(count, seeded_generator(seed, part))
        kept = min(count, limit)
        samples.append((x[:kept], None if y is None else y[:kept]))
    return samples
