r"""Side of the bootstrap's blocks, from the dependence of the terms themselves.

For the mean of a field with covariance C(h), blocks of side b cells cut part of the covariance
away, and few blocks make a noisy variance. To first order the estimated variance, relative to the
truth :math:`\sigma^2 = \sum_h C(h)`, has

.. math:: \text{bias} = -\frac{B}{b\,\sigma^2}, \quad B = \sum_h (|h_x| + |h_y|) C(h), \qquad
          \text{variance} = \frac{2 b^2}{N},

with N cells. The mean squared error is least at :math:`b^4 = (B / \sigma^2)^2 N`. Both sums run
over a taper that is 1 up to the range of the correlogram and 0 beyond twice it, the plane's version
of the flat-top rule for series (D. N. Politis & H. White 2004).

D. N. Politis & H. White (2004), Econometric Reviews 23, 53-70, doi:10.1081/ETC-120028836;
P. Hall, J. L. Horowitz & B.-Y. Jing (1995), Biometrika 82, 561-574, doi:10.1093/biomet/82.3.561;
D. J. Nordman, S. N. Lahiri & B. L. Fridley (2007), Sankhya 69, 468-493.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import BoolArray, FloatArray, UndefinedScoreError, as_finite
from stats.spatial.correlogram import correlogram_of_sums, degree_squares
from stats.spatial.lag_sums import LagSums, Padded, lag_sums, mask_sums
from stats.spatial.lags import LagClasses, lag_classes
from stats.spatial.lattice import lattice_of_cases

# Lags of the first look at the correlogram: most score differences forget within these.
_FIRST_WINDOW = 16


@dataclass(frozen=True)
class BlockLength:
    """Side of the blocks of a bootstrap.

    Attributes:
        side_m: side [m], a whole number of cells, at least 2.
        range_m: distance [m] at which the correlogram of the terms becomes negligible.
        optimal_m: side [m] of the smallest mean squared error, before any bound.
        n_blocks: number of such blocks that the study would hold if it were filled, N / b^2.
        effective_n: number of independent cells that would tell as much, N C(0) / sum C(h).
        bounded: the side was cut to keep `minimum_blocks`; intervals are then too short.
    """

    side_m: float
    range_m: float
    optimal_m: float
    n_blocks: float
    effective_n: float
    bounded: bool


def case_field(
    terms: ArrayLike, x_m: ArrayLike, y_m: ArrayLike, *, cell_m: float
) -> tuple[FloatArray, BoolArray]:
    """(y, x) deviations of the cases from their mean, summed over the cases of a cell, and a mask.

    The sums over blocks of this field are what a bootstrap of the mean resamples: cases of a cell
    in several epochs belong together.

    Args:
        terms: (case,) terms.
        x_m: (case,) eastings [m].
        y_m: (case,) northings [m].
        cell_m: side of a cell [m].

    Example:
        >>> case_field([1.0, 3.0, 5.0], [0.0, 1.0, 1.0], [0.0, 0.0, 0.0], cell_m=1.0)
        (array([[-2.,  2.]]), array([[ True,  True]]))
    """
    t = as_finite("terms", terms).reshape(-1)
    row, column, shape = lattice_of_cases(x_m, y_m, cell_m=cell_m)
    if t.shape != row.shape:
        raise ValueError(f"terms {t.shape}, places {row.shape}; expected the same cases")
    place = row * shape[1] + column
    size = shape[0] * shape[1]
    field = np.asarray(np.bincount(place, t - t.mean(), size), dtype=np.float64).reshape(shape)
    return field, np.bincount(place, minlength=size).reshape(shape) > 0


def automatic_block(
    terms: ArrayLike,
    x_m: ArrayLike,
    y_m: ArrayLike,
    *,
    cell_m: float,
    minimum_blocks: int = 12,
) -> BlockLength:
    """Side of the blocks for intervals of the mean of the terms.

    Args:
        terms: (case,) score terms, or differences of two forecasts' terms.
        x_m: (case,) eastings of cell centres [m].
        y_m: (case,) northings of cell centres [m].
        cell_m: side of a cell [m].
        minimum_blocks: the side is cut where fewer blocks would be left.

    Raises:
        UndefinedScoreError: constant terms, or fewer than 4 cells per block asked for.
        ValueError: the cases do not lie on a lattice of such cells.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> y, x = (axis.ravel() * 1e3 for axis in np.mgrid[:60, :60])
        >>> found = automatic_block(rng.normal(size=3600), x, y, cell_m=1e3)
        >>> found.side_m, found.range_m
        (2000.0, 0.0)
    """
    field, inside = case_field(terms, x_m, y_m, cell_m=cell_m)
    return block_of_field(field, inside, cell_m=cell_m, minimum_blocks=minimum_blocks)


def block_of_field(
    field: FloatArray, inside: BoolArray, *, cell_m: float, minimum_blocks: int = 12
) -> BlockLength:
    """Side of the blocks for intervals of the mean of a field.

    Args:
        field: (y, x) field; what lies outside the mask is ignored.
        inside: (y, x) mask.
        cell_m: side of a cell [m].
        minimum_blocks: the side is cut where fewer blocks would be left.
    """
    n = int(np.count_nonzero(inside))
    if n < 4 * minimum_blocks:
        raise UndefinedScoreError(
            f"found {n} cells; expected 4 for each of {minimum_blocks} blocks"
        )
    largest = max(2, math.isqrt(n // minimum_blocks))
    reach = min(_reach(field, inside, 2 * largest), float(largest))
    classes = lag_classes(max(2, math.ceil(2.0 * reach)))
    sums = lag_sums(field, inside, classes)
    total, moment = _tapered_sums(sums, classes, max(1.0, reach))
    if total <= 0.0:
        # Neighbours repel each other: blocks would cut nothing that matters.
        total, moment = 1.0, 0.0
    optimal = (moment**2 / total**2 * n) ** 0.25
    side = min(max(2, math.ceil(optimal)), largest)
    return BlockLength(
        side_m=side * cell_m, range_m=reach * cell_m, optimal_m=optimal * cell_m,
        n_blocks=n / side**2, effective_n=n / total, bounded=optimal > largest,
    )  # fmt: skip


def _reach(field: FloatArray, inside: BoolArray, most: int) -> float:
    """Range of the correlogram in cells, looked for in ever longer windows; `most` if beyond."""
    lags = min(_FIRST_WINDOW, most)
    while True:
        classes = lag_classes(lags)
        mask = mask_sums(inside, Padded((field.shape[0], field.shape[1]), classes.reach))
        sums = lag_sums(field, inside, classes, mask=mask)
        curve = correlogram_of_sums(sums, degree_squares([mask], classes)[0], classes)
        try:
            return curve.range()
        except UndefinedScoreError:
            if lags == most:
                return float(most)
            lags = min(2 * lags, most)


def _tapered_sums(sums: LagSums, classes: LagClasses, reach: float) -> tuple[float, float]:
    """Sum of correlations, and of correlations times the offset along both axes, both tapered."""
    with np.errstate(invalid="ignore", divide="ignore"):
        # Divided by n, not by the number of pairs: far offsets fade as they do in the mean.
        correlation = sums.products / sums.sum_squares
    down, right = classes.reach
    dy = np.abs(np.arange(-down, down + 1))[:, None]
    dx = np.abs(np.arange(-right, right + 1))[None, :]
    taper = np.clip(2.0 - np.hypot(dy, dx) / reach, 0.0, 1.0)
    weighted = taper * correlation
    return float(weighted.sum()), float((weighted * (dy + dx)).sum())
