"""Bootstrap intervals: what was estimated, from how many draws of which unit, at which level.

The default turns draws into an interval by expanded percentiles: the percentiles of the draws, at
levels moved outwards as far as a t interval with n - 1 degrees of freedom is wider than a normal
one whose variance divides by n. With few units (50 blocks) plain percentiles are too short.

T. C. Hesterberg (2015), The American Statistician 69, 371-386, doi:10.1080/00031305.2015.1089789.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from stats.case_arrays import FloatArray, UndefinedScoreError

Method = Literal["expanded", "percentile"]


@dataclass(frozen=True)
class Interval:
    """An estimate with its bootstrap interval.

    Attributes:
        value: estimate from all cases.
        low: lower end.
        high: upper end.
        n: number of resampled units.
        unit: what was resampled, in words ("20 km block").
        level: nominal coverage, such as 0.95.
        draws: number of bootstrap draws.
        undefined_draws: draws in which the statistic had no value (no event); they are left out.
    """

    value: float
    low: float
    high: float
    n: int
    unit: str
    level: float
    draws: int
    undefined_draws: int = 0

    def excludes(self, value: float) -> bool:
        """Whether `value` lies outside, such as 0 for a difference.

        Example:
            >>> Interval(0.3, 0.1, 0.5, 50, "20 km block", 0.95, 500).excludes(0.0)
            True
        """
        return not self.low <= value <= self.high


def _order_quantile(ordered: FloatArray, level: float) -> float:
    """Quantile of sorted values that may end in infinities, which are never interpolated."""
    position = level * (ordered.size - 1)
    below, above = math.floor(position), math.ceil(position)
    low, high = float(ordered[below]), float(ordered[above])
    if low == high or above == below:
        return low
    if not (math.isfinite(low) and math.isfinite(high)):
        return low if level < 0.5 else high
    return low + (high - low) * (position - below)


def boundary_factor(values: ArrayLike, finer_values: ArrayLike) -> float:
    r"""Factor, 1 or more, by which block draws are too narrow for the covariance they cut.

    Cells on two sides of a block boundary are drawn as if independent, so the variance of a
    statistic falls short by an amount that goes with the inverse side, V(side) = V - k/side. Draws
    of the same statistic with blocks of half the side give V = 2 V(side) - V(side/2).

    Args:
        values: (draw,) statistic under the blocks in use; NaN where undefined.
        finer_values: (draw,) statistic under blocks of half the side.

    Example:
        >>> side, half = np.array([-1.2, 1.2]), np.array([-1.0, 1.0])
        >>> round(boundary_factor(side, half), 4)
        1.1426
    """
    coarse = np.asarray(values, dtype=np.float64)
    fine = np.asarray(finer_values, dtype=np.float64)
    coarse, fine = coarse[~np.isnan(coarse)], fine[~np.isnan(fine)]
    if not (coarse.size and fine.size and np.isfinite(coarse).all() and np.isfinite(fine).all()):
        # An infinite score has no variance to correct.
        return 1.0
    if not np.var(coarse) > 0.0:
        return 1.0
    return math.sqrt(max(1.0, 2.0 - float(np.var(fine) / np.var(coarse))))


def interval_of_draws(
    value: float,
    values: ArrayLike,
    *,
    n: int,
    unit: str,
    level: float = 0.95,
    method: Method = "expanded",
    widen: float = 1.0,
) -> Interval:
    """Interval from the values of a statistic in bootstrap draws.

    Args:
        value: the statistic of all cases.
        values: (draw,) the statistic of each draw; NaN marks a draw without a value.
        n: number of resampled units.
        unit: what was resampled.
        level: nominal coverage.
        method: "expanded" or plain "percentile".
        widen: factor on the distance of draws from `value`, from `boundary_factor`.

    Raises:
        UndefinedScoreError: the statistic has no value on all cases, or in half of the draws.
        ValueError: fewer than 2 units, or a level outside (0, 1).

    Example:
        >>> draws = np.linspace(-1.0, 1.0, 201)
        >>> plain = interval_of_draws(0.0, draws, n=50, unit="block", method="percentile")
        >>> wide = interval_of_draws(0.0, draws, n=50, unit="block")
        >>> round(plain.low, 3), round(wide.low, 3)
        (-0.95, -0.958)
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"level: found {level}; expected a number between 0 and 1")
    if n < 2:
        raise ValueError(f"found {n} {unit}; an interval needs at least 2 resampled units")
    if math.isnan(value):
        raise UndefinedScoreError("the statistic has no value on all cases")
    array = np.asarray(values, dtype=np.float64)
    defined = np.sort(array[~np.isnan(array)])
    if defined.size <= array.size / 2:
        raise UndefinedScoreError(
            f"the statistic has no value in {array.size - defined.size} of {array.size} draws"
        )
    tail = 0.5 * (1.0 - level)
    if method == "expanded":
        tail = float(special.ndtr(special.stdtrit(n - 1, tail) * math.sqrt(n / (n - 1))))
    low, high = _order_quantile(defined, tail), _order_quantile(defined, 1.0 - tail)
    if widen != 1.0 and math.isfinite(value):
        low, high = value + widen * (low - value), value + widen * (high - value)
    return Interval(
        float(value),
        low,
        high,
        int(n),
        unit,
        level,
        int(array.size),
        int(array.size - defined.size),
    )
