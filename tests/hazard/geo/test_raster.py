"""Reading rasters: values and validity on any grid, and blocks that equal the whole."""

from __future__ import annotations

import math
import tracemalloc
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from hazard.errors import DataError
from hazard.geo.grid import Block, Grid
from hazard.geo.raster import (
    Kernel,
    Raster,
    read_bands_on_grid,
    read_info,
    read_native,
    read_on_grid,
)
from hazard.geo.sources import open_source, read_window

UTM = "EPSG:32645"
Array = np.ndarray[Any, np.dtype[Any]]


def write_tif(
    path: Path,
    values: Array,
    transform: Affine,
    crs: str | None = UTM,
    *,
    mask: Array | None = None,
    scale: float = 1,
    offset: float = 0,
    alpha: bool = False,
    **profile: Any,
) -> Path:
    """A plain GeoTIFF of (y, x) or (band, y, x) values, without any code under test."""
    bands = values[np.newaxis] if values.ndim == 2 else values
    options = {"tiled": False, **({"alpha": "YES"} if alpha else {}), **profile}
    with rasterio.open(
        path, "w", driver="GTiff", height=bands.shape[1], width=bands.shape[2],
        count=len(bands), dtype=bands.dtype, crs=crs, transform=transform, **options,
    ) as dataset:  # fmt: skip
        dataset.write(bands)
        if mask is not None:
            dataset.write_mask(mask)
        if scale != 1 or offset != 0:
            dataset.scales = (scale,) * len(bands)
            dataset.offsets = (offset,) * len(bands)
    return path


def surface(grid: Grid) -> Array:
    """A smooth field of place, in metres, that any grid can evaluate at its centres."""
    x, y = np.meshgrid(grid.x, grid.y)
    return 1000 + 300 * np.sin((x - 3e5) / 900) + 200 * np.cos((y - 3e6) / 1300)


def lattice(cell_m: float, shape: tuple[int, int], left: float = 3e5, top: float = 3e6) -> Grid:
    return Grid(crs=UTM, transform=Affine(cell_m, 0, left, 0, -cell_m, top), shape=shape)


# ---- the file's own lattice -----------------------------------------------------------------


def test_native_read_returns_values_mask_and_grid(tmp_path: Path) -> None:
    values = np.arange(12, dtype=np.int16).reshape(3, 4)
    values[1, 2] = -99
    path = write_tif(
        tmp_path / "a.tif", values, Affine(30.005, 0, 500, 0, -30.004, 900), nodata=-99
    )
    raster = read_native(path)
    assert raster.values.dtype == np.float32
    assert raster.grid.cell_size == (30.005, 30.004)
    expected = values.astype(float)
    expected[1, 2] = np.nan
    np.testing.assert_array_equal(raster.values, expected)
    np.testing.assert_array_equal(raster.valid, np.isfinite(expected))
    part = read_native(path, window=Block(row0=1, row1=3, col0=2, col1=4))
    np.testing.assert_array_equal(part.values, expected[1:3, 2:4])
    assert part.grid.bounds == pytest.approx((500 + 60.01, 900 - 90.012, 620.02, 900 - 30.004))


def test_nodata_argument_replaces_that_of_the_file(tmp_path: Path) -> None:
    values = np.array([[0, 1, -99, 4]], np.int16)
    path = write_tif(tmp_path / "a.tif", values, Affine(1, 0, 0, 0, -1, 1), nodata=-99)
    assert read_native(path).valid.tolist() == [[True, True, False, True]]
    assert read_native(path, nodata=0).valid.tolist() == [[False, True, True, True]]
    assert read_native(path, nodata=math.nan).valid.all()
    with pytest.raises(DataError, match=r"a\.tif: found nodata=99999 .* value of int16"):
        read_native(path, nodata=99999)
    with pytest.raises(DataError, match=r"nodata=0\.5"):
        read_on_grid(path, lattice(1, (1, 4), 0, 1), nodata=0.5)


def test_nan_and_infinity_are_invalid_whatever_nodata_says(tmp_path: Path) -> None:
    values = np.array([[np.nan, np.inf, -np.inf, 1e300, 5, -9999]])
    path = write_tif(tmp_path / "a.tif", values, Affine(1, 0, 0, 0, -1, 1), nodata=-9999)
    assert read_native(path).valid.tolist() == [[False] * 4 + [True, False]]
    assert read_native(path, nodata=5).valid.tolist() == [[False] * 5 + [True]]


def test_float32_nodata_matches_though_given_as_float64(tmp_path: Path) -> None:
    values = np.array([[-3.4e38, 2.0]], np.float32)
    path = write_tif(tmp_path / "a.tif", values, Affine(1, 0, 0, 0, -1, 1))
    assert read_native(path, nodata=-3.4e38).valid.tolist() == [[False, True]]
    assert read_native(path).valid.all()


def test_per_dataset_mask_is_honoured_beside_a_nodata_argument(tmp_path: Path) -> None:
    values = np.array([[1, 2], [3, 4]], np.int16)
    mask = np.array([[True, False], [True, True]])
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        path = write_tif(tmp_path / "a.tif", values, Affine(1, 0, 0, 0, -1, 2), mask=mask)
    np.testing.assert_array_equal(read_native(path).valid, mask)
    np.testing.assert_array_equal(read_native(path, nodata=4).valid, mask & (values != 4))


@pytest.mark.parametrize("nodata", [None, 3])
def test_alpha_band_is_honoured_also_beside_nodata(tmp_path: Path, nodata: int | None) -> None:
    bands = np.array([[[1, 2, 3]], [[255, 0, 255]]], np.uint8)
    path = write_tif(
        tmp_path / "a.tif", bands, Affine(1, 0, 0, 0, -1, 1), alpha=True, nodata=nodata
    )
    expected = [True, False, nodata is None]
    assert read_native(path).valid.tolist() == [expected]
    assert read_native(path, band=2).values[0, 1] == 0


def test_scale_and_offset_make_physical_values(tmp_path: Path) -> None:
    values = np.array([[0, 100, 300, -1]], np.int16)
    path = write_tif(
        tmp_path / "a.tif", values, Affine(10, 0, 0, 0, -10, 10), scale=0.1, offset=-5, nodata=-1
    )
    raster = read_native(path)
    np.testing.assert_allclose(raster.values[0, :3], [-5, 5, 25], rtol=1e-6)
    assert not raster.valid[0, 3]
    info = read_info(path)
    assert (info.scales, info.offsets, info.nodata) == ((0.1,), (-5.0,), -1)
    fine = read_on_grid(path, lattice(5, (2, 8), 0, 10), resampling="nearest")
    np.testing.assert_allclose(fine.values[0, :6], [-5, -5, 5, 5, 25, 25], rtol=1e-6)


def test_rows_stored_from_the_south_come_out_north_up(tmp_path: Path) -> None:
    values = np.arange(6, dtype=np.float32).reshape(3, 2)
    path = write_tif(tmp_path / "a.tif", values, Affine(10, 0, 0, 0, 10, 0))
    raster = read_native(path)
    np.testing.assert_array_equal(raster.values, values[::-1])
    assert raster.grid.bounds == (0, 0, 20, 30)
    np.testing.assert_array_equal(
        read_native(path, window=Block(row0=0, row1=1, col0=0, col1=2)).values, values[2:]
    )


def test_categories_keep_their_type_and_are_never_interpolated(tmp_path: Path) -> None:
    values = np.array([[2**30 + 1, 7, -1]], np.int32)
    path = write_tif(tmp_path / "a.tif", values, Affine(10, 0, 0, 0, -10, 10), nodata=-1)
    raster = read_on_grid(path, lattice(5, (2, 6), 0, 10), resampling="nearest", categorical=True)
    assert raster.values.dtype == np.int32
    assert raster.values[0].tolist() == [2**30 + 1, 2**30 + 1, 7, 7, 0, 0]
    assert raster.valid[0].tolist() == [True] * 4 + [False] * 2
    assert read_native(path, categorical=True).values.tolist() == [[2**30 + 1, 7, 0]]
    with pytest.raises(ValueError, match="cannot be interpolated"):
        read_on_grid(path, lattice(5, (2, 6), 0, 10), categorical=True)
    floats = write_tif(tmp_path / "b.tif", values.astype(float), Affine(1, 0, 0, 0, -1, 1))
    with pytest.raises(DataError, match=r"b\.tif: found float64 .* integer codes"):
        read_native(floats, categorical=True)


@pytest.mark.parametrize("kernel", ["nearest", "bilinear", "cubic", "average"])
def test_a_grid_on_the_files_lattice_is_copied_exactly(tmp_path: Path, kernel: Kernel) -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(20, 30)).astype(np.float32)
    values[rng.random(values.shape) < 0.2] = np.nan
    path = write_tif(tmp_path / "a.tif", values, Affine(30, 0, 600, 0, -30, 900))
    # One row and two columns beyond the file on the north-west, cut short on the south-east.
    grid = Grid(crs=UTM, transform=Affine(30, 0, 540, 0, -30, 930), shape=(15, 25))
    raster = read_on_grid(path, grid, resampling=kernel)
    np.testing.assert_array_equal(raster.values[1:, 2:], values[:14, :23])
    assert not raster.valid[0].any()
    assert not raster.valid[:, :2].any()


# ---- resampling against the truth and against other implementations -------------------------


@pytest.mark.parametrize(
    ("pixel_deg", "cell_m"), [(1 / 1200, 31.25), (1 / 1200, 80.0), (1 / 60, 1000.0)]
)
def test_reprojection_finds_source_coordinates_to_a_hundredth_of_a_pixel(
    tmp_path: Path, pixel_deg: float, cell_m: float
) -> None:
    """Ramps of row and column number read back as coordinates; pyproj says what they must be."""
    t = Affine(pixel_deg, 0, 85.0, 0, -pixel_deg, 28.0)
    size = 500
    ramps = np.stack(np.mgrid[0:size, 0:size]).astype(np.float32)
    path = write_tif(tmp_path / "a.tif", ramps, t, "EPSG:4326")
    to_utm = Transformer.from_crs("EPSG:4326", UTM, always_xy=True)
    grid = lattice(cell_m, (420, 420), *to_utm.transform(85 + pixel_deg, 28 - pixel_deg))
    lon, lat = Transformer.from_crs(UTM, "EPSG:4326", always_xy=True).transform(
        *np.meshgrid(grid.x, grid.y)
    )
    exact = (lat - t.f) / t.e - 0.5, (lon - t.c) / t.a - 0.5
    inside = np.logical_and.reduce([(e > 0) & (e < size - 1) for e in exact])
    assert inside.mean() > 0.5
    for band, expected in enumerate(exact, start=1):
        got = read_on_grid(path, grid, band=band).values
        assert np.abs(got - expected)[inside].max() < 0.011


@pytest.mark.parametrize(("kernel", "bound"), [("bilinear", 0.3), ("cubic", 0.05)])
def test_interpolation_follows_a_smooth_surface(
    tmp_path: Path, kernel: Kernel, bound: float
) -> None:
    native = lattice(30, (120, 120))
    path = write_tif(tmp_path / "a.tif", surface(native).astype(np.float32), native.transform)
    grid = lattice(13.7, (150, 150), 3e5 + 400, 3e6 - 400)
    got = read_on_grid(path, grid, resampling=kernel)
    assert got.valid.all()
    assert np.abs(got.values - surface(grid)).max() < bound


def test_average_equals_the_area_weighted_mean_of_exactextract(tmp_path: Path) -> None:
    import geopandas as gpd
    from exactextract import exact_extract
    from exactextract.raster import NumPyRasterSource
    from shapely.geometry import box

    rng = np.random.default_rng(2)
    native = lattice(30, (100, 100))
    values = rng.gamma(2, 100, native.shape).astype(np.float32)
    values[rng.random(native.shape) < 0.15] = np.nan
    path = write_tif(tmp_path / "a.tif", values, native.transform)
    grid = lattice(170, (17, 17), 3e5 + 13, 3e6 - 8)
    got = read_on_grid(path, grid, resampling="average", min_valid_share=0.01)
    boxes = [box(x - 85, y - 85, x + 85, y + 85) for y in grid.y for x in grid.x]
    source = NumPyRasterSource(values.astype(float), *native.bounds, srs_wkt=native.crs.to_wkt())
    cells = gpd.GeoDataFrame(geometry=boxes, crs=UTM)
    frame = exact_extract(source, cells, ["mean"], output="pandas")
    np.testing.assert_allclose(got.values.ravel(), frame["mean"].to_numpy(float), rtol=2e-4)


def test_average_needs_the_stated_share_of_valid_area(tmp_path: Path) -> None:
    values = np.ones((4, 8), np.float32)
    values[0, 0] = np.nan  # 15/16 valid
    values[:2, 4:] = np.nan  # 8/16 valid
    path = write_tif(tmp_path / "a.tif", values, Affine(10, 0, 0, 0, -10, 40))
    grid = lattice(40, (1, 3), 0, 40)  # the third cell is off the file
    kinds = {0.4: [True, True, False], 0.5: [True, True, False], 0.6: [True, False, False]}
    for share, expected in kinds.items():
        got = read_on_grid(path, grid, resampling="average", min_valid_share=share)
        assert got.valid.tolist() == [expected]
    got = read_on_grid(path, grid, resampling="average", min_valid_share=1)
    assert got.valid.tolist() == [[False, False, False]]
    # A cell half over the edge of the file has half its area valid.
    over = lattice(40, (1, 1), -20, 40)
    full = write_tif(tmp_path / "b.tif", np.ones((4, 8), np.float32), Affine(10, 0, 0, 0, -10, 40))
    assert read_on_grid(full, over, resampling="average", min_valid_share=0.5).valid.all()
    assert not read_on_grid(full, over, resampling="average", min_valid_share=0.6).valid.any()


@pytest.mark.parametrize("kernel", ["bilinear", "cubic"])
@pytest.mark.parametrize("cell_m", [4.1, 9.7, 23.0])
def test_nodata_never_bleeds_into_values(tmp_path: Path, kernel: Kernel, cell_m: float) -> None:
    rng = np.random.default_rng(3)
    values = np.full((60, 60), 500, np.int16)
    values[rng.random(values.shape) < 0.3] = -32767
    path = write_tif(tmp_path / "a.tif", values, Affine(10, 0, 0, 0, -10, 600), nodata=-32767)
    size = int(600 / cell_m)
    got = read_on_grid(path, lattice(cell_m, (size, size), 0, 600), resampling=kernel)
    assert got.valid.mean() > 0.5
    np.testing.assert_allclose(got.values[got.valid], 500, rtol=1e-5)


@pytest.mark.parametrize("kernel", ["bilinear", "cubic"])
def test_interpolation_is_valid_exactly_where_the_pixel_under_the_centre_is(
    tmp_path: Path, kernel: Kernel
) -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(size=(40, 40)).astype(np.float32)
    values[rng.random(values.shape) < 0.3] = np.nan
    path = write_tif(tmp_path / "a.tif", values, Affine(10, 0, 0, 0, -10, 400))
    grid = lattice(3.1, (150, 150), -20.05, 420.05)
    got = read_on_grid(path, grid, resampling=kernel)
    row = np.floor((400 - grid.y) / 10).astype(int)
    col = np.floor(grid.x / 10).astype(int)
    inside = ((row >= 0) & (row < 40))[:, None] & ((col >= 0) & (col < 40))[None, :]
    under = np.isfinite(values)[np.clip(row, 0, 39)[:, None], np.clip(col, 0, 39)[None, :]]
    np.testing.assert_array_equal(got.valid, inside & under)


def test_bilinear_does_not_alias_on_a_coarser_grid_but_nearest_does(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    native = lattice(10, (400, 400))
    path = write_tif(
        tmp_path / "a.tif", rng.normal(size=native.shape).astype(np.float32), native.transform
    )
    grid = lattice(100, (38, 38), 3e5 + 103, 3e6 - 104)
    spread = {
        kernel: float(np.nanstd(read_on_grid(path, grid, resampling=kernel).values))
        for kernel in ("nearest", "bilinear", "cubic", "average")
    }
    assert 0.9 < spread["nearest"] < 1.1
    # White noise under a triangle of full width 20 pixels: sd (2/3)/10; over a cell: 1/10.
    assert spread["bilinear"] == pytest.approx(2 / 3 / 10, rel=0.1)
    assert spread["average"] == pytest.approx(1 / 10, rel=0.1)
    assert spread["cubic"] < 0.15


# ---- blocks ---------------------------------------------------------------------------------

CASES = {
    # name: (source cell, source crs, target cell)
    "finer in degrees": (0.0004, "EPSG:4326", 21.0),
    "coarser in degrees": (0.0004, "EPSG:4326", 170.0),
    "finer in metres": (30.0, UTM, 13.7),
    "coarser in metres": (30.0, UTM, 131.0),
    "far coarser": (3.0, UTM, 131.0),
}


@pytest.fixture(scope="module", params=list(CASES))
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A noisy file with holes, a grid over and beyond it, and the whole read of each kernel."""
    cell, crs, target = CASES[request.param]
    rng = np.random.default_rng(6)
    size = 600 if cell < 10 and crs == UTM else 200
    values = rng.normal(size=(size, size + 40)).astype(np.float32)
    values[rng.random(values.shape) < 0.1] = np.nan
    left, top = (85.0, 28.0) if crs == "EPSG:4326" else (3e5, 3.1e6)
    path = write_tif(
        tmp_path_factory.mktemp("blocks") / "a.tif",
        values,
        Affine(cell, 0, left, 0, -cell, top),
        crs,
    )
    grid = Grid.covering(read_info(path).grid, UTM, cell_m=target)
    whole = {
        kernel: read_on_grid(path, grid, resampling=kernel)
        for kernel in ("nearest", "bilinear", "cubic", "average")
    }
    assert all(0.2 < w.valid.mean() < 1 for w in whole.values())
    return path, grid, whole


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    kernel=st.sampled_from(["nearest", "bilinear", "cubic", "average"]),
    corner=st.tuples(st.floats(-0.1, 1), st.floats(-0.1, 1)),
    size=st.tuples(st.integers(1, 500), st.integers(1, 500)),
)
@example(kernel="bilinear", corner=(-0.1, -0.1), size=(1, 1))
def test_any_block_equals_its_part_of_the_whole_bit_for_bit(
    case: Any, kernel: Kernel, corner: tuple[float, float], size: tuple[int, int]
) -> None:
    path, grid, whole = case
    row0, col0 = int(corner[0] * grid.shape[0]), int(corner[1] * grid.shape[1])
    block = Block(row0=row0, row1=row0 + size[0], col0=col0, col1=col0 + size[1])
    got: Raster = read_on_grid(path, grid, resampling=kernel, block=block)
    assert got.grid.same_as(grid.crop(block))
    rows = slice(*np.clip([row0, block.row1], 0, grid.shape[0]).tolist())
    cols = slice(*np.clip([col0, block.col1], 0, grid.shape[1]).tolist())
    if rows.start == rows.stop or cols.start == cols.stop:
        return  # a block off the grid has no part in the whole
    inner = slice(rows.start - row0, rows.stop - row0), slice(cols.start - col0, cols.stop - col0)
    np.testing.assert_array_equal(got.values[inner], whole[kernel].values[rows, cols])
    np.testing.assert_array_equal(got.valid[inner], whole[kernel].valid[rows, cols])


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(size=st.integers(40, 400), kernel=st.sampled_from(["bilinear", "average"]))
def test_blocks_of_any_size_put_together_are_the_whole(
    case: Any, size: int, kernel: Kernel
) -> None:
    path, grid, whole = case
    joined = np.empty(grid.shape, np.float32)
    for block in grid.blocks(size):
        joined[block.slices] = read_on_grid(path, grid, resampling=kernel, block=block).values
    np.testing.assert_array_equal(joined, whole[kernel].values)


def test_a_block_off_the_file_is_invalid_but_a_grid_off_the_file_is_refused(
    tmp_path: Path,
) -> None:
    path = write_tif(tmp_path / "a.tif", np.ones((9, 9), np.float32), Affine(10, 0, 0, 0, -10, 90))
    grid = lattice(7, (100, 100), 0, 90)
    far = Block(row0=60, row1=80, col0=60, col1=80)
    assert not read_on_grid(path, grid, block=far).valid.any()
    with pytest.raises(DataError, match=r"a\.tif: found bounds .* off the grid; expected overlap"):
        read_on_grid(path, lattice(7, (10, 10), 5000, 5000))


# ---- several bands --------------------------------------------------------------------------


def assert_as_alone(path: Path, grid: Grid, bands: tuple[int, ...], **changes: Any) -> None:
    """Bands that are read together are those that are read one by one, bit for bit."""
    together = list(read_bands_on_grid(path, grid, bands, **changes))
    assert len(together) == len(bands)
    for band, got in zip(bands, together, strict=True):
        alone = read_on_grid(path, grid, band=band, **changes)
        np.testing.assert_array_equal(got.values, alone.values)
        np.testing.assert_array_equal(got.valid, alone.valid)
        assert got.values.dtype == alone.values.dtype
        assert got.grid == alone.grid


@pytest.mark.parametrize("interleave", ["pixel", "band"])
@pytest.mark.parametrize(
    ("cell_m", "left"), [(30, 3e5), (30, 3e5 - 300), (13.7, 3e5 + 400)], ids=str
)
@pytest.mark.parametrize("bands", [(1, 2, 3), (3, 1), (2, 2)])
def test_bands_read_together_are_those_read_alone(
    tmp_path: Path, interleave: str, cell_m: float, left: float, bands: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(1, 4000, (3, 60, 70)).astype(np.int16)
    values[rng.random(values.shape) < 0.1] = -1
    transform = Affine(30, 0, 3e5, 0, -30, 3e6)
    path = write_tif(
        tmp_path / "a.tif", values, transform, nodata=-1, scale=0.5, interleave=interleave
    )
    grid = lattice(cell_m, (50, 60), left, 3e6)
    assert_as_alone(path, grid, bands)
    assert_as_alone(path, grid, bands, block=Block(row0=3, row1=40, col0=7, col1=44))
    far = Block(row0=5000, row1=5003, col0=0, col1=4)
    assert not any(r.valid.any() for r in read_bands_on_grid(path, grid, bands, block=far))


def test_alpha_and_masks_hold_for_bands_read_together(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    values = rng.integers(0, 200, (4, 20, 30)).astype(np.uint8)
    values[3] = np.where(rng.random((20, 30)) < 0.2, 0, 255)
    t = Affine(30, 0, 3e5, 0, -30, 3e6)
    grid = lattice(30, (20, 30))
    alpha = write_tif(tmp_path / "alpha.tif", values, t, alpha=True)
    assert_as_alone(alpha, grid, (1, 3, 4))
    seen = next(read_bands_on_grid(alpha, grid, (1,))).valid
    np.testing.assert_array_equal(seen, values[3] > 0)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        masked = write_tif(tmp_path / "masked.tif", values[:3], t, mask=values[3])
    assert_as_alone(masked, grid, (2, 3))
    assert not all(r.valid.all() for r in read_bands_on_grid(masked, grid, (2, 3)))


def test_bands_of_different_types_are_read_together(tmp_path: Path) -> None:
    """GDAL hands out only bands of one type as one array; a virtual file may hold several."""
    t, grid = Affine(30, 0, 3e5, 0, -30, 3e6), lattice(30, (20, 30))
    counts = np.random.default_rng(2).integers(0, 9000, (20, 30)).astype(np.uint16)
    write_tif(tmp_path / "counts.tif", counts, t)
    write_tif(tmp_path / "shares.tif", (counts / 9000).astype(np.float32), t)
    parts = "".join(
        f"""<VRTRasterBand dataType="{kind}" band="{band}"><SimpleSource>
        <SourceFilename relativeToVRT="1">{name}.tif</SourceFilename><SourceBand>1</SourceBand>
        </SimpleSource></VRTRasterBand>"""
        for band, (name, kind) in enumerate((("counts", "UInt16"), ("shares", "Float32")), start=1)
    )
    path = tmp_path / "a.vrt"
    path.write_text(
        f"""<VRTDataset rasterXSize="30" rasterYSize="20"><SRS>{UTM}</SRS>
        <GeoTransform>300000, 30, 0, 3000000, 0, -30</GeoTransform>{parts}</VRTDataset>"""
    )
    assert_as_alone(path, grid, (1, 2))
    first, second = read_bands_on_grid(path, grid, (1, 2))
    np.testing.assert_array_equal(first.values, counts)
    np.testing.assert_allclose(second.values, counts / 9000, rtol=1e-6)


def test_a_file_is_opened_once_for_all_its_bands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.ones((5, 20, 30), np.float32)
    path = write_tif(tmp_path / "a.tif", values, Affine(30, 0, 3e5, 0, -30, 3e6))
    opened: list[Any] = []
    real = rasterio.open
    monkeypatch.setattr(
        "hazard.geo.sources.rasterio.open", lambda *a, **k: opened.append(a) or real(*a, **k)
    )
    for grid in (lattice(30, (20, 30)), lattice(47, (10, 10))):
        opened.clear()
        assert len(list(read_bands_on_grid(path, grid, (1, 2, 3, 4, 5)))) == 5
        assert len(opened) == 1


def test_a_band_that_is_not_there_is_refused_before_any_is_read(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", np.ones((2, 4, 4)), Affine(30, 0, 3e5, 0, -30, 3e6))
    with pytest.raises(DataError, match=r"found 2 band\(s\); expected band 3"):
        next(read_bands_on_grid(path, lattice(30, (4, 4)), (1, 3)))


# ---- netCDF ---------------------------------------------------------------------------------


def netcdf(path: Path, *, ascending: bool, **changes: Any) -> tuple[Path, Array]:
    """A packed CF elevation file; returns it and the north-up physical values."""
    lat = 27.5 + 0.01 * np.arange(30)
    lon = 85.0 + 0.01 * np.arange(40)
    north_up = 100.0 + np.arange(30)[::-1, None] * 10 + np.arange(40)[None, :]
    north_up[3, 4] = np.nan
    stored = np.where(np.isnan(north_up), -999, north_up * 2).astype(np.int16)
    order = slice(None, None, -1) if ascending else slice(None)
    dataset = xr.Dataset(
        {
            "z": (
                ("lat", "lon"),
                stored[order],
                {"_FillValue": np.int16(-999), "scale_factor": 0.5, "units": "m"},
            )
        },
        coords={
            "lat": ("lat", lat if ascending else lat[::-1], {"units": "degrees_north"}),
            "lon": ("lon", lon, {"units": "degrees_east"}),
        },
    )
    dataset = changes.get("edit", lambda d: d)(dataset)
    dataset.to_netcdf(path, engine=changes.get("engine", "h5netcdf"))
    return path, north_up


@pytest.mark.parametrize("engine", ["h5netcdf", "scipy"])
@pytest.mark.parametrize("ascending", [True, False])
def test_netcdf_reads_north_up_whatever_the_order_of_latitude(
    tmp_path: Path, ascending: bool, engine: str
) -> None:
    path, expected = netcdf(tmp_path / "a.nc", ascending=ascending, engine=engine)
    raster = read_native(path)
    np.testing.assert_array_equal(raster.values, expected.astype(np.float32))
    np.testing.assert_allclose(raster.grid.bounds, (84.995, 27.495, 85.395, 27.795))
    assert raster.grid.crs.to_epsg() == 4326
    assert read_info(path).units == ("m",)
    window = Block(row0=2, row1=5, col0=1, col1=7)
    np.testing.assert_array_equal(
        read_native(path, window=window).values, expected[window.slices].astype(np.float32)
    )
    tif = write_tif(
        tmp_path / "a.tif", expected.astype(np.float32), raster.grid.transform, "EPSG:4326"
    )
    grid = Grid.covering(raster.grid, UTM, cell_m=400)
    np.testing.assert_array_equal(read_on_grid(path, grid).values, read_on_grid(tif, grid).values)


def test_a_compressed_chunk_is_decoded_once(tmp_path: Path) -> None:
    """Windows come one after another: what the first has decoded serves those behind it."""
    path = tmp_path / "a.nc"
    heights = np.random.default_rng(0).integers(0, 4000, (60, 80)).astype(np.int16)
    xr.Dataset(
        {"z": (("y", "x"), heights)},
        coords={
            "y": ("y", 3e6 - 30.0 * np.arange(60), {"standard_name": "projection_y_coordinate"}),
            "x": ("x", 3e5 + 30.0 * np.arange(80), {"standard_name": "projection_x_coordinate"}),
        },
        attrs={"crs": UTM},
    ).to_netcdf(path, engine="h5netcdf", encoding={"z": {"zlib": True, "chunksizes": (60, 80)}})
    with h5py.File(path, "r") as file:
        chunk = file["z"].id.get_chunk_info(0)
    with open_source(path) as source:
        first, _ = read_window(
            source, Block(row0=0, row1=9, col0=0, col1=9), 1, nodata=None, categorical=False
        )
        with path.open("r+b") as stream:  # the chunk as it is stored is no longer readable
            stream.seek(chunk.byte_offset)
            stream.write(b"\0" * chunk.size)
        later, _ = read_window(
            source, Block(row0=40, row1=60, col0=70, col1=80), 1, nodata=None, categorical=False
        )
    np.testing.assert_array_equal(first, heights[:9, :9])
    np.testing.assert_array_equal(later, heights[40:, 70:])


def test_netcdf_dimensions_before_the_axes_are_bands(tmp_path: Path) -> None:
    def stack(dataset: xr.Dataset) -> xr.Dataset:
        return xr.concat([dataset, dataset.assign(z=dataset.z + 2)], dim="time", join="exact")

    path, expected = netcdf(tmp_path / "a.nc", ascending=True, edit=stack)
    assert read_info(path).count == 2
    np.testing.assert_array_equal(read_native(path, band=2).values[5:], expected[5:] + 1)
    with pytest.raises(DataError, match=r"found 2 band\(s\); expected band 3"):
        read_native(path, band=3)


def test_netcdf_without_a_system_is_refused_unless_axes_are_degrees(tmp_path: Path) -> None:
    def bare(dataset: xr.Dataset) -> xr.Dataset:
        dataset.lat.attrs.clear()
        dataset.lon.attrs.clear()
        return dataset

    path, _ = netcdf(tmp_path / "a.nc", ascending=True, edit=bare)
    with pytest.raises(DataError, match=r"a\.nc: found no coordinate system"):
        read_native(path)

    def mapped(dataset: xr.Dataset) -> xr.Dataset:
        from pyproj import CRS

        dataset = bare(dataset).assign(crs=((), 0, CRS(UTM).to_cf()))
        dataset.z.attrs["grid_mapping"] = "crs"
        return dataset

    path, _ = netcdf(tmp_path / "b.nc", ascending=True, edit=mapped)
    assert read_info(path).crs == Grid.from_bounds(UTM, (0, 0, 1, 1), cell_m=1).crs


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda d: d.assign(w=d.z * 1), "exactly one variable"),
        (lambda d: d.isel(lat=[0, 1, 5, 6]), "irregular lat"),
        (lambda d: d.isel(lat=[0]), "1 usable value"),
        (lambda d: d.isel(lon=slice(None, None, -1)), "lon decreasing"),
        (lambda d: d.drop_vars("lat"), "exactly one variable"),
    ],
    ids=["two variables", "irregular", "single row", "mirrored", "no axis"],
)
def test_netcdf_that_is_no_regular_raster_is_refused(
    tmp_path: Path, edit: Any, message: str
) -> None:
    path, _ = netcdf(tmp_path / "a.nc", ascending=True, edit=edit)
    with pytest.raises(DataError, match=rf"a\.nc: .*{message}"):
        read_native(path)


def test_netcdf_variable_is_chosen_by_name(tmp_path: Path) -> None:
    path, expected = netcdf(
        tmp_path / "a.nc", ascending=True, edit=lambda d: d.assign(w=d.z * 0 + 2)
    )
    # xarray hands the packing of z on to w: stored 2 is 1.
    assert (read_native(path, variable="w", nodata=math.nan).values == 1).all()
    np.testing.assert_array_equal(read_native(path, variable="z").values, expected)
    with pytest.raises(DataError, match="numeric variables with y and x axes: w, z"):
        read_native(path, variable="q")


def test_memory_of_a_read_follows_the_block_not_the_file_or_the_grid(tmp_path: Path) -> None:
    """NumPy's own allocations: one block of a 36 MB file onto a grid of 6000 x 6000 cells."""
    path = write_tif(
        tmp_path / "a.tif",
        np.ones((3000, 3000), np.float32),
        lattice(30, (3000, 3000)).transform,
        tiled=True,
        blockxsize=256,
        blockysize=256,
    )
    grid = lattice(14.9, (6000, 6000))
    block = Block(row0=2900, row1=3200, col0=2900, col1=3200)
    tracemalloc.start()
    try:
        assert read_on_grid(path, grid, block=block).valid.all()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * 2**20


@pytest.mark.parametrize("kernel", ["bilinear", "cubic", "average"])
def test_beyond_the_file_is_the_same_as_nodata_inside_it(tmp_path: Path, kernel: Kernel) -> None:
    values = np.random.default_rng(7).normal(size=(90, 120)).astype(np.float32)
    wide = np.pad(values, 80, constant_values=np.nan)
    native = lattice(10, values.shape)
    near = write_tif(tmp_path / "a.tif", values, native.transform)
    far = write_tif(
        tmp_path / "b.tif", wide, lattice(10, wide.shape, 3e5 - 800, 3e6 + 800).transform
    )
    grid = lattice(37, (35, 45), 3e5 - 150, 3e6 + 150)
    one, two = (read_on_grid(path, grid, resampling=kernel) for path in (near, far))
    np.testing.assert_array_equal(one.valid, two.valid)
    np.testing.assert_allclose(one.values, two.values, rtol=1e-5, atol=1e-6)
