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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np

from hazard.errors import DataError
from hazard.geo.cog import write_cog, write_cog_blocks
from hazard.geo.grid import Block, Grid
from hazard.geo.sources import (
    AnyArray,
    BoolArray,
    PathLike,
    RasterInfo,
    checked_nodata,
    open_source,
    read_window,
    require_band,
)
from hazard.geo.warp import MOST_PIXELS, Kernel, Warp, copy_lattice

__all__ = [
    "Raster",
    "RasterInfo",
    "read_bands_on_grid",
    "read_info",
    "read_native",
    "read_on_grid",
    "write_cog",
    "write_cog_blocks",
]


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
    (raster,) = read_bands_on_grid(
        path,
        grid,
        (band,),
        resampling=resampling,
        nodata=nodata,
        block=block,
        min_valid_share=min_valid_share,
        categorical=categorical,
        variable=variable,
    )
    return raster


def read_bands_on_grid(
    path: PathLike,
    grid: Grid,
    bands: Sequence[int],
    *,
    resampling: Kernel = "bilinear",
    nodata: float | None = None,
    block: Block | None = None,
    min_valid_share: float = 0.5,
    categorical: bool = False,
    variable: str | None = None,
) -> Iterator[Raster]:
    """`read_on_grid` of several bands, one after the other.

    The file is opened once, and what it stores of all bands together is decoded once.

    Args:
        path: as in `read_on_grid`, and so the other arguments.
        grid: target lattice.
        bands: 1-based, in the order wanted.
        resampling: kernel.
        nodata: replaces the file's nodata value.
        block: part of `grid`.
        min_valid_share: share of an averaged cell that valid source pixels must cover.
        categorical: keep the file's integer type.
        variable: netCDF variable.

    Raises:
        DataError: as `read_on_grid`.
    """
    if resampling not in get_args(Kernel):
        raise ValueError(f"resampling {resampling!r}; expected one of {get_args(Kernel)}")
    if categorical and resampling != "nearest":
        raise ValueError("categories cannot be interpolated: resampling must be 'nearest'")
    if not 0 < min_valid_share <= 1:
        raise ValueError(f"min_valid_share {min_valid_share}; expected within (0, 1]")
    part = block or Block(row0=0, row1=grid.shape[0], col0=0, col1=grid.shape[1])
    with open_source(path, variable=variable) as source:
        for band in bands:
            require_band(source.info, band)
            _check_categorical(source.info, band, categorical)
        checked_nodata(source.info, nodata)
        # One plan: bands of a file share its lattice.
        plan = Warp.plan(source, grid, bands[0], resampling, nodata, min_valid_share, categorical)
        if plan.offset is not None:
            found = copy_lattice(plan, bands, part)
        else:
            found = (replace(plan, band=band).warped(part) for band in bands)
        for values in found:
            valid = np.isfinite(values)
            stored = _as_stored(values, valid, source.info, categorical)
            yield Raster(values=stored, valid=valid, grid=grid.crop(part))


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
