"""Tiles cover every pixel, start where the network may start, and their shares sum to one."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detection.mapping.tiles import PIXELWISE, plan_tiles
from detection.models.span import ReceptiveField

BLENDS = ("centre", "cosine", "mean")


def total_share(axis):
    total = np.zeros(axis.length_px)
    for (start, to), share in zip(axis.parts, axis.shares, strict=True):
        total[start:to] += share
    return total


@given(
    shape=st.tuples(st.integers(1, 700), st.integers(1, 700)),
    stride=st.sampled_from([1, 2, 4, 8, 16, 32]),
    reach=st.tuples(st.integers(0, 40), st.integers(0, 40)),
    inside=st.integers(1, 6),
    blend=st.sampled_from(BLENDS),
)
def test_shares_sum_to_one_and_tiles_start_at_multiples(shape, stride, reach, inside, blend):
    field = ReceptiveField(before_px=reach[0], after_px=reach[1], stride_px=stride)
    tile = 2 * field.halo_px + inside * stride
    tiling = plan_tiles(shape, field, tile_px=tile, blend=blend)
    for axis, length in zip((tiling.rows, tiling.columns), shape, strict=True):
        np.testing.assert_allclose(total_share(axis), 1, atol=1e-6)
        assert all(start % stride == 0 for start in axis.starts)
        assert axis.padded_px % stride == 0
        assert 0 <= axis.padded_px - length < stride
        assert axis.starts[-1] + axis.size_px == axis.padded_px
        for start, (first, to) in zip(axis.starts, axis.parts, strict=True):
            assert start <= first < to <= min(start + axis.size_px, length)
            if blend == "centre":
                assert start == 0 or first - start >= field.before_px
                end = start + axis.size_px
                assert end == axis.padded_px or end - to >= field.after_px
    strips = [tiling.strip(row) for row in range(len(tiling.rows))]
    assert strips[0][0] == 0
    assert strips[-1][1] == shape[0]
    assert all(a[1] == b[0] for a, b in pairwise(strips))
    for row in range(len(tiling.rows)):
        first = tiling.first_needed(row)
        assert all(to <= strips[row][0] for _, to in tiling.rows.parts[:first])


@pytest.mark.parametrize("blend", BLENDS)
def test_a_scene_of_8907_x_4709_is_covered_to_the_last_pixel(blend):
    """The published tiling (128 px, 12 px cut) left 159 rows and 121 columns of it empty."""
    tiling = plan_tiles((8907, 4709), PIXELWISE, tile_px=128, halo_px=12, blend=blend)
    for axis in (tiling.rows, tiling.columns):
        np.testing.assert_allclose(total_share(axis), 1, atol=1e-6)
    assert tiling.rows.starts[-1] + 128 == 8907
    assert tiling.columns.starts[-1] + 128 == 4709


def test_the_halo_is_that_of_the_receptive_field():
    field = ReceptiveField(before_px=107, after_px=121, stride_px=16)
    tiling = plan_tiles((3000, 3000), field)
    assert tiling.halo_px == 128
    assert tiling.rows.size_px == 768
    assert tiling.exact


def test_a_shorter_halo_is_refused_where_it_shows_and_said_where_it_blends():
    field = ReceptiveField(before_px=107, after_px=121, stride_px=16)
    with pytest.raises(ValueError, match="needs 128"):
        plan_tiles((3000, 3000), field, halo_px=64)
    assert not plan_tiles((3000, 3000), field, halo_px=64, blend="cosine").exact
    # A scene that is one tile has no seam.
    assert plan_tiles((300, 300), field, halo_px=64).exact


@pytest.mark.parametrize(
    "wrong",
    [{"tile_px": 256}, {"blend": "max"}, {"halo_px": -1}, {"tile_px": 0}],
)
def test_tiles_that_cannot_be_laid_are_refused(wrong):
    field = ReceptiveField(before_px=107, after_px=121, stride_px=16)
    with pytest.raises(ValueError, match=next(iter(wrong))):
        plan_tiles((3000, 3000), field, **wrong)


def test_cosine_weighs_the_middle_of_a_tile_more_than_its_edge():
    axis = plan_tiles((400, 400), PIXELWISE, tile_px=100, halo_px=20, blend="cosine").rows
    share = axis.shares[1]
    assert share[0] < 0.01
    assert share[50] == pytest.approx(1)
    assert np.all(np.diff(share[:40]) > 0)
