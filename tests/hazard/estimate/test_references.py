"""The published networks train from their own configuration, through every published stage."""

from pathlib import Path

import numpy as np
import pytest

from hazard.config.schema import load_config
from hazard.cube.build import build_cube
from hazard.cube.cube_batches import batches_of_cube, patches_of_cube
from hazard.cube.layout import open_cube
from hazard.cube.refit import refit
from hazard.cube.sources import resolve_sources
from hazard.estimate.plan import make_plan
from hazard.estimate.reference_source import PUBLISHED_PREDICTORS
from hazard.estimate.references import ReferenceFitter

CONFIG = Path(__file__).resolve().parents[3] / "configs/gorkha_reference.yaml"
STAGES = ["susceptibility", "density_log", "density_positive", "density_all", "joint"]
FEW_STEPS = (
    "if_missing.world.extent_cells=[8, 8]", "if_missing.world.n_epochs=2",
    "cube.folds=[{design: spatial_blocks, folds: 2, block_km: 4, buffer_km: 0}]",
    "fit.references.susceptibility_epochs=1", "fit.references.density_epochs=1",
    "fit.references.joint_epochs=1", "fit.references.batch_size=8",
)  # fmt: skip


def fitted(folder, name, scheme, *overrides):
    """The fold of a scheme, and the published network fitted to it in one step per stage."""
    config = load_config(CONFIG, overrides=(*FEW_STEPS, *overrides))
    cube = open_cube(build_cube(resolve_sources(config, folder), folder).path)
    fold = next(make_plan(cube, config.fit, seed=config.seed).of(scheme))
    base = batches_of_cube(cube, index=patches_of_cube(cube, n=4, shift=2))
    done = ReferenceFitter(config.fit.references).fit(
        name, refit(base, fold.role), members=1, seed=1, lattice_split=fold.lattice_split
    )
    return fold, done


def check(fold, done):
    assert [stage["name"] for stage in done.record["curriculum"]] == STAGES
    assert list(dict.fromkeys(entry.name for entry in done.history)) == STAGES
    assert all(np.isfinite(entry.loss).all() for entry in done.history)
    forecast = done.forecasts["observed"]
    probability = forecast.probability[0][fold.predict]
    assert fold.predict.any()
    assert ((probability > 0) & (probability < 1)).all()
    assert np.isfinite(forecast.mu[0][fold.predict]).all()
    # Pixels went through the batch norms of training: fresh statistics are all 0 or all 1.
    moved = [np.ptp(np.asarray(v)) > 0 for v in done.variables.stats.values()]
    assert sum(moved) > 0.9 * len(moved)


@pytest.mark.nightly
@pytest.mark.slow
def test_the_network_of_the_code_trains_under_the_leaking_split(tmp_path):
    fold, done = fitted(tmp_path, "reference", "published_split")
    # Its map may be constant after so few steps: a ReLU before the last batch norm can die.
    check(fold, done)
    # The predictors of the paper and no others, though the world knows more of its shaking.
    assert set(done.record["bands"]["pixels"]) == PUBLISHED_PREDICTORS
    assert done.record["parameters"] == 23_556_931 + 682_241
    # Every test cell was trained on: this is the leak that the report sets beside honest splits.
    assert (fold.role[fold.predict] == 1).all()


@pytest.mark.nightly
@pytest.mark.slow
def test_the_network_of_the_text_trains_under_honest_blocks(tmp_path):
    fold, done = fitted(
        tmp_path, "described", "spatial_blocks", "if_missing.world.pixels_per_cell=8"
    )
    check(fold, done)
    assert np.ptp(done.forecasts["observed"].score[0][fold.predict]) > 0
    assert not ((fold.role == 1) & fold.predict).any()
