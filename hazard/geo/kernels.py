"""Compiled loops: one decorator, and threads over bands of rows.

The loops release the interpreter lock and each band writes only its own rows, so results do not
depend on the number of threads, and any thread may call them at any time (numba's own parallel
loops abort the process when two threads enter them at once under its fallback layer).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numba import njit

from hazard.errors import DataError

F = TypeVar("F", bound=Callable[..., Any])
Float32Array = np.ndarray[Any, np.dtype[np.float32]]
Float64Array = np.ndarray[Any, np.dtype[np.float64]]
FloatArray = np.ndarray[Any, np.dtype[np.floating[Any]]]
BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
Uint8Array = np.ndarray[Any, np.dtype[np.uint8]]

# Below this many rows x columns a thread costs more than it brings.
_SMALL = 65_536


def kernel(function: F) -> F:
    """Compile a loop on its first call and keep the machine code for the next process.

    The code is kept beside the source or, where that is read-only, in the user's cache folder
    (NUMBA_CACHE_DIR overrides both). Where neither can be written, it is compiled anew in each
    process: slower to start, same results. Strict IEEE arithmetic: no fast-math, so an
    expression has one value wherever in the array it is computed.

    Example:
        >>> @kernel
        ... def total(values):
        ...     result = 0.0
        ...     for value in values:
        ...         result += value
        ...     return result
        >>> total(np.array([1.0, 2.0]))
        3.0
    """
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError as error:
        if "cannot cache" not in str(error):
            raise
        return njit(**options)(function)


def thread_count() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_row_bands(
    shape: tuple[int, int], work: Callable[[int, int], int], threads: int | None = None
) -> int:
    """Run `work(row0, row1)` over bands that cover all rows; the sum of what it returns.

    Args:
        shape: (rows, columns) of the array.
        work: compiled loop bound to its arrays; writes rows row0 to row1 - 1 only.
        threads: at most so many threads (default: the cores of this process).

    Example:
        >>> in_row_bands((10, 3), lambda row0, row1: row1 - row0)
        10
    """
    rows, cols = shape
    threads = thread_count() if threads is None else max(1, threads)
    if threads == 1 or rows * cols < _SMALL:
        return int(work(0, rows))
    # Four bands per thread: a thread that loses its core does not hold up the others.
    edges = np.unique(np.linspace(0, rows, 4 * threads + 1).astype(int)).tolist()
    with ThreadPoolExecutor(threads) as pool:
        return int(sum(pool.map(work, edges[:-1], edges[1:])))


def as_elevation(
    elevation: Any, valid: Any, cell_size: tuple[float, float]
) -> tuple[FloatArray, BoolArray, float, float]:
    """Check and unpack what every terrain function takes.

    Returns:
        elevation (y, x) contiguous float32 or float64 (integers of at most 16 bits become
        float32, others float64), valid (y, x) bool, pixel width and height [m].

    Raises:
        ValueError: shapes that differ, not two-dimensional, or cell size not positive.
    """
    z = np.asarray(elevation)
    if z.dtype not in (np.float32, np.float64):
        z = z.astype(np.float32 if z.dtype.itemsize <= 2 else np.float64)
    v = np.asarray(valid)
    if z.ndim != 2 or v.shape != z.shape or v.dtype != np.bool_:
        raise ValueError(
            f"elevation {z.shape} and valid {v.shape} {v.dtype} must be (y, x), valid boolean"
        )
    dx, dy = float(cell_size[0]), float(cell_size[1])
    if not (0.0 < dx < np.inf and 0.0 < dy < np.inf):
        raise ValueError(f"cell size {cell_size} must be two positive lengths")
    return np.ascontiguousarray(z), np.ascontiguousarray(v), dx, dy


def refuse_non_finite(values: FloatArray, valid: BoolArray, bad: int, source: object) -> None:
    """DataError that names the first of `bad` valid pixels that are NaN or infinite."""
    if bad:
        row, col = np.argwhere(valid & ~np.isfinite(values))[0].tolist()
        raise DataError(
            source,
            found=f"{bad} valid pixels that are NaN or infinite (first at row {row}, column {col})",
            expected="a finite elevation wherever the mask says valid",
        )
