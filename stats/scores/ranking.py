r"""ROC and precision-recall: curves and areas with exact ties, weights, and fast resampling.

The area under the ROC curve is the probability that a case with the event outranks one without,
ties counting one half. Average precision is the sum over distinct scores of the precision there
times the recall gained there (no interpolation); its floor is the share of events, so it cannot be
compared between epochs without it. Both judge order only: any increasing change of the forecast
leaves them alone, and neither is a proper score of probabilities.

`RankTable` sorts once and keeps, for every distinct score with an event, the weight of events and
non-events per block. The areas of any number of block resamples are then sparse matrix products.

J. A. Hanley & B. J. McNeil (1982), Radiology 143, 29-36, doi:10.1148/radiology.143.1.7063747;
J. Davis & M. Goadrich (2006), ICML, 233-240, doi:10.1145/1143844.1143874.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from stats.case_arrays import (
    FloatArray,
    UndefinedScoreError,
    as_finite,
    as_outcome,
    as_weights,
    require_same_shape,
)

_LARGEST_PRODUCT = 8_000_000


@dataclass(frozen=True, eq=False)
class RankTable:
    """Events and non-events by distinct score, per block; made by `rank_table`.

    Rows are the distinct scores that some event has, highest first.

    Attributes:
        event: (row, block) weight of events at the score.
        tied: (row, block) weight of non-events at the same score.
        between: (row, block) weight of non-events above the score and below the row before.
        below: (block,) weight of non-events below the last row.
    """

    event: Any
    tied: Any
    between: Any
    below: FloatArray

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return int(self.below.size)

    def _parts(self, multiplicity: FloatArray) -> list[tuple[slice, tuple[FloatArray, ...]]]:
        m = np.asarray(multiplicity, dtype=np.float64)
        if m.ndim != 2 or m.shape[1] != self.n_blocks:
            raise ValueError(f"multiplicity: found {m.shape}; expected (draw, {self.n_blocks})")
        step = max(1, _LARGEST_PRODUCT // max(1, self.event.shape[0]))
        parts: list[tuple[slice, tuple[FloatArray, ...]]] = []
        for first in range(0, m.shape[0], step):
            chunk = slice(first, first + step)
            t = np.ascontiguousarray(m[chunk].T)
            parts.append((chunk, (self.event @ t, self.tied @ t, self.between @ t, self.below @ t)))
        return parts

    def roc_auc(self, multiplicity: FloatArray) -> FloatArray:
        """(draw,) area under the ROC curve of block resamples.

        `multiplicity` (draw, block) says how often each block counts; NaN marks a draw without
        events or without non-events.
        """
        area = np.empty(np.shape(multiplicity)[0])
        for chunk, (event, tied, between, below) in self._parts(multiplicity):
            passed = np.cumsum(between + tied, axis=0)
            without = below + (passed[-1] if len(passed) else 0.0)
            won = np.sum(event * (without - passed + 0.5 * tied), axis=0)
            with np.errstate(invalid="ignore", divide="ignore"):
                area[chunk] = won / (event.sum(axis=0) * without)
        return area

    def average_precision(self, multiplicity: FloatArray) -> FloatArray:
        """(draw,) average precision of block resamples; NaN marks a draw without events."""
        value = np.empty(np.shape(multiplicity)[0])
        for chunk, (event, tied, between, _) in self._parts(multiplicity):
            found = np.cumsum(event, axis=0)
            alarms = found + np.cumsum(between + tied, axis=0)
            with np.errstate(invalid="ignore", divide="ignore"):
                precision = np.where(alarms > 0.0, found / alarms, 0.0)
                value[chunk] = np.sum(event * precision, axis=0) / event.sum(axis=0)
        return value


def rank_table(
    score: ArrayLike,
    outcome: ArrayLike,
    *,
    block: ArrayLike | None = None,
    n_blocks: int | None = None,
    weights: ArrayLike | None = None,
) -> RankTable:
    """Sort cases once for areas under curves, by block where resamples are wanted.

    Args:
        score: (case,) forecast; larger means more likely.
        outcome: (case,) 0 or 1.
        block: (case,) block number from 0; one block for all if None.
        n_blocks: number of blocks, where the last ones may hold no case.
        weights: (case,) optional.

    Example:
        >>> table = rank_table([0.9, 0.8, 0.1], [1, 0, 1], block=[0, 0, 1])
        >>> table.roc_auc(np.array([[1.0, 1.0], [2.0, 0.0]]))
        array([0.5, 1. ])
    """
    s, y = as_finite("score", score).reshape(-1), as_outcome(outcome).reshape(-1)
    require_same_shape(score=s, outcome=y)
    w = as_weights(weights, s.shape)
    b = np.zeros(s.size, dtype=np.int64) if block is None else np.asarray(block).reshape(-1)
    if b.shape != s.shape or not np.issubdtype(b.dtype, np.integer):
        raise ValueError(f"block: found {b.dtype} {b.shape}; expected integers {s.shape}")
    count = int(b.max(initial=-1)) + 1 if n_blocks is None else n_blocks
    if s.size and (b.min() < 0 or b.max() >= count):
        raise ValueError(f"block: found numbers {b.min()} to {b.max()}; expected 0 to {count - 1}")
    rows = np.unique(s[y & (w > 0.0)])
    # Row of the highest event score that is at most the case's own; highest row first.
    row = rows.size - np.searchsorted(rows, s, side="right")
    at_row = np.zeros(s.size, dtype=bool)
    inside = row < rows.size
    at_row[inside] = rows[rows.size - 1 - row[inside]] == s[inside]

    def table(chosen: np.ndarray[Any, np.dtype[np.bool_]]) -> Any:
        entries = (w[chosen], (row[chosen], b[chosen]))
        return sparse.coo_array(entries, shape=(rows.size, count)).tocsr()

    below = np.asarray(np.bincount(b[~inside], w[~inside], count), dtype=np.float64)
    live = inside & (w > 0.0)
    return RankTable(table(live & y), table(live & ~y & at_row), table(live & ~y & ~at_row), below)


def _single(value: FloatArray, reason: str) -> float:
    if np.isnan(value[0]):
        raise UndefinedScoreError(reason)
    return float(value[0])


def roc_auc(score: ArrayLike, outcome: ArrayLike, *, weights: ArrayLike | None = None) -> float:
    """Area under the ROC curve.

    Raises:
        UndefinedScoreError: all outcomes are the same.

    Example:
        >>> roc_auc([0.1, 0.4, 0.4, 0.8], [0, 0, 1, 1])
        0.875
    """
    value = rank_table(score, outcome, weights=weights, n_blocks=1).roc_auc(np.ones((1, 1)))
    return _single(value, "ROC needs cases with and without the event")


def average_precision(
    score: ArrayLike, outcome: ArrayLike, *, weights: ArrayLike | None = None
) -> float:
    """Average precision.

    Raises:
        UndefinedScoreError: no case has the event.

    Example:
        >>> round(average_precision([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]), 4)
        0.8333
    """
    table = rank_table(score, outcome, weights=weights, n_blocks=1)
    return _single(table.average_precision(np.ones((1, 1))), "precision-recall needs an event")


@dataclass(frozen=True, eq=False)
class RankCurves:
    """ROC and precision-recall curves over the distinct scores, from no alarm to alarm everywhere.

    Attributes:
        threshold: (point,) alarm where score >= threshold; inf at the first point.
        false_positive_rate: (point,) x of the ROC curve.
        recall: (point,) y of the ROC curve, x of the precision-recall curve.
        precision: (point,) y of the precision-recall curve, 1 by convention at the first point.
    """

    threshold: FloatArray
    false_positive_rate: FloatArray
    recall: FloatArray
    precision: FloatArray


def rank_curves(
    score: ArrayLike, outcome: ArrayLike, *, weights: ArrayLike | None = None
) -> RankCurves:
    """Both curves with ties as single points.

    Raises:
        UndefinedScoreError: all outcomes are the same.

    Example:
        >>> curves = rank_curves([0.1, 0.4, 0.4, 0.8], [0, 0, 1, 1])
        >>> curves.recall, curves.false_positive_rate
        (array([0. , 0.5, 1. , 1. ]), array([0. , 0. , 0.5, 1. ]))
    """
    s, y = as_finite("score", score).reshape(-1), as_outcome(outcome).reshape(-1)
    require_same_shape(score=s, outcome=y)
    w = as_weights(weights, s.shape)
    order = np.argsort(-s, kind="stable")
    s, w, y = s[order], w[order], y[order]
    last = np.flatnonzero(np.append(s[1:] != s[:-1], True)) if s.size else np.zeros(0, np.int64)
    tp = np.concatenate([[0.0], np.cumsum(w * y)[last]])
    fp = np.concatenate([[0.0], np.cumsum(w * ~y)[last]])
    if not (tp[-1] > 0.0 and fp[-1] > 0.0):
        raise UndefinedScoreError("ROC needs cases with and without the event")
    alarms = tp + fp
    with np.errstate(invalid="ignore"):
        precision = np.where(alarms > 0.0, tp / alarms, 1.0)
    threshold = np.concatenate([[np.inf], s[last]])
    return RankCurves(threshold, fp / fp[-1], tp / tp[-1], precision)
