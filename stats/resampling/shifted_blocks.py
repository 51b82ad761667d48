r"""Bootstrap over several lattices of blocks, each with another corner.

One lattice of large blocks is few units, and where its lines happen to fall decides much of the
answer. Draws from several lattices with random corners are pooled: the same mean of the variance
with less noise, as overlapping blocks give it. Two corrections go with it. Blocks at the rim of an
irregular study are slivers, so the number of units is Kish's,

.. math:: n_e = \Bigl(\sum_b c_b\Bigr)^2 / \sum_b c_b^2

with c_b cases in block b, averaged over the lattices. And blocks of half the side tell how much
covariance the lines cut away (`boundary_factor`).

H. R. Kuensch (1989), Annals of Statistics 17, 1217-1241, doi:10.1214/aos/1176347265 (overlapping
blocks); P. Hall, J. L. Horowitz & B.-Y. Jing (1995), Biometrika 82, 561-574,
doi:10.1093/biomet/82.3.561.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import FloatArray, IntArray, UndefinedScoreError, as_finite
from stats.resampling.block_bootstrap import Statistic
from stats.resampling.interval import Interval, boundary_factor, interval_of_draws

# Blocks times draws held at once.
_DRAWN_AT_ONCE = 2_000_000

MakeStatistic = Callable[[IntArray], Statistic]


@dataclass(frozen=True, eq=False)
class ShiftedDraws:
    """Values of a statistic under pooled lattices of blocks.

    Attributes:
        value: on all cases.
        draws: (draw,) on the draws of all lattices.
        finer_draws: (draw,) on blocks of half the side.
        n_units: effective number of blocks.
        side_m: side of a block [m].
        lattices: number of lattices.
    """

    value: float
    draws: FloatArray
    finer_draws: FloatArray
    n_units: float
    side_m: float
    lattices: int

    @property
    def widen(self) -> float:
        """Factor for the covariance cut at the lines of the lattice."""
        return boundary_factor(self.draws, self.finer_draws)

    @property
    def unit(self) -> str:
        """What was resampled, in words."""
        return f"{self.side_m / 1000.0:g} km block, {self.lattices} lattices"

    @property
    def standard_error(self) -> float:
        """Standard deviation of the statistic, both corrections made.

        Raises:
            UndefinedScoreError: some draw is infinite or without a value, or fewer than two units.
        """
        if not np.isfinite(self.draws).all() or self.n_units < 2.0:
            raise UndefinedScoreError("a standard error needs finite draws of at least 2 units")
        scale = math.sqrt(self.n_units / (self.n_units - 1.0))
        return float(self.draws.std()) * self.widen * scale

    def interval(self, *, level: float = 0.95) -> Interval:
        """Interval by expanded percentiles, widened for the cut covariance."""
        return interval_of_draws(
            self.value, self.draws, n=math.floor(self.n_units + 1e-9), unit=self.unit, level=level,
            widen=self.widen,
        )  # fmt: skip


def block_numbers(
    x_m: FloatArray, y_m: FloatArray, side_m: float, corner: tuple[float, float]
) -> IntArray:
    """(case,) number of the block of each case, from 0 without gaps.

    Example:
        >>> block_numbers(np.array([0.0, 9.0, 11.0]), np.zeros(3), 10.0, (0.0, 0.0))
        array([0, 0, 1])
    """
    column = np.floor((x_m - corner[0]) / side_m).astype(np.int64)
    row = np.floor((y_m - corner[1]) / side_m).astype(np.int64)
    column -= column.min()
    row -= row.min()
    code = row * (int(column.max()) + 1) + column
    used = np.bincount(code) > 0
    return (np.cumsum(used) - 1)[code]


def _multiplicities(n_blocks: int, draws: int, rng: np.random.Generator) -> FloatArray:
    """(draw, block) how often each block is drawn; faster than multinomial with many blocks."""
    drawn = rng.integers(n_blocks, size=(draws, n_blocks))
    drawn += np.arange(draws)[:, None] * n_blocks
    times = np.bincount(drawn.ravel(), minlength=draws * n_blocks)
    return times.reshape(draws, n_blocks).astype(np.float64)


def shifted_block_draws(
    make: MakeStatistic,
    x_m: ArrayLike,
    y_m: ArrayLike,
    *,
    side_m: float,
    rng: np.random.Generator,
    draws: int = 800,
    lattices: int = 8,
) -> ShiftedDraws:
    """Draw square blocks on several lattices with random corners.

    Args:
        make: from (case,) block numbers to a statistic of multiplicities, such as
            ``lambda block: mean_of(terms, block)``.
        x_m: (case,) eastings [m].
        y_m: (case,) northings [m].
        side_m: side of a block [m].
        rng: source of randomness.
        draws: number of draws over all lattices.
        lattices: number of lattices.

    Raises:
        ValueError: a side that is not above 0, or fewer draws than lattices.

    Example:
        >>> from stats.resampling.block_bootstrap import mean_of
        >>> y, x = (axis.ravel() for axis in np.mgrid[:40.0, :40.0])
        >>> terms = np.random.default_rng(0).normal(size=1600)
        >>> found = shifted_block_draws(lambda block: mean_of(terms, block), x, y, side_m=4.0,
        ...                             rng=np.random.default_rng(1))
        >>> found.interval().excludes(0.0), round(found.standard_error, 3)
        (False, 0.025)
    """
    x, y = as_finite("x_m", x_m).reshape(-1), as_finite("y_m", y_m).reshape(-1)
    if x.shape != y.shape or not x.size:
        raise ValueError(f"x_m {x.shape} and y_m {y.shape}; expected the same cases")
    if not side_m > 0.0:
        raise ValueError(f"side_m: found {side_m}; expected a side above 0")
    if lattices < 1 or draws < lattices:
        raise ValueError(f"found {draws} draws of {lattices} lattices; expected 1 or more each")
    west, south = float(x.min()), float(y.min())
    whole: list[FloatArray] = []
    half: list[FloatArray] = []
    units: list[float] = []
    value = math.nan
    for lattice in range(lattices):
        corner = west - side_m * rng.random(), south - side_m * rng.random()
        share = draws // lattices + (lattice < draws % lattices)
        for side, kept in ((side_m, whole), (0.5 * side_m, half)):
            number = block_numbers(x, y, side, corner)
            n_blocks = int(number.max()) + 1
            statistic = make(number)
            rows = max(1, _DRAWN_AT_ONCE // n_blocks)
            for first in range(0, share, rows):
                times = _multiplicities(n_blocks, min(rows, share - first), rng)
                kept.append(statistic(times))
            if side == side_m:
                value = float(statistic(np.ones((1, n_blocks)))[0])
                count = np.bincount(number).astype(np.float64)
                units.append(float(count.sum() ** 2 / (count @ count)))
    return ShiftedDraws(
        value=value, draws=np.concatenate(whole), finer_draws=np.concatenate(half),
        n_units=float(np.mean(units)), side_m=float(side_m), lattices=lattices,
    )  # fmt: skip
