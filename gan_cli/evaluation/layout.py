"""Layout of console tables: style, titles, notes and columns."""

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

T = TypeVar("T")


def blank_table() -> Table:
    """Return an empty table in the common style."""
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)


UNLIMITED = 10_000
"""A width in characters that no table needs."""


class FirstThatFits:
    """The first of several tables that fits into the console without cutting a word or a number, or else the last one.

    Args:
        tables: The tables, the widest first.
    """

    def __init__(self, *tables: Table) -> None:
        self.tables = tables

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table]:
        wide = options.update_width(UNLIMITED)
        fitting = (table for table in self.tables if Measurement.get(console, wide, table).minimum <= options.max_width)
        yield next(fitting, self.tables[-1])


def titled_table(title: str, table: RenderableType, *notes: str) -> Group:
    """Combine a table with its title and notes, which may be wider than the table."""
    return Group(Text(title, style="bold"), table, *(Text(note, style="dim") for note in notes), *([Text()] if notes else []))


def numeric_column(table: Table, *heading: str) -> None:
    """Add a column whose cells are never wrapped: half a number would be another number."""
    table.add_column(Text("\n".join(heading)), justify="right", no_wrap=True)


def wrap_name(name: str, width: int = 16) -> list[str]:
    """Wrap a name into lines of about ``width`` characters: between settings, and within longer ones behind marks.

    A longer word stays whole.
    """
    lines = [""]
    settings = re.split(r"(?<=, )", name)
    words = [
        [one] if len(one.rstrip()) <= width else re.findall(r"[^\s_/.,=+]+[\s_/.,=+]*|[\s_/.,=+]+", one) for one in settings
    ]
    for part in itertools.chain(*words):
        if lines[-1] and len(lines[-1]) + len(part.rstrip()) > width:
            lines.append("")
        lines[-1] += part
    return [line.rstrip() for line in lines]


def chunks(entries: Iterable[T], size: int) -> list[list[T]]:
    """Return the entries in lists of ``size``; the last one may be shorter."""
    listed = list(entries)
    return [listed[start : start + size] for start in range(0, len(listed), size)]
