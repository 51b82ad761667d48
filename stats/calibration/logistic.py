"""Small weighted logistic regressions by Newton's method: the engine of recalibration.

For calibration lines and maps of two or three coefficients, which must run in milliseconds inside
a bootstrap; regressions with predictors and inference belong to statsmodels.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from stats.case_arrays import FloatArray, UndefinedScoreError

_MAX_STEPS = 100
_LARGEST_COEFFICIENT = 1e4


def _loss(eta: FloatArray, target: FloatArray, w: FloatArray) -> float:
    return float(np.sum(w * (np.logaddexp(0.0, eta) - target * eta)))


def fit_logistic(
    columns: FloatArray,
    target: FloatArray,
    weights: FloatArray,
    *,
    offset: FloatArray | float = 0.0,
) -> FloatArray:
    """(k,) coefficients that maximise the weighted Bernoulli likelihood.

    Args:
        columns: (case, k) predictors, the constant included; finite.
        target: (case,) outcome, or a share within [0, 1].
        weights: (case,) weights.
        offset: (case,) part of the linear predictor with coefficient 1.

    Raises:
        UndefinedScoreError: no finite maximum (outcomes all equal or parted by a predictor), or
            predictors that are not independent.

    Example:
        >>> x = np.array([[1.0], [1.0], [1.0], [1.0]])
        >>> fit_logistic(x, np.array([0.0, 0.0, 0.0, 1.0]), np.ones(4)).round(4)
        array([-1.0986])
    """
    coefficient = np.zeros(columns.shape[1])
    total = float(weights.sum())
    loss = _loss(columns @ coefficient + offset, target, weights)
    for _ in range(_MAX_STEPS):
        p = special.expit(columns @ coefficient + offset)
        gradient = columns.T @ (weights * (target - p))
        curvature = columns.T @ (columns * (weights * p * (1.0 - p))[:, None])
        try:
            step = np.linalg.solve(curvature, gradient)
        except np.linalg.LinAlgError as error:
            raise UndefinedScoreError(
                "logistic regression: predictors are constant, dependent or part the outcomes"
            ) from error
        scale = 1.0
        while scale > 1e-8:
            trial = coefficient + scale * step
            trial_loss = _loss(columns @ trial + offset, target, weights)
            if np.isfinite(trial_loss) and trial_loss <= loss + 1e-13 * total:
                break
            scale *= 0.5
        coefficient, loss = coefficient + scale * step, trial_loss
        if np.abs(coefficient).max() > _LARGEST_COEFFICIENT or loss < 1e-8 * total:
            raise UndefinedScoreError("logistic regression: a predictor parts the outcomes exactly")
        if np.abs(scale * step).max() < 1e-10 * (1.0 + np.abs(coefficient).max()):
            return coefficient
    raise UndefinedScoreError("logistic regression: no finite maximum was reached")
