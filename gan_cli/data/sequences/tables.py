"""Tables of numbers in CSV files: columns by name, rows in the order of time."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pandas
import torch
from torch import Tensor

from gan_cli.config import suggestions
from gan_cli.errors import FieldError, UserError, first_line


class Table(NamedTuple):
    """``values`` float64 ``[N, F]``, finite, and the ``names`` of its columns; ``title``: what a message calls it."""

    values: Tensor
    names: tuple[str, ...]
    title: str


def read(
    path: Path, columns: Sequence[str] | None, separator: str = ",", decimal: str = ".", title: str | None = None
) -> Table:
    """The ``columns`` (None: all) of a CSV file whose first line names them, in the order that is asked for.

    ``separator``: between columns; ``decimal``: between the whole and the rest of a number.

    Raises UserError for a file that is missing or no such table, a column that it lacks, that has no name or the name of
    another one, text, and values that are missing or infinite; rows are counted from 1, after the line with the names.
    """
    title = title or path.name
    marks = _marks(separator, decimal)
    names = _chosen(_header(path, marks), columns, title)
    frame = _frame(path, marks)
    if not len(frame):
        raise UserError(f"{title} has no rows below the line that names its columns.")
    frame = frame[names]
    _refuse_text(frame, title, marks)
    values = torch.tensor(frame.to_numpy(dtype="float64", na_value=float("nan")))
    for row, column in values.isfinite().logical_not().nonzero()[:1].tolist():
        word = "a value is missing" if values[row, column].isnan() else "a value is infinite"
        others = int(values.isfinite().logical_not().sum()) - 1
        raise UserError(
            f"{title}: {word} in row {row + 1}, column {frame.columns[column]}{f' (and {others} more)' if others else ''}.\n"
            "Fill the gaps or cut these rows off, or leave such columns out by naming the others in dataset.columns."
        )
    return Table(values, tuple(frame.columns), title)


def counting(table: Table) -> list[str]:
    """The columns of three rows or more that grow by the same step from each row to the next, as row numbers do."""
    steps = table.values.diff(dim=0)
    even = (steps == steps[:1]).all(0) & (steps[:1] > 0).all(0) & (len(steps) > 1)
    return [name for name, counts in zip(table.names, even.tolist(), strict=True) if counts]


class _Marks(NamedTuple):
    """How pandas calls the two marks of a table."""

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
    """The words of the first line. UserError where these are numbers, or parted by another mark."""
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
            f"dataset.path={path}: its columns are not parted by {marks.sep!r} but, it seems, by {found!r}.\n"
            f"Give {option} too, quotes and all, and 'dataset.decimal=,' where decimals stand behind a comma."
        )
    if all(_is_number(word) for word in words):
        raise FieldError("path", path, "its first line holds numbers, where the columns should be named.")
    return words


def _frame(path: Path, marks: _Marks) -> pandas.DataFrame:
    with _reading(path), warnings.catch_warnings():
        warnings.simplefilter("error", pandas.errors.ParserWarning)  # a row of more fields than names would be cut off
        return pandas.read_csv(path, **marks._asdict(), skipinitialspace=True, index_col=False, low_memory=False)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turns what pandas says of a file that it cannot read into a UserError of a line or two."""
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


def _chosen(known: list[str], columns: Sequence[str] | None, title: str) -> list[str]:
    """The columns that are asked for, once it is sure that there is one of each, with a name."""
    if columns is None:
        if "" in known:
            raise UserError(
                f"{title}: column {known.index('') + 1} has no name, as if it only counted the rows.\n"
                f"Name it, write the file without an index, or name the others: {_option(list(filter(None, known)))}."
            )
        columns = known
    elif isinstance(columns, str) or not isinstance(columns, Sequence) or not columns:
        raise FieldError("columns", columns, f"it must be a list of names, for instance [{known[0]}].")
    wanted = [str(name) for name in columns]
    for name in wanted:
        if name not in known:
            raise UserError(
                f"dataset.columns: {title} has no column {name!r}.{suggestions.meant(name, known)}\nIt has: {', '.join(known)}."
            )
        if wanted.count(name) > 1:
            said = "dataset.columns names" if known.count(name) == 1 else f"the first line of {title} names"
            raise UserError(f"{said} {name!r} twice.")
        if known.count(name) > 1:
            raise UserError(f"dataset.columns: {title} has {known.count(name)} columns {name!r}. Give them names of their own.")
    return wanted


def _refuse_text(frame: pandas.DataFrame, title: str, marks: _Marks) -> None:
    """UserError that names the columns which hold text, or the one cell in a column of numbers that does."""
    texts = [name for name in frame.columns if not pandas.api.types.is_numeric_dtype(frame[name])]
    if not texts:
        return
    for name in texts:
        other = "," if marks.decimal == "." else "."
        if marks.sep != other and _numeric(frame[name].astype(str).str.replace(other, ".")).notna().all():
            raise UserError(
                f"{title}: {frame[name].iloc[0]!r} in column {name} is a number with another decimal mark.\n"
                f"Give 'dataset.decimal={other}' too, quotes and all."
            )
        column = frame[name]
        broken = (_numeric(column).isna() & column.notna()).to_numpy()
        if broken.sum() < column.notna().sum():  # some of it are numbers
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
    """Its numbers, NaN where it has none."""
    return pandas.to_numeric(column, errors="coerce")


def _is_number(word: Any) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
