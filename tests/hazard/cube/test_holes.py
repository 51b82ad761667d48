"""Holes get the value of the nearest valid position, and nothing else changes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from hazard.cube.holes import fill_array, map_holes, patch_stored
from hazard.errors import DataError

MASKS = hnp.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))


def mapped(valid, needed, size=(10.0, 10.0), limit_m=1e9):
    return map_holes(valid, needed, size, limit_m=limit_m, source="dem.tif", layer="elevation_m")


@settings(max_examples=200, deadline=None)
@given(valid=MASKS, width=st.sampled_from([1.0, 7.0, 30.0]), height=st.sampled_from([1.0, 30.0]))
def test_every_hole_takes_from_a_nearest_valid_position(valid, width, height):
    """Against scipy's distance transform, which searches the whole raster."""
    if not valid.any():
        return
    needed = np.ones_like(valid)
    holes = mapped(valid, needed, (width, height))
    distance = ndimage.distance_transform_edt(~valid, sampling=(height, width))
    rows, cols = np.divmod(holes.hole, valid.shape[1])
    from_rows, from_cols = np.divmod(holes.source, valid.shape[1])
    assert valid.ravel()[holes.source].all()
    np.testing.assert_array_equal(holes.hole, np.flatnonzero(~valid))
    taken = np.hypot((rows - from_rows) * height, (cols - from_cols) * width)
    np.testing.assert_allclose(taken, distance[rows, cols], rtol=1e-12)
    if len(holes):
        assert holes.farthest_m == pytest.approx(distance.max())


@settings(max_examples=100, deadline=None)
@given(valid=MASKS, rows=st.integers(1, 5), seed=st.integers(0, 9))
def test_a_stored_layer_is_filled_strip_by_strip_as_a_whole_one(valid, rows, seed):
    if not valid.any():
        return
    rng = np.random.default_rng(seed)
    needed = rng.random(valid.shape) < 0.7
    values = np.where(valid, rng.normal(size=valid.shape), np.nan).astype(np.float32)
    holes = mapped(valid, needed)
    stored = values.copy()
    patch_stored(stored, holes, rows_per_strip=rows)
    np.testing.assert_array_equal(stored, fill_array(values, holes))
    np.testing.assert_array_equal(stored[valid], values[valid])
    assert np.isfinite(stored[needed]).all()
    assert np.isnan(stored[~needed & ~valid]).all()


def test_ties_go_to_the_lower_index():
    valid = np.array([[True, False, True]])
    assert mapped(valid, np.ones_like(valid)).source.tolist() == [0]


def test_a_hole_beyond_the_limit_is_an_error_that_counts_and_names():
    valid = np.zeros((1, 9), bool)
    valid[0, 0] = True
    with pytest.raises(DataError, match=r"dem\.tif: found 3 positions .* 80 m .*fill_holes_m"):
        mapped(valid, np.ones_like(valid), limit_m=50.0)
    assert len(mapped(valid, np.ones_like(valid), limit_m=80.0)) == 8


def test_no_value_at_all_is_an_error():
    with pytest.raises(DataError, match="no value of elevation_m"):
        mapped(np.zeros((3, 3), bool), np.ones((3, 3), bool))


def test_no_hole_reads_and_writes_nothing():
    holes = mapped(np.ones((4, 4), bool), np.ones((4, 4), bool))
    assert (len(holes), holes.farthest_m) == (0, 0.0)
    patch_stored(None, holes, rows_per_strip=2)  # would fail on any access
