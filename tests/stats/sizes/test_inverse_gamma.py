"""The three-parameter inverse gamma law against its published form and its own inverse."""

import numpy as np
import pytest
from scipy import integrate, special

from stats.sizes import inverse_gamma as ig

RHO, A, S = 1.4, 1280.0, -132.0


def test_density_is_the_published_formula_renormalised_above_zero() -> None:
    x = np.geomspace(1.0, 1e7, 50)
    shifted = x - S
    formula = (A / shifted) ** (RHO + 1) * np.exp(-A / shifted) / (A * special.gamma(RHO))
    mass = special.gammainc(RHO, A / -S)
    np.testing.assert_allclose(ig.pdf(x, RHO, A, S), formula / mass, rtol=1e-10)


def test_mode_is_where_malamud_puts_it() -> None:
    x = np.linspace(300.0, 500.0, 20_001)
    assert x[ig.pdf(x, RHO, A, S).argmax()] == pytest.approx(A / (RHO + 1) + S, abs=0.1)


def test_truncated_quantile_inverts_the_cdf_and_the_density_integrates() -> None:
    u = np.linspace(0.001, 0.999, 99)
    x = ig.quantile(u, RHO, A, S, lower=60.0, upper=1e6)
    np.testing.assert_allclose(ig.cdf(x, RHO, A, S, lower=60.0, upper=1e6), u, atol=1e-10)
    total, _ = integrate.quad(
        lambda z: float(ig.pdf(np.exp(z), RHO, A, S, lower=60.0, upper=1e6) * np.exp(z)),
        np.log(60.0),
        np.log(1e6),
    )
    assert total == pytest.approx(1.0, abs=1e-7)


def test_parameters_outside_the_domain_are_refused() -> None:
    with pytest.raises(ValueError, match="rho: found -1"):
        ig.cdf(np.array([1.0]), -1.0, A, S)
