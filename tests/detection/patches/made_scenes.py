"""Small scenes with everything in them, for tests."""

import datetime as dt

import numpy as np
from affine import Affine

from detection.scenes.scene import Scene
from hazard.geo.grid import Grid

BANDS = ("blue", "green", "red", "nir")


def made_scene(
    rows=70, cols=90, *, name="a-1", region="a", epoch="1", seed=0, bands=BANDS, corner=(0.0, 0.0)
):
    rng = np.random.default_rng(seed)
    grid = Grid(
        crs="EPSG:32645",
        transform=Affine(10, 0, corner[0], 0, -10, corner[1]),
        shape=(rows, cols),
    )
    truth = np.zeros(grid.shape, bool)
    truth[5:20, 60:80] = True
    truth[50:60, 8:14] = True
    return Scene(
        name=name,
        region=region,
        epoch=epoch,
        date=dt.date(2015, 5, 1),
        bands=bands,
        unit="1",
        sensor="made",
        grid=grid,
        image=rng.uniform(0, 0.5, (*grid.shape, len(bands))).astype(np.float32),
        valid=rng.random(grid.shape) > 0.1,
        truth=truth,
        known=np.ones(grid.shape, bool),
        pre=rng.uniform(0, 0.5, (*grid.shape, len(bands))).astype(np.float32),
        pre_valid=rng.random(grid.shape) > 0.1,
        elevation_m=rng.normal(500, 30, grid.shape).astype(np.float32),
    )
