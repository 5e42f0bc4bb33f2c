"""The numbers of a metric within each class of a labelled game."""

from collections.abc import Sequence
from typing import Any

from gan_cli.metrics.base import Metric
from gan_cli.metrics.features.base import Encoded

ENOUGH = 50
"""Number of real samples of a class, and of generated ones, from which its numbers are computed."""
COUNTED = ("class", "real", "generated")
"""Entries of a row beside its numbers: name of the class, and its numbers of samples."""
KEY = "by_class"
"""Key of the rows in the details of a result."""


def numbers_by_class(metric: Metric, real: Encoded, fake: Encoded, classes: Sequence[str]) -> dict[str, Any]:
    """Return the detail ``by_class``: a row for each class with its name, its counts and its numbers.

    The numbers of a class with fewer than ``ENOUGH`` samples of a kind are None. The details are empty if the samples have no
    labels, or if no class has numbers.

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
        rows.append({**counts, **(metric.values_within_a_class(*own) if enough else {})})
    keys = list(dict.fromkeys(key for row in rows for key in row))
    found = any(len(row) > len(COUNTED) for row in rows)
    return {KEY: [{key: row.get(key) for key in keys} for row in rows]} if found else {}
