"""The Double Pareto Simplified law against scipy's Burr III, its limits and its truncation."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, stats

from stats.sizes import double_pareto as dps

LAWS = [(1.4, 2.3, 800.0), (0.8, 0.6, 50.0), (2.5, 8.0, 3000.0), (1.0, 1.0, 1.0), (0.9, 22.0, 41.0)]
# Nearer to 1 than this scipy's own quantile loses digits (it forms u^-a - 1 directly).
PROBABILITIES = np.concatenate([np.geomspace(1e-8, 0.5, 40), 1 - np.geomspace(1e-4, 0.5, 40)])


@pytest.mark.parametrize(("alpha", "beta", "t"), LAWS)
def test_agrees_with_burr_of_scipy(alpha: float, beta: float, t: float) -> None:
    reference = stats.burr(c=alpha, d=beta / alpha, scale=t)
    x = np.geomspace(t * 1e-3, t * 1e5, 300)
    np.testing.assert_allclose(dps.pdf(x, alpha, beta, t), reference.pdf(x), rtol=1e-10)
    np.testing.assert_allclose(dps.cdf(x, alpha, beta, t), reference.cdf(x), rtol=1e-10)
    np.testing.assert_allclose(
        dps.quantile(PROBABILITIES, alpha, beta, t), reference.ppf(PROBABILITIES), rtol=1e-10
    )


def test_survival_keeps_its_digits_far_out() -> None:
    # For x >> t the survival is beta/alpha (x/t)^-alpha: 1 - cdf would be 0 or noise here.
    x = np.array([1e14])
    expected = 2.3 / 1.4 * (x / 800.0) ** -1.4
    np.testing.assert_allclose(dps.survival(x, 1.4, 2.3, 800.0), expected, rtol=1e-9)


@pytest.mark.parametrize(("lower", "upper"), [(0.0, 1e6), (300.0, np.inf), (300.0, 1e6)])
def test_truncated_density_integrates_to_one_and_matches_its_cdf(
    lower: float, upper: float
) -> None:
    law = {"alpha": 1.4, "beta": 2.3, "t": 800.0, "lower": lower, "upper": upper}

    def log_density(z: float) -> float:
        return float(dps.pdf(np.array(np.exp(z)), **law) * np.exp(z))

    low, high = np.log(max(lower, 1e-2)), np.log(min(upper, 1e14))
    total, _ = integrate.quad(log_density, low, high, limit=400)
    assert total == pytest.approx(1.0, abs=1e-6)
    half, _ = integrate.quad(log_density, low, np.log(5000.0), limit=400)
    assert half == pytest.approx(float(dps.cdf(np.array(5000.0), **law)), abs=1e-6)
    assert dps.pdf(np.array([lower / 2]), **law)[0] == (0.0 if lower else dps.pdf(0.0, **law))


@settings(max_examples=60, deadline=None)
@given(
    alpha=st.floats(0.5, 4.0),
    beta=st.floats(0.3, 12.0),
    t=st.floats(1.0, 1e5),
    u=st.floats(1e-6, 1 - 1e-6),
    lower=st.sampled_from([0.0, 0.3]),
    upper=st.sampled_from([np.inf, 30.0]),
)
def test_quantile_inverts_the_cdf(
    alpha: float, beta: float, t: float, u: float, lower: float, upper: float
) -> None:
    bounds = {"lower": lower * t, "upper": upper * t}
    x = dps.quantile(np.array(u), alpha, beta, t, **bounds)
    assert float(dps.cdf(x, alpha, beta, t, **bounds)) == pytest.approx(u, rel=1e-7, abs=1e-9)
    total = dps.cdf(x, alpha, beta, t, **bounds) + dps.survival(x, alpha, beta, t, **bounds)
    assert float(total) == pytest.approx(1.0, abs=1e-12)


def test_rollover_is_the_mode_and_absent_for_small_beta() -> None:
    found = optimize.minimize_scalar(
        lambda z: -float(dps.pdf(np.array(np.exp(z)), 1.4, 2.3, 800.0)), bounds=(3.0, 9.0)
    )
    assert np.exp(found.x) == pytest.approx(dps.rollover(1.4, 2.3, 800.0), rel=1e-4)
    assert dps.rollover(1.4, 0.7, 800.0) is None


def test_log_log_slopes_are_beta_minus_one_and_minus_alpha_minus_one() -> None:
    def slope(x: float) -> float:
        pair = np.log(dps.pdf(np.array([x, x * 1.01]), 1.4, 2.3, 800.0))
        return float((pair[1] - pair[0]) / np.log(1.01))

    assert slope(1e-6) == pytest.approx(1.3, abs=1e-6)
    assert slope(1e12) == pytest.approx(-2.4, abs=1e-6)


def test_sample_follows_the_law() -> None:
    areas = dps.sample(50_000, 1.4, 2.3, 800.0, rng=np.random.default_rng(7), upper=1e6)
    test = stats.kstest(areas, lambda x: dps.cdf(x, 1.4, 2.3, 800.0, upper=1e6))
    assert test.pvalue > 1e-3
    assert areas.max() <= 1e6


def test_public_functions_leave_the_precision_of_jax_alone() -> None:
    assert dps.pdf(np.float32(800.0), 1.4, 2.3, 800.0).dtype == np.float64
    assert jnp.asarray(1.0).dtype == jnp.float32


@pytest.mark.parametrize("bad", [(0.0, 2.0, 1.0), (1.0, -1.0, 1.0), (1.0, 1.0, np.nan)])
def test_parameters_outside_the_domain_are_refused(bad: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="expected a finite number above 0"):
        dps.pdf(np.array([1.0]), *bad)
    with pytest.raises(ValueError, match="truncation"):
        dps.pdf(np.array([1.0]), 1.0, 1.0, 1.0, lower=5.0, upper=2.0)
    with pytest.raises(ValueError, match=r"within \[0, 1\]"):
        dps.quantile(np.array([1.5]), 1.0, 1.0, 1.0)
