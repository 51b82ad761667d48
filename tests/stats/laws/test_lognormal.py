"""The truncated lognormal against scipy, quadrature and its limits far outside the ordinary."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from scipy import integrate, stats

from stats.laws import lognormal
from stats.laws.lognormal import TruncatedLognormal

ORDINARY = [(-3.0, 0.3), (-1.0, 1.5), (0.0, 0.05), (0.5, 1.0), (2.0, 2.0), (4.0, 1.0), (5.5, 0.7)]
# Most of the untruncated mass lies above 100, or sigma is so large that closed forms cancel.
EXTREME = [(8.0, 1.0), (60.0, 1.0), (0.0, 8.0), (500.0, 3.0), (2.0, 4.5), (4.6, 0.05), (30.0, 9.0)]


def by_quadrature(law, power, low, high):
    """Integral of sf^power from low to high, in z so that a narrow law is seen."""
    mu, sigma = float(law.mu), float(law.sigma)

    def integrand(z):
        x = np.exp(mu + sigma * z)
        return float(law.sf(x)) ** power * sigma * x

    z_high = (np.log(high) - mu) / sigma if np.isfinite(high) else sigma + 12.0
    z_low = (np.log(low) - mu) / sigma if low > 0 else min(z_high, 0.0) - 40.0 / sigma - 12.0
    cuts = np.linspace(z_low, z_high, 20)
    return sum(
        integrate.quad(integrand, a, b, epsabs=1e-14, epsrel=1e-12)[0]
        for a, b in itertools.pairwise(cuts)
    )


@pytest.mark.parametrize("upper", [100.0, np.inf])
@pytest.mark.parametrize(("mu", "sigma"), ORDINARY)
def test_plain_and_truncated_functions_agree_with_scipy(mu, sigma, upper):
    plain = stats.lognorm(s=sigma, scale=np.exp(mu))
    mass = plain.cdf(upper)
    x = np.array([0.0, 1e-4, 0.03, 0.5, 1.0, 7.0, 60.0, 99.9])
    law = TruncatedLognormal(mu, sigma, upper)
    np.testing.assert_allclose(law.cdf(x), plain.cdf(x) / mass, rtol=1e-11, atol=1e-300)
    np.testing.assert_allclose(law.sf(x), (mass - plain.cdf(x)) / mass, atol=1e-14)
    np.testing.assert_allclose(
        law.log_density(x[1:]), plain.logpdf(x[1:]) - np.log(mass), rtol=1e-11
    )
    u = np.array([1e-6, 0.1, 0.5, 0.9, 0.999])
    np.testing.assert_allclose(law.quantile(u), plain.ppf(u * mass), rtol=1e-9)


@pytest.mark.parametrize(("mu", "sigma"), ORDINARY + EXTREME)
def test_density_integrates_to_the_distribution_function(mu, sigma):
    law = TruncatedLognormal(mu, sigma, 100.0)
    low, high = float(law.quantile(0.3)), float(law.quantile(0.9))
    total, _ = integrate.quad(
        lambda t: float(np.exp(law.log_density(np.exp(t)) + t)),
        np.log(low),
        np.log(high),
        epsrel=1e-11,
    )
    assert total == pytest.approx(0.6, abs=1e-9)
    assert law.cdf(high) == pytest.approx(0.9, abs=1e-10)


@pytest.mark.parametrize("above", [0.0, 0.4, 20.0])
@pytest.mark.parametrize(("mu", "sigma"), ORDINARY + EXTREME)
def test_integrals_of_the_survival_function_agree_with_quadrature(mu, sigma, above):
    law = TruncatedLognormal(mu, sigma, 100.0)
    squared = by_quadrature(law, 2, above, 100.0)
    assert float(law.squared_survival(above)) == pytest.approx(squared, rel=1e-8, abs=1e-10)
    for x in (0.2, 5.0, 80.0):
        limited = by_quadrature(law, 1, 0.0, x)
        assert float(law.limited_mean(x)) == pytest.approx(limited, rel=1e-9)


@pytest.mark.parametrize(("mu", "sigma"), [(0.0, 1.0), (-2.0, 0.4), (1.0, 2.0)])
def test_moments_of_the_plain_law_are_the_textbook_ones(mu, sigma):
    law = TruncatedLognormal(mu, sigma)
    plain = stats.lognorm(s=sigma, scale=np.exp(mu))
    assert float(law.mean()) == pytest.approx(plain.mean(), rel=1e-12)
    assert float(law.variance()) == pytest.approx(plain.var(), rel=1e-12)
    smaller = 2.0 * plain.mean() * stats.norm.sf(sigma / np.sqrt(2.0))
    assert float(law.squared_survival()) == pytest.approx(smaller, rel=1e-12)


@pytest.mark.parametrize(("mu", "sigma"), ORDINARY + EXTREME)
def test_truncated_moments_agree_with_quadrature(mu, sigma):
    law = TruncatedLognormal(mu, sigma, 100.0)
    mean = by_quadrature(law, 1, 0.0, 100.0)
    assert float(law.mean()) == pytest.approx(mean, rel=1e-9)
    assert 0.0 < float(law.mean()) < 100.0
    u = np.polynomial.legendre.leggauss(400)
    x = law.quantile(0.5 * (u[0] + 1.0))
    spread = float(np.sum(0.5 * u[1] * (x - mean) ** 2))
    assert float(law.variance()) == pytest.approx(spread, rel=2e-2)


def test_far_above_the_bound_the_law_tends_to_a_power_law():
    mu, sigma = 4000.0, 2.0
    law = TruncatedLognormal(mu, sigma, 100.0)
    exponent = (mu - np.log(100.0)) / sigma**2
    x = np.array([99.5, 99.9, 99.99])
    np.testing.assert_allclose(law.cdf(x), (x / 100.0) ** exponent, rtol=1e-3)
    assert float(law.mean()) == pytest.approx(100.0 * exponent / (1.0 + exponent), rel=1e-5)


def test_closed_form_and_quadrature_of_the_score_integral_meet_where_they_switch(monkeypatch):
    rng = np.random.default_rng(0)
    mu, sigma = rng.normal(1.0, 2.0, 300), rng.uniform(0.2, 4.0, 300)
    start = np.where(rng.random(300) < 0.5, 0.0, rng.uniform(0.0, 50.0, 300))
    law = TruncatedLognormal(mu, sigma, 100.0)
    closed = law.squared_survival(start)
    monkeypatch.setattr(lognormal, "_LARGEST_LOG_CANCELLATION", -np.inf)
    np.testing.assert_allclose(law.squared_survival(start), closed, rtol=1e-9, atol=1e-11)


def test_parameters_outside_the_domain_are_refused():
    with pytest.raises(ValueError, match="sigma: found a minimum of 0"):
        TruncatedLognormal(0.0, 0.0)
    with pytest.raises(ValueError, match="mu: found 1 of 2 values not finite"):
        TruncatedLognormal([0.0, np.nan], 1.0)
    with pytest.raises(ValueError, match="upper"):
        TruncatedLognormal(0.0, 1.0, -1.0)
    with pytest.raises(ValueError, match="x: found a minimum of -1"):
        TruncatedLognormal(0.0, 1.0).cdf(-1.0)


@given(mu=some.floats(-20.0, 200.0), sigma=some.floats(0.01, 12.0), u=some.floats(1e-6, 1.0 - 1e-6))
def test_quantile_inverts_the_distribution_function_everywhere(mu, sigma, u):
    law = TruncatedLognormal(mu, sigma, 100.0)
    assert float(law.cdf(law.quantile(u))) == pytest.approx(u, rel=1e-7, abs=1e-9)


@given(mu=some.floats(-20.0, 200.0), sigma=some.floats(0.01, 12.0), r=some.floats(0.0, 100.0))
def test_integrals_keep_their_order(mu, sigma, r):
    law = TruncatedLognormal(mu, sigma, 100.0)
    mean, whole, part = float(law.mean()), *map(float, law.squared_survival([0.0, r]))
    slack = 1e-9 * mean + 1e-12
    assert 0.0 <= part <= whole + slack
    assert whole <= mean + slack
    assert float(law.limited_mean(r)) <= min(mean, r) + slack
