"""Figures of logged numbers, over steps and over each other."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gan_cli import checks
from gan_cli.errors import UserError
from gan_cli.report.figures import style
from gan_cli.report.figures.style import DASHES, FAINT, WIDTH, Canvas, Drawn
from gan_cli.report.records.runs import RunRecord

PANEL = 2.5
"""Inches that one panel is high."""
FEW_METHODS = 4
"""Legends of more are shown once."""
LONG_LABEL = 38
"""Letters; longer labels have a line of the legend to themselves."""


@dataclass(frozen=True, kw_only=True)
class Figure(ABC):
    """Something to be looked at. ``title``, ``caption``: over and under it; ``where``: the runs that it shows (all)."""

    title: str = ""
    caption: str = ""
    where: Mapping[str, Any] = field(default_factory=dict)

    @abstractmethod
    def draw(self, runs: Sequence[RunRecord]) -> list[Drawn]:
        """The figure from ``runs``. Raises UserError where they have not logged what it shows."""

    def about(self, runs: Sequence[RunRecord]) -> list[RunRecord]:
        """Those of ``runs`` that it shows."""
        if not (found := [run for run in runs if run.fits(self.where)]):
            raise UserError(f"nothing to draw: no run has {', '.join(f'{k}={v}' for k, v in self.where.items())}.")
        return found

    def drawn(self, png: bytes, caption: str = "", suffix: str = "") -> Drawn:
        """This figure as ``png``."""
        title = self.title or "figure"
        said = " ".join(filter(None, [self.caption, caption]))
        return Drawn(style.slug(f"{title} {suffix}"), title, said, png, f"{title}. {said}")


@dataclass(frozen=True, kw_only=True)
class Curves(Figure):
    """Tags over steps, median filtered, the raw curve faint behind.

    ``tags``: one panel for each, or for several where a list stands in the list. A run alone has a colour for each tag; of a
    sweep each method has one, each seed a line, and the tags of a panel differ in their dashes. ``median``: width of the filter
    in points (odd, 1: none; None: a 25th of the curve, and none below 50 points). ``y_limits``: ends of the y axis (None: of
    the curves). ``levels``: horizontal lines by name.
    """

    tags: Sequence[str | Sequence[str]]
    median: int | None = None
    log_y: bool = False
    y_limits: Sequence[float] | None = None
    levels: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.median is not None:
            checks.odd("median", self.median)
        checks.flag("log_y", self.log_y)

    def draw(self, runs: Sequence[RunRecord]) -> list[Drawn]:
        """One figure, a panel above the other."""
        chosen = self.about(runs)
        wanted = [[entry] if isinstance(entry, str) else list(entry) for entry in self.tags]
        panels = [tags for entry in wanted if (tags := [tag for tag in entry if any(run.series(tag) for run in chosen)])]
        if not panels:
            raise UserError(f"nothing to draw: no run has logged {', '.join(tag for tags in wanted for tag in tags)}.")

        methods = list(dict.fromkeys(run.method for run in chosen))

        def paint(figure: Canvas) -> None:
            axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
            for ax, tags in zip(axes, panels, strict=True):
                # a long legend of methods once is enough
                self.panel(ax, tags, chosen, legend=ax is axes[0] or len(tags) > 1 or len(methods) <= FEW_METHODS)
            axes[-1].set_xlabel("step")

        rows = max(0, len(methods) / _columns(methods) - FEW_METHODS / 2)  # of the legend, beyond what a panel has room for
        return [self.drawn(style.draw((WIDTH, PANEL * len(panels) + 0.22 * rows + 0.8), paint))]

    def panel(self, ax: Any, tags: Sequence[str], runs: Sequence[RunRecord], legend: bool = True) -> None:
        """One panel: ``tags`` of ``runs``."""
        methods = list(dict.fromkeys(run.method for run in runs))
        colour = style.colours(methods if len(methods) > 1 else tags)
        named: set[str] = set()
        for run in runs:
            for tag, dash in zip(tags, _dashes(len(tags)), strict=True):
                key = run.method if len(methods) > 1 else tag
                words = [style.name(tag)] if len(tags) > 1 or len(methods) == 1 else []
                label = ", ".join([*([run.method] if len(methods) > 1 else []), *words])
                again = methods.index(run.method) // len(style.COLOURS)  # colours come again: other dashes then
                line = {
                    "color": colour[key],
                    "linestyle": _dashes(again + 1)[-1] if len(tags) == 1 or len(methods) == 1 else dash,
                }
                raw, shown = run.series(tag), run.series(tag).smooth(self.median)
                if not shown:
                    continue
                if not np.array_equal(raw.values, shown.values):
                    ax.plot(raw.steps, raw.values, color=colour[key], alpha=0.18, linewidth=0.9)
                few = {"marker": "o", "markersize": 3.5} if len(shown.steps) < 25 else {}
                ax.plot(*shown, label=None if label in named else label, alpha=1 / (0.7 + 0.3 * _seeds(runs)), **line, **few)
                named.add(label)
        for text, level in self.levels.items():
            ax.axhline(level, color=FAINT, linestyle=":", linewidth=1.3)
            ax.annotate(
                text, (1, level), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=9, color="#5b6270"
            )
        if self.log_y and all((run.series(tag).finite().values > 0).any() for run in runs for tag in tags if run.series(tag)):
            style.log_axis(ax, "y")
        if self.y_limits is not None:
            ax.set_ylim(*self.y_limits)
        if len(methods) > 1 and len(tags) == 1:
            ax.set_ylabel(style.name(tags[0]).replace("/", "/\n").replace(": ", ":\n"))
        if len(named) > 1 and legend:
            ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=_columns(named), borderaxespad=0.2)
        elif len(named) == 1:
            ax.set_title(next(iter(named)))


@dataclass(frozen=True, kw_only=True)
class Against(Figure):
    """Logged numbers ``y`` over another logged number ``x`` instead of the step; ``exact``: closed forms beside them, dashed.

    Values of one step belong together.
    """

    x: str
    y: Sequence[str]
    exact: Sequence[str] = ()
    log_x: bool = False
    log_y: bool = False

    def draw(self, runs: Sequence[RunRecord]) -> list[Drawn]:
        """One figure."""
        chosen = self.about(runs)
        tags = [*self.y, *self.exact]
        lines = {(run.name, tag): _pairs(run, self.x, tag) for run in chosen for tag in tags}
        if not any(len(points) for points in lines.values()):
            raise UserError(f"nothing to draw: no run has logged {self.x} together with {' or '.join(tags)}.")
        colour = style.colours(self.y)
        exact = {tag: colour[self.y[i]] if i < len(self.y) else FAINT for i, tag in enumerate(self.exact)}

        def paint(figure: Canvas) -> None:
            ax = figure.subplots()
            for run in chosen:
                for tag in tags:
                    points = lines[run.name, tag]
                    label = style.name(tag) if run is chosen[0] else None
                    if not len(points):
                        continue
                    if tag in exact:
                        ax.plot(*points.T, color=exact[tag], linestyle=DASHES[1], linewidth=1.4, label=label)
                    else:
                        ax.plot(*points.T, color=colour[tag], marker="o", markersize=3.5, linewidth=1.2, label=label)
            ax.set_xlabel(style.name(self.x))
            style.scale(ax, self.log_x, self.log_y)
            ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)

        return [self.drawn(style.draw((WIDTH, 4.6), paint))]


def _pairs(run: RunRecord, x: str, y: str) -> np.ndarray:
    """(x, y) of the steps that have both, by x, ``[n, 2]``."""
    values = dict(zip(*(part.tolist() for part in run.series(x)), strict=True))
    pairs = [
        (values[step], value) for step, value in zip(*(part.tolist() for part in run.series(y)), strict=True) if step in values
    ]
    points = np.array(sorted(pairs)).reshape(-1, 2)
    return points[np.isfinite(points).all(axis=1)]


def _columns(labels: Collection[str]) -> int:
    """Of a legend, as far as the figure is wide."""
    return 1 if max(map(len, labels)) > LONG_LABEL else 2


def _dashes(n: int) -> list[Any]:
    return [DASHES[i % len(DASHES)] for i in range(n)]


def _seeds(runs: Sequence[RunRecord]) -> int:
    """How many lines lie over each other, at most."""
    methods = [run.method for run in runs]
    return min(4, max(map(methods.count, methods)))
