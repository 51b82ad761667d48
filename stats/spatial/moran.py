r"""Moran's I of a masked lattice with rook neighbours, and its deviate under random labelling.

.. math:: I = \frac{n}{S_0} \frac{\sum_{ij} w_{ij} z_i z_j}{\sum_i z_i^2}, \qquad z = x - \bar x,

with w = 1 between cells that share an edge and are both inside the mask. Expectation -1/(n - 1)
and variance are those of Cliff & Ord under the hypothesis that the values were dealt to the cells
at random. Large residual values in few cells are allowed for by the kurtosis in that variance.

A. D. Cliff & J. K. Ord (1981), Spatial Processes, Pion, London.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from stats.case_arrays import BoolArray, FloatArray, UndefinedScoreError


@dataclass(frozen=True)
class Moran:
    """Moran's I of one lattice.

    Attributes:
        value: I.
        expected: its expectation under random labelling, -1/(n - 1).
        sd: its standard deviation under random labelling.
        n: number of cells.
        pairs: number of neighbouring pairs.
    """

    value: float
    expected: float
    sd: float
    n: int
    pairs: int

    @property
    def z(self) -> float:
        """Deviate (I - expectation) / sd."""
        return (self.value - self.expected) / self.sd


def moran_rook(values: FloatArray, valid: BoolArray) -> Moran:
    """Moran's I of the valid cells of a (y, x) lattice.

    Args:
        values: (y, x); what lies outside `valid` is ignored.
        valid: (y, x) True for cells that count.

    Raises:
        UndefinedScoreError: fewer than 4 cells, no neighbours, or constant values.
        ValueError: a valid value is not finite, or the shapes differ.

    Example:
        >>> stripes = np.tile([0.0, 1.0], (6, 3))
        >>> round(moran_rook(stripes, np.ones((6, 6), bool)).value, 3)
        0.0
        >>> round(moran_rook(np.indices((6, 6)).sum(axis=0) % 2.0, np.ones((6, 6), bool)).value, 3)
        -1.0
    """
    x, inside = np.asarray(values, dtype=np.float64), np.asarray(valid, dtype=bool)
    if x.shape != inside.shape or x.ndim != 2:
        raise ValueError(f"values {x.shape} and valid {inside.shape}; expected the same (y, x)")
    if not np.isfinite(x[inside]).all():
        raise ValueError("values: found a valid cell that is not finite")
    n = int(np.count_nonzero(inside))
    if n < 4:
        raise UndefinedScoreError(f"Moran's I needs at least 4 cells; found {n}")
    z = np.where(inside, x - x[inside].mean(), 0.0)
    down, right = inside[1:] & inside[:-1], inside[:, 1:] & inside[:, :-1]
    pairs = int(np.count_nonzero(down)) + int(np.count_nonzero(right))
    squares = float((z**2).sum())
    spread = float(np.ptp(x[inside]))
    if not pairs or spread == 0.0:
        raise UndefinedScoreError("Moran's I needs neighbours and values that vary")
    products = float((z[1:] * z[:-1])[down].sum() + (z[:, 1:] * z[:, :-1])[right].sum())
    degree = np.zeros(x.shape)
    degree[1:] += down
    degree[:-1] += down
    degree[:, 1:] += right
    degree[:, :-1] += right
    s0, s1, s2 = 2.0 * pairs, 4.0 * pairs, 4.0 * float((degree**2).sum())
    kurtosis = n * float((z**4).sum()) / squares**2
    expected = -1.0 / (n - 1)
    first = n * ((n * n - 3 * n + 3) * s1 - n * s2 + 3 * s0**2)
    second = kurtosis * ((n * n - n) * s1 - 2 * n * s2 + 6 * s0**2)
    variance = (first - second) / ((n - 1) * (n - 2) * (n - 3) * s0**2) - expected**2
    return Moran(
        value=n * products / (pairs * squares), expected=expected, sd=math.sqrt(variance), n=n,
        pairs=pairs,
    )  # fmt: skip
