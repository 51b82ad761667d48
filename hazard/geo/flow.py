"""Contributing area over the flow graph, and the whole routing in one call.

The area of a pixel is its own plus what the pixels above it send. The graph is walked from its
sources: a pixel passes its area on once all its donors have, so every pixel is visited once, in
float64, without recursion and in an order that depends on nothing but the data.

Specific catchment area is the area per unit of contour: a = A / w. For flow at an angle t from
the nearest raster axis the contour that one pixel's flow crosses is w = cos(t) times the pixel
side across that axis. On an inclined plane this makes `a` the upslope distance whatever the
aspect; the pixel side alone, which many tools use, is up to sqrt(2) too wide. Where there is no
direction (outlets) w is the geometric mean of the sides.

References:
    Tarboton (1997), Water Resources Research 33, 309-319, doi:10.1029/96WR03137
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from hazard.geo.directions import flow_directions
from hazard.geo.fill import COL_STEP, INVALID, OUTLET, ROW_STEP, fill_depressions
from hazard.geo.kernels import (
    BoolArray,
    Float32Array,
    Float64Array,
    FloatArray,
    Uint8Array,
    as_elevation,
    in_row_bands,
    kernel,
)

PEAK_BYTES_PER_PIXEL = 24
"""Bound on the memory of `route_flow` for float32 elevations, input and outputs included."""

_DONE = 255


@dataclass(frozen=True, kw_only=True)
class FlowField:
    """Flow over a surface without depressions; floats are NaN where invalid.

    Attributes:
        filled_m: (y, x) filled elevation [m].
        area_m2: (y, x) D-infinity contributing area, own pixel included [m2].
        specific_area_m: (y, x) contributing area per contour width [m].
        code: (y, x) D8 direction (low four bits) and D-infinity facet (high four bits).
        cell_size: (width, height) of a pixel [m].
    """

    filled_m: FloatArray
    area_m2: Float64Array
    specific_area_m: Float32Array
    code: Uint8Array
    cell_size: tuple[float, float]

    @property
    def valid(self) -> BoolArray:
        """(y, x) pixels that take part in the routing."""
        return self.code != 255

    @property
    def d8(self) -> Uint8Array:
        """(y, x) D8 direction: 0 to 7 anticlockwise from east, 8 outlet, 15 invalid."""
        return self.code & np.uint8(15)

    def d8_area_m2(self) -> Float64Array:
        """(y, x) D8 contributing area, own pixel included [m2]; computed on each call.

        Takes 10 bytes per pixel beside the record, so it is not part of the routing itself.
        """
        share = np.zeros((1, 1), np.float32)
        return _accumulated(self.code, share, self.cell_size, dinf=False, threads=None)


@kernel
def _sends(code: Any, share: Any, k: int, dinf: bool) -> bool:
    """Whether a pixel with this code sends anything in direction k."""
    if not dinf:
        return (code & 15) == k
    facet = code >> 4
    if facet >= OUTLET:
        return False
    return (facet == k and share < 1.0) or (((facet + 1) & 7) == k and share > 0.0)


@kernel
def _count_donors(code: Any, share: Any, dinf: bool, row0: int, row1: int, waiting: Any) -> int:
    rows, cols = code.shape
    for r in range(row0, row1):
        for c in range(cols):
            donors = 0
            if code[r, c] != 255:
                for k in range(8):
                    rn = r + ROW_STEP[k]
                    cn = c + COL_STEP[k]
                    if 0 <= rn < rows and 0 <= cn < cols and code[rn, cn] != 255:
                        part = share[rn, cn] if dinf else np.float32(0.0)
                        if _sends(np.int64(code[rn, cn]), part, (k + 4) & 7, dinf):
                            donors += 1
            waiting[r, c] = donors
    return 0


@kernel
def _accumulate(code: Any, share: Any, dinf: bool, own: float, waiting: Any, area: Any) -> int:
    """Fill `area`; the number of pixels that a cycle keeps from being visited (always 0)."""
    rows, cols = code.shape
    visited = 0
    total = 0
    stack = np.empty(1024, np.int64)
    for r in range(rows):
        for c in range(cols):
            if code[r, c] == 255:
                area[r, c] = np.nan
                waiting[r, c] = _DONE
            else:
                area[r, c] = own
                total += 1
    for start in range(rows * cols):
        if waiting[start // cols, start % cols] != 0:
            continue
        stack[0] = start
        depth = 1
        while depth:
            depth -= 1
            r = stack[depth] // cols
            c = stack[depth] - r * cols
            # Walk down until a pixel still waits for another donor.
            while True:
                waiting[r, c] = _DONE
                visited += 1
                here = np.int64(code[r, c])
                amount = area[r, c]
                k = here >> 4 if dinf else here & 15
                if k >= OUTLET:
                    break
                part = np.float64(share[r, c]) if dinf else 0.0
                down_r = down_c = -1
                if part < 1.0:
                    rn = r + ROW_STEP[k]
                    cn = c + COL_STEP[k]
                    # The second part is the rest, so that nothing is lost to rounding.
                    area[rn, cn] += amount - part * amount
                    waiting[rn, cn] -= 1
                    if waiting[rn, cn] == 0:
                        down_r, down_c = rn, cn
                if part > 0.0:
                    k = (k + 1) & 7
                    rn = r + ROW_STEP[k]
                    cn = c + COL_STEP[k]
                    area[rn, cn] += part * amount
                    waiting[rn, cn] -= 1
                    if waiting[rn, cn] == 0:
                        if down_r < 0:
                            down_r, down_c = rn, cn
                        elif rn * cols + cn < start:
                            # The scan will not come by again; a later pixel waits for it.
                            if depth == stack.size:
                                longer = np.empty(2 * stack.size, np.int64)
                                longer[:depth] = stack
                                stack = longer
                            stack[depth] = rn * cols + cn
                            depth += 1
                if down_r < 0:
                    break
                r, c = down_r, down_c
    return total - visited


def _accumulated(
    code: Uint8Array,
    share: Float32Array,
    cell_size: tuple[float, float],
    *,
    dinf: bool,
    threads: int | None,
) -> Float64Array:
    rows, cols = code.shape
    waiting = np.empty((rows, cols), np.uint8)
    in_row_bands(
        (rows, cols), lambda r0, r1: _count_donors(code, share, dinf, r0, r1, waiting), threads
    )
    area = np.empty((rows, cols), np.float64)
    if _accumulate(code, share, dinf, cell_size[0] * cell_size[1], waiting, area):
        raise AssertionError("the flow graph has a cycle")
    return area


@kernel
def _specific_rows(
    code: Any, share: Any, area: Any, dx: float, dy: float, row0: int, row1: int
) -> int:
    """Overwrite the shares by specific areas: the two are never needed together."""
    for r in range(row0, row1):
        for c in range(code.shape[1]):
            facet = np.int64(code[r, c]) >> 4
            if facet == INVALID:
                share[r, c] = np.nan
                continue
            if facet == OUTLET:
                share[r, c] = area[r, c] / math.sqrt(dx * dy)
                continue
            cardinal = (facet + 1) & 7 if facet & 1 else facet
            # Part of the facet's angle away from the axis, and the sides along and across it.
            away = 1.0 - np.float64(share[r, c]) if facet & 1 else np.float64(share[r, c])
            along, across = (dx, dy) if (cardinal & 3) == 0 else (dy, dx)
            cosine = math.cos(away * math.atan2(across, along))
            share[r, c] = area[r, c] / (across * cosine)
    return 0


def route_flow(
    elevation_m: Any,
    valid: Any,
    cell_size: tuple[float, float],
    *,
    threads: int | None = None,
    source: object = "elevation",
) -> FlowField:
    """Fill, D8 and D-infinity directions, D-infinity contributing and specific area.

    Works on the whole array (water does not stop at block borders) with at most 24 bytes per
    pixel at any time for float32 elevations, input, mask and outputs included; 23 in the
    accumulation; 22 in the fill if its queue and heap were used to the full.

    Args:
        elevation_m: (y, x) elevation [m]; float32 is kept, float64 costs 8 bytes per pixel more.
        valid: (y, x) bool; pixels beside an invalid one, and those at the edge, are outlets.
        cell_size: (width, height) of a pixel [m].
        threads: at most so many threads; the result does not depend on it.
        source: name of the raster in error messages.

    Raises:
        DataError: a valid pixel is NaN or infinite.
        ValueError: shapes that differ, or a cell size that is not positive.

    Example:
        >>> z = np.tile(np.arange(4.0, 0.0, -1.0), (3, 1))  # falls to the east
        >>> flow = route_flow(z, np.ones(z.shape, bool), (10.0, 10.0))
        >>> flow.area_m2[1].tolist(), flow.specific_area_m[1].tolist()
        ([100.0, 200.0, 300.0, 400.0], [10.0, 20.0, 30.0, 40.0])
    """
    z, v, dx, dy = as_elevation(elevation_m, valid, cell_size)
    flood = fill_depressions(z, v, source=source)
    directions = flow_directions(flood, (dx, dy), threads=threads)
    filled, code, share = flood.filled_m, directions.code, directions.share
    # The parents live on in the codes; drop them before the areas are allocated.
    del flood, directions
    area = _accumulated(code, share, (dx, dy), dinf=True, threads=threads)
    in_row_bands(
        (z.shape[0], z.shape[1]),
        lambda r0, r1: _specific_rows(code, share, area, dx, dy, r0, r1),
        threads,
    )
    return FlowField(
        filled_m=filled, area_m2=area, specific_area_m=share, code=code, cell_size=(dx, dy)
    )
