"""Rows that say whether a law holds: transform, intervals, and the parts of proper scores."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from hazard.evaluate.cases import Cases, read_model
from hazard.evaluate.law_scores import LEVELS, law_scores
from hazard.evaluate.resample import BlockTable
from hazard.evaluate.scoring import POSITIVE, ScoreKey
from stats.calibration.corp import corp_of_draws
from stats.calibration.pit import randomised_pit
from stats.laws.lognormal import TruncatedLognormal
from stats.resampling.block_bootstrap import draw_blocks

AT = {"scheme": "random", "epoch": "post 2015", "threshold_percent": None}
N, BLOCKS = 6000, 40


def planted(seed=0, *, stretch=1.0, odds=1.0, n=N):
    """Cases of a law that holds where stretch and odds are 1, their blocks, and resamples."""
    rng = np.random.default_rng(seed)
    p, mu, sigma = rng.beta(1, 4, n), rng.normal(-1, 0.5, n), np.full(n, 0.8)
    law = TruncatedLognormal(mu, sigma, 100.0)
    density = np.where(rng.random(n) < p, law.quantile(rng.random(n)), 0.0)
    told = TruncatedLognormal(mu, stretch * sigma, 100.0)
    probability = odds * p / (1 - p + odds * p)
    cases = Cases(
        cell=np.arange(n), fold=np.zeros(n, int), density=density, probability=probability, mu=mu,
        sigma=stretch * sigma, mean_percent=told.mean(), median_percent=told.median(),
    )  # fmt: skip
    block = np.repeat(np.arange(BLOCKS), n // BLOCKS)
    drawn = draw_blocks(block, draws=200, rng=rng)
    table = BlockTable(
        block=block, multiplicity=np.concatenate([np.ones((1, BLOCKS)), drawn.multiplicity])
    )
    return cases, block, table


def scores(**settings):
    cases, block, table = planted(**settings)
    found = law_scores(cases, block, table, cell_km=1.0)
    return cases, {(key.score, key.subset): value for key, value in found.items()}


def test_a_law_that_holds_has_a_uniform_transform_and_intervals_of_their_level():
    runs = [scores(seed=seed)[1] for seed in range(12)]
    found = runs[0]
    # The distance of independent cases: 1.36 / sqrt(n) is passed by one law in twenty.
    assert np.median([run["pit_ks_distance", "all"].value for run in runs]) < 1.36 / np.sqrt(N)
    for name, subset, truth in (
        ("pit_mean", "all", 0.5), ("interval_overcoverage_0.9", "all", 0.0),
        ("interval_coverage_0.9", POSITIVE, 0.9),
    ):  # fmt: skip
        values = np.array([run[name, subset].value for run in runs])
        assert abs(values.mean() - truth) < 4 * values.std(ddof=1) / np.sqrt(values.size), name
        low, high, note = found[name, subset].interval(0.99)
        assert low < found[name, subset].value < high
        assert note == ""
    # The closed interval holds the mass at zero: more than nine in ten, and the law says how many.
    coverage = found["interval_coverage_0.9", "all"].value
    assert coverage > 0.93
    nominal = found["interval_nominal_coverage_0.9", "all"].value
    assert coverage - nominal == pytest.approx(found["interval_overcoverage_0.9", "all"].value)


@pytest.mark.parametrize(
    ("wrong", "score", "subset", "side"),
    [
        ({"stretch": 0.6}, "interval_coverage_0.9", POSITIVE, -1),
        ({"stretch": 1.6}, "interval_coverage_0.9", POSITIVE, 1),
        ({"odds": 4.0}, "pit_mean", "all", -1),
        ({"odds": 0.25}, "pit_mean", "all", 1),
    ],
)
def test_a_law_that_does_not_hold_is_told_and_which_way(wrong, score, subset, side):
    truth = 0.5 if score == "pit_mean" else 0.9
    estimate = scores(**wrong)[1][score, subset]
    low, high, _ = estimate.interval(0.95)
    assert side * (estimate.value - truth) > 0
    assert not low <= truth <= high
    if score == "pit_mean":
        assert scores(**wrong)[1]["pit_ks_distance", "all"].value > 3 * 1.36 / np.sqrt(N)


def test_the_distance_is_that_of_many_randomisations():
    cases, found = scores(odds=2.0)
    draws = randomised_pit(cases.law, cases.density, rng=np.random.default_rng(1),
                           randomisations=200)  # fmt: skip
    share = (draws[..., None] <= LEVELS).mean(axis=(0, 1))
    expected = np.abs(share - LEVELS).max()
    assert found["pit_ks_distance", "all"].value == pytest.approx(expected, abs=2e-3)
    assert found["pit_mean", "all"].value == pytest.approx(draws.mean(), abs=2e-3)


def test_the_width_is_that_of_the_law():
    cases, found = scores()
    positive = cases.density > 0
    law = scipy_stats.lognorm(s=cases.sigma[positive], scale=np.exp(cases.mu[positive]))
    expected = (law.ppf(0.95) - law.ppf(0.05)).mean()
    assert found["interval_width_percent_0.9", POSITIVE].value == pytest.approx(expected, rel=1e-3)
    assert found["interval_width_percent_0.9", POSITIVE].n == positive.sum()


def test_without_landslides_there_is_nothing_to_cover():
    cases, block, table = planted()
    none = Cases(**{**vars(cases), "density": np.zeros(cases.n)})
    found = law_scores(none, block, table, cell_km=1.0)
    estimate = found[ScoreKey("interval_coverage_0.9", subset=POSITIVE, mapping_unit_km=1.0)]
    assert np.isnan(estimate.value)
    assert estimate.note == "no cells with landslides"


def test_the_scoreboard_has_the_rows_with_intervals(evaluated):
    for score, subset in (
        ("pit_ks_distance", "all"), ("pit_mean", "all"), ("interval_coverage_0.9", "all"),
        ("interval_nominal_coverage_0.9", "all"), ("interval_overcoverage_0.9", "all"),
        ("interval_width_percent_0.9", "all"), ("interval_coverage_0.9", "positive"),
        ("interval_width_percent_0.9", "positive"),
    ):  # fmt: skip
        row = evaluated.row(score, model="default", **{**AT, "subset": subset})
        assert row["low"] <= row["value"] <= row["high"], score
    assert "no test" in evaluated.row("pit_ks_distance", model="default", **AT)["note"]


@pytest.mark.parametrize("correction", ["none", "epoch mean"])
@pytest.mark.parametrize("part", ["miscalibration", "discrimination", "uncertainty"])
def test_parts_of_proper_scores_have_intervals_that_say_how_many_draws(evaluated, part, correction):
    where = {**AT, "threshold_percent": 0.0, "correction": correction, "model": "default"}
    for score in ("brier", "log_score"):
        row = evaluated.row(f"{score}_{part}", **where)
        assert 0 <= row["low"] < row["value"] < row["high"]
        assert "interval from 200 draws" in row["note"]
        assert row["n_blocks"] > 2


def test_intervals_of_the_parts_are_those_of_full_fits_moved_onto_the_value(evaluated):
    cases = read_model(evaluated.predictions, "random", "default").cases(1)
    table = evaluated.table
    block = table.block[cases.cell]
    parts = corp_of_draws(
        cases.probability, cases.present(0.0), block, table.multiplicity, rule="brier"
    )
    where = {**AT, "threshold_percent": 0.0, "model": "default"}
    for column, part in ((1, "miscalibration"), (2, "discrimination"), (3, "uncertainty")):
        row = evaluated.row(f"brier_{part}", **where)
        assert row["value"] == pytest.approx(parts[0, column])
        drawn = parts[1:, column]
        moved = np.maximum(drawn - drawn.mean() + parts[0, column], 0)
        assert row["low"] == pytest.approx(np.quantile(moved, 0.025), abs=0.15 * moved.std())
        assert row["high"] == pytest.approx(np.quantile(moved, 0.975), abs=0.4 * moved.std())


def test_the_mean_over_epochs_says_how_many_draws_it_stands_on(evaluated):
    where = {**AT, "epoch": "mean", "threshold_percent": 0.0, "model": "default"}
    row = evaluated.row("brier_miscalibration", **where)
    assert row["low"] < row["value"] < row["high"]
    assert "mean of 3 epochs" in row["note"]
    assert "interval from 200 draws" in row["note"]


def test_an_infinite_score_has_no_interval_of_its_miscalibration(evaluated):
    where = {**AT, "threshold_percent": 0.0, "model": "zero"}
    row = evaluated.row("log_score_miscalibration", **where)
    assert row["value"] == np.inf
    assert np.isnan(row["low"])
    assert "infinite" in row["note"]
