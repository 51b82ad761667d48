"""Readers of daily rain: point tables (parquet, csv), CF netCDF, and GeoTIFF stacks.

All give mm/day and missing days as NaN. Lattices are opened, not read: days and rows come later
through `GriddedRain.load`, so a file larger than memory works.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pyproj import CRS
from pyproj.exceptions import CRSError

from hazard.errors import DataError
from hazard.geo.grid import Block, FloatArray, Grid
from hazard.geo.rain_record import (
    DayArray,
    GriddedRain,
    PointRain,
    check_days,
    check_rain,
    rain_factor,
)
from hazard.geo.sources import NETCDF3_SIGNATURE, decoding, open_source, read_window

TABLE = "a parquet or csv table of daily rain at points"
STACK = "daily rain in a GeoTIFF stack"


def read_rain_points(
    path: Path | str,
    *,
    time: str = "time",
    x: str = "longitude",
    y: str = "latitude",
    value: str = "precip",
    station: str | None = None,
    crs: Any = "EPSG:4326",
    unit: str = "mm/day",
) -> PointRain:
    """Read a long table: one row per point and day.

    Points are told apart by their coordinates. Names that share a place and a series (the same
    pixel under two names) are merged and counted, else a leave-one-out error would be measured
    on a copy of the point left out.

    Args:
        path: parquet or csv, by suffix.
        time: column of the day.
        x: column of the longitude or easting.
        y: column of the latitude or northing.
        value: column of the rain.
        station: column of names; by default a point is named by its coordinates.
        crs: coordinate system of x and y.
        unit: unit of the rain, see `rain_factor`.

    Raises:
        DataError: unreadable or empty table, missing column, text where numbers belong, several
            values for one point and day, contradicting series at one place, impossible rain.
    """
    file = Path(path)
    factor = rain_factor(unit, file)
    wanted = {"time": time, "x": x, "y": y, "value": value}
    if station is not None:
        wanted["station"] = station
    frame = _read_table(file, list(wanted.values())).rename(
        columns={column: key for key, column in wanted.items()}
    )
    with decoding(file, f"days in {time!r} and numbers in {x!r}, {y!r}, {value!r}"):
        import pandas as pd

        day = pd.to_datetime(frame["time"], utc=True).dt.tz_localize(None)
        frame["day"] = day.to_numpy().astype("datetime64[D]")
        for key in ("x", "y", "value"):
            frame[key] = pd.to_numeric(frame[key]).astype(np.float64)
    if frame[["x", "y"]].isna().any().any() or np.isinf(frame[["x", "y"]]).any().any():
        raise DataError(file, found="points without coordinates", expected="finite x and y")
    try:
        system = CRS.from_user_input(crs)
    except CRSError as error:
        raise DataError(file, found=f"coordinate system {crs!r}", expected="a known one") from error
    if system.is_geographic and not (
        frame["x"].between(-360, 360).all() and frame["y"].between(-90, 90).all()
    ):
        raise DataError(file, found=f"{x!r} or {y!r} beyond 360 or 90 degrees", expected="degrees")
    names, series, place, merged = _pivot(frame, file)
    dates = np.unique(frame["day"].to_numpy().astype("datetime64[D]"))
    rain = np.full((dates.size, len(series)), np.nan)
    for column, (days, values) in enumerate(series):
        rain[np.searchsorted(dates, days), column] = values * factor
    check_rain(rain, file)
    return PointRain(
        dates=check_days(dates, file),
        rain_mm_day=rain,
        x=np.array([p[0] for p in place]),
        y=np.array([p[1] for p in place]),
        crs=system,
        names=tuple(names),
        n_merged=merged,
        source=str(file),
    )


def _read_table(file: Path, columns: list[str]) -> Any:
    if not file.is_file():
        raise DataError(file, found="no such file", expected=TABLE)
    import pandas as pd

    with decoding(file, TABLE):
        if file.suffix == ".parquet":
            frame = pd.read_parquet(file)
        elif file.suffix in (".csv", ".txt", ".gz"):
            frame = pd.read_csv(file)
        else:
            raise DataError(file, found=f"suffix {file.suffix!r}", expected=TABLE)
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise DataError(
            file,
            found=f"columns {', '.join(map(str, frame.columns))}",
            expected=f"column {missing[0]!r}",
        )
    if frame.empty:
        raise DataError(file, found="no rows", expected=TABLE)
    return frame[columns].copy()


def _pivot(
    frame: Any, file: Path
) -> tuple[list[str], list[tuple[DayArray, FloatArray]], list[tuple[float, float]], int]:
    """Name, series and place of every point; number of names merged into another."""
    keys = ["x", "y", *(["station"] if "station" in frame else [])]
    places: dict[tuple[float, float], int] = {}
    names: list[str] = []
    series: list[tuple[DayArray, FloatArray]] = []
    merged = 0
    for key, rows in frame.groupby(keys, sort=True):
        place = (float(key[0]), float(key[1]))
        name = str(key[2]) if len(key) > 2 else f"{place[1]:g} N {place[0]:g} E"
        rows = rows.sort_values("day")
        days = rows["day"].to_numpy().astype("datetime64[D]")
        if (np.diff(days).astype(np.int64) == 0).any():
            raise DataError(
                file, found=f"several values on one day at {name}", expected="one per point and day"
            )
        values = rows["value"].to_numpy(dtype=np.float64)
        if place not in places:
            places[place] = len(series)
            names.append(name)
            series.append((days, values))
            continue
        other_days, other = series[places[place]]
        if not (np.array_equal(days, other_days) and np.array_equal(values, other, equal_nan=True)):
            raise DataError(
                file,
                found=f"{name} and {names[places[place]]} at one place with different rain",
                expected="one series per place",
            )
        merged += 1
    return names, series, list(places), merged


def open_rain_netcdf(
    path: Path | str, *, variable: str | None = None, unit: str | None = None
) -> GriddedRain:
    """Open a CF netCDF of daily rain on (time, y, x).

    Args:
        path: netCDF file.
        variable: name; needed where several lie on the grid.
        unit: replaces the file's unit attribute (for files that say only "mm").

    Raises:
        DataError: undecodable, other axes, no daily time axis, not a rain rate, no coordinate
            system.
    """
    import xarray as xr

    file = Path(path)
    with open_source(file, variable=variable) as source:
        info = source.info
        grid = info.grid
        with file.open("rb") as stream:
            engine: Any = "scipy" if stream.read(3) == NETCDF3_SIGNATURE else "h5netcdf"
    factor = rain_factor(unit if unit is not None else info.units[0], file)
    with (
        decoding(file, "a CF netCDF with a daily time axis"),
        xr.open_dataset(file, engine=engine, decode_timedelta=False) as dataset,
    ):
        times = [n for n in dataset.dims if n in dataset.variables and _is_time(dataset[n])]
        if len(times) != 1 or dataset.sizes[times[0]] != info.count:
            raise DataError(
                file, found=f"time axes {times or 'none'} for {info.count} lattices",
                expected="one decoded time axis beside y and x",
            )  # fmt: skip
        stamps = dataset[times[0]].values
        name, y_dim, x_dim = _on_lattice(dataset, str(times[0]), grid, variable, file)
        south_up = bool(dataset[y_dim][0] < dataset[y_dim][-1])
        if np.issubdtype(stamps.dtype, np.datetime64):
            days = stamps.astype("datetime64[D]")
        else:  # calendars of climate models, such as noleap
            days = np.array(
                [f"{t.year:04d}-{t.month:02d}-{t.day:02d}" for t in stamps], dtype="datetime64[D]"
            )

    def load(day: slice, rows: slice, columns: slice) -> FloatArray:
        # All days in one request: chunks of such files span many days, and reading day by day
        # would unpack each of them once per day.
        if south_up:
            rows_in_file = slice(info.shape[0] - rows.stop, info.shape[0] - rows.start)
        else:
            rows_in_file = rows
        pick = {times[0]: day, y_dim: rows_in_file, x_dim: columns}
        with (
            decoding(file, f"rain of days {day.start} to {day.stop}"),
            xr.open_dataset(file, engine=engine, decode_times=False, cache=False) as opened,
        ):
            part = opened[name].transpose(times[0], ..., y_dim, x_dim).isel(pick)
            values = np.asarray(part.values, dtype=np.float64)
        values = values.reshape(-1, rows.stop - rows.start, columns.stop - columns.start)
        values = (values[:, ::-1] if south_up else values) * factor
        check_rain(values, file)
        return values

    return GriddedRain(dates=check_days(days, file), grid=grid, load=load, source=str(file))


def _on_lattice(
    dataset: Any, time: str, grid: Grid, variable: str | None, file: Path
) -> tuple[str, str, str]:
    """Variable over time on the lattice, and its y and x dimensions, told by their coordinates."""

    def same(dim: Any, axis: FloatArray) -> bool:
        if dim not in dataset.variables or dataset.sizes[dim] != axis.size:
            return False
        return bool(
            np.allclose(dataset[dim].values, axis, rtol=0, atol=0.1 * abs(axis[1] - axis[0]))
        )

    found = []
    for name, array in dataset.data_vars.items():
        y = [d for d in array.dims if same(d, grid.y) or same(d, grid.y[::-1])]
        x = [d for d in array.dims if same(d, grid.x) and d not in y]
        if time in array.dims and y and x and variable in (None, name):
            found.append((str(name), str(y[0]), str(x[0])))
    if len(found) != 1:
        raise DataError(
            file, found=f"variables over time on the lattice: {[f[0] for f in found] or 'none'}",
            expected="one (name it)",
        )  # fmt: skip
    return found[0]


def _is_time(axis: Any) -> bool:
    if np.issubdtype(axis.dtype, np.datetime64):
        return True
    return axis.dtype == object and hasattr(axis.values.flat[0], "calendar")


def _stack(
    source: Any, bands: Sequence[int], rows: slice, columns: slice, factor: float, file: Path
) -> FloatArray:
    window = Block(row0=rows.start, row1=rows.stop, col0=columns.start, col1=columns.stop)
    out = np.empty((len(bands), *window.shape))
    for index, band in enumerate(bands):
        values, _ = read_window(source, window, band + 1, nodata=None, categorical=False)
        out[index] = values
    out *= factor
    check_rain(out, file)
    return out


def open_rain_geotiffs(
    path: Path | str,
    *,
    first_day: dt.date | str | None = None,
    pattern: str | None = None,
    unit: str = "mm/day",
) -> GriddedRain:
    """Open a GeoTIFF with one band per day, or a folder with one file per day.

    Args:
        path: the file, or the folder.
        first_day: day of the first band (a file); bands follow day by day.
        pattern: name of a daily file with %Y, %m, %d (or %j), such as ``chirps_%Y%m%d.tif`` (a
            folder); other files of the folder are left alone.
        unit: unit of the values, see `rain_factor`.

    Raises:
        DataError: neither kind, no file fits the pattern, files on different lattices, no
            coordinate system.
    """
    root = Path(path)
    factor = rain_factor(unit, root)
    if root.is_dir():
        if pattern is None:
            raise DataError(root, found="a folder", expected="a date pattern for its files")
        files = _dated_files(root, pattern)
        dates = np.array(sorted(files), dtype="datetime64[D]")
        ordered = [files[str(day)] for day in dates]
        grid = _common_grid(ordered)

        def load_files(day: slice, rows: slice, columns: slice) -> FloatArray:
            parts = []
            for file in ordered[day]:
                with open_source(file) as opened:
                    parts.append(_stack(opened, [0], rows, columns, factor, file))
            return np.concatenate(parts)

        return GriddedRain(dates=dates, grid=grid, load=load_files, source=str(root / pattern))
    if first_day is None:
        raise DataError(root, found="no day of the first band", expected="first_day (ISO date)")
    try:
        start = np.datetime64(first_day, "D")
    except ValueError as error:
        raise DataError(root, found=f"first_day {first_day!r}", expected="an ISO date") from error
    with open_source(root) as source:
        info = source.info
        grid = info.grid

    def load(day: slice, rows: slice, columns: slice) -> FloatArray:
        with open_source(root) as opened:
            return _stack(opened, range(*day.indices(info.count)), rows, columns, factor, root)

    dates = start + np.arange(info.count)
    return GriddedRain(dates=check_days(dates, root), grid=grid, load=load, source=str(root))


def _dated_files(folder: Path, pattern: str) -> dict[str, Path]:
    """ISO day -> file, by a strptime pattern of the whole name."""
    found: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        try:
            day = dt.datetime.strptime(file.name, pattern).date().isoformat()
        except (ValueError, re.error):
            continue
        if day in found:
            raise DataError(
                folder, found=f"{file.name} and {found[day].name}", expected="one a day"
            )
        found[day] = file
    if not found:
        raise DataError(folder, found="no file named so", expected=f"files like {pattern!r}")
    return found


def _common_grid(files: Sequence[Path]) -> Grid:
    first: Grid | None = None
    for file in files:
        with open_source(file) as source:
            if source.info.count != 1:
                raise DataError(file, found=f"{source.info.count} bands", expected="one per file")
            grid = source.info.grid
        if first is None:
            first = grid
        elif not grid.same_as(first):
            raise DataError(
                file, found=f"lattice {grid.shape} at {grid.bounds}",
                expected=f"that of {files[0].name}: {first.shape} at {first.bounds}",
            )  # fmt: skip
    assert first is not None
    return first
