"""A split that leaks is set against honest ones, on the same cells and by the same scores."""

import pandas as pd
import pytest

from hazard.evaluate.run import evaluate_predictions
from hazard.evaluate.settings import EvaluationSettings
from tests.hazard.evaluate.conftest import blurred
from tests.hazard.evaluate.planted import law_fields, model, planted_run, scheme, world

PUBLISHED = scheme("published_split", folds=1, in_sample=True, leaks=True)
BLOCKS = scheme("spatial_blocks", separates=("place",))
FORWARD = scheme("forward_chaining", separates=("epoch", "future"), folds=2)
SUFFIX = "_leaking_minus_honest"


def board_of(folder, schemes, forecasts):
    """Scoreboard of two published networks under these schemes."""
    _, _, density = world(4)
    predictions = planted_run(
        folder, density, forecasts, schemes=schemes,
        models=(model("reference", "reference"), model("described", "reference")),
        folds={"published_split": density * 0 + 0},
    )  # fmt: skip
    evaluate_predictions(predictions, folder, EvaluationSettings(draws=100, block_km=4.0))
    return pd.read_parquet(folder / "scoreboard.parquet")


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    """`reference` knows the outcome under the leak alone; `described` is the same everywhere."""
    p, mu, density = world(4)
    leaked = law_fields(0.05 + 0.9 * (density > 0), mu)
    honest, same = law_fields(blurred(p, 0.7, 2), mu), law_fields(blurred(p, 1.0, 6), mu)
    forecasts = {(s.name, "described"): same for s in (PUBLISHED, BLOCKS, FORWARD)}
    forecasts |= {
        ("published_split", "reference"): leaked,
        ("spatial_blocks", "reference"): honest,
        ("forward_chaining", "reference"): honest,
    }
    folder = tmp_path_factory.mktemp("leaking")
    return board_of(folder, (PUBLISHED, BLOCKS, FORWARD), forecasts)


def gaps(board, score, **where):
    found = board[(board["score"] == f"{score}{SUFFIX}") & (board["correction"] == "none")]
    found = found[found["subset"] == "all"]
    for column, value in where.items():
        found = found[found[column] == value]
    return found.set_index("epoch")


@pytest.mark.parametrize("score", ["auc", "average_precision", "brier", "log_score", "crps"])
@pytest.mark.parametrize("honest", ["spatial_blocks", "forward_chaining"])
def test_a_leak_flatters_and_a_model_that_gains_nothing_shows_no_gap(board, score, honest):
    leaky = gaps(board, score, model="reference", reference=honest)
    same = gaps(board, score, model="described", reference=honest)
    assert leaky.loc["mean", "low"] > 0
    assert same["value"].to_list() == pytest.approx([0.0] * len(same), abs=1e-12)
    assert set(leaky["scheme"]) == {"published_split"}
    assert leaky.loc["mean", "label"].count("share cells") == 1


def test_the_gap_is_taken_on_the_epochs_and_cells_that_both_test(board):
    forward = gaps(board, "auc", model="reference", reference="forward_chaining")
    # Forward chaining cannot test the first epoch.
    assert set(forward.index) == {"post 2015", "pre 2016", "mean"}
    scores = board[(board["score"] == "auc") & (board["threshold_percent"] == 0.0)]
    scores = scores[(scores["fold"] == "all") & (scores["mapping_unit_km"] == 1.0)]
    by = scores[scores["model"] == "reference"].set_index(["scheme", "epoch"])["value"]
    expected = by["published_split", "pre 2016"] - by["forward_chaining", "pre 2016"]
    assert forward.loc["pre 2016", "value"] == pytest.approx(expected)


def test_a_leak_without_an_honest_scheme_says_that_nothing_can_be_compared(tmp_path):
    p, mu, _ = world(4)
    forecasts = {("published_split", "reference"): law_fields(p, mu)}
    board = board_of(tmp_path, (PUBLISHED,), forecasts)
    assert not board["score"].str.endswith(SUFFIX).any()
    row = board[(board["score"] == "not_run") & (board["scheme"] == "published_split")].iloc[0]
    assert row["model"] == "reference"
    assert "no honest scheme" in row["note"]
