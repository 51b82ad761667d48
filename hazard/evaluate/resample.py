"""One table of resampled blocks for a whole run, and scores that carry their resamples.

The blocks of the study are drawn once; every scheme, model and epoch is scored on the same draws,
so that the difference of any two scores is a paired one. A case that holds few of the blocks sees
a varying number of cells. Row 0 of the table is the data themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from hazard.evaluate.settings import EvaluationSettings
from stats.case_arrays import BoolArray, FloatArray, IntArray, UndefinedScoreError
from stats.resampling.block_bootstrap import Statistic, draw_blocks
from stats.resampling.folds_spatial import block_of_cells
from stats.resampling.interval import interval_of_draws

if TYPE_CHECKING:
    from hazard.geo.grid import Grid

NAN = float("nan")
OUTSIDE = -1


@dataclass(frozen=True, kw_only=True, eq=False)
class Estimate:
    """A score with its resamples.

    Attributes:
        value: on all cases; NaN where there is none, and `note` says why.
        draws: (draw,) on the resamples; None where there is no interval.
        n: number of cases.
        n_blocks: number of resampled blocks that hold cases.
        note: what a reader must know.
    """

    value: float
    draws: FloatArray | None = field(default=None, repr=False)
    n: int = 0
    n_blocks: int = 0
    note: str = ""

    def interval(self, level: float) -> tuple[float, float, str]:
        """Ends of the interval, NaN where there is none, and the reason for that.

        Example:
            >>> low, _, note = Estimate(value=0.5, draws=np.arange(9.0), n_blocks=1).interval(0.9)
            >>> low, note
            (nan, 'no interval: found 1 block; an interval needs at least 2 resampled units')
        """
        if self.draws is None or np.isnan(self.value):
            return NAN, NAN, ""
        try:
            found = interval_of_draws(
                self.value, self.draws, n=self.n_blocks, unit="block", level=level
            )
        except (UndefinedScoreError, ValueError) as error:
            return NAN, NAN, f"no interval: {error}"
        return found.low, found.high, ""


def undefined(reason: object, n: int = 0) -> Estimate:
    """A score without a value, and why.

    Example:
        >>> undefined("no positive cells").value
        nan
    """
    return Estimate(value=NAN, n=n, note=str(reason))


@dataclass(frozen=True, kw_only=True, eq=False)
class BlockTable:
    """Blocks of the cells of a study, and how often each was drawn.

    Attributes:
        block: (cell,) block of every cell of the flattened (y, x) lattice, -1 outside the study.
        multiplicity: (1 + draw, block); row 0 is 1 throughout.
    """

    block: IntArray
    multiplicity: FloatArray

    def estimate(self, statistic: Statistic, block: IntArray) -> Estimate:
        """Value and resamples of a statistic of multiplicities.

        Args:
            statistic: from (draw, block) multiplicities to (draw,) values.
            block: (case,) blocks of the cases it is made of.
        """
        return self.of_values(statistic(self.multiplicity), block)

    def of_values(self, values: FloatArray, block: IntArray) -> Estimate:
        """The estimate of (1 + draw,) values, the first of which is that of all cases."""
        return Estimate(
            value=float(values[0]), draws=values[1:], n=int(block.size),
            n_blocks=int(np.count_nonzero(np.bincount(block))),
        )  # fmt: skip


def block_table(grid: Grid, mask: BoolArray, settings: EvaluationSettings) -> BlockTable:
    """Draw the blocks of a study.

    Args:
        grid: grid of the cells.
        mask: (y, x) cells of the study.
        settings: side of the blocks, draws, seed.
    """
    rows, columns = (place.astype(np.float64) for place in np.nonzero(mask))
    width, height = grid.cell_size
    number = block_of_cells(
        (columns + 0.5) * width, -(rows + 0.5) * height, block_m=settings.block_km * 1000.0,
        origin=(0.0, -grid.shape[0] * height),
    )  # fmt: skip
    drawn = draw_blocks(number, draws=settings.draws, rng=np.random.default_rng(settings.seed))
    block = np.full(mask.size, OUTSIDE, dtype=np.int64)
    block[np.flatnonzero(mask)] = drawn.block
    ones = np.ones((1, drawn.n_blocks))
    return BlockTable(block=block, multiplicity=np.concatenate([ones, drawn.multiplicity]))
