"""Labels of images in a CSV or JSON file."""

import csv
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from gan_cli.config import suggestions
from gan_cli.data.images.listing import IMAGE_SUFFIXES
from gan_cli.errors import FieldError, UserError, shortened_list

FORMS = 'It is a CSV file of files and labels, or a JSON file such as {"a.png": "cat"} or {"labels": [["a.png", 3]]}.'
"""The forms that are read, for messages."""
JOINT = "+"
"""Stands between the labels of one class that is made of several columns."""


def read_labels(path: Path, column: str | Sequence[str] | None) -> dict[str, str]:
    """Return the label of each file that ``path`` names.

    A CSV file has the files in its first column. A first line that names no image names the columns. A JSON file is an object
    of files and labels, a list of pairs, or such a list under ``labels``, as in StyleGAN's ``dataset.json``.

    Args:
        path: CSV or JSON file.
        column: Column of the label in a CSV file, or several, whose combinations are the classes. None for the only one.

    Raises:
        UserError: If the file cannot be read, has no such column, or gives a file several labels or none.
    """
    if not path.is_file():
        raise FieldError("labels", str(path), "there is no such file.")
    try:
        text = path.read_text("utf-8-sig")
        pairs = _json(json.loads(text)) if path.suffix.lower() == ".json" else _csv(text, path, column)
    except (OSError, UnicodeDecodeError, csv.Error, json.JSONDecodeError, TypeError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(
            f"Cannot read {path}: {str(error).splitlines()[0] if str(error) else 'of another form'}.\n{FORMS}"
        ) from error
    if path.suffix.lower() == ".json" and column is not None:
        raise FieldError("label", column, f"{path.name} has no columns. Leave it out.")
    found = {PurePosixPath(str(file)).as_posix(): _label(path, str(file), label) for file, label in pairs}
    if not found:
        raise UserError(f"{path} holds no labels.\n{FORMS}")
    return found


def labels_by_path(paths: Iterable[str], labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels of those of ``paths`` that have one: by the whole path, or by a file's name that no other one has."""
    paths = list(paths)
    times = Counter(PurePosixPath(path).name for path in paths)
    names = {path: PurePosixPath(path).name for path in paths}
    keys = {path: path if path in labels else names[path] if times[names[path]] == 1 else path for path in paths}
    return {path: labels[key] for path, key in keys.items() if key in labels}


def _label(path: Path, file: str, label: Any) -> str:
    if isinstance(label, list | tuple) and len(label) == 1:
        label = label[0]
    if isinstance(label, list | tuple) and label:
        both = JOINT.join(map(str, label))
        raise UserError(
            f"{path.name} gives {file} several labels, {', '.join(map(str, label))}: a game takes one class for each image.\n"
            f"Write the one that counts, or a class for each combination, such as {both}."
        )
    if label is None or isinstance(label, dict | list | tuple) or not str(label).strip():
        raise UserError(f"{path.name} gives {file} no label. Write one, or leave the line out.")
    return str(label).strip()


def _json(content: Any) -> list[tuple[str, Any]]:
    if isinstance(content, dict) and isinstance(content.get("labels"), list):
        content = content["labels"]
    pairs = content.items() if isinstance(content, dict) else content
    return [(file, label) for file, label in pairs]


def _csv(text: str, path: Path, column: str | Sequence[str] | None) -> list[tuple[str, Any]]:
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    rows = [row for row in csv.reader(text.splitlines(), delimiter=separator) if any(cell.strip() for cell in row)]
    has_header = bool(rows) and not rows[0][0].strip().lower().endswith(IMAGE_SUFFIXES)
    names = (
        [name.strip() for name in rows.pop(0)][1:] if has_header else [str(k) for k in range(1, len(rows[0]))] if rows else []
    )
    wanted = [str(name) for name in ([column] if isinstance(column, str | int) else column or names)]
    if column is None and len(names) > 1:
        raise UserError(
            f"{path.name} has several columns of labels: {shortened_list(names)}.\n"
            f"Name one, as dataset.label={names[0]}, or several, whose combinations are then the classes."
        )
    for name in wanted:
        if name not in names:
            meant = suggestions.meant(name, names)
            raise FieldError("label", column, f"{path.name} has no column {name}.{meant} It has {shortened_list(names)}.")
    places = [1 + names.index(name) for name in wanted]
    short = next((row for row in rows if len(row) <= max(places, default=0)), None)
    if short is not None or not places:
        raise ValueError(f"the line {separator.join(short or [first])!r} has no label")
    return [(row[0].strip(), JOINT.join(row[place].strip() for place in places)) for row in rows]
