"""The figures of each section of the page: declared ones, samples, and training, each for one data set at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from omegaconf import DictConfig

from gan_cli.activity import counted
from gan_cli.errors import UserError
from gan_cli.report.figures import standard
from gan_cli.report.figures.curves import Curves, Figure
from gan_cli.report.figures.progression import Progression, animation_frames
from gan_cli.report.figures.style import RenderedFigure
from gan_cli.report.records.data_sets import by_data_set
from gan_cli.report.records.runs import RunRecord
from gan_cli.report.records.selection import equal_seeds, left_out


@dataclass
class Samples:
    """Figures of samples on a page.

    Attributes:
        figures: Progressions, and for several methods a gallery of their last samples.
        animations: Runs with the frames of their samples.
        notes: The methods that are left out, with the way to see them.
        missing: Pictures that cannot be read.
    """

    figures: list[RenderedFigure] = field(default_factory=list)
    animations: list[tuple[RunRecord, Mapping[int, bytes]]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def samples(runs: Sequence[RunRecord], cfg: DictConfig, progressions: bool) -> Samples:
    """Return the section on samples: equal seeds of all methods, or of the first ``cfg.methods`` where there are many.

    Args:
        runs: The runs that have logged something.
        cfg: Config of gan-report.
        progressions: If true, samples below a curve are drawn, too.
    """
    section = Samples()
    for name, group in by_data_set([run for run in runs if run.pictures()]).items():
        selection = equal_seeds(group)
        shown = selection.runs[: cfg.methods]
        if len(selection.runs) > 1:
            section.figures += draw_all([_titled(figure, name) for figure in standard.last_samples()], selection.runs)[0]
        if progressions:
            wanted = standard.progression_figures(shown, cfg.stages, cfg.median)
            section.figures += draw_all([_titled(figure, name) for figure in wanted], shown)[0]
        if note := left_out([run.method for run in selection.runs], cfg.methods):
            section.notes.append(f"{name}: {note}" if name else note)
        for run in shown:
            try:
                if frames := animation_frames(run):
                    section.animations.append((next(one for one in runs if one.folder == run.folder), frames))
            except UserError as error:
                section.missing.append(str(error))
    return section


def training(runs: Sequence[RunRecord], cfg: DictConfig) -> list[RenderedFigure]:
    """Return the figures of logged numbers, those of each data set by themselves."""
    rendered: list[RenderedFigure] = []
    for name, group in by_data_set(runs).items():
        figures = standard.standard_figures(group, cfg.median, cfg.methods)
        rendered += draw_all([_titled(figure, name) for figure in figures], group)[0]
    return rendered


def declared(
    figures: Sequence[Figure], runs: Sequence[RunRecord], median: int | None
) -> tuple[list[RenderedFigure], list[str]]:
    """Draw the figures that a config declares, once for each data set if their runs have several.

    Returns:
        The rendered figures, and a message for each figure that could not be drawn.
    """
    rendered: list[RenderedFigure] = []
    missing: list[str] = []
    for figure in figures:
        if isinstance(figure, Curves | Progression) and figure.median is None:
            figure = replace(figure, median=median)
        selected = [run for run in runs if run.matches(figure.where)]
        groups = by_data_set(selected) if figure.shares_axes and selected else {"": runs}
        for name, group in groups.items():
            drawn, problems = draw_all([_titled(figure, name)], group)
            rendered += drawn
            missing += problems
    return rendered, missing


def draw_all(figures: Sequence[Figure], runs: Sequence[RunRecord]) -> tuple[list[RenderedFigure], list[str]]:
    """Draw all figures.

    Returns:
        The rendered figures, and a message for each figure that could not be drawn.
    """
    rendered: list[RenderedFigure] = []
    missing: list[str] = []
    for figure in counted("drawing figures", figures):
        try:
            rendered += figure.draw(runs)
        except UserError as error:
            missing.append(f"{figure.title or type(figure).__name__}: {error}")
    return rendered, missing


def _titled(figure: Figure, data_set: str) -> Figure:
    return replace(figure, title=f"{figure.title or 'Figure'} ({data_set})") if data_set else figure
