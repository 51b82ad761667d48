"""Every real elevation raster through the whole chain: derivatives, routing, wetness, streams."""

import numpy as np
import pytest
from pyproj import Transformer
from rasterio.features import rasterize
from rasterio.warp import Resampling, reproject
from scipy.ndimage import binary_erosion

from hazard.geo.fill import OUTLET
from hazard.geo.flow import route_flow
from hazard.geo.grid import Grid
from hazard.geo.inventory import read_inventory
from hazard.geo.raster import read_info, read_native, read_on_grid
from hazard.geo.streams import stream_distance_m, twi
from hazard.geo.terrain import terrain_on_grid
from hazard.variables import VARIABLES

pytestmark = pytest.mark.data


def through_the_chain(z, valid, grid, threshold_m2):
    """Run everything and hold each layer to its declaration; the slopes."""
    local = terrain_on_grid(z, valid, grid)
    flow = route_flow(z, valid, grid.cell_size)
    total = valid.sum() * grid.cell_area_m2
    assert flow.area_m2[flow.d8 == OUTLET].sum() == pytest.approx(total, rel=1e-9)
    assert (flow.filled_m[valid] >= z[valid]).all()
    layers = {
        "slope_deg": local.slope_deg,
        "northness": local.northness,
        "eastness": local.eastness,
        "profile_curvature": local.profile_curvature,
        "plan_curvature": local.plan_curvature,
        "twi": twi(flow.specific_area_m, local.slope_deg),
        "stream_distance_m": stream_distance_m(
            flow.area_m2, valid, grid.cell_size, threshold_m2=threshold_m2
        ),
    }
    for name, values in layers.items():
        known = valid if name == "stream_distance_m" else local.valid
        assert np.array_equal(np.isfinite(values), known), name
        low, high = VARIABLES[name].valid
        assert low <= np.nanmin(values) <= np.nanmax(values) <= high, name
    # Pixels that only touch others by a corner, along voids, have no slope.
    assert (valid & ~local.valid).sum() < 2e-4 * valid.sum()
    return local.slope_deg


@pytest.mark.parametrize(
    ("name", "median", "steepest"),
    [
        ("bigtujunga.tif", 22.1, 70.0),
        ("patagonia_srtm_30m.tif", 24.0, 75.0),
        ("jiuzhaigou_30m.tif", 36.0, 75.0),
    ],
)
def test_metric_elevations_have_plausible_mountains(data_dir, name, median, steepest):
    raster = read_native(data_dir / "terrain" / name)
    # Two files say zero outside their area, and blend it into a rim of a few pixels.
    inside = raster.valid & (raster.values != 0)
    valid = inside if inside.all() else binary_erosion(inside, np.ones((3, 3)), iterations=3)
    assert valid.mean() > 0.6
    slope = through_the_chain(raster.values, valid, raster.grid, 1e6)
    assert np.nanmedian(slope) == pytest.approx(median, abs=1.0)
    assert np.nanpercentile(slope, 99.9) < steepest


def metric_grid(path, crs, cell_m):
    native = read_info(path).grid
    to_metres = Transformer.from_crs(native.crs, crs, always_xy=True)
    return Grid.from_bounds(
        crs, to_metres.transform_bounds(*native.bounds, densify_pts=51), cell_m=cell_m
    )


def test_alps_with_voids(data_dir):
    path = data_dir / "terrain" / "swiss_alps_srtm3_voids.tif"
    grid = metric_grid(path, "EPSG:32632", 90.0)
    raster = read_on_grid(path, grid)
    assert 0.85 < raster.valid.mean() < 0.95
    slope = through_the_chain(raster.values, raster.valid, grid, 1e6)
    assert np.nanmedian(slope) == pytest.approx(26.0, abs=1.0)
    assert np.nanpercentile(slope, 99.9) < 70.0


@pytest.mark.slow
def test_the_large_tien_shan(data_dir):
    path = data_dir / "terrain" / "tienshan_gebco2023_15arcsec.nc"
    grid = metric_grid(path, "EPSG:32643", 450.0)
    native = read_native(path)
    z = np.full(grid.shape, np.nan, np.float32)
    reproject(
        native.values, z, src_transform=native.grid.transform, src_crs=native.grid.crs.to_wkt(),
        dst_transform=grid.transform, dst_crs=grid.crs.to_wkt(), src_nodata=np.nan,
        dst_nodata=np.nan, resampling=Resampling.bilinear,
    )  # fmt: skip
    valid = np.isfinite(z)
    assert valid.sum() > 7_000_000
    slope = through_the_chain(z, valid, grid, 2e7)
    assert np.nanpercentile(slope, 99.9) < 60.0


def test_kashmir_landslides_lie_on_steeper_ground(data_dir):
    raster = read_native(data_dir / "kashmir" / "AW3D30.tif")
    slope = through_the_chain(raster.values, raster.valid, raster.grid, 1e6)
    inventory = read_inventory(data_dir / "kashmir" / "landslides.shp", raster.grid)
    inside = rasterize(
        inventory.table.frame.geometry, raster.grid.shape, transform=raster.grid.transform
    ).astype(bool)
    # Figures of the data's own description, at pixel centres inside polygons.
    assert slope[inside].mean() == pytest.approx(39.9, abs=0.1)
    assert slope[~inside].mean() == pytest.approx(33.3, abs=0.1)
