r"""Where intervals cover: coverage and width in the neighbourhood of every cell, and by block.

One epoch says of one cell only hit or miss. A map of coverage is a moving average of hits over a
window of cells and all epochs, with the number of cases behind each value; windows overlap, so the
map is looked at and not tested. The table by block has disjoint cases.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import BoolArray, FloatArray, as_outcome, as_probability


@dataclass(frozen=True, eq=False)
class CoverageMap:
    """Coverage around every cell.

    Attributes:
        coverage: (y, x) share covered within the window; NaN where the window has no case.
        n: (y, x) cases in the window.
        level: wanted coverage.
        half_width: the window has 2 half_width + 1 cells a side.
    """

    coverage: FloatArray
    n: FloatArray
    level: float
    half_width: int

    def gap(self) -> FloatArray:
        """(y, x) coverage minus the wanted level."""
        return self.coverage - self.level


def window_sums(values: FloatArray, half_width: int) -> FloatArray:
    """(y, x) sums over the square window around each cell, cut off at the edges.

    Example:
        >>> window_sums(np.ones((3, 4)), 1)
        array([[4., 6., 6., 4.],
               [6., 9., 9., 6.],
               [4., 6., 6., 4.]])
    """
    total = values
    for axis in (0, 1):
        n = total.shape[axis]
        running = np.concatenate(
            [np.zeros_like(np.take(total, [0], axis)), np.cumsum(total, axis)], axis
        )
        place = np.arange(n)
        high = np.minimum(place + half_width + 1, n)
        low = np.maximum(place - half_width, 0)
        total = np.take(running, high, axis) - np.take(running, low, axis)
    return total


def coverage_map(
    covered: ArrayLike, mask: ArrayLike, *, level: float, half_width: int
) -> CoverageMap:
    """Coverage in a window around every cell, all epochs together.

    Args:
        covered: (epoch, y, x) whether the value was covered, or its expected coverage within
            [0, 1] (`stats.conformal.scores.covered_terms`); ignored outside the mask.
        mask: (epoch, y, x) cases that count.
        level: wanted coverage.
        half_width: cells on either side of the middle one.

    Raises:
        ValueError: shapes differ, values outside [0, 1] within the mask, or no window.

    Example:
        >>> hit = np.zeros((2, 3, 3))
        >>> hit[:, 1, 1] = 1.0
        >>> found = coverage_map(hit, np.ones((2, 3, 3)), level=0.9, half_width=1)
        >>> found.coverage[0, 0], found.n[0, 0]
        (np.float64(0.25), np.float64(8.0))
    """
    inside: BoolArray = as_outcome(mask, "mask")
    values = np.asarray(covered, dtype=np.float64)
    if values.ndim != 3 or values.shape != inside.shape:
        raise ValueError(f"covered {values.shape}, mask {inside.shape}; expected (epoch, y, x)")
    if half_width < 0:
        raise ValueError(f"half_width: found {half_width}; expected 0 or more cells")
    as_probability(values[inside], "covered")
    hits = window_sums(np.where(inside, values, 0.0).sum(axis=0), half_width)
    n = window_sums(inside.sum(axis=0).astype(np.float64), half_width)
    # Differences of running sums leave rounding where they should leave 0 or 1.
    share = np.where(n > 0.0, np.clip(hits / np.maximum(n, 1.0), 0.0, 1.0), np.nan)
    return CoverageMap(share, n, level, half_width)
