"""Landslides of a site at image resolution: ragged outlines, way from crown to toe, regrowth."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import shapely
from rasterio.features import rasterize
from scipy import ndimage

from detection.embedded.ground import Ground
from detection.embedded.noise import Array, rough_field, soft_step, stream
from detection.embedded.settings import EmbeddedSettings
from hazard.world.landslides import Landslides

# Of the outline's wandering: (standard deviation, wavelength) [m].
RAGGED_M = ((5.0, 90.0), (2.6, 32.0), (1.2, 14.0))
OLD_YEARS = (5.0, 40.0)
# Some landslides run on as a narrow flow: share, half-width [m], length over that of the scar.
FLOW_SHARE = 0.45
FLOW_HALF_WIDTH_M = (3.5, 9.0)
FLOW_LENGTH = (0.3, 1.6)
FLOW_ENDS_DEG = 7.0
# Largest failed shares of a site.
MOST_AT_EVENT, MOST_IN_ALL = 0.065, 0.085
RECOVERY_LOG_SD = 0.35
# A scar is drawn by a mapper until this share of it has grown over.
VISIBLE_UNTIL = 0.5


@dataclass(frozen=True, eq=False)
class Scars:
    """The landslides that meet a site.

    Attributes:
        label: (y, x) number of the landslide from 1 on, 0 outside.
        way: (y, x) 0 at the crown, 1 at the toe, along the height; 0 outside.
        depth_px: (y, x) distance to the outline [px]; 0 outside.
        world_index: (n,) index into the world's landslides.
        epoch: (n,) zero-based epoch of failure; -1 before the event.
        failed: (n,) ordinal day of failure.
        half_years: (n,) years until half of the scar has grown over.
        patchy: (y, x) standard field: where plants come first.
    """

    label: Array
    way: Array
    depth_px: Array
    world_index: Array
    epoch: Array
    failed: Array
    half_years: Array
    patchy: Array

    def regrown(self, date: dt.date) -> Array:
        """(n,) share that has grown over by a date; 0 for those that have not failed yet."""
        age = np.maximum(date.toordinal() - self.failed, 0) / 365.25
        return np.asarray(1.0 - 0.5 ** ((age / self.half_years) ** 1.8))

    def stands(self, date: dt.date) -> Array:
        """(n,) whether it had failed by a date."""
        return np.asarray(self.failed <= date.toordinal())

    def mask(self, chosen: Array) -> Array:
        """(y, x) pixels of the chosen landslides (n,)."""
        return np.asarray(np.concatenate([[False], chosen])[self.label])

    def visible(self, date: dt.date) -> Array:
        """(n,) whether a mapper of an image of this date draws it."""
        return np.asarray(self.stands(date) & (self.regrown(date) < VISIBLE_UNTIL))


def build_scars(settings: EmbeddedSettings, ground: Ground, number: int) -> Scars:
    """The landslides of a site, drawn on its padded grid."""
    world, m, shape = ground.world, ground.pixel_m, ground.shape
    rng = stream(settings.seed, world.region.name, "scars", number)
    landslides = world.landslides
    index = np.sort(
        shapely.STRtree(landslides.polygon).query(
            shapely.box(*ground.grid.bounds), predicate="intersects"
        )
    )
    index = _within_shares(landslides, index, ground, rng)
    n = index.size
    smooth = np.zeros(shape, dtype=np.int32)
    if n:
        outlines = [_with_flow(landslides.polygon[i], ground, rng) for i in index]
        # Large ones first: where flows meet, the smaller landslide stays on top.
        order = np.argsort(-landslides.area_m2[index], kind="stable")
        smooth = rasterize(
            ((outlines[k], int(k) + 1) for k in order),
            out_shape=shape,
            transform=ground.grid.transform,
            dtype="int32",
        )
    place = np.indices(shape, dtype=np.float32)
    for amplitude, wavelength in RAGGED_M:
        for axis in range(2):
            noise = rough_field(shape, max(wavelength / m, 2.0), rng, slope=5.0)
            place[axis] += np.float32(amplitude / m) * noise
    rows = np.clip(np.rint(place[0]), 0, shape[0] - 1).astype(np.int64)
    cols = np.clip(np.rint(place[1]), 0, shape[1] - 1).astype(np.int64)
    label = smooth[rows, cols]
    # The warp may cut off crumbs; a crumb of the background inside closes, one outside goes.
    label = ndimage.median_filter(label, size=3)

    way = np.zeros(shape, dtype=np.float32)
    if n:
        ids = np.arange(1, n + 1)
        z = ground.smooth_m
        top = ndimage.maximum(z, label, ids)
        low = ndimage.minimum(z, label, ids)
        top, low = (np.concatenate([[0.0], np.nan_to_num(v)]) for v in (top, low))
        way = (top[label] - z) / np.maximum(top[label] - low[label], 1.0)
        way = np.where(label > 0, np.clip(way, 0.0, 1.0), 0.0).astype(np.float32)
    # A scar next to another still has an outline of its own.
    edges = (ndimage.maximum_filter(label, 3) != label) | (
        ndimage.minimum_filter(label, 3) != label
    )
    depth = ndimage.distance_transform_edt((label > 0) & ~edges)
    depth = np.where(label > 0, depth + 0.5, 0.0).astype(np.float32)

    epoch = landslides.epoch[index]
    failed = np.empty(n, dtype=np.int64)
    for k in range(n):
        e = int(epoch[k])
        if e < 0:
            years = rng.uniform(*OLD_YEARS)
            failed[k] = world.pre_event.toordinal() - round(365.25 * years)
        elif e == 0:
            failed[k] = world.region.event.toordinal()
        else:
            if e >= len(world.epochs):
                failed[k] = dt.date.max.toordinal()
                continue
            before, last = (world.epochs[j][2].toordinal() for j in (e - 1, e))
            # After the image before, up to its own: so each is new in one image.
            failed[k] = int(rng.integers(before + 1, last + 1))
    half = world.region.recovery_years * np.exp(rng.normal(0.0, RECOVERY_LOG_SD, n))
    return Scars(
        label=label.astype(np.int32),
        way=way,
        depth_px=depth,
        world_index=index,
        epoch=epoch,
        failed=failed,
        half_years=half,
        patchy=rough_field(shape, 45.0 / m, rng, slope=2.0),
    )


def _within_shares(
    landslides: Landslides, index: Array, ground: Ground, rng: np.random.Generator
) -> Array:
    """Those of the landslides that fail: in a random order, until the site has its largest share.

    Without it a few sites would be landslides for a fifth, and colour alone would do.
    """
    box = shapely.box(*ground.grid.bounds)
    share = shapely.area(shapely.intersection(landslides.polygon[index], box)) / box.area
    epoch = landslides.epoch[index]
    turn = np.lexsort((rng.random(index.size), epoch))
    total = np.cumsum(share[turn] * (epoch[turn] >= 0))
    most = np.where(epoch[turn] <= 0, MOST_AT_EVENT, MOST_IN_ALL)
    return np.sort(index[turn[(epoch[turn] < 0) | (total <= most)]])


def _with_flow(
    polygon: shapely.Polygon, ground: Ground, rng: np.random.Generator
) -> shapely.Geometry:
    """A landslide, some of them with a debris flow that follows the ground down from its toe."""
    chosen, half, times = (
        rng.random() < FLOW_SHARE,
        rng.uniform(*FLOW_HALF_WIDTH_M),
        rng.uniform(*FLOW_LENGTH),
    )
    m, t = ground.pixel_m, ground.grid.transform
    ring = shapely.get_coordinates(polygon.exterior)
    cols, rows = (ring[:, 0] - t.c) / t.a, (ring[:, 1] - t.f) / t.e
    inside = (rows >= 0) & (rows < ground.shape[0]) & (cols >= 0) & (cols < ground.shape[1])
    if not chosen or not inside.all():
        return polygon
    low = int(np.argmin(ground.smooth_m[rows.astype(int), cols.astype(int)]))
    # From a little inside the toe, so that the flow and the scar are one.
    centre = shapely.get_coordinates(polygon.centroid)[0]
    start = ring[low] + 0.15 * (centre - ring[low])
    row, col = (start[1] - t.f) / t.e, (start[0] - t.c) / t.a
    length = times * float(np.hypot(*(ring.max(axis=0) - ring.min(axis=0))))
    way = [(col, row)]
    for _ in range(int(length / m)):
        r, c = int(row), int(col)
        if not (0 <= r < ground.shape[0] and 0 <= c < ground.shape[1]):
            break
        if ground.slope_deg[r, c] < FLOW_ENDS_DEG or ground.river_m[r, c] < m:
            break
        row, col = row + float(ground.down[0][r, c]), col + float(ground.down[1][r, c])
        way.append((col, row))
    if len(way) < 4:
        return polygon
    line = np.array(way) * [t.a, t.e] + [t.c, t.f]
    flow = shapely.LineString(line).buffer(max(half, 1.2 * m))
    return shapely.union(polygon, flow)


def regrowth(scars: Scars, ground: Ground, date: dt.date) -> Array:
    """(y, x) share of vegetation on the scars of a date, patchy; 1 outside them.

    Plants come back from the flanks and on the deposit first; the head stays bare longest.
    """
    share = np.concatenate([[1.0], scars.regrown(date)]).astype(np.float32)
    share[1:] = np.where(scars.stands(date), share[1:], 1.0)
    level = share[scars.label]
    wide_m = scars.depth_px * ground.pixel_m
    lead = 0.10 * scars.patchy + 0.10 * (scars.way - 0.5) + 0.15 * np.exp(-wide_m / 8.0)
    green = soft_step(level + lead, 0.12, 0.95)
    return np.where(scars.label > 0, np.where(level >= 1.0, 1.0, green), 1.0).astype(np.float32)
