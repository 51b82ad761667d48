"""Two multi-temporal inventories of the same ground, matched epoch by epoch.

What is matched is the *gain* of each epoch: the ground of a landslide that was not bare before, as
one object. That is what a hazard study counts as an event, so recall is the probability that a new
failure is recorded in its own epoch, and a false alarm is a gain where nothing failed, an old
landslide that was found late among them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import shapely
from jaxtyping import Bool
from numpy import ndarray

from detection.inventory.ground import as_geometries
from detection.inventory.overlay import union
from detection.inventory.records import STATUSES, EpochParts, MultiTemporal
from detection.inventory.track import track
from detection.observation.calibration import (
    SLOPE_EDGES_DEG,
    Calibration,
    SlopeAt,
    calibrate_epochs,
    slope_class,
)
from detection.scenes.rasterise import rasterise
from hazard.geo.grid import Grid
from stats.case_arrays import BoolArray, FloatArray, IntArray
from stats.command.object_matching import match_outlines
from stats.command.polygon_repair import polygonal_part
from stats.resampling.folds_spatial import block_of_cells

Geometries = np.ndarray[Any, np.dtype[np.object_]]
GAINED = tuple(STATUSES.index(status) for status in ("new", "expanded"))


@dataclass(frozen=True, eq=False, kw_only=True)
class Survey:
    """The ground of an inventory, as pixels.

    Attributes:
        pixels: their grid, in metres.
        slope_deg: (y, x) slope without gaps; None where no elevation is known.
        seen: (epoch, y, x) pixels that an epoch looked at.
        block_m: side of the blocks of ground [m]; their corners lie at its multiples.
    """

    pixels: Grid
    slope_deg: FloatArray | None
    seen: Bool[ndarray, "epoch y x"]
    block_m: float

    @property
    def anywhere(self) -> Bool[ndarray, "y x"]:
        """(y, x) pixels that any epoch looked at."""
        return np.asarray(self.seen.any(axis=0))

    def on(self, mask: Bool[ndarray, "y x"], x: FloatArray, y: FloatArray) -> BoolArray:
        """Whether points lie on pixels of a mask."""
        row, column, there = pixel_of(self.pixels, x, y)
        return np.asarray(there & mask[row, column])

    def slope_at(self) -> SlopeAt | None:
        """Slope of the pixel that a point lies on."""
        slope = self.slope_deg
        if slope is None:
            return None

        def look_up(x: FloatArray, y: FloatArray) -> FloatArray:
            row, column, _ = pixel_of(self.pixels, x, y)
            return np.asarray(slope[row, column], dtype=np.float64)

        return look_up

    def points(self, mask: Bool[ndarray, "y x"]) -> tuple[FloatArray, FloatArray, IntArray]:
        """Centres of the pixels of a mask, and the block that each lies in, from 0."""
        row, column = np.nonzero(mask)
        x, y = self.pixels.x[column], self.pixels.y[row]
        return x, y, block_of_cells(x, y, block_m=self.block_m, origin=(0.0, 0.0))

    def ground_km2(self, mask: Bool[ndarray, "y x"]) -> FloatArray:
        """(class,) ground of a mask by slope class, once for each epoch that looked at it."""
        times = self.seen.sum(axis=0)[mask].astype(np.float64)
        slope = np.zeros(times.size) if self.slope_deg is None else self.slope_deg[mask]
        return np.asarray(
            np.bincount(
                slope_class(slope), times * self.pixels.cell_area_m2 / 1e6,
                minlength=len(SLOPE_EDGES_DEG) - 1,
            )
        )  # fmt: skip


def pixel_of(grid: Grid, x: FloatArray, y: FloatArray) -> tuple[IntArray, IntArray, BoolArray]:
    """Row and column of points, 0 where they lie off the grid, and whether they lie on it."""
    t, (rows, columns) = grid.transform, grid.shape
    column = np.floor((np.asarray(x) - t.c) / t.a).astype(np.int64)
    row = np.floor((np.asarray(y) - t.f) / t.e).astype(np.int64)
    there = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    return np.where(there, row, 0), np.where(there, column, 0), there


def gained(parts: EpochParts, *, minimum_m2: float) -> Geometries:
    """(n,) gain of each landslide in an epoch, new and expanded ground as one; none smaller."""
    pieces: dict[int, list[Any]] = defaultdict(list)
    for code, number, geometry in zip(
        parts.status.tolist(), parts.landslide.tolist(), parts.geometry, strict=True
    ):
        if code in GAINED:
            pieces[number].append(geometry)
    found = as_geometries([union(pieces[number]) for number in sorted(pieces)])
    return found[shapely.area(found) >= minimum_m2]


def as_seen(reference: MultiTemporal, detected: MultiTemporal) -> MultiTemporal:
    """The reference as the images of another inventory show it: followed within its footprints.

    A landslide under cloud is gained when the cloud has gone, by a perfect mapper too.
    """
    maps = []
    for theirs, ours in zip(reference.epochs, detected.epochs, strict=True):
        known = [e.footprint for e in (theirs.epoch, ours.epoch) if e.footprint is not None]
        ground = None
        if known:
            part = polygonal_part(shapely.intersection_all(known))
            ground = shapely.MultiPolygon() if part is None else part
        maps.append(replace(theirs.epoch, footprint=ground))
    return track(maps, settings=reference.settings, baseline=reference.baseline)


def seen_pixels(found: MultiTemporal, pixels: Grid) -> Bool[ndarray, "epoch y x"]:
    """Pixels whose centre lies in the footprint of each epoch."""
    seen = np.ones((len(found.epochs), *pixels.shape), dtype=bool)
    for number, parts in enumerate(found.epochs):
        if parts.epoch.footprint is not None:
            ground = shapely.get_parts(as_geometries([parts.epoch.footprint]))
            seen[number] = rasterise(projected(ground, found.crs, pixels), pixels)
    return seen


def projected(geometries: Geometries, crs: Any, grid: Grid) -> Geometries:
    """Polygons in the coordinate system of a grid."""
    import geopandas as gpd

    if grid.crs == crs:
        return geometries
    return np.asarray(gpd.GeoSeries(geometries, crs=crs).to_crs(grid.crs).to_numpy(), dtype=object)


def calibrate_series(
    detected: MultiTemporal,
    reference: MultiTemporal,
    survey: Survey,
    allowed: Bool[ndarray, "y x"],
    *,
    minimum_m2: float,
) -> tuple[Calibration, ...]:
    """What every block of some ground tells of the detector, epoch by epoch.

    Blocks are numbered as by `Survey.points(allowed)`.

    Args:
        detected: detected inventory.
        reference: reference inventory, as the same images show it (`as_seen`).
        survey: ground that both looked at, in the coordinate system of both.
        allowed: ground that neither trained the network nor chose its threshold.
        minimum_m2: smallest gain that counts [m2].
    """
    x, y, _ = survey.points(allowed)
    row, column = np.nonzero(allowed)
    slope = np.zeros(x.size) if survey.slope_deg is None else survey.slope_deg[row, column]
    area = survey.pixels.cell_area_m2 / 1e6
    matched, grounds, inside = [], [], []
    for number, (ours, theirs) in enumerate(zip(detected.epochs, reference.epochs, strict=True)):
        one, other = (gained(parts, minimum_m2=minimum_m2) for parts in (ours, theirs))
        tables = [pd.DataFrame({"landslide_id": np.arange(len(side))}) for side in (one, other)]
        matched.append(match_outlines(one, other, tables[0], tables[1]))
        grounds.append((x, y, np.where(survey.seen[number][row, column], area, 0.0), slope))
        ground = allowed & survey.seen[number]
        inside.append(lambda x, y, ground=ground: survey.on(ground, x, y))
    return calibrate_epochs(
        matched, slope_at=survey.slope_at(), grounds=grounds, inside=inside,
        block_m=survey.block_m, minimum_m2=minimum_m2,
    )  # fmt: skip


def gains_on(
    found: MultiTemporal, survey: Survey, ground: Bool[ndarray, "y x"], *, minimum_m2: float
) -> tuple[FloatArray, FloatArray]:
    """Areas and slopes of all gains on some ground, of all epochs that looked at it."""
    areas, slopes = [], []
    look_up = survey.slope_at()
    for number, parts in enumerate(found.epochs):
        outlines = gained(parts, minimum_m2=minimum_m2)
        x, y = shapely.get_coordinates(shapely.point_on_surface(outlines)).T
        there = survey.on(ground & survey.seen[number], x, y)
        areas.append(shapely.area(outlines)[there])
        slopes.append(np.zeros(there.sum()) if look_up is None else look_up(x[there], y[there]))
    return np.concatenate(areas), np.concatenate(slopes)
