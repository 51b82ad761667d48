"""Cloud Optimized GeoTIFFs: valid, complete, never half-written, and never lossy by accident."""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rio_cogeo.cogeo import cog_validate

from hazard.errors import DataError
from hazard.geo.grid import Block, Grid
from hazard.geo.raster import read_info, read_native, write_cog, write_cog_blocks

GRID = Grid(crs="EPSG:32645", transform=Affine(30.005, 0, 3e5, 0, -30.004, 3e6), shape=(700, 1100))


def field(grid: Grid = GRID, seed: int = 1) -> np.ndarray[Any, np.dtype[np.float32]]:
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.normal(size=grid.shape), axis=1).astype(np.float32)


def test_file_is_a_valid_cog_with_overviews_names_units_and_tags(tmp_path: Path) -> None:
    values = np.stack([field(seed=1), field(seed=2)])
    valid = np.ones(GRID.shape, bool)
    valid[:50, 60:90] = False
    path = tmp_path / "out" / "slope.tif"
    write_cog(
        path, values, GRID, valid=valid, names=["slope", "relief"], units=["degree", "m"],
        descriptions=["steepest descent", "range in the cell"],
        tags={"source": "SRTM", "source_sha256": "ab", "count": 3},
    )  # fmt: skip
    ok, errors, warnings = cog_validate(path, strict=True)
    assert (ok, errors, warnings) == (True, [], [])
    with rasterio.open(path) as dataset:
        assert dataset.profile["compress"] == "deflate"
        assert (dataset.profile["blockxsize"], dataset.overviews(1)) == (512, [2, 4])
        assert dataset.tags(ns="IMAGE_STRUCTURE")["PREDICTOR"] == "3"
        assert dataset.descriptions == ("slope", "relief")
        assert dataset.units == ("degree", "m")
        assert dataset.tags(1)["long_name"] == "steepest descent"
        tags = dataset.tags()
        assert (tags["source"], tags["source_sha256"], tags["count"]) == ("SRTM", "ab", "3")
        assert math.isnan(dataset.nodata)
    for band in (1, 2):
        raster = read_native(path, band=band)
        assert raster.grid.same_as(GRID)
        np.testing.assert_array_equal(raster.valid, valid)
        np.testing.assert_array_equal(raster.values[valid], values[band - 1][valid])
    assert [p.name for p in path.parent.iterdir()] == ["slope.tif"]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    shape=st.tuples(st.integers(1, 200), st.integers(1, 200)),
    kind=st.sampled_from(["float32", "float64", "int16", "int32", "uint8", "uint16", "bool"]),
    block_size=st.sampled_from([128, 512]),
)
def test_any_shape_and_type_reads_back_exactly(
    tmp_path: Path, shape: tuple[int, int], kind: str, block_size: int
) -> None:
    rng = np.random.default_rng(0)
    grid = Grid(crs="EPSG:4326", transform=Affine(0.1, 0, 5, 0, -0.2, 40), shape=shape)
    values = (rng.normal(size=shape) * 50).astype("int16").astype(kind)
    valid = rng.random(shape) < 0.8
    nodata = math.nan if kind.startswith("float") else {"uint8": 255, "bool": 255}.get(kind, 9999)
    if kind == "uint8":
        values = np.minimum(values, 254)
    path = tmp_path / "a.tif"
    write_cog(
        path, values, grid, valid=valid, names=["a"], units=["1"], nodata=nodata,
        block_size=block_size,
    )  # fmt: skip
    assert cog_validate(path)[0]
    stored = "uint8" if kind == "bool" else kind
    assert read_info(path).dtype == stored
    with rasterio.open(path) as dataset:
        got = dataset.read(1)
    np.testing.assert_array_equal(got[valid], values[valid])
    np.testing.assert_array_equal(read_native(path).valid, valid)


def test_integers_without_gaps_have_no_nodata_value(tmp_path: Path) -> None:
    grid = Grid.from_bounds("EPSG:32645", (0, 0, 40, 30), cell_m=10)
    write_cog(
        tmp_path / "a.tif", np.arange(12, dtype=np.uint8).reshape(3, 4), grid, names=["code"],
        units=[""],
    )  # fmt: skip
    assert read_info(tmp_path / "a.tif").nodata is None
    assert read_native(tmp_path / "a.tif").valid.all()


def test_categories_keep_their_codes_in_overviews(tmp_path: Path) -> None:
    codes = np.random.default_rng(3).choice([1, 7], size=GRID.shape).astype(np.uint8)
    write_cog(tmp_path / "a.tif", codes, GRID, names=["geology"], units=[""])
    write_cog(tmp_path / "b.tif", codes, GRID, names=["share"], units=[""], overviews="average")
    seen = []
    for name in ("a.tif", "b.tif"):
        with rasterio.open(tmp_path / name, overview_level=0) as dataset:
            seen.append(set(np.unique(dataset.read(1)).tolist()))
    assert seen[0] == {1, 7}
    assert seen[1] > {1, 7}


@pytest.mark.parametrize(
    ("bad", "nodata", "message"),
    [
        (math.nan, math.nan, r"found nan in 1 valid cell\(s\) of 'slope'"),
        (math.inf, math.nan, "found inf in 1 valid"),
        (-9999.0, -9999, r"found -9999\.0 in 1 valid"),
    ],
)
def test_valid_cells_that_would_read_back_as_missing_are_refused(
    tmp_path: Path, bad: float, nodata: float, message: str
) -> None:
    grid = Grid.from_bounds("EPSG:32645", (0, 0, 40, 30), cell_m=10)
    values = np.ones(grid.shape, np.float32)
    values[1, 2] = bad
    path = tmp_path / "a.tif"
    with pytest.raises(DataError, match=rf"a\.tif: {message}"):
        write_cog(
            path, values, grid, names=["slope"], units=["degree"], nodata=nodata,
            valid=np.ones(grid.shape, bool),
        )  # fmt: skip
    assert not list(tmp_path.iterdir())


def test_missing_integers_need_a_nodata_value(tmp_path: Path) -> None:
    grid = Grid.from_bounds("EPSG:32645", (0, 0, 40, 30), cell_m=10)
    with pytest.raises(DataError, match=r"1 missing cell\(s\) and no nodata value for int16"):
        write_cog(
            tmp_path / "a.tif", np.ones(grid.shape, np.int16), grid, names=["a"], units=[""],
            valid=np.arange(12).reshape(3, 4) > 0,
        )  # fmt: skip


def test_wrong_shapes_and_counts_are_refused(tmp_path: Path) -> None:
    grid = Grid.from_bounds("EPSG:32645", (0, 0, 40, 30), cell_m=10)
    with pytest.raises(ValueError, match="on a grid of shape"):
        write_cog(tmp_path / "a.tif", np.ones((4, 3)), grid, names=["a"], units=[""])
    with pytest.raises(ValueError, match="1 names, 2 units"):
        write_cog(tmp_path / "a.tif", np.ones((3, 4)), grid, names=["a"], units=["", ""])
    with pytest.raises(ValueError, match=r"values of shape .* expected \(2, 3, 4\)"):
        write_cog(tmp_path / "a.tif", np.ones((3, 4)), grid, names=["a", "b"], units=["", ""])
    with pytest.raises(ValueError, match="multiple of 16"):
        write_cog(
            tmp_path / "a.tif", np.ones((3, 4)), grid, names=["a"], units=[""], block_size=100
        )
    assert not list(tmp_path.iterdir())


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(size=st.integers(100, 800))
def test_blocks_of_any_size_write_what_the_array_writes(tmp_path: Path, size: int) -> None:
    values = field()
    blocks = ((block, values[block.slices]) for block in GRID.blocks(size))
    write_cog_blocks(tmp_path / "a.tif", blocks, GRID, dtype="float32", names=["z"], units=["m"])
    np.testing.assert_array_equal(read_native(tmp_path / "a.tif").values, values)
    assert cog_validate(tmp_path / "a.tif", strict=True)[0]


def test_blocks_must_cover_the_grid_once(tmp_path: Path) -> None:
    values = field()

    def write(blocks: list[Block]) -> None:
        write_cog_blocks(
            tmp_path / "a.tif", ((b, values[b.slices]) for b in blocks), GRID, dtype="float32",
            names=["z"], units=["m"],
        )  # fmt: skip

    blocks = list(GRID.blocks(512))
    with pytest.raises(ValueError, match="cells of the grid are in no block"):
        write(blocks[:-1])
    with pytest.raises(ValueError, match="overlaps an earlier block"):
        write([*blocks, blocks[0]])
    with pytest.raises(ValueError, match="leaves the grid"):
        write([Block(row0=0, row1=701, col0=0, col1=10)])
    assert not list(tmp_path.iterdir())


def test_a_failure_half_way_leaves_the_earlier_file_untouched(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    write_cog(path, field(), GRID, names=["z"], units=["m"])
    before = path.read_bytes()

    def failing() -> Iterator[tuple[Block, Any]]:
        for index, block in enumerate(GRID.blocks(512)):
            if index == 2:
                raise KeyboardInterrupt
            yield block, np.zeros(block.shape, np.float32)

    with pytest.raises(KeyboardInterrupt):
        write_cog_blocks(path, failing(), GRID, dtype="float32", names=["z"], units=["m"])
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]


def test_a_folder_in_the_way_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.tif").mkdir()
    (tmp_path / "a.tif" / "mine.txt").write_text("keep")
    with pytest.raises(DataError, match="found a folder of another kind"):
        write_cog(tmp_path / "a.tif", field(), GRID, names=["z"], units=["m"])
    assert (tmp_path / "a.tif" / "mine.txt").read_text() == "keep"


def test_python_memory_is_bounded_by_the_block_not_the_raster(tmp_path: Path) -> None:
    """NumPy's own allocations: a 64 MB raster passes through in blocks of 1 MB."""
    grid = Grid.from_bounds("EPSG:32645", (0, 0, 4000, 4000), cell_m=1)
    tracemalloc.start()
    try:
        write_cog_blocks(
            tmp_path / "a.tif",
            ((block, np.full(block.shape, 7, np.float32)) for block in grid.blocks(512)),
            grid, dtype="float32", names=["z"], units=["m"],
        )  # fmt: skip
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * 2**20
