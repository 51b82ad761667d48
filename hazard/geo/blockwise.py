"""Work through a raster larger than memory, block by block, with a halo of neighbours.

A function that looks at most `halo` pixels around each pixel gives the same values by blocks as
on the whole array. That holds bit by bit for the terrain derivatives (halo 1), and for the
distance to a marked pixel up to a stated maximum. Flow routing has no such halo: the water of one
corner may leave at the other. It works on the whole array, at 24 bytes per pixel
(`hazard.geo.flow`), and so needs memory in proportion to the raster.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from hazard.geo.distance import distance_to_marked_m
from hazard.geo.grid import Block, Grid
from hazard.geo.kernels import BoolArray, Float32Array
from hazard.geo.terrain import HALO_PIXELS, Derivatives, terrain_on_grid

Read = TypeVar("Read")


def with_halo(block: Block, halo: int, shape: tuple[int, int]) -> Block:
    """The block and `halo` pixels around it, cut at the edge of the raster.

    Example:
        >>> with_halo(Block(row0=0, row1=4, col0=4, col1=8), 2, (10, 9))
        Block(row0=0, row1=6, col0=2, col1=9)
    """
    return Block(
        row0=max(0, block.row0 - halo),
        row1=min(shape[0], block.row1 + halo),
        col0=max(0, block.col0 - halo),
        col1=min(shape[1], block.col1 + halo),
    )


def map_blocks_with_halo(
    read_block: Callable[[Block], Read],
    write_block: Callable[[Block, tuple[np.ndarray, ...]], None],
    grid: Grid,
    *,
    block_size: int,
    halo: int,
    function: Callable[[Read, Grid], tuple[np.ndarray, ...]],
    progress: Callable[[int], None] | None = None,
) -> int:
    """Read each block with its halo, compute, cut the halo off, write.

    One block is in memory at a time: peak memory is that of `function` on
    (block_size + 2 halo)^2 pixels. Blocks come row by row and cover each pixel once.

    Args:
        read_block: returns whatever `function` takes, for a block that may include the halo; at
            the edge of the raster the halo is cut, so the block never reaches outside the grid.
        write_block: takes the block without halo and the results for it.
        grid: the whole raster.
        block_size: rows and columns of a block.
        halo: rows and columns that `function` needs around a block.
        function: takes what was read and its grid; returns arrays (..., y, x) of the same rows
            and columns.
        progress: called with 1 after each block.

    Returns:
        The number of blocks.

    Raises:
        ValueError: block size or halo out of range, or a result of another shape.

    Example:
        >>> from hazard.geo.grid import Grid
        >>> grid = Grid.from_bounds("EPSG:32645", (0, 0, 50, 30), cell_m=10)
        >>> values, out = np.arange(15.0).reshape(3, 5), np.zeros((3, 5))
        >>> map_blocks_with_halo(
        ...     lambda block: values[block.slices],
        ...     lambda block, result: out.__setitem__(block.slices, result[0]),
        ...     grid, block_size=2, halo=1, function=lambda part, grid: (2 * part,),
        ... )
        6
        >>> bool((out == 2 * values).all())
        True
    """
    if block_size < 1 or halo < 0:
        raise ValueError(f"block size {block_size} must be positive and halo {halo} not negative")
    count = 0
    for block in grid.blocks(block_size):
        outer = with_halo(block, halo, grid.shape)
        results = function(read_block(outer), grid.crop(outer))
        top, left = block.row0 - outer.row0, block.col0 - outer.col0
        rows, cols = block.shape
        for result in results:
            if result.shape[-2:] != outer.shape:
                raise ValueError(
                    f"result of shape {result.shape} for a block of {outer.shape} pixels"
                )
        write_block(
            block,
            tuple(result[..., top : top + rows, left : left + cols] for result in results),
        )
        count += 1
        if progress is not None:
            progress(1)
    return count


def derivatives_by_block(
    read_block: Callable[[Block], tuple[Any, Any]],
    write_block: Callable[[Block, Derivatives], None],
    grid: Grid,
    *,
    block_size: int = 2048,
    progress: Callable[[int], None] | None = None,
    **options: Any,
) -> int:
    """`terrain_on_grid` by blocks; equal to the whole-array result bit by bit.

    Args:
        read_block: returns (elevation [m], valid) of a block.
        write_block: takes a block and its derivatives.
        grid: the whole raster, in metres.
        block_size: rows and columns of a block.
        progress: called with 1 after each block.
        **options: passed on to `derivatives`.

    Returns:
        The number of blocks.

    Raises:
        DataError: the grid is not in metres, or a valid pixel is NaN or infinite.
    """

    def compute(part: tuple[Any, Any], part_grid: Grid) -> tuple[np.ndarray, ...]:
        found = terrain_on_grid(part[0], part[1], part_grid, **options)
        return (
            found.slope_deg,
            found.northness,
            found.eastness,
            found.profile_curvature,
            found.plan_curvature,
            found.valid,
        )

    def write(block: Block, results: tuple[np.ndarray, ...]) -> None:
        slope, northness, eastness, profile, plan, valid = results
        write_block(
            block,
            Derivatives(
                slope_deg=slope,
                northness=northness,
                eastness=eastness,
                profile_curvature=profile,
                plan_curvature=plan,
                valid=valid,
            ),
        )

    return map_blocks_with_halo(
        read_block,
        write,
        grid,
        block_size=block_size,
        halo=HALO_PIXELS,
        function=compute,
        progress=progress,
    )


def distance_by_block(
    read_marked: Callable[[Block], BoolArray],
    write_block: Callable[[Block, Float32Array], None],
    grid: Grid,
    *,
    maximum_m: float,
    block_size: int = 2048,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Distance to the nearest marked pixel by blocks, exact up to `maximum_m`, held there beyond.

    Args:
        read_marked: returns the marked pixels (for example channels) of a block.
        write_block: takes a block and its (y, x) distances [m].
        grid: the whole raster, in metres.
        maximum_m: largest distance told apart; sets the halo and so the memory.
        block_size: rows and columns of a block.
        progress: called with 1 after each block.

    Returns:
        The number of blocks.

    Raises:
        DataError: the grid is not in metres.
        ValueError: the maximum is not positive and finite.
    """
    grid.require_metres("distances")
    if not 0.0 < maximum_m < math.inf:
        raise ValueError(f"maximum_m {maximum_m} must be positive and finite")

    def compute(marked: BoolArray, part_grid: Grid) -> tuple[np.ndarray, ...]:
        return (np.minimum(distance_to_marked_m(marked, grid.cell_size), np.float32(maximum_m)),)

    return map_blocks_with_halo(
        read_marked,
        lambda block, results: write_block(block, results[0]),
        grid,
        block_size=block_size,
        halo=math.ceil(maximum_m / min(grid.cell_size)),
        function=compute,
        progress=progress,
    )
