"""USGS ShakeMap grids: `grid.xml` and `grid.xml.gz` to arrays in SI units, and onto a Grid.

A ShakeMap grid is a table of rows (lon, lat, fields...) inside XML, with the unit of each field
written beside it. The units are read from the file and converted at this door: peak accelerations
from percent of g to m/s2. Fields that start with STD are standard deviations of natural
logarithms (of intensity units for MMI): they have no unit and are never converted.

Format: Worden, C. B. and Wald, D. J. (2016), ShakeMap Manual Online, U.S. Geological Survey,
doi:10.5066/F7D21VPQ.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from hazard.errors import DataError
from hazard.geo.grid import FloatArray, Grid
from hazard.geo.shakemap_units import layer_name, possible_range, unit_table
from hazard.geo.xml_stream import DEFAULT_MAX_BYTES, stream_xml

if TYPE_CHECKING:
    from hazard.geo.raster import Raster

EXPECTED = "a ShakeMap grid (shakemap_grid XML, plain or gzip)"
Resampling = Literal["bilinear", "nearest"]


@dataclass(frozen=True, kw_only=True)
class ShakeEvent:
    """The earthquake a ShakeMap describes.

    Attributes:
        event_id: identifier of the network.
        magnitude: moment or local magnitude as given.
        depth_km: hypocentral depth [km].
        lat_deg: epicentre, degrees north.
        lon_deg: epicentre, degrees east.
        time: origin time (UTC).
        description: place in words.
        version: version of the map.
        network: reporting network, empty where not given.
        status: RELEASED, AUTOMATIC, ... or empty.
    """

    event_id: str
    magnitude: float
    depth_km: float
    lat_deg: float
    lon_deg: float
    time: datetime
    description: str = ""
    version: str = ""
    network: str = ""
    status: str = ""


@dataclass(frozen=True, kw_only=True)
class ShakeMap:
    """One event's shaking on its own longitude-latitude lattice.

    Attributes:
        event: the earthquake.
        lon: (x,) degrees east, increasing.
        lat: (y,) degrees north, decreasing.
        layers: name -> (y, x) float64; NaN where the file says nan.
        units: name -> CF unit string; "1" is dimensionless.
        source_fields: name -> (field name, unit) as written in the file.
        uncertainty: event-specific uncertainty as written: name -> value.
        path: file it came from, empty for one made in memory.
    """

    event: ShakeEvent
    lon: FloatArray
    lat: FloatArray
    layers: Mapping[str, FloatArray]
    units: Mapping[str, str]
    source_fields: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    uncertainty: Mapping[str, float] = field(default_factory=dict)
    path: str = ""

    @property
    def shape(self) -> tuple[int, int]:
        """(rows of latitude, columns of longitude)."""
        return self.lat.size, self.lon.size


def _parse_time(value: str, path: Path) -> datetime:
    # Writers differ: "...UTC", "...GMT", "...Z" or nothing; all mean UTC.
    trimmed = re.sub(r"\s*(UTC|GMT|Z)\s*$", "", value.strip())
    try:
        moment = datetime.fromisoformat(trimmed)
    except ValueError as error:
        raise DataError(
            path, found=f"event_timestamp {value!r}", expected="an ISO 8601 time in UTC"
        ) from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class _Collector:
    """Callbacks that gather the header and the table of numbers, piece by piece."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.root: dict[str, str] | None = None
        self.event: dict[str, str] | None = None
        self.specification: dict[str, str] | None = None
        self.fields: dict[int, tuple[str, str]] = {}
        self.uncertainty: dict[str, float] = {}
        self.pieces: list[FloatArray] = []
        self.count = 0
        self.limit: int | None = None
        self._rest = ""
        self._inside = False

    def number(self, attributes: Mapping[str, str], key: str, owner: str) -> float:
        try:
            value = float(attributes[key])
        except KeyError:
            raise DataError(
                self.path, found=f"no attribute {key!r} in <{owner}>", expected=EXPECTED
            ) from None
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise DataError(
                self.path, found=f"{owner} {key}={attributes[key]!r}", expected="a finite number"
            )
        return value

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if self.root is None:
            if tag != "shakemap_grid":
                raise DataError(self.path, found=f"root element <{tag}>", expected=EXPECTED)
            self.root = attributes
        elif tag == "event":
            self.event = attributes
        elif tag == "grid_specification":
            self.specification = attributes
        elif tag == "event_specific_uncertainty":
            name = attributes.get("name", "")
            self.uncertainty[name] = self.number(attributes, "value", f"{tag} {name}")
        elif tag == "grid_field":
            index = int(self.number(attributes, "index", tag))
            if index in self.fields or "name" not in attributes:
                raise DataError(
                    self.path, found=f"grid_field {index} twice or without a name",
                    expected="one named field per column",
                )  # fmt: skip
            self.fields[index] = (attributes["name"], attributes.get("units", ""))
        elif tag == "grid_data":
            self._inside = True
            if self.specification is not None and self.fields:
                cells = self.number(self.specification, "nlon", "grid_specification")
                cells *= self.number(self.specification, "nlat", "grid_specification")
                self.limit = int(cells) * len(self.fields)

    def text(self, piece: str) -> None:
        if self._inside:
            # The last token may be cut in two: it waits for the next piece.
            head, rest = re.fullmatch(r"(?s)(.*\s|)(\S*)", self._rest + piece).groups()  # type: ignore[union-attr]
            self._rest = rest
            self._add(head)

    def end(self, tag: str) -> None:
        if tag == "grid_data":
            self._add(self._rest)
            self._rest, self._inside = "", False

    def _add(self, text: str) -> None:
        tokens = text.split()
        if not tokens:
            return
        try:
            values = np.array([float(token) for token in tokens])
        except ValueError as error:
            raise DataError(
                self.path, found=f"grid_data that is not numeric ({error})", expected="numbers"
            ) from error
        self.count += values.size
        if self.limit is not None and self.count > self.limit:
            raise DataError(
                self.path, found="more numbers than nlon x nlat x fields",
                expected=f"{self.limit} numbers",
            )  # fmt: skip
        self.pieces.append(values)


def _axis(low: float, high: float, count: int, observed: FloatArray) -> FloatArray | None:
    """Exact axis from the specification where the rounded coordinates of the rows agree."""
    axis = np.linspace(low, high, count)
    tolerance = 0.1 * (high - low) / (count - 1)
    return axis if bool(np.all(np.abs(observed - axis) <= tolerance)) else None


def read_shakemap(path: Path | str, *, max_bytes: int = DEFAULT_MAX_BYTES) -> ShakeMap:
    """Read every layer of a ShakeMap grid, in SI units.

    Args:
        path: `grid.xml` or `grid.xml.gz` (recognised by content).
        max_bytes: limit of the unpacked size.

    Returns:
        The event, the lattice (longitude increasing, latitude decreasing) and all fields:
        PGA and PSA in m/s2, PGV in cm/s (`pgv_cm_s`), MMI, site velocity in m/s (`svel_m_s`),
        STD fields as `*_ln_sigma` without conversion.

    Raises:
        DataError: not a ShakeMap grid, truncated, unknown unit, rows that do not fit
            nlon x nlat, coordinates that do not fit the specification, impossible values.
    """
    file = Path(path)
    collector = _Collector(file)
    stream_xml(
        file, start=collector.start, end=collector.end, text=collector.text,
        expected=EXPECTED, max_bytes=max_bytes,
    )  # fmt: skip
    event = _event(collector)
    lon, lat, table, columns = _table(collector)
    layers: dict[str, FloatArray] = {}
    units: dict[str, str] = {}
    sources: dict[str, tuple[str, str]] = {}
    for column, (name, unit) in columns.items():
        if name.strip().upper() in ("LON", "LAT"):
            continue
        known = unit_table(name)
        if unit.strip().lower() not in known:
            raise DataError(
                file,
                found=f"unit {unit!r} of field {name}",
                expected="one of " + ", ".join(repr(key) for key in known),
            )
        factor, ours = known[unit.strip().lower()]
        ours_name = layer_name(name)
        if ours_name in layers:
            raise DataError(file, found=f"field {name} twice", expected="each field once")
        values = table[:, :, column] * factor
        low, high = possible_range(ours_name)
        # NaN marks a cell the map does not speak of; anything else must be possible.
        wrong = ~np.isnan(values) & ~((values >= low) & (values <= high))
        if wrong.any() or np.isinf(values).any():
            raise DataError(
                file,
                found=f"{name}: {int(wrong.sum())} values outside {low:g} to {high:g} {ours}",
                expected="possible values in the stated unit",
            )
        layers[ours_name], units[ours_name] = values, ours
        sources[ours_name] = (name, unit)
    if not layers:
        raise DataError(file, found="no field beside LON and LAT", expected=EXPECTED)
    return ShakeMap(
        event=event, lon=lon, lat=lat, layers=layers, units=units, source_fields=sources,
        uncertainty=dict(collector.uncertainty), path=str(file),
    )  # fmt: skip


def _event(collector: _Collector) -> ShakeEvent:
    attributes, root = collector.event, collector.root
    if root is None or attributes is None:
        raise DataError(collector.path, found="no <event> element", expected=EXPECTED)
    number: Callable[[str], float] = lambda key: collector.number(attributes, key, "event")  # noqa: E731
    return ShakeEvent(
        event_id=attributes.get("event_id") or root.get("event_id", ""),
        magnitude=number("magnitude"),
        depth_km=number("depth"),
        lat_deg=number("lat"),
        lon_deg=number("lon"),
        time=_parse_time(attributes.get("event_timestamp", ""), collector.path),
        description=attributes.get("event_description", ""),
        version=root.get("shakemap_version", ""),
        network=attributes.get("event_network", ""),
        status=root.get("map_status", ""),
    )


def _table(
    collector: _Collector,
) -> tuple[FloatArray, FloatArray, FloatArray, dict[int, tuple[str, str]]]:
    """Axes, the (y, x, field) table in north-up order, and column -> (name, unit)."""
    file, specification = collector.path, collector.specification
    if specification is None:
        raise DataError(file, found="no <grid_specification>", expected=EXPECTED)
    count = [
        int(collector.number(specification, k, "grid_specification")) for k in ("nlon", "nlat")
    ]
    nlon, nlat = count
    if min(count) < 2:
        raise DataError(file, found=f"a lattice of {nlon} x {nlat}", expected="at least 2 x 2")
    indices = sorted(collector.fields)
    if indices != list(range(1, len(indices) + 1)):
        raise DataError(
            file, found=f"field indices {indices}", expected="columns numbered 1, 2, 3, ..."
        )
    columns = {index - 1: collector.fields[index] for index in indices}
    names = {name.strip().upper(): column for column, (name, _) in columns.items()}
    if not {"LON", "LAT"} <= set(names):
        raise DataError(file, found=f"fields {sorted(names)}", expected="LON and LAT among them")
    expected_count = nlon * nlat * len(columns)
    if collector.count != expected_count:
        raise DataError(
            file,
            found=f"{collector.count} numbers in grid_data",
            expected=f"{nlon} x {nlat} rows of {len(columns)} fields = {expected_count}",
        )
    table = np.concatenate(collector.pieces).reshape(nlat, nlon, len(columns))
    if table[0, 0, names["LAT"]] < table[-1, 0, names["LAT"]]:
        table = table[::-1]
    box = {
        key: collector.number(specification, key, "grid_specification")
        for key in ("lon_min", "lon_max", "lat_min", "lat_max")
    }
    # A map across the date line continues beyond 180 degrees east.
    lon_max = box["lon_max"] + (360.0 if box["lon_max"] <= box["lon_min"] else 0.0)
    east = table[:, :, names["LON"]]
    east = np.where(east < box["lon_min"] - 1.0, east + 360.0, east)
    lon = _axis(box["lon_min"], lon_max, nlon, east)
    north = table[:, :, names["LAT"]]
    up = _axis(box["lat_min"], box["lat_max"], nlat, north[::-1].T)
    if lon is None or up is None or box["lat_max"] <= box["lat_min"]:
        raise DataError(
            file,
            found="coordinates of the rows that differ from grid_specification",
            expected="a regular lattice, longitude running fastest",
        )
    return lon, up[::-1].copy(), table, columns


def shakemap_on_grid(
    shakemap: ShakeMap, grid: Grid, layer: str = "pga", *, resampling: Resampling = "bilinear"
) -> Raster:
    """Interpolate one layer to the cell centres of `grid`.

    Cell centres are taken back to longitude and latitude (the lattice's own coordinates), so the
    values are interpolated once and on the lattice they were computed on. There is no
    extrapolation: cells outside the map, or touching a NaN of it, are invalid.

    Args:
        shakemap: the event.
        grid: target cells, any coordinate system.
        layer: name in `shakemap.layers`.
        resampling: bilinear or nearest.

    Returns:
        (y, x) float32 values, NaN where invalid, with the validity mask.

    Raises:
        DataError: no such layer.
    """
    from pyproj import Transformer
    from scipy.interpolate import RegularGridInterpolator

    # Late: reading a ShakeMap needs no raster library.
    from hazard.geo.raster import Raster

    if layer not in shakemap.layers:
        raise DataError(
            shakemap.path or "shakemap",
            found=f"no layer {layer!r}",
            expected="one of " + ", ".join(sorted(shakemap.layers)),
        )
    if resampling not in ("bilinear", "nearest"):
        raise ValueError(f"resampling {resampling!r}: use bilinear or nearest")
    interpolate = RegularGridInterpolator(
        (shakemap.lat[::-1], shakemap.lon),
        np.asarray(shakemap.layers[layer])[::-1],
        method="linear" if resampling == "bilinear" else "nearest",
        bounds_error=False,
        fill_value=np.nan,
    )
    to_geographic = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    values = np.empty(grid.shape, dtype=np.float32)
    # Row bands keep the coordinates of a large grid out of memory.
    step = max(1, 2_000_000 // grid.shape[1])
    for row in range(0, grid.shape[0], step):
        x, y = np.meshgrid(grid.x, grid.y[row : row + step])
        lon, lat = to_geographic.transform(x, y)
        lon = np.where(lon < shakemap.lon[0] - 1e-9, lon + 360.0, lon)
        values[row : row + step] = interpolate(np.stack([lat, lon], axis=-1))
    valid: np.ndarray[Any, np.dtype[np.bool_]] = np.isfinite(values)
    return Raster(values=values, valid=valid, grid=grid)
