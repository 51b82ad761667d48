"""Reflectance of a site on a date: covers mixed, with the season, and the scars upon them.

Bare ground of every kind draws its colour from one law per region, object by object (a scar, a
field, a felled block, a road), so that the colour of a pixel does not say what it belongs to.
"""

from __future__ import annotations

import datetime as dt

import numpy as np

from detection.embedded.cover import TABLE, Cover
from detection.embedded.ground import Ground
from detection.embedded.noise import Array, rough_field, soft_step, stream
from detection.embedded.regions import Region, Spectrum
from detection.embedded.scars import Scars, regrowth
from detection.embedded.settings import EmbeddedSettings

# Spread of bare ground between objects: ln brightness, and along grey to red.
BRIGHTNESS_SD = 0.20
HUE_SD = 0.9
HUE = np.array([-0.10, -0.01, 0.06, 0.06], dtype=np.float32)


def season(region: Region, date: dt.date) -> tuple[float, float, float]:
    """(dryness of grass, leaves fallen, cold) of a date, each 0 to 1.

    Example:
        >>> from detection.embedded.regions import NEPAL_LIKE
        >>> season(NEPAL_LIKE, dt.date(2016, 1, 15))[2] > season(NEPAL_LIKE, dt.date(2016, 7, 1))[2]
        True
    """
    year = (date.timetuple().tm_yday - 1) / 365.25
    dry = 0.5 + 0.5 * np.cos(2.0 * np.pi * (year - (region.dry_month - 0.5) / 12.0))
    # Coldest in mid January in the north, mid July in the south.
    coldest = 0.04 if region.latitude_deg > 0 else 0.54
    cold = 0.5 + 0.5 * np.cos(2.0 * np.pi * (year - coldest))
    fallen = float(np.clip((cold - 0.55) / 0.35, 0.0, 1.0))
    return float(region.dryness * dry), region.deciduous * fallen, float(cold)


def bare_colours(region: Region, n: int, rng: np.random.Generator) -> Array:
    """(n, band) reflectance of n pieces of bare ground."""
    bright = rng.normal(0.0, BRIGHTNESS_SD, (n, 1))
    hue = rng.normal(0.0, HUE_SD, (n, 1))
    return (np.array(region.bare) * np.exp(bright + hue * HUE)).astype(np.float32)


class _Canvas:
    """Reflectance (y, x, band) that layers are laid upon."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.values = np.zeros((*shape, 4), dtype=np.float32)

    def lay(self, colour: Spectrum | Array, share: Array | float) -> None:
        """Mix a colour, (band,) or (y, x, band), in at a share (y, x)."""
        weight = np.asarray(share, dtype=np.float32)[..., None]
        self.values += weight * (np.asarray(colour, dtype=np.float32) - self.values)


def _mixed(a: Spectrum, b: Spectrum, share: Array | float) -> Array:
    weight = np.asarray(share, dtype=np.float32)[..., None]
    return (1.0 - weight) * np.asarray(a, dtype=np.float32) + weight * np.asarray(b, np.float32)


class Palette:
    """Colours and textures of a site that stay from date to date."""

    def __init__(self, settings: EmbeddedSettings, ground: Ground, scars: Scars, number: int):
        region, shape, m = ground.world.region, ground.shape, ground.pixel_m
        rng = stream(settings.seed, region.name, "colour", number)
        self.scar = bare_colours(region, scars.epoch.size + 1, rng)
        self.soil = bare_colours(region, TABLE, rng)
        self.block = bare_colours(region, TABLE, rng)
        self.road = bare_colours(region, 64, rng)
        self.gravel, self.eroded = bare_colours(region, 2, rng)
        self.crop_phase = rng.random(TABLE, dtype=np.float32)
        self.crop_length = rng.uniform(0.35, 0.65, TABLE).astype(np.float32)
        self.fallow = rng.random(TABLE) < 0.15
        self.felled_year = rng.uniform(-2.0, 1.5, TABLE).astype(np.float32)
        self.road_year = rng.uniform(-9.0, 3.0, 64)
        # Lithology: broad bands of brightness and hue that all bare ground shares in part.
        self.rocks = rough_field(shape, 700.0 / m, rng, slope=3.0)
        self.grain = rough_field(shape, 30.0 / m, rng, slope=1.6)
        self.fine = rng.standard_normal(shape, dtype=np.float32)
        self.crown = rough_field(shape, max(14.0 / m, 1.5), rng, slope=2.0)
        self.stand = rough_field(shape, 160.0 / m, rng, slope=2.2)
        self.damp = rough_field(shape, 60.0 / m, rng, slope=2.4)


def snow_cover(ground: Ground, cover: Cover, date: dt.date) -> Array:
    """Share (y, x) of the ground under snow on a date; little in woods, none on cliffs."""
    region = ground.world.region
    _, _, cold = season(region, date)
    line = region.snowline_m + (1.0 - cold) * 2200.0
    snow = soft_step(cover.height_m, line - 50.0, line + 250.0)
    snow *= 1.0 - 0.75 * cover.forest
    snow *= 1.0 - soft_step(ground.slope_deg, 42.0, 55.0)
    return snow


def surface(
    ground: Ground, cover: Cover, scars: Scars, palette: Palette, date: dt.date, snow: Array
) -> Array:
    """Reflectance (y, x, band) of flat, evenly lit ground on a date, under its `snow_cover`."""
    region = ground.world.region
    dry, fallen, _ = season(region, date)
    canvas = _Canvas(ground.shape)

    # Open ground: grass that dries out, with shrub.
    wither = np.clip(dry + 0.15 * palette.stand, 0.0, 1.0)
    canvas.lay(_mixed(region.grass, region.dry_grass, wither), 1.0)
    canvas.lay(region.shrub, 0.75 * cover.shrub)
    canvas.values *= np.exp(0.07 * palette.grain + 0.04 * palette.fine)[..., None]

    bare_tint = np.exp(0.10 * palette.rocks[..., None] + 0.25 * palette.damp[..., None] * HUE)
    ground_tint = bare_tint * np.exp(0.07 * palette.grain + 0.05 * palette.fine)[..., None]
    tufts = soft_step(palette.grain, 0.5, 1.0)
    canvas.lay(palette.eroded * ground_tint, cover.eroded * (0.95 - 0.8 * tufts))

    leafless = _mixed(region.broadleaf, region.shrub, fallen)
    wood = (1.0 - cover.conifer)[..., None] * leafless + cover.conifer[..., None] * np.asarray(
        region.conifer, dtype=np.float32
    )
    wood = wood * np.exp(0.16 * palette.crown + 0.08 * palette.stand)[..., None]
    canvas.lay(wood, cover.forest)

    _lay_blocks(canvas, cover, palette, ground_tint, region, date)
    _lay_fields(canvas, cover, palette, region, date, dry)

    # Fissures and ledges: rough from pixel to pixel, without a direction.
    striped = np.exp(0.05 * ground.streak + 0.10 * palette.grain + 0.13 * palette.fine)[..., None]
    rock = _mixed(region.rock, region.bare, 0.45) * bare_tint * striped
    canvas.lay(rock, 0.92 * cover.rock)
    canvas.lay(rock, cover.scree)

    # Floods of the year turn some bars over; willows and grass settle on the others.
    turn = rough_field(
        ground.shape, 100.0 / ground.pixel_m, np.random.default_rng(date.toordinal()), slope=4.5
    )
    fresh = soft_step(0.6 * cover.bars + turn, -1.0, -0.5)
    canvas.lay(palette.gravel * ground_tint, cover.gravel * 0.95 * fresh)
    canvas.lay(region.shrub, cover.gravel * 0.7 * (1.0 - fresh))
    for k, road in enumerate(cover.road):
        if (date - region.event).days / 365.25 >= palette.road_year[k]:
            canvas.lay(palette.road[k] * ground_tint, 0.95 * road)
    canvas.lay(0.9 * np.asarray(region.bare, dtype=np.float32) + 0.09, 0.9 * cover.roof)

    _lay_scars(canvas, ground, scars, palette, ground_tint, date)

    flow = 1.0 + 0.15 * np.asarray(palette.damp)
    canvas.lay(np.asarray(region.water, dtype=np.float32) * flow[..., None], cover.water)

    canvas.lay((0.78, 0.79, 0.78, 0.70), snow)
    return np.clip(canvas.values, 0.004, 1.0)


def _lay_blocks(
    canvas: _Canvas, cover: Cover, palette: Palette, tint: Array, region: Region, date: dt.date
) -> None:
    """Forest blocks: bare in the year after felling, then grass, then young trees."""
    since = (date - region.event).days / 365.25 - palette.felled_year
    green = np.clip(since / 2.5, 0.0, 1.0)[cover.blocks.index]
    felled = (since >= 0.0)[cover.blocks.index] * cover.clearing
    index = cover.blocks.index
    canvas.lay(palette.block[index] * tint, felled * (1.0 - green) * 0.9)
    canvas.lay(_mixed(region.grass, region.shrub, 0.5), felled * green)


def _lay_fields(
    canvas: _Canvas,
    cover: Cover,
    palette: Palette,
    region: Region,
    date: dt.date,
    dry: float,
) -> None:
    """Fields: bare after ploughing, green, ripe, each at its own time; fallow ones grassy."""
    year = (date.timetuple().tm_yday - 1) / 365.25
    # The further into the dry season, the more fields lie bare.
    age = (year - palette.crop_phase) % 1.0
    length = palette.crop_length * (1.15 - 0.5 * dry)
    grown = np.clip(age / (0.55 * length), 0.0, 1.0)
    ripe = np.clip((age / length - 0.75) / 0.25, 0.0, 1.0)
    bare = np.where(age > length, 1.0, 1.0 - grown)
    index = cover.fields.index
    crop = _mixed(region.grass, region.dry_grass, ripe)
    crop[palette.fallow] = _mixed(region.grass, region.dry_grass, dry)
    bare = np.where(palette.fallow, 0.15, bare).astype(np.float32)
    share = bare[index][..., None]
    # Worked ground is even: it keeps the tint of the rock, not the grain of wild ground.
    soil = palette.soil[index] * np.exp(0.10 * palette.rocks + 0.03 * palette.fine)[..., None]
    field = (1.0 - share) * crop[index] + share * soil
    canvas.lay(field, cover.farm)
    canvas.lay(region.shrub, 0.75 * cover.farm * cover.fields.edge)


def _lay_scars(
    canvas: _Canvas, ground: Ground, scars: Scars, palette: Palette, tint: Array, date: dt.date
) -> None:
    """Scars: bright head, streaked track, hummocky and damper deposit; plants as they return."""
    inside = scars.label > 0
    if not inside.any():
        return
    stands = scars.mask(scars.stands(date))
    head = 1.0 - soft_step(scars.way, 0.15, 0.45)
    toe = soft_step(scars.way, 0.60, 0.90)
    lumps = np.exp(
        0.20 * ground.streak * (1.0 - 0.7 * toe) + 0.18 * palette.grain * toe + 0.08 * head
    )
    # The scarp at the crown stands in its own shade.
    rim = np.exp(-scars.depth_px * ground.pixel_m / 6.0) * (1.0 - soft_step(scars.way, 0.08, 0.25))
    soil = palette.scar[scars.label] * tint * (lumps * (1.0 - 0.55 * rim))[..., None]
    green = regrowth(scars, ground, date)
    # Rafts of turf and trees that came down, mostly low on the track.
    raft = soft_step(palette.damp + 0.6 * scars.way, 1.35, 1.75) * (scars.depth_px > 1.0)
    cover_new = _mixed(ground.world.region.grass, ground.world.region.shrub, 0.6)
    cover_new = cover_new * np.exp(0.10 * palette.grain)[..., None]
    share = np.maximum(green, 0.7 * raft)
    new = (1.0 - share)[..., None] * soil + share[..., None] * cover_new
    # Where all has grown over, the scar is shrub and young trees: what is there is kept in part.
    gone = soft_step(green, 0.85, 1.0)
    canvas.lay(new, stands * inside * (1.0 - 0.75 * gone))
