"""A landslide inventory on a grid: reprojected, repaired again, and what lies outside counted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from hazard.errors import DataError
from hazard.geo.cell_area import Geometries
from hazard.geo.grid import Grid
from stats.command.inventory_table import InventoryTable, read_inventory_table
from stats.command.polygon_repair import repair_polygons


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """An inventory in the coordinate system of a grid.

    Attributes:
        table: the inventory; its geometries and area_m2 are in the grid's coordinate system.
            Landslides outside the grid are still in it.
        grid: the grid.
        reprojected_from: name of the file's coordinate system, or None where it was the grid's.
        n_repaired_after: geometries that became invalid by reprojection and were repaired.
        n_outside: landslides that share no area with the grid.
        n_partly_outside: landslides that reach over its edge.
        area_m2: summed area of all polygons, overlaps counted as often as mapped [m2].
        area_outside_m2: area of those outside [m2].
        area_partly_outside_m2: the part beyond the edge of those that reach over it [m2].
    """

    table: InventoryTable
    grid: Grid
    reprojected_from: str | None
    n_repaired_after: int
    n_outside: int
    n_partly_outside: int
    area_m2: float
    area_outside_m2: float
    area_partly_outside_m2: float

    @property
    def geometries(self) -> Geometries:
        """(n,) polygons in the grid's coordinate system."""
        return np.asarray(self.table.frame.geometry.to_numpy(), dtype=object)

    def __len__(self) -> int:
        return len(self.table)

    def summary(self) -> dict[str, Any]:
        """The account of the reading and of the grid as one flat mapping."""
        own = {
            name: getattr(self, name)
            for name in (
                "reprojected_from", "n_repaired_after", "n_outside", "n_partly_outside",
                "area_outside_m2", "area_partly_outside_m2",
            )
        }  # fmt: skip
        return self.table.summary() | {"area_m2": self.area_m2} | own


def _outside(geometries: Geometries, grid: Grid) -> tuple[int, int, float, float]:
    """Counts of polygons outside and partly outside, and their areas beyond the edge [m2]."""
    left, bottom, right, top = grid.bounds
    b = shapely.bounds(geometries)
    inside = (b[:, 0] >= left) & (b[:, 1] >= bottom) & (b[:, 2] <= right) & (b[:, 3] <= top)
    others = geometries[~inside]
    if not len(others):
        return 0, 0, 0.0, 0.0
    area = shapely.area(others)
    within = shapely.area(shapely.intersection(others, shapely.box(left, bottom, right, top)))
    away = within <= 0
    beyond = np.maximum(0.0, area - within)
    return int(away.sum()), int((~away).sum()), float(area[away].sum()), float(beyond[~away].sum())


def to_grid(table: InventoryTable, grid: Grid) -> Inventory:
    """Bring an inventory into a grid's coordinate system and count what lies outside.

    Raises:
        DataError: the grid is not in metres, or a polygon cannot be projected.
    """
    grid.require_metres("landslide areas")
    frame, repaired, origin = table.frame, 0, None
    if not table.crs.equals(grid.crs, ignore_axis_order=True):
        origin = table.crs.name
        frame = frame.to_crs(grid.crs)
        fixed = repair_polygons(np.asarray(frame.geometry.to_numpy(), dtype=object))
        if not fixed.kept.all():
            row = int(np.flatnonzero(~fixed.kept)[0])
            raise DataError(
                table.path,
                found=f"landslide {frame['landslide_id'].iloc[row]!r}, which has no finite area in "
                f"{grid.crs.name!r}",
                expected="polygons within the domain of the grid's coordinate system",
            )
        repaired = fixed.n_repaired
        frame = frame.set_geometry(fixed.geometries, crs=grid.crs)
    else:
        frame = frame.set_crs(grid.crs, allow_override=True)
    geometries = np.asarray(frame.geometry.to_numpy(), dtype=object)
    area = np.asarray(shapely.area(geometries), dtype=np.float64)
    frame = frame.assign(area_m2=area)
    n_outside, n_partly, area_outside, area_partly = _outside(geometries, grid)
    return Inventory(
        table=replace(table, frame=frame, crs=grid.crs, area_crs=grid.crs.name),
        grid=grid,
        reprojected_from=origin,
        n_repaired_after=repaired,
        n_outside=n_outside,
        n_partly_outside=n_partly,
        area_m2=float(area.sum()),
        area_outside_m2=area_outside,
        area_partly_outside_m2=area_partly,
    )


def read_inventory(path: str | Path, grid: Grid, **options: Any) -> Inventory:
    """Read an inventory file onto a grid.

    Args:
        path: file, as for `stats.command.inventory_table.read_inventory_table`.
        grid: a grid in metres.
        **options: options of `read_inventory_table`; areas are measured in the grid's
            coordinate system, so `metric_crs` is not among them.

    Raises:
        DataError: the file cannot be used, the grid is not in metres, or a polygon cannot be
            projected onto it.
    """
    if "metric_crs" in options:
        raise TypeError("read_inventory measures areas in the grid's coordinate system")
    grid.require_metres("landslide areas")
    return to_grid(read_inventory_table(path, metric_crs=grid.crs, **options), grid)
