"""Footprints: polygons that run down the terrain from their source, all at once.

A centreline follows the descent direction of the elevation model for the landslide's length; the
width swells from the crown and narrows to the toe; the outline is scaled so that its area is the
one drawn from the size law. Length-to-width ratios follow Tian et al. (2020, Frontiers in Earth
Science 8, 572449, doi:10.3389/feart.2020.572449): most Gorkha landslides have 1.6 to 3.6.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from scipy import ndimage

from hazard.geo.grid import Grid
from hazard.world.domain import Array

ASPECT_MEDIAN = 2.4
ASPECT_LOG_SD = 0.33
# Larger ones run longer: exponent of the ratio on area over 3,000 m2.
ASPECT_AREA_EXPONENT = 0.06
N_STATIONS = 7
# Half-width along the way, from crown to toe, relative to the widest part.
PROFILE = np.array([0.42, 0.85, 1.0, 0.94, 0.80, 0.62, 0.34])
MAX_TURN_DEG = 28.0
MIN_STEP_PIXELS = 0.7


@dataclass(frozen=True)
class Descent:
    """Unit descent direction on the pixel grid: (y, x) float32 components east and north."""

    east: Array
    north: Array
    grid: Grid

    def at(self, x_m: Array, y_m: Array) -> tuple[Array, Array]:
        """Direction at points, bilinear, normalised; south where the ground is level."""
        t = self.grid.transform
        cols = (np.asarray(x_m) - t.c) / t.a - 0.5
        rows = (np.asarray(y_m) - t.f) / t.e - 0.5
        east = ndimage.map_coordinates(self.east, [rows, cols], order=1, mode="nearest")
        north = ndimage.map_coordinates(self.north, [rows, cols], order=1, mode="nearest")
        length = np.hypot(east, north)
        level = length < 1e-6
        length = np.where(level, 1.0, length)
        return np.where(level, 0.0, east / length), np.where(level, -1.0, north / length)


def descent(elevation_m: Array, grid: Grid) -> Descent:
    """Descent directions of an elevation model (y, x) [m], slightly smoothed.

    Example:
        >>> grid = Grid.from_bounds("EPSG:32645", (0, 0, 400, 400), cell_m=100)
        >>> slope = np.repeat(np.array([[30.0, 20.0, 10.0, 0.0]]), 4, axis=0)
        >>> east, north = descent(slope, grid).at(np.array([200.0]), np.array([200.0]))
        >>> float(east[0]), abs(float(north[0]))
        (1.0, 0.0)
    """
    z = ndimage.gaussian_filter(elevation_m.astype(np.float32), 0.7, mode="nearest")
    width, height = grid.cell_size
    north = np.empty_like(z)
    east = np.empty_like(z)
    north[1:-1] = (z[2:] - z[:-2]) / np.float32(2 * height)
    north[0], north[-1] = (z[1] - z[0]) / height, (z[-1] - z[-2]) / height
    east[:, 1:-1] = (z[:, :-2] - z[:, 2:]) / np.float32(2 * width)
    east[:, 0], east[:, -1] = (z[:, 0] - z[:, 1]) / width, (z[:, -2] - z[:, -1]) / width
    return Descent(east=east, north=north, grid=grid)


def draw_aspect(area_m2: Array, rng: np.random.Generator) -> Array:
    """Length-to-width ratios for areas [m2]."""
    centre = np.log(ASPECT_MEDIAN) + ASPECT_AREA_EXPONENT * np.log(area_m2 / 3000.0)
    return np.clip(np.exp(centre + ASPECT_LOG_SD * rng.standard_normal(area_m2.shape)), 1.15, 9.0)


def footprints(
    x_m: Array, y_m: Array, area_m2: Array, aspect: Array, field: Descent, rough: Array
) -> Array:
    """Polygons of exactly `area_m2` that start near the sources and run downslope.

    Args:
        x_m: (n,) eastings of the crowns [m].
        y_m: (n,) northings of the crowns [m].
        area_m2: (n,) areas [m2].
        aspect: (n,) length-to-width ratios.
        field: descent directions.
        rough: (n, 2, 7) standard normal draws that make the flanks uneven.

    Returns:
        (n,) object array of valid polygons.
    """
    n = area_m2.size
    # The profile covers 0.72 of its bounding rectangle.
    length = np.sqrt(area_m2 * aspect / 0.72)
    step = length / (N_STATIONS - 1)
    xs, ys = np.empty((n, N_STATIONS)), np.empty((n, N_STATIONS))
    xs[:, 0], ys[:, 0] = x_m, y_m
    east, north = field.at(x_m, y_m)
    heading = np.arctan2(north, east)
    headings = np.empty((n, N_STATIONS))
    headings[:, 0] = heading
    for k in range(1, N_STATIONS):
        xs[:, k] = xs[:, k - 1] + step * np.cos(heading)
        ys[:, k] = ys[:, k - 1] + step * np.sin(heading)
        east, north = field.at(xs[:, k], ys[:, k])
        turn = np.angle(np.exp(1j * (np.arctan2(north, east) - heading)))
        heading = heading + np.clip(turn, -np.radians(MAX_TURN_DEG), np.radians(MAX_TURN_DEG))
        headings[:, k] = heading
    # Across the mean of the two adjoining directions.
    middle = headings.copy()
    middle[:, 1:] = 0.5 * (headings[:, 1:] + headings[:, :-1])
    half = length[:, None] / aspect[:, None] / 2.0 * PROFILE
    left = half * np.exp(0.12 * rough[:, 0])
    right = half * np.exp(0.12 * rough[:, 1])
    polygons = _outline(xs, ys, middle, left, right)
    bad = ~shapely.is_valid(polygons)
    if bad.any():
        # A bend too tight for its width: the same landslide, straight along its way.
        chord = np.arctan2(ys[bad, -1] - ys[bad, 0], xs[bad, -1] - xs[bad, 0])[:, None]
        along = step[bad, None] * np.arange(N_STATIONS)
        polygons[bad] = _outline(
            xs[bad, :1] + along * np.cos(chord),
            ys[bad, :1] + along * np.sin(chord),
            np.broadcast_to(chord, along.shape),
            left[bad],
            right[bad],
        )
    return scaled(polygons, np.sqrt(area_m2 / shapely.area(polygons)))


def _outline(xs: Array, ys: Array, heading: Array, left: Array, right: Array) -> Array:
    normal_x, normal_y = -np.sin(heading), np.cos(heading)
    ring_x = np.concatenate([xs + normal_x * left, (xs - normal_x * right)[:, ::-1]], axis=1)
    ring_y = np.concatenate([ys + normal_y * left, (ys - normal_y * right)[:, ::-1]], axis=1)
    # Close the ring; the toe is rounded by one more point beyond the last station.
    toe_x = xs[:, -1] + 0.5 * (xs[:, -1] - xs[:, -2])
    toe_y = ys[:, -1] + 0.5 * (ys[:, -1] - ys[:, -2])
    ring_x = np.insert(ring_x, N_STATIONS, toe_x, axis=1)
    ring_y = np.insert(ring_y, N_STATIONS, toe_y, axis=1)
    ring = np.stack([ring_x, ring_y], axis=-1)
    ring = np.concatenate([ring, ring[:, :1]], axis=1)
    return np.asarray(shapely.polygons(ring), dtype=object)


def scaled(
    polygons: Array, factor: Array, dx_m: Array | float = 0.0, dy_m: Array | float = 0.0
) -> Array:
    """Polygons scaled about their centroids by `factor` (n,) and shifted by (dx, dy) [m].

    Example:
        >>> square = np.array([shapely.box(0, 0, 2, 2)])
        >>> shapely.bounds(scaled(square, np.array([0.5]), 10.0, 0.0)).tolist()
        [[10.5, 0.5, 11.5, 1.5]]
    """
    if polygons.size == 0:
        return polygons.copy()
    coordinates, index = shapely.get_coordinates(polygons, return_index=True)
    centroid = shapely.get_coordinates(shapely.centroid(polygons))
    shift = np.stack(
        [np.broadcast_to(dx_m, factor.shape), np.broadcast_to(dy_m, factor.shape)], axis=1
    )
    moved = (coordinates - centroid[index]) * factor[index, None] + (centroid + shift)[index]
    return shapely.set_coordinates(polygons.copy(), moved)
