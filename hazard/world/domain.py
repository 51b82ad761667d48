"""Where a world lies: its grid, its window in the regional domain, its random streams.

Regional fields (relief at 1 km, shaking, hidden drivers, random effects) are always drawn on the
whole region, the full study and a margin, and then cropped, so that a small world is a window of
a full one. Coordinates inside the generator are kilometres east (x) and south (y) of the
north-west corner of the full study.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyproj
from affine import Affine

from hazard.geo.grid import Grid
from hazard.world.settings import CELL_M, FULL_EXTENT_CELLS, LATTICE_PER_CELL, WorldConfig

Array = np.ndarray[Any, np.dtype[Any]]

CRS = "EPSG:32645"
LEFT_M, TOP_M = 248_635.0, 3_175_441.0
MARGIN_KM = 16
REGION_KM = (FULL_EXTENT_CELLS[0] + 2 * MARGIN_KM, FULL_EXTENT_CELLS[1] + 2 * MARGIN_KM)
# The belt strikes as the fault does, 293 degrees: across-belt distances grow to N23E.
STRIKE_DEG = 293.0

PARTS = (
    "terrain",
    "shaking",
    "rain",
    "hidden drivers",
    "random effects",
    "landslides",
    "footprints",
    "mapper",
    "study area",
    "truth",
)


def random_stream(config: WorldConfig, part: str, *, index: int = 0) -> np.random.Generator:
    """The independent generator of one part, from the one root seed.

    Example:
        >>> config = WorldConfig(seed=5)
        >>> draws = [random_stream(config, "rain").random() for _ in range(2)]
        >>> draws[0] == draws[1] != random_stream(config, "terrain").random()
        True
    """
    sequence = np.random.SeedSequence(config.seed, spawn_key=(PARTS.index(part), index))
    return np.random.default_rng(sequence)


def cell_grid(config: WorldConfig) -> Grid:
    """The 1 km grid of the study (EPSG:32645)."""
    row0, col0 = config.offset_cells
    transform = Affine(CELL_M, 0.0, LEFT_M + col0 * CELL_M, 0.0, -CELL_M, TOP_M - row0 * CELL_M)
    return Grid(crs=pyproj.CRS.from_user_input(CRS), transform=transform, shape=config.extent_cells)


def pixel_grid(config: WorldConfig) -> Grid:
    """The terrain's grid: `pixels_per_cell` squared pixels in every cell."""
    return cell_grid(config).refine(config.pixels_per_cell)


def lattice_grid(config: WorldConfig) -> Grid:
    """The 250 m lattice that carries the intensity."""
    return cell_grid(config).refine(LATTICE_PER_CELL)


def to_km(x_m: Array, y_m: Array) -> tuple[Array, Array]:
    """(km east, km south) of the study's north-west corner, from projected coordinates."""
    return (np.asarray(x_m) - LEFT_M) / 1000.0, (TOP_M - np.asarray(y_m)) / 1000.0


def across_belt_km(x_km: Array, y_km: Array) -> Array:
    """Distance to N23E of the study's north-west corner [km]; about 0 in the high range."""
    angle = np.radians(STRIKE_DEG - 270.0)
    return np.asarray(x_km) * np.sin(angle) - np.asarray(y_km) * np.cos(angle)


def along_belt_km(x_km: Array, y_km: Array) -> Array:
    """Distance to S67E, along the strike, from the study's north-west corner [km]."""
    angle = np.radians(STRIKE_DEG - 270.0)
    return np.asarray(x_km) * np.cos(angle) + np.asarray(y_km) * np.sin(angle)


def region_axes_km(spacing_km: float) -> tuple[Array, Array]:
    """(y,) and (x,) coordinates of the region's points, cell centres at `spacing_km`."""
    rows, cols = (round(side / spacing_km) for side in REGION_KM)
    y = -MARGIN_KM + (np.arange(rows) + 0.5) * spacing_km
    x = -MARGIN_KM + (np.arange(cols) + 0.5) * spacing_km
    return y, x
