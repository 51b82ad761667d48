"""The pixels that outlines are drawn around, read some rows at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from jaxtyping import Bool, Float, UInt16
from numpy import ndarray

from detection.mapping.stored import to_mask, to_steps
from hazard.errors import DataError
from hazard.geo.grid import Block, Grid
from hazard.geo.sources import open_source, read_window


class Rows(NamedTuple):
    """Some rows of a map.

    Attributes:
        mask: landslide; False where not seen.
        valid: pixels that were seen.
        steps: probability in steps of `detection.mapping.stored`, or None.
    """

    mask: Bool[ndarray, "y x"]
    valid: Bool[ndarray, "y x"]
    steps: UInt16[ndarray, "y x"] | None


class PixelSource(Protocol):
    """A map of any size, read by rows."""

    @property
    def grid(self) -> Grid:
        """Where the pixels lie."""
        ...

    def rows(self, row0: int, row1: int) -> Rows:
        """Rows `row0:row1`."""
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class ArrayPixels:
    """A map in memory.

    Attributes:
        grid: where the pixels lie.
        mask: landslide (y, x).
        valid: pixels that were seen; None for all.
        probability: of landslide, or None.
    """

    grid: Grid
    mask: Bool[ndarray, "y x"]
    valid: Bool[ndarray, "y x"] | None = None
    probability: Float[ndarray, "y x"] | None = None

    def __post_init__(self) -> None:
        for name in ("mask", "valid", "probability"):
            value = getattr(self, name)
            if value is not None and value.shape != self.grid.shape:
                raise ValueError(f"{name} of shape {value.shape}; use {self.grid.shape}")

    def rows(self, row0: int, row1: int) -> Rows:
        """Rows `row0:row1`."""
        part = slice(row0, row1)
        mask = self.mask[part]
        valid = np.ones(mask.shape, np.bool_) if self.valid is None else self.valid[part]
        steps = None if self.probability is None else to_steps(self.probability[part], valid)
        return Rows(mask & valid, valid, steps)


@dataclass(frozen=True, kw_only=True)
class FilePixels:
    """A map on disk: a mask, a probability, or both.

    Attributes:
        mask: raster of landslides (not 0) and stable ground (0) with nodata, or None.
        probability: raster of probabilities (scaled integers or floats) with nodata, or None.
        threshold: probability from which a pixel is landslide, where there is no mask.

    Raises:
        ValueError: neither file, or a probability alone without threshold.
        DataError: files that cannot be read, or that lie on different grids.
    """

    mask: Path | None = None
    probability: Path | None = None
    threshold: float | None = None

    def __post_init__(self) -> None:
        if self.mask is None and (self.probability is None or self.threshold is None):
            raise ValueError("give a mask, or a probability and its threshold")
        if self.mask is not None and self.probability is not None:
            grids = [_grid(path) for path in (self.mask, self.probability)]
            if not grids[0].same_as(grids[1]):
                raise DataError(
                    self.probability, found=f"another grid than {self.mask}", expected="the same"
                )

    @property
    def grid(self) -> Grid:
        """Where the pixels lie."""
        path = self.mask or self.probability
        assert path is not None
        return _grid(path)

    def rows(self, row0: int, row1: int) -> Rows:
        """Rows `row0:row1`."""
        steps = valid = None
        if self.probability is not None:
            values, valid = _read(self.probability, row0, row1)
            outside = valid & ~((values >= 0) & (values <= 1))
            if outside.any():
                raise DataError(
                    self.probability,
                    found=f"{values[outside][0]:g}",
                    expected="probabilities from 0 to 1 (or nodata)",
                )
            steps = to_steps(np.where(valid, values, 0), valid)
        if self.mask is not None:
            marks, seen = _read(self.mask, row0, row1)
            valid = seen if valid is None else seen & valid
            return Rows((np.where(valid, marks, 0) != 0), valid, steps)
        assert steps is not None
        assert valid is not None
        assert self.threshold is not None
        return Rows(to_mask(steps, self.threshold) == 1, valid, steps)


def _grid(path: Path) -> Grid:
    with open_source(path) as source:
        return source.info.grid


def _read(path: Path, row0: int, row1: int) -> tuple[ndarray, ndarray]:
    with open_source(path) as source:
        block = Block(row0=row0, row1=row1, col0=0, col1=source.info.shape[1])
        return read_window(source, block, 1, nodata=None, categorical=False)
