"""CRPS against quadrature, textbook forms, simulation and its own definition; propriety."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from hypothesis.extra import numpy as arrays
from scipy import integrate, stats

from stats.laws.hurdle import hurdle_lognormal
from stats.laws.lognormal import TruncatedLognormal
from stats.scores.crps import (
    crps_terms,
    ensemble_crps_terms,
    positive_crps_terms,
    threshold_crps_terms,
)
from stats.scores.quantile import hurdle_quantile_terms

CASES = [(0.2, 0.0, 1.0), (0.9, 3.0, 0.8), (0.05, -2.0, 1.7), (1.0, 5.0, 2.0), (0.4, 9.0, 1.0)]


def by_definition(p, mu, sigma, upper, y, threshold=0.0):
    """Integral of the squared difference of distribution functions, in pieces on a log axis."""
    law = hurdle_lognormal(p, mu, sigma, upper=upper)
    end = upper if np.isfinite(upper) else float(np.exp(mu + 12.0 * sigma)) + y

    def part(low, high, step):
        if high <= low:
            return 0.0
        start = max(low, 1e-13)
        cuts = np.unique(np.linspace(np.log(start), np.log(high), 80))
        return sum(
            integrate.quad(
                lambda t: (float(law.cdf(np.exp(t))) - step) ** 2 * np.exp(t),
                a,
                b,
                epsabs=1e-13,
                epsrel=1e-12,
            )[0]
            for a, b in itertools.pairwise(cuts)
        )

    return part(threshold, max(y, threshold), 0.0) + part(max(y, threshold), end, 1.0)


# The plain law of the last cases has a tail too long for the quadrature, not for the score.
@pytest.mark.parametrize("y", [0.0, 0.03, 2.0, 60.0])
@pytest.mark.parametrize(
    ("p", "mu", "sigma", "upper"),
    [(*case, 100.0) for case in CASES] + [(*case, np.inf) for case in CASES[:3]],
)
def test_hurdle_crps_agrees_with_quadrature(p, mu, sigma, y, upper):
    law = hurdle_lognormal([p], [mu], [sigma], upper=upper)
    expected = by_definition(p, mu, sigma, upper, y)
    assert crps_terms(law, [y])[0] == pytest.approx(expected, abs=1e-8, rel=1e-8)


@pytest.mark.parametrize("threshold", [0.01, 0.5, 10.0])
@pytest.mark.parametrize("y", [0.0, 0.5, 30.0])
@pytest.mark.parametrize(("p", "mu", "sigma"), CASES)
def test_threshold_weighted_crps_agrees_with_quadrature(p, mu, sigma, y, threshold):
    law = hurdle_lognormal([p], [mu], [sigma])
    expected = by_definition(p, mu, sigma, 100.0, y, threshold)
    got = threshold_crps_terms(law, [y], threshold=threshold)[0]
    assert got == pytest.approx(expected, abs=1e-8, rel=1e-8)


def test_plain_lognormal_crps_is_the_published_form():
    # Baran & Lerch (2015), doi:10.1002/qj.2521, eq. for the log-normal law.
    mu, sigma, y = 0.4, 0.9, np.array([0.1, 1.0, 8.0])
    z = (np.log(y) - mu) / sigma
    phi = stats.norm.cdf
    expected = y * (2.0 * phi(z) - 1.0) - 2.0 * np.exp(mu + sigma**2 / 2.0) * (
        phi(z - sigma) + phi(sigma / np.sqrt(2.0)) - 1.0
    )
    law = TruncatedLognormal(np.full(3, mu), np.full(3, sigma))
    np.testing.assert_allclose(positive_crps_terms(law, y), expected, rtol=1e-12)


def test_limits_zero_forecast_sharp_forecast_and_brier_like_zero():
    zero = hurdle_lognormal(np.zeros(2), np.zeros(2), np.ones(2))
    np.testing.assert_array_equal(crps_terms(zero, [0.0, 7.0]), [0.0, 7.0])
    sharp = hurdle_lognormal([1.0], [np.log(3.0)], [1e-6])
    assert crps_terms(sharp, [5.0])[0] == pytest.approx(2.0, abs=1e-5)
    law = hurdle_lognormal([0.2], [0.0], [1.0])
    whole = threshold_crps_terms(law, [2.0], threshold=0.0)
    np.testing.assert_array_equal(whole, crps_terms(law, [2.0]))
    assert threshold_crps_terms(law, [2.0], threshold=100.0)[0] == 0.0


def test_crps_is_twice_the_integral_of_the_quantile_score():
    law = hurdle_lognormal([0.3], [0.5], [1.0])
    nodes, weights = np.polynomial.legendre.leggauss(20)
    # Cuts where the quantile passes the value, and finer towards its two ends, 0.7 and 1.
    ends = np.geomspace(1e-10, 0.5, 40)
    inner = np.concatenate([0.7 + 0.3 * ends, 1.0 - 0.3 * ends, law.cdf(2.0), [0.0, 0.7, 1.0]])
    cuts = np.unique(inner)
    total = 0.0
    for low, high in itertools.pairwise(cuts):
        for u, w in zip(nodes, weights, strict=True):
            level = float(low + (high - low) * (u + 1.0) / 2.0)
            total += (high - low) * w * hurdle_quantile_terms(law, [2.0], level=level)[0]
    assert crps_terms(law, [2.0])[0] == pytest.approx(total, abs=1e-7)


@pytest.mark.parametrize("score", ["crps", "weighted"])
def test_expected_score_is_smallest_at_the_truth(score):
    n = 200_000
    truth = (0.3, 0.5, 1.2)
    y = hurdle_lognormal(*(np.full(n, v) for v in truth)).sample(np.random.default_rng(2))

    def mean(p, mu, sigma):
        law = hurdle_lognormal(np.full(n, p), np.full(n, mu), np.full(n, sigma))
        if score == "crps":
            return crps_terms(law, y).mean()
        return threshold_crps_terms(law, y, threshold=1.0).mean()

    best = mean(*truth)
    wrong = [(0.2, 0.5, 1.2), (0.4, 0.5, 1.2), (0.3, 0.0, 1.2), (0.3, 1.0, 1.2), (0.3, 0.5, 0.7),
             (0.3, 0.5, 1.8)]  # fmt: skip
    assert all(mean(*parameters) > best for parameters in wrong)


def test_ensemble_crps_agrees_with_its_definition_and_fair_is_unbiased():
    rng = np.random.default_rng(3)
    x, y = rng.gamma(2.0, size=(50, 7)), rng.gamma(2.0, size=50)
    pairs = np.abs(x[:, :, None] - x[:, None, :]).sum(axis=(1, 2))
    near = np.abs(x - y[:, None]).mean(axis=1)
    np.testing.assert_allclose(ensemble_crps_terms(x, y), near - pairs / (2 * 49), rtol=1e-12)
    fair = ensemble_crps_terms(x, y, fair=True)
    np.testing.assert_allclose(fair, near - pairs / (2 * 42), rtol=1e-12)
    # Mean fair score of 2 and of 20 members of the same law agree; the plain ones do not.
    n = 40_000
    z = rng.standard_normal((n, 20))
    truth = rng.standard_normal(n)
    small = ensemble_crps_terms(z[:, :2], truth, fair=True)
    large = ensemble_crps_terms(z, truth, fair=True)
    error = 4.0 * np.std(small - large) / np.sqrt(n)
    assert abs(small.mean() - large.mean()) < error
    assert ensemble_crps_terms(z[:, :2], truth).mean() > large.mean() + error


def test_large_ensemble_of_a_law_scores_like_the_law():
    law = hurdle_lognormal([0.5], [0.5], [0.8])
    levels = (np.arange(20_000) + 0.5) / 20_000
    members = np.array([float(law.quantile(u)[0]) for u in levels[::10]])
    for y in (0.0, 1.0, 4.0):
        plain = ensemble_crps_terms(members[None, :], [y])[0]
        assert plain == pytest.approx(crps_terms(law, [y])[0], abs=2e-3)
        weighted = ensemble_crps_terms(members[None, :], [y], threshold=1.5)[0]
        exact = threshold_crps_terms(law, [y], threshold=1.5)[0]
        assert weighted == pytest.approx(exact, abs=2e-3)


def test_missing_values_and_wrong_shapes_are_errors():
    law = hurdle_lognormal([0.5], [0.5], [0.8])
    with pytest.raises(ValueError, match="value: found 1 of 1 values not finite"):
        crps_terms(law, [np.nan])
    with pytest.raises(ValueError, match="value: found a minimum of -1"):
        crps_terms(law, [-1.0])
    with pytest.raises(ValueError, match="shapes differ"):
        crps_terms(law, [1.0, 2.0])
    with pytest.raises(ValueError, match="at least 2 members"):
        ensemble_crps_terms([[1.0]], [1.0], fair=True)
    with pytest.raises(ValueError, match="expected \\(case, member\\)"):
        ensemble_crps_terms([1.0, 2.0], [1.0, 2.0])


@given(
    p=some.floats(0.0, 1.0),
    mu=some.floats(-10.0, 20.0),
    sigma=some.floats(0.05, 6.0),
    y=some.floats(0.0, 100.0),
)
def test_crps_lies_between_zero_and_the_range(p, mu, sigma, y):
    value = crps_terms(hurdle_lognormal([p], [mu], [sigma]), [y])[0]
    assert 0.0 <= value <= 100.0 + 1e-9


@given(
    x=arrays.arrays(np.float64, (3, 6), elements=some.floats(-50.0, 50.0)),
    shift=some.floats(-10.0, 10.0),
    seed=some.integers(0, 100),
)
def test_ensemble_crps_ignores_member_order_and_common_shifts(x, shift, seed):
    y = x[:, 0] + 1.0
    base = ensemble_crps_terms(x, y)
    order = np.random.default_rng(seed).permutation(6)
    np.testing.assert_allclose(ensemble_crps_terms(x[:, order], y), base, atol=1e-11)
    np.testing.assert_allclose(ensemble_crps_terms(x + shift, y + shift), base, atol=1e-11)
    assert (base >= -1e-12).all()
