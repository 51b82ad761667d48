"""Moran's I and its moments against a direct sum and against random labelling."""

import numpy as np
import pytest

from stats.case_arrays import UndefinedScoreError
from stats.spatial.moran import moran, moran_permutation, moran_rook
from stats.spatial.stencil import QUEEN, ROOK, Stencil, distance_band, space_time
from tests.stats.spatial.brute import smooth_noise


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


@pytest.mark.parametrize("standardise", ["binary", "row"])
@pytest.mark.parametrize("stencil", [ROOK, QUEEN, distance_band(2.5)], ids=lambda s: s.name)
def test_any_stencil_and_both_moments_agree_with_esda_on_a_mask(stencil, standardise):
    esda = pytest.importorskip("esda")
    libpysal = pytest.importorskip("libpysal")
    rng = np.random.default_rng(3)
    values, valid = rng.gamma(1, 1, (10, 12)), rng.random((10, 12)) < 0.75
    number = {tuple(cell): i for i, cell in enumerate(np.argwhere(valid).tolist())}
    near = {
        i: [number[r + a, c + b] for a, b in stencil.offsets.tolist() if (r + a, c + b) in number]
        for (r, c), i in number.items()
    }
    weights = libpysal.weights.W(near, silence_warnings=True)
    other = esda.Moran(
        values[valid], weights, transformation="R" if standardise == "row" else "B", permutations=0
    )
    found = moran(values, valid, stencil=stencil, standardise=standardise)
    assert found.value == pytest.approx(other.I, rel=1e-10)
    assert found.sd**2 == pytest.approx(other.VI_rand, rel=1e-10)
    assert found.sd_normal**2 == pytest.approx(other.VI_norm, rel=1e-10)


def test_weights_by_distance_agree_with_a_dense_matrix():
    rng = np.random.default_rng(4)
    values, valid = rng.normal(size=(7, 9)), rng.random((7, 9)) < 0.8
    stencil = distance_band(3.0, power=-1.0)
    points = np.argwhere(valid)
    distance = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1).astype(float))
    with np.errstate(divide="ignore"):
        dense = np.where((distance > 0) & (distance <= 3.0), 1.0 / distance, 0.0)
    z, n = values[valid] - values[valid].mean(), valid.sum()
    for standardise in ("binary", "row"):
        w = dense / dense.sum(axis=1, keepdims=True) if standardise == "row" else dense
        s0, s1 = w.sum(), 0.5 * ((w + w.T) ** 2).sum()
        s2 = ((w.sum(axis=0) + w.sum(axis=1)) ** 2).sum()
        found = moran(values, valid, stencil=stencil, standardise=standardise)
        assert found.value == pytest.approx(n / s0 * (z @ w @ z) / (z @ z), rel=1e-10)
        normal = (n * n * s1 - n * s2 + 3 * s0**2) / ((n * n - 1) * s0**2) - 1 / (n - 1) ** 2
        assert found.sd_normal**2 == pytest.approx(normal, rel=1e-10)


def test_neighbours_in_time_count_in_the_joint_index():
    rng = np.random.default_rng(5)
    place = rng.normal(size=(20, 20))
    series = np.stack([place + 0.1 * rng.normal(size=(20, 20)) for _ in range(3)])
    valid = rng.random(series.shape) < 0.9
    joint = moran(series, valid, stencil=space_time(weight=2.0))
    z = np.where(valid, series - series[valid].mean(), 0.0)
    down, right, later = (
        (np.take(z, range(1, z.shape[a]), axis=a) * np.take(z, range(z.shape[a] - 1), axis=a)).sum()
        for a in (1, 2, 0)
    )
    pairs = [
        (np.take(valid, range(1, z.shape[a]), axis=a)
         & np.take(valid, range(z.shape[a] - 1), axis=a)).sum() for a in (1, 2, 0)
    ]  # fmt: skip
    weight = pairs[0] + pairs[1] + 2.0 * pairs[2]
    expected = valid.sum() / weight * (down + right + 2.0 * later) / (z**2).sum()
    assert joint.value == pytest.approx(expected, rel=1e-10)
    assert joint.z > 10
    assert abs(moran(series[0], valid[0]).z) < 4


def test_permutation_and_normal_tails_agree_and_the_test_holds_its_level():
    rng = np.random.default_rng(6)
    rejected, tails = 0, []
    for _ in range(400):
        found = moran(rng.lognormal(0, 0.5, (20, 20)))
        rejected += found.p_value() <= 0.05
    # Binomial error of the rate over 400 worlds: 0.011.
    assert rejected / 400 == pytest.approx(0.05, abs=0.033)
    for _ in range(12):
        test = moran_permutation(rng.normal(size=(15, 15)), permutations=499, rng=rng)
        tails.append((test.p_value(), test.observed.p_value()))
    mine, normal = np.array(tails).T
    assert np.abs(mine - normal).max() < 0.1


def test_power_is_what_the_smallest_detectable_value_promises():
    """A smooth share of the variance such that I is, on average, the detectable one."""
    rng = np.random.default_rng(7)
    shape, worlds = (36, 36), 400
    wanted = moran(rng.normal(size=shape)).detectable(power=0.8)
    # Neighbours of a field smoothed by 0.8 correlate by 0.68; taking off the mean costs some.
    share = wanted / 0.63
    found = [
        moran(np.sqrt(share) * smooth_noise(rng, shape, 0.8)
              + np.sqrt(1 - share) * rng.normal(size=shape))
        for _ in range(worlds)
    ]  # fmt: skip
    assert np.mean([one.value for one in found]) == pytest.approx(wanted, abs=0.003)
    # Binomial error of a power of 0.8 over 400 worlds: 0.02.
    assert np.mean([one.p_value() <= 0.05 for one in found]) == pytest.approx(0.8, abs=0.06)


def test_cells_that_are_all_neighbours_have_one_value_only():
    with pytest.raises(UndefinedScoreError, match="however"):
        moran(np.arange(4.0).reshape(2, 2), stencil=QUEEN)


def test_stencils_refuse_what_is_not_symmetric():
    with pytest.raises(ValueError, match="symmetric"):
        Stencil("east", np.array([[0, 1]]), np.ones(1))
    with pytest.raises(ValueError, match="axes"):
        moran(np.random.default_rng(0).random((3, 4, 4)), stencil=ROOK)
