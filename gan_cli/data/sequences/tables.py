"""Tables of numbers in CSV files: columns by name, rows in the order of time."""

import gzip
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

import pandas
import torch
from torch import Tensor

from gan_cli.config import suggestions
from gan_cli.data.base import evenly_spaced
from gan_cli.errors import FieldError, UserError, first_line

DATES = 1_000
"""Number of rows of a column of dates that are looked at."""
DATE = r"\d{1,4}[-/. ]\w{1,9}[-/., ]+\d{1,4}\b"
"""Beginning of a date, which a time of day does not have."""
THOUSANDS = r"[+-]?\d{1,3}([., '\u202f]\d{3})+"
"""Form of numbers that may have marks between thousands."""


class Table(NamedTuple):
    """A table of numbers.

    Attributes:
        values: float64 ``[N, F]``, finite.
        names: Names of the F columns.
        title: Name of the table in messages.
        left_out: Names of the columns that were not taken.
        notes: What a user should know about the rows.
    """

    values: Tensor
    names: tuple[str, ...]
    title: str
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_table(
    path: Path, columns: Sequence[str] | None, separator: str = ",", decimal: str = ".", title: str | None = None
) -> Table:
    """Read the columns of a CSV file whose first line names them.

    Args:
        path: The file.
        columns: Names of the columns, in the order of the result; None for all.
        separator: Character between columns.
        decimal: Decimal mark of the numbers.
        title: Name of the table in messages; None for the file's name.

    Raises:
        UserError: If the file is missing or no such table, if a column is missing, unnamed or not unique, or if a value is
            text, missing or infinite. A blank line between rows holds missing values. Messages count rows from 1, after the
            line with the names.
    """
    title = title or path.name
    marks = _marks(separator, decimal)
    known = _header(path, marks)
    names = _selected_columns(known, columns, title)
    everything = _frame(path, marks)
    frame = _without_empty_end(everything)
    if not len(frame):
        raise UserError(f"{title} has no rows below the line that names its columns.")
    left_out = tuple(name for name in known if name not in names)
    notes = [_disorder(frame[name], title) for name in left_out if name in frame and _is_out_of_order(frame[name])]
    if empty := len(everything) - len(frame):
        notes.append(f"{title}: the {f'last {empty} rows are' if empty > 1 else 'last row is'} empty and left out.")
    frame = frame[names]
    _require_numbers(frame, title, marks)
    values = torch.tensor(frame.to_numpy(dtype="float64", na_value=float("nan")))
    for row, column in values.isfinite().logical_not().nonzero()[:1].tolist():
        word = "a value is missing" if values[row, column].isnan() else "a value is infinite"
        others = int(values.isfinite().logical_not().sum()) - 1
        raise UserError(
            f"{title}: {word} in row {row + 1}, column {frame.columns[column]}{f' (and {others} more)' if others else ''}.\n"
            "Fill the gaps, remove these rows, or leave such columns out by naming the others in dataset.columns."
        )
    return Table(values, tuple(frame.columns), title, left_out, tuple(notes))


def row_number_columns(table: Table) -> list[str]:
    """Return the columns that grow by the same amount in every row, as row numbers do, in tables of three rows or more."""
    steps = table.values.diff(dim=0)
    even = (steps == steps[:1]).all(0) & (steps[:1] > 0).all(0) & (len(steps) > 1)
    return [name for name, counts in zip(table.names, even.tolist(), strict=True) if counts]


def _is_out_of_order(column: pandas.Series) -> bool:
    """Return whether a column of dates does not rise, whether the day or the month is first; some of its rows are looked at."""
    some = column.iloc[evenly_spaced(len(column), DATES).tolist()].astype(str)
    if not some.str.match(DATE).all():
        return False
    with warnings.catch_warnings(action="ignore"):  # pandas would warn that it has to guess the format
        readings = [pandas.to_datetime(some, errors="coerce", utc=True, dayfirst=day_first) for day_first in (False, True)]
    known = [dates for dates in readings if dates.notna().all()]
    return bool(known) and not any(dates.is_monotonic_increasing for dates in known)


def _disorder(column: pandas.Series, title: str) -> str:
    first, last = column.iloc[0], column.iloc[-1]
    return (
        f"warning: the rows of {title} are not in the order of {column.name}, which goes from {first} to {last}; "
        "sequences take the order of the rows for the order of time. Sort the file, oldest row first."
    )


class _Marks(NamedTuple):
    """Separator and decimal mark of a table, by pandas' names."""

    sep: str
    decimal: str


def _marks(separator: str, decimal: str) -> _Marks:
    separator = "\t" if separator == r"\t" else separator
    for key, mark, such in (("separator", separator, ";"), ("decimal", decimal, ",")):
        if not isinstance(mark, str) or len(mark) != 1:
            raise FieldError(key, mark, f"it must be one character, such as {such!r}.")
    if separator == decimal:
        raise UserError(f"dataset.separator and dataset.decimal are both {decimal!r}: they must differ.")
    return _Marks(separator, decimal)


def _header(path: Path, marks: _Marks) -> list[str]:
    """Return the names in the first line; raise UserError if they are numbers or have another separator."""
    if not path.is_file():
        what = f"{path.absolute()} is a folder, no CSV file" if path.is_dir() else f"there is no file {path.absolute()}"
        raise UserError(f"dataset.path: {what}.")
    with _reading(path):
        line = pandas.read_csv(
            path, sep=marks.sep, header=None, nrows=1, dtype=str, keep_default_na=False, skipinitialspace=True
        )
    words = [str(word) for word in line.iloc[0]]
    if len(words) == 1 and (found := next((mark for mark in ";\t|" if mark in words[0]), None)):
        option = f"'dataset.separator={found if found != chr(9) else chr(92) + 't'}'"
        raise UserError(
            f"dataset.path={path}: its columns seem to be separated by {found!r}, not by {marks.sep!r}.\n"
            f"Add {option}, with the quotes, and 'dataset.decimal=,' if the numbers have a decimal comma."
        )
    if all(_is_number(word) for word in words):
        raise FieldError("path", path, "its first line holds numbers, but it must name the columns.")
    return words


def _frame(path: Path, marks: _Marks) -> pandas.DataFrame:
    with _reading(path), warnings.catch_warnings():
        warnings.simplefilter("error", pandas.errors.ParserWarning)  # pandas would truncate rows with more fields than names
        return pandas.read_csv(
            path,
            **marks._asdict(),
            skipinitialspace=True,
            index_col=False,
            low_memory=False,
            skip_blank_lines=False,  # a blank line between rows is a gap in time
            skiprows=_leading_blank_lines(path),
        )


def _without_empty_end(frame: pandas.DataFrame) -> pandas.DataFrame:
    """Return the rows up to the last one that holds anything."""
    filled = frame.notna().any(axis=1).to_numpy()
    return frame.iloc[: int(filled.nonzero()[0].max(initial=-1)) + 1]


def _leading_blank_lines(path: Path) -> int:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        return sum(1 for _ in takewhile(lambda line: not line.strip(), file))


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn pandas' exceptions about an unreadable file into a UserError."""
    problem = f"dataset.path={path} cannot be read as a table"
    try:
        yield
    except UnicodeDecodeError as error:
        raise UserError(f"{problem}: it is not UTF-8 text. Save it as such.") from error
    except pandas.errors.ParserWarning as error:
        raise UserError(f"{problem}: its rows have more fields than its first line has names.") from error
    except (pandas.errors.ParserError, pandas.errors.EmptyDataError, ValueError, OSError) as error:
        reason = first_line(error).removeprefix("Error tokenizing data. C error: ").rstrip(".")
        raise UserError(f"{problem}: {reason}.") from error


def _selected_columns(known: list[str], columns: Sequence[str] | None, title: str) -> list[str]:
    """Return the names of the selected columns, after checking that each exists, once, and has a name."""
    if columns is None:
        if "" in known:
            raise UserError(
                f"{title}: column {known.index('') + 1} has no name, as a column of row numbers would.\n"
                f"Name it, write the file without an index, or select the others: {_option(list(filter(None, known)))}."
            )
        columns = known
    elif isinstance(columns, str) or not isinstance(columns, Sequence) or not columns:
        raise FieldError("columns", columns, f"it must be a list of names, for instance [{known[0]}].")
    selected = [str(name) for name in columns]
    for name in selected:
        if name not in known:
            raise UserError(
                f"dataset.columns: {title} has no column {name!r}.{suggestions.meant(name, known)}\nIt has: {', '.join(known)}."
            )
        if selected.count(name) > 1:
            place = "dataset.columns names" if known.count(name) == 1 else f"the first line of {title} names"
            raise UserError(f"{place} {name!r} twice.")
        if known.count(name) > 1:
            raise UserError(f"dataset.columns: {title} has {known.count(name)} columns {name!r}. Give them different names.")
    return selected


def _require_numbers(frame: pandas.DataFrame, title: str, marks: _Marks) -> None:
    """Raise UserError if columns hold text, naming them, or the first cell that does in a column of numbers."""
    texts = [name for name in frame.columns if not pandas.api.types.is_numeric_dtype(frame[name])]
    if not texts:
        return
    for name in texts:
        other = "," if marks.decimal == "." else "."
        words = frame[name].astype(str)
        if words.str.fullmatch(THOUSANDS).any() and (words.str.fullmatch(THOUSANDS) | _numeric(words).notna()).all():
            shown = words[words.str.fullmatch(THOUSANDS)].iloc[0]
            decimals = (
                "" if marks.sep == other else f"; if it is the decimal mark, add 'dataset.decimal={other}', with the quotes"
            )
            raise UserError(
                f"{title}: {shown!r} in column {name} may have a mark between thousands or another decimal mark.\n"
                f"Remove marks between thousands from the file{decimals}."
            )
        if marks.sep != other and _numeric(words.str.replace(other, ".")).notna().all():
            raise UserError(
                f"{title}: {frame[name].iloc[0]!r} in column {name} is a number with another decimal mark.\n"
                f"Add 'dataset.decimal={other}', with the quotes."
            )
        column = frame[name]
        broken = (_numeric(column).isna() & column.notna()).to_numpy()
        if broken.sum() < column.notna().sum():  # some of its values are numbers
            row = int(broken.argmax())
            raise UserError(
                f"{title}: {column.iloc[row]!r} in row {row + 1}, column {name}, is no number.\n"
                "Correct it, or leave the column out by naming the others in dataset.columns."
            )
    numbers = [name for name in frame.columns if name not in texts]
    raise UserError(
        f"{title} holds text, not numbers, in {', '.join(texts)}.\n"
        + (f"Name the other columns: {_option(numbers)}." if numbers else "There is no column of numbers.")
    )


def _option(names: Sequence[str]) -> str:
    return f"dataset.columns=[{','.join(names)}]"


def _numeric(column: pandas.Series) -> pandas.Series:
    """Convert to numbers, with NaN for text."""
    return pandas.to_numeric(column, errors="coerce")


def _is_number(word: Any) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
