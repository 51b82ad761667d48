r"""Permutation envelopes of correlograms and variograms: what chance alone would show.

The values are dealt anew to the valid cells and the curve is made again. Beside the pointwise
envelope stands a simultaneous one: a curve of pure noise leaves it anywhere in 5 % of cases, not
in 5 % per class. It comes from the largest studentised deviation over the classes,

.. math:: T_r = \max_k |v_{rk} - \bar v_k| / s_k,

with mean and spread over the observed curve and all permuted ones together, so that the p-value is
exact. Classes without spread (a curve that dealing cannot change) are left out.

M. Myllymaki, T. Mrkvicka, P. Grabarnik, H. Seijo & U. Hahn (2017), Journal of the Royal
Statistical Society B 79, 381-404, doi:10.1111/rssb.12172.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import BoolArray, FloatArray, UndefinedScoreError
from stats.spatial.correlogram import mean_distance
from stats.spatial.lag_sums import MaskSums, Padded, mask_sums, sums_of
from stats.spatial.lags import LagClasses, lag_classes
from stats.spatial.lattice import as_masked, centred
from stats.spatial.space_time import epoch_masks, space_time_of


@dataclass(frozen=True, eq=False)
class Envelope:
    """A curve beside those of permuted values.

    Attributes:
        observed: (class,) or (lag, class) curve of the data.
        draws: (draw, ...) curves of the permutations.
        low: pointwise lower end.
        high: pointwise upper end.
        band_low: simultaneous lower end.
        band_high: simultaneous upper end.
        p_value: of the whole curve, from the largest studentised deviation.
        level: coverage of both.
    """

    observed: FloatArray
    draws: FloatArray
    low: FloatArray
    high: FloatArray
    band_low: FloatArray
    band_high: FloatArray
    p_value: float
    level: float

    @property
    def outside(self) -> BoolArray:
        """Where the observed curve leaves the simultaneous envelope."""
        with np.errstate(invalid="ignore"):
            return (self.observed < self.band_low) | (self.observed > self.band_high)


def envelope_of(observed: FloatArray, draws: FloatArray, *, level: float = 0.95) -> Envelope:
    """Pointwise and simultaneous envelopes of curves.

    Args:
        observed: (class,) curve of the data, or of any shape.
        draws: (draw, ...) curves under the null hypothesis; NaN where the observed one is NaN.
        level: coverage.

    Raises:
        ValueError: too few draws for the level (19 for 0.95), or the shapes differ.
        UndefinedScoreError: no class has any spread.

    Example:
        >>> noise = np.random.default_rng(0).normal(size=(99, 5))
        >>> envelope_of(np.array([0.0, 0.0, 9.0, 0.0, 0.0]), noise).p_value
        0.01
    """
    if observed.shape != draws.shape[1:]:
        raise ValueError(f"observed {observed.shape}, draws {draws.shape}; expected (draw, ...)")
    if not 0.0 < level < 1.0 or math.ceil(1.0 / (1.0 - level) - 1e-9) > draws.shape[0] + 1:
        raise ValueError(f"{draws.shape[0]} draws are too few for a level of {level}")
    every = np.concatenate([observed[None], draws])
    centre, spread = every.mean(axis=0), every.std(axis=0, ddof=1)
    with np.errstate(invalid="ignore"):
        live = spread > 1e-12 * np.abs(centre)
    if not live.any():
        raise UndefinedScoreError("no class of the curve changes between permutations")
    deviations = np.abs(every[:, live] - centre[live]) / spread[live]
    largest = deviations.max(axis=1)
    rank = math.ceil(level * largest.size - 1e-9)
    reach = float(np.sort(largest)[rank - 1])
    low, high = _pointwise(draws, level)
    return Envelope(
        observed=observed, draws=draws, low=low, high=high,
        band_low=centre - reach * spread, band_high=centre + reach * spread,
        p_value=float(np.count_nonzero(largest >= largest[0]) / largest.size), level=level,
    )  # fmt: skip


def _pointwise(draws: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
    """The draws that leave (1 - level) / 2 of draws and data beyond them on either side."""
    tail = max(1, math.floor(0.5 * (1.0 - level) * (draws.shape[0] + 1) + 1e-9))
    ordered = np.sort(draws, axis=0)
    return ordered[tail - 1], ordered[-tail]


@dataclass(frozen=True, eq=False)
class StructureEnvelopes:
    """Envelopes of one lattice.

    Attributes:
        distance: (class,) mean distance of the pairs.
        correlogram: Moran's I by class.
        variogram: semivariance by class.
    """

    distance: FloatArray
    correlogram: Envelope
    variogram: Envelope


def permutation_envelopes(
    values: ArrayLike,
    valid: ArrayLike | None = None,
    *,
    classes: LagClasses | None = None,
    permutations: int = 99,
    rng: np.random.Generator,
    level: float = 0.95,
    mask: MaskSums | None = None,
    workers: int = -1,
    progress: Callable[[int], None] | None = None,
) -> StructureEnvelopes:
    """Envelopes of the correlogram and the variogram of a (y, x) lattice, on the same dealings.

    Args:
        values: (y, x); what lies outside `valid` is ignored.
        valid: (y, x) True for cells that count; None counts the finite ones.
        classes: classes of the lags; 50 of one cell each by default.
        permutations: number of dealings.
        rng: source of randomness.
        level: coverage.
        mask: sums of the mask, where they are known already.
        workers: threads of a transform; -1 takes all cores.
        progress: called with 1 after each dealing.

    Example:
        >>> field = np.add.outer(np.arange(12.0), np.arange(12.0))
        >>> found = permutation_envelopes(field, classes=lag_classes(3), permutations=19,
        ...                               rng=np.random.default_rng(0), level=0.9)
        >>> found.correlogram.p_value, bool(found.variogram.outside[0])
        (0.05, True)
    """
    chosen = lag_classes() if classes is None else classes
    x, inside = as_masked(values, valid, axes=(2,))
    z, n = centred(x, inside, "an envelope")
    if mask is None:
        mask = mask_sums(inside, Padded((x.shape[0], x.shape[1]), chosen.reach, workers))
    distance, count = mean_distance(mask.pairs, chosen)
    scale = float(np.abs(z).max())
    z /= scale
    held = z[inside]
    variance = float(held @ held) / n
    correlations = np.empty((permutations + 1, chosen.n_classes))
    gammas = np.empty_like(correlations)
    for draw in range(permutations + 1):
        if draw:
            z[inside] = rng.permutation(held)
        products, squares = sums_of(z, mask)
        with np.errstate(invalid="ignore", divide="ignore"):
            correlations[draw] = chosen.sums(products) / count / variance
            gammas[draw] = 0.5 * scale**2 * chosen.sums(squares) / count
        if draw and progress is not None:
            progress(1)
    return StructureEnvelopes(
        distance,
        envelope_of(correlations[0], correlations[1:], level=level),
        envelope_of(gammas[0], gammas[1:], level=level),
    )


def space_time_envelope(
    values: ArrayLike,
    valid: ArrayLike | None = None,
    *,
    classes: LagClasses | None = None,
    epochs_apart: int | None = None,
    keep_histories: bool = False,
    remove_epoch_means: bool = False,
    permutations: int = 99,
    rng: np.random.Generator,
    level: float = 0.95,
    workers: int = -1,
    progress: Callable[[int], None] | None = None,
) -> Envelope:
    """Envelope of the space-time variogram, (lag, 1 + class).

    Args:
        values: (epoch, y, x), epochs in order of time; outside `valid` ignored.
        valid: (epoch, y, x), or (y, x) for all epochs; None counts the finite cells.
        classes: classes of the lags in space; 50 of one cell each by default.
        epochs_apart: largest number of epochs between a pair; all by default.
        keep_histories: deal whole histories of cells, which keeps the dependence between epochs
            and asks about space only; otherwise every epoch is dealt on its own, and the null
            hypothesis is no dependence in space nor between epochs.
        remove_epoch_means: take each epoch's mean off first.
        permutations: number of dealings.
        rng: source of randomness.
        level: coverage.
        workers: threads of a transform; -1 takes all cores.
        progress: called with 1 after each dealing.

    Raises:
        ValueError: histories are to be kept and the masks of the epochs differ.

    Example:
        >>> place = np.random.default_rng(0).normal(size=(15, 15))
        >>> found = space_time_envelope(np.stack([place, place]), classes=lag_classes(2),
        ...                             permutations=19, rng=np.random.default_rng(1), level=0.9)
        >>> found.outside[1].tolist()
        [True, False, False]
    """
    chosen = lag_classes() if classes is None else classes
    x, inside = as_masked(values, valid, axes=(3,))
    z, _ = centred(x, inside, "an envelope")
    if keep_histories and not (inside == inside[0]).all():
        raise ValueError("histories can be dealt only where all epochs have the same mask")
    if remove_epoch_means:
        for one, held in zip(z, inside, strict=True):
            if held.any():
                one[held] -= one[held].mean()
    masks = epoch_masks(inside, Padded((x.shape[1], x.shape[2]), chosen.reach, workers))
    most = x.shape[0] - 1 if epochs_apart is None else epochs_apart
    observed = space_time_of(z, masks, chosen, most).gamma
    draws = np.empty((permutations, *observed.shape))
    for draw in range(permutations):
        if keep_histories:
            z[:, inside[0]] = rng.permutation(z[:, inside[0]], axis=1)
        else:
            for one, held in zip(z, inside, strict=True):
                one[held] = rng.permutation(one[held])
        draws[draw] = space_time_of(z, masks, chosen, most).gamma
        if progress is not None:
            progress(1)
    return envelope_of(observed, draws, level=level)
