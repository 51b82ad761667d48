r"""A study window as a masked lattice, and landslides counted on it.

Row 0 is the northernmost, as in a raster. A point belongs to the cell that holds it; points outside
the mask are refused or dropped, and counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import BoolArray, FloatArray, IntArray, as_finite, as_weights

M2_PER_KM2 = 1e6


@dataclass(frozen=True, kw_only=True, eq=False)
class Window:
    """The ground that was looked at.

    Attributes:
        inside: (y, x) True for cells that were mapped.
        west_m: western edge of the first column [m].
        north_m: northern edge of the first row [m].
        cell_m: side of a cell [m].

    Raises:
        ValueError: no cell inside, not (y, x) bool, or a side that is not above 0.

    Example:
        >>> Window(inside=np.ones((2, 3), bool), west_m=0.0, north_m=2e3, cell_m=1e3).area_km2
        6.0
    """

    inside: BoolArray
    west_m: float
    north_m: float
    cell_m: float

    def __post_init__(self) -> None:
        inside = np.asarray(self.inside)
        if inside.dtype != np.bool_ or inside.ndim != 2 or not inside.any():
            raise ValueError(
                f"inside: found {inside.dtype} of shape {inside.shape} with "
                f"{int(np.count_nonzero(inside))} cells; expected (y, x) bool with some"
            )
        if not (np.isfinite([self.west_m, self.north_m]).all() and 0.0 < self.cell_m < np.inf):
            raise ValueError(
                f"found west {self.west_m}, north {self.north_m}, cell {self.cell_m} m; expected "
                "finite edges and a side above 0"
            )

    @property
    def area_km2(self) -> float:
        """Area of the cells inside [km2]."""
        return float(np.count_nonzero(self.inside) * self.cell_m**2 / M2_PER_KM2)

    def centres(self) -> tuple[FloatArray, FloatArray]:
        """(x,) eastings and (y,) northings of the cell centres [m]."""
        rows, columns = self.inside.shape
        x = self.west_m + (np.arange(columns) + 0.5) * self.cell_m
        y = self.north_m - (np.arange(rows) + 0.5) * self.cell_m
        return x, y

    def cells_of(self, x_m: ArrayLike, y_m: ArrayLike) -> tuple[IntArray, IntArray, BoolArray]:
        """Row and column of each point, and whether it lies inside; -1 where it does not.

        Args:
            x_m: (point,) eastings [m].
            y_m: (point,) northings [m].

        Raises:
            ValueError: coordinates that are not finite or of different lengths.
        """
        x, y = as_finite("x_m", x_m).reshape(-1), as_finite("y_m", y_m).reshape(-1)
        if x.shape != y.shape:
            raise ValueError(f"x_m {x.shape} and y_m {y.shape}; expected the same points")
        column = np.floor((x - self.west_m) / self.cell_m)
        row = np.floor((self.north_m - y) / self.cell_m)
        rows, columns = self.inside.shape
        held = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        row, column = (np.where(held, v, 0).astype(np.int64) for v in (row, column))
        held &= self.inside[row, column]
        return np.where(held, row, -1), np.where(held, column, -1), held


def counts_on(
    window: Window, x_m: ArrayLike, y_m: ArrayLike, *, weights: ArrayLike | None = None
) -> tuple[FloatArray, int]:
    """Number of points, or sum of their weights, per cell, and how many lay outside.

    Args:
        window: cells.
        x_m: (point,) eastings [m].
        y_m: (point,) northings [m].
        weights: (point,) such as areas [m2]; None counts.

    Returns:
        (y, x) sums, 0 outside the mask; number of points outside it.

    Example:
        >>> window = Window(inside=np.ones((1, 2), bool), west_m=0.0, north_m=1.0, cell_m=1.0)
        >>> counts_on(window, [0.5, 1.2, 9.0], [0.5, 0.5, 0.5])
        (array([[1., 1.]]), 1)
    """
    row, column, held = window.cells_of(x_m, y_m)
    each = as_weights(weights, row.shape)
    total = np.zeros(window.inside.shape)
    np.add.at(total, (row[held], column[held]), each[held])
    return total, int(np.count_nonzero(~held))
