"""Read CF netCDF rasters (regular axes, latitude in either order) as windowed sources."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import h5py
import numpy as np
import xarray as xr
from affine import Affine
from pyproj import CRS

from hazard.errors import DataError
from hazard.geo.grid import Block
from hazard.geo.sources import AnyArray, BoolArray, RasterInfo, decoding

LATITUDE_UNITS = {"degrees_north", "degree_north", "degrees_n", "degree_n", "degreesn", "degreen"}
LONGITUDE_UNITS = {"degrees_east", "degree_east", "degrees_e", "degree_e", "degreese", "degreee"}
# Axes in float32 are irregular by their rounding; this part of a cell is still regular.
IRREGULAR = 0.05
CHUNK_CACHE_BYTES = 64 * 2**20


class NetcdfSource:
    """One variable of a CF netCDF file; its leading dimensions, flattened, are the bands."""

    def __init__(self, dataset: xr.Dataset, path: str, variable: str | None) -> None:
        name, y_name, x_name = _find_variable(dataset, path, variable)
        array = dataset[name]
        self.variable = name
        extra = [str(dim) for dim in array.dims if dim not in (y_name, x_name)]
        self._array = array.transpose(*extra, y_name, x_name)
        y, x = (np.asarray(dataset[axis].values, np.float64) for axis in (y_name, x_name))
        self._path = path
        self._south_up = bool(y[0] < y[-1])
        if self._south_up:
            y = y[::-1]
        if x[0] > x[-1]:
            raise DataError(path, found=f"{x_name} decreasing", expected="increasing")
        dx, dy = _step(x, x_name, path), _step(y, y_name, path)
        self._extra_shape = self._array.shape[:-2]
        count = math.prod(self._extra_shape)
        attrs = array.attrs
        fill = attrs.get("_FillValue", attrs.get("missing_value"))
        self._info = RasterInfo(
            path=path,
            crs=_crs(dataset, array, y_name, x_name, path),
            transform=Affine(dx, 0, x[0] - dx / 2, 0, dy, y[0] - dy / 2),
            shape=(y.size, x.size),
            count=count,
            dtype=str(array.dtype),
            nodata=None if fill is None else float(np.ravel(fill)[0]),
            band_names=(str(attrs.get("long_name", name)),) * count,
            units=(str(attrs.get("units", "")),) * count,
            scales=(float(attrs.get("scale_factor", 1)),) * count,
            offsets=(float(attrs.get("add_offset", 0)),) * count,
        )

    @property
    def info(self) -> RasterInfo:
        """What the file says about itself."""
        return self._info

    def read_raw(
        self, window: Block, bands: Sequence[int]
    ) -> list[tuple[AnyArray, BoolArray | None]]:
        """Stored numbers of a window, north-up, by band."""
        rows = self._info.shape[0]
        if self._south_up:
            row_slice = slice(rows - window.row1, rows - window.row0)
        else:
            row_slice = slice(window.row0, window.row1)
        found: list[tuple[AnyArray, BoolArray | None]] = []
        for band in bands:
            lead = tuple(int(i) for i in np.unravel_index(band - 1, self._extra_shape or (1,)))
            place = (row_slice, slice(window.col0, window.col1))
            values = np.asarray(self._array[(*(lead if self._extra_shape else ()), *place)].values)
            found.append((values[::-1] if self._south_up else values, None))
        return found


@contextmanager
def open_netcdf_source(
    path: str, variable: str | None, *, classic: bool = False
) -> Iterator[NetcdfSource]:
    """Open a netCDF-4 (or classic netCDF-3) file whose variable lies on regular x and y axes.

    Raises:
        DataError: undecodable file, no such variable, irregular axes.
    """
    expected = "a CF netCDF raster with regular axes"
    with ExitStack() as stack:
        file = None
        if not classic:
            with decoding(path, expected):
                file = stack.enter_context(h5py.File(path, "r", rdcc_nbytes=CHUNK_CACHE_BYTES))
                # h5netcdf leaves a noisy half-open object behind where these two steps fail.
                file.attrs.get("_nc3_strict")
        with decoding(path, expected):
            dataset = xr.open_dataset(
                path,
                engine="scipy" if classic else "h5netcdf",
                # Stored numbers: nodata and scale are applied in one place, on reading.
                mask_and_scale=False,
                decode_times=False,
                decode_coords=False,
                cache=False,
            )
            stack.callback(dataset.close)
            source = NetcdfSource(dataset, path, variable)
            # Windows of one chunk come one after another. HDF5 keeps a decoded chunk as long as its
            # variable is open, and h5netcdf opens and closes it for each window: hold it open, in a
            # file whose cache then serves both.
            held = None if file is None else file[source.variable]
        yield source
        del held


def _axis(dataset: xr.Dataset, dim: Any) -> str | None:
    """'y' or 'x' where the dimension's coordinate is such an axis."""
    if dim not in dataset.variables or dataset[dim].ndim != 1:
        return None
    attrs = dataset[dim].attrs
    standard = str(attrs.get("standard_name", "")).lower()
    units, name = str(attrs.get("units", "")).lower(), str(dim).lower()
    axis = str(attrs.get("axis", "")).lower()
    if (
        standard in ("latitude", "projection_y_coordinate")
        or units in LATITUDE_UNITS
        or axis == "y"
        or name in ("lat", "latitude", "y")
    ):
        return "y"
    if (
        standard in ("longitude", "projection_x_coordinate")
        or units in LONGITUDE_UNITS
        or axis == "x"
        or name in ("lon", "longitude", "x")
    ):
        return "x"
    return None


def _find_variable(dataset: xr.Dataset, path: str, variable: str | None) -> tuple[str, str, str]:
    """(variable, y dimension, x dimension)."""
    found: dict[str, tuple[str, str]] = {}
    for name, array in dataset.data_vars.items():
        axes = {_axis(dataset, dim): str(dim) for dim in array.dims}
        if "y" in axes and "x" in axes and array.dtype.kind in "iuf":
            found[str(name)] = (axes["y"], axes["x"])
    if variable is None and len(found) == 1:
        variable = next(iter(found))
    if variable not in found:
        wanted = "exactly one variable" if variable is None else f"variable {variable!r}"
        raise DataError(
            path,
            found=f"numeric variables with y and x axes: {', '.join(sorted(found)) or 'none'}",
            expected=f"{wanted} on y and x axes",
        )
    return variable, *found[variable]


def _step(axis: np.ndarray[Any, np.dtype[np.float64]], name: str, path: str) -> float:
    """Spacing of a regular axis; DataError where it is irregular or a single point."""
    if axis.size < 2 or not np.isfinite(axis).all():
        raise DataError(
            path, found=f"{axis.size} usable value(s) on {name}", expected="two or more"
        )
    step = float((axis[-1] - axis[0]) / (axis.size - 1))
    if step == 0 or np.abs(axis - (axis[0] + step * np.arange(axis.size))).max() > (
        IRREGULAR * abs(step)
    ):
        raise DataError(path, found=f"irregular {name} axis", expected="a constant step")
    return step


def _crs(
    dataset: xr.Dataset, array: xr.DataArray, y_name: str, x_name: str, path: str
) -> CRS | None:
    """From the grid mapping; geographic WGS 84 where the axes say degrees; else None."""
    mapping = array.attrs.get("grid_mapping") or array.encoding.get("grid_mapping")
    if mapping in dataset.variables:
        attrs = dict(dataset[mapping].attrs)
        wkt = attrs.get("crs_wkt") or attrs.get("spatial_ref")
        with decoding(path, f"a coordinate system in {mapping!r}"):
            return CRS.from_wkt(str(wkt)) if wkt else CRS.from_cf(attrs)
    y_units = str(dataset[y_name].attrs.get("units", "")).lower()
    x_units = str(dataset[x_name].attrs.get("units", "")).lower()
    if y_units in LATITUDE_UNITS and x_units in LONGITUDE_UNITS:
        return CRS.from_epsg(4326)
    return None
