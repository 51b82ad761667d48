"""Polygons that carry a class or a band value: read, repaired, counted, and sampled on a Grid."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pyproj import CRS, Transformer

from hazard.errors import DataError
from hazard.geo.grid import FloatArray, Grid
from hazard.geo.raster import Raster
from stats.command.polygon_repair import repair_polygons
from stats.command.vector_crs import layer_crs
from stats.command.vector_file import did_you_mean, read_vector

ObjectArray = np.ndarray[Any, np.dtype[np.object_]]
CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True, eq=False)
class ValuePolygons:
    """Polygons with one number each.

    Attributes:
        values: (n,) numbers, increasing; one entry per polygon.
        geometries: (n,) valid polygons in `crs`.
        crs: coordinate system of the file.
        area_share: (n,) share of the summed area, in units of `crs`.
        n_repaired: polygons that were invalid.
        n_dropped: features without a polygon.
        units: text of the unit column, empty where there is none.
        path: file.
    """

    values: FloatArray
    geometries: ObjectArray
    crs: CRS
    area_share: FloatArray
    n_repaired: int
    n_dropped: int
    units: str
    path: str

    def at(self, x: FloatArray, y: FloatArray, crs: Any) -> FloatArray:
        """(n,) value of the polygon each point lies in, NaN outside all; on a shared edge, or
        where polygons overlap, the larger value.

        The points go into the polygons' system, so no edge is bent by a projection.
        """
        import shapely

        east, north = Transformer.from_crs(crs, self.crs, always_xy=True).transform(x, y)
        out = np.full(np.shape(east), np.nan)
        shapely.prepare(self.geometries)
        for value, geometry in zip(self.values, self.geometries, strict=True):
            out[shapely.intersects_xy(geometry, east, north)] = value
        return out

    def on_grid(self, grid: Grid) -> FloatArray:
        """(y, x) value at the cell centres, NaN outside all polygons."""
        out = np.empty(grid.shape)
        step = max(1, CHUNK // grid.shape[1])
        for row in range(0, grid.shape[0], step):
            x, y = np.meshgrid(grid.x, grid.y[row : row + step])
            out[row : row + step] = self.at(x.ravel(), y.ravel(), grid.crs).reshape(x.shape)
        return out


def read_value_polygons(
    path: Path | str,
    *,
    field: str,
    units_field: str | None = None,
    layer: str | None = None,
    crs: Any = None,
) -> ValuePolygons:
    """Read polygons and their numbers; invalid geometry is repaired and counted.

    Args:
        path: vector file, see `stats.command.vector_file.read_vector`.
        field: column of the number.
        units_field: column of the unit, where the file has one.
        layer: layer name, needed where a file has several.
        crs: coordinate system of a file that states none.

    Raises:
        DataError: unreadable, no coordinate system, no such column, values that are no numbers,
            no polygon left.
    """
    import shapely

    vector = read_vector(path, layer=layer)
    frame = vector.frame
    system = layer_crs(frame, crs, str(path), [])
    if field not in frame.columns:
        columns = [str(c) for c in frame.columns if c != frame.geometry.name]
        raise DataError(
            path,
            found=f"columns {', '.join(columns)}",
            expected=f"column {field!r}{did_you_mean(field, columns)}",
        )
    fixed = repair_polygons(np.asarray(frame.geometry.to_numpy(), dtype=object))
    frame = frame.loc[fixed.kept]
    if not len(frame):
        raise DataError(path, found="no polygon", expected="polygons with a value each")
    try:
        values = frame[field].to_numpy(dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(path, found=f"{field!r} that is not numeric", expected="numbers") from error
    if not np.isfinite(values).all():
        raise DataError(
            path, found=f"{int((~np.isfinite(values)).sum())} polygons without a {field!r}",
            expected="a number for each",
        )  # fmt: skip
    units = ""
    if units_field is not None and units_field in frame.columns:
        found = sorted({str(u) for u in frame[units_field]})
        if len(found) != 1:
            raise DataError(path, found=f"units {found}", expected="one unit")
        units = found[0]
    geometries = fixed.geometries[fixed.kept]
    order = np.argsort(values, kind="stable")
    area = shapely.area(geometries[order])
    return ValuePolygons(
        values=values[order],
        geometries=geometries[order],
        crs=system,
        area_share=area / area.sum(),
        n_repaired=fixed.n_repaired,
        n_dropped=int((~fixed.kept).sum()),
        units=units,
        path=str(path),
    )


def classes_on_grid(polygons: ValuePolygons, grid: Grid) -> Raster:
    """Ordinal classes at the cell centres: int16, 0 outside all polygons.

    Classes are never averaged and never turned into numbers of a physical quantity.

    Raises:
        DataError: class values that are not positive whole numbers, or no overlap.
    """
    values = polygons.values
    if (values != np.round(values)).any() or values.min() < 1 or values.max() > 32767:
        raise DataError(
            polygons.path, found=f"class values {values.tolist()}", expected="whole numbers from 1"
        )
    at = polygons.on_grid(grid)
    valid = np.isfinite(at)
    if not valid.any():
        raise DataError(polygons.path, found="no class on the grid", expected="overlap with it")
    return Raster(values=np.where(valid, at, 0).astype(np.int16), valid=valid, grid=grid)
