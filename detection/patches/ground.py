"""Where patches lie on the ground, in pixels, and which patches lie in the same place."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import shapely
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from detection.patches.patch_set import PatchSet
from hazard.errors import DataError
from hazard.geo.grid import Grid


def ground_boxes(
    patches: PatchSet, grids: Mapping[str, Grid] | None = None
) -> Float[ndarray, "patch 4"]:
    """First and last row and column of every patch on the ground of its region [px].

    Args:
        patches: the set.
        grids: grid of every scene. Where None, the scenes of a region share one grid, and rows and
            columns of all its epochs are comparable as they stand.

    Returns:
        (row0, column0, row1, column1), the last ones exclusive, counted in pixels of the region's
        first scene; comparable within a region only.

    Raises:
        DataError: a scene without a grid, or scenes of one region in different coordinate systems.
    """
    size = patches.image.shape[1]
    start = np.array([[o.row, o.column] for o in patches.origin], dtype=np.float64).reshape(-1, 2)
    if grids is None:
        return np.concatenate([start, start + size], axis=1)
    boxes = np.empty((len(patches), 4))
    anchor: dict[str, Grid] = {}
    for place, origin in enumerate(patches.origin):
        if origin.scene not in grids:
            raise DataError("grids", found=f"none of scene {origin.scene!r}", expected="one")
        grid = grids[origin.scene]
        base = anchor.setdefault(origin.region, grid)
        if grid.crs != base.crs:
            raise DataError(
                f"region {origin.region!r}",
                found=f"scenes in {base.crs.name} and {grid.crs.name}",
                expected="one coordinate system",
            )
        (width, height), (base_width, base_height) = grid.cell_size, base.cell_size
        x = grid.transform.c + origin.column * width
        y = grid.transform.f - origin.row * height
        row = (base.transform.f - y) / base_height
        col = (x - base.transform.c) / base_width
        boxes[place] = row, col, row + size * height / base_height, col + size * width / base_width
    # Grids of one lattice differ by rounding alone: no sliver may come of it.
    return np.round(boxes, 6)


def by_region(patches: PatchSet) -> dict[str, Int[ndarray, " patch"]]:
    """Numbers of the patches of every region, regions in order of appearance."""
    found: dict[str, list[int]] = {}
    for place, origin in enumerate(patches.origin):
        found.setdefault(origin.region, []).append(place)
    return {name: np.asarray(places) for name, places in found.items()}


def pieces_of_ground(
    patches: PatchSet, grids: Mapping[str, Grid] | None = None, *, apart_px: float = 0.0
) -> Int[ndarray, " patch"]:
    """Number of the piece of ground of every patch: patches that touch, on any date, share one.

    Args:
        patches: the set.
        grids: as `ground_boxes`.
        apart_px: gaps up to this do not part ground [px], the larger of the gaps along rows and
            columns.

    Example:
        >>> from detection.patches.patch_set import PatchOrigin
        >>> origin = tuple(PatchOrigin(scene="a", region="a", epoch="1", row=0, column=column)
        ...     for column in (0, 8, 40))
        >>> seen = np.ones((3, 8, 8), bool)
        >>> patches = PatchSet(bands=("red",), unit="1", pixel_m=3.0, valid=seen, truth=seen,
        ...     image=np.zeros((3, 8, 8, 1), np.float32), known=seen, origin=origin)
        >>> pieces_of_ground(patches).tolist()
        [0, 0, 1]
    """
    boxes, reach = ground_boxes(patches, grids), apart_px / 2.0
    number = np.empty(len(patches), dtype=np.int64)
    found = 0
    for places in by_region(patches).values():
        row0, col0, row1, col1 = boxes[places].T
        ground = shapely.box(col0 - reach, row0 - reach, col1 + reach, row1 + reach)
        first, second = shapely.STRtree(ground).query(ground, predicate="intersects")
        links = coo_array((np.ones(first.size), (first, second)), shape=(places.size, places.size))
        pieces, of_patch = connected_components(links, directed=False)
        number[places] = found + of_patch
        found += int(pieces)
    return number
