"""Holes in a predictor: filled from the nearest valid value, flagged and counted.

The study mask decides which cells count; a predictor that lacks a value there does not shrink it.
The rule is one for all layers: the value of the nearest valid pixel centre, the lower index where
two are equally far, and an error beyond a distance at which "nearest" says nothing any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hazard.errors import DataError

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
IntArray = np.ndarray[Any, np.dtype[np.int64]]
AnyArray = np.ndarray[Any, np.dtype[Any]]

RULE = "nearest valid value"
_NEIGHBOURS = [(r, c) for r in (-1, 0, 1) for c in (-1, 0, 1) if (r, c) != (0, 0)]


@dataclass(frozen=True, kw_only=True)
class HoleMap:
    """Which positions are filled, and from where.

    Attributes:
        hole: (n,) flat indices of the positions to fill, increasing.
        source: (n,) flat index of the nearest valid position of each.
        farthest_m: largest distance between a hole and its source [m]; 0 without holes.
        shape: (y, x) of the array they index.
    """

    hole: IntArray
    source: IntArray
    farthest_m: float
    shape: tuple[int, int]

    def __len__(self) -> int:
        return len(self.hole)


def map_holes(
    valid: BoolArray,
    needed: BoolArray,
    cell_size: tuple[float, float],
    *,
    limit_m: float,
    source: object,
    layer: str,
) -> HoleMap:
    """Find the nearest valid position of every needed one that is not valid.

    The nearest valid position of a hole always has an invalid neighbour, so only those border
    positions enter the search tree: memory follows the outline of the holes, not the raster.

    Args:
        valid: (y, x) True where the layer has a value.
        needed: (y, x) True where the study needs one.
        cell_size: (width, height) of a position [m].
        limit_m: farthest allowed source [m].
        source: file, for messages.
        layer: layer, for messages.

    Raises:
        DataError: no valid value at all, or a hole farther than `limit_m` from every one.

    Example:
        >>> valid = np.array([[True, False, False], [True, True, False]])
        >>> holes = map_holes(valid, np.ones_like(valid), (10.0, 10.0), limit_m=100.0,
        ...                   source="dem.tif", layer="elevation_m")
        >>> holes.hole.tolist(), holes.source.tolist(), round(holes.farthest_m, 1)
        ([1, 2, 5], [0, 4, 4], 14.1)
    """
    from scipy.spatial import KDTree

    hole = np.flatnonzero(needed & ~valid)
    shape = (int(valid.shape[0]), int(valid.shape[1]))
    if hole.size == 0:
        empty = np.zeros(0, dtype=np.int64)
        return HoleMap(hole=empty, source=empty, farthest_m=0.0, shape=shape)
    if not valid.any():
        raise DataError(
            source, found=f"no value of {layer} in the study area", expected="at least one"
        )
    border = np.flatnonzero(valid & _beside_invalid(valid))
    width, height = cell_size

    def points(flat: IntArray) -> AnyArray:
        rows, cols = np.divmod(flat, shape[1])
        return np.column_stack([rows * height, cols * width])

    # Two neighbours, so that a tie goes to the lower index whatever the tree's order.
    tree = KDTree(points(border))
    found = tree.query(points(hole), k=min(2, border.size))
    distance, index = (np.asarray(part).reshape(hole.size, -1) for part in found)
    tied = distance <= distance[:, :1] * (1 + 1e-12)
    chosen = np.where(tied, index, border.size).min(axis=1)
    farthest = float(distance[:, 0].max())
    if farthest > limit_m:
        far = int(np.count_nonzero(distance[:, 0] > limit_m))
        raise DataError(
            source,
            found=f"{far} positions of the mask up to {farthest:,.0f} m from any {layer}",
            expected=f"one within {limit_m:,.0f} m (terrain.fill_holes_m)",
        )
    return HoleMap(
        hole=hole.astype(np.int64),
        source=border[chosen].astype(np.int64),
        farthest_m=farthest,
        shape=shape,
    )


def _beside_invalid(valid: BoolArray) -> BoolArray:
    """True where one of the eight neighbours inside the raster is invalid."""
    rows, cols = valid.shape
    beside = np.zeros(valid.shape, dtype=np.bool_)
    for down, right in _NEIGHBOURS:
        here = (
            slice(max(0, -down), rows - max(0, down)),
            slice(max(0, -right), cols - max(0, right)),
        )
        there = (
            slice(max(0, down), rows + min(0, down)),
            slice(max(0, right), cols + min(0, right)),
        )
        beside[here] |= ~valid[there]
    return beside


def fill_array(values: AnyArray, holes: HoleMap) -> AnyArray:
    """A copy of `values` (..., y, x) with the holes filled.

    Example:
        >>> holes = map_holes(np.array([[True, False]]), np.ones((1, 2), bool), (1.0, 1.0),
        ...                   limit_m=5.0, source="a", layer="b")
        >>> fill_array(np.array([[3.0, np.nan]]), holes).tolist()
        [[3.0, 3.0]]
    """
    flat = values.reshape(*values.shape[:-2], -1).copy()
    flat[..., holes.hole] = flat[..., holes.source]
    return flat.reshape(values.shape)


def patch_stored(array: Any, holes: HoleMap, *, rows_per_strip: int) -> None:
    """Fill the holes of a stored (y, x) array in place, strip by strip.

    Two passes, because a hole and its source may lie in different strips: gather the source
    values, then rewrite the strips that have holes. Nothing is read where there are none.

    Args:
        array: a Zarr array, or anything sliced and assigned like one.
        holes: positions to fill.
        rows_per_strip: rows read at once; whole chunks of the array keep it fast.
    """
    if len(holes) == 0:
        return
    rows, cols = holes.shape
    found = np.empty(len(holes), dtype=array.dtype)
    for row0 in range(0, rows, rows_per_strip):
        inside = (holes.source >= row0 * cols) & (holes.source < (row0 + rows_per_strip) * cols)
        if inside.any():
            strip = np.asarray(array[row0 : row0 + rows_per_strip, :])
            found[inside] = strip.ravel()[holes.source[inside] - row0 * cols]
    for row0 in range(0, rows, rows_per_strip):
        inside = (holes.hole >= row0 * cols) & (holes.hole < (row0 + rows_per_strip) * cols)
        if inside.any():
            strip = np.array(array[row0 : row0 + rows_per_strip, :])
            strip.reshape(-1)[holes.hole[inside] - row0 * cols] = found[inside]
            array[row0 : row0 + rows_per_strip, :] = strip
