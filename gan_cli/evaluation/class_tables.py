"""Console tables of the numbers within each class of a labelled game, readable from 80 columns on."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from gan_cli.config.names import settings_text
from gan_cli.evaluation.by_class import COUNTED, ENOUGH_IN_WORDS, names_of, rows_of
from gan_cli.evaluation.comparison import Comparison, Mean, Ranking
from gan_cli.evaluation.layout import blank_table, chunks, titled_table, wrap_name
from gan_cli.evaluation.number_format import format_value
from gan_cli.evaluation.results import CSV, Result, named
from gan_cli.evaluation.tables import checkpoint_name, group_by_provenance, shared

COLUMNS = 3
"""Largest number of numbers, classes or methods in one table."""
NONE = "–"
Columns = Sequence[tuple[str, Sequence[str]]]
"""Headings and cells of columns."""


def run_class_tables(results: Sequence[Result]) -> list[Group]:
    """Return tables of each result: a row per class, a column per number."""
    return [table for result in results for table in _run_tables(result)]


def curve_class_tables(results: Sequence[Result]) -> list[Group]:
    """Return tables of the primary number of a run's checkpoints: a row per step, a column per class."""
    return [table for alike in group_by_provenance(results) for table in _curve_tables(alike)]


def sweep_class_tables(comparison: Comparison) -> list[Group]:
    """Return tables of the primary number of each ranking: a row per class, a column per method."""
    return [table for ranking in comparison.rankings for table in _ranking_tables(ranking)]


def _run_tables(result: Result) -> Iterator[Group]:
    rows = rows_of(result.details)
    label, *counts = COUNTED
    for names in chunks(names_of(result.details), COLUMNS):
        columns = [
            *((name, [str(row[name]) for row in rows]) for name in counts),
            *((named(name, result.numbers), [_cell(row.get(name)) for row in rows]) for name in names),
        ]
        table = _table(label, [row[label] for row in rows], columns)
        step = "" if result.step is None else f", step {result.step}"
        yield titled_table(f"{result.source}{step}: within classes", table, *_reason(columns))


def _curve_tables(results: Sequence[Result]) -> Iterator[Group]:
    ordered = sorted((result for result in results if rows_of(result.details)), key=lambda result: result.step or 0)
    classes = dict.fromkeys(row["class"] for result in ordered for row in rows_of(result.details))
    for names in chunks(classes, COLUMNS):
        values = [{row["class"]: row.get(result.primary) for row in rows_of(result.details)} for result in ordered]
        columns = [
            ("", [" = ".join(result.chosen) for result in ordered]),
            *((name, [_cell(found.get(name)) for found in values]) for name in names),
        ]
        table = _table("step", [str(result.step) for result in ordered], columns)
        title = f"{ordered[0].source}: {named(ordered[0].primary, ordered[0].numbers)} within classes"
        yield titled_table(title, table, *_reason(columns))


def _ranking_tables(ranking: Ranking) -> Iterator[Group]:
    own = [ranking.own(row) for row in ranking.rows]
    single = next(iter(own[0])) if len(own[0]) == 1 else None
    headings = [(settings_text(settings) or "all runs") if single is None else settings[single] for settings in own]
    means = [row.by_class.get(ranking.primary, {}) for row in ranking.rows]
    classes = list(dict.fromkeys(label for found in means for label in found))
    note = f"By the {checkpoint_name(ranking)}. {ENOUGH_IN_WORDS} {CSV} holds those of all numbers."
    title = f"{named(ranking.primary, ranking.numbers)} within classes{'' if single is None else f', by {single}'}"
    for methods in chunks(zip(headings, means, strict=True) if classes else (), COLUMNS):
        columns = [(heading, [_mean(found.get(label)) for label in classes]) for heading, found in methods]
        yield titled_table(f"{title}{shared(ranking)}", _table("class", classes, columns), note)


def _table(first: str, labels: Sequence[str], columns: Columns) -> Table:
    """Return a table with a row for each label. Long headings and labels may be broken anywhere, numbers nowhere."""
    table = blank_table()
    table.add_column(first, overflow="fold")
    for name, cells in columns:
        heading = Text("\n".join(wrap_name(name)))
        table.add_column(heading, justify="right", overflow="fold", min_width=max(map(len, cells)))
    for label, *cells in zip(labels, *(cells for _, cells in columns), strict=True):
        table.add_row(Text(label), *map(Text, cells))
    return table


def _reason(columns: Columns) -> list[str]:
    """Return why some cells have no number; empty if all have one."""
    return [ENOUGH_IN_WORDS] if any(NONE in cells for _, cells in columns) else []


def _cell(value: Any) -> str:
    return NONE if value is None else format_value(float(value))


def _mean(mean: Mean | None) -> str:
    return NONE if mean is None else format_value(mean.value, mean.error)
