"""Figures over a sweep: one number by method, or over a swept key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gan_cli.errors import UserError
from gan_cli.evaluation.comparison import mean
from gan_cli.report.figures import style
from gan_cli.report.figures.curves import Figure
from gan_cli.report.figures.style import FAINT, WIDTH, Canvas, Drawn
from gan_cli.report.records.runs import RunRecord


@dataclass(frozen=True, kw_only=True)
class Bars(Figure):
    """One number by method, its mean over seeds with its standard error, each seed a dot.

    ``number``: of gan-eval at the last checkpoint, or a tag's last value (``metric/w1``); ``by``: the keys whose values
    name a bar (none: all that was swept, or the ``method``); ``ranked``: by their means, lowest first, not as they were swept.
    """

    number: str
    by: Sequence[str] = ()
    log_x: bool = False
    ranked: bool = False

    def draw(self, runs: Sequence[RunRecord]) -> list[Drawn]:
        """One figure, a bar below the other, and a line where real samples stand if the runs know that of this number."""
        groups: dict[str, list[float]] = {}
        for run in self.about(runs):
            value = run.number(self.number)
            if value is not None and np.isfinite(value):
                label = ", ".join(f"{key}={run.sweep_run.setting(key)}" for key in self.by) or run.method or run.name
                groups.setdefault(label, []).append(value)
        if not groups:
            raise UserError(f"nothing to draw: no run has {self.number}.")
        if self.ranked:
            groups = dict(sorted(groups.items(), key=lambda group: mean(group[1]).value))
        height = 0.42 * len(groups) + 1.1
        floor = self._floor(runs)
        png = style.draw(
            (WIDTH, height), lambda figure: bars(figure.subplots(), groups, style.name(self.number), self.log_x, floor)
        )
        return [self.drawn(png)]

    def _floor(self, runs: Sequence[RunRecord]) -> float | None:
        """Of real samples against real ones, where ``number`` is the chief one of the runs' metric; the mean over the runs."""
        metrics = [metric for run in self.about(runs) if (metric := run.result.get("metric"))]
        floors = [metric["floor"] for metric in metrics if self.number == f"metric/{metric['name']}"]
        known = [floor for floor in floors if floor is not None]
        return mean(known).value if known else None


@dataclass(frozen=True, kw_only=True)
class Across(Figure):
    """Numbers of runs over a swept ``key`` that is a number: means over seeds with standard errors. ``numbers`` as in Bars."""

    key: str
    numbers: Sequence[str]
    log_x: bool = False
    log_y: bool = False

    def draw(self, runs: Sequence[RunRecord]) -> list[Drawn]:
        """One figure."""
        values: dict[str, dict[float, list[float]]] = {number: {} for number in self.numbers}
        for run in self.about(runs):
            x = run.setting(self.key)
            for number in self.numbers:
                y = run.number(number)
                if x is not None and y is not None and np.isfinite(y):
                    values[number].setdefault(x, []).append(y)
        if not any(values.values()):
            raise UserError(f"nothing to draw: no run has a number as {self.key} and one of {', '.join(self.numbers)}.")
        colour = style.colours(self.numbers)

        def paint(figure: Canvas) -> None:
            ax = figure.subplots()
            for number, found in values.items():
                x = sorted(found)
                means = [mean(found[at]) for at in x]
                error = [entry.error or 0.0 for entry in means]
                ax.errorbar(
                    x, [m.value for m in means], error, marker="o", capsize=3, color=colour[number], label=style.name(number)
                )
            ax.set_xlabel(self.key)
            style.scale(ax, self.log_x, self.log_y)
            ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)

        return [self.drawn(style.draw((WIDTH, 4.4), paint))]


def bars(ax: Any, groups: Mapping[str, Sequence[float]], label: str, log: bool = False, floor: float | None = None) -> None:
    """Means with standard errors, each value a dot; ``floor``: where real samples stand."""
    for row, (_, values) in enumerate(groups.items()):
        if not values:
            continue
        centre = mean(values)
        if centre.error is not None:
            ax.errorbar(centre.value, row, xerr=centre.error, color=style.COLOURS[0], capsize=5, linewidth=2.2, zorder=3)
        ax.plot(values, [row] * len(values), "o", color=style.COLOURS[1], alpha=0.6, markersize=5, zorder=2)
        ax.plot(centre.value, row, "D", color=style.COLOURS[0], markersize=7, zorder=4)
    if floor is not None:
        ax.axvline(floor, color=FAINT, linestyle=":", linewidth=1.5)
        ax.annotate(
            "real against real", (floor, 1), xycoords=("data", "axes fraction"), fontsize=9, color="#5b6270", va="bottom"
        )
    ax.set(yticks=range(len(groups)), yticklabels=list(groups), xlabel=label)
    style.scale(ax, log, False)
    ax.set_ylim(len(groups) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)
