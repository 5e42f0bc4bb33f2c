"""Pictures of points, with the critic's contours or curve."""

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from torch import Tensor

from gan_cli.drawing.figures import BLUE, GREY, ORANGE, literal, new_figure, render
from gan_cli.types import Critic


def points(fake: Tensor, real: Tensor | None = None, critic: Critic | None = None) -> np.ndarray:
    """Draw generated points over real ones, with the critic's contours in the plane or its curve over histograms on the line.

    The window is that of the real points, so that pictures of one run can be compared.

    Args:
        fake: Generated points ``[N, d]``. If d is above 2, the first two coordinates are drawn, without the critic.
        real: Real points ``[M, d]``, or None.
        critic: The critic, or None.
    """
    return render(points_figure(fake, real, critic))


def points_figure(fake: Tensor, real: Tensor | None = None, critic: Critic | None = None) -> Figure:
    """Return the figure that ``points`` draws."""
    fake = fake.float().cpu()
    real = fake[:0] if real is None else real.float().cpu()
    figure = new_figure(6, 6)
    axes = figure.subplots()
    if fake.shape[1] == 1:
        _line(axes, real, fake, critic)
    else:
        _plane(axes, real, fake, critic if fake.shape[1] == 2 else None)
    axes.legend(loc="upper right", framealpha=0.9)
    return figure


def scatter(real: Tensor, fake: Tensor, title: str) -> np.ndarray:
    """Draw generated points ``[M, 2]`` over real ones ``[N, 2]``, with a window around all of them and without units."""
    figure = new_figure(6, 6)
    axes = figure.subplots()
    for part, colour, label in ((real, GREY, "data"), (fake, ORANGE, "generator")):
        axes.scatter(part[:, 0], part[:, 1], s=12, color=colour, alpha=0.6, linewidths=0, label=label)
    axes.set(xticks=[], yticks=[])
    axes.set_title(literal(title), fontsize=10, wrap=True)
    axes.legend(loc="upper right", framealpha=0.9)
    return render(figure)


def contours(axes: Axes, around: Tensor, critic: Critic) -> QuadContourSet:
    """Draw contours of the critic over the window of the points ``around`` ``[N, 2]``, and set the limits of the axes to it."""
    left, right, bottom, top = _plane_window(around)
    x, y = torch.meshgrid(torch.linspace(left, right, 100), torch.linspace(bottom, top, 100), indexing="xy")
    value = _critic_values(critic, torch.stack([x, y], -1).flatten(0, 1)).reshape(x.shape).numpy()
    axes.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
    return axes.contourf(x.numpy(), y.numpy(), value, 24, cmap=matplotlib.colormaps["PuOr"], alpha=0.7)


def _line(axes: Axes, real: Tensor, fake: Tensor, critic: Critic | None) -> None:
    low, high = _window(real if len(real) else fake, 0)
    bins = np.linspace(low, high, 101).tolist()
    for part, colour, label in ((real, GREY, "data"), (fake, ORANGE, "generator")):
        if len(part):  # one polygon: a patch for each bin takes most of the time of the picture
            values = part[:, 0].clamp(low, high).numpy()
            axes.hist(values, bins, density=True, histtype="stepfilled", color=colour, alpha=0.6, label=label)
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


def _plane_window(points: Tensor) -> tuple[float, float, float, float]:
    return *_window(points, 0), *_window(points, 1)


def _window(points: Tensor, axis: int) -> tuple[float, float]:
    """Return the range of the points on an axis with a margin of a fifth (or 1 if the range is empty) on both sides."""
    low, high = float(points[:, axis].min()), float(points[:, axis].max())
    margin = 0.2 * (high - low) or 1.0
    return low - margin, high + margin
