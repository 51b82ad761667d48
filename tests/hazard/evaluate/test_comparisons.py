"""Differences have the right sign, pair the right forecasts, and say what they are."""

import numpy as np
import pytest

from hazard.evaluate.cases import read_model
from hazard.evaluate.run import evaluate_predictions
from hazard.evaluate.settings import EvaluationSettings
from tests.hazard.evaluate.conftest import blurred
from tests.hazard.evaluate.planted import SCHEMES, law_fields, model, planted_run, world

PRESENCE = {"threshold_percent": 0.0}
PROPER = ("auc", "average_precision", "brier", "log_score")


@pytest.mark.parametrize("score", PROPER)
def test_a_better_model_gains_over_a_worse_baseline_and_a_worse_one_loses(evaluated, score):
    at = {"scheme": "random", "epoch": "mean", "reference": "lightgbm", **PRESENCE}
    better = evaluated.row(f"{score}_gain", model="default", **at)
    worse = evaluated.row(f"{score}_gain", model="dry", **at)
    assert 0 < better["low"] < better["value"] < better["high"]
    assert worse["low"] < worse["value"] < worse["high"] < 0


def test_a_gain_is_the_difference_of_the_two_rows_and_narrower_than_unpaired(evaluated):
    at = {"scheme": "forward_chaining", "epoch": "pre 2016", **PRESENCE}
    ours, theirs = (
        evaluated.row("brier", model=name, reference="", **at) for name in ("default", "lightgbm")
    )
    gain = evaluated.row("brier_gain", model="default", reference="lightgbm", **at)
    assert gain["value"] == pytest.approx(theirs["value"] - ours["value"])
    unpaired = np.hypot(ours["high"] - ours["low"], theirs["high"] - theirs["low"])
    assert gain["high"] - gain["low"] < 0.7 * unpaired


def test_the_best_baseline_is_the_best_in_the_same_epoch_and_multiplicity_is_told(evaluated):
    at = {"scheme": "random", "epoch": "post 2015", **PRESENCE}
    row = evaluated.row("brier_gain_over_best", model="default", **at)
    values = {
        name: evaluated.row("brier", model=name, **at)["value"]
        for name in ("zero", "climatology", "lightgbm")
    }
    assert row["reference"] == min(values, key=values.get)
    over_best = evaluated.board[evaluated.board["score"].str.endswith("_gain_over_best")]
    n = over_best["low"].notna().sum()
    assert f"one of {n} such intervals, not adjusted" in row["note"]
    assert "zero" not in set(
        over_best.loc[over_best["score"] == "log_score_gain_over_best", "reference"]
    )


def test_the_loss_with_climatological_rain_is_a_row_of_the_variant(evaluated):
    at = {"scheme": "forward_chaining", "epoch": "mean", **PRESENCE}
    row = evaluated.row("log_score_rain_gain", model="dry", **at)
    assert row["reference"] == "default"
    assert row["high"] < 0
    assert "climatological rain" in row["label"]
    assert "observed trigger" in evaluated.row("auc", model="default", **at)["label"]


def test_the_ceiling_stands_beside_forward_scores_and_the_gap_is_shared(evaluated):
    at = {"scheme": "forward_chaining", "epoch": "pre 2016", **PRESENCE}
    ceiling = evaluated.row("auc", model="ceiling", **at)
    source = evaluated.row("auc", model="lightgbm", **{**at, "scheme": "same_epoch_blocks"})
    assert ceiling["value"] == source["value"]
    assert ceiling["reference"] == "lightgbm of same_epoch_blocks"
    base = evaluated.row("auc", model="lightgbm", **at)["value"]
    ours = evaluated.row("auc", model="default", **at)["value"]
    share = evaluated.row("auc_gap_closed", model="default", **at)
    assert share["value"] == pytest.approx((ours - base) / (ceiling["value"] - base))
    assert 0 < share["value"] < 1
    assert evaluated.rows(scheme="random", model="ceiling").empty


def test_interval_rows_name_what_was_resampled_and_others_name_nothing(evaluated):
    board = evaluated.board
    with_interval = board["low"].notna()
    assert with_interval.sum() > 1000
    assert (board.loc[with_interval, "n"] > 0).all()
    assert (board.loc[with_interval, "n_blocks"] >= 2).all()
    assert set(board.loc[with_interval, "unit"]) == {"4 km blocks within this epoch"}
    assert set(board.loc[with_interval, "level"]) == {0.95}
    assert set(board.loc[~with_interval, "unit"]) == {""}
    finite = with_interval & np.isfinite(board["value"])
    assert (board.loc[finite, "low"] <= board.loc[finite, "high"]).all()
    without_value = board["value"].isna()
    assert (board.loc[without_value, "note"] != "").all()


def test_what_was_not_run_is_a_row_with_the_reason(evaluated):
    rows = evaluated.board[evaluated.board["score"] == "not_run"].set_index("scheme")
    assert rows.loc["space_time_blocks", "note"] == "one epoch only"
    assert "not asked for" in rows.loc["leave_one_epoch_out", "note"]
    assert rows["value"].isna().all()


def test_folds_have_rows_of_their_own(evaluated):
    rows = evaluated.rows(
        fold="fold 1", scheme="random", epoch="coseismic", model="default", score="brier"
    )
    cases = read_model(evaluated.predictions, "random", "default").cases(0)
    part = cases.fold == 1
    expected = ((cases.probability - (cases.density > 0)) ** 2)[part].mean()
    raw = rows[rows["correction"] == "none"].iloc[0]
    assert raw["value"] == pytest.approx(expected)
    assert raw["n"] == part.sum()
    assert np.isnan(raw["low"])


@pytest.fixture(scope="module")
def leaky(tmp_path_factory):
    """`leaky` saw the targets of random folds; `honest` is the same everywhere."""
    folder = tmp_path_factory.mktemp("leaky")
    p, mu, density = world(2)
    honest = blurred(p, 1.0, 8)
    leak = np.where(density > 0, 0.5 * honest + 0.5, 0.5 * honest)
    schemes = SCHEMES[:2]
    forecasts = {}
    for record in schemes:
        forecasts[record.name, "honest"] = law_fields(honest, mu)
        random = record.name == "random"
        forecasts[record.name, "leaky"] = law_fields(leak if random else honest, mu)
    # Random folds that were run in part test fewer cells than the blocks.
    fold = np.random.default_rng(0).integers(-1, 3, density.shape)
    predictions = planted_run(
        folder, density, forecasts, schemes=schemes, folds={"random": fold},
        models=(model("honest", "network"), model("leaky", "network")),
    )  # fmt: skip
    evaluate_predictions(predictions, folder, EvaluationSettings(draws=100, block_km=4.0))
    import pandas as pd

    return pd.read_parquet(folder / "scoreboard.parquet"), fold


@pytest.mark.parametrize("score", [*PROPER, "crps"])
def test_a_leak_in_random_folds_appears_in_the_gap_to_blocks(leaky, score):
    board, fold = leaky
    rows = board[
        (board["score"] == f"{score}_random_minus_blocked") & (board["correction"] == "none")
    ].set_index(["model", "epoch"])
    leak, honest = rows.loc["leaky", "mean"], rows.loc["honest", "mean"]
    assert leak["low"] > 0
    assert honest["value"] == pytest.approx(0, abs=1e-12)
    assert leak["reference"] == "spatial_blocks"
    # Only the cells that both schemes test are compared.
    assert rows.loc["leaky", "coseismic"]["n"] == (fold[0] >= 0).sum()


def test_forecasts_on_different_cells_are_not_compared(tmp_path):
    p, mu, density = world(3)
    fewer = np.where(np.arange(p.shape[2]) % 2, p, np.nan)
    predictions = planted_run(
        tmp_path, density,
        {("random", "base"): law_fields(p, mu),
         ("random", "net"): {**law_fields(p, mu), "probability": fewer}},
        schemes=SCHEMES[:1], models=(model("base"), model("net", "network")),
    )  # fmt: skip
    evaluate_predictions(predictions, tmp_path, EvaluationSettings(draws=50, block_km=4.0))
    import pandas as pd

    board = pd.read_parquet(tmp_path / "scoreboard.parquet")
    gains = board[board["score"].str.contains("_gain")]
    assert gains["value"].isna().all()
    assert gains["note"].str.contains("same cells").any()
