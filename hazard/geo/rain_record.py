"""Records of daily rain: at points, on a lattice, and as statistics per epoch.

Rain is in mm/day everywhere behind the readers. A missing day is NaN, never zero.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from pyproj import CRS

from hazard.errors import DataError
from hazard.geo.grid import FloatArray, Grid

DayArray = np.ndarray[Any, np.dtype[np.datetime64]]
IntArray = np.ndarray[Any, np.dtype[np.int64]]
BoolArray = np.ndarray[Any, np.dtype[np.bool_]]

# The largest fall ever measured in 24 hours is 1825 mm (Foc-Foc, La Reunion, 1966; WMO archive).
MOST_RAIN_MM_DAY = 2000.0
SECONDS_PER_DAY = 86400.0

# Unit as written -> factor to mm/day; one kilogram of water per square metre is one millimetre.
RAIN_UNITS: dict[str, float] = {
    "mm/day": 1.0,
    "mm/d": 1.0,
    "mm day-1": 1.0,
    "mm d-1": 1.0,
    "kg m-2 day-1": 1.0,
    "kg m-2 d-1": 1.0,
    "mm s-1": SECONDS_PER_DAY,
    "mm/s": SECONDS_PER_DAY,
    "kg m-2 s-1": SECONDS_PER_DAY,
    "kg/m2/s": SECONDS_PER_DAY,
    "m day-1": 1000.0,
    "m d-1": 1000.0,
}


class RainEpoch(Protocol):
    """What rain statistics need to know of an epoch: `start` and `length_days` from there on."""

    @property
    def name(self) -> str:
        """Name for titles and errors."""
        ...

    @property
    def start(self) -> dt.date:
        """First day."""
        ...

    @property
    def length_days(self) -> int:
        """Number of days, the first included."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class PointRain:
    """Daily rain at points.

    Attributes:
        dates: (day,) datetime64[D], increasing, gaps allowed.
        rain_mm_day: (day, site) float64, NaN where missing.
        x: (site,) easting or longitude.
        y: (site,) northing or latitude.
        crs: coordinate system of x and y.
        names: names of the sites.
        n_merged: names that were given twice for one place and the same series.
        source: file.
    """

    dates: DayArray
    rain_mm_day: FloatArray
    x: FloatArray
    y: FloatArray
    crs: CRS
    names: tuple[str, ...]
    n_merged: int = 0
    source: str = "points"

    def xy_in(self, crs: CRS) -> tuple[FloatArray, FloatArray]:
        """Coordinates of the sites in another system."""
        from pyproj import Transformer

        x, y = Transformer.from_crs(self.crs, crs, always_xy=True).transform(self.x, self.y)
        return np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)


@dataclass(frozen=True, kw_only=True, eq=False)
class GriddedRain:
    """Daily rain on a regular lattice, read piece by piece.

    Attributes:
        dates: (day,) datetime64[D], increasing, gaps allowed.
        grid: the file's lattice, north-up.
        load: (days, rows, columns) slices -> (day, y, x) float64 mm/day, NaN where missing.
        source: file or folder.
    """

    dates: DayArray
    grid: Grid
    load: Callable[[slice, slice, slice], FloatArray]
    source: str = "lattice"


DailyRain = PointRain | GriddedRain


def rain_factor(unit: str, source: object) -> float:
    """Factor from `unit` to mm/day.

    Raises:
        DataError: not a rain rate; "mm" alone is refused, for it does not say per what.

    Example:
        >>> rain_factor("kg m-2 s-1", "a.nc"), rain_factor("mm/day", "a.nc")
        (86400.0, 1.0)
    """
    key = " ".join(unit.strip().split()).replace("**", "").replace("^", "")
    if key not in RAIN_UNITS:
        raise DataError(
            source, found=f"rain unit {unit!r}", expected="one of " + ", ".join(RAIN_UNITS)
        )
    return RAIN_UNITS[key]


def check_rain(values: FloatArray, source: object) -> None:
    """Refuse rain that cannot be: negative, infinite, or above the record by far.

    Raises:
        DataError: with the count and the extremes.

    Example:
        >>> check_rain(np.array([0.0, np.nan, 80.0]), "a.csv")
    """
    wrong = ~np.isnan(values) & ~((values >= 0) & (values <= MOST_RAIN_MM_DAY))
    if wrong.any():
        raise DataError(
            source,
            found=f"{int(wrong.sum())} daily values between {values[wrong].min():g} and "
            f"{values[wrong].max():g} mm/day",
            expected=f"0 to {MOST_RAIN_MM_DAY:g} mm/day (missing days as NaN or nodata)",
        )


def check_days(dates: DayArray, source: object) -> DayArray:
    """The days as increasing datetime64[D].

    Raises:
        DataError: none, undated, not in order, or several values for one day.
    """
    days = np.asarray(dates, dtype="datetime64[D]")
    if days.size == 0 or np.isnat(days).any():
        raise DataError(source, found="no days, or undated ones", expected="dated daily values")
    step = np.diff(days).astype(np.int64)
    if (step == 0).any():
        day = days[1:][step == 0][0]
        raise DataError(
            source, found=f"several values for {day}", expected="one per day (sum them first)"
        )
    if (step < 0).any():
        raise DataError(source, found="days that run backwards", expected="days in order")
    return days
