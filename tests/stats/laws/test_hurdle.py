"""Hurdle laws: the mass at zero, the law above it, and their moments by simulation."""

import numpy as np
import pytest

from stats.laws.hurdle import Hurdle, hurdle_lognormal
from stats.laws.lognormal import TruncatedLognormal


def test_quantile_is_zero_up_to_the_mass_at_zero_and_inverts_the_cdf_above():
    law = hurdle_lognormal(np.full(99, 0.3), np.zeros(99), np.full(99, 1.2))
    level = np.linspace(0.01, 0.99, 99)
    x = law.quantile(level)
    # Level 0.7 itself is the jump: rounding decides its side.
    np.testing.assert_array_equal(x[level < 0.7 - 1e-9], 0.0)
    above = level > 0.7 + 1e-9
    np.testing.assert_allclose(law.cdf(x)[above], level[above], atol=1e-10)
    assert (np.diff(x) >= 0.0).all()


def test_zero_forecast_is_zero_everywhere():
    law = hurdle_lognormal(np.zeros(3), np.zeros(3), np.ones(3))
    np.testing.assert_array_equal(law.quantile(0.999), 0.0)
    np.testing.assert_array_equal(law.mean(), 0.0)
    np.testing.assert_array_equal(law.cdf([-1.0, 0.0, 5.0]), [0.0, 1.0, 1.0])


def test_certain_presence_is_the_positive_law():
    positive = TruncatedLognormal(np.array([0.3]), np.array([1.1]), 100.0)
    law = Hurdle(np.ones(1), positive)
    for level in (0.1, 0.5, 0.95):
        np.testing.assert_allclose(law.quantile(level), positive.quantile(level), rtol=1e-12)
    np.testing.assert_allclose(law.variance(), positive.variance())


def test_mean_and_variance_agree_with_simulation():
    n = 400_000
    law = hurdle_lognormal(np.full(n, 0.2), np.full(n, 1.0), np.full(n, 1.5))
    x = law.sample(np.random.default_rng(1))
    mean, variance = law.mean()[0], law.variance()[0]
    assert x.mean() == pytest.approx(mean, abs=4.0 * np.sqrt(variance / n))
    assert x.var() == pytest.approx(variance, rel=0.05)
    assert (x == 0.0).mean() == pytest.approx(0.8, abs=0.003)
    assert (x > 5.0).mean() == pytest.approx(law.sf(5.0)[0], abs=0.003)


def test_probability_outside_0_and_1_or_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="within 0 and 1"):
        hurdle_lognormal(1.2, 0.0, 1.0)
    with pytest.raises(ValueError, match="expected the same"):
        Hurdle(np.zeros(3), TruncatedLognormal(np.zeros(2), np.ones(2)))
    with pytest.raises(ValueError, match="not finite"):
        hurdle_lognormal([np.nan], [0.0], [1.0])


def test_a_sample_is_the_quantile_of_the_same_uniform_numbers():
    rng = np.random.default_rng(8)
    p = np.concatenate([[0.0, 1.0], rng.random(200)])
    law = hurdle_lognormal(p, rng.normal(size=202), rng.uniform(0.3, 2.0, 202))
    drawn = law.sample(np.random.default_rng(9))
    assert np.array_equal(drawn, law.quantile(np.random.default_rng(9).random(202)))
    assert drawn[0] == 0.0
    assert drawn[1] > 0.0
