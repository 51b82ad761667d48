"""The mapped area: a ragged belt along the rupture, made of whole blocks of 4 x 4 cells."""

from __future__ import annotations

import numpy as np

from hazard.world.domain import Array, random_stream
from hazard.world.fields import regional_field, sample_axes
from hazard.world.settings import FULL_EXTENT_CELLS, WorldConfig
from hazard.world.shaking import AFTERSHOCK, MAINSHOCK, joyner_boore_km

BLOCK_CELLS = 4
# As many blocks of the full study are mapped as in the published one.
FULL_BLOCKS = 1335
RAGGED_KM = 9.0
RAGGED_RANGE_KM = 22.0


def mapped_cells(config: WorldConfig) -> Array:
    """(y, x) bool: cells that the inventories cover; cells beyond whole blocks are not mapped.

    Example:
        >>> mask = mapped_cells(WorldConfig(pixels_per_cell=4))
        >>> mask.shape, int(mask.sum())
        ((196, 220), 21360)
    """
    rng = random_stream(config, "study area")
    ragged = RAGGED_KM * regional_field(range_km=RAGGED_RANGE_KM, rng=rng, spacing_km=1.0)
    y = np.arange(FULL_EXTENT_CELLS[0] // BLOCK_CELLS) * BLOCK_CELLS + BLOCK_CELLS / 2
    x = np.arange(FULL_EXTENT_CELLS[1] // BLOCK_CELLS) * BLOCK_CELLS + BLOCK_CELLS / 2
    xx, yy = np.meshgrid(x, y)
    distance = np.minimum(joyner_boore_km(MAINSHOCK, xx, yy), joyner_boore_km(AFTERSHOCK, xx, yy))
    score = distance + sample_axes(ragged, x, y, spacing_km=1.0)
    mapped = score <= np.sort(score, axis=None)[FULL_BLOCKS - 1]
    full = np.repeat(np.repeat(mapped, BLOCK_CELLS, axis=0), BLOCK_CELLS, axis=1)
    row0, col0 = config.offset_cells
    rows, cols = config.extent_cells
    window = full[row0 : row0 + rows, col0 : col0 + cols].copy()
    window[rows // BLOCK_CELLS * BLOCK_CELLS :] = False
    window[:, cols // BLOCK_CELLS * BLOCK_CELLS :] = False
    return window
