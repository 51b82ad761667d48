"""Tests of goodness of fit: the distances, the level of the p-values, their power."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats as scipy_stats

from stats.sizes.bootstrap import refit_many
from stats.sizes.fit import fit_sizes
from stats.sizes.goodness import (
    DISTANCES,
    bootstrap_p_value,
    distances,
    goodness_of_fit,
    naive_p_values,
    simulated_distances,
)
from stats.sizes.recording import Recording
from stats.sizes.simulation import Probabilities, probabilities, simulate

TRUTH = np.array([1.4, 2.3, 800.0])
CUT = Recording(lower_m2=100.0)


def _p_values(law, areas, start, rng, draws=59):
    """Distances, their p-values by refit and the tabled ones of all worlds at once."""
    theta = refit_many(law, areas, CUT, start).theta
    shares = probabilities(law, theta, areas, CUT)
    observed = distances(shares)
    simulated = simulated_distances(
        law, theta, areas.shape[1], CUT, draws=draws, rng=rng, start=np.median(theta, axis=0)
    )
    refit = {}
    for name in DISTANCES:
        worlds = zip(observed[name], simulated[name], strict=True)
        refit[name] = np.array([bootstrap_p_value(o, s)[0] for o, s in worlds])
    tabled = [
        naive_p_values(np.exp(shares.log_below[i]), {k: v[i] for k, v in observed.items()})
        for i in range(len(areas))
    ]
    return refit, {name: np.array([row[name] for row in tabled]) for name in DISTANCES}


def test_distances_agree_with_scipy():
    u = np.sort(np.random.default_rng(0).random(80))
    found = {
        k: v[0] for k, v in distances(Probabilities(np.log(u)[None], np.log1p(-u)[None])).items()
    }
    assert found["ks"] == pytest.approx(scipy_stats.kstest(u, "uniform").statistic, rel=1e-12)
    assert found["cvm"] == pytest.approx(scipy_stats.cramervonmises(u, "uniform").statistic)
    i = np.arange(1, 81)
    expected = -80 - np.mean((2 * i - 1) * (np.log(u) + np.log1p(-u[::-1])))
    assert found["ad"] == pytest.approx(expected, rel=1e-12)


def test_tabled_p_values_are_right_for_a_known_law():
    """2,000 uniform samples: 5 +- 1.5 % are rejected (binomial error 0.5 %)."""
    u = np.sort(np.random.default_rng(1).random((2000, 60)), axis=1)
    observed = distances(Probabilities(np.log(u), np.log1p(-u)))
    p = [naive_p_values(u[i], {k: v[i] for k, v in observed.items()}) for i in range(2000)]
    for name in DISTANCES:
        assert 0.035 < np.mean([row[name] <= 0.05 for row in p]) < 0.065


@pytest.mark.slow
def test_p_values_are_uniform_under_the_null_where_the_tabled_ones_reject_nothing():
    """Double Pareto truncated at 100 m2, n = 500, refitted 30,000 times.

    500 worlds: the binomial standard error of a rate of 5 % is 1.0 %.
    """
    rng = np.random.default_rng(12)
    areas = simulate("dps_extended", np.tile(TRUTH, (500, 1)), 500, CUT, rng=rng)
    refit, tabled = _p_values("dps_extended", areas, TRUTH, rng)
    for name in DISTANCES:
        assert 0.03 <= np.mean(refit[name] <= 0.05) <= 0.07
        assert scipy_stats.kstest(refit[name], "uniform").pvalue > 0.001
        assert np.mean(tabled[name] <= 0.05) == 0.0
        assert np.median(tabled[name]) > 0.85


@pytest.mark.slow
def test_a_wrong_law_is_found_by_refit_and_missed_by_the_tables():
    """Lognormal areas under a Double Pareto law, n = 1,000, 40 worlds (error of a half: 8 %)."""
    rng = np.random.default_rng(5)
    areas = simulate("lognormal", np.tile([7.5, 0.8], (40, 1)), 1000, CUT, rng=rng)
    refit, tabled = _p_values("dps_extended", areas, [2.1, 2.3, 1700.0], rng)
    assert np.mean(refit["ad"] <= 0.05) > 0.7
    assert np.mean(refit["cvm"] <= 0.05) > 0.4
    assert np.mean(tabled["ad"] <= 0.05) < 0.1


def test_one_fit_is_judged_with_its_notes():
    rng = np.random.default_rng(4)
    record = Recording(lower_m2=300.0)
    areas = simulate("power", [1.4], 150, record, rng=rng)[0]
    fit = fit_sizes(areas, "power", record, intervals=None)
    ticks = []
    found = goodness_of_fit(
        fit, areas, rng=np.random.default_rng(0), draws=199, progress=ticks.append
    )
    assert sum(ticks) == 199
    assert found.unconverged == 0
    assert found.notes == ()
    for test in found.tests.values():
        assert test.p_value > 0.01
        assert test.p_value_se == pytest.approx(
            np.sqrt(test.p_value * (1 - test.p_value) / 199), rel=1e-9
        )
        assert test.naive_p_value > test.p_value
    again = goodness_of_fit(fit, areas, rng=np.random.default_rng(0), draws=199)
    assert again == found
    unsure = goodness_of_fit(
        replace(fit, converged=False), areas, rng=np.random.default_rng(0), draws=20
    )
    assert "not proven" in unsure.notes[0]
    wrong = 300.0 + rng.exponential(2000.0, 150)
    refuted = goodness_of_fit(
        fit_sizes(wrong, "power", record, intervals=None), wrong, rng=rng, draws=199
    )
    assert refuted.tests["ad"].p_value <= 0.01


def test_blocks_of_a_large_simulation_cover_every_draw(monkeypatch):
    record = Recording(lower_m2=300.0)
    monkeypatch.setattr("stats.sizes.goodness.BLOCK", 400)
    found = simulated_distances(
        "power", [[1.4], [0.9]], 50, record, draws=11, rng=np.random.default_rng(0)
    )
    assert found["ad"].shape == (2, 11)
    assert np.isfinite(found["ad"]).all()


def test_bad_input_is_named():
    record = Recording(lower_m2=300.0)
    areas = simulate("power", [1.4], 50, record, rng=np.random.default_rng(0))[0]
    fit = fit_sizes(areas, "power", record, intervals=None)
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="draws: found 5"):
        goodness_of_fit(fit, areas, rng=rng, draws=5)
    with pytest.raises(ValueError, match="the fit was made of 50"):
        goodness_of_fit(fit, areas[:40], rng=rng)
    with pytest.raises(ValueError, match="weighted fit"):
        goodness_of_fit(replace(fit, weight=70.0), areas, rng=rng)
    with pytest.raises(ValueError, match="no refit"):
        bootstrap_p_value(1.0, np.array([np.nan]))
