"""Polygons as they come to polygons that can be measured: repaired, flattened, counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

Geometries = np.ndarray[Any, np.dtype[np.object_]]
BoolArray = np.ndarray[Any, np.dtype[np.bool_]]

_POLYGONAL = (3, 6)
_COLLECTION = 7


@dataclass(frozen=True, kw_only=True)
class RepairedPolygons:
    """Outcome of `repair_polygons`.

    Attributes:
        geometries: (n,) valid 2-D polygons or multipolygons; None where dropped.
        kept: (n,) True where a polygon is left.
        dropped: number of features dropped by reason.
        n_repaired: invalid features made valid.
        n_z_dropped: features with a third coordinate, which was removed.
        n_collections: geometry collections reduced to their polygons.
    """

    geometries: Geometries
    kept: BoolArray
    dropped: dict[str, int]
    n_repaired: int
    n_z_dropped: int
    n_collections: int


def polygonal_part(geometry: Any) -> Any:
    """The polygons of a geometry as one Polygon or MultiPolygon; None where it has none.

    Example:
        >>> mixed = shapely.GeometryCollection([shapely.Point(0, 0), shapely.box(0, 0, 1, 1)])
        >>> polygonal_part(mixed).geom_type, polygonal_part(shapely.Point(0, 0))
        ('Polygon', None)
    """
    kind = shapely.get_type_id(geometry)
    if kind in _POLYGONAL:
        return geometry
    if kind != _COLLECTION:
        return None
    parts = [polygonal_part(part) for part in shapely.get_parts(geometry)]
    flat = [p for part in parts if part is not None for p in shapely.get_parts(part)]
    if not flat:
        return None
    return flat[0] if len(flat) == 1 else shapely.MultiPolygon(flat)


def _make_valid(geometry: Any) -> Any:
    """Valid polygons of the same ground, or None where GEOS cannot make any.

    "structure" keeps ground that an outline runs round twice; the older "linework" rule would make
    a hole of it.
    """
    try:
        valid = shapely.make_valid(geometry, method="structure", keep_collapsed=False)
    except shapely.errors.GEOSException:
        return None
    part = polygonal_part(valid)
    return None if part is None or shapely.is_empty(part) else part


# Wild coordinates overflow inside GEOS; what comes of them is dropped and counted.
@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def repair_polygons(geometries: Geometries) -> RepairedPolygons:
    """Make every polygon valid and two-dimensional; drop and count what is no polygon.

    Multipolygons stay one landslide; those of a single part become polygons. Reasons for
    dropping: "null", "empty", the geometry's type ("Point", "LineString", ...), "not finite"
    coordinates or area, "collapsed" (no area left after repair).

    Args:
        geometries: (n,) object array; None allowed.

    Example:
        >>> bow = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
        >>> out = repair_polygons(np.array([bow, None, shapely.Point(0, 0)], dtype=object))
        >>> float(shapely.area(out.geometries[0])), out.dropped, out.n_repaired
        (2.0, {'null': 1, 'Point': 1}, 1)
    """
    out = geometries.copy()
    reason = np.full(len(out), "", dtype=object)
    kinds = shapely.get_type_id(out)
    reason[kinds == -1] = "null"
    reason[(kinds >= 0) & shapely.is_empty(out)] = "empty"

    has_z = (reason == "") & shapely.has_z(out)
    out[has_z] = shapely.force_2d(out[has_z])

    collections = np.flatnonzero((reason == "") & (kinds == _COLLECTION))
    for index in collections:
        part = polygonal_part(out[index])
        if part is not None:
            out[index] = part
    kinds = shapely.get_type_id(out)
    for index in np.flatnonzero((reason == "") & ~np.isin(kinds, _POLYGONAL)):
        reason[index] = str(out[index].geom_type)

    # NaN and infinite coordinates: the sum of all coordinates of a geometry is not finite.
    live = np.flatnonzero(reason == "")
    coordinates, owner = shapely.get_coordinates(out[live], return_index=True)
    finite = np.isfinite(coordinates).all(axis=1)
    reason[live[np.unique(owner[~finite])]] = "not finite"

    live = np.flatnonzero(reason == "")
    invalid = live[~shapely.is_valid(out[live])]
    repaired = 0
    for index in invalid:
        valid = _make_valid(out[index])
        if valid is None:
            reason[index] = "collapsed"
        else:
            out[index] = valid
            repaired += 1

    live = np.flatnonzero(reason == "")
    area = shapely.area(out[live])
    reason[live[~np.isfinite(area)]] = "not finite"
    reason[live[np.isfinite(area) & (area <= 0)]] = "collapsed"

    kept = reason == ""
    out[~kept] = None
    # GeoPackage layers hold multipolygons throughout; one of one part is a polygon.
    kinds = shapely.get_type_id(out)
    single = kept & (kinds == _POLYGONAL[1]) & (shapely.get_num_geometries(out) == 1)
    out[single] = shapely.get_geometry(out[single], 0)
    return RepairedPolygons(
        geometries=out,
        kept=kept,
        dropped=dict(Counter(str(r) for r in reason[~kept])),
        n_repaired=repaired,
        n_z_dropped=int(has_z.sum()),
        n_collections=len(collections),
    )


def count_exact_duplicates(geometries: Geometries) -> int:
    """Polygons equal to an earlier one, whatever the start and direction of their rings.

    Example:
        >>> a = shapely.box(0, 0, 1, 1)
        >>> count_exact_duplicates(np.array([a, shapely.reverse(a), shapely.box(0, 0, 1, 2)]))
        1
    """
    bounds = shapely.bounds(geometries)
    _, inverse, counts = np.unique(bounds, axis=0, return_inverse=True, return_counts=True)
    suspects = geometries[counts[inverse] > 1]
    if not len(suspects):
        return 0
    keys = shapely.to_wkb(shapely.normalize(suspects))
    return len(keys) - len(set(keys))
