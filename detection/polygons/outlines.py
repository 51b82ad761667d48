"""Outlines of sets of pixels: one form for one set, holes, and smoothing within half a pixel.

Coordinates are edges of pixels: x is a column, y a row, whole numbers until smoothed. A set of
pixels has one valid outline: rings turn at every vertex, begin at their smallest one, and touch
each other or themselves in no more than points.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import shapely
from jaxtyping import Float
from numpy import ndarray
from shapely import MultiPolygon, Polygon

Outline = Polygon | MultiPolygon


def whole_outline(pieces: Sequence[Polygon]) -> Outline:
    """The outline of the union of pieces, in its one form.

    Pieces may share edges (a seam) or corners (pixels that touch diagonally), not pixels.

    Example:
        >>> left, right = shapely.box(0, 0, 2, 1), shapely.box(2, 0, 3, 1)
        >>> whole_outline([left, right]).wkt
        'POLYGON ((0 0, 0 1, 3 1, 3 0, 0 0))'
    """
    valid = [
        piece if piece.is_valid else shapely.make_valid(piece, method="structure")
        for piece in pieces
    ]
    joined: Any = valid[0] if len(valid) == 1 else shapely.union_all(valid)
    return shapely.normalize(change_rings(joined, _turning))


def change_rings(
    outline: Outline, change: Callable[[Float[ndarray, "vertex 2"]], Float[ndarray, "vertex 2"]]
) -> Outline:
    """The outline with every ring changed; a ring comes and goes closed."""
    parts = [
        Polygon(
            change(shapely.get_coordinates(part.exterior)),
            [change(shapely.get_coordinates(hole)) for hole in part.interiors],
        )
        for part in polygons_of(outline)
    ]
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)


def polygons_of(outline: Outline) -> list[Polygon]:
    """Its polygons, one or many."""
    return [outline] if isinstance(outline, Polygon) else list(outline.geoms)


def _turning(ring: Float[ndarray, "vertex 2"]) -> Float[ndarray, "vertex 2"]:
    """The vertices where a ring along rows and columns turns; seams leave others behind."""
    open_ring = ring[:-1]
    step = open_ring - np.roll(open_ring, 1, axis=0)
    ahead = np.roll(step, -1, axis=0)
    # Along rows and columns, two steps have one direction exactly if both are level, or both not.
    kept = open_ring[(step[:, 0] == 0) != (ahead[:, 0] == 0)]
    return np.concatenate([kept, kept[:1]])


def smooth(outline: Outline) -> Outline:
    """Corners cut: the ring runs through the middles of the pixel edges that it followed.

    No point moves more than sqrt(2)/4 = 0.354 pixels, a straight edge stays where it is, and a ring
    loses or gains at most 1/8 pixel at each of its turns, 1/2 pixel in all. Neighbours never come
    to overlap.

    Example:
        >>> smooth(shapely.box(0, 0, 1, 1)).area
        0.5
    """
    return shapely.normalize(change_rings(outline, _middles))


def _middles(ring: Float[ndarray, "vertex 2"]) -> Float[ndarray, "vertex 2"]:
    step = np.diff(ring, axis=0)
    half = 0.5 * np.sign(step)
    points = np.stack([ring[:-1] + half, ring[1:] - half], axis=1).reshape(-1, 2)
    # The two points of an edge one pixel long are one.
    new = np.any(points != np.roll(points, 1, axis=0), axis=1)
    kept = points[new]
    return np.concatenate([kept, kept[:1]])


def small_holes(outline: Outline, below_px: float) -> list[Polygon]:
    """Holes of fewer pixels than this, also those between parts that touch at corners.

    Example:
        >>> ring = shapely.difference(shapely.box(0, 0, 3, 3), shapely.box(1, 1, 2, 2))
        >>> [hole.area for hole in small_holes(ring, 2)]
        [1.0]
    """
    if isinstance(outline, Polygon):
        faces = [Polygon(ring) for ring in outline.interiors]
    else:
        drawn: Any = shapely.polygonize([shapely.union_all(shapely.boundary(polygons_of(outline)))])
        faces = [f for f in drawn.geoms if not outline.contains(f.representative_point())]
    return [hole for hole in faces if hole.area < below_px]


def without_holes(outline: Outline, holes: Sequence[Polygon]) -> Outline:
    """The outline with these of its holes filled."""
    return whole_outline([*polygons_of(outline), *holes])


def pixels_inside(polygon: Polygon) -> tuple[ndarray, ndarray]:
    """Rows and columns of the pixels inside a small outline."""
    left, top, right, bottom = (int(edge) for edge in polygon.bounds)
    rows, columns = np.mgrid[top:bottom, left:right]
    inside = shapely.contains_xy(polygon, columns + 0.5, rows + 0.5)
    return rows[inside], columns[inside]
