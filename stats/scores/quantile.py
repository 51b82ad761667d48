r"""Quantile and interval scores: proper scores of single quantiles, in the unit of the value.

The quantile (pinball) score of a forecast q at level tau is

.. math:: S_\tau(q, y) = (1\{y \le q\} - \tau)(q - y),

without the factor 2 that some authors carry; twice its integral over all levels is the CRPS.
The interval score of a central interval at level 1 - a is its width plus (2/a) times the distance
by which the value misses it.

T. Gneiting & A. E. Raftery (2007), JASA 102, 359-378, doi:10.1198/016214506000001437.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import FloatArray, as_finite, require_same_shape
from stats.laws.predictive import PredictiveLaw, observed


def _check_level(level: float) -> float:
    if not 0.0 < level < 1.0:
        raise ValueError(f"level: found {level}; expected a number between 0 and 1")
    return float(level)


def quantile_terms(quantile: ArrayLike, value: ArrayLike, *, level: float) -> FloatArray:
    """(case,) quantile score of forecasts of the `level` quantile.

    Args:
        quantile: (case,) forecast quantile.
        value: (case,) observed value.
        level: tau, between 0 and 1.

    Example:
        >>> quantile_terms([1.0, 1.0], [0.0, 3.0], level=0.9).round(3)
        array([0.1, 1.8])
    """
    tau = _check_level(level)
    q, y = as_finite("quantile", quantile), as_finite("value", value)
    require_same_shape(quantile=q, value=y)
    return np.where(y <= q, (1.0 - tau) * (q - y), tau * (y - q))


def hurdle_quantile_terms(law: PredictiveLaw, value: ArrayLike, *, level: float) -> FloatArray:
    """(case,) quantile score of predictive laws, such as hurdles, at one level.

    Example:
        >>> from stats.laws.hurdle import hurdle_lognormal
        >>> law = hurdle_lognormal([0.05, 0.2], [0.0, 0.0], [1.0, 1.0])
        >>> hurdle_quantile_terms(law, [2.0, 2.0], level=0.9).round(4)
        array([1.8, 0.9])
    """
    return quantile_terms(law.quantile(_check_level(level)), value, level=level)


def interval_terms(
    lower: ArrayLike, upper: ArrayLike, value: ArrayLike, *, level: float
) -> FloatArray:
    """(case,) interval score of central intervals of coverage `level`.

    Example:
        >>> interval_terms([0.0, 0.0], [1.0, 1.0], [0.5, 1.1], level=0.8).round(3)
        array([1., 2.])
    """
    miss = 1.0 - _check_level(level)
    low, high = as_finite("lower", lower), as_finite("upper", upper)
    y = as_finite("value", value)
    require_same_shape(lower=low, upper=high, value=y)
    if (low > high).any():
        raise ValueError("lower: found a lower end above the upper end")
    outside = np.maximum(low - y, 0.0) + np.maximum(y - high, 0.0)
    return (high - low) + (2.0 / miss) * outside


def law_interval_terms(law: PredictiveLaw, value: ArrayLike, *, level: float) -> FloatArray:
    """(case,) interval score of the central interval of predictive laws.

    Example:
        >>> from stats.laws.pareto import GeneralisedPareto
        >>> law = GeneralisedPareto([1.0, 1.0], 0.0)
        >>> law_interval_terms(law, [0.5, 4.0], level=0.9).round(4)
        array([ 2.9444, 23.0298])
    """
    y, tail = observed(law, value), 0.5 * (1.0 - _check_level(level))
    return interval_terms(law.quantile(tail), law.quantile(1.0 - tail), y, level=level)
