"""The residual section: quiet where the forecast is right, loud at planted faults, whole."""

import dataclasses

import numpy as np
import pytest
from scipy import stats as scipy_stats

from benchmarks.residual_faults import MEANT, single_p_values
from benchmarks.residual_worlds import FAULTS, SIDE, world
from stats.case_arrays import UndefinedScoreError
from stats.laws.hurdle import hurdle_lognormal
from stats.residuals.cases import ForecastCases
from stats.residuals.section import residual_section


def section(rng, *planted, draws=59):
    return residual_section(world(rng, *planted), rng=rng, draws=draws, lags=8, permutations=0)


@pytest.mark.nightly
@pytest.mark.slow
def test_a_forecast_that_is_right_raises_no_more_alarms_than_it_may():
    # 120 worlds; an alarm rate of 0.05 gives at most 12 alarms in 99 % of such series of worlds,
    # for each diagnostic; rates in 600 worlds stand in docs/residuals.md.
    rng = np.random.default_rng(11)
    found = [single_p_values(section(rng)) for _ in range(120)]
    most = scipy_stats.binom(120, 0.05).ppf(0.995)
    alarms = {name: sum(p[name] <= 0.05 for p in found) for name in found[0]}
    assert {name: k for name, k in alarms.items() if k > most} == {}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught_by_the_diagnostic_meant_for_it(fault):
    rng = np.random.default_rng(12)
    _, strong = FAULTS[fault]
    caught = [MEANT[fault](section(rng, fault, strong)) <= 0.05 for _ in range(20)]
    assert np.mean(caught) >= 0.8


def with_references(rng):
    cases = world(rng)
    n = cases.n
    flat = hurdle_lognormal(
        np.full(n, cases.law.probability.mean()), np.full(n, -0.5), np.full(n, 1.3), upper=np.inf
    )
    zero = hurdle_lognormal(np.zeros(n), np.zeros(n), np.ones(n), upper=np.inf)
    return dataclasses.replace(cases, references={"climatology": flat, "zero": zero})


def test_every_point_of_the_section_is_there():
    rng = np.random.default_rng(0)
    cases = with_references(rng)
    found = residual_section(cases, rng=rng, draws=39, lags=8, thresholds=[2.0])
    assert {"crps", "log", "dawid_sebastiani", "brier_0", "twcrps_2"} <= set(found.scores.terms)
    assert set(found.scores.names) == {"epoch", "fold"}
    assert found.scores.n.sum() == cases.n
    assert set(found.reliability) == {0, 1, 2}
    assert len(found.structures) == 3
    assert found.block is not None
    assert {t.against for t in found.tests} >= {"overall", "forecast", "slope", "epoch"}
    assert {row.level for row in found.coverage} == {0.5, 0.8, 0.95}
    assert sum(row.n for row in found.coverage if row.level == 0.5) == cases.n
    assert [(t.epoch, t.what) for t in found.totals][:2] == [(0, "total"), (0, "count")]
    # The zero forecast has no finite log score; against the climatology both scores stand.
    assert [d.second for d in found.differences["log"]] == ["climatology"]
    assert any("log against zero" in note for note in found.notes)
    better = next(d for d in found.differences["crps"] if d.second == "climatology")
    assert better.difference.high < 0
    assert found.ability["crps", "climatology"].difference == pytest.approx(
        better.difference.value, rel=1e-9
    )


def test_scores_are_the_means_of_the_cases():
    rng = np.random.default_rng(1)
    cases = world(rng)
    found = residual_section(cases, rng=rng, draws=39, lags=8)
    brier = ((cases.law.probability - (cases.value > 0)) ** 2)[cases.epoch == 1].mean()
    row = next(
        r for r in found.scores.over("fold").rows() if r["term"] == "brier_0" and r["epoch"] == 1
    )
    assert row["value"] == pytest.approx(brier, rel=1e-12)
    total = next(t for t in found.totals if t.epoch == 2 and t.what == "total")
    assert total.observed == pytest.approx(cases.value[cases.epoch == 2].sum())
    assert total.low < total.expected < total.high


def test_dependent_residuals_are_named_as_what_makes_envelopes_too_narrow():
    rng = np.random.default_rng(2)
    found = section(rng, "missed spatial effect", 1.5, draws=39)
    assert any("depend on each other" in note for note in found.notes)
    assert found.block.side_m > 1000.0


def test_the_same_seed_gives_the_same_section():
    cases = world(np.random.default_rng(3))
    one, two = (
        residual_section(cases, rng=np.random.default_rng(4), draws=39, lags=8) for _ in range(2)
    )
    assert one.worm.p_value == two.worm.p_value
    assert one.totals == two.totals


def test_an_epoch_that_cannot_vary_is_named_and_the_rest_stands():
    rng = np.random.default_rng(5)
    cases = world(rng)
    # Certain forecasts of nothing in the first epoch: no residual is defined there.
    first = cases.epoch == 0
    p = np.where(first, 0.0, cases.law.probability)
    law = hurdle_lognormal(p, np.zeros(cases.n), np.ones(cases.n), upper=np.inf)
    value = np.where(first, 0.0, cases.value)
    found = residual_section(
        dataclasses.replace(cases, law=law, value=value), rng=rng, draws=39, lags=8
    )
    assert [s.epoch for s in found.structures] == [1, 2]
    assert any(note.startswith("0: no spatial structure") for note in found.notes)


def test_impossible_values_and_broken_cases_are_refused():
    rng = np.random.default_rng(6)
    cases = world(rng)
    zero = hurdle_lognormal(np.zeros(cases.n), np.zeros(cases.n), np.ones(cases.n), upper=np.inf)
    with pytest.raises(UndefinedScoreError, match="probability 0"):
        residual_section(dataclasses.replace(cases, law=zero), rng=rng)
    with pytest.raises(ValueError, match="one of each per case"):
        dataclasses.replace(cases, epoch=cases.epoch[1:])
    with pytest.raises(ValueError, match="a cell twice"):
        dataclasses.replace(cases, epoch=np.zeros(cases.n, int))
    with pytest.raises(ValueError, match="off a lattice"):
        dataclasses.replace(cases, x_m=cases.x_m + rng.uniform(0, 400, cases.n))


def test_cases_know_their_epochs_in_order_and_their_lattice():
    rng = np.random.default_rng(7)
    cases = world(rng)
    named = dataclasses.replace(cases, epoch=np.array(["wet", "dry", "calm"])[cases.epoch])
    assert named.epochs == ("wet", "dry", "calm")
    values, inside = named.lattice(named.value, "dry")
    assert values.shape == (SIDE, SIDE)
    assert inside.all()
    # Row 0 is the northernmost.
    last = (named.epoch == "dry") & (named.y_m == named.y_m.max()) & (named.x_m == 0.0)
    assert values[0, 0] == named.value[last][0]
    assert isinstance(named, ForecastCases)
