"""Calibration lines: statsmodels, planted slopes, refusals."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import special

from stats.calibration.linear import calibration_line, regression_line, slope_of_sums
from stats.case_arrays import UndefinedScoreError
from stats.scores.point import moment_terms


@pytest.fixture
def forecast():
    rng = np.random.default_rng(33)
    p = rng.beta(1.0, 4.0, 20_000)
    return p, rng.random(20_000) < p, rng.integers(0, 3, 20_000)


def test_line_agrees_with_statsmodels_and_weights_are_repetitions(forecast):
    p, y, w = forecast
    logit = special.logit(p)
    line = calibration_line(p, y, weights=w)
    i = np.repeat(np.arange(p.size), w)
    fit = sm.GLM(y[i].astype(float), sm.add_constant(logit[i]), sm.families.Binomial()).fit()
    assert (line.intercept, line.slope) == pytest.approx(tuple(fit.params), abs=1e-7)
    shift = sm.GLM(
        y[i].astype(float), np.ones(i.size), sm.families.Binomial(), offset=logit[i]
    ).fit()
    assert line.in_the_large == pytest.approx(float(shift.params[0]), abs=1e-7)


@pytest.mark.parametrize(("a", "b"), [(0.0, 1.0), (0.7, 1.0), (0.0, 0.5), (-0.4, 1.6)])
def test_planted_distortion_is_recovered(forecast, a, b):
    p, y, _ = forecast
    # The truth has logit p = a + b logit q, where q is what the forecaster says.
    q = special.expit((special.logit(p) - a) / b)
    line = calibration_line(q, y)
    assert line.intercept == pytest.approx(a, abs=0.1)
    assert line.slope == pytest.approx(b, abs=0.05)


def test_regression_line_agrees_with_polyfit(forecast):
    p, _, w = forecast
    truth = 0.2 + 0.8 * p + np.random.default_rng(0).normal(0, 0.1, p.size)
    line = regression_line(p, truth)
    assert (line.slope, line.intercept) == pytest.approx(tuple(np.polyfit(p, truth, 1)))
    weighted = regression_line(p, truth, weights=w)
    i = np.repeat(np.arange(p.size), w)
    assert weighted.slope == pytest.approx(np.polyfit(p[i], truth[i], 1)[0])
    assert slope_of_sums(moment_terms(p, truth).sum(axis=0)) == pytest.approx(line.slope)


def test_undefined_lines_say_why():
    with pytest.raises(UndefinedScoreError, match="forecast that varies"):
        calibration_line([0.2, 0.2], [0, 1])
    with pytest.raises(UndefinedScoreError, match="with and without"):
        calibration_line([0.2, 0.3], [0, 0])
    with pytest.raises(UndefinedScoreError, match="parts the outcomes"):
        calibration_line([0.2, 0.3, 0.6, 0.7], [0, 0, 1, 1])
    with pytest.raises(ValueError, match="1 of 2 exactly 0 or 1"):
        calibration_line([0.0, 0.3], [0, 1])
    with pytest.raises(UndefinedScoreError, match="one that varies"):
        regression_line([0.1, 0.1, 0.1], [0.0, 1.0, 2.0])
