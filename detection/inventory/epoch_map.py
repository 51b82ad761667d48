"""One epoch of a multi-temporal inventory: what was mapped, and the ground that was looked at."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import shapely
from pyproj import CRS

from hazard.errors import DataError
from stats.command.inventory_record import ColumnMap, InventoryTable
from stats.command.inventory_table import read_inventory_table
from stats.command.polygon_repair import polygonal_part, repair_polygons
from stats.command.vector_crs import is_metric

Geometries = np.ndarray[Any, np.dtype[np.object_]]
Lists = Literal["visible", "new"]


@dataclass(frozen=True, eq=False, kw_only=True)
class EpochMap:
    """Landslides mapped from the images of one epoch.

    Attributes:
        name: unique name of the epoch.
        start: first day of the epoch.
        end: its last day, that of the image that closes it.
        geometries: (n,) valid landslide polygons; may overlap.
        crs: projected coordinate system in metres.
        footprint: the ground that was seen (cloud and no data left out); None: all of it.
        lists: "visible", everything that shows on the images, old failures included; or "new", what
            its mapper called new, so that a landslide which is not listed may well be there.
        pixel_m: side of a pixel of the images [m]; None where it is not known.
        sensor: what took the images.
        source: file or words.

    Raises:
        DataError: an end before the start, another coordinate system than a metric one, or
            geometries that are no valid polygons.
    """

    name: str
    start: dt.date
    end: dt.date
    geometries: Geometries
    crs: CRS
    footprint: Any = None
    lists: Lists = "visible"
    pixel_m: float | None = None
    sensor: str = ""
    source: str = ""
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        where = f"epoch {self.name!r}"
        if not self.name.strip() or self.end < self.start:
            raise DataError(
                where,
                found=f"from {self.start} to {self.end}",
                expected="a name, and an end on or after the start",
            )
        if self.lists not in ("visible", "new"):
            raise DataError(where, found=f"lists {self.lists!r}", expected="'visible' or 'new'")
        if not is_metric(self.crs):
            raise DataError(
                where,
                found=f"coordinate system {self.crs.name!r}",
                expected="a projected one in metres",
            )
        array = np.empty(len(self.geometries), dtype=object)
        array[:] = list(self.geometries)
        for what, items in (("landslides", array), ("footprint", _as_array(self.footprint))):
            kinds = shapely.get_type_id(items)
            if not (np.isin(kinds, (3, 6)).all() and shapely.is_valid(items).all()):
                raise DataError(
                    where,
                    found=f"{what} that are no valid polygons",
                    expected="polygons as `read_epoch_map` or `repair_polygons` leave them",
                )
        object.__setattr__(self, "geometries", array)


def _as_array(geometry: Any) -> Geometries:
    array = np.empty(0 if geometry is None else 1, dtype=object)
    if geometry is not None:
        array[0] = geometry
    return array


def check_epoch_maps(epochs: Sequence[EpochMap]) -> tuple[EpochMap, ...]:
    """Epochs in order of time, with unique names, in one coordinate system.

    Raises:
        DataError: none, a name twice, wrong order, overlap in time, or several coordinate systems.

    Example:
        >>> check_epoch_maps([])
        Traceback (most recent call last):
        ...
        stats.command.errors.DataError: epochs: found none; expected one or more
    """
    if not epochs:
        raise DataError("epochs", found="none", expected="one or more")
    for before, after in itertools.pairwise(epochs):
        if after.start <= before.end:
            raise DataError(
                f"epoch {after.name!r}",
                found=f"a start on {after.start}, not after {before.end}, the end of "
                f"{before.name!r}",
                expected="epochs in order of time without overlap (ends are inclusive)",
            )
        if not after.crs.equals(before.crs, ignore_axis_order=True):
            raise DataError(
                f"epoch {after.name!r}",
                found=f"{after.crs.name!r} after {before.crs.name!r}",
                expected="one coordinate system (`read_epoch_map(..., crs=...)` projects)",
            )
    names = [epoch.name for epoch in epochs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataError("epochs", found=f"the name {twice[0]!r} twice", expected="unique names")
    return tuple(epochs)


def _projected(table: InventoryTable, crs: CRS) -> tuple[Geometries, int]:
    """Polygons of a table in a coordinate system, repaired again where projecting broke them."""
    frame = table.frame if table.crs.equals(crs, ignore_axis_order=True) else None
    if frame is not None:
        return np.asarray(frame.geometry.to_numpy(), dtype=object), 0
    fixed = repair_polygons(np.asarray(table.frame.geometry.to_crs(crs).to_numpy(), dtype=object))
    if not fixed.kept.all():
        raise DataError(
            table.path,
            found=f"{int((~fixed.kept).sum())} polygons without area in {crs.name!r}",
            expected="polygons within the domain of that coordinate system",
        )
    return fixed.geometries, fixed.n_repaired


def read_epoch_map(
    path: str | Path,
    *,
    name: str,
    start: dt.date,
    end: dt.date,
    crs: Any = None,
    footprint: str | Path | None = None,
    lists: Lists = "visible",
    pixel_m: float | None = None,
    sensor: str = "",
    minimum_area_m2: float = 0.0,
    **options: Any,
) -> EpochMap:
    """Read the inventory and the footprint of one epoch.

    Args:
        path: landslide polygons; a survey that found nothing is an empty layer.
        name: of the epoch.
        start: its first day.
        end: its last day.
        crs: metric coordinate system of the series; the file's own where None.
        footprint: polygons of the ground that was seen; None: all of it.
        lists: see `EpochMap`.
        pixel_m: see `EpochMap`.
        sensor: see `EpochMap`.
        minimum_area_m2: landslides smaller than this are left out, and counted in `notes` [m2].
        **options: of `stats.command.inventory_table.read_inventory_table` (member, layer, ...).

    Raises:
        DataError: a file that cannot be used, or a coordinate system that is not metric.
    """
    choices: dict[str, Any] = {"columns": ColumnMap(), "allow_empty": True}
    table = read_inventory_table(path, **(choices | options))
    target = table.crs if crs is None else CRS.from_user_input(crs)
    polygons, repaired = _projected(table, target)
    small = shapely.area(polygons) < minimum_area_m2
    notes = [*table.notes]
    if repaired + table.n_repaired:
        notes.append(f"{repaired + table.n_repaired} geometries repaired")
    if small.any():
        area = float(shapely.area(polygons[small]).sum())
        notes.append(f"{int(small.sum())} below {minimum_area_m2:g} m2 left out ({area:.0f} m2)")
    ground = None
    if footprint is not None:
        seen = read_inventory_table(footprint, columns=ColumnMap(), allow_empty=True)
        ground = polygonal_part(shapely.union_all(_projected(seen, target)[0]))
        ground = shapely.MultiPolygon() if ground is None else ground
    return EpochMap(
        name=name,
        start=start,
        end=end,
        geometries=polygons[~small],
        crs=target,
        footprint=ground,
        lists=lists,
        pixel_m=pixel_m,
        sensor=sensor,
        source=str(path) if table.member is None else f"{path}:{table.member}",
        notes=tuple(notes),
    )


def footprint_of_mask(seen: np.ndarray[Any, np.dtype[np.bool_]], grid: Any) -> Any:
    """The ground of the True pixels of a mask as one polygon or multipolygon.

    Args:
        seen: (y, x) pixels that were seen.
        grid: `hazard.geo.grid.Grid` of the mask.

    Example:
        >>> from hazard.geo.grid import Grid
        >>> grid = Grid.from_bounds("EPSG:32645", (0, 0, 30, 20), cell_m=10)
        >>> footprint_of_mask(np.array([[True, True, False], [True, False, False]]), grid).area
        300.0
    """
    from rasterio import features

    if seen.dtype != np.bool_ or seen.shape != grid.shape:
        raise ValueError(f"seen: found {seen.dtype} {seen.shape}; expected bool {grid.shape}")
    shapes = features.shapes(seen.astype(np.uint8), mask=seen, transform=grid.transform)
    parts = [shapely.geometry.shape(shape) for shape, _ in shapes]
    return shapely.union_all(parts) if parts else shapely.MultiPolygon()
