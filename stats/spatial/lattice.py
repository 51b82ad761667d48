"""Masked lattices of cells: checked once, and the shifts by which neighbours meet.

A lattice is an array of any number of axes, such as (y, x) or (epoch, y, x), with a mask of the
cells that count. What lies outside the mask is ignored, NaN or not.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import BoolArray, FloatArray, IntArray, UndefinedScoreError, as_finite


def as_masked(
    values: ArrayLike, valid: ArrayLike | None, *, axes: tuple[int, ...] = (2, 3)
) -> tuple[FloatArray, BoolArray]:
    """Values, 0 outside the mask, and the mask, of one shape.

    Args:
        values: lattice; what lies outside `valid` is ignored.
        valid: True for cells that count; None counts the finite ones. A (y, x) mask serves every
            epoch of (epoch, y, x) values.
        axes: numbers of axes that are allowed.

    Raises:
        ValueError: a valid value is not finite, or the shapes do not fit.

    Example:
        >>> x, inside = as_masked([[1.0, np.nan]], None)
        >>> x, inside
        (array([[1., 0.]]), array([[ True, False]]))
    """
    x = np.asarray(values, dtype=np.float64)
    inside = np.isfinite(x) if valid is None else np.asarray(valid)
    if inside.dtype != np.bool_:
        raise ValueError(f"valid: found {inside.dtype}; expected bool")
    if x.ndim == inside.ndim + 1 and x.shape[1:] == inside.shape:
        inside = np.broadcast_to(inside, x.shape)
    if x.shape != inside.shape or x.ndim not in axes:
        expected = " or ".join(str(a) for a in axes)
        raise ValueError(
            f"values {x.shape} and valid {inside.shape}; expected the same shape, {expected} axes"
        )
    held = np.where(inside, x, 0.0)
    if not np.isfinite(held).all():
        raise ValueError("values: found a valid cell that is not finite")
    return held, inside


def centred(values: FloatArray, inside: BoolArray, what: str) -> tuple[FloatArray, int]:
    """Values minus their mean, 0 outside the mask, and the number of cells.

    Raises:
        UndefinedScoreError: fewer than 4 cells, or constant values.

    Example:
        >>> centred(np.array([[1.0, 3.0], [5.0, 7.0]]), np.ones((2, 2), bool), "a mean")[0]
        array([[-3., -1.],
               [ 1.,  3.]])
    """
    n = int(np.count_nonzero(inside))
    if n < 4:
        raise UndefinedScoreError(f"{what} needs at least 4 cells; found {n}")
    held = values[inside]
    if float(np.ptp(held)) == 0.0:
        raise UndefinedScoreError(f"{what} needs values that vary")
    return np.where(inside, values - held.mean(), 0.0), n


def overlap(
    shape: tuple[int, ...], offset: tuple[int, ...]
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Slices of the cells that have a cell at `offset`, and of those cells.

    Example:
        >>> here, there = overlap((3,), (1,))
        >>> np.arange(3)[here], np.arange(3)[there]
        (array([0, 1]), array([1, 2]))
    """
    here = tuple(
        slice(max(0, -o), max(0, n - max(0, o))) for n, o in zip(shape, offset, strict=True)
    )
    there = tuple(
        slice(max(0, o), max(0, n + min(0, o))) for n, o in zip(shape, offset, strict=True)
    )
    return here, there


def pairs_at(
    inside: BoolArray, offsets: IntArray
) -> Iterator[tuple[int, tuple[slice, ...], tuple[slice, ...], BoolArray]]:
    """For each offset: its number, the two slices, and which of the pairs are both inside."""
    for number, offset in enumerate(offsets):
        here, there = overlap(inside.shape, tuple(int(o) for o in offset))
        yield number, here, there, inside[here] & inside[there]


def lattice_of_cases(
    x_m: ArrayLike, y_m: ArrayLike, *, cell_m: float
) -> tuple[IntArray, IntArray, tuple[int, int]]:
    """Row and column of each case on the lattice of square cells, and the lattice's shape.

    Row 0 is the northernmost, as in a raster.

    Args:
        x_m: (case,) eastings of cell centres [m].
        y_m: (case,) northings of cell centres [m].
        cell_m: side of a cell [m].

    Raises:
        ValueError: the cases do not lie on such a lattice (off by more than 1 % of a cell).

    Example:
        >>> lattice_of_cases([0.0, 2e3], [1e3, 0.0], cell_m=1e3)
        (array([0, 1]), array([0, 2]), (2, 3))
    """
    x, y = as_finite("x_m", x_m).reshape(-1), as_finite("y_m", y_m).reshape(-1)
    if not cell_m > 0.0:
        raise ValueError(f"cell of {cell_m} m; use a positive side")
    if x.shape != y.shape or not x.size:
        raise ValueError(f"x_m {x.shape} and y_m {y.shape}; expected the same cases")
    column, row = (x - x.min()) / cell_m, (y.max() - y) / cell_m
    nearest_column, nearest_row = np.rint(column), np.rint(row)
    off = max(np.abs(column - nearest_column).max(), np.abs(row - nearest_row).max())
    if off > 0.01:
        raise ValueError(f"cases lie up to {off:.2f} of a cell off a lattice of {cell_m:g} m")
    shape = (int(nearest_row.max()) + 1, int(nearest_column.max()) + 1)
    return nearest_row.astype(np.int64), nearest_column.astype(np.int64), shape
