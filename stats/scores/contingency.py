r"""Contingency counts at a threshold, and the scores made of them.

Counts are pooled over all cases first and divided last: a mean of F1 over batches or epochs is not
the F1 of anything. A score whose denominator is empty is undefined: the functions of one table
raise `UndefinedScoreError`, the functions of many tables (`..._of_counts`, for resampling) mark
such a table with NaN.

None of these scores is proper: they judge a ranking cut at one threshold, and the threshold must
be chosen on training cases (`choose_threshold`), never on those that are scored.
With the same counts IoU = F1 / (2 - F1) always.

B. W. Matthews (1975), Biochimica et Biophysica Acta 405, 442-451,
doi:10.1016/0005-2795(75)90109-9.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import (
    FloatArray,
    UndefinedScoreError,
    as_finite,
    as_outcome,
    as_weights,
    require_same_shape,
)

Criterion = Literal["f1", "mcc", "iou"]


def count_terms(alarm: ArrayLike, outcome: ArrayLike) -> FloatArray:
    """(case, 4) addable terms: true positive, false positive, false negative, true negative.

    Args:
        alarm: (case,) whether the event is forecast, such as `probability >= threshold`.
        outcome: (case,) whether it happened.

    Example:
        >>> count_terms([1, 1, 0, 0], [1, 0, 1, 0]).sum(axis=0)
        array([1., 1., 1., 1.])
    """
    a, y = as_outcome(alarm, "alarm"), as_outcome(outcome)
    require_same_shape(alarm=a, outcome=y)
    return np.stack([a & y, a & ~y, ~a & y, ~a & ~y], axis=-1).astype(np.float64)


def _split(counts: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    table = np.asarray(counts, dtype=np.float64)
    if table.shape[-1] != 4:
        raise ValueError(f"counts: found shape {table.shape}; expected (..., 4)")
    return table[..., 0], table[..., 1], table[..., 2], table[..., 3]


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(below > 0.0, above / below, np.nan)


def precision_of_counts(counts: ArrayLike) -> FloatArray:
    """(...,) tp / (tp + fp) of (..., 4) counts; NaN where nothing is forecast."""
    tp, fp, _, _ = _split(counts)
    return _ratio(tp, tp + fp)


def recall_of_counts(counts: ArrayLike) -> FloatArray:
    """(...,) tp / (tp + fn) of (..., 4) counts; NaN where nothing happened."""
    tp, _, fn, _ = _split(counts)
    return _ratio(tp, tp + fn)


def f1_of_counts(counts: ArrayLike) -> FloatArray:
    """(...,) 2 tp / (2 tp + fp + fn) of (..., 4) counts; NaN where nothing is forecast or happens.

    Example:
        >>> f1_of_counts([[2, 1, 1, 6], [0, 0, 0, 9]])
        array([0.66666667,        nan])
    """
    tp, fp, fn, _ = _split(counts)
    return _ratio(2.0 * tp, 2.0 * tp + fp + fn)


def iou_of_counts(counts: ArrayLike) -> FloatArray:
    """(...,) intersection over union tp / (tp + fp + fn); NaN as for F1."""
    tp, fp, fn, _ = _split(counts)
    return _ratio(tp, tp + fp + fn)


def mcc_of_counts(counts: ArrayLike) -> FloatArray:
    """(...,) Matthews correlation (phi) of (..., 4) counts; NaN where a margin is empty.

    Example:
        >>> mcc_of_counts([[5, 0, 0, 5], [0, 5, 5, 0], [5, 5, 0, 0]])
        array([ 1., -1., nan])
    """
    tp, fp, fn, tn = _split(counts)
    # Square roots first: the product of four margins of a large raster would lose digits.
    margins = np.sqrt(tp + fp) * np.sqrt(fn + tn) * np.sqrt(tp + fn) * np.sqrt(fp + tn)
    return np.clip(_ratio(tp * tn - fp * fn, margins), -1.0, 1.0)


def _defined(value: FloatArray, name: str, reason: str) -> float:
    if np.isnan(value):
        raise UndefinedScoreError(f"{name}: {reason}")
    return float(value)


@dataclass(frozen=True)
class ContingencyTable:
    """Pooled counts (or sums of weights) at one threshold; tables add up.

    Example:
        >>> table = ContingencyTable(2, 1, 1, 6) + ContingencyTable(0, 0, 0, 10)
        >>> round(table.f1(), 4), table.iou(), round(table.mcc(), 4)
        (0.6667, 0.5, 0.6078)
    """

    true_positive: float
    false_positive: float
    false_negative: float
    true_negative: float

    @classmethod
    def of(
        cls,
        score: ArrayLike,
        outcome: ArrayLike,
        *,
        threshold: float,
        weights: ArrayLike | None = None,
    ) -> ContingencyTable:
        """Table of forecasting the event where `score` >= `threshold`."""
        s, y = as_finite("score", score), as_outcome(outcome)
        require_same_shape(score=s, outcome=y)
        w = as_weights(weights, s.shape).reshape(-1)
        return cls(*map(float, w @ count_terms(s >= threshold, y).reshape(-1, 4)))

    def __add__(self, other: ContingencyTable) -> ContingencyTable:
        return ContingencyTable(*map(float, self.counts + other.counts))

    @property
    def counts(self) -> FloatArray:
        """(4,) tp, fp, fn, tn."""
        return np.array(
            [self.true_positive, self.false_positive, self.false_negative, self.true_negative]
        )

    def precision(self) -> float:
        """Share of alarms that were right; undefined without alarms."""
        return _defined(precision_of_counts(self.counts), "precision", "nothing is forecast")

    def recall(self) -> float:
        """Share of events that were forecast; undefined without events."""
        return _defined(recall_of_counts(self.counts), "recall", "nothing happened")

    def f1(self) -> float:
        """Harmonic mean of precision and recall; undefined without alarms and events."""
        return _defined(f1_of_counts(self.counts), "F1", "nothing is forecast and nothing happened")

    def iou(self) -> float:
        """Intersection over union; undefined without alarms and events."""
        return _defined(iou_of_counts(self.counts), "IoU", "no forecast and no event")

    def mcc(self) -> float:
        """Matthews correlation; undefined where a row or a column of the table is empty."""
        return _defined(mcc_of_counts(self.counts), "MCC", "a margin of the table is empty")


_OF_COUNTS: dict[Criterion, Callable[[ArrayLike], FloatArray]] = {
    "f1": f1_of_counts,
    "mcc": mcc_of_counts,
    "iou": iou_of_counts,
}


def choose_threshold(
    score: ArrayLike,
    outcome: ArrayLike,
    *,
    maximise: Criterion,
    weights: ArrayLike | None = None,
) -> float:
    """Threshold that maximises a contingency score on training cases, searched exactly.

    Every distinct score is tried (event where score >= threshold). Of equally good thresholds the
    highest is taken, which raises the fewest alarms.

    Args:
        score: (case,) forecast on cases that are not scored afterwards.
        outcome: (case,) 0 or 1.
        maximise: "f1", "mcc" or "iou" (which chooses as "f1" does).
        weights: (case,) optional.

    Raises:
        UndefinedScoreError: no event, or the criterion is undefined at every threshold.

    Example:
        >>> choose_threshold([0.1, 0.2, 0.3, 0.9], [0, 0, 1, 1], maximise="f1")
        0.3
    """
    s, y = as_finite("score", score).reshape(-1), as_outcome(outcome).reshape(-1)
    require_same_shape(score=s, outcome=y)
    w = as_weights(weights, s.shape)
    order = np.argsort(-s, kind="stable")
    s, hit, false = s[order], (w * y)[order], (w * ~y)[order]
    last = np.flatnonzero(np.append(s[1:] != s[:-1], True))
    tp, fp = np.cumsum(hit)[last], np.cumsum(false)[last]
    if tp.size == 0 or not tp[-1] > 0.0:
        raise UndefinedScoreError("no event among the training cases; no threshold can be chosen")
    counts = np.stack([tp, fp, tp[-1] - tp, fp[-1] - fp], axis=-1)
    value = _OF_COUNTS[maximise](counts)
    if np.isnan(value).all():
        raise UndefinedScoreError(f"{maximise} is undefined at every threshold")
    best = np.nanmax(value)
    # Rounding must not prefer a lower threshold among equals.
    return float(s[last][np.flatnonzero(value >= best - 1e-12)[0]])
