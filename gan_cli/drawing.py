"""Pictures of samples, as uint8 arrays ``[H, W, 3]``."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor
from torchvision.utils import make_grid

from gan_cli.files import atomic_write
from gan_cli.types import Critic

BLUE, ORANGE, GREY = "#1f5fa8", "#d9661f", "#8a8a8a"
LINES, FEATURES = 8, 8
"""Largest number of sequences, and of features, in a picture."""


def grid(images: Tensor, columns: int | None = None) -> np.ndarray:
    """Draw images side by side; small ones are enlarged by an integer factor without interpolation.

    Args:
        images: ``[N, C, H, W]`` in [-1, 1]; if C is neither 1 nor 3, only the first channel is drawn.
        columns: Number of columns; None for a square grid.
    """
    columns = columns or round(len(images) ** 0.5)
    factor = max(1, 64 // images.shape[-2])
    images = images.float().cpu().repeat_interleave(factor, 2).repeat_interleave(factor, 3)
    if images.shape[1] not in (1, 3):
        images = images[:, :1]
    picture: Tensor = make_grid(to_uint8(images), nrow=columns, padding=2 * factor, pad_value=255)
    return np.asarray(picture.permute(1, 2, 0))


class Panel(NamedTuple):
    """A grid of images with a title and names of rows and columns.

    Attributes:
        images: ``[rows * columns, C, H, W]`` in [-1, 1], row by row.
        title: Title of the grid.
        rows: Names of the rows.
        columns: Names of the columns.
    """

    images: Tensor
    title: str
    rows: Sequence[str]
    columns: Sequence[str]


def panels(grids: Sequence[Panel]) -> np.ndarray:
    """Draw labelled grids of images below each other."""
    inch = 0.6
    heights = [inch * len(panel.rows) + 0.7 for panel in grids]
    figure = new_figure(inch * max(len(panel.columns) for panel in grids) + 1.2, sum(heights))
    subplots = figure.subplots(len(grids), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, panel in zip(subplots, grids, strict=True):
        images = torch.stack([torch.from_numpy(picture(image)) for image in panel.images])  # [N, H, W, 3]
        rows, columns, (height, width) = len(panel.rows), len(panel.columns), images.shape[1:3]
        tiled = images.reshape(rows, columns, height, width, 3).transpose(1, 2).reshape(rows * height, columns * width, 3)
        axes.imshow(tiled.numpy(), interpolation="nearest")
        axes.set_title(panel.title, fontsize=10)
        axes.set_xticks([(i + 0.5) * width - 0.5 for i in range(columns)], panel.columns)
        axes.set_yticks([(i + 0.5) * height - 0.5 for i in range(rows)], panel.rows)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    return render(figure)


def strips(parts: Sequence[Tensor]) -> np.ndarray:
    """Draw strips of images that belong together, one for each of N, in a square with gaps.

    Args:
        parts: The images of all strips, ``[N, C, H, W]`` for each position in a strip; grey and colour may be mixed.
    """
    if len(parts) == 1:
        return grid(parts[0])
    colour = any(part.shape[1] == 3 for part in parts)
    columns = [part.float().cpu().expand(-1, 3, -1, -1) if colour else part.float().cpu() for part in parts]
    n, channels, height, _ = columns[0].shape
    edge = torch.ones(n, channels, height, max(1, height // 32))  # a white gap between the images of a strip
    spaced = [piece for column in columns for piece in (column, edge)][:-1]
    return grid(torch.cat(spaced, dim=3), columns=max(1, round((n / len(parts)) ** 0.5)))


def to_uint8(images: Tensor) -> Tensor:
    """Convert [-1, 1] to 0 ... 255, rounded and clamped."""
    return ((images.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def picture(image: Tensor) -> np.ndarray:
    """Convert one image ``[C, H, W]`` in [-1, 1]; if C is neither 1 nor 3, only the first channel is drawn."""
    pixels = to_uint8(image if len(image) in (1, 3) else image[:1])
    return pixels.expand(3, -1, -1).permute(1, 2, 0).cpu().numpy()


def points(fake: Tensor, real: Tensor | None = None, critic: Critic | None = None) -> np.ndarray:
    """Draw generated points over real ones, with the critic's contours in the plane or its curve over histograms on the line.

    The window is that of the real points, so that pictures of one run can be compared.

    Args:
        fake: Generated points ``[N, d]``. If d is above 2, the first two coordinates are drawn, without the critic.
        real: Real points ``[M, d]``, or None.
        critic: The critic, or None.
    """
    fake = fake.float().cpu()
    real = fake[:0] if real is None else real.float().cpu()
    figure = new_figure(6, 6)
    axes = figure.subplots()
    if fake.shape[1] == 1:
        _line(axes, real, fake, critic)
    else:
        _plane(axes, real, fake, critic if fake.shape[1] == 2 else None)
    axes.legend(loc="upper right", framealpha=0.9)
    return render(figure)


def sequences(fake: Tensor, names: Sequence[str], real: Tensor | None = None, walk: int | None = None) -> np.ndarray:
    """Draw generated sequences as lines over time, one row per feature, and real ones beside them on the same axes.

    Args:
        fake: Generated sequences ``[N, T, F]``, in any units.
        names: Names of the F features.
        real: Real sequences ``[M, T, F]`` in the same units, or None.
        walk: If not None, this many sequences form a walk through latent space, drawn from dark to light.
    """
    parts = {"generated": fake} if real is None else {"data": real, "generated": fake}
    drawn = list(names)[:FEATURES]
    figure = new_figure(4.2 * len(parts) + 0.4, 1.25 * len(drawn) + 0.8)
    rows = figure.subplots(len(drawn), len(parts), squeeze=False, sharex=True, sharey="row")
    colours = matplotlib.colormaps["tab10"](range(LINES))
    if walk is not None:
        colours = matplotlib.colormaps["plasma"](np.linspace(0, 0.9, walk))
    for k, row in enumerate(rows):
        for axes, part in zip(row, parts.values(), strict=True):
            for line, sequence in enumerate(part[: walk or LINES]):
                axes.plot(sequence[:, k], color=colours[line % len(colours)], linewidth=0.9)
            axes.tick_params(labelsize=7)
            axes.yaxis.offsetText.set_fontsize(7)
        row[0].set_ylabel(drawn[k], fontsize=8)
    for axes, title in zip(rows[0], parts, strict=True):
        axes.set_title(title, fontsize=10)
    for axes in rows[-1]:
        axes.set_xlabel("t" if len(drawn) == len(names) else f"t ({len(drawn)} of {len(names)} features)", fontsize=8)
    return render(figure)


def scatter(real: Tensor, fake: Tensor, title: str) -> np.ndarray:
    """Draw generated points ``[M, 2]`` over real ones ``[N, 2]``, with a window around all of them and without units."""
    figure = new_figure(6, 6)
    axes = figure.subplots()
    for part, colour, label in ((real, GREY, "data"), (fake, ORANGE, "generator")):
        axes.scatter(part[:, 0], part[:, 1], s=12, color=colour, alpha=0.6, linewidths=0, label=label)
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize=10, wrap=True)
    axes.legend(loc="upper right", framealpha=0.9)
    return render(figure)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of this size in inches, at 100 pixels per inch."""
    figure = Figure(figsize=(width, height), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def render(figure: Figure) -> np.ndarray:
    """Return the pixels of a figure."""
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()  # type: ignore[attr-defined]


def _line(axes: Axes, real: Tensor, fake: Tensor, critic: Critic | None) -> None:
    low, high = _window(real if len(real) else fake, 0)
    bins = np.linspace(low, high, 101).tolist()
    if len(real):
        axes.hist(real[:, 0].clamp(low, high).numpy(), bins, density=True, color=GREY, alpha=0.6, label="data")
    axes.hist(fake[:, 0].clamp(low, high).numpy(), bins, density=True, color=ORANGE, alpha=0.6, label="generator")
    axes.set(xlim=(low, high), xlabel="x", ylabel="density")
    if critic is not None:
        x = torch.linspace(low, high, 200)[:, None]
        other = axes.twinx()
        other.plot(x[:, 0].numpy(), _critic_values(critic, x).numpy(), color=BLUE)
        other.set_ylabel("D(x), logit", color=BLUE)


def _plane(axes: Axes, real: Tensor, fake: Tensor, critic: Critic | None) -> None:
    if critic is not None:
        filled = contours(axes, real if len(real) else fake, critic)
        axes.figure.colorbar(filled, ax=axes, label="D(x), logit", shrink=0.8)
    if len(real):
        axes.scatter(real[:, 0], real[:, 1], s=3, color=GREY, alpha=0.5, label="data")
    axes.scatter(fake[:, 0], fake[:, 1], s=3, color=ORANGE, alpha=0.7, label="generator")
    left, right, bottom, top = _plane_window(real if len(real) else fake)
    axes.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")


def _critic_values(critic: Critic, x: Tensor) -> Tensor:
    """Return the critic's values at points ``[N, d]``, averaged over its outputs: ``[N]`` on the CPU."""
    return critic(x).float().cpu().reshape(len(x), -1).mean(1)


def contours(axes: Axes, around: Tensor, critic: Critic) -> QuadContourSet:
    """Draw contours of the critic over the window of the points ``around`` ``[N, 2]``, and set the limits of the axes to it."""
    left, right, bottom, top = _plane_window(around)
    x, y = torch.meshgrid(torch.linspace(left, right, 100), torch.linspace(bottom, top, 100), indexing="xy")
    value = _critic_values(critic, torch.stack([x, y], -1).flatten(0, 1)).reshape(x.shape).numpy()
    axes.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
    return axes.contourf(x.numpy(), y.numpy(), value, 24, cmap=matplotlib.colormaps["PuOr"], alpha=0.7)


def _plane_window(points: Tensor) -> tuple[float, float, float, float]:
    return *_window(points, 0), *_window(points, 1)


def _window(points: Tensor, axis: int) -> tuple[float, float]:
    """Return the range of the points on an axis with a margin of a fifth (or 1 if the range is empty) on both sides."""
    low, high = float(points[:, axis].min()), float(points[:, axis].max())
    margin = 0.2 * (high - low) or 1.0
    return low - margin, high + margin


def save_png(picture: np.ndarray, path: Path) -> None:
    """Write the picture as PNG, atomically, and create its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as unfinished:
        Image.fromarray(picture).save(unfinished, format="PNG")
