"""Splits: roles on the grid, promises kept, planted leaks found, and a round trip through Zarr."""

import json
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
import zarr

from hazard.config.schema import FoldConfig
from hazard.cube.patch_audit import audit_design, audit_patches, require_clean
from hazard.cube.patches import patch_index
from hazard.cube.predictors import Predictor
from hazard.cube.splits import (
    cell_centres,
    design_from_layer,
    findings_from_layer,
    make_design,
    make_designs,
    role_on_grid,
    with_validation_blocks,
    write_folds,
)
from hazard.cube.standardise import fit_standardisation
from hazard.errors import DataError
from hazard.geo.grid import Grid
from stats.resampling.fold_audit import leaks
from stats.resampling.folds import BUFFER, TEST, TRAIN, UNUSED, VALIDATION

SHAPE = (32, 40)
EPOCHS = 4
GRID = Grid.from_bounds("EPSG:32645", (0, 0, 40_000, 32_000), cell_m=1000)
MASK = np.add.outer(np.arange(32), np.arange(40)) > 3
DESIGNS = {
    "random": FoldConfig(design="random", folds=3),
    "spatial_blocks": FoldConfig(design="spatial_blocks", folds=3, block_km=8, buffer_km=5),
    "leave_one_epoch_out": FoldConfig(design="leave_one_epoch_out", block_km=8, buffer_km=2),
    "forward_chaining": FoldConfig(design="forward_chaining", block_km=8, buffer_km=2),
    "space_time_blocks": FoldConfig(design="space_time_blocks", folds=3, block_km=8, buffer_km=5),
}


def observed_cells():
    observed = np.broadcast_to(MASK, (EPOCHS, *SHAPE)).copy()
    observed[2, 20:, 30:] = False
    return observed


@pytest.fixture(scope="module")
def designs():
    return make_designs(list(DESIGNS.values()), observed_cells(), GRID, seed=4)


@pytest.fixture(scope="module")
def centres():
    return cell_centres(GRID)


@pytest.fixture(scope="module")
def index():
    return patch_index(MASK, n=4, shift=2)


def audit(design, centres, index, **settings):
    return audit_design(design, x=centres[0], y=centres[1], index=index, **settings)


@pytest.mark.parametrize("name", DESIGNS)
def test_only_observed_cells_have_a_role_and_every_fold_has_all_parts(designs, name):
    role = role_on_grid(designs[name], SHAPE)
    assert role.shape[1:] == (EPOCHS, *SHAPE)
    assert (role[:, ~observed_cells()] == UNUSED).all()
    for fold in role:
        assert {TRAIN, VALIDATION, TEST} <= set(np.unique(fold).tolist())


@pytest.mark.parametrize("name", ["random", "spatial_blocks", "space_time_blocks"])
def test_every_observed_cell_is_tested_once(designs, name):
    tested = (role_on_grid(designs[name], SHAPE) == TEST).sum(axis=0)
    assert np.array_equal(tested, observed_cells().astype(int))


def test_forward_chaining_starts_at_the_first_epoch_to_be_forecast():
    config = FoldConfig(design="forward_chaining", first_test_epoch=2, block_km=8, buffer_km=2)
    design = make_design(config, observed_cells(), GRID, seed=0, epoch_names=list("abcd"))
    assert design.fold_names == ("c", "d")
    for fold, epoch in enumerate((2, 3)):
        fitted = np.isin(design.role[fold], (TRAIN, VALIDATION)).any(axis=1)
        assert np.flatnonzero(fitted).tolist() == list(range(epoch))


@pytest.mark.parametrize("name", ["leave_one_epoch_out", "forward_chaining", "spatial_blocks"])
def test_validation_shares_no_cell_and_no_neighbourhood_with_training(designs, centres, name):
    points = np.stack(centres, axis=1)
    for role in designs[name].role:
        train = points[(role == TRAIN).any(axis=0)]
        validation = points[(role == VALIDATION).any(axis=0)]
        gap = np.sqrt(((train[:, None] - validation[None]) ** 2).sum(axis=-1)).min()
        assert gap > designs[name].parameters.get("validation_buffer_m", designs[name].buffer_m)


def test_without_a_share_there_is_no_validation_and_no_buffer(designs, centres):
    config = FoldConfig(design="leave_one_epoch_out", validation_share=0)
    design = make_design(config, observed_cells(), GRID, seed=0)
    assert not np.isin(design.role, (VALIDATION, BUFFER)).any()
    same = with_validation_blocks(
        design, *centres, np.zeros(MASK.size, int), share=0, buffer_m=0, seed=0
    )
    assert same is design


def test_blocks_of_whole_patches_start_at_the_anchor_and_cut_none(index):
    assert index.anchors[0] == (0, 0)
    config = FoldConfig(design="spatial_blocks", folds=2, block_km=8, buffer_km=0,
                        validation_share=0)  # fmt: skip
    straddling = {}
    for anchor in [(0, 0), (3, 1)]:
        design = make_design(config, observed_cells(), GRID, seed=0, anchor=anchor)
        cells = patch_index(MASK, n=4, shift=0, anchor=anchor)
        tested = (design.role[0] == TEST).any(axis=0)
        trained = (design.role[0] == TRAIN).any(axis=0)
        held = np.where(cells.present, cells.cell, 0)
        both = (tested[held] & cells.present).any(axis=(1, 2))
        both &= (trained[held] & cells.present).any(axis=(1, 2))
        straddling[anchor] = int(both.sum())
    assert straddling == {(0, 0): 0, (3, 1): 0}


def test_the_same_seed_gives_the_same_folds_and_another_does_not(designs):
    again = make_designs(list(DESIGNS.values()), observed_cells(), GRID, seed=4)
    other = make_designs(list(DESIGNS.values()), observed_cells(), GRID, seed=5)
    for name, design in designs.items():
        assert np.array_equal(design.role, again[name].role)
        assert not np.array_equal(design.role, other[name].role)


def test_a_design_asked_for_twice_gets_a_number():
    config = FoldConfig(design="random", folds=2)
    assert list(make_designs([config, config], observed_cells(), GRID, seed=0)) == [
        "random", "random_2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"design": "spatial_blocks", "block_km": 100, "folds": 3}, "groups for 3 folds"),
        ({"design": "spatial_blocks", "block_km": 8, "buffer_km": 60, "folds": 3}, "no train"),
        ({"design": "forward_chaining", "first_test_epoch": 4}, "observed epochs before"),
        ({"design": "forward_chaining", "block_km": 100}, "too few"),
    ],
)
def test_a_design_that_does_not_fit_the_study_is_refused_by_its_key(settings, text):
    with pytest.raises(DataError, match=text) as caught:
        make_designs([FoldConfig(**settings)], observed_cells(), GRID, seed=0)
    assert str(caught.value).startswith("cube.folds.0: ")


@pytest.mark.parametrize("name", DESIGNS)
def test_configured_designs_are_clean_with_patches_and_past_records(designs, centres, index, name):
    found = audit(designs[name], centres, index, past_reach_cells=4)
    require_clean(found, designs[name])


def test_the_audit_says_which_overlaps_exist_and_how_many(designs, centres, index):
    design = designs["random"]
    found = audit(design, centres, index, past_reach_cells=1)
    kinds = {f.kind for f in found if f.fold == 0}
    assert {
        "same place, other epoch",
        "patch straddles train and test (first lattice), predictors only",
        "patch straddles train and test (shifted lattice), predictors only",
        "held-out target in the past of train inputs, withheld",
    } <= kinds
    role = role_on_grid(design, SHAPE)[0]
    # By hand: full patches of the first lattice, then 3 x 3 neighbourhoods of earlier epochs.
    blocks = role.reshape(EPOCHS, 8, 4, 10, 4)
    both = ((blocks == TRAIN).any(axis=(2, 4)) & (blocks == TEST).any(axis=(2, 4))).sum()
    count = {f.kind: f.count for f in found if f.fold == 0}
    assert count["patch straddles train and test (first lattice), predictors only"] == both
    held = np.pad(np.isin(role, (TEST, VALIDATION)), ((0, 0), (1, 1), (1, 1)))
    hits = sum(
        held[:epoch, row : row + 3, col : col + 3].any()
        for epoch, row, col in np.argwhere(role == TRAIN)
    )
    assert count["held-out target in the past of train inputs, withheld"] == hits


def test_past_records_that_are_not_withheld_are_a_leak(designs, centres, index):
    design = designs["leave_one_epoch_out"]
    found = audit(design, centres, index, past_reach_cells=1, past_withheld=False)
    with pytest.raises(DataError, match="held-out target in the past of train inputs"):
        require_clean(found, design)
    # Forward chaining trains on nothing after the test epoch, so its test targets cannot be past.
    forward = designs["forward_chaining"]
    past = replace(forward, role=np.where(forward.role == VALIDATION, UNUSED, forward.role))
    require_clean(audit(past, centres, index, past_reach_cells=1, past_withheld=False), past)


def test_patches_shifted_by_two_cells_as_test_set_are_found(centres, index):
    pairs = np.stack(np.meshgrid(np.arange(len(index)), np.arange(EPOCHS)), -1).reshape(-1, 2)
    first, second = (pairs[index.lattice[pairs[:, 0]] == lattice] for lattice in (0, 1))
    found = audit_patches(index, first, second, n_epochs=EPOCHS, x=centres[0], y=centres[1])
    shared = [f for f in leaks(found) if f.kind == "shared cell-epoch"]
    assert [f.count for f in shared] == [EPOCHS * MASK.sum()]
    # Patches of one lattice share nothing within an epoch.
    even = first[first[:, 0] % 2 == 0], first[first[:, 0] % 2 == 1]
    assert not leaks(audit_patches(index, *even, n_epochs=EPOCHS, x=centres[0], y=centres[1]))


def test_a_single_shared_cell_of_two_shifted_patches_is_found(centres, index):
    corner = (index.row0 == 10 - 10 % 4) & (index.col0 == 8) & (index.lattice == 0)
    other = (index.row0 == 10) & (index.col0 == 10) & (index.lattice == 1)
    pair = [np.array([[int(np.flatnonzero(of)[0]), 1]]) for of in (corner, other)]
    found = audit_patches(index, *pair, n_epochs=EPOCHS, x=centres[0], y=centres[1])
    assert [f.count for f in leaks(found)] == [4]


def test_scaling_fitted_on_everything_is_found(designs, centres, index):
    design = designs["spatial_blocks"]
    layer = Predictor(
        name="a", unit="1", values=np.random.default_rng(0).normal(size=(EPOCHS, *SHAPE)),
        per_epoch=True,
    )  # fmt: skip
    role = role_on_grid(design, SHAPE)
    good = {f: fit_standardisation([layer], role[f] == TRAIN) for f in range(design.n_folds)}
    require_clean(audit(design, centres, index, standardisations=good), design)
    bad = {**good, 1: fit_standardisation([layer], observed_cells())}
    with pytest.raises(DataError, match=r"scaling on cells outside training in fold 1"):
        require_clean(audit(design, centres, index, standardisations=bad), design)


def test_a_training_cell_planted_into_the_buffer_is_found(designs, centres, index):
    design = designs["spatial_blocks"]
    role = design.role.copy()
    role[2, 0, np.flatnonzero(role[2, 0] == BUFFER)[0]] = TRAIN
    planted = replace(design, role=role)
    with pytest.raises(DataError, match="promised buffer of 5000 m in fold 2"):
        require_clean(audit(planted, centres, index), planted)


def test_past_records_need_a_grid(designs, centres):
    with pytest.raises(ValueError, match="patches"):
        audit_design(designs["random"], x=centres[0], y=centres[1], past_reach_cells=1)


def test_designs_and_audits_come_back_from_the_store(designs, centres, index, tmp_path):
    audits = {n: audit(d, centres, index, past_reach_cells=1) for n, d in designs.items()}
    root = zarr.open_group(tmp_path / "cube.zarr", mode="w", zarr_format=3)
    written = write_folds(root, GRID, designs, audits)
    assert written == [f"folds/role_{name}" for name in DESIGNS]
    write_folds(root, GRID, designs, audits)
    stored = xr.open_zarr(
        tmp_path / "cube.zarr", group="folds", consolidated=False, mask_and_scale=False,
        chunks=None,
    )  # fmt: skip
    for name, design in designs.items():
        layer = stored[f"role_{name}"]
        assert layer.dtype == np.int8
        assert layer.shape == (design.n_folds, EPOCHS, *SHAPE)
        assert layer.attrs["flag_meanings"].split()[TEST] == "test"
        back = design_from_layer(layer, layer.attrs, source="cube.zarr")
        assert np.array_equal(back.role, design.role)
        for key in ("name", "unit", "seed", "separates", "buffer_m", "fold_names", "parameters"):
            assert getattr(back, key) == getattr(design, key), key
        assert findings_from_layer(layer.attrs) == audits[name]
    with pytest.raises(DataError, match="role_NAME"):
        design_from_layer(layer, {**layer.attrs, "settings": "{"}, source="cube.zarr")
    assert json.loads(layer.attrs["audit"]) == [vars(f) for f in audits[name]]
