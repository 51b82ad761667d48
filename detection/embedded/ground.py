"""The ground of a region and of a site: world, terrain at image resolution, rivers.

The world's terrain has pixels of 31.25 m. Here it is interpolated to the image, given valley
floors along its rivers, gullies that run downslope and rough detail in proportion to the gradient.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pyproj
import shapely
from affine import Affine
from scipy import ndimage

from detection.embedded.noise import Array, rough_field, soft_step, streaks, stream
from detection.embedded.regions import Region
from detection.embedded.settings import EmbeddedSettings
from hazard.geo.grid import Grid
from hazard.world.calendar import EVENT_DATE
from hazard.world.domain import pixel_grid
from hazard.world.drivers import build_drivers
from hazard.world.landscape import route
from hazard.world.landslides import Landslides
from hazard.world.parameters import Parameters, parameters_of
from hazard.world.settings import WorldConfig
from hazard.world.simulate import build_ground, fail

WORLD_PIXEL_M = 31.25
# Share of 1 km cells that fail per epoch: images are taken where much has failed.
PRESENCE = (0.70, 0.60, 0.45, 0.55, 0.40, 0.50, 0.40, 0.50)
BASELINE_PRESENCE = 0.75
# Of the tiles of a region, those are taken whose failed shares, in the first epoch and in all, come
# nearest to these.
EVENT_SHARE, TOTAL_SHARE = 0.04, 0.07
# Later landslides are larger than the world's: images miss what is smaller than a few pixels.
LATER_SIZES = 1.3
CHANNEL_KM2 = 0.8
MARGIN_M = 700.0
# No wider world is made only to choose better sites from.
MOST_KM = 16.0


@dataclass(frozen=True, eq=False)
class RegionWorld:
    """A world moved to a region's coordinates.

    Attributes:
        region: how it looks.
        elevation_m: (y, x) on the world's pixels, rescaled to the region.
        transform: of those pixels, in the region's system.
        receiver: (y * x,) flat index of the pixel downstream.
        area_km2: (y, x) drained area, what enters from outside included.
        landslides: true landslides, polygons in the region's system.
        epochs: (start, end, image) days of the epochs, moved to the region's event.
        pre_event: day of the image before the event.
    """

    region: Region
    elevation_m: Array
    transform: Affine
    receiver: Array
    area_km2: Array
    landslides: Landslides
    epochs: tuple[tuple[dt.date, dt.date, dt.date], ...]
    pre_event: dt.date


@dataclass(frozen=True, eq=False)
class Ground:
    """The ground of a site, on the scene's grid and a margin of `pad` pixels on every side.

    Attributes:
        grid: of the padded arrays.
        pad: margin [px].
        pixel_m: side of a pixel [m].
        elevation_m: (y, x).
        smooth_m: (y, x) the same without gullies and detail.
        slope_deg: (y, x) of the smooth ground.
        down: (rows, columns) unit descent direction, each (y, x).
        streak: (y, x) standard field, streaked downslope.
        convexity: (y, x) standard: positive on ridges, negative in hollows.
        river_m: (y, x) distance to the nearest river [m].
        river_km2: (y, x) area that drains through it.
        above_river_m: (y, x) height above it.
        world: the world around it.
    """

    grid: Grid
    pad: int
    pixel_m: float
    elevation_m: Array
    smooth_m: Array
    slope_deg: Array
    down: tuple[Array, Array]
    streak: Array
    convexity: Array
    river_m: Array
    river_km2: Array
    above_river_m: Array
    world: RegionWorld

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of the padded arrays."""
        return self.grid.shape

    @property
    def inner(self) -> tuple[slice, slice]:
        """The scene within the padded arrays."""
        rows, cols = self.shape
        return slice(self.pad, rows - self.pad), slice(self.pad, cols - self.pad)


def world_parameters(config: WorldConfig, region: Region) -> Parameters:
    """The world's planted values, with more and larger landslides than a whole country has."""
    planted = parameters_of(config)
    sizes = tuple(
        replace(
            law,
            values=(
                *law.values[:2],
                law.values[2] * region.size_factor * (LATER_SIZES if epoch else 1.0),
            ),
        )
        for epoch, law in enumerate(planted.sizes)
    )
    return replace(planted, presence=PRESENCE, baseline_presence=BASELINE_PRESENCE, sizes=sizes)


def build_region(settings: EmbeddedSettings, region: Region) -> RegionWorld:
    """The world of a region: terrain, rivers and landslides of every epoch."""
    side_km = settings.pitch_m / 1000.0
    tiles = math.ceil(math.sqrt(settings.sites)) + 2
    # Whole tiles for the sites to choose from, and a margin that casts shadows into them.
    choice_km = max(min(tiles * side_km, MOST_KM), 1.5 * side_km * (tiles - 2))
    cells = max(8, math.ceil(choice_km + 2 * MARGIN_M / 1000.0))
    rng = stream(settings.seed, region.name, "ground")
    config = WorldConfig(
        extent_cells=(cells, cells),
        pixels_per_cell=32,
        n_epochs=max(2, settings.epochs),
        seed=int(rng.integers(2**31)),
    )
    planted = world_parameters(config, region)
    ground = build_ground(config)
    drivers = build_drivers(
        config,
        planted,
        terrain=ground.terrain,
        shakemaps=ground.shakemaps,
        rain=ground.rain,
        epochs=ground.epochs,
    )
    landslides, _ = fail(config, planted, ground, drivers)
    raw = ground.terrain.elevation_m
    elevation = region.base_m + (raw - raw.min()) * np.float32(region.relief)
    filled = elevation.astype(np.float32).copy()
    flow = route(filled, spacing_m=WORLD_PIXEL_M)
    area = flow.area_m2 / 1e6
    # Rivers that enter from outside bring the area that the world's lattice knows of.
    lattice = ndimage.grey_dilation(ground.terrain.lattice_area_m2 / 1e6, size=(3, 3))
    times = round(elevation.shape[0] / lattice.shape[0])
    outside = np.repeat(np.repeat(lattice, times, axis=0), times, axis=1)
    area = np.where(area > CHANNEL_KM2, np.maximum(area, outside), area)
    t = pixel_grid(config).transform
    west, north = region.origin_m
    # Tenths of the world's origin would leave pixels that no file can write exactly.
    transform = Affine(t.a, 0.0, west, 0.0, t.e, north)
    moved = shapely.transform(
        landslides.polygon, lambda xy: xy + np.array([west - t.c, north - t.f])
    )
    shift = region.event - EVENT_DATE
    dates = stream(settings.seed, region.name, "dates")
    epochs = []
    for epoch in ground.epochs[: settings.epochs]:
        if epoch.image_start is None or epoch.image_end is None:
            raise RuntimeError(f"epoch {epoch.name} has no images")
        span = (epoch.image_end - epoch.image_start).days
        image = epoch.image_start + dt.timedelta(days=int(span * dates.uniform(0.3, 0.9)))
        epochs.append((epoch.start + shift, epoch.end + shift, image + shift))
    return RegionWorld(
        region=region,
        elevation_m=elevation.astype(np.float32),
        transform=transform,
        receiver=flow.receiver,
        area_km2=area.astype(np.float32),
        landslides=replace(landslides, polygon=moved),
        epochs=tuple(epochs),
        pre_event=region.event - dt.timedelta(days=int(dates.integers(25, 160))),
    )


def site_grids(settings: EmbeddedSettings, world: RegionWorld) -> tuple[Grid, ...]:
    """Grids of the sites: tiles whose failed shares are nearest to the ones wanted."""
    side, pitch = settings.extent_m, settings.pitch_m
    rows = world.elevation_m.shape[0] * WORLD_PIXEL_M
    n = int((rows - 2 * MARGIN_M) // pitch)
    start = math.floor((rows - n * pitch) / 2 / settings.pixel_m) * settings.pixel_m
    t = world.transform
    drawn = world.landslides.epoch >= 0
    polygons, epoch = world.landslides.polygon[drawn], world.landslides.epoch[drawn]
    tree = shapely.STRtree(polygons)
    found = []
    for r in range(n):
        for c in range(n):
            west, north = t.c + start + c * pitch, t.f - start - r * pitch
            box = shapely.box(west, north - side, west + side, north)
            inside = tree.query(box)
            share = shapely.area(shapely.intersection(polygons[inside], box)) / side**2
            event, total = float(share[epoch[inside] == 0].sum()), float(share.sum())
            far = abs(math.log(max(event, 1e-4) / EVENT_SHARE))
            far += abs(math.log(max(total, 1e-4) / TOTAL_SHARE))
            # Of equal shares, many landslides tell more than one giant.
            far -= 0.3 * math.log(1 + int((epoch[inside] == 0).sum()))
            found.append((far, r, c, west, north))
    found.sort()
    return tuple(
        Grid(
            crs=pyproj.CRS.from_user_input(world.region.crs),
            transform=Affine(settings.pixel_m, 0.0, west, 0.0, -settings.pixel_m, north),
            shape=(settings.size_px, settings.size_px),
        )
        for *_, west, north in found[: settings.sites]
    )


def build_site(settings: EmbeddedSettings, world: RegionWorld, grid: Grid, number: int) -> Ground:
    """Terrain and rivers of a site at image resolution."""
    m = settings.pixel_m
    pad = max(24, math.ceil(3 * settings.dem_pixel_m / m))
    t = grid.transform
    padded = Grid(
        crs=grid.crs,
        transform=Affine(m, 0.0, t.c - pad * m, 0.0, -m, t.f + pad * m),
        shape=(grid.shape[0] + 2 * pad, grid.shape[1] + 2 * pad),
    )
    rng = stream(settings.seed, world.region.name, "site", number)
    smooth = on_image(world.elevation_m, world, padded, order=3)
    river_m, river_km2, river_z = _rivers(world, padded, m, rng)
    smooth = _with_valley_floors(smooth, river_m, river_km2, river_z, world.region)
    gy, gx = np.gradient(ndimage.gaussian_filter(smooth, 12.0 / m), m)
    steep = np.hypot(gy, gx)
    length = np.maximum(steep, 1e-4)
    down = (-gy / length).astype(np.float32), (-gx / length).astype(np.float32)
    white = rng.standard_normal(padded.shape, dtype=np.float32)
    white = ndimage.gaussian_filter(white, 0.8)
    streak = streaks(white, down, half_length_px=max(4, round(60.0 / m)))
    gullies = streaks(
        ndimage.gaussian_filter(rng.standard_normal(padded.shape, dtype=np.float32), 12.0 / m),
        down,
        half_length_px=max(4, round(80.0 / m)),
    )
    detail = rough_field(padded.shape, 80.0 / m, rng, slope=3.0)
    rough = np.clip(steep, 0.02, 1.0)
    elevation = smooth + rough * (2.4 * gullies + 1.8 * detail)
    wide = ndimage.gaussian_filter(smooth, 60.0 / m)
    convexity = ndimage.gaussian_filter(smooth, 15.0 / m) - wide
    return Ground(
        grid=padded,
        pad=pad,
        pixel_m=m,
        elevation_m=elevation.astype(np.float32),
        smooth_m=smooth,
        slope_deg=np.degrees(np.arctan(steep)).astype(np.float32),
        down=down,
        streak=streak,
        convexity=(convexity / max(float(convexity.std()), 1e-6)).astype(np.float32),
        river_m=river_m,
        river_km2=river_km2,
        above_river_m=smooth - river_z,
        world=world,
    )


def on_image(field: Array, world: RegionWorld, grid: Grid, *, order: Literal[1, 3]) -> Array:
    """A field of the world's pixels at the pixel centres of an image."""
    scale = grid.cell_size[0] / WORLD_PIXEL_M
    rows = (world.transform.f - grid.transform.f) / WORLD_PIXEL_M + 0.5 * scale - 0.5
    cols = (grid.transform.c - world.transform.c) / WORLD_PIXEL_M + 0.5 * scale - 0.5
    out = ndimage.affine_transform(
        field,
        np.array([scale, scale]),
        offset=np.array([rows, cols]),
        output_shape=grid.shape,
        order=order,
        mode="nearest",
        output=np.float32,
    )
    return np.asarray(out, dtype=np.float32)


def _rivers(
    world: RegionWorld, grid: Grid, m: float, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    """(distance [m], drained area [km2], elevation [m]) of the nearest river."""
    channel = np.flatnonzero(world.area_km2.ravel() > CHANNEL_KM2)
    cols_w = world.elevation_m.shape[1]
    y, x = (v.astype(np.float64) for v in np.divmod(np.arange(world.receiver.size), cols_w))
    # Courses of eight directions, smoothed along the flow.
    for _ in range(4):
        y, x = 0.5 * (y + y[world.receiver]), 0.5 * (x + x[world.receiver])
    scale = WORLD_PIXEL_M / m
    top = (world.transform.f - grid.transform.f) / m
    left = (world.transform.c - grid.transform.c) / m
    share = np.linspace(0.0, 1.0, math.ceil(3 * scale))[:, None]
    to = world.receiver[channel]
    drop = world.elevation_m.ravel()
    r = ((y[channel] * (1 - share) + y[to] * share + 0.5) * scale - top).ravel()
    c = ((x[channel] * (1 - share) + x[to] * share + 0.5) * scale + left).ravel()
    z = (drop[channel] * (1 - share) + drop[to] * share).ravel()
    a = np.broadcast_to(world.area_km2.ravel()[channel], (share.size, channel.size)).ravel()
    r, c = np.floor(r).astype(np.int64), np.floor(c).astype(np.int64)
    inside = (r >= 0) & (c >= 0) & (r < grid.shape[0]) & (c < grid.shape[1])
    if not inside.any():
        far = np.full(grid.shape, 1e5, dtype=np.float32)
        low = np.full(grid.shape, world.elevation_m.min() - 1e4, dtype=np.float32)
        return far, np.zeros(grid.shape, dtype=np.float32), low
    order = np.argsort(a[inside], kind="stable")
    r, c, z, a = (v[inside][order] for v in (r, c, z, a))
    height = np.zeros(grid.shape, dtype=np.float32)
    drained = np.zeros(grid.shape, dtype=np.float32)
    height[r, c], drained[r, c] = z, a
    distance, nearest = ndimage.distance_transform_edt(drained == 0.0, return_indices=True)
    height = height[nearest[0], nearest[1]]
    drained = drained[nearest[0], nearest[1]]
    # Bends: the whole plane is warped by a few metres to tens of metres.
    index = np.indices(grid.shape, dtype=np.float32)
    for amplitude, scale_m in ((14.0, 260.0), (4.0, 70.0)):
        for axis in range(2):
            index[axis] += amplitude / m * rough_field(grid.shape, scale_m / m, rng, slope=4.0)
    warped = [
        ndimage.map_coordinates(v, index, order=1, mode="nearest", output=np.float32)
        for v in (
            distance.astype(np.float32) * np.float32(m),
            ndimage.gaussian_filter(drained, 20.0 / m),
            ndimage.gaussian_filter(height, 40.0 / m),
        )
    ]
    return warped[0], warped[1], warped[2]


def _with_valley_floors(
    z: Array, river_m: Array, river_km2: Array, river_z: Array, region: Region
) -> Array:
    """Ground that rivers have filled and planed: gentle near them, as before further up."""
    floor = np.minimum(region.floodplain_m * np.sqrt(river_km2), 160.0)
    keep = soft_step(river_m, 0.6 * floor, 2.0 * floor + 30.0)
    keep = np.maximum(keep, 0.06)
    low = np.minimum(river_z, z)
    return np.asarray(low + (z - low) * keep, dtype=np.float32)
