"""A small cube with a planted signal, written as the cube command writes it."""

import json

import numpy as np
import zarr

from hazard.config.schema import FoldConfig, PatchConfig
from hazard.cube.layout import open_cube
from hazard.cube.patch_audit import audit_design
from hazard.cube.splits import cell_centres, make_designs, write_folds
from hazard.geo.cf import cf_dataset
from hazard.geo.grid import Grid
from hazard.geo.store import write_zarr

FACTOR, TRIGGER = 2, 4
GRID = Grid.from_bounds("EPSG:32645", (0, 0, 24_000, 18_000), cell_m=1000)
YX, EYX = ("y", "x"), ("epoch", "y", "x")
DATES = (
    ("coseismic", "2015-04-25", "2015-06-15", "coseismic", 52),
    ("post 2015", "2015-06-16", "2015-12-15", "post-monsoon", 183),
    ("pre 2016", "2015-12-16", "2016-06-15", "pre-monsoon", 183),
    ("post 2016", "2016-06-16", "2016-12-15", "post-monsoon", 183),
)
DESIGNS = (
    FoldConfig(design="random", folds=2),
    FoldConfig(design="spatial_blocks", folds=2, block_km=4, buffer_km=1),
    FoldConfig(design="forward_chaining", block_km=4, buffer_km=1, first_test_epoch=2),
)


def epoch_record(name, start, end, season, days, number):
    return {
        "name": name, "start": start, "end": end, "season": season, "length_days": days,
        "image_start": None, "image_end": None, "dates": "nominal", "monsoons": (number + 1) // 2,
    }  # fmt: skip


def layers(rng, *, epochs=4):
    """Slope and rain raise the odds, and cells that failed once fail again."""
    mask = rng.random(GRID.shape) < 0.93
    observed = np.broadcast_to(mask, (epochs, *GRID.shape)).copy()
    observed &= rng.random(observed.shape) < 0.97
    pixels, triggers = GRID.refine(FACTOR).shape, GRID.coarsen(TRIGGER).shape
    slope = rng.uniform(0, 60, pixels).astype(np.float32)
    slope += np.linspace(-15, 15, pixels[1], dtype=np.float32)
    slope = np.clip(slope, 0, 60)
    per_cell = slope.reshape(GRID.shape[0], FACTOR, GRID.shape[1], FACTOR).mean(axis=(1, 3))
    weak = rng.normal(0, 1, GRID.shape)
    logit = -2.0 + 0.08 * (per_cell - 30) + weak + rng.normal(0, 0.3, (epochs, 1, 1))
    present = rng.random(observed.shape) < 1 / (1 + np.exp(-logit))
    density = np.where(present, np.exp(rng.normal(-1 + 0.4 * weak, 1.0, observed.shape)), 0)
    density = np.minimum(density, 90)
    return {
        "": {
            "area_density": (EYX, np.where(observed, density, np.nan).astype(np.float32)),
            "presence": (EYX, np.where(observed, density > 0, -1).astype(np.int8)),
            "mask": (EYX, np.broadcast_to(mask, observed.shape).copy()),
            "observed": (EYX, observed),
        },
        "pixels": {
            "elevation_m": (YX, rng.uniform(500, 6000, pixels).astype(np.float32)),
            "slope_deg": (YX, slope),
            "zoning": (YX, rng.integers(1, 4, pixels).astype(np.int16), {"_FillValue": -32768}),
        },
        "cells": {},
        "triggers": {
            "monsoons": (("epoch",), ((np.arange(epochs) + 1) // 2).astype(np.float32)),
            "pga": (YX, rng.gamma(3, 1, triggers).astype(np.float32)),
            "rain_max_mm_day": (EYX, rng.gamma(2, 30, (epochs, *triggers)).astype(np.float32)),
        },
    }


def write_small_cube(folder, *, seed=0, designs=DESIGNS, change=None):
    """A cube in `folder`/cube.zarr; `change(layers)` may alter what is stored."""
    stored = layers(np.random.default_rng(seed))
    if change is not None:
        change(stored)
    path = folder / "cube.zarr"
    records = [epoch_record(*row, number) for number, row in enumerate(DATES)]
    attributes = {
        "layout": "hazard-cube", "layout_version": 1, "name": "small", "title": "Small study",
        "synthetic": True, "event": json.dumps({"date": "2015-04-25"}),
        "epochs": json.dumps(records), "absent": json.dumps({"pga_sd": "one event"}),
        "inputs": "[]",
        "config": json.dumps({"cube": {"patches": PatchConfig().model_dump()}}),
    }  # fmt: skip
    grids = {"": GRID, "pixels": GRID.refine(FACTOR), "triggers": GRID.coarsen(TRIGGER)}
    groups = {
        name: cf_dataset(stored.get(name, {}), grids.get(name, GRID),
                         attrs=attributes if name == "" else None)
        for name in ("", "pixels", "cells", "triggers", "folds")
    }  # fmt: skip
    write_zarr(path, groups)
    made = make_designs(
        designs, stored[""]["observed"][1], GRID, seed=0, epoch_names=[row[0] for row in DATES]
    )
    x, y = cell_centres(GRID)
    root = zarr.open_group(path, mode="a", use_consolidated=False)
    write_folds(root, GRID, made, {n: audit_design(d, x=x, y=y) for n, d in made.items()})
    return open_cube(path)
