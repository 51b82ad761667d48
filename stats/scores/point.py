r"""Errors of point forecasts, and scores made of sums of moments (Pearson R, Nash-Sutcliffe).

The absolute error is minimised by the median, which is 0 for rare events: a mean absolute error
over all cells rewards forecasting nothing and is reported for comparison with papers only. The
squared error is minimised by the mean. R ignores bias and scale.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import (
    FloatArray,
    UndefinedScoreError,
    as_finite,
    as_weights,
    require_same_shape,
)


def _pair(prediction: ArrayLike, truth: ArrayLike) -> tuple[FloatArray, FloatArray]:
    x, y = as_finite("prediction", prediction), as_finite("truth", truth)
    require_same_shape(prediction=x, truth=y)
    return x, y


def absolute_error_terms(prediction: ArrayLike, truth: ArrayLike) -> FloatArray:
    """(case,) absolute error of the prediction; the mean is the MAE.

    Example:
        >>> absolute_error_terms([1.0, 2.0], [3.0, 2.0])
        array([2., 0.])
    """
    x, y = _pair(prediction, truth)
    return np.abs(x - y)


def squared_error_terms(prediction: ArrayLike, truth: ArrayLike) -> FloatArray:
    """(case,) (prediction - truth)^2; the root of the mean is the RMSE.

    Example:
        >>> squared_error_terms([1.0, 2.0], [3.0, 2.0])
        array([4., 0.])
    """
    x, y = _pair(prediction, truth)
    return (x - y) ** 2


def moment_terms(
    prediction: ArrayLike, truth: ArrayLike, *, centre: tuple[float, float] = (0.0, 0.0)
) -> FloatArray:
    """(case, 6) addable terms 1, u, v, u^2, v^2, u v with u, v measured from `centre`.

    Sums of them give R and the Nash-Sutcliffe efficiency of any union of chunks or blocks. Chunks
    must share one `centre`; one near the means keeps all digits.

    Example:
        >>> moment_terms([1.0], [2.0])
        array([[1., 1., 2., 1., 4., 2.]])
    """
    x, y = _pair(prediction, truth)
    u, v = x - centre[0], y - centre[1]
    return np.stack([np.ones_like(u), u, v, u * u, v * v, u * v], axis=-1)


def _central(sums: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Central second moments sxx, syy, sxy; those under the rounding of their sums are 0."""
    n, u, v, uu, vv, uv = np.moveaxis(np.asarray(sums, dtype=np.float64), -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        sxx, syy, sxy = uu - u * u / n, vv - v * v / n, uv - u * v / n
    noise = 64.0 * np.finfo(np.float64).eps
    return np.where(sxx <= noise * uu, 0.0, sxx), np.where(syy <= noise * vv, 0.0, syy), sxy


def pearson_of_sums(sums: FloatArray) -> FloatArray:
    """(...,) Pearson R of (..., 6) sums of `moment_terms`; NaN marks an undefined one.

    Example:
        >>> pearson_of_sums(moment_terms([1., 2., 4.], [2., 4., 8.]).sum(axis=0)).round(6)
        np.float64(1.0)
    """
    sxx, syy, sxy = _central(sums)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = np.clip(sxy / np.sqrt(sxx * syy), -1.0, 1.0)
    return np.where((sxx > 0.0) & (syy > 0.0), r, np.nan)[()]


def efficiency_of_sums(sums: FloatArray, *, centre: tuple[float, float] = (0.0, 0.0)) -> FloatArray:
    """(...,) Nash-Sutcliffe efficiency 1 - sum (x - y)^2 / sum (y - mean y)^2 of moment sums.

    Args:
        sums: (..., 6) sums of `moment_terms`.
        centre: the one that was used there.

    Example:
        >>> efficiency_of_sums(moment_terms([1., 2., 3.], [1., 2., 3.]).sum(axis=0))
        np.float64(1.0)
    """
    n, u, v, uu, vv, uv = np.moveaxis(np.asarray(sums, dtype=np.float64), -1, 0)
    _, syy, _ = _central(sums)
    offset = centre[0] - centre[1]
    squares = uu + vv - 2.0 * uv + 2.0 * offset * (u - v) + n * offset**2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(syy > 0.0, 1.0 - squares / syy, np.nan)[()]


def pearson_r(
    prediction: ArrayLike, truth: ArrayLike, *, weights: ArrayLike | None = None
) -> float:
    """Pearson correlation of prediction and truth.

    Raises:
        UndefinedScoreError: one of the two is constant.

    Example:
        >>> round(pearson_r([1, 2, 3], [1, 2, 4]), 4)
        0.982
    """
    x, y = _pair(prediction, truth)
    w = as_weights(weights, x.shape)
    centre = (float(np.average(x, weights=w)), float(np.average(y, weights=w)))
    terms = moment_terms(x, y, centre=centre).reshape(-1, 6)
    r = float(pearson_of_sums(w.reshape(-1) @ terms))
    # The centred sums of a constant are rounding noise, which the second check names.
    if not np.isfinite(r) or np.ptp(x[w > 0.0]) == 0.0 or np.ptp(y[w > 0.0]) == 0.0:
        raise UndefinedScoreError("Pearson R needs a prediction and a truth that vary")
    return r
