"""The entry reads its settings from the configuration and its forecasts from the run folder."""

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hazard.config.fit import CeilingConfig
from hazard.config.schema import load_config
from hazard.errors import DataError
from hazard.evaluate.run import evaluate_run
from hazard.evaluate.settings import EvaluationSettings, settings_of
from stats.command.log import Log
from stats.command.progress import PlainReporter
from tests.hazard.evaluate.planted import SCHEMES, law_fields, model, planted_run, world

CONFIG = Path(__file__).resolve().parents[3] / "configs" / "gorkha_smoke.yaml"


def config_with(*overrides):
    return load_config(CONFIG, overrides=list(overrides))


def test_settings_come_from_the_configuration():
    config = config_with(
        "fit.evaluation.draws=77", "fit.evaluation.block_km=7", "fit.evaluation.level=0.8",
        "seed=11", "fit.evaluation.mapping_units_km=[1, 3]",
        "fit.evaluation.corp_draws=33", "fit.evaluation.susceptibility_edges=[0.1, 0.2, 0.3, 0.4]",
        "fit.evaluation.hazard_edges_percent=[1, 2, 3, 4]", "fit.ceiling.model=climatology",
    )  # fmt: skip
    found = settings_of(config)
    assert (found.corp_draws, found.ceiling_model) == (33, "climatology")
    assert found.susceptibility_edges == (0.1, 0.2, 0.3, 0.4)
    assert found.hazard_edges_percent == (1.0, 2.0, 3.0, 4.0)
    assert (found.draws, found.block_km, found.level, found.seed) == (77, 7.0, 0.8, 11)
    assert found.mapping_units_km == (1.0, 3.0)
    assert found.resampled == "7 km blocks within this epoch"


def test_defaults_of_settings_are_those_of_the_configuration():
    section = type(config_with().fit.evaluation)()
    assert EvaluationSettings() == EvaluationSettings(
        thresholds_percent=section.thresholds_percent, quantile_levels=section.quantile_levels,
        block_km=section.block_km, draws=section.draws, level=section.level,
        mapping_units_km=section.mapping_units_km, corp_draws=section.corp_draws,
        susceptibility_edges=section.susceptibility_edges,
        hazard_edges_percent=section.hazard_edges_percent, ceiling_model=CeilingConfig().model,
    )  # fmt: skip


def test_a_run_folder_is_scored_with_progress(tmp_path):
    p, mu, density = world(4)
    planted_run(
        tmp_path, density, {("random", "net"): law_fields(p, mu)},
        schemes=SCHEMES[:1], models=(model("net", "network"),),
    )  # fmt: skip
    stream = io.StringIO()
    config = config_with("fit.evaluation.draws=40", "fit.evaluation.level=0.8")
    with PlainReporter(log=Log(stream=stream)) as reporter:
        evaluate_run(tmp_path, config, reporter)
    assert "score forecasts: 0/1" in stream.getvalue()
    board = pd.read_parquet(tmp_path / "scoreboard.parquet")
    assert (board["level"].dropna() == 0.8).all()
    record = json.loads((tmp_path / "evaluation" / "evaluation.json").read_text())
    assert record["settings"]["draws"] == 40
    gap = board[(board["score"] == "not_run") & (board["reference"] == "spatial_blocks")]
    assert "spatial_blocks was not run" in gap["note"].iloc[0]


def test_a_study_smaller_than_a_block_has_scores_without_intervals(tmp_path):
    p, mu, density = world(5)
    planted_run(
        tmp_path, density, {("random", "net"): law_fields(p, mu)},
        schemes=SCHEMES[:1], models=(model("net", "network"),),
    )  # fmt: skip
    evaluate_run(tmp_path, config_with("fit.evaluation.draws=20", "fit.evaluation.block_km=500"))
    board = pd.read_parquet(tmp_path / "scoreboard.parquet")
    auc = board[(board["score"] == "auc") & (board["fold"] == "all")]
    assert auc["value"].notna().all()
    assert auc["low"].isna().all()
    assert auc["note"].str.contains("at least 2 resampled units").all()


def test_a_run_without_forecasts_or_with_half_a_law_is_refused(tmp_path):
    p, mu, density = world(6)
    (tmp_path / "empty").mkdir()
    planted_run(tmp_path / "empty", density, {}, schemes=SCHEMES[:1], models=(model("net"),))
    with pytest.raises(DataError, match="no forecast"):
        evaluate_run(tmp_path / "empty", config_with())
    fields = law_fields(p, mu)
    fields["sigma"] = np.where(np.arange(p.shape[2]) < 3, np.nan, fields["sigma"])
    (tmp_path / "half").mkdir()
    planted_run(
        tmp_path / "half", density, {("random", "net"): fields}, schemes=SCHEMES[:1],
        models=(model("net"),),
    )  # fmt: skip
    with pytest.raises(DataError, match="net under random"):
        evaluate_run(tmp_path / "half", config_with("fit.evaluation.draws=20"))
    assert not (tmp_path / "half" / "scoreboard.parquet").exists()


def test_a_missing_store_is_named(tmp_path):
    with pytest.raises(DataError):
        evaluate_run(tmp_path, config_with())
