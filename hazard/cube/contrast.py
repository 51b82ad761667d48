"""Slope inside landslides against slope outside: a plain check that outlines and terrain fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hazard.cube.grids import StudyGrids
from hazard.cube.terrain_layers import strips

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, kw_only=True)
class SlopeContrast:
    """Mean slope of pixels inside and outside all landslides of a study.

    Attributes:
        inside_deg: mean slope inside [degree].
        outside_deg: mean slope outside [degree].
        n_inside: pixels whose centre lies in a landslide.
        n_outside: pixels of the mask in none.
    """

    inside_deg: float
    outside_deg: float
    n_inside: int
    n_outside: int

    def sentence(self) -> str:
        """The contrast in words."""
        return (
            f"mean slope {self.inside_deg:.1f} deg inside landslides ({self.n_inside} pixels), "
            f"{self.outside_deg:.1f} deg outside ({self.n_outside} pixels)"
        )


def slope_contrast(
    slope_deg: Any, outlines: Any, grids: StudyGrids, cells: BoolArray
) -> SlopeContrast | None:
    """Compare slopes by pixel centres, band by band; None without a pixel on either side.

    Args:
        slope_deg: stored (y, x) slope.
        outlines: (n,) polygons in the grid's coordinate system.
        grids: lattices.
        cells: (y, x) study mask.
    """
    import shapely
    from rasterio.features import rasterize

    if outlines is None or len(outlines) == 0:
        return None
    bounds = shapely.bounds(np.asarray(outlines, dtype=object))
    factor = grids.pixels_per_cell
    total, count = np.zeros(2), np.zeros(2, np.int64)
    for band in strips(grids.pixels, grids.pixel_chunk):
        part = grids.pixels.crop(band)
        low, high = part.bounds[1], part.bounds[3]
        near = np.asarray(outlines, dtype=object)[(bounds[:, 1] < high) & (bounds[:, 3] > low)]
        inside = np.zeros(part.shape, np.bool_)
        if len(near):
            inside = (
                rasterize(
                    near.tolist(), out_shape=part.shape, transform=part.transform, dtype="uint8"
                )
                == 1
            )
        rows = slice(band.row0 // factor, band.row1 // factor)
        needed = np.repeat(np.repeat(cells[rows], factor, axis=0), factor, axis=1)
        slope = np.asarray(slope_deg[band.slices], dtype=np.float64)
        for side, chosen in enumerate((inside & needed, ~inside & needed)):
            total[side] += slope[chosen].sum()
            count[side] += int(chosen.sum())
    if count.min() == 0:
        return None
    mean = total / count
    return SlopeContrast(
        inside_deg=float(mean[0]),
        outside_deg=float(mean[1]),
        n_inside=int(count[0]),
        n_outside=int(count[1]),
    )
