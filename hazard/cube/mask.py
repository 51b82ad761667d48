"""The study mask: which cells were mapped. Decided here, once, and shrunk by nothing later.

================  ================================================================================
density raster    cells with a value in at least one epoch
inventories       ``target.mask`` (non-zero), else every cell with elevation under its centre
================  ================================================================================

Whether a cell was seen in an epoch is another matter: ``observed``, per epoch, is a part of the
mask. A cell without elevation, shaking or rain stays in the mask; the predictor is filled there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hazard.config.schema import HazardConfig
from hazard.errors import DataError
from hazard.geo.epoch_series import EpochSeries
from hazard.geo.grid import Grid
from hazard.geo.raster import read_on_grid

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, kw_only=True, eq=False)
class StudyMask:
    """Cells of the study.

    Attributes:
        cells: (y, x) True for mapped cells.
        observed: (epoch, y, x) mapped cells that were seen in the epoch.
        rule: how they were decided, in words.
        area_dropped_m2: landslide area in cells that are not in the mask, all epochs [m2].
    """

    cells: BoolArray
    observed: BoolArray
    rule: str
    area_dropped_m2: float


def elevation_under_centre(config: HazardConfig, grid: Grid) -> BoolArray:
    """(y, x) True where the elevation file has a value under the centre of the cell."""
    if config.terrain is None:
        raise ValueError("an incomplete configuration; resolve its sources first")
    terrain = config.terrain
    raster = read_on_grid(terrain.elevation, grid, resampling="nearest", nodata=terrain.nodata)
    return raster.valid


def decide_mask(config: HazardConfig, series: EpochSeries) -> StudyMask:
    """The mask of a study from its target.

    Raises:
        DataError: a mask that is empty.
    """
    target, grid = config.target, series.grid
    if target is None:
        raise ValueError("an incomplete configuration; resolve its sources first")
    source: Path
    if target.kind == "density_raster":
        source = target.file
        cells = np.asarray(series.observed.any(axis=0))
        rule = "cells with a density in at least one epoch"
    elif target.mask is not None:
        source = target.mask
        raster = read_on_grid(target.mask, grid, resampling="nearest")
        cells = raster.valid & (np.nan_to_num(raster.values) != 0)
        rule = f"non-zero cells of {target.mask.name}"
    else:
        source = config.terrain.elevation if config.terrain is not None else Path("terrain")
        cells = elevation_under_centre(config, grid)
        rule = "cells with elevation under their centre"
    if not cells.any():
        raise DataError(source, found="no mapped cell on the study grid", expected="at least one")
    area = np.nan_to_num(series.area_m2, nan=0.0)
    return StudyMask(
        cells=cells,
        observed=series.observed & cells,
        rule=rule,
        area_dropped_m2=float(area[:, ~cells].sum()),
    )
