"""Blocks with halos give what the whole array gives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hazard.errors import DataError
from hazard.geo.blockwise import (
    derivatives_by_block,
    distance_by_block,
    map_blocks_with_halo,
    with_halo,
)
from hazard.geo.distance import distance_to_marked_m
from hazard.geo.grid import Block, Grid
from hazard.geo.terrain import terrain_on_grid

LAYERS = (
    "slope_deg", "northness", "eastness", "profile_curvature", "plan_curvature", "valid",
)  # fmt: skip


def metric(rows, cols, cell_m=30.0):
    return Grid.from_bounds("EPSG:32645", (0, 0, cols * cell_m, rows * cell_m), cell_m=cell_m)


dimensions = st.tuples(st.integers(1, 23), st.integers(1, 23))


@given(dimensions, st.integers(1, 25), st.integers(0, 2**32 - 1))
def test_derivatives_by_blocks_equal_the_whole_array_bit_by_bit(shape, size, seed):
    rng = np.random.default_rng(seed)
    z = (1500 + np.cumsum(rng.normal(0, 9, shape), 1)).astype(np.float32)
    valid = rng.random(shape) < 0.85
    grid = metric(*shape)
    whole = terrain_on_grid(z, valid, grid)
    parts = {name: np.zeros(shape, getattr(whole, name).dtype) for name in LAYERS}
    done = []

    def write(block, found):
        for name in LAYERS:
            parts[name][block.slices] = getattr(found, name)

    count = derivatives_by_block(
        lambda block: (z[block.slices], valid[block.slices]),
        write, grid, block_size=size, progress=done.append,
    )  # fmt: skip
    assert count == sum(done) == -(-shape[0] // size) * -(-shape[1] // size)
    for name in LAYERS:
        assert np.array_equal(parts[name], getattr(whole, name), equal_nan=name != "valid"), name


@given(dimensions, st.integers(1, 25), st.integers(0, 2**32 - 1), st.sampled_from([40.0, 200.0]))
def test_distances_by_blocks_equal_the_whole_array_up_to_the_maximum(shape, size, seed, maximum):
    marked = np.random.default_rng(seed).random(shape) < 0.03
    whole = np.minimum(distance_to_marked_m(marked, (30.0, 30.0)), np.float32(maximum))
    found = np.full(shape, np.nan, np.float32)
    distance_by_block(
        lambda block: marked[block.slices],
        lambda block, part: found.__setitem__(block.slices, part),
        metric(*shape), maximum_m=maximum, block_size=size,
    )  # fmt: skip
    assert np.allclose(found, whole, rtol=1e-6, atol=0)


@given(dimensions, st.integers(1, 9), st.integers(0, 5))
def test_each_pixel_is_written_once_and_the_halo_is_cut_at_the_edge(shape, size, halo):
    times = np.zeros(shape, int)
    read = []

    def write(block, results):
        times[block.slices] += results[0]

    map_blocks_with_halo(
        lambda block: read.append(block) or np.ones(block.shape, int),
        write, metric(*shape), block_size=size, halo=halo,
        function=lambda part, grid: (part,),
    )  # fmt: skip
    assert (times == 1).all()
    for block in read:
        assert block.row0 >= 0 <= block.col0
        assert block.row1 <= shape[0]
        assert block.col1 <= shape[1]
        assert max(block.shape) <= size + 2 * halo


def test_a_halo_too_small_is_seen():
    z = np.random.default_rng(1).normal(0, 9, (12, 12))
    grid = metric(12, 12)
    whole = terrain_on_grid(z, np.ones(z.shape, bool), grid).slope_deg
    found = np.zeros((12, 12), np.float32)
    map_blocks_with_halo(
        lambda block: z[block.slices],
        lambda block, results: found.__setitem__(block.slices, results[0]),
        grid, block_size=5, halo=0,
        function=lambda part, g: (terrain_on_grid(part, np.ones(part.shape, bool), g).slope_deg,),
    )  # fmt: skip
    assert not np.array_equal(found, whole)


def test_blocks_know_where_they_lie():
    grid = metric(10, 9)
    seen = []

    def look(block, part):
        seen.append(part.same_as(grid.crop(block)))
        return (np.zeros(block.shape),)

    map_blocks_with_halo(
        lambda block: block, lambda block, results: None, grid,
        block_size=4, halo=2, function=look,
    )  # fmt: skip
    assert len(seen) == 9
    assert all(seen)


def test_nonsense_is_refused():
    grid = metric(4, 4)

    def run(function=lambda part, g: (part,), **options):
        map_blocks_with_halo(
            lambda block: np.zeros(block.shape), lambda block, results: None, grid,
            **{"block_size": 2, "halo": 1, "function": function, **options},
        )  # fmt: skip

    run()
    for options in ({"block_size": 0}, {"halo": -1}, {"function": lambda part, g: (part[1:],)}):
        with pytest.raises(ValueError):
            run(**options)
    assert with_halo(Block(row0=0, row1=2, col0=2, col1=4), 9, (4, 4)).shape == (4, 4)


def test_blocks_of_a_geographic_grid_are_refused():
    grid = Grid.from_bounds("EPSG:4326", (0, 0, 4, 4), cell_m=1)
    ones = np.ones((4, 4), bool)
    with pytest.raises(DataError, match="metres"):
        derivatives_by_block(lambda b: (ones * 1.0, ones), lambda b, found: None, grid)
    with pytest.raises(DataError, match="metres"):
        distance_by_block(lambda b: ones, lambda b, found: None, grid, maximum_m=10.0)
    with pytest.raises(ValueError):
        distance_by_block(lambda b: ones, lambda b, found: None, metric(4, 4), maximum_m=np.inf)
