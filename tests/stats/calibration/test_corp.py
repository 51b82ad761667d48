"""CORP: scikit-learn's isotonic fit, the identity of parts, known limits, block resamples."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as some
from hypothesis.extra import numpy as arrays
from sklearn.isotonic import IsotonicRegression

from stats.calibration.corp import (
    consistency_bands,
    corp_of_draws,
    corp_parts,
    recalibrated_of_draws,
    reliability,
)
from stats.scores.brier import brier_terms
from stats.scores.logarithmic import log_terms

TIED = arrays.arrays(np.float64, 20, elements=some.sampled_from([0.05, 0.1, 0.3, 0.31, 0.7, 0.95]))
OUTCOMES = arrays.arrays(np.bool_, 20)
WEIGHTS = arrays.arrays(np.int64, 20, elements=some.integers(0, 3))


@given(p=TIED, y=OUTCOMES, w=WEIGHTS)
def test_curve_agrees_with_scikit_learn_under_ties_and_weights(p, y, w):
    assume(w.any())
    curve = reliability(p, y, weights=w)
    live = w > 0
    fitted = IsotonicRegression(out_of_bounds="clip").fit(p[live], y[live], sample_weight=w[live])
    present = curve.weight > 0
    np.testing.assert_allclose(
        curve.frequency[present], fitted.predict(curve.forecast[present]), atol=1e-12
    )
    assert (np.diff(curve.frequency) >= 0).all()


@given(p=TIED, y=OUTCOMES, rule=some.sampled_from(["brier", "log"]))
def test_parts_add_up_to_the_mean_score_and_are_not_negative(p, y, rule):
    parts = corp_parts(p, y, rule=rule)
    terms = brier_terms(p, y) if rule == "brier" else log_terms(p, y)
    assert parts.score == pytest.approx(terms.mean(), abs=1e-12)
    total = parts.miscalibration - parts.discrimination + parts.uncertainty
    assert total == pytest.approx(parts.score, abs=1e-12)
    assert parts.miscalibration >= -1e-12
    assert parts.discrimination >= -1e-12
    rate = y.mean()
    entropy = -sum(q * np.log(q) for q in (rate, 1 - rate) if q > 0)
    expected = rate * (1 - rate) if rule == "brier" else entropy
    assert parts.uncertainty == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("rule", ["brier", "log"])
def test_increasing_distortion_moves_only_the_miscalibration(rule):
    rng = np.random.default_rng(30)
    p = rng.beta(1.0, 4.0, 20_000)
    y = rng.random(20_000) < p
    right, bent = corp_parts(p, y, rule=rule), corp_parts(p**1.7, y, rule=rule)
    assert bent.discrimination == pytest.approx(right.discrimination, abs=1e-12)
    assert bent.uncertainty == right.uncertainty
    assert bent.miscalibration > 5 * right.miscalibration
    assert right.miscalibration < 0.003


def test_limits_constant_perfect_and_certainly_wrong():
    y = np.array([0, 0, 0, 1])
    constant = corp_parts(np.full(4, 0.25), y, rule="log")
    assert constant.miscalibration == pytest.approx(0.0, abs=1e-15)
    assert constant.discrimination == pytest.approx(0.0, abs=1e-15)
    perfect = corp_parts(y.astype(float), y, rule="log")
    assert (perfect.score, perfect.miscalibration) == (0.0, 0.0)
    wrong = corp_parts(np.zeros(4), y, rule="log")
    assert wrong.score == wrong.miscalibration == np.inf
    assert np.isfinite(wrong.discrimination)
    brier = corp_parts(np.zeros(4), y, rule="brier")
    assert brier.miscalibration == pytest.approx(0.25**2)


@pytest.mark.parametrize("rule", ["brier", "log"])
def test_block_resamples_are_the_parts_of_repeated_cases(rule):
    rng = np.random.default_rng(31)
    p = rng.choice([0.05, 0.2, 0.4, 0.9], 300)
    y = rng.random(300) < p
    block = rng.integers(0, 7, 300)
    times = rng.multinomial(7, np.full(7, 1 / 7), size=8)
    draws = corp_of_draws(p, y, block, times, rule=rule)
    for row, found in zip(times, draws, strict=True):
        index = np.repeat(np.arange(300), row[block])
        parts = corp_parts(p[index], y[index], rule=rule)
        expected = [parts.score, parts.miscalibration, parts.discrimination, parts.uncertainty]
        np.testing.assert_allclose(found, expected, atol=1e-12)


@given(p=TIED, y=OUTCOMES, times=arrays.arrays(np.int64, (4, 5), elements=some.integers(0, 2)))
def test_fits_of_segments_are_fits_of_cases_under_ties_and_any_weights(p, y, times):
    block = np.arange(20) % 5
    found = recalibrated_of_draws(p, y, block, times)
    some_case = times.any(axis=1)
    assert np.isnan(found[~some_case]).all()
    for column, rule in enumerate(("brier", "log")):
        full = corp_of_draws(p, y, block, times[some_case], rule=rule)
        np.testing.assert_allclose(
            found[some_case, column], full[:, 3] - full[:, 2], rtol=0, atol=1e-12
        )


def test_consistency_bands_hold_a_calibrated_forecast_and_not_a_bent_one():
    rng = np.random.default_rng(32)
    p = np.round(rng.beta(1.0, 3.0, 4000), 2)
    bands = consistency_bands(p, draws=300, rng=rng, level=0.9)
    inside = []
    for _ in range(60):
        curve = reliability(p, rng.random(4000) < p)
        inside.append((curve.frequency >= bands.low) & (curve.frequency <= bands.high))
    assert 0.85 < np.mean(inside) < 0.97
    bent = reliability(p, rng.random(4000) < p**0.6)
    assert ((bent.frequency >= bands.low) & (bent.frequency <= bands.high)).mean() < 0.4


def test_missing_values_are_errors():
    with pytest.raises(ValueError, match="probability: found 1 of 2"):
        corp_parts([np.nan, 0.5], [0, 1], rule="brier")
    with pytest.raises(ValueError, match="shapes differ"):
        reliability([0.5], [0, 1])
