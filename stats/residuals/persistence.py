r"""Do errors come back? Residuals of one epoch against those of the next, cell by cell.

For cells tested in both epochs, with residuals less their mean over these cells,

.. math:: r = \frac{\sum_i a_i b_i}{\sqrt{\sum_i a_i^2 \sum_i b_i^2}},

the correlation of what was left unexplained. Above 0, the forecast is wrong in the same places each
time: something that stays there is missing (rock, roads, a mapper's habit). Products of neighbours
depend on each other where residuals do, so the scatter of :math:`\sum a_i b_i` is that of its sums
over blocks, and the p-value that of Student's t over blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import special

from stats.case_arrays import FloatArray, IntArray
from stats.resampling.folds_spatial import block_of_cells
from stats.residuals.cases import ForecastCases

FEWEST_BLOCKS = 10


@dataclass(frozen=True, kw_only=True)
class Persistence:
    """Residuals of two neighbouring epochs.

    Attributes:
        first: earlier epoch.
        second: later epoch.
        correlation: of their residuals over the cells tested in both.
        p_value: two-sided, of no correlation.
        n: cells.
        n_blocks: blocks behind the p-value.
    """

    first: Any
    second: Any
    correlation: float
    p_value: float
    n: int
    n_blocks: int


def persistence(
    cases: ForecastCases, residual: FloatArray, *, block_m: float
) -> tuple[Persistence, ...]:
    """One row per pair of neighbouring epochs that share enough cells.

    Args:
        cases: of the residuals.
        residual: (case,) standardised residuals; NaN where there is none.
        block_m: side of the blocks, at least the range of the residuals [m].

    Example:
        >>> from stats.laws.hurdle import hurdle_lognormal
        >>> rng = np.random.default_rng(0)
        >>> y, x = (np.tile(a.ravel() * 1e3, 2) for a in np.mgrid[:20, :20])
        >>> law = hurdle_lognormal(np.full(800, 0.3), np.zeros(800), np.ones(800))
        >>> cases = ForecastCases(law=law, value=law.sample(rng), epoch=np.repeat([0, 1], 400),
        ...                       x_m=x, y_m=y, cell_m=1e3)
        >>> place = np.tile(rng.normal(size=400), 2)
        >>> found = persistence(cases, place + rng.normal(size=800), block_m=2e3)[0]
        >>> found.correlation > 0.3, found.p_value < 0.001, found.n, found.n_blocks
        (True, True, 400, 100)
    """
    block = block_of_cells(cases.x_m, cases.y_m, block_m=block_m)
    _, place = np.unique(np.stack([cases.x_m, cases.y_m]), axis=1, return_inverse=True)
    place = place.reshape(-1)
    rows = []
    for first, second in pairwise(cases.epochs):
        held = [np.flatnonzero((cases.epoch == e) & np.isfinite(residual)) for e in (first, second)]
        _, a, b = np.intersect1d(place[held[0]], place[held[1]], return_indices=True)
        one, two = held[0][a], held[1][b]
        number: IntArray = np.unique(block[one], return_inverse=True)[1].reshape(-1)
        n_blocks = int(number.max()) + 1 if number.size else 0
        if n_blocks < FEWEST_BLOCKS:
            continue
        u, v = (residual[at] - residual[at].mean() for at in (one, two))
        scale = float(np.sqrt((u @ u) * (v @ v)))
        if scale == 0.0:
            continue
        sums = np.bincount(number, u * v)
        spread = float(np.sqrt(sums @ sums))
        t = float(sums.sum()) / spread if spread > 0.0 else 0.0
        rows.append(
            Persistence(
                first=first, second=second, correlation=float(u @ v) / scale,
                p_value=float(2.0 * special.stdtr(n_blocks - 1, -abs(t))), n=int(one.size),
                n_blocks=n_blocks,
            )
        )  # fmt: skip
    return tuple(rows)
