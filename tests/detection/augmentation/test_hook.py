"""The hook as the training loop uses it: keys, compilation, what is shared and what is not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from detection.augmentation.config import AugmentationConfig, Change
from detection.augmentation.draws import draw_numbers, switches
from detection.augmentation.hook import Augmentation, make_hook
from detection.augmentation.presets import AUGMENTATIONS, augmentation
from detection.losses.terms import DETECTION_TERMS
from hazard.training.curriculum import Stage
from hazard.training.data import ArraySource
from hazard.training.loop import train
from hazard.training.objective import LossTerm
from hazard.training.optimiser import OptimiserConfig
from hazard.training.programs import ProgramCache

PATCHES, SIZE, BANDS = 6, 24, 3
GAIN = {"low": 0.5, "high": 2.0}
HOOK = make_hook(AUGMENTATIONS["bitemporal"])
COMPILED = jax.jit(HOOK)


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(5)
    image = rng.normal(0.3, 0.1, (PATCHES, SIZE, SIZE, BANDS)).astype(np.float32)
    mask = np.zeros((PATCHES, SIZE, SIZE), np.float32)
    mask[:, 8:16, 6:14] = 1
    valid = rng.random((PATCHES, SIZE, SIZE)) > 0.03
    return {
        "image": jnp.asarray(image),
        "valid": jnp.asarray(valid),
        "pre": jnp.asarray(image),
        "pre_valid": jnp.asarray(valid),
        "elevation_m": jnp.asarray(rng.normal(900, 20, mask.shape).astype(np.float32)),
        "mask": jnp.asarray(mask),
        "weight": jnp.asarray(valid.astype(np.float32)),
        "number": jnp.arange(PATCHES),
    }


def test_a_hook_keeps_names_shapes_and_types(batch):
    changed = COMPILED(batch, jax.random.key(0))
    assert {k: (v.shape, v.dtype) for k, v in changed.items()} == {
        k: (v.shape, v.dtype) for k, v in batch.items()
    }
    np.testing.assert_array_equal(changed["number"], np.arange(PATCHES))
    assert not np.array_equal(changed["image"], batch["image"])


def test_turns_move_pixels_and_change_none(batch):
    changed = jax.jit(make_hook(AUGMENTATIONS["turns"]))(batch, jax.random.key(2))
    # What was not seen holds zeros afterwards.
    batch = batch | {"image": batch["image"] * batch["valid"][..., None]}
    for name in ("image", "valid", "elevation_m", "mask", "weight"):
        before, after = (np.asarray(x[name]).reshape(PATCHES, -1) for x in (batch, changed))
        np.testing.assert_array_equal(np.sort(before, axis=1), np.sort(after, axis=1))
    assert not np.array_equal(changed["image"], batch["image"])


def test_equal_keys_give_equal_batches_and_samples_differ(batch):
    one, two = COMPILED(batch, jax.random.key(3)), COMPILED(batch, jax.random.key(3))
    for name in batch:
        np.testing.assert_array_equal(one[name], two[name])
    other = COMPILED(batch, jax.random.key(4))
    assert not np.array_equal(one["image"], other["image"])
    # The same patch six times comes out in different shapes.
    same = {k: v if k == "number" else jnp.broadcast_to(v[:1], v.shape) for k, v in batch.items()}
    masks = np.asarray(COMPILED(same, jax.random.key(3))["mask"])
    assert len({mask.tobytes() for mask in masks}) >= 4


def test_compiled_and_plain_agree(batch):
    few = {k: batch[k][:2] for k in ("image", "valid", "mask", "weight")}
    ranges = AUGMENTATIONS["bitemporal"].to_mapping()
    hook = make_hook(augmentation("none", {k: ranges[k] for k in ("rotation_deg", "gain")}))
    plain, compiled = hook(few, jax.random.key(9)), jax.jit(hook)(few, jax.random.key(9))
    for name in ("mask", "weight", "valid"):
        # A place on the border of two pixels may round to either of them.
        assert np.mean(np.asarray(plain[name]) != np.asarray(compiled[name])) < 2e-3, name
    close = np.isclose(plain["image"], compiled["image"], rtol=1e-4, atol=1e-4)
    assert close.mean() > 0.99


def test_dates_share_the_ground_and_not_the_weather(batch):
    both = AUGMENTATIONS["bitemporal"]
    ground = {n: both.to_mapping()[n] for n in ("vertical_flip", "rotation_deg", "scale")}
    moved = jax.jit(make_hook(augmentation("none", ground)))(batch, jax.random.key(1))
    np.testing.assert_array_equal(moved["pre"], moved["image"])
    assert not np.array_equal(moved["image"], batch["image"])
    weather = augmentation("none", {"gain": GAIN})
    seen = jax.jit(make_hook(weather))(batch, jax.random.key(1))
    np.testing.assert_array_equal(seen["mask"], batch["mask"])
    np.testing.assert_array_equal(seen["elevation_m"], batch["elevation_m"])
    ratio = np.asarray(seen["pre"] / seen["image"])[np.asarray(batch["valid"])]
    assert np.abs(ratio - 1).mean() > 0.02


def test_no_augmentation_returns_the_batch_itself(batch):
    assert make_hook(AUGMENTATIONS["none"])(batch, jax.random.key(0)) is batch


def test_an_array_without_a_rule_is_refused(batch):
    with pytest.raises(ValueError, match=r"'aspect' of shape \(6, 24, 24\)"):
        HOOK({**batch, "aspect": batch["mask"]}, jax.random.key(0))
    with pytest.raises(ValueError, match="no 'image'"):
        HOOK({"mask": batch["mask"]}, jax.random.key(0))


def test_the_published_menu_changes_one_thing_in_six_of_seven_samples():
    config = AUGMENTATIONS["adsms"]
    assert list(config.shares) == [
        "vertical_flip", "rotation_deg", "shear_x_deg", "shear_y_deg", "blur_px", "sharpen",
    ]  # fmt: skip
    assert config.change("rotation_deg") == Change(low=-45, high=45, probability=1 / 7)
    assert config.change("blur_px").high == 3.0
    assert config.sharpen_lightness == (0.75, 2.0)
    n = 3000
    keys = jax.random.split(jax.random.key(0), n)
    on = jax.jit(jax.vmap(lambda key: switches(config, draw_numbers(key))))(keys)
    together = np.sum([np.asarray(v, int) for v in on.values()], axis=0)
    assert together.max() == 1
    spread = 4 * np.sqrt((1 / 7) * (6 / 7) / n)
    assert abs((together == 0).mean() - 1 / 7) < spread
    for name, happened in on.items():
        assert abs(np.mean(happened) - 1 / 7) < spread, name


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_presets_survive_a_configuration_file(name):
    config = AUGMENTATIONS[name]
    assert AugmentationConfig.from_mapping(config.to_mapping()) == config
    assert make_hook(config) == Augmentation(config)
    assert hash(make_hook(config)) == hash(Augmentation(config))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"vertical_flip": 1.5}, "from 0 to 1"),
        ({"scale": {"low": 0.0, "high": 2.0}}, "scale 0.0 to 2.0"),
        ({"rotation_deg": {"low": 5, "high": -5}}, "in order"),
        ({"rotation_deg": {"from": 5}}, "use low, high"),
        ({"shear_x_deg": {"low": -90, "high": 0}}, "shear_x_deg"),
        ({"sharpen_lightness": [0.0, 1.0]}, "positive"),
        ({"exclusive": True, "vertical_flip": 0.7, "horizontal_flip": 0.7}, "add to 1.4"),
        ({"twist": 1}, "'twist'"),
    ],
)
def test_settings_without_sense_are_refused(values, words):
    with pytest.raises(ValueError, match=words):
        AugmentationConfig.from_mapping(values)
    with pytest.raises(ValueError, match="use one of none"):
        augmentation("everything")


class OneFilter(nnx.Module):
    """The smallest network: one 1 x 1 convolution."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.conv = nnx.Conv(BANDS, 1, (1, 1), rngs=rngs)

    def __call__(self, batch, *, rngs=None):
        return {"logit": self.conv(batch["image"])[..., 0]}


def test_the_training_loop_takes_the_hook_and_repeats_itself(batch):
    arrays = {k: v for k, v in batch.items() if k in ("image", "valid", "mask", "weight")}
    stage = Stage(
        name="only", epochs=2, terms=(LossTerm(term="cross_entropy"),), batch_size=3,
        optimiser=OptimiserConfig(learning_rate=0.1),
    )  # fmt: skip

    cache, source = ProgramCache(), ArraySource(arrays)

    def fitted(hook):
        result = train(OneFilter, [stage], source, table=DETECTION_TERMS, augment=hook, cache=cache)
        return np.concatenate([np.ravel(v) for v in jax.tree.leaves(result.variables.params)])

    settings = {"horizontal_flip": 0.5, "gain": GAIN}
    first = fitted(make_hook(augmentation("none", settings)))
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(first, fitted(make_hook(augmentation("none", settings))))
    # Hooks of equal configurations are equal: the second training compiled nothing.
    assert len(cache) == 1
    assert not np.array_equal(first, fitted(None))
