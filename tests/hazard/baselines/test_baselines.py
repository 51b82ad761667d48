"""Planted truth is recovered, no held-out target is seen, and what cannot run says why."""

import builtins
from dataclasses import replace

import numpy as np
import pytest

from hazard.baselines.boosting import BoostingSettings, TreeSettings, fit_lightgbm
from hazard.baselines.contract import MissingPackageError, TrainingCells
from hazard.baselines.registry import BASELINES, baseline
from hazard.baselines.regression import RegressionSettings, fit_logistic
from hazard.cube.cell_features import CellTargets, with_past
from hazard.errors import DataError
from stats.resampling.folds import BUFFER, TEST, TRAIN, VALIDATION
from stats.scores.crps import crps_terms
from stats.scores.logarithmic import log_terms
from tests.hazard.baselines.planted import (
    LOG_SD,
    forward_role,
    forward_study,
    study,
)

NAMES = tuple(BASELINES)
FIELDS = ("probability", "mu", "sigma", "mean_percent", "median_percent")
TREES = TreeSettings(rounds=40, learning_rate=0.1, leaves=7, cases_per_leaf=20, feature_share=0.8,
                     case_share=0.7, l2=1.0)  # fmt: skip
SMALL = BoostingSettings(presence=TREES, density=TREES, members=2, spread_block_cells=10, threads=1)


def quick(name):
    """The baseline, with few trees where there are trees."""
    if name != "lightgbm":
        return baseline(name)
    return replace(baseline(name), fitted_by=lambda cells, seed: fit_lightgbm(cells, seed, SMALL))


def same(one, other):
    return all(np.array_equal(getattr(one, f), getattr(other, f)) for f in FIELDS)


@pytest.fixture(scope="module")
def held_out():
    return forward_study()


@pytest.mark.parametrize("name", NAMES)
def test_every_baseline_forecasts_all_cells_and_can_be_scored(name, held_out):
    features, targets, role, _ = held_out
    forecast = baseline(name).fit(features, targets.area_density, role, seed=1).predict(features)
    assert forecast.shape == targets.area_density.shape
    terms = crps_terms(forecast.law(role == TEST), targets.area_density[role == TEST])
    assert np.isfinite(terms).all()


@pytest.mark.parametrize("name", NAMES)
def test_held_out_targets_change_nothing(name, held_out):
    features, targets, role, _ = held_out
    rng = np.random.default_rng(7)
    other = np.where(role == TEST, rng.uniform(0, 100, role.shape), targets.area_density)
    hidden = np.where(role == TEST, np.nan, targets.area_density)
    fits = [
        quick(name).fit(features, density, role, seed=1).predict(features)
        for density in (targets.area_density, other, hidden)
    ]
    assert same(fits[0], fits[1])
    assert same(fits[0], fits[2])
    # The check can fail: a training target does change the fit (nothing changes "zero" but its
    # law of density).
    training = np.where(role == TRAIN, other[::-1], targets.area_density)
    assert not same(fits[0], quick(name).fit(features, training, role, seed=1).predict(features))


@pytest.mark.parametrize("name", NAMES)
def test_no_held_out_target_comes_in_by_the_past_of_training_cells(name):
    """Test in the middle of the series: later epochs train, and must not remember it."""
    features, targets, _, _ = study()
    role = np.full(targets.area_density.shape, TRAIN, dtype=np.int8)
    role[1, ::3], role[1, 1::3], role[2, 1::3] = TEST, BUFFER, VALIDATION
    changed = CellTargets(
        area_density=np.where(role == TEST, 50.0, targets.area_density), observed=targets.observed
    )
    original = with_past(features, targets, role, windows=(3,))
    fits = [
        quick(name).fit(
            with_past(features, t, role, windows=(3,)), t.area_density, role, seed=2
        ).predict(original)
        for t in (targets, changed)
    ]  # fmt: skip
    assert same(*fits)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_forecast(name, held_out):
    features, targets, role, _ = held_out
    fits = [
        quick(name).fit(features, targets.area_density, role, seed=5).predict(features)
        for _ in range(2)
    ]
    assert same(*fits)


def test_climatology_is_the_training_share_and_law(held_out):
    features, targets, role, _ = held_out
    forecast = baseline("climatology").fit(features, targets.area_density, role, seed=0)
    forecast = forecast.predict(features)
    train = targets.area_density[role == TRAIN]
    assert np.all(forecast.probability == (train > 0).mean())
    np.testing.assert_allclose(forecast.mu, np.log(train[train > 0]).mean())
    np.testing.assert_allclose(forecast.sigma, np.log(train[train > 0]).std(ddof=1))


def test_zero_forecasts_no_area(held_out):
    features, targets, role, _ = held_out
    forecast = baseline("zero").fit(features, targets.area_density, role, seed=0).predict(features)
    assert not forecast.expected_percent.any()


def test_persistence_smooths_the_record_by_laplace(held_out):
    features, targets, role, _ = held_out
    past = targets.presence()[:3]
    fits = {
        name: baseline(name).fit(features, targets.area_density, role, seed=0).predict(features)
        for name in ("persistence_mean", "persistence_last")
    }
    np.testing.assert_allclose(
        fits["persistence_mean"].probability[3], (past.sum(axis=0) + 1) / 5, rtol=1e-12
    )
    np.testing.assert_allclose(
        fits["persistence_last"].probability[3], (past[2] + 1) / 3, rtol=1e-12
    )
    share = targets.presence()[:3].mean()
    for forecast in fits.values():
        np.testing.assert_allclose(forecast.probability[0], share)
    assert "Laplace" in baseline("persistence_mean").title
    assert "Laplace" in baseline("persistence_last").title
    # One event of density d among three: half way, in logs, from the training mean to d.
    once = past.sum(axis=0) == 1
    positive = targets.area_density[:3][targets.area_density[:3] > 0]
    record = np.log(targets.area_density[:3].sum(axis=0)[once])
    expected = (np.log(positive).mean() + record) / 2
    np.testing.assert_allclose(fits["persistence_mean"].mu[3][once], expected, atol=1e-6)


def test_last_epoch_counts_from_the_threshold_of_presence_on():
    features, targets, _, _ = study()
    role = forward_role(features)
    full = with_past(features, targets, role, windows=(), presence_above=0.5)
    fitted = baseline("persistence_last").fit(
        full, targets.area_density, role, seed=0, presence_above=0.5
    )
    expected = ((targets.area_density[2] > 0.5) + 1) / 3
    # Features are float32: a density a hair around the threshold may round across it.
    clear = np.abs(targets.area_density[2] - 0.5) > 1e-6
    np.testing.assert_allclose(fitted.predict(full).probability[3][clear], expected[clear])


def test_persistence_refuses_densities_per_year(held_out):
    features, targets, _, _ = study()
    role = forward_role(features)
    yearly = with_past(features, targets, role, windows=(), epoch_days=(52, 183, 183, 183))
    with pytest.raises(ValueError, match="percent year-1"):
        baseline("persistence_mean").fit(yearly, targets.area_density, role, seed=0)


def test_epochs_that_are_known_elsewhere_are_learned_from():
    """In blocks of place each test epoch has training cells: its level is knowledge."""
    features, targets, _, _ = study()
    block = features.blocks(15) % 2
    role = np.broadcast_to(np.where(block == 0, TRAIN, TEST).astype(np.int8),
                           targets.observed.shape).copy()  # fmt: skip
    density = targets.area_density * np.array([1.0, 0.0, 1.0, 1.0])[:, None]
    density[1] = np.where(np.arange(density.shape[1]) % 50 == 0, 0.1, 0.0)
    full = with_past(features, replace(targets, area_density=density), role, windows=(3,))
    rate = (density > 0).mean(axis=1)
    for name in ("logistic", "lightgbm"):
        fitted = quick(name).fit(full, density, role, seed=0)
        assert fitted.reads("season")
        p = fitted.predict(full).probability
        missed = [abs(p[e][block == 1].mean() - rate[e]) for e in range(4)]
        assert max(missed) < 0.08, (name, missed)
    # The check can fail: without the first epoch, which has no record, its level is lost.
    cells = TrainingCells(features=full, area_density=density, role=role)
    blind = fit_logistic(cells, 0, RegressionSettings(changing_features=False, first_epochs=False))
    assert abs(blind.predict(full).probability[1].mean() - rate[1]) > 0.1


def test_trees_recover_a_planted_forecast(held_out):
    features, targets, role, p = held_out
    cells = TrainingCells(features=features, area_density=targets.area_density, role=role)
    fitted = fit_lightgbm(cells, 3, SMALL)
    forecast, test = fitted.predict(features), role == TEST
    truth = targets.presence()[test]
    climatology = np.full(truth.size, targets.presence()[role == TRAIN].mean())
    terms = {
        "oracle": log_terms(p[test], truth).mean(),
        "trees": log_terms(forecast.probability[test], truth).mean(),
        "climatology": log_terms(climatology, truth).mean(),
    }
    gap = terms["climatology"] - terms["oracle"]
    # The oracle knows the propensity of the cell itself; its record tells only part of it.
    assert terms["trees"] - terms["oracle"] < 0.55 * gap
    assert abs(fitted.sigma - LOG_SD) < 0.15
    gain = fitted.record()["presence_gain_share"]
    assert next(iter(gain)) == "steepness"
    assert gain["noise"] < 0.1 * gain["steepness"]


def test_the_spread_of_trees_is_not_that_of_their_own_cells(held_out):
    """With nothing to learn and deep trees, in-sample residuals would look far too small."""
    features, targets, role, _ = held_out
    rng = np.random.default_rng(0)
    density = np.where(targets.presence(), rng.lognormal(0, 1, role.shape).clip(0, 100), 0.0)
    deep = replace(TREES, rounds=200, leaves=31, cases_per_leaf=5, random_cuts=False)
    cells = TrainingCells(features=features, area_density=density, role=role)
    fitted = fit_lightgbm(cells, 3, replace(SMALL, density=deep))
    train = (role == TRAIN) & (density > 0)
    in_sample = np.std((np.log(np.where(train, density, 1)) - fitted.predict(features).mu)[train])
    assert in_sample < 0.8
    assert fitted.sigma > 0.95


def test_trees_see_what_changes_with_the_epoch_only_where_asked(held_out):
    features, targets, role, _ = held_out
    cells = TrainingCells(features=features, area_density=targets.area_density, role=role)
    plain = fit_lightgbm(cells, 3, SMALL)
    assert not {"days", "season"} & set(plain.used)
    assert "past_mean" in plain.used
    asked = fit_lightgbm(cells, 3, replace(SMALL, changing_features=True))
    assert {"days", "season"} < set(asked.used)


def test_trees_leave_epochs_without_a_record_out_where_others_have_one(held_out):
    features, targets, role, _ = held_out
    other = targets.area_density.copy()
    other[0] = other[0, ::-1]
    settings = [replace(SMALL, first_epochs=False), replace(SMALL, first_epochs=True)]
    mean = {}
    for density in (targets.area_density, other):
        cells = TrainingCells(features=features, area_density=density, role=role)
        for first in settings:
            found = fit_lightgbm(cells, 3, first).predict(features).probability
            mean.setdefault(first.first_epochs, []).append(found)
    assert np.array_equal(*mean[False])
    assert not np.array_equal(*mean[True])
    cells = TrainingCells(features=features, area_density=other, role=role)
    left = fit_lightgbm(cells, 3, SMALL).predict(features).probability
    assert np.array_equal(left, mean[False][1])


def test_trees_stop_by_the_validation_part_where_asked(held_out):
    features, targets, role, _ = held_out
    patient = replace(SMALL, patience=5, presence=replace(TREES, rounds=400))
    split = role.copy()
    split[2, features.blocks(10) % 2 == 0] = VALIDATION
    cells = TrainingCells(features=features, area_density=targets.area_density, role=split)
    trees = fit_lightgbm(cells, 3, patient).record()["presence_trees"]
    assert max(trees) < 400
    without = TrainingCells(features=features, area_density=targets.area_density, role=role)
    with pytest.raises(DataError, match="validation cells"):
        fit_lightgbm(without, 3, patient)


def test_missing_lightgbm_is_named_and_nothing_else_needs_it(held_out, monkeypatch):
    features, targets, role, _ = held_out
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.split(".")[0] == "lightgbm":
            raise ModuleNotFoundError("No module named 'lightgbm'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert "lightgbm is not installed" in baseline("lightgbm").missing()
    with pytest.raises(MissingPackageError, match="lightgbm is not installed"):
        baseline("lightgbm").fit(features, targets.area_density, role, seed=0)
    for name in set(NAMES) - {"lightgbm"}:
        assert baseline(name).missing() is None
    baseline("climatology").fit(features, targets.area_density, role, seed=0)


def test_what_cannot_be_fitted_says_why(held_out):
    features, targets, role, _ = held_out
    bare = features.select([n for n in features.names if not n.startswith("past_")])
    with pytest.raises(ValueError, match="needs past records"):
        baseline("persistence_mean").fit(bare, targets.area_density, role, seed=0)
    with pytest.raises(DataError, match="training cells: found none"):
        baseline("zero").fit(features, targets.area_density, np.zeros_like(role), seed=0)
    with pytest.raises(DataError, match="0 with landslides"):
        baseline("climatology").fit(features, np.zeros(role.shape), role, seed=0)
    with pytest.raises(DataError, match="missing"):
        baseline("climatology").fit(features, np.full(role.shape, np.nan), role, seed=0)
    with pytest.raises(DataError, match="0 to 100 %"):
        baseline("climatology").fit(features, targets.area_density + 150.0, role, seed=0)
    with pytest.raises(ValueError, match="use one of zero"):
        baseline("oracle")
    fitted = baseline("logistic").fit(features, targets.area_density, role, seed=0)
    with pytest.raises(ValueError, match="features differ"):
        fitted.predict(bare)


def test_test_cells_are_out_of_reach(held_out):
    features, targets, role, _ = held_out
    cells = TrainingCells(features=features, area_density=targets.area_density, role=role)
    assert np.isnan(cells.area_density[role == TEST]).all()
    with pytest.raises(ValueError, match="training and validation cells alone"):
        cells.density(TEST)
