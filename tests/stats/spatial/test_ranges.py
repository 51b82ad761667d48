"""Variogram models, and from the range to the blocks of a cross-validation."""

import numpy as np
import pytest

from stats.case_arrays import UndefinedScoreError
from stats.spatial.block_size import cross_validation_block
from stats.spatial.correlogram import correlogram
from stats.spatial.lags import lag_classes
from stats.spatial.variogram import variogram
from stats.spatial.variogram_model import CORRELATIONS, fit_variogram
from tests.stats.spatial.brute import smooth_noise


@pytest.mark.parametrize("name", sorted(CORRELATIONS))
def test_a_model_is_recovered_from_its_own_curve(name):
    from dataclasses import replace

    base = variogram(np.random.default_rng(0).normal(size=(80, 80)), classes=lag_classes(30))
    rise = 1.0 - CORRELATIONS[name](base.distance / 6.0)
    found = fit_variogram(replace(base, gamma=0.4 + 1.6 * rise), name)
    assert found.nugget == pytest.approx(0.4, abs=1e-4)
    assert found.partial_sill == pytest.approx(1.6, abs=1e-4)
    assert found.scale == pytest.approx(6.0, rel=1e-4)
    assert found.loss < 1e-8
    assert found.within_reach
    assert CORRELATIONS[name](found.effective_range / found.scale) == pytest.approx(0.05)
    assert found.gamma([0.0, 1e9]) == pytest.approx([0.0, 2.0], abs=1e-3)
    assert found.covariance(0.0) == pytest.approx(2.0, abs=1e-3)


def test_a_smooth_field_gets_the_gaussian_model_and_its_range():
    """Smoothing by 3 cells gives correlation exp(-d^2 / 36), 0.05 at 10.4 cells."""
    rng = np.random.default_rng(1)
    ranges = []
    for _ in range(8):
        field = smooth_noise(rng, (150, 150), 3.0) + 0.5 * rng.normal(size=(150, 150))
        found = fit_variogram(variogram(field, classes=lag_classes(30)), None)
        assert found.name == "gaussian"
        assert found.nugget == pytest.approx(0.25, abs=0.05)
        ranges.append(found.effective_range)
    assert np.mean(ranges) == pytest.approx(10.4, rel=0.1)


def test_noise_has_no_range_and_a_trend_runs_out_of_reach():
    rng = np.random.default_rng(2)
    noise = fit_variogram(variogram(rng.normal(size=(100, 100)), classes=lag_classes(20)))
    assert noise.partial_sill < 0.05 * noise.sill or noise.effective_range < 2.0
    trend = np.add.outer(np.arange(60.0), np.arange(60.0))
    assert not fit_variogram(variogram(trend, classes=lag_classes(20))).within_reach
    with pytest.raises(ValueError, match="model"):
        fit_variogram(variogram(trend, classes=lag_classes(5)), "cubic")
    with pytest.raises(UndefinedScoreError, match="4 classes"):
        fit_variogram(variogram(trend, classes=lag_classes(3)))


def nearest_error(field, block_m, rng):
    """Squared error of copying the nearest training cell, with blocks of a side in two folds."""
    from scipy.spatial import KDTree

    from stats.resampling.folds_spatial import block_of_cells

    rows, columns = (axis.ravel().astype(float) for axis in np.indices(field.shape))
    block = block_of_cells(columns, rows, block_m=block_m)
    test = rng.random(block.max() + 1)[block] < 0.5
    points, values = np.column_stack([rows, columns]), field.ravel()
    _, nearest = KDTree(points[~test]).query(points[test])
    return np.mean((values[test] - values[~test][nearest]) ** 2)


def test_blocks_of_the_range_take_the_flattery_out_of_a_copying_forecast():
    """Copying the nearest training cell has an error of twice the variance far from training."""
    rng = np.random.default_rng(3)
    errors = {"cell": [], "block": [], "thrice": []}
    for _ in range(5):
        field = smooth_noise(rng, (120, 120), 2.0)
        reach = correlogram(field, classes=lag_classes(20)).range()
        side = cross_validation_block(
            {"field": reach}, np.ones(field.shape, bool), cell_m=1.0
        ).side_m
        assert side == pytest.approx(7.0, abs=2.0)
        for name, width in (("cell", 1.0), ("block", side), ("thrice", 3 * side)):
            errors[name].append(nearest_error(field, width, rng))
    cell, block, thrice = (np.mean(e) for e in errors.values())
    assert cell < 0.3
    assert block > 2.5 * cell
    assert thrice > 1.2


def test_the_longest_range_decides_and_too_few_blocks_are_said():
    mask = np.ones((40, 40), dtype=bool)
    found = cross_validation_block({"a": 2500.0, "b": 0.0}, mask, cell_m=1000.0)
    assert (found.side_m, found.field, found.enough, found.note) == (3000.0, "a", True, "")
    assert found.n_blocks == 14 * 14
    few = cross_validation_block({"a": 2e4}, mask, cell_m=1000.0)
    assert not few.enough
    assert "too far" in few.note
    assert cross_validation_block({"a": 0.0}, mask, cell_m=1000.0).side_m == 1000.0
    with pytest.raises(ValueError, match="finite"):
        cross_validation_block({"a": np.inf}, mask, cell_m=1000.0)
