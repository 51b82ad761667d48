"""A run of fits: what it writes, what it skips, and that an interrupted one ends the same."""

import hashlib
import json

import numpy as np
import pytest

from hazard.archive.predictions import open_predictions
from hazard.config.fit import CeilingConfig, ReferenceConfig, SchemeConfig
from hazard.estimate import networks
from hazard.estimate.run import estimate_run
from hazard.variables import PAST_WINDOWS
from stats.resampling.folds import TEST, TRAIN
from tests.hazard.estimate.small_fit import silent, small_config
from tests.hazard.small_cube import write_small_cube

CONFIG = small_config(
    references=ReferenceConfig(networks=("reference",)), ceiling=CeilingConfig(folds=2, block_km=4),
    baselines=("zero", "climatology", "persistence_mean", "lightgbm"),
    pools=(("default", "lightgbm"), ("reference", "zero")),
)  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    cube = write_small_cube(folder)
    found = estimate_run(folder, cube, CONFIG, silent())
    return folder, cube, found, open_predictions(folder)


def test_every_model_predicts_exactly_the_cells_that_its_folds_test(run):
    _, cube, _, predictions = run
    for scheme in ("spatial_blocks", "forward_chaining"):
        fold = predictions.fold(scheme)
        role = cube.folds[f"role_{scheme}"].values
        number = 0 if scheme == "spatial_blocks" else -1
        assert np.array_equal(fold == 0, role[number] == TEST)
        for model in ("default", "zero", "climatology", "persistence_mean"):
            found = np.isfinite(predictions.field("probability", scheme, model))
            assert np.array_equal(found, fold >= 0), (scheme, model)


def test_the_final_model_covers_the_mask_and_nothing_else(run):
    _, _, _, predictions = run
    found = np.isfinite(predictions.field("mean_percent", "final", "default"))
    assert np.array_equal(found, np.broadcast_to(predictions.mask, found.shape))
    assert next(s for s in predictions.header.schemes if s.name == "final").in_sample


def test_a_pool_is_the_mean_of_its_parts_in_probability_and_in_expected_density(run):
    folder, _, _, predictions = run
    parts = {
        name: predictions.field(name, "forward_chaining", model).astype(float)
        for model in ("default",) for name in ("probability", "mean_percent")
    }  # fmt: skip
    trees = {
        name: predictions.field(name, "forward_chaining", "lightgbm").astype(float)
        for name in parts
    }
    pool = {
        name: predictions.field(name, "forward_chaining", "default_and_lightgbm") for name in parts
    }
    mean = (parts["probability"] + trees["probability"]) / 2
    assert pool["probability"] == pytest.approx(mean, nan_ok=True, abs=1e-6)
    expected = sum(p["probability"] * p["mean_percent"] for p in (parts, trees)) / 2
    made = pool["probability"] * pool["mean_percent"]
    assert made == pytest.approx(expected, nan_ok=True, rel=1e-4, abs=1e-7)
    assert not np.allclose(parts["probability"], trees["probability"], equal_nan=True)
    record = json.loads(
        (folder / "models/forward_chaining/fold_0/default_and_lightgbm/model.json").read_text()
    )
    assert record["parts"] == ["default", "lightgbm"]
    assert record["weights"] == [0.5, 0.5]


def test_a_pool_with_a_model_that_was_not_run_is_a_row_with_the_reason(run):
    _, _, _, predictions = run
    absent = [row for row in predictions.header.not_run if row.model == "reference_and_zero"]
    assert absent, predictions.header.not_run
    assert "reference, which was not run" in absent[0].reason


def test_members_are_kept_and_make_the_mean(run):
    _, _, _, predictions = run
    members = predictions.field("member_probability", "forward_chaining", "default")
    assert members.shape[0] == 2
    mean = predictions.field("probability", "forward_chaining", "default")
    assert members.mean(axis=0) == pytest.approx(mean, nan_ok=True, abs=1e-6)
    spread = predictions.field("probability_spread", "forward_chaining", "default")
    assert np.nanmax(spread) > 0
    single = predictions.field("member_probability", "spatial_blocks", "default")
    assert np.isfinite(single[0]).any()
    assert np.isnan(single[1]).all()


def test_constants_are_the_rates_of_the_training_cells(run):
    _, cube, _, predictions = run
    role = cube.folds["role_spatial_blocks"].values[0]
    rate = (predictions.area_density[role == TRAIN] > 0).mean()
    tested = role == TEST
    p = predictions.field("probability", "spatial_blocks", "climatology")[tested]
    assert p == pytest.approx(np.full(p.shape, rate), rel=1e-6)
    assert (predictions.field("probability", "spatial_blocks", "zero")[tested] == 0).all()


def test_the_ceiling_stands_on_the_epochs_that_forward_chaining_tests(run):
    _, _, _, predictions = run
    ceiling = np.isfinite(predictions.field("probability", "same_epoch_blocks", "lightgbm"))
    assert np.array_equal(ceiling, predictions.fold("forward_chaining") >= 0)


def test_what_cannot_run_is_named_with_its_reason(run):
    _, _, found, predictions = run
    reasons = {(n.scheme, n.model): n.reason for n in predictions.header.not_run}
    assert (
        reasons[("spatial_blocks", "reference")] == "it needs 32 pixels per cell; this study has 2"
    )
    assert ("leave_one_epoch_out", "") in reasons
    assert found.header.not_run == predictions.header.not_run


def test_a_model_that_reads_no_rain_has_no_variant_of_it_but_a_row_that_says_why(run):
    _, _, found, predictions = run
    name = "lightgbm_climatological_rain"
    reasons = {(n.scheme, n.model): n.reason for n in predictions.header.not_run}
    assert not predictions.has("forward_chaining", name)
    assert "lightgbm reads no rain" in reasons[("forward_chaining", name)]
    # Under blocks of place the epoch is known, and its rain is read.
    assert predictions.has("spatial_blocks", name)
    assert ("spatial_blocks", name) not in reasons
    # Every cell of the forecast epoch has a record, beside which the network reads no rain.
    assert "default reads no rain" in reasons[("forward_chaining", "default_climatological_rain")]
    assert ("spatial_blocks", "default_climatological_rain") not in reasons
    assert len(found.header.not_run) == len(reasons)


def test_climatological_rain_is_a_model_of_its_own(run):
    _, _, _, predictions = run
    record = next(m for m in predictions.header.models if m.rain == "climatological")
    assert record.variant_of == "default"
    a = predictions.field("probability", "spatial_blocks", "default")
    b = predictions.field("probability", "spatial_blocks", record.name)
    assert np.array_equal(np.isfinite(a), np.isfinite(b))
    assert not np.array_equal(a, b, equal_nan=True)


def test_baselines_read_their_own_neighbourhoods_and_not_those_of_the_network(run):
    folder, cube, *_ = run
    assert CONFIG.fit.network.past_windows == (3,)
    for scheme in ("forward_chaining", "same_epoch_blocks"):
        record = json.loads(
            (folder / "models" / scheme / "fold_0" / "lightgbm" / "model.json").read_text()
        )
        sides = {n.split("_")[-1] for n in record["features"] if n.startswith("past_mean_")}
        assert sides == {f"{w}x{w}" for w in PAST_WINDOWS if w <= min(cube.grid.shape)}
        assert len(sides) > 1


def test_cards_and_records_tell_what_was_fitted(run):
    folder, cube, found, _ = run
    model = folder / "models" / "forward_chaining" / "fold_0" / "default"
    record = json.loads((model / "model.json").read_text())
    role = cube.folds["role_forward_chaining"].values[-1]
    assert record["train"] == int((role == TRAIN).sum())
    assert record["standardisation"]["n_train"] == record["train"]
    fits = {(f["scheme"], f["fold"], f["name"]): f for f in found.fits}
    told = fits["forward_chaining", 0, "default"]
    assert folder / told["folder"] == model
    # What the provenance says can be checked in the model's own record.
    text = json.dumps(record["standardisation"], sort_keys=True, separators=(",", ":"))
    assert told["standardisation"] == hashlib.sha256(text.encode()).hexdigest()
    assert told["train_cells"] == record["train_cells"]
    assert fits["forward_chaining", 0, "zero"]["standardisation"] is None
    assert len(record["history"]) >= 1
    with np.load(model / "members.npz") as arrays:
        assert all(values.shape[0] == 2 for values in arrays.values())
    card = (model / "card.md").read_text()
    assert card.startswith("# SYNTHETIC: default, forward_chaining")
    assert "slope_deg | degree" in card
    assert "pga_sd (one event)" in card
    # Networks, ceiling, baselines and pools of two schemes.
    assert len(found.fits) == 3 + 2 + 4 * 2 + 2


def test_a_resumed_run_fits_nothing_again_and_writes_the_same(run, tmp_path, monkeypatch):
    folder, cube, _, before = run

    def never(*_, **__):
        raise AssertionError("fitted again")

    monkeypatch.setattr(networks, "train", never)
    found = estimate_run(folder, cube, CONFIG, silent(), resume=True)
    assert all(fit["resumed"] for fit in found.fits)
    after = open_predictions(folder)
    for scheme in ("spatial_blocks", "forward_chaining", "final"):
        for field in ("probability", "mean_percent"):
            a, b = (p.field(field, scheme, "default") for p in (before, after))
            assert np.array_equal(a, b, equal_nan=True)


class Killed(BaseException):
    """Stands for a kill: nothing may catch it."""


def test_an_interrupted_run_ends_as_an_uninterrupted_one(run, tmp_path, monkeypatch):
    _, _, _, whole = run
    config = CONFIG.model_copy(
        update={"fit": CONFIG.fit.model_copy(update={
            "schemes": CONFIG.fit.schemes[:2], "references": ReferenceConfig(), "ceiling": None,
            "baselines": ("climatology",), "pools": (),
            "training": CONFIG.fit.training.model_copy(update={"save_every_s": 1e-9}),
        })}
    )  # fmt: skip
    cube = write_small_cube(tmp_path)
    looks = []

    def kill(self, at):
        looks.append((self.what, at.epoch))
        # Past the first fit, in the second epoch of the second: a checkpoint stands.
        if "forward" in self.what and at.epoch == 1:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("hazard.estimate.telling.TrainingTeller.__call__", kill)
        with pytest.raises(Killed):
            estimate_run(tmp_path, cube, config, silent())
    assert not (tmp_path / "predictions.zarr").exists()
    assert list((tmp_path / "work" / "checkpoints").iterdir())
    found = estimate_run(tmp_path, cube, config, silent(), resume=True)
    resumed = {(f["scheme"], f["name"]): f["resumed"] for f in found.fits}
    assert resumed[("spatial_blocks", "default")]
    assert not resumed[("forward_chaining", "default")]
    again = open_predictions(tmp_path)
    for scheme in ("spatial_blocks", "forward_chaining", "final"):
        a, b = (p.field("probability", scheme, "default") for p in (whole, again))
        assert np.array_equal(a, b, equal_nan=True), scheme


def test_other_settings_are_other_fits(run, tmp_path):
    _, cube, found, _ = run
    config = small_config(
        schemes=(SchemeConfig(design="spatial_blocks", folds=1),), baselines=("zero",), final=None,
        training=CONFIG.fit.training.model_copy(update={"epochs": 1}),
    )  # fmt: skip
    other = estimate_run(tmp_path, cube, config, silent())
    keys = {(f["scheme"], f["name"]): f["key"] for f in found.fits}
    mine = {(f["scheme"], f["name"]): f["key"] for f in other.fits}
    assert keys[("spatial_blocks", "default")] != mine[("spatial_blocks", "default")]
    assert keys[("spatial_blocks", "zero")] == mine[("spatial_blocks", "zero")]
