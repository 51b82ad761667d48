"""Corrections of the rate: exact odds, planted class weights, reachable means."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from hypothesis.extra import numpy as arrays
from scipy import special

from stats.calibration.rates import (
    correct_mean,
    correct_prior,
    shift_log_odds,
    undo_class_weights,
)
from stats.case_arrays import UndefinedScoreError

INSIDE = arrays.arrays(np.float64, 9, elements=some.floats(1e-6, 1.0 - 1e-6))


@given(p=INSIDE, shift=some.floats(-30.0, 30.0))
def test_shift_adds_to_the_log_odds_and_comes_back(p, shift):
    q = shift_log_odds(p, shift)
    np.testing.assert_allclose(q, special.expit(special.logit(p) + shift), rtol=1e-9)
    if abs(shift) < 10.0:
        np.testing.assert_allclose(shift_log_odds(q, -shift), p, rtol=1e-6)


def test_shift_keeps_certainty_and_bears_any_size():
    np.testing.assert_array_equal(shift_log_odds([0.0, 1.0], 800.0), [0.0, 1.0])
    np.testing.assert_array_equal(shift_log_odds([0.5, 0.5], -5000.0), [0.0, 0.0])
    assert shift_log_odds([1e-300], -1.0)[0] == pytest.approx(np.exp(-1.0) * 1e-300)


@pytest.mark.parametrize("event_weight", [0.2, 3.0, 10.0])
def test_weights_of_a_weighted_fit_are_undone_exactly(event_weight):
    rng = np.random.default_rng(40)
    p = rng.choice([0.05, 0.2, 0.6], 300_000)
    y = rng.random(p.size) < p
    for value in np.unique(p):
        rate = y[p == value].mean()
        # Minimiser of the weighted cross-entropy among constants.
        learnt = event_weight * rate / (event_weight * rate + 1.0 - rate)
        got = undo_class_weights([learnt], event_weight=event_weight)[0]
        assert got == pytest.approx(rate, rel=1e-12)


def test_prior_of_a_balanced_sample_is_put_right():
    rng = np.random.default_rng(41)
    n = 400_000
    p = rng.choice([0.02, 0.1, 0.4], n)
    y = rng.random(n) < p
    kept = y | (rng.random(n) < y.sum() / (~y).sum())
    for value in np.unique(p):
        learnt = y[kept & (p == value)].mean()
        got = correct_prior([learnt], sample_rate=y[kept].mean(), population_rate=y.mean())[0]
        assert got == pytest.approx(value, rel=0.05)
        assert learnt > 1.3 * value


@given(p=INSIDE, rate=some.floats(0.001, 0.999))
def test_mean_is_met_and_the_order_kept(p, rate):
    result = correct_mean(p, rate)
    assert result.probability.mean() == pytest.approx(rate, abs=1e-9)
    order = np.argsort(p, kind="stable")
    assert (np.diff(result.probability[order]) >= 0.0).all()


def test_mean_respects_weights_and_certain_cases():
    w = np.array([1.0, 3.0, 0.0, 2.0])
    result = correct_mean([0.1, 0.3, 0.9, 0.0], 0.2, weights=w)
    assert np.average(result.probability, weights=w) == pytest.approx(0.2, abs=1e-12)
    assert result.probability[3] == 0.0
    with pytest.raises(UndefinedScoreError, match=r"between 0 and 0\.5"):
        correct_mean([0.0, 0.3], 0.6)
    with pytest.raises(UndefinedScoreError, match="no shift brings the mean to 0;"):
        correct_mean([0.1, 0.3], 0.0)
    with pytest.raises(UndefinedScoreError):
        correct_mean(np.zeros(3), 0.1)


def test_bad_rates_are_refused():
    with pytest.raises(ValueError, match="sample_rate: found 0"):
        correct_prior([0.5], sample_rate=0.0, population_rate=0.5)
    with pytest.raises(ValueError, match="both above 0"):
        undo_class_weights([0.5], event_weight=0.0)
    with pytest.raises(ValueError, match="shift: found nan"):
        shift_log_odds([0.5], np.nan)
