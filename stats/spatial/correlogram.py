r"""Moran's I by class of distance, with its moments at every class, and the range read from it.

The weights of class k are 1 between valid cells whose distance falls into it. Then S_1 = 2 S_0 and
S_2 is four times the sum of squared degrees, the degree of a cell being its number of partners in
the class: one convolution of the mask with a ring per class. These are made in single precision
and rounded to whole numbers; should a value lie far from one, double precision takes over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import FloatArray, UndefinedScoreError
from stats.spatial.lag_sums import LagSums, MaskSums, Padded, lag_sums, mask_sums
from stats.spatial.lags import LagClasses, lag_classes
from stats.spatial.lattice import as_masked
from stats.spatial.moran import moran_variances

# Farther than this from a whole number a single-precision count is not trusted.
_CLEAR = 0.25


@dataclass(frozen=True, eq=False)
class Correlogram:
    """Moran's I of one lattice by class of distance.

    Attributes:
        distance: (class,) mean distance of the pairs, NaN where there are none.
        value: (class,) I, NaN where there are no pairs.
        expected: its expectation under random labelling, -1/(n - 1), in every class.
        sd: (class,) its standard deviation under random labelling.
        sd_normal: (class,) its standard deviation for independent normal values.
        pairs: (class,) number of pairs.
        n: number of cells.
        classes: classes of the lags.
    """

    distance: FloatArray
    value: FloatArray
    expected: float
    sd: FloatArray
    sd_normal: FloatArray
    pairs: FloatArray
    n: int
    classes: LagClasses

    @property
    def z(self) -> FloatArray:
        """(class,) deviates (I - expectation) / sd; not finite where no dealing changes I."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return (self.value - self.expected) / self.sd

    def range(self, *, negligible: float = 0.05, z: float = 1.96) -> float:
        """Distance at which neighbours stop to resemble each other.

        It is where I, interpolated between classes, first falls to the larger of `negligible` and
        `z` standard deviations above its expectation: with a million cells a correlation of 0.002
        is significant and of no consequence. 0 if the first class is there already.

        Args:
            negligible: correlation of no consequence.
            z: standard deviations that noise is allowed.

        Raises:
            UndefinedScoreError: I stays above at every class; the reach is too short.
        """
        kept = self.pairs > 0
        value, distance = self.value[kept], self.distance[kept]
        bar = np.maximum(negligible, self.expected + z * self.sd[kept])
        below = np.flatnonzero(value <= bar)
        if not below.size:
            raise UndefinedScoreError(
                f"the correlogram stays above {negligible:g} up to {distance[-1]:g}; use more lags"
            )
        first = int(below[0])
        if first == 0:
            return 0.0
        over, under = value[first - 1] - bar[first - 1], bar[first] - value[first]
        share = over / (over + under)
        return float(distance[first - 1] + share * (distance[first] - distance[first - 1]))


def degree_squares(masks: Sequence[MaskSums], classes: LagClasses) -> FloatArray:
    """(mask, class) sum over the cells of the squared number of partners in each class.

    Args:
        masks: sums of masks on the same lattice.
        classes: classes of the lags.

    Example:
        >>> plan = Padded((1, 3), (1, 1))
        >>> degree_squares([mask_sums(np.ones((1, 3), bool), plan)], lag_classes(1))
        array([[6.]])
    """
    plan = masks[0].plan
    single = [plan.forward(mask.inside.astype(np.float32)) for mask in masks]
    found = np.empty((len(masks), classes.n_classes))
    for number in range(classes.n_classes):
        ring = classes.number == number
        kernel = plan.forward(_ring_kernel(plan, ring, np.float32))
        for row, (mask, spectrum) in enumerate(zip(masks, single, strict=True)):
            degree = plan.lattice(spectrum * kernel)
            whole = np.rint(degree)
            if np.abs(degree - whole).max() > _CLEAR:
                exact = plan.forward(_ring_kernel(plan, ring, np.float64))
                whole = np.rint(plan.lattice(mask.spectrum * exact))
            kept = whole[mask.inside].astype(np.float64)
            found[row, number] = kept @ kept
    return found


def _ring_kernel(
    plan: Padded, ring: np.ndarray[Any, Any], dtype: type[np.floating]
) -> np.ndarray[Any, Any]:
    """Padded lattice with 1 at the offsets of a ring, which is symmetric."""
    rows, columns = plan.padded
    down, right = plan.reach
    kernel = np.zeros((rows, columns), dtype=dtype)
    dy, dx = np.nonzero(ring)
    kernel[(dy - down) % rows, (dx - right) % columns] = 1.0
    return kernel


def mean_distance(pairs: FloatArray, classes: LagClasses) -> tuple[FloatArray, FloatArray]:
    """(class,) mean distance and number of ordered pairs; the mean is NaN where there are none.

    Example:
        >>> classes = lag_classes(1)
        >>> mean_distance(np.ones((3, 3)), classes)[0].round(4)
        array([1.2071])
    """
    count = classes.sums(pairs)
    with np.errstate(invalid="ignore"):
        return classes.sums(pairs * classes.distance) / count, count


def correlogram_of_sums(sums: LagSums, squares: FloatArray, classes: LagClasses) -> Correlogram:
    """Correlogram from pair sums and degree squares that are known already.

    Args:
        sums: from `lag_sums`.
        squares: (class,) from `degree_squares` of the same mask.
        classes: classes of the lags.
    """
    distance, count = mean_distance(sums.pairs, classes)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = sums.n / count * classes.sums(sums.products) / sums.sum_squares
    dealt, normal = moran_variances(sums.n, sums.kurtosis, count, 2.0 * count, 4.0 * squares)
    return Correlogram(
        distance=distance, value=np.where(count > 0, value, np.nan), expected=-1.0 / (sums.n - 1),
        sd=np.sqrt(np.maximum(dealt, 0.0)), sd_normal=np.sqrt(np.maximum(normal, 0.0)),
        pairs=count / 2.0, n=sums.n, classes=classes,
    )  # fmt: skip


def correlogram(
    values: ArrayLike,
    valid: ArrayLike | None = None,
    *,
    classes: LagClasses | None = None,
    workers: int = -1,
) -> Correlogram:
    """Moran's I of a (y, x) lattice by class of distance.

    Args:
        values: (y, x); what lies outside `valid` is ignored.
        valid: (y, x) True for cells that count; None counts the finite ones.
        classes: classes of the lags; 50 of one cell each by default.
        workers: threads of a transform; -1 takes all cores.

    Raises:
        UndefinedScoreError: fewer than 4 cells, or constant values.

    Example:
        >>> waves = np.tile(np.sin(np.arange(40) * np.pi / 8), (40, 1))
        >>> correlogram(waves, classes=lag_classes(12)).value.round(2)[[0, 3, 7, 11]]
        array([ 0.96,  0.5 , -0.26, -0.22])
    """
    chosen = lag_classes() if classes is None else classes
    x, inside = as_masked(values, valid, axes=(2,))
    mask = mask_sums(inside, Padded((x.shape[0], x.shape[1]), chosen.reach, workers))
    sums = lag_sums(x, inside, chosen, mask=mask)
    return correlogram_of_sums(sums, degree_squares([mask], chosen)[0], chosen)
