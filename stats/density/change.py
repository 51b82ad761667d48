r"""Did the rate of landslides change between two epochs, by how much, and where?

With counts :math:`a, b` over exposures :math:`s, t` (years, or km2 times years) and Poisson laws,
a given a + b is binomial with share :math:`\pi = \rho s / (\rho s + t)`, :math:`\rho` the ratio of
the rates: tests and intervals follow from the binomial exactly (Przyborowski & Wilenski 1940). The
test used here is the mid-p one: the exact test holds its level by being far too cautious at small
counts, the mid-p test is close to its level on average and can exceed it slightly.

Landslides cluster: neighbours fail together, so a cell's count varies more than a Poisson law lets
it. Where an index of dispersion above 1 is known, counts and exposures are divided by it
(quasi-Poisson), which widens every interval.

J. Przyborowski & H. Wilenski (1940), Biometrika 31, 313-323, doi:10.1093/biomet/31.3-4.313.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from stats.case_arrays import FloatArray, as_nonnegative


@dataclass(frozen=True, kw_only=True, eq=False)
class RateChange:
    """Ratio of two rates, per case.

    Attributes:
        ratio: rate of the second over the first; inf or NaN where the first has none.
        low: lower end of its interval.
        high: upper end; inf where nothing bounds it.
        p_value: two-sided mid-p of no change; 1 where there was no landslide at all.
        level: coverage of the interval.
        dispersion: index by which counts were divided.
    """

    ratio: FloatArray
    low: FloatArray
    high: FloatArray
    p_value: FloatArray
    level: float
    dispersion: float


def rate_change(
    first: ArrayLike,
    second: ArrayLike,
    *,
    first_exposure: ArrayLike = 1.0,
    second_exposure: ArrayLike = 1.0,
    level: float = 0.95,
    dispersion: float = 1.0,
) -> RateChange:
    """Ratio of the second rate to the first, with exact (Clopper-Pearson) intervals.

    The interval covers at least its level, and so may hold 1 where the mid-p is just below 0.05.

    Args:
        first: counts of the first epoch, any shape.
        second: counts of the second, same shape.
        first_exposure: its years, or km2 years; broadcast.
        second_exposure: likewise.
        level: coverage.
        dispersion: variance over mean of the counts, 1 for a Poisson law.

    Raises:
        ValueError: negative counts, shapes that differ, exposures that are not above 0, a level
            outside (0, 1), a dispersion below 1.

    Example:
        >>> found = rate_change(10, 40, second_exposure=2.0)
        >>> float(found.ratio), round(float(found.low), 2), round(float(found.high), 2)
        (2.0, 0.98, 4.48)
    """
    a, b = as_nonnegative("first", first), as_nonnegative("second", second)
    if a.shape != b.shape:
        raise ValueError(f"first {a.shape} and second {b.shape}; expected the same shape")
    s, t = (
        np.broadcast_to(as_nonnegative(name, value), a.shape)
        for name, value in (("first_exposure", first_exposure),
                            ("second_exposure", second_exposure))
    )  # fmt: skip
    if not ((s > 0).all() and (t > 0).all()):
        raise ValueError("found an exposure of 0; expected exposures above 0")
    if not 0.0 < level < 1.0 or not 1.0 <= dispersion < np.inf:
        raise ValueError(
            f"found level {level}, dispersion {dispersion}; expected 0 < level < 1 <= dispersion"
        )
    a, b = a / dispersion, b / dispersion
    tail = 0.5 * (1.0 - level)
    total = a + b
    # Share of the second among all, and its Clopper-Pearson ends.
    with np.errstate(invalid="ignore", divide="ignore"):
        low = np.where(b > 0, special.betaincinv(np.maximum(b, 1e-300), a + 1.0, tail), 0.0)
        high = np.where(a > 0, special.betaincinv(b + 1.0, np.maximum(a, 1e-300), 1 - tail), 1.0)
        ratio = (b / t) / (a / s)
        scale = s / t
        low, high = scale * low / (1.0 - low), scale * high / (1.0 - high)
    low, high = np.where(total > 0, low, 0.0), np.where(a > 0, high, np.inf)
    return RateChange(
        ratio=np.where(total > 0, ratio, np.nan), low=low, high=high,
        p_value=_mid_p(a, b, t / (s + t)), level=level, dispersion=float(dispersion),
    )  # fmt: skip


def _mid_p(a: FloatArray, b: FloatArray, share: FloatArray) -> FloatArray:
    """Two-sided mid-p: twice the smaller tail, half the probability of what was seen in each."""
    n = a + b
    # P(B >= b) and P(B > b), by the incomplete beta function: counts need not be whole.
    from_b = np.where(b > 0, special.betainc(np.maximum(b, 1e-300), a + 1.0, share), 1.0)
    above = np.where(a > 0, special.betainc(b + 1.0, np.maximum(a, 1e-300), share), 0.0)
    upper = 0.5 * (from_b + above)
    p = 2.0 * np.minimum(upper, 1.0 - upper)
    return np.where(n > 0, np.minimum(p, 1.0), 1.0)


def dispersion_index(counts: ArrayLike, expected: ArrayLike, *, parameters: int = 1) -> float:
    r"""Pearson's index :math:`\sum (m - \mu)^2 / \mu / (n - k)`; 1 for Poisson counts.

    Args:
        counts: per cell.
        expected: per cell, above 0.
        parameters: number of fitted numbers behind `expected`.

    Raises:
        ValueError: an expectation that is not above 0, too few cells.

    Example:
        >>> round(dispersion_index([0, 4, 0, 4], [2, 2, 2, 2]), 2)
        2.67
    """
    m, mu = as_nonnegative("counts", counts), as_nonnegative("expected", expected)
    if m.shape != mu.shape or not (mu > 0).all() or m.size <= parameters:
        raise ValueError(
            f"found {m.size} counts with {mu.size} expectations from {mu.min(initial=np.inf)}; "
            f"expected more than {parameters}, each above 0"
        )
    return float(((m - mu) ** 2 / mu).sum() / (m.size - parameters))
