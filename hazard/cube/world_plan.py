"""The lattices of a world that is not built yet, for the dry run."""

from __future__ import annotations

import math

from hazard.config.schema import HazardConfig
from hazard.cube.grids import FLOW_MARGIN_M, StudyGrids


def world_grids(config: HazardConfig) -> tuple[StudyGrids, int]:
    """Lattices of the embedded world of a configuration, and the pixels of its terrain."""
    from hazard.world.domain import cell_grid

    if config.if_missing is None:
        raise ValueError("no if_missing.world in the configuration")
    world = config.if_missing.world
    cells = cell_grid(world)
    pixels = cells.refine(world.pixels_per_cell)
    grids = StudyGrids(
        cells=cells,
        pixels=pixels,
        triggers=cells.coarsen(config.cube.trigger_factor),
        pixels_per_cell=world.pixels_per_cell,
        margin=math.ceil(FLOW_MARGIN_M / max(pixels.cell_size)),
    )
    return grids, math.prod(pixels.shape)
