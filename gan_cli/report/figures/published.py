"""Comparison with published numbers: a figure of systems by data sets, and a claim about their ranking."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.figure import Figure as MplFigure

from gan_cli import checks
from gan_cli.errors import UserError
from gan_cli.evaluation.comparison import Mean, mean
from gan_cli.evaluation.floor_words import result_label
from gan_cli.evaluation.number_format import format_signed, format_value
from gan_cli.evaluation.verdicts import TOGETHER, describe_level, differences_to
from gan_cli.report.claims.base import HELD, NOT_HELD, UNDECIDED, Assessment, Claim, undecidable
from gan_cli.report.figures import style
from gan_cli.report.figures.curves import Figure
from gan_cli.report.figures.rows import group_rows
from gan_cli.report.figures.style import FAINT, INK, WIDTH, RenderedFigure
from gan_cli.report.records.runs import RunRecord

LINE_STYLES: tuple[Any, ...] = (":", (0, (5, 2)), (0, (7, 2, 1, 2)))
"""Dash patterns of the reference lines in a panel."""
LINE_SYMBOLS = ("┈", "╌", "╍")
"""The same line styles as characters, for the text below a panel."""
Where = Mapping[str, Any]
"""Selects runs by config or override, as ``{game: timegan}``."""


@dataclass(frozen=True, kw_only=True)
class PublishedComparison(Figure):
    """A table of systems by data sets, each measured number with its error beside the published one, drawn to scale.

    There is a panel for each number and data set and a row for each system: the mean over seeds with its standard error, a dot
    for each seed, the published number as a hollow diamond, and real against real as a dotted line.

    Args:
        numbers: Displayed name -> name of a gan-eval number at the last checkpoint, or a tag, whose last value is used.
        systems: Displayed name -> runs of the system, selected by config or override.
        data_sets: Displayed name -> runs on the data set.
        published: Published values by displayed number, data set and system.
        references: Displayed number -> {label: number} for further numbers of the same evaluations that are drawn as lines,
            such as the score of a predictor that ignores the dynamics.
        levels: Known values that are drawn as lines, by displayed number, data set and label.
    """

    numbers: Mapping[str, str]
    systems: Mapping[str, Where]
    data_sets: Mapping[str, Where]
    published: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    references: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    levels: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)

    def draw(self, runs: Sequence[RunRecord]) -> list[RenderedFigure]:
        chosen = self.select(runs)
        values = {
            (name, data_set): {system: self._values(chosen, number, {**where, **of}) for system, where in self.systems.items()}
            for name, number in self.numbers.items()
            for data_set, of in self.data_sets.items()
        }
        if not any(seeds for panel in values.values() for seeds in panel.values()):
            raise UserError(f"nothing to draw: no run of these systems has {' or '.join(self.numbers.values())}.")

        def paint(figure: MplFigure) -> None:
            axes = figure.subplots(len(self.numbers), len(self.data_sets), squeeze=False)
            for row, (name, number) in zip(axes, self.numbers.items(), strict=True):
                for ax, (data_set, of) in zip(row, self.data_sets.items(), strict=True):
                    level = self._floor(chosen, number, of)
                    lines = {**({} if level is None else {level[1]: level[0]}), **self._references(chosen, name, of)}
                    lines |= _lookup(self.levels, name, data_set)
                    _panel(ax, values[name, data_set], _lookup(self.published, name, data_set), lines)
                    ax.set_title(f"{name}, {data_set}")
                for ax in row[1:]:
                    ax.set_yticklabels([])
            handles = {label: mark for ax in axes.flat for mark, label in zip(*ax.get_legend_handles_labels(), strict=True)}
            figure.legend(handles.values(), handles.keys(), loc="outside upper left", ncols=len(handles))

        height = (0.62 * len(self.systems) + 1.0) * len(self.numbers) + 0.5
        data = [
            {
                "displayed": name,
                "data_set": data_set,
                "published": _lookup(self.published, name, data_set).get(row["method"]),
                **row,
            }
            for (name, data_set), systems in values.items()
            for known in [_lookup(self.published, name, data_set)]
            for row in group_rows(systems, self.numbers[name])
        ]
        return [self.rendered(style.render((WIDTH, height), paint), data=data)]

    def _values(self, runs: Sequence[RunRecord], number: str, where: Where) -> list[float]:
        values = [run.number(number) for run in runs if run.matches(where)]
        return [value for value in values if value is not None and np.isfinite(value)]

    def _references(self, runs: Sequence[RunRecord], name: str, where: Where) -> dict[str, float]:
        """Return the mean over the runs of each number that is drawn as a line."""
        by_label = {label: self._values(runs, number, where) for label, number in self.references.get(name, {}).items()}
        return {label: float(np.mean(values)) for label, values in by_label.items() if values}

    def _floor(self, runs: Sequence[RunRecord], number: str, where: Where) -> tuple[float, str] | None:
        """Return the mean floor of the evaluations of these runs and its label, or None if none was measured."""
        known = [
            (result, floor)
            for run in runs
            for result in run.results
            if run.matches(where) and number in result.numbers and "last" in result.chosen
            if (floor := result.numbers[number].floor) is not None
        ]
        return (float(np.mean([floor for _, floor in known])), result_label(*(one for one, _ in known))) if known else None


def _lookup(table: Mapping[str, Mapping[str, Mapping[str, float]]], name: str, data_set: str) -> Mapping[str, float]:
    return table.get(name, {}).get(data_set, {})


def _panel(ax: Any, systems: Mapping[str, Sequence[float]], published: Mapping[str, float], lines: Mapping[str, float]) -> None:
    """Draw a row for each system, with its numbers as text above its marks."""
    for row, (system, values) in enumerate(systems.items()):
        texts = []
        if values:
            centre = mean(values)
            _marks(ax, row, centre, values)
            texts.append(format_value(centre.value, centre.error))
        if system in published:
            ax.plot(
                published[system],
                row,
                "D",
                markerfacecolor="none",
                color=INK,
                markersize=8,
                zorder=5,
                label=_once(ax, "published"),
            )
            texts.append(f"({published[system]:g})")
        ax.annotate(" ".join(texts), (1, row - 0.3), xycoords=("axes fraction", "data"), fontsize=9, color=INK, ha="right")
    for dash, level in zip(LINE_STYLES, lines.values(), strict=False):
        ax.axvline(level, color=FAINT, linestyle=dash, linewidth=1.5)
    legend = (f"{symbol} {text} {level:.3g}" for symbol, (text, level) in zip(LINE_SYMBOLS, lines.items(), strict=False))
    ax.set_xlabel("   ".join(legend), fontsize=8.5, color="#5b6270", loc="left")
    ax.set(yticks=range(len(systems)), yticklabels=list(systems), ylim=(len(systems) - 0.4, -0.6))
    ax.set_xlim(0, 1.12 * max([*ax.get_xlim(), 1e-9]))
    ax.grid(axis="y", visible=False)


def _marks(ax: Any, row: int, centre: Mean, values: Sequence[float]) -> None:
    if centre.error is not None:
        ax.errorbar(centre.value, row, xerr=centre.error, color=style.COLOURS[0], capsize=5, linewidth=2.2, zorder=3)
    ax.plot(
        values,
        [row] * len(values),
        "o",
        color=style.COLOURS[1],
        alpha=0.6,
        markersize=5,
        zorder=2,
        label=_once(ax, "each seed"),
    )
    ax.plot(centre.value, row, "D", color=style.COLOURS[0], markersize=7, zorder=4, label=_once(ax, "mean ± standard error"))


def _once(ax: Any, label: str) -> str | None:
    """Return ``label`` unless the legend of ``ax`` already has it."""
    return None if label in ax.get_legend_handles_labels()[1] else label


@dataclass(frozen=True, kw_only=True)
class PublishedRanking(Claim):
    """Systems rank as published: of every pair, the system with the better published number is better here, too.

    This is for numbers that cannot be compared directly because the data or their scaling differ. It is held if the paired
    differences over seeds confirm every pair, not held if they reverse one, and undecided otherwise. The intervals hold jointly
    (``evaluation.moderated``). Systems with equal published numbers are not compared.

    Args:
        number: Name of a gan-eval number at the last checkpoint, or a tag, whose last value is used.
        systems: Name -> runs of the system, selected by config or override.
        published: Published value of each system.
        higher_is_better: True if larger values are better.

    Raises:
        UserError: If ``systems`` and ``published`` differ in their names or have fewer than two.
    """

    number: str
    systems: Mapping[str, Where]
    published: Mapping[str, float]
    higher_is_better: bool = False

    def __post_init__(self) -> None:
        checks.flag("higher_is_better", self.higher_is_better)
        if self.systems.keys() != self.published.keys() or len(self.systems) < 2:
            raise UserError("systems and published must have the same names, at least two.")
        super().__post_init__()

    def rule(self) -> str:
        best_first = sorted(self.published, key=lambda system: self.published[system], reverse=self.higher_is_better)
        order = ", ".join(f"{system} ({self.published[system]:g})" for system in best_first)
        side = "higher" if self.higher_is_better else "lower"
        intervals = describe_level(math.comb(len(self.systems), 2))
        return (
            f"{self.number} is {side} for the better published system of each pair, "
            f"by {intervals} of the mean paired difference: {order}"
        )

    def assess(self, runs: Sequence[RunRecord]) -> Assessment:
        chosen = self.select(runs)
        if reason := undecidable(chosen) or self.unmet(chosen):
            return self.assessment(UNDECIDED, reason)
        values = {system: self._by_seed(chosen, where) for system, where in self.systems.items()}
        order = sorted(self.published, key=lambda one: self.published[one], reverse=self.higher_is_better)
        comparisons = math.comb(len(order), 2)
        verdicts, reasons = [], []
        for base, worse in enumerate(order):
            compared = differences_to(base, [values[system] for system in order], self.higher_is_better, comparisons)
            for better, found in zip(order[:base], compared, strict=False):
                if found is not None and self.published[better] != self.published[worse]:
                    verdicts.append(found.verdict)
                    size = format_signed(found.value) if found.n else "no seed"
                    reasons.append(f"{better} before {worse}: {size}, {_verdict(found.verdict)}")
        state = NOT_HELD if "worse" in verdicts else HELD if set(verdicts) == {"better"} else UNDECIDED
        return self.assessment(state, "; ".join(reasons))

    def _by_seed(self, runs: Sequence[RunRecord], where: Where) -> dict[int, float]:
        values = {run.sweep_run.seed: run.number(self.number) for run in runs if run.matches(where)}
        return {seed: value for seed, value in values.items() if value is not None}


def _verdict(verdict: str) -> str:
    return {"better": "confirmed", "worse": "reversed", TOGETHER: "no significant difference"}.get(verdict, verdict)
