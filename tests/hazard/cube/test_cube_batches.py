"""A stored cube becomes batches: every predictor found, in a fixed order, nothing else read."""

import json

import numpy as np
import pytest
import zarr

from hazard.config.schema import FoldConfig, PatchConfig
from hazard.cube.cube_batches import (
    batches_of_cube,
    designs_of_cube,
    export_cube,
    patches_of_cube,
    predictors_of_cube,
)
from hazard.cube.export import load_export
from hazard.cube.layout import FLAG_CENSORED, open_cube
from hazard.cube.patch_audit import audit_design
from hazard.cube.refit import refit
from hazard.cube.splits import cell_centres, make_designs, role_on_grid, write_folds
from hazard.errors import DataError
from hazard.geo.cf import cf_dataset
from hazard.geo.grid import Grid
from hazard.geo.store import write_zarr
from stats.resampling.folds import TRAIN

EPOCHS, FACTOR, TRIGGER = 3, 2, 4
GRID = Grid.from_bounds("EPSG:32645", (0, 0, 18_000, 14_000), cell_m=1000)
YX, EYX = ("y", "x"), ("epoch", "y", "x")


def epoch_record(name, start, end, season, days):
    return {
        "name": name, "start": start, "end": end, "season": season, "length_days": days,
        "image_start": None, "image_end": None, "dates": "nominal", "monsoons": 0,
    }  # fmt: skip


RECORDS = [
    epoch_record("coseismic", "2015-04-25", "2015-06-15", "coseismic", 52),
    epoch_record("post 2015", "2015-06-16", "2015-12-15", "post-monsoon", 183),
    epoch_record("pre 2016", "2015-12-16", "2016-06-15", "pre-monsoon", 183),
]


@pytest.fixture(scope="module")
def layers():
    rng = np.random.default_rng(0)
    mask = rng.random(GRID.shape) < 0.9
    observed = np.broadcast_to(mask, (EPOCHS, *GRID.shape)) & (
        rng.random((EPOCHS, *GRID.shape)) < 0.95
    )
    density = rng.exponential(1, observed.shape) * (rng.random(observed.shape) < 0.3)
    pixels, triggers = GRID.refine(FACTOR).shape, GRID.coarsen(TRIGGER).shape
    flag = np.where(rng.random(GRID.shape) < 0.4, FLAG_CENSORED, 0).astype(np.uint8)
    return {
        "": {
            "area_density": (EYX, np.where(observed, density, np.nan).astype(np.float32)),
            "presence": (EYX, np.where(observed, density > 0, -1).astype(np.int8)),
            "mask": (EYX, np.broadcast_to(mask, observed.shape).copy()),
            "observed": (EYX, observed),
        },
        "pixels": {
            "zoning": (YX, rng.integers(1, 4, pixels).astype(np.int16), {"_FillValue": -32768}),
            "filled": (YX, rng.integers(0, 2, pixels).astype(np.uint8)),
            "slope_deg": (YX, rng.uniform(0, 60, pixels).astype(np.float32)),
            "elevation_m": (YX, rng.uniform(500, 6000, pixels).astype(np.float32)),
        },
        "cells": {
            "steepness": (YX, rng.uniform(10, 60, GRID.shape).astype(np.float32)),
            "steepness_flag": (YX, flag),
        },
        "triggers": {
            "monsoons": (("epoch",), np.array([0, 1, 1], dtype=np.float32)),
            "pga": (YX, rng.gamma(3, 1, triggers).astype(np.float32)),
            "pga_flag": (YX, np.zeros(triggers, np.uint8)),
            "rain_max_mm_day": (EYX, rng.gamma(2, 30, (EPOCHS, *triggers)).astype(np.float32)),
        },
    }


@pytest.fixture(scope="module")
def cube(layers, tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "cube.zarr"
    patches = PatchConfig()
    attributes = {
        "layout": "hazard-cube", "layout_version": 1, "name": "small", "title": "Small",
        "synthetic": True, "event": json.dumps({"date": "2015-04-25"}),
        "epochs": json.dumps(RECORDS), "absent": json.dumps({"pga_sd": "one event"}),
        "inputs": "[]", "config": json.dumps({"cube": {"patches": patches.model_dump()}}),
    }  # fmt: skip
    grids = {"": GRID, "pixels": GRID.refine(FACTOR), "triggers": GRID.coarsen(TRIGGER)}
    groups = {
        name: cf_dataset(layers.get(name, {}), grids.get(name, GRID),
                         attrs=attributes if name == "" else None)
        for name in ("", "pixels", "cells", "triggers", "folds")
    }  # fmt: skip
    write_zarr(path, groups)
    observed = layers[""]["observed"][1]
    designs = make_designs(
        [
            FoldConfig(design="spatial_blocks", folds=2, block_km=4, buffer_km=1),
            FoldConfig(design="forward_chaining", block_km=4, buffer_km=1),
        ],
        observed, GRID, seed=0,
    )  # fmt: skip
    x, y = cell_centres(GRID)
    root = zarr.open_group(path, mode="a", use_consolidated=False)
    write_folds(root, GRID, designs, {n: audit_design(d, x=x, y=y) for n, d in designs.items()})
    return open_cube(path)


def test_predictors_come_in_the_order_of_their_declaration_with_unit_and_support(cube):
    found = [(p.name, p.unit, p.support, p.per_epoch, p.is_class) for p in predictors_of_cube(cube)]
    assert found == [
        ("elevation_m", "m", "pixel", False, False),
        ("slope_deg", "degree", "pixel", False, False),
        ("zoning", "1", "pixel", False, True),
        ("steepness", "1", "cell", False, False),
        ("steepness_censored", "1", "cell", False, False),
        ("pga", "m s-2", "trigger", False, False),
        ("rain_max_mm_day", "mm day-1", "trigger", True, False),
        ("monsoons", "1", "epoch", False, False),
        ("season", "1", "epoch", False, True),
        ("length_days", "day", "epoch", False, False),
        ("days_since_event", "day", "epoch", False, False),
    ]


def test_batches_hold_what_the_cube_stores(cube, layers):
    batches = batches_of_cube(cube)
    seen = layers[""]["observed"][1]
    density = np.nan_to_num(layers[""]["area_density"][1])
    assert np.array_equal(batches.to_grid(batches.weight, fill=0) > 0, seen)
    assert np.array_equal(batches.to_grid(batches.area_density, fill=0), density)
    assert batches.pixels_per_cell == FACTOR
    assert batches.notes["synthetic"] == "yes"
    assert json.loads(batches.notes["absent"]) == {"pga_sd": "one event"}
    # The mean and spread that are stored take the elevation back to metres.
    scaling = batches.standardisation.scaling("elevation_m")
    first = int(batches.cell_flat[0])
    row, col = (FACTOR * i for i in divmod(first, GRID.shape[1]))
    elevation = layers["pixels"]["elevation_m"][1][row : row + FACTOR, col : col + FACTOR]
    back = batches.pixels[0, :, :, 0] * scaling.sd + scaling.mean
    np.testing.assert_allclose(back, elevation, rtol=1e-5)
    censored = batches.static[:-1, batches.static_names.index("steepness_censored")]
    flag = layers["cells"]["steepness_flag"][1].ravel()[batches.cell_flat] > 0
    assert censored[flag].min() > 0
    assert censored[~flag].max() < 0


def test_seasons_and_their_codes_are_named(cube):
    batches = batches_of_cube(cube)
    codes = json.loads(batches.notes["season_codes"])
    for epoch, record in enumerate(RECORDS):
        for season, code in codes.items():
            column = batches.changing[epoch, :-1, batches.changing_names.index(f"season={code}")]
            assert (column == float(season == record["season"])).all()


def test_a_day_of_difference_in_length_is_no_predictor(cube):
    record = batches_of_cube(cube).standardisation
    assert record.scaling("length_days").n == record.n_train
    # Epochs of 183 days each: a held-out epoch of 52 days would be far outside any scale.
    late = np.zeros((EPOCHS, *GRID.shape), np.int8)
    late[1:] = TRAIN
    batches = batches_of_cube(cube)
    fold = refit(batches, batches.from_grid(late))
    assert "length_days" in fold.standardisation.constant


@pytest.mark.parametrize("design", ["spatial_blocks", "forward_chaining"])
def test_a_stored_fold_equals_the_refitted_export(cube, tmp_path, design):
    export_cube(cube, tmp_path / "small.npz")
    export = load_export(tmp_path / "small.npz")
    assert set(export.designs) == {"spatial_blocks", "forward_chaining"}
    stored = designs_of_cube(cube)[design]
    for fold in range(stored.n_folds):
        direct = batches_of_cube(cube, design=design, fold=fold)
        again = refit(export.batches, export.designs[design][fold])
        role = role_on_grid(stored, GRID.shape)[fold]
        assert np.array_equal(direct.to_grid(direct.role, fill=0), role)
        assert again.standardisation.fitted_on == direct.standardisation.fitted_on
        assert again.changing_names == direct.changing_names
        for name in ("pixels", "static", "changing"):
            np.testing.assert_allclose(getattr(again, name), getattr(direct, name), atol=2e-5)
        found = audit_design(
            stored, x=cell_centres(GRID)[0], y=cell_centres(GRID)[1],
            standardisations={fold: again.standardisation},
        )  # fmt: skip
        assert not [f for f in found if f.kind.startswith("scaling")]


def test_patches_follow_the_configuration_of_the_cube(cube):
    index = patches_of_cube(cube)
    assert (index.n, len(index.anchors)) == (4, 2)
    assert patches_of_cube(cube, n=2, shift=0).n == 2


def test_an_unknown_design_or_fold_is_named(cube):
    with pytest.raises(DataError, match="spatial_blocks"):
        batches_of_cube(cube, design="blocks")
    with pytest.raises(DataError, match="fold 2"):
        batches_of_cube(cube, design="spatial_blocks", fold=2)
