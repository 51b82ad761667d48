"""The embedded study: scenes, true inventories and elevation of regions, sites and dates."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import shapely
from affine import Affine
from rasterio.features import shapes
from scipy import ndimage

from detection.embedded.cover import build_cover
from detection.embedded.ground import Ground, RegionWorld, build_region, build_site, site_grids
from detection.embedded.noise import Array, stream
from detection.embedded.regions import BANDS
from detection.embedded.scars import Scars, build_scars
from detection.embedded.sensor import observe, shifted
from detection.embedded.settings import EmbeddedSettings
from detection.embedded.surface import Palette, snow_cover, surface
from detection.scenes.scene import Scene
from hazard.geo.grid import Grid

SENSOR = "embedded renderer"
DEM_NOISE_M = 1.2


@dataclass(frozen=True, eq=False, kw_only=True)
class TrueLandslide:
    """One landslide of a scene, as the truth knows it.

    Attributes:
        landslide_id: number within the site, the same on every date.
        polygon: outline along the pixels of the scene.
        failed: day of failure.
        new: failed since the image before.
        regrown: share that has grown over on the date of the image.
    """

    landslide_id: int
    polygon: shapely.Geometry
    failed: dt.date
    new: bool
    regrown: float


@dataclass(frozen=True, eq=False, kw_only=True)
class TrueInventory:
    """What is true on the date of one scene.

    Attributes:
        scene: name of the scene.
        site: name of its place, the same on every date.
        date: of the image.
        pre_date: of the image before.
        landslides: those that a mapper of this image draws (less than half grown over).
        visible: (y, x) mask of them.
        new: (y, x) mask of those among them that failed since the image before.
    """

    scene: str
    site: str
    date: dt.date
    pre_date: dt.date
    landslides: tuple[TrueLandslide, ...]
    visible: Array
    new: Array


@dataclass(frozen=True, eq=False, kw_only=True)
class SiteElevation:
    """Elevation raster of a site (y, x) [m] on its own, coarser grid."""

    site: str
    elevation_m: Array
    grid: Grid


@dataclass(frozen=True, eq=False, kw_only=True)
class EmbeddedStudy:
    """Scenes with their truth.

    Attributes:
        settings: what was asked for.
        scenes: regions x sites x dates, in this order.
        inventories: one per scene, in the same order.
        elevations: one per site.
    """

    settings: EmbeddedSettings
    scenes: tuple[Scene, ...]
    inventories: tuple[TrueInventory, ...]
    elevations: tuple[SiteElevation, ...]


def render_study(
    settings: EmbeddedSettings, *, progress: Callable[[int], None] | None = None
) -> EmbeddedStudy:
    """Render every scene of the settings.

    Memory is that of the scenes and of one site in the making (about 100 bytes x bands per pixel).

    Args:
        settings: what to render.
        progress: called with 1 after every scene.
    """
    scenes: list[Scene] = []
    inventories: list[TrueInventory] = []
    elevations: list[SiteElevation] = []
    for name in settings.regions:
        world = build_region(settings, settings.region(name))
        for number, grid in enumerate(site_grids(settings, world)):
            site = _render_site(settings, world, grid, number, progress)
            scenes.extend(site.scenes)
            inventories.extend(site.inventories)
            elevations.extend(site.elevations)
    return EmbeddedStudy(
        settings=settings,
        scenes=tuple(scenes),
        inventories=tuple(inventories),
        elevations=tuple(elevations),
    )


def render_scenes(
    settings: EmbeddedSettings, *, progress: Callable[[int], None] | None = None
) -> tuple[Scene, ...]:
    """The scenes of `render_study`: regions x sites x dates, each with the date before as `pre`.

    Example:
        >>> scenes = render_scenes(EmbeddedSettings(regions=("nepal_like",), size_px=64, epochs=1))
        >>> scenes[0].image.shape, scenes[0].bands
        ((64, 64, 4), ('blue', 'green', 'red', 'nir'))
    """
    return render_study(settings, progress=progress).scenes


def _render_site(
    settings: EmbeddedSettings,
    world: RegionWorld,
    grid: Grid,
    number: int,
    progress: Callable[[int], None] | None,
) -> EmbeddedStudy:
    region = world.region
    ground = build_site(settings, world, grid, number)
    cover = build_cover(settings, ground, number)
    scars = build_scars(settings, ground, number)
    palette = Palette(settings, ground, scars, number)
    site = f"{region.name}_{number + 1:02d}"
    dem = _elevation(settings, ground, site, number)
    elevation = _elevation_on_image(dem, grid)
    dates = (world.pre_event, *(image for _, _, image in world.epochs))
    before: tuple[Array, Array] | None = None
    scenes, inventories = [], []
    for k, date in enumerate(dates):
        rng = stream(settings.seed, region.name, "weather", number, k)
        snow = snow_cover(ground, cover, date)
        image, valid = observe(
            surface(ground, cover, scars, palette, date, snow), snow, ground, settings, date, rng
        )
        # The margin is cut only after the shift, so that no edge of nothing comes in.
        if before is not None:
            shift = rng.normal(0.0, settings.misregistration_px, 2)
            pre, pre_valid = shifted(*before, (float(shift[0]), float(shift[1])))
            inner = ground.inner
            truth = _truth(scars, ground, site, date, dates[k - 1])
            mask = truth.visible if settings.truth == "visible" else truth.new
            scenes.append(
                Scene(
                    name=truth.scene,
                    region=region.name,
                    epoch=f"{date:%Y-%m}",
                    date=date,
                    bands=BANDS,
                    unit="1",
                    sensor=SENSOR,
                    grid=grid,
                    image=np.ascontiguousarray(image[inner]),
                    valid=np.ascontiguousarray(valid[inner]),
                    truth=mask,
                    known=np.ones(grid.shape, dtype=bool),
                    pre=np.ascontiguousarray(pre[inner]),
                    pre_valid=np.ascontiguousarray(pre_valid[inner]),
                    elevation_m=elevation,
                    synthetic=True,
                )
            )
            inventories.append(truth)
            if progress is not None:
                progress(1)
        before = image, valid
    return EmbeddedStudy(
        settings=settings,
        scenes=tuple(scenes),
        inventories=tuple(inventories),
        elevations=(dem,),
    )


def _truth(
    scars: Scars, ground: Ground, site: str, date: dt.date, pre_date: dt.date
) -> TrueInventory:
    visible = scars.visible(date)
    new = visible & ~scars.stands(pre_date)
    inner = ground.inner
    drawn = np.where(scars.mask(visible), scars.label, 0)[inner].astype(np.int32)
    rows, cols = inner
    t = ground.grid.transform
    transform = Affine(t.a, 0.0, t.c + cols.start * t.a, 0.0, t.e, t.f + rows.start * t.e)
    parts: dict[int, list[shapely.Polygon]] = {}
    for geometry, value in shapes(drawn, mask=drawn > 0, transform=transform, connectivity=4):
        parts.setdefault(int(value), []).append(
            shapely.Polygon(geometry["coordinates"][0], geometry["coordinates"][1:])
        )
    regrown = scars.regrown(date)
    landslides = tuple(
        TrueLandslide(
            landslide_id=label,
            polygon=found[0] if len(found) == 1 else shapely.MultiPolygon(found),
            failed=dt.date.fromordinal(int(scars.failed[label - 1])),
            new=bool(new[label - 1]),
            regrown=float(regrown[label - 1]),
        )
        for label, found in sorted(parts.items())
    )
    return TrueInventory(
        scene=f"{site}_{date:%Y-%m}",
        site=site,
        date=date,
        pre_date=pre_date,
        landslides=landslides,
        visible=drawn > 0,
        new=np.ascontiguousarray(scars.mask(new)[inner]),
    )


def _elevation(settings: EmbeddedSettings, ground: Ground, site: str, number: int) -> SiteElevation:
    """What an elevation model of that pixel shows: means, with an error of its own."""
    m, pixel = ground.pixel_m, max(settings.dem_pixel_m, ground.pixel_m)
    rng = stream(settings.seed, ground.world.region.name, "elevation", number)
    t = ground.grid.transform
    inset = math.ceil(0.5 * pixel / m)
    side = ground.shape[0] - 2 * inset
    n = int(side * m // pixel)
    grid = Grid(
        crs=ground.grid.crs,
        transform=Affine(pixel, 0.0, t.c + inset * m, 0.0, -pixel, t.f - inset * m),
        shape=(n, n),
    )
    blurred = ndimage.gaussian_filter(ground.elevation_m, 0.5 * pixel / m)
    centre = inset + (np.arange(n) + 0.5) * pixel / m - 0.5
    rows, cols = np.meshgrid(centre, centre, indexing="ij")
    z = ndimage.map_coordinates(blurred, [rows, cols], order=1, mode="nearest")
    error = ndimage.gaussian_filter(rng.standard_normal((n, n)), 1.0)
    z = z + DEM_NOISE_M * error / max(float(error.std()), 1e-6)
    return SiteElevation(site=site, elevation_m=z.astype(np.float32), grid=grid)


def _elevation_on_image(dem: SiteElevation, grid: Grid) -> Array:
    """The elevation raster at the pixels of the scene, bilinear."""
    pixel = dem.grid.cell_size[0]
    rows = (dem.grid.transform.f - np.asarray(grid.y)) / pixel - 0.5
    cols = (np.asarray(grid.x) - dem.grid.transform.c) / pixel - 0.5
    at = np.meshgrid(rows, cols, indexing="ij")
    return ndimage.map_coordinates(dem.elevation_m, at, order=1, mode="nearest", output=np.float32)
