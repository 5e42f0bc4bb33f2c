"""Figures of logged numbers: over steps, and over each other."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.figure import Figure as MplFigure

from gan_cli import checks
from gan_cli.errors import UserError
from gan_cli.report.figures import scales, style
from gan_cli.report.figures.rows import curve_rows
from gan_cli.report.figures.style import DASHES, FAINT, WIDTH, Drawing, RenderedFigure
from gan_cli.report.records.runs import RunRecord
from gan_cli.report.records.series import ScalarSeries, over_seeds

Line = tuple[str, str]
"""A method and a tag."""
PANEL = 2.5
"""Height of one panel in inches."""
FEW_METHODS = 4
"""Largest number of methods whose legend is repeated in every panel."""
FEW_POINTS = 25
"""Curves of fewer points have a mark at each of them."""
BAND = "Mean over seeds, with a band of ± one standard error; faint lines are single seeds."
LONG_LABEL = 38
"""Number of characters from which a legend entry takes a whole line."""


@dataclass(frozen=True, kw_only=True)
class Figure(ABC):
    """A figure of a report.

    Args:
        title: Text above the figure.
        caption: Text below the figure.
        where: Selects the runs to show by config or override, as ``{loss: wgan}``. Default: all runs.
    """

    title: str = ""
    caption: str = ""
    where: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shares_axes(self) -> bool:
        """True if the numbers of several runs share axes, which those of several data sets must not."""
        return False

    @abstractmethod
    def draw(self, runs: Sequence[RunRecord]) -> list[RenderedFigure]:
        """Draw the figure from ``runs``.

        Returns:
            One image, or several if the figure shows each method or file separately.

        Raises:
            UserError: If the runs have not logged what the figure shows.
        """

    def select(self, runs: Sequence[RunRecord]) -> list[RunRecord]:
        """Return those of ``runs`` that the figure shows.

        Raises:
            UserError: If there is none.
        """
        if not (selected := [run for run in runs if run.matches(self.where)]):
            raise UserError(f"nothing to draw: no run has {', '.join(f'{k}={v}' for k, v in self.where.items())}.")
        return selected

    def rendered(
        self, drawing: Drawing, caption: str = "", suffix: str = "", data: Sequence[Mapping[str, Any]] = ()
    ) -> RenderedFigure:
        """Return ``drawing`` with this figure's title and caption.

        Args:
            drawing: The image.
            caption: Text appended to the figure's own caption.
            suffix: Part of the file name that tells several images of one figure apart.
            data: The numbers that are drawn, as rows of one table.
        """
        title = self.title or "figure"
        text = " ".join(filter(None, [self.caption, caption]))
        return RenderedFigure(style.slug(f"{title} {suffix}"), title, text, drawing, f"{title}. {text}", data)


@dataclass(frozen=True, kw_only=True)
class Curves(Figure):
    """Tags over steps: the median-filtered curve, with the raw curve faint behind it.

    A single run has a colour for each tag. In a sweep each method has a colour, and tags in one panel differ in their dashes.
    Several seeds of a method are drawn as their mean with a band of ± one standard error, over the steps that all of them
    have, and as a faint line for each. Lines of unlike scale have panels of their own, unless the axis is logarithmic or has
    limits.

    Args:
        tags: One panel for each entry; a list of tags inside the list shares one panel.
        median: Width of the filter in points, odd; 1 means no filter. None: a 25th of the curve, and no filter below 50 points.
        log_y: Logarithmic y axis, if the values allow one.
        y_limits: Lower and upper end of the y axis. None: chosen by the curves.
        levels: Horizontal lines by name.
    """

    tags: Sequence[str | Sequence[str]]
    median: int | None = None
    log_y: bool = False
    y_limits: Sequence[float] | None = None
    levels: Mapping[str, float] = field(default_factory=dict)

    @property
    def shares_axes(self) -> bool:
        return True

    def __post_init__(self) -> None:
        if self.median is not None:
            checks.odd("median", self.median)
        checks.flag("log_y", self.log_y)

    def draw(self, runs: Sequence[RunRecord]) -> list[RenderedFigure]:
        chosen = self.select(runs)
        groups = [[entry] if isinstance(entry, str) else list(entry) for entry in self.tags]
        logged = [tags for group in groups if (tags := [tag for tag in group if any(run.series(tag) for run in chosen)])]
        if not logged:
            raise UserError(f"nothing to draw: no run has logged {', '.join(tag for group in groups for tag in group)}.")

        methods = list(dict.fromkeys(run.method for run in chosen))
        panels = [(tags, part) for tags in logged for part in self.parts(tags, chosen)]

        def paint(figure: MplFigure) -> None:
            axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
            named: set[str] = set()
            for ax, (tags, part) in zip(axes, panels, strict=True):
                shown = {method for method, _ in part}  # a long legend is drawn only where it names further methods
                self.panel(ax, tags, chosen, part, legend=len(tags) > 1 or len(methods) <= FEW_METHODS or not shown <= named)
                named |= shown
            axes[-1].set_xlabel(self.x_label)

        rows = max(0, len(methods) / _columns(methods) - FEW_METHODS / 2)  # rows of the legend that do not fit in a panel
        drawing = style.render((WIDTH, PANEL * len(panels) + 0.22 * rows + 0.8), paint)
        shown = [tag for tags in logged for tag in tags]
        banded = any(over_seeds([one for _, one in self._curves(chosen, method, tag)]) for method in methods for tag in shown)
        note = " ".join([*([BAND] if banded else []), *([scales.NOTE] if len(panels) > len(logged) else [])])
        return [self.rendered(drawing, note, data=curve_rows(chosen, shown, self.median))]

    @property
    def x_label(self) -> str:
        """Name of the horizontal axis."""
        return "step"

    def _curves(self, runs: Sequence[RunRecord], method: str, tag: str) -> list[tuple[ScalarSeries, ScalarSeries]]:
        """Return the curve of a tag and the smoothed one for each run of the method that has logged it."""
        pairs = [(run.series(tag), run.series(tag).smooth(self.median)) for run in runs if run.method == method]
        return [(raw, smooth) for raw, smooth in pairs if smooth]

    def parts(self, tags: Sequence[str], runs: Sequence[RunRecord]) -> list[list[Line]]:
        """Return the lines of each panel: all of them, or those of like scale where the axis is linear and fits its lines."""
        values: dict[Line, list[float]] = {}
        for run in runs:
            for tag in tags:
                values.setdefault((run.method, tag), []).extend(run.series(tag).smooth(self.median).values.tolist())
        drawn = {line: found for line, found in values.items() if found}
        return [list(drawn)] if self.log_y or self.y_limits is not None else scales.group_by_scale(drawn)

    def panel(
        self,
        ax: Any,
        tags: Sequence[str],
        runs: Sequence[RunRecord],
        lines: Collection[Line] | None = None,
        legend: bool = True,
    ) -> None:
        """Draw ``tags`` of ``runs`` into the axes ``ax``; if ``lines`` is not None, these alone."""
        methods = list(dict.fromkeys(run.method for run in runs))
        colour = style.colours(methods if len(methods) > 1 else tags)
        labels: set[str] = set()
        for method in methods:
            for tag, dash in zip(tags, _dashes(len(tags)), strict=True):
                curves = self._curves(runs, method, tag)
                if not curves or (lines is not None and (method, tag) not in lines):
                    continue
                key = method if len(methods) > 1 else tag
                name = [style.label(tag)] if len(tags) > 1 or len(methods) == 1 else []
                label = style.legend_entry(", ".join([*([method] if len(methods) > 1 else []), *name]))
                cycle = methods.index(method) // len(style.COLOURS)  # colours that repeat get another dash pattern
                look: dict[str, Any] = {
                    "color": colour[key],
                    "linestyle": _dashes(cycle + 1)[-1] if len(tags) == 1 or len(methods) == 1 else dash,
                }
                band = over_seeds([smooth for _, smooth in curves])
                for raw, smooth in curves:
                    if band is None and not np.array_equal(raw.values, smooth.values):
                        ax.plot(raw.steps, raw.values, color=colour[key], alpha=0.18, linewidth=0.9)
                    faint = {"alpha": 0.3, "linewidth": 0.8} if band else {"label": None if label in labels else label}
                    ax.plot(*smooth, **look, **faint, **({} if band else _marker(smooth.steps)))
                    labels.add(label)
                if band is not None:
                    steps, means, errors = band
                    ax.fill_between(steps, means - errors, means + errors, color=colour[key], alpha=0.18, linewidth=0)
                    ax.plot(steps, means, label=label, **look, **_marker(steps))
        reach = max(abs(ax.dataLim.y0), abs(ax.dataLim.y1))  # of the lines: a level far beyond them would flatten them
        for text, level in self.levels.items():
            if reach and abs(level) > scales.UNLIKE * reach and not self.log_y:
                continue
            ax.axhline(level, color=FAINT, linestyle=":", linewidth=1.3)
            ax.annotate(
                text, (1, level), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=9, color="#5b6270"
            )
        if self.log_y and all((run.series(tag).finite().values > 0).any() for run in runs for tag in tags if run.series(tag)):
            style.log_axis(ax, "y")
        if self.y_limits is not None:
            ax.set_ylim(*self.y_limits)
        if len(methods) > 1 and len(tags) == 1:
            ax.set_ylabel(style.label(tags[0]).replace("/", "/\n").replace(": ", ":\n"))
        if len(labels) > 1 and legend:
            ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=_columns(labels), borderaxespad=0.2)
        elif len(labels) == 1:
            ax.set_title(next(iter(labels)))


@dataclass(frozen=True, kw_only=True)
class XYPlot(Figure):
    """Logged numbers ``y`` over another logged number ``x`` of the same steps.

    Args:
        x: Tag of the horizontal axis.
        y: Tags that are drawn with markers.
        exact: Tags of closed forms, drawn as dashed lines.
        log_x: Logarithmic x axis.
        log_y: Logarithmic y axis.
    """

    x: str
    y: Sequence[str]
    exact: Sequence[str] = ()
    log_x: bool = False
    log_y: bool = False

    @property
    def shares_axes(self) -> bool:
        return True

    def draw(self, runs: Sequence[RunRecord]) -> list[RenderedFigure]:
        chosen = self.select(runs)
        tags = [*self.y, *self.exact]
        lines = {(run.name, tag): _pairs(run, self.x, tag) for run in chosen for tag in tags}
        if not any(len(points) for points in lines.values()):
            raise UserError(f"nothing to draw: no run has logged {self.x} together with {' or '.join(tags)}.")
        colour = style.colours(self.y)
        exact = {tag: colour[self.y[i]] if i < len(self.y) else FAINT for i, tag in enumerate(self.exact)}

        panels = [tags]
        if not self.log_y:
            panels = scales.group_by_scale({tag: [y for run in chosen for _, y in lines[run.name, tag]] for tag in tags})

        def paint(figure: MplFigure) -> None:
            axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
            for ax, shown in zip(axes, panels, strict=True):
                for tag in shown:
                    for index, points in enumerate(found for run in chosen if len(found := lines[run.name, tag])):
                        look: dict[str, Any] = {"color": colour.get(tag), "marker": "o", "markersize": 3.5, "linewidth": 1.2}
                        if tag in exact:
                            look = {"color": exact[tag], "linestyle": DASHES[1], "linewidth": 1.4}
                        ax.plot(*points.T, **look, label=style.label(tag) if index == 0 else None)
                style.set_scales(ax, self.log_x, self.log_y)
                ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)
            axes[-1].set_xlabel(style.label(self.x))

        drawing = style.render((WIDTH, 4.6 if len(panels) == 1 else 3.2 * len(panels)), paint)
        data = [
            {"run": name, "number": tag, self.x: x, "value": y}
            for (name, tag), points in lines.items()
            for x, y in points.tolist()
        ]
        return [self.rendered(drawing, scales.NOTE if len(panels) > 1 else "", data=data)]


def _pairs(run: RunRecord, x: str, y: str) -> np.ndarray:
    """Return (x, y) at the steps that have both, sorted by x, ``[n, 2]``."""
    values = dict(zip(*(part.tolist() for part in run.series(x)), strict=True))
    pairs = [
        (values[step], value) for step, value in zip(*(part.tolist() for part in run.series(y)), strict=True) if step in values
    ]
    points: np.ndarray = np.array(sorted(pairs)).reshape(-1, 2)
    return np.asarray(points[np.isfinite(points).all(axis=1)])


def _columns(labels: Collection[str]) -> int:
    """Return the number of legend columns that fit the width of the figure."""
    return 1 if max(map(len, labels)) > LONG_LABEL else 2


def _dashes(n: int) -> list[Any]:
    return [DASHES[i % len(DASHES)] for i in range(n)]


def _marker(steps: np.ndarray) -> dict[str, Any]:
    """Return the look of the points of a curve, which are marked where there are few."""
    return {"marker": "o", "markersize": 3.5} if len(steps) < FEW_POINTS else {}
