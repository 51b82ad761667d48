"""From a configuration to three parts that share no pixel of ground."""

import numpy as np
import pytest

from detection.config.data import StudyConfig
from detection.patches.patch_set import PatchOrigin, PatchSet
from detection.training.study import counted_once, other_patches, split_patches, study_patches
from hazard.errors import DataError
from tests.detection.patches.made_scenes import made_scene

BASE = {"name": "a", "title": "b", "patches": {"size_px": 16, "stride_px": 16}}


def lattice(side=12, size=16, stride=8, *, regions=("a",), epochs=("1", "2")):
    """Overlapping patches of square scenes, landslide everywhere in a diagonal band."""
    origin, truth = [], []
    for region in regions:
        for epoch in epochs:
            for r in range(side):
                for c in range(side):
                    origin.append(
                        PatchOrigin(
                            scene=f"{region}-{epoch}", region=region, epoch=epoch,
                            row=stride * r, column=stride * c,
                        )
                    )  # fmt: skip
                    y, x = np.mgrid[:size, :size]
                    truth.append(abs((y + stride * r) - (x + stride * c)) < 20)
    seen = np.ones((len(origin), size, size), bool)
    return PatchSet(
        bands=("red",), unit="1", pixel_m=5.0, truth=np.array(truth), valid=seen, known=seen,
        image=np.random.default_rng(0).random((*seen.shape, 1)).astype(np.float32),
        origin=tuple(origin),
    )  # fmt: skip


def ground(patches, *, with_epoch=False):
    """Pixels of ground that count."""
    found = set()
    for i, o in enumerate(patches.origin):
        for y, x in np.argwhere(patches.counted[i]):
            place = (o.region, o.row + int(y), o.column + int(x))
            found.add((*place, o.epoch) if with_epoch else place)
    return found


def test_the_parts_of_a_block_split_share_no_ground():
    config = StudyConfig(**BASE, split={"block_m": 160, "buffer_m": 0})
    study = split_patches(config, lattice(), {})
    train, validation, test = map(ground, (study.training, study.validation, study.test))
    assert not train & validation
    assert not train & test
    assert not validation & test
    assert train
    assert validation
    assert test


def test_scored_pixels_count_once_and_none_is_lost():
    patches = lattice(side=4)
    once = counted_once(patches)
    assert ground(once, with_epoch=True) == ground(patches, with_epoch=True)
    assert once.counted.sum() == len(ground(patches, with_epoch=True))
    again = counted_once(once)
    np.testing.assert_array_equal(again.counted, once.counted)


def test_unseen_regions_are_tested_whole():
    config = StudyConfig(**BASE, split={"block_m": 160, "buffer_m": 0, "unseen_regions": ["b"]})
    patches = lattice(regions=("a", "b"), epochs=("1",))
    study = split_patches(config, patches, {})
    for part in (study.training, study.validation):
        assert {o.region for o in part.origin} == {"a"}
    whole = {place for place in ground(patches) if place[0] == "b"}
    assert {place for place in ground(study.test) if place[0] == "b"} == whole
    with pytest.raises(DataError, match="one of a, b"):
        split_patches(StudyConfig(**BASE, split={"unseen_regions": ["c"]}), patches, {})


def test_epochs_and_regions_are_held_out_by_name():
    by_epoch = StudyConfig(
        **BASE, split={"by": "epoch", "test": ["2"], "block_m": 160, "buffer_m": 0}
    )
    study = split_patches(by_epoch, lattice(), {})
    assert {o.epoch for o in study.test.origin} == {"2"}
    assert {o.epoch for o in study.training.origin} == {"1"}
    by_region = StudyConfig(**BASE, split={"by": "region", "test": ["b"], "validation": ["c"]})
    study = split_patches(by_region, lattice(side=4, regions=("a", "b", "c")), {})
    assert {o.region for o in study.validation.origin} == {"c"}
    assert {o.region for o in study.test.origin} == {"b"}


def test_scenes_are_cut_on_the_lattice_of_training_and_tested_on_every_pixel():
    scenes = [made_scene(128, 128, name=n, epoch=n) for n in ("1", "2")]
    config = StudyConfig(
        **{**BASE, "patches": {"size_px": 16, "stride_px": 16, "train_stride_px": 8}},
        split={"block_m": 32 * scenes[0].grid.cell_size[0], "buffer_m": 0},
    )
    study = study_patches(config, scenes)
    assert len(study.patches) == 2 * 15**2
    assert set(study.grids) == {"1", "2"}
    for scene in scenes:
        assert len(study.test) < study.split.counts()["test"], scene.name


@pytest.fixture
def arrays(tmp_path):
    """Files of the HR-GLDD layout, without a validation part."""
    rng = np.random.default_rng(0)
    for part, number in (("train", 30), ("test", 8)):
        label = np.zeros((number, 32, 32, 1), np.float32)
        label[::2, 8:20, 8:20] = 1
        image = rng.uniform(0.05, 0.1, (number, 32, 32, 4)).astype(np.float32)
        image[..., 3] += 0.4
        np.save(tmp_path / f"{part}X.npy", image)
        np.save(tmp_path / f"{part}Y.npy", label)
    return tmp_path


def test_arrays_keep_their_parts_and_get_a_validation_part(arrays):
    config = StudyConfig(**BASE, data=arrays, source={"layout": "hr_gldd"}, split={"by": "given"})
    study = study_patches(config)
    assert len(study.test) == 8
    assert len(study.training) + len(study.validation) == 30
    assert len(study.validation) > 0
    assert other_patches(config, part="train").image.shape[0] == 30
    with pytest.raises(DataError, match="--part"):
        other_patches(config, part="validation")


def test_arrays_can_be_dealt_out_anew(arrays):
    config = StudyConfig(
        **BASE, data=arrays, source={"layout": "hr_gldd"}, split={"by": "group", "test_share": 0.3}
    )
    study = study_patches(config)
    assert sum(study.split.counts().values()) == 38
    assert 6 <= len(study.test) <= 16


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"source": {"layout": "hr_gldd"}}, "expected given, group or random_patches"),
        ({"split": {"by": "given"}}, "expected block, region or epoch"),
    ],
)
def test_splits_that_the_data_cannot_have_are_refused(changes, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        StudyConfig(**BASE, data=tmp_path, **changes)
