"""Additional tables and remarks of metrics: references and caveats for their numbers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from gan_cli.evaluation.layout import blank_table, titled_table
from gan_cli.evaluation.number_format import format_value
from gan_cli.evaluation.remarks import remarks
from gan_cli.evaluation.results import Result


def detail_tables(results: Sequence[Result]) -> list[Group]:
    """Return the tables in the details of each result: a row for the samples and rows of references to compare it with."""
    return [
        titled_table(f"{result.source}{'' if result.step is None else f', step {result.step}'}: {name}", _detail_table(rows))
        for result in results
        for name, rows in _tables_within(result.details, result.provenance.metric)
    ]


def reference_tables(results: Sequence[Result]) -> list[Group]:
    """Return the reference rows of a sweep's first result, which all results share."""
    tables = list(_tables_within(results[0].details, results[0].provenance.metric))
    return [titled_table(f"{name}: references", _detail_table(rows[1:])) for name, rows in tables]


def remark_tables(results: Sequence[Result]) -> list[Group]:
    """Return the remarks of metrics on their own numbers, run by run; empty if there are none."""
    lines = remarks(results)
    return [Group(Text("remarks", style="bold"), *(Text(line, style="dim") for line in lines), Text())] if lines else []


def _tables_within(details: Mapping[str, Any], name: str) -> Iterator[tuple[str, Sequence[Mapping[str, Any]]]]:
    for key, value in details.items():
        if key == "table":
            yield name, value
        elif isinstance(value, Mapping):
            yield from _tables_within(value, key)


def _detail_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = blank_table()
    names = [name for name, value in rows[0].items() if not isinstance(value, list | dict)]
    for name in names:
        table.add_column(name, justify="left" if isinstance(rows[0][name], str) else "right", no_wrap=True)
    for row in rows:
        table.add_row(
            *(Text(format_value(row[name]) if isinstance(row[name], int | float) else str(row[name])) for name in names)
        )
    return table
