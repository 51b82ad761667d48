"""Bernoulli laws, empirical ensembles, refusals of the families, and what a hurdle hands on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from stats.case_arrays import UndefinedScoreError
from stats.laws.bernoulli import Bernoulli
from stats.laws.beta import Beta
from stats.laws.double_pareto import DoublePareto
from stats.laws.ensemble import Ensemble
from stats.laws.gamma import Gamma
from stats.laws.hurdle import Hurdle, hurdle_lognormal
from stats.laws.pareto import GeneralisedPareto
from stats.laws.predictive import expected_excess, partial_mean


def by_steps(function, low=0.0):
    x = np.linspace(low, 12.0, 120_001)
    middle = 0.5 * (x[1:] + x[:-1])
    return float(np.sum(np.diff(x) * function(middle)))


@pytest.mark.parametrize(
    "law",
    [
        Bernoulli(np.array([0.3])),
        Ensemble(np.array([[0.0, 0.0, 1.5, 4.0, 4.0, 9.0]])),
        Hurdle(np.array([0.3]), Gamma([2.0], [0.7], 10.0)),
    ],
    ids=["bernoulli", "ensemble", "hurdle"],
)
def test_integrals_moments_and_atoms_follow_from_the_distribution_function(law):
    for x in (0.0, 0.4, 1.0, 5.0):
        assert law.limited_mean(x)[0] == pytest.approx(
            by_steps(law.sf) - by_steps(law.sf, x), abs=2e-4
        )
        squared = by_steps(lambda t: law.sf(t) ** 2, x)
        assert law.squared_survival(x)[0] == pytest.approx(squared, abs=2e-4)
        jump = law.cdf(x) - (law.cdf(x - 1e-9) if x else 0.0)
        assert law.mass(x)[0] == pytest.approx(jump[0], abs=1e-8)
        assert law.cdf(x) + law.sf(x) == pytest.approx(1.0)
    assert law.mean()[0] == pytest.approx(by_steps(law.sf), abs=2e-4)
    second = 2.0 * by_steps(lambda t: t * law.sf(t))
    assert law.variance()[0] == pytest.approx(second - law.mean()[0] ** 2, abs=2e-3)
    assert partial_mean(law, 5.0)[0] + expected_excess(law, 5.0)[0] == pytest.approx(
        law.mean()[0] - 5.0 * law.sf(5.0)[0], abs=1e-9
    )
    many = law.take(np.zeros(40_000, dtype=int)).sample(np.random.default_rng(0))
    error = 4.0 * np.sqrt(law.variance()[0] / many.size)
    assert many.mean() == pytest.approx(law.mean()[0], abs=error)


@given(
    members=some.lists(some.integers(0, 5), min_size=1, max_size=7),
    level=some.floats(0.001, 0.999),
)
def test_ensemble_quantile_is_the_smallest_value_that_reaches_the_level(members, level):
    law = Ensemble(np.array([members], dtype=float))
    q = law.quantile(level)[0]
    assert law.cdf(q)[0] >= level - 1e-9
    lower = [m for m in members if m < q]
    assert not lower or law.cdf(max(lower))[0] < level + 1e-9


def test_ensemble_has_no_density_and_wants_members():
    with pytest.raises(UndefinedScoreError, match="no density"):
        Ensemble(np.ones((1, 3))).log_density([1.0])
    with pytest.raises(ValueError, match="expected \\(case, member\\)"):
        Ensemble(np.ones((2, 0)))
    with pytest.raises(ValueError, match="members: found a minimum of -1"):
        Ensemble(np.array([[-1.0, 2.0]]))


def test_hurdle_density_counts_at_zero_and_is_length_above():
    law = hurdle_lognormal([0.0, 1.0, 0.3], [0.0] * 3, [1.0] * 3)
    np.testing.assert_array_equal(law.log_density([0.0, 0.0, 0.0])[:2], [0.0, -np.inf])
    assert law.log_density(2.0)[0] == -np.inf
    assert law.take([2]).log_density([2.0])[0] == pytest.approx(law.log_density(2.0)[2])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Gamma([0.0], [1.0]), "concentration: found a minimum of 0"),
        (lambda: Gamma([np.nan], [1.0]), "concentration: found 1 of 1 values not finite"),
        (lambda: Gamma([1.0], [1.0], 0.0), "upper: found a value that is not above 0"),
        (lambda: Gamma([900.0], [1e6], 100.0), "1 of 1 laws leave nothing"),
        (lambda: Beta([1.0], [1.0], np.inf), "a beta law has an end"),
        (lambda: DoublePareto([1.0], [-1.0], [1.0]), "beta: found a minimum of -1"),
        (lambda: Gamma([1.0], [1.0]).cdf([-1.0]), "x: found a minimum of -1"),
        (lambda: Gamma([1.0], [1.0]).quantile([1.5]), "level: found 1.5 to 1.5"),
    ],
)
def test_parameters_and_values_outside_the_law_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_law_cannot_be_changed_and_parameters_broadcast():
    law = GeneralisedPareto([[1.0], [2.0]], [0.1, 0.2, 0.3], 100.0)
    assert law.shape == (2, 3)
    assert law.squared_survival(np.full(3, 0.5)).shape == (2, 3)
    with pytest.raises(AttributeError, match="make another one"):
        law.sigma = np.ones(1)
