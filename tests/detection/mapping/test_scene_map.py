"""Maps: no seams, every pixel, nodata apart from 0, one threshold, honest refusals."""

from itertools import pairwise

import numpy as np
import pytest
import rasterio
from rio_cogeo.cogeo import cog_validate

from detection.mapping.forward import ALL_FLIPS, Ensemble, Flipped
from detection.mapping.scene_map import MapSettings, map_scene, plan_map
from detection.mapping.stored import MASK_NOT_SEEN, NOT_SEEN
from detection.mapping.strips import compute_rows, finish_strips
from detection.mapping.tiles import PIXELWISE
from detection.models.span import ReceptiveField
from hazard.errors import ConfigError, DataError
from hazard.geo.raster import read_native
from tests.detection.mapping.scenes import (
    RampScene,
    array_scene,
    box_mean,
    first_band,
    random_scene,
)

BLENDS = ("centre", "cosine", "mean")
FIVE = ReceptiveField(before_px=2, after_px=2, stride_px=1)


def blended(source, forward, *, field=PIXELWISE, **changes):
    """Probabilities as float32, before they are stored as steps."""
    settings = MapSettings(**changes)
    job = plan_map((forward,), source, settings=settings, receptive_field=field)
    rows = compute_rows(job, range(len(job.tiling.rows)), threads=settings.threads)
    strips = list(finish_strips(job.tiling, rows))
    assert strips[0].row0 == 0
    assert all(s.row0 + len(s.valid) == t.row0 for s, t in pairwise(strips))
    return tuple(np.concatenate([getattr(s, k) for s in strips]) for k in ("probability", "valid"))


def stored(path):
    with rasterio.open(path) as dataset:
        return dataset.read(1)


@pytest.mark.parametrize("blend", BLENDS)
def test_constant_and_linear_fields_show_no_seam(blend):
    source = RampScene((150, 131))
    plane = source.plane(np.arange(150.0)[:, None], np.arange(131.0))
    found, valid = blended(source, first_band, blend=blend, tile_px=40, halo_px=9)
    assert valid.all()
    np.testing.assert_allclose(found, plane, atol=3e-7)
    flat, _ = blended(
        source, lambda b: np.full(b["valid"].shape, 0.3), blend=blend, tile_px=40, halo_px=9
    )
    np.testing.assert_allclose(flat, 0.3, atol=1e-7)


def whole(source, forward):
    """One pass over the whole scene."""
    scene = source.scene
    image = np.where(scene.valid[..., None], scene.image, 0).astype(np.float32)
    return forward({"image": image[None], "valid": scene.valid[None]})[0]


def test_tiles_with_their_halo_give_what_one_pass_gives():
    source = array_scene((90, 75))
    expected = whole(source, box_mean)
    found, valid = blended(source, box_mean, field=FIVE, tile_px=16)
    np.testing.assert_array_equal(valid, source.scene.valid)
    np.testing.assert_array_equal(found[valid], expected[valid])
    # A field that is stated too small shows at the seams: the test above can fail.
    seams, _ = blended(source, box_mean, tile_px=16)
    assert np.abs(seams - expected)[valid].max() > 1e-2


def test_flips_and_members_are_means_of_probabilities():
    source = array_scene((60, 50), unseen=0.0)
    lopsided = lambda batch: np.roll(box_mean(batch), 1, axis=2)  # noqa: E731
    field = ReceptiveField(before_px=3, after_px=2, stride_px=1)
    found, _ = blended(source, lopsided, field=field, tile_px=20, flips=ALL_FLIPS)
    image = source.scene.image[None]
    passes = [np.flip(box_mean({"image": np.flip(image, a)}), a) for a in ((), (1,), (2,), (1, 2))]
    # The roll goes one way in two of the four passes and the other way in the others.
    expected = np.mean(
        [
            np.roll(p, -1 if 2 in a else 1, axis=2)
            for p, a in zip(passes, ((), (1,), (2,), (1, 2)), strict=True)
        ],
        axis=0,
    )[0]
    np.testing.assert_allclose(found[3:-3, 3:-3], expected[3:-3, 3:-3], atol=1e-6)
    pair = Ensemble((first_band, box_mean))
    both, _ = blended(source, pair, field=FIVE, tile_px=20)
    np.testing.assert_allclose(
        both, 0.5 * (source.scene.image[..., 0] + whole(source, box_mean)), atol=1e-6
    )
    with pytest.raises(ValueError, match="flips"):
        Flipped(first_band, ("none", "none"))
    with pytest.raises(ValueError, match="member"):
        Ensemble(())


@pytest.mark.parametrize("blend", BLENDS)
def test_neither_threads_nor_batches_change_a_bit(blend):
    source = array_scene((70, 93))
    common = {"field": FIVE, "tile_px": 24, "blend": blend}
    one = blended(source, box_mean, **common, threads=1, batch=1)
    many = blended(source, box_mean, **common, threads=4, batch=3)
    np.testing.assert_array_equal(one[0], many[0])
    np.testing.assert_array_equal(one[1], many[1])


def test_files_hold_scaled_probability_mask_nodata_and_place(tmp_path):
    source = array_scene((300, 260))
    scene = source.scene
    tiles = []
    found = map_scene(
        first_band, scene, tmp_path, threshold=0.4, receptive_field=PIXELWISE,
        settings=MapSettings(tile_px=64, batch=3), tags={"network": "none"},
        progress=tiles.append,
    )  # fmt: skip
    assert sum(tiles) == found.tiling.n_tiles == 25
    steps, mask = stored(found.probability), stored(found.mask)
    np.testing.assert_array_equal(steps == NOT_SEEN, ~scene.valid)
    np.testing.assert_array_equal(mask == MASK_NOT_SEEN, ~scene.valid)
    np.testing.assert_array_equal(
        steps[scene.valid], np.rint(scene.image[..., 0][scene.valid] * 10_000)
    )
    np.testing.assert_array_equal(mask[scene.valid] == 1, steps[scene.valid] >= 4000)
    assert found.seen_px == scene.valid.sum()
    assert found.landslide_px == (mask == 1).sum()
    for path in (found.probability, found.mask):
        valid, errors, _ = cog_validate(path, quiet=True)
        assert valid, errors
        with rasterio.open(path) as dataset:
            assert dataset.crs.to_epsg() == 32645
            assert dataset.transform == scene.grid.transform
            assert dataset.tags()["network"] == "none"
            assert dataset.tags()["synthetic"] == "True"
    read = read_native(found.probability)
    np.testing.assert_allclose(
        read.values[scene.valid], scene.image[..., 0][scene.valid], atol=5.1e-5
    )
    # The two files, and nothing of the way there.
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "random_mask.tif", "random_probability.tif",
    ]  # fmt: skip


def test_probability_0_is_seen_and_not_landslide(tmp_path):
    scene = random_scene((20, 20), unseen=0.3)
    found = map_scene(
        lambda b: np.zeros(b["valid"].shape), scene, tmp_path, threshold=0.0001,
        receptive_field=PIXELWISE,
    )  # fmt: skip
    np.testing.assert_array_equal(stored(found.probability), np.where(scene.valid, 0, NOT_SEEN))
    assert found.landslide_px == 0


def test_what_was_not_seen_on_the_earlier_date_has_no_probability(tmp_path):
    scene = random_scene((40, 40), pre=True, unseen=0.3)
    common = {"threshold": 0.5, "receptive_field": PIXELWISE}
    found = map_scene(first_band, scene, tmp_path, **common)
    np.testing.assert_array_equal(
        stored(found.mask) == MASK_NOT_SEEN, ~(scene.valid & scene.pre_valid)
    )
    later = map_scene(first_band, scene, tmp_path, **common, settings=MapSettings(need_pre=False))
    np.testing.assert_array_equal(stored(later.mask) == MASK_NOT_SEEN, ~scene.valid)


def test_a_scene_that_was_not_seen_at_all_costs_no_pass(tmp_path):
    scene = random_scene((30, 30), unseen=2.0)

    def never(batch):
        raise AssertionError

    found = map_scene(never, scene, tmp_path, threshold=0.5, receptive_field=PIXELWISE)
    assert found.seen_px == 0
    assert (stored(found.probability) == NOT_SEEN).all()


def test_8907_x_4709_is_predicted_to_the_last_pixel(tmp_path):
    """The published tiling leaves 4.3 % of this scene without a word."""
    source = RampScene((8907, 4709), bands=("red",))
    found = map_scene(
        lambda b: 0.5 + 0.5 * b["image"][..., 0], source, tmp_path, threshold=0.9,
        receptive_field=PIXELWISE, settings=MapSettings(tile_px=1024, halo_px=12),
    )  # fmt: skip
    assert found.seen_px == 8907 * 4709
    steps = stored(found.probability)
    plane = source.plane(np.arange(8907.0)[:, None], np.arange(4709.0))
    assert np.abs(steps[-200:] * 1e-4 - (0.5 + 0.5 * plane[-200:])).max() < 6e-5
    assert steps.min() == 5000


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (lambda b: b["image"], "shape"),
        (lambda b: b["image"][..., 0] + 1, "from 0 to 1"),
        (lambda b: np.full(b["valid"].shape, np.nan), "nan"),
    ],
)
def test_what_is_no_probability_is_refused_and_leaves_no_file(tmp_path, forward, message):
    with pytest.raises(DataError, match=message):
        map_scene(
            forward, random_scene((20, 20)), tmp_path, threshold=0.5, receptive_field=PIXELWISE
        )
    assert list(tmp_path.glob("*.tif")) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threshold": None}, "threshold"),
        ({"threshold": 0.0}, "threshold"),
        ({"receptive_field": None}, "receptive_field"),
        ({"settings": MapSettings(memory_mb=64)}, "memory_mb: found 64; expected at least"),
        ({"settings": MapSettings(tile_px=8, halo_px=4)}, "tile_px"),
    ],
)
def test_settings_that_cannot_be_are_refused(tmp_path, changes, message):
    given = {"threshold": 0.5, "receptive_field": PIXELWISE, **changes}
    with pytest.raises(ConfigError, match=message):
        map_scene(first_band, random_scene((60, 60)), tmp_path, **given)
    with pytest.raises(ValueError, match="batch"):
        MapSettings(batch=0)


def test_a_valid_pixel_without_a_number_is_refused(tmp_path):
    scene = random_scene((20, 20), unseen=0.0)
    scene.image[3, 4] = np.nan
    with pytest.raises(DataError, match="not finite in valid"):
        map_scene(first_band, scene, tmp_path, threshold=0.5, receptive_field=PIXELWISE)


def test_less_memory_means_smaller_batches():
    source = RampScene((512, 4096))
    wide = plan_map((first_band,), source, settings=MapSettings(), receptive_field=PIXELWISE)
    tight = plan_map(
        (first_band,), source, settings=MapSettings(memory_mb=200), receptive_field=PIXELWISE
    )
    assert (wide.batch, wide.stretch) == (4, 2)
    assert (tight.batch, tight.stretch) == (2, 1)


class CountedScene(RampScene):
    """Counts the pixels that are read."""

    def read(self, block):
        counts.append(block.shape[0] * block.shape[1])
        return super().read(block)


counts: list[int] = []


def test_overlapping_tiles_read_no_row_twice():
    counts.clear()
    source = CountedScene((300, 90))
    found, _ = blended(source, first_band, tile_px=60, halo_px=20, blend="mean", threads=3)
    plane = source.plane(np.arange(300.0)[:, None], np.arange(90.0))
    np.testing.assert_allclose(found, plane, atol=3e-7)
    # Tiles hold every pixel nine times; the last row is read again, to know where the scene ends.
    assert sum(counts) <= (300 + 2) * 90
