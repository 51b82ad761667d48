r"""Pixel scores, pooled: counts are summed over all pixels first and divided last.

A mean of the F1 of batches or patches is the F1 of nothing: it gives a patch with ten landslide
pixels the weight of one with ten thousand, and has no value where there is none.

Average precision and the precision-recall curve are exact, with equal probabilities as one point.
Their resamples need the events of every unit at every distinct probability; those are gathered
into at most 4,096 classes of about equal numbers of pixels, and the draws are then moved by the
difference between the exact value and the gathered one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from detection.evaluate.ground import Ground
from detection.evaluate.units import Score, Units, score_of
from stats.resampling.block_bootstrap import Statistic
from stats.scores.contingency import (
    f1_of_counts,
    iou_of_counts,
    mcc_of_counts,
    precision_of_counts,
    recall_of_counts,
)
from stats.scores.ranking import rank_curves

NO_TRUTH = "no landslide among these pixels"
NOTHING = "nothing is mapped and there is no landslide"
COUNT_SCORES: Mapping[str, tuple[Callable[[ndarray], ndarray], str]] = {
    "precision": (precision_of_counts, "nothing is mapped"),
    "recall": (recall_of_counts, NO_TRUTH),
    "f1": (f1_of_counts, NOTHING),
    "iou": (iou_of_counts, NOTHING),
    "mcc": (mcc_of_counts, "all pixels, or none, are landslide or are mapped"),
}
CURVE_POINTS = 1000
_CLASSES = 4096
_LARGEST_TABLE = 8_000_000


@dataclass(frozen=True, eq=False, kw_only=True)
class Pixels:
    """Pixels that count.

    Attributes:
        probability: (pixel,) of landslide.
        truth: (pixel,) landslide.
        unit: (pixel,) unit of the bootstrap.
    """

    probability: Float[ndarray, " pixel"]
    truth: Bool[ndarray, " pixel"]
    unit: Int[ndarray, " pixel"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Curve:
    """A precision-recall curve, thinned for drawing.

    Attributes:
        threshold: (point,) falling; mapped where the probability is at least this.
        recall: (point,) rising.
        precision: (point,)
    """

    threshold: Float[ndarray, " point"]
    recall: Float[ndarray, " point"]
    precision: Float[ndarray, " point"]


@dataclass(frozen=True, kw_only=True)
class Ceiling:
    """The largest F1 of any threshold, found on the pixels that are scored: no held-out score.

    Attributes:
        f1: that largest F1.
        threshold: where it is reached.
    """

    f1: float
    threshold: float


def gather_pixels(grounds: tuple[Ground, ...], units: Units) -> Pixels:
    """All pixels that count, one after the other."""
    kept = [ground.counted for ground in grounds]
    return Pixels(
        probability=np.concatenate([g.probability[k] for g, k in zip(grounds, kept, strict=True)]),
        truth=np.concatenate([g.truth[k] for g, k in zip(grounds, kept, strict=True)]),
        unit=np.concatenate([u[k] for u, k in zip(units.of_pixels, kept, strict=True)]),
    )


def unit_counts(pixels: Pixels, threshold: float, n_units: int) -> Float[ndarray, "unit 4"]:
    """True and false positives, false and true negatives of every unit.

    Example:
        >>> pixels = Pixels(probability=np.array([0.9, 0.9, 0.1]), unit=np.array([0, 1, 1]),
        ...                 truth=np.array([True, False, True]))
        >>> unit_counts(pixels, 0.5, 2).tolist()
        [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0]]
    """
    mapped = pixels.probability >= threshold
    # 0: tp, 1: fp, 2: fn, 3: tn.
    kind = np.where(mapped, np.where(pixels.truth, 0, 1), np.where(pixels.truth, 2, 3))
    table = np.bincount(pixels.unit * 4 + kind, minlength=4 * n_units)
    return table.reshape(n_units, 4).astype(np.float64)


def count_scores(counts: Float[ndarray, "unit 4"], units: Units) -> dict[str, Score]:
    """Precision, recall, F1, IoU and MCC at the threshold, with intervals.

    Args:
        counts: of every unit.
        units: what is drawn.
    """

    def statistic(function: Callable[[ndarray], ndarray]) -> Statistic:
        return lambda multiplicity: function(multiplicity @ counts)

    return {
        name: score_of(statistic(function), units, undefined=reason)
        for name, (function, reason) in COUNT_SCORES.items()
    }


def average_precision(pixels: Pixels, units: Units) -> tuple[Score, Curve | None, Ceiling | None]:
    """Average precision with its interval, the curve, and the best F1 on the curve.

    Returns:
        The score; the curve and the best F1 are None where no pixel, or every pixel, is landslide.
    """
    if pixels.truth.all() or not pixels.truth.any():
        reason = "every pixel is landslide" if pixels.truth.any() else NO_TRUTH
        return Score(value=float("nan"), note=reason), None, None
    curves = rank_curves(pixels.probability, pixels.truth)
    gained = np.diff(curves.recall)
    exact = float((gained * curves.precision[1:]).sum())
    f1 = _harmonic(curves.precision, curves.recall)
    best = int(np.argmax(f1))
    score = score_of(_gathered(pixels, len(units.keys)), units, exact=exact, undefined=NO_TRUTH)
    kept = _thinned(curves.recall, curves.precision)
    curve = Curve(
        threshold=curves.threshold[kept], recall=curves.recall[kept],
        precision=curves.precision[kept],
    )  # fmt: skip
    return score, curve, Ceiling(f1=float(f1[best]), threshold=float(curves.threshold[best]))


def _gathered(pixels: Pixels, n_units: int) -> Statistic:
    """Average precision of draws, from numbers of pixels by unit and class of probability."""
    classes = int(np.clip(_LARGEST_TABLE // n_units, 64, _CLASSES))
    shares = np.linspace(0.0, 1.0, classes // 2)
    # Half of the edges where landslides are, half where pixels are.
    edges = np.unique(
        np.concatenate(
            [
                np.quantile(pixels.probability[pixels.truth], shares, method="lower"),
                np.quantile(pixels.probability, shares, method="lower"),
            ]
        )
    )
    place = np.searchsorted(edges, pixels.probability, side="right")
    size = edges.size + 1
    shape = (n_units, size)
    index = pixels.unit * size + place
    events = np.bincount(index[pixels.truth], minlength=n_units * size).reshape(shape)
    others = np.bincount(index[~pixels.truth], minlength=n_units * size).reshape(shape)
    # Highest probability first, for sums from the top.
    tables = [table[:, ::-1].astype(np.float64) for table in (events, others)]

    def statistic(multiplicity: ndarray) -> ndarray:
        found = np.empty(len(multiplicity))
        step = max(1, _LARGEST_TABLE // size)
        for first in range(0, len(multiplicity), step):
            part = slice(first, first + step)
            new, false = (multiplicity[part] @ table for table in tables)
            hits, alarms = np.cumsum(new, axis=1), np.cumsum(new + false, axis=1)
            with np.errstate(invalid="ignore", divide="ignore"):
                precision = np.where(alarms > 0, hits / alarms, 0.0)
                found[part] = (new * precision).sum(axis=1) / hits[:, -1]
        return found

    return statistic


def _harmonic(precision: ndarray, recall: ndarray) -> ndarray:
    total = precision + recall
    return np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total > 0)


def _thinned(recall: ndarray, precision: ndarray) -> ndarray:
    """Points at even steps of recall, with the ends: a curve of millions of points on a page."""
    if recall.size <= CURVE_POINTS:
        return np.arange(recall.size)
    along = np.searchsorted(recall, np.linspace(0.0, 1.0, CURVE_POINTS // 2))
    # Where recall jumps, precision may still move: even steps of rank as well.
    by_rank = np.linspace(0, recall.size - 1, CURVE_POINTS // 2).astype(np.int64)
    return np.unique(np.clip(np.concatenate([along, by_rank]), 0, recall.size - 1))
