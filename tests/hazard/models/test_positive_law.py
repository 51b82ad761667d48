"""Laws of the positive density: they are laws, and their mean is their mean."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import quad

from hazard.models.losses import gamma_deviance, positive_nll
from hazard.models.positive_law import LAWS, Gamma, TruncatedLognormal, positive_law

RAWS = [(-1.5, 0.0), (0.5, 3.0), (3.0, -2.0), (8.0, 4.0), (-4.0, 6.0)]


@pytest.mark.parametrize("raw", RAWS)
@pytest.mark.parametrize("name", LAWS)
def test_the_mean_agrees_with_monte_carlo(name, raw):
    law, value = positive_law(name), jnp.asarray(raw)
    draws = np.asarray(law.sample(jax.random.key(0), value, 400_000), np.float64)
    error = draws.std() / np.sqrt(draws.size)
    assert abs(draws.mean() - float(law.mean(value))) < 4 * error
    assert (draws >= 0).all()


@pytest.mark.parametrize("raw", RAWS)
@pytest.mark.parametrize("name", LAWS)
def test_the_density_integrates_to_one_and_to_the_mean(name, raw):
    """In the logarithm of x, where the laws are smooth; independent of the code's own formulas."""
    law, value = positive_law(name), jnp.asarray(raw)
    top = 100.0 if name == "truncated_lognormal" else 1e5
    grid = np.linspace(np.log(1e-14), np.log(top), 60_001)
    density = np.exp(np.asarray(law.log_density(jnp.exp(jnp.asarray(grid)), value), np.float64))
    mass = np.trapezoid(density * np.exp(grid), grid)
    mean = np.trapezoid(density * np.exp(2 * grid), grid)
    assert mass == pytest.approx(1.0, abs=4e-3)
    assert mean == pytest.approx(float(law.mean(value)), rel=2e-3)


def test_the_truncated_lognormal_agrees_with_scipy():
    law, raw = TruncatedLognormal(), jnp.array([2.0, 1.0])
    mu, sigma = (float(p) for p in law.parameters(raw))
    plain = stats.lognorm(s=sigma, scale=np.exp(mu))
    inside = plain.cdf(100.0)
    for x in (0.01, 1.0, 30.0, 99.0):
        assert float(law.log_density(jnp.float32(x), raw)) == pytest.approx(
            plain.logpdf(x) - np.log(inside), abs=2e-5
        )
        assert float(law.cdf(jnp.float32(x), raw)) == pytest.approx(plain.cdf(x) / inside, rel=1e-4)
    mean = quad(lambda t: np.exp(2 * t) * plain.pdf(np.exp(t)), -30, np.log(100))[0] / inside
    assert float(law.mean(raw)) == pytest.approx(mean, rel=1e-4)


def test_gamma_agrees_with_scipy():
    law, raw = Gamma(), jnp.array([1.0, -1.0])
    mean, shape = (float(p) for p in law.parameters(raw))
    plain = stats.gamma(shape, scale=mean / shape)
    for x in (0.01, 1.0, 30.0):
        assert float(law.log_density(jnp.float32(x), raw)) == pytest.approx(
            plain.logpdf(x), abs=1e-4
        )
    assert float(law.quantile(jnp.float32(0.9), raw)) == pytest.approx(plain.ppf(0.9), rel=1e-4)


@settings(max_examples=40, deadline=None)
@given(a=st.floats(-30, 30), b=st.floats(-30, 30))
def test_the_tail_is_tamed_for_any_output_of_a_network(a, b):
    raw = jnp.array([a, b], jnp.float32)
    for law in LAWS.values():
        mean = float(law.mean(raw))
        assert 0 <= mean <= 100.001
        assert np.isfinite(float(law.log_density(jnp.float32(2.0), raw)))
        gradient = jax.grad(lambda r, law=law: law.log_density(jnp.float32(2.0), r))(raw)
        assert bool(jnp.isfinite(gradient).all())


@pytest.mark.parametrize("name", LAWS)
def test_quantiles_undo_the_distribution(name):
    law = positive_law(name)
    raw = jnp.array([0.3, 0.5])
    levels = jnp.array([0.05, 0.5, 0.9, 0.95, 0.99])
    values = law.quantile(levels, raw)
    np.testing.assert_allclose(law.cdf(values, raw), levels, atol=2e-4)
    assert float(law.cdf(jnp.float32(0.0), raw)) == 0.0


@pytest.mark.parametrize("name", LAWS)
def test_the_likelihood_recovers_a_planted_law_and_its_mean(name):
    """Zeros and cells without weight are in the data and must not matter."""
    law = positive_law(name)
    truth = jnp.array([-0.7, 0.8])
    draws = law.sample(jax.random.key(2), truth, 20_000)
    density = jnp.concatenate([draws, jnp.zeros(5_000), jnp.full(500, jnp.nan)])
    weight = jnp.concatenate([jnp.ones(25_000), jnp.zeros(500)])

    def loss(raw):
        spread = jnp.broadcast_to(raw, (density.size, 2))
        return positive_nll(spread, density, weight, law)[0]

    descend = jax.jit(lambda raw: raw - 0.3 * jax.grad(loss)(raw))
    raw = jnp.array([1.0, -1.0])
    for _ in range(300):
        raw = descend(raw)
    assert float(law.mean(raw)) == pytest.approx(float(jnp.mean(draws)), rel=0.03)
    assert float(law.mean(raw)) == pytest.approx(float(law.mean(truth)), rel=0.06)
    assert (
        float(positive_nll(jnp.broadcast_to(raw, (density.size, 2)), density, weight, law)[1])
        == 20_000
    )


def test_zeros_do_not_reach_the_positive_law():
    law = positive_law("gamma")
    raw = jnp.zeros((2, 3, 2))
    density = jnp.array([[0.0, 2.0, 0.0], [1.0, 0.0, jnp.nan]])
    weight = jnp.array([[1.0, 1.0, 1.0], [0.0, 1.0, 0.0]])
    value, counted = positive_nll(raw, density, weight, law)
    assert float(counted) == 1.0
    assert float(value) == pytest.approx(-float(law.log_density(jnp.float32(2.0), raw[0, 0])))
    gradient = jax.grad(lambda r: positive_nll(r, density, weight, law)[0])(raw)
    assert np.argwhere(np.asarray(gradient).any(axis=-1)).tolist() == [[0, 1]]


def test_the_gamma_deviance_is_least_at_the_mean():
    density = jnp.array([0.1, 0.4, 7.0, 0.0])
    one = jnp.ones(4)
    means = jnp.linspace(0.5, 6.0, 1101)
    values = [float(gamma_deviance(jnp.full(4, m), density, one)[0]) for m in means[::10]]
    assert float(means[::10][int(np.argmin(values))]) == pytest.approx(2.5, abs=0.06)


@pytest.mark.parametrize("name", LAWS)
def test_a_law_starts_where_it_is_told(name):
    law = positive_law(name)
    raw = jnp.asarray(law.initial_raw(-1.2, 1.0))
    assert float(law.mean(raw)) == pytest.approx(np.exp(-1.2 + 0.5), rel=0.02)
