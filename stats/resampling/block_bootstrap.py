r"""Bootstrap by spatial blocks or by epochs, paired by construction.

Neighbouring cells share rain, rock and the mapper's eye, so cells are not independent and a
bootstrap of cells gives intervals that are far too short. Whole blocks are drawn instead, with
replacement, all their cells (in all epochs scored together) at once. Blocks must be longer than
the range of the dependence; 20 km is the default of the hazard scoreboard.

`BlockDraws` is drawn once and handed to every statistic of every model: equal draws make all
differences paired. A statistic is a function from multiplicities (draw, block), how often each
block was drawn, to values (draw,). Four ways to make one:

- `mean_of`, `ratio_of`, `statistic_of_sums`: addable terms, summed per block once, then a matrix
  product. Contingency scores, R and Brier skill are functions of such sums.
- `RankTable.roc_auc` and `.average_precision` of `stats.scores.ranking`.
- `statistic_of_weights`: any function of case weights, one call per draw (slow, general).
- `difference` of two statistics.

Intervals made by blocks are about this epoch with other places like these; intervals over epochs
need epochs as the unit, and at least five of them (`draw_epochs`).

P. Hall (1985), Stochastic Processes and their Applications 20, 231-246 (blocks in the plane);
S. N. Lahiri (2003), Resampling Methods for Dependent Data, Springer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import FloatArray, IntArray, UndefinedScoreError, as_finite
from stats.resampling.folds_spatial import block_of_cells
from stats.resampling.interval import Interval, Method, boundary_factor, interval_of_draws

Statistic = Callable[[FloatArray], FloatArray]

MINIMUM_EPOCHS = 5


@dataclass(frozen=True, eq=False)
class BlockDraws:
    """Which blocks were drawn how often.

    Attributes:
        block: (case,) block number of each case, from 0.
        multiplicity: (draw, block) how often each block was drawn; rows sum to the number of
            blocks.
        unit: what was resampled, in words.
        n_units: number of independent units, where blocks share draws and are more than that.
    """

    block: IntArray
    multiplicity: FloatArray
    unit: str
    n_units: int | None = None

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return int(self.multiplicity.shape[1])

    def interval(
        self,
        statistic: Statistic,
        *,
        level: float = 0.95,
        method: Method = "expanded",
        finer_values: ArrayLike | None = None,
    ) -> Interval:
        """Estimate and interval of a statistic of multiplicities.

        Args:
            statistic: from multiplicities (draw, block) to values (draw,).
            level: nominal coverage.
            method: "expanded" or plain "percentile".
            finer_values: (draw,) the same statistic under blocks of half the side; the interval is
                widened by `boundary_factor` if they are given.

        Raises:
            UndefinedScoreError: the statistic has no value on all cases or in half of the draws.

        Example:
            >>> draws = draw_blocks([0, 0, 1, 2], draws=100, rng=np.random.default_rng(0))
            >>> result = draws.interval(mean_of([1.0, 1.0, 1.0, 1.0], draws.block))
            >>> result.value, result.low, result.n
            (1.0, 1.0, 3)
        """
        value = float(statistic(np.ones((1, self.n_blocks)))[0])
        values = statistic(self.multiplicity)
        return interval_of_draws(
            value,
            values,
            n=self.n_blocks if self.n_units is None else self.n_units,
            unit=self.unit,
            level=level,
            method=method,
            widen=1.0 if finer_values is None else boundary_factor(values, finer_values),
        )


def draw_blocks(
    block: ArrayLike, *, draws: int, rng: np.random.Generator, unit: str = "block"
) -> BlockDraws:
    """Draw blocks with replacement, as many as there are.

    Args:
        block: (case,) label of the block each case belongs to; any integers.
        draws: number of bootstrap draws.
        rng: source of randomness.
        unit: name of the blocks for the record.

    Example:
        >>> drawn = draw_blocks([7, 7, 9], draws=3, rng=np.random.default_rng(0))
        >>> drawn.multiplicity.sum(axis=1)
        array([2., 2., 2.])
    """
    labels = np.asarray(block)
    if labels.ndim != 1 or labels.size == 0 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"block: found {labels.dtype} {labels.shape}; expected integers (case,)")
    if draws < 1:
        raise ValueError(f"draws: found {draws}; expected 1 or more")
    distinct, number = np.unique(labels, return_inverse=True)
    n = distinct.size
    times = rng.multinomial(n, np.full(n, 1.0 / n), size=draws)
    return BlockDraws(number.reshape(-1).astype(np.int64), times.astype(np.float64), unit)


def draw_spatial_blocks(
    x_m: ArrayLike,
    y_m: ArrayLike,
    *,
    side_m: float,
    draws: int,
    rng: np.random.Generator,
    origin: tuple[float, float] | None = None,
) -> BlockDraws:
    """Draw square blocks of `side_m`; all cases of a place share its block, whatever the epoch.

    Args:
        x_m: (case,) eastings [m].
        y_m: (case,) northings [m].
        side_m: side of a block [m].
        draws: number of bootstrap draws.
        rng: source of randomness.
        origin: a corner of the lattice; the lower left case by default.

    Example:
        >>> x, rng = [0.0, 9e3, 21e3], np.random.default_rng(0)
        >>> drawn = draw_spatial_blocks(x, [0.0, 0.0, 0.0], side_m=20e3, draws=2, rng=rng)
        >>> drawn.block, drawn.unit
        (array([0, 0, 1]), '20 km block')
    """
    x, y = as_finite("x_m", x_m), as_finite("y_m", y_m)
    block = block_of_cells(x, y, block_m=side_m, origin=origin)
    return draw_blocks(block, draws=draws, rng=rng, unit=f"{side_m / 1000.0:g} km block")


def draw_epochs(epoch: ArrayLike, *, draws: int, rng: np.random.Generator) -> BlockDraws:
    """Draw whole epochs, for statements about epochs like these.

    Raises:
        UndefinedScoreError: fewer than five epochs, which carry no such statement.

    Example:
        >>> draw_epochs([3, 4], draws=10, rng=np.random.default_rng(0))
        Traceback (most recent call last):
        stats.case_arrays.UndefinedScoreError: found 2 epochs; intervals over epochs need at least 5
    """
    found = np.unique(np.asarray(epoch)).size
    if found < MINIMUM_EPOCHS:
        raise UndefinedScoreError(
            f"found {found} epochs; intervals over epochs need at least {MINIMUM_EPOCHS}"
        )
    return draw_blocks(epoch, draws=draws, rng=rng, unit="epoch")


def _block_sums(terms: FloatArray, block: IntArray, n_blocks: int) -> FloatArray:
    """(block, term) sums over the cases of each block."""
    return np.stack([np.bincount(block, t, n_blocks) for t in terms.T], axis=1)


def statistic_of_sums(
    terms: ArrayLike, block: ArrayLike, function: Callable[[FloatArray], FloatArray]
) -> Statistic:
    """Statistic that depends on the cases through sums of addable terms only.

    Args:
        terms: (case, term) or (case,) terms; +inf is allowed (a log score) and makes every sum
            with its block infinite.
        block: (case,) block numbers, from `BlockDraws.block`.
        function: from (draw, term) sums to (draw,) values, NaN where undefined, such as
            `stats.scores.contingency.f1_of_counts`.

    Raises:
        ValueError: a term is NaN or -inf.

    Example:
        >>> f = statistic_of_sums([[1.0, 1.0], [3.0, 1.0]], [0, 1], lambda s: s[:, 0] / s[:, 1])
        >>> f(np.array([[1.0, 1.0], [0.0, 2.0]]))
        array([2., 3.])
    """
    table, number = np.asarray(terms, dtype=np.float64), np.asarray(block)
    if table.ndim == 1:
        table = table[:, None]
    if table.ndim != 2 or number.shape != table.shape[:1]:
        raise ValueError(f"terms {table.shape} and block {number.shape}; expected the same cases")
    bad = int((np.isnan(table) | np.isneginf(table)).sum())
    if bad:
        raise ValueError(f"terms: found {bad} of {table.size} values NaN or -inf")
    infinite = np.isposinf(table)
    n_blocks = int(number.max()) + 1
    finite = _block_sums(np.where(infinite, 0.0, table), number, n_blocks)
    endless = _block_sums(infinite.astype(np.float64), number, n_blocks) if infinite.any() else None

    def statistic(multiplicity: FloatArray) -> FloatArray:
        m = np.asarray(multiplicity, dtype=np.float64)[:, :n_blocks]
        sums = m @ finite
        if endless is not None:
            sums = np.where(m @ endless > 0.0, np.inf, sums)
        return np.asarray(function(sums), dtype=np.float64)

    return statistic


def _quotient(sums: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(sums[:, 1] > 0.0, sums[:, 0] / sums[:, 1], np.nan)


def ratio_of(numerator: ArrayLike, denominator: ArrayLike, block: ArrayLike) -> Statistic:
    """Sum of `numerator` over sum of `denominator`, such as predicted over observed area.

    Example:
        >>> ratio_of([2.0, 4.0], [1.0, 1.0], [0, 1])(np.ones((1, 2)))
        array([3.])
    """
    pair = np.stack([np.asarray(numerator, float), np.asarray(denominator, float)], axis=1)
    return statistic_of_sums(pair, block, _quotient)


def mean_of(terms: ArrayLike, block: ArrayLike, *, weights: ArrayLike | None = None) -> Statistic:
    """Weighted mean of score terms; a weight of 0 leaves a case out (a subset of the cases).

    Example:
        >>> mean_of([1.0, 5.0], [0, 1], weights=[1.0, 0.0])(np.ones((1, 2)))
        array([1.])
    """
    t = np.asarray(terms, dtype=np.float64)
    w = np.ones(t.shape) if weights is None else as_finite("weights", weights)
    return ratio_of(np.where(w > 0.0, w * np.where(w > 0.0, t, 0.0), 0.0), w, block)


def statistic_of_weights(function: Callable[[FloatArray], float], block: ArrayLike) -> Statistic:
    """Statistic from any function of (case,) weights, called once per draw.

    A draw on which the function raises `UndefinedScoreError` is marked as undefined.

    Example:
        >>> f = statistic_of_weights(lambda w: float(w @ np.array([1.0, 3.0]) / w.sum()), [0, 1])
        >>> f(np.array([[1.0, 1.0], [2.0, 0.0]]))
        array([2., 1.])
    """
    number = np.asarray(block)

    def one(row: FloatArray) -> float:
        try:
            return float(function(row[number]))
        except UndefinedScoreError:
            return float("nan")

    def statistic(multiplicity: FloatArray) -> FloatArray:
        return np.array([one(row) for row in np.asarray(multiplicity, dtype=np.float64)])

    return statistic


def difference(first: Statistic, second: Statistic) -> Statistic:
    """First minus second on the same draws: a paired difference of two forecasts.

    Example:
        >>> f = difference(mean_of([3.0, 4.0], [0, 1]), mean_of([1.0, 1.0], [0, 1]))
        >>> f(np.ones((1, 2)))
        array([2.5])
    """

    def statistic(multiplicity: FloatArray) -> FloatArray:
        with np.errstate(invalid="ignore"):
            return first(multiplicity) - second(multiplicity)

    return statistic
