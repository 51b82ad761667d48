"""Write Cloud Optimized GeoTIFFs: tiled, compressed, with overviews, names, units and tags.

The bands are first written block by block into a plain tiled GeoTIFF, which GDAL then copies into
the optimised layout; both files lie in a hidden folder beside the destination until the second is
complete. So memory is bounded by a block, and disk holds the raster about twice while writing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import rasterio
from rasterio.shutil import copy as copy_raster
from rasterio.windows import Window

from hazard.errors import DataError
from hazard.geo.beside import write_beside
from hazard.geo.grid import Block, Grid
from hazard.geo.sources import AnyArray, BoolArray, PathLike

Overviews = Literal["nearest", "average", "bilinear", "cubic", "mode"]

BLOCK_SIZE = 512
SMALLEST_SIDE = 128  # of a tile, in GDAL's COG driver
# Floats are predicted by their bytes, integers by differences (TIFF predictors 3 and 2).
PREDICTOR_FLOAT, PREDICTOR_INTEGER = 3, 2
# GDAL's own choice, 6, takes half as long again and saves 2 % (maps of probability, elevations).
DEFLATE_LEVEL = 5


def write_cog(
    path: PathLike,
    values: AnyArray,
    grid: Grid,
    *,
    names: Sequence[str],
    units: Sequence[str],
    descriptions: Sequence[str] | None = None,
    valid: BoolArray | None = None,
    nodata: float | None = math.nan,
    tags: Mapping[str, object] | None = None,
    overviews: Overviews | None = None,
    block_size: int = BLOCK_SIZE,
) -> None:
    """Write an array as a Cloud Optimized GeoTIFF, beside and then renamed.

    Args:
        path: destination, replaced only once the new file is complete.
        values: (y, x) or (band, y, x); bool is stored as uint8.
        grid: where the cells lie.
        names: name of each band; becomes its description where `descriptions` is left out.
        units: unit of each band ("" or "1" for none).
        descriptions: longer text per band, stored as the band tag `long_name`.
        valid: (y, x) or (band, y, x); cells outside it are written as `nodata`.
        nodata: value of missing cells. NaN suits floats; integers with missing cells need a number,
            and integers without any are written without nodata where it is NaN or None.
        tags: provenance and other facts of the whole file, stored as text.
        overviews: resampling of the overviews; default average for floats, nearest for integers.
        block_size: side of a tile, a multiple of 16 from 128 on; less for small rasters.

    Raises:
        DataError: a valid cell is NaN or equals `nodata`, so it would read back as missing.
    """
    bands = values[np.newaxis] if values.ndim == 2 else values
    if bands.ndim != 3 or bands.shape[1:] != grid.shape:
        raise ValueError(f"values of shape {values.shape} on a grid of shape {grid.shape}")
    mask = None if valid is None else np.broadcast_to(valid, bands.shape)

    def blocks() -> Iterator[tuple[Block, AnyArray, BoolArray | None]]:
        for block in grid.blocks(4 * block_size):
            index = (slice(None), *block.slices)
            yield block, bands[index], None if mask is None else mask[index]

    write_cog_blocks(
        path,
        blocks(),
        grid,
        dtype=bands.dtype,
        names=names,
        units=units,
        descriptions=descriptions,
        nodata=nodata,
        tags=tags,
        overviews=overviews,
        block_size=block_size,
    )


def write_cog_blocks(
    path: PathLike,
    blocks: Iterable[tuple[Block, AnyArray] | tuple[Block, AnyArray, BoolArray | None]],
    grid: Grid,
    *,
    dtype: Any,
    names: Sequence[str],
    units: Sequence[str],
    descriptions: Sequence[str] | None = None,
    nodata: float | None = math.nan,
    tags: Mapping[str, object] | None = None,
    overviews: Overviews | None = None,
    block_size: int = BLOCK_SIZE,
    scales: Sequence[tuple[float, float]] | None = None,
) -> None:
    """Write a raster larger than memory from its blocks; other arguments as in `write_cog`.

    Args:
        path: destination.
        blocks: (block, values) or (block, values, valid), which together cover the grid once;
            values are (y, x) or (band, y, x) of the block. Blocks that are multiples of
            `block_size` are written fastest.
        grid: where the cells lie.
        dtype: type to store.
        names: name of each band.
        units: unit of each band.
        descriptions: longer text per band.
        nodata: value of missing cells.
        tags: facts of the whole file.
        overviews: resampling of the overviews.
        block_size: side of a tile.
        scales: (factor, addend) from stored to physical value per band, of values that come scaled
            already; readers apply them.

    Raises:
        DataError: a valid cell is NaN or equals `nodata`.
        ValueError: the blocks do not cover the grid once.
    """
    stored = np.dtype(np.uint8) if np.dtype(dtype) == bool else np.dtype(dtype)
    if len(units) != len(names) or (descriptions is not None and len(descriptions) != len(names)):
        raise ValueError(f"{len(names)} names, {len(units)} units, descriptions {descriptions}")
    is_float = stored.kind == "f"
    if not is_float and nodata is not None and math.isnan(nodata):
        nodata = None
    side = _tile_side(grid.shape, block_size)
    written: list[tuple[int, int, int, int]] = []
    with write_beside(path) as part:
        plain = part.parent / "plain.tif"
        with rasterio.open(
            plain,
            "w",
            driver="GTiff",
            height=grid.shape[0],
            width=grid.shape[1],
            count=len(names),
            dtype=stored,
            crs=grid.crs.to_wkt(),
            transform=grid.transform,
            nodata=nodata,
            tiled=True,
            blockxsize=side,
            blockysize=side,
            interleave="band",
            bigtiff="if_safer",
            compress="zstd",
            zstd_level=1,
        ) as dataset:
            dataset.update_tags(**{key: str(value) for key, value in (tags or {}).items()})
            for band, (name, unit) in enumerate(zip(names, units, strict=True), start=1):
                dataset.set_band_description(band, name)
                dataset.set_band_unit(band, unit)
                if descriptions is not None:
                    dataset.update_tags(band, long_name=descriptions[band - 1])
            if scales is not None:
                dataset.scales, dataset.offsets = zip(*scales, strict=True)
            for block, values, *rest in blocks:
                _require_new(block, written, grid)
                shape = (len(names), *block.shape)
                bands = values[np.newaxis] if values.ndim == 2 else values
                if bands.shape != shape:
                    raise ValueError(f"values of shape {values.shape}; expected {shape}")
                valid = rest[0] if rest else None
                mask = None if valid is None else np.broadcast_to(valid, shape)
                ready = _with_nodata(path, bands, mask, stored, nodata, names)
                rows, cols = block.shape
                dataset.write(ready, window=Window(block.col0, block.row0, cols, rows))
        missing = math.prod(grid.shape) - sum((r1 - r0) * (c1 - c0) for r0, r1, c0, c1 in written)
        if missing:
            raise ValueError(f"{missing} cells of the grid are in no block")
        copy_raster(
            plain,
            part,
            driver="COG",
            compress="deflate",
            level=DEFLATE_LEVEL,
            # Tiles are compressed one by one, so the bytes are those of one thread.
            num_threads="all_cpus",
            predictor=PREDICTOR_FLOAT if is_float else PREDICTOR_INTEGER,
            blocksize=side,
            # A line of cells cannot be halved both ways: validators call its overviews invalid.
            overviews="none" if min(grid.shape) == 1 else "auto",
            overview_resampling=overviews or ("average" if is_float else "nearest"),
            bigtiff="if_safer",
        )


def _tile_side(shape: tuple[int, int], block_size: int) -> int:
    """Side of a tile: `block_size`, or less where the raster is smaller (a multiple of 16)."""
    if block_size < SMALLEST_SIDE or block_size % 16:
        raise ValueError(f"block_size {block_size}; expected a multiple of 16 from 128 on")
    return min(block_size, max(SMALLEST_SIDE, 16 * math.ceil(max(shape) / 16)))


def _require_new(block: Block, written: list[tuple[int, int, int, int]], grid: Grid) -> None:
    """Add a block to the book of those written; ValueError where it overlaps or leaves the grid."""
    edges = (block.row0, block.row1, block.col0, block.col1)
    inside = 0 <= edges[0] < edges[1] <= grid.shape[0] and 0 <= edges[2] < edges[3] <= grid.shape[1]
    r0, r1, c0, c1 = np.array(written, np.int64).reshape(-1, 4).T
    overlaps = (r0 < edges[1]) & (edges[0] < r1) & (c0 < edges[3]) & (edges[2] < c1)
    if not inside or overlaps.any():
        raise ValueError(f"{block} overlaps an earlier block or leaves the grid")
    written.append(edges)


def _with_nodata(
    path: PathLike,
    bands: AnyArray,
    valid: BoolArray | None,
    stored: np.dtype[Any],
    nodata: float | None,
    names: Sequence[str],
) -> AnyArray:
    """The bands in the stored type, missing cells as `nodata`; refuses what would not read back."""
    finite = np.isfinite(bands) if bands.dtype.kind == "f" else np.ones(bands.shape, np.bool_)
    if valid is None:
        valid = finite | np.isinf(bands) if bands.dtype.kind == "f" else finite
    bad = valid & ~finite
    if nodata is not None and not math.isnan(nodata):
        bad |= valid & (bands == nodata)
    if bad.any():
        band, row, col = (int(i) for i in np.argwhere(bad)[0])
        raise DataError(
            path,
            found=f"{bands[band, row, col]} in {int(bad.sum())} valid cell(s) of {names[band]!r}",
            expected=f"finite values other than nodata ({nodata})",
        )
    if valid.all():
        return bands.astype(stored, copy=False)
    if nodata is None:
        raise DataError(
            path,
            found=f"{int((~valid).sum())} missing cell(s) and no nodata value for {stored}",
            expected="a nodata value",
        )
    return np.where(valid, bands, nodata).astype(stored, copy=False)
