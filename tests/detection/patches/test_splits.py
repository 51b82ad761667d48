import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection.patches.blocks import deal
from detection.patches.cut import cut_patches, join_sets
from detection.patches.ground import ground_boxes
from detection.patches.patch_set import PatchOrigin, PatchSet
from detection.patches.splits import (
    SPLITS,
    block_folds,
    group_folds,
    hold_out_validation,
    region_folds,
    split_at_random,
    split_by_block,
    split_by_epoch,
    split_by_group,
    split_by_place,
    split_by_region,
)
from hazard.errors import DataError
from tests.detection.patches.made_scenes import made_scene


def lattice(rows, cols, *, size=8, stride=4, region="a", epoch="1", seed=0):
    corners = [(r, c) for r in range(0, rows, stride) for c in range(0, cols, stride)]
    shape = (len(corners), size, size)
    seen = np.ones(shape, bool)
    return PatchSet(
        bands=("red",),
        unit="1",
        pixel_m=10.0,
        image=np.zeros((*shape, 1), np.float32),
        valid=seen,
        truth=np.random.default_rng(seed).random(shape) < 0.05,
        known=seen,
        origin=tuple(
            PatchOrigin(scene=f"{region}-{epoch}", region=region, epoch=epoch, row=r, column=c)
            for r, c in corners
        ),
    )


def least_gap(patches, split, grids=None):
    """Smallest gap between patches of different roles in one region, by brute force [px]."""
    boxes = ground_boxes(patches, grids)
    region = np.array([o.region for o in patches.origin])
    used = split.role > 0
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    gap = (low - high).max(axis=2)
    other = (split.role[:, None] != split.role[None]) & used[:, None] & used[None]
    other &= region[:, None] == region[None]
    return gap[other].min() if other.any() else np.inf


@settings(max_examples=25)
@given(
    block=st.integers(16, 40),
    buffer=st.integers(0, 12),
    seed=st.integers(0, 1000),
    stride=st.integers(4, 9),
    rows=st.integers(80, 120),
)
def test_patches_of_different_roles_keep_the_buffer(block, buffer, seed, stride, rows):
    patches = lattice(rows, 90, stride=stride)
    try:
        split = split_by_block(patches, block_px=block, buffer_px=buffer, seed=seed)
    except DataError:
        return
    assert least_gap(patches, split) >= buffer
    for fold in block_folds(patches, 3, block_px=block, buffer_px=buffer, seed=seed):
        assert least_gap(patches, fold) >= buffer


def test_all_epochs_of_a_place_have_one_role():
    patches = join_sets([lattice(120, 120, epoch=e, seed=i) for i, e in enumerate("12")])
    split = split_by_block(patches, block_px=32)
    half = len(patches) // 2
    np.testing.assert_array_equal(split.role[:half], split.role[half:])


def test_scenes_of_a_region_on_shifted_grids_are_compared_on_the_ground():
    # The second scene starts 100 px further south and east than the first one.
    one = made_scene(200, 200, name="a-1")
    two = made_scene(200, 200, name="a-2", epoch="2", corner=(1000.0, -1000.0))
    grids = {scene.name: scene.grid for scene in (one, two)}
    patches = join_sets([cut_patches(scene, 16, 8) for scene in (one, two)])
    blind = split_by_block(patches, block_px=60, buffer_px=8)
    assert least_gap(patches, blind, grids) < 0
    split = split_by_block(patches, block_px=60, buffer_px=8, grids=grids)
    assert least_gap(patches, split, grids) >= 8
    with pytest.raises(DataError, match="none of scene 'a-2'"):
        split_by_block(patches, block_px=60, grids={"a-1": one.grid})


def test_places_stay_whole_and_touch_no_other():
    # Eight pieces of ground on two dates; the sixth lies within the buffer of the fifth.
    at = (0, 100, 200, 300, 400, 450, 600, 700)
    scenes = [
        made_scene(48, 48, name=f"s{x}-{e}", epoch=e, corner=(10.0 * x, 0.0))
        for x in at
        for e in "12"
    ]
    grids = {scene.name: scene.grid for scene in scenes}
    patches = join_sets([cut_patches(scene, 16, 8) for scene in scenes])
    split = split_by_place(patches, buffer_px=8, grids=grids, seed=2)
    assert split.parameters["places"] == 7
    assert split.counts()["unused"] == 0
    assert least_gap(patches, split, grids) >= 8
    place = np.array([int(o.scene[1:].split("-")[0]) for o in patches.origin])
    roles = {x: set(split.role[place == x].tolist()) for x in at}
    assert all(len(role) == 1 for role in roles.values())
    assert roles[400] == roles[450]
    assert split_by_place(patches, buffer_px=0, grids=grids).parameters["places"] == 8
    with pytest.raises(DataError, match="the ground is in 1 pieces"):
        split_by_place(lattice(80, 80))


def test_every_region_gives_patches_to_every_role():
    patches = join_sets([lattice(160, 160, region=name) for name in "ab"])
    split = split_by_block(patches, block_px=40, seed=3)
    region = np.array([o.region for o in patches.origin])
    for name in "ab":
        assert set(split.role[region == name]) >= {1, 2, 3}


@given(st.integers(5, 60), st.integers(0, 50))
def test_blocks_are_dealt_by_their_shares_heavy_and_light_alike(n, seed):
    weight = np.arange(float(n))
    found = deal(weight, (0.6, 0.2, 0.2), np.random.default_rng(seed))
    counts = np.bincount(found, minlength=3)
    assert np.abs(counts - n * np.array([0.6, 0.2, 0.2])).max() <= 1.01
    # Of the heaviest five, no class takes more than its share and one.
    top = np.bincount(found[np.argsort(-weight)[:5]], minlength=3)
    assert (top >= [2, 0, 0]).all()
    assert (top <= [4, 2, 2]).all()


def test_a_class_of_share_zero_gets_nothing():
    found = deal(np.zeros(50), (0.5, 0.0, 0.5), np.random.default_rng(0))
    assert set(found) == {0, 2}


def test_every_patch_inside_a_block_is_tested_once_over_the_folds():
    patches = lattice(120, 120, stride=8)
    folds = block_folds(patches, 4, block_px=24, buffer_px=0)
    tested = sum((fold.role == 3).astype(int) for fold in folds)
    assert tested.max() == 1
    boxes = ground_boxes(patches)
    within = (boxes[:, :2] // 24 == (boxes[:, 2:] - 1) // 24).all(axis=1)
    assert (tested[within] == 1).all()


def test_regions_split_whole():
    patches = join_sets([lattice(40, 40, region=name) for name in "abc"])
    split = split_by_region(patches, test=["c"], validation=["b"])
    assert {o.region for o in split.select(patches, "test").origin} == {"c"}
    assert {o.region for o in split.select(patches, "train").origin} == {"a"}
    assert [f.parameters["test"] for f in region_folds(patches)] == [["a"], ["b"], ["c"]]
    for wrong in (["d"], ["a", "a"], ["a", "b", "c"], []):
        with pytest.raises(DataError, match="split by region"):
            split_by_region(patches, test=wrong)


def test_validation_comes_from_the_training_ground_alone():
    patches = join_sets([lattice(120, 120, region=name) for name in "ab"])
    bare = split_by_region(patches, test=["b"])
    split = hold_out_validation(patches, bare, block_px=32, buffer_px=6)
    np.testing.assert_array_equal(split.role == 3, bare.role == 3)
    assert {o.region for o in split.select(patches, "validation").origin} == {"a"}
    assert least_gap(patches, split) >= 6


def test_epochs_split_region_by_region():
    patches = join_sets([lattice(40, 40, region=r, epoch=e) for r in "ab" for e in "123"])
    split = split_by_epoch(patches, train={"a": ["1"], "b": ["2", "3"]})
    for origin, role in zip(patches.origin, split.role, strict=True):
        trained = origin.epoch in {"a": "1", "b": "23"}[origin.region]
        assert role == (1 if trained else 3)
    assert split_by_epoch(patches, train=["1"]).counts()["train"] == 200
    with pytest.raises(DataError, match="no patches of epoch '9'"):
        split_by_epoch(patches, train=["9"])
    with pytest.raises(DataError, match="'c'"):
        split_by_epoch(patches, train={"c": ["1"]})
    with pytest.raises(DataError, match="no patches for test"):
        split_by_epoch(patches, train=["1", "2", "3"])


def test_groups_stay_together():
    patches = lattice(80, 80)
    group = np.arange(len(patches)) // 7
    for split in (split_by_group(patches, group), *group_folds(patches, group, 5)):
        assert len({(g, r) for g, r in zip(group, split.role, strict=True)}) == group.max() + 1
    tested = sum((f.role == 3).astype(int) for f in group_folds(patches, group, 5))
    assert (tested == 1).all()


def test_the_published_random_split_mixes_overlapping_patches_and_promises_nothing():
    patches = lattice(120, 120)
    split = SPLITS["random_patches"](patches, seed=1)
    assert split.counts() == {"unused": 0, "train": 540, "validation": 180, "test": 180}
    assert least_gap(patches, split) < 0
    assert split.separates == frozenset()


def test_seeds_repeat_and_differ():
    patches = lattice(160, 160)
    for maker in (lambda s: split_by_block(patches, block_px=32, seed=s),
                  lambda s: split_at_random(patches, seed=s)):  # fmt: skip
        np.testing.assert_array_equal(maker(3).role, maker(3).role)
        assert (maker(3).role != maker(4).role).any()


def test_blocks_too_large_or_small_are_told():
    patches = lattice(60, 60)
    with pytest.raises(DataError, match="try smaller blocks"):
        split_by_block(patches, block_px=500)
    with pytest.raises(DataError, match="no patches for"):
        split_by_block(patches, block_px=4)
