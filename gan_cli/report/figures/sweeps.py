"""Figures of a sweep: one number by method, or numbers over a swept key."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure as MplFigure

from gan_cli.config.names import settings_text
from gan_cli.errors import UserError
from gan_cli.evaluation.comparison import mean
from gan_cli.evaluation.floor_words import floor_label
from gan_cli.evaluation.layout import wrap_name
from gan_cli.report.figures import scales, style
from gan_cli.report.figures.curves import Figure
from gan_cli.report.figures.rows import group_rows
from gan_cli.report.figures.style import FAINT, WIDTH, RenderedFigure
from gan_cli.report.records.runs import RunRecord

Line = tuple[str, str]
"""The settings of a line beside the swept key, and the number that it shows."""
WIDE = 100
"""Ratio of the largest to the smallest value of a key from which its axis is logarithmic."""
LABEL = 40
"""Number of characters from which the name of a method takes several lines."""


@dataclass(frozen=True, kw_only=True)
class Bars(Figure):
    """One number by method: its mean over seeds with its standard error, and a dot for each seed.

    Args:
        number: Name of a gan-eval number at the last checkpoint, or a tag (``metric/w1``), whose last value is used.
        by: Keys whose values name a method. Default: all swept keys, or the key ``method``.
        log_x: Logarithmic axis.
        ranked: Sort by mean, lowest first, instead of by the order of the sweep.
    """

    number: str
    by: Sequence[str] = ()
    log_x: bool = False
    ranked: bool = False

    @property
    def shares_axes(self) -> bool:
        return not any(map(_is_data_set, self.by))

    def draw(self, runs: Sequence[RunRecord]) -> list[RenderedFigure]:
        groups: dict[str, list[float]] = {}
        for run in self.select(runs):
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
        drawing = style.render(
            (WIDTH, height), lambda figure: bars(figure.subplots(), groups, style.label(self.number), self.log_x, floor)
        )
        return [self.rendered(drawing, data=group_rows(groups, self.number))]

    def _floor(self, runs: Sequence[RunRecord]) -> tuple[float, str] | None:
        """Return the mean floor, with its label, if ``number`` is the primary number of the runs' metric, else None."""
        metrics = [metric for run in self.select(runs) if (metric := run.result.get("metric"))]
        known = [one for one in metrics if self.number == f"metric/{one['name']}" and one.get("floor") is not None]
        return (mean([one["floor"] for one in known]).value, floor_label(*known)) if known else None


@dataclass(frozen=True, kw_only=True)
class SweepCurves(Figure):
    """Numbers over a swept numeric ``key``: means over seeds with standard errors, a line for each of the other settings.

    Args:
        key: The swept key.
        numbers: Names of gan-eval numbers at the last checkpoint, or tags, whose last values are used.
        log_x: Logarithmic x axis. None: where the values of the key are positive and span at least two decades.
        log_y: Logarithmic y axis.
    """

    key: str
    numbers: Sequence[str]
    log_x: bool | None = False
    log_y: bool = False

    @property
    def shares_axes(self) -> bool:
        return not _is_data_set(self.key)

    def draw(self, runs: Sequence[RunRecord]) -> list[RenderedFigure]:
        values: dict[Line, dict[float, list[float]]] = {}
        for number in self.numbers:
            for run in self.select(runs):
                x, y = run.setting(self.key), run.number(number)
                if x is not None and y is not None and np.isfinite(y):
                    others = settings_text({name: value for name, value in run.settings.items() if name != self.key})
                    values.setdefault((others, number), {}).setdefault(x, []).append(y)
        if not values:
            raise UserError(f"nothing to draw: no run has a number as {self.key} and one of {', '.join(self.numbers)}.")
        named = {line: self._label(line, values) for line in values}
        colour = style.colours(list(named.values()))

        lines = {line: [mean(seeds).value for seeds in by_setting.values()] for line, by_setting in values.items()}
        panels = [list(lines)] if self.log_y else scales.group_by_scale(lines)
        settings = {x for by_setting in values.values() for x in by_setting}
        log_x = spans_decades(settings) if self.log_x is None else self.log_x

        def paint(figure: MplFigure) -> None:
            axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
            for ax, shown in zip(axes, panels, strict=True):
                for line in shown:
                    x = sorted(values[line])
                    means = [mean(values[line][setting]) for setting in x]
                    y, error = [entry.value for entry in means], [entry.error or 0.0 for entry in means]
                    ax.errorbar(x, y, error, marker="o", capsize=3, color=colour[named[line]], label=named[line])
                style.set_scales(ax, log_x, self.log_y)
                ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)
            axes[-1].set_xlabel(self.key)

        drawing = style.render((WIDTH, 4.4 if len(panels) == 1 else 3.2 * len(panels)), paint)
        data = [
            {"settings": others, "number": number, self.key: x, **mean(seeds)._asdict(), "values": seeds}
            for (others, number), by_setting in values.items()
            for x, seeds in sorted(by_setting.items())
        ]
        return [self.rendered(drawing, scales.NOTE if len(panels) > 1 else "", data=data)]

    def _label(self, line: Line, lines: Iterable[Line]) -> str:
        """Return the settings of a line, with its number unless all lines show the same one."""
        others, number = line
        name = [style.label(number)] if not others or len({one for _, one in lines}) > 1 else []
        return style.legend_entry(", ".join([*([others] if others else []), *name]))


def spans_decades(values: Collection[float]) -> bool:
    """Return True if all values are positive and the largest is at least ``WIDE`` times the smallest."""
    return min(values) > 0 and max(values) >= WIDE * min(values)


def _is_data_set(key: str) -> bool:
    """Return True if a swept key tells data sets apart, which are what is compared then."""
    return key.partition(".")[0] == "dataset"


def bars(
    ax: Any,
    groups: Mapping[str, Sequence[float]],
    label: str,
    log: bool = False,
    floor: tuple[float, str] | None = None,
) -> None:
    """Draw means with standard errors and a dot for each value.

    Args:
        ax: The axes.
        groups: Values over seeds by method.
        label: Label of the x axis.
        log: Logarithmic x axis.
        floor: Value of real samples against real samples, drawn as a dotted line, and its label.
    """
    for row, (_, values) in enumerate(groups.items()):
        if not values:
            continue
        centre = mean(values)
        if centre.error is not None:
            ax.errorbar(centre.value, row, xerr=centre.error, color=style.COLOURS[0], capsize=5, linewidth=2.2, zorder=3)
        ax.plot(values, [row] * len(values), "o", color=style.COLOURS[1], alpha=0.6, markersize=5, zorder=2)
        ax.plot(centre.value, row, "D", color=style.COLOURS[0], markersize=7, zorder=4)
    if floor is not None:
        value, name = floor
        ax.axvline(value, color=FAINT, linestyle=":", linewidth=1.5)
        ax.annotate(name, (value, 1), xycoords=("data", "axes fraction"), fontsize=9, color="#5b6270", va="bottom")
    names = ["\n".join(wrap_name(name, LABEL)) for name in groups]  # long names would leave no room for the numbers
    ax.set(yticks=range(len(groups)), yticklabels=names, xlabel=label)
    style.set_scales(ax, log, False)
    ax.set_ylim(len(groups) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)
