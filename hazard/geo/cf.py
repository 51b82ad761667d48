"""CF-1.8 description of a grid: axes, grid mapping, and the way back to the grid."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from affine import Affine
from pyproj import CRS
from pyproj.exceptions import CRSError

from hazard.errors import DataError
from hazard.geo.grid import Block, Grid

CONVENTIONS = "CF-1.8"
GRID_MAPPING = "spatial_ref"

Variable = xr.DataArray | xr.Variable | tuple[Any, ...]


def cf_dataset(
    variables: Mapping[str, Variable],
    grid: Grid,
    *,
    coords: Mapping[str, Any] | None = None,
    attrs: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """A dataset whose (y, x) variables lie on `grid`, described after CF-1.8.

    Args:
        variables: by name; each a DataArray or (dims, values[, attrs]); those with dimensions y
            and x get `grid_mapping`, others are kept as they are.
        grid: gives the axes x, y (cell centres, y decreasing) and the mapping `spatial_ref` with
            `crs_wkt`, CF parameters and GDAL's `GeoTransform` (exact, so the grid round-trips).
        coords: further coordinates, such as epoch.
        attrs: attributes of the whole; `Conventions` is added.

    Raises:
        ValueError: a variable's y and x do not have the grid's shape.

    Example:
        >>> grid = Grid.from_bounds("EPSG:32645", (0, 0, 4000, 2000), cell_m=1000)
        >>> slope = (("y", "x"), np.zeros(grid.shape), {"units": "degree"})
        >>> ds = cf_dataset({"slope": slope}, grid)
        >>> ds.slope.attrs["grid_mapping"], ds.y.attrs["units"], grid_from_dataset(ds).same_as(grid)
        ('spatial_ref', 'm', True)
    """
    arrays = {}
    for name, variable in variables.items():
        if isinstance(variable, xr.DataArray):
            array = variable.variable.copy(deep=False)
        else:
            array = xr.as_variable(variable).copy(deep=False)
        sizes = dict(zip(array.dims, array.shape, strict=True))
        if "y" in sizes and "x" in sizes:
            if (sizes["y"], sizes["x"]) != grid.shape:
                raise ValueError(f"{name}: y, x of {array.shape} on a grid of shape {grid.shape}")
            array.attrs = {**array.attrs, "grid_mapping": GRID_MAPPING}
            array.encoding.pop("grid_mapping", None)
        arrays[name] = array
    return xr.Dataset(
        arrays,
        coords={**grid_coordinates(grid), **(coords or {})},
        attrs={"Conventions": CONVENTIONS, **(attrs or {})},
    )


def grid_coordinates(grid: Grid) -> dict[str, xr.Variable]:
    """The axes y, x and the scalar `spatial_ref` that describe a grid after CF."""
    geographic = grid.crs.is_geographic
    kind = ("latitude", "longitude") if geographic else ()
    axes = {}
    for index, (name, values) in enumerate((("y", grid.y), ("x", grid.x))):
        attrs = {"axis": name.upper()}
        if geographic:
            attrs |= {
                "standard_name": kind[index],
                "long_name": kind[index],
                "units": ("degrees_north", "degrees_east")[index],
            }
        else:
            word = ("northing", "easting")[index]
            attrs |= {
                "standard_name": f"projection_{name}_coordinate",
                "long_name": f"{word} of the cell centre",
                "units": "m" if grid.is_metric else grid.crs.axis_info[0].unit_name,
            }
        axes[name] = xr.Variable((name,), values, attrs)
    t = grid.transform
    with warnings.catch_warnings():
        # A mapping without CF parameters is still complete through crs_wkt.
        warnings.simplefilter("ignore", UserWarning)
        parameters = grid.crs.to_cf()
    mapping = {
        **{
            key: value for key, value in parameters.items() if value not in ("unknown", "undefined")
        },
        "crs_wkt": grid.crs.to_wkt(),
        "spatial_ref": grid.crs.to_wkt(),
        "GeoTransform": " ".join(repr(float(v)) for v in (t.c, t.a, t.b, t.f, t.d, t.e)),
    }
    return {**axes, GRID_MAPPING: xr.Variable((), np.int32(0), mapping)}


def grid_from_dataset(dataset: xr.Dataset, *, source: object = "dataset") -> Grid:
    """The grid of a dataset's y and x, exact where `GeoTransform` holds, also after cropping.

    Args:
        dataset: with 1-d coordinates y and x, and a grid mapping with `crs_wkt`.
        source: file named in errors.

    Raises:
        DataError: no axes, irregular axes, or no coordinate system.
    """
    for axis in ("y", "x"):
        if axis not in dataset.coords or dataset[axis].ndim != 1 or not dataset[axis].size:
            raise DataError(source, found=f"no axis {axis!r}", expected="coordinates y and x")
    attrs = dataset[_mapping_name(dataset, source)].attrs
    wkt = attrs.get("crs_wkt", attrs.get("spatial_ref"))
    try:
        crs = CRS.from_wkt(str(wkt)) if wkt else CRS.from_cf(attrs)
    except (CRSError, KeyError) as error:
        raise DataError(
            source, found="a grid mapping without coordinate system", expected="crs_wkt"
        ) from error
    x, y = (np.asarray(dataset[axis].values, np.float64) for axis in ("x", "y"))
    if "GeoTransform" in attrs:
        transform = _parse_geotransform(str(attrs["GeoTransform"]), source)
        col, row = (x - transform.c) / transform.a - 0.5, (y - transform.f) / transform.e - 0.5
        col0, row0 = round(float(col[0])), round(float(row[0]))
        if (
            np.abs(col - col0 - np.arange(x.size)).max() < 1e-6
            and np.abs(row - row0 - np.arange(y.size)).max() < 1e-6
        ):
            block = Block(row0=row0, row1=row0 + y.size, col0=col0, col1=col0 + x.size)
            return Grid(crs=crs, transform=transform, shape=(1, 1)).crop(block)
    dx, dy = _regular(x, "x", source), _regular(y, "y", source)
    transform = Affine(dx, 0, x[0] - dx / 2, 0, dy, y[0] - dy / 2)
    return Grid(crs=crs, transform=transform, shape=(y.size, x.size))


def _mapping_name(dataset: xr.Dataset, source: object) -> Hashable:
    names: list[Hashable] = [GRID_MAPPING]
    for variable in dataset.variables.values():
        names += [m for m in (variable.attrs.get("grid_mapping"),) if m]
        names += [m for m in (variable.encoding.get("grid_mapping"),) if m]
    for name in names:
        if name in dataset.variables:
            return name
    raise DataError(source, found="no grid mapping", expected=f"a variable {GRID_MAPPING!r}")


def _parse_geotransform(text: str, source: object) -> Affine:
    try:
        c, a, b, f, d, e = map(float, text.split())
    except ValueError as error:
        raise DataError(source, found=f"GeoTransform {text!r}", expected="six numbers") from error
    if a <= 0 or e >= 0 or b != 0 or d != 0:
        raise DataError(
            source, found=f"GeoTransform {text!r}", expected="a north-up, unrotated one"
        )
    return Affine(a, b, c, d, e, f)


def _regular(axis: np.ndarray[Any, np.dtype[np.float64]], name: str, source: object) -> float:
    if axis.size < 2:
        raise DataError(
            source, found=f"one value on {name} and no GeoTransform", expected="a cell size"
        )
    step = float((axis[-1] - axis[0]) / (axis.size - 1))
    if np.abs(np.diff(axis) - step).max() > 1e-3 * abs(step):
        raise DataError(source, found=f"irregular axis {name}", expected="a constant step")
    return step
