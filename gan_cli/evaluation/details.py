"""Additional tables and remarks of metrics: references and caveats for their numbers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from gan_cli.evaluation.layout import blank_table, titled_table
from gan_cli.evaluation.number_format import format_value
from gan_cli.evaluation.remarks import remarks
from gan_cli.evaluation.results import Result, differences, format_setting
from gan_cli.evaluation.sweeps import SweepRun, groups, shared_settings


def detail_tables(results: Sequence[Result]) -> list[Group]:
    """Return the tables in the details of each result: references to compare its samples with."""
    return [
        titled_table(f"{result.source}{'' if result.step is None else f', step {result.step}'}: {name}", _detail_table(rows))
        for result in results
        for name, rows in _tables_within(result.details, result.provenance.metric)
    ]


def reference_tables(sweep_runs: Sequence[SweepRun], results: Mapping[str, Sequence[Result]]) -> list[Group]:
    """Return the rows of references in a sweep's results: once for all results of equal provenance.

    If there are several, as for several data sets, the title says which runs a table belongs to.
    """
    settings = {run.name: group.settings for group in groups(sweep_runs) for run in group.sweep_runs}
    alike: list[tuple[Result, dict[str, Mapping[str, str]]]] = []
    for name, result in ((name, result) for name, found in results.items() for result in found):
        if not any(_tables_within(result.details, "")):
            continue
        known = next((runs for first, runs in alike if not differences(first.provenance, result.provenance)), None)
        if known is None:
            alike.append((result, known := {}))
        known[name] = settings.get(name, {})
    return [
        titled_table(f"{name}: references{_belongs(result, runs) if len(alike) > 1 else ''}", _detail_table(rows[1:]))
        for result, runs in alike
        for name, rows in _tables_within(result.details, result.provenance.metric)
    ]


def _belongs(result: Result, runs: Mapping[str, Mapping[str, str]]) -> str:
    """Return the settings that the runs share, or else the content of the real samples."""
    shared = next(iter(runs.values())) if len(runs) == 1 else shared_settings(list(runs.values()))
    pairs = ", ".join(f"{key}={value}" for key, value in shared.items())
    return f", {pairs or f'content {format_setting(result.provenance.reference)}'}"


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


def _cell(value: Any) -> str:
    return format_value(value) if isinstance(value, int | float) else str(value)


def _detail_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = blank_table()
    names = [name for name, value in rows[0].items() if not isinstance(value, list | dict)]
    for name in names:
        table.add_column(name, justify="left" if isinstance(rows[0][name], str) else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(Text("–" if row[name] is None else _cell(row[name])) for name in names))
    return table
