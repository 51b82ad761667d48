"""Maps and reference inventories of an epoch's scenes as one inventory with its ground."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from detection.inventory.epoch_map import EpochMap, Geometries, footprint_of_mask
from detection.inventory.ground import as_geometries
from detection.map.mapped import MappedScene, files_of
from detection.map.scenes import EpochScenes
from detection.polygons.inventory import MapFacts, PolygonSettings, outline_landslides
from detection.polygons.pixels import ArrayPixels, FilePixels
from detection.scenes.catalogue import SceneEntry
from detection.scenes.rasterise import read_mapped_ground
from detection.scenes.read import read_scene, scene_grid
from hazard.errors import DataError
from hazard.geo.grid import Block

STRIP_ROWS = 512


def detected_epochs(
    epochs: Sequence[EpochScenes], scenes: Mapping[str, MappedScene], run: Path
) -> tuple[EpochMap, ...]:
    """The outlines of each epoch's scenes with the ground that they saw.

    A landslide that reaches over the edge between two scenes becomes one again.

    Raises:
        DataError: scenes of several coordinate systems.
    """

    def parts(entry: SceneEntry) -> tuple[Any, Any, Any]:
        probability, mask, outlines = files_of(run, entry)
        frame = gpd.read_file(outlines)
        pixels = FilePixels(mask=mask, probability=probability)
        return list(frame.geometry), seen_ground(pixels), frame.crs

    return tuple(
        _joined(
            epoch, [parts(entry) for entry in epoch.entries],
            pixel_m=max(scenes[entry.name].pixel_m for entry in epoch.entries),
        )
        for epoch in epochs
    )  # fmt: skip


def reference_epochs(
    epochs: Sequence[EpochScenes], *, settings: PolygonSettings
) -> tuple[EpochMap, ...]:
    """The reference inventories of the same scenes, each on the ground of its footprint.

    Polygons are taken as they are, within the scene; rasters of landslides are outlined as maps
    are, with `settings`.

    Raises:
        DataError: files that cannot be used.
    """

    def parts(entry: SceneEntry) -> tuple[Any, Any, Any]:
        grid = scene_grid(entry)
        box = shapely.box(*grid.bounds)
        mapped = read_mapped_ground(entry, grid)
        if mapped is not None:
            looked_at = [box] if mapped.footprint is None else list(mapped.footprint)
            ground = shapely.intersection(shapely.union_all(looked_at), box)
            inside = shapely.intersects(mapped.landslides, box)
            return list(mapped.landslides[inside]), ground, grid.crs
        scene = read_scene(entry)
        assert scene.truth is not None
        assert scene.known is not None
        frame = outline_landslides(
            ArrayPixels(grid=grid, mask=scene.truth, valid=scene.known),
            MapFacts(scene=entry.name, epoch=entry.epoch, date=entry.date), settings=settings,
        )  # fmt: skip
        return list(frame.geometry), footprint_of_mask(scene.known, grid), grid.crs

    return tuple(_joined(epoch, [parts(entry) for entry in epoch.entries]) for epoch in epochs)


def _joined(
    epoch: EpochScenes, parts: Sequence[tuple[Any, Any, Any]], *, pixel_m: float | None = None
) -> EpochMap:
    first = parts[0][2]
    for entry, (_, _, crs) in zip(epoch.entries, parts, strict=True):
        if crs != first:
            raise DataError(
                f"scene {entry.name!r}", found=f"coordinate system {crs.name!r}",
                expected=f"{first.name!r}, that of the others in the region",
            )  # fmt: skip
    return EpochMap(
        name=epoch.name, start=epoch.start, end=epoch.end, crs=first, pixel_m=pixel_m,
        geometries=across_edges([outlines for outlines, _, _ in parts]),
        footprint=shapely.union_all([ground for _, ground, _ in parts]),
        sensor=", ".join(sorted({entry.sensor for entry in epoch.entries} - {""})),
        source=", ".join(entry.name for entry in epoch.entries),
    )  # fmt: skip


def seen_ground(pixels: FilePixels, *, strip_rows: int = STRIP_ROWS) -> Any:
    """The ground with a probability as polygons, strip by strip."""
    grid = pixels.grid
    rows, columns = grid.shape
    parts = []
    for row0 in range(0, rows, strip_rows):
        block = Block(row0=row0, row1=min(row0 + strip_rows, rows), col0=0, col1=columns)
        valid = np.asarray(pixels.rows(block.row0, block.row1).valid, dtype=bool)
        parts.append(footprint_of_mask(valid, grid.crop(block)))
    return shapely.union_all(parts)


def across_edges(scenes: Sequence[Sequence[Any]]) -> Geometries:
    """The outlines of several scenes; those of different ones that share an edge become one.

    Args:
        scenes: outlines of each scene.

    Example:
        >>> west = [shapely.box(0, 0, 2, 1)]
        >>> east = [shapely.box(2, 0, 3, 1), shapely.box(7, 0, 8, 1)]
        >>> [outline.area for outline in across_edges([west, east])]
        [3.0, 1.0]
    """
    outlines = as_geometries([outline for found in scenes for outline in found])
    if len(scenes) < 2 or not len(outlines):
        return outlines
    owner = np.repeat(np.arange(len(scenes)), [len(found) for found in scenes])
    one, other = shapely.STRtree(outlines).query(outlines, predicate="intersects")
    apart = owner[one] < owner[other]
    one, other = one[apart], other[apart]
    # A corner in common is no edge in common.
    edge = shapely.length(shapely.intersection(outlines[one], outlines[other])) > 0
    links = coo_matrix(
        (np.ones(edge.sum()), (one[edge], other[edge])), shape=(len(outlines), len(outlines))
    )
    label = connected_components(links, directed=False)[1]
    # Labels rise with the first outline of each group, so the order stays.
    order = np.argsort(label, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
    return as_geometries(
        [
            outlines[group[0]] if len(group) == 1 else shapely.union_all(outlines[group])
            for group in groups
        ]
    )
