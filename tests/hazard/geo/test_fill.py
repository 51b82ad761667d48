"""Priority flood against brute force and pyflwdir; flats and depressions drain."""

import heapq

import numpy as np
import pyflwdir
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hazard.errors import DataError
from hazard.geo.fill import (
    COL_STEP,
    INVALID,
    OUTLET,
    ROW_STEP,
    fill_depressions,
    fill_depth_m,
    outlets,
)


@st.composite
def coarse_elevations(draw, largest=11):
    """Few distinct heights, so that ties, flats and nested depressions abound."""
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=largest))
    z = draw(hnp.arrays(np.float64, shape, elements=st.integers(0, 5).map(float)))
    share = draw(st.sampled_from([0.0, 0.1, 0.5]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return z, rng.random(shape) >= share


def neighbours(r, c, shape):
    for k in range(8):
        rn, cn = r + ROW_STEP[k], c + COL_STEP[k]
        if 0 <= rn < shape[0] and 0 <= cn < shape[1]:
            yield k, rn, cn


def edge_pixels(valid):
    padded = np.pad(valid, 1)
    rows, cols = valid.shape
    inner = np.ones_like(valid)
    for i in range(3):
        for j in range(3):
            inner &= padded[i : i + rows, j : j + cols]
    return valid & ~inner


def lowest_passes(z, valid):
    """Smallest possible highest point of a path to an outlet, by Dijkstra's algorithm."""
    found = np.full(z.shape, np.nan)
    heap = [(z[r, c], r, c) for r, c in np.argwhere(edge_pixels(valid)).tolist()]
    heapq.heapify(heap)
    while heap:
        level, r, c = heapq.heappop(heap)
        if not np.isnan(found[r, c]):
            continue
        found[r, c] = level
        for _, rn, cn in neighbours(r, c, z.shape):
            if valid[rn, cn] and np.isnan(found[rn, cn]):
                heapq.heappush(heap, (max(level, z[rn, cn]), rn, cn))
    return found


@given(coarse_elevations())
def test_the_filled_surface_is_the_lowest_that_drains(case):
    z, valid = case
    flood = fill_depressions(z, valid)
    assert np.array_equal(flood.filled_m, lowest_passes(z, valid), equal_nan=True)
    assert np.array_equal(outlets(flood), edge_pixels(valid))
    assert np.array_equal(flood.parent == INVALID, ~valid)
    again = fill_depressions(np.nan_to_num(flood.filled_m), valid)
    assert np.array_equal(again.filled_m, flood.filled_m, equal_nan=True)
    depth = fill_depth_m(z, flood)
    assert np.array_equal(np.isnan(depth), ~valid)
    assert (depth[valid] >= 0).all()


@given(coarse_elevations())
def test_every_pixel_was_flooded_along_a_way_that_never_rises(case):
    z, valid = case
    flood = fill_depressions(z, valid)
    for r, c in np.argwhere(valid).tolist():
        steps = 0
        while flood.parent[r, c] != OUTLET:
            k = flood.parent[r, c]
            rn, cn = r + ROW_STEP[k], c + COL_STEP[k]
            assert valid[rn, cn]
            assert flood.filled_m[rn, cn] <= flood.filled_m[r, c]
            r, c = rn, cn
            steps += 1
            assert steps <= z.size


def test_a_flat_drains_to_its_nearest_edges():
    flood = fill_depressions(np.full((7, 9), 50.0, np.float32), np.ones((7, 9), bool))
    for r in range(7):
        for c in range(9):
            steps, rr, cc = 0, r, c
            while flood.parent[rr, cc] != OUTLET:
                k = flood.parent[rr, cc]
                rr, cc, steps = rr + ROW_STEP[k], cc + COL_STEP[k], steps + 1
            assert steps == min(r, c, 6 - r, 8 - c)


def test_a_lake_is_filled_to_its_spill_level_and_no_further():
    z = np.full((9, 9), 100.0)
    z[2:7, 2:7] = 40.0
    z[4, 7:] = 70.0  # the outlet valley
    flood = fill_depressions(z, np.ones(z.shape, bool))
    assert (flood.filled_m[2:7, 2:7] == 70.0).all()
    assert fill_depth_m(z, flood).max() == 30.0
    assert (fill_depth_m(z, flood) > 0).sum() == 25


def test_a_void_is_an_outlet():
    z = np.full((7, 7), 10.0)
    z[2:5, 2:5] = 1.0
    valid = np.ones(z.shape, bool)
    assert fill_depressions(z, valid).filled_m[2, 2] == 10.0
    valid[3, 3] = False
    flood = fill_depressions(z, valid)
    assert flood.filled_m[2, 2] == 1.0
    assert np.isnan(flood.filled_m[3, 3])


@pytest.mark.parametrize("void_share", [0.0, 0.02])
def test_fill_depths_equal_those_of_pyflwdir(void_share):
    rng = np.random.default_rng(4)
    rough = np.cumsum(rng.normal(0, 4, (150, 170)), 0) + np.cumsum(rng.normal(0, 4, (150, 170)), 1)
    z = np.round(1000 + rough).astype(np.float32)  # whole metres: pyflwdir's sums are exact
    valid = rng.random(z.shape) >= void_share
    theirs, _ = pyflwdir.dem.fill_depressions(np.where(valid, z, -9999).astype(np.float32))
    ours = fill_depressions(z, valid).filled_m
    assert (ours > z).sum() > 1000
    assert np.array_equal(ours[valid], theirs[valid])


def test_precision_of_the_input_is_kept():
    z = 5000.0 + 1e-6 * np.arange(25.0).reshape(5, 5)
    ones = np.ones(z.shape, bool)
    assert fill_depressions(z, ones).filled_m.dtype == np.float64
    assert np.array_equal(fill_depressions(z, ones).filled_m, z)
    assert fill_depressions(z.astype(np.float32), ones).filled_m.dtype == np.float32
    assert fill_depressions(np.ones((3, 3), np.int16), ones[:3, :3]).filled_m.dtype == np.float32


def test_rasters_without_a_valid_pixel_and_bad_values():
    flood = fill_depressions(np.full((3, 4), np.nan), np.zeros((3, 4), bool))
    assert np.isnan(flood.filled_m).all()
    assert (flood.parent == INVALID).all()
    z = np.ones((3, 4))
    z[1, 2] = np.nan
    with pytest.raises(DataError, match=r"dem\.tif.*row 1, column 2"):
        fill_depressions(z, np.ones(z.shape, bool), source="dem.tif")
