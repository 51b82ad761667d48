r"""Scores made probabilities, and densities made laws, on validation cells alone.

A score s in (0, 1) becomes $p = 1/(1 + e^{-(a + b\,\mathrm{logit}\,s)})$ with a and b of largest
likelihood on the validation cells (Platt 1999 used the same form), b not below 0. A density d
without a law becomes a lognormal of $\mu = a + b \ln d$ with the spread of the residuals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from hazard.estimate.errors import CannotFitError

Array = np.ndarray[Any, np.dtype[Any]]

SMALLEST_SCORE = 1e-6
SMALLEST_PERCENT = 1e-4
# A prior as heavy as one cell at the identity keeps a separable validation part finite.
_PRIOR = 0.5


@dataclass(frozen=True)
class LogisticMap:
    """p = expit(intercept + slope logit(score)).

    Attributes:
        intercept: a.
        slope: b.
        n: validation cells it was fitted on.
    """

    intercept: float
    slope: float
    n: int

    def __call__(self, score: Array) -> Array:
        """Probabilities."""
        return expit(self.intercept + self.slope * _logit(score))


def fit_logistic_map(
    score: Array, present: Array, observation: Array | float = 1.0,
    false_alarms: Array | float = 0.0,
) -> LogisticMap:  # fmt: skip
    """Fit the map on held-out cells; with a detection error, to the probability of the truth.

    Args:
        score: (case,) in [0, 1].
        present: (case,) True where a landslide was recorded.
        observation: (case,) probability that a landslide is recorded.
        false_alarms: (case,) expected false alarms.

    Raises:
        CannotFitError: no case, or cases of one kind alone.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> p = rng.uniform(0.02, 0.6, 20000)
        >>> score = 5 * p / (5 * p + 1 - p)
        >>> found = fit_logistic_map(score, rng.random(p.size) < p)
        >>> bool(abs(found.intercept + np.log(5)) < 0.1), bool(abs(found.slope - 1) < 0.1)
        (True, True)
    """
    y = np.asarray(present, dtype=np.float64)
    if y.size == 0 or y.min() == y.max():
        raise CannotFitError(
            f"{y.size} validation cells, {int(y.sum())} of them with landslides: too few kinds to "
            "recalibrate a score"
        )
    x = _logit(np.asarray(score, dtype=np.float64))

    def loss(parameters: Array) -> tuple[float, Array]:
        eta = parameters[0] + parameters[1] * x
        # The expected number of recorded events; 1 - exp(-number) is the probability of any.
        number = np.maximum(-observation * log_expit(-eta) + false_alarms, 1e-300)
        value = ((1 - y) * number - y * np.log(-np.expm1(-number))).sum()
        with np.errstate(over="ignore"):
            residual = observation * expit(eta) * ((1 - y) - y / np.expm1(number))
        prior = _PRIOR * (parameters[0] ** 2 + (parameters[1] - 1) ** 2)
        gradient = np.array([residual.sum(), (residual * x).sum()])
        gradient += 2 * _PRIOR * np.array([parameters[0], parameters[1] - 1])
        return float(value + prior), gradient

    found = minimize(loss, np.array([0.0, 1.0]), jac=True, method="L-BFGS-B",
                     bounds=[(None, None), (0.0, None)])  # fmt: skip
    return LogisticMap(float(found.x[0]), float(found.x[1]), int(y.size))


@dataclass(frozen=True)
class DensityMap:
    """ln percent ~ intercept + slope ln(prediction), with a spread.

    Attributes:
        intercept: a.
        slope: b.
        sigma: standard deviation of the residuals.
        n: validation cells with landslides it was fitted on.
    """

    intercept: float
    slope: float
    sigma: float
    n: int

    def mu(self, density: Array) -> Array:
        """Locations of ln percent."""
        return self.intercept + self.slope * np.log(np.maximum(density, SMALLEST_PERCENT))


def fit_density_map(predicted: Array, observed: Array) -> DensityMap:
    """Fit the map on held-out cells with landslides.

    Args:
        predicted: (case,) density [percent].
        observed: (case,) density [percent], above 0.

    Raises:
        CannotFitError: fewer than three cases.
    """
    x = np.log(np.maximum(np.asarray(predicted, np.float64), SMALLEST_PERCENT))
    y = np.log(np.asarray(observed, np.float64))
    if y.size < 3:
        raise CannotFitError(
            f"{y.size} validation cells with landslides: too few to give a density its spread"
        )
    variance = float(x.var())
    slope = 0.0 if variance < 1e-12 else max(0.0, float(((x - x.mean()) * (y - y.mean())).mean()) /
                                             variance)  # fmt: skip
    intercept = float(y.mean() - slope * x.mean())
    residual = y - intercept - slope * x
    return DensityMap(intercept, slope, max(float(residual.std(ddof=1)), 0.05), int(y.size))


def _logit(score: Array) -> Array:
    clipped = np.clip(score, SMALLEST_SCORE, 1 - SMALLEST_SCORE)
    return np.log(clipped) - np.log1p(-clipped)
