"""Tables of numbers in CSV files: columns by name, rows in the order of time."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas
import torch
from torch import Tensor

from gan_cli import suggest
from gan_cli.errors import UserError


class Table(NamedTuple):
    """``values`` float64 ``[N, F]``, finite, and the ``names`` of its columns; ``title``: what a message calls it."""

    values: Tensor
    names: tuple[str, ...]
    title: str


def read(path: Path, columns: Sequence[str] | None, separator: str = ",", title: str | None = None) -> Table:
    """The ``columns`` (None: all) of a CSV file whose first line names them, in the order that is asked for.

    Raises UserError for a file that is missing or no such table, a column that it lacks or that is named twice, text, and
    values that are missing or infinite; rows are counted from 1, after the line with the names.
    """
    title = title or path.name
    frame = _frame(path, separator)
    frame = frame[_chosen(list(map(str, frame.columns)), columns, title)]
    _refuse_text(frame, title)
    values = torch.tensor(frame.to_numpy(dtype="float64", na_value=float("nan")))
    for row, column in values.isfinite().logical_not().nonzero()[:1].tolist():
        word = "a value is missing" if values[row, column].isnan() else "a value is infinite"
        others = int(values.isfinite().logical_not().sum()) - 1
        raise UserError(
            f"{title}: {word} in row {row + 1}, column {frame.columns[column]}{f' (and {others} more)' if others else ''}.\n"
            "Fill the gaps or cut these rows off, or leave such columns out by naming the others in dataset.columns."
        )
    return Table(values, tuple(frame.columns), title)


def _frame(path: Path, separator: str) -> pandas.DataFrame:
    if not path.is_file():
        raise UserError(f"dataset.path: there is no file {path.absolute()}.")
    if not isinstance(separator, str) or len(separator) != 1:
        raise UserError(f"dataset.separator={separator!r}: it must be one character, such as ',' or ';'.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pandas.errors.ParserWarning)  # a row of more fields than names would be cut off
            frame = pandas.read_csv(path, sep=separator, skipinitialspace=True, index_col=False, low_memory=False)
    except (pandas.errors.ParserError, pandas.errors.ParserWarning, pandas.errors.EmptyDataError, ValueError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"dataset.path={path} cannot be read as a table: {reason}.") from error
    if all(_is_number(name) for name in frame.columns):
        raise UserError(f"dataset.path={path}: its first line holds numbers, where the columns should be named.")
    if len(frame.columns) == 1 and (found := next((mark for mark in ";\t|" if mark in str(frame.columns[0])), None)):
        raise UserError(
            f"dataset.path={path}: its columns are not parted by {separator!r} but, it seems, by {found!r}: "
            f"set dataset.separator to that."
        )
    return frame


def _chosen(known: list[str], columns: Sequence[str] | None, title: str) -> list[str]:
    """The columns that are asked for, once it is sure that there are such."""
    if columns is None:
        return known
    if isinstance(columns, str) or not columns:
        raise UserError(f"dataset.columns={columns!r}: it must be a list of names, for instance [{known[0]}].")
    wanted = [str(name) for name in columns]
    for name in wanted:
        if name not in known:
            raise UserError(
                f"dataset.columns: {title} has no column {name!r}.{suggest.meant(name, known)}\nIt has: {', '.join(known)}."
            )
        if wanted.count(name) > 1:
            raise UserError(f"dataset.columns names {name!r} twice.")
    return wanted


def _refuse_text(frame: pandas.DataFrame, title: str) -> None:
    """UserError that names the columns which hold text, or the one cell in a column of numbers that does."""
    texts = [name for name in frame.columns if not pandas.api.types.is_numeric_dtype(frame[name])]
    if not texts:
        return
    for name in texts:
        column = frame[name]
        broken = (pandas.to_numeric(column, errors="coerce").isna() & column.notna()).to_numpy()
        if broken.sum() < column.notna().sum():  # some of it are numbers
            row = int(broken.argmax())
            raise UserError(
                f"{title}: {column.iloc[row]!r} in row {row + 1}, column {name}, is no number.\n"
                "Correct it, or leave the column out by naming the others in dataset.columns."
            )
    numbers = [name for name in frame.columns if name not in texts]
    raise UserError(
        f"{title} holds text, not numbers, in {', '.join(texts)}.\n"
        + (f"Name the other columns: dataset.columns=[{','.join(numbers)}]." if numbers else "There is no column of numbers.")
    )


def _is_number(word: Any) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
