"""Brier, logarithmic, quantile and interval scores: scikit-learn, propriety, refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from sklearn.metrics import brier_score_loss, log_loss, mean_pinball_loss

from stats.laws.hurdle import hurdle_lognormal
from stats.scores.brier import brier_terms
from stats.scores.logarithmic import (
    hurdle_log_parts,
    hurdle_log_terms,
    laplace_probability,
    log_terms,
)
from stats.scores.quantile import hurdle_quantile_terms, interval_terms, quantile_terms


@pytest.fixture
def forecast():
    rng = np.random.default_rng(4)
    p = rng.uniform(0.01, 0.99, 5000)
    return p, (rng.random(5000) < p).astype(int)


def test_mean_terms_agree_with_scikit_learn(forecast):
    p, y = forecast
    assert brier_terms(p, y).mean() == pytest.approx(brier_score_loss(y, p), rel=1e-12)
    assert log_terms(p, y).mean() == pytest.approx(log_loss(y, p), rel=1e-12)
    q = quantile_terms(p, y.astype(float), level=0.9).mean()
    assert q == pytest.approx(mean_pinball_loss(y, p, alpha=0.9), rel=1e-12)


@given(truth=some.floats(0.02, 0.98), other=some.floats(0.02, 0.98))
def test_expected_brier_and_log_score_are_smallest_at_the_true_probability(truth, other):
    for terms in (brier_terms, log_terms):
        ends = terms([truth, truth, other, other], [1, 0, 1, 0])
        expected = truth * ends[[0, 2]] + (1.0 - truth) * ends[[1, 3]]
        assert expected[1] >= expected[0] - 1e-12
        if abs(truth - other) > 1e-3:
            assert expected[1] > expected[0]


def test_certain_and_wrong_is_infinite_and_nothing_is_clipped():
    scores = log_terms([0.0, 1.0, 0.0, 1.0, 1e-300], [1, 0, 0, 1, 1])
    np.testing.assert_array_equal(scores[:4], [np.inf, np.inf, 0.0, 0.0])
    assert scores[4] == pytest.approx(300.0 * np.log(10.0))
    # Far closer to 1 than 1 - p can tell apart: log1p keeps the digits.
    assert log_terms([1e-20], [0])[0] == pytest.approx(1e-20, abs=0.0)


def test_laplace_smoothing_is_finite_and_has_its_limits():
    p = laplace_probability([0, 4], [4, 4])
    np.testing.assert_allclose(p, [1 / 6, 5 / 6])
    np.testing.assert_allclose(laplace_probability(0, 0), 0.5)
    with pytest.raises(ValueError, match="more events than trials"):
        laplace_probability(3, 2)
    with pytest.raises(ValueError, match="pseudo_count"):
        laplace_probability(1, 2, pseudo_count=0.0)


def test_hurdle_log_score_is_smallest_at_the_truth_and_adds_up():
    n = 100_000
    truth = (0.3, 0.5, 1.2)
    y = hurdle_lognormal(*(np.full(n, v) for v in truth)).sample(np.random.default_rng(5))

    def mean(*parameters):
        return hurdle_log_terms(hurdle_lognormal(*(np.full(n, v) for v in parameters)), y).mean()

    best = mean(*truth)
    for wrong in [(0.25, 0.5, 1.2), (0.3, 0.3, 1.2), (0.3, 0.5, 1.0), (0.3, 0.5, 1.5)]:
        assert mean(*wrong) > best
    law = hurdle_lognormal(*(np.full(n, v) for v in truth))
    occurrence, size = hurdle_log_parts(law, y)
    np.testing.assert_allclose(occurrence + size, hurdle_log_terms(law, y))
    np.testing.assert_array_equal(size[y == 0.0], 0.0)


def test_hurdle_quantile_score_is_smallest_at_the_true_quantile():
    n = 200_000
    law = hurdle_lognormal(np.full(n, 0.3), np.full(n, 0.5), np.full(n, 1.2))
    y = law.sample(np.random.default_rng(6))
    for level in (0.9, 0.95):
        best = hurdle_quantile_terms(law, y, level=level).mean()
        q = law.quantile(level)
        assert quantile_terms(0.9 * q, y, level=level).mean() > best
        assert quantile_terms(1.1 * q, y, level=level).mean() > best


def test_interval_score_is_two_scaled_quantile_scores():
    rng = np.random.default_rng(7)
    low, y = rng.normal(-1, 1, 500), rng.normal(0, 2, 500)
    high = low + rng.gamma(2.0, size=500)
    for level in (0.5, 0.9):
        miss = 1.0 - level
        both = quantile_terms(low, y, level=miss / 2) + quantile_terms(
            high, y, level=1.0 - miss / 2
        )
        np.testing.assert_allclose(interval_terms(low, high, y, level=level), 2.0 / miss * both)
    with pytest.raises(ValueError, match="above the upper end"):
        interval_terms([1.0], [0.0], [0.5], level=0.5)


@pytest.mark.parametrize("score", [brier_terms, log_terms])
def test_missing_values_labels_and_shapes_are_refused(score):
    with pytest.raises(ValueError, match="probability: found 1 of 2 values not finite"):
        score([0.5, np.nan], [0, 1])
    with pytest.raises(ValueError, match="outcome: found a value of -1"):
        score([0.5, 0.5], [0, -1])
    with pytest.raises(ValueError, match="outcome: found 1 of 2 values not finite"):
        score([0.5, 0.5], [0, np.nan])
    with pytest.raises(ValueError, match="within 0 and 1"):
        score([0.5, 1.5], [0, 1])
    with pytest.raises(ValueError, match="shapes differ"):
        score([0.5, 0.5], [1])
