r"""How far out in its forecast a value lies, and the interval of values that lie no further.

A value is placed in its law by the transform u of F. Where the law has an atom, as at zero, u is
spread evenly over the jump, from F(y-) to F(y): scores of the many zeros are then as continuous as
those of the positive values, and the threshold of a conformal rule is met exactly and not only by
the bound. Two scores are made of u:

- upper: u itself; values up to a bound are kept, [0, Q(t)].
- central: \|2u - 1\|; the interval is [Q((1 - t)/2), Q((1 + t)/2)].

The interval that is drawn is closed, and holds all zeros or none, so it covers at least as much as
the randomised set. How much more is part of every record (`covered_terms`).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import FloatArray
from stats.laws.predictive import PredictiveLaw, observed

Side = Literal["upper", "central"]


def transform_ends(law: PredictiveLaw, value: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """(case,) F(y-) and F(y): the ends of the jump of each law at its observed value.

    Example:
        >>> from stats.laws.hurdle import hurdle_lognormal
        >>> law = hurdle_lognormal([0.2, 0.2], [0.0, 0.0], [1.0, 1.0], upper=np.inf)
        >>> low, high = transform_ends(law, [0.0, 1.0])
        >>> low.round(3), high.round(3)
        (array([0. , 0.9]), array([0.8, 0.9]))
    """
    y = observed(law, value)
    high = law.cdf(y)
    return np.clip(high - law.mass(y), 0.0, 1.0), high


def conformity_scores(
    law: PredictiveLaw, value: ArrayLike, *, side: Side, rng: np.random.Generator
) -> FloatArray:
    """(case,) scores, the jump at an atom spread evenly.

    Args:
        law: (case,) forecasts that were made without the case itself.
        value: (case,) observed values.
        side: "upper" or "central".
        rng: source of the randomisation.

    Example:
        >>> from stats.laws.hurdle import hurdle_lognormal
        >>> law = hurdle_lognormal([0.2, 0.2], [0.0, 0.0], [1.0, 1.0], upper=np.inf)
        >>> rng = np.random.default_rng(0)
        >>> conformity_scores(law, [0.0, 1.0], side="upper", rng=rng).round(3)
        array([0.51, 0.9 ])
    """
    low, high = transform_ends(law, value)
    u = low + rng.random(low.shape) * (high - low)
    return u if side == "upper" else np.abs(2.0 * u - 1.0)


def conformal_interval(
    law: PredictiveLaw, threshold: ArrayLike, *, side: Side
) -> tuple[FloatArray, FloatArray]:
    """(case,) ends of the closed interval of values whose score can be at most the threshold.

    Args:
        law: (case,) forecasts.
        threshold: (case,) or single; infinite where nothing is promised, and then the interval is
            [0, inf).
        side: "upper" or "central".

    Example:
        >>> from stats.laws.hurdle import hurdle_lognormal
        >>> law = hurdle_lognormal([0.05, 0.2], [0.0, 0.0], [1.0, 1.0], upper=np.inf)
        >>> conformal_interval(law, 0.9, side="upper")[1].round(3)
        array([0., 1.])
        >>> conformal_interval(law, [0.9, np.inf], side="central")[1].round(3)
        array([ 0., inf])
    """
    t = np.broadcast_to(np.asarray(threshold, dtype=np.float64), law.shape)
    if np.isnan(t).any() or (t.size and t.min() < 0.0):
        raise ValueError("threshold: found a value that is missing or below 0")
    endless = np.isinf(t)
    kept = np.where(endless, 1.0, np.minimum(t, 1.0))
    if side == "upper":
        low, high = np.zeros(law.shape), law.quantile(kept)
    else:
        low, high = law.quantile(0.5 - 0.5 * kept), law.quantile(0.5 + 0.5 * kept)
    return np.where(endless, 0.0, low), np.where(endless, np.inf, high)


def covered_terms(
    law: PredictiveLaw, value: ArrayLike, threshold: ArrayLike, *, side: Side
) -> tuple[FloatArray, FloatArray]:
    """(case,) coverage of the randomised set, the randomisation integrated out, and of the closed.

    The first is what a conformal rule promises. The second is never smaller; their difference is
    the over-coverage that closed intervals owe to the atom at zero.

    Example:
        >>> from stats.laws.hurdle import hurdle_lognormal
        >>> law = hurdle_lognormal([0.2], [0.0], [1.0])
        >>> covered_terms(law, [0.0], 0.4, side="upper")
        (array([0.5]), array([1.]))
    """
    low, high = transform_ends(law, value)
    t = np.broadcast_to(np.asarray(threshold, dtype=np.float64), low.shape)
    kept = np.minimum(t, 1.0)
    start = np.zeros(low.shape) if side == "upper" else 0.5 - 0.5 * kept
    stop = kept if side == "upper" else 0.5 + 0.5 * kept
    wide = high > low
    inner = np.clip(np.minimum(high, stop) - np.maximum(low, start), 0.0, None)
    point = ((low >= start) & (low <= stop)).astype(np.float64)
    share = np.where(wide, inner / np.where(wide, high - low, 1.0), point)
    closed = ((high >= start) & (low <= stop)).astype(np.float64)
    return np.where(np.isinf(t), 1.0, share), np.where(np.isinf(t), 1.0, closed)
