"""Panels: grids of images with titles, and names of their rows and columns."""

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.figure import Figure

from gan_cli.drawing.figures import literal, new_figure, render
from gan_cli.drawing.images import Panel, picture


def panels(grids: Sequence[Panel]) -> np.ndarray:
    """Draw labelled grids of images below each other."""
    return render(panels_figure(grids))


def panels_figure(grids: Sequence[Panel]) -> Figure:
    """Return the figure that ``panels`` draws."""
    inch = 0.6
    heights = [inch * len(panel.rows) + 0.7 for panel in grids]
    figure = new_figure(inch * max(len(panel.columns) for panel in grids) + 1.2, sum(heights))
    subplots = figure.subplots(len(grids), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, panel in zip(subplots, grids, strict=True):
        images = torch.stack([torch.from_numpy(picture(image)) for image in panel.images])  # [N, H, W, 3]
        rows, columns, (height, width) = len(panel.rows), len(panel.columns), images.shape[1:3]
        tiled = images.reshape(rows, columns, height, width, 3).transpose(1, 2).reshape(rows * height, columns * width, 3)
        axes.imshow(tiled.numpy(), interpolation="nearest")
        axes.set_title(literal(panel.title), fontsize=10)
        axes.set_xticks([(i + 0.5) * width - 0.5 for i in range(columns)], list(map(literal, panel.columns)))
        axes.set_yticks([(i + 0.5) * height - 0.5 for i in range(rows)], list(map(literal, panel.rows)))
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    return figure
