"""The threshold above which a pixel is mapped as landslide, chosen on validation patches."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

Measure = Literal["f1", "mcc"]
BINS = 1000


@dataclass(frozen=True, kw_only=True)
class ThresholdChoice:
    """A threshold and what it was chosen by.

    Attributes:
        threshold: a pixel is landslide where its probability is at least this.
        rule: ``f1`` or ``mcc`` (chosen on validation pixels), or ``fixed``.
        pixels: validation pixels that count.
        positive: those of landslide.
        precision: on the validation pixels; None where the rule is ``fixed`` and there are none.
        recall: likewise.
        f1: likewise.
    """

    threshold: float
    rule: str
    pixels: int
    positive: int
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def counts_above(
    probability: Float[ndarray, ...],
    truth: Bool[ndarray, ...],
    counted: Bool[ndarray, ...],
    *,
    bins: int = BINS,
) -> tuple[
    Float[ndarray, " threshold"], Float[ndarray, " threshold"], Float[ndarray, " threshold"]
]:
    """Hits and false alarms, pooled over all pixels that count, for rising thresholds.

    Args:
        probability: of landslide [-].
        truth: landslide.
        counted: pixels that count; the others enter nothing.
        bins: thresholds are 0, 1/bins, ..., (bins - 1)/bins.

    Returns:
        Thresholds, true positives and false positives of each.

    Raises:
        ValueError: a probability outside [0, 1], or NaN, among the pixels that count.

    Example:
        >>> p, truth = np.array([0.2, 0.8]), np.array([False, True])
        >>> thresholds, hits, alarms = counts_above(p, truth, np.ones(2, bool), bins=2)
        >>> thresholds.tolist(), hits.tolist(), alarms.tolist()
        ([0.0, 0.5], [1.0, 1.0], [1.0, 0.0])
    """
    p, t = probability[counted], truth[counted]
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("a probability outside 0 to 1 among the pixels that count")
    edges = np.arange(bins) / bins
    # Bin k holds probabilities from edge k on: those at or above edge k are a sum from the end.
    where = np.searchsorted(edges, p.astype(np.float64), side="right") - 1
    hits = np.bincount(where[t], minlength=bins)[::-1].cumsum()[::-1]
    alarms = np.bincount(where[~t], minlength=bins)[::-1].cumsum()[::-1]
    return edges, hits.astype(np.float64), alarms.astype(np.float64)


def choose_threshold(
    probability: Float[ndarray, ...],
    truth: Bool[ndarray, ...],
    counted: Bool[ndarray, ...],
    *,
    measure: Measure = "f1",
    bins: int = BINS,
) -> ThresholdChoice:
    """The threshold of the largest pooled F1 (or MCC); of several equally good ones the middle.

    The threshold of the largest F1 is that of the largest IoU as well. 0 is never chosen: it maps
    everything.

    Args:
        probability: of validation pixels.
        truth: likewise.
        counted: likewise.
        measure: what is made large.
        bins: number of thresholds.

    Raises:
        ValueError: no validation pixel of landslide: no threshold is better than another.

    Example:
        >>> p, truth = np.array([0.1, 0.3, 0.6, 0.9]), np.array([False, False, True, True])
        >>> choice = choose_threshold(p, truth, np.ones(4, bool))
        >>> 0.3 < choice.threshold <= 0.6, choice.f1
        (True, 1.0)
    """
    edges, hits, alarms = counts_above(probability, truth, counted, bins=bins)
    positive, pixels = hits[0], hits[0] + alarms[0]
    if positive == 0:
        raise ValueError("no landslide among the validation pixels; no threshold can be chosen")
    f1 = 2 * hits / (hits + alarms + positive)
    if measure == "f1":
        score = f1
    elif measure == "mcc":
        negative = pixels - positive
        chosen = hits + alarms
        spread = np.sqrt(chosen * (pixels - chosen)) * np.sqrt(positive * negative)
        covariance = hits * (negative - alarms) - alarms * (positive - hits)
        score = np.divide(covariance, spread, out=np.zeros_like(spread), where=spread > 0)
    else:
        raise ValueError(f"measure {measure!r}; use f1 or mcc")
    best = np.flatnonzero(np.isclose(score[1:], score[1:].max(), rtol=0, atol=1e-12)) + 1
    # Of the first run of equals, the middle.
    run = best[: np.argmax(np.append(np.diff(best), 2) > 1) + 1]
    index = int(run[run.size // 2])
    return ThresholdChoice(
        threshold=float(edges[index]),
        rule=measure,
        pixels=int(pixels),
        positive=int(positive),
        precision=float(hits[index] / max(hits[index] + alarms[index], 1.0)),
        recall=float(hits[index] / positive),
        f1=float(f1[index]),
    )
