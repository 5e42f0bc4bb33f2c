"""Pictures of several methods, side by side."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure as MplFigure

from gan_cli import checks
from gan_cli.errors import UserError
from gan_cli.evaluation.layout import wrap_name
from gan_cli.report.figures import style
from gan_cli.report.figures.curves import Figure
from gan_cli.report.figures.progression import read_cropped, read_image
from gan_cli.report.figures.style import WIDTH, Drawing, RenderedFigure
from gan_cli.report.records.runs import RunRecord
from gan_cli.report.records.selection import equal_seeds

CHARACTER = 0.08
"""Width of a character of a title in inches."""
PAGE = 24
"""Number of methods in one image."""


@dataclass(frozen=True, kw_only=True)
class Gallery(Figure):
    """The newest picture of each method that matches a glob pattern, all with the smallest seed that every method has.

    Many methods are shown in several images.

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
        newest = {run.folder: max(paths) for run in self.select(runs) if (paths := list(run.folder.glob(self.glob)))}
        selection = equal_seeds([run for run in runs if run.folder in newest])
        if not selection.runs:
            raise UserError(f"nothing to draw: no run has a picture {self.glob}.")
        pages = [selection.runs[start : start + PAGE] for start in range(0, len(selection.runs), PAGE)]
        note = selection.note or f"{selection.runs[0].name}."
        return [
            self.rendered(self._page(page, newest), f"{note} Image {number} of {len(pages)}." if len(pages) > 1 else note)
            for number, page in enumerate(pages, 1)
        ]

    def _page(self, runs: Sequence[RunRecord], paths: Mapping[Path, Path]) -> Drawing:
        """Return the pictures of these runs in one image."""
        files = [paths[run.folder] for run in runs]
        steps = {path.stem for path in files}  # told where they differ
        images = [
            read_cropped(path, run.shape) if self.cropped else read_image(path) for run, path in zip(runs, files, strict=True)
        ]
        columns = min(self.columns, len(images))
        rows = -(-len(images) // columns)
        width = WIDTH / max(columns, 1.6)  # a single picture does not fill the page
        names = [
            f"{run.method or run.name}{f', {_readable(path)}' if len(steps) > 1 else ''}"
            for run, path in zip(runs, files, strict=True)
        ]
        titles = ["\n".join(wrap_name(name, int(width / CHARACTER))) for name in names]
        lines = max(title.count("\n") for title in titles) + 1
        height = max(width * image.shape[0] / image.shape[1] for image in images) + 0.17 + 0.18 * lines

        def paint(figure: MplFigure) -> None:
            axes = figure.subplots(rows, columns, squeeze=False)
            for ax in axes.flat:
                ax.set_axis_off()
            for ax, title, image in zip(axes.flat, titles, images, strict=False):
                ax.imshow(image)
                if len(images) > 1:
                    ax.set_title(title, fontsize=9)

        return style.render((width * columns, rows * height), paint)


def _readable(path: Path) -> str:
    """Return the step of a picture, or its name if it is of no step."""
    step = re.search(r"step_(\d+)$", path.stem)
    return f"step {int(step[1])}" if step else path.stem
