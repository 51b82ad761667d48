r"""Rates of landslides per epoch and per year, by number and by area, with intervals.

A count k over T years has the exact Poisson (Garwood) interval

.. math:: \left[\tfrac12 \chi^2_{a/2}(2k),\ \tfrac12 \chi^2_{1-a/2}(2k + 2)\right] / T .

Landslides come in events, so counts of epochs scatter far more than Poisson. The dispersion
:math:`\phi = \frac{1}{E-1}\sum (k_e - r T_e)^2 / (r T_e)` of E epochs scales the variance of the
mean rate r, and the interval is :math:`r \exp(\pm t_{E-1} \sqrt{\phi / \sum k_e})` with phi at
least 1 for counts. Few epochs give wide intervals, as they should. Areas per epoch are treated in
the same way, with area in place of count.

F. Garwood (1936), Fiducial limits for the Poisson distribution, Biometrika 28, 437-442;
P. McCullagh & J. A. Nelder (1989), Generalized Linear Models, 2nd edition (dispersion).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from stats.case_arrays import FloatArray, as_finite, as_nonnegative
from stats.sizes.totals import mapped_areas, total_draws


@dataclass(frozen=True)
class Rate:
    """A number or an area per time.

    Attributes:
        value: amount / years (per km2 where a region was given).
        low: lower end.
        high: upper end.
        level: nominal coverage.
        amount: count, or area in m2.
        years: exposure.
        unit: unit of the rate, in words.
        method: how the interval was made.
    """

    value: float
    low: float
    high: float
    level: float
    amount: float
    years: float
    unit: str
    method: str


@dataclass(frozen=True)
class EpochRates:
    """Rates of each epoch and of all together.

    Attributes:
        epochs: one rate per epoch, its interval from within the epoch.
        pooled: mean rate with the same kind of interval, as if all epochs were alike.
        overdispersed: mean rate with the interval that the scatter of the epochs asks for.
        dispersion: phi; 1 for counts that scatter like Poisson, in m2 for areas.
        poisson_p_value: of equal rates with Poisson counts (chi-square of E - 1 degrees of
            freedom); None for areas.
    """

    epochs: tuple[Rate, ...]
    pooled: Rate
    overdispersed: Rate
    dispersion: float
    poisson_p_value: float | None


def _positive(name: str, value: float) -> float:
    if not (math.isfinite(value) and value > 0.0):
        raise ValueError(f"{name}: found {value}; expected a finite number above 0")
    return float(value)


def number_rate(
    count: float,
    years: float,
    *,
    region_km2: float | None = None,
    dispersion: float = 1.0,
    level: float = 0.95,
) -> Rate:
    """Landslides per year (and km2) with an exact Poisson interval.

    Args:
        count: landslides, 0 or more.
        years: length of the epoch.
        region_km2: area looked at; the rate is per km2 where given.
        dispersion: phi, at least 1, known from elsewhere: count / phi is then treated as Poisson.
        level: nominal coverage.

    Raises:
        ValueError: a negative or fractional count, an exposure not above 0, phi below 1.

    Example:
        >>> rate = number_rate(0, 2.0)
        >>> rate.low, round(rate.high, 3)
        (0.0, 1.844)
    """
    if count < 0 or count != int(count):
        raise ValueError(f"count: found {count}; expected a whole number of 0 or more")
    if not dispersion >= 1.0:
        raise ValueError(f"dispersion: found {dispersion}; expected 1 or more")
    exposure = _positive("years", years)
    if region_km2 is not None:
        exposure *= _positive("region_km2", region_km2)
    effective, half = count / dispersion, 0.5 * (1.0 - level)
    low = special.chdtri(2.0 * effective, 1.0 - half) / 2.0 if count else 0.0
    high = special.chdtri(2.0 * effective + 2.0, half) / 2.0
    return Rate(
        count / exposure,
        float(dispersion * low / exposure),
        float(dispersion * high / exposure),
        level,
        float(count),
        float(years),
        "landslides per year" + (" per km2" if region_km2 is not None else ""),
        "exact Poisson" if dispersion == 1.0 else f"Poisson scaled by dispersion {dispersion:g}",
    )


def area_rate(
    areas_m2: ArrayLike,
    years: float,
    *,
    rng: np.random.Generator,
    region_km2: float | None = None,
    draws: int = 2000,
    level: float = 0.95,
) -> Rate:
    """Landslide area per year (and km2 of region) with a compound Poisson bootstrap interval.

    Args:
        areas_m2: (n,) areas of the epoch; at least two for an interval, none gives a rate of 0 with
            an upper end that is not known (infinite).
        years: length of the epoch.
        rng: source of the draws.
        region_km2: area looked at; the rate is per km2 where given.
        draws: number of bootstrap draws.
        level: nominal coverage.

    Example:
        >>> rate = area_rate([100.0, 300.0], 2.0, rng=np.random.default_rng(0))
        >>> rate.value, rate.unit
        (200.0, 'm2 per year')
    """
    areas = mapped_areas(areas_m2, 0)
    exposure = _positive("years", years)
    if region_km2 is not None:
        exposure *= _positive("region_km2", region_km2)
    low, high = 0.0, math.inf
    if areas.size >= 2:
        totals = total_draws(areas, draws, "poisson", rng)
        low, high = np.quantile(totals, [0.5 * (1.0 - level), 0.5 * (1.0 + level)])
    return Rate(
        float(areas.sum()) / exposure,
        float(low) / exposure,
        float(high) / exposure,
        level,
        float(areas.sum()),
        float(years),
        "m2 per year" + (" per km2" if region_km2 is not None else ""),
        "compound Poisson bootstrap" if areas.size >= 2 else "too few landslides for an interval",
    )


def _across_epochs(
    amounts: FloatArray, years: FloatArray, pooled: Rate, smallest: float
) -> tuple[Rate, float]:
    """Mean rate with the interval that the scatter of the epochs asks for, and the dispersion."""
    expected = amounts.sum() * years / years.sum()
    if not amounts.sum() > 0.0:
        raise ValueError("rates: no landslides in any epoch; no scatter to judge")
    phi = float(((amounts - expected) ** 2 / expected).sum()) / (amounts.size - 1)
    quantile = special.stdtrit(amounts.size - 1, 0.5 * (1.0 + pooled.level))
    factor = math.exp(quantile * math.sqrt(max(phi, smallest) / float(amounts.sum())))
    rate = Rate(
        pooled.value,
        pooled.value / factor,
        pooled.value * factor,
        pooled.level,
        pooled.amount,
        pooled.years,
        pooled.unit,
        f"scatter of {amounts.size} epochs, t with {amounts.size - 1} degrees of freedom",
    )
    return rate, phi


def _epoch_years(years: ArrayLike, n: int) -> FloatArray:
    lengths = as_finite("years", years)
    if lengths.shape != (n,) or n < 2:
        raise ValueError(f"years: found shape {lengths.shape} for {n} epochs; expected 2 or more")
    if lengths.min() <= 0.0:
        raise ValueError(f"years: found {lengths.min():g}; expected lengths above 0")
    return lengths


def number_rates(
    counts: ArrayLike,
    years: ArrayLike,
    *,
    region_km2: float | None = None,
    level: float = 0.95,
) -> EpochRates:
    """Number rates of epochs: each exactly Poisson, their mean also with its overdispersion.

    Args:
        counts: (epoch,) landslides.
        years: (epoch,) lengths.
        region_km2: area looked at.
        level: nominal coverage.

    Raises:
        ValueError: fewer than two epochs, shapes that differ, no landslide at all.

    Example:
        >>> found = number_rates([98, 28, 18, 12, 24], [1.0, 1.0, 1.0, 1.0, 1.0])
        >>> round(found.pooled.value), round(found.dispersion, 1), found.poisson_p_value < 1e-9
        (36, 34.4, True)
    """
    numbers = as_nonnegative("counts", counts)
    lengths = _epoch_years(years, numbers.size)
    epochs = tuple(
        number_rate(float(k), float(t), region_km2=region_km2, level=level)
        for k, t in zip(numbers, lengths, strict=True)
    )
    pooled = number_rate(
        float(numbers.sum()), float(lengths.sum()), region_km2=region_km2, level=level
    )
    rate, phi = _across_epochs(numbers, lengths, pooled, 1.0)
    p_value = float(special.chdtrc(numbers.size - 1, phi * (numbers.size - 1)))
    return EpochRates(epochs, pooled, rate, phi, p_value)


def area_rates(
    areas_by_epoch: Sequence[ArrayLike],
    years: ArrayLike,
    *,
    rng: np.random.Generator,
    region_km2: float | None = None,
    draws: int = 2000,
    level: float = 0.95,
) -> EpochRates:
    """Area rates of epochs: each by bootstrap within it, their mean also by the epochs' scatter.

    Args:
        areas_by_epoch: for each epoch the areas of its landslides.
        years: (epoch,) lengths.
        rng: source of the draws.
        region_km2: area looked at.
        draws: bootstrap draws per epoch.
        level: nominal coverage.

    Raises:
        ValueError: fewer than two epochs, shapes that differ, no landslide at all.

    Example:
        >>> epochs = [[100.0, 300.0], [200.0, 250.0, 100.0]]
        >>> found = area_rates(epochs, [1.0, 0.5], rng=np.random.default_rng(0))
        >>> round(found.pooled.value, 1), found.overdispersed.high > found.pooled.value
        (633.3, True)
    """
    lengths = _epoch_years(years, len(areas_by_epoch))
    arrays = [mapped_areas(areas, 0) for areas in areas_by_epoch]
    epochs = tuple(
        area_rate(a, float(t), rng=rng, region_km2=region_km2, draws=draws, level=level)
        for a, t in zip(arrays, lengths, strict=True)
    )
    pooled = area_rate(
        np.concatenate(arrays),
        float(lengths.sum()),
        rng=rng,
        region_km2=region_km2,
        draws=draws,
        level=level,
    )
    rate, phi = _across_epochs(np.array([a.sum() for a in arrays]), lengths, pooled, 0.0)
    return EpochRates(epochs, pooled, rate, phi, None)
