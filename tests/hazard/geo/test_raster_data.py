"""The real rasters beside the project: each opens, has its documented shape, and fits a grid."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyproj import Transformer

from hazard.errors import DataError
from hazard.geo.grid import Block, Grid
from hazard.geo.raster import read_info, read_native, read_on_grid

pytestmark = pytest.mark.data

SCENE = "imagery/hokkaido_s2_scene"
# file: (shape, metric system, minimum and maximum as documented, None where not)
FILES: dict[str, tuple[tuple[int, int], str, tuple[float, float] | None]] = {
    "terrain/bigtujunga.tif": ((643, 1197), "EPSG:32611", (315, 2295)),
    "terrain/patagonia_srtm_30m.tif": ((1389, 1057), "EPSG:32718", (0, 2451)),
    "terrain/jiuzhaigou_30m.tif": ((779, 453), "EPSG:32648", (0, 4346)),
    "terrain/swiss_alps_srtm3_voids.tif": ((1201, 1201), "EPSG:32632", (187, 4173)),
    "terrain/tienshan_gebco2023_15arcsec.nc": ((2014, 4398), "EPSG:32644", (115, 7633)),
    "gorkha/dem_30arcsec.tif": ((528, 1020), "EPSG:32645", None),
    "gorkha/landslide_area_density_1km.tif": ((196, 220), "EPSG:32645", None),
    "gorkha/slope_above_10deg_1km.tif": ((196, 220), "EPSG:32645", None),
    "kashmir/AW3D30.tif": ((849, 546), "EPSG:32643", None),
    "kashmir/Geology.tif": ((849, 546), "EPSG:32643", None),
    "kashmir/Landcover.tif": ((849, 546), "EPSG:32643", None),
    f"{SCENE}/dem/download.DSM.tif": ((324, 512), "EPSG:32654", None),
    f"{SCENE}/slope/download.slope.tif": ((324, 512), "EPSG:32654", None),
    **{
        f"{SCENE}/{when}-event/download.{band}.tif": ((970, 1533), "EPSG:32654", None)
        for when in ("pre", "post")
        for band in ("B2", "B3", "B4")
    },
}


@pytest.mark.parametrize("name", list(FILES))
def test_file_has_its_documented_shape_and_lands_on_a_metric_grid(
    data_dir: Path, name: str
) -> None:
    shape, crs, extremes = FILES[name]
    path = data_dir / name
    native = read_native(path)
    assert native.values.shape == native.grid.shape == shape
    assert native.valid.any()
    if extremes is not None:
        assert (np.nanmin(native.values), np.nanmax(native.values)) == extremes
    cell_m = 2000.0 if "tienshan" in name else 1000.0 if "gorkha" in name else 150.0
    grid = Grid.covering(native.grid, crs, cell_m=cell_m)
    for kernel in ("bilinear", "average", "nearest"):
        got = read_on_grid(path, grid, resampling=kernel)
        assert got.grid.is_metric
        low, high = np.nanmin(native.values), np.nanmax(native.values)
        slack = 1e-5 * max(abs(low), abs(high))
        assert low - slack <= np.nanmin(got.values) <= np.nanmax(got.values) <= high + slack
        # The valid area is that of the file, seen through cells of the new size.
        if native.valid.all():
            assert got.valid.mean() > 0.5
        middle = grid.shape[0] // 2
        block = Block(row0=middle, row1=middle + 7, col0=3, col1=60)
        part = read_on_grid(path, grid, resampling=kernel, block=block)
        np.testing.assert_array_equal(
            part.values[:, : grid.shape[1] - 3], got.values[block.slices][:, :57]
        )


def test_the_mean_elevation_survives_averaging(data_dir: Path) -> None:
    native = read_native(data_dir / "terrain/bigtujunga.tif")
    # Whole cells of 10 x 10 pixels inside the file: every cell's mean is exact.
    grid = native.grid.crop(Block(row0=0, row1=640, col0=0, col1=1190)).coarsen(10)
    got = read_on_grid(data_dir / "terrain/bigtujunga.tif", grid, resampling="average")
    exact = native.values[:640, :1190].astype(float).reshape(64, 10, 119, 10)
    full = np.isfinite(exact).all(axis=(1, 3))
    np.testing.assert_allclose(got.values[full], exact.mean(axis=(1, 3))[full], rtol=1e-5)


def test_voids_stay_voids_and_do_not_bleed(data_dir: Path) -> None:
    path = data_dir / "terrain/swiss_alps_srtm3_voids.tif"
    native = read_native(path)
    assert read_info(path).nodata == -32767
    assert 0.06 < (~native.valid).mean() < 0.08
    grid = Grid.covering(native.grid, "EPSG:32632", cell_m=60)
    got = read_on_grid(path, grid)
    assert got.values[got.valid].min() >= 187


def test_zeros_at_the_edge_are_elevations_until_the_user_says_otherwise(data_dir: Path) -> None:
    path = data_dir / "terrain/jiuzhaigou_30m.tif"
    plain, chosen = read_native(path), read_native(path, nodata=0)
    zeros = plain.values == 0
    assert zeros.sum() > 100
    np.testing.assert_array_equal(plain.valid & ~chosen.valid, zeros & plain.valid)
    assert np.nanmin(chosen.values) > 0


def test_pixels_that_are_not_square_keep_their_size(data_dir: Path) -> None:
    info = read_info(data_dir / "terrain/patagonia_srtm_30m.tif")
    dx, dy = info.grid.cell_size
    assert info.nodata is None
    assert dx != dy
    assert (dx, dy) == pytest.approx((30.00526, 30.00487), abs=1e-5)


def test_gorkha_density_is_missing_outside_the_mapped_area(data_dir: Path) -> None:
    path = data_dir / "gorkha/landslide_area_density_1km.tif"
    assert read_info(path).count == 6
    positives = []
    for band in range(1, 7):
        raster = read_native(path, band=band)
        assert int(raster.valid.sum()) == 21360
        positives.append(int((raster.values[raster.valid] > 0).sum()))
    assert positives == [4582, 3783, 3025, 2292, 4200, 1994]


def test_gorkha_elevation_is_missing_exactly_where_the_pixel_under_the_centre_is(
    data_dir: Path,
) -> None:
    """Exact coordinates by pyproj. (GDAL's default, to 1/8 of a pixel, gets one cell more.)"""
    density = read_native(data_dir / "gorkha/landslide_area_density_1km.tif")
    native = read_native(data_dir / "gorkha/dem_30arcsec.tif")
    grid, t = density.grid, native.grid.transform
    to_file = Transformer.from_crs(grid.crs, native.grid.crs, always_xy=True)
    lon, lat = to_file.transform(*np.meshgrid(grid.x, grid.y))
    row, col = np.floor((lat - t.f) / t.e).astype(int), np.floor((lon - t.c) / t.a).astype(int)
    missing = density.valid & ~native.valid[row, col]
    assert missing.sum() == 221
    for kernel in ("nearest", "bilinear", "cubic"):
        got = read_on_grid(data_dir / "gorkha/dem_30arcsec.tif", grid, resampling=kernel)
        np.testing.assert_array_equal(density.valid & ~got.valid, missing)


def test_categories_of_kashmir_are_codes(data_dir: Path) -> None:
    raster = read_native(data_dir / "kashmir/Geology.tif", categorical=True)
    assert raster.values.dtype == np.int16
    codes = np.unique(raster.values[raster.valid])
    assert 1 < codes.size < 100
    grid = Grid.covering(raster.grid, "EPSG:32643", cell_m=100)
    coarse = read_on_grid(
        data_dir / "kashmir/Geology.tif", grid, resampling="nearest", categorical=True
    )
    assert set(np.unique(coarse.values[coarse.valid])) <= set(codes)


def test_scene_before_the_event_is_two_fifths_missing(data_dir: Path) -> None:
    raster = read_native(data_dir / SCENE / "pre-event/download.B4.tif")
    assert 0.35 < (~raster.valid).mean() < 0.45
    assert read_native(data_dir / SCENE / "pre-event/download.B4.tif", nodata=math.nan).valid.all()


def test_patches_without_georeference_are_refused(data_dir: Path) -> None:
    patches: Any = sorted((data_dir / "imagery/hokkaido_rgb_patches/images").glob("*.tif"))
    assert len(patches) == 12
    for path in patches:
        assert read_info(path).shape == (256, 256)
        with pytest.raises(DataError, match="no coordinate system"):
            read_native(path)
