r"""Where a power-law tail begins: the lower bound of Clauset, Shalizi & Newman (2009).

Above a bound :math:`x_{min}` the areas are taken to follow a Pareto law with survival
:math:`(x / x_{min})^{-\alpha}`. For every candidate bound (each area of the inventory) alpha is the
maximum likelihood estimate :math:`m / \sum \ln(x_i / x_{min})` of the m areas at or above it, and
the bound with the smallest two-sided Kolmogorov-Smirnov distance between those areas and their own
fitted law is chosen. `alpha` is the exponent of the cumulative law, the density falls with slope
:math:`-(\alpha + 1)`, which is minus the exponent that Clauset et al. call alpha.

The search (`tail_search`) is exact and takes hundredths of a second for 25,000 areas.

The bound is an estimate like any other and far from normal, so its uncertainty and that of alpha
come from a bootstrap that searches again in every draw. A p-value of the tail comes from synthetic
inventories (areas below the bound resampled, areas above drawn from the law), searched again too.
A standard error alpha / sqrt(m) at a fixed bound ignores the search.

A. Clauset, C. R. Shalizi & M. E. J. Newman (2009), Power-law distributions in empirical data, SIAM
Review 51(4), 661-703, doi:10.1137/070710111.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import spearmanr

from stats.case_arrays import FloatArray, IntArray
from stats.resampling.interval import Interval, interval_of_draws
from stats.sizes.tail_search import as_areas, nearest_tail

Progress = Callable[[int], None]

MINIMUM_TAIL = 10


@dataclass(frozen=True)
class PowerTail:
    """A Pareto law above its lower bound.

    Attributes:
        x_min_m2: lower bound of the tail, one of the areas unless it was given.
        alpha: exponent of the cumulative law.
        n_tail: number of areas at or above the bound.
        n: number of areas in all.
        distance: two-sided Kolmogorov-Smirnov distance of the tail to its law.
    """

    x_min_m2: float
    alpha: float
    n_tail: int
    n: int
    distance: float

    @property
    def pdf_slope(self) -> float:
        """Slope of the density on log-log axes, -(alpha + 1)."""
        return -(self.alpha + 1.0)

    @property
    def alpha_se(self) -> float:
        """Standard error of alpha at this bound, alpha / sqrt(n_tail); the search is left out."""
        return self.alpha / math.sqrt(self.n_tail)


@dataclass(frozen=True, eq=False)
class TailBootstrap:
    """Draws of a tail whose bound was searched again in each of them.

    Attributes:
        tail: the tail of the inventory itself.
        x_min_draws_m2: (draw,) bounds.
        alpha_draws: (draw,) exponents of the cumulative law.
        n_tail_draws: (draw,) numbers of areas at or above the bound.
        x_min_m2: interval of the bound.
        alpha: interval of the exponent.
        correlation: Spearman correlation of bound and exponent over the draws; NaN where either
            never moved.
    """

    tail: PowerTail
    x_min_draws_m2: FloatArray
    alpha_draws: FloatArray
    n_tail_draws: IntArray
    x_min_m2: Interval
    alpha: Interval
    correlation: float


@dataclass(frozen=True)
class TailFit:
    """Whether the areas above the bound look like a Pareto law.

    Attributes:
        tail: the tail judged.
        p_value: share of synthetic inventories with a distance at least as large, counting the
            inventory itself: (1 + exceedances) / (1 + draws).
        p_value_se: binomial standard error of the share.
        draws: number of synthetic inventories.
    """

    tail: PowerTail
    p_value: float
    p_value_se: float
    draws: int


def power_tail(
    areas_m2: ArrayLike, *, x_min_m2: float | None = None, minimum_tail: int = MINIMUM_TAIL
) -> PowerTail:
    """The power-law tail of an inventory, its bound searched or given.

    Args:
        areas_m2: (n,) areas.
        x_min_m2: the bound; searched by Kolmogorov-Smirnov distance where None.
        minimum_tail: smallest number of areas that may make a tail.

    Returns:
        The tail with the smallest distance to its own law (the smaller bound on a tie).

    Raises:
        ValueError: unusable areas (`as_areas`), or fewer than `minimum_tail` differing areas at or
            above any bound.

    Example:
        >>> areas = 1000.0 * np.random.default_rng(1).pareto(1.5, 4000) + 1000.0
        >>> tail = power_tail(areas)
        >>> bool(abs(tail.alpha - 1.5) < 0.1), tail.n
        (True, 4000)
        >>> power_tail(areas, x_min_m2=1e9)
        Traceback (most recent call last):
        ValueError: power-law tail: 0 areas at or above 1e+09 m2; expected at least 10
    """
    if minimum_tail < 2:
        raise ValueError(f"minimum_tail: found {minimum_tail}; expected 2 or more")
    areas = as_areas(areas_m2, minimum=minimum_tail)
    logs = np.log(areas)
    if x_min_m2 is None:
        start, alpha, distance = nearest_tail(logs, minimum_tail)
        return PowerTail(float(areas[start]), alpha, areas.size - start, areas.size, distance)
    start = int(np.searchsorted(areas, x_min_m2, side="left"))
    above = logs[start:]
    if above.size < minimum_tail:
        raise ValueError(
            f"power-law tail: {above.size} areas at or above {x_min_m2:g} m2; "
            f"expected at least {minimum_tail}"
        )
    excess = above - math.log(x_min_m2)
    if excess.sum() <= 0.0:
        raise ValueError(f"power-law tail: all {above.size} areas equal the bound {x_min_m2:g} m2")
    alpha = above.size / float(excess.sum())
    gap = -np.expm1(-alpha * excess) - np.arange(above.size) / above.size
    distance = float(max(gap.max(), 1.0 / above.size - gap.min()))
    return PowerTail(float(x_min_m2), alpha, above.size, areas.size, distance)


def bootstrap_tail(
    areas_m2: ArrayLike,
    *,
    rng: np.random.Generator,
    draws: int = 1000,
    level: float = 0.95,
    minimum_tail: int = MINIMUM_TAIL,
    progress: Progress | None = None,
) -> TailBootstrap:
    """Resample the inventory, search the bound again, and keep bound and exponent together.

    Args:
        areas_m2: (n,) areas.
        rng: source of the draws.
        draws: number of resampled inventories.
        level: nominal coverage of the percentile intervals.
        minimum_tail: as in `power_tail`.
        progress: called with 1 after each draw.

    Raises:
        ValueError: as `power_tail`.

    Example:
        >>> rng = np.random.default_rng(2)
        >>> found = bootstrap_tail(rng.pareto(1.5, 500) + 1.0, rng=rng, draws=50)
        >>> bool(found.alpha.low < found.tail.alpha < found.alpha.high)
        True
    """
    tail = power_tail(areas_m2, minimum_tail=minimum_tail)
    areas = as_areas(areas_m2)
    logs = np.log(areas)
    x_min, alpha = np.empty(draws), np.empty(draws)
    n_tail = np.empty(draws, dtype=np.int64)
    for draw in range(draws):
        counts = rng.multinomial(areas.size, np.full(areas.size, 1.0 / areas.size))
        resampled = np.repeat(logs, counts)
        start, alpha[draw], _ = nearest_tail(resampled, minimum_tail)
        x_min[draw], n_tail[draw] = math.exp(resampled[start]), areas.size - start
        if progress is not None:
            progress(1)
    return TailBootstrap(
        tail,
        x_min,
        alpha,
        n_tail,
        _interval(tail.x_min_m2, x_min, areas.size, level),
        _interval(tail.alpha, alpha, areas.size, level),
        _rank_correlation(x_min, alpha),
    )


def _interval(value: float, draws: FloatArray, n: int, level: float) -> Interval:
    return interval_of_draws(value, draws, n=n, unit="landslide", level=level, method="percentile")


def _rank_correlation(a: FloatArray, b: FloatArray) -> float:
    if np.ptp(a) == 0.0 or np.ptp(b) == 0.0:
        return math.nan
    return float(spearmanr(a, b).statistic)


def tail_p_value(
    areas_m2: ArrayLike,
    *,
    rng: np.random.Generator,
    draws: int = 1000,
    minimum_tail: int = MINIMUM_TAIL,
    progress: Progress | None = None,
) -> TailFit:
    """Test of the tail against synthetic inventories that are searched like the real one.

    Each synthetic area is, with probability n_tail / n, a draw of the fitted law, otherwise one of
    the areas below the bound (Clauset et al. 2009, section 4.1). A small p-value says that even the
    best bound leaves areas unlike a Pareto law.

    Args:
        areas_m2: (n,) areas.
        rng: source of the synthetic inventories.
        draws: their number; the p-value is known to about 1 / (2 sqrt(draws)).
        minimum_tail: as in `power_tail`.
        progress: called with 1 after each draw.

    Raises:
        ValueError: as `power_tail`.

    Example:
        >>> rng = np.random.default_rng(3)
        >>> fitting = tail_p_value(rng.pareto(1.5, 300) + 1.0, rng=rng, draws=99)
        >>> fitting.p_value > 0.05
        True
    """
    tail = power_tail(areas_m2, minimum_tail=minimum_tail)
    logs = np.log(as_areas(areas_m2))
    below = logs[: tail.n - tail.n_tail]
    exceedances = 0
    for _ in range(draws):
        n_tail = int(rng.binomial(tail.n, tail.n_tail / tail.n))
        body = rng.choice(below, tail.n - n_tail) if n_tail < tail.n else below[:0]
        above = math.log(tail.x_min_m2) + rng.standard_exponential(n_tail) / tail.alpha
        synthetic = np.sort(np.concatenate([body, above]))
        exceedances += nearest_tail(synthetic, minimum_tail)[2] >= tail.distance
        if progress is not None:
            progress(1)
    p_value = (1 + exceedances) / (1 + draws)
    return TailFit(tail, p_value, math.sqrt(p_value * (1.0 - p_value) / draws), draws)
