"""Patches of n x n cells: two lattices over one grid, and the way there and back.

A lattice tiles the plane, so every mapped cell lies in exactly one patch of it. Patches that reach
over the edge of the grid or of the study mask are kept: their missing cells are padding, have the
index -1 and weigh nothing. The second lattice is the first one moved east and south; it gives
cells at the rim of a patch a neighbourhood, and it holds *the same* cells: a patch of one lattice
must never be held out against a patch of the other (`hazard.cube.patch_audit`).

Pixels nested in cells are cut by (patch, n, f, n, f, band), then the two middle axes change
places. Reshaping (patch, n f, n f, band) straight to (patch n n, f, f, band) would give strips
of f / n rows and n f columns instead of cells. NumPy only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

PADDING = -1

Array = np.ndarray[Any, np.dtype[Any]]
BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
Int32Array = np.ndarray[Any, np.dtype[np.int32]]
HowToJoin = Literal["mean", "first_lattice"]


@dataclass(frozen=True, kw_only=True)
class LatticeCounts:
    """How the patches of one lattice lie on the study mask.

    Attributes:
        full: patches whose cells are all mapped.
        partial_inside_grid: patches with some unmapped cells, wholly on the grid.
        partial_over_edge: patches that reach over the edge of the grid.
    """

    full: int
    partial_inside_grid: int
    partial_over_edge: int

    @property
    def partial(self) -> int:
        """Patches with padding, all of them kept."""
        return self.partial_inside_grid + self.partial_over_edge


@dataclass(frozen=True, kw_only=True, eq=False)
class PatchIndex:
    """Where every patch lies and which cell every place in it is.

    Attributes:
        n: cells along one side of a patch.
        shape: (rows, columns) of the grid of cells.
        anchors: (row, column) of the first corner of each lattice, each in 0 ... n - 1.
        row0: (patch,) row of the northernmost cells; negative where a patch reaches over the edge.
        col0: (patch,) column of the westernmost cells.
        lattice: (patch,) 0 for the first lattice, 1 for the shifted one.
        cell: (patch, n, n) flat cell ``row * columns + column``, -1 for padding. Axis 1 runs
            south and axis 2 east, like the grid.
    """

    n: int
    shape: tuple[int, int]
    anchors: tuple[tuple[int, int], ...]
    row0: Int32Array
    col0: Int32Array
    lattice: np.ndarray[Any, np.dtype[np.int8]]
    cell: Int32Array

    def __len__(self) -> int:
        """Number of patches in all lattices."""
        return int(self.row0.size)

    @property
    def present(self) -> BoolArray:
        """(patch, n, n) True where there is a mapped cell, False for padding."""
        return self.cell != PADDING

    def take(self, patches: Array) -> PatchIndex:
        """The chosen patches (indices or a mask), in the order given."""
        return PatchIndex(
            n=self.n,
            shape=self.shape,
            anchors=self.anchors,
            row0=self.row0[patches],
            col0=self.col0[patches],
            lattice=self.lattice[patches],
            cell=self.cell[patches],
        )

    def counts(self) -> tuple[LatticeCounts, ...]:
        """Full and partial patches of each lattice."""
        full = self.present.all(axis=(1, 2))
        rows, cols = self.shape
        inside = (self.row0 >= 0) & (self.row0 + self.n <= rows)
        inside &= (self.col0 >= 0) & (self.col0 + self.n <= cols)
        return tuple(
            LatticeCounts(
                full=int((full & of).sum()),
                partial_inside_grid=int((~full & inside & of).sum()),
                partial_over_edge=int((~inside & of).sum()),
            )
            for of in (self.lattice == number for number in range(len(self.anchors)))
        )


def choose_anchor(mask: BoolArray, n: int) -> tuple[int, int]:
    """The corner in 0 ... n - 1 rows and columns that leaves the most complete patches.

    Ties go to the fewest patches in all, then to the northernmost, then to the westernmost.

    Example:
        >>> mask = np.zeros((6, 5), bool); mask[1:5, 1:5] = True
        >>> choose_anchor(mask, 4)
        (1, 1)
    """
    _check(mask, n)
    best: tuple[int, int, int, int] | None = None
    for row in range(n):
        for col in range(n):
            inside = _blocks(mask, n, (row, col)).sum(axis=(1, 3))
            rank = (-int((inside == n * n).sum()), int((inside > 0).sum()), row, col)
            best = rank if best is None else min(best, rank)
    assert best is not None
    return best[2], best[3]


def patch_index(
    mask: BoolArray, *, n: int = 4, shift: int = 2, anchor: tuple[int, int] | None = None
) -> PatchIndex:
    """All patches with at least one mapped cell, first lattice first, row by row.

    Args:
        mask: (y, x) True where a cell is mapped.
        n: cells along one side of a patch.
        shift: cells by which the second lattice is moved east and south; 0 for one lattice.
        anchor: corner of the first lattice; `choose_anchor` where None.

    Raises:
        ValueError: mask not boolean (y, x) or empty; n < 1; shift outside 0 ... n - 1.

    Example:
        >>> index = patch_index(np.ones((4, 4), bool))
        >>> len(index), index.counts()[0].full, index.counts()[1].partial
        (5, 1, 4)
        >>> index.cell[1]
        array([[-1, -1, -1, -1],
               [-1, -1, -1, -1],
               [-1, -1,  0,  1],
               [-1, -1,  4,  5]], dtype=int32)
    """
    _check(mask, n)
    if not 0 <= shift < n:
        raise ValueError(f"shift of {shift} cells for patches of {n}; use 0 to {n - 1}")
    if not mask.any():
        raise ValueError("the mask holds no cell")
    first = choose_anchor(mask, n) if anchor is None else (anchor[0] % n, anchor[1] % n)
    anchors = [first]
    if shift:
        anchors.append(((first[0] + shift) % n, (first[1] + shift) % n))
    flat = np.where(mask, np.arange(mask.size, dtype=np.int32).reshape(mask.shape), PADDING)
    parts = []
    for number, corner in enumerate(anchors):
        blocks = _blocks(flat, n, corner, fill=PADDING).transpose(0, 2, 1, 3)
        down, across = np.nonzero((blocks != PADDING).any(axis=(2, 3)))
        top, left = _origin(corner, n)
        parts.append(
            (top + down * n, left + across * n, np.full(down.size, number), blocks[down, across])
        )
    row0, col0, lattice, cell = (np.concatenate(column) for column in zip(*parts, strict=True))
    return PatchIndex(
        n=n,
        shape=(int(mask.shape[0]), int(mask.shape[1])),
        anchors=tuple(anchors),
        row0=row0.astype(np.int32),
        col0=col0.astype(np.int32),
        lattice=lattice.astype(np.int8),
        cell=np.ascontiguousarray(cell, dtype=np.int32),
    )


def cut_cells(array: Array, index: PatchIndex, *, fill: float = 0.0) -> Array:
    """Cut values on the grid of cells into patches.

    Args:
        array: (..., y, x) values, leading axes such as epoch or band untouched.
        index: the patches.
        fill: value of padding, cells outside the study mask included.

    Returns:
        (..., patch, n, n) in the dtype of `array`.

    Raises:
        ValueError: the array does not lie on the grid of the patches.

    Example:
        >>> index = patch_index(np.ones((2, 2), bool), n=2, shift=0)
        >>> cut_cells(np.array([[1, 2], [3, 4]]), index)
        array([[[1, 2],
                [3, 4]]])
    """
    values = np.asarray(array)
    if values.shape[-2:] != index.shape:
        raise ValueError(f"array of shape {values.shape}; use (..., y, x) with {index.shape}")
    flat = values.reshape(*values.shape[:-2], -1)
    cut = flat[..., np.maximum(index.cell, 0)]
    return np.where(index.present, cut, np.asarray(fill, dtype=values.dtype))


def cut_pixels(array: Array, index: PatchIndex, factor: int, *, fill: float = 0.0) -> Array:
    """Cut layers on the nested lattice of pixels into patches, bands last.

    Args:
        array: (band, y, x) or (y, x) values with `factor` x `factor` pixels per cell.
        index: the patches.
        factor: pixels along one side of a cell, f.
        fill: value of all pixels of padding cells.

    Returns:
        (patch, n f, n f, band) in the dtype of `array`.

    Raises:
        ValueError: the array does not lie on the refined grid of the patches.
    """
    values = np.asarray(array)
    values = values[None] if values.ndim == 2 else values
    tiles = cell_pixels(values, index.shape, factor)
    cut = tiles[np.maximum(index.cell, 0)]
    cut[~index.present] = fill
    return patch_pixels_of_cells(cut.reshape(-1, *tiles.shape[1:]), index.n)


def cell_pixels(array: Array, shape: tuple[int, int], factor: int) -> Array:
    """(band, y f, x f) layers as (cell, f, f, band): the pixels of every cell of the grid.

    Example:
        >>> cell_pixels(np.arange(8).reshape(1, 2, 4), (1, 2), 2)[1, :, :, 0]
        array([[2, 3],
               [6, 7]])
    """
    rows, cols = shape
    values = np.asarray(array)
    if factor < 1 or values.ndim != 3 or values.shape[1:] != (rows * factor, cols * factor):
        raise ValueError(
            f"array of shape {values.shape}; use (band, y, x) with "
            f"{(rows * factor, cols * factor)} pixels, {factor} per cell"
        )
    nested = values.reshape(-1, rows, factor, cols, factor)
    return nested.transpose(1, 3, 2, 4, 0).reshape(rows * cols, factor, factor, -1)


def cells_of_patch_pixels(pixels: Array, n: int) -> Array:
    """(patch, n f, n f, band) -> (patch n n, f, f, band): each cell with its own pixels.

    Cells follow each other row by row within a patch, as ``index.cell.reshape(-1)`` does.

    Raises:
        ValueError: not (patch, y, x, band), not square, or not n whole cells along a side.

    Example:
        >>> cell_of_pixel = np.kron([[0, 1], [2, 3]], np.ones((3, 3), int))[None, :, :, None]
        >>> [np.unique(cell).tolist() for cell in cells_of_patch_pixels(cell_of_pixel, 2)]
        [[0], [1], [2], [3]]
    """
    values = np.asarray(pixels)
    side = values.shape[1] if values.ndim == 4 else 0
    if values.ndim != 4 or values.shape[2] != side or n < 1 or side % n:
        raise ValueError(
            f"pixels of shape {values.shape}; use (patch, n f, n f, band) with n = {n}"
        )
    f, bands = side // n, values.shape[3]
    nested = values.reshape(-1, n, f, n, f, bands).transpose(0, 1, 3, 2, 4, 5)
    return nested.reshape(-1, f, f, bands)


def patch_pixels_of_cells(pixels: Array, n: int) -> Array:
    """(patch n n, f, f, band) -> (patch, n f, n f, band), the inverse of the cut."""
    values = np.asarray(pixels)
    if values.ndim != 4 or values.shape[1] != values.shape[2] or values.shape[0] % (n * n):
        raise ValueError(f"pixels of shape {values.shape}; use (patch {n * n}, f, f, band)")
    f, bands = values.shape[1], values.shape[3]
    nested = values.reshape(-1, n, n, f, f, bands).transpose(0, 1, 3, 2, 4, 5)
    return np.ascontiguousarray(nested.reshape(-1, n * f, n * f, bands))


def assemble(
    predictions: Array, index: PatchIndex, *, how: HowToJoin = "mean", fill: float = np.nan
) -> Array:
    """Put values of patches back on the grid, north up and east right as they were cut.

    Args:
        predictions: (..., patch, n, n) floating values; what stands in padding is ignored.
        index: the patches, or a part of them (`PatchIndex.take`).
        how: ``mean`` averages the patches that hold a cell (one per lattice);
            ``first_lattice`` takes the first lattice alone.
        fill: value of cells that no patch holds.

    Returns:
        (..., y, x) in the dtype of `predictions`; the mean is formed in float64.

    Raises:
        ValueError: shapes do not match, or the values are not floating.
    """
    values = np.asarray(predictions)
    if values.shape[-3:] != index.cell.shape or not np.issubdtype(values.dtype, np.floating):
        raise ValueError(
            f"{values.dtype} predictions of shape {values.shape}; use floating "
            f"(..., patch, n, n) with {index.cell.shape}"
        )
    used = index.present
    if how == "first_lattice":
        used = used & (index.lattice == 0)[:, None, None]
    elif how != "mean":
        raise ValueError(f"how {how!r}; use 'mean' or 'first_lattice'")
    size = index.shape[0] * index.shape[1]
    cell = index.cell[used]
    times = np.bincount(cell, minlength=size)
    flat = values.reshape(-1, *index.cell.shape)
    out = np.full((flat.shape[0], size), fill, dtype=values.dtype)
    held = times > 0
    for row, layer in zip(out, flat, strict=True):
        total = np.bincount(cell, weights=layer[used], minlength=size)
        row[held] = total[held] / times[held]
    return out.reshape(*values.shape[:-3], *index.shape)


def _check(mask: BoolArray, n: int) -> None:
    if mask.ndim != 2 or mask.dtype != np.bool_:
        raise ValueError(f"mask is {mask.dtype} of shape {mask.shape}; use bool (y, x)")
    if n < 1:
        raise ValueError(f"patches of {n} cells; use at least 1")


def _origin(corner: tuple[int, int], n: int) -> tuple[int, int]:
    """First row and column of a lattice that covers the whole grid: 0, or negative."""
    return (corner[0] - n if corner[0] else 0), (corner[1] - n if corner[1] else 0)


def _blocks(array: Array, n: int, corner: tuple[int, int], *, fill: int = 0) -> Array:
    """(rows of patches, n, columns of patches, n) with padding on all sides."""
    top, left = _origin(corner, n)
    rows, cols = array.shape
    below, right = -(rows - top) % n, -(cols - left) % n
    padded = np.pad(array, ((-top, below), (-left, right)), constant_values=fill)
    return padded.reshape(padded.shape[0] // n, n, padded.shape[1] // n, n)
