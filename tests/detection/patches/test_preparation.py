import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from detection.patches.preparation import Preparation, batch_arrays, fit_preparation
from detection.patches.preparation import prepare as prepare_eagerly
from detection.scenes.topography import topography as topography_eagerly
from hazard.errors import DataError
from tests.detection.patches.made_patches import made_patches

prepare = jax.jit(prepare_eagerly, static_argnums=0)
topography = jax.jit(topography_eagerly, static_argnums=(1, 2))


@pytest.fixture(scope="module")
def patches():
    return made_patches(n=20)


@pytest.fixture(scope="module")
def rule(patches):
    return fit_preparation(patches)


@pytest.fixture(scope="module")
def prepared(patches, rule):
    return {k: np.asarray(v) for k, v in prepare(rule, batch_arrays(patches)).items()}


def test_pixels_that_count_have_mean_zero_and_deviation_one(patches, prepared):
    post = prepared["image"][patches.counted]
    pre = prepared["pre"][patches.counted & patches.pre_valid]
    both = np.concatenate([post, pre]).astype(np.float64)
    np.testing.assert_allclose(both.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(both.std(0), 1, atol=1e-5)
    ground = prepared["topography"][patches.counted].astype(np.float64)
    np.testing.assert_allclose(ground.std(0), 1, atol=0.05)


def test_what_does_not_count_teaches_nothing(patches, rule):
    image, pre = patches.image.copy(), patches.pre.copy()
    image[~patches.counted] = 1e6
    pre[~(patches.counted & patches.pre_valid)] = np.nan
    changed = dataclasses.replace(patches, image=image, pre=pre)
    assert fit_preparation(changed) == rule


def test_pixels_that_were_not_seen_are_zero_whatever_stood_there(patches, rule, prepared):
    image = patches.image.copy()
    image[~patches.valid] = np.nan
    pre = patches.pre.copy()
    pre[~patches.pre_valid] = np.inf
    again = prepare(rule, batch_arrays(dataclasses.replace(patches, image=image, pre=pre)))
    for name in ("image", "pre", "topography"):
        np.testing.assert_array_equal(again[name], prepared[name])
    assert (prepared["image"][~patches.valid] == 0).all()
    assert (prepared["topography"][~patches.valid] == 0).all()


def test_ground_that_an_augmentation_filled_makes_no_cliff(patches, rule):
    batch = batch_arrays(patches)
    batch["valid"] = np.ones_like(patches.valid)
    batch["valid"][:, :4] = False
    cut = {name: value[:, 4:] for name, value in batch.items()}
    batch["elevation_m"] = np.where(batch["valid"], batch["elevation_m"], 0)
    filled = prepare(rule, batch)["topography"][:, 4:]
    np.testing.assert_allclose(filled, prepare(rule, cut)["topography"], atol=1e-5)


def test_slope_and_hillshade_are_made_from_the_turned_ground(patches, rule):
    batch = {k: np.rot90(v, axes=(1, 2)) for k, v in batch_arrays(patches).items()}
    found = prepare(rule, batch)["topography"]
    layers, known = topography(
        jnp.asarray(batch["elevation_m"]), 10.0, rule.topography, jnp.asarray(batch["valid"])
    )
    wanted = (layers - np.array(rule.topography_mean)) / np.array(rule.topography_scale)
    np.testing.assert_allclose(found, np.where(known[..., None], wanted, 0), atol=1e-4)


def test_without_jit_it_gives_the_same(patches, rule, prepared):
    found = prepare_eagerly(rule, batch_arrays(patches))
    assert sorted(found) == sorted(rule.inputs)
    for name, width in rule.inputs.items():
        assert found[name].shape == (*patches.image.shape[:3], width)
        np.testing.assert_allclose(found[name], prepared[name], atol=1e-4)


def test_it_goes_to_text_and_back_exactly(rule):
    assert Preparation.from_json(rule.to_json()) == rule
    assert hash(Preparation.from_json(rule.to_json())) == hash(rule)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"layout": "detection-preparation", "layout_version": 99}']
)
def test_other_texts_are_refused(text):
    with pytest.raises(DataError, match=r"model\.json: found a text that cannot be used"):
        Preparation.from_json(text, source="model.json")


def test_two_means_of_very_different_size_pool_without_loss():
    patches = made_patches(n=40, pre=False, elevation=False)
    shifted = dataclasses.replace(patches, image=(patches.image + 1000).astype(np.float32))
    rule = fit_preparation(shifted, indices=(), topography=())
    counted = shifted.image[shifted.counted].astype(np.float64)
    np.testing.assert_allclose(rule.mean, counted.mean(0), rtol=1e-12)
    np.testing.assert_allclose(rule.scale, counted.std(0), rtol=1e-9)


def test_other_bands_units_and_pixels_are_refused(rule):
    rule.require(rule.bands, "1", 10.2)
    with pytest.raises(DataError, match="in this order"):
        rule.require(rule.bands[::-1], "1", 10.0)
    with pytest.raises(DataError, match="unit 'dn'"):
        rule.require(rule.bands, "dn", 10.0)
    with pytest.raises(DataError, match="found pixels of 3 m; expected 10 m"):
        rule.require(rule.bands, "1", 3.0)
    with pytest.raises(DataError, match="unknown size"):
        rule.require(rule.bands, "1", None)


def test_training_sets_that_cannot_be_used_are_told(patches):
    with pytest.raises(DataError, match="no elevation"):
        fit_preparation(dataclasses.replace(patches, elevation_m=None))
    with pytest.raises(DataError, match="no size of a pixel"):
        fit_preparation(dataclasses.replace(patches, pixel_m=None))
    with pytest.raises(DataError, match="no pixel that was seen"):
        fit_preparation(dataclasses.replace(patches, known=np.zeros_like(patches.known)))
    image = patches.image.copy()
    image[..., 3] = 0
    plain = dataclasses.replace(patches, image=image, pre=None, pre_valid=None)
    with pytest.raises(DataError, match="'nir' equal to 0"):
        fit_preparation(plain, indices=())
    image[..., 2] = np.nan
    with pytest.raises(DataError, match="'red' that are not finite"):
        fit_preparation(plain, indices=())
    with pytest.raises(DataError, match="no earlier image"):
        fit_preparation(made_patches(pre=False), use_pre=True)
    with pytest.raises(ValueError, match="no 'pre' in the batch"):
        prepare(fit_preparation(patches), batch_arrays(made_patches(pre=False)))
