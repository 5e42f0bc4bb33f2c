"""Designs as tables: main effects and interactions, and the means over the other keys."""

from collections.abc import Iterator

from rich.console import Group
from rich.text import Text

from gan_cli.evaluation.comparison import Comparison, Ranking
from gan_cli.evaluation.design import Design, design_of
from gan_cli.evaluation.layout import blank_table, numeric_column, titled_table
from gan_cli.evaluation.moderated import LEVEL
from gan_cli.evaluation.number_format import format_value
from gan_cli.evaluation.results import named

NOTE = (
    "Effects over all cells of the grid: ANOVA-type statistic, which needs no equal spreads, with p-values for all effects "
    f"jointly (Holm). An effect: p at most {1 - LEVEL:.2g}. Values: mean over all cells ± standard error."
)


def design_tables(comparison: Comparison) -> list[Group]:
    """Return the tables of all rankings whose methods are a full grid."""
    found = ((ranking, design_of(ranking)) for ranking in comparison.rankings)
    return [table for ranking, design in found if design is not None for table in _tables(ranking, design)]


def effect_rows(design: Design) -> list[list[str]]:
    """Return the rows of the effects: their names, F, p, and what they say."""
    return [
        [
            " × ".join(effect.keys),
            f"{effect.statistic:.2f}",
            f"{effect.p:.2g}" if effect.p >= 1e-4 else "< 0.0001",
            "effect" if effect.found else "not told apart from none",
        ]
        for effect in design.effects()
    ]


def level_rows(design: Design) -> list[list[str]]:
    """Return the rows of the values of all keys with their means."""
    means = design.means()
    return [[f"{key}={level}", format_value(mean.value, mean.error)] for key in means for level, mean in means[key].items()]


def _tables(ranking: Ranking, design: Design) -> Iterator[Group]:
    effects = blank_table()
    effects.add_column("effect", overflow="fold")
    numeric_column(effects, "F")
    numeric_column(effects, "p")
    effects.add_column("")
    for row in effect_rows(design):
        effects.add_row(*map(Text, row), style="bold" if row[-1] == "effect" else None)
    means = blank_table()
    means.add_column("value", overflow="fold")
    numeric_column(means, named(ranking.primary, ranking.numbers))
    for row in level_rows(design):
        means.add_row(*map(Text, row))
    title = f"{named(ranking.primary, ranking.numbers)}, the grid as a design"
    yield titled_table(title, effects)
    yield titled_table("means of its values", means, NOTE)
