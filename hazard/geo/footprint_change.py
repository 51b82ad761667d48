"""Difference of two sets of landslide footprints as geometry, robust to GEOS topology errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from hazard.geo.cell_area import Geometries
from stats.command.polygon_repair import polygonal_part

_FALLBACK_GRID_M = 1e-6


@dataclass(frozen=True, kw_only=True)
class FootprintDifference:
    """What is left of some polygons after others are taken away.

    Attributes:
        geometries: (k,) what is left, one multipolygon or polygon per input that keeps area.
        n_slivers: parts smaller than the minimum, taken out.
        sliver_area_m2: their area [m2].
        n_fallback: polygons that needed repair or snapping to 1e-6 units.
    """

    geometries: Geometries
    n_slivers: int
    sliver_area_m2: float
    n_fallback: int


def _robust_difference(polygon: Any, taken: Geometries) -> tuple[Any, bool]:
    try:
        return shapely.difference(polygon, shapely.union_all(taken)), False
    except shapely.errors.GEOSException:
        mended = shapely.make_valid(polygon, method="structure", keep_collapsed=False)
        others = shapely.make_valid(taken, method="structure", keep_collapsed=False)
        union = shapely.union_all(others, grid_size=_FALLBACK_GRID_M)
        return shapely.difference(mended, union, grid_size=_FALLBACK_GRID_M), True


def footprint_difference(
    polygons: Geometries, taken: Geometries, *, minimum_part_m2: float = 0.0
) -> FootprintDifference:
    """`polygons` minus `taken`, polygon by polygon.

    Args:
        polygons: (n,) valid polygons.
        taken: (m,) valid polygons to take away.
        minimum_part_m2: separate parts smaller than this are slivers and go [m2]. Only parts of
            polygons that were cut are judged; an untouched polygon stays whatever its size.

    Example:
        >>> left = footprint_difference(
        ...     np.array([shapely.box(0, 0, 2, 1)]), np.array([shapely.box(1, 0, 3, 1)]))
        >>> float(shapely.area(left.geometries).sum())
        1.0
    """
    first, second = shapely.STRtree(taken).query(polygons, predicate="intersects")
    out = polygons.copy()
    fallbacks = slivers = 0
    sliver_area = 0.0
    order = np.argsort(first, kind="stable")
    second = second[order]
    cut, begin, size = np.unique(first[order], return_index=True, return_counts=True)
    for index, start, n in zip(cut, begin, size, strict=True):
        members = second[start : start + n]
        left, failed = _robust_difference(polygons[index], taken[members])
        fallbacks += failed
        part = polygonal_part(left)
        pieces = shapely.get_parts(part) if part is not None else np.empty(0, dtype=object)
        area = shapely.area(pieces)
        small = area < minimum_part_m2
        slivers += int(small.sum())
        sliver_area += float(area[small].sum())
        kept = pieces[~small & (area > 0)]
        out[index] = (
            None if not len(kept) else kept[0] if len(kept) == 1 else shapely.MultiPolygon(kept)
        )
    return FootprintDifference(
        geometries=out[~shapely.is_missing(out)],
        n_slivers=slivers,
        sliver_area_m2=sliver_area,
        n_fallback=fallbacks,
    )
