"""A grid of two swept keys as a heat map of means with their standard errors."""

import numpy as np
from matplotlib.figure import Figure as MplFigure

from gan_cli.evaluation.comparison import Ranking
from gan_cli.evaluation.design import Design, design_of
from gan_cli.evaluation.number_format import format_value
from gan_cli.report.figures import style
from gan_cli.report.figures.style import WIDTH, RenderedFigure

CAPTION = "Mean over seeds ± standard error of each combination."


def heat_map(ranking: Ranking, index: int) -> list[RenderedFigure]:
    """Return the heat map of a ranking whose methods are a full grid of two keys, else nothing."""
    design = design_of(ranking)
    if design is None or len(design.levels) != 2:
        return []
    (row_key, rows), (column_key, columns) = design.levels.items()
    drawing = style.render((WIDTH, 0.62 * len(rows) + 1.4), lambda figure: _paint(figure, design, ranking.primary))
    title = f"{ranking.primary} by {row_key} and {column_key}"
    data = [
        {row_key: row, column_key: column, "number": ranking.primary, **design.cells[row, column]._asdict()}
        for row in rows
        for column in columns
    ]
    return [RenderedFigure(f"grid_{index}", title, CAPTION, drawing, f"{title}. {CAPTION}", data)]


def _paint(figure: MplFigure, design: Design, number: str) -> None:
    (row_key, rows), (column_key, columns) = design.levels.items()
    values = np.array([[design.cells[row, column].value for column in columns] for row in rows])
    middle = (values.min() + values.max()) / 2
    axes = figure.subplots()
    shown = axes.imshow(values, aspect="auto", cmap="cividis")
    figure.colorbar(shown, ax=axes, label=style.label(number))
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            mean = design.cells[row, column]
            colour = "black" if mean.value > middle else "white"
            axes.text(j, i, format_value(mean.value, mean.error), ha="center", va="center", color=colour, fontsize=9)
    axes.set(xticks=range(len(columns)), xticklabels=columns, yticks=range(len(rows)), yticklabels=rows)
    axes.set(xlabel=column_key, ylabel=row_key)
    axes.grid(visible=False)
