r"""Moran's I of a masked lattice, with its moments and by permutation.

.. math:: I = \frac{n}{S_0} \frac{\sum_{ij} w_{ij} z_i z_j}{\sum_i z_i^2}, \qquad z = x - \bar x,

with w from a stencil cut by the mask. Expectation -1/(n - 1). Two variances, both of Cliff & Ord:
under the hypothesis that the values were dealt to the cells at random (randomisation), which
allows for large values in few cells by their kurtosis, and for independent normal values
(normality). The lattice may be (y, x), one epoch, or (epoch, y, x) with a stencil of three axes: a
joint Moran's I in space and time.

A. D. Cliff & J. K. Ord (1981), Spatial Processes, Pion, London.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from stats.case_arrays import BoolArray, FloatArray, UndefinedScoreError
from stats.spatial.lattice import as_masked, centred
from stats.spatial.stencil import ROOK, MaskWeights, Standardise, Stencil, mask_weights

Alternative = Literal["greater", "less", "two-sided"]


@dataclass(frozen=True)
class Moran:
    """Moran's I of one lattice.

    Attributes:
        value: I.
        expected: its expectation under random labelling, -1/(n - 1).
        sd: its standard deviation under random labelling.
        n: number of cells.
        pairs: number of neighbouring pairs.
        sd_normal: its standard deviation for independent normal values.
    """

    value: float
    expected: float
    sd: float
    n: int
    pairs: int
    sd_normal: float = math.nan

    @property
    def z(self) -> float:
        """Deviate (I - expectation) / sd."""
        return (self.value - self.expected) / self.sd

    @property
    def z_normal(self) -> float:
        """Deviate with the standard deviation for normal values."""
        return (self.value - self.expected) / self.sd_normal

    def p_value(self, alternative: Alternative = "greater") -> float:
        """Normal tail beyond the deviate; "greater" asks for neighbours that resemble each other.

        Example:
            >>> round(Moran(0.1, 0.0, 0.05, 400, 760).p_value(), 4)
            0.0228
        """
        return normal_tail(self.z, alternative)

    def detectable(self, *, power: float = 0.8, level: float = 0.05) -> float:
        """Smallest I that the one-sided test at `level` finds with probability `power`.

        A local approximation: the spread of I is taken to be that under no dependence.

        Example:
            >>> round(Moran(0.0, 0.0, 0.02, 1300, 2500).detectable(), 4)
            0.0497
        """
        reach = special.ndtri(1.0 - level) + special.ndtri(power)
        return self.expected + float(reach) * self.sd


def normal_tail(z: float, alternative: Alternative = "greater") -> float:
    """Probability of a standard normal at least as extreme.

    Example:
        >>> round(normal_tail(-1.96, "two-sided"), 3)
        0.05
    """
    if alternative == "two-sided":
        return float(2.0 * special.ndtr(-abs(z)))
    if alternative not in ("greater", "less"):
        raise ValueError(f"alternative: found {alternative!r}")
    return float(special.ndtr(-z if alternative == "greater" else z))


def moran_variances(
    n: int, kurtosis: ArrayLike, s0: ArrayLike, s1: ArrayLike, s2: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    r"""Variance of I under randomisation and under normality.

    .. math:: V_R &= \frac{n[(n^2-3n+3)S_1 - nS_2 + 3S_0^2]
                   - b_2[(n^2-n)S_1 - 2nS_2 + 6S_0^2]}{(n-1)(n-2)(n-3)S_0^2} - \frac1{(n-1)^2} \\
              V_N &= \frac{n^2S_1 - nS_2 + 3S_0^2}{(n^2-1)S_0^2} - \frac1{(n-1)^2}

    Args:
        n: number of cells, 4 or more.
        kurtosis: b2 = n sum z^4 / (sum z^2)^2.
        s0: sum of weights.
        s1: half the sum of (w_ij + w_ji)^2.
        s2: sum of (row sum + column sum)^2.

    Example:
        >>> [float(v.round(6)) for v in moran_variances(36, 3.0, 120.0, 240.0, 1664.0)]
        [0.01489, 0.014967]
    """
    m = float(n)
    b2, a0, a1, a2 = (np.asarray(v, dtype=np.float64) for v in (kurtosis, s0, s1, s2))
    with np.errstate(invalid="ignore", divide="ignore"):
        one, two, square = a1 / a0**2, a2 / a0**2, 1.0 / (m - 1.0) ** 2
        first = m * ((m * m - 3.0 * m + 3.0) * one - m * two + 3.0)
        second = b2 * ((m * m - m) * one - 2.0 * m * two + 6.0)
        dealt = (first - second) / ((m - 1.0) * (m - 2.0) * (m - 3.0)) - square
        normal = (m * m * one - m * two + 3.0) / (m * m - 1.0) - square
    return np.asarray(dealt), np.asarray(normal)


def moran_of_weights(x: FloatArray, weights: MaskWeights) -> Moran:
    """Moran's I with weights already made for the mask.

    Args:
        x: lattice; what lies outside the mask of the weights is ignored.
        weights: from `mask_weights`.

    Raises:
        UndefinedScoreError: fewer than 4 cells, no neighbours, or constant values.

    Example:
        >>> weights = mask_weights(np.ones((6, 6), bool), ROOK)
        >>> moran_of_weights(np.tile([0.0, 1.0], (6, 3)), weights).z.__round__(3)
        0.227
    """
    z, n = centred(x, weights.inside, "Moran's I")
    if not weights.links:
        raise UndefinedScoreError("Moran's I needs neighbours")
    square = z * z
    squares = float(square.sum())
    products = float(np.vdot(z, weights.lag(z)))
    kurtosis = n * float(np.vdot(square, square)) / squares**2
    dealt, normal = moran_variances(n, kurtosis, weights.s0, weights.s1, weights.s2)
    if not min(float(dealt), float(normal)) > 1e-12 / (n - 1) ** 2:
        raise UndefinedScoreError("Moran's I is the same however the values are dealt")
    return Moran(
        value=n / weights.s0 * products / squares, expected=-1.0 / (n - 1), sd=math.sqrt(dealt),
        n=n, pairs=weights.links // 2, sd_normal=math.sqrt(normal),
    )  # fmt: skip


def moran(
    values: ArrayLike,
    valid: ArrayLike | None = None,
    *,
    stencil: Stencil = ROOK,
    standardise: Standardise = "binary",
) -> Moran:
    """Moran's I of the valid cells of a lattice.

    Args:
        values: lattice with as many axes as the stencil; outside `valid` ignored.
        valid: True for cells that count; None counts the finite ones.
        stencil: neighbours, such as ROOK, QUEEN, `distance_band(r)` or `space_time()`.
        standardise: "binary" or "row" (each cell's weights sum to 1).

    Raises:
        UndefinedScoreError: fewer than 4 cells, no neighbours, or constant values.
        ValueError: a valid value is not finite, or the shapes differ.

    Example:
        >>> board = np.indices((6, 6)).sum(axis=0) % 2.0
        >>> round(moran(board).value, 3), round(moran(board, standardise="row").value, 3)
        (-1.0, -1.0)
    """
    x, inside = as_masked(values, valid, axes=(stencil.axes,))
    return moran_of_weights(x, mask_weights(inside, stencil, standardise))


def moran_rook(values: FloatArray, valid: BoolArray) -> Moran:
    """Moran's I of the valid cells of a (y, x) lattice, neighbours across edges.

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
    return moran(values, np.asarray(valid, dtype=bool))


@dataclass(frozen=True, eq=False)
class MoranPermutation:
    """Moran's I beside its values after dealing the cells' values anew.

    Attributes:
        observed: I with its analytic moments.
        draws: (draw,) I of each permutation.
    """

    observed: Moran
    draws: FloatArray

    def p_value(self, alternative: Alternative = "greater") -> float:
        """Share of the dealings, the observed one included, that are at least as extreme."""
        return permutation_p(self.observed.value, self.draws, alternative)


def permutation_p(value: float, draws: FloatArray, alternative: Alternative = "greater") -> float:
    """(1 + number of draws at least as extreme) / (1 + number of draws).

    Two-sided is twice the smaller tail, at most 1.

    Example:
        >>> permutation_p(3.0, np.array([1.0, 2.0, 3.0, 4.0])), permutation_p(9.0, np.zeros(99))
        (0.6, 0.01)
    """
    above = (1.0 + np.count_nonzero(draws >= value)) / (1.0 + draws.size)
    below = (1.0 + np.count_nonzero(draws <= value)) / (1.0 + draws.size)
    if alternative == "two-sided":
        return float(min(1.0, 2.0 * min(above, below)))
    if alternative not in ("greater", "less"):
        raise ValueError(f"alternative: found {alternative!r}")
    return float(above if alternative == "greater" else below)


def moran_permutation(
    values: ArrayLike,
    valid: ArrayLike | None = None,
    *,
    permutations: int = 999,
    rng: np.random.Generator,
    stencil: Stencil = ROOK,
    standardise: Standardise = "binary",
) -> MoranPermutation:
    """Moran's I of many random dealings of the values to the valid cells.

    Args:
        values: lattice with as many axes as the stencil.
        valid: True for cells that count; None counts the finite ones.
        permutations: number of dealings.
        rng: source of randomness.
        stencil: neighbours.
        standardise: "binary" or "row".

    Example:
        >>> field = np.add.outer(np.arange(8.0), np.arange(8.0))
        >>> moran_permutation(field, permutations=99, rng=np.random.default_rng(0)).p_value()
        0.01
    """
    if permutations < 1:
        raise ValueError(f"permutations: found {permutations}; expected 1 or more")
    x, inside = as_masked(values, valid, axes=(stencil.axes,))
    weights = mask_weights(inside, stencil, standardise)
    observed = moran_of_weights(x, weights)
    z, n = centred(x, inside, "Moran's I")
    held = z[inside]
    factor = n / weights.s0 / float(held @ held)
    draws = np.empty(permutations)
    for draw in range(permutations):
        z[inside] = rng.permutation(held)
        draws[draw] = factor * np.vdot(z, weights.lag(z))
    return MoranPermutation(observed, draws)
