"""Time series of one logged number: alignment, filtering and lookup by step."""

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np
from scipy.ndimage import median_filter

POINTS_PER_WIDTH = 25
"""The default median filter is as wide as the number of points divided by this."""
UNFILTERED = 50
"""Curves with fewer points are not filtered by default."""


class ScalarSeries(NamedTuple):
    """One logged number over steps.

    Attributes:
        steps: int64 ``[n]``, ascending.
        values: float64 ``[n]``, NaN where the logged value was not finite.
    """

    steps: np.ndarray
    values: np.ndarray

    def __bool__(self) -> bool:
        return len(self.steps) > 0

    def after(self, step: int) -> "ScalarSeries":
        """Return the part that was logged after ``step``."""
        later = self.steps > step
        return ScalarSeries(self.steps[later], self.values[later])

    def finite(self) -> "ScalarSeries":
        """Return the series without non-finite values."""
        good = np.isfinite(self.values)
        return ScalarSeries(self.steps[good], self.values[good])

    def smooth(self, width: int | None = None) -> "ScalarSeries":
        """Return the running median, as in figures 3, 4 and 8 of the WGAN paper (Arjovsky et al., 2017).

        Non-finite values are dropped first; the ends are padded with the edge values.

        Args:
            width: Width of the filter in points, odd; 1 means no filter. None: chosen by the number of points.
        """
        points = self.finite()
        size = default_width(len(points.steps)) if width is None else width
        return ScalarSeries(points.steps, median_filter(points.values, size=size, mode="nearest")) if points else points

    def at(self, steps: np.ndarray) -> np.ndarray:
        """Return the newest value at each of ``steps`` ``[m]``, NaN before the first one."""
        newest = np.searchsorted(self.steps, steps, side="right") - 1
        return np.where(newest >= 0, self.values[newest], np.nan) if self else np.full(len(steps), np.nan)


def default_width(n: int) -> int:
    """Return the odd width of the median filter for a curve of ``n`` points."""
    return 1 if n < UNFILTERED else n // POINTS_PER_WIDTH | 1


def over_seeds(curves: Sequence[ScalarSeries]) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return the steps that all curves have, with the mean and its standard error at each of them.

    None if there are fewer than two curves, or fewer than two such steps.
    """
    if len(curves) < 2:
        return None
    steps = reduce(np.intersect1d, (curve.steps for curve in curves))
    if len(steps) < 2:
        return None
    values = np.stack([curve.values[np.searchsorted(curve.steps, steps)] for curve in curves])
    return steps, values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(curves))
