"""Landslides that are new in each epoch, one file per epoch, for tables and maps of densities.

Dated inventories say it themselves. Of cumulative inventories a landslide is new where it shares no
ground with any landslide of the inventory before: an outline that grew is no new landslide, and one
that fails beside an old scar and is drawn together with it is missed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hazard.config.schema import HazardConfig
from hazard.geo.beside import write_beside
from hazard.geo.grid import Grid

Array = np.ndarray[Any, np.dtype[Any]]

if TYPE_CHECKING:
    from hazard.config.sources import CumulativeTarget, DatedTarget
    from hazard.cube.layout import Cube
    from hazard.geo.epochs import Epoch


@dataclass(frozen=True, kw_only=True)
class NewLandslides:
    """What is new in one epoch.

    Attributes:
        name: of the epoch.
        days: length of the time in which they failed: of the epoch, and of epochs before it that
            nobody mapped.
        path: GeoPackage of the outlines.
        n: number of them.
    """

    name: str
    days: int
    path: Path
    n: int


def landslides_by_epoch(
    config: HazardConfig, grid: Grid, folder: Path, *, synthetic: bool
) -> list[NewLandslides]:
    """Write one GeoPackage per mapped epoch.

    Args:
        config: complete configuration with a target of outlines.
        grid: of the study; landslides whose inner point lies outside it are left out later.
        folder: of the files.
        synthetic: nothing was observed, and the files must say so.

    Raises:
        DataError: an inventory that cannot be used.
    """
    from hazard.cube.target_layers import geo_epochs
    from stats.command.inventory_write import write_inventory

    study, target = config.study, config.target
    if study is None or target is None or target.kind == "density_raster":
        raise ValueError("a study with outlines of landslides is needed")
    epochs = geo_epochs(study)
    made = (
        _cumulative(target, epochs, grid) if target.kind == "cumulative"
        else _dated(target, epochs, grid)
    )  # fmt: skip
    found = []
    for number, (epoch, days, frame) in enumerate(made):
        path = folder / f"new_{number:02d}.gpkg"
        if len(frame):
            said = {"data": "SYNTHETIC" if synthetic else "observed", "epoch": epoch.name}
            write_inventory(path, frame, metadata=said)
        found.append(NewLandslides(name=epoch.name, days=days, path=path, n=len(frame)))
    return found


def new_outlines(outlines: Any, before: Any) -> Any:
    """(n,) True for outlines that share no ground with any outline of the inventory before.

    Args:
        outlines: (n,) polygons.
        before: (m,) polygons of the inventory before.

    Example:
        >>> from shapely import box
        >>> now = np.array([box(0, 0, 1, 1), box(5, 5, 6, 6)])
        >>> new_outlines(now, np.array([box(0.5, 0, 2, 1), box(6, 5, 7, 6)]))
        array([False,  True])
    """
    import shapely

    fresh = np.ones(len(outlines), dtype=bool)
    if len(outlines) and len(before):
        here, there = shapely.STRtree(before).query(outlines, predicate="intersects")
        # Outlines that merely touch share no ground.
        shared = ~shapely.touches(outlines[here], before[there])
        fresh[here[shared]] = False
    return fresh


def _cumulative(
    target: CumulativeTarget, epochs: tuple[Epoch, ...], grid: Grid
) -> Iterator[tuple[Epoch, int, Any]]:
    from hazard.cube.target_layers import column_map, read_layer

    options = {"columns": column_map(target.columns), "minimum_area_m2": target.minimum_area_m2}
    before: Any = np.zeros(0, dtype=object)
    if target.baseline is not None:
        before = read_layer(target.baseline, grid, allow_empty=True, **options).geometries
    days = 0
    for epoch, path in zip(epochs, target.files, strict=True):
        days += epoch.length_days
        if path is None:
            continue
        inventory = read_layer(path, grid, allow_empty=True, **options)
        fresh = new_outlines(inventory.geometries, before)
        yield epoch, days, inventory.table.frame[["geometry"]][fresh]
        before, days = inventory.geometries, 0


def _dated(
    target: DatedTarget, epochs: tuple[Epoch, ...], grid: Grid
) -> Iterator[tuple[Epoch, int, Any]]:
    from hazard.cube.target_layers import column_map, read_layer
    from hazard.geo.dated_epochs import assign_epochs

    inventory = read_layer(
        target.file, grid, columns=column_map(target.columns),
        minimum_area_m2=target.minimum_area_m2,
    )  # fmt: skip
    frame = inventory.table.frame
    number, _ = assign_epochs(frame["date_start"], frame["date_end"], epochs)
    for place, epoch in enumerate(epochs):
        yield epoch, epoch.length_days, frame[["geometry"]][number == place]


def write_window(cube: Cube, folder: Path) -> Path:
    """The mapped cells of the study as polygons.

    Args:
        cube: of the study.
        folder: of the file.
    """
    import geopandas as gpd
    import rasterio.features
    from shapely.geometry import shape

    stored = np.asarray(cube.root["mask"].values).astype(bool)
    mask: Array = np.asarray(stored.any(axis=0)) if stored.ndim == 3 else stored
    shapes = rasterio.features.shapes(
        mask.astype(np.uint8), mask=mask, transform=cube.grid.transform
    )
    outlines = [shape(outline) for outline, _ in shapes]
    path = folder / "mapped_cells.gpkg"
    with write_beside(path) as part:
        gpd.GeoDataFrame(geometry=outlines, crs=cube.grid.crs).to_file(
            part, layer="window", driver="GPKG", engine="pyogrio"
        )
    return path
