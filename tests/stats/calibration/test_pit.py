"""PIT of hurdle laws: uniform when right, bent when wrong, exact without randomisation."""

import numpy as np
import pytest
from scipy import stats

from stats.calibration.pit import pit_distribution, quantile_residuals, randomised_pit
from stats.laws.hurdle import hurdle_lognormal

N = 5000


@pytest.fixture
def world():
    rng = np.random.default_rng(50)
    law = hurdle_lognormal(rng.beta(1, 5, N), rng.normal(0, 1, N), rng.uniform(0.5, 1.5, N))
    return law, law.sample(rng)


def test_right_forecast_is_uniform_and_its_residuals_normal(world):
    law, y = world
    u = randomised_pit(law, y, rng=np.random.default_rng(1))
    assert u.shape == (20, N)
    p_values = [stats.kstest(row, "uniform").pvalue for row in u]
    assert np.median(p_values) > 0.05
    r = quantile_residuals(law, y, rng=np.random.default_rng(1))
    np.testing.assert_allclose(stats.norm.cdf(r), u, atol=1e-12)


@pytest.mark.parametrize("fault", ["probability", "scale", "spread"])
def test_wrong_forecast_is_seen(world, fault):
    law, y = world
    positive = law.positive
    wrong = {
        "probability": hurdle_lognormal(0.6 * law.probability, positive.mu, positive.sigma),
        "scale": hurdle_lognormal(law.probability, positive.mu + 1.0, positive.sigma),
        "spread": hurdle_lognormal(law.probability, positive.mu, 0.3 * positive.sigma),
    }[fault]
    levels = np.linspace(0.0, 1.0, 201)
    right = np.abs(pit_distribution(law, y, levels) - levels).max()
    bent = np.abs(pit_distribution(wrong, y, levels) - levels).max()
    assert right < 0.02
    assert bent > 2.0 * right


def test_distribution_is_the_limit_of_many_randomisations(world):
    law, y = world
    u = randomised_pit(law, y, rng=np.random.default_rng(2), randomisations=400)
    levels = np.array([0.05, 0.3, 0.6, 0.8, 0.9, 0.97, 1.0])
    counted = np.array([(u <= level).mean() for level in levels])
    np.testing.assert_allclose(pit_distribution(law, y, levels), counted, atol=2e-3)


def test_far_tail_residuals_keep_their_size():
    law = hurdle_lognormal([1.0], [0.0], [1.0], upper=np.inf)
    r = quantile_residuals(law, np.exp([20.0]), rng=np.random.default_rng(0))
    assert r[0, 0] == pytest.approx(20.0, rel=1e-9)


def test_impossible_values_have_infinite_residuals():
    law = hurdle_lognormal([0.0, 1.0], [0.0, 0.0], [1.0, 1.0])
    r = quantile_residuals(law, [2.0, 0.0], rng=np.random.default_rng(0))
    np.testing.assert_array_equal(r[0], [np.inf, -np.inf])


def test_same_seed_same_transform_and_few_randomisations_are_refused(world):
    law, y = world
    first = randomised_pit(law, y, rng=np.random.default_rng(3))
    np.testing.assert_array_equal(first, randomised_pit(law, y, rng=np.random.default_rng(3)))
    with pytest.raises(ValueError, match="randomisations: found 1; expected 20"):
        randomised_pit(law, y, rng=np.random.default_rng(3), randomisations=1)
    with pytest.raises(ValueError, match="value: found 1"):
        randomised_pit(law, np.where(np.arange(N) == 0, np.nan, y), rng=np.random.default_rng(3))
