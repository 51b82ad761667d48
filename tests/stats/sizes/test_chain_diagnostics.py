"""R-hat and effective sample size against chains whose mixing is known."""

import numpy as np
import pytest
from numpyro.diagnostics import effective_sample_size, split_gelman_rubin

from stats.sizes.chain_diagnostics import diagnose

RNG = np.random.default_rng(4)


def autoregressive(rho: float, chains: int = 4, draws: int = 5000) -> np.ndarray:
    """Stationary AR(1): worth n (1 - rho) / (1 + rho) independent draws."""
    x = np.empty((chains, draws))
    x[:, 0] = RNG.normal(size=chains)
    noise = RNG.normal(size=(chains, draws)) * np.sqrt(1.0 - rho**2)
    for i in range(1, draws):
        x[:, i] = rho * x[:, i - 1] + noise[:, i]
    return x


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_effective_sample_size_of_autoregressive_chains(rho: float) -> None:
    found = diagnose(autoregressive(rho))
    expected = 20_000 * (1.0 - rho) / (1.0 + rho)
    assert found.ess_bulk == pytest.approx(expected, rel=0.15)
    assert found.rhat < 1.01
    assert found.mcse_mean == pytest.approx(1.0 / np.sqrt(expected), rel=0.15)


def test_normal_draws_agree_with_the_diagnostics_of_numpyro() -> None:
    # The ranks of normal draws are normal scores: both computations see the same chains.
    x = autoregressive(0.3)
    halves = np.concatenate([x[:, :2500], x[:, 2500:]])
    found = diagnose(x)
    assert found.ess_bulk == pytest.approx(float(effective_sample_size(halves)), rel=0.02)
    assert found.rhat == pytest.approx(float(split_gelman_rubin(x)), abs=2e-3)


def test_rhat_of_shifted_chains_follows_its_formula() -> None:
    # Between-chain variance B/n and within-chain variance W of normal chains around m_i.
    shift = np.array([-0.3, -0.1, 0.1, 0.3])
    x = RNG.normal(size=(4, 20_000)) + shift[:, None]
    expected = np.sqrt(1.0 + np.repeat(shift, 2).var(ddof=1))
    assert diagnose(x).rhat == pytest.approx(expected, abs=4e-3)


def test_chains_of_one_centre_but_different_spread_are_found() -> None:
    x = RNG.normal(size=(4, 2000)) * np.array([1.0, 1.0, 1.0, 3.0])[:, None]
    assert float(split_gelman_rubin(x)) < 1.01
    assert diagnose(x).rhat > 1.1


def test_heavy_tails_do_not_hide_a_chain_that_is_elsewhere() -> None:
    x = RNG.standard_cauchy(size=(4, 2000))
    assert diagnose(x).rhat < 1.01
    x[0] += 3.0
    assert diagnose(x).rhat > 1.1


def test_a_constant_has_no_diagnostics_and_bad_draws_are_refused() -> None:
    assert np.isnan(diagnose(np.ones((4, 100))).rhat)
    with pytest.raises(ValueError, match=r"shape \(100,\)"):
        diagnose(np.ones(100))
    with pytest.raises(ValueError, match="1 values not finite"):
        diagnose(np.array([[0.0, 1.0, 2.0, np.nan]]))
