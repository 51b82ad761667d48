"""The lattices of a study: cells, nested pixels, triggers, and the margin around them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from hazard.config.schema import HazardConfig
from hazard.config.study import ExtentConfig, GridConfig
from hazard.errors import DataError
from hazard.geo.grid import Block, Grid
from hazard.geo.raster import read_info

# Upstream area and slopes need ground beyond the study; farther than this it changes little
# compared with what lies inside, and the margin costs memory on all four sides.
FLOW_MARGIN_M = 5_000.0
CHUNK_PIXELS = 1024


@dataclass(frozen=True, kw_only=True)
class StudyGrids:
    """All lattices of a study.

    Attributes:
        cells: the cell grid.
        pixels: each cell cut into pixels_per_cell x pixels_per_cell.
        triggers: the grid of shaking and rain.
        pixels_per_cell: pixels along one side of a cell.
        margin: pixels read beyond each edge for terrain and flow.
    """

    cells: Grid
    pixels: Grid
    triggers: Grid
    pixels_per_cell: int
    margin: int

    @property
    def padded(self) -> Grid:
        """The pixel lattice with the margin on all four sides."""
        rows, cols = self.pixels.shape
        m = self.margin
        return self.pixels.crop(Block(row0=-m, row1=rows + m, col0=-m, col1=cols + m))

    @property
    def pixel_chunk(self) -> int:
        """Side of a stored chunk of pixels: whole cells, about a thousand pixels."""
        whole_cells = max(1, CHUNK_PIXELS // self.pixels_per_cell)
        return min(whole_cells * self.pixels_per_cell, max(self.pixels.shape))

    def as_json(self) -> dict[str, Any]:
        """What identifies the lattices, for hashes and records."""
        return {
            "crs": self.cells.crs.to_wkt(),
            "transform": [float(v) for v in self.cells.transform[:6]],
            "shape": list(self.cells.shape),
            "pixels_per_cell": self.pixels_per_cell,
            "trigger_shape": list(self.triggers.shape),
            "trigger_cell_m": list(self.triggers.cell_size),
            "margin": self.margin,
        }


def study_grids(config: HazardConfig) -> StudyGrids:
    """The lattices that a complete configuration asks for.

    With a density raster the cell grid is the raster's own; else it is ``study.grid``, whose
    bounds are by default those of the elevation model, widened to whole cells at round
    coordinates (multiples of the cell). ``study.extent`` then crops.

    Raises:
        DataError: no coordinate system in metres, an elevation model off the grid, or an extent
            beyond it.
    """
    study, target, terrain = config.study, config.target, config.terrain
    if study is None or target is None or terrain is None:
        raise ValueError("an incomplete configuration; resolve its sources first")
    if target.kind == "density_raster":
        source: object = target.file
        cells = read_info(target.file).grid
    else:
        source = "study.grid"
        if study.grid is None:
            raise ValueError("the schema lets no inventory through without study.grid")
        cells = _explicit_grid(study.grid, terrain.elevation)
    cells.require_metres("cell areas", source)
    if study.extent is not None:
        cells = crop_extent(cells, study.extent)
    factor = study.pixels_per_cell
    pixels = cells.refine(factor)
    margin = math.ceil(FLOW_MARGIN_M / max(pixels.cell_size))
    return StudyGrids(
        cells=cells,
        pixels=pixels,
        triggers=cells.coarsen(config.cube.trigger_factor),
        pixels_per_cell=factor,
        margin=margin,
    )


def _explicit_grid(section: GridConfig, elevation: Any) -> Grid:
    probe = Grid.from_bounds(section.crs, (0.0, 0.0, 1.0, 1.0), cell_m=1.0)
    probe.require_metres("cell areas", "study.grid.crs")
    if section.bounds is not None:
        left, bottom, right, top = section.bounds
        if right <= left or top <= bottom:
            raise DataError(
                "study.grid.bounds",
                found=f"{section.bounds}",
                expected="left < right and bottom < top",
            )
        return Grid.from_bounds(section.crs, section.bounds, cell_m=section.cell_m)
    bounds = bounds_in(read_info(elevation).grid, probe.crs, elevation)
    return Grid.from_bounds(section.crs, snapped(bounds, section.cell_m), cell_m=section.cell_m)


def bounds_in(grid: Grid, crs: Any, source: object) -> tuple[float, float, float, float]:
    """Bounds of a grid in another coordinate system, edges followed at 101 points.

    Raises:
        DataError: the grid has no place in that system.
    """
    from pyproj import Transformer

    if grid.crs == crs:
        return grid.bounds
    transformer = Transformer.from_crs(grid.crs, crs, always_xy=True)
    bounds = tuple(float(v) for v in transformer.transform_bounds(*grid.bounds, densify_pts=101))
    if not np.isfinite(bounds).all():
        raise DataError(source, found="bounds without a place in the study's", expected=crs.name)
    return bounds[0], bounds[1], bounds[2], bounds[3]


def snapped(
    bounds: tuple[float, float, float, float], cell_m: float
) -> tuple[float, float, float, float]:
    """Bounds widened outwards to multiples of the cell.

    Example:
        >>> snapped((120.0, 980.0, 2100.0, 2000.0), 500.0)
        (0.0, 500.0, 2500.0, 2000.0)
    """
    left, bottom, right, top = (edge / cell_m for edge in bounds)
    # A hair of slack: an edge that is a multiple up to rounding gains no cell.
    low, high = math.floor, math.ceil
    return (
        low(left + 1e-9) * cell_m,
        low(bottom + 1e-9) * cell_m,
        high(right - 1e-9) * cell_m,
        high(top - 1e-9) * cell_m,
    )


def crop_extent(grid: Grid, extent: ExtentConfig) -> Grid:
    """The rows and columns of ``study.extent``.

    Raises:
        DataError: they reach beyond the grid.
    """
    rows, cols = grid.shape
    if extent.row0 + extent.rows > rows or extent.col0 + extent.cols > cols:
        raise DataError(
            "study.extent",
            found=f"rows {extent.row0} to {extent.row0 + extent.rows}, "
            f"columns {extent.col0} to {extent.col0 + extent.cols}",
            expected=f"within the grid's {rows} rows and {cols} columns",
        )
    return grid.crop(
        Block(
            row0=extent.row0,
            row1=extent.row0 + extent.rows,
            col0=extent.col0,
            col1=extent.col0 + extent.cols,
        )
    )
