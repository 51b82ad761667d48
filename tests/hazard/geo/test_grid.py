"""The grid: lattices nest and partition; what is not a metric, north-up lattice is refused."""

import math

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from hazard.errors import DataError
from hazard.geo.grid import Block, Grid

UTM = "EPSG:32645"

grids = st.builds(
    lambda dx, dy, left, top, rows, cols: Grid(
        crs=UTM, transform=Affine(dx, 0, left, 0, -dy, top), shape=(rows, cols)
    ),
    st.floats(0.5, 2000),
    st.floats(0.5, 2000),
    st.floats(1e5, 9e5),
    st.floats(0, 9e6),
    st.integers(1, 40),
    st.integers(1, 40),
)


@given(grids, st.integers(1, 45))
def test_blocks_cover_each_cell_once(grid: Grid, size: int) -> None:
    seen = np.zeros(grid.shape, int)
    for block in grid.blocks(size):
        assert max(block.shape) <= size
        assert seen[block.slices].shape == block.shape
        seen[block.slices] += 1
    assert (seen == 1).all()


@given(grids, st.integers(1, 32))
def test_refined_lattice_nests_in_the_same_bounds(grid: Grid, factor: int) -> None:
    fine = grid.refine(factor)
    assert fine.shape == (grid.shape[0] * factor, grid.shape[1] * factor)
    # A bound that cancels to nothing is rounded at the size of the coordinates, not at its own.
    size = max(abs(bound) for bound in grid.bounds)
    np.testing.assert_allclose(fine.bounds, grid.bounds, rtol=1e-12, atol=1e-15 * size)
    np.testing.assert_allclose(fine.cell_area_m2 * factor**2, grid.cell_area_m2, rtol=1e-12)
    # A cell's centre is the mean of the centres of its pixels.
    np.testing.assert_allclose(fine.x.reshape(-1, factor).mean(1), grid.x, rtol=1e-12)
    np.testing.assert_allclose(fine.y.reshape(-1, factor).mean(1), grid.y, rtol=1e-12, atol=1e-6)
    assert fine.coarsen(factor).same_as(grid)


@given(grids, st.integers(1, 7))
def test_coarsened_grid_covers_with_less_than_one_block_to_spare(grid: Grid, factor: int) -> None:
    coarse = grid.coarsen(factor)
    for fine_size, coarse_size in zip(grid.shape, coarse.shape, strict=True):
        assert fine_size <= coarse_size * factor < fine_size + factor
    assert coarse.bounds[0] == grid.bounds[0]
    assert coarse.bounds[3] == grid.bounds[3]


@given(grids, st.data())
def test_crop_keeps_the_coordinates_of_its_cells(grid: Grid, data: st.DataObject) -> None:
    row0 = data.draw(st.integers(0, grid.shape[0] - 1))
    row1 = data.draw(st.integers(row0 + 1, grid.shape[0]))
    col0 = data.draw(st.integers(0, grid.shape[1] - 1))
    col1 = data.draw(st.integers(col0 + 1, grid.shape[1]))
    block = Block(row0=row0, row1=row1, col0=col0, col1=col1)
    part = grid.crop(block)
    np.testing.assert_allclose(part.x, grid.x[block.slices[1]], rtol=1e-13)
    np.testing.assert_allclose(part.y, grid.y[block.slices[0]], rtol=1e-13, atol=1e-8)
    halo = grid.crop(Block(row0=-2, row1=grid.shape[0] + 2, col0=-2, col1=grid.shape[1] + 2))
    np.testing.assert_allclose(halo.x[2:-2], grid.x, rtol=1e-12)


@given(
    st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(1, 5e4), st.floats(1, 5e4),
    st.floats(10, 5000),
)  # fmt: skip
def test_from_bounds_covers_with_less_than_one_cell_to_spare(
    left: float, bottom: float, width: float, height: float, cell_m: float
) -> None:
    grid = Grid.from_bounds(UTM, (left, bottom, left + width, bottom + height), cell_m=cell_m)
    got = grid.bounds
    slack = 1e-6 * cell_m
    assert got[0] == left
    assert got[3] == bottom + height
    assert left + width - slack <= got[2] <= left + width + cell_m + slack
    assert bottom - cell_m - slack <= got[1] <= bottom + slack


def test_axes_are_cell_centres_with_row_zero_in_the_north() -> None:
    grid = Grid(crs=UTM, transform=Affine(30, 0, 1000, 0, -20, 5000), shape=(3, 2))
    np.testing.assert_array_equal(grid.x, [1015, 1045])
    np.testing.assert_array_equal(grid.y, [4990, 4970, 4950])
    assert grid.cell_area_m2 == 600


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:2264"])
def test_degrees_and_feet_are_refused_where_metres_are_needed(crs: str) -> None:
    grid = Grid(crs=crs, transform=Affine(1, 0, 0, 0, -1, 0), shape=(2, 2))
    with pytest.raises(DataError, match=r"dem\.tif: found coordinate system .* in metres"):
        grid.require_metres("slopes", "dem.tif")
    with pytest.raises(DataError, match="cell areas need lengths"):
        _ = grid.cell_area_m2


@pytest.mark.parametrize(
    "transform",
    [
        Affine(1, 0.1, 0, 0, -1, 0),
        Affine(1, 0, 0, 0.1, -1, 0),
        Affine(1, 0, 0, 0, 1, 0),
        Affine(-1, 0, 0, 0, -1, 0),
        Affine(0, 0, 0, 0, -1, 0),
        Affine(math.nan, 0, 0, 0, -1, 0),
        Affine(1, 0, math.inf, 0, -1, 0),
    ],
    ids=["shear", "rotated", "south-up", "mirrored", "flat", "nan", "infinite"],
)
def test_rotated_flipped_and_empty_transforms_are_refused(transform: Affine) -> None:
    with pytest.raises(DataError, match="found transform"):
        Grid(crs=UTM, transform=transform, shape=(2, 2))


def test_unknown_system_empty_shape_and_empty_bounds_are_refused() -> None:
    with pytest.raises(DataError, match="coordinate system 'EPSG:1'"):
        Grid(crs="EPSG:1", transform=Affine(1, 0, 0, 0, -1, 0), shape=(2, 2))
    with pytest.raises(DataError, match="at least one cell"):
        Grid(crs=UTM, transform=Affine(1, 0, 0, 0, -1, 0), shape=(0, 2))
    with pytest.raises(DataError, match="left < right"):
        Grid.from_bounds(UTM, (10, 0, 0, 10), cell_m=1)
    with pytest.raises(DataError, match="positive cell size"):
        Grid.from_bounds(UTM, (0, 0, 10, 10), cell_m=0)


@pytest.mark.parametrize("number", [0, -1, 1.5])
def test_factors_and_sizes_are_whole_and_positive(number: float) -> None:
    grid = Grid.from_bounds(UTM, (0, 0, 10, 10), cell_m=1)
    with pytest.raises(ValueError, match="whole number"):
        grid.refine(number)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="whole number"):
        list(grid.blocks(number))  # type: ignore[arg-type]


def test_covering_grid_snaps_to_the_lattice_and_holds_the_area() -> None:
    from pyproj import Transformer

    dem = Grid(crs="EPSG:4326", transform=Affine(0.01, 0, 85.3, 0, -0.01, 28.2), shape=(40, 60))
    grid = Grid.covering(dem, UTM, cell_m=500)
    assert grid.transform.c % 500 == 0 == grid.transform.f % 500
    to_utm = Transformer.from_crs("EPSG:4326", UTM, always_xy=True)
    lon, lat = np.meshgrid([85.3, 85.6, 85.9], [28.2, 28.0, 27.8])
    x, y = to_utm.transform(lon, lat)
    left, bottom, right, top = grid.bounds
    assert (x >= left).all()
    assert (x <= right).all()
    assert (y >= bottom).all()
    assert (y <= top).all()
    # No more than a cell beyond the area's own bounds (edges between the corners included).
    assert x.min() - left < 500 + 100
    with pytest.raises(DataError, match="in metres"):
        Grid.covering(dem, "EPSG:4326", cell_m=1)


def test_same_grid_means_system_shape_and_transform() -> None:
    grid = Grid.from_bounds(UTM, (0, 0, 10, 10), cell_m=1)
    shifted = Grid(crs=UTM, transform=Affine(1, 0, 1e-7, 0, -1, 10), shape=(10, 10))
    assert grid.same_as(shifted)
    assert not grid.same_as(Grid.from_bounds(UTM, (0.1, 0, 10.1, 10), cell_m=1))
    assert not grid.same_as(Grid.from_bounds("EPSG:32644", (0, 0, 10, 10), cell_m=1))
    assert not grid.same_as(Grid.from_bounds(UTM, (0, 0, 10, 11), cell_m=1))
