"""Folds are those that were asked for, and what cannot run is named."""

import numpy as np
import pytest

from hazard.config.fit import PUBLISHED_SPLIT, SAME_EPOCH, CeilingConfig, FitConfig, SchemeConfig
from hazard.cube.cube_batches import designs_of_cube
from hazard.estimate.plan import choose_folds, make_plan
from stats.resampling.folds import TEST, TRAIN, VALIDATION
from tests.hazard.estimate.small_fit import small_config
from tests.hazard.small_cube import write_small_cube


@pytest.fixture(scope="module")
def cube(tmp_path_factory):
    return write_small_cube(tmp_path_factory.mktemp("plan"))


def plan_of(cube, **fit):
    return make_plan(cube, small_config(**fit).fit, seed=1)


def test_stored_roles_are_taken_as_they_are(cube):
    plan = plan_of(cube)
    design = designs_of_cube(cube)["forward_chaining"]
    mask = np.flatnonzero(cube.root["mask"].values[0])
    (fold,) = plan.of("forward_chaining")
    assert np.array_equal(fold.role, design.role[-1][:, mask])
    assert fold.name == design.fold_names[-1]
    assert fold.members == 2
    assert np.array_equal(fold.predict, fold.role == TEST)


def test_a_design_that_the_cube_lacks_is_a_row_with_the_reason(cube):
    plan = plan_of(cube)
    assert [s.name for s in plan.schemes] == ["spatial_blocks", "forward_chaining", "final"]
    (absent,) = plan.not_run
    assert absent.scheme == "leave_one_epoch_out"
    assert "the cube holds no design" in absent.reason


def test_the_ceiling_trains_on_its_test_epoch_in_other_places_alone(cube):
    plan = plan_of(cube, ceiling=CeilingConfig(folds=2, block_km=4))
    (forward,) = plan.of("forward_chaining")
    tested = (forward.role == TEST).any(axis=1)
    folds = list(plan.of(SAME_EPOCH))
    assert len(folds) == 2
    together = np.zeros_like(forward.predict)
    for fold in folds:
        assert not (fold.role[~tested] != 0).any()
        places = (fold.role == TEST).any(axis=0) & (fold.role == TRAIN).any(axis=0)
        assert not places.any()
        assert fold.models == ("lightgbm",)
        together |= fold.predict
    assert np.array_equal(together, forward.predict)
    other = plan_of(cube, ceiling=CeilingConfig(folds=2, block_km=4, model="logistic"))
    assert {fold.models for fold in other.of(SAME_EPOCH)} == {("logistic",)}


def test_the_ceiling_needs_forward_chaining(cube):
    plan = plan_of(cube, schemes=(SchemeConfig(design="random"),), ceiling=CeilingConfig())
    assert [n.scheme for n in plan.not_run] == [SAME_EPOCH]


def test_the_final_fold_trains_on_all_but_the_blocks_that_stop_it(cube):
    (fold,) = plan_of(cube).of("final")
    assert not (fold.role == TEST).any()
    assert fold.predict.all()
    train, stop = (fold.role == TRAIN).any(axis=0), (fold.role == VALIDATION).any(axis=0)
    assert not (train & stop).any()
    assert 0 < stop.sum() < 0.35 * train.sum()
    observed = cube.root["observed"].values[:, cube.root["mask"].values[0]]
    assert np.array_equal((fold.role == TRAIN) | (fold.role == VALIDATION), observed)


def test_the_published_split_is_marked_as_leaking(cube):
    plan = plan_of(cube, schemes=(SchemeConfig(design=PUBLISHED_SPLIT),), final=None)
    (scheme,) = plan.schemes
    assert scheme.leaks
    assert scheme.in_sample
    (fold,) = plan.folds
    assert fold.lattice_split
    assert fold.models == ("reference", "described")


def test_each_design_stands_once():
    with pytest.raises(ValueError, match="'random' twice"):
        FitConfig(schemes=(SchemeConfig(design="random"), SchemeConfig(design="random")))


@pytest.mark.parametrize("take", ["first", "last", "spread"])
def test_as_many_folds_as_wanted_all_different(take):
    for available in range(1, 9):
        for wanted in range(1, 12):
            found = choose_folds(available, wanted, take)
            assert found == sorted(set(found))
            assert len(found) == min(wanted, available)
            assert set(found) <= set(range(available))
