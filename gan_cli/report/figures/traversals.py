"""Latent traversals from the newest checkpoint of a run."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from gan_cli import checks, drawing
from gan_cli.errors import UserError
from gan_cli.inference.load import load
from gan_cli.report.figures import style
from gan_cli.report.figures.curves import Figure
from gan_cli.report.figures.style import RenderedFigure
from gan_cli.report.records.runs import RunRecord


@dataclass(frozen=True, kw_only=True)
class Traversals(Figure):
    """A grid of samples for each latent code, which varies from column to column, as in ``gan-sample RUN mode=traversal``.

    The first run of images that has a checkpoint is used.

    Args:
        n: Approximate number of samples for each code.
    """

    n: int = 40

    def __post_init__(self) -> None:
        checks.count("n", self.n)

    def draw(self, runs: Sequence[RunRecord]) -> list[RenderedFigure]:
        images = [run for run in self.select(runs) if run.shape is not None and len(run.shape) == 3]
        if not images:
            raise UserError("nothing to draw: no run of images has a checkpoint.")
        run, *others = images
        note = f"{run.name}." + (" The others: gan-sample RUN mode=traversal." if others else "")
        file = io.BytesIO()
        Image.fromarray(drawing.panels(load(run.folder).traverse(self.n))).save(file, format="PNG")
        return [self.rendered(style.picture(file.getvalue()), note)]
