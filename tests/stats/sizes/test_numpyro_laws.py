"""The size laws inside numpyro: density, samples, constraints and a short chain."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import pytest
from numpyro import distributions as dist
from numpyro.infer import MCMC, NUTS
from scipy import stats

from stats.precision import in_float64
from stats.sizes import numpyro_laws as nl
from stats.sizes.distribution import size_law
from tests.stats.sizes.law_cases import LAWS, central

CLASSES = {
    "dps above a cut": nl.DoubleParetoSimplified,
    "extended, beta < 0": nl.ExtendedDoublePareto,
    "dp": nl.DoublePareto,
    "ig between ends": nl.ShiftedInverseGamma,
    "power": nl.PowerLawTail,
    "lognormal": nl.TruncatedLognormalSizes,
    "gpd": nl.GeneralisedParetoSizes,
    "egpd": nl.ExtendedGeneralisedPareto,
}


def wrapped(case: str, **options):
    law = LAWS[case]
    return CLASSES[case](*law.theta, lower=law.lower, upper=law.upper, **options)


def test_every_law_has_its_class():
    assert {cls.law.name for cls in CLASSES.values()} == {law.law.name for law in LAWS.values()}
    for cls in CLASSES.values():
        assert tuple(cls.arg_constraints) == cls.law.names


@pytest.mark.parametrize("case", sorted(CLASSES))
def test_density_samples_and_support_are_those_of_the_law(case):
    law = LAWS[case]
    x = central(law, 8)

    @in_float64
    def run():
        d = wrapped(case, validate_args=True)
        draws = d.sample(jax.random.key(3), (4000,))
        inside = d.support(draws)
        return d.log_prob(x), d.cdf(x), d.icdf(d.cdf(x)), draws, inside, d.log_prob(law.lower / 2)

    density, below, back, draws, inside, outside = run()
    np.testing.assert_allclose(density, law.logpdf(x), rtol=1e-12)
    np.testing.assert_allclose(below, law.cdf(x), rtol=1e-12)
    np.testing.assert_allclose(back, x, rtol=1e-9)
    assert stats.kstest(draws, law.cdf).pvalue > 1e-3
    assert inside.all()
    assert outside == -math.inf


def test_parameters_outside_their_constraints_are_refused():
    with pytest.raises(ValueError, match="invalid alpha"):
        nl.DoubleParetoSimplified(-1.0, 2.0, 800.0, validate_args=True)
    with pytest.raises(ValueError, match="invalid s"):
        nl.ShiftedInverseGamma(1.4, 1280.0, 132.0, validate_args=True)
    with pytest.raises(ValueError, match="invalid xi"):
        nl.GeneralisedParetoSizes(1.0, -0.6, validate_args=True)
    with pytest.raises(ValueError, match="expected at least -alpha"):
        nl.ExtendedDoublePareto(1.0, -1.5, 800.0, lower=10.0, validate_args=True)
    with pytest.raises(ValueError, match="needs a lower end above 0"):
        nl.PowerLawTail(1.4, lower=0.0)
    with pytest.raises(ValueError, match="two finite ends"):
        nl.DoublePareto(1.0, 2.0, 800.0, lower=10.0, upper=math.inf)


@pytest.mark.parametrize("case", ["dps above a cut", "ig between ends"])
def test_batches_of_parameters_match_single_laws(case):
    law = LAWS[case]
    theta = np.array(law.theta) * np.array([1.0, 1.1, 0.9])[:, None]

    @in_float64
    def run():
        d = CLASSES[case](*theta.T, lower=law.lower, upper=law.upper)
        draws = d.sample(jax.random.key(0), (5,))
        leaves, tree = jax.tree.flatten(d)
        again = jax.tree.unflatten(tree, leaves)
        return d.batch_shape, draws, jax.jit(lambda e, x: e.log_prob(x))(again, draws), d.cdf(draws)

    shape, draws, density, below = run()
    assert shape == (3,)
    assert draws.shape == (5, 3)
    for j, row in enumerate(theta):
        values = dict(zip(law.law.names, row, strict=True))
        single = size_law(law.law, **values, lower=law.lower, upper=law.upper)
        np.testing.assert_allclose(density[:, j], single.logpdf(draws[:, j]), rtol=1e-11)
        np.testing.assert_allclose(below[:, j], single.cdf(draws[:, j]), rtol=1e-11)


def test_a_model_runs_under_nuts_and_finds_the_exponent():
    areas = size_law("dps", alpha=1.4, beta=2.3, t=800.0, lower=100.0).rvs(
        1000, np.random.default_rng(0)
    )

    def model(x):
        alpha = numpyro.sample("alpha", dist.LogNormal(0.3, 0.5))
        beta = numpyro.sample("beta", dist.LogNormal(0.5, 1.0))
        t = numpyro.sample("t", dist.LogNormal(7.0, 1.5))
        law = nl.DoubleParetoSimplified(alpha, beta, t, lower=100.0)
        numpyro.sample("areas", law, obs=x)

    @in_float64
    def run():
        chain = MCMC(NUTS(model), num_warmup=100, num_samples=50, progress_bar=False)
        chain.run(jax.random.key(1), jnp.asarray(areas), extra_fields=("diverging",))
        return chain.get_samples()["alpha"], chain.get_extra_fields()["diverging"]

    alpha, diverging = run()
    assert alpha.dtype == np.float64
    assert diverging.sum() == 0
    assert np.unique(alpha).size > 40
    assert abs(alpha.mean() - 1.4) < 0.25
