r"""Calibration in two numbers: slopes and intercepts.

The logistic calibration line fits logit P(y = 1) = a + b logit p. A calibrated forecast has a = 0
and b = 1; b below 1 is overconfidence (too extreme), b above 1 timidity. Calibration in the large
is the intercept with b held at 1: the shift on the logit scale that repairs the mean rate.

The linear line regresses truth on prediction by least squares. Its slope is 1 and its intercept 0
where E[truth | prediction] = prediction; the truth may be an outcome, a density, or the known
probability of a simulated world.

D. R. Cox (1958), Biometrika 45, 562-565, doi:10.1093/biomet/45.3-4.562.

Intervals come from `stats.resampling`: standard errors of independent cells would be too small.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from stats.calibration.logistic import fit_logistic
from stats.case_arrays import (
    FloatArray,
    UndefinedScoreError,
    as_finite,
    as_outcome,
    as_probability,
    as_weights,
    require_same_shape,
)
from stats.scores.point import moment_terms


@dataclass(frozen=True)
class CalibrationLine:
    """Logistic calibration.

    Attributes:
        intercept: a, 0 where calibrated.
        slope: b, 1 where calibrated.
        in_the_large: intercept with the slope held at 1, 0 where the mean rate is right.
    """

    intercept: float
    slope: float
    in_the_large: float


def calibration_line(
    probability: ArrayLike, outcome: ArrayLike, *, weights: ArrayLike | None = None
) -> CalibrationLine:
    """Logistic calibration intercept and slope.

    Args:
        probability: (case,) forecast strictly between 0 and 1.
        outcome: (case,) 0 or 1.
        weights: (case,) optional.

    Raises:
        ValueError: a probability is exactly 0 or 1 (its logit is infinite; smooth it by name).
        UndefinedScoreError: one outcome only, a constant forecast, or perfect separation.

    Example:
        >>> p = np.repeat([0.2, 0.8], 10)
        >>> y = np.concatenate([np.arange(10) < 2, np.arange(10) < 8])
        >>> line = calibration_line(p, y)
        >>> abs(round(line.intercept, 6)), round(line.slope, 6), abs(round(line.in_the_large, 6))
        (0.0, 1.0, 0.0)
    """
    p, y = as_probability(probability).reshape(-1), as_outcome(outcome).reshape(-1)
    require_same_shape(probability=p, outcome=y)
    w = as_weights(weights, p.shape)
    certain = int(np.count_nonzero((p == 0.0) | (p == 1.0)))
    if certain:
        raise ValueError(
            f"probability: found {certain} of {p.size} exactly 0 or 1; their logit is infinite"
        )
    target = y.astype(np.float64)
    if np.ptp(target[w > 0.0]) == 0.0:
        raise UndefinedScoreError("a calibration line needs cases with and without the event")
    if np.ptp(p[w > 0.0]) == 0.0:
        raise UndefinedScoreError("a calibration line needs a forecast that varies")
    logit = special.logit(p)
    one = np.ones((p.size, 1))
    a, b = fit_logistic(np.column_stack([one, logit]), target, w)
    (shift,) = fit_logistic(one, target, w, offset=logit)
    return CalibrationLine(float(a), float(b), float(shift))


@dataclass(frozen=True)
class RegressionLine:
    """Least squares of truth on prediction: truth = intercept + slope * prediction."""

    intercept: float
    slope: float


def slope_of_sums(sums: FloatArray) -> FloatArray:
    """(...,) slope of truth on prediction from (..., 6) sums of `moment_terms`; NaN if undefined.

    Example:
        >>> slope_of_sums(moment_terms([1.0, 2.0], [3.0, 7.0]).sum(axis=0))
        np.float64(4.0)
    """
    n, u, v, uu, _, uv = np.moveaxis(np.asarray(sums, dtype=np.float64), -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        sxx, sxy = uu - u * u / n, uv - u * v / n
        noise = 64.0 * np.finfo(np.float64).eps * uu
        return np.where(sxx > noise, sxy / sxx, np.nan)[()]


def regression_line(
    prediction: ArrayLike, truth: ArrayLike, *, weights: ArrayLike | None = None
) -> RegressionLine:
    """Slope and intercept of the linear regression of truth on prediction.

    Raises:
        UndefinedScoreError: the prediction is constant.

    Example:
        >>> regression_line([0.0, 1.0, 2.0], [1.0, 1.5, 2.0])
        RegressionLine(intercept=1.0, slope=0.5)
    """
    x, y = as_finite("prediction", prediction), as_finite("truth", truth)
    require_same_shape(prediction=x, truth=y)
    w = as_weights(weights, x.shape).reshape(-1)
    x, y = x.reshape(-1), y.reshape(-1)
    centre = (float(np.average(x, weights=w)), float(np.average(y, weights=w)))
    slope = float(slope_of_sums(w @ moment_terms(x, y, centre=centre)))
    if not np.isfinite(slope) or np.ptp(x[w > 0.0]) == 0.0:
        raise UndefinedScoreError("a regression on the prediction needs one that varies")
    return RegressionLine(centre[1] - slope * centre[0], slope)
