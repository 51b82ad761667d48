r"""The Dawid-Sebastiani score: what mean and variance of a forecast are worth.

.. math:: \mathrm{DSS} = \frac{(y - \mathrm{E}X)^2}{\mathrm{Var}X} + \ln \mathrm{Var}X

Proper for the first two moments, strictly so for nothing else; for a normal law it is twice the
logarithmic score but for a constant. Heavy tails make it restless: one extreme value can decide
the mean of thousands. The variance is the one of the observation itself, not that of its mean.

A. P. Dawid & P. Sebastiani (1999), Annals of Statistics 27, 65-81, doi:10.1214/aos/1018031101.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import FloatArray, UndefinedScoreError, as_finite, require_same_shape
from stats.laws.predictive import PredictiveLaw, observed


def moment_score_terms(mean: ArrayLike, variance: ArrayLike, value: ArrayLike) -> FloatArray:
    """(case,) Dawid-Sebastiani score of forecasts given by mean and variance.

    Args:
        mean: (case,) forecast mean.
        variance: (case,) forecast variance, above 0.
        value: (case,) observed value.

    Raises:
        UndefinedScoreError: a variance is 0, as of the zero forecast; its score has no bound.

    Example:
        >>> moment_score_terms([0.0, 0.0], [1.0, 4.0], [2.0, 2.0]).round(4)
        array([4.    , 2.3863])
    """
    m, v = as_finite("mean", mean), as_finite("variance", variance)
    y = as_finite("value", value)
    require_same_shape(mean=m, variance=v, value=y)
    without = int(np.count_nonzero(~(v > 0.0)))
    if without:
        raise UndefinedScoreError(f"{without} of {v.size} forecasts have no variance")
    return (y - m) ** 2 / v + np.log(v)


def dawid_sebastiani_terms(law: PredictiveLaw, value: ArrayLike) -> FloatArray:
    """(case,) Dawid-Sebastiani score of predictive laws.

    Raises:
        UndefinedScoreError: a law has no variance above 0, or an infinite one.

    Example:
        >>> from stats.laws.hurdle import hurdle_lognormal
        >>> law = hurdle_lognormal([0.2, 0.2], [0.0, 0.0], [1.0, 1.0])
        >>> dawid_sebastiani_terms(law, [0.0, 3.0]).round(4)
        array([0.389 , 5.5433])
    """
    y = observed(law, value)
    mean, variance = law.mean(), law.variance()
    endless = int(np.count_nonzero(~(np.isfinite(mean) & np.isfinite(variance))))
    if endless:
        raise UndefinedScoreError(f"{endless} of {y.size} laws have no finite variance")
    return moment_score_terms(mean, variance, y)
