"""Areas of the real inventories, in the projection of their own layer."""

import warnings
from pathlib import Path

import geopandas as gpd
import numpy as np


def real_areas(data_dir: Path, country: str, year: int, above_m2: float) -> np.ndarray:
    """Areas [m2] of one year that are not smaller than `above_m2`."""
    with warnings.catch_warnings():
        # Some rings are wound the wrong way; their areas are right.
        warnings.simplefilter("ignore")
        path = f"/vsizip/{data_dir}/inventories/{country}.zip/{country}/{year}.shp"
        areas = gpd.read_file(path).geometry.area.to_numpy()
    return areas[areas >= above_m2]
