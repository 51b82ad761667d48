"""The terrain: a range like the central Himalaya, cut by its own rivers.

A 1 km region (the full study and a margin) starts as a rough ramp and is raised by belts of rock
uplift along the strike: the plain and the foothills, the Mahabharat range, the midlands, the
high range, the plateau's edge. Rivers and threshold slopes shape it for some million years. The
window of the study is then refined, halving the spacing until the pixels are reached: each level
interpolates the last, adds roughness of its own scale, takes in the rivers that enter from
outside, and erodes again, so that small valleys join large ones at grade.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from hazard.world.domain import MARGIN_KM, Array, across_belt_km, random_stream, region_axes_km
from hazard.world.fields import regional_field, sample_axes
from hazard.world.landscape import Routing, evolve
from hazard.world.settings import LATTICE_PER_CELL, WorldConfig

# Rock uplift across the belt [m/year]: position is the distance to N23E of `across_belt_km`.
UPLIFT_AT_KM = (-210.0, -135.0, -112.0, -92.0, -74.0, -56.0, -38.0, -20.0, 5.0, 40.0)
UPLIFT_M_YEAR = (
    0.00005, 0.00012, 0.0005, 0.0013, 0.0010, 0.0013, 0.0024, 0.0026, 0.0020, 0.0012,
)  # fmt: skip
ERODIBILITY = 1.05e-5
AREA_EXPONENT = 0.45
ERODIBILITY_LOG_SD = 0.55
LIMIT_SLOPE_DEG = 37.0
LIMIT_SLOPE_SD_DEG = 4.0
ROCKS_KM = 0.5
BELT_BENDS_KM = 7.0
CREEP_PIXELS = 0.6
# Mount Everest, and where ground begins to be pressed below it [m].
HIGHEST_M, PRESSED_FROM_M = 8849.0, 8000.0
HALO_KM = 6.0
FINEST_WARP_M = 62.5
# (standard deviation, wavelength of about four times this) of bends, in pixels of the parent.
BENDS = ((0.6, 2.5), (1.2, 6.0))
# Spacing [m] -> (steps, years): coarse levels settle divides, fine ones only their own valleys.
LEVELS = {
    500.0: (40, 4.0e4),
    250.0: (14, 3.0e4),
    125.0: (6, 2.0e4),
    62.5: (3, 1.5e4),
    31.25: (1, 1.0e4),
}
REGIONAL_STEPS, REGIONAL_YEARS = 260, 6.0e4


@dataclass(frozen=True)
class Level:
    """One level of the terrain: (y, x) fields at a spacing, from the north-west corner given."""

    elevation_m: Array
    spacing_km: float
    west_km: float
    north_km: float
    flow: Routing

    @property
    def x_km(self) -> Array:
        """(x,) pixel centres, km east of the full study's corner."""
        return self.west_km + (np.arange(self.elevation_m.shape[1]) + 0.5) * self.spacing_km

    @property
    def y_km(self) -> Array:
        """(y,) pixel centres, km south of the full study's corner."""
        return self.north_km + (np.arange(self.elevation_m.shape[0]) + 0.5) * self.spacing_km


@dataclass(frozen=True)
class Terrain:
    """Terrain of a world.

    Attributes:
        elevation_m: (y, x) float32 on the pixel grid.
        lattice_elevation_m: (y, x) float32 on the 250 m lattice.
        lattice_area_m2: (y, x) float32 contributing area on the lattice, inflow included.
        regional_elevation_m: (y, x) float32 elevation of the whole 1 km region.
    """

    elevation_m: Array
    lattice_elevation_m: Array
    lattice_area_m2: Array
    regional_elevation_m: Array


@dataclass(frozen=True)
class _Rocks:
    """(3, y, x) rock uplift [m/year], erodibility and threshold gradient on the region, 500 m."""

    values: Array

    def origin(self, x_km: Array, y_km: Array) -> tuple[float, float]:
        """(row, column) of the first point of two axes."""
        y, x = region_axes_km(ROCKS_KM)
        return (y_km[0] - y[0]) / ROCKS_KM, (x_km[0] - x[0]) / ROCKS_KM


def _rocks(rng: np.random.Generator) -> _Rocks:
    y, x = region_axes_km(ROCKS_KM)
    d = across_belt_km(*np.meshgrid(x, y))
    # The belts wander: no range front is a ruled line.
    bends = regional_field(range_km=60.0, rng=rng, smoothness=2.0)
    kinks = regional_field(range_km=18.0, rng=rng, smoothness=1.0)
    d = d + BELT_BENDS_KM * (0.85 * bends + 0.5 * kinks)
    bands = regional_field(range_km=14.0, rng=rng, smoothness=1.0, stretch=4.0, angle_deg=23.0)
    patches = regional_field(range_km=6.0, rng=rng)
    angles = regional_field(range_km=4.0, rng=rng)
    uplift = np.interp(d, UPLIFT_AT_KM, UPLIFT_M_YEAR)
    soft = ERODIBILITY * np.exp(ERODIBILITY_LOG_SD * (0.8 * bands + 0.6 * patches))
    # Behind the crest it is dry, and rivers cut less.
    soft *= np.interp(d, (-45.0, 5.0), (1.0, 0.45))
    limit = LIMIT_SLOPE_DEG + LIMIT_SLOPE_SD_DEG * np.clip(angles - 0.5 * bands, -2.5, 2.0)
    return _Rocks(np.stack([uplift, soft, np.tan(np.radians(limit))]).astype(np.float32))


def _region(rocks: _Rocks, rng: np.random.Generator) -> Level:
    """The 1 km region from a rough ramp."""
    y, x = region_axes_km(1.0)
    d = across_belt_km(*np.meshgrid(x, y))
    ramp = np.interp(d, (-230.0, -130.0, -40.0, 0.0, 40.0), (60.0, 160.0, 1100.0, 3600.0, 4800.0))
    rough = sample_axes(regional_field(range_km=30.0, rng=rng, smoothness=0.8), x, y)
    z = (ramp + 120.0 * rough * np.clip((d + 200.0) / 100.0, 0.1, 1.5)).astype(np.float32)
    z += rng.standard_normal(z.shape).astype(np.float32) * 3.0
    # The plain in the south is where the water leaves; the other edges are divides.
    flow = evolve(
        z,
        spacing_m=1000.0,
        steps=REGIONAL_STEPS,
        years=REGIONAL_YEARS,
        rocks=rocks.values,
        rocks_origin=rocks.origin(x, y),
        rocks_scale=1.0 / ROCKS_KM,
        area_exponent=AREA_EXPONENT,
        open_edges=(False, True, False, False),
        breach=False,
    )
    return Level(z, 1.0, -float(MARGIN_KM), -float(MARGIN_KM), flow)


def _inflow(parent: Level, child: Level) -> Array:
    """Area [m2] that the parent's rivers bring in over the child's edge, at valley bottoms."""
    rows, cols = parent.elevation_m.shape
    n = round(parent.spacing_km / child.spacing_km)
    row0 = round((child.north_km - parent.north_km) / parent.spacing_km)
    col0 = round((child.west_km - parent.west_km) / parent.spacing_km)
    inside = np.zeros((rows, cols), dtype=bool)
    inside[
        row0 : row0 + child.elevation_m.shape[0] // n, col0 : col0 + child.elevation_m.shape[1] // n
    ] = True
    inflow = np.zeros(child.elevation_m.shape, dtype=np.float32)
    flat_inside = inside.ravel()
    receiver = parent.flow.receiver
    enters = np.flatnonzero(~flat_inside & flat_inside[receiver])
    area = parent.flow.area_m2.ravel()
    for i in enters[area[enters] > 2.0e6]:
        r, c = divmod(int(receiver[i]), cols)
        r, c = (r - row0) * n, (c - col0) * n
        # One pixel inside the edge: the edge itself lets water out.
        window = child.elevation_m[max(r, 1) : r + n, max(c, 1) : c + n]
        dr, dc = divmod(int(window.argmin()), window.shape[1])
        inflow[max(r, 1) + dr, max(c, 1) + dc] += area[i]
    return inflow


def _refine(
    parent: Level,
    *,
    window_km: tuple[float, float, float, float],
    spacing_m: float,
    rocks: _Rocks,
    rng: np.random.Generator,
) -> Level:
    """The window (north, south, west, east) [km] of the parent, at half the parent's spacing."""
    spacing_km = spacing_m / 1000.0
    north, south, west, east = window_km
    shape = (round((south - north) / spacing_km), round((east - west) / spacing_km))
    n = parent.spacing_km / spacing_km
    row0 = (north - parent.north_km) / parent.spacing_km
    col0 = (west - parent.west_km) / parent.spacing_km
    if spacing_m >= FINEST_WARP_M:
        # Eight flow directions draw straight valleys; bending the plane, by less than a parent's
        # pixel, gives them the courses that rivers have and keeps who flows into whom.
        rows = row0 + (np.arange(shape[0]) + 0.5) / n - 0.5
        cols = col0 + (np.arange(shape[1]) + 0.5) / n - 0.5
        bends = [_bend(shape, n, rng) for _ in range(2)]
        z = ndimage.map_coordinates(
            parent.elevation_m,
            [rows[:, None] + bends[0], cols[None, :] + bends[1]],
            order=1,
            mode="nearest",
            output=np.float32,
        )
        del bends
    else:
        z = ndimage.affine_transform(
            parent.elevation_m,
            np.array([1.0 / n, 1.0 / n]),
            offset=np.array([row0 + 0.5 / n - 0.5, col0 + 0.5 / n - 0.5]),
            output_shape=shape,
            order=1,
            mode="nearest",
            output=np.float32,
        )
    # Roughness of the new scale, in proportion to the local gradient: it seeds small valleys.
    gradient = _gradient(z, spacing_m)
    noise = rng.standard_normal(shape, dtype=np.float32)
    noise = ndimage.gaussian_filter(noise, 0.8, output=np.float32)
    z += noise * gradient * np.float32(0.9 * spacing_m)
    child = Level(z, spacing_km, west, north, parent.flow)
    del noise, gradient
    steps, years = LEVELS[spacing_m]
    inflow = _inflow(parent, child)
    flow = evolve(
        z,
        spacing_m=spacing_m,
        steps=steps,
        years=years,
        rocks=rocks.values,
        rocks_origin=rocks.origin(child.x_km, child.y_km),
        rocks_scale=spacing_km / ROCKS_KM,
        area_exponent=AREA_EXPONENT,
        inflow_m2=inflow,
    )
    # Soil creep rounds what the flow's eight directions leave angular.
    ndimage.gaussian_filter(z, CREEP_PIXELS, output=z)
    return replace(child, flow=flow)


def _bend(shape: tuple[int, int], n: float, rng: np.random.Generator) -> Array:
    """A smooth random displacement of a child's pixels, in pixels of the parent."""
    bend = np.zeros(shape, dtype=np.float32)
    for pixels, spacing in BENDS:
        step = 1.0 / (spacing * n)
        coarse = tuple(int(side * step) + 4 for side in shape)
        noise = ndimage.gaussian_filter(rng.standard_normal(coarse).astype(np.float32), 0.8)
        noise *= np.float32(pixels / noise.std())
        bend += ndimage.affine_transform(
            noise,
            np.array([step, step]),
            offset=1.0,
            output_shape=shape,
            order=3,
            output=np.float32,
        )
    return bend


def _gradient(z: Array, spacing_m: float) -> Array:
    gradient = np.zeros_like(z)
    gradient[1:-1, 1:-1] = np.hypot(
        (z[2:, 1:-1] - z[:-2, 1:-1]) / (2 * spacing_m),
        (z[1:-1, 2:] - z[1:-1, :-2]) / (2 * spacing_m),
    )
    return gradient


def _crop(field: Array, level: Level, window_km: tuple[float, float, float, float]) -> Array:
    north, south, west, east = window_km
    r0, r1 = (round((v - level.north_km) / level.spacing_km) for v in (north, south))
    c0, c1 = (round((v - level.west_km) / level.spacing_km) for v in (west, east))
    return np.ascontiguousarray(field[r0:r1, c0:c1])


def below_everest(elevation_m: Array) -> Array:
    r"""Elevation with summits that erosion left too high pressed below the highest on Earth.

    $z$ up to $z_0$ = 8,000 m stays as it is; above, $z_0 + h (1 - e^{-(z - z_0)/h})$ with
    $z_0 + h$ = 8,849 m: smooth, rising, so that water runs where it ran.

    Example:
        >>> below_everest(np.array([500.0, 8000.0, 9000.0, 12000.0])).round().tolist()
        [500.0, 8000.0, 8588.0, 8841.0]
    """
    room = HIGHEST_M - PRESSED_FROM_M
    excess = np.maximum(elevation_m - PRESSED_FROM_M, 0.0)
    pressed = PRESSED_FROM_M - room * np.expm1(-excess / room)
    return np.where(excess > 0.0, pressed, elevation_m).astype(elevation_m.dtype)


def build_terrain(config: WorldConfig, *, progress: Callable[[int], None] | None = None) -> Terrain:
    """Generate the terrain of a world.

    Args:
        config: the world's settings.
        progress: called with the number of levels done since the last call.

    Returns:
        Elevation on the pixel grid and, whatever the pixels, on the 250 m lattice.
    """
    rng = random_stream(config, "terrain")
    rocks = _rocks(rng)
    level = _region(rocks, rng)
    regional = level.elevation_m.copy()
    if progress is not None:
        progress(1)
    row0, col0 = config.offset_cells
    rows, cols = config.extent_cells
    study = (float(row0), float(row0 + rows), float(col0), float(col0 + cols))
    halo = (study[0] - HALO_KM, study[1] + HALO_KM, study[2] - HALO_KM, study[3] + HALO_KM)
    lattice_km = config.cell_m / 1000.0 / LATTICE_PER_CELL
    lattice_z = lattice_area = None
    for index, spacing_m in enumerate(LEVELS):
        if spacing_m < config.pixel_m:
            break
        # Each level draws from its own stream: finer pixels leave the coarse relief alone.
        level = _refine(
            level,
            window_km=halo,
            spacing_m=spacing_m,
            rocks=rocks,
            rng=random_stream(config, "terrain", index=index + 1),
        )
        if level.spacing_km == lattice_km:
            lattice_z = below_everest(_crop(level.elevation_m, level, study))
            lattice_area = _crop(level.flow.area_m2, level, study)
        if progress is not None:
            progress(1)
    if lattice_z is None or lattice_area is None:
        raise RuntimeError(f"the terrain has no level at the lattice spacing {lattice_km} km")
    elevation = below_everest(_crop(level.elevation_m, level, study))
    return Terrain(elevation, lattice_z, lattice_area, regional)
