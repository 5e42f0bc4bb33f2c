"""Figures of a search: its history, the importance of each key, and the values of all trials side by side."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure as MplFigure
from matplotlib.ticker import MaxNLocator

from gan_cli.config.names import settings_text
from gan_cli.evaluation.layout import wrap_name
from gan_cli.evaluation.number_format import with_direction
from gan_cli.report.figures import style
from gan_cli.report.figures.style import COLOURS, FAINT, INK, WIDTH, RenderedFigure
from gan_cli.report.records.search import Search

MOST = 6
"""Number of keys beyond which the less important ones are left out of the coordinates."""
LABEL = 14
"""Number of characters from which the label of an axis takes several lines."""
SHADES = LinearSegmentedColormap.from_list("trials", [COLOURS[0], "#d3dbe6"])
"""Colours of the trials from the best to the worst."""


def search_figures(search: Search | None) -> list[RenderedFigure]:
    """Return the figures of a search; none without one, or before a trial has finished."""
    if search is None or not search.finished:
        return []
    importance = [_importance(search)] if len(search.importance) > 1 else []
    return [_history(search), *importance, _coordinates(search)]


def _history(search: Search) -> RenderedFigure:
    """Return the metric of each trial, and the best of those so far."""
    finished = {trial.number: trial.metric for trial in search.finished}
    pruned = {trial.number: trial.metric for trial in search.trials if trial.status == "pruned" and trial.metric is not None}
    best: dict[int, float] = {}
    for number in sorted(finished):
        among = [value for value in (*list(best.values())[-1:], finished[number]) if value is not None]
        best[number] = max(among) if search.higher_is_better else min(among)

    def paint(figure: MplFigure) -> None:
        ax = figure.subplots()
        if pruned:
            ax.plot(
                list(pruned), np.array(list(pruned.values())), "x", color=FAINT, markersize=6, label="pruned, at its last step"
            )
        ax.plot(list(finished), np.array(list(finished.values())), "o", color=COLOURS[0], markersize=5, label="finished")
        steps = [*best, len(search.trials) - 1]
        values = [*best.values(), list(best.values())[-1]]
        ax.step(steps, values, where="post", color=COLOURS[1], label="best so far")
        ax.set(xlabel="trial", ylabel=style.label(search.metric))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.2)

    title = f"{with_direction(search.metric, search.higher_is_better)} of each trial"
    others = len(search.trials) - len(finished) - len(pruned)
    text = f"The line is the best finished trial so far{f'; trials without a metric: {others}' if others else ''}."
    data = [
        {
            "trial": trial.number,
            **trial.values,
            "status": trial.status,
            search.metric: trial.metric,
            "best": best.get(trial.number),
        }
        for trial in search.trials
    ]
    return RenderedFigure("search_history", title, text, style.render((WIDTH, 3.6), paint), f"{title}. {text}", data)


def _importance(search: Search) -> RenderedFigure:
    """Return a bar for the importance of each key."""
    shares = dict(sorted(search.importance.items(), key=lambda entry: -entry[1]))

    def paint(figure: MplFigure) -> None:
        ax = figure.subplots()
        ax.barh(range(len(shares)), list(shares.values()), color=COLOURS[0], height=0.6)
        for row, share in enumerate(shares.values()):
            ax.annotate(f"{share:.0%}", (share, row), xytext=(5, 0), textcoords="offset points", va="center", color=INK)
        ax.set(yticks=range(len(shares)), yticklabels=list(shares), xlim=(0, 1.1 * max(shares.values()) or 1), xticks=[])
        ax.set_ylim(len(shares) - 0.5, -0.5)
        ax.grid(visible=False)
        ax.spines["bottom"].set_visible(False)

    title = "Importance of each key"
    text = (
        "The share of each key in the differences between good and other finished trials (PED-ANOVA, Watanabe et al. 2023). "
        "Few trials give a rough estimate."
    )
    data = [{"key": key, "importance": share} for key, share in shares.items()]
    height = 0.4 * len(shares) + 0.6
    return RenderedFigure("search_importance", title, text, style.render((WIDTH, height), paint), f"{title}. {text}", data)


def _coordinates(search: Search) -> RenderedFigure:
    """Return a line for each trial through its values of all keys and its metric."""
    trials = search.finished
    by_importance = sorted(search.keys, key=lambda key: -search.importance.get(key, 0.0))
    keys = [key for key in search.keys if key in by_importance[:MOST]]
    axes = [_Axis(key, [trial.values[key] for trial in trials], search.keys[key]) for key in keys]
    axes.append(_Axis(style.label(search.metric), [trial.metric or 0.0 for trial in trials], "linear"))

    def paint(figure: MplFigure) -> None:
        ax = figure.subplots()
        for rank in reversed(range(len(trials))):  # the best one lies on top
            heights = [axis.heights[rank] for axis in axes]
            colour, width = (COLOURS[1], 2.6) if rank == 0 else (SHADES(rank / len(trials)), 1.3)
            ax.plot(range(len(axes)), heights, color=colour, linewidth=width, solid_capstyle="butt")
        for x, axis in enumerate(axes):
            ax.axvline(x, color=FAINT, linewidth=1)
            for text, height in axis.ticks:
                _note(ax, text, (x, height))
        ax.set(xticks=range(len(axes)), xticklabels=["\n".join(wrap_name(axis.name, LABEL)) for axis in axes], yticks=[])
        ax.set(xlim=(-0.2, len(axes) - 0.55), ylim=(-0.06, 1.06))
        ax.grid(visible=False)
        for side in ("left", "bottom"):
            ax.spines[side].set_visible(False)
        ax.tick_params(axis="x", length=0, pad=6)

    title = "Values of all finished trials"
    left_out = len(search.keys) - len(keys)
    best = settings_text({key: value if isinstance(value, str) else f"{value:g}" for key, value in trials[0].values.items()})
    text = f"Each line is a trial, darker the better its {search.metric}; the best one ({best}) stands out." + (
        f" The {left_out} least important keys are left out." if left_out else ""
    )
    data = [{"trial": trial.number, **trial.values, search.metric: trial.metric} for trial in trials]
    return RenderedFigure("search_values", title, text, style.render((WIDTH, 4.2), paint), f"{title}. {text}", data)


def _note(ax: Any, text: str, at: tuple[float, float]) -> None:
    box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
    ax.annotate(text, at, xytext=(4, 0), textcoords="offset points", va="center", fontsize=9, color="#5b6270", bbox=box)


class _Axis:
    """One axis of the coordinates, from 0 at its bottom to 1 at its top.

    Args:
        name: The key.
        values: The value of each trial.
        scale: The scale of the key.

    Attributes:
        heights: The height of each trial.
        ticks: Labels with their heights.
    """

    def __init__(self, name: str, values: Sequence[float | str], scale: str) -> None:
        self.name = name
        if scale == "choice":
            choices = sorted(set(map(str, values)))
            places = {choice: (index + 0.5) / len(choices) for index, choice in enumerate(choices)}
            self.heights, self.ticks = [places[str(value)] for value in values], list(places.items())
            return
        numbers = [math.log(float(value)) if scale == "log" else float(value) for value in values]
        low, high = min(numbers), max(numbers)
        span = high - low or 1.0
        offset = 0.0 if high > low else 0.5
        self.heights = [(number - low) / span + offset for number in numbers]
        marks = [low, (low + high) / 2, high] if high > low else [low]
        self.ticks = [(f"{math.exp(mark) if scale == 'log' else mark:.3g}", (mark - low) / span + offset) for mark in marks]
