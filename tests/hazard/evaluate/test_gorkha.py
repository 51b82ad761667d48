"""The scoreboard repeats what is known of the real epochs from other programs."""

import numpy as np
import pandas as pd
import pytest
import rasterio

from hazard.evaluate.run import evaluate_predictions
from hazard.evaluate.settings import EvaluationSettings
from tests.hazard.evaluate.planted import law_fields, model, planted_run, scheme

pytestmark = pytest.mark.data
EPOCHS = 6
NAMES = [f"epoch {number + 1}" for number in range(EPOCHS)]


@pytest.fixture(scope="module")
def board(data_dir, tmp_path_factory):
    with rasterio.open(data_dir / "gorkha" / "landslide_area_density_1km.tif") as file:
        density = file.read().astype(np.float64)
    mask = np.isfinite(density[0])
    density = np.where(mask, density, 0.0)
    past = np.zeros(density.shape)
    rate = np.full(density.shape, 0.5)
    for epoch in range(1, EPOCHS):
        past[epoch] = (density[:epoch] > 0).mean(axis=0)
        rate[epoch] = (density[:epoch][:, mask] > 0).mean()
    folder = tmp_path_factory.mktemp("gorkha")
    forward = scheme("forward_chaining", separates=("epoch", "future"), folds=5)
    fold = np.where(np.arange(EPOCHS) > 0, np.arange(EPOCHS) - 1, -1)[:, None, None]
    predictions = planted_run(
        folder, density,
        {(forward.name, "climatology"): law_fields(rate, -1.0),
         (forward.name, "persistence_mean"): law_fields(past, -1.0)},
        schemes=(forward,), models=(model("climatology"), model("persistence_mean")), mask=mask,
        names=NAMES, folds={forward.name: np.broadcast_to(fold, density.shape)},
    )  # fmt: skip
    settings = EvaluationSettings(draws=200, mapping_units_km=(1.0, 4.0))
    evaluate_predictions(predictions, folder, settings)
    return pd.read_parquet(folder / "scoreboard.parquet")


def value(board, score, model, epoch, **where):
    where = {"threshold_percent": 0.0, "correction": "none", "mapping_unit_km": 1.0, **where}
    found = board[(board["score"] == score) & (board["model"] == model)]
    for column, wanted in {**where, "epoch": NAMES[epoch]}.items():
        found = found[found[column] == wanted]
    assert len(found) == 1
    return found.iloc[0]


def test_climatology_and_in_sample_brier_scores(board):
    for epoch, climatology, in_sample in ((4, 0.159, 0.158), (5, 0.090, 0.085)):
        assert value(board, "brier", "climatology", epoch)["value"] == pytest.approx(
            climatology, abs=6e-4
        )
        assert value(board, "brier", "in_sample_rate", epoch)["value"] == pytest.approx(
            in_sample, abs=6e-4
        )


def test_persistence_of_the_past_frequency_scores_as_known_with_an_interval_of_plausible_width(
    board,
):
    known = ((4, 0.852, 0.487, 0.117), (5, 0.759, 0.190, 0.112))
    for epoch, auc, precision, brier in known:
        row = value(board, "auc", "persistence_mean", epoch)
        assert row["value"] == pytest.approx(auc, abs=1e-3)
        assert 0.01 < (row["high"] - row["low"]) / 2 < 0.04
        found = value(board, "average_precision", "persistence_mean", epoch)["value"]
        assert found == pytest.approx(precision, abs=1e-3)
        found = value(board, "brier", "persistence_mean", epoch)["value"]
        assert found == pytest.approx(brier, abs=6e-4)


def test_the_study_is_made_of_complete_units_of_four_kilometres(board):
    row = value(board, "auc", "persistence_mean", 4, mapping_unit_km=4.0)
    assert row["n"] == 1335
