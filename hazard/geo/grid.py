"""The grid: coordinate system, affine transform and shape of every raster in a study."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from affine import Affine
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from hazard.errors import DataError

FloatArray = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, kw_only=True)
class Block:
    """A rectangle of whole cells of a grid: rows ``row0:row1``, columns ``col0:col1``."""

    row0: int
    row1: int
    col0: int
    col1: int

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.row1 - self.row0, self.col1 - self.col0

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the block in a (y, x) array of the grid."""
        return slice(self.row0, self.row1), slice(self.col0, self.col1)


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A north-up lattice of rectangular cells in a coordinate system.

    Args:
        crs: coordinate system, anything `pyproj.CRS.from_user_input` takes.
        transform: affine map from (column, row) corners to (x, y); north-up, no rotation.
        shape: (rows, columns).

    Raises:
        DataError: unknown coordinate system, rotated or flipped transform, or empty shape.

    Example:
        >>> grid = Grid.from_bounds("EPSG:32645", (0, 0, 4000, 2000), cell_m=1000)
        >>> grid.shape, grid.cell_area_m2, grid.refine(4).cell_size
        ((2, 4), 1000000.0, (250.0, 250.0))
    """

    crs: CRS
    transform: Affine
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "crs", CRS.from_user_input(self.crs))
        except CRSError as error:
            raise DataError(
                "grid", found=f"coordinate system {self.crs!r}", expected="one that PROJ knows"
            ) from error
        object.__setattr__(self, "shape", (int(self.shape[0]), int(self.shape[1])))
        t = self.transform
        if not all(map(math.isfinite, t)):
            raise DataError("grid", found=f"transform {tuple(t)[:6]}", expected="finite numbers")
        if min(self.shape) < 1:
            raise DataError("grid", found=f"shape {self.shape}", expected="at least one cell")
        if t.b != 0 or t.d != 0 or t.a <= 0 or t.e >= 0:
            raise DataError(
                "grid",
                found=f"transform {tuple(t)[:6]}",
                expected="a north-up, unrotated one (a > 0, e < 0, b = d = 0)",
            )

    @classmethod
    def from_bounds(
        cls, crs: Any, bounds: tuple[float, float, float, float], *, cell_m: float
    ) -> Grid:
        """Square cells of `cell_m` that cover (left, bottom, right, top), anchored top left."""
        left, bottom, right, top = bounds
        if not (left < right and bottom < top and math.isfinite(cell_m) and cell_m > 0):
            raise DataError(
                "grid",
                found=f"bounds {bounds} and cell size {cell_m}",
                expected="left < right, bottom < top and a positive cell size",
            )
        rows = max(1, math.ceil((top - bottom) / cell_m - 1e-9))
        cols = max(1, math.ceil((right - left) / cell_m - 1e-9))
        return cls(crs=crs, transform=Affine(cell_m, 0, left, 0, -cell_m, top), shape=(rows, cols))

    @classmethod
    def covering(cls, other: Grid, crs: Any, *, cell_m: float) -> Grid:
        """Square cells that cover `other`, in another system, edges at multiples of `cell_m`.

        Two studies of neighbouring areas in one system so get cells of one lattice.

        Args:
            other: grid to cover, such as a file's own (`hazard.geo.raster.read_info(path).grid`).
            crs: system of the new grid, in metres.
            cell_m: cell size [m].

        Raises:
            DataError: `crs` is not in metres, or does not reach the area.

        Example:
            >>> dem = Grid(crs="EPSG:4326", transform=Affine(0.1, 0, 86, 0, -0.1, 28), shape=(5, 5))
            >>> study = Grid.covering(dem, "EPSG:32645", cell_m=1000)
            >>> study.shape, study.transform.c % 1000
            ((57, 50), 0.0)
        """
        target = cls(crs=crs, transform=Affine(1, 0, 0, 0, -1, 0), shape=(1, 1))
        target.require_metres("cell sizes")
        transformer = Transformer.from_crs(other.crs, target.crs, always_xy=True)
        edges = transformer.transform_bounds(*other.bounds, densify_pts=41)
        if not all(map(math.isfinite, edges)):
            raise DataError(
                "grid",
                found=f"bounds {other.bounds} in {other.crs.name}",
                expected=f"an area within reach of {target.crs.name}",
            )
        left, bottom = (math.floor(edge / cell_m) * cell_m for edge in edges[:2])
        right, top = (math.ceil(edge / cell_m) * cell_m for edge in edges[2:])
        return cls.from_bounds(target.crs, (left, bottom, right, top), cell_m=cell_m)

    @property
    def cell_size(self) -> tuple[float, float]:
        """(width, height) of a cell in units of the coordinate system, both positive."""
        return self.transform.a, -self.transform.e

    @property
    def cell_area_m2(self) -> float:
        """Planimetric cell area [m2]; DataError where the coordinate system is not in metres."""
        self.require_metres("cell areas")
        return self.transform.a * -self.transform.e

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(left, bottom, right, top) of the outer edges."""
        t, (rows, cols) = self.transform, self.shape
        return t.c, t.f + rows * t.e, t.c + cols * t.a, t.f

    @property
    def x(self) -> FloatArray:
        """(x,) cell-centre eastings, increasing."""
        return self.transform.c + (np.arange(self.shape[1]) + 0.5) * self.transform.a

    @property
    def y(self) -> FloatArray:
        """(y,) cell-centre northings, decreasing (row 0 is the northernmost)."""
        return self.transform.f + (np.arange(self.shape[0]) + 0.5) * self.transform.e

    @property
    def is_metric(self) -> bool:
        """True for a projected coordinate system with both axes in metres."""
        axes = self.crs.axis_info
        return self.crs.is_projected and all(
            math.isclose(axis.unit_conversion_factor, 1.0) for axis in axes[:2]
        )

    def require_metres(self, purpose: str, source: object = "grid") -> None:
        """Refuse a geographic (or foot-based) grid where lengths in metres are needed.

        Raises:
            DataError: the coordinate system is not projected in metres.
        """
        if not self.is_metric:
            raise DataError(
                source,
                found=f"coordinate system {self.crs.name!r}",
                expected=f"a projected one in metres ({purpose} need lengths)",
            )

    def refine(self, factor: int) -> Grid:
        """The nested lattice: each cell cut into `factor` x `factor` pixels."""
        _require_whole(factor, "factor")
        t = self.transform
        return Grid(
            crs=self.crs,
            transform=Affine(t.a / factor, 0, t.c, 0, t.e / factor, t.f),
            shape=(self.shape[0] * factor, self.shape[1] * factor),
        )

    def coarsen(self, factor: int) -> Grid:
        """Blocks of `factor` x `factor` cells; the last block may reach over the edge."""
        _require_whole(factor, "factor")
        t = self.transform
        return Grid(
            crs=self.crs,
            transform=Affine(t.a * factor, 0, t.c, 0, t.e * factor, t.f),
            shape=(-(-self.shape[0] // factor), -(-self.shape[1] // factor)),
        )

    def crop(self, block: Block) -> Grid:
        """The part of the grid under `block`, which may reach beyond the edge (a halo)."""
        t = self.transform
        return Grid(
            crs=self.crs,
            transform=Affine(t.a, 0, t.c + block.col0 * t.a, 0, t.e, t.f + block.row0 * t.e),
            shape=block.shape,
        )

    def blocks(self, size: int) -> Iterator[Block]:
        """Blocks of at most `size` x `size` cells, row by row, each cell in exactly one."""
        _require_whole(size, "size")
        rows, cols = self.shape
        for row0 in range(0, rows, size):
            for col0 in range(0, cols, size):
                yield Block(
                    row0=row0,
                    row1=min(row0 + size, rows),
                    col0=col0,
                    col1=min(col0 + size, cols),
                )

    def same_as(self, other: Grid) -> bool:
        """Equal coordinate system, shape and transform (to 1e-6 of a cell)."""
        tolerance = 1e-6 * min(self.cell_size)
        return (
            self.shape == other.shape
            and self.crs == other.crs
            and all(
                abs(a - b) <= tolerance
                for a, b in zip(self.transform[:6], other.transform[:6], strict=True)
            )
        )


def _require_whole(number: int, name: str) -> None:
    if number != int(number) or number < 1:
        raise ValueError(f"{name} {number}; expected a whole number of at least 1")
