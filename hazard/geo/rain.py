"""Rain per epoch: maximum daily rainfall and width of the 2.5-97.5 percentile range, on a Grid.

Statistics come first, at the sites where the days were observed, and are interpolated after. The
other order would interpolate every day and take the maximum of smoothed days, which lies below
the maximum of the observed ones because storms do not peak everywhere on the same day.

`rain_on_grid` is the door; reading is in `rain_read`, statistics and climatology in
`rain_statistics`, interpolation in `rain_interpolation`, the records in `rain_record`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hazard.errors import DataError
from hazard.geo.grid import Block, FloatArray, Grid
from hazard.geo.rain_interpolation import (
    METHODS,
    LeaveOneOut,
    Method,
    choose_method,
    interpolate,
    leave_one_out,
    usable_methods,
)
from hazard.geo.rain_record import (
    BoolArray,
    DailyRain,
    GriddedRain,
    PointRain,
    RainEpoch,
)
from hazard.geo.rain_statistics import (
    DEFAULT_MAX_BYTES,
    SiteStatistics,
    climatology,
    day_statistics,
    site_statistics,
)

__all__ = [
    "RainLayers",
    "SiteStatistics",
    "climatology",
    "day_statistics",
    "rain_on_grid",
    "site_statistics",
]

STATISTICS = ("rain_max_mm_day", "rain_width_mm_day")


@dataclass(frozen=True, kw_only=True, eq=False)
class RainLayers:
    """Rain statistics on a grid, with how they came about.

    Attributes:
        layers: name -> (epoch, y, x) float64 [mm/day], NaN where invalid.
        valid: (epoch, y, x) bool.
        grid: the (trigger) grid.
        epochs: names.
        method: name -> interpolation used ("bilinear" from a lattice).
        leave_one_out: error of every method tried, per epoch and statistic; empty for a lattice.
        sites: the statistics before interpolation.
        nearest_site_m: median and maximum distance from a cell to the nearest site [m]; NaN for
            a lattice.
        notes: sentences for the provenance of the layers.
        source: file.
    """

    layers: dict[str, FloatArray]
    valid: BoolArray
    grid: Grid
    epochs: tuple[str, ...]
    method: dict[str, str]
    leave_one_out: tuple[LeaveOneOut, ...]
    sites: SiteStatistics
    nearest_site_m: tuple[float, float]
    notes: tuple[str, ...]
    source: str


def rain_on_grid(
    daily: DailyRain,
    epochs: Sequence[RainEpoch],
    grid: Grid,
    *,
    method: Method | Literal["auto"] = "auto",
    minimum_share: float = 0.9,
    years: Literal["own", "other", "past"] = "own",
    max_bytes: int = DEFAULT_MAX_BYTES,
    progress: Callable[[int], None] | None = None,
) -> RainLayers:
    """Maximum daily rainfall and width of its central 95 % range per epoch, on `grid`.

    Args:
        daily: points or lattice.
        epochs: windows of time.
        grid: target (trigger) grid; may be coarser than the study's cells.
        method: interpolation between points; ``auto`` takes the one with the lowest leave-one-out
            error, pooled over epochs and statistics, and says so in the notes. Ignored for a
            lattice, which is bilinear.
        minimum_share: see `site_statistics`.
        years: see `site_statistics`.
        max_bytes: see `site_statistics`.
        progress: called with the number of epochs read.

    Raises:
        DataError: too few days or points, no overlap with the grid, impossible rain.
    """
    if method != "auto" and method not in METHODS:
        raise ValueError(f"method {method!r}; use auto or one of {METHODS}")
    if isinstance(daily, GriddedRain):
        return _from_lattice(
            daily, epochs, grid, minimum_share=minimum_share, years=years,
            max_bytes=max_bytes, progress=progress,
        )  # fmt: skip
    grid.require_metres("distances between rain sites")
    sites = site_statistics(
        daily, epochs, minimum_share=minimum_share, years=years, progress=progress
    )
    return _from_points(daily, sites, grid, method)


def _from_points(
    daily: PointRain, sites: SiteStatistics, grid: Grid, method: Method | Literal["auto"]
) -> RainLayers:
    x, y = daily.xy_in(grid.crs)
    left, bottom, right, top = grid.bounds
    inside = (x >= left) & (x <= right) & (y >= bottom) & (y <= top)
    notes = [
        f"statistics at {x.size} points ({int(inside.sum())} inside the grid), then interpolated"
    ]
    if daily.n_merged:
        notes.append(f"{daily.n_merged} points repeated another one and were merged")
    if sites.climatology:
        notes.append(f"climatology of {sites.n_years.min()} to {sites.n_years.max()} other years")
    at_x, at_y = (a.ravel() for a in np.meshgrid(grid.x, grid.y))
    values_of = dict(zip(STATISTICS, (sites.maximum, sites.width), strict=True))
    fewest = int(np.isfinite(sites.maximum).sum(axis=1).min())
    candidates = usable_methods(x, y, fewest, daily.source) if method == "auto" else (method,)
    errors = [
        leave_one_out(
            x, y, values[e], method=candidate, epoch=epoch, statistic=name, inside=inside,
            source=daily.source,
        )
        for name, values in values_of.items()
        for candidate in candidates
        for e, epoch in enumerate(sites.epochs)
    ]  # fmt: skip
    scale = {name: float(np.nanvar(values)) for name, values in values_of.items()}
    best = choose_method(errors, scale)
    if method == "auto":
        notes.append(
            f"{best} has the lowest leave-one-out error of {', '.join(candidates)}, pooled over "
            "epochs and statistics; the lowest of several errors is a slightly optimistic one"
        )
    layers: dict[str, FloatArray] = {}
    for name, values in values_of.items():
        layer = np.empty((len(sites.epochs), *grid.shape))
        beyond = 0
        for e in range(len(sites.epochs)):
            have = np.isfinite(values[e])
            seen = values[e][have]
            raw = interpolate(x[have], y[have], seen, at_x, at_y, method=best, source=daily.source)
            slack = 1e-9 * max(1.0, float(seen.max()))
            beyond += int(((raw < seen.min() - slack) | (raw > seen.max() + slack)).sum())
            layer[e] = np.maximum(raw, 0.0).reshape(grid.shape)
        if beyond:
            notes.append(
                f"{name}: {beyond} cell-epochs lie beyond the range of the points ({best} can "
                "overshoot); values below zero were set to zero"
            )
        layers[name] = layer
    dropped = int((~np.isfinite(sites.maximum)).sum())
    if dropped:
        notes.append(f"{dropped} point-epochs have too few days and took no part")
    gaps = _nearest(x, y, at_x, at_y)
    return RainLayers(
        layers=layers,
        valid=np.ones((len(sites.epochs), *grid.shape), dtype=bool),
        grid=grid,
        epochs=sites.epochs,
        method=dict.fromkeys(STATISTICS, best),
        leave_one_out=tuple(errors),
        sites=sites,
        nearest_site_m=(float(np.median(gaps)), float(gaps.max())),
        notes=tuple(notes),
        source=daily.source,
    )


def _nearest(x: FloatArray, y: FloatArray, at_x: FloatArray, at_y: FloatArray) -> FloatArray:
    from scipy.spatial import KDTree

    gap, _ = KDTree(np.column_stack([x, y])).query(np.column_stack([at_x, at_y]))
    return np.asarray(gap, dtype=np.float64)


def _window_over(daily: GriddedRain, grid: Grid) -> Block:
    """Rows and columns of the lattice under `grid`, with two more on every side."""
    from pyproj import Transformer

    to_lattice = Transformer.from_crs(grid.crs, daily.grid.crs, always_xy=True)
    left, bottom, right, top = to_lattice.transform_bounds(*grid.bounds, densify_pts=51)
    t, (rows, cols) = daily.grid.transform, daily.grid.shape
    col0 = max(0, math.floor((left - t.c) / t.a) - 2)
    col1 = min(cols, math.ceil((right - t.c) / t.a) + 2)
    row0 = max(0, math.floor((top - t.f) / t.e) - 2)
    row1 = min(rows, math.ceil((bottom - t.f) / t.e) + 2)
    if row1 - row0 < 2 or col1 - col0 < 2:
        raise DataError(
            daily.source,
            found=f"bounds {tuple(round(b, 3) for b in daily.grid.bounds)}",
            expected="overlap of at least 2 x 2 rain pixels with the grid",
        )
    return Block(row0=row0, row1=row1, col0=col0, col1=col1)


def _from_lattice(
    daily: GriddedRain,
    epochs: Sequence[RainEpoch],
    grid: Grid,
    *,
    minimum_share: float,
    years: Literal["own", "other", "past"],
    max_bytes: int,
    progress: Callable[[int], None] | None,
) -> RainLayers:
    from pyproj import Transformer
    from scipy.interpolate import RegularGridInterpolator

    window = _window_over(daily, grid)
    sites = site_statistics(
        daily, epochs, minimum_share=minimum_share, years=years, window=window,
        max_bytes=max_bytes, progress=progress,
    )  # fmt: skip
    part = daily.grid.crop(window)
    at_x, at_y = np.meshgrid(grid.x, grid.y)
    lon, lat = Transformer.from_crs(grid.crs, part.crs, always_xy=True).transform(at_x, at_y)
    # Within the outermost half pixel the edge value holds; beyond the file nothing does.
    half_x, half_y = part.cell_size[0] / 2, part.cell_size[1] / 2
    inside = (lon >= part.x[0] - half_x) & (lon <= part.x[-1] + half_x)
    inside &= (lat <= part.y[0] + half_y) & (lat >= part.y[-1] - half_y)
    points = np.stack(
        [np.clip(lat, part.y[-1], part.y[0]), np.clip(lon, part.x[0], part.x[-1])], axis=-1
    )
    layers: dict[str, FloatArray] = {}
    for name, values in zip(STATISTICS, (sites.maximum, sites.width), strict=True):
        stack = np.moveaxis(values, 0, -1)[::-1]
        at = RegularGridInterpolator((part.y[::-1], part.x), stack, method="linear")(points)
        layers[name] = np.moveaxis(np.where(inside[..., None], at, np.nan), -1, 0)
    valid = np.isfinite(layers[STATISTICS[0]]) & np.isfinite(layers[STATISTICS[1]])
    notes = [f"statistics on {part.shape[0]} x {part.shape[1]} rain pixels, then bilinear"]
    if not valid.all():
        notes.append(f"{int((~valid).sum())} cell-epochs lie outside the rain file or on its gaps")
    if sites.climatology:
        notes.append(f"climatology of {sites.n_years.min()} to {sites.n_years.max()} other years")
    return RainLayers(
        layers=layers, valid=valid, grid=grid, epochs=sites.epochs,
        method=dict.fromkeys(STATISTICS, "bilinear"), leave_one_out=(), sites=sites,
        nearest_site_m=(math.nan, math.nan), notes=tuple(notes), source=daily.source,
    )  # fmt: skip
