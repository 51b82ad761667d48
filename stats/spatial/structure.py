"""Spatial structure of a series of masked lattices in one call: Moran's I, correlogram, variogram.

What depends on the mask alone (its transform, pair counts, degrees of every class) is made once
for all epochs that share it; each epoch then costs two transforms forth and two back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from stats.spatial.correlogram import Correlogram, correlogram_of_sums, degree_squares
from stats.spatial.envelope import StructureEnvelopes, permutation_envelopes
from stats.spatial.lag_sums import Padded, lag_sums
from stats.spatial.lags import LagClasses, lag_classes
from stats.spatial.lattice import as_masked
from stats.spatial.moran import Moran, moran_of_weights
from stats.spatial.space_time import epoch_masks
from stats.spatial.stencil import ROOK, Standardise, Stencil, mask_weights
from stats.spatial.variogram import Variogram, variogram_of_sums


@dataclass(frozen=True, eq=False)
class Structure:
    """Spatial structure of one lattice.

    Attributes:
        moran: Moran's I of the nearest neighbours, with analytic moments.
        correlogram: Moran's I by distance, with analytic moments.
        variogram: semivariance by distance.
        envelopes: permutation envelopes of both curves, where asked for.
    """

    moran: Moran
    correlogram: Correlogram
    variogram: Variogram
    envelopes: StructureEnvelopes | None = None


def spatial_structure(
    values: ArrayLike,
    valid: ArrayLike | None = None,
    *,
    classes: LagClasses | None = None,
    stencil: Stencil = ROOK,
    standardise: Standardise = "binary",
    permutations: int = 0,
    rng: np.random.Generator | None = None,
    workers: int = -1,
    progress: Callable[[int], None] | None = None,
) -> tuple[Structure, ...]:
    """Moran's I, correlogram and variogram of every epoch, each about its own mean.

    Args:
        values: (y, x) or (epoch, y, x); what lies outside `valid` is ignored.
        valid: mask of the same shape, or (y, x) for all epochs; None counts the finite cells.
        classes: classes of the lags; 50 of one cell each by default.
        stencil: neighbours for Moran's I, of two axes.
        standardise: "binary" or "row", for Moran's I.
        permutations: dealings for the envelopes; 0 makes none.
        rng: source of randomness; needed for envelopes.
        workers: threads of a transform; -1 takes all cores.
        progress: called with 1 after each dealing.

    Returns:
        One record per epoch; one for a single lattice.

    Raises:
        UndefinedScoreError: an epoch has fewer than 4 cells, no neighbours, or constant values.
        ValueError: a valid value is not finite, or envelopes without a source of randomness.

    Example:
        >>> noise = np.random.default_rng(0).normal(size=(2, 30, 30))
        >>> found = spatial_structure(noise, classes=lag_classes(5))
        >>> [round(one.moran.z, 1) for one in found], found[0].variogram.gamma.round(1)
        ([0.1, 1.2], array([1. , 1. , 0.9, 1. , 1. ]))
    """
    if permutations and rng is None:
        raise ValueError("permutations are drawn at random: give rng")
    chosen = lag_classes() if classes is None else classes
    x, inside = as_masked(values, valid)
    if x.ndim == 2:
        x, inside = x[None], inside[None]
    plan = Padded((x.shape[1], x.shape[2]), chosen.reach, workers)
    masks = epoch_masks(inside, plan)
    distinct = {id(m): m for m in masks}
    weights = {k: mask_weights(m.inside, stencil, standardise) for k, m in distinct.items()}
    degrees = degree_squares(list(distinct.values()), chosen)
    squares = dict(zip(distinct, degrees, strict=True))
    found = []
    for one, mask in zip(x, masks, strict=True):
        sums = lag_sums(one, mask.inside, chosen, mask=mask)
        envelopes = None
        if permutations and rng is not None:
            envelopes = permutation_envelopes(
                one, mask.inside, classes=chosen, permutations=permutations, rng=rng, mask=mask,
                progress=progress,
            )  # fmt: skip
        found.append(
            Structure(
                moran=moran_of_weights(one, weights[id(mask)]),
                correlogram=correlogram_of_sums(sums, squares[id(mask)], chosen),
                variogram=variogram_of_sums(sums, chosen),
                envelopes=envelopes,
            )
        )
    return tuple(found)
