"""Settings of the embedded world: extent, lattice, epochs, seed and what its mapper does."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

from pydantic import Field, model_validator

from hazard.config.validation import Section

FULL_EXTENT_CELLS = (196, 220)
CELL_M = 1000.0
LATTICE_PER_CELL = 4
MAXIMUM_EPOCHS = 8
# Part of the hash: a folder made by another version of the generator is built again.
WORLD_VERSION = 2


class WorldConfig(Section):
    """A synthetic study whose truth is known; equal settings and seed give equal values.

    Example:
        >>> config = WorldConfig(extent_cells=(32, 40), pixels_per_cell=8, seed=3)
        >>> config.pixel_m, config.pixel_shape
        (125.0, (256, 320))
        >>> WorldConfig(seed=1).config_hash == WorldConfig(seed=2).config_hash
        False
    """

    kind: Literal["gorkha_like", "alternative"] = "gorkha_like"
    """which law of intensity and size (alternative: another link and another size law)"""
    extent_cells: tuple[Annotated[int, Field(ge=8)], Annotated[int, Field(ge=8)]] = (
        FULL_EXTENT_CELLS
    )
    """rows and columns of cells, a window in the middle of the full study"""
    cell_m: Literal[1000] = 1000
    """cell size [m]; the calibration holds for 1 km"""
    pixels_per_cell: Literal[4, 8, 16, 32] = 32
    """elevation pixels along one side of a cell (32 are 31.25 m)"""
    n_epochs: Annotated[int, Field(ge=2, le=MAXIMUM_EPOCHS)] = MAXIMUM_EPOCHS
    """epochs of the series, from the coseismic one on"""
    seed: Annotated[int, Field(ge=0)] = 0
    """seed of the world, the root of every random draw"""
    missed_epoch: Annotated[int, Field(ge=1, lt=MAXIMUM_EPOCHS)] | None = None
    """zero-based epoch without usable images: no inventory, not observed"""
    misregistration_m: Annotated[float, Field(ge=0.0, le=60.0)] = 4.0
    """standard deviation, per axis, of the shift of an epoch's images [m]"""
    minimum_mapping_area_m2: Annotated[float, Field(gt=0.0, le=5000.0)] = 60.0
    """nothing smaller is drawn [m2]"""
    detection_half_area_m2: Annotated[float, Field(gt=0.0, le=10000.0)] = 150.0
    """area that the mapper finds in half of the cases [m2]"""
    detection_width: Annotated[float, Field(gt=0.0, le=3.0)] = 0.35
    """logistic width of the detection curve in ln(area) [1]"""
    rain_start_year: Annotated[int, Field(ge=2000, le=2015)] = 2013
    """first year of the daily rain"""

    @model_validator(mode="after")
    def _extent_and_epochs(self) -> WorldConfig:
        rows, cols = self.extent_cells
        if rows > FULL_EXTENT_CELLS[0] or cols > FULL_EXTENT_CELLS[1]:
            raise ValueError(
                f"extent_cells: found {rows} x {cols}; expected at most "
                f"{FULL_EXTENT_CELLS[0]} x {FULL_EXTENT_CELLS[1]} (the full study)"
            )
        if self.missed_epoch is not None and self.missed_epoch >= self.n_epochs:
            raise ValueError(
                f"missed_epoch: found {self.missed_epoch}; expected below n_epochs "
                f"({self.n_epochs})"
            )
        return self

    @property
    def pixel_m(self) -> float:
        """Side of a terrain pixel [m]."""
        return self.cell_m / self.pixels_per_cell

    @property
    def pixel_shape(self) -> tuple[int, int]:
        """(rows, columns) of the terrain."""
        rows, cols = self.extent_cells
        return rows * self.pixels_per_cell, cols * self.pixels_per_cell

    @property
    def lattice_m(self) -> float:
        """Spacing of the lattice that carries the intensity [m], whatever the pixels."""
        return self.cell_m / LATTICE_PER_CELL

    @property
    def offset_cells(self) -> tuple[int, int]:
        """(row, column) of the window in the full study, whole blocks of 4 x 4 cells."""
        return (
            (FULL_EXTENT_CELLS[0] - self.extent_cells[0]) // 2 // 4 * 4,
            (FULL_EXTENT_CELLS[1] - self.extent_cells[1]) // 2 // 4 * 4,
        )

    @property
    def config_hash(self) -> str:
        """SHA-256 of the settings and of the generator's version."""
        text = f"{WORLD_VERSION}:{self.model_dump_json()}"
        return hashlib.sha256(text.encode()).hexdigest()
