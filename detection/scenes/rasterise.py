"""Landslide polygons to pixels, by the rule of the centre, holes kept.

A pixel is landslide where its centre lies in a polygon. So the area of the mask is right on
average, and a landslide narrower than a pixel may have no pixel at all; `all_touched=True` takes
every pixel that a polygon touches instead, which makes small landslides several times too large.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from jaxtyping import Bool
from numpy import ndarray
from rasterio.features import rasterize

from detection.scenes.catalogue import SceneEntry
from hazard.errors import DataError
from hazard.geo.grid import Grid
from hazard.geo.inventory import read_inventory

Geometries = np.ndarray[Any, np.dtype[np.object_]]


def rasterise(
    geometries: Geometries, grid: Grid, *, all_touched: bool = False
) -> Bool[ndarray, "y x"]:
    """Pixels of a grid that lie in any of the polygons.

    Args:
        geometries: polygons in the coordinate system of the grid; holes are holes.
        grid: where the pixels lie.
        all_touched: take pixels that are touched, not only those whose centre lies inside.

    Example:
        >>> from affine import Affine
        >>> grid = Grid(crs="EPSG:32645", transform=Affine(10, 0, 0, 0, -10, 40), shape=(4, 4))
        >>> square = np.array([shapely.box(6, 6, 24, 24)], dtype=object)
        >>> int(rasterise(square, grid).sum()), int(rasterise(square, grid, all_touched=True).sum())
        (1, 9)
        >>> ring = shapely.box(0, 0, 40, 40) - shapely.box(10, 10, 30, 30)
        >>> int(rasterise(np.array([ring], dtype=object), grid).sum())
        12
    """
    inside = np.asarray(shapely.intersects(geometries, shapely.box(*grid.bounds)), dtype=bool)
    shown = list(np.asarray(geometries, dtype=object)[inside])
    if not shown:
        return np.zeros(grid.shape, dtype=bool)
    burnt = rasterize(
        shown, out_shape=grid.shape, transform=grid.transform, all_touched=all_touched,
        default_value=1, fill=0, dtype=np.uint8,
    )  # fmt: skip
    return burnt.astype(bool)


@dataclass(frozen=True, eq=False, kw_only=True)
class MappedGround:
    """Polygons of a scene, in the coordinate system of its grid.

    Attributes:
        landslides: polygons of landslides.
        footprint: polygons of the ground that was looked at; None: everywhere.
    """

    landslides: Geometries
    footprint: Geometries | None

    def truth(self, grid: Grid) -> Bool[ndarray, "y x"]:
        """Pixels with a landslide."""
        return rasterise(self.landslides, grid)

    def known(self, grid: Grid) -> Bool[ndarray, "y x"]:
        """Pixels that the mapper looked at."""
        if self.footprint is None:
            return np.ones(grid.shape, dtype=bool)
        return rasterise(self.footprint, grid)


def read_mapped_ground(entry: SceneEntry, grid: Grid) -> MappedGround | None:
    """Polygons that a scene names, None where it names no inventory.

    An inventory without a landslide is a finding where a footprint says what was looked at, and
    else an error.

    Args:
        entry: the scene.
        grid: its grid, in metres.

    Raises:
        DataError: files that cannot be used, or an inventory that lies nowhere on the image.
    """
    if entry.inventory is None:
        return None
    table = read_inventory(
        entry.inventory, grid, member=entry.inventory_member, layer=entry.inventory_layer,
        allow_empty=entry.footprint is not None,
    )  # fmt: skip
    if len(table) and table.n_outside == len(table):
        raise DataError(
            entry.inventory, found=f"{len(table)} landslides, all outside the image",
            expected=f"some within {tuple(round(edge) for edge in grid.bounds)} of "
            f"{grid.crs.name} ({entry.image[0]})",
        )  # fmt: skip
    return MappedGround(landslides=table.geometries, footprint=read_footprint(entry, grid))


def read_footprint(entry: SceneEntry, grid: Grid) -> Geometries | None:
    """Polygons of the ground that the mapper looked at, None where the scene names none.

    Raises:
        DataError: a file that cannot be used.
    """
    return None if entry.footprint is None else read_inventory(entry.footprint, grid).geometries
