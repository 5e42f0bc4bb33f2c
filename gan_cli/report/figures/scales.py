"""Lines of unlike scale, which need axes of their own: on a shared linear axis the smaller ones would be flat."""

from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

import numpy as np

Key = TypeVar("Key", bound=Hashable)

UNLIKE = 30.0
"""Ratio of the scales of two lines from which they do not share an axis."""
NOTE = "Lines of unlike scale have axes of their own."


def group_by_scale(lines: Mapping[Key, Iterable[float]]) -> list[list[Key]]:
    """Group lines whose scales differ by less than the factor ``UNLIKE``.

    Args:
        lines: Values of each line. Its scale is the 95 % quantile of their absolute values.

    Returns:
        The keys of each group, in the order of ``lines``; the group of the first line comes first.
    """
    scales = {key: scale_of(values) for key, values in lines.items()}
    groups: list[list[Key]] = []
    smallest = 0.0
    for key in sorted(scales, key=lambda key: scales[key]):
        if groups and (not smallest or scales[key] < UNLIKE * smallest):
            groups[-1].append(key)
            smallest = smallest or scales[key]
        else:
            groups.append([key])
            smallest = scales[key]
    order = {key: index for index, key in enumerate(lines)}
    return sorted((sorted(group, key=order.__getitem__) for group in groups), key=lambda group: order[group[0]])


def scale_of(values: Iterable[float]) -> float:
    """Return the 95 % quantile of the absolute values that are finite; 0 if there are none."""
    finite = np.abs(np.fromiter(values, dtype=np.float64))
    finite = finite[np.isfinite(finite)]
    return float(np.quantile(finite, 0.95)) if len(finite) else 0.0
