"""Terrain of a study on its pixel lattice: elevation, derivatives, wetness and stream distance.

Elevation is read with a margin beyond the study where the file has ground there, because slopes at
the edge and the area upstream need it; the margin is cut off before anything is stored. Holes stay
holes while slopes and flow are computed (a filled plateau would have a slope of its own making);
each layer is then filled from its own nearest value, flagged in ``filled`` and counted.

A model of elevation coarser than the pixels adds no detail: it is interpolated, and slopes are
those of the interpolated surface, which is smoother than the ground. The size of the file's pixels
is kept in the attributes for that reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import zarr

from hazard.config.schema import HazardConfig
from hazard.cube.filled_flags import mark_filled
from hazard.cube.grids import StudyGrids
from hazard.cube.holes import RULE, HoleMap, map_holes, patch_stored
from hazard.cube.layout import (
    FILLED_DERIVATIVE,
    FILLED_ELEVATION,
    FILLED_FLOW,
    FILLED_MEANINGS,
)
from hazard.cube.mask import elevation_under_centre
from hazard.cube.target_layers import crs_name
from hazard.cube.writer import LayerWriter, PartFacts, check_range, layer_attributes
from hazard.errors import DataError
from hazard.geo.grid import Block, Grid
from hazard.geo.provenance import LayerSource, file_sha256
from hazard.geo.raster import read_info, read_on_grid

Progress = Callable[[int], None]
BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
Float32Array = np.ndarray[Any, np.dtype[np.float32]]

DERIVATIVES = ("slope_deg", "northness", "eastness", "profile_curvature", "plan_curvature")
FLOW_LAYERS = ("twi", "stream_distance_m")
METRES_PER_DEGREE = 111_320.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Elevation:
    """Elevation on the padded lattice, holes as NaN.

    Attributes:
        padded: (y, x) float32 [m] with the margin, NaN where there is none.
        margin: pixels of margin on each side.
        source: provenance.
        needed: (y, x) pixels of the study mask, without margin.
    """

    padded: Float32Array
    margin: int
    source: LayerSource
    needed: BoolArray

    @property
    def inner(self) -> Float32Array:
        """(y, x) without the margin (a view)."""
        m = self.margin
        rows, cols = self.padded.shape
        return self.padded[m : rows - m, m : cols - m]


def to_pixels(cells: BoolArray, factor: int) -> BoolArray:
    """(y, x) cells as pixels.

    Example:
        >>> to_pixels(np.array([[True, False]]), 2).astype(int).tolist()
        [[1, 1, 0, 0], [1, 1, 0, 0]]
    """
    return np.repeat(np.repeat(cells, factor, axis=0), factor, axis=1)


def strips(grid: Grid, rows: int) -> list[Block]:
    """Bands of whole rows.

    Example:
        >>> g = Grid.from_bounds("EPSG:32645", (0, 0, 30, 50), cell_m=10)
        >>> [block.shape for block in strips(g, 2)]
        [(2, 3), (2, 3), (1, 3)]
    """
    height, width = grid.shape
    return [
        Block(row0=row, row1=min(row + rows, height), col0=0, col1=width)
        for row in range(0, height, rows)
    ]


def read_elevation(
    config: HazardConfig, grids: StudyGrids, cells: BoolArray, *, progress: Progress | None = None
) -> Elevation:
    """Read the elevation model onto the padded pixel lattice, band by band.

    Raises:
        DataError: a file that cannot be used, does not reach the grid, or holds impossible
            elevations.
    """
    terrain = config.terrain
    if terrain is None:
        raise ValueError("an incomplete configuration; resolve its sources first")
    padded = grids.padded
    values = np.empty(padded.shape, np.float32)
    for band in strips(padded, grids.pixel_chunk):
        values[band.slices] = read_on_grid(
            terrain.elevation, padded, resampling=terrain.resampling, nodata=terrain.nodata,
            block=band,
        ).values  # fmt: skip
        if progress is not None:
            progress(1)
    check_range("elevation_m", values, terrain.elevation)
    info = read_info(terrain.elevation)
    size = info.grid.cell_size
    width_m = max(size) * (1.0 if info.grid.crs.is_projected else METRES_PER_DEGREE)
    notes = []
    if width_m > 1.5 * max(grids.pixels.cell_size):
        notes.append(
            f"the file's pixels of about {width_m:.0f} m are coarser than the lattice of "
            f"{max(grids.pixels.cell_size):g} m: interpolated, without new detail"
        )
    source = LayerSource(
        file=str(terrain.elevation),
        sha256=file_sha256(terrain.elevation),
        crs=crs_name(info.grid.crs),
        resampling=terrain.resampling,
        unit="m",
        source="digital elevation model",
        notes=tuple(notes),
    )
    return Elevation(
        padded=values,
        margin=grids.margin,
        source=source,
        needed=to_pixels(cells, grids.pixels_per_cell),
    )


def _create(writer: LayerWriter, grids: StudyGrids, name: str, source: LayerSource) -> zarr.Array:
    chunk = grids.pixel_chunk
    return writer.create(
        "pixels", name, grids.pixels.shape, "float32", dims=("y", "x"), chunks=(chunk, chunk),
        attrs=layer_attributes(name, source),
    )  # fmt: skip


def _holes(
    valid: BoolArray, elevation: Elevation, grids: StudyGrids, limit_m: float, layer: str
) -> HoleMap:
    return map_holes(
        valid, elevation.needed, grids.pixels.cell_size, limit_m=limit_m,
        source=elevation.source.file, layer=layer,
    )  # fmt: skip


def write_terrain(
    writer: LayerWriter,
    config: HazardConfig,
    grids: StudyGrids,
    cells: BoolArray,
    elevation: Elevation,
    *,
    progress: Progress | None = None,
) -> PartFacts:
    """Write elevation, slope, aspect and curvatures, band by band, then fill their holes.

    Args:
        writer: of this part.
        config: complete configuration.
        grids: lattices.
        cells: (y, x) study mask.
        elevation: from `read_elevation`.
        progress: called with 1 per band.

    Raises:
        DataError: no elevation near a mapped cell, or a value outside its declared range.
    """
    from hazard.geo.terrain import HALO_PIXELS, derivatives

    terrain = config.terrain
    if terrain is None:
        raise ValueError("an incomplete configuration; resolve its sources first")
    facts = PartFacts()
    m, cell_size = elevation.margin, grids.pixels.cell_size
    derived = LayerSource(
        **{
            **vars(elevation.source),
            "source": "Zevenbergen & Thorne (1987) on the elevation model",
        }
    )
    arrays = {name: _create(writer, grids, name, derived) for name in DERIVATIVES}
    arrays["elevation_m"] = _create(writer, grids, "elevation_m", elevation.source)
    has_elevation = np.isfinite(elevation.inner)
    has_slope = np.zeros(grids.pixels.shape, np.bool_)
    for band in strips(grids.pixels, grids.pixel_chunk):
        # Rows with the halo, in the padded array; its columns keep the margin, which is wider.
        top = max(0, band.row0 + m - HALO_PIXELS)
        bottom = min(elevation.padded.shape[0], band.row1 + m + HALO_PIXELS)
        z = elevation.padded[top:bottom]
        found = derivatives(z, np.isfinite(z), cell_size, source=elevation.source.file)
        inner = (
            slice(band.row0 + m - top, band.row1 + m - top),
            slice(m, elevation.padded.shape[1] - m),
        )
        for name in DERIVATIVES:
            values = getattr(found, name)[inner]
            check_range(name, values, elevation.source.file)
            arrays[name][band.slices] = values
        arrays["elevation_m"][band.slices] = elevation.inner[band.slices]
        has_slope[band.slices] = found.valid[inner]
        if progress is not None:
            progress(1)
    holes = _holes(has_elevation, elevation, grids, terrain.fill_holes_m, "elevation")
    slope_holes = (
        holes
        if np.array_equal(has_slope, has_elevation)
        else _holes(has_slope, elevation, grids, terrain.fill_holes_m, "slope")
    )
    patch_stored(arrays["elevation_m"], holes, rows_per_strip=grids.pixel_chunk)
    for name in DERIVATIVES:
        patch_stored(arrays[name], slope_holes, rows_per_strip=grids.pixel_chunk)
    filled = np.zeros(grids.pixels.shape, np.uint8)
    filled.reshape(-1)[holes.hole] |= FILLED_ELEVATION
    filled.reshape(-1)[slope_holes.hole] |= FILLED_DERIVATIVE
    _write_filled(writer, grids, filled, elevation.source)
    facts.filled["elevation_m"] = len(holes)
    facts.filled.update({name: len(slope_holes) for name in DERIVATIVES})
    if len(holes):
        facts.notes.append(_hole_note(config, grids, cells, holes, facts))
    facts.add_source("elevation_m", elevation.source)
    for name in DERIVATIVES:
        facts.add_source(name, derived)
    return facts


def _hole_note(
    config: HazardConfig,
    grids: StudyGrids,
    cells: BoolArray,
    holes: HoleMap,
    facts: PartFacts,
) -> str:
    """Count holes three ways: pixels, cells they lie in, cells without elevation at the centre."""
    rows, cols = np.divmod(holes.hole, grids.pixels.shape[1])
    factor = grids.pixels_per_cell
    touched = np.unique((rows // factor) * grids.cells.shape[1] + cols // factor).size
    without = int(np.count_nonzero(cells & ~elevation_under_centre(config, grids.cells)))
    facts.numbers.update(
        {
            "cells_without_elevation": without,
            "cells_with_filled_elevation": int(touched),
            "pixels_with_filled_elevation": len(holes),
            "farthest_fill_m": holes.farthest_m,
        }
    )
    return (
        f"{without} mapped cells have no elevation under their centre; {len(holes)} pixels in "
        f"{touched} mapped cells were filled ({RULE}, at most {holes.farthest_m:,.0f} m away) "
        "and flagged"
    )


def _write_filled(writer: LayerWriter, grids: StudyGrids, filled: Any, source: LayerSource) -> None:
    chunk = grids.pixel_chunk
    array = writer.create(
        "pixels", "filled", grids.pixels.shape, "uint8", dims=("y", "x"), chunks=(chunk, chunk),
        attrs={
            "long_name": f"pixels of the mask filled from the {RULE}",
            "flag_masks": list(FILLED_MEANINGS),
            "flag_meanings": " ".join(FILLED_MEANINGS.values()),
            "source": source.source,
        },
    )  # fmt: skip
    array[:, :] = filled


def write_flow(
    writer: LayerWriter,
    config: HazardConfig,
    grids: StudyGrids,
    elevation: Elevation,
    *,
    progress: Progress | None = None,
) -> PartFacts:
    """Write wetness index and stream distance from flow routed over study and margin.

    Routing needs the whole padded lattice at once, about 24 bytes per pixel; the rest goes band
    by band. The terrain part must be in the store already (slope is read from it).

    Raises:
        DataError: no channel at the configured threshold, or a value outside its range.
    """
    from hazard.geo.flow import route_flow
    from hazard.geo.streams import stream_distance_m, twi

    terrain = config.terrain
    if terrain is None:
        raise ValueError("an incomplete configuration; resolve its sources first")
    facts = PartFacts()
    file = elevation.source.file
    cell_size = grids.pixels.cell_size
    m = elevation.margin
    z = elevation.padded
    inner = (slice(m, z.shape[0] - m), slice(m, z.shape[1] - m))
    flow = route_flow(z, np.isfinite(z), cell_size, source=file)
    specific = flow.specific_area_m[inner]
    area, valid = flow.area_m2, flow.valid
    # The filled surface and the directions are not needed any more: 5 bytes per pixel.
    del flow
    if progress is not None:
        progress(1)
    threshold = terrain.stream_threshold_km2 * 1e6
    notes = (
        *elevation.source.notes,
        f"D-infinity flow over depressions filled to their spill level, with a margin of "
        f"{m * max(cell_size) / 1000:g} km beyond the study; no area from farther upstream",
    )
    wet = LayerSource(**{**vars(elevation.source), "source": "D-infinity flow", "notes": notes})
    slope = writer.root["pixels/slope_deg"]
    wetness = _create(writer, grids, "twi", wet)
    has_flow = np.isfinite(elevation.inner)
    for band in strips(grids.pixels, grids.pixel_chunk):
        # The stored slope is filled in the mask; where there is no flow the index stays NaN.
        values = twi(specific[band.slices], np.asarray(slope[band.slices]))
        check_range("twi", values, file)
        wetness[band.slices] = values
        has_flow[band.slices] = np.isfinite(values)
    del specific
    if progress is not None:
        progress(1)
    distance = stream_distance_m(area, valid, cell_size, threshold_m2=threshold, source=file)
    del area, valid
    distance = distance[inner]
    channel = LayerSource(
        **{
            **vars(wet),
            "source": "channel network by contributing area",
            "notes": (*notes, f"channels begin at {terrain.stream_threshold_km2:g} km2"),
        }
    )
    stored = _create(writer, grids, "stream_distance_m", channel)
    for band in strips(grids.pixels, grids.pixel_chunk):
        check_range("stream_distance_m", distance[band.slices], file)
        stored[band.slices] = distance[band.slices]
    # Both layers are missing at the same pixels but where a slope is.
    holes = map_holes(
        has_flow & np.isfinite(distance), elevation.needed, cell_size,
        limit_m=terrain.fill_holes_m, source=file, layer="flow",
    )  # fmt: skip
    for array in (wetness, stored):
        patch_stored(array, holes, rows_per_strip=grids.pixel_chunk)
    mark_filled(writer.root, FILLED_FLOW, [holes])
    facts.filled.update({name: len(holes) for name in FLOW_LAYERS})
    facts.add_source("twi", wet)
    facts.add_source("stream_distance_m", channel)
    if progress is not None:
        progress(1)
    return facts


def require_pixels(config: HazardConfig, grids: StudyGrids) -> None:
    """Refuse a lattice whose flow routing does not fit the configured memory.

    Raises:
        DataError: with the memory needed, and the pixels that would fit.
    """
    from hazard.cube.plan import estimate

    needed = estimate(grids).peak_gib
    allowed = config.cube.memory_gib
    if needed > allowed:
        raise DataError(
            "cube.memory_gib",
            found=f"{allowed:g} GiB for {np.prod(grids.pixels.shape):,} pixels",
            expected=f"at least {needed:.1f} GiB (or fewer study.pixels_per_cell)",
        )
