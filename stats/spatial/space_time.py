r"""Variogram and correlation of a series of masked lattices over distance and epochs apart.

.. math:: \hat\gamma(k, u) = \frac{1}{2 N_{ku}} \sum_{t} \sum_{(i, j) \in k} (x_{it} - x_{j, t+u})^2

over the pairs of valid cells in class k of distance, u epochs apart; class 0 is the same cell. Each
epoch is transformed once, whatever the number of pairs of epochs. Epochs count by their order:
where they differ in length, u is a rank and not a time.

N. Cressie & C. K. Wikle (2011), Statistics for Spatio-Temporal Data, Wiley, section 5.1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import BoolArray, FloatArray, IntArray
from stats.spatial.correlogram import mean_distance
from stats.spatial.lag_sums import ComplexArray, MaskSums, Padded, mask_sums
from stats.spatial.lags import LagClasses, lag_classes
from stats.spatial.lattice import as_masked, centred


@dataclass(frozen=True, eq=False)
class SpaceTimeVariogram:
    """Semivariance and correlation by epochs apart and class of distance.

    Column 0 is distance 0: the same cell, so that the first row begins with 0 and 1.

    Attributes:
        epochs_apart: (lag,) 0, 1, ...
        distance: (1 + class,) mean distance of the pairs of the same epoch; 0 first.
        gamma: (lag, 1 + class) semivariance; NaN without pairs.
        correlation: (lag, 1 + class) mean product of deviations over the variance.
        pairs: (lag, 1 + class) number of pairs.
        variance: variance of the values about what was removed.
        classes: classes of the lags in space.
    """

    epochs_apart: IntArray
    distance: FloatArray
    gamma: FloatArray
    correlation: FloatArray
    pairs: FloatArray
    variance: float
    classes: LagClasses


def space_time_variogram(
    values: ArrayLike,
    valid: ArrayLike | None = None,
    *,
    classes: LagClasses | None = None,
    epochs_apart: int | None = None,
    remove_epoch_means: bool = False,
    workers: int = -1,
) -> SpaceTimeVariogram:
    """Variogram of a series of lattices over distance and number of epochs between.

    Args:
        values: (epoch, y, x), epochs in order of time; outside `valid` ignored.
        valid: (epoch, y, x), or (y, x) for all epochs; None counts the finite cells.
        classes: classes of the lags in space; 50 of one cell each by default.
        epochs_apart: largest number of epochs between a pair; all by default.
        remove_epoch_means: take each epoch's mean off first, so that a level that differs between
            epochs does not count as variance.
        workers: threads of a transform; -1 takes all cores.

    Raises:
        UndefinedScoreError: fewer than 4 cells, or constant values.

    Example:
        >>> series = np.random.default_rng(0).normal(size=(1, 20, 20)).repeat(2, axis=0)
        >>> found = space_time_variogram(series, classes=lag_classes(1))
        >>> found.gamma[:, 0].round(9) + 0.0, found.correlation[:, 0].round(9)
        (array([0., 0.]), array([1., 1.]))
    """
    chosen = lag_classes() if classes is None else classes
    x, inside = as_masked(values, valid, axes=(3,))
    z, _ = centred(x, inside, "a variogram")
    if remove_epoch_means:
        for epoch in range(x.shape[0]):
            if inside[epoch].any():
                z[epoch][inside[epoch]] -= z[epoch][inside[epoch]].mean()
    masks = epoch_masks(inside, Padded((x.shape[1], x.shape[2]), chosen.reach, workers))
    most = x.shape[0] - 1 if epochs_apart is None else epochs_apart
    return space_time_of(z, masks, chosen, most)


def epoch_masks(inside: BoolArray, plan: Padded) -> tuple[MaskSums, ...]:
    """Sums of the mask of every epoch; equal masks share theirs.

    Example:
        >>> masks = epoch_masks(np.ones((3, 4, 4), bool), Padded((4, 4), (1, 1)))
        >>> len(masks), masks[0] is masks[2]
        (3, True)
    """
    made: list[MaskSums] = []
    for one in inside:
        known = next((m for m in made if np.array_equal(m.inside, one)), None)
        made.append(mask_sums(one, plan) if known is None else known)
    return tuple(made)


def space_time_of(
    z: FloatArray, masks: tuple[MaskSums, ...], classes: LagClasses, epochs_apart: int
) -> SpaceTimeVariogram:
    """Space-time variogram of centred values that are 0 outside the masks.

    Args:
        z: (epoch, y, x) centred values.
        masks: sums of the mask of each epoch.
        classes: classes of the lags in space.
        epochs_apart: largest number of epochs between a pair.

    Raises:
        ValueError: more epochs apart than there are.
    """
    if not 0 <= epochs_apart < z.shape[0]:
        raise ValueError(f"epochs_apart: found {epochs_apart}; expected 0 to {z.shape[0] - 1}")
    plan = masks[0].plan
    scale = float(np.abs(z).max())
    first = [plan.forward(one / scale) for one in z]
    second = [plan.forward((one / scale) ** 2) for one in z]
    count = sum(int(np.count_nonzero(m.inside)) for m in masks)
    squared = float(np.vdot(z, z)) / scale**2
    shared = all(m is masks[0] for m in masks)
    found: list[tuple[FloatArray, FloatArray, FloatArray]] = []
    for apart in range(epochs_apart + 1):
        steps = [(early, early + apart) for early in range(z.shape[0] - apart)]
        products = sum_of(np.conj(first[a]) * first[b] for a, b in steps)
        squares = -2.0 * products
        if shared:
            # One mask: the squares of all early and of all late epochs meet it at once.
            squares += np.conj(sum_of(second[a] for a, _ in steps)) * masks[0].spectrum
            squares += np.conj(masks[0].spectrum) * sum_of(second[b] for _, b in steps)
            pairs = len(steps) * masks[0].pairs
        else:
            for a, b in steps:
                squares += np.conj(second[a]) * masks[b].spectrum
                squares += np.conj(masks[a].spectrum) * second[b]
            both = sum_of(np.conj(masks[a].spectrum) * masks[b].spectrum for a, b in steps)
            pairs = np.rint(plan.window(both))
        found.append((pairs, plan.window(products), plan.window(squares)))
    return _record(found, classes, count, squared, scale)


def sum_of(terms: Iterable[ComplexArray]) -> ComplexArray:
    """Sum of arrays, in place of the first one's copy.

    Example:
        >>> sum_of([np.ones(2), np.ones(2)])
        array([2., 2.])
    """
    parts = iter(terms)
    total = np.array(next(parts))
    for part in parts:
        total += part
    return total


def _record(
    found: list[tuple[FloatArray, FloatArray, FloatArray]],
    classes: LagClasses,
    count: int,
    squared: float,
    scale: float,
) -> SpaceTimeVariogram:
    """Windows of pairs, products and squared differences per time lag, gathered by class."""
    centre = classes.reach

    def gathered(window: FloatArray) -> FloatArray:
        return np.concatenate([[window[centre]], classes.sums(window)])

    pairs, products, squares = (
        np.stack([gathered(row[part]) for row in found]) for part in range(3)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        gamma = 0.5 * np.maximum(squares, 0.0) / pairs * scale**2
        correlation = products / pairs * (count / squared)
    # Pairs within an epoch were met from both sides; a cell with itself, or earlier, only once.
    halves = np.ones(pairs.shape)
    halves[0, 1:] = 2.0
    nothing = pairs == 0
    distance, _ = mean_distance(found[0][0], classes)
    return SpaceTimeVariogram(
        epochs_apart=np.arange(len(found)), distance=np.concatenate([[0.0], distance]),
        gamma=np.where(nothing, np.nan, gamma),
        correlation=np.where(nothing, np.nan, correlation), pairs=pairs / halves,
        variance=squared / count * scale**2, classes=classes,
    )  # fmt: skip
