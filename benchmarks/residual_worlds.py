"""Small worlds with a forecast that is right, or wrong in one planted way.

For `benchmarks.residual_faults` and the tests of the residual section.
"""

import numpy as np
from scipy import ndimage

from stats.laws.hurdle import hurdle_lognormal
from stats.residuals.cases import ForecastCases

SIDE, EPOCHS = 20, 3
SIGMA = 1.0
# Fault: weaker and stronger.
FAULTS = {
    "over-confidence": (1.3, 1.8),
    "missed spatial effect": (0.4, 1.0),
    "wrong tail": (0.85, 0.65),
    "leaked fold": (0.3, 0.8),
    "drifting epoch": (0.25, 0.6),
    "biased total": (0.8, 0.55),
}


def logit(p):
    return np.log(p / (1.0 - p))


def world(rng, fault=None, strength=0.0):
    """Cases of a world in which the truth is known and the forecast is it, but for the fault."""
    n = SIDE * SIDE * EPOCHS
    epoch = np.repeat(np.arange(EPOCHS), SIDE * SIDE)
    y, x = (np.tile(a.ravel() * 1e3, EPOCHS) for a in np.mgrid[:SIDE, :SIDE])
    slope = np.tile(ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), 2.0).ravel(), EPOCHS)
    eta = -1.2 + 1.0 * slope / slope.std() + rng.normal(0.0, 0.3, n)
    mu = -0.5 + 0.4 * slope / slope.std()
    truth_eta, truth_mu, truth_sigma = eta.copy(), mu.copy(), np.full(n, SIGMA)
    fold = rng.integers(0, 3, n)
    told_eta, told_mu, told_sigma = eta.copy(), mu.copy(), np.full(n, SIGMA)
    if fault == "over-confidence":
        told_eta = eta.mean() + strength * (eta - eta.mean())
    elif fault == "missed spatial effect":
        effect = [
            ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), 1.5) for _ in range(EPOCHS)
        ]
        field = np.concatenate([(f / f.std()).ravel() for f in effect])
        truth_eta = eta + strength * field
        # The forecast knows the rate, so that only the pattern is missing.
        told_eta = eta + 0.4 * np.log(np.mean(np.exp(strength * field)))
    elif fault == "wrong tail":
        told_sigma = strength * told_sigma
    elif fault == "drifting epoch":
        truth_eta = eta + strength * (epoch - 1)
    elif fault == "biased total":
        told_mu = mu + np.log(strength)
    truth = hurdle_lognormal(1 / (1 + np.exp(-truth_eta)), truth_mu, truth_sigma, upper=np.inf)
    value = truth.sample(rng)
    if fault == "leaked fold":
        told_eta = told_eta + np.where(fold == 1, strength * np.where(value > 0, 1.0, -1.0), 0.0)
    law = hurdle_lognormal(1 / (1 + np.exp(-told_eta)), told_mu, told_sigma, upper=np.inf)
    return ForecastCases(
        law=law, value=value, epoch=epoch, x_m=x, y_m=y, cell_m=1e3, fold=fold,
        predictors={"slope": slope},
    )  # fmt: skip
