"""Laws of one and two dimensions: fixed, seeded samples held in memory.

Each function draws ``n`` points to train on and ``n_heldout`` others, from generators of their own: the held-out points
stay the same whatever ``n`` is. ``max_images`` keeps at most that many of each part, the first ones.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.data.base import Data, Dataset, generator
from gan_cli.errors import FieldError
from gan_cli.types import Batch

Law = Callable[[int, torch.Generator], tuple[Tensor, Tensor | None]]
"""(n, generator) -> n points float32 ``[n, d]`` and their labels int64 ``[n]`` or None."""


class Points(Dataset):
    """Points ``x`` float32 ``[n, d]``, or sequences ``[n, T, F]``, with labels ``y`` int64 ``[n]`` or None.

    ``centers``: modes of a mixture ``[classes, d]``, in the order of the labels; None where the law has no modes.
    ``std``: standard deviation of each mode in each coordinate; None where there are no modes.
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

    def batch(self, indices: Tensor) -> Batch:
        """The points at ``indices`` (int64 ``[B]``)."""
        return Batch(self.x[indices], None if self.y is None else self.y[indices])


def ring(
    n: int = 50_000,
    n_heldout: int = 10_000,
    seed: int = 0,
    modes: int = 8,
    radius: float = 1.0,
    std: float = 0.01,
    max_images: int | None = None,
) -> Data:
    """Equal mixture of ``modes`` Gaussians on a circle; label = mode, counted anticlockwise from (radius, 0)."""
    checks.count("modes", modes)
    checks.number("radius", radius)
    angles = 2 * math.pi * torch.arange(modes) / modes
    return _mixture(radius * torch.stack([angles.cos(), angles.sin()], 1), std, n, n_heldout, seed, max_images)


def grid25(
    n: int = 50_000,
    n_heldout: int = 10_000,
    seed: int = 0,
    spacing: float = 2.0,
    std: float = 0.05,
    max_images: int | None = None,
) -> Data:
    """Equal mixture of 25 Gaussians on a 5 × 5 grid around the origin; label = mode, row by row."""
    checks.number("spacing", spacing)
    ticks = spacing * torch.arange(-2.0, 3.0)
    return _mixture(torch.cartesian_prod(ticks, ticks), std, n, n_heldout, seed, max_images)


def gaussians_1d(
    n: int = 50_000,
    n_heldout: int = 10_000,
    seed: int = 0,
    means: Sequence[float] | float = (-2.0, 0.0, 2.0),
    std: float = 0.25,
    max_images: int | None = None,
) -> Data:
    """Equal mixture of Gaussians on the line, points of shape ``(1,)``; label = mode. One mean may stand alone."""
    means = means if isinstance(means, Sequence) else [means]
    if not means:
        raise FieldError("means", means, "it must name the mean of at least one Gaussian.")
    for mean in means:
        checks.number("means", mean)
    return _mixture(torch.tensor([float(mean) for mean in means])[:, None], std, n, n_heldout, seed, max_images)


def swiss_roll(
    n: int = 50_000,
    n_heldout: int = 10_000,
    seed: int = 0,
    noise: float = 0.25,
    scale: float = 7.5,
    max_images: int | None = None,
) -> Data:
    """(t cos t, t sin t) / scale with t = 1.5π(1 + 2u), u ~ U[0, 1], and Gaussian noise before the scaling.

    The two-dimensional roll of Gulrajani et al. 2017 (improved training of Wasserstein GANs); within about [-2, 2].
    """
    checks.number("noise", noise, least=0)
    checks.number("scale", scale, least=1e-6)

    def law(n: int, g: torch.Generator) -> tuple[Tensor, None]:
        t = 1.5 * math.pi * (1 + 2 * torch.rand(n, generator=g))
        x = torch.stack([t * t.cos(), t * t.sin()], 1) + noise * torch.randn(n, 2, generator=g)
        return x / scale, None

    return Data(*(Points(*part) for part in _parts(law, n, n_heldout, seed, max_images)))


def spiral(
    n: int = 50_000,
    n_heldout: int = 10_000,
    seed: int = 0,
    arms: int = 2,
    turns: float = 1.5,
    radius: float = 2.0,
    noise: float = 0.05,
    max_images: int | None = None,
) -> Data:
    """Archimedean spirals around the origin, ``arms`` of them, each ``turns`` turns long; label = arm.

    A point of arm k lies at distance radius·√u and angle 2π(turns·√u + k/arms), u ~ U[0, 1], so that an arm is about
    evenly filled, plus Gaussian noise of standard deviation ``noise``.
    """
    checks.count("arms", arms)
    checks.number("turns", turns)
    checks.number("radius", radius)
    checks.number("noise", noise, least=0)

    def law(n: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
        arm = torch.randint(arms, (n,), generator=g)
        t = torch.rand(n, generator=g).sqrt()
        angle = 2 * math.pi * (turns * t + arm / arms)
        x = radius * t[:, None] * torch.stack([angle.cos(), angle.sin()], 1)
        return x + noise * torch.randn(n, 2, generator=g), arm

    return Data(*(Points(*part, classes=arms) for part in _parts(law, n, n_heldout, seed, max_images)))


def parallel_lines(
    n: int = 50_000, n_heldout: int = 10_000, seed: int = 0, theta: float = 0.0, max_images: int | None = None
) -> Data:
    """Points (θ, z) with z ~ U[0, 1]: the law on a vertical line of Example 1 of Arjovsky, Chintala & Bottou 2017."""
    checks.number("theta", theta)

    def law(n: int, g: torch.Generator) -> tuple[Tensor, None]:
        z = torch.rand(n, generator=g)
        return torch.stack([torch.full_like(z, theta), z], 1), None

    return Data(*(Points(*part) for part in _parts(law, n, n_heldout, seed, max_images)))


def _mixture(centers: Tensor, std: float, n: int, n_heldout: int, seed: int, max_images: int | None) -> Data:
    checks.number("std", std, least=0)

    def law(n: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
        mode = torch.randint(len(centers), (n,), generator=g)
        return centers[mode] + std * torch.randn(n, centers.shape[1], generator=g), mode

    parts = _parts(law, n, n_heldout, seed, max_images)
    return Data(*(Points(*part, len(centers), centers, std) for part in parts))


def _parts(law: Law, n: int, n_heldout: int, seed: int, max_images: int | None) -> list[tuple[Tensor, Tensor | None]]:
    """The law's training and held-out sample."""
    limit = math.inf if max_images is None else max_images
    if max_images is not None:
        checks.count("max_images", max_images)
    samples = []
    for field, part, count in (("n", "train", n), ("n_heldout", "heldout", n_heldout)):
        checks.count(field, count)
        x, y = law(count, generator(seed, part))
        kept = min(count, limit)
        samples.append((x[:kept], None if y is None else y[:kept]))
    return samples
