"""The size laws against independent implementations and published forms."""

import numpy as np
import pytest
from scipy import stats

from stats.sizes.distribution import size_law
from stats.sizes.law import LAWS, law_named
from tests.stats.sizes.law_cases import integral

RTOL = 1e-10
DPS = [(1.4, 2.3, 800.0), (0.8, 0.6, 50.0), (2.5, 8.0, 3000.0), (1.0, 1.0, 1.0), (0.9, 22.0, 41.0)]
U = np.concatenate([np.geomspace(1e-8, 0.5, 40), 1 - np.geomspace(1e-4, 0.5, 40)])


@pytest.mark.parametrize(("alpha", "beta", "t"), DPS)
@pytest.mark.parametrize("name", ["dps", "dps_extended"])
def test_double_pareto_simplified_is_burr_of_scipy(name, alpha, beta, t):
    lower = 0.0 if name == "dps" else t * 1e-200
    law = size_law(name, alpha=alpha, beta=beta, t=t, lower=lower)
    reference = stats.burr(c=alpha, d=beta / alpha, scale=t)
    x = np.geomspace(t * 1e-3, t * 1e6, 300)
    np.testing.assert_allclose(law.pdf(x), reference.pdf(x), rtol=RTOL)
    np.testing.assert_allclose(law.cdf(x), reference.cdf(x), rtol=RTOL)
    np.testing.assert_allclose(law.ppf(U), reference.ppf(U), rtol=RTOL)
    # scipy's burr.sf is 1 - cdf; 1/X is Burr XII, whose cdf keeps its digits.
    mirrored = stats.burr12(c=alpha, d=beta / alpha, scale=1.0 / t)
    np.testing.assert_allclose(law.sf(x), mirrored.cdf(1.0 / x), rtol=RTOL)
    np.testing.assert_allclose(law.isf(U), 1.0 / mirrored.ppf(U), rtol=RTOL)


@pytest.mark.parametrize(("alpha", "beta", "t"), DPS)
@pytest.mark.parametrize(("c", "m"), [(0.3, 30.0), (1e-4, 1e5), (5.0, 6.0)])
def test_double_pareto_of_stark_and_hovius_is_the_truncated_law(alpha, beta, t, c, m):
    c, m = c * t, m * t
    x = np.linspace(c, m, 101)[1:-1]
    # The form printed in 2001.
    delta = ((1 + (m / t) ** -alpha) / (1 + (c / t) ** -alpha)) ** (beta / alpha)
    rise = (1 + (m / t) ** -alpha) ** (beta / alpha)
    fall = (1 + (x / t) ** -alpha) ** (1 + beta / alpha)
    printed = beta / (t * (1 - delta)) * rise / fall * (x / t) ** (-alpha - 1)
    values = {"alpha": alpha, "beta": beta, "t": t, "lower": c, "upper": m}
    np.testing.assert_allclose(size_law("dp", **values).pdf(x), printed, rtol=RTOL)
    np.testing.assert_allclose(size_law("dps", **values).pdf(x), printed, rtol=RTOL)
    np.testing.assert_allclose(
        size_law("dps_extended", **values).cdf(x), size_law("dp", **values).cdf(x), rtol=RTOL
    )


REFERENCES = {
    "ig": ({"rho": 1.4, "a": 1280.0, "s": -132.0}, stats.invgamma(1.4, loc=-132.0, scale=1280.0)),
    "ig steep": ({"rho": 6.0, "a": 3e4, "s": -5.0}, stats.invgamma(6.0, loc=-5.0, scale=3e4)),
    "ig heavy": ({"rho": 0.6, "a": 300.0, "s": -9.0}, stats.invgamma(0.6, loc=-9.0, scale=300.0)),
    "lognormal": ({"mu": 7.0, "sigma": 1.2}, stats.lognorm(1.2, scale=np.exp(7.0))),
    "lognormal wide": ({"mu": 3.0, "sigma": 3.0}, stats.lognorm(3.0, scale=np.exp(3.0))),
    "gpd": ({"sigma": 800.0, "xi": 0.7}, stats.genpareto(0.7, scale=800.0)),
    "gpd exponential": ({"sigma": 800.0, "xi": 0.0}, stats.genpareto(0.0, scale=800.0)),
    "gpd with an end": ({"sigma": 800.0, "xi": -0.3}, stats.genpareto(-0.3, scale=800.0)),
    "power": ({"alpha": 1.4}, stats.pareto(1.4, scale=1e-3)),
}


@pytest.mark.parametrize("case", sorted(REFERENCES))
@pytest.mark.parametrize(("lower", "upper"), [(1e-3, np.inf), (60.0, np.inf), (60.0, 2000.0)])
def test_law_agrees_with_scipy_whole_and_truncated(case, lower, upper):
    values, reference = REFERENCES[case]
    law = size_law(case.split()[0], **values, lower=lower, upper=upper)
    x = np.geomspace(max(lower, 1.0) * 1.01, min(upper, 2500.0) * 0.99, 60)
    mass = reference.sf(lower) - reference.sf(upper)
    np.testing.assert_allclose(law.pdf(x), reference.pdf(x) / mass, rtol=RTOL)
    # The difference of two survivals of scipy has an absolute error near 1e-16.
    below = (reference.sf(lower) - reference.sf(x)) / mass
    above = (reference.sf(x) - reference.sf(upper)) / mass
    np.testing.assert_allclose(law.cdf(x), below, rtol=RTOL, atol=1e-13)
    np.testing.assert_allclose(law.sf(x), above, rtol=RTOL, atol=1e-13)
    if upper == np.inf:
        u = np.linspace(0.01, 0.99, 50)
        quantile = reference.isf((1.0 - u) * mass)
        np.testing.assert_allclose(law.ppf(u), quantile, rtol=RTOL)


def test_tail_of_inverse_gamma_and_lognormal_keeps_the_digits_of_scipy():
    x = np.geomspace(1e6, 1e14, 30)
    ig, reference = REFERENCES["ig"]
    whole = reference.sf(0.0)
    np.testing.assert_allclose(size_law("ig", **ig).sf(x), reference.sf(x) / whole, rtol=RTOL)
    lognormal, reference = REFERENCES["lognormal"]
    np.testing.assert_allclose(
        size_law("lognormal", **lognormal).logsf(x), reference.logsf(x), rtol=RTOL
    )


@pytest.mark.parametrize(("kappa", "xi"), [(2.3, 0.7), (0.5, 0.3), (40.0, 0.9), (3.0, -0.2)])
def test_extended_generalised_pareto_is_the_power_of_scipys_and_integrates(kappa, xi):
    law = size_law("egpd", kappa=kappa, sigma=300.0, xi=xi)
    base = stats.genpareto(xi, scale=300.0)
    x = law.ppf(np.linspace(0.01, 0.99, 40))
    np.testing.assert_allclose(law.cdf(x), base.cdf(x) ** kappa, rtol=RTOL)
    density = kappa * base.pdf(x) * base.cdf(x) ** (kappa - 1.0)
    np.testing.assert_allclose(law.pdf(x), density, rtol=RTOL)
    for end, share in zip(x[::13], law.cdf(x)[::13], strict=True):
        assert integral(law.pdf, 1e-30, end) == pytest.approx(share, rel=1e-9)


def test_tail_exponent_and_slope_are_named_apart():
    assert law_named("dps").pdf_slope([1.4, 2.3, 800.0]) == pytest.approx(-2.4)
    assert law_named("ig").pdf_slope([1.4, 1280.0, -132.0]) == pytest.approx(-2.4)
    assert law_named("power").pdf_slope([1.4]) == pytest.approx(-2.4)
    assert law_named("gpd").pdf_slope([800.0, 0.5]) == pytest.approx(-3.0)
    assert law_named("lognormal").pdf_slope([7.0, 1.2]) is None
    assert law_named("gpd").pdf_slope([800.0, -0.1]) is None


def test_laws_are_known_by_name():
    assert list(LAWS) == ["dps", "dps_extended", "dp", "ig", "power", "lognormal", "gpd", "egpd"]
    with pytest.raises(ValueError, match=r"found 'pareto'; expected one of dps, dps_extended"):
        law_named("pareto")
