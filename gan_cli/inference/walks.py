"""Walks through latents, samples and classes, and along single coordinates of a latent."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gan_cli.drawing import Panel
from gan_cli.errors import UserError
from gan_cli.games.base import Game, slerp
from gan_cli.games.sampling import decode
from gan_cli.randomness import fork_rng

COLUMNS = 10
"""Number of values of an axis, at most, unless it is given."""
DRAWS = 1000
"""Number of latents from which the range of an axis is estimated."""
OUTSIDE = 0.02
"""Share of a coordinate's law on either side of the values of its axis."""
CLASSES, PIXELS = "classes", "pixels"
"""Paths that do not lead through latents: between classes, and between samples."""
PATHS = ("slerp", "lerp", PIXELS, CLASSES)
"""Names of all paths."""

Way = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Maps two points ``[*shape]`` and times in [0, 1] ``[T, 1, ...]`` to points ``[T, *shape]``."""


def way(game: Game, path: str | None) -> Way | None:
    """Return how ``path`` leads from one latent to another; None for ``pixels``, which leads from one sample to another.

    Args:
        game: The game, whose own way is taken if ``path`` is None.
        path: Name of the path.

    Raises:
        UserError: If no path between two latents has this name.
    """
    ways: dict[str | None, Way | None] = {None: game.interpolate, "slerp": slerp, "lerp": torch.lerp, PIXELS: None}
    if path not in ways:
        raise UserError(f"path={path}: a walk between two latents is slerp, lerp or pixels.")
    return ways[path]


def between(way: Way, start: Tensor, end: Tensor, steps: int) -> Tensor:
    """Return walks from each of ``start`` to each of ``end``, ``[n, *shape]`` both, one walk after the other."""
    t = torch.linspace(0, 1, steps, device=start.device).reshape(-1, *[1] * (start.ndim - 1))
    return torch.stack([way(a, b, t) for a, b in zip(start, end, strict=True)]).flatten(0, 1)


def mixtures(labels: Tensor, classes: int, steps: int) -> Tensor:
    """Return weights of the classes ``[steps, classes]`` on the way through ``labels``, equally long from each to the next."""
    place = torch.linspace(0, len(labels) - 1, steps)
    share = (1 - (place[:, None] - torch.arange(len(labels))).abs()).clamp(min=0)
    return torch.zeros(steps, classes).index_add(1, labels, share)


def along_axes(
    game: Game, latents: Tensor, y: Tensor | None, axes: Sequence[int], columns: int, names: Sequence[str]
) -> list[Panel]:
    """Return a panel for each coordinate of the latent, with a row for each of ``latents``.

    Args:
        game: The game.
        latents: ``[rows, d]``.
        y: Label of each row.
        axes: Coordinates, from 0.
        columns: Number of values of each.
        names: Names of the rows.

    Raises:
        UserError: If a latent is no vector, or too short.
    """
    if latents.ndim != 2:
        raise UserError(f"axes: a latent of this run is no vector, it has shape {[*latents.shape[1:]]}. Leave axes out.")
    if not axes or not all(0 <= axis < latents.shape[1] for axis in axes):
        raise UserError(f"axes={[*axes]}: the coordinates of this run's latents are 0 to {latents.shape[1] - 1}.")
    with fork_rng("axes", game.device):
        law = game.latents(DRAWS)
    panels = []
    for axis in axes:
        low, high = law[:, axis].quantile(OUTSIDE), law[:, axis].quantile(1 - OUTSIDE)
        values = torch.linspace(float(low), float(high), columns, device=latents.device)
        moved = latents.repeat_interleave(columns, dim=0)
        moved[:, axis] = values.repeat(len(latents))
        with fork_rng("axes", game.device):
            images = decode(game, moved, None if y is None else y.repeat_interleave(columns, dim=0))
        panels.append(Panel(images, f"latent {axis}", names, [f"{float(value):.1f}" for value in values]))
    return panels
