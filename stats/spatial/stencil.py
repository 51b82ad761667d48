r"""Stencils: which cells around a cell are its neighbours, with which weight.

A stencil is the same everywhere and symmetric (as heavy towards an offset as towards its
opposite); the mask and the edge of the lattice cut it. Weights are binary or given by distance,
and row-standardised on request: each cell's weights then sum to 1, :math:`w_{ij}/d_i`.

The three sums on which the moments of Moran's I rest (A. D. Cliff & J. K. Ord 1981) are

.. math:: S_0 = \sum_{ij} w_{ij}, \quad S_1 = \tfrac12 \sum_{ij} (w_{ij} + w_{ji})^2, \quad
          S_2 = \sum_i \Bigl(\sum_j w_{ij} + \sum_j w_{ji}\Bigr)^2 .
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from stats.case_arrays import BoolArray, FloatArray, IntArray
from stats.spatial.lattice import overlap

Standardise = Literal["binary", "row"]


@dataclass(frozen=True, eq=False)
class Stencil:
    """Neighbours of a cell.

    Attributes:
        name: in words, for tables.
        offsets: (neighbour, axis) offsets in cells; with every offset its opposite.
        weights: (neighbour,) weights above 0.

    Raises:
        ValueError: the stencil is empty, holds the cell itself, or is not symmetric.
    """

    name: str
    offsets: IntArray
    weights: FloatArray

    def __post_init__(self) -> None:
        offsets = np.asarray(self.offsets, dtype=np.int64)
        weights = np.asarray(self.weights, dtype=np.float64)
        if offsets.ndim != 2 or not offsets.size or weights.shape != offsets.shape[:1]:
            raise ValueError(
                f"offsets {offsets.shape}, weights {weights.shape}; expected (k, axis)"
            )
        table = {tuple(o): w for o, w in zip(offsets.tolist(), weights.tolist(), strict=True)}
        if len(table) != len(offsets) or not (weights > 0.0).all():
            raise ValueError(f"{self.name}: expected distinct offsets with weights above 0")
        if any(table.get(tuple(-i for i in o)) != w for o, w in table.items()) or not all(
            any(o) for o in table
        ):
            raise ValueError(f"{self.name}: expected a symmetric stencil without the cell itself")
        object.__setattr__(self, "offsets", offsets)
        object.__setattr__(self, "weights", weights)

    @property
    def axes(self) -> int:
        """Number of axes of the lattices it fits."""
        return int(self.offsets.shape[1])


def _square(reach: int, keep: Any) -> tuple[IntArray, FloatArray]:
    steps = np.arange(-reach, reach + 1)
    dy, dx = np.meshgrid(steps, steps, indexing="ij")
    chosen = keep(dy, dx) & ((dy != 0) | (dx != 0))
    offsets = np.stack([dy[chosen], dx[chosen]], axis=1).astype(np.int64)
    return offsets, np.ones(len(offsets))


ROOK = Stencil("rook", *_square(1, lambda dy, dx: dy * dx == 0))
QUEEN = Stencil("queen", *_square(1, lambda dy, dx: dy == dy))


def distance_band(
    radius: float, *, cell_size: tuple[float, float] = (1.0, 1.0), power: float = 0.0
) -> Stencil:
    """All cells within a distance, alike or weighted by the distance to a power.

    Args:
        radius: largest distance, inclusive, in the unit of `cell_size`.
        cell_size: height and width of a cell.
        power: 0 for weights of 1; -1 for inverse distances, in shorter cell sides.

    Example:
        >>> len(distance_band(1.5).offsets), len(distance_band(2.0).offsets)
        (8, 12)
    """
    reach = int(radius * (1.0 + 1e-9) // min(cell_size))
    if reach < 1:
        raise ValueError(f"radius: found {radius}; expected at least the shorter side of a cell")
    height, width = cell_size
    offsets, _ = _square(
        reach, lambda dy, dx: np.hypot(dy * height, dx * width) <= radius * (1.0 + 1e-9)
    )
    distance = np.hypot(offsets[:, 0] * height, offsets[:, 1] * width) / min(cell_size)
    return Stencil(f"within {radius:g}", offsets, distance**power)


def space_time(spatial: Stencil = ROOK, *, epochs: int = 1, weight: float = 1.0) -> Stencil:
    """Neighbours in the same epoch, and the same cell in epochs up to `epochs` before and after.

    Args:
        spatial: neighbours in the same epoch.
        epochs: how many epochs away the same cell still counts.
        weight: its weight beside that of the spatial neighbours.

    Example:
        >>> space_time().offsets.tolist()
        [[0, -1, 0], [0, 0, -1], [0, 0, 1], [0, 1, 0], [-1, 0, 0], [1, 0, 0]]
    """
    if epochs < 1:
        raise ValueError(f"epochs: found {epochs}; expected 1 or more")
    steps = [s for s in range(-epochs, epochs + 1) if s]
    same_epoch = np.pad(spatial.offsets, ((0, 0), (1, 0)))
    same_cell = np.array([[s, 0, 0] for s in steps], dtype=np.int64)
    return Stencil(
        f"{spatial.name}, {epochs} epoch{'s' if epochs > 1 else ''}",
        np.concatenate([same_epoch, same_cell]),
        np.concatenate([spatial.weights, np.full(len(steps), weight)]),
    )


def neighbour_sum(lattice: FloatArray, stencil: Stencil, *, power: int = 1) -> FloatArray:
    """Sum over each cell's neighbours of weight^power times value.

    Values must be 0 outside the mask; the sums are then right at every cell of it.

    Example:
        >>> neighbour_sum(np.ones((2, 3)), ROOK)
        array([[2., 3., 2.],
               [2., 3., 2.]])
    """
    total = np.zeros(lattice.shape)
    for offset, weight in zip(stencil.offsets.tolist(), stencil.weights**power, strict=True):
        here, there = overlap(lattice.shape, tuple(offset))
        if weight == 1.0:
            total[here] += lattice[there]
        else:
            total[here] += weight * lattice[there]
    return total


@dataclass(frozen=True, eq=False)
class MaskWeights:
    """Weights of a stencil on a mask, and their three sums.

    Attributes:
        stencil: the stencil.
        standardise: "binary" (weights as they are) or "row".
        inside: mask.
        degree: sum of the unstandardised weights of each cell, 0 outside.
        links: number of ordered pairs of neighbours.
        s0: sum of weights.
        s1: half the sum of (w_ij + w_ji)^2.
        s2: sum of (row sum + column sum)^2.
    """

    stencil: Stencil
    standardise: Standardise
    inside: BoolArray
    degree: FloatArray
    links: int
    s0: float
    s1: float
    s2: float

    def lag(self, z: FloatArray) -> FloatArray:
        """Weighted sum (mean, if row-standardised) of the neighbours of each cell.

        Args:
            z: values, 0 outside the mask.
        """
        total = neighbour_sum(z, self.stencil)
        if self.standardise == "row":
            total = np.divide(total, self.degree, out=np.zeros(z.shape), where=self.degree > 0.0)
        return np.where(self.inside, total, 0.0)

    def row_sums(self) -> tuple[FloatArray, FloatArray]:
        """Sums of the weights and of their squares, per cell."""
        square = neighbour_sum(self.inside.astype(np.float64), self.stencil, power=2)
        if self.standardise == "binary":
            return self.degree, np.where(self.inside, square, 0.0)
        some = self.inside & (self.degree > 0.0)
        shares = np.divide(square, self.degree**2, out=np.zeros(square.shape), where=some)
        return some.astype(np.float64), shares


def mask_weights(
    inside: BoolArray, stencil: Stencil, standardise: Standardise = "binary"
) -> MaskWeights:
    """Weights of a stencil on a mask.

    Raises:
        ValueError: the stencil has another number of axes than the mask.

    Example:
        >>> found = mask_weights(np.ones((2, 2), bool), ROOK)
        >>> found.s0, found.s1, found.s2
        (8.0, 16.0, 64.0)
    """
    if stencil.axes != inside.ndim:
        raise ValueError(
            f"{stencil.name} has {stencil.axes} axes, the lattice {inside.ndim}; expected the same"
        )
    if standardise not in ("binary", "row"):
        raise ValueError(f"standardise: found {standardise!r}; expected 'binary' or 'row'")
    ones = inside.astype(np.float64)
    degree = np.where(inside, neighbour_sum(ones, stencil), 0.0)
    square = np.where(inside, neighbour_sum(ones, stencil, power=2), 0.0)
    links = int(np.rint(np.where(inside, neighbour_sum(ones, stencil, power=0), 0.0).sum()))
    if standardise == "binary":
        s0, s1 = float(degree.sum()), 2.0 * float(square.sum())
        s2 = 4.0 * float((degree**2).sum())
        return MaskWeights(stencil, standardise, inside, degree, links, s0, s1, s2)
    linked = degree > 0.0
    inverse = np.divide(1.0, degree, out=np.zeros(degree.shape), where=linked)
    columns = np.where(inside, neighbour_sum(inverse, stencil), 0.0)
    mixed = neighbour_sum(inverse, stencil, power=2)
    s1 = float((square * inverse**2).sum() + (inverse * mixed).sum())
    s2 = float(((linked + columns) ** 2).sum())
    return MaskWeights(
        stencil, standardise, inside, degree, links, float(np.count_nonzero(linked)), s1, s2
    )
