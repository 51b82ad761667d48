"""Scores of epochs with hardly any landslide say so in their rows, and the mean counts them."""

import numpy as np
import pandas as pd
import pytest

from hazard.archive.names import FEWEST_POSITIVES
from hazard.evaluate.run import evaluate_predictions
from hazard.evaluate.settings import EvaluationSettings
from tests.hazard.evaluate.planted import SCHEMES, law_fields, model, planted_run, world


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    """The second epoch has 4 cells with landslides, the third none."""
    folder = tmp_path_factory.mktemp("few")
    p, mu, density = world(7)
    first = np.flatnonzero(density[1])[:4]
    few = np.zeros(density[1].size)
    few[first] = density[1].ravel()[first]
    density = np.stack([density[0], few.reshape(density[1].shape), np.zeros_like(density[2])])
    predictions = planted_run(
        folder, density, {("random", "base"): law_fields(p, mu)}, schemes=SCHEMES[:1],
        models=(model("base"),),
    )  # fmt: skip
    evaluate_predictions(predictions, folder, EvaluationSettings(draws=50, block_km=4.0))
    found = pd.read_parquet(folder / "scoreboard.parquet")
    found = found[(found["model"] == "base") & (found["mapping_unit_km"] == 1.0)]
    return found[found["fold"] == "all"]


def notes(board, epoch):
    rows = board[board["epoch"] == epoch]
    scored = rows[~rows["score"].str.contains("_gain|_minus_")]
    assert len(scored) > 50
    return scored.set_index("threshold_percent")["note"]


def test_an_epoch_with_few_landslides_says_how_many_in_every_row(board):
    few = notes(board, "post 2015")
    assert few.str.contains(f"fewer than {FEWEST_POSITIVES}: [0-4] cells with landslides").all()
    assert few.loc[0.0].str.contains(": 4 cells").all()
    assert notes(board, "pre 2016").str.contains(": 0 cells").all()


def test_an_epoch_with_many_says_nothing_and_the_mean_counts_the_few(board):
    assert not notes(board, "coseismic").loc[0.0].str.contains("fewer than").any()
    rows = board[(board["epoch"] == "mean") & (board["score"] == "brier")]
    rows = rows[(rows["threshold_percent"] == 0.0) & (rows["correction"] == "none")]
    assert rows["note"].str.contains("2 of them hold fewer than").all()


def test_an_epoch_without_landslides_has_rows_without_a_value_for_what_needs_them(board):
    rows = board[(board["epoch"] == "pre 2016") & (board["threshold_percent"] == 0.0)]
    by = rows[rows["correction"] == "none"].set_index("score")
    assert np.isnan(by.loc["auc", "value"])
    assert by.loc["observed_rate", "value"] == 0.0
    assert np.isfinite(by.loc["brier", "value"])
