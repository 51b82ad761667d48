"""The leak audit finds planted leaks, and finds nothing where there is none."""

import numpy as np
import pytest

from stats.resampling.fold_audit import (
    FoldMasks,
    audit_folds,
    cells_of_patches,
    index_set_hash,
    leaks,
)
from stats.resampling.folds_random import random_folds
from stats.resampling.folds_spatial import space_time_blocks, spatial_block_folds
from stats.resampling.folds_temporal import forward_chaining, leave_one_epoch_out

SIDE, EPOCHS = 16, 3
COLUMN, ROW = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
X, Y = COLUMN.ravel() * 1000.0, -ROW.ravel() * 1000.0
OBSERVED = np.ones((EPOCHS, SIDE * SIDE), bool)


def lattice(shift: int) -> np.ndarray:
    """Patch number of each cell for 4 x 4 patches, shifted east and south."""
    row, col = (ROW - shift) // 4, (COLUMN - shift) // 4
    return np.where((row >= 0) & (col >= 0), row * 10 + col, -1).ravel()


def kinds(findings) -> set[str]:
    return {finding.kind for finding in findings}


def masks(train, test, **options) -> FoldMasks:
    empty = np.zeros_like(train)
    return FoldMasks(train=train, validation=empty, test=test, **options)


def test_buffered_blocks_have_no_leak_at_the_reach_of_their_inputs():
    design = spatial_block_folds(
        OBSERVED, X, Y, block_m=4000, n_folds=4, seed=0, buffer_m=2000.0, validation_share=0.2
    )
    found = audit_folds(design, x=X, y=Y, neighbourhood_m=2000.0)
    assert not leaks(found)
    assert kinds(found) == {"same epoch, other place"}


def test_blocks_without_a_buffer_leak_through_neighbourhoods():
    design = spatial_block_folds(OBSERVED, X, Y, block_m=4000, n_folds=4, seed=0)
    found = audit_folds(design, x=X, y=Y, neighbourhood_m=1000.0)
    assert kinds(leaks(found)) == {"inputs within 1000 m"}


def test_space_time_blocks_share_nothing_at_all():
    design = space_time_blocks(OBSERVED, X, Y, block_m=4000, n_folds=3, seed=1, buffer_m=2000.0)
    found = audit_folds(design, x=X, y=Y, neighbourhood_m=2000.0, patches={"a": lattice(0)})
    assert found == ()


def test_held_out_epochs_share_places_as_expected_and_nothing_else():
    found = audit_folds(leave_one_epoch_out(OBSERVED), x=X, y=Y, neighbourhood_m=3000.0)
    assert kinds(found) == {"same place, other epoch"}
    assert {finding.severity for finding in found} == {"expected"}
    assert all(finding.count == SIDE * SIDE for finding in found)
    assert not leaks(audit_folds(forward_chaining(OBSERVED), x=X, y=Y))


def test_one_planted_shared_cell_epoch_is_found_and_named():
    train = np.zeros((1, EPOCHS, SIDE * SIDE), bool)
    test = train.copy()
    train[0, 0, :100] = True
    test[0, 1, 100:] = True
    test[0, 0, 42] = True
    (finding,) = [f for f in audit_folds(masks(train, test), x=X, y=Y) if f.severity == "leak"]
    assert finding.kind == "shared cell-epoch"
    assert finding.count == 1
    assert finding.example == "epoch 0, cell 42"


def test_shifted_patches_put_test_cells_into_training():
    """Training on one lattice, testing on the lattice shifted by two cells (the published way)."""
    train = np.zeros((1, EPOCHS, SIDE * SIDE), bool)
    test = train.copy()
    train[0, 0] = cells_of_patches(lattice(0), np.unique(lattice(0)))
    chosen = np.unique(lattice(2))
    test[0, 0] = cells_of_patches(lattice(2), chosen[chosen >= 0])
    (finding,) = leaks(audit_folds(masks(train, test), x=X, y=Y))
    assert finding.kind == "shared cell-epoch"
    assert finding.count == 14 * 14


def test_cells_split_at_random_share_patches_of_both_lattices():
    train = np.zeros((1, EPOCHS, SIDE * SIDE), bool)
    test = train.copy()
    left = COLUMN.ravel() < 6
    train[0, 0], test[0, 0] = left, ~left
    ids = {"first": lattice(0), "shifted": lattice(2)}
    found = audit_folds(masks(train, test), x=X, y=Y, patches=ids)
    # The cut at column 6 goes through patches of the first lattice and between those of the other.
    assert {"overlapping patch (first)"} == {k for k in kinds(found) if k.startswith("overlapping")}
    assert next(f for f in found if "patch" in f.kind).count == 2 * SIDE
    promised = masks(train, test, separates=frozenset({"place"}))
    assert "overlapping patch (first)" in kinds(leaks(audit_folds(promised, x=X, y=Y, patches=ids)))


def test_a_promised_place_that_returns_in_another_epoch_is_a_leak():
    train = np.zeros((1, 2, SIDE * SIDE), bool)
    test = train.copy()
    train[0, 0, 5] = test[0, 1, 5] = True
    free = audit_folds(masks(train, test), x=X, y=Y)
    assert [(f.kind, f.severity) for f in free] == [("same place, other epoch", "expected")]
    held = audit_folds(masks(train, test, separates=frozenset({"place"})), x=X, y=Y)
    assert [(f.kind, f.severity) for f in held] == [("same place, other epoch", "leak")]


def test_training_on_the_future_is_a_leak_where_the_scheme_promises_the_past():
    design = leave_one_epoch_out(OBSERVED)
    honest = FoldMasks.of(design)
    claimed = FoldMasks(
        train=honest.train, validation=honest.validation, test=honest.test,
        separates=frozenset({"epoch", "future"}),
    )  # fmt: skip
    found = leaks(audit_folds(claimed, x=X, y=Y))
    assert {(f.fold, f.kind) for f in found} == {
        (0, "training not before test"),
        (1, "training not before test"),
    }


def test_a_broken_buffer_promise_is_found():
    design = spatial_block_folds(OBSERVED, X, Y, block_m=4000, n_folds=4, seed=0)
    broken = FoldMasks.of(design)
    claimed = FoldMasks(
        train=broken.train, validation=broken.validation, test=broken.test,
        separates=broken.separates, buffer_m=1000.0,
    )  # fmt: skip
    assert kinds(leaks(audit_folds(claimed, x=X, y=Y))) == {"promised buffer of 1000 m"}


@pytest.mark.parametrize("as_hash", [True, False])
def test_scaling_on_all_data_is_found_and_on_training_is_not(as_hash):
    design = leave_one_epoch_out(OBSERVED)
    given = {fold: design.train_mask(fold) for fold in range(design.n_folds)}
    given[1] = OBSERVED
    if as_hash:
        given = {fold: index_set_hash(mask) for fold, mask in given.items()}
    (finding,) = leaks(audit_folds(design, x=X, y=Y, scaling=given))
    assert (finding.fold, finding.kind) == (1, "scaling on cells outside training")
    assert finding.count == (0 if as_hash else SIDE * SIDE)


def test_thresholds_tuned_on_test_are_found_and_on_validation_are_not():
    design = random_folds(OBSERVED, n_folds=3, seed=0, validation_share=0.2)
    good = {fold: design.validation_mask(fold) for fold in range(3)}
    assert not leaks(audit_folds(design, x=X, y=Y, tuning=good))
    bad = {**good, 2: design.test_mask(2)}
    (finding,) = leaks(audit_folds(design, x=X, y=Y, tuning=bad))
    assert (finding.fold, finding.count) == (2, int(design.test_mask(2).sum()))


def test_validation_inside_training_is_a_leak():
    train = np.zeros((1, 1, SIDE * SIDE), bool)
    train[0, 0, :10] = True
    shared = FoldMasks(train=train, validation=train, test=np.zeros_like(train))
    assert kinds(leaks(audit_folds(shared, x=X, y=Y))) == {"validation shared with training"}


def test_random_folds_are_reported_as_overlapping_but_keep_no_promise():
    design = random_folds(OBSERVED, n_folds=3, seed=0)
    found = audit_folds(design, x=X, y=Y, neighbourhood_m=1000.0)
    assert not leaks(found)
    assert ("inputs within 1000 m", "warning") in {(f.kind, f.severity) for f in found}


def test_the_audit_of_wrong_shapes_is_refused():
    design = leave_one_epoch_out(OBSERVED)
    with pytest.raises(ValueError, match="shapes"):
        audit_folds(design, x=X[:3], y=Y[:3])
    with pytest.raises(ValueError, match="patches"):
        audit_folds(design, x=X, y=Y, patches={"a": lattice(0)[:4]})
