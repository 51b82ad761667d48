r"""Local Moran's I: which cells lie among their like, with moments, permutations and discoveries.

.. math:: I_i = \frac{(n - 1)\, z_i}{\sum_j z_j^2} \sum_j w_{ij} z_j, \qquad z = x - \bar x .

Three nulls. Conditional: the cell keeps its value, the others are dealt; the weighted sum of its
neighbours is then that of a sample without replacement from the n - 1 others, and its two moments
are exact. Total: all values are dealt, the cell's own too. Permutation: the conditional one, by
dealing; every dealing serves all cells, each of which gets its own value back by a swap.

L. Anselin (1995), Geographical Analysis 27, 93-115, doi:10.1111/j.1538-4632.1995.tb00338.x;
R. R. Sokal, N. L. Oden & B. A. Thomson (1998), Geographical Analysis 30, 331-354,
doi:10.1111/j.1538-4632.1998.tb00406.x.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from stats.case_arrays import BoolArray, FloatArray, IntArray
from stats.spatial.discovery import Control, Discoveries, discoveries
from stats.spatial.lattice import as_masked, centred, overlap
from stats.spatial.moran import Alternative
from stats.spatial.stencil import ROOK, MaskWeights, Standardise, Stencil, mask_weights

NONE, HIGH_HIGH, LOW_HIGH, LOW_LOW, HIGH_LOW = 0, 1, 2, 3, 4
QUADRANT_NAMES = ("none", "high among high", "low among high", "low among low", "high among low")


@dataclass(frozen=True, eq=False)
class LocalMoran:
    """Local Moran's I of every cell; NaN outside the mask and for cells without neighbours.

    Attributes:
        value: I of each cell.
        lag: weighted sum (or mean) of the neighbours' deviations.
        quadrant: 0 none, 1 high among high, 2 low among high, 3 low among low, 4 high among low.
        expected: conditional expectation, the cell's own value given.
        sd: conditional standard deviation.
        expected_total: expectation if all values are dealt.
        sd_total: standard deviation if all values are dealt.
        defined: cells with neighbours and, for `sd`, a value off the mean.
    """

    value: FloatArray
    lag: FloatArray
    quadrant: IntArray
    expected: FloatArray
    sd: FloatArray
    expected_total: FloatArray
    sd_total: FloatArray
    defined: BoolArray

    @property
    def z(self) -> FloatArray:
        """Conditional deviate of each cell; above 0 for cells among their like."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return (self.value - self.expected) / self.sd

    def p_value(self, alternative: Alternative = "two-sided") -> FloatArray:
        """Normal tails of the conditional deviates; rough where neighbours are few and skewed."""
        z = self.z
        if alternative == "two-sided":
            return 2.0 * special.ndtr(-np.abs(z))
        return special.ndtr(-z if alternative == "greater" else z)

    def discoveries(
        self,
        *,
        level: float = 0.05,
        control: Control = "bh",
        alternative: Alternative = "two-sided",
    ) -> Discoveries:
        """Cells declared at a false discovery rate, from the normal tails."""
        return discoveries(
            self.p_value(alternative), level=level, control=control, valid=self.defined
        )


def local_moran(
    values: ArrayLike,
    valid: ArrayLike | None = None,
    *,
    stencil: Stencil = ROOK,
    standardise: Standardise = "row",
) -> LocalMoran:
    """Local Moran's I with conditional and total moments.

    Args:
        values: lattice with as many axes as the stencil; outside `valid` ignored.
        valid: True for cells that count; None counts the finite ones.
        stencil: neighbours.
        standardise: "row" (the neighbours' mean) or "binary".

    Raises:
        UndefinedScoreError: fewer than 4 cells, or constant values.

    Example:
        >>> field = np.zeros((7, 7)); field[2:5, 2:5] = 1.0
        >>> found = local_moran(field)
        >>> int(found.quadrant[3, 3]), round(float(found.z[3, 3]), 2)
        (1, 4.62)
    """
    x, inside = as_masked(values, valid, axes=(stencil.axes,))
    weights = mask_weights(inside, stencil, standardise)
    z, n = centred(x, inside, "a local Moran's I")
    lag = weights.lag(z)
    total = float(np.vdot(z, z))
    sums, squares = weights.row_sums()
    linked = inside & (weights.degree > 0.0)
    factor = (n - 1) * z / total
    # The others' mean and variance, the cell's own value taken out.
    mean = -z / (n - 1)
    spread = np.maximum((total - z**2) / (n - 1) - mean**2, 0.0) * (n - 1) / (n - 2)
    sd_lag = np.sqrt(np.maximum(spread * (squares - sums**2 / (n - 1)), 0.0))
    kurtosis = n * float(np.vdot(z * z, z * z)) / total**2
    share = (n - 1) / n
    second = squares * (n - kurtosis) / (n - 1)
    second = second + (sums**2 - squares) * (2.0 * kurtosis - n) / ((n - 1) * (n - 2))
    variance = share**2 * (second - (sums / (n - 1)) ** 2)
    above, neighbours_above = z > 0.0, lag > 0.0
    quadrant = np.where(
        above,
        np.where(neighbours_above, HIGH_HIGH, HIGH_LOW),
        np.where(neighbours_above, LOW_HIGH, LOW_LOW),
    )
    defined = linked & (np.abs(factor) * sd_lag > 0.0)

    def shown(lattice: FloatArray, where: BoolArray) -> FloatArray:
        return np.where(where, lattice, np.nan)

    return LocalMoran(
        value=shown(factor * lag, linked), lag=shown(lag, linked),
        quadrant=np.where(linked, quadrant, NONE),
        expected=shown(factor * sums * mean, linked), sd=shown(np.abs(factor) * sd_lag, defined),
        expected_total=shown(-share * sums / (n - 1), linked),
        sd_total=shown(np.sqrt(np.maximum(variance, 0.0)), linked), defined=defined,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class LocalPermutation:
    """Pseudo p-values of local Moran's I, NaN where it is not defined.

    Attributes:
        greater: (1 + dealings with I at least as large) / (1 + dealings).
        less: the same for at most as large.
        permutations: number of dealings; no p-value is below 1 / (1 + permutations).
    """

    greater: FloatArray
    less: FloatArray
    permutations: int

    @property
    def two_sided(self) -> FloatArray:
        """Twice the smaller tail, at most 1."""
        return np.minimum(1.0, 2.0 * np.minimum(self.greater, self.less))


def local_moran_permutation(
    values: ArrayLike,
    valid: ArrayLike | None = None,
    *,
    permutations: int = 999,
    rng: np.random.Generator,
    stencil: Stencil = ROOK,
    standardise: Standardise = "row",
    progress: Callable[[int], None] | None = None,
) -> LocalPermutation:
    """Conditional permutation of every cell's neighbours.

    Args:
        values: lattice with as many axes as the stencil.
        valid: True for cells that count; None counts the finite ones.
        permutations: number of dealings.
        rng: source of randomness.
        stencil: neighbours.
        standardise: "row" or "binary".
        progress: called with 1 after each dealing.

    Example:
        >>> field = np.zeros((7, 7)); field[2:5, 2:5] = 1.0
        >>> found = local_moran_permutation(field, permutations=99, rng=np.random.default_rng(0))
        >>> float(found.greater[3, 3])
        0.01
    """
    if permutations < 1:
        raise ValueError(f"permutations: found {permutations}; expected 1 or more")
    x, inside = as_masked(values, valid, axes=(stencil.axes,))
    weights = mask_weights(inside, stencil, standardise)
    z, n = centred(x, inside, "a local Moran's I")
    observed = z * weights.lag(z)
    held = z[inside]
    slack = 1e-12 * float(np.abs(observed).max())
    larger, smaller = np.zeros(x.shape), np.zeros(x.shape)
    dealt, source = np.zeros(x.shape), np.full(x.shape, -1, dtype=np.int64)
    own = np.full(x.shape, -2, dtype=np.int64)
    own[inside] = np.arange(n)
    for _ in range(permutations):
        order = rng.permutation(n)
        dealt[inside], source[inside] = held[order], order
        found = z * (weights.lag(dealt) + _given_back(weights, dealt, source, own, z))
        larger += found >= observed - slack
        smaller += found <= observed + slack
        if progress is not None:
            progress(1)
    linked = inside & (weights.degree > 0.0)
    greater, less = (
        np.where(linked, (1.0 + count) / (1.0 + permutations), np.nan)
        for count in (larger, smaller)
    )
    return LocalPermutation(greater, less, permutations)


def _given_back(
    weights: MaskWeights, dealt: FloatArray, source: IntArray, own: IntArray, z: FloatArray
) -> FloatArray:
    """Change of each cell's lag once its own value, dealt to a neighbour, is swapped back.

    The neighbour then holds what had been dealt to the cell.
    """
    change = np.zeros(z.shape)
    stencil = weights.stencil
    for offset, weight in zip(stencil.offsets.tolist(), stencil.weights, strict=True):
        here, there = overlap(z.shape, tuple(offset))
        hit = source[there] == own[here]
        if hit.any():
            change[here] += np.where(hit, weight * (dealt[here] - z[here]), 0.0)
    if weights.standardise == "row":
        change = np.divide(change, weights.degree, out=np.zeros(z.shape), where=weights.degree > 0)
    return change
