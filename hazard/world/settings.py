"""The settings of a world, declared with the configuration (`hazard.config.world`)."""

from hazard.config.world import (
    CELL_M,
    FULL_EXTENT_CELLS,
    LATTICE_PER_CELL,
    MAXIMUM_EPOCHS,
    WORLD_VERSION,
    WorldConfig,
)

__all__ = [
    "CELL_M",
    "FULL_EXTENT_CELLS",
    "LATTICE_PER_CELL",
    "MAXIMUM_EPOCHS",
    "WORLD_VERSION",
    "WorldConfig",
]
