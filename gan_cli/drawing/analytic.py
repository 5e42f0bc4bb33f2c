"""Plots of the games with a known solution; the games compute the numbers."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes

from gan_cli.drawing.figures import BLUE, GREY, ORANGE, new_figure, render

PANELS = {"w": "Wasserstein-1", "js": "Jensen-Shannon", "kl": "KL", "tv": "total variation"}
"""Distances between parallel lines, and their titles."""
TOP = 1.0
"""Least upper end of the axes of distances. Infinite distances are drawn at the upper end."""
STYLES: Mapping[str, Mapping[str, Any]] = {
    "closed": {"color": GREY, "linewidth": 5, "alpha": 0.5, "label": "closed form"},
    "shared": {"color": BLUE, "marker": ".", "linestyle": "", "label": "samples, shared z"},
    "independent": {"color": ORANGE, "marker": "+", "linestyle": "", "label": "independent samples"},
    "floor": {"color": ORANGE, "linestyle": ":", "linewidth": 1, "label": "floor: independent, θ = 0"},
}
"""Ways to compute a distance, and how each is drawn."""


class Field(NamedTuple):
    """The value of a game of two numbers, and its vector field, on a square around the origin.

    Attributes:
        reach: Half the side of the square.
        value: V on a grid ``[N, N]``.
        descent: The field of simultaneous descent ``[2, n, n]`` on a square of half side 0.95 ``reach``.
    """

    reach: float
    value: np.ndarray
    descent: np.ndarray


def phase_portrait(steps: Sequence[int], path: np.ndarray, field: Field, formula: str) -> np.ndarray:
    """Plot the path of both players over V and the field, and beside it their distance to the equilibrium at the origin.

    Args:
        steps: Rounds at which the players were recorded.
        path: Their numbers ``[len(steps), 2]``.
        field: V and the field.
        formula: Formula of V.
    """
    figure = new_figure(11, 5)
    portrait, distance = figure.subplots(1, 2)
    reach, value, descent = field
    portrait.imshow(value, extent=(-reach, reach, -reach, reach), origin="lower", cmap="PuOr", alpha=0.5)
    ticks = np.linspace(-0.95 * reach, 0.95 * reach, descent.shape[-1])
    portrait.quiver(ticks, ticks, *descent, color=GREY, width=0.003)
    portrait.plot(*path.T, color=BLUE, linewidth=1.2, marker=".", markersize=3, label="path")
    portrait.plot(*path[:1].T, "o", color=BLUE, label="start")
    portrait.plot(0, 0, "*", color=ORANGE, markersize=14, label="equilibrium")
    portrait.set(xlim=(-reach, reach), ylim=(-reach, reach), xlabel="θ (minimises)", ylabel="φ (maximises)")
    portrait.set_title(f"V = {formula}")
    portrait.legend(loc="lower left", framealpha=0.9)
    distances = np.hypot(*path.T)
    distance.plot(steps, np.maximum(distances, 1e-16), color=BLUE)
    distance.set(xlabel="round", ylabel="distance to the equilibrium", title=f"now {distances[-1]:.3g}")
    shown = distances[np.isfinite(distances) & (distances > 1e-16)]
    distance.set(yscale="log", ylim=(min([1e-3, *shown]), max([100, *shown])))
    distance.grid(alpha=0.3)
    return render(figure)


def tables(p: np.ndarray, q: np.ndarray, best: np.ndarray) -> np.ndarray:
    """Plot two probability tables as bars, and the optimal discriminator between them.

    Args:
        p: Probabilities of the data ``[n]``.
        q: Probabilities of the generator ``[n]``.
        best: D* ``[n]``.
    """
    points = np.arange(len(q))
    figure = new_figure(7, 5)
    axes = figure.subplots()
    axes.bar(points - 0.2, p, 0.4, color=GREY, label="p (data)")
    axes.bar(points + 0.2, q, 0.4, color=ORANGE, label="q (generator)")
    axes.set(xlabel="point", ylabel="probability", xticks=points, ylim=(0, 1.1 * max(p.max(), q.max())))
    other = axes.twinx()
    other.plot(points, best, color=BLUE, marker="o", linestyle="--", label="D* = p / (p + q)")
    other.axhline(0.5, color=BLUE, linewidth=0.5)
    other.set(ylim=(0, 1))
    other.set_ylabel("D*", color=BLUE)
    figure.legend(loc="outside upper center", ncols=3)
    return render(figure)


def densities(
    x: np.ndarray,
    p: np.ndarray,
    q: np.ndarray,
    D: np.ndarray,
    best: np.ndarray,
    affine: tuple[float, float],
    window: tuple[float, float],
) -> np.ndarray:
    """Plot p_data, p_g, D and D*, and below them the map of an affine generator, as in figure 1 of Goodfellow et al. (2014).

    Args:
        x: Points of the line ``[n]``.
        p: Density of the data ``[n]``.
        q: Density of the generator ``[n]``.
        D: The discriminator ``[n]``.
        best: D* ``[n]``.
        affine: Mean and factor of the generator, G(z) = mean + factor z.
        window: Limits of the horizontal axis.
    """
    figure = new_figure(8, 6)
    laws, lines = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    laws.plot(x, p, color="black", linestyle=":", linewidth=2.5, label="p_data")
    laws.plot(x, q, color=ORANGE, linewidth=2.5, label="p_g")
    laws.set(ylim=(0, max(1.5 * p.max(), 1.1 * q.max())), ylabel="density")
    other = laws.twinx()
    seen = p + q > 1e-3  # elsewhere D* is a ratio of two densities that are nearly 0
    other.plot(x, D, color=BLUE, linestyle="--", linewidth=2.5, label="D")
    other.plot(x[seen], best[seen], color=BLUE, linewidth=6, alpha=0.25, label="D* = p_data / (p_data + p_g)")
    other.set(ylim=(0, 1))
    other.set_ylabel("D", color=BLUE)
    figure.legend(loc="outside upper center", ncols=4)
    z = np.linspace(-2, 2, 17)
    mean, factor = affine
    lines.plot([z, mean + factor * z], [[0] * 17, [1] * 17], color=GREY, linewidth=0.8)
    lines.set(yticks=[0, 1], yticklabels=["z", "x = G(z)"], xlim=window, ylim=(0, 1))
    return render(figure)


def distances(rows: Sequence[Mapping[str, Any]], window: tuple[float, float]) -> np.ndarray:
    """Plot every distance between two parallel lines over θ, as in figure 1 of Arjovsky et al. (2017).

    Args:
        rows: Logged rows with ``theta`` and ``<distance>/<how>`` for every distance in ``PANELS`` and way in ``STYLES``; None
            stands for an infinite distance.
        window: The first and the last θ.
    """
    figure = new_figure(11, 6)
    for axes, (name, title) in zip(figure.subplots(2, 2, sharex=True).flat, PANELS.items(), strict=True):
        top = max([TOP, *(row[f"{name}/{how}"] or 0.0 for row in rows for how in STYLES)])
        for how, style in STYLES.items():
            jumps = {"linestyle": "", "marker": "s"} if how == "closed" and name != "w" else {}
            values = [top if row[f"{name}/{how}"] is None else row[f"{name}/{how}"] for row in rows]
            axes.plot([row["theta"] for row in rows], values, **{**style, **jumps})
        axes.set(title=title, xlim=window, ylim=(-0.08 * top, 1.08 * top))
        axes.grid(alpha=0.3)
        if name == "kl":
            axes.set_yticks([0, top / 2, top], ["0", f"{top / 2:.3g}", "∞"])
    for axes in figure.axes[2:]:
        axes.set_xlabel("θ")
    figure.axes[0].legend(loc="upper center")
    return render(figure)


class Judge(NamedTuple):
    """A function on a grid of the line.

    Attributes:
        values: Its values ``[n]``.
        slopes: Absolute values of its derivative ``[n]``.
    """

    values: np.ndarray
    slopes: np.ndarray


def judges(
    x: np.ndarray, real: np.ndarray, fake: np.ndarray, discriminator: Judge, critic: Judge, optimum: np.ndarray
) -> np.ndarray:
    """Plot two densities with a discriminator and a critic between them, and below them their slopes.

    Args:
        x: The grid ``[n]``.
        real: Density of the real distribution ``[n]``.
        fake: Density of the fake distribution ``[n]``.
        discriminator: D as a probability.
        critic: The critic f.
        optimum: Slopes of D* ``[n]``.
    """
    figure = new_figure(9, 8)
    values, slopes = figure.subplots(2, 1, sharex=True)
    other, laws = values.twinx(), values.twinx()
    for density, colour, label in ((real, GREY, "density of real"), (fake, ORANGE, "density of fake")):
        laws.fill_between(x, density, color=colour, alpha=0.35, linewidth=0, label=f"{label}, peak {density.max():.3g}")
    laws.set(ylim=(0, 1.05 * max(real.max(), fake.max())), yticks=[])
    for axes, judge, style, label in (
        (values, discriminator, {"color": BLUE}, "GAN discriminator D"),
        (other, critic, {"color": "black", "linestyle": "--"}, "WGAN critic f"),
    ):
        axes.plot(x, judge.values, **style, label=label)
        slopes.plot(x, judge.slopes.clip(min=1e-12), **style, label=label)
    slopes.plot(x, optimum, color=BLUE, linestyle=":", label="optimal D*")
    values.set(ylim=(0, 1.05), ylabel="D")
    other.set_ylabel("f")
    steepest = max(float(judge.slopes.max()) for judge in (discriminator, critic))
    slopes.set(yscale="log", ylim=(1e-10, max(10.0, 2 * steepest)), xlabel="x", ylabel="size of the slope")
    slopes.grid(alpha=0.3)
    slopes.legend(loc="lower center")
    figure.legend(*_legend_entries(laws, values, other), loc="outside upper center", ncols=4)
    return render(figure)


def earth_mover(
    positions: np.ndarray,
    heaps: tuple[np.ndarray, np.ndarray],
    plan: np.ndarray,
    critic: np.ndarray,
    estimates: Mapping[int, float],
    shovelfuls: float,
    exact: float,
) -> np.ndarray:
    """Plot two heaps with the optimal plan, the critic between them, and its estimate over the rounds.

    Args:
        positions: Positions on the line ``[n]``, rising.
        heaps: Heights of both heaps ``[n]``.
        plan: Amounts that are moved ``[n, n]``, from the first heap to the second.
        critic: Values of f at the positions ``[n]``.
        estimates: The critic's estimate by round.
        shovelfuls: Cost of the plan.
        exact: W_1 of the normalised heaps.
    """
    figure = new_figure(13, 4)
    left, middle, right = figure.subplots(1, 3)
    width = 0.35 * float(np.diff(positions).min())
    for heap, side, colour, label in zip(heaps, (-1, 1), (GREY, ORANGE), "PQ", strict=True):
        left.bar(positions + side * width / 2, heap, width, color=colour, label=label)
    _arrows(left, positions, plan, top=1.15 * float(np.concatenate(heaps).max()))
    left.set(title=f"{shovelfuls:g} shovelfuls times distance", xlabel="position", ylabel="shovelfuls")
    left.legend(loc="upper left", ncols=2)
    middle.plot(positions, critic, color=BLUE, marker="o")
    middle.set(title="critic f, slopes within ±1", xlabel="position", ylabel="f")
    right.axhline(exact, color=GREY, linewidth=5, alpha=0.5, label="exact W₁")
    right.plot(list(estimates), list(estimates.values()), color=BLUE, label="critic")
    finite = [value for value in estimates.values() if value is not None and np.isfinite(value)]
    right.set(title="E f(P) − E f(Q), the critic's estimate", xlabel="round")
    right.set_ylim(min([0.0, *finite]), 1.2 * max([exact, *finite]) or 1.0)
    right.legend(loc="lower right")
    for axes in (middle, right):
        axes.grid(alpha=0.3)
    return render(figure)


def _arrows(axes: Axes, positions: np.ndarray, plan: np.ndarray, top: float) -> None:
    """Draw what the plan moves, one arrow above the other."""
    moves = [(i, j) for i, j in np.argwhere(plan).tolist() if i != j]
    for level, (i, j) in enumerate(moves):
        height = top + 0.5 * level
        start, end = float(positions[i]), float(positions[j])
        axes.annotate("", (end, height), (start, height), arrowprops={"arrowstyle": "->", "color": BLUE, "lw": 1.5})
        axes.text((start + end) / 2, height + 0.06, f"{float(plan[i, j]):g}", ha="center", color=BLUE)
    axes.set_ylim(0, top + 0.5 * len(moves) + 1)


def _legend_entries(*axes: Axes) -> tuple[list[Artist], list[str]]:
    """Return the legend entries of several axes."""
    handles, labels = zip(*(each.get_legend_handles_labels() for each in axes), strict=True)
    return list(chain(*handles)), list(chain(*labels))
