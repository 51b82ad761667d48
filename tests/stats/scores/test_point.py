"""Errors of point forecasts and moment scores: NumPy, additivity, constants."""

import numpy as np
import pytest

from stats.case_arrays import UndefinedScoreError
from stats.scores.point import (
    absolute_error_terms,
    efficiency_of_sums,
    moment_terms,
    pearson_of_sums,
    pearson_r,
    squared_error_terms,
)


@pytest.fixture
def pair():
    rng = np.random.default_rng(8)
    x = rng.gamma(0.5, size=4000)
    return x, 0.3 * x + rng.normal(0.0, 0.2, 4000) + 40.0


def test_errors_are_what_they_are_called(pair):
    x, y = pair
    np.testing.assert_allclose(absolute_error_terms(x, y), np.abs(x - y))
    np.testing.assert_allclose(squared_error_terms(x, y), (x - y) ** 2)


def test_pearson_agrees_with_numpy_and_weights_are_repetitions(pair):
    x, y = pair
    assert pearson_r(x, y) == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-13)
    w = np.random.default_rng(9).integers(0, 4, x.size)
    repeated = np.corrcoef(np.repeat(x, w), np.repeat(y, w))[0, 1]
    assert pearson_r(x, y, weights=w) == pytest.approx(repeated, abs=1e-13)


@pytest.mark.parametrize("centre", [(0.0, 0.0), (1.0, 41.0)])
def test_moment_sums_of_chunks_give_the_scores_of_the_whole(pair, centre):
    x, y = pair
    chunks = [moment_terms(x[i::3], y[i::3], centre=centre).sum(axis=0) for i in range(3)]
    total = sum(chunks)
    assert pearson_of_sums(total) == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-9)
    nse = 1.0 - np.sum((x - y) ** 2) / np.sum((y - y.mean()) ** 2)
    assert efficiency_of_sums(total, centre=centre) == pytest.approx(nse, rel=1e-8)


def test_constant_forecast_has_no_correlation(pair):
    x, y = pair
    with pytest.raises(UndefinedScoreError, match="that vary"):
        pearson_r(np.full_like(y, 0.1), y)
    with pytest.raises(UndefinedScoreError, match="that vary"):
        pearson_r(x, np.full_like(y, 0.3))
    assert np.isnan(pearson_of_sums(moment_terms(np.full_like(y, 0.1), y).sum(axis=0)))


def test_missing_value_is_an_error():
    with pytest.raises(ValueError, match="truth: found 1 of 2"):
        pearson_r([1.0, 2.0], [np.nan, 1.0])
