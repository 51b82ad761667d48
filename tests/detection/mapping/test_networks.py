"""Real networks: tiles give what one pass over the whole scene gives, also of trained models."""

import pickle
from dataclasses import replace

import jax
import numpy as np
import pytest
import rasterio
from affine import Affine

from detection.mapping.forward import ALL_FLIPS, Flipped
from detection.mapping.model_forward import ModelForward, model_identity, pixel_side_m
from detection.mapping.scene_map import MapSettings, map_scene
from detection.mapping.source import ArrayScene, read_padded
from detection.mapping.stored import NOT_SEEN
from detection.patches.preparation import Preparation
from detection.training.model import DetectionModel
from detection.training.threshold import ThresholdChoice
from hazard.errors import DataError
from hazard.geo.grid import Block, Grid
from hazard.training.functional import Variables
from tests.detection.mapping.scenes import array_scene, random_scene, utm
from tests.detection.mapping.test_scene_map import blended
from tests.detection.models.small_networks import SMALL, abstract, drawn, ready

SHAPE = (118, 90)  # no multiples of any stride


def padded_batch(source, stride):
    rows, columns = (-(-side // stride) * stride for side in source.grid.shape)
    window = read_padded(source, Block(row0=0, row1=rows, col0=0, col1=columns))
    return {key: value[np.newaxis] for key, value in window.items()}


def forward_of(name, **changes):
    """Sigmoid of the logits of a network with drawn weights, as a forward function."""
    apply, variables, module = ready(name, **changes)

    @jax.jit
    def run(batch):
        return jax.nn.sigmoid(apply(variables, batch)[0]["logit"])

    def forward(batch):
        return np.asarray(run({key: batch[key] for key in module.config.inputs}))

    return forward, module.receptive_field()


@pytest.mark.parametrize("flips", [("none",), ALL_FLIPS])
def test_tiles_of_a_network_give_what_one_pass_gives(flips):
    forward, field = forward_of("default")
    source = array_scene(SHAPE)
    batch = padded_batch(source, field.stride_px)
    expected = (forward if flips == ("none",) else Flipped(forward, flips))(batch)[0]
    expected = expected[: SHAPE[0], : SHAPE[1]]
    found, valid = blended(
        source, forward, field=field, tile_px=2 * field.halo_px + 12, batch=2, flips=flips
    )
    np.testing.assert_allclose(found[valid], expected[valid], atol=1e-5)
    assert np.ptp(expected) > 0.1  # the network does say different things in different places
    if flips == ("none",):
        # A halo one stride short is not enough, so the test above can fail.
        short = replace(field, before_px=0, after_px=0)
        seams, _ = blended(source, forward, field=short, tile_px=2 * field.halo_px + 12, batch=2)
        assert np.abs(seams - expected)[valid].max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("name", ["unet", "adsms_unet"])
def test_so_do_tiles_of_deep_networks(name):
    forward, field = forward_of(name)
    source = array_scene((336, 272))
    expected = forward(padded_batch(source, field.stride_px))[0][:336, :272]
    found, valid = blended(
        source, forward, field=field, tile_px=2 * field.halo_px + 32, batch=1, threads=1
    )
    np.testing.assert_allclose(found[valid], expected[valid], atol=1e-5)


@pytest.fixture(scope="module")
def model():
    """A model of two dates as training would store it, with drawn weights."""
    rule = Preparation(
        bands=("blue", "green", "red"), unit="1", indices=(), topography=(), pixel_m=3.0,
        mean=(0.5,) * 3, scale=(0.3,) * 3, use_pre=True,
    )  # fmt: skip
    settings = {**SMALL["default"], "pre_bands": 3}
    drawn_ones = drawn(abstract("default", pre_bands=3))
    variables = Variables(
        *({f"network/{k}": v[np.newaxis] for k, v in part.items()} for part in drawn_ones)
    )
    return DetectionModel(
        network_name="default", settings=settings, preparation=rule, variables=variables,
        threshold=ThresholdChoice(threshold=0.3, rule="fixed", pixels=0, positive=0), pixel_m=3.0,
    )  # fmt: skip


def test_a_trained_model_maps_by_its_own_threshold_and_field(tmp_path, model):
    scene = random_scene(SHAPE, pre=True)
    found = map_scene(model, scene, tmp_path, settings=MapSettings(tile_px=64, batch=2))
    assert found.threshold == 0.3
    assert found.tiling.receptive_field == model.receptive_field
    assert found.tiling.exact
    assert found.tiling.n_tiles > 4
    both = scene.valid & scene.pre_valid
    assert found.seen_px == both.sum()
    batch = padded_batch(ArrayScene(scene), model.receptive_field.stride_px)
    expected = model.probability(batch)[0][: SHAPE[0], : SHAPE[1]]
    with rasterio.open(found.probability) as dataset:
        steps = dataset.read(1)
    np.testing.assert_array_equal(steps == NOT_SEEN, ~both)
    np.testing.assert_allclose(steps[both] * 1e-4, expected[both], atol=6e-5)


def test_a_model_travels_and_keeps_its_identity(model):
    sent = pickle.loads(pickle.dumps(ModelForward(model)))
    assert model_identity(sent.model) == model_identity(model)
    changed = {k: 1.01 * v for k, v in model.variables.params.items()}
    other = replace(model, variables=Variables(changed, model.variables.stats))
    assert model_identity(other) != model_identity(model)


@pytest.mark.slow
def test_processes_give_the_map_of_threads_bit_by_bit(tmp_path, model):
    pytest.importorskip("distributed")
    scene = random_scene(SHAPE, pre=True)
    settings = MapSettings(tile_px=64, batch=2)
    steps = []
    for name, chosen in (("threads", settings), ("local", replace(settings, scheduler="local"))):
        found = map_scene(model, scene, tmp_path / name, settings=chosen)
        with rasterio.open(found.probability) as dataset:
            steps.append(dataset.read(1))
    np.testing.assert_array_equal(*steps)


def test_a_scene_the_model_was_not_made_for_is_refused(tmp_path, model):
    scene = random_scene(SHAPE, pre=True)
    settings = MapSettings(tile_px=64, batch=2)
    for wrong, message in (
        (replace(scene, bands=("red", "green", "blue")), "red, green, blue"),
        (replace(scene, unit="dn"), "unit 'dn'"),
        (replace(scene, grid=utm(SHAPE, side=10.0)), "10 m"),
        (replace(scene, pre=None, pre_valid=None), "no 'pre'"),
    ):
        with pytest.raises(DataError, match=message):
            map_scene(model, wrong, tmp_path, settings=settings)


def test_pixels_in_degrees_are_measured_on_the_ground():
    grid = Grid(crs="EPSG:4326", transform=Affine(1e-4, 0, 141.9, 0, -1e-4, 60.0), shape=(9, 9))
    assert pixel_side_m(grid) == pytest.approx(1e-4 * 111_300 * np.sqrt(0.5), rel=5e-3)
    assert pixel_side_m(utm((9, 9))) == 3.0
