import dataclasses

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from detection.patches.cut import corners, cut_patches, join_sets, without_empty
from hazard.errors import DataError
from hazard.geo.grid import Grid
from tests.detection.patches.made_scenes import made_scene


@pytest.fixture(scope="module")
def scene():
    return made_scene()


@given(st.integers(1, 200), st.integers(1, 60), st.integers(1, 60))
def test_patches_cover_every_pixel_of_an_axis_and_none_beyond(length, size, stride):
    found = corners(length, size, min(size, stride))
    if length < size:
        assert found == []
        return
    covered = np.zeros(length, int)
    for start in found:
        assert start + size <= length
        covered[start : start + size] += 1
    assert (covered > 0).all()
    assert len(set(found)) == len(found)


def test_a_scene_is_covered_where_the_published_tiling_drops_the_remainder():
    # Scene of the published code: 128 px tiles, 8907 x 4709 pixels.
    seen = [
        sum(
            len(range(start, start + 128)) if i == 0 else start + 128 - (found[i - 1] + 128)
            for i, start in enumerate(found)
        )
        for length in (8907, 4709)
        for found in [corners(length, 128, 104)]
    ]
    assert seen == [8907, 4709]
    dropped = corners(8907, 128, 128, cover_edge=False)
    assert dropped[-1] + 128 < 8907


def test_patches_hold_the_pixels_of_their_place(scene):
    patches = cut_patches(scene, 32, 20)
    for place, origin in enumerate(patches.origin):
        part = slice(origin.row, origin.row + 32), slice(origin.column, origin.column + 32)
        seen = scene.valid[part]
        np.testing.assert_array_equal(patches.valid[place], seen)
        np.testing.assert_array_equal(patches.image[place][seen], scene.image[part][seen])
        np.testing.assert_array_equal(patches.truth[place], scene.truth[part])
        np.testing.assert_array_equal(patches.elevation_m[place], scene.elevation_m[part])
        seen = scene.pre_valid[part]
        np.testing.assert_array_equal(patches.pre[place][seen], scene.pre[part][seen])
    assert patches.pixel_m == 10.0
    assert patches.bands == scene.bands
    assert (patches.image[~patches.valid] == 0).all()


def test_empties_are_kept_unless_the_papers_are_reproduced(scene):
    kept = cut_patches(scene, 16, 16)
    dropped = cut_patches(scene, 16, 16, keep_empty=False)
    some = kept.truth & kept.counted
    assert 0 < len(dropped) == some.any(axis=(1, 2)).sum() < len(kept)
    again = without_empty(kept)
    assert again.origin == dropped.origin
    np.testing.assert_array_equal(again.image, dropped.image)


def test_a_landslide_under_cloud_makes_no_patch_positive(scene):
    hidden = dataclasses.replace(scene, valid=scene.valid & ~scene.truth)
    assert len(cut_patches(hidden, 16, 16, keep_empty=False)) == 0


def test_patches_that_hardly_count_are_left_out(scene):
    known = scene.known.copy()
    known[:, :45] = False
    half = dataclasses.replace(scene, known=known)
    assert len(cut_patches(half, 10, 10)) == 35
    assert len(cut_patches(half, 10, 10, minimum_counted=0.7)) < 35
    assert len(cut_patches(half, 10, 10, minimum_counted=1.0)) == 0


def test_a_window_counts_its_origins_in_the_whole_image(scene):
    patches = cut_patches(scene, 64, 64, first=(100, 1000))
    assert [(o.row, o.column) for o in patches.origin] == [
        (100, 1000), (100, 1026), (106, 1000), (106, 1026)
    ]  # fmt: skip


def test_sets_join_in_order(scene):
    other = made_scene(name="b-1", region="b", seed=4)
    one, two = cut_patches(scene, 32, 32), cut_patches(other, 32, 32)
    joined = join_sets([one, two])
    assert joined.origin == one.origin + two.origin
    for name in ("image", "pre", "truth", "elevation_m", "pre_valid"):
        np.testing.assert_array_equal(
            getattr(joined, name), np.concatenate([getattr(one, name), getattr(two, name)])
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"unit": "dn"}, "unit 'dn'; expected '1'"),
        ({"pixel_m": 3.0}, r"pixels \[m\] of 3.0; expected 10.0"),
        ({"pixel_m": None}, "pixels"),
        ({"bands": ("red", "green", "blue", "nir")}, "bands"),
        ({"pre": None, "pre_valid": None}, "pre: False; expected pre: True"),
        ({"elevation_m": None}, "elevation_m: False"),
    ],
)
def test_sets_that_differ_do_not_join(scene, change, message):
    one = cut_patches(scene, 32, 32)
    with pytest.raises(DataError, match=message):
        join_sets([one, dataclasses.replace(one, **change)])


def test_scenes_that_cannot_be_cut_are_told(scene):
    with pytest.raises(DataError, match="no inventory"):
        cut_patches(dataclasses.replace(scene, truth=None, known=None), 16, 16)
    with pytest.raises(DataError, match="70 x 90 pixels; expected at least one patch"):
        cut_patches(scene, 128, 64)
    degrees = Grid(crs="EPSG:4326", transform=Affine(1, 0, 0, 0, -1, 0), shape=scene.grid.shape)
    with pytest.raises(DataError, match="WGS 84"):
        cut_patches(dataclasses.replace(scene, grid=degrees), 16, 16)
    oblong = Grid(crs="EPSG:32645", transform=Affine(10, 0, 0, 0, -5, 0), shape=scene.grid.shape)
    with pytest.raises(DataError, match="10 m x 5 m"):
        cut_patches(dataclasses.replace(scene, grid=oblong), 16, 16)
    with pytest.raises(DataError, match="found no set"):
        join_sets([])
