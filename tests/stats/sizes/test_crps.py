"""CRPS of the size laws: closed form, quadrature, simulation, and where it is refused."""

import math

import numpy as np
import pytest

from stats.sizes.crps import crps, crps_dps, crps_quadrature
from stats.sizes.distribution import size_law
from tests.stats.sizes.law_cases import LAWS, integral

DPS = [
    (1.4, 2.3, 800.0),
    (0.8, 2.3, 800.0),
    (0.6, 0.6, 10.0),
    (1.0, 1.0, 800.0),
    (1.0005, 1.0, 800.0),
    (1.0011, 1.0, 800.0),
    (0.9989, 1.0, 800.0),
    (3.0, 9.0, 200.0),
]


def from_definition(law, y: float) -> float:
    """Integral of F^2 below y and of S^2 above it, by the definition of the score."""
    low, high = law.support()
    total = max(low - y, 0.0) + max(y - high, 0.0)
    start, inner = max(low, 1e-12), min(max(y, low), high)
    if inner > start:
        total += integral(lambda x: law.cdf(x) ** 2, start, inner, panels=150)
    if inner < high:
        end = high
        if math.isinf(high):
            slope = law.pdf_slope()
            end = max(inner, 1.0) * 1e60 if slope is not None else float(law.isf(1e-60))
        total += integral(lambda x: law.sf(x) ** 2, max(inner, start), end, panels=600)
    return total


@pytest.mark.parametrize(("alpha", "beta", "t"), DPS)
def test_closed_form_agrees_with_the_definition_and_with_quadrature(alpha, beta, t):
    law = size_law("dps", alpha=alpha, beta=beta, t=t)
    y = np.array([t / 800.0, 0.6 * t, 60.0 * t])
    score = crps_dps(y, alpha, beta, t)
    np.testing.assert_allclose(score, crps_quadrature(law, y), rtol=1e-11)
    np.testing.assert_allclose(score, [from_definition(law, v) for v in y], rtol=1e-10)


@pytest.mark.parametrize(
    "case",
    ["dps above a cut", "extended, beta < 0", "dp", "ig", "lognormal", "gpd with an end", "egpd"],
)
def test_quadrature_agrees_with_the_definition_inside_and_outside_the_support(case):
    law = LAWS[case]
    y = np.array([20.0, 400.0, 2500.0, 4e5])
    expected = [from_definition(law, v) for v in y]
    np.testing.assert_allclose(crps(law, y), expected, rtol=1e-9)


def test_simulation_agrees_where_the_variance_exists():
    # The energy form E|X - y| - E|X - X'|/2 has a finite standard error only for alpha > 2.
    rng = np.random.default_rng(3)
    law = size_law("dps", alpha=3.0, beta=2.3, t=800.0)
    draws = law.rvs(400_000, rng)
    pairs = np.abs(draws[::2] - draws[1::2])
    for y in (300.0, 2000.0):
        terms = np.abs(draws - y)
        energy = terms.mean() - 0.5 * pairs.mean()
        error = np.hypot(terms.std() / 400_000**0.5, 0.5 * pairs.std() / 200_000**0.5)
        assert abs(energy - float(crps(law, y))) < 4.0 * error


def test_score_is_finite_without_a_mean_and_refused_at_alpha_one_half():
    assert np.isfinite(crps_dps([1.0, 1e9], 0.51, 2.0, 800.0)).all()
    for alpha in (0.5, 0.3):
        with pytest.raises(ValueError, match=r"infinite for alpha <= 1/2 without an upper end"):
            crps_dps([1.0], alpha, 2.0, 800.0)
        with pytest.raises(ValueError, match=r"infinite for alpha <= 1/2"):
            crps_quadrature(size_law("power", alpha=alpha, lower=10.0), [20.0])
    bounded = size_law("dps", alpha=0.4, beta=2.0, t=800.0, upper=1e5)
    assert crps(bounded, 500.0) == pytest.approx(from_definition(bounded, 500.0), rel=1e-9)
    # Towards 1/2 it grows without bound, like 1/(2 alpha - 1).
    near, nearer = (float(crps_dps(1.0, 0.5 + e, 2.0, 800.0)) for e in (1e-4, 1e-5))
    assert nearer == pytest.approx(10.0 * near, rel=0.01)


def test_score_prefers_the_law_that_made_the_data():
    rng = np.random.default_rng(8)
    truth = size_law("dps", alpha=1.6, beta=2.0, t=500.0)
    areas = truth.rvs(20_000, rng)
    own = crps(truth, areas)
    for other in (
        size_law("dps", alpha=1.6, beta=2.0, t=600.0),
        size_law("dps", alpha=1.9, beta=2.0, t=500.0),
        size_law("dps", alpha=1.6, beta=1.4, t=500.0),
    ):
        gain = crps(other, areas) - own
        assert gain.mean() > 2.0 * gain.std() / areas.size**0.5


def test_observations_that_are_no_areas_are_refused():
    with pytest.raises(ValueError, match="observed: found a value below 0 or not finite"):
        crps(LAWS["dps"], [-1.0])
    with pytest.raises(ValueError, match="observed"):
        crps(LAWS["dp"], [np.nan])
    assert crps(LAWS["dp"], np.ones((2, 3))).shape == (2, 3)
    assert crps(LAWS["dps"], 0.0) == pytest.approx(from_definition(LAWS["dps"], 0.0), rel=1e-9)
