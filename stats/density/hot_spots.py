r"""Hot and cold spots: where a value and those around it are higher than chance would have it.

Getis and Ord's statistic of cell i with weights :math:`w_{ij}`, the cell itself among its
neighbours with weight 1 (the starred form),

.. math:: G_i^* = \frac{\sum_j w_{ij} x_j - \bar x W_i}
          {s \sqrt{(n \sum_j w_{ij}^2 - W_i^2) / (n - 1)}}, \qquad W_i = \sum_j w_{ij},

is standard normal for large neighbourhoods where values lie in random order. A map holds
thousands of such tests, which share their neighbours: false discoveries are controlled over the
map. Counts of landslides are skewed, so that the normal tail is too light for small
neighbourhoods. Two other laws of chance stand beside it: permutation of the cells, and, for
counts, landslides scattered evenly over the mask, under which the number in a neighbourhood of
:math:`W_i` of n cells is binomial with share :math:`W_i / n`, exactly.

J. K. Ord & A. Getis (1995), Geographical Analysis 27, 286-306,
doi:10.1111/j.1538-4632.1995.tb00912.x; M. C. de Castro & B. H. Singer (2006), Geographical Analysis
38, 180-208, doi:10.1111/j.0016-7363.2006.00682.x (false discoveries among local statistics).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from stats.case_arrays import BoolArray, FloatArray
from stats.spatial.discovery import Control, Discoveries, discoveries
from stats.spatial.lattice import as_masked, centred
from stats.spatial.stencil import QUEEN, Stencil, neighbour_sum

Chance = Literal["normal", "permutation", "scatter"]


@dataclass(frozen=True, kw_only=True, eq=False)
class HotSpots:
    """Getis-Ord statistics of a lattice.

    Attributes:
        z: (y, x) standardised statistic, NaN outside the mask.
        p_value: (y, x) two-sided.
        hot: what is discovered and above expectation.
        cold: what is discovered and below it.
        found: the control of false discoveries.
        chance: what the p-values are of: "normal", "permutation" or "scatter".
    """

    z: FloatArray
    p_value: FloatArray
    hot: BoolArray
    cold: BoolArray
    found: Discoveries
    chance: Chance


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
    chance: Chance = "normal",
    permutations: int = 999,
    rng: np.random.Generator | None = None,
) -> HotSpots:
    """Cells whose neighbourhood stands out, with the rate of false discoveries held.

    Args:
        values: as for `getis_ord`.
        valid: likewise.
        stencil: likewise.
        level: false discovery rate.
        control: how it is held (`stats.spatial.discovery`).
        chance: "normal"; "permutation", values dealt anew to all valid cells; or "scatter", for
            whole counts and a stencil of equal weights, counted landslides scattered evenly.
        permutations: how often values are dealt. The smallest p-value is 2 / (permutations + 1),
            so a large map needs many.
        rng: needed for permutations.

    Raises:
        ValueError: permutations without a generator, "scatter" of what is not counted, or as for
            `getis_ord`.
        UndefinedScoreError: as for `getis_ord`.
    """
    x, inside = as_masked(values, valid, axes=(2,))
    z, n = centred(x, inside, "a hot spot")
    weight, squares = _weights(inside, stencil)
    score = _statistic(z, weight, squares, n, inside, stencil)
    if chance == "permutation":
        if rng is None:
            raise ValueError("permutations: found no generator; expected rng")
        p = _dealt(z, score, weight, squares, n, inside, stencil, permutations, rng)
    elif chance == "scatter":
        p = _scattered(x, weight, n, stencil)
    else:
        p = 2.0 * special.ndtr(-np.abs(score))
    p = np.where(inside, p, np.nan)
    found = discoveries(p, level=level, control=control, valid=inside)
    return HotSpots(
        z=np.where(inside, score, np.nan), p_value=p, hot=found.discovered & (score > 0.0),
        cold=found.discovered & (score < 0.0), found=found, chance=chance,
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


def _scattered(x: FloatArray, weight: FloatArray, n: int, stencil: Stencil) -> FloatArray:
    if not np.array_equal(x, np.rint(x)) or (x < 0).any() or not (stencil.weights == 1.0).all():
        raise ValueError("scatter: expected whole counts and a stencil of equal weights")
    near, total = x + neighbour_sum(x, stencil), x.sum()
    share = np.minimum(weight / n, 1.0)
    # P(X >= k) and P(X <= k) of a binomial number.
    above = np.where(near > 0, special.betainc(np.maximum(near, 1), total - near + 1, share), 1.0)
    rest = np.maximum(total - near, 1e-300)
    below = np.where(near < total, special.betaincc(near + 1, rest, share), 1.0)
    return np.minimum(1.0, 2.0 * np.minimum(above, below))


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
