"""Pictures of sequences, as lines over time."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from gan_cli.drawing.figures import literal, new_figure, render

LINES, FEATURES = 8, 8
"""Largest number of sequences, and of features, in a picture."""


def sequences(fake: Tensor, names: Sequence[str], real: Tensor | None = None, walk: int | None = None) -> np.ndarray:
    """Draw generated sequences as lines over time, one row per feature, and real ones beside them on the same axes.

    Args:
        fake: Generated sequences ``[N, T, F]``, in any units.
        names: Names of the F features.
        real: Real sequences ``[M, T, F]`` in the same units, or None.
        walk: If not None, this many sequences form a walk through latent space, drawn from dark to light.
    """
    return render(sequences_figure(fake, names, real, walk))


def sequences_figure(fake: Tensor, names: Sequence[str], real: Tensor | None = None, walk: int | None = None) -> Figure:
    """Return the figure that ``sequences`` draws."""
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
        row[0].set_ylabel(literal(drawn[k]), fontsize=8)
    for axes, title in zip(rows[0], parts, strict=True):
        axes.set_title(title, fontsize=10)
    for axes in rows[-1]:
        axes.set_xlabel("t" if len(drawn) == len(names) else f"t ({len(drawn)} of {len(names)} features)", fontsize=8)
    return figure
