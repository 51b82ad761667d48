"""Conformal rules: exact coverage, units, weights, strata, and what is refused."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from stats.case_arrays import UndefinedScoreError
from stats.conformal.coverage_map import coverage_map
from stats.conformal.guarantee import guarantee, units_needed
from stats.conformal.rules import conformal_rule
from stats.conformal.scores import conformal_interval, conformity_scores, covered_terms
from stats.conformal.shift_weights import shift_weights
from stats.laws.bernoulli import Bernoulli
from stats.laws.hurdle import hurdle_lognormal


@pytest.mark.parametrize(("n", "level"), [(4, 0.8), (9, 0.9), (12, 0.7), (6, 0.8)])
def test_split_coverage_is_the_exact_share_of_ranks(n, level):
    # Of n + 1 exchangeable scores each is the new one equally often: no simulation is needed.
    scores = np.arange(n + 1.0)
    covered = [
        scores[i] <= conformal_rule(np.delete(scores, i), level=level).thresholds()[0]
        for i in range(n + 1)
    ]
    assert level <= np.mean(covered) <= level + 1.0 / (n + 1)


def test_units_are_counted_and_not_their_cells():
    # Three epochs of many cells: the worst two epochs bound a level of 2/3, and no level above 3/4.
    score = np.concatenate([np.full(500, 1.0), np.full(20, 2.0), np.full(900, 3.0)])
    epoch = np.repeat([1, 2, 3], [500, 20, 900])
    rule = conformal_rule(score, level=0.5, unit=epoch, unit_name="epoch")
    assert rule.thresholds()[0] == 2.0
    assert rule.strata["all"].guarantee.n_units == 3
    assert np.isinf(conformal_rule(score, level=0.76, unit=epoch).thresholds()[0])
    assert conformal_rule(score, level=0.76).thresholds()[0] == 3.0
    exchanged = []
    for left in (1, 2, 3):
        held = epoch == left
        t = conformal_rule(score[~held], level=0.6, unit=epoch[~held]).thresholds()[0]
        exchanged.append(np.mean(score[held] <= t))
    assert np.mean(exchanged) >= 0.6


@given(
    score=some.lists(some.integers(0, 5), min_size=1, max_size=12),
    weight=some.floats(0.2, 3.0),
    level=some.sampled_from([0.5, 0.8, 0.95]),
)
def test_equal_weights_of_any_size_are_the_split_rule(score, weight, level):
    plain = conformal_rule(score, level=level).thresholds()
    weighted = conformal_rule(score, level=level, weight=np.full(len(score), weight))
    np.testing.assert_array_equal(weighted.thresholds(weight=[weight]), plain)


def test_whole_number_weights_are_repeated_cases_and_zero_weights_are_none():
    rng = np.random.default_rng(0)
    score, times = rng.normal(size=40), rng.integers(0, 4, 40)
    one = conformal_rule(score, level=0.8, weight=times).thresholds(weight=[1.0])
    np.testing.assert_array_equal(
        one, conformal_rule(np.repeat(score, times), level=0.8).thresholds()
    )
    heavy = conformal_rule(score, level=0.8, weight=times).thresholds(weight=[0.0, 1e3])
    assert np.isfinite(heavy[0])
    assert np.isinf(heavy[1])


def test_strata_have_rules_of_their_own_and_unknown_ones_none():
    score = np.concatenate([np.arange(20.0), 100.0 + np.arange(20.0)])
    stratum = np.repeat(["dry", "wet"], 20)
    rule = conformal_rule(score, level=0.9, stratum=stratum)
    found = rule.thresholds(stratum=["wet", "dry", "unknown"])
    np.testing.assert_array_equal(found, [118.0, 18.0, np.inf])
    assert rule.method == "Mondrian"
    with pytest.raises(ValueError, match="stratum: the rule has the strata"):
        rule.thresholds()
    with pytest.raises(ValueError, match="stratum: the rule has the strata"):
        conformal_rule(score, level=0.9).thresholds(stratum=["wet"])


def test_six_epochs_and_ninety_five_percent():
    assert units_needed(0.95) == 19
    assert units_needed(0.9) == 9
    six = guarantee(6, 0.95, unit="epoch")
    assert not six.holds
    assert "needs 19 exchangeable calibration epochs, and 6 promise at most 85.7 %" in six.statement
    assert guarantee(19, 0.95, unit="epoch").holds
    assert guarantee(6, 6 / 7, unit="epoch").holds
    for n in range(1, 40):
        for level in (0.5, 0.8, 0.9, 0.95, 0.99):
            rule = conformal_rule(np.arange(float(n)), level=level)
            assert np.isfinite(rule.thresholds()[0]) == guarantee(n, level, unit="case").holds
    rule = conformal_rule(np.arange(12.0), level=0.95, unit=np.arange(12) // 2, unit_name="epoch")
    assert rule.statement == six.statement


@pytest.mark.parametrize("side", ["upper", "central"])
def test_scores_of_the_right_forecast_are_uniform_and_intervals_hold_them(side):
    rng = np.random.default_rng(1)
    n = 4000
    law = hurdle_lognormal(rng.uniform(0, 1, n), rng.normal(size=n), rng.uniform(0.3, 2, n))
    y = law.sample(rng)
    s = conformity_scores(law, y, side=side, rng=rng)
    for level in (0.3, 0.8, 0.95):
        error = 4.0 * np.sqrt(level * (1 - level) / n)
        assert np.mean(s <= level) == pytest.approx(level, abs=error)
        exact, closed = covered_terms(law, y, level, side=side)
        assert exact.mean() == pytest.approx(level, abs=error)
        low, high = conformal_interval(law, level, side=side)
        np.testing.assert_array_equal(closed, (low <= y) & (y <= high))
        assert (closed >= exact - 1e-12).all()
    assert (conformal_interval(law, np.inf, side=side)[1] == np.inf).all()


def test_scores_of_laws_with_other_atoms_are_uniform_too():
    rng = np.random.default_rng(2)
    law = Bernoulli(rng.random(8000))
    s = conformity_scores(law, law.sample(rng), side="upper", rng=rng)
    assert np.abs(np.quantile(s, [0.1, 0.5, 0.9]) - [0.1, 0.5, 0.9]).max() < 0.02


def test_density_ratio_of_shifted_normals_is_found():
    rng = np.random.default_rng(3)
    old, new = rng.normal(0, 1, (20_000, 1)), rng.normal(0.8, 0.8, (20_000, 1))
    found = shift_weights(old, new)
    x = np.linspace(-1.0, 2.0, 5)
    truth = np.exp(-0.5 * ((x - 0.8) / 0.8) ** 2 + 0.5 * x**2) / 0.8
    near = [found.calibration[np.abs(old[:, 0] - v) < 0.05].mean() for v in x]
    np.testing.assert_allclose(near, truth, rtol=0.15)
    assert found.calibration.mean() == pytest.approx(1.0, abs=0.05)
    assert 0.2 < found.effective_cases / 20_000 < 0.8
    same = shift_weights(old, rng.normal(0, 1, (20_000, 1)))
    assert same.effective_cases / 20_000 > 0.98
    with pytest.raises(UndefinedScoreError):
        shift_weights(old[old > 0][:, None], old[old < 0][:, None])
    with pytest.raises(ValueError, match="expected the same predictors"):
        shift_weights(old, np.ones((3, 2)))


def test_coverage_map_is_the_mean_over_the_window():
    rng = np.random.default_rng(4)
    hit, mask = rng.random((3, 7, 9)), rng.random((3, 7, 9)) < 0.7
    found = coverage_map(np.where(mask, hit, np.nan), mask, level=0.9, half_width=2)
    for i, j in itertools.product(range(7), range(9)):
        window = np.s_[:, max(i - 2, 0) : i + 3, max(j - 2, 0) : j + 3]
        assert found.n[i, j] == mask[window].sum()
        assert found.coverage[i, j] == pytest.approx(hit[window][mask[window]].mean())
    np.testing.assert_allclose(found.gap(), found.coverage - 0.9)
    nothing = coverage_map(hit, np.zeros_like(mask), level=0.9, half_width=1)
    assert np.isnan(nothing.coverage).all()
    with pytest.raises(ValueError, match="expected \\(epoch, y, x\\)"):
        coverage_map(hit[0], mask[0], level=0.9, half_width=1)


def test_missing_scores_and_empty_strata_are_refused():
    with pytest.raises(ValueError, match="found 2 values, 1 missing"):
        conformal_rule([1.0, np.nan], level=0.9)
    with pytest.raises(ValueError, match="weights are all 0"):
        conformal_rule([1.0, 2.0], level=0.9, weight=[0.0, 0.0])
    with pytest.raises(ValueError, match="between 0 and 1"):
        conformal_rule([1.0, 2.0], level=1.0)
