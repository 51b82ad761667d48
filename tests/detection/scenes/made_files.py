"""Small scenes as ordinary files, for tests."""

import geopandas as gpd
import numpy as np
import rasterio
import shapely
from affine import Affine

UTM = "EPSG:32645"
BANDS = ("blue", "green", "red", "nir")
CORNER = (300_000.0, 3_100_000.0)


def write_raster(path, values, *, crs=UTM, pixel=10.0, corner=CORNER, nodata=None, names=None,
                 units=None, scale=None):  # fmt: skip
    values = values[None] if values.ndim == 2 else values
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path, "w", driver="GTiff", height=values.shape[1], width=values.shape[2],
        count=len(values), dtype=values.dtype, crs=crs, nodata=nodata,
        transform=Affine(pixel, 0, corner[0], 0, -pixel, corner[1]),
    ) as out:  # fmt: skip
        out.write(values)
        if names:
            out.descriptions = names
        if units:
            out.units = units
        if scale:
            out.scales, out.offsets = [scale] * len(values), [0.0] * len(values)
    return path


def write_polygons(path, geometries, *, crs=UTM):
    path.parent.mkdir(parents=True, exist_ok=True)
    gpd.GeoDataFrame(geometry=list(geometries), crs=crs).to_file(path, driver="GPKG")
    return path


def box_px(row0, col0, row1, col1, *, pixel=10.0, corner=CORNER):
    """The rectangle of these pixels on the ground."""
    return shapely.box(
        corner[0] + col0 * pixel, corner[1] - row1 * pixel,
        corner[0] + col1 * pixel, corner[1] - row0 * pixel,
    )  # fmt: skip


def counts(rows=40, cols=50, bands=4, *, seed=0):
    """Stored numbers of a sensor that scales reflectance by 10,000; 0 is a value."""
    return np.random.default_rng(seed).integers(0, 6000, (bands, rows, cols)).astype(np.uint16)
