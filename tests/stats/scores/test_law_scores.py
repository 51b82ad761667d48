"""Scores of predictive laws: published forms, definitions, refusals."""

import numpy as np
import pytest
from scipy import special, stats

from stats.case_arrays import UndefinedScoreError
from stats.laws.bernoulli import Bernoulli
from stats.laws.beta import Beta
from stats.laws.double_pareto import DoublePareto
from stats.laws.ensemble import Ensemble
from stats.laws.gamma import Gamma
from stats.laws.hurdle import Hurdle, hurdle_lognormal
from stats.laws.inverse_gamma import InverseGamma
from stats.laws.pareto import GeneralisedPareto
from stats.scores.brier import brier_terms
from stats.scores.crps import crps_terms, ensemble_crps_terms, threshold_crps_terms
from stats.scores.dawid_sebastiani import dawid_sebastiani_terms, moment_score_terms
from stats.scores.law_terms import exceedance, law_terms
from stats.scores.logarithmic import hurdle_log_terms, law_log_terms, log_terms
from stats.scores.quantile import interval_terms, law_interval_terms
from tests.stats.laws.families import cases

Y = np.array([0.02, 0.7, 3.0, 40.0])


def same(value):
    return np.full(Y.size, value)


def test_gamma_beta_and_pareto_crps_are_the_published_forms():
    # Jordan, Krueger & Lerch (2019), doi:10.18637/jss.v090.i12, appendix A.
    k, scale = 1.7, 2.5
    low, high = stats.gamma(k, scale=scale), stats.gamma(k + 1.0, scale=scale)
    expected = (
        Y * (2.0 * low.cdf(Y) - 1.0)
        - k * scale * (2.0 * high.cdf(Y) - 1.0)
        - scale / special.beta(0.5, k)
    )
    found = crps_terms(Gamma(same(k), same(scale)), Y)
    np.testing.assert_allclose(found, expected, rtol=1e-11)

    a, b, x = 0.8, 6.0, Y / 100.0
    part = 2.0 * special.beta(2.0 * a, 2.0 * b) / (a * special.beta(a, b) ** 2)
    expected = x * (2.0 * stats.beta(a, b).cdf(x) - 1.0) + a / (a + b) * (
        1.0 - 2.0 * stats.beta(a + 1.0, b).cdf(x) - part
    )
    np.testing.assert_allclose(crps_terms(Beta(same(a), same(b)), Y) / 100.0, expected, rtol=1e-10)

    sigma, xi = 2.0, 0.4
    up = stats.genpareto(xi, scale=sigma).cdf(Y)
    expected = Y / sigma - 2.0 / (1.0 - xi) * (1.0 - (1.0 - up) ** (1.0 - xi)) + 1.0 / (2.0 - xi)
    found = crps_terms(GeneralisedPareto(same(sigma), same(xi)), Y)
    np.testing.assert_allclose(found, sigma * expected, rtol=1e-11)


@pytest.mark.parametrize("case", cases(), ids=lambda c: c.name)
def test_hurdle_crps_of_every_family_against_quadrature_of_its_definition(case):
    p, law = 0.3, Hurdle(np.array([0.3]), case.law)
    whole = case.integral(2, 0.0, np.inf)
    for y in (0.0, *(float(case.law.quantile(u)[0]) for u in (0.1, 0.95))):
        # (F - 1)^2 = p^2 S^2 above y; below it F^2 = (1 - p S)^2.
        below = y - 2.0 * p * case.integral(1, 0.0, y) + p**2 * case.integral(2, 0.0, y)
        above = p**2 * case.integral(2, y, np.inf)
        scale = 1e-10 * (whole + y)
        assert crps_terms(law, [y])[0] == pytest.approx(below + above, rel=1e-9, abs=scale)
        r = float(case.law.quantile(0.6)[0])
        tail = p**2 * case.integral(2, max(y, r), np.inf)
        between = (
            (y - r) - 2.0 * p * case.integral(1, r, y) + p**2 * case.integral(2, r, y)
            if y > r else 0.0
        )  # fmt: skip
        found = threshold_crps_terms(law, [y], threshold=r)[0]
        assert found == pytest.approx(between + tail, rel=1e-7, abs=scale)


def test_bernoulli_crps_is_brier_and_ensemble_crps_is_the_plain_one():
    rng = np.random.default_rng(0)
    p, y = rng.random(50), rng.random(50) < 0.4
    law = Bernoulli(p)
    np.testing.assert_allclose(crps_terms(law, y), brier_terms(p, y), atol=1e-15)
    np.testing.assert_allclose(law_log_terms(law, y), log_terms(p, y))
    x, z = rng.gamma(0.4, size=(50, 9)), rng.gamma(2.0, size=50)
    np.testing.assert_allclose(crps_terms(Ensemble(x), z), ensemble_crps_terms(x, z), atol=1e-14)
    weighted = threshold_crps_terms(Ensemble(x), z, threshold=1.0)
    np.testing.assert_allclose(weighted, ensemble_crps_terms(x, z, threshold=1.0), atol=1e-14)


def test_normal_dawid_sebastiani_is_twice_the_log_score_and_moments_are_those_of_the_law():
    m, s, y = np.array([1.0, 2.0]), np.array([0.5, 3.0]), np.array([0.0, 4.0])
    expected = -2.0 * stats.norm(m, s).logpdf(y) - np.log(2.0 * np.pi)
    np.testing.assert_allclose(moment_score_terms(m, s**2, y), expected)
    law = hurdle_lognormal([0.2], [0.0], [1.0])
    found = dawid_sebastiani_terms(law, [3.0])
    np.testing.assert_allclose(found, moment_score_terms(law.mean(), law.variance(), [3.0]))


def test_scores_without_a_value_say_why():
    zero = hurdle_lognormal(np.zeros(2), np.zeros(2), np.ones(2))
    with pytest.raises(UndefinedScoreError, match="2 of 2 forecasts have no variance"):
        dawid_sebastiani_terms(zero, [0.0, 1.0])
    heavy = DoublePareto([1.5, 3.0], [1.0, 1.0], [1.0, 1.0])
    with pytest.raises(UndefinedScoreError, match="1 of 2 laws have no finite variance"):
        dawid_sebastiani_terms(heavy, [1.0, 1.0])
    heavier = InverseGamma([0.5, 0.6], [1.0, 1.0])
    with pytest.raises(UndefinedScoreError, match="1 of 2 laws have a tail of index 1/2 or less"):
        crps_terms(heavier, [1.0, 1.0])
    assert np.isfinite(crps_terms(heavier.take([1]), [1.0]))
    # Truncated to a percentage there is nothing to refuse, and an impossible one never weighs in.
    assert np.isfinite(crps_terms(InverseGamma([0.5], [1.0], 0.0, 100.0), [1.0]))
    assert crps_terms(Hurdle(np.zeros(2), heavier), [0.0, 2.0]) == pytest.approx([0.0, 2.0])


def test_all_terms_are_the_scores_one_by_one():
    law = hurdle_lognormal([0.3, 0.6], [0.5, 1.0], [1.0, 0.7])
    y = np.array([0.0, 2.0])
    found = law_terms(law, y, thresholds=[1.0])
    np.testing.assert_allclose(found.terms["log"], hurdle_log_terms(law, y))
    np.testing.assert_allclose(found.terms["brier_0"], brier_terms(law.probability, y > 0))
    np.testing.assert_allclose(found.terms["brier_1"], brier_terms(law.sf(1.0), y >= 1))
    expected = interval_terms(law.quantile(0.1), law.quantile(0.9), y, level=0.8)
    np.testing.assert_allclose(found.terms["interval_0.8"], expected)
    np.testing.assert_allclose(law_interval_terms(law, y, level=0.8), expected)
    assert not found.undefined
    # Reaching a threshold counts: heaped values lie exactly on it.
    assert exceedance(Ensemble(np.array([[1.0, 1.0, 3.0]])), 1.0)[0] == 1.0
