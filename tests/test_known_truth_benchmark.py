"""Forecasts against known probabilities: planted forecasts, and two small worlds end to end."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.known_truth import BOTH, run_world, score_rows, summarise, world_study
from hazard.config.fit import SchemeConfig
from hazard.config.schema import CubeConfig, FoldConfig
from hazard.world.known_truth import KnownTruth
from tests.hazard.estimate.small_fit import silent, small_config

SHAPE = (40, 50)


def planted(seed: int, *, n_replays: int = 200) -> tuple[KnownTruth, np.ndarray, np.ndarray]:
    """Known probabilities from a beta law, replays of them, and one outcome."""
    rng = np.random.default_rng(seed)
    q = rng.beta(0.6, 3.0, (2, *SHAPE))
    mapped = np.ones(SHAPE, dtype=bool)
    mapped[:, :5] = False
    hits = rng.binomial(n_replays // 10, q, (10, *q.shape))
    truth = KnownTruth(
        knowledge="state", epochs=(6, 7), hits=hits, n_replays=n_replays, density_percent=q,
        mapped=mapped,
    )  # fmt: skip
    return truth, q, rng.random(q.shape) < q


def rows_of(seed: int) -> tuple[list, dict[str, np.ndarray]]:
    truth, q, y = planted(seed)
    odds = q / (1 - q)
    forecasts = {
        "oracle": q,
        "climatology": np.full(q.shape, 0.1),
        # Odds three times too large: the order is right, the mean is not.
        "high": 3 * odds / (1 + 3 * odds),
        "zero": np.zeros(q.shape),
    }
    return score_rows(seed, truth, forecasts, y), forecasts


def test_planted_forecasts_get_the_slope_and_regret_that_they_have() -> None:
    rows = [row for seed in (1, 2, 3) for row in rows_of(seed)[0]]
    table = {
        (e["epoch"], e["corrected"], e["model"]): e for e in summarise(rows, "oracle")
    }  # fmt: skip
    for epoch in ("6", "7", BOTH):
        for corrected in (False, True):
            exact = table[epoch, corrected, "oracle"]
            assert exact["slope"] == pytest.approx(1.0, abs=0.02)
            # Without a bias of the oracle's score it is 0 up to the noise of the replays.
            assert abs(exact["regret"]) < 0.02
            assert table[epoch, corrected, "climatology"]["regret"] == pytest.approx(1.0)
        raw, shifted = table[epoch, False, "high"], table[epoch, True, "high"]
        assert raw["slope"] < 0.9
        assert raw["regret"] > 0.1 > abs(shifted["regret"])
        assert raw["paired_high"] < 0
        assert raw["worlds_better"] == 3
        assert table[epoch, False, "zero"]["score"] == np.inf


def test_the_error_of_the_oracle_is_that_of_its_replays() -> None:
    truth, q, y = planted(5)
    rng = np.random.default_rng(6)
    constant = np.full(q.shape, 0.1)
    gap, stated, own = [], [], []
    for _ in range(60):
        # Other replays of the same probabilities.
        again = replace(truth, hits=rng.binomial(20, q, (10, *q.shape)))
        rows = score_rows(5, again, {"constant": constant, "oracle": q}, y)
        both = {r.model: r for r in rows if r.epoch == BOTH and not r.corrected}
        gap.append(both["constant"].score - both["constant"].oracle)
        stated.append(both["constant"].oracle_error)
        own.append(both["oracle"].score - both["oracle"].oracle)
    assert np.mean(stated) == pytest.approx(np.std(gap), rel=0.35)
    # The truth is its own oracle but for the rest that the estimator states.
    assert abs(np.mean(own)) < 4 * np.std(own) / np.sqrt(60) + 0.3 / 200


def test_a_study_of_one_seed_is_its_world_under_forward_chaining_alone() -> None:
    study = world_study(small_config(), 7, pixels_per_cell=8)
    assert study.if_missing.world.seed == 7
    assert study.if_missing.world.pixels_per_cell == 8
    assert [s.design for s in study.fit.schemes] == ["forward_chaining"]
    assert {f.design for f in study.cube.folds} == {"forward_chaining"}
    assert study.fit.final is None
    assert study.study is None


@pytest.mark.nightly
@pytest.mark.slow
def test_two_small_worlds_rank_forecasts_between_climatology_and_oracle(tmp_path: Path) -> None:
    config = small_config(
        schemes=(SchemeConfig(design="forward_chaining", folds=2, take="last"),),
        baselines=("zero", "climatology", "persistence_mean", "logistic"),
    ).model_copy(update={"cube": CubeConfig(folds=(FoldConfig(design="forward_chaining"),))})
    rows = []
    for seed in (1, 2):
        study = world_study(config, seed, extent_cells=(32, 40), pixels_per_cell=4)
        folder = tmp_path / f"seed_{seed}"
        made = run_world(study, folder, silent(), replays=30, oracles=("state", "intensity"))
        if seed == 1:
            again = run_world(study, folder, silent(), replays=30, oracles=("state", "intensity"))
            assert again == made
        rows += made
    assert {r.model for r in rows} == {"default", *config.fit.baselines}
    table = {
        (e["oracle_knows"], e["corrected"], e["model"]): e
        for e in summarise(rows, "default") if e["epoch"] == BOTH
    }  # fmt: skip
    for row in rows:
        # What was seen is one draw of what is known.
        assert row.mean_known == pytest.approx(row.mean_observed, rel=0.35)
        if row.model == "climatology":
            assert row.oracle < row.score
    for knows in ("state", "intensity"):
        for model in ("persistence_mean", "logistic"):
            assert 0.0 < table[knows, True, model]["regret"] < 1.0
        assert 0.5 < table[knows, True, "logistic"]["slope"] < 1.5
    assert table["intensity", False, "zero"]["oracle"] < table["state", False, "zero"]["oracle"]
