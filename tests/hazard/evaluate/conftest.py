"""One planted run, evaluated once."""

import numpy as np
import pandas as pd
import pytest

from hazard.archive.records import NotRun
from hazard.evaluate.resample import block_table
from hazard.evaluate.run import evaluate_predictions
from hazard.evaluate.settings import EvaluationSettings
from tests.hazard.evaluate.planted import SCHEMES, law_fields, model, planted_run, world

SETTINGS = EvaluationSettings(draws=200, block_km=4.0)
MODELS = (
    model("zero"),
    model("climatology"),
    model("lightgbm"),
    model("default", "network"),
    model("dry", "network", variant_of="default", rain="climatological"),
    model("perfect", "reference"),
    model("permuted", "reference"),
)


def blurred(p, amount, seed):
    """Forecast whose log-odds carry noise; worse the more."""
    noise = np.random.default_rng(seed).normal(0, amount, p.shape)
    return 1 / (1 + np.exp(-(np.log(p / (1 - p)) + noise)))


class Evaluated:
    def __init__(self, folder, predictions, truth, density):
        self.folder, self.predictions, self.truth, self.density = (
            folder, predictions, truth, density,
        )  # fmt: skip
        self.table = block_table(predictions.grid, predictions.mask, SETTINGS)
        self.board = pd.read_parquet(folder / "scoreboard.parquet")

    def rows(self, **where):
        """Rows where the columns have these values; `threshold_percent=None` means missing."""
        found = self.board
        for column, value in {"fold": "all", **where}.items():
            if value is not None:
                found = found[found[column] == value]
            else:
                found = found[found[column].isna()]
        return found

    def row(self, score, **where):
        where = {"correction": "none", "subset": "all", "mapping_unit_km": 1.0, **where}
        found = self.rows(score=score, **where)
        assert len(found) == 1, (score, where, len(found))
        return found.iloc[0]


def planted_forecasts(p, mu, density):
    """Every forecaster under every scheme; lightgbm is better with the same epoch's blocks."""
    rng = np.random.default_rng(3)
    found = {}
    flat = rng.permuted(p.reshape(p.shape[0], -1), axis=1).reshape(p.shape)
    for record in SCHEMES:
        name = record.name
        noise = 0.4 if name == "same_epoch_blocks" else 1.2
        found[name, "lightgbm"] = law_fields(blurred(p, noise, 1), mu)
        if name == "same_epoch_blocks":
            continue
        found[name, "zero"] = law_fields(np.zeros(p.shape), mu)
        found[name, "climatology"] = law_fields(np.full(p.shape, 0.25), -1.0)
        found[name, "default"] = law_fields(blurred(p, 0.7, 2), mu)
        found[name, "dry"] = law_fields(blurred(p, 2.0, 4), mu)
        found[name, "perfect"] = law_fields((density > 0).astype(float), mu)
        found[name, "permuted"] = law_fields(flat, mu)
    return found


@pytest.fixture(scope="session")
def evaluated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planted")
    p, mu, density = world()
    mask = np.ones(p.shape[1:], dtype=bool)
    mask[:3, :5] = False
    # With members the archive stores float32: the truth is what was stored.
    absent = (NotRun(scheme="space_time_blocks", reason="one epoch only"),)
    predictions = planted_run(
        folder, density, planted_forecasts(p, mu, density), models=MODELS, mask=mask, not_run=absent
    )
    evaluate_predictions(predictions, folder, SETTINGS)
    return Evaluated(folder, predictions, p, density)
