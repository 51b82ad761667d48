"""Read one band of a raster file on its own grid or on any other, by window.

`read_on_grid` is the one way by which rasters enter a study. `write_cog` and `write_cog_blocks`
live in `hazard.geo.cog` and are exported here too.

Resampling. The target is cut into tiles that are anchored at the grid's row 0, column 0, whatever
block is asked for, and each tile is warped from the source window under it plus a margin. So
memory is bounded by the block, and reading block by block gives bit for bit what reading whole
gives. A grid that lies on the file's own lattice (same coordinate system, cell size and alignment)
is copied, not resampled.

Validity of a target cell (see `hazard.geo.sources` for that of a source pixel), where "coarser"
means that a cell is wider or higher than 1.5 source pixels:

* nearest: the source pixel under the cell's centre is valid.
* bilinear and cubic onto cells that are not coarser: likewise. Invalid neighbours get no weight
  (bilinear renormalises, cubic falls back to bilinear), so nodata never bleeds into values.
* average onto any cell, bilinear and cubic onto coarser cells: at least `min_valid_share` of the
  kernel's weight lies on valid source pixels; what lies outside the file counts as invalid.

Onto coarser cells, bilinear and cubic widen their kernels by the ratio of cell to pixel (a low-pass
filter), so they do not alias; nearest does. Average is the mean over the cell, weighted by the
overlap of each valid pixel with the cell's bounding box in the file's lattice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from affine import Affine
from pyproj import CRS, Transformer
from rasterio._err import CPLE_BaseError
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.warp import reproject, transform

from hazard.errors import DataError
from hazard.geo.cog import write_cog, write_cog_blocks
from hazard.geo.grid import Block, Grid
from hazard.geo.sources import (
    AnyArray,
    BoolArray,
    PathLike,
    RasterInfo,
    Source,
    checked_nodata,
    decoding,
    open_source,
    read_window,
    require_band,
)

__all__ = [
    "Raster",
    "RasterInfo",
    "read_info",
    "read_native",
    "read_on_grid",
    "write_cog",
    "write_cog_blocks",
]

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


@dataclass(frozen=True, kw_only=True, eq=False)
class Raster:
    """One band on a grid.

    Attributes:
        values: (y, x) float32 with NaN where invalid; integers with 0 there where categorical.
        valid: (y, x) bool.
        grid: where the cells lie.
    """

    values: AnyArray
    valid: BoolArray
    grid: Grid

    def __post_init__(self) -> None:
        if not self.values.shape == self.valid.shape == self.grid.shape:
            raise ValueError(
                f"values {self.values.shape}, valid {self.valid.shape}, grid {self.grid.shape}"
            )


def read_info(path: PathLike, *, variable: str | None = None) -> RasterInfo:
    """What a raster file says about itself; images without georeference are allowed here.

    Raises:
        DataError: missing, empty or undecodable file.
    """
    with open_source(path, variable=variable) as source:
        return source.info


def read_native(
    path: PathLike,
    *,
    band: int = 1,
    nodata: float | None = None,
    window: Block | None = None,
    categorical: bool = False,
    variable: str | None = None,
) -> Raster:
    """Read a band on the file's own grid, which may be geographic.

    Args:
        path: GeoTIFF (anything GDAL reads) or CF netCDF file.
        band: 1-based; for netCDF the flat index over the dimensions before y and x.
        nodata: replaces the file's nodata value; NaN: the file has none.
        window: rows and columns of the file, row 0 the northernmost; default all.
        categorical: keep the file's integer type instead of float32.
        variable: netCDF variable, needed where several lie on the grid.

    Raises:
        DataError: the file cannot be used, named with what was found and expected.
    """
    with open_source(path, variable=variable) as source:
        info = source.info
        require_band(info, band)
        _check_categorical(info, band, categorical)
        grid = info.grid
        rows, cols = info.shape
        part = window or Block(row0=0, row1=rows, col0=0, col1=cols)
        if not (0 <= part.row0 < part.row1 <= rows and 0 <= part.col0 < part.col1 <= cols):
            raise DataError(info.path, found=f"shape {info.shape}", expected=f"to hold {part}")
        if math.prod(part.shape) > MOST_PIXELS:
            raise DataError(
                info.path,
                found=f"{math.prod(part.shape):,} pixels",
                expected=f"at most {MOST_PIXELS:,} in one window",
            )
        values, valid = read_window(source, part, band, nodata=nodata, categorical=categorical)
    values = _as_stored(values, valid, info, categorical)
    return Raster(values=values, valid=valid, grid=grid.crop(part))


def read_on_grid(
    path: PathLike,
    grid: Grid,
    *,
    band: int = 1,
    resampling: Kernel = "bilinear",
    nodata: float | None = None,
    block: Block | None = None,
    min_valid_share: float = 0.5,
    categorical: bool = False,
    variable: str | None = None,
) -> Raster:
    """Read a band resampled onto `grid` (or onto one block of it).

    Args:
        path: GeoTIFF (anything GDAL reads) or CF netCDF file, in any coordinate system.
        grid: target lattice.
        band: 1-based; for netCDF the flat index over the dimensions before y and x.
        resampling: kernel; the module's text gives the rules of each.
        nodata: replaces the file's nodata value; NaN: the file has none.
        block: part of `grid`, which may reach beyond its edge (a halo); default all.
        min_valid_share: share of an averaged cell that valid source pixels must cover, in (0, 1].
        categorical: keep the file's integer type; only with `resampling="nearest"`.
        variable: netCDF variable, needed where several lie on the grid.

    Raises:
        DataError: the file cannot be used, or no part of it lies on the grid.
    """
    if resampling not in get_args(Kernel):
        raise ValueError(f"resampling {resampling!r}; expected one of {get_args(Kernel)}")
    if categorical and resampling != "nearest":
        raise ValueError("categories cannot be interpolated: resampling must be 'nearest'")
    if not 0 < min_valid_share <= 1:
        raise ValueError(f"min_valid_share {min_valid_share}; expected within (0, 1]")
    part = block or Block(row0=0, row1=grid.shape[0], col0=0, col1=grid.shape[1])
    with open_source(path, variable=variable) as source:
        require_band(source.info, band)
        checked_nodata(source.info, nodata)
        _check_categorical(source.info, band, categorical)
        warp = _Warp.plan(source, grid, band, resampling, nodata, min_valid_share, categorical)
        values = np.full(part.shape, np.nan, np.float64 if categorical else np.float32)
        if warp.offset is not None:
            _copy(warp, part, values)
        else:
            size = warp.tile
            for row in range(part.row0 // size[0], -(-part.row1 // size[0])):
                for col in range(part.col0 // size[1], -(-part.col1 // size[1])):
                    tile = Block(
                        row0=row * size[0],
                        row1=(row + 1) * size[0],
                        col0=col * size[1],
                        col1=(col + 1) * size[1],
                    )
                    _place(warp.tile_values(tile), tile, part, values)
        valid = np.isfinite(values)
        values = _as_stored(values, valid, source.info, categorical)
    return Raster(values=values, valid=valid, grid=grid.crop(part))


def _check_categorical(info: RasterInfo, band: int, categorical: bool) -> None:
    if not categorical:
        return
    plain = info.scales[band - 1] == 1 and info.offsets[band - 1] == 0
    if np.dtype(info.dtype).kind not in "iu" or not plain:
        raise DataError(
            info.path, found=f"{info.dtype} values, scaled: {not plain}", expected="integer codes"
        )


def _as_stored(values: AnyArray, valid: BoolArray, info: RasterInfo, categorical: bool) -> AnyArray:
    if not categorical:
        return values
    return np.where(valid, values, 0).astype(info.dtype)


def _place(tile_values: AnyArray | None, tile: Block, part: Block, out: AnyArray) -> None:
    """Copy the overlap of a tile with `part` into `out` (an array over `part`)."""
    if tile_values is None:
        return
    row0, row1 = max(tile.row0, part.row0), min(tile.row1, part.row1)
    col0, col1 = max(tile.col0, part.col0), min(tile.col1, part.col1)
    out[row0 - part.row0 : row1 - part.row0, col0 - part.col0 : col1 - part.col0] = tile_values[
        row0 - tile.row0 : row1 - tile.row0, col0 - tile.col0 : col1 - tile.col0
    ]


def _copy(warp: _Warp, part: Block, out: AnyArray) -> None:
    """Fill `out` from the same lattice, no resampling."""
    assert warp.offset is not None
    rows, cols = warp.offset
    window = Block(
        row0=max(part.row0 + rows, 0),
        row1=min(part.row1 + rows, warp.native.shape[0]),
        col0=max(part.col0 + cols, 0),
        col1=min(part.col1 + cols, warp.native.shape[1]),
    )
    if min(window.shape) < 1:
        return
    values, _ = read_window(
        warp.source, window, warp.band, nodata=warp.nodata, categorical=warp.categorical
    )
    row, col = window.row0 - rows - part.row0, window.col0 - cols - part.col0
    out[row : row + window.shape[0], col : col + window.shape[1]] = values


@dataclass(frozen=True, kw_only=True)
class _Warp:
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
    ) -> _Warp:
        native = source.info.grid
        path = source.info.path
        same_crs = native.crs == grid.crs
        offset = _lattice_offset(native, grid) if same_crs else None
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
        _place(
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


def _lattice_offset(native: Grid, grid: Grid) -> tuple[int, int] | None:
    """(rows, cols) to add to a grid index to get the file's, where the lattices coincide."""
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
