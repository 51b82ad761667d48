r"""Weights for a shift of the predictors: how much more often a case like this one is to come.

A logistic regression tells calibration cases from those to come by their predictors; with q its
probability of "to come", and n and m the numbers of either, the ratio of densities is

.. math:: w(x) = \frac{q(x)}{1 - q(x)} \, \frac{n}{m}.

The predictors of the map that is to come are known before its landslides, so nothing is seen that
the forecaster does not know. The ratio answers a shift of the predictors it is given, and nothing
else; where the two sets hardly overlap, a few cases carry all the weight
(`StratumRule.effective_cases`) and no method can help.

M. Sugiyama, T. Suzuki & T. Kanamori (2012), Density Ratio Estimation in Machine Learning,
Cambridge University Press.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from stats.calibration.logistic import fit_logistic
from stats.case_arrays import FloatArray, as_finite


@dataclass(frozen=True, eq=False)
class ShiftWeights:
    """Density ratios of two sets of cases.

    Attributes:
        calibration: (case,) ratio of the calibration cases, mean near 1.
        to_come: (case,) ratio of the cases to come.
        effective_cases: (sum w)^2 / sum w^2 of the calibration cases.
    """

    calibration: FloatArray
    to_come: FloatArray
    effective_cases: float


def shift_weights(
    calibration: ArrayLike, to_come: ArrayLike, *, squares: bool = True
) -> ShiftWeights:
    """Density ratios by logistic regression on standardised predictors.

    Args:
        calibration: (case, predictor) predictors of the calibration cases.
        to_come: (case, predictor) predictors of the cases to come.
        squares: also the square of each predictor, which is exact between normal laws of any
            spread.

    Raises:
        ValueError: values missing, or different predictors.
        UndefinedScoreError: a predictor parts the two sets; there is no ratio.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> old, new = rng.normal(0.0, 1.0, (4000, 1)), rng.normal(1.0, 1.0, (4000, 1))
        >>> found = shift_weights(old, new)
        >>> bool(abs(np.average(old[:, 0], weights=found.calibration) - 1.0) < 0.15)
        True
    """
    old, new = as_finite("calibration", calibration), as_finite("to_come", to_come)
    if old.ndim != 2 or new.ndim != 2 or old.shape[1] != new.shape[1] or not len(old) * len(new):
        raise ValueError(
            f"calibration {old.shape}, to come {new.shape}; expected the same predictors"
        )
    both = np.concatenate([old, new])
    spread = both.std(axis=0)
    z = (both - both.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)
    columns = z[:, spread > 0.0]
    if squares:
        columns = np.concatenate([columns, columns**2], axis=1)
    columns = np.concatenate([np.ones((len(both), 1)), columns], axis=1)
    label = np.concatenate([np.zeros(len(old)), np.ones(len(new))])
    coefficient = fit_logistic(columns, label, np.ones(label.size))
    ratio = np.exp(columns @ coefficient) * (len(old) / len(new))
    w = ratio[: len(old)]
    return ShiftWeights(w, ratio[len(old) :], float(w.sum() ** 2 / np.sum(w**2)))
