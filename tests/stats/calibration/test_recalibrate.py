"""Recalibration: scikit-learn, planted distortions mended on other cases, folds kept apart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from scipy import special
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from stats.calibration.recalibrate import (
    BetaMap,
    PlattMap,
    cross_recalibrate,
    fit_beta,
    fit_isotonic,
    fit_platt,
)
from stats.case_arrays import UndefinedScoreError
from stats.scores.logarithmic import log_terms
from stats.scores.ranking import roc_auc


def bent_cases(seed, n=20_000):
    """Forecasts with log-odds of 2 logit p - 1 (Platt and beta contain the repair), and truth."""
    rng = np.random.default_rng(seed)
    p = rng.beta(1.2, 4.0, n)
    return special.expit(2.0 * special.logit(p) - 1.0), rng.random(n) < p, p


@pytest.mark.parametrize("fit", [fit_platt, fit_beta, fit_isotonic])
def test_maps_fitted_on_held_out_cases_mend_other_cases(fit):
    fit_score, fit_y, _ = bent_cases(1)
    score, y, p = bent_cases(2)
    q = np.clip(fit(fit_score, fit_y).apply(score), 1e-4, 1 - 1e-4)
    assert np.abs(q - p).mean() < 0.015
    assert log_terms(q, y).mean() < log_terms(score, y).mean() - 0.02
    assert log_terms(q, y).mean() == pytest.approx(log_terms(p, y).mean(), abs=0.003)


def test_platt_agrees_with_scikit_learn_and_recovers_the_repair():
    score, y, _ = bent_cases(3)
    fitted = fit_platt(score, y)
    assert fitted.slope == pytest.approx(0.5, abs=0.03)
    assert fitted.intercept == pytest.approx(0.5, abs=0.06)
    other = LogisticRegression(C=np.inf, tol=1e-10).fit(special.logit(score)[:, None], y)
    assert fitted.slope == pytest.approx(other.coef_[0, 0], abs=1e-4)
    raw = fit_platt(7.0 * special.logit(score) - 3.0, y, scale="identity")
    assert raw.slope == pytest.approx(fitted.slope / 7.0, rel=1e-6)


def test_isotonic_agrees_with_scikit_learn_between_and_beyond_its_points():
    score, y, _ = bent_cases(4, n=2000)
    fitted = fit_isotonic(score, y)
    other = IsotonicRegression(out_of_bounds="clip").fit(score, y)
    grid = np.linspace(0.0, 1.0, 999)
    np.testing.assert_allclose(fitted.apply(grid), other.predict(grid), atol=1e-10)


def test_beta_mends_a_skewed_distortion_that_platt_cannot():
    rng = np.random.default_rng(5)
    score = rng.beta(1.0, 1.0, 40_000)
    truth = BetaMap(a=2.0, b=0.3, c=0.4)
    y = rng.random(40_000) < truth.apply(score)
    fitted = fit_beta(score, y)
    assert (fitted.a, fitted.b, fitted.c) == pytest.approx((2.0, 0.3, 0.4), abs=0.1)
    gap_beta = np.abs(fitted.apply(score) - truth.apply(score)).mean()
    gap_platt = np.abs(fit_platt(score, y).apply(score) - truth.apply(score)).mean()
    assert gap_beta < 0.3 * gap_platt


def test_beta_map_never_falls():
    rng = np.random.default_rng(6)
    score = rng.uniform(0.02, 0.98, 3000)
    y = rng.random(3000) < 0.9 - 0.8 * score
    fitted = fit_beta(score, y)
    assert fitted.a >= 0.0
    assert fitted.b >= 0.0
    assert (np.diff(fitted.apply(np.linspace(0.0, 1.0, 50))) >= -1e-12).all()
    np.testing.assert_allclose(BetaMap(1.0, 1.0, 0.0).apply([0.0, 0.3, 1.0]), [0.0, 0.3, 1.0])


@given(slope=some.floats(0.01, 5.0), shift=some.floats(-3.0, 3.0))
def test_platt_with_a_positive_slope_keeps_the_ranking(slope, shift):
    score, y, _ = bent_cases(7, n=300)
    q = PlattMap(shift, slope, "logit").apply(score)
    assert roc_auc(q, y) == pytest.approx(roc_auc(score, y), abs=1e-3)


def test_each_fold_is_mended_by_the_others():
    score, y, _ = bent_cases(8, n=6000)
    fold = np.arange(6000) % 3
    q = cross_recalibrate(score, y, fold, fit_platt)
    for k in range(3):
        own = fold == k
        expected = fit_platt(score[~own], y[~own]).apply(score[own])
        np.testing.assert_array_equal(q[own], expected)
    # Outcomes of a fold must not reach its own map.
    turned = np.where(fold == 0, ~y, y)
    again = cross_recalibrate(score, turned, fold, fit_platt)
    np.testing.assert_array_equal(again[fold == 0], q[fold == 0])
    with pytest.raises(ValueError, match="found 1 fold"):
        cross_recalibrate(score, y, np.zeros(6000), fit_platt)


def test_undefined_fits_say_why_and_smoothed_targets_are_finite():
    with pytest.raises(UndefinedScoreError, match="with and without"):
        fit_isotonic([0.1, 0.2], [0, 0])
    with pytest.raises(UndefinedScoreError, match="parts the outcomes"):
        fit_platt([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1])
    smooth = fit_platt([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1], smooth_targets=True)
    assert 0.5 < smooth.apply([0.9])[0] < 1.0
    with pytest.raises(ValueError, match="exactly 0 or 1"):
        fit_platt([0.0, 0.2, 0.8, 0.9], [0, 1, 0, 1])
    with pytest.raises(ValueError, match="score: found 1 of 2"):
        fit_platt([np.nan, 0.2], [0, 1])
