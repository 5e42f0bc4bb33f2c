"""Pictures of samples: grids, walks and traversals."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gan_cli import drawing
from gan_cli.drawing import Panel
from gan_cli.inference.load import LoadedRun
from gan_cli.inference.request import Request
from gan_cli.inference.steering import STAGES, steer
from gan_cli.inference.walks import CLASSES
from gan_cli.runs.console import Terminal, say

WALK = 8
"""Number of samples of one walk in an interpolation, unless it is given."""


def write_grid(run: LoadedRun, request: Request, out: Path) -> int:
    """Write one picture of samples, with a row for each of the classes or with sources; return their number."""
    seed, seeds, columns = request.cfg.seed, request.seeds, request.cfg.columns
    if request.classes is None:
        sources = None if request.source is None else run.sources(request.source, request.n)[:]
        parts = run.picture_strips(request.n, seed, sources, seeds=seeds)
        if len(parts) == 1:
            return write_picture(run, parts[0], columns, out)
        drawing.save_picture(as_drawn(drawing.strips(parts, columns), *parts), out)
        return len(parts[0])
    n_classes = len(request.classes)
    y = run.labels_of(request.classes, request.n if seeds is None else request.n * n_classes)
    samples = run.sample(None, seed, y, seeds=None if seeds is None else seeds * n_classes)
    return write_picture(run, samples, columns or len(y) // n_classes, out)


def write_interpolation(run: LoadedRun, request: Request, out: Path) -> int:
    """Write walks, equally many of each of the classes that are asked for; return the number of samples."""
    walked = interpolated(run, request)
    if len(request.paths) > 1 and len(run.shape) == 3:
        drawing.save_picture(drawing.panels_figure([compared(walked, request)]), out)
        return len(walked.samples)
    return write_picture(run, walked.samples, walked.columns, out, walk=True)


class Walks(NamedTuple):
    """Samples on walks.

    Attributes:
        samples: One walk after the other, on each of several paths before the next walk.
        columns: Number of samples of each walk.
    """

    samples: Tensor
    columns: int


def interpolated(run: LoadedRun, request: Request) -> Walks:
    """Return the walks that are asked for, together about ``n`` samples."""
    columns = request.cfg.columns or (WALK if request.seeds is not None else min(request.n, WALK))
    n_walks = -(-request.n // columns) if request.seeds is None else len(request.seeds) - 1
    if request.paths == [None] and request.classes is None and request.seeds is None:
        return Walks(run.interpolate(n_walks, columns, request.cfg.seed)[: request.n], columns)
    ways = [walks_on(path, run, request, n_walks, columns) for path in request.paths]
    return Walks(torch.stack(ways, 1).flatten(0, 2), columns)


def walks_on(path: str | None, run: LoadedRun, request: Request, n_walks: int, columns: int) -> Tensor:
    """Return the walks on one path, ``[walks, columns, *shape]``."""
    seed, seeds = request.cfg.seed, request.seeds
    if path == CLASSES:
        assert request.classes is not None
        rows = n_walks if seeds is None or len(request.paths) > 1 else len(seeds)
        own = None if seeds is None else seeds[:rows]
        return _in_rows(run.interpolate_classes(request.classes, rows, columns, seed, seeds=own), columns)
    if request.classes is None:
        y = None if seeds is None else run.conditions_of(seeds[:-1])
    else:
        y = run.labels_of(request.classes, n_walks if seeds is None else n_walks * len(request.classes))
    y = None if y is None or not run.game.conditional else y
    if y is None or seeds is None or request.classes is None:
        n_walks = n_walks if y is None else len(y)
        return _in_rows(run.interpolate(n_walks, columns, seed, y, path, seeds=seeds), columns)
    each = [run.interpolate(n_walks, columns, seed, part, path, seeds=seeds) for part in y.split(n_walks)]
    return _in_rows(torch.cat(each), columns)


def _in_rows(samples: Tensor, columns: int) -> Tensor:
    return samples.reshape(-1, columns, *samples.shape[1:])


def compared(walked: Walks, request: Request) -> Panel:
    """Return walks on several paths with a row for each, named by its path."""
    rows = len(walked.samples) // walked.columns
    names = [str(path) for path in request.paths]
    times = np.linspace(0, 1, walked.columns)
    return Panel(walked.samples, "walks", names * (rows // len(names)), [f"{time:.2f}" for time in times])


def write_traversal(run: LoadedRun, request: Request, out: Path) -> int:
    """Write a panel of images for each latent code or axis, one below the other; return the number of samples."""
    y, seeds = None, request.seeds
    if request.classes is not None:
        y = run.labels_of(request.classes, len(request.classes) if seeds is None else len(seeds) * len(request.classes))
        seeds = [request.cfg.seed] * len(y) if seeds is None else seeds * len(request.classes)
    panels = run.traverse(request.n, request.cfg.seed, request.axes, request.cfg.columns, y=y, seeds=seeds)
    drawing.save_picture(drawing.panels_figure(panels), out)
    return sum(len(panel.images) for panel in panels)


def write_steered(run: LoadedRun, request: Request, out: Path) -> int:
    """Write a panel of samples on their way to a class; return the number of samples."""
    stages = request.cfg.columns or STAGES
    steered = steer(run, request.cfg.target, request.n, stages, request.cfg.seed, seeds=request.seeds)
    rows = range(1, request.n + 1) if request.seeds is None else request.seeds
    names = [f"{'z' if request.seeds is None else 'seed'} {row}" for row in rows]
    drawing.save_picture(drawing.panels_figure([steered.panel(names, run.class_names)]), out)
    say(Terminal(), steered.in_words(run.class_names))
    return len(steered.images)


def write_picture(run: LoadedRun, samples: Tensor, columns: int | None, out: Path, walk: bool = False) -> int:
    """Write a grid of images, or a figure of points or sequences with their table; return the number of samples.

    Args:
        run: The run that was sampled.
        samples: ``[n, *shape]``.
        columns: Number of columns of the grid, or samples of a walk. None: chosen by the number of samples.
        out: The file of the picture.
        walk: True if consecutive sequences form walks.
    """
    if len(run.shape) == 2:
        u = run.series.scaling.to_units(samples)
        drawing.save_picture(drawing.sequences_figure(u, run.series.names, walk=columns if walk else None), out)
        run.series.write(u, out.with_suffix(".csv"))
    elif len(run.shape) == 3:
        drawing.save_picture(as_drawn(drawing.grid(samples, columns), samples), out)
    else:
        drawing.save_picture(drawing.points_figure(samples.flatten(1)), out)
    return len(samples)


def as_drawn(picture: np.ndarray, *images: Tensor) -> np.ndarray:
    """Return a picture ``[H, W, 3]`` of these images with one channel, ``[H, W]``, unless some of them are in colour."""
    return picture if any(part.shape[1] == 3 for part in images) else picture[..., 0]
