"""From the range of dependence to the side of the blocks of a cross-validation.

A test block should share nothing with training: its side (or its buffer) must reach as far as the
dependence does. Which field's dependence? That of what the model does not explain: residuals of a
forecast that was not fitted at the place. Residuals of a model fitted there are too smooth, since
it has swallowed part of the dependence, and the raw outcome is too rough a judge where predictors
explain much of it. So several fields may be given, and the longest range decides.

D. R. Roberts et al. (2017), Ecography 40, 913-929, doi:10.1111/ecog.02881.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from stats.resampling.folds_spatial import block_of_cells


@dataclass(frozen=True)
class BlockSize:
    """Side of the blocks of a cross-validation.

    Attributes:
        side_m: side [m], a whole number of cells.
        range_m: longest range of dependence [m].
        field: name of the field that has it.
        n_blocks: number of such blocks that hold cells of the mask.
        enough: whether there are as many as asked for.
        note: what to know before using it; empty if nothing.
    """

    side_m: float
    range_m: float
    field: str
    n_blocks: int
    enough: bool
    note: str


def cross_validation_block(
    ranges_m: Mapping[str, float],
    valid: ArrayLike,
    *,
    cell_m: float,
    multiple: float = 1.0,
    minimum_blocks: int = 10,
) -> BlockSize:
    """Block side from the ranges of one or several fields, rounded up to whole cells.

    The side is never cut to get more blocks: too few of them is an answer about the study.

    Args:
        ranges_m: range of dependence [m] by name of field (an epoch, a residual), from
            `Correlogram.range` or `VariogramModel.effective_range`.
        valid: (y, x) mask of the study.
        cell_m: side of a cell [m].
        multiple: side in ranges.
        minimum_blocks: number of blocks below which `enough` is False.

    Raises:
        ValueError: no field, a range that is not finite or below 0, or an empty mask.

    Example:
        >>> found = cross_validation_block({"2015": 4.2e3, "2016": 2e3}, np.ones((50, 50), bool),
        ...                                cell_m=1e3)
        >>> found.side_m, found.field, found.n_blocks
        (5000.0, '2015', 100)
    """
    mask = np.asarray(valid, dtype=bool)
    if not ranges_m or not mask.any() or mask.ndim != 2:
        raise ValueError("expected at least one field and a (y, x) mask that is not empty")
    if not all(math.isfinite(r) and r >= 0.0 for r in ranges_m.values()):
        raise ValueError(f"ranges_m: found {dict(ranges_m)}; expected finite, 0 or more")
    if not (cell_m > 0.0 and multiple > 0.0):
        raise ValueError(f"found a cell of {cell_m} m and {multiple} ranges; expected above 0")
    field = max(ranges_m, key=lambda name: ranges_m[name])
    cells = max(1, math.ceil(multiple * ranges_m[field] / cell_m - 1e-9))
    rows, columns = (place.astype(np.float64) for place in np.nonzero(mask))
    block = block_of_cells(columns * cell_m, rows * cell_m, block_m=cells * cell_m)
    n_blocks = int(block.max()) + 1
    enough = n_blocks >= minimum_blocks
    if not enough:
        note = (
            f"{n_blocks} blocks of {cells * cell_m / 1000.0:g} km: the dependence reaches too far "
            f"for {minimum_blocks} blocks in this study"
        )
    elif ranges_m[field] == 0.0:
        note = "no dependence between neighbours was found; single cells serve as blocks"
    else:
        note = ""
    return BlockSize(
        side_m=cells * cell_m, range_m=float(ranges_m[field]), field=field, n_blocks=n_blocks,
        enough=enough, note=note,
    )  # fmt: skip
