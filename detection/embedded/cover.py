"""What covers a site whatever the date: forest, fields, blocks of felling, roads, rivers, rock.

Everything that looks like a scar from space has a place and a shape of its own here: fields are
rectangles on gentle ground, roads thin and long, gravel follows rivers, rock stands on ridges and
cliffs, felled blocks are rectangles in forest, degraded ground is ragged and follows nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from detection.embedded.ground import Ground
from detection.embedded.noise import Array, rough_field, soft_step, stream
from detection.embedded.settings import EmbeddedSettings

TABLE = 4096


@dataclass(frozen=True, eq=False)
class Parcels:
    """Rectangles of a block pattern.

    Attributes:
        number: (y, x) number of the parcel, from 0 on.
        index: (y, x) its place in tables of `TABLE` values.
        edge: (y, x) 1 on the boundaries between parcels, 0 inside.
    """

    number: Array
    index: Array
    edge: Array

    def whole(self, share: Array) -> Array:
        """(y, x) 1 in the parcels of which `share` covers more than half, 0 elsewhere."""
        pixels = np.bincount(self.number.ravel())
        covered = np.bincount(self.number.ravel(), weights=share.ravel())
        return np.asarray((covered > 0.5 * pixels)[self.number], dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Cover:
    """Shares of cover (y, x), 0 to 1, whatever the date.

    Attributes:
        forest: share of canopy.
        conifer: share of conifers in it.
        shrub: share of shrub in the open ground.
        rock: outcrops and cliffs.
        scree: loose stones above the vegetation.
        eroded: degraded, half-bare ground.
        farm: fields.
        fields: the pattern of fields.
        clearing: forest in blocks that are felled.
        blocks: the pattern of these blocks.
        water: rivers.
        gravel: bars and banks; how far they lie bare changes with every flood.
        bars: (y, x) standard field that floods follow.
        road: (number of roads, y, x) share of the pixel; embankments included.
        roof: buildings.
        height_m: (y, x) ground elevation with a ragged edge, for lines of snow and trees.
    """

    forest: Array
    conifer: Array
    shrub: Array
    rock: Array
    scree: Array
    eroded: Array
    farm: Array
    fields: Parcels
    clearing: Array
    blocks: Parcels
    water: Array
    gravel: Array
    bars: Array
    road: Array
    roof: Array
    height_m: Array


def parcels(
    ground: Ground,
    sides_m: tuple[float, float],
    rng: np.random.Generator,
    *,
    follow_contours: bool,
) -> Parcels:
    """A pattern of bent rectangles, along the contours where asked."""
    m, shape = ground.pixel_m, ground.shape
    y, x = np.indices(shape, dtype=np.float32) * np.float32(m)
    bend = [35.0 * rough_field(shape, 600.0 / m, rng, slope=7.0) for _ in range(2)]
    angle = rng.uniform(0.0, np.pi)
    u = np.cos(angle) * x + np.sin(angle) * y + bend[0]
    v = -np.sin(angle) * x + np.cos(angle) * y + bend[1]
    if follow_contours:
        # Height above the lowest ground takes the place of the distance across the slope.
        rise = np.float32(np.tan(np.radians(14.0)))
        level = ndimage.gaussian_filter(ground.smooth_m, 25.0 / m) / rise
        steep = soft_step(ndimage.gaussian_filter(ground.slope_deg, 60.0 / m), 5.0, 9.0)
        u = np.where(steep > 0.5, level, u)
    row = np.floor(u / sides_m[0])
    # Every row of fields is cut at places of its own.
    start = rng.random(TABLE, dtype=np.float32) * sides_m[1]
    width = sides_m[1] * np.exp(rng.normal(0.0, 0.35, TABLE)).astype(np.float32)
    k = row.astype(np.int64) % TABLE
    along = (v + start[k]) / width[k]
    column = np.floor(along)
    to_edge = np.minimum(
        np.minimum(u / sides_m[0] - row, 1.0 - (u / sides_m[0] - row)) * sides_m[0],
        np.minimum(along - column, 1.0 - (along - column)) * width[k],
    )
    # Numbers of the parcels from 0 on, without gaps.
    key = row.astype(np.int64) * 2**20 + column.astype(np.int64)
    _, number = np.unique(key, return_inverse=True)
    number = number.reshape(shape)
    edge = 1.0 - soft_step(to_edge, 1.5, 4.0)
    return Parcels(number, number % TABLE, edge.astype(np.float32))


def _roads(ground: Ground, settings: EmbeddedSettings, rng: np.random.Generator) -> Array:
    """(road, y, x): lines of a steady, gentle grade, with banks cut into the slope."""
    region, m = ground.world.region, ground.pixel_m
    n = max(1, round(region.roads * min(settings.extent_m, 6000.0) / 2500.0))
    z = ndimage.gaussian_filter(ground.smooth_m, 30.0 / m)
    y, x = np.indices(ground.shape, dtype=np.float32) * np.float32(m)
    low, high = np.percentile(z, [4.0, 55.0])
    roads = []
    for _ in range(n):
        grade, angle = rng.uniform(0.02, 0.06), rng.uniform(0.0, 2.0 * np.pi)
        plane = grade * (np.cos(angle) * x + np.sin(angle) * y)
        f = z - plane
        f -= (
            np.quantile(f, rng.uniform(0.05, 0.6))
            if rng.random() < 0.5
            else rng.uniform(low, high) - float(plane.mean())
        )
        gy, gx = np.gradient(f, m)
        signed = f / np.maximum(np.hypot(gy, gx), 0.12)
        # Uphill the bank is cut and crumbles: its width changes along the way.
        cut = np.maximum(0.0, 5.0 + 7.0 * rough_field(ground.shape, 150.0 / m, rng))
        cut = cut * soft_step(ground.slope_deg, 12.0, 30.0)
        half = rng.uniform(2.2, 4.2)
        inside = soft_step(signed, -half - 0.5 * m, -half + 0.5 * m)
        inside *= 1.0 - soft_step(signed, half + cut - 0.5 * m, half + cut + 0.5 * m)
        roads.append(inside * soft_step(ground.river_m, 8.0, 16.0))
    return np.stack(roads).astype(np.float32)


def build_cover(settings: EmbeddedSettings, ground: Ground, number: int) -> Cover:
    """The cover of a site."""
    region, m, shape = ground.world.region, ground.pixel_m, ground.shape
    rng = stream(settings.seed, region.name, "cover", number)
    slope = ground.slope_deg

    half_water = 0.9 * np.sqrt(ground.river_km2) + 0.8
    wander = rough_field(shape, 150.0 / m, rng, slope=4.0)
    water = 1.0 - soft_step(ground.river_m, half_water - 0.4 * m, half_water + 0.4 * m)
    bars = half_water * (1.0 + region.gravel * np.clip(0.8 + wander, 0.0, 2.6)) + 1.5 * np.sqrt(
        ground.river_km2
    ) * region.gravel * np.clip(wander, 0.0, 2.0)
    gravel = 1.0 - soft_step(ground.river_m, bars - 0.6 * m, bars + 0.6 * m)
    gravel *= soft_step(6.0 + 2.0 * np.sqrt(ground.river_km2) - ground.above_river_m, 0.0, 3.0)
    gravel *= soft_step(ground.river_km2, 1.2, 4.0)
    # Arms of the river in the gravel.
    arms = np.abs(rough_field(shape, 130.0 / m, rng, slope=4.5))
    braid = soft_step(0.09 - arms, 0.0, 0.06) * soft_step(ground.river_km2, 6.0, 20.0)
    water = np.maximum(water, braid * gravel)
    water *= soft_step(ground.river_km2, 1.0, 3.0)
    gravel *= 1.0 - water

    height = ground.smooth_m + 70.0 * rough_field(shape, 350.0 / m, rng, slope=2.6)
    open_noise = rough_field(shape, 600.0 / m, rng, slope=2.8)
    # Shady and moist ground carries more trees.
    facing = ground.down[0] * np.sign(-region.latitude_deg)
    moist = 0.5 * open_noise - 0.35 * facing - 0.25 * ground.convexity
    cut = float(np.quantile(moist, 1.0 - region.forest))
    forest = soft_step(moist, cut - 0.15, cut + 0.15)
    forest *= 1.0 - soft_step(height, region.treeline_m - 60.0, region.treeline_m + 60.0)
    conifer = soft_step(
        rough_field(shape, 300.0 / m, rng) + (height - region.treeline_m + 600.0) / 400.0, -0.4, 0.8
    )
    shrub = soft_step(rough_field(shape, 110.0 / m, rng, slope=3.2), -0.6, 0.9)

    jagged = rough_field(shape, 180.0 / m, rng, slope=3.0)
    crag = (
        0.055 * (slope - 38.0)
        + 0.55 * np.clip(ground.convexity, -2.0, 2.5)
        + 0.65 * jagged
        + 0.15 * ground.streak
    )
    crag -= float(np.quantile(crag, 1.0 - region.outcrops))
    rock = soft_step(crag, -0.10, 0.15) * soft_step(slope, 16.0, 26.0)
    scree = soft_step(height, region.rockline_m - 80.0, region.rockline_m + 80.0)
    scree *= soft_step(0.6 * jagged + 0.5 * ground.streak, -0.9, 0.3)

    poor = rough_field(shape, 260.0 / m, rng, slope=3.0) + 0.3 * facing
    poor -= float(np.quantile(poor, 1.0 - region.eroded))
    eroded = soft_step(poor, -0.05, 0.15)
    forest *= 1.0 - eroded

    settled = rough_field(shape, 900.0 / m, rng, slope=3.0)
    worked_slope = ndimage.gaussian_filter(slope, 20.0 / m)
    # The gentlest ground near the settlements is farmed, whatever the relief of the scene.
    worth = 0.7 * settled - worked_slope / 5.0
    worth -= 9.0 * soft_step(height, region.treeline_m - 300.0, region.treeline_m - 100.0)
    share = float(np.quantile(worth, 1.0 - region.farmland))
    farm = soft_step(worth, share - 0.1, share + 0.1)
    farm *= 1.0 - soft_step(worked_slope, region.farm_slope_deg - 2.0, region.farm_slope_deg)
    fields = parcels(ground, region.parcel_m, rng, follow_contours=region.terraced)
    # Fields end at rivers, and otherwise where most of a field is fit for farming.
    farm = fields.whole(farm) * soft_step(ground.river_m, half_water + 6.0, half_water + 14.0)
    farm *= 1.0 - gravel
    forest *= 1.0 - farm
    eroded *= 1.0 - farm
    rock *= 1.0 - farm

    blocks = parcels(ground, region.clearing_m, rng, follow_contours=False)
    chosen = rng.random(TABLE) < min(1.0, 2.5 * region.clearings)
    logged = rough_field(shape, 1200.0 / m, rng, slope=4.0)
    worked = logged > float(np.quantile(logged, 0.6))
    wooded = blocks.whole((forest > 0.5) & (slope < 38.0))
    clearing = chosen[blocks.index] & worked & (wooded > 0) & (forest > 0.2)

    roads = _roads(ground, settings, rng)
    near_road = ndimage.gaussian_filter(roads.max(axis=0), 25.0 / m)
    hamlet = soft_step(near_road / max(float(near_road.max()), 1e-6) + 0.25 * settled, 0.55, 0.8)
    house = rough_field(shape, 14.0 / m + 1.0, rng, slope=3.0) > 1.9
    roof = house * (hamlet > 0.5) * farm
    return Cover(
        forest=forest,
        conifer=conifer,
        shrub=shrub,
        rock=rock,
        scree=scree,
        eroded=eroded,
        farm=farm,
        fields=fields,
        clearing=clearing.astype(np.float32),
        blocks=blocks,
        water=water,
        gravel=gravel,
        bars=rough_field(shape, 100.0 / m, rng, slope=4.5),
        road=roads,
        roof=roof.astype(np.float32),
        height_m=height.astype(np.float32),
    )
