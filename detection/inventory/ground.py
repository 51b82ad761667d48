"""The memory of a series: per landslide, the ground bare when last seen, and the healed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely

from detection.inventory.epoch_map import Geometries
from detection.inventory.overlay import EMPTY, difference, intersection, union
from detection.inventory.seen_ground import SeenGround
from hazard.geo.cell_area import union_clusters
from stats.case_arrays import FloatArray, IntArray


def as_geometries(items: Sequence[Any]) -> Geometries:
    """A one-dimensional object array of geometries."""
    array = np.empty(len(items), dtype=object)
    array[:] = list(items)
    return array


def dissolved(polygons: Geometries, seen: SeenGround) -> tuple[Geometries, float, float]:
    """Disjoint outlines within a footprint.

    Outlines that share area become one; the parts of a multipolygon stay one landslide.

    Returns:
        Outlines, the area outside the footprint [m2], and the area under several outlines [m2].

    Example:
        >>> boxes = as_geometries([shapely.box(0, 0, 2, 1), shapely.box(1, 0, 3, 1)])
        >>> outlines, outside, shared = dissolved(boxes, SeenGround(shapely.box(0, 0, 2.5, 1)))
        >>> [outline.area for outline in outlines], outside, shared
        ([2.5], 0.5, 1.0)
    """
    whole = union_clusters(polygons).geometries if len(polygons) else polygons
    total = float(shapely.area(whole).sum())
    shared = float(shapely.area(polygons).sum()) - total
    if not seen.everything:
        whole = as_geometries([seen.of(outline) for outline in whole])
        whole = whole[shapely.area(whole) > 0.0]
    return whole, total - float(shapely.area(whole).sum()), max(0.0, shared)


class Ground:
    """Disjoint ground of every landslide so far.

    Attributes:
        bare: per landslide, what was bare when it was last seen.
        healed: per landslide, what was bare once and not when last seen.
    """

    def __init__(self) -> None:
        self.bare: list[Any] = []
        self.healed: list[Any] = []

    def __len__(self) -> int:
        return len(self.bare)

    def add(self, geometry: Any) -> int:
        """A landslide more; its index."""
        self.bare.append(geometry)
        self.healed.append(EMPTY)
        return len(self.bare) - 1

    def area(self) -> tuple[float, float]:
        """Bare and healed area [m2]."""
        bare, healed = (shapely.area(as_geometries(g)).sum() for g in (self.bare, self.healed))
        return float(bare), float(healed)

    def met_by(self, outlines: Geometries, which: str) -> tuple[IntArray, IntArray, FloatArray]:
        """Pairs of outline and landslide that touch, with the area they share (may be 0) [m2]."""
        items = as_geometries(getattr(self, which))
        outline, mine = shapely.STRtree(items).query(outlines, predicate="intersects")
        area = np.array(
            [intersection(outlines[j], items[k]).area for j, k in zip(outline, mine, strict=True)]
        )
        order = np.lexsort((mine, outline))
        return (
            outline[order].astype(np.int64), mine[order].astype(np.int64),
            area[order].astype(np.float64) if len(order) else np.empty(0),
        )  # fmt: skip

    def lose(self, k: int, recovered: Any) -> None:
        """Ground of landslide k that was seen again and is bare no more."""
        self.bare[k] = difference(self.bare[k], recovered)
        self.healed[k] = union([self.healed[k], recovered])

    def gain(self, k: int, geometry: Any) -> None:
        """Bare ground that landslide k gained."""
        self.bare[k] = union([self.bare[k], geometry])

    def reopen(self, k: int, geometry: Any) -> None:
        """Healed ground of landslide k that is bare again."""
        self.healed[k] = difference(self.healed[k], geometry)
        self.bare[k] = union([self.bare[k], geometry])
