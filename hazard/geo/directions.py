"""Flow directions on a filled surface: D8, and D-infinity with its shares.

D8 sends everything to the neighbour with the steepest descent. D-infinity (Tarboton 1997) takes
the steepest of the eight triangular facets around a pixel and splits the flow between the
facet's two corners in proportion to the angle. Only strictly lower neighbours receive; a pixel
without one (a flat or a filled depression) sends everything the way it was flooded from, and
outlets send it out of the raster. The graph therefore has no cycle.

Both are kept in five bytes per pixel: one byte of codes, and one float32 share. Directions count
anticlockwise from east, 0 to 7; facet k lies between directions k and k + 1, and `share` is the
part that goes to k + 1. Ties go to the lowest number.

Pixels need not be square: the facets are right triangles with the two pixel sides as legs.

References:
    O'Callaghan & Mark (1984), Computer Vision, Graphics, and Image Processing 28, 323-344,
    doi:10.1016/S0734-189X(84)80011-0; Tarboton (1997), Water Resources Research 33, 309-319,
    doi:10.1029/96WR03137
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from hazard.geo.fill import COL_STEP, INVALID, OUTLET, ROW_STEP, Flood
from hazard.geo.kernels import Float32Array, Float64Array, Uint8Array, in_row_bands, kernel


@dataclass(frozen=True, kw_only=True)
class Directions:
    """Where each pixel's flow goes.

    Attributes:
        code: (y, x) D8 direction in the low four bits, D-infinity facet in the high four bits;
            0 to 7, 8 out of the raster (outlet), 15 invalid.
        share: (y, x) part of the D-infinity flow that goes to direction facet + 1 (mod 8).
    """

    code: Uint8Array
    share: Float32Array

    @property
    def d8(self) -> Uint8Array:
        """(y, x) D8 direction: 0 to 7 anticlockwise from east, 8 outlet, 15 invalid."""
        return self.code & np.uint8(15)

    @property
    def facet(self) -> Uint8Array:
        """(y, x) D-infinity facet: 0 to 7, 8 outlet, 15 invalid."""
        return self.code >> np.uint8(4)

    def angle_rad(self, cell_size: tuple[float, float]) -> Float64Array:
        """(y, x) D-infinity flow direction [rad], anticlockwise from east, NaN without one."""
        side = math.atan2(cell_size[1], cell_size[0])
        facet = self.facet
        inside = facet < OUTLET
        k = np.where(inside, facet, 0).astype(np.int64)
        corner = np.array(
            [0, side, np.pi / 2, np.pi - side, np.pi, np.pi + side, 1.5 * np.pi, 2 * np.pi - side]
        )
        width = np.diff(np.append(corner, 2 * np.pi))
        return np.where(inside, corner[k] + self.share * width[k], np.nan)


@kernel
def _direct_rows(
    filled: Any, parent: Any, dx: float, dy: float, row0: int, row1: int, code: Any, share: Any
) -> int:
    rows, cols = filled.shape
    diagonal = math.sqrt(dx * dx + dy * dy)
    z = np.empty(8)
    for r in range(row0, row1):
        for c in range(cols):
            share[r, c] = 0.0
            up = parent[r, c]
            if up == INVALID:
                code[r, c] = INVALID | (INVALID << 4)
                continue
            z0 = np.float64(filled[r, c])
            steepest = 0.0
            d8: Any = np.int64(up)
            for k in range(8):
                rn = r + ROW_STEP[k]
                cn = c + COL_STEP[k]
                z[k] = np.inf
                if 0 <= rn < rows and 0 <= cn < cols and parent[rn, cn] != INVALID:
                    z[k] = filled[rn, cn]
                    length = diagonal if k & 1 else (dx if (k & 3) == 0 else dy)
                    drop = (z0 - z[k]) / length
                    if drop > steepest:
                        steepest = drop
                        d8 = k
            if steepest == 0.0:
                # No lower neighbour: the way the flood came, or out.
                code[r, c] = d8 | (d8 << 4)
                continue
            # Compare squared gradients; the flow of the winning facet is split afterwards.
            best = -1.0
            facet = 0
            cardinal_part = 0.0
            across_part = 0.0
            for k in range(8):
                next_k = (k + 1) & 7
                if k & 1:
                    cardinal, corner = next_k, k
                else:
                    cardinal, corner = k, next_k
                if (cardinal & 3) == 0:
                    along, across = dx, dy
                else:
                    along, across = dy, dx
                s1 = (z0 - z[cardinal]) / along
                s2 = (z[cardinal] - z[corner]) / across
                if z[corner] == np.inf or s2 <= 0.0:
                    # Steepest along the cardinal side.
                    if s1 > 0.0 and s1 * s1 > best:
                        best, facet, cardinal_part, across_part = s1 * s1, k, 1.0, 0.0
                elif z[cardinal] == np.inf or s2 * along >= s1 * across:
                    # Steepest along the diagonal side (also where the cardinal one is missing).
                    sd = (z0 - z[corner]) / diagonal
                    if sd > 0.0 and sd * sd > best:
                        best, facet, cardinal_part, across_part = sd * sd, k, 0.0, 1.0
                elif s1 * s1 + s2 * s2 > best:
                    best, facet = s1 * s1 + s2 * s2, k
                    cardinal_part, across_part = s1, s2
            code[r, c] = d8 | (facet << 4)
            next_facet = (facet + 1) & 7
            cardinal = next_facet if facet & 1 else facet
            if cardinal_part == 0.0:
                to_corner = 1.0
            elif across_part == 0.0:
                to_corner = 0.0
            else:
                whole = math.atan2(dy, dx) if (cardinal & 3) == 0 else math.atan2(dx, dy)
                to_corner = math.atan2(across_part, cardinal_part) / whole
            share[r, c] = 1.0 - to_corner if facet & 1 else to_corner
    return 0


def flow_directions(
    flood: Flood, cell_size: tuple[float, float], *, threads: int | None = None
) -> Directions:
    """D8 directions and D-infinity facets and shares on a filled surface.

    Args:
        flood: result of `fill_depressions`.
        cell_size: (width, height) of a pixel [m].
        threads: at most so many threads; the result does not depend on it.

    Example:
        >>> from hazard.geo.fill import fill_depressions
        >>> z = -np.add.outer(np.zeros(3), np.arange(3.0))  # falls to the east
        >>> found = flow_directions(fill_depressions(z, np.ones((3, 3), bool)), (1.0, 1.0))
        >>> int(found.d8[1, 1]), int(found.facet[1, 1]), float(found.share[1, 1])
        (0, 0, 0.0)
    """
    dx, dy = float(cell_size[0]), float(cell_size[1])
    shape = flood.filled_m.shape
    code = np.empty(shape, np.uint8)
    share = np.empty(shape, np.float32)
    in_row_bands(
        (shape[0], shape[1]),
        lambda r0, r1: _direct_rows(flood.filled_m, flood.parent, dx, dy, r0, r1, code, share),
        threads,
    )
    return Directions(code=code, share=share)
