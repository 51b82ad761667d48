"""Differences and intersections of outlines, and what of them is a sliver.

Two mappings of one landslide never agree to the pixel: images are shifted against each other, and
pixels differ in size. The difference of the two outlines is then a seam along the border. A
morphological opening takes away what is narrower than the tolerance; what is left keeps its corners
because the opening is mitred and cut back to the ground that it started from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely

from stats.command.polygon_repair import polygonal_part

Geometries = np.ndarray[Any, np.dtype[np.object_]]
EMPTY = shapely.MultiPolygon()
FALLBACK_GRID_M = 1e-6
"""Grid to which coordinates are snapped where GEOS finds no topology without [m]."""
_MITRE_LIMIT = 2.0


def _grown(geometry: Any, distance_m: float) -> Any:
    return shapely.buffer(geometry, distance_m, join_style="mitre", mitre_limit=_MITRE_LIMIT)


def _polygons(geometry: Any) -> Any:
    part = polygonal_part(geometry)
    return EMPTY if part is None else part


def union(parts: Sequence[Any] | Geometries) -> Any:
    """Union of polygons as a Polygon or MultiPolygon; empty for none.

    Example:
        >>> union([shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1)]).area
        2.0
    """
    array = np.empty(len(parts), dtype=object)
    array[:] = list(parts)
    array = array[~shapely.is_empty(array)]
    if not len(array):
        return EMPTY
    if len(array) == 1:
        return array[0]
    try:
        return _polygons(shapely.union_all(array))
    except shapely.errors.GEOSException:
        valid = shapely.make_valid(array, method="structure", keep_collapsed=False)
        return _polygons(shapely.union_all(valid, grid_size=FALLBACK_GRID_M))


def difference(first: Any, second: Any) -> Any:
    """Polygons of `first` without `second`.

    Example:
        >>> difference(shapely.box(0, 0, 2, 1), shapely.box(1, 0, 3, 1)).area
        1.0
    """
    try:
        return _polygons(shapely.difference(first, second))
    except shapely.errors.GEOSException:
        return _polygons(shapely.difference(first, second, grid_size=FALLBACK_GRID_M))


def intersection(first: Any, second: Any) -> Any:
    """Polygons common to both.

    Example:
        >>> intersection(shapely.box(0, 0, 2, 1), shapely.box(1, 0, 3, 1)).area
        1.0
    """
    try:
        return _polygons(shapely.intersection(first, second))
    except shapely.errors.GEOSException:
        return _polygons(shapely.intersection(first, second, grid_size=FALLBACK_GRID_M))


def without_slivers(part: Any, *, tolerance_m: float, minimum_part_m2: float) -> Any:
    """What of a difference of outlines is wider than the tolerance and large enough.

    Args:
        part: difference of two outlines.
        tolerance_m: strips up to this wide go (opening with half of it as its radius) [m].
        minimum_part_m2: separate pieces smaller than this go [m2].

    Returns:
        A subset of `part`; the rest is the sliver.

    Example:
        >>> seam = shapely.box(0, 0, 100, 5)
        >>> without_slivers(seam, tolerance_m=5.0, minimum_part_m2=0.0).area
        0.0
        >>> block = shapely.box(0, 0, 100, 50).union(shapely.box(100, 0, 200, 5))
        >>> round(without_slivers(block, tolerance_m=5.0, minimum_part_m2=0.0).area, 3)
        5000.0
    """
    left = part
    if tolerance_m > 0.0 and not shapely.is_empty(part):
        # A hair more than half, so that a strip exactly as wide as the tolerance goes too.
        radius = 0.5 * tolerance_m * (1.0 + 1e-6)
        left = intersection(part, _grown(_grown(part, -radius), radius))
    if minimum_part_m2 <= 0.0 or shapely.is_empty(left):
        return left
    pieces = shapely.get_parts(left)
    return union(pieces[shapely.area(pieces) >= minimum_part_m2])
