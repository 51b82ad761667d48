r"""Larger mapping units: what the scores become where the question is asked of 2 or 4 km squares.

Presence in a unit is any density in one of its cells; its forecast is :math:`1 - \prod (1 - p)`,
cells taken as independent given the forecast. Density and expected density are area means.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hazard.evaluate.cases import Cases
from hazard.evaluate.resample import BlockTable, undefined
from hazard.evaluate.scoring import ScoreKey, Scores, error_scores, presence_scores
from stats.case_arrays import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class UnitCases:
    """Cases of larger units.

    Attributes:
        probability: (unit,) forecast probability of any density.
        density: (unit,) observed density [percent of the unit].
        expected_percent: (unit,) expected density [percent of the unit].
        block: (unit,) block of the unit: of its north-west cell.
        left_out: tested cells in incomplete units.
    """

    probability: FloatArray
    density: FloatArray
    expected_percent: FloatArray
    block: IntArray
    left_out: int


def merge_cells(
    cases: Cases, block: IntArray, *, side: int, shape: tuple[int, int]
) -> UnitCases | None:
    """Cases of squares of side x side cells; None where no square is complete.

    Args:
        cases: cells of one epoch.
        block: (case,) block of each cell.
        side: cells along one side of a unit.
        shape: (rows, columns) of the lattice.
    """
    row, column = np.divmod(cases.cell, shape[1])
    best: tuple[IntArray, IntArray] | None = None
    for shift in np.ndindex(side, side):
        unit = ((row + shift[0]) // side) * shape[1] + (column + shift[1]) // side
        number, count = np.unique(unit, return_counts=True)
        complete = number[count == side * side]
        if complete.size and (best is None or complete.size > best[1].size):
            best = unit, complete
        if best is not None and best[1].size * side * side == cases.n:
            break
    if best is None:
        return None
    unit, complete = best
    used = np.isin(unit, complete)
    place = np.searchsorted(complete, unit[used])
    n, cells = complete.size, float(side * side)
    with np.errstate(divide="ignore"):
        none = np.log1p(-cases.probability[used])
    # bincount of -inf is -inf: a certain cell makes a certain unit.
    spared = np.exp(np.bincount(place, weights=none, minlength=n))
    first = np.full(n, cases.n, dtype=np.int64)
    np.minimum.at(first, place, np.flatnonzero(used))
    return UnitCases(
        probability=np.clip(1.0 - spared, 0.0, 1.0),
        density=np.bincount(place, weights=cases.density[used], minlength=n) / cells,
        expected_percent=np.bincount(place, weights=cases.expected_percent[used], minlength=n)
        / cells,
        block=block[first],
        left_out=int(np.count_nonzero(~used)),
    )


def unit_scores(
    cases: Cases, block: IntArray, table: BlockTable, *, side: int, cell_km: float,
    shape: tuple[int, int],
) -> Scores:  # fmt: skip
    """Scores of presence and of expected density in units of side x side cells."""
    size_km = side * cell_km
    units = merge_cells(cases, block, side=side, shape=shape)
    if units is None:
        key = ScoreKey("auc", 0.0, mapping_unit_km=size_km)
        return {key: undefined(f"no complete unit of {side} x {side} tested cells")}
    return presence_scores(
        units.probability, units.density > 0.0, units.block, table, threshold_percent=0.0,
        mapping_unit_km=size_km,
    ) | error_scores(
        units.expected_percent, units.density, units.block, table, mapping_unit_km=size_km
    )  # fmt: skip
