r"""Empirical variogram of masked lattices: isotropic and directional.

.. math:: \hat\gamma(k) = \frac{1}{2 N_k} \sum_{(i, j) \in k} (x_i - x_j)^2

over the pairs of valid cells in class k of distance (and direction). All pairs count, none are
sampled.

G. Matheron (1963), Economic Geology 58, 1246-1266, doi:10.2113/gsecongeo.58.8.1246.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import FloatArray
from stats.spatial.correlogram import mean_distance
from stats.spatial.lag_sums import (
    LagSums,
    lag_sums,
)
from stats.spatial.lags import LagClasses, lag_classes

FOUR_AZIMUTHS = (0.0, 45.0, 90.0, 135.0)


@dataclass(frozen=True, eq=False)
class Variogram:
    """Empirical semivariance by class of distance.

    Attributes:
        distance: (class,) mean distance of the pairs, NaN where there are none.
        gamma: (class,) semivariance, in the squared unit of the values; NaN without pairs.
        pairs: (class,) number of pairs.
        variance: variance of the values (divisor n), the sill of a field without dependence.
        n: number of cells.
        classes: classes of the lags, with the direction.
    """

    distance: FloatArray
    gamma: FloatArray
    pairs: FloatArray
    variance: float
    n: int
    classes: LagClasses


def variogram_of_sums(sums: LagSums, classes: LagClasses) -> Variogram:
    """Variogram from pair sums that are known already.

    Args:
        sums: from `lag_sums`, with a window of the reach of the classes.
        classes: classes of the lags.
    """
    distance, count = mean_distance(sums.pairs, classes)
    with np.errstate(invalid="ignore", divide="ignore"):
        gamma = 0.5 * classes.sums(sums.squared_differences) / count
    return Variogram(
        distance=distance, gamma=np.where(count > 0, gamma, np.nan), pairs=count / 2.0,
        variance=sums.sum_squares / sums.n, n=sums.n, classes=classes,
    )  # fmt: skip


def variogram(
    values: ArrayLike,
    valid: ArrayLike | None = None,
    *,
    classes: LagClasses | None = None,
    workers: int = -1,
) -> Variogram:
    """Variogram of a (y, x) lattice over the directions of the classes.

    Args:
        values: (y, x); what lies outside `valid` is ignored.
        valid: (y, x) True for cells that count; None counts the finite ones.
        classes: classes of the lags; 50 of one cell each in all directions by default.
        workers: threads of a transform; -1 takes all cores.

    Raises:
        UndefinedScoreError: fewer than 4 cells, or constant values.

    Example:
        >>> slope = np.tile(np.arange(5.0), (5, 1))
        >>> variogram(slope, classes=lag_classes(2, azimuth_deg=90.0, tolerance_deg=1.0)).gamma
        array([0.5, 2. ])
    """
    chosen = lag_classes() if classes is None else classes
    return variogram_of_sums(lag_sums(values, valid, chosen, workers=workers), chosen)


def directional_variograms(
    values: ArrayLike,
    valid: ArrayLike | None = None,
    *,
    lags: int = 50,
    cell_size: tuple[float, float] = (1.0, 1.0),
    azimuths_deg: Sequence[float] = FOUR_AZIMUTHS,
    tolerance_deg: float = 22.5,
    workers: int = -1,
) -> tuple[Variogram, ...]:
    """One variogram per direction, all from one set of pair sums.

    Args:
        values: (y, x); what lies outside `valid` is ignored.
        valid: (y, x) True for cells that count; None counts the finite ones.
        lags: number of classes, of the larger side of a cell each.
        cell_size: height and width of a cell.
        azimuths_deg: directions, clockwise from north (rows run south).
        tolerance_deg: half-width of each sector.
        workers: threads of a transform; -1 takes all cores.

    Example:
        >>> slope = np.tile(np.arange(5.0), (5, 1))
        >>> north, _, east, _ = directional_variograms(slope, lags=1)
        >>> north.gamma, east.gamma
        (array([0.]), array([0.5]))
    """
    every = lag_classes(lags, cell_size=cell_size)
    sums = lag_sums(values, valid, every, workers=workers)
    return tuple(
        variogram_of_sums(
            sums,
            lag_classes(
                lags, cell_size=cell_size, azimuth_deg=azimuth, tolerance_deg=tolerance_deg
            ),
        )
        for azimuth in azimuths_deg
    )
