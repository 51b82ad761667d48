r"""Maps from a score to a calibrated probability, fitted on held-out cases.

Each `fit_...` takes cases that the model did not train on (a validation fold, or all folds but
one) and returns a record whose `apply` recalibrates others. Nothing here fits and applies to the
same cases in one step; `cross_recalibrate` does it fold by fold.

- Platt: q = expit(a + b s), s the score itself or its logit; two coefficients, any sample size.
- beta: logit q = c + a ln p - b ln(1 - p) with a, b of 0 or more; mends skewed distortions and
  contains the identity (a = b = 1, c = 0).
- isotonic: the increasing step fit, joined by straight lines; free of shape, needs many cases, and
  may return exactly 0 and 1, which a log score punishes without limit.

J. C. Platt (1999), Advances in Large Margin Classifiers, 61-74;
B. Zadrozny & C. Elkan (2002), KDD, 694-699, doi:10.1145/775047.775151;
M. Kull, T. M. Silva Filho & P. Flach (2017), EJS 11, 5052-5080, doi:10.1214/17-EJS1338SI.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special

from stats.calibration.logistic import fit_logistic
from stats.case_arrays import (
    BoolArray,
    FloatArray,
    UndefinedScoreError,
    as_finite,
    as_outcome,
    as_probability,
    as_weights,
    require_same_shape,
)

Scale = Literal["logit", "identity"]


class Recalibration(Protocol):
    """Anything that turns scores into probabilities."""

    def apply(self, score: ArrayLike) -> FloatArray:
        """(case,) calibrated probability."""


def _fit_cases(
    score: ArrayLike, outcome: ArrayLike, weights: ArrayLike | None
) -> tuple[FloatArray, BoolArray, FloatArray]:
    s, y = as_finite("score", score).reshape(-1), as_outcome(outcome).reshape(-1)
    require_same_shape(score=s, outcome=y)
    w = as_weights(weights, s.shape)
    live = y[w > 0.0]
    if live.size == 0 or live.all() or not live.any():
        raise UndefinedScoreError("recalibration needs held-out cases with and without the event")
    return s, y, w


def _on_scale(score: FloatArray, scale: Scale) -> FloatArray:
    if scale == "identity":
        return score
    p = as_probability(score, "score")
    certain = int(np.count_nonzero((p == 0.0) | (p == 1.0)))
    if certain:
        raise ValueError(
            f"score: found {certain} of {p.size} exactly 0 or 1; use scale='identity' or isotonic"
        )
    return special.logit(p)


@dataclass(frozen=True)
class PlattMap:
    """q = expit(intercept + slope * s), s the score or its logit."""

    intercept: float
    slope: float
    scale: Scale

    def apply(self, score: ArrayLike) -> FloatArray:
        """(case,) calibrated probability."""
        s = _on_scale(as_finite("score", score), self.scale)
        return special.expit(self.intercept + self.slope * s)


def fit_platt(
    score: ArrayLike,
    outcome: ArrayLike,
    *,
    scale: Scale = "logit",
    smooth_targets: bool = False,
    weights: ArrayLike | None = None,
) -> PlattMap:
    """Fit a Platt map on held-out cases.

    Args:
        score: (case,) probability (scale "logit") or any number (scale "identity").
        outcome: (case,) 0 or 1.
        scale: what the map is linear in.
        smooth_targets: Platt's targets (N+ + 1)/(N+ + 2) and 1/(N- + 2) instead of 1 and 0, which
            keep the fit finite when the score parts the outcomes.
        weights: (case,) optional.

    Raises:
        UndefinedScoreError: one outcome only, or outcomes parted by the score.

    Example:
        >>> p = np.repeat([0.2, 0.8], 10)
        >>> y = np.concatenate([np.arange(10) < 2, np.arange(10) < 8])
        >>> fit_platt(p, y).apply([0.2, 0.5]).round(3)
        array([0.2, 0.5])
    """
    s, y, w = _fit_cases(score, outcome, weights)
    x = _on_scale(s, scale)
    target = y.astype(np.float64)
    if smooth_targets:
        positive, negative = float(w[y].sum()), float(w[~y].sum())
        target = np.where(y, (positive + 1.0) / (positive + 2.0), 1.0 / (negative + 2.0))
    a, b = fit_logistic(np.column_stack([np.ones_like(x), x]), target, w)
    return PlattMap(float(a), float(b), scale)


@dataclass(frozen=True)
class BetaMap:
    """Log-odds of q = c + a ln p - b ln(1 - p)."""

    a: float
    b: float
    c: float

    def apply(self, score: ArrayLike) -> FloatArray:
        """(case,) calibrated probability; 0 and 1 are mapped by their limits."""
        p = as_probability(score, "score")
        low = special.xlogy(self.a, p)
        high = special.xlog1py(self.b, -p)
        return special.expit(self.c + low - high)


def fit_beta(score: ArrayLike, outcome: ArrayLike, *, weights: ArrayLike | None = None) -> BetaMap:
    """Fit beta calibration on held-out cases, a and b held at 0 or above.

    Raises:
        ValueError: a score is exactly 0 or 1.
        UndefinedScoreError: one outcome only, or outcomes parted by the score.

    Example:
        >>> p = np.repeat([0.1, 0.4, 0.8], 10)
        >>> y = np.concatenate([np.arange(10) < k for k in (1, 4, 8)])
        >>> fitted = fit_beta(p, y)
        >>> round(fitted.a, 4), round(fitted.b, 4), abs(round(fitted.c, 4))
        (1.0, 1.0, 0.0)
    """
    s, y, w = _fit_cases(score, outcome, weights)
    _on_scale(s, "logit")
    columns = np.column_stack([np.ones_like(s), np.log(s), -np.log1p(-s)])
    target = y.astype(np.float64)
    # Drop the more harmful negative coefficient first, as the constraint a, b >= 0 asks.
    kept = [0, 1, 2]
    while True:
        found = fit_logistic(columns[:, kept], target, w)
        slopes = found[1:]
        if not slopes.size or slopes.min() >= 0.0:
            break
        kept.pop(1 + int(np.argmin(slopes)))
    full = np.zeros(3)
    full[kept] = found
    return BetaMap(a=float(full[1]), b=float(full[2]), c=float(full[0]))


@dataclass(frozen=True, eq=False)
class IsotonicMap:
    """Increasing map through (score, probability) points, constant outside them."""

    score: FloatArray
    probability: FloatArray

    def apply(self, score: ArrayLike) -> FloatArray:
        """(case,) calibrated probability."""
        return np.asarray(np.interp(as_finite("score", score), self.score, self.probability))


def fit_isotonic(
    score: ArrayLike, outcome: ArrayLike, *, weights: ArrayLike | None = None
) -> IsotonicMap:
    """Fit an isotonic map on held-out cases.

    Example:
        >>> fit_isotonic([0.1, 0.2, 0.3, 0.4], [0, 1, 0, 1]).apply([0.1, 0.25, 0.9])
        array([0. , 0.5, 1. ])
    """
    s, y, w = _fit_cases(score, outcome, weights)
    live = w > 0.0
    distinct, group = np.unique(s[live], return_inverse=True)
    weight = np.bincount(group.reshape(-1), w[live])
    frequency = np.bincount(group.reshape(-1), (w * y)[live]) / weight
    fit = np.clip(optimize.isotonic_regression(frequency, weights=weight).x, 0.0, 1.0)
    # The ends of each flat piece carry the whole map.
    change = np.diff(fit) != 0.0
    ends = np.concatenate([[True], change]) | np.concatenate([change, [True]])
    return IsotonicMap(distinct[ends], fit[ends])


def cross_recalibrate(
    score: ArrayLike,
    outcome: ArrayLike,
    fold: ArrayLike,
    fit: Callable[[FloatArray, BoolArray], Recalibration],
) -> FloatArray:
    """(case,) probabilities, each from a map fitted on the other folds.

    Args:
        score: (case,) held-out forecasts of a model: no case may have trained its own forecast.
        outcome: (case,) 0 or 1.
        fold: (case,) fold of each case; use the spatial folds of the model, not random ones.
        fit: such as `fit_platt`.

    Raises:
        ValueError: fewer than two folds.

    Example:
        >>> p, fold = np.tile([0.1, 0.4, 0.8], 20), np.repeat([0, 1], 30)
        >>> y = np.random.default_rng(0).random(60) < p
        >>> cross_recalibrate(p, y, fold, fit_isotonic).shape
        (60,)
    """
    s, y = as_finite("score", score), as_outcome(outcome)
    number = np.asarray(fold)
    require_same_shape(score=s, outcome=y, fold=number)
    folds = np.unique(number)
    if folds.size < 2:
        raise ValueError(f"fold: found {folds.size} fold; a map must be fitted on another one")
    result = np.empty(s.shape)
    for k in folds:
        held = number == k
        result[held] = fit(s[~held], y[~held]).apply(s[held])
    return result
