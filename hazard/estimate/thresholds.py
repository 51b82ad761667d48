"""Thresholds of probability that turn a forecast into yes or no, chosen without the test part."""

from __future__ import annotations

from typing import Any

import numpy as np

from hazard.archive.names import CRITERIA

Array = np.ndarray[Any, np.dtype[Any]]


def best_thresholds(probability: Array, present: Array) -> dict[str, float]:
    """The thresholds of largest F1 and largest Matthews correlation on the given cases.

    Yes is a probability at or above the threshold; candidates are the probabilities that occur.
    NaN where the cases are of one kind alone.

    Args:
        probability: (case,) forecast.
        present: (case,) True where it happened.

    Example:
        >>> best_thresholds(np.array([0.1, 0.2, 0.8, 0.9]), np.array([False, False, True, True]))
        {'f1': 0.8, 'mcc': 0.8}
    """
    p, y = np.asarray(probability, np.float64), np.asarray(present, dtype=bool)
    positive = int(y.sum())
    if positive == 0 or positive == y.size:
        return dict.fromkeys(CRITERIA, float("nan"))
    order = np.argsort(-p, kind="stable")
    sorted_p, hits = p[order], np.cumsum(y[order]).astype(np.float64)
    # A threshold takes all equal probabilities along: the last of a run counts for it.
    last = np.append(sorted_p[1:] != sorted_p[:-1], True)
    said, tp = np.flatnonzero(last) + 1.0, hits[last]
    fp, fn = said - tp, positive - tp
    tn = y.size - said - fn
    f1 = 2 * tp / (2 * tp + fp + fn)
    root = np.sqrt(said * positive * (tn + fp) * (tn + fn))
    mcc = np.where(root > 0, (tp * tn - fp * fn) / np.where(root > 0, root, 1.0), 0.0)
    candidates = sorted_p[last]
    scores = {"f1": f1, "mcc": mcc}
    return {name: float(candidates[int(np.argmax(scores[name]))]) for name in CRITERIA}
