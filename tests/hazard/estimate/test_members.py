"""Members become a mixture: means are exact, moments match, members that agree have no spread."""

import numpy as np
import pytest

from hazard.estimate.members import MemberForecasts, combine, exceedance
from hazard.forecast import FULL_CELL_PERCENT
from stats.laws.lognormal import TruncatedLognormal


def members(k=3, seed=0, shape=(2, 50)):
    rng = np.random.default_rng(seed)
    return MemberForecasts(
        score=rng.random((k, *shape)), probability=rng.uniform(0.02, 0.9, (k, *shape)),
        mu=rng.normal(-1, 1, (k, *shape)), sigma=rng.uniform(0.5, 2, (k, *shape)),
    )  # fmt: skip


def test_the_expected_density_is_the_mean_of_the_members():
    given = members()
    found = combine(given, base_rate=0.2)
    each = TruncatedLognormal(given.mu, given.sigma, FULL_CELL_PERCENT).mean()
    expected = (given.probability * each).mean(axis=0)
    assert found["probability"] * found["mean_percent"] == pytest.approx(expected)
    assert found["expected_spread"] == pytest.approx((given.probability * each).std(axis=0, ddof=1))


def test_location_and_spread_are_those_of_draws_from_the_mixture():
    given = members(shape=(1, 3))
    found = combine(given, base_rate=0.2)
    rng = np.random.default_rng(1)
    for cell in range(3):
        weight = given.probability[:, 0, cell] / given.probability[:, 0, cell].sum()
        which = rng.choice(3, size=200_000, p=weight)
        draws = rng.normal(given.mu[which, 0, cell], given.sigma[which, 0, cell])
        assert found["mu"][0, cell] == pytest.approx(draws.mean(), abs=0.02)
        assert found["sigma"][0, cell] == pytest.approx(draws.std(), abs=0.02)


def test_one_member_is_itself_and_has_no_spread():
    given = members(k=1)
    found = combine(given, base_rate=0.2)
    for name in ("probability", "mu", "sigma"):
        assert found[name] == pytest.approx(getattr(given, name)[0])
    assert np.isnan(found["probability_spread"]).all()
    assert (found["disagreement"] == 0).all()


def test_equal_members_agree_and_what_is_missing_stays_missing():
    one = members(k=1)
    both = {
        name: np.repeat(getattr(one, name), 2, axis=0)
        for name in ("score", "probability", "mu", "sigma")
    }
    for values in both.values():
        values[:, 0, 7] = np.nan
    found = combine(MemberForecasts(**both), base_rate=0.2)
    missing = np.zeros((2, 50), bool)
    missing[0, 7] = True
    for name, values in found.items():
        assert np.array_equal(np.isnan(values).reshape(-1, 2, 50).any(axis=0), missing), name
    assert np.nanmax(found["probability_spread"]) == pytest.approx(0, abs=1e-12)
    assert np.nanmax(found["disagreement"]) == 0


def test_members_on_two_sides_of_the_base_rate_disagree():
    p = np.array([0.1, 0.3, 0.4]).reshape(3, 1, 1)
    given = MemberForecasts(score=p, probability=p, mu=p, sigma=p + 1)
    assert combine(given, base_rate=0.2)["disagreement"][0, 0] == pytest.approx(2 / 3)


def test_exceedance_is_the_tail_of_the_hurdle():
    law = TruncatedLognormal(0.0, 1.0, FULL_CELL_PERCENT)
    found = exceedance(np.array([0.4, np.nan]), np.array([0.0, np.nan]), np.array([1.0, np.nan]), 2)
    assert found[0] == pytest.approx(0.4 * float(law.sf(2.0)))
    assert np.isnan(found[1])
