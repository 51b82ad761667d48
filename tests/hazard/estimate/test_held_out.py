"""Held out is held out: poisoned test targets change no forecast of their fold."""

import numpy as np
import pytest

from hazard.archive.predictions import open_predictions
from hazard.config.fit import SchemeConfig
from hazard.cube.cube_batches import designs_of_cube
from hazard.estimate.run import estimate_run
from stats.resampling.folds import TEST, TRAIN
from tests.hazard.estimate.small_fit import silent, small_config
from tests.hazard.small_cube import GRID, write_small_cube

MODELS = ("default_without_past", "logistic_without_past", "lightgbm_without_past")


def poison(which):
    """Other densities wherever `which` (epoch, y, x) holds."""

    def change(layers):
        dims, density = layers[""]["area_density"]
        presence = layers[""]["presence"]
        changed = np.where(which & np.isfinite(density), 77.0, density).astype(np.float32)
        layers[""]["area_density"] = (dims, changed)
        layers[""]["presence"] = (
            presence[0],
            np.where(np.isfinite(changed), changed > 0, -1).astype(np.int8),
        )

    return change


def forecasts(folder, config, change=None):
    folder.mkdir()
    cube = write_small_cube(folder, change=change)
    estimate_run(folder, cube, config, silent())
    return open_predictions(folder)


def design_roles(folder, design, fold):
    cube = write_small_cube(folder)
    role = designs_of_cube(cube)[design].role[fold]
    return role.reshape(role.shape[0], *GRID.shape)


@pytest.mark.parametrize(
    ("design", "fold", "networks", "baselines"),
    [
        # In blocks, earlier epochs of the test cells are on record at the later ones, as any
        # forecaster has them; so without the past nothing may move.
        ("spatial_blocks", 0, MODELS[:1], MODELS[1:]),
        # One test epoch, and a past that ends before it: nothing may move with the past either.
        ("forward_chaining", -1, ("default",), ("persistence_mean", "logistic", "climatology")),
    ],
)
def test_poisoned_test_targets_change_nothing(tmp_path, design, fold, networks, baselines):
    config = small_config(
        schemes=(SchemeConfig(design=design, folds=1, take="first" if fold == 0 else "last"),),
        networks=networks, baselines=baselines, final=None,
    )  # fmt: skip
    role = design_roles(tmp_path, design, fold)
    clean = forecasts(tmp_path / "clean", config)
    poisoned = forecasts(tmp_path / "poisoned", config, poison(role == TEST))
    assert (poisoned.area_density[role == TEST] == 77).all()
    for model in (*networks, *baselines):
        assert clean.has(design, model)
        for field in ("probability", "mu", "sigma", "mean_percent"):
            a, b = (run.field(field, design, model) for run in (clean, poisoned))
            assert np.isfinite(a[role == TEST]).all()
            assert np.isnan(a[role != TEST]).all()
            assert np.array_equal(a, b, equal_nan=True), (model, field)
        assert np.array_equal(
            clean.threshold(design, model), poisoned.threshold(design, model), equal_nan=True
        )
    # The check can fail: training targets do change forecasts.
    trained = forecasts(tmp_path / "trained", config, poison(role == TRAIN))
    for model in (*networks, *baselines):
        a, b = (run.field("mu", design, model) for run in (clean, trained))
        assert not np.array_equal(a, b, equal_nan=True), model
