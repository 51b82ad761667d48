r"""Landslide-event magnitude mLS (Tanyas, Allstadt & van Westen 2018), with its whole uncertainty.

The tail of the inventory, number per m2 of area, is compared with that of Northridge 1994: a line
of slope b through the density :math:`y_c` at the cutoff c is read at its mid-point
:math:`A_m = \sqrt{c \max A}`, a line of the same slope is laid through the reference point
:math:`(A_r, y_r)`, and

.. math:: mLS = \log_{10}\frac{N_r\, y(A_m)}{y_r (A_m / A_r)^{b}}, \qquad
          y(A_m) = y_c (A_m / c)^{b},

with :math:`N_r` = 11,111 landslides, so Northridge itself has :math:`\log_{10} 11111` = 4.05. The
mid-point, and with it the largest area, cancels: :math:`mLS = \log_{10}(N_r y_c / y_r) +
b \log_{10}(A_r / c)`.

Density at the cutoff, two ways:

- "bin", the published one and the default: areas counted in bins whose edges grow by 1.2 from 2 m2;
  the bin whose lower edge is nearest to the cutoff is taken. The published program divides each
  count by the width of the bin before it, 1.2 times too small, and places the density at the cutoff
  instead of inside the bin, which makes up for most of that (a factor of 0.96 at a slope of -2.46).
  The edge may miss the cutoff by 10 %, which moves mLS by up to 0.1, and one bin's count is noisy.
- "likelihood": :math:`y_c = m \alpha / c` of the m areas of the tail and their fitted exponent.
  No bins, hence less noise. The reference point is taken as published, bins or not.

Uncertainty. The published Monte Carlo draws slope and cutoff as independent normals whose standard
deviation is that of 500 even steps between minus and plus one standard error, too small by sqrt(3),
and holds the mid-point density at its estimate although it follows from both. In truth a cutoff
that moves up brings a steeper slope and a lower density. `bootstrap_magnitude` resamples the
inventory and in each draw searches the cutoff, fits the slope and reads the density anew, so all
their correlations are in the result. On the authors' sample the published way gives a standard
deviation of 0.085, with its spread mended 0.16, and the bootstrap 0.09: two errors nearly cancel.

H. Tanyas, K. E. Allstadt & C. J. van Westen (2018), An updated method for estimating
landslide-event magnitude, Earth Surface Processes and Landforms, doi:10.1002/esp.4359; reference
point and bins from the authors' program, github.com/usgs/landslides-mLS (public domain).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import FloatArray
from stats.resampling.interval import Interval, interval_of_draws
from stats.sizes.tail import MINIMUM_TAIL, Progress, power_tail
from stats.sizes.tail_search import as_areas

Density = Literal["bin", "likelihood"]

REFERENCE_AREA_M2 = 4.876599623713225e04
REFERENCE_DENSITY_PER_M2 = 8.364725347860417e-04
REFERENCE_COUNT = 11_111
BIN_EDGES_M2 = 2.0 * 1.2 ** np.arange(120)


@dataclass(frozen=True)
class EventMagnitude:
    """Magnitude of a landslide event and what it was read from.

    Attributes:
        value: mLS, dimensionless.
        cutoff_m2: smallest area of the power-law tail.
        pdf_slope: slope b of the density on log-log axes, negative.
        n_tail: areas at or above the cutoff.
        n: areas in all.
        cutoff_density_per_m2: number density at the cutoff.
        midpoint_m2: geometric mean of the cutoff and the largest area.
        midpoint_density_per_m2: number density of the fitted line there.
        density: how the density was read, "bin" or "likelihood".
    """

    value: float
    cutoff_m2: float
    pdf_slope: float
    n_tail: int
    n: int
    cutoff_density_per_m2: float
    midpoint_m2: float
    midpoint_density_per_m2: float
    density: Density


@dataclass(frozen=True, eq=False)
class MagnitudeBootstrap:
    """Draws of a magnitude whose cutoff, slope and density were estimated again together.

    Attributes:
        estimate: the magnitude of the inventory itself.
        value: interval of mLS.
        sd: standard deviation of mLS over the draws.
        draws: (draw,) of "value", "log10_cutoff", "pdf_slope", "log10_midpoint_density"; NaN in a
            draw whose bin at the cutoff is empty.
        correlation: (4, 4) correlation of those, in that order.
        undefined_draws: draws without a value.
    """

    estimate: EventMagnitude
    value: Interval
    sd: float
    draws: Mapping[str, FloatArray]
    correlation: FloatArray
    undefined_draws: int


def _bin_density(areas: FloatArray, cutoff_m2: float) -> float:
    """Number density per m2 at the cutoff by the published bins; `areas` sorted."""
    k = int(np.argmin(np.abs(BIN_EDGES_M2 - cutoff_m2)))
    upper = BIN_EDGES_M2[k + 1] if k + 1 < BIN_EDGES_M2.size else math.inf
    count = np.searchsorted(areas, upper, "left") - np.searchsorted(areas, BIN_EDGES_M2[k], "left")
    # The width of the bin before, as published.
    width = BIN_EDGES_M2[k] - BIN_EDGES_M2[k - 1] if k else BIN_EDGES_M2[0]
    return float(count) / float(width)


def _magnitude(density_per_m2: float, cutoff_m2: float, slope: float) -> float:
    if density_per_m2 <= 0.0:
        return math.nan
    ratio = REFERENCE_COUNT * density_per_m2 / REFERENCE_DENSITY_PER_M2
    return math.log10(ratio) + slope * math.log10(REFERENCE_AREA_M2 / cutoff_m2)


def event_magnitude(
    areas_m2: ArrayLike,
    *,
    cutoff_m2: float | None = None,
    pdf_slope: float | None = None,
    density: Density = "bin",
    minimum_tail: int = MINIMUM_TAIL,
) -> EventMagnitude:
    """Magnitude mLS of an inventory of one event.

    Args:
        areas_m2: (n,) areas of all landslides of the event.
        cutoff_m2: smallest area of the tail; searched (`power_tail`) where None.
        pdf_slope: slope of the density, negative; the tail's maximum likelihood where None.
        density: how the number density at the cutoff is read; "bin" as published.
        minimum_tail: smallest number of areas that may make a tail.

    Raises:
        ValueError: unusable areas or too few in the tail; a slope not below 0; an empty bin at the
            cutoff.

    Example:
        >>> areas = 9000.0 * (np.arange(1, 401) / 400.0) ** (-1 / 1.5)
        >>> found = event_magnitude(areas, cutoff_m2=9000.0, pdf_slope=-2.5, density="likelihood")
        >>> round(found.value, 3), found.n_tail
        (4.113, 400)
    """
    if pdf_slope is not None and not (math.isfinite(pdf_slope) and pdf_slope < 0.0):
        raise ValueError(f"pdf_slope: found {pdf_slope}; expected a finite number below 0")
    areas = as_areas(areas_m2, minimum=minimum_tail)
    tail = power_tail(areas, x_min_m2=cutoff_m2, minimum_tail=minimum_tail)
    slope = tail.pdf_slope if pdf_slope is None else float(pdf_slope)
    cutoff = tail.x_min_m2
    if density == "bin":
        at_cutoff = _bin_density(areas, cutoff)
    elif density == "likelihood":
        at_cutoff = tail.n_tail * -(slope + 1.0) / cutoff
    else:
        raise ValueError(f'density: found {density!r}; expected "bin" or "likelihood"')
    if at_cutoff <= 0.0:
        raise ValueError(f"magnitude: no landslides to read a density from at {cutoff:g} m2")
    midpoint = math.sqrt(cutoff * float(areas[-1]))
    return EventMagnitude(
        _magnitude(at_cutoff, cutoff, slope),
        cutoff,
        slope,
        tail.n_tail,
        tail.n,
        at_cutoff,
        midpoint,
        at_cutoff * (midpoint / cutoff) ** slope,
        density,
    )


def bootstrap_magnitude(
    areas_m2: ArrayLike,
    *,
    rng: np.random.Generator,
    draws: int = 1000,
    level: float = 0.95,
    density: Density = "bin",
    minimum_tail: int = MINIMUM_TAIL,
    progress: Progress | None = None,
) -> MagnitudeBootstrap:
    """Magnitude with the correlated uncertainty of cutoff, slope and density.

    The number of landslides of the event is taken as known; the areas are resampled.

    Args:
        areas_m2: (n,) areas of all landslides of the event.
        rng: source of the draws.
        draws: number of resampled inventories.
        level: nominal coverage of the percentile interval.
        density: as in `event_magnitude`.
        minimum_tail: as in `event_magnitude`.
        progress: called with 1 after each draw.

    Raises:
        ValueError: as `event_magnitude`.
        UndefinedScoreError: half of the draws have an empty bin at their cutoff.

    Example:
        >>> rng = np.random.default_rng(4)
        >>> areas = 2000.0 * (1.0 + rng.pareto(1.5, 600))
        >>> found = bootstrap_magnitude(areas, rng=rng, draws=50)
        >>> bool(found.value.low < found.estimate.value < found.value.high)
        True
    """
    estimate = event_magnitude(areas_m2, density=density, minimum_tail=minimum_tail)
    areas = as_areas(areas_m2)
    names = ("value", "log10_cutoff", "pdf_slope", "log10_midpoint_density")
    table = np.full((4, draws), np.nan)
    share = np.full(areas.size, 1.0 / areas.size)
    for draw in range(draws):
        resampled = np.repeat(areas, rng.multinomial(areas.size, share))
        tail = power_tail(resampled, minimum_tail=minimum_tail)
        slope, cutoff = tail.pdf_slope, tail.x_min_m2
        at_cutoff = (
            _bin_density(resampled, cutoff)
            if density == "bin"
            else tail.n_tail * tail.alpha / cutoff
        )
        if at_cutoff > 0.0:
            midpoint = 0.5 * (math.log10(cutoff) + math.log10(resampled[-1]))
            at_midpoint = math.log10(at_cutoff) + slope * (midpoint - math.log10(cutoff))
            table[:, draw] = (
                _magnitude(at_cutoff, cutoff, slope),
                math.log10(cutoff),
                slope,
                at_midpoint,
            )
        if progress is not None:
            progress(1)
    defined = table[:, ~np.isnan(table[0])]
    value = interval_of_draws(
        estimate.value,
        table[0],
        n=areas.size,
        unit="landslide",
        level=level,
        method="percentile",
    )
    return MagnitudeBootstrap(
        estimate,
        value,
        float(defined[0].std(ddof=1)),
        dict(zip(names, table, strict=True)),
        np.corrcoef(defined),
        draws - defined.shape[1],
    )


def published_monte_carlo(
    estimate: EventMagnitude,
    *,
    cutoff_se_m2: float,
    pdf_slope_se: float,
    rng: np.random.Generator,
    draws: int = 10_000,
    spread: Literal["as published", "standard error"] = "as published",
) -> float:
    """Standard deviation of mLS by the published independent Monte Carlo, for contrast only.

    Slope and cutoff are independent normals, the density at the mid-point stays at its estimate,
    and draws with a cutoff at or below 0 are left out.

    Args:
        estimate: the magnitude.
        cutoff_se_m2: standard error of the cutoff.
        pdf_slope_se: standard error of the slope.
        rng: source of the draws.
        draws: their number; 10,000 as published.
        spread: "as published" draws with the standard deviation of 500 even steps between minus and
            plus one standard error; "standard error" mends that one defect.

    Raises:
        ValueError: a standard error not above 0.

    Example:
        >>> areas = 9000.0 * (np.arange(1, 401) / 400.0) ** (-1 / 1.5)
        >>> found = event_magnitude(areas, cutoff_m2=9000.0)
        >>> sd = published_monte_carlo(
        ...     found, cutoff_se_m2=900.0, pdf_slope_se=0.1, rng=np.random.default_rng(0)
        ... )
        >>> 0.0 < sd < 0.1
        True
    """
    for name, se in (("cutoff_se_m2", cutoff_se_m2), ("pdf_slope_se", pdf_slope_se)):
        if not (math.isfinite(se) and se > 0.0):
            raise ValueError(f"{name}: found {se}; expected a finite number above 0")
    cutoff_mean, cutoff_sd, slope_sd = estimate.cutoff_m2, cutoff_se_m2, pdf_slope_se
    if spread == "as published":
        # The program takes mean and sd of 500 even steps, the cutoffs floored at 2 m2.
        floor = max(cutoff_mean - cutoff_se_m2, 2.0)
        steps = np.linspace(floor, cutoff_mean + cutoff_se_m2, 500)
        cutoff_mean, cutoff_sd = float(steps.mean()), float(steps.std(ddof=1))
        slope_sd *= float(np.linspace(-1.0, 1.0, 500).std(ddof=1))
    cutoff = rng.normal(cutoff_mean, cutoff_sd, draws)
    slope = rng.normal(estimate.pdf_slope, slope_sd, draws)
    slope, cutoff = slope[cutoff > 0.0], cutoff[cutoff > 0.0]
    largest_m2 = estimate.midpoint_m2**2 / estimate.cutoff_m2
    midpoint = 0.5 * (np.log10(cutoff) + math.log10(largest_m2))
    ratio = REFERENCE_COUNT * estimate.midpoint_density_per_m2 / REFERENCE_DENSITY_PER_M2
    values = math.log10(ratio) + slope * (math.log10(REFERENCE_AREA_M2) - midpoint)
    return float(np.std(values, ddof=1))
