"""Warp a file onto a grid, tile by tile; `hazard.geo.raster` states the rules that hold.

GDAL does the resampling. What is decided here, once per file and grid so that blocks cannot differ:
whether both share one lattice, how wide kernels are, and how large a tile may be.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from affine import Affine
from pyproj import CRS, Transformer
from rasterio._err import CPLE_BaseError
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.warp import reproject, transform

from hazard.errors import DataError
from hazard.geo.grid import Block, Grid
from hazard.geo.sources import AnyArray, Source, decoding, read_window, read_windows

Kernel = Literal["nearest", "bilinear", "cubic", "average"]

TILE = 256
# Largest source window of one tile, in pixels per side, before tiles shrink.
SOURCE_SIDE = 2048
# Windows beyond this are a mistake (a cell that spans the globe), not work to be done.
MOST_PIXELS = 2**28
# Same lattice: transforms that agree to this part of a cell over the whole grid.
ALIGNED = 1e-4
# Largest error of a source coordinate, in source pixels. GDAL interpolates coordinates linearly
# along a tile's rows and would accept 1/8 of a pixel: tiles get narrower until this bound holds.
COORDINATE_ERROR = 0.01
FEWEST_COLUMNS = 16
# Cells larger than this many source pixels count as coarser; below it, the plain kernel, which
# spans two pixels, still sees the whole cell.
COARSER = 1.5


def place(tile_values: AnyArray | None, tile: Block, part: Block, out: AnyArray) -> None:
    """Copy the overlap of a tile with `part` into `out` (an array over `part`)."""
    if tile_values is None:
        return
    row0, row1 = max(tile.row0, part.row0), min(tile.row1, part.row1)
    col0, col1 = max(tile.col0, part.col0), min(tile.col1, part.col1)
    out[row0 - part.row0 : row1 - part.row0, col0 - part.col0 : col1 - part.col0] = tile_values[
        row0 - tile.row0 : row1 - tile.row0, col0 - tile.col0 : col1 - tile.col0
    ]


def copy_lattice(warp: Warp, bands: Sequence[int], part: Block) -> Iterator[AnyArray]:
    """Values (y, x) over `part` from the same lattice, band after band, no resampling."""
    assert warp.offset is not None
    rows, cols = warp.offset
    window = Block(
        row0=max(part.row0 + rows, 0),
        row1=min(part.row1 + rows, warp.native.shape[0]),
        col0=max(part.col0 + cols, 0),
        col1=min(part.col1 + cols, warp.native.shape[1]),
    )
    if min(window.shape) < 1:
        for _ in bands:
            yield warp.empty(part)
        return
    row, col = window.row0 - rows - part.row0, window.col0 - cols - part.col0
    for values, _ in read_windows(
        warp.source, window, bands, nodata=warp.nodata, categorical=warp.categorical
    ):
        if values.shape == part.shape:
            yield values
            continue
        out = warp.empty(part)
        out[row : row + window.shape[0], col : col + window.shape[1]] = values
        yield out


@dataclass(frozen=True, kw_only=True)
class Warp:
    """How a file comes onto a grid: decided once per grid, so that blocks cannot differ.

    Attributes:
        offset: (rows, cols) from grid index to file index where both share one lattice.
        ratio: source pixels per target cell along (y, x) of the file.
        tile: (rows, columns) of a warp tile.
    """

    source: Source
    native: Grid
    grid: Grid
    band: int
    resampling: Kernel
    nodata: float | None
    min_valid_share: float
    categorical: bool
    offset: tuple[int, int] | None
    ratio: tuple[float, float]
    tile: tuple[int, int]

    @classmethod
    def plan(
        cls,
        source: Source,
        grid: Grid,
        band: int,
        resampling: Kernel,
        nodata: float | None,
        min_valid_share: float,
        categorical: bool,
    ) -> Warp:
        """Decide how; DataError where the file has no grid or lies off this one."""
        native = source.info.grid
        path = source.info.path
        same_crs = native.crs == grid.crs
        offset = lattice_offset(native, grid) if same_crs else None
        rows, cols = grid.shape
        # A lattice of 25 x 25 points over the grid: overlap, and pixel ratio around each.
        row, col = np.meshgrid(np.linspace(0, rows, 25), np.linspace(0, cols, 25), indexing="ij")
        src_row, src_col = _to_source(path, native, grid, row, col)
        inside = (
            np.isfinite(src_row)
            & (src_row.max(initial=-np.inf, where=np.isfinite(src_row)) > 0)
            & (src_row.min(initial=np.inf, where=np.isfinite(src_row)) < native.shape[0])
            & (src_col.max(initial=-np.inf, where=np.isfinite(src_col)) > 0)
            & (src_col.min(initial=np.inf, where=np.isfinite(src_col)) < native.shape[1])
        )
        if not inside.any():
            raise DataError(
                path,
                found=f"bounds {_rounded(native.bounds)} in {native.crs.name}, off the grid",
                expected=f"overlap with {_rounded(grid.bounds)} in {grid.crs.name}",
            )
        right = _to_source(path, native, grid, row, col + 1)
        down = _to_source(path, native, grid, row + 1, col)
        with np.errstate(invalid="ignore"):
            ratio_y = np.hypot(right[0] - src_row, down[0] - src_row)
            ratio_x = np.hypot(right[1] - src_col, down[1] - src_col)
        usable = np.isfinite(ratio_y) & np.isfinite(ratio_x)
        if not usable.any():
            raise DataError(
                path, found="no place where the systems meet", expected=f"{grid.crs.name}"
            )
        ratio = float(np.median(ratio_y[usable])), float(np.median(ratio_x[usable]))
        side = int(min(TILE, max(1, SOURCE_SIDE // max(1.0, *ratio))))
        return cls(
            source=source,
            native=native,
            grid=grid,
            band=band,
            resampling=resampling,
            nodata=nodata,
            min_valid_share=min_valid_share,
            categorical=categorical,
            offset=offset,
            ratio=ratio,
            tile=(side, min(side, TILE if same_crs else _straight_columns(path, native, grid))),
        )

    def empty(self, part: Block) -> AnyArray:
        """An array over a part of the grid, NaN everywhere."""
        return np.full(part.shape, np.nan, np.float64 if self.categorical else np.float32)

    def warped(self, part: Block) -> AnyArray:
        """(y, x) values over a part of the grid, tile by tile, NaN where invalid."""
        out, (rows, cols) = self.empty(part), self.tile
        for row in range(part.row0 // rows, -(-part.row1 // rows)):
            for col in range(part.col0 // cols, -(-part.col1 // cols)):
                tile = Block(
                    row0=row * rows,
                    row1=(row + 1) * rows,
                    col0=col * cols,
                    col1=(col + 1) * cols,
                )
                place(self.tile_values(tile), tile, part, out)
        return out

    @property
    def is_coarser(self) -> bool:
        """Target cells are larger than source pixels."""
        return max(self.ratio) > COARSER

    def _source_window(self, tile: Block) -> Block | None:
        """Source pixels that a tile needs, reaching a margin beyond the file; None: none."""
        row, col = np.meshgrid(
            np.linspace(tile.row0, tile.row1, 17),
            np.linspace(tile.col0, tile.col1, 17),
            indexing="ij",
        )
        src_row, src_col = _to_source(self.source.info.path, self.native, self.grid, row, col)
        seen = np.isfinite(src_row) & np.isfinite(src_col)
        if not seen.any():
            return None
        # Two kernel radii (cubic: 2 pixels), and a little for the curvature between the points.
        margins = [4 + math.ceil(3 * max(1.0, ratio)) for ratio in self.ratio]
        (rows, cols), (my, mx) = self.native.shape, margins
        window = Block(
            row0=max(math.floor(src_row[seen].min()) - my, -my),
            row1=min(math.ceil(src_row[seen].max()) + my, rows + my),
            col0=max(math.floor(src_col[seen].min()) - mx, -mx),
            col1=min(math.ceil(src_col[seen].max()) + mx, cols + mx),
        )
        touches = min(window.row1, rows) > max(window.row0, 0) and (
            min(window.col1, cols) > max(window.col0, 0)
        )
        if not touches or min(window.shape) < 1:
            return None
        if math.prod(window.shape) > MOST_PIXELS:
            raise DataError(
                self.source.info.path,
                found=f"{window.shape} source pixels under {tile.shape} grid cells",
                expected=f"at most {MOST_PIXELS:,} (a finer grid, or a coarser file)",
            )
        return window

    def tile_values(self, tile: Block) -> AnyArray | None:
        """(y, x) values of a tile, NaN where invalid; None where all are."""
        window = self._source_window(tile)
        if window is None:
            return None
        rows, cols = self.native.shape
        inner = Block(
            row0=max(window.row0, 0),
            row1=min(window.row1, rows),
            col0=max(window.col0, 0),
            col1=min(window.col1, cols),
        )
        dtype = np.float64 if self.categorical else np.float32
        values = np.full(window.shape, np.nan, dtype)
        place(
            read_window(
                self.source, inner, self.band, nodata=self.nodata, categorical=self.categorical
            )[0],
            inner,
            window,
            values,
        )
        held = np.isfinite(values)
        if not held.any():
            return None
        from_grid, to_grid = self.native.crop(window), self.grid.crop(tile)
        kernel = self.resampling
        out = self._reproject(values, from_grid, to_grid, kernel)
        if kernel == "nearest" or held.all():
            return out
        if self.is_coarser or kernel == "average":
            # The weight that fell on valid pixels: the same kernel over zeros and ones.
            over: Kernel = "average" if kernel == "average" else "bilinear"
            share = self._reproject(held.astype(np.float32), from_grid, to_grid, over)
            # A hair of slack: a share of exactly one half is computed in float32.
            keep = share >= self.min_valid_share - 1e-5
        else:
            keep = self._reproject(held.astype(np.float32), from_grid, to_grid, "nearest") > 0.5
        out[~keep] = np.nan
        return out

    def _reproject(
        self, values: AnyArray, from_grid: Grid, to_grid: Grid, kernel: Kernel
    ) -> AnyArray:
        out = np.full(to_grid.shape, np.nan, values.dtype)
        # GDAL would derive the kernel's width from each window: fix it for the whole grid.
        scale_y, scale_x = (1.0 if r <= COARSER else 1 / r for r in self.ratio)
        with decoding(self.source.info.path, f"a place in {self.grid.crs.name}"):
            reproject(
                values,
                out,
                src_transform=from_grid.transform,
                src_crs=from_grid.crs.to_wkt(),
                src_nodata=np.nan,
                dst_transform=to_grid.transform,
                dst_crs=to_grid.crs.to_wkt(),
                dst_nodata=np.nan,
                resampling=Resampling[kernel],
                XSCALE=scale_x,
                YSCALE=scale_y,
            )
        return out


def _rounded(bounds: tuple[float, float, float, float]) -> tuple[float, ...]:
    return tuple(round(edge, 4) for edge in bounds)


def lattice_offset(native: Grid, grid: Grid) -> tuple[int, int] | None:
    """(rows, cols) to add to a grid index to get the file's, where the lattices coincide.

    Coordinate systems are not compared.

    Example:
        >>> grid = Grid.from_bounds("EPSG:32645", (0, 0, 4000, 2000), cell_m=1000)
        >>> lattice_offset(grid, grid.crop(Block(row0=1, row1=2, col0=2, col1=4)))
        (1, 2)
    """
    n, g = native.transform, grid.transform
    reach = max(*grid.shape, *native.shape)
    if abs(n.a - g.a) * reach > ALIGNED * n.a or abs(n.e - g.e) * reach > ALIGNED * -n.e:
        return None
    col, row = (g.c - n.c) / n.a, (g.f - n.f) / n.e
    if max(abs(col - round(col)), abs(row - round(row))) > ALIGNED:
        return None
    return round(row), round(col)


def _straight_columns(path: str, native: Grid, grid: Grid) -> int:
    """Columns of the largest tile along whose rows source coordinates are straight enough."""
    rows, cols = grid.shape
    row, col = np.meshgrid(np.linspace(0, rows, 9), np.linspace(0, cols, 17), indexing="ij")
    tile = TILE
    while tile > FEWEST_COLUMNS:
        here, middle, end = (
            np.stack(_to_source(path, native, grid, row, col + step))
            for step in (0, tile / 2, tile)
        )
        with np.errstate(invalid="ignore"):
            bend = np.abs(middle - (here + end) / 2)
        if np.nanmax(bend, initial=0, where=np.isfinite(bend)) <= COORDINATE_ERROR:
            break
        tile //= 2
    return tile


def _transformed(path: str, source: CRS, target: CRS, x: Any, y: Any) -> tuple[Any, Any]:
    """Coordinates in another system; inf where a point has no place there."""
    try:
        # GDAL, so that windows and warps rest on the same operation between two datums.
        moved = transform(source.to_wkt(), target.to_wkt(), x, y)
    except (RasterioError, CPLE_BaseError):
        # GDAL refuses all points where one fails; PROJ itself marks the ones that do.
        with decoding(path, f"a coordinate system that meets {source.name}"):
            moved = Transformer.from_crs(source, target, always_xy=True).transform(x, y)
    return np.asarray(moved[0]), np.asarray(moved[1])


def _to_source(
    path: str, native: Grid, grid: Grid, row: Any, col: Any
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Fractional (row, col) in the file of fractional (row, col) on the grid; inf where none."""
    shape = np.shape(row)
    t: Affine = grid.transform
    x, y = t.c + np.ravel(col) * t.a, t.f + np.ravel(row) * t.e
    if native.crs != grid.crs:
        x, y = _transformed(path, grid.crs, native.crs, x, y)
    n = native.transform
    with np.errstate(invalid="ignore", over="ignore"):
        return ((y - n.f) / n.e).reshape(shape), ((x - n.c) / n.a).reshape(shape)
