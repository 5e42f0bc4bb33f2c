"""The density that a discriminator implies, beside the data's and the generator's."""

from collections.abc import Sequence

import numpy as np

from gan_cli.drawing.figures import BLUE, GREY, ORANGE, new_figure, render


def implied_density(
    edges: Sequence[np.ndarray], p: np.ndarray, q: np.ndarray, implied: np.ndarray, D: np.ndarray
) -> np.ndarray:
    """Draw the densities of data and generator, the one that D implies, and D.

    Args:
        edges: Edges of the cells along each of one or two axes, ``[bins + 1]`` each.
        p: Density of the data in each cell, ``[bins]`` or ``[bins, bins]``.
        q: Density of the generator.
        implied: q D / (1 - D).
        D: Probability of being data, by the discriminator.
    """
    if len(edges) == 1:
        figure = new_figure(8, 4.5)
        axes = figure.subplots()
        for density, colour, label in ((p, GREY, "data, p"), (q, ORANGE, "generator, q")):
            axes.stairs(density, edges[0], fill=True, color=colour, alpha=0.5, label=label)
        axes.stairs(implied, edges[0], color="black", label="implied by D: q D / (1 − D)")
        axes.set(xlabel="x", ylabel="density", ylim=(0, 1.3 * max(p.max(), q.max())))
        axes.legend(loc="upper right", framealpha=0.9)
        other = axes.twinx()
        other.plot((edges[0][1:] + edges[0][:-1]) / 2, D, color=BLUE)
        other.set_ylabel("D(x)", color=BLUE)
        other.set_ylim(0, 1)
        return render(figure)
    figure = new_figure(15, 4)
    window = (edges[0][0], edges[0][-1], edges[1][0], edges[1][-1])
    top = max(p.max(), q.max())
    tables = {"data, p": p, "implied by D: q D / (1 − D)": implied, "generator, q": q, "D(x)": D}
    for axes, (title, table) in zip(figure.subplots(1, len(tables)), tables.items(), strict=True):
        limit, colours = (1.0, "PuOr") if table is D else (top, "magma")
        shown = axes.imshow(table.T, origin="lower", extent=window, vmin=0, vmax=limit, cmap=colours)
        axes.set_title(title, fontsize=10)
        figure.colorbar(shown, ax=axes, shrink=0.8)
    return render(figure)
