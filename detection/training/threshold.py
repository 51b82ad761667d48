"""The threshold above which a pixel is mapped as landslide, chosen on validation patches."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from jaxtyping import Bool, Float
from numpy import ndarray

from stats.scores.contingency import ContingencyTable
from stats.scores.contingency import choose_threshold as best_threshold

Measure = Literal["f1", "mcc"]


@dataclass(frozen=True, kw_only=True)
class ThresholdChoice:
    """A threshold and what it was chosen by.

    Attributes:
        threshold: a pixel is landslide where its probability is at least this.
        rule: ``f1`` or ``mcc`` (chosen on validation pixels), or ``fixed``.
        pixels: validation pixels that count.
        positive: those of landslide.
        precision: on the validation pixels; None where the threshold is fixed.
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


def choose_threshold(
    probability: Float[ndarray, ...],
    truth: Bool[ndarray, ...],
    counted: Bool[ndarray, ...],
    *,
    measure: Measure = "f1",
) -> ThresholdChoice:
    """The threshold of the largest F1 (or MCC), pooled over all validation pixels that count.

    The threshold of the largest F1 is that of the largest IoU as well. Every distinct probability
    is tried (`stats.scores.contingency.choose_threshold`).

    Args:
        probability: of validation pixels.
        truth: likewise.
        counted: likewise; what lies elsewhere may be anything.
        measure: what is made large.

    Raises:
        ValueError: a probability outside [0, 1], or NaN, where pixels count, or no validation
            pixel of landslide: no threshold is better than another then.

    Example:
        >>> import numpy as np
        >>> p, truth = np.array([0.1, 0.3, 0.6, 0.9]), np.array([False, False, True, True])
        >>> choice = choose_threshold(p, truth, np.ones(4, bool))
        >>> choice.threshold, choice.f1
        (0.6, 1.0)
    """
    if measure not in ("f1", "mcc"):
        raise ValueError(f"measure {measure!r}; use f1 or mcc")
    p, t = probability[counted], truth[counted]
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("a probability outside 0 to 1 among the pixels that count")
    if not t.any():
        raise ValueError("no landslide among the validation pixels; no threshold can be chosen")
    threshold = best_threshold(p, t, maximise=measure)
    table = ContingencyTable.of(p, t, threshold=threshold)
    return ThresholdChoice(
        threshold=threshold, rule=measure, pixels=int(p.size), positive=int(t.sum()),
        precision=table.precision(), recall=table.recall(), f1=table.f1(),
    )  # fmt: skip
