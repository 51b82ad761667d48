"""Tests of number and area rates: exact intervals, dispersion, coverage."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from stats.sizes.rates import area_rate, area_rates, number_rate, number_rates


@pytest.mark.parametrize("count", [0, 1, 7, 250])
def test_poisson_interval_is_exact(count):
    rate = number_rate(count, 2.0, region_km2=10.0)
    low, high = rate.low * 20.0, rate.high * 20.0
    assert scipy_stats.poisson.cdf(count, high) == pytest.approx(0.025)
    if count:
        assert scipy_stats.poisson.sf(count - 1, low) == pytest.approx(0.025)
    else:
        assert low == 0.0
    assert rate.unit == "landslides per year per km2"


def test_dispersion_widens_by_its_root():
    plain, wide = number_rate(4000, 1.0), number_rate(4000, 1.0, dispersion=9.0)
    ratio = (wide.high - wide.low) / (plain.high - plain.low)
    assert ratio == pytest.approx(3.0, rel=0.02)
    assert "dispersion 9" in wide.method


def test_overdispersed_interval_covers_where_the_poisson_one_does_not():
    """Eight epochs of negative binomial counts, dispersion 20, in 1,000 worlds (error 0.7 %)."""
    rng = np.random.default_rng(7)
    mean, phi = 80.0, 20.0
    covered = np.zeros(2)
    for _ in range(1000):
        counts = rng.negative_binomial(mean / (phi - 1.0), 1.0 / phi, 8)
        found = number_rates(counts, np.ones(8))
        for i, rate in enumerate((found.pooled, found.overdispersed)):
            covered[i] += rate.low <= mean <= rate.high
    poisson, overdispersed = covered / 1000
    assert poisson < 0.5
    assert 0.90 < overdispersed < 0.98


def test_poisson_counts_are_not_called_overdispersed():
    """p-values of equal Poisson rates: 5 +- 2 % below 0.05 in 2,000 worlds (error 0.5 %)."""
    rng = np.random.default_rng(3)
    years = np.array([0.5, 1.0, 2.0, 0.7])
    p = np.array(
        [number_rates(rng.poisson(40 * years), years).poisson_p_value for _ in range(2000)]
    )
    assert 0.03 < np.mean(p < 0.05) < 0.07


def test_rates_of_epochs_keep_their_lengths():
    found = number_rates([10, 30], [0.5, 1.5])
    assert [rate.value for rate in found.epochs] == [20.0, 20.0]
    assert found.pooled.value == 20.0
    assert found.dispersion == 0.0
    # Below Poisson scatter the interval is not made narrower than Poisson asks for.
    z = scipy_stats.t.ppf(0.975, 1)
    assert found.overdispersed.high == pytest.approx(20.0 * math.exp(z / math.sqrt(40.0)))


def test_area_rate_bootstrap_is_compound_poisson():
    rng = np.random.default_rng(1)
    areas = rng.gamma(2.0, 500.0, 3000)
    rate = area_rate(areas, 2.0, rng=rng, draws=4000)
    assert rate.value == pytest.approx(areas.sum() / 2.0)
    half = 0.5 * (rate.high - rate.low)
    assert half == pytest.approx(1.96 * np.sqrt((areas**2).sum()) / 2.0, rel=0.04)


def test_area_rates_of_epochs_and_their_scatter():
    rng = np.random.default_rng(2)
    epochs = [rng.gamma(2.0, 500.0, n) for n in (400, 120, 60, 50, 110)]
    found = area_rates(epochs, np.ones(5), rng=rng, draws=400)
    assert len(found.epochs) == 5
    assert found.poisson_p_value is None
    assert found.overdispersed.high > found.pooled.high
    assert found.pooled.value == pytest.approx(sum(e.sum() for e in epochs) / 5.0)


def test_empty_epoch_has_a_rate_of_zero_and_no_upper_end():
    rate = area_rate([], 1.0, rng=np.random.default_rng(0))
    assert (rate.value, rate.low, rate.high) == (0.0, 0.0, math.inf)
    assert "too few" in rate.method


def test_bad_input_is_named():
    rng = np.random.default_rng(0)
    for count in (-1, 2.5):
        with pytest.raises(ValueError, match="whole number"):
            number_rate(count, 1.0)
    with pytest.raises(ValueError, match="years: found 0"):
        number_rate(1, 0.0)
    with pytest.raises(ValueError, match="region_km2"):
        number_rate(1, 1.0, region_km2=-1.0)
    with pytest.raises(ValueError, match="dispersion: found"):
        number_rate(1, 1.0, dispersion=0.5)
    with pytest.raises(ValueError, match="2 or more"):
        number_rates([3], [1.0])
    with pytest.raises(ValueError, match="lengths above 0"):
        number_rates([3, 4], [1.0, 0.0])
    with pytest.raises(ValueError, match="no landslides in any epoch"):
        number_rates([0, 0], [1.0, 1.0])
    with pytest.raises(ValueError, match="above 0"):
        area_rates([[1.0], [-2.0]], [1.0, 1.0], rng=rng)
