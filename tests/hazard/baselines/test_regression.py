"""The regressions: planted coefficients, bounds beyond what was seen, and when a ridge steps in."""

from dataclasses import replace

import numpy as np
from sklearn.metrics import roc_auc_score

from hazard.baselines.contract import TrainingCells
from hazard.baselines.registry import baseline
from hazard.baselines.regression import RegressionSettings, fit_logistic
from stats.resampling.folds import TRAIN
from tests.hazard.baselines.planted import (
    LOG_OFFSET,
    LOG_SD,
    LOG_SLOPE,
    OFFSET,
    SLOPE,
    forward_role,
    forward_study,
    study,
)

PLAIN = RegressionSettings(tail=0.0, presence_ridge=0.0, density_ridge=0.0)


def test_logistic_recovers_planted_coefficients():
    features, targets, p, steepness = study(seed=3, lasting=0.0)
    features = features.select([n for n in features.names if n != "steepness_again"])
    role = forward_role(features)
    cells = TrainingCells(features=features, area_density=targets.area_density, role=role)
    fitted = fit_logistic(cells, 0, PLAIN)
    record, n = fitted.record(), int((role == TRAIN).sum())
    sd, mean = steepness.std(), steepness.mean()
    slope = record["log_odds"]["steepness"] / sd
    offset = record["log_odds"]["constant"] - slope * mean
    # Four standard errors of a logistic slope at this n; information per case about 0.13.
    tolerance = 4 / np.sqrt(0.13 * n)
    assert abs(slope - SLOPE) < tolerance
    assert abs(offset - OFFSET) < tolerance
    log_slope = record["log_percent"]["steepness"] / sd
    n_positive = int(targets.presence()[role == TRAIN].sum())
    tolerance = 4 * LOG_SD / np.sqrt(n_positive)
    assert abs(log_slope - LOG_SLOPE) < tolerance
    assert abs(record["log_percent"]["constant"] - log_slope * mean - LOG_OFFSET) < 2 * tolerance
    assert abs(record["sigma"] - LOG_SD) < tolerance
    forecast = fitted.predict(features)
    assert np.abs(forecast.probability[3] - p[3]).max() < 0.06
    assert record["presence_fit"] == "maximum likelihood"


def test_the_default_ridge_shrinks_a_clear_slope_by_a_few_percent_at_most():
    features, targets, _, _ = study(seed=3, lasting=0.0)
    role = forward_role(features)
    cells = TrainingCells(features=features, area_density=targets.area_density, role=role)
    plain, ridge = (fit_logistic(cells, 0, s).record() for s in (PLAIN, None))
    assert ridge["presence_fit"] == "ridge 0.003 per case"
    assert ridge["density_fit"] == "ridge 0.1 per case"
    ratio = ridge["log_odds"]["steepness"] / plain["log_odds"]["steepness"]
    assert 0.95 < ratio < 1.0
    assert 0.85 < ridge["log_percent"]["steepness"] / plain["log_percent"]["steepness"] < 1.0


def test_collinear_columns_leave_the_forecast_alone():
    features, targets, _, _ = study(seed=3)
    role = forward_role(features)
    alone = features.select([n for n in features.names if n != "steepness_again"])
    both = [
        baseline("logistic").fit(f, targets.area_density, role, seed=0).predict(f)
        for f in (features, alone)
    ]
    np.testing.assert_allclose(both[0].probability, both[1].probability, atol=1e-6)
    np.testing.assert_allclose(both[0].mu, both[1].mu, atol=1e-6)


def test_separated_classes_are_fitted_by_a_ridge_that_says_so():
    features, targets, _, steepness = study(seed=3)
    role = forward_role(features)
    level = np.exp(np.random.default_rng(0).normal(size=targets.area_density.shape))
    density = np.where(steepness > 0.5, np.minimum(level, 100.0), 0.0)
    cells = TrainingCells(features=features, area_density=density, role=role)
    fitted = fit_logistic(cells, 0, PLAIN)
    assert fitted.record()["presence_fit"].startswith("ridge 0.001 per case, because of")
    forecast = fitted.predict(features)
    assert roc_auc_score(density[3] > 0, forecast.probability[3]) > 0.999


def test_few_landslides_are_fitted_by_a_ridge_that_says_so():
    features, targets, _, _ = study(seed=3)
    role = forward_role(features)
    density = np.where(np.arange(features.n_cells) % 2000 == 0, targets.area_density, 0.0)
    density[0, :6] = [0.1, 0.5, 2.0, 1.0, 3.0, 0.2]
    fitted = baseline("logistic").fit(features, density, role, seed=0)
    assert "because of" in fitted.record()["density_fit"]
    forecast = fitted.predict(features)
    positive = np.log(density[role == TRAIN][density[role == TRAIN] > 0])
    assert forecast.mu.min() >= positive.min()
    assert forecast.mu.max() <= positive.max()


def test_lines_are_not_prolonged_beyond_what_training_saw():
    features, targets, _, _ = study(seed=3)
    role = forward_role(features)
    fitted = baseline("logistic").fit(features, targets.area_density, role, seed=0)
    values = features.values.copy()
    number = features.names.index("steepness")
    values[3, :, number] = 1e3
    far = fitted.predict(replace(features, values=values)).probability[3]
    values[3, :, number] = features.values[:3, :, number].max()
    assert np.array_equal(far, fitted.predict(replace(features, values=values)).probability[3])


def test_what_changes_with_the_epoch_takes_no_part_in_a_forecast_of_a_new_one():
    features, targets, role, _ = forward_study()
    of_epochs = {"days", "season=2", "past_epochs"}
    fitted = baseline("logistic").fit(features, targets.area_density, role, seed=0)
    assert not of_epochs & set(fitted.record()["log_odds"])
    assert "past_frequency_3x3" in fitted.record()["log_odds"]
    assert not fitted.reads("season")
    assert fitted.reads("past_")
    values = features.values.copy()
    for name in ("days", "season", "past_epochs"):
        values[3, :, features.names.index(name)] = 1e6
    wild = fitted.predict(replace(features, values=values))
    known = fitted.predict(features)
    for name in ("probability", "mu", "mean_percent"):
        assert np.array_equal(getattr(wild, name), getattr(known, name))
