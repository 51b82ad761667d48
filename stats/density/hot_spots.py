r"""Hot and cold spots: where a value and those around it are higher than chance would have it.

Getis and Ord's statistic of cell i with weights :math:`w_{ij}`, the cell itself among its
neighbours with weight 1 (the starred form),

.. math:: G_i^* = \frac{\sum_j w_{ij} x_j - \bar x W_i}
          {s \sqrt{(n \sum_j w_{ij}^2 - W_i^2) / (n - 1)}}, \qquad W_i = \sum_j w_{ij},

is standard normal for large neighbourhoods where values lie in random order. A map holds
thousands of such tests, which share their neighbours: false discoveries are controlled over the
map. Counts of landslides are skewed, so that the normal tail is too light for small
neighbourhoods; p-values by permutation stand beside.

J. K. Ord & A. Getis (1995), Geographical Analysis 27, 286-306,
doi:10.1111/j.1538-4632.1995.tb00912.x; M. C. de Castro & B. H. Singer (2006), Geographical Analysis
38, 180-208, doi:10.1111/j.0016-7363.2006.00682.x (false discoveries among local statistics).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from stats.case_arrays import BoolArray, FloatArray
from stats.spatial.discovery import Control, Discoveries, discoveries
from stats.spatial.lattice import as_masked, centred
from stats.spatial.stencil import QUEEN, Stencil, neighbour_sum


@dataclass(frozen=True, kw_only=True, eq=False)
class HotSpots:
    """Getis-Ord statistics of a lattice.

    Attributes:
        z: (y, x) standardised statistic, NaN outside the mask.
        p_value: (y, x) two-sided.
        hot: what is discovered and above expectation.
        cold: what is discovered and below it.
        found: the control of false discoveries.
        permutations: number of permutations behind the p-values; 0 for the normal law.
    """

    z: FloatArray
    p_value: FloatArray
    hot: BoolArray
    cold: BoolArray
    found: Discoveries
    permutations: int


def getis_ord(values: ArrayLike, valid: ArrayLike | None = None, *, stencil: Stencil = QUEEN
              ) -> FloatArray:  # fmt: skip
    """(y, x) starred statistic of Getis and Ord, NaN outside the mask.

    Args:
        values: (y, x) such as landslides per cell.
        valid: (y, x) cells that count; None counts finite ones.
        stencil: neighbours of a cell; the cell itself is added with weight 1.

    Raises:
        ValueError: shapes that do not fit, a valid value that is not finite.
        UndefinedScoreError: fewer than 4 cells, or constant values.

    Example:
        >>> field = np.zeros((9, 9)); field[3:6, 3:6] = 5.0
        >>> round(float(getis_ord(field)[4, 4]), 2)
        8.94
    """
    x, inside = as_masked(values, valid, axes=(2,))
    z, n = centred(x, inside, "a hot spot")
    weight, squares = _weights(inside, stencil)
    return np.where(inside, _statistic(z, weight, squares, n, inside, stencil), np.nan)


def hot_spots(
    values: ArrayLike,
    valid: ArrayLike | None = None,
    *,
    stencil: Stencil = QUEEN,
    level: float = 0.05,
    control: Control = "bh",
    permutations: int = 0,
    rng: np.random.Generator | None = None,
) -> HotSpots:
    """Cells whose neighbourhood stands out, with the rate of false discoveries held.

    Args:
        values: as for `getis_ord`.
        valid: likewise.
        stencil: likewise.
        level: false discovery rate.
        control: how it is held (`stats.spatial.discovery`).
        permutations: 0 takes p-values from the normal law; else values are dealt anew to all valid
            cells so often, and every cell is held against its own draws. The smallest p-value is
            then 2 / (permutations + 1), so a large map needs many.
        rng: needed for permutations.

    Raises:
        ValueError: permutations without a generator, or as for `getis_ord`.
        UndefinedScoreError: as for `getis_ord`.
    """
    x, inside = as_masked(values, valid, axes=(2,))
    z, n = centred(x, inside, "a hot spot")
    weight, squares = _weights(inside, stencil)
    score = _statistic(z, weight, squares, n, inside, stencil)
    if permutations:
        if rng is None:
            raise ValueError("permutations: found no generator; expected rng")
        p = _dealt(z, score, weight, squares, n, inside, stencil, permutations, rng)
    else:
        p = 2.0 * special.ndtr(-np.abs(score))
    p = np.where(inside, p, np.nan)
    found = discoveries(p, level=level, control=control)
    return HotSpots(
        z=np.where(inside, score, np.nan), p_value=p, hot=found.discovered & (score > 0.0),
        cold=found.discovered & (score < 0.0), found=found, permutations=permutations,
    )  # fmt: skip


def _weights(inside: BoolArray, stencil: Stencil) -> tuple[FloatArray, FloatArray]:
    ones = inside.astype(np.float64)
    return 1.0 + neighbour_sum(ones, stencil), 1.0 + neighbour_sum(ones, stencil, power=2)


def _statistic(
    z: FloatArray, weight: FloatArray, squares: FloatArray, n: int, inside: BoolArray,
    stencil: Stencil,
) -> FloatArray:  # fmt: skip
    spread = np.sqrt((z[inside] ** 2).mean())
    # A neighbourhood of all cells has no variance: 0 by 0, and no deviation to speak of.
    variance = np.maximum((n * squares - weight**2) / (n - 1), 0.0)
    total = z + neighbour_sum(z, stencil)
    safe = np.where(variance > 0.0, variance, 1.0)
    return np.where(inside & (variance > 0.0), total / (spread * np.sqrt(safe)), 0.0)


def _dealt(
    z: FloatArray, score: FloatArray, weight: FloatArray, squares: FloatArray, n: int,
    inside: BoolArray, stencil: Stencil, permutations: int, rng: np.random.Generator,
) -> FloatArray:  # fmt: skip
    above, below = np.zeros(z.shape), np.zeros(z.shape)
    dealt = np.zeros(z.shape)
    held = z[inside]
    # Sums of the same values in another order may differ by rounding: a tie counts on both sides.
    slack = 1e-9 * max(1.0, float(np.abs(score).max()))
    for _ in range(permutations):
        dealt[inside] = rng.permutation(held)
        drawn = _statistic(dealt, weight, squares, n, inside, stencil)
        above += drawn >= score - slack
        below += drawn <= score + slack
    tail = np.minimum(above, below)
    return np.minimum(1.0, 2.0 * (tail + 1.0) / (permutations + 1.0))
