"""Rate ratios: agreement with scipy, level, coverage, dispersion."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from stats.density.change import dispersion_index, rate_change


@pytest.mark.parametrize(("a", "b", "s", "t"), [(10, 40, 1.0, 2.0), (0, 5, 3.0, 1.0), (7, 0, 1, 1)])
def test_interval_is_that_of_the_binomial_share(a, b, s, t):
    found = rate_change(a, b, first_exposure=s, second_exposure=t)
    share = scipy_stats.binomtest(b, a + b).proportion_ci(0.95, method="exact")
    low, high = (np.inf if q == 1.0 else s / t * q / (1.0 - q) for q in (share.low, share.high))
    assert float(found.low) == pytest.approx(low, rel=1e-9)
    assert float(found.high) == pytest.approx(high, rel=1e-9)


def test_p_value_is_the_mid_p_of_the_binomial():
    a, b, s, t = 12, 30, 2.0, 3.0
    law = scipy_stats.binom(a + b, t / (s + t))
    upper = law.sf(b) + 0.5 * law.pmf(b)
    found = rate_change(a, b, first_exposure=s, second_exposure=t)
    assert float(found.p_value) == pytest.approx(2 * min(upper, 1 - upper), rel=1e-9)


def test_level_and_coverage_under_equal_rates():
    # 20,000 pairs; binomial standard error of 0.05 is 0.0015.
    rng = np.random.default_rng(0)
    for mean in (3.0, 12.0):
        a, b = rng.poisson(mean, 20_000), rng.poisson(2.5 * mean, 20_000)
        found = rate_change(a, b, second_exposure=2.5)
        assert 0.035 < (found.p_value < 0.05).mean() < 0.056
        assert ((found.low <= 1.0) & (found.high >= 1.0)).mean() > 0.95


def test_dispersion_restores_the_level_of_clustered_counts():
    rng = np.random.default_rng(1)
    a, b = (rng.negative_binomial(5, 0.25, 20_000) for _ in range(2))  # variance 4 times the mean
    naive = (rate_change(a, b).p_value < 0.05).mean()
    mended = (rate_change(a, b, dispersion=4.0).p_value < 0.05).mean()
    assert naive > 0.25
    # A negative binomial law is no scaled Poisson law: below the level, but not idle.
    assert 0.02 < mended < 0.05


def test_no_landslides_at_all_is_no_change_and_no_bound():
    found = rate_change([0, 0], [0, 4])
    assert np.isnan(found.ratio[0])
    assert found.p_value[0] == 1.0
    assert found.high.tolist() == [np.inf, np.inf]
    assert found.low[1] > 0


def test_dispersion_index_is_one_for_poisson_counts():
    rng = np.random.default_rng(2)
    mu = rng.uniform(0.5, 6.0, 20_000)
    assert dispersion_index(rng.poisson(mu), mu) == pytest.approx(1.0, abs=0.05)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="exposure of 0"):
        rate_change(1, 2, first_exposure=0.0)
    with pytest.raises(ValueError, match="same shape"):
        rate_change([1, 2], 3)
    with pytest.raises(ValueError, match="dispersion"):
        rate_change(1, 2, dispersion=0.5)
    with pytest.raises(ValueError, match="above 0"):
        dispersion_index([1.0, 2.0], [0.0, 1.0])
