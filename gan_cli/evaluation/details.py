"""Tables that a metric adds to its numbers: what these must be read against."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from gan_cli.evaluation.number_format import format_value
from gan_cli.evaluation.results import Result, remarks
from gan_cli.evaluation.tables import blank, titled


def detail_tables(results: Sequence[Result]) -> list[Group]:
    """The tables among the details of each result: a row for the samples beside rows that they must be read against."""
    return [
        titled(f"{result.source}{'' if result.step is None else f', step {result.step}'}: {name}", _detail_table(rows))
        for result in results
        for name, rows in _tables_within(result.details, result.provenance.metric)
    ]


def reference_tables(results: Sequence[Result]) -> list[Group]:
    """Of a sweep: the rows beside those of the samples, once."""
    found = list(_tables_within(results[0].details, results[0].provenance.metric))
    return [titled(f"{name}: to be read against", _detail_table(rows[1:])) for name, rows in found]


def remark_lists(results: Sequence[Result]) -> list[Group]:
    """Of a sweep: what metrics say of their own numbers, run by run; empty where they say nothing."""
    found = remarks(results)
    return [Group(Text("remarks", style="bold"), *(Text(remark, style="dim") for remark in found), Text())] if found else []


def _tables_within(details: Mapping[str, Any], name: str) -> Iterator[tuple[str, Sequence[Mapping[str, Any]]]]:
    for key, value in details.items():
        if key == "table":
            yield name, value
        elif isinstance(value, Mapping):
            yield from _tables_within(value, key)


def _detail_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = blank()
    names = [name for name, value in rows[0].items() if not isinstance(value, list | dict)]
    for name in names:
        table.add_column(name, justify="left" if isinstance(rows[0][name], str) else "right", no_wrap=True)
    for row in rows:
        table.add_row(
            *(Text(format_value(row[name]) if isinstance(row[name], int | float) else str(row[name])) for name in names)
        )
    return table
