"""Pictures of several methods, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gan_cli import checks
from gan_cli.errors import UserError
from gan_cli.report.figures import style
from gan_cli.report.figures.curves import Figure
from gan_cli.report.figures.progression import cropped, pixels
from gan_cli.report.figures.style import WIDTH, Canvas, Drawn
from gan_cli.report.records.runs import RunRecord

METHODS = 24
"""Of more methods, the first ones are shown."""


@dataclass(frozen=True, kw_only=True)
class Gallery(Figure):
    """Of each method the newest picture by ``glob`` (``eval/pca_step_*.png``) of its first run that has one.

    ``cropped``: of a grid of samples its upper left quarter.
    """

    glob: str
    columns: int = 3
    cropped: bool = False

    def __post_init__(self) -> None:
        checks.count("columns", self.columns)
        checks.flag("cropped", self.cropped)

    def draw(self, runs: Sequence[RunRecord]) -> list[Drawn]:
        """One figure."""
        found: dict[str, tuple[RunRecord, Path]] = {}
        for run in self.about(runs):
            if paths := sorted(run.folder.glob(self.glob)):
                found.setdefault(run.method, (run, paths[-1]))
        if not found:
            raise UserError(f"nothing to draw: no run has a picture {self.glob}.")
        shown = [
            (run.method or run.name, cropped(path, run.shape) if self.cropped else pixels(path))
            for run, path in list(found.values())[:METHODS]
        ]
        columns = min(self.columns, len(shown))
        rows = -(-len(shown) // columns)
        width = WIDTH / max(columns, 1.6)  # one alone need not be as wide as the page
        height = max(width * picture.shape[0] / picture.shape[1] for _, picture in shown) + 0.35

        def paint(figure: Canvas) -> None:
            axes = figure.subplots(rows, columns, squeeze=False)
            for ax in axes.flat:
                ax.set_axis_off()
            for ax, (name, picture) in zip(axes.flat, shown, strict=False):
                ax.imshow(picture)
                if len(shown) > 1:
                    ax.set_title(name, fontsize=9, wrap=True)

        return [self.drawn(style.draw((width * columns, rows * height), paint))]
