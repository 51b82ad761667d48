"""Training patches in, a model out: what it learned, what it stores, how it goes on."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

from detection.training.fit_network import (
    Imbalance,
    Inputs,
    NetworkChoice,
    fit_network,
)
from detection.training.model import predict_patches
from detection.training.model_file import load_model, save_model, weights_digest
from detection.training.recipes import recipe
from hazard.errors import DataError, UserError
from hazard.training.programs import ProgramCache
from tests.detection.training.made import SMALL, made_patches

CHOICE = NetworkChoice(name="default", settings=SMALL, label="small")
OURS = replace(
    recipe("default"),
    epochs=15,
    batch_size=4,
    optimiser=replace(recipe("default").optimiser, learning_rate=2e-2),
)
CACHE = ProgramCache()


def patches(seed, scene, number=16):
    return made_patches(number, seed=seed, scene=scene, pre=True, elevation=True)


def fit(**changes):
    options = {"recipe": OURS, "seed": 4, "cache": CACHE, **changes}
    return fit_network(CHOICE, patches(1, "a"), patches(2, "b", 8), **options)


@pytest.fixture(scope="module")
def fitted():
    return fit(provenance={"note": "test"})


def test_it_learns_what_is_there_to_learn(fitted):
    test = patches(3, "c", 8)
    above = predict_patches(fitted.model, test, batch_size=4) >= fitted.model.threshold.threshold
    truth, counted = test.truth, test.counted
    hits = (above & truth & counted).sum()
    f1 = 2 * hits / ((above & counted).sum() + (truth & counted).sum())
    assert f1 > 0.9
    assert fitted.history[-1].loss[0] < 0.3 * fitted.history[0].loss[0]


def test_the_threshold_is_that_of_the_validation_patches(fitted):
    choice, validation = fitted.model.threshold, patches(2, "b", 8)
    assert choice.rule == "f1"
    assert choice.pixels == validation.counted.sum()
    assert choice.positive == (validation.truth & validation.counted).sum()
    assert fitted.model.provenance["note"] == "test"


def test_what_does_not_count_changes_no_weight(fitted):
    training = patches(1, "a")
    rng = np.random.default_rng(0)
    image = np.where(training.valid[..., None], training.image, rng.normal(0, 1e3))
    truth = np.where(training.known, training.truth, rng.random(training.truth.shape) < 0.5)
    spoiled = replace(training, image=image.astype(np.float32), truth=truth)
    again = fit_network(CHOICE, spoiled, patches(2, "b", 8), recipe=OURS, seed=4, cache=CACHE)
    assert weights_digest(again.model.variables) == weights_digest(fitted.model.variables)


def test_a_stored_model_needs_nothing_else(fitted, tmp_path):
    folder = save_model(fitted.model, tmp_path / "model")
    model, test = load_model(folder), patches(3, "c", 8)
    one, other = (predict_patches(m, test, batch_size=4) for m in (fitted.model, model))
    np.testing.assert_array_equal(one, other)
    assert model.threshold == fitted.model.threshold
    assert model.preparation == fitted.model.preparation
    assert model.settings == fitted.model.settings
    assert model.provenance == json.loads(json.dumps(fitted.model.provenance))
    # In batches of another size: the same probabilities but for the order of sums.
    uneven = predict_patches(model, test.select([0, 1, 2]), batch_size=4)
    np.testing.assert_array_equal(uneven, other[:3])


def test_a_model_is_refused_where_it_cannot_be_used(fitted, tmp_path):
    folder = save_model(fitted.model, tmp_path / "model")
    test = patches(3, "c", 2)
    for wrong in (
        replace(test, unit="dn"),
        replace(test, bands=("red", "green", "nir")),
        replace(test, pixel_m=10.0),
    ):
        with pytest.raises(DataError, match="expected"):
            predict_patches(fitted.model, wrong)
    record = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**record, "layout_version": 99}))
    with pytest.raises(DataError, match="version 99"):
        load_model(folder)
    (folder / "model.json").write_text(json.dumps({**record, "weights_sha256": "0"}))
    with pytest.raises(DataError, match="digest"):
        load_model(folder)
    (folder / "model.json").write_text("{")
    with pytest.raises(DataError, match="no readable model"):
        load_model(folder)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(DataError):
        save_model(fitted.model, tmp_path / "other")


def test_members_are_averaged(fitted):
    one = fitted.model
    other = jax.tree.map(lambda v: v + 0.05, one.variables)
    both = replace(
        one, variables=jax.tree.map(lambda a, b: np.concatenate([a, b]), one.variables, other)
    )
    assert both.members == 2
    test = patches(3, "c", 4)
    single = [
        predict_patches(replace(one, variables=v), test, batch_size=4)
        for v in (one.variables, other)
    ]
    mean = predict_patches(both, test, batch_size=4)
    np.testing.assert_allclose(mean, np.mean(single, axis=0), atol=1e-5)
    assert np.abs(single[0] - single[1]).max() > 0.01


class StopHereError(Exception):
    pass


def test_an_interrupted_training_ends_with_the_same_weights(fitted, tmp_path):
    def stop(at):
        if at.epoch == 3:
            raise StopHereError

    with pytest.raises(StopHereError):
        fit(checkpoints=tmp_path, save_every_s=0.0, progress=stop)
    with pytest.raises(UserError, match="another training"):
        fit(checkpoints=tmp_path, resume=True, seed=5)
    steps = []
    resumed = fit(checkpoints=tmp_path, resume=True, progress=lambda at: steps.append(at.epoch))
    assert min(steps) >= 2
    assert weights_digest(resumed.model.variables) == weights_digest(fitted.model.variables)
    assert resumed.history == fitted.history


def test_another_seed_is_another_network(fitted):
    short = replace(OURS, epochs=0)
    one, other = (fit(recipe=short, seed=s).model.variables for s in (1, 2))
    assert weights_digest(one) != weights_digest(other)


def test_fine_tuning_keeps_preparation_and_frozen_parts(fitted):
    before = fitted.model
    tuned = fit_network(
        CHOICE, patches(7, "far"), patches(8, "near", 8), recipe=replace(OURS, epochs=2),
        initial=before, frozen=("encoder",),
    ).model  # fmt: skip
    assert tuned.preparation == before.preparation
    same = [
        name
        for name, value in tuned.variables.params.items()
        if np.array_equal(value, before.variables.params[name])
    ]
    assert same
    assert all(name.startswith("network/encoder/") for name in same)
    assert set(same) == {n for n in tuned.variables.params if n.startswith("network/encoder/")}


def test_leaks_and_missing_parts_are_refused():
    training = patches(1, "a")
    with pytest.raises(DataError, match="overlap training patches"):
        fit_network(CHOICE, training, training.select([0, 1]), recipe=OURS)
    with pytest.raises(DataError, match="chooses its weights"):
        fit_network(CHOICE, training, None, recipe=recipe("adsms"))
    with pytest.raises(DataError, match="unit"):
        fit_network(CHOICE, training, replace(patches(2, "b"), unit="dn"), recipe=OURS)
    with pytest.raises(ValueError, match="follows from the preparation"):
        fit_network(
            NetworkChoice(settings={"bands": 3}), training, patches(2, "b"), recipe=OURS
        )  # fmt: skip
    with pytest.raises(ValueError, match="no cross-entropy"):
        fit_network(
            CHOICE, training, patches(2, "b"), recipe=recipe("hr_gldd_code"),
            imbalance=Imbalance(positive_weight=2.0),
        )  # fmt: skip
    with pytest.raises(ValueError, match="compares two dates"):
        fit_network(
            NetworkChoice(name="bitemporal_residual_unet"), training, patches(2, "b"),
            recipe=recipe("bitemporal"), inputs=Inputs(use_pre=False),
        )  # fmt: skip


def test_the_prior_is_taken_back_from_proper_losses(fitted):
    entropy = recipe("default").terms[0]
    proper = replace(OURS, terms=(entropy,), epochs=0)
    tools = Imbalance(positive_weight=3.0)
    training, validation = patches(1, "a"), patches(2, "b", 8)

    def shift(used, chosen):
        return fit_network(
            CHOICE, training, validation, recipe=used, imbalance=chosen
        ).model.logit_shift

    assert shift(proper, tools) == pytest.approx(np.log(3.0))
    assert shift(proper, replace(tools, restore_prior=False)) == 0.0
    assert shift(replace(OURS, epochs=0), tools) == 0.0
    moved = replace(fitted.model, logit_shift=np.log(3.0))
    a, b = (predict_patches(m, validation, batch_size=4) for m in (moved, fitted.model))
    inside = (b > 1e-3) & (b < 1 - 1e-3)
    odds_a, odds_b = a[inside] / (1 - a[inside]), b[inside] / (1 - b[inside])
    np.testing.assert_allclose(odds_b / odds_a, 3.0, rtol=1e-3)


DEVICES = """
SETTINGS = %r
from dataclasses import replace
import jax
from detection.augmentation.hook import make_hook
from detection.augmentation.presets import augmentation
from detection.training.fit_network import NetworkChoice, fit_network
from detection.training.recipes import recipe
from hazard.training.sharding import data_parallel
from tests.detection.training.made import made_patches

assert len(jax.devices()) == 2
used = replace(recipe("default"), epochs=2, batch_size=4)
losses = []
for parallel in (None, data_parallel()):
    found = fit_network(
        NetworkChoice(settings=SETTINGS),
        made_patches(8, seed=1, scene="a"), None, recipe=used,
        parallel=parallel, augment=make_hook(augmentation("default")),
    )
    losses.append([h.loss[0] for h in found.history])
print(losses)
"""


# The loop is that of hazard.training, whose own test of devices runs every time.
@pytest.mark.slow
@pytest.mark.nightly
def test_several_devices_give_the_losses_of_one():
    environment = {
        **os.environ,
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        "JAX_PLATFORMS": "cpu",
    }
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-c", DEVICES % SMALL], capture_output=True, text=True, cwd=root,
        env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    one, two = json.loads(done.stdout.strip().splitlines()[-1])
    np.testing.assert_allclose(two, one, rtol=2e-4)
    assert one[1] < one[0]


def test_variables_are_float32(fitted):
    assert {leaf.dtype for leaf in jax.tree.leaves(fitted.model.variables)} == {np.dtype("float32")}
