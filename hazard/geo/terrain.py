"""Local terrain derivatives: slope, aspect as northness and eastness, profile and plan curvature.

The surface is the partial quartic of Zevenbergen & Thorne (1987) through a pixel and its eight
neighbours. With x east and y north, and rows running south,

    G = dz/dx = (e - w) / (2 dx)                 H = dz/dy = (n - s) / (2 dy)
    D = (e + w - 2 z) / (2 dx^2)                 E = (n + s - 2 z) / (2 dy^2)
    F = (ne - nw + sw - se) / (4 dx dy)

    slope             = atan(sqrt(G^2 + H^2))                             [degree]
    northness         = -H / sqrt(G^2 + H^2)    eastness = -G / sqrt(G^2 + H^2)
    profile curvature = -2 (D G^2 + E H^2 + F G H) / (G^2 + H^2)          [1/m]
    plan curvature    =  2 (D H^2 + E G^2 - F G H) / (G^2 + H^2)          [1/m]

Signs: profile curvature is minus the second derivative along the gradient, POSITIVE where the
slope is convex upwards (steepens downhill). Plan curvature is the second derivative across the
slope, POSITIVE in hollows (contours curve in, flow converges) and negative on spurs. Where the
gradient is exactly zero there is no direction: northness, eastness and both curvatures are 0.

Edges: a missing neighbour (outside the raster or invalid) is replaced by linear extrapolation:
the gradient along that axis is one-sided and the second derivative zero; F averages the
quadrants that are complete. An axis without any neighbour has gradient zero. A pixel without a
valid neighbour on either axis is invalid: nothing is known about its slope.

References:
    Zevenbergen & Thorne (1987), Earth Surface Processes and Landforms 12, 47-56,
    doi:10.1002/esp.3290120107
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from hazard.errors import DataError
from hazard.geo.grid import Grid
from hazard.geo.kernels import (
    BoolArray,
    Float32Array,
    as_elevation,
    in_row_bands,
    kernel,
    refuse_non_finite,
)

HALO_PIXELS = 1
"""Neighbourhood radius: blocks read with this halo give the whole-array result bit by bit."""

_DEGREES = 180.0 / math.pi


@dataclass(frozen=True, kw_only=True)
class Derivatives:
    """Terrain derivatives of one elevation raster, NaN where not valid.

    Attributes:
        slope_deg: (y, x) slope [degree], 0 to 90.
        northness: (y, x) cosine of the aspect (downslope direction) [1]; 0 where flat.
        eastness: (y, x) sine of the aspect [1]; 0 where flat.
        profile_curvature: (y, x) [1/m], positive where convex upwards.
        plan_curvature: (y, x) [1/m], positive in hollows.
        valid: (y, x) pixels with a value.
    """

    slope_deg: Float32Array
    northness: Float32Array
    eastness: Float32Array
    profile_curvature: Float32Array
    plan_curvature: Float32Array
    valid: BoolArray


@kernel
def _coefficients_at_edge(z: Any, valid: Any, r: int, c: int, dx: float, dy: float) -> Any:
    """(G, H, D, E, F, known) where at least one of the eight neighbours is missing."""
    rows, cols = z.shape
    z0 = np.float64(z[r, c])
    west = c > 0 and valid[r, c - 1]
    east = c < cols - 1 and valid[r, c + 1]
    north = r > 0 and valid[r - 1, c]
    south = r < rows - 1 and valid[r + 1, c]
    w = np.float64(z[r, c - 1]) if west else 0.0
    e = np.float64(z[r, c + 1]) if east else 0.0
    n = np.float64(z[r - 1, c]) if north else 0.0
    s = np.float64(z[r + 1, c]) if south else 0.0
    G = H = D = E = F = 0.0
    if west and east:
        G = (e - w) / (2.0 * dx)
        D = ((e - z0) + (w - z0)) / (2.0 * dx * dx)
    elif east:
        G = (e - z0) / dx
    elif west:
        G = (z0 - w) / dx
    if north and south:
        H = (n - s) / (2.0 * dy)
        E = ((n - z0) + (s - z0)) / (2.0 * dy * dy)
    elif north:
        H = (n - z0) / dy
    elif south:
        H = (z0 - s) / dy
    # Each complete quadrant estimates the mixed derivative; all four together give F above.
    quadrants = 0
    if north and east and valid[r - 1, c + 1]:
        F += (np.float64(z[r - 1, c + 1]) - n) - (e - z0)
        quadrants += 1
    if north and west and valid[r - 1, c - 1]:
        F -= (np.float64(z[r - 1, c - 1]) - n) - (w - z0)
        quadrants += 1
    if south and west and valid[r + 1, c - 1]:
        F += (np.float64(z[r + 1, c - 1]) - s) - (w - z0)
        quadrants += 1
    if south and east and valid[r + 1, c + 1]:
        F -= (np.float64(z[r + 1, c + 1]) - s) - (e - z0)
        quadrants += 1
    if quadrants:
        F /= quadrants * dx * dy
    return G, H, D, E, F, west or east or north or south


@kernel
def _derive_rows(
    z: Any, valid: Any, dx: float, dy: float, extrapolate: bool, row0: int, row1: int,
    layers: Any, known: Any,
) -> int:  # fmt: skip
    slope, northness, eastness, profile, plan = layers
    rows, cols = z.shape
    per_2dx, per_2dy, per_4dxdy = 0.5 / dx, 0.5 / dy, 0.25 / (dx * dy)
    per_2dx2, per_2dy2 = 0.5 / (dx * dx), 0.5 / (dy * dy)
    bad = 0
    for r in range(row0, row1):
        inside = 0 < r < rows - 1
        # Columns whose three pixels are valid, rolled along the row: left, middle, right.
        middle = False
        right = inside and valid[r - 1, 0] and valid[r, 0] and valid[r + 1, 0]
        for c in range(cols):
            left, middle = middle, right
            right = (
                inside and c < cols - 1
                and valid[r - 1, c + 1] and valid[r, c + 1] and valid[r + 1, c + 1]
            )  # fmt: skip
            complete = left and middle and right
            defined = True
            if complete:
                z0 = np.float64(z[r, c])
                w, e = np.float64(z[r, c - 1]), np.float64(z[r, c + 1])
                n, s = np.float64(z[r - 1, c]), np.float64(z[r + 1, c])
                G = (e - w) * per_2dx
                H = (n - s) * per_2dy
                D = ((e - z0) + (w - z0)) * per_2dx2
                E = ((n - z0) + (s - z0)) * per_2dy2
                F = (
                    (np.float64(z[r - 1, c + 1]) - np.float64(z[r - 1, c - 1]))
                    + (np.float64(z[r + 1, c - 1]) - np.float64(z[r + 1, c + 1]))
                ) * per_4dxdy
            elif extrapolate and valid[r, c]:
                G, H, D, E, F, defined = _coefficients_at_edge(z, valid, r, c, dx, dy)
            else:
                G = H = D = E = F = np.float64(0.0)
                defined = False
            if valid[r, c] and not np.isfinite(z[r, c]):
                bad += 1
            known[r, c] = defined
            if not defined:
                slope[r, c] = northness[r, c] = eastness[r, c] = np.nan
                profile[r, c] = plan[r, c] = np.nan
                continue
            squared = G * G + H * H
            gradient = math.sqrt(squared)
            slope[r, c] = math.atan(gradient) * _DEGREES
            if squared > 0.0:
                per_gradient = 1.0 / gradient
                G *= per_gradient
                H *= per_gradient
                northness[r, c] = -H
                eastness[r, c] = -G
                profile[r, c] = -2.0 * (D * G * G + E * H * H + F * G * H)
                plan[r, c] = 2.0 * (D * H * H + E * G * G - F * G * H)
            else:
                northness[r, c] = eastness[r, c] = 0.0
                profile[r, c] = plan[r, c] = 0.0
    return bad


def derivatives(
    elevation_m: Any,
    valid: Any,
    cell_size: tuple[float, float],
    *,
    edges: Literal["extrapolate", "invalid"] = "extrapolate",
    threads: int | None = None,
    source: object = "elevation",
) -> Derivatives:
    """Slope, northness, eastness, profile and plan curvature (formulas and signs: see module).

    Differences are taken in float64 whatever the input: in float32 the plan curvature of a
    mountain raster loses its last four digits to cancellation.

    Args:
        elevation_m: (y, x) elevation [m], row 0 the northernmost.
        valid: (y, x) bool, False where there is no elevation (those values are never read).
        cell_size: (width, height) of a pixel [m].
        edges: "extrapolate" gives a value at every pixel with a valid neighbour on some axis;
            "invalid" gives none where any of the eight neighbours is missing.
        threads: at most so many threads; the result does not depend on it.
        source: name of the raster in error messages.

    Raises:
        DataError: a valid pixel is NaN or infinite.
        ValueError: shapes that differ, or a cell size that is not positive.

    Example:
        >>> x = np.arange(4) * 30.0
        >>> plane = 1000.0 + np.tile(x, (3, 1))  # rises to the east at 45 degrees
        >>> found = derivatives(plane, np.ones((3, 4), bool), (30.0, 30.0))
        >>> found.slope_deg[1].tolist(), found.eastness[1, 1].item()
        ([45.0, 45.0, 45.0, 45.0], -1.0)
    """
    z, v, dx, dy = as_elevation(elevation_m, valid, cell_size)
    if edges not in ("extrapolate", "invalid"):
        raise ValueError(f"edges {edges!r} must be 'extrapolate' or 'invalid'")
    layers = tuple(np.empty(z.shape, np.float32) for _ in range(5))
    known = np.empty(z.shape, np.bool_)
    bad = in_row_bands(
        z.shape,
        lambda r0, r1: _derive_rows(z, v, dx, dy, edges == "extrapolate", r0, r1, layers, known),
        threads,
    )
    refuse_non_finite(z, v, bad, source)
    slope, northness, eastness, profile, plan = layers
    return Derivatives(
        slope_deg=slope,
        northness=northness,
        eastness=eastness,
        profile_curvature=profile,
        plan_curvature=plan,
        valid=known,
    )


def terrain_on_grid(
    elevation_m: Any, valid: Any, grid: Grid, *, source: object = "elevation", **options: Any
) -> Derivatives:
    """`derivatives` with the cell size of a grid, which must be in metres.

    Raises:
        DataError: the grid is geographic or in feet, or its shape is not the raster's.
    """
    grid.require_metres("terrain derivatives", source)
    if np.shape(elevation_m) != grid.shape:
        raise DataError(
            source, found=f"shape {np.shape(elevation_m)}", expected=f"the grid's {grid.shape}"
        )
    return derivatives(elevation_m, valid, grid.cell_size, source=source, **options)
