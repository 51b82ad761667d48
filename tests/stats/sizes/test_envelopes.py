"""Tests of Q-Q and P-P envelopes: what they hold, and that they show a misfit."""

import numpy as np
import pytest

from stats.sizes.envelopes import chosen_ranks, fit_envelopes, rank_envelope
from stats.sizes.fit import fit_sizes
from stats.sizes.recording import Recording
from stats.sizes.simulation import quantiles, simulate

RECORD = Recording(lower_m2=300.0)


def test_rank_envelope_holds_whole_curves_at_its_level():
    """Random walks: 5 +- 2 % of 500 first curves leave (binomial error 1 %); pointwise far more."""
    rng = np.random.default_rng(0)
    left, p_values, pointwise = 0, [], 0
    for _ in range(500):
        curves = rng.normal(size=(200, 15)).cumsum(axis=1)
        low, high, p_value = rank_envelope(curves, 0.95)
        left += bool(np.any((curves[0] < low) | (curves[0] > high)))
        p_values.append(p_value)
        ends = np.quantile(curves[1:], [0.025, 0.975], axis=0)
        pointwise += bool(np.any((curves[0] < ends[0]) | (curves[0] > ends[1])))
    assert 0.03 <= left / 500 <= 0.07
    assert np.mean(np.array(p_values) <= 0.05) == pytest.approx(left / 500, abs=0.005)
    assert pointwise / 500 > 0.12


def test_curves_of_a_right_fit_stay_inside_and_those_of_a_wrong_one_leave():
    rng = np.random.default_rng(1)
    areas = simulate("power", [1.4], 400, RECORD, rng=rng)[0]
    fit = fit_sizes(areas, "power", RECORD, intervals=None)
    ticks = []
    found = fit_envelopes(fit, areas, rng=rng, draws=199, progress=ticks.append)
    assert sum(ticks) == 199
    assert found.unconverged == 0
    for curve in (found.pp, found.qq):
        assert curve.inside
        assert curve.p_value > 0.05
        assert curve.draws == 199
        assert np.all(curve.simultaneous_low <= curve.pointwise_low + 1e-12)
        assert np.all(curve.pointwise_high <= curve.simultaneous_high + 1e-12)
    np.testing.assert_allclose(found.qq.observed, np.sort(areas)[found.qq.rank - 1])
    share = (found.qq.rank - 0.5) / 400
    np.testing.assert_allclose(found.qq.model, quantiles("power", fit.parameters, share, RECORD)[0])
    np.testing.assert_allclose(found.pp.model, share)

    wrong = 300.0 + rng.exponential(2000.0, 400)
    refuted = fit_envelopes(
        fit_sizes(wrong, "power", RECORD, intervals=None), wrong, rng=rng, draws=199
    )
    for curve in (refuted.pp, refuted.qq):
        assert not curve.inside
        assert curve.p_value <= 0.05


def test_refit_makes_the_envelope_narrower_than_a_known_law_would():
    """P-P of n areas under a known law varies by sqrt(p(1-p)/n) at each point."""
    rng = np.random.default_rng(2)
    areas = simulate("power", [1.4], 400, RECORD, rng=rng)[0]
    fit = fit_sizes(areas, "power", RECORD, intervals=None)
    pp = fit_envelopes(fit, areas, rng=rng, draws=399).pp
    width = pp.pointwise_high - pp.pointwise_low
    known = 2 * 1.96 * np.sqrt(pp.model * (1.0 - pp.model) / 400)
    middle = (pp.model > 0.3) & (pp.model < 0.9)
    assert np.all(width[middle] < 0.9 * known[middle])


def test_ranks_are_few_sorted_and_reach_both_ends():
    ranks = chosen_ranks(25_000, 160)
    assert ranks[0] == 1
    assert ranks[-1] == 25_000
    assert len(ranks) <= 160
    assert np.all(np.diff(ranks) > 0)


def test_bad_input_is_named():
    areas = simulate("power", [1.4], 50, RECORD, rng=np.random.default_rng(0))[0]
    fit = fit_sizes(areas, "power", RECORD, intervals=None)
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="expected the areas of the fit"):
        fit_envelopes(fit, areas[:20], rng=rng)
    with pytest.raises(ValueError, match="at least 2"):
        fit_envelopes(fit, areas, rng=rng, draws=20)
    with pytest.raises(ValueError, match="level"):
        fit_envelopes(fit, areas, rng=rng, level=1.0)
