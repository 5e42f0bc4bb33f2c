"""Logged numbers over steps: read at a step, matched, filtered."""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import median_filter

SMOOTH = 25
"""Unless said otherwise a median goes over a 25th of a curve's points."""
FEW = 50
"""Curves of fewer points are shown as they are."""


class ScalarSeries(NamedTuple):
    """One logged number: ``steps`` (int64 ``[n]``, ascending) and ``values`` (float64 ``[n]``, NaN where not finite)."""

    steps: np.ndarray
    values: np.ndarray

    def __bool__(self) -> bool:
        return len(self.steps) > 0

    def after(self, step: int) -> "ScalarSeries":
        """What was logged after ``step``."""
        later = self.steps > step
        return ScalarSeries(self.steps[later], self.values[later])

    def finite(self) -> "ScalarSeries":
        """Without the values that are no numbers."""
        good = np.isfinite(self.values)
        return ScalarSeries(self.steps[good], self.values[good])

    def smooth(self, width: int | None = None) -> "ScalarSeries":
        """Running median over ``width`` points (odd; 1 leaves everything; None: by the length), the ends repeated.

        As the curves of the WGAN paper are shown (Arjovsky et al. 2017, figures 3, 4 and 8). What is not finite is left out.
        """
        points = self.finite()
        wanted = default_width(len(points.steps)) if width is None else width
        return ScalarSeries(points.steps, median_filter(points.values, size=wanted, mode="nearest")) if points else points

    def at(self, steps: np.ndarray) -> np.ndarray:
        """The newest value at each of ``steps``; NaN before the first one."""
        newest = np.searchsorted(self.steps, steps, side="right") - 1
        return np.where(newest >= 0, self.values[newest], np.nan) if self else np.full(len(steps), np.nan)


def default_width(n: int) -> int:
    """The odd width of the median for a curve of ``n`` points."""
    return 1 if n < FEW else n // SMOOTH | 1
