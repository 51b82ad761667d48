"""Priors: what they are, what they imply, and what is refused."""

import dataclasses

import numpy as np
import pytest

from stats.sizes.law import LAWS
from stats.sizes.priors import (
    Prior,
    check_priors,
    default_priors,
    derived_of,
    implied,
    theta_of,
)


@pytest.mark.parametrize("law", list(LAWS))
def test_every_law_has_a_prior_for_every_coordinate_and_names_its_unit(law: str) -> None:
    priors = default_priors(law)
    assert len(priors) == LAWS[law].k
    assert all(p.unit in {"1", "m2", "ln m2"} for p in priors)
    assert all("Normal(" in str(p) for p in priors)


def test_coordinates_are_what_their_names_say() -> None:
    z = np.array([0.3, 1.2, 7.4])
    alpha, beta, t = theta_of("dps_extended", z)
    expected = [np.log(alpha), np.log(alpha + beta), np.log(t * (2 + beta / alpha) ** (1 / alpha))]
    np.testing.assert_allclose(z, expected)
    alpha, beta, t = theta_of("dps", z)
    expected = [np.log(alpha), np.log(beta), np.log(t * (1 + beta / alpha) ** (1 / alpha))]
    np.testing.assert_allclose(z, expected)
    np.testing.assert_allclose(theta_of("lognormal", np.array([7.0, 0.1])), [7.0, np.exp(0.1)])
    rho, a, s = theta_of("ig", z)
    np.testing.assert_allclose(z, [np.log(rho), np.log(a / (1 + rho)), np.log(-s)])
    z = np.array([0.3, 7.4, 0.2])
    kappa, sigma, xi = theta_of("egpd", z)
    np.testing.assert_allclose(
        z, [np.log(kappa), np.log(sigma * (1 + kappa) ** xi), np.log(xi + 0.5)], atol=1e-9
    )


def test_priors_hold_the_published_range_without_deciding_it() -> None:
    found = implied("dps_extended")
    low, _, high = found.quantiles["rollover_m2"]
    assert low < 50.0 < 400.0 < 7000.0 < high
    low, _, high = found.quantiles["pdf_slope"]
    assert low < -3.4 < -1.6 < high
    assert 0.2 < found.without_rollover < 0.5
    assert found.quantiles["beta"][0] < 0.0


def test_only_the_law_of_truncated_areas_gives_beta_below_zero_a_chance() -> None:
    assert implied("dps").quantiles["beta"][0] > 0.0


def test_rollover_of_draws_is_missing_where_beta_is_at_most_one() -> None:
    theta = np.array([[1.4, 2.3, 800.0], [1.4, 0.9, 800.0]])
    rollover = derived_of("dps", theta)["rollover_m2"]
    assert rollover[0] == pytest.approx(516.3, abs=0.1)
    assert np.isnan(rollover[1])
    assert "rollover_m2" not in derived_of("power", np.array([[1.4]]))


def test_bad_priors_are_refused_by_name() -> None:
    priors = default_priors("dps")
    with pytest.raises(ValueError, match="expected \\['ln alpha', 'ln beta'"):
        check_priors("dps", priors[:2])
    with pytest.raises(ValueError, match="priors of dps_extended"):
        check_priors("dps_extended", priors)
    with pytest.raises(ValueError, match=r"found sd 0\.0"):
        dataclasses.replace(priors[0], sd=0.0)
    with pytest.raises(ValueError, match="found mean nan"):
        Prior(coordinate="ln alpha", mean=float("nan"), sd=1.0, unit="1", group_sd=0.3)
    with pytest.raises(ValueError, match="expected one of dps"):
        default_priors("weibull")
