"""Classes of lags: which offsets between two cells count as which distance and direction.

Offsets are held in a window of 2 reach + 1 cells per axis whose centre is no offset at all. A
class is symmetric: an offset and its opposite belong to the same one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import FloatArray, IntArray, as_finite

# A hair of slack: a distance exactly on an edge belongs to the class that begins there.
_HAIR = 1e-9


@dataclass(frozen=True, eq=False)
class LagClasses:
    """Distance classes of a lattice, in every direction or near one.

    Attributes:
        edges: (class + 1,) edges of the distances, in the unit of `cell_size`; an edge belongs to
            the class above it.
        cell_size: height and width of a cell, such as (1000.0, 1000.0) m.
        number: (dy, dx) class of each offset of the window, -1 where it has none.
        azimuth_deg: direction, clockwise from north; None for every direction.
        tolerance_deg: half-width of the sector around the direction.
    """

    edges: FloatArray
    cell_size: tuple[float, float]
    number: IntArray
    azimuth_deg: float | None = None
    tolerance_deg: float = 90.0

    @property
    def n_classes(self) -> int:
        """Number of distance classes."""
        return self.edges.size - 1

    @property
    def reach(self) -> tuple[int, int]:
        """Largest offset of the window along y and x, in cells."""
        return (self.number.shape[0] - 1) // 2, (self.number.shape[1] - 1) // 2

    @property
    def distance(self) -> FloatArray:
        """(dy, dx) distance of each offset of the window."""
        dy, dx = _offsets(self.reach, self.cell_size)
        return np.hypot(dy, dx)

    def sums(self, window: FloatArray) -> FloatArray:
        """(class,) sums of a (dy, dx) window over the offsets of each class.

        Example:
            >>> classes = lag_classes(2)
            >>> classes.sums(np.ones(classes.number.shape))
            array([ 8., 12.])
        """
        kept = self.number >= 0
        total = np.bincount(self.number[kept], window[kept], self.n_classes)
        return np.asarray(total, dtype=np.float64)


def _offsets(
    reach: tuple[int, int], cell_size: tuple[float, float]
) -> tuple[FloatArray, FloatArray]:
    """Offsets down and to the right, in the unit of the cell size."""
    dy = np.arange(-reach[0], reach[0] + 1, dtype=np.float64)[:, None] * cell_size[0]
    dx = np.arange(-reach[1], reach[1] + 1, dtype=np.float64)[None, :] * cell_size[1]
    return dy, dx


def lag_classes(
    lags: int = 50,
    *,
    width: float | None = None,
    edges: ArrayLike | None = None,
    cell_size: tuple[float, float] = (1.0, 1.0),
    azimuth_deg: float | None = None,
    tolerance_deg: float = 22.5,
) -> LagClasses:
    """Classes around 1, 2, ..., `lags` widths, or between given edges.

    Class k holds the distances from (k - 1/2) to (k + 1/2) widths, so the first class of the
    default holds the eight nearest cells. Without a direction the classes are isotropic.

    Args:
        lags: number of classes.
        width: width of a class; the larger side of a cell by default.
        edges: (class + 1,) increasing distances above 0; they replace `lags` and `width`.
        cell_size: height and width of a cell.
        azimuth_deg: direction, clockwise from north, rows running south; opposite directions are
            the same.
        tolerance_deg: half-width of the sector around the direction; 22.5 makes four
            directions fill the plane.

    Raises:
        ValueError: no classes, or edges, sizes or tolerance out of range.

    Example:
        >>> lag_classes(3).edges, lag_classes(3, azimuth_deg=90.0).number[3].tolist()
        (array([0.5, 1.5, 2.5, 3.5]), [2, 1, 0, -1, 0, 1, 2])
    """
    if not (cell_size[0] > 0.0 and cell_size[1] > 0.0):
        raise ValueError(f"cell_size: found {cell_size}; expected two sizes above 0")
    if edges is None:
        step = max(cell_size) if width is None else width
        if lags < 1 or not step > 0.0:
            raise ValueError(f"found {lags} lags of {step}; expected 1 or more, above 0")
        bounds = np.asarray((np.arange(lags + 1) + 0.5) * step, dtype=np.float64)
    else:
        bounds = as_finite("edges", edges)
        if bounds.ndim != 1 or bounds.size < 2 or not (np.diff(bounds, prepend=0.0) > 0.0).all():
            raise ValueError("edges: expected two or more increasing distances above 0")
    if azimuth_deg is not None and not 0.0 < tolerance_deg <= 90.0:
        raise ValueError(f"tolerance_deg: found {tolerance_deg}; expected within 0 and 90")
    slack = bounds * (1.0 - _HAIR)
    reach = int(slack[-1] // cell_size[0]), int(slack[-1] // cell_size[1])
    dy, dx = _offsets(reach, cell_size)
    distance = np.hypot(dy, dx)
    number = np.searchsorted(slack, distance, side="right") - 1
    number[(number >= bounds.size - 1) | (distance == 0.0)] = -1
    if azimuth_deg is not None:
        azimuth = np.degrees(np.arctan2(dx, -dy))
        apart = np.abs((azimuth - azimuth_deg + 90.0) % 180.0 - 90.0)
        number[apart > tolerance_deg * (1.0 + _HAIR)] = -1
    return LagClasses(
        edges=bounds, cell_size=(float(cell_size[0]), float(cell_size[1])),
        number=number.astype(np.int64), azimuth_deg=azimuth_deg,
        tolerance_deg=90.0 if azimuth_deg is None else float(tolerance_deg),
    )  # fmt: skip
