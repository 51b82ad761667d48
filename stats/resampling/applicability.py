r"""Area of applicability: where new cases look like those that a model was trained on.

A cross-validation says what a model is worth at predictors like those of its training. With
predictors scaled to unit spread (and weighted by importance, where given), let :math:`d_k` be the
distance of new case k to the nearest training case and :math:`\bar d` the mean distance between
training cases. The dissimilarity index is

.. math:: DI_k = d_k / \bar d .

The same index of every training case, to the nearest training case of *another* fold, is what the
cross-validation has tried: its upper whisker (the largest value within 1.5 interquartile ranges of
the upper quartile) is the threshold, and new cases above it lie outside the area of applicability.
With folds that separate little (random cells) nearest cases are always near, the threshold is small
and the area honest about how little was tried; with blocks it is larger.

It knows nothing of the outcome: a case inside may be forecast badly, one outside well.

H. Meyer & E. Pebesma (2021), Methods in Ecology and Evolution 12, 1620-1633,
doi:10.1111/2041-210X.13650.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import spatial

from stats.case_arrays import BoolArray, FloatArray, IntArray, UndefinedScoreError, as_finite

# Above this the mean distance is that of as many random pairs as this many cases have.
MOST_FOR_ALL_PAIRS = 2000


@dataclass(frozen=True, kw_only=True, eq=False)
class Applicability:
    """Dissimilarity of new cases to training cases, and where a model applies.

    Attributes:
        index: (new case,) dissimilarity index.
        inside: (new case,) at or below the threshold.
        threshold: upper whisker of the training cases' own indices.
        training_index: (training case,) index to the nearest training case of another fold.
        mean_distance: mean distance between training cases, in scaled units.
        nearest: (new case,) number of the nearest training case.
        names: predictors that vary in training, in the order of their use.
    """

    index: FloatArray
    inside: BoolArray
    threshold: float
    training_index: FloatArray
    mean_distance: float
    nearest: IntArray
    names: tuple[str, ...]


def applicability(
    training: Mapping[str, ArrayLike],
    new: Mapping[str, ArrayLike],
    *,
    fold: ArrayLike,
    rng: np.random.Generator,
    importance: Mapping[str, float] | None = None,
) -> Applicability:
    """Dissimilarity index and area of applicability.

    Args:
        training: (training case,) predictors by name.
        new: (new case,) the same predictors.
        fold: (training case,) fold of the cross-validation that judged the model.
        rng: picks pairs for the mean distance where there are more than 2,000 training cases.
        importance: weight of each predictor, 0 or more; equal if None.

    Raises:
        ValueError: other predictors, lengths that differ, values that are not finite, weights
            below 0.
        UndefinedScoreError: no predictor varies in training, or all cases are in one fold.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> slope = rng.uniform(0.0, 40.0, 300)
        >>> found = applicability(
        ...     {"slope": slope}, {"slope": [20.0, 90.0]}, fold=np.arange(300) % 3, rng=rng
        ... )
        >>> found.inside, found.threshold < 0.1
        (array([ True, False]), True)
    """
    if set(training) != set(new) or not training:
        raise ValueError(
            f"found predictors {sorted(training)} and {sorted(new)}; expected the same"
        )
    weights = dict.fromkeys(training, 1.0) if importance is None else dict(importance)
    if set(weights) != set(training) or min(weights.values()) < 0.0:
        raise ValueError("importance: expected a weight of 0 or more for every predictor")
    number = np.asarray(fold).reshape(-1)
    old_columns, new_columns, names = [], [], []
    for name, values in training.items():
        ours = as_finite(name, values).reshape(-1)
        theirs = as_finite(name, new[name]).reshape(-1)
        if ours.size != number.size:
            raise ValueError(f"{name}: found {ours.size} training values for {number.size} folds")
        spread = float(ours.std())
        # What does not vary in training says nothing, and has no scale.
        if spread <= 1e-12 * max(1.0, float(np.abs(ours).max())) or not weights[name]:
            continue
        names.append(name)
        old_columns.append((ours - ours.mean()) / spread * weights[name])
        new_columns.append((theirs - ours.mean()) / spread * weights[name])
    if not names:
        raise UndefinedScoreError("no predictor with weight varies over the training cases")
    if np.unique(number).size < 2:
        raise UndefinedScoreError("all training cases are in one fold: nothing was tried apart")
    old, fresh = np.column_stack(old_columns), np.column_stack(new_columns)
    mean = _mean_distance(old, rng)
    between = np.empty(number.size)
    for one in np.unique(number):
        here = number == one
        between[here] = spatial.cKDTree(old[~here]).query(old[here])[0]
    distance, nearest = spatial.cKDTree(old).query(fresh)
    index, own = np.asarray(distance) / mean, between / mean
    threshold = upper_whisker(own)
    return Applicability(
        index=index, inside=np.asarray(index <= threshold), threshold=threshold, training_index=own,
        mean_distance=mean, nearest=np.asarray(nearest, dtype=np.int64), names=tuple(names),
    )  # fmt: skip


def upper_whisker(values: ArrayLike) -> float:
    """Largest value within 1.5 interquartile ranges of the upper quartile.

    Example:
        >>> upper_whisker([1.0, 2.0, 3.0, 4.0, 50.0])
        4.0
    """
    v = as_finite("values", values).reshape(-1)
    low, high = np.quantile(v, [0.25, 0.75])
    return float(v[v <= high + 1.5 * (high - low)].max())


def _mean_distance(points: FloatArray, rng: np.random.Generator) -> float:
    if len(points) < 2:
        raise UndefinedScoreError(f"found {len(points)} training cases; expected 2 or more")
    if len(points) <= MOST_FOR_ALL_PAIRS:
        mean = float(spatial.distance.pdist(points).mean())
    else:
        pairs = MOST_FOR_ALL_PAIRS * (MOST_FOR_ALL_PAIRS - 1) // 2
        first = rng.integers(0, len(points), pairs)
        # Never the case itself.
        second = (first + rng.integers(1, len(points), pairs)) % len(points)
        mean = float(np.linalg.norm(points[first] - points[second], axis=1).mean())
    return mean
