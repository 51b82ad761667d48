"""Fold designs: every cell tested once, buffers that separate, no training on the future."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from stats.resampling.folds import (
    BUFFER,
    TEST,
    TRAIN,
    UNUSED,
    VALIDATION,
    FoldDesign,
    assign_groups,
    choose_share,
    near,
)
from stats.resampling.folds_random import random_folds
from stats.resampling.folds_spatial import (
    block_of_cells,
    kmeans_folds,
    space_time_blocks,
    spatial_block_folds,
)
from stats.resampling.folds_temporal import (
    forward_chaining,
    leave_one_epoch_out,
    leave_one_event_out,
)

SIDE = 12
X, Y = (a.ravel() * 1000.0 for a in np.meshgrid(np.arange(SIDE), np.arange(SIDE)))


def observed_of(seed: int, epochs: int = 3, share: float = 0.8) -> np.ndarray:
    mask = np.random.default_rng(seed).random((epochs, SIDE * SIDE)) < share
    mask[:, 0] = True
    return mask


seeds = st.integers(0, 10_000)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, n_folds=st.integers(2, 6), unit=st.sampled_from(["cell", "cell-epoch"]))
def test_random_folds_test_every_observed_cell_epoch_exactly_once(seed, n_folds, unit):
    observed = observed_of(seed)
    design = random_folds(observed, n_folds=n_folds, seed=seed, unit=unit, validation_share=0.2)
    assert np.array_equal((design.role == TEST).sum(axis=0), observed.astype(int))
    assert (design.role[:, ~observed] == UNUSED).all()
    assert all((design.role[fold] == VALIDATION).any() for fold in range(n_folds))
    if unit == "cell":
        for fold in range(n_folds):
            tested = design.test_mask(fold).any(axis=0)
            assert not (design.role[fold][:, tested] == TRAIN).any()


@settings(max_examples=25, deadline=None)
@given(
    seed=seeds,
    block_m=st.sampled_from([2000.0, 3000.0, 4500.0]),
    buffer_m=st.sampled_from([0.0, 1000.0, 1500.0, 2236.07]),
    share=st.sampled_from([0.0, 0.25]),
)
def test_spatial_blocks_keep_training_farther_than_the_buffer(seed, block_m, buffer_m, share):
    observed = observed_of(seed)
    design = spatial_block_folds(
        observed, X, Y, block_m=block_m, n_folds=3, seed=seed, buffer_m=buffer_m,
        validation_share=share,
    )  # fmt: skip
    assert np.array_equal((design.role == TEST).sum(axis=0), observed.astype(int))
    points = np.column_stack([X, Y])
    for fold in range(design.n_folds):
        cells = {code: (design.role[fold] == code).any(axis=0) for code in (1, 2, 3)}
        for one, two in ((TRAIN, TEST), (VALIDATION, TEST), (TRAIN, VALIDATION)):
            if cells[one].any() and cells[two].any():
                gap = cdist(points[cells[one]], points[cells[two]]).min()
                assert gap > buffer_m


def test_a_buffer_removes_training_cells_and_only_those_within_it():
    observed = np.ones((1, SIDE * SIDE), bool)
    with_buffer = spatial_block_folds(
        observed, X, Y, block_m=4000, n_folds=2, seed=3, buffer_m=1000.0
    )
    without = spatial_block_folds(observed, X, Y, block_m=4000, n_folds=2, seed=3)
    points = np.column_stack([X, Y])
    for fold in range(2):
        test = with_buffer.test_mask(fold)[0]
        assert np.array_equal(test, without.test_mask(fold)[0])
        gap = cdist(points, points[test]).min(axis=1)
        assert np.array_equal(with_buffer.role[fold, 0] == BUFFER, ~test & (gap <= 1000.0))


def test_blocks_are_squares_of_the_stated_side():
    block = block_of_cells(X, Y, block_m=4000.0)
    assert np.unique(block).size == 9
    for number in np.unique(block):
        assert np.ptp(X[block == number]) < 4000
        assert np.ptp(Y[block == number]) < 4000


def test_kmeans_regions_are_assigned_whole():
    observed = observed_of(0)
    design = kmeans_folds(observed, X, Y, n_regions=8, n_folds=4, seed=5)
    assert np.array_equal((design.role == TEST).sum(axis=0), observed.astype(int))
    fold = design.test_fold
    for cell in range(SIDE * SIDE):
        assert np.unique(fold[observed[:, cell], cell]).size <= 1


def test_leave_one_epoch_out_trains_on_all_other_epochs():
    observed = observed_of(1, epochs=4)
    design = leave_one_epoch_out(observed)
    assert design.n_folds == 4
    for fold in range(4):
        assert np.array_equal(design.test_mask(fold)[fold], observed[fold])
        others = np.arange(4) != fold
        assert np.array_equal(design.train_mask(fold)[others], observed[others])


def test_leave_one_epoch_out_sets_whole_epochs_aside():
    design = leave_one_epoch_out(np.ones((4, 3), bool), validation_epochs=1, seed=2)
    assert ((design.role == VALIDATION).all(axis=2).sum(axis=1) == 1).all()
    with pytest.raises(ValueError, match="seed"):
        leave_one_epoch_out(np.ones((4, 3), bool), validation_epochs=1)


@settings(max_examples=40, deadline=None)
@given(
    seed=seeds,
    epochs=st.integers(3, 8),
    minimum=st.integers(1, 2),
    validation=st.integers(0, 1),
    horizon=st.integers(1, 2),
)
def test_forward_chaining_never_trains_on_the_present_or_the_future(
    seed, epochs, minimum, validation, horizon
):
    observed = observed_of(seed, epochs=epochs)
    try:
        design = forward_chaining(
            observed,
            minimum_train_epochs=minimum,
            validation_epochs=validation,
            horizon=horizon,
        )
    except ValueError:
        assert epochs < minimum + validation + horizon
        return
    for fold in range(design.n_folds):
        used = {
            code: np.flatnonzero((design.role[fold] == code).any(axis=1))
            for code in (TRAIN, VALIDATION, TEST)
        }
        assert used[TRAIN].size >= minimum
        assert used[TEST].size == 1
        assert used[VALIDATION].size == validation
        assert max([*used[TRAIN], *used[VALIDATION]]) == used[TEST][0] - horizon
        if validation:
            assert used[TRAIN].max() < used[VALIDATION].min()


def test_forward_chaining_skips_an_epoch_nobody_observed():
    observed = np.ones((4, 2), bool)
    observed[1] = False
    design = forward_chaining(observed, minimum_train_epochs=2)
    assert design.fold_names == ("epoch 3",)
    assert design.role[0, :, 0].tolist() == [TRAIN, UNUSED, TRAIN, TEST]


@settings(max_examples=15, deadline=None)
@given(seed=seeds, past_only=st.booleans(), buffer_m=st.sampled_from([0.0, 1500.0]))
def test_space_time_blocks_share_neither_place_nor_epoch(seed, past_only, buffer_m):
    observed = observed_of(seed)
    design = space_time_blocks(
        observed, X, Y, block_m=3000, n_folds=3, seed=seed, buffer_m=buffer_m,
        past_only=past_only, validation_share=0.2,
    )  # fmt: skip
    tested = (design.role == TEST).sum(axis=0)
    expected = observed.astype(int)
    if past_only:
        expected[0] = 0
    assert np.array_equal(tested, expected)
    points = np.column_stack([X, Y])
    for fold in range(design.n_folds):
        test, fitted = design.role[fold] == TEST, np.isin(design.role[fold], (TRAIN, VALIDATION))
        assert not (test.any(axis=1) & fitted.any(axis=1)).any()
        assert not (test.any(axis=0) & fitted.any(axis=0)).any()
        if past_only:
            assert np.flatnonzero(fitted.any(axis=1)).max() < np.flatnonzero(test.any(axis=1))[0]
        gap = cdist(points[test.any(axis=0)], points[fitted.any(axis=0)]).min()
        assert gap > buffer_m


def test_leave_one_event_out_holds_each_event_once():
    observed = observed_of(2, epochs=4)
    design = leave_one_event_out(observed, np.array([0, 0, 1, 1]), event_names=["a", "b"])
    assert design.fold_names == ("a", "b")
    assert np.array_equal(design.test_mask(0)[:2], observed[:2])
    assert np.array_equal(design.train_mask(0)[2:], observed[2:])
    assert not design.train_mask(0)[:2].any()


def test_cells_of_no_event_are_unused():
    event = np.array([[0, 1, -1, 1]])
    design = leave_one_event_out(np.ones((2, 4), bool), event)
    assert (design.role[:, :, 2] == UNUSED).all()


DESIGNS = {
    "random": lambda seed: random_folds(observed_of(0), n_folds=3, seed=seed),
    "blocks": lambda seed: spatial_block_folds(
        observed_of(0), X, Y, block_m=2000, n_folds=3, seed=seed
    ),
    "kmeans": lambda seed: kmeans_folds(observed_of(0), X, Y, n_regions=9, n_folds=3, seed=seed),
    "space_time": lambda seed: space_time_blocks(
        observed_of(0), X, Y, block_m=2000, n_folds=3, seed=seed
    ),
}


@pytest.mark.parametrize("name", DESIGNS)
def test_the_seed_decides_and_the_global_generator_is_left_alone(name):
    np.random.seed(1)  # noqa: NPY002 -- the global state is what must not matter
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    one, same, other = (DESIGNS[name](seed) for seed in (7, 7, 8))
    assert np.array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    assert np.array_equal(one.role, same.role)
    assert not np.array_equal(one.role, other.role)
    assert one.seed == 7


@given(seed=seeds, distance=st.floats(0.1, 20.0))
@settings(max_examples=30, deadline=None)
def test_near_agrees_with_all_pairs(seed, distance):
    rng = np.random.default_rng(seed)
    x, y = rng.random((2, 40)) * 20
    chosen = rng.random(40) < 0.2
    chosen[0] = True
    brute = cdist(np.column_stack([x, y]), np.column_stack([x, y])[chosen]).min(axis=1) <= distance
    assert np.array_equal(near(x, y, of=chosen, distance_m=distance), brute)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: random_folds(np.ones(3, bool), n_folds=2, seed=0), "bool"),
        (lambda: random_folds(np.zeros((1, 3), bool), n_folds=2, seed=0), "no cell-epoch"),
        (lambda: random_folds(np.ones((1, 3), bool), n_folds=4, seed=0), "fewer folds"),
        (lambda: random_folds(np.ones((1, 3), bool), n_folds=1, seed=0), "at least 2"),
        (lambda: forward_chaining(np.ones((2, 3), bool), minimum_train_epochs=2), "no epoch"),
        (lambda: leave_one_epoch_out(np.ones((1, 3), bool)), "too few"),
        (lambda: leave_one_event_out(np.ones((2, 3), bool), np.array([1, 1])), "event"),
        (
            lambda: spatial_block_folds(
                np.ones((1, 144), bool), X, Y, block_m=90e3, n_folds=2, seed=0
            ),
            "groups",
        ),
        (
            lambda: spatial_block_folds(
                np.ones((1, 144), bool), X, Y, block_m=1e3, n_folds=2, seed=0, buffer_m=np.nan
            ),
            "buffer",
        ),
        (lambda: choose_share([1, 2], 1.0, np.random.default_rng(0)), "share"),
        (lambda: assign_groups(1, 2, np.random.default_rng(0)), "fewer folds"),
        (lambda: FoldDesign(name="a", unit="b", role=np.zeros((1, 1), np.int8)), "int8"),
        (lambda: FoldDesign(name="a", unit="b", role=np.full((1, 1, 1), 9, np.int8)), "codes"),
    ],
)
def test_impossible_designs_are_refused_in_words(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_cell_epoch_tested_twice_has_no_single_fold():
    design = FoldDesign(name="a", unit="b", role=np.full((2, 1, 1), TEST, np.int8))
    with pytest.raises(ValueError, match="several folds"):
        _ = design.test_fold
    assert design.counts()[0]["test"] == 1
