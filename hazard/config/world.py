"""Settings of the embedded world."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hazard.config.study import Positive
from hazard.config.validation import Section


class WorldConfig(Section):
    """A synthetic study whose truth is known."""

    kind: Literal["gorkha_like", "alternative"] = "gorkha_like"
    """which law of intensity and size"""
    extent_cells: tuple[Annotated[int, Field(ge=8)], Annotated[int, Field(ge=8)]] = (196, 220)
    """rows and columns of cells"""
    cell_m: Positive = 1000.0
    """cell size [m]"""
    pixels_per_cell: Annotated[int, Field(ge=1, le=64)] = 8
    """elevation pixels along one side of a cell"""
    n_epochs: Annotated[int, Field(ge=2, le=8)] = 8
    """epochs of the series"""
    seed: Annotated[int, Field(ge=0)] = 0
    """seed of the world"""
