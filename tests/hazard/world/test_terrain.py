"""The terrain: distributions like the central Himalaya, rivers that flow, no ruled lines.

The bands come from the 30" elevation model on the mapped cells of the real study (5, 25, 50, 75,
95 %: 376, 844, 1411, 2253, 4079 m; 1 km slope 1.5, 5.7, 10.4, 15.4, 23.4 deg) and, for 30 m
slopes of high mountains, from ALOS terrain of Kashmir (quartiles 27.9, 34.9, 40.2 deg).
"""

import numpy as np
import pytest

from hazard.geo.fill import fill_depressions
from hazard.world.settings import WorldConfig
from hazard.world.simulate import Simulation
from hazard.world.study_area import mapped_cells
from hazard.world.terrain import Terrain, below_everest, build_terrain

FULL = WorldConfig(pixels_per_cell=4, seed=1)


def slope_deg(z: np.ndarray, spacing_m: float) -> np.ndarray:
    dy, dx = np.gradient(z.astype(float), spacing_m)
    return np.degrees(np.arctan(np.hypot(dx, dy)))


@pytest.fixture(scope="module")
def full() -> Terrain:
    return build_terrain(FULL)


def test_elevation_and_coarse_slope_lie_in_the_bands_of_the_central_himalaya(
    full: Terrain,
) -> None:
    z = full.elevation_m.reshape(196, 4, 220, 4).mean(axis=(1, 3))
    mask = mapped_cells(FULL)
    elevation = np.quantile(z[mask], (0.25, 0.5, 0.75, 0.95))
    for found, real in zip(elevation, (844.0, 1411.0, 2253.0, 4079.0), strict=True):
        assert real / 1.4 < found < real * 1.4
    slope = np.quantile(slope_deg(z, 1000.0)[mask], (0.25, 0.5, 0.75))
    for found, real in zip(slope, (5.7, 10.4, 15.4), strict=True):
        assert abs(found - real) < 3.5


def test_the_range_rises_from_the_plain_in_the_south_to_the_north(full: Terrain) -> None:
    rows = full.elevation_m.mean(axis=1).reshape(4, -1).mean(axis=1)
    assert (np.diff(rows) < 0.0).all()
    assert rows[0] > 5.0 * rows[-1]


def test_pixels_of_30_m_are_as_steep_as_mountains() -> None:
    config = WorldConfig(extent_cells=(16, 16), pixels_per_cell=32, seed=1)
    quartiles = np.quantile(slope_deg(build_terrain(config).elevation_m, 31.25), (0.25, 0.5, 0.75))
    assert 12.0 < quartiles[0] < 32.0
    assert 20.0 < quartiles[1] < 37.0
    assert 27.0 < quartiles[2] < 43.0


def test_rivers_flow(small: Simulation) -> None:
    z = small.ground.terrain.elevation_m
    flood = fill_depressions(z, np.ones(z.shape, bool))
    depth = flood.filled_m - z
    assert (depth > 1.0).mean() < 0.03
    # A trunk river crosses the window: far more area than the window's own 1,280 km2 / 40.
    assert small.ground.terrain.lattice_area_m2.max() > 3.0e7


def test_aspects_show_no_grid_directions(full: Terrain) -> None:
    z = full.elevation_m.astype(float)
    dy, dx = np.gradient(z, 250.0)
    steep = np.hypot(dx, dy) > 0.2
    angle = np.degrees(np.arctan2(dy, dx))[steep] % 45.0
    # Facets along the eight flow directions would pile up at multiples of 45 degrees.
    near = ((angle < 4.5) | (angle > 40.5)).mean()
    assert near < 0.30


def test_finer_pixels_leave_the_lattice_alone() -> None:
    coarse = build_terrain(WorldConfig(extent_cells=(16, 16), pixels_per_cell=4, seed=2))
    fine = build_terrain(WorldConfig(extent_cells=(16, 16), pixels_per_cell=16, seed=2))
    np.testing.assert_array_equal(coarse.lattice_elevation_m, fine.lattice_elevation_m)
    assert fine.elevation_m.shape == (256, 256)


def test_no_summit_is_above_everest_and_water_runs_where_it_ran():
    z = np.linspace(-100.0, 15_000.0, 4000)
    pressed = below_everest(z)
    assert pressed.max() < 8849.0
    low = z <= 8000.0
    assert np.array_equal(pressed[low], z[low])
    # Rising, and without a step or a bend where the pressing begins.
    slope = np.diff(pressed) / np.diff(z)
    assert (slope > 0.0).all()
    assert np.abs(np.diff(slope)).max() < 0.01
