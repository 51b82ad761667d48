"""Moran's I and its moments against a direct sum and against random labelling."""

import numpy as np
import pytest

from stats.case_arrays import UndefinedScoreError
from stats.spatial.moran import moran_rook


def direct(values, valid):
    """I by a loop over all neighbours."""
    z = values - values[valid].mean()
    total, weights = 0.0, 0
    for r, c in zip(*np.nonzero(valid), strict=True):
        for dr, dc in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            a, b = r + dr, c + dc
            if 0 <= a < valid.shape[0] and 0 <= b < valid.shape[1] and valid[a, b]:
                total += z[r, c] * z[a, b]
                weights += 1
    return valid.sum() / weights * total / (z[valid] ** 2).sum()


def test_the_value_is_the_sum_over_neighbours_inside_the_mask():
    rng = np.random.default_rng(0)
    values, valid = rng.gamma(1, 1, (12, 15)), rng.random((12, 15)) < 0.7
    hidden = np.where(valid, values, np.nan)
    found = moran_rook(hidden, valid)
    assert found.value == pytest.approx(direct(values, valid))
    assert found.n == valid.sum()


@pytest.mark.parametrize("heavy", [False, True])
def test_mean_and_spread_are_those_of_random_labelling(heavy):
    rng = np.random.default_rng(1)
    valid = rng.random((14, 14)) < 0.8
    values = np.zeros(valid.shape)
    values[valid] = rng.lognormal(0, 1.5 if heavy else 0.2, valid.sum())
    dealt = values.copy()
    draws = []
    for _ in range(4000):
        dealt[valid] = rng.permutation(values[valid])
        draws.append(moran_rook(dealt, valid).value)
    found = moran_rook(values, valid)
    assert np.mean(draws) == pytest.approx(found.expected, abs=4 * found.sd / 60)
    assert np.std(draws) == pytest.approx(found.sd, rel=0.05)


def test_agrees_with_esda():
    esda = pytest.importorskip("esda")
    libpysal = pytest.importorskip("libpysal")
    values = np.random.default_rng(2).gamma(1, 1, (9, 11))
    weights = libpysal.weights.lat2W(9, 11)
    other = esda.Moran(values.reshape(-1), weights, transformation="B", permutations=0)
    found = moran_rook(values, np.ones(values.shape, dtype=bool))
    assert found.value == pytest.approx(other.I)
    assert found.expected == pytest.approx(other.EI)
    assert found.z == pytest.approx(other.z_rand)


def test_constants_and_lonely_cells_have_no_value():
    everywhere = np.ones((5, 5), dtype=bool)
    with pytest.raises(UndefinedScoreError):
        moran_rook(np.full((5, 5), 0.3), everywhere)
    with pytest.raises(UndefinedScoreError):
        moran_rook(np.random.default_rng(0).random((5, 5)), np.indices((5, 5)).sum(axis=0) % 2 == 0)
    with pytest.raises(ValueError, match="not finite"):
        moran_rook(np.full((5, 5), np.nan), everywhere)
