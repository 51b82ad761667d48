"""Planted forecasts get the scores they deserve, and those that other libraries compute."""

import numpy as np
import pytest
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    f1_score,
    log_loss,
    matthews_corrcoef,
    precision_recall_curve,
    roc_auc_score,
)

from hazard.evaluate.cases import read_model
from hazard.evaluate.scoring import corrected_probability
from stats.scores.crps import crps_terms

EPOCH = "post 2015"
AT = {"scheme": "random", "epoch": EPOCH}


def cases_of(evaluated, model, scheme="random", epoch=1):
    return read_model(evaluated.predictions, scheme, model).cases(epoch)


@pytest.mark.parametrize("threshold", [0.0, 0.01, 0.09, 0.5])
@pytest.mark.parametrize("model", ["default", "lightgbm", "climatology"])
def test_presence_scores_agree_with_scikit_learn(evaluated, model, threshold):
    cases = cases_of(evaluated, model)
    y = cases.density >= threshold if threshold else cases.density > 0
    p = cases.probability * (cases.law.positive.sf(threshold) if threshold else 1.0)
    for score, expected in (
        ("auc", roc_auc_score(y, p)),
        ("average_precision", average_precision_score(y, p)),
        ("brier", brier_score_loss(y, p)),
        ("log_score", log_loss(y, p)),
    ):
        row = evaluated.row(score, model=model, threshold_percent=threshold, **AT)
        assert row["value"] == pytest.approx(expected, rel=1e-10)
        assert row["n"] == cases.n


@pytest.mark.parametrize("level", [0.0, 0.5])
def test_parts_add_up_to_the_score_raw_and_corrected(evaluated, level):
    for score in ("brier", "log_score"):
        for correction in ("none", "epoch mean"):
            where = {"model": "default", "threshold_percent": level, "correction": correction, **AT}
            total, mcb, dsc, unc = (
                evaluated.row(score + part, **where)["value"]
                for part in ("", "_miscalibration", "_discrimination", "_uncertainty")
            )
            assert total == pytest.approx(mcb - dsc + unc, abs=1e-12)
            assert mcb >= 0
            assert dsc > 0


def test_a_perfect_forecast_of_presence_scores_perfectly(evaluated):
    best = {"auc": 1.0, "average_precision": 1.0, "brier": 0.0, "log_score": 0.0, "f1": 1.0,
            "iou": 1.0, "mcc": 1.0}  # fmt: skip
    for score, value in best.items():
        row = evaluated.row(score, model="perfect", threshold_percent=0.0, **AT)
        assert row["value"] == pytest.approx(value, abs=1e-12), score


def test_a_constant_has_no_ranking_and_corrected_is_the_in_sample_value(evaluated):
    rate = (cases_of(evaluated, "climatology").density > 0).mean()
    at = {"threshold_percent": 0.0, **AT}
    assert evaluated.row("auc", model="climatology", **at)["value"] == 0.5
    precision = evaluated.row("average_precision", model="climatology", **at)["value"]
    assert precision == pytest.approx(rate)
    assert evaluated.row("brier_discrimination", model="climatology", **at)["value"] < 1e-12
    corrected = evaluated.row("brier", model="climatology", **{**at, "correction": "epoch mean"})
    named = evaluated.row("brier", model="in_sample_rate", **at)
    assert corrected["value"] == pytest.approx(rate * (1 - rate))
    assert named["value"] == pytest.approx(rate * (1 - rate))
    assert "in-sample" in named["note"]
    entropy = evaluated.row("log_score", model="in_sample_rate", **at)["value"]
    assert entropy == pytest.approx(-rate * np.log(rate) - (1 - rate) * np.log(1 - rate))


def test_a_permuted_forecast_has_no_skill(evaluated):
    row = evaluated.row("auc", model="permuted", threshold_percent=0.0, **AT)
    assert row["low"] < 0.5 < row["high"]
    good = evaluated.row("auc", model="default", threshold_percent=0.0, **AT)
    assert good["low"] > 0.6


def test_the_zero_forecast_keeps_its_infinite_log_score_and_cannot_be_corrected(evaluated):
    at = {"model": "zero", "threshold_percent": 0.0, **AT}
    assert evaluated.row("log_score", **at)["value"] == np.inf
    corrected = evaluated.row("log_score", **{**at, "correction": "epoch mean"})
    assert np.isnan(corrected["value"])
    assert "no shift" in corrected["note"]


def test_correction_of_the_epoch_mean_forgives_a_wrong_rate_and_nothing_else(evaluated):
    cases = cases_of(evaluated, "default")
    y = cases.present(0.0)
    odds = cases.probability / (1 - cases.probability)
    shifted = 5 * odds / (1 + 5 * odds)
    np.testing.assert_allclose(
        corrected_probability(shifted, y), corrected_probability(cases.probability, y), rtol=1e-8
    )
    assert corrected_probability(shifted, y).mean() == pytest.approx(y.mean())
    sharper = odds**2 / (1 + odds**2)
    assert not np.allclose(
        corrected_probability(sharper, y), corrected_probability(odds / (1 + odds), y)
    )


def test_density_scores_are_means_over_the_very_cells(evaluated):
    cases = cases_of(evaluated, "default")
    expected = cases.probability * cases.mean_percent
    positive = cases.density > 0
    at = {"model": "default", "threshold_percent": None, **AT}
    crps = crps_terms(cases.law, cases.density).mean()
    assert evaluated.row("crps", **at)["value"] == pytest.approx(crps)
    error = np.abs(expected - cases.density).mean()
    assert evaluated.row("mae", **at)["value"] == pytest.approx(error)
    rmse = np.sqrt(((expected - cases.density) ** 2).mean())
    assert evaluated.row("rmse", **at)["value"] == pytest.approx(rmse)
    r = np.corrcoef(expected, cases.density)[0, 1]
    assert evaluated.row("pearson_r", **at)["value"] == pytest.approx(r)
    inside = np.abs(cases.mean_percent - cases.density)[positive].mean()
    found = evaluated.row("mae", **{**at, "subset": "positive"})
    assert found["value"] == pytest.approx(inside)
    assert found["n"] == positive.sum()
    quantile = cases.law.quantile(np.full(cases.n, 0.9))
    miss = cases.density - quantile
    pinball = np.maximum(0.9 * miss, -0.1 * miss).mean()
    assert evaluated.row("quantile_score_0.9", **at)["value"] == pytest.approx(pinball)


def test_total_area_is_in_square_kilometres(evaluated):
    cases = cases_of(evaluated, "default")
    at = {"model": "default", "threshold_percent": None, **AT}
    assert evaluated.row("total_observed_km2", **at)["value"] == pytest.approx(
        cases.density.sum() / 100
    )
    ratio = evaluated.row("total_ratio", **at)
    assert ratio["value"] == pytest.approx(cases.expected_percent.sum() / cases.density.sum())
    assert ratio["low"] < ratio["value"] < ratio["high"]


def test_alarms_are_cut_fold_by_fold(evaluated):
    cases = cases_of(evaluated, "default")
    fields = read_model(evaluated.predictions, "random", "default")
    every = [fields.cases(e) for e in range(3)]
    alarm = np.zeros(cases.n, dtype=bool)
    for fold in range(3):
        p = np.concatenate([c.probability[c.fold != fold] for c in every])
        y = np.concatenate([(c.density > 0)[c.fold != fold] for c in every])
        precision, recall, cuts = precision_recall_curve(y, p)
        f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
        best = cuts[np.argmax(f1[:-1])]
        alarm[cases.fold == fold] = (cases.probability >= best)[cases.fold == fold]
    y = cases.density > 0
    row = evaluated.row("f1", model="default", threshold_percent=0.0, **AT)
    assert row["value"] == pytest.approx(f1_score(y, alarm))
    assert "other folds" in row["note"]
    iou = evaluated.row("iou", model="default", threshold_percent=0.0, **AT)["value"]
    assert iou == pytest.approx(row["value"] / (2 - row["value"]))
    assert matthews_corrcoef(y, alarm) == pytest.approx(
        evaluated.row("mcc", model="default", threshold_percent=0.0, **AT)["value"], abs=0.05
    )
