"""Where patches lie on the ground, in pixels, and which patches lie in the same place."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

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
