"""Area of applicability: the published index by brute force, its scale, and what it refuses."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from stats.case_arrays import UndefinedScoreError
from stats.resampling import applicability as module
from stats.resampling.applicability import applicability, upper_whisker


def planted(n=240, seed=0):
    rng = np.random.default_rng(seed)
    training = {"slope": rng.normal(25.0, 8.0, n), "pga": rng.lognormal(0.0, 0.5, n)}
    fold = np.repeat(np.arange(6), n // 6)
    return training, fold, rng


def test_index_and_threshold_are_those_of_the_definition():
    training, fold, rng = planted()
    new = {"slope": rng.normal(30.0, 12.0, 50), "pga": rng.lognormal(0.5, 0.5, 50)}
    weight = {"slope": 2.0, "pga": 0.5}
    found = applicability(training, new, fold=fold, rng=rng, importance=weight)
    old, fresh = (
        np.column_stack([
            (np.asarray(v[name]) - training[name].mean()) / training[name].std() * weight[name]
            for name in training
        ])
        for v in (training, new)
    )  # fmt: skip
    between = cdist(old, old)
    mean = between[np.triu_indices(len(old), 1)].mean()
    np.testing.assert_allclose(found.mean_distance, mean, rtol=1e-12)
    np.testing.assert_allclose(found.index, cdist(fresh, old).min(axis=1) / mean, rtol=1e-10)
    between[fold[:, None] == fold[None]] = np.inf
    own = between.min(axis=1) / mean
    np.testing.assert_allclose(found.training_index, own, rtol=1e-10)
    low, high = np.quantile(own, [0.25, 0.75])
    assert found.threshold == own[own <= high + 1.5 * (high - low)].max()
    assert np.array_equal(found.inside, found.index <= found.threshold)
    assert found.index.argmin() == cdist(fresh, old).min(axis=1).argmin()


def test_units_and_shifts_of_predictors_do_not_matter():
    training, fold, rng = planted()
    new = {name: values[:40] * 1.3 for name, values in training.items()}
    one = applicability(training, new, fold=fold, rng=rng)
    other = applicability(
        {"slope": training["slope"] * 0.01745 + 3.0, "pga": training["pga"] / 9.81},
        {"slope": new["slope"] * 0.01745 + 3.0, "pga": new["pga"] / 9.81}, fold=fold, rng=rng,
    )  # fmt: skip
    np.testing.assert_allclose(one.index, other.index, rtol=1e-8)


def test_training_cases_are_at_home_and_far_ones_are_not():
    training, fold, rng = planted()
    at_home = applicability(training, training, fold=fold, rng=rng)
    assert (at_home.index == 0.0).all()
    assert at_home.inside.all()
    away = {name: values + 20.0 * values.std() for name, values in training.items()}
    assert not applicability(training, away, fold=fold, rng=rng).inside.any()


def test_regions_try_more_than_random_cells_do():
    rng = np.random.default_rng(1)
    x = np.sort(rng.uniform(0.0, 10.0, 400))
    training = {"rain": x, "relief": np.sin(x) + 0.05 * rng.normal(size=400)}
    regions = applicability(training, training, fold=np.arange(400) // 100, rng=rng)
    mixed = applicability(training, training, fold=rng.integers(0, 4, 400), rng=rng)
    assert regions.threshold > 5.0 * mixed.threshold


def test_the_mean_distance_of_many_cases_is_that_of_all_pairs(monkeypatch):
    training, fold, rng = planted(n=1800)
    exact = applicability(training, training, fold=fold, rng=rng).mean_distance
    monkeypatch.setattr(module, "MOST_FOR_ALL_PAIRS", 600)
    drawn = applicability(training, training, fold=fold, rng=rng).mean_distance
    # 180,000 pairs with a spread of about 1: an error of about 0.003.
    assert drawn == pytest.approx(exact, abs=0.015)
    assert drawn != exact


def test_what_has_no_scale_is_left_out_and_nothing_left_is_refused():
    training, fold, rng = planted()
    flat = {**training, "season": np.ones(240)}
    found = applicability(flat, flat, fold=fold, rng=rng)
    assert found.names == ("slope", "pga")
    with pytest.raises(UndefinedScoreError, match="no predictor"):
        applicability({"season": np.ones(9)}, {"season": [2.0]}, fold=np.arange(9), rng=rng)
    with pytest.raises(UndefinedScoreError, match="one fold"):
        applicability(training, training, fold=np.zeros(240), rng=rng)
    with pytest.raises(ValueError, match="expected the same"):
        applicability(training, {"slope": [1.0]}, fold=fold, rng=rng)
    with pytest.raises(ValueError, match="training values"):
        applicability(training, training, fold=fold[1:], rng=rng)
    with pytest.raises(ValueError, match="importance"):
        applicability(training, training, fold=fold, rng=rng, importance={"slope": 1.0})
    assert upper_whisker([3.0]) == 3.0
