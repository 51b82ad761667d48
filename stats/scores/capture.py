r"""Success-rate and prediction-rate curves, and hazard classes with what each one captures.

Cells are taken from the most to the least hazardous; the curve is the share of landslides (number
or area) captured against the share of the study area used up. Against the landslides that trained
the model it is a success-rate curve and measures fit; against later or held-out ones it is a
prediction-rate curve and measures skill. The arithmetic is the same, so the record carries which
it is. Tied cells enter together, as a straight piece.

C.-J. F. Chung & A. G. Fabbri (2003), Natural Hazards 30, 451-472,
doi:10.1023/B:NHAZ.0000007172.62651.2b.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import (
    FloatArray,
    UndefinedScoreError,
    as_finite,
    as_nonnegative,
    as_weights,
    require_same_shape,
)

Kind = Literal["success", "prediction"]


@dataclass(frozen=True, eq=False)
class CaptureCurve:
    """Share of landslides in the most hazardous share of the area.

    Attributes:
        kind: "success" (landslides that trained the model) or "prediction" (held out).
        area_share: (point,) from 0 to 1.
        landslide_share: (point,) from 0 to 1.
        threshold: (point,) lowest score included; inf at the first point.
    """

    kind: Kind
    area_share: FloatArray
    landslide_share: FloatArray
    threshold: FloatArray

    def captured(self, area_share: ArrayLike) -> FloatArray:
        """Share of landslides in the most hazardous `area_share` of the area.

        Example:
            >>> capture_curve([3., 2., 1.], [1., 0., 0.], kind="success").captured(1 / 6)
            array(0.5)
        """
        share = as_finite("area_share", area_share)
        return np.asarray(np.interp(share, self.area_share, self.landslide_share))

    def area_under(self) -> float:
        """Area under the curve: 0.5 for a forecast without skill.

        Unlike ROC, its largest value depends on how much of the area slid.
        """
        return float(np.trapezoid(self.landslide_share, self.area_share))


def _by_score(
    score: ArrayLike, landslide: ArrayLike, area: ArrayLike | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Distinct scores from the highest down, with the landslides and the area at each."""
    s = as_finite("score", score).reshape(-1)
    slid = as_nonnegative("landslide", landslide).reshape(-1)
    cell = as_weights(None if area is None else np.asarray(area).reshape(-1), s.shape)
    require_same_shape(score=s, landslide=slid)
    distinct, place = np.unique(-s, return_inverse=True)
    n = distinct.size
    slid_at = np.bincount(place.reshape(-1), weights=slid, minlength=n)
    cell_at = np.bincount(place.reshape(-1), weights=cell, minlength=n)
    return -distinct, np.asarray(slid_at, np.float64), np.asarray(cell_at, np.float64)


def capture_curve(
    score: ArrayLike, landslide: ArrayLike, *, kind: Kind, area: ArrayLike | None = None
) -> CaptureCurve:
    """Success-rate or prediction-rate curve.

    Args:
        score: (case,) hazard or susceptibility; larger is worse.
        landslide: (case,) number, presence or area of landslides, 0 or more.
        kind: what the landslides are to the model that made the score.
        area: (case,) area of the case; equal areas if None.

    Raises:
        UndefinedScoreError: there are no landslides.

    Example:
        >>> curve = capture_curve([0.9, 0.5, 0.5, 0.1], [2, 1, 0, 1], kind="prediction")
        >>> curve.area_share, curve.landslide_share
        (array([0.  , 0.25, 0.75, 1.  ]), array([0.  , 0.5 , 0.75, 1.  ]))
    """
    distinct, slid, cell = _by_score(score, landslide, area)
    if not slid.sum() > 0.0:
        raise UndefinedScoreError("a capture curve needs landslides")
    x, y = np.cumsum(cell), np.cumsum(slid)
    return CaptureCurve(
        kind,
        np.concatenate([[0.0], x / x[-1]]),
        np.concatenate([[0.0], y / y[-1]]),
        np.concatenate([[np.inf], distinct]),
    )


def class_edges(
    curve: CaptureCurve, shares: Sequence[float], *, of: Literal["area", "landslides"]
) -> FloatArray:
    """Scores that part hazard classes, lowest class first, read off a curve of training cases.

    Args:
        curve: capture curve on training cases.
        shares: increasing shares within (0, 1): (0.05, 0.15, 0.3, 0.6) of the area, or
            (0.5, 0.75, 0.9, 0.98) of the landslides, give five classes.
        of: what the shares are of, counted from the most hazardous cell down.

    Returns:
        (len(shares),) increasing edges; a case belongs to the class above an edge where its score
        is at or above it.

    Raises:
        ValueError: two classes would be the same, as tied scores cannot be parted.

    Example:
        >>> curve = capture_curve(np.arange(10.0), np.arange(10.0), kind="success")
        >>> class_edges(curve, (0.2, 0.5), of="area")
        array([5., 8.])
    """
    wanted = as_finite("shares", shares)
    if (
        wanted.size == 0
        or wanted.min() <= 0.0
        or wanted.max() >= 1.0
        or (np.diff(wanted) <= 0).any()
    ):
        raise ValueError(f"shares: found {list(shares)}; expected increasing numbers within (0, 1)")
    reached = curve.area_share if of == "area" else curve.landslide_share
    # The first point at which the share is reached; rounding must not push it one further.
    edges = curve.threshold[np.searchsorted(reached, wanted - 1e-12, side="left")][::-1]
    if (np.diff(edges) <= 0.0).any():
        raise ValueError(f"shares {list(shares)} fall on tied scores; ask for fewer classes")
    return edges


@dataclass(frozen=True)
class HazardClass:
    """One class of a hazard map.

    Attributes:
        low: lowest score of the class; -inf for the first.
        high: score at which the next class begins; inf for the last.
        area: area in the class, in the unit given.
        area_share: its share of the study area.
        landslide: number or area of landslides in the class.
        landslide_share: its share of all landslides.
        ratio: landslide share over area share, 1 without skill; None for an empty class.
    """

    low: float
    high: float
    area: float
    area_share: float
    landslide: float
    landslide_share: float
    ratio: float | None


def hazard_classes(
    score: ArrayLike, landslide: ArrayLike, edges: ArrayLike, *, area: ArrayLike | None = None
) -> list[HazardClass]:
    """What each class of a hazard map holds, lowest class first.

    Args:
        score: (case,) hazard or susceptibility.
        landslide: (case,) number, presence or area of landslides.
        edges: increasing scores that part the classes, from `class_edges` of training cases.
        area: (case,) area of the case; equal areas if None.

    Example:
        >>> [c.landslide_share for c in hazard_classes([0.1, 0.5, 0.9], [0, 1, 3], [0.4, 0.8])]
        [0.0, 0.25, 0.75]
    """
    parts = as_finite("edges", edges)
    if (np.diff(parts) <= 0.0).any():
        raise ValueError("edges: found values that do not increase")
    distinct, slid, cell = _by_score(score, landslide, area)
    if not slid.sum() > 0.0:
        raise UndefinedScoreError("hazard classes need landslides to capture")
    member = np.searchsorted(parts, distinct, side="right")
    n = parts.size + 1
    slid_in = np.bincount(member, weights=slid, minlength=n)
    area_in = np.bincount(member, weights=cell, minlength=n)
    bounds = np.concatenate([[-np.inf], parts, [np.inf]])
    classes = []
    for k in range(n):
        area_share = float(area_in[k] / area_in.sum())
        captured = float(slid_in[k] / slid_in.sum())
        ratio = captured / area_share if area_share > 0.0 else None
        classes.append(
            HazardClass(
                float(bounds[k]), float(bounds[k + 1]), float(area_in[k]), area_share,
                float(slid_in[k]), captured, ratio,
            )
        )  # fmt: skip
    return classes
