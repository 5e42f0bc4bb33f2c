"""The numbers of a metric within each class of a labelled game."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from gan_cli.config.form import require

if TYPE_CHECKING:
    from gan_cli.metrics.base import Metric
    from gan_cli.metrics.features.base import Encoded

ENOUGH = 50
"""Number of real samples of a class, and of generated ones, from which its numbers are computed."""
ENOUGH_IN_WORDS = f"Only classes with {ENOUGH} real and {ENOUGH} generated samples or more have numbers."
COUNTED = ("class", "real", "generated")
"""Entries of a row beside its numbers: name of the class, and its numbers of samples."""
KEY = "by_class"
"""Key of the rows in the details of a result."""
StoredRow = TypedDict("StoredRow", {"class": str, "real": int, "generated": int})
"""A row in ``eval.json``; the further entries are numbers."""


def numbers_by_class(metric: "Metric", real: "Encoded", fake: "Encoded", classes: Sequence[str]) -> dict[str, Any]:
    """Return the detail ``by_class``: a row for each class with its name, its counts and its numbers.

    The numbers of a class are None if it has fewer than ``ENOUGH`` samples of a kind, or if they are NaN. The details are empty
    if the samples have no labels, or if no class has numbers.

    Args:
        metric: The metric.
        real: Encoded real samples.
        fake: Encoded generated samples.
        classes: Names of the classes in the order of their labels.
    """
    if real.y is None or fake.y is None:
        return {}
    rows: list[dict[str, Any]] = []
    for label, name in enumerate(classes):
        own = [side.subset(side.y == label) for side in (real, fake) if side.y is not None]
        counts = dict(zip(COUNTED, (name, *map(len, own)), strict=True))
        enough = min(map(len, own)) >= ENOUGH
        numbers = metric.values_within_a_class(*own) if enough else {}
        rows.append({**counts, **{key: None if math.isnan(value) else value for key, value in numbers.items()}})
    keys = list(dict.fromkeys(key for row in rows for key in row))
    found = any(len(row) > len(COUNTED) for row in rows)
    return {KEY: [{key: row.get(key) for key in keys} for row in rows]} if found else {}


def require_rows(rows: Any) -> None:
    """Check that ``rows`` are those of ``numbers_by_class``, as plain data.

    Raises:
        FormError: If they are anything else.
    """
    require(rows, list[StoredRow], KEY)
    for row in rows:
        numbers = {name: value for name, value in row.items() if name not in COUNTED}
        require(numbers, dict[str, float | Literal["inf", "-inf"] | None], KEY)


def rows_of(details: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the rows in the details of a result; empty if there are none."""
    rows: Sequence[Mapping[str, Any]] = details.get(KEY, ())
    return rows


def names_of(details: Mapping[str, Any]) -> list[str]:
    """Return the names of the numbers in the rows."""
    return list(dict.fromkeys(name for row in rows_of(details) for name in row if name not in COUNTED))


def values_within_classes(each: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, list[float]]]:
    """Return the values of each number within the classes for which the details of all results have it.

    Args:
        each: Details of the results, at least one.

    Returns:
        Values in the order of the results, by the name of the number and that of the class.
    """
    rows = [{row["class"]: row for row in rows_of(details)} for details in each]
    found: dict[str, dict[str, list[float]]] = {}
    for name in names_of(each[0]):
        for label in rows[0]:
            values = [float(one[label][name]) for one in rows if one.get(label, {}).get(name) is not None]
            if len(values) == len(rows):
                found.setdefault(name, {})[label] = values
    return found
