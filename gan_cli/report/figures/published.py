"""Measured numbers beside published ones: a figure of systems by data sets, and a claim about their ranks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

from gan_cli import checks
from gan_cli.errors import UserError
from gan_cli.evaluation.comparison import Mean, difference, joint_level, mean
from gan_cli.evaluation.number_format import format_value, signed
from gan_cli.report.claims.base import HELD, NOT_HELD, UNDECIDED, Claim, Judgement
from gan_cli.report.figures import style
from gan_cli.report.figures.curves import Figure
from gan_cli.report.figures.style import FAINT, INK, WIDTH, Canvas, Drawn
from gan_cli.report.records.runs import RunRecord

LINES: tuple[Any, ...] = (":", (0, (5, 2)), (0, (7, 2, 1, 2)))
MARKS = ("┈", "╌", "╍")
"""Of lines across a panel, and what stands for them in words."""
Where = Mapping[str, Any]
"""Runs by config or override, as ``{game: timegan}``."""


@dataclass(frozen=True, kw_only=True)
class PublishedComparison(Figure):
    """A table of systems by data sets, each number with its error beside the published one, drawn to scale.

    ``numbers``: of gan-eval at the last checkpoint, or tags (their last values), by what they are called here;
    ``systems``, ``data_sets``: runs by what they are called; ``published``: by the name of the number, of the data set and of
    the system. A panel for each number and data set, a row for each system: the mean over seeds with its standard error, each
    seed a dot, the published number a hollow diamond, real against real a dotted line. ``references``: further numbers of the
    same evaluations that are lines, as that of a predictor that knows no dynamics, by the name of the number and their own;
    ``levels``: lines that are known, by the name of the number, of the data set, and their own.
    """

    numbers: Mapping[str, str]
    systems: Mapping[str, Where]
    data_sets: Mapping[str, Where]
    published: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    references: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    levels: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)

    def draw(self, runs: Sequence[RunRecord]) -> list[Drawn]:
        """One figure, the data sets side by side, the numbers one below the other."""
        chosen = self.about(runs)
        values = {
            (name, data_set): {system: self._values(chosen, number, {**where, **of}) for system, where in self.systems.items()}
            for name, number in self.numbers.items()
            for data_set, of in self.data_sets.items()
        }
        if not any(found for panel in values.values() for found in panel.values()):
            raise UserError(f"nothing to draw: no run of these systems has {' or '.join(self.numbers.values())}.")

        def paint(figure: Canvas) -> None:
            axes = figure.subplots(len(self.numbers), len(self.data_sets), squeeze=False)
            for row, (name, number) in zip(axes, self.numbers.items(), strict=True):
                for ax, (data_set, of) in zip(row, self.data_sets.items(), strict=True):
                    level = self._floor(chosen, number, of)
                    lines = {**({} if level is None else {"real against real": level}), **self._references(chosen, name, of)}
                    lines |= _within(self.levels, name, data_set)
                    _panel(ax, values[name, data_set], _within(self.published, name, data_set), lines)
                    ax.set_title(f"{name}, {data_set}")
                for ax in row[1:]:
                    ax.set_yticklabels([])
            marks = {label: mark for ax in axes.flat for mark, label in zip(*ax.get_legend_handles_labels(), strict=True)}
            figure.legend(marks.values(), marks.keys(), loc="outside upper left", ncols=len(marks))

        height = (0.62 * len(self.systems) + 1.0) * len(self.numbers) + 0.5
        return [self.drawn(style.draw((WIDTH, height), paint))]

    def _values(self, runs: Sequence[RunRecord], number: str, where: Where) -> list[float]:
        found = [run.number(number) for run in runs if run.fits(where)]
        return [value for value in found if value is not None and np.isfinite(value)]

    def _references(self, runs: Sequence[RunRecord], name: str, where: Where) -> dict[str, float]:
        """The mean over these runs of each further number that is a line."""
        found = {label: self._values(runs, number, where) for label, number in self.references.get(name, {}).items()}
        return {label: float(np.mean(values)) for label, values in found.items() if values}

    def _floor(self, runs: Sequence[RunRecord], number: str, where: Where) -> float | None:
        """The mean of what real samples have against other real ones, in the evaluations of these runs."""
        found = [
            result.numbers[number].floor
            for run in runs
            for result in run.results
            if run.fits(where) and number in result.numbers and "last" in result.chosen
        ]
        known = [floor for floor in found if floor is not None]
        return float(np.mean(known)) if known else None


def _within(table: Mapping[str, Mapping[str, Mapping[str, float]]], name: str, data_set: str) -> Mapping[str, float]:
    return table.get(name, {}).get(data_set, {})


def _panel(ax: Any, systems: Mapping[str, Sequence[float]], published: Mapping[str, float], lines: Mapping[str, float]) -> None:
    """A row for each system; its numbers stand in words over its marks."""
    for row, (system, values) in enumerate(systems.items()):
        words = []
        if values:
            centre = mean(values)
            _marks(ax, row, centre, values)
            words.append(format_value(centre.value, centre.error))
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
            words.append(f"({published[system]:g})")
        ax.annotate(" ".join(words), (1, row - 0.3), xycoords=("axes fraction", "data"), fontsize=9, color=INK, ha="right")
    for dash, level in zip(LINES, lines.values(), strict=False):
        ax.axvline(level, color=FAINT, linestyle=dash, linewidth=1.5)
    said = (f"{mark} {text} {level:.3g}" for mark, (text, level) in zip(MARKS, lines.items(), strict=False))
    ax.set_xlabel("   ".join(said), fontsize=8.5, color="#5b6270", loc="left")
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
    """A label for a legend that does not have it yet."""
    return None if label in ax.get_legend_handles_labels()[1] else label


@dataclass(frozen=True, kw_only=True)
class Ranks(Claim):
    """Systems rank as they were published: of each two the one with the better published number is better here, too.

    For numbers that cannot be compared themselves, because data or scaling differ. ``number``: of gan-eval at the last
    checkpoint, or a tag; ``systems``: runs by what they are called; ``published``: a number for each. Held where the paired
    differences over seeds bear out every pair, not held where they reverse one, undecided else. All intervals hold together
    with 95 % (Bonferroni over the pairs). Systems of equal published numbers are not compared.
    """

    number: str
    systems: Mapping[str, Where]
    published: Mapping[str, float]
    higher_is_better: bool = False

    def __post_init__(self) -> None:
        checks.flag("higher_is_better", self.higher_is_better)
        if self.systems.keys() != self.published.keys() or len(self.systems) < 2:
            raise UserError("ranks: systems and published need the same two names or more.")

    def rule(self) -> str:
        """The published order, and by what it is judged."""
        best_first = sorted(self.published, key=lambda system: self.published[system], reverse=self.higher_is_better)
        order = ", ".join(f"{system} ({self.published[system]:g})" for system in best_first)
        side = "higher" if self.higher_is_better else "lower"
        return f"{self.number} {side} for the better published of each two, by the paired differences over seeds: {order}"

    def judge(self, runs: Sequence[RunRecord]) -> Judgement:
        """Every pair by the interval of its differences."""
        chosen = self.about(runs)
        if unready := [run.name for run in chosen if run.sweep_run.problem is not None]:
            return self.judged(UNDECIDED, f"not finished: {', '.join(unready)}")
        values = {system: self._by_seed(chosen, where) for system, where in self.systems.items()}
        level = joint_level(len(self.systems))
        verdicts, words = [], []
        for a, b in combinations(self.systems, 2):
            if self.published[a] == self.published[b]:
                continue
            better, worse = sorted((a, b), key=lambda one: self.published[one], reverse=self.higher_is_better)
            found = difference(values[better], values[worse], self.higher_is_better, level)
            verdicts.append(found.verdict)
            said = signed(found.value) if found.n else "no shared seed"
            words.append(f"{better} before {worse}: {said}, {_verdict(found.verdict)}")
        state = NOT_HELD if "worse" in verdicts else HELD if set(verdicts) == {"better"} else UNDECIDED
        return self.judged(state, "; ".join(words))

    def _by_seed(self, runs: Sequence[RunRecord], where: Where) -> dict[int, float]:
        found = {run.sweep_run.seed: run.number(self.number) for run in runs if run.fits(where)}
        return {seed: value for seed, value in found.items() if value is not None}


def _verdict(verdict: str) -> str:
    return {"better": "borne out", "worse": "reversed", "no difference": "not told apart"}.get(verdict, verdict)
