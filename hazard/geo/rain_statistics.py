"""Statistics of daily rain per epoch where the rain was observed, and their climatology.

A day missing from the record is missing, not dry: days are counted against the length of the
epoch, and an epoch with too small a share is an error that names it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from hazard.errors import DataError
from hazard.geo.grid import Block, FloatArray
from hazard.geo.rain_record import (
    DailyRain,
    DayArray,
    GriddedRain,
    IntArray,
    PointRain,
    RainEpoch,
    check_rain,
)

PERCENTILES = (2.5, 97.5)
DEFAULT_MAX_BYTES = 256 << 20

Window = tuple[np.datetime64, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class SiteStatistics:
    """Statistics of daily rain per epoch, at sites or on a lattice.

    Attributes:
        epochs: names.
        maximum: (epoch, ...site) largest daily rain [mm/day], NaN where too few days.
        width: (epoch, ...site) 97.5 minus 2.5 percentile of daily rain [mm/day].
        days_present: (epoch, ...site) days with a value (mean over the years for a climatology).
        days_expected: (epoch,) length of the epoch [day].
        n_years: (epoch,) years averaged; 1 and the epoch's own where `climatology` is False.
        climatology: True where other years stand for the epoch's own.
    """

    epochs: tuple[str, ...]
    maximum: FloatArray
    width: FloatArray
    days_present: FloatArray
    days_expected: IntArray
    n_years: IntArray
    climatology: bool


def day_statistics(days: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Maximum, and 97.5 minus 2.5 percentile (linear interpolation), over the first axis.

    Args:
        days: (day, ...) mm/day; NaN is skipped, all NaN gives NaN.

    Example:
        >>> day_statistics(np.arange(41.0)[:, None])
        (array([40.]), array([38.]))
    """
    empty = np.isnan(days).all(axis=0)
    # A column without a day would warn: it is computed on zeros and set to NaN afterwards.
    filled = np.where(empty, 0.0, days)
    low, high = np.nanpercentile(filled, PERCENTILES, axis=0)
    return np.where(empty, np.nan, np.nanmax(filled, axis=0)), np.where(empty, np.nan, high - low)


def _own_window(epoch: RainEpoch) -> list[Window]:
    return [(np.datetime64(epoch.start, "D"), int(epoch.length_days))]


def _other_years(epoch: RainEpoch, dates: DayArray, years: str) -> list[Window]:
    """The same calendar window in other years of the record, none overlapping the epoch's own."""
    start, length = epoch.start, int(epoch.length_days)
    own = np.datetime64(start, "D")
    windows: list[Window] = []
    for year in range(int(str(dates[0])[:4]) - 1, int(str(dates[-1])[:4]) + 1):
        try:
            moved = dt.date(year, start.month, start.day)
        except ValueError:  # 29 February
            moved = dt.date(year, 2, 28)
        other = np.datetime64(moved, "D")
        apart = int(abs((other - own).astype(np.int64)))
        if apart >= length and (years == "other" or other < own):
            windows.append((other, length))
    return windows


def _accumulate(
    dates: DayArray,
    windows: Sequence[Window],
    load: Callable[[slice], FloatArray],
    site_shape: tuple[int, ...],
    minimum_share: float,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Mean over windows of maximum, width and day count; number of windows used, per site."""
    totals = np.zeros((3, *site_shape))
    used = np.zeros(site_shape)
    for start, length in windows:
        low, high = np.searchsorted(dates, [start, start + np.timedelta64(length, "D")])
        if high - low < minimum_share * length or high == low:
            continue
        days = load(slice(int(low), int(high)))
        present = np.isfinite(days).sum(axis=0)
        enough = present >= max(1.0, minimum_share * length)
        maximum, width = day_statistics(days)
        for total, value in zip(totals, (maximum, width, present), strict=True):
            total[enough] += value[enough]
        used[enough] += 1
    with np.errstate(invalid="ignore"):
        mean = np.where(used > 0, totals / used, np.nan)
    return mean[0], mean[1], mean[2], used


def _point_days(rain: FloatArray, days: slice) -> FloatArray:
    return rain[days]


def _lattice_days(daily: GriddedRain, rows: slice, columns: slice, days: slice) -> FloatArray:
    return daily.load(days, rows, columns)


def site_statistics(
    daily: DailyRain,
    epochs: Sequence[RainEpoch],
    *,
    minimum_share: float = 0.9,
    years: Literal["own", "other", "past"] = "own",
    window: Block | None = None,
    max_bytes: int = DEFAULT_MAX_BYTES,
    progress: Callable[[int], None] | None = None,
) -> SiteStatistics:
    """Statistics of daily rain per epoch where the rain was observed.

    Args:
        daily: points or lattice.
        epochs: windows of time (`start`, `length_days`, `name`).
        minimum_share: share of the epoch's days that a site must have; sites below it are NaN in
            that epoch, and an epoch without any site is an error.
        years: ``own`` days, or a climatology: the same calendar window of ``other`` years, or of
            ``past`` years only, statistics taken per year and averaged over the years.
        window: part of a lattice; default all.
        max_bytes: largest block of days held at once.
        progress: called with the number of epochs done.

    Raises:
        DataError: an epoch without enough days, named; impossible rain.
    """
    if not 0 < minimum_share <= 1:
        raise ValueError(f"minimum_share {minimum_share}; use 0 < share <= 1")
    if years not in ("own", "other", "past"):
        raise ValueError(f"years {years!r}; use 'own', 'other' or 'past'")
    if not epochs:
        raise DataError(daily.source, found="no epoch", expected="at least one")
    shape: tuple[int, ...]
    if isinstance(daily, PointRain):
        shape = (daily.x.size,)
    else:
        part = window or Block(row0=0, row1=daily.grid.shape[0], col0=0, col1=daily.grid.shape[1])
        shape = part.shape
    out = np.full((4, len(epochs), *shape), np.nan)
    lengths = np.array([int(epoch.length_days) for epoch in epochs], dtype=np.int64)
    for index, epoch in enumerate(epochs):
        windows = _own_window(epoch) if years == "own" else _other_years(epoch, daily.dates, years)
        if isinstance(daily, PointRain):
            out[:, index] = _accumulate(
                daily.dates, windows, partial(_point_days, daily.rain_mm_day), shape, minimum_share
            )
        else:
            longest = int(lengths[index])
            rows = max(1, max_bytes // (24 * max(1, longest) * part.shape[1]))
            for row in range(0, part.shape[0], rows):
                band = slice(part.row0 + row, min(part.row0 + row + rows, part.row1))
                columns = slice(part.col0, part.col1)
                out[:, index, row : row + rows] = _accumulate(
                    daily.dates,
                    windows,
                    partial(_lattice_days, daily, band, columns),
                    (band.stop - band.start, part.shape[1]),
                    minimum_share,
                )
        if not (out[3, index] > 0).any():
            _refuse_epoch(daily, epoch, windows, minimum_share)
        if progress is not None:
            progress(index + 1)
    check_rain(out[0], daily.source)
    return SiteStatistics(
        epochs=tuple(epoch.name for epoch in epochs),
        maximum=out[0],
        width=out[1],
        days_present=out[2],
        days_expected=lengths,
        n_years=out[3].reshape(len(epochs), -1).max(axis=1).astype(np.int64),
        climatology=years != "own",
    )


def _refuse_epoch(
    daily: DailyRain, epoch: RainEpoch, windows: Sequence[Window], minimum_share: float
) -> None:
    counts = [
        int(np.diff(np.searchsorted(daily.dates, [s, s + np.timedelta64(n, "D")]))[0])
        for s, n in windows
    ]
    raise DataError(
        daily.source,
        found=f"{max(counts, default=0)} of {epoch.length_days} days of epoch {epoch.name!r} "
        f"(from {epoch.start}) at the best site; the record runs {daily.dates[0]} to "
        f"{daily.dates[-1]}",
        expected=f"at least {minimum_share:.0%} of the days",
    )


def climatology(
    daily: DailyRain,
    epochs: Sequence[RainEpoch],
    *,
    years: Literal["other", "past"] = "other",
    minimum_share: float = 0.9,
    window: Block | None = None,
    max_bytes: int = DEFAULT_MAX_BYTES,
) -> SiteStatistics:
    """The epochs' rain statistics as other years have them: what could be known beforehand.

    The same calendar window is taken from each other year of the record, windows that overlap
    the epoch's own are left out, and the statistics per year are averaged. With ``past``, only
    windows that start before the epoch count, as a forecast needs.

    Raises:
        DataError: no other year has enough days; the epoch is named.
    """
    return site_statistics(
        daily, epochs, minimum_share=minimum_share, years=years, window=window, max_bytes=max_bytes
    )
