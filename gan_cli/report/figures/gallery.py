"""Pictures of several methods, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure as MplFigure

from gan_cli import checks
from gan_cli.errors import UserError
from gan_cli.report.figures import style
from gan_cli.report.figures.curves import Figure
from gan_cli.report.figures.progression import read_cropped, read_image
from gan_cli.report.figures.style import WIDTH, RenderedFigure
from gan_cli.report.records.runs import RunRecord

MAX_METHODS = 24
"""Maximum number of methods shown."""


@dataclass(frozen=True, kw_only=True)
class Gallery(Figure):
    """The newest picture of each method that matches a glob pattern, taken from the first run that has one.

    Args:
        glob: Pattern relative to the run's folder, as ``eval/pca_step_*.png``.
        columns: Number of columns.
        cropped: If true, only the upper left quarter of a grid of samples is shown.
    """

    glob: str
    columns: int = 3
    cropped: bool = False

    def __post_init__(self) -> None:
        checks.inside("glob", self.glob)
        checks.count("columns", self.columns)
        checks.flag("cropped", self.cropped)

    def draw(self, runs: Sequence[RunRecord]) -> list[RenderedFigure]:
        newest: dict[str, tuple[RunRecord, Path]] = {}
        for run in self.select(runs):
            if paths := sorted(run.folder.glob(self.glob)):
                newest.setdefault(run.method, (run, paths[-1]))
        if not newest:
            raise UserError(f"nothing to draw: no run has a picture {self.glob}.")
        images = [
            (run.method or run.name, read_cropped(path, run.shape) if self.cropped else read_image(path))
            for run, path in list(newest.values())[:MAX_METHODS]
        ]
        columns = min(self.columns, len(images))
        rows = -(-len(images) // columns)
        width = WIDTH / max(columns, 1.6)  # a single picture does not fill the page
        height = max(width * picture.shape[0] / picture.shape[1] for _, picture in images) + 0.35

        def paint(figure: MplFigure) -> None:
            axes = figure.subplots(rows, columns, squeeze=False)
            for ax in axes.flat:
                ax.set_axis_off()
            for ax, (name, picture) in zip(axes.flat, images, strict=False):
                ax.imshow(picture)
                if len(images) > 1:
                    ax.set_title(name, fontsize=9, wrap=True)

        return [self.rendered(style.render((width * columns, rows * height), paint))]
