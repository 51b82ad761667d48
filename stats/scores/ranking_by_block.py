r"""Areas under ROC and precision-recall curves of many resamples of blocks, compiled.

The same two numbers as `stats.scores.ranking.RankTable`, which needs nothing but NumPy and SciPy.
Here one sorted pass per draw does both at once, in memory that does not grow with the number of
draws; a scoreboard of hundreds of forecasts and a thousand draws is made of it. Threads may call
it at the same time.

A resample gives every case the multiplicity w of its block. With cases sorted from the highest
score down and W+ and W- the weights of events and non-events passed so far, each distinct score
that brings dW+ and dW- adds

.. math:: \Delta\mathrm{AUC} \propto dW_-\,(W_+ + dW_+/2), \qquad
          \Delta\mathrm{AP} \propto dW_+\,\frac{W_+ + dW_+}{W_+ + dW_+ + W_- + dW_-}.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from stats.case_arrays import BoolArray, FloatArray, as_finite, as_outcome, require_same_shape

# Draws side by side in one pass: a multiple of the vector width that stays in the fast cache.
_DRAWS = 256


def areas_by_block(
    score: ArrayLike, outcome: ArrayLike, block: ArrayLike, multiplicity: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Area under the ROC curve and average precision of every draw.

    Args:
        score: (case,) any number that grows with the chance of the event.
        outcome: (case,) 0 or 1.
        block: (case,) number of the block.
        multiplicity: (draw, block) how often each block was drawn; a row of ones is the data.

    Returns:
        (draw,) AUC, NaN in a draw without events or without non-events; (draw,) average precision,
        NaN in a draw without events.

    Raises:
        ValueError: a value is missing, shapes differ, or a block is not in the table.

    Example:
        >>> auc, ap = areas_by_block([0.1, 0.4, 0.4, 0.8], [0, 0, 1, 1], [0] * 4, [[1.0]])
        >>> auc, ap.round(4)
        (array([0.875]), array([0.8333]))
    """
    s, y = as_finite("score", score), as_outcome(outcome)
    b = np.asarray(block, dtype=np.int64)
    w = np.ascontiguousarray(multiplicity, dtype=np.float64)
    require_same_shape(score=s, outcome=y, block=b)
    if s.ndim != 1 or w.ndim != 2:
        raise ValueError(
            f"score {s.shape}, multiplicity {w.shape}; expected (case,), (draw, block)"
        )
    if b.size and (b.min() < 0 or b.max() >= w.shape[1]):
        raise ValueError(f"block: found {b.min()} to {b.max()}; expected 0 to {w.shape[1] - 1}")
    if (w < 0.0).any() or not np.isfinite(w).all():
        raise ValueError("multiplicity: found a value that is negative or not finite")
    order = np.argsort(-s, kind="stable")
    s = s[order]
    y, b = y[order], b[order]
    boundary = _boundaries(s, y)
    parts = [
        _areas(y, boundary, b, np.ascontiguousarray(w[first : first + _DRAWS].T))
        for first in range(0, w.shape[0], _DRAWS)
    ]
    area, precision = np.concatenate(parts, axis=1)
    return area, precision


def _boundaries(score: FloatArray, event: BoolArray) -> BoolArray:
    """(case,) where a run of one score begins or ends, if some event has that score.

    Non-events between two such runs need no boundary: nothing is gained there, and they all lie
    below the same events.
    """
    start = np.ones(score.size, dtype=np.bool_)
    start[1:] = score[1:] != score[:-1]
    if not score.size:
        return start
    run = np.cumsum(start) - 1
    has_event = np.bincount(run, weights=event) > 0.0
    after_event = np.concatenate([[False], has_event[:-1]])
    return np.asarray(start & (has_event | after_event)[run])


@njit(cache=True, nogil=True)
def _areas(event, first, block, weight):  # type: ignore[no-untyped-def]
    """Inner loops run over draws, which lie side by side: the compiler makes vectors of them.

    `first` marks where the cases since the last mark are to be closed as one score.
    """
    draws = weight.shape[1]
    hits, misses = np.zeros(draws), np.zeros(draws)
    won, gained = np.zeros(draws), np.zeros(draws)
    new_hits, new_misses = np.zeros(draws), np.zeros(draws)
    for i in range(event.size + 1):
        if i == event.size or first[i]:
            # Close the score before: ties with events, and non-events below the one before it.
            for d in range(draws):
                won[d] += new_misses[d] * (hits[d] + 0.5 * new_hits[d])
                hits[d] += new_hits[d]
                misses[d] += new_misses[d]
                gained[d] += new_hits[d] * hits[d] / max(hits[d] + misses[d], 1e-300)
                new_hits[d] = 0.0
                new_misses[d] = 0.0
            if i == event.size:
                break
        row = weight[block[i]]
        if event[i]:
            for d in range(draws):
                new_hits[d] += row[d]
        else:
            for d in range(draws):
                new_misses[d] += row[d]
    for d in range(draws):
        won[d] = won[d] / (hits[d] * misses[d]) if hits[d] * misses[d] > 0.0 else np.nan
        gained[d] = gained[d] / hits[d] if hits[d] > 0.0 else np.nan
    return won, gained
