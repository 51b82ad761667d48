r"""The tables of multi-temporal inventories: number, area and density per epoch, in one call.

Number density :math:`n / A` [1/km2], area density :math:`100 \sum a_i / A` [percent], each also per
year. Intervals are those of `stats.sizes.rates`: exact Poisson ones of the number, widened by an
index of dispersion where one is given; of the area a bootstrap of landslides of a Poisson number.
They hold for independent landslides: an event that came as one storm tells less than they say.
The bootstrap is one for many landslides: of 40 with a spread of 0.8 in ln area it covers 0.91.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import FloatArray, as_nonnegative
from stats.density.window import M2_PER_KM2
from stats.sizes.comparison import summarise_areas
from stats.sizes.rates import area_rate, number_rate

DAYS_PER_YEAR = 365.25


@dataclass(frozen=True, kw_only=True)
class DensityRow:
    """One epoch of one inventory.

    Attributes:
        epoch: its name.
        years: its length [years].
        study_km2: area that was looked at [km2].
        n: number of landslides.
        total_m2: sum of areas.
        minimum_m2: smallest; NaN where there is none.
        maximum_m2: largest; NaN likewise.
        mean_m2: mean; NaN likewise.
        per_km2: landslides per km2.
        per_km2_low: lower end of its interval.
        per_km2_high: upper end.
        per_km2_year: landslides per km2 and year.
        area_percent: area density [percent of the study area].
        area_percent_low: lower end of its interval.
        area_percent_high: upper end; inf where one landslide or none tells nothing.
        area_percent_year: percent per year.
    """

    epoch: str
    years: float
    study_km2: float
    n: int
    total_m2: float
    minimum_m2: float
    maximum_m2: float
    mean_m2: float
    per_km2: float
    per_km2_low: float
    per_km2_high: float
    per_km2_year: float
    area_percent: float
    area_percent_low: float
    area_percent_high: float
    area_percent_year: float


def density_table(
    areas_m2: Sequence[ArrayLike],
    *,
    epochs: Sequence[str],
    days: Sequence[float],
    study_km2: float | Sequence[float],
    level: float = 0.95,
    dispersion: float = 1.0,
    rng: np.random.Generator,
) -> tuple[DensityRow, ...]:
    """Number, area and densities of every epoch.

    Args:
        areas_m2: one (n,) array of areas [m2] per epoch; may be empty.
        epochs: names.
        days: lengths [days].
        study_km2: area looked at [km2], one for all or one per epoch.
        level: coverage of the intervals.
        dispersion: variance over mean of the numbers, 1 for a Poisson law.
        rng: of the intervals of the area.

    Raises:
        ValueError: lists of different lengths, a length or area of 0, a negative landslide.

    Example:
        >>> rows = density_table(
        ...     [[500.0, 1500.0], []], epochs=["wet", "dry"], days=[365.25, 365.25],
        ...     study_km2=4.0, rng=np.random.default_rng(0),
        ... )
        >>> rows[0].per_km2, rows[0].area_percent, rows[1].n, round(rows[1].per_km2_high, 3)
        (0.5, 0.05, 0, 0.922)
    """
    studies = (
        [float(study_km2)] * len(epochs) if isinstance(study_km2, int | float) else [*study_km2]
    )
    if not len(areas_m2) == len(epochs) == len(days) == len(studies):
        raise ValueError(
            f"found {len(areas_m2)} inventories, {len(epochs)} epochs, {len(days)} lengths, "
            f"{len(studies)} study areas; expected as many of each"
        )
    if min((*days, *studies), default=1.0) <= 0.0 or dispersion < 1.0 or not 0.0 < level < 1.0:
        raise ValueError("expected lengths and study areas above 0, dispersion >= 1, 0 < level < 1")
    return tuple(
        _row(np.ravel(as_nonnegative("areas_m2", areas)), name, day / DAYS_PER_YEAR, km2, level,
             dispersion, rng)
        for areas, name, day, km2 in zip(areas_m2, epochs, days, studies, strict=True)
    )  # fmt: skip


def _row(
    areas: FloatArray, epoch: str, years: float, km2: float, level: float, dispersion: float,
    rng: np.random.Generator,
) -> DensityRow:  # fmt: skip
    sizes = summarise_areas(areas)
    # Over one year the rate is the number (or area) itself, per km2.
    number = number_rate(areas.size, 1.0, region_km2=km2, level=level, dispersion=dispersion)
    area = area_rate(areas, 1.0, region_km2=km2, level=level, rng=rng)
    percent = 100.0 / M2_PER_KM2
    return DensityRow(
        epoch=epoch, years=years, study_km2=km2, n=sizes.n, total_m2=sizes.total_m2,
        minimum_m2=sizes.minimum_m2, maximum_m2=sizes.maximum_m2, mean_m2=sizes.mean_m2,
        per_km2=number.value, per_km2_low=number.low, per_km2_high=number.high,
        per_km2_year=number.value / years,
        area_percent=percent * area.value, area_percent_low=percent * area.low,
        area_percent_high=percent * area.high, area_percent_year=percent * area.value / years,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class DensityDifference:
    """One epoch of a predicted against a reference inventory, predicted minus reference.

    Attributes:
        epoch: its name.
        n: difference in number.
        total_m2: difference in total area.
        per_km2: difference in landslides per km2.
        area_percent: difference in area density [percent of the study area].
        n_ratio: ratio of the numbers; NaN where the reference has none.
        total_ratio: ratio of the areas; NaN likewise.
    """

    epoch: str
    n: int
    total_m2: float
    per_km2: float
    area_percent: float
    n_ratio: float
    total_ratio: float


def density_differences(
    predicted: Sequence[DensityRow], reference: Sequence[DensityRow]
) -> tuple[DensityDifference, ...]:
    """Predicted minus reference per epoch.

    Both map the same ground, so the intervals of the rows say nothing about the difference: its
    uncertainty needs matched landslides (`stats.sizes.comparison`).

    Raises:
        ValueError: tables of other epochs or other study areas.
    """
    if [(r.epoch, r.study_km2) for r in predicted] != [(r.epoch, r.study_km2) for r in reference]:
        raise ValueError(
            f"found epochs {[r.epoch for r in predicted]} and {[r.epoch for r in reference]}; "
            "expected the same epochs over the same study areas"
        )
    return tuple(
        DensityDifference(
            epoch=a.epoch, n=a.n - b.n, total_m2=a.total_m2 - b.total_m2,
            per_km2=a.per_km2 - b.per_km2, area_percent=a.area_percent - b.area_percent,
            n_ratio=a.n / b.n if b.n else float("nan"),
            total_ratio=a.total_m2 / b.total_m2 if b.total_m2 else float("nan"),
        )
        for a, b in zip(predicted, reference, strict=True)
    )  # fmt: skip
