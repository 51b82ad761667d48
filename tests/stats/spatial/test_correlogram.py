"""Correlogram and variogram by transforms against loops over pairs, and against esda."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stats.case_arrays import UndefinedScoreError
from stats.spatial import correlogram as module
from stats.spatial.correlogram import correlogram, degree_squares
from stats.spatial.lag_sums import Padded, mask_sums
from stats.spatial.lags import lag_classes
from stats.spatial.variogram import directional_variograms, variogram
from tests.stats.spatial.brute import pair_table, smooth_noise


def field(seed, shape=(17, 23), share=0.8):
    rng = np.random.default_rng(seed)
    values, valid = 5.0 + 3.0 * rng.gamma(1, 1, shape), rng.random(shape) < share
    return np.where(valid, values, np.nan), valid


@pytest.mark.parametrize("cell_size", [(1.0, 1.0), (2.0, 0.7)])
def test_every_class_equals_the_loop_over_pairs(cell_size):
    values, valid = field(0)
    classes = lag_classes(9, cell_size=cell_size)
    found, shape = correlogram(values, valid, classes=classes), variogram(values, classes=classes)
    table = pair_table(np.where(valid, values, 0.0), valid, cell_size)
    n = found.n
    for k in range(9):
        inside = (table["distance"] >= classes.edges[k]) & (
            table["distance"] < classes.edges[k + 1]
        )
        count = inside.sum()
        assert found.pairs[k] == count / 2 == shape.pairs[k]
        if not count:
            assert np.isnan(found.value[k])
            continue
        expected = n / count * table["product"][inside].sum() / (table["z"] ** 2).sum()
        assert found.value[k] == pytest.approx(expected, rel=1e-10, abs=1e-12)
        assert shape.gamma[k] == pytest.approx(0.5 * table["square"][inside].mean(), rel=1e-10)
        assert shape.distance[k] == pytest.approx(table["distance"][inside].mean(), rel=1e-12)


def test_directions_equal_the_loop_over_pairs():
    values, valid = field(1)
    table = pair_table(np.where(valid, values, 0.0), valid)
    parts = directional_variograms(values, lags=6)
    for azimuth, part in zip((0.0, 45.0, 90.0, 135.0), parts, strict=True):
        apart = np.abs((table["azimuth"] - azimuth + 90.0) % 180.0 - 90.0)
        for k in range(6):
            inside = (table["distance"] >= k + 0.5) & (table["distance"] < k + 1.5)
            inside &= apart <= 22.5
            assert part.pairs[k] == inside.sum() / 2
            assert part.gamma[k] == pytest.approx(0.5 * table["square"][inside].mean(), rel=1e-10)
    whole = variogram(values, classes=lag_classes(6))
    assert sum(p.pairs for p in parts) == pytest.approx(whole.pairs)


def test_an_anisotropic_field_shows_in_its_directions():
    rng = np.random.default_rng(2)
    from scipy import ndimage

    stretched = ndimage.gaussian_filter(rng.standard_normal((150, 150)), (1.0, 6.0))
    north, _, east, _ = directional_variograms(stretched, lags=5)
    assert east.gamma[3] < 0.5 * north.gamma[3]


def test_agrees_with_esda_at_every_class():
    esda = pytest.importorskip("esda")
    libpysal = pytest.importorskip("libpysal")
    values, valid = field(3, (11, 12))
    found = correlogram(values, valid, classes=lag_classes(6))
    points = np.argwhere(valid).astype(float)
    distance = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1))
    for k in range(6):
        near = (distance >= k + 0.5) & (distance < k + 1.5)
        weights = libpysal.weights.W(
            {i: np.flatnonzero(row).tolist() for i, row in enumerate(near)}, silence_warnings=True
        )
        other = esda.Moran(values[valid], weights, transformation="B", permutations=0)
        assert found.value[k] == pytest.approx(other.I, rel=1e-10, abs=1e-12)
        assert found.sd[k] ** 2 == pytest.approx(other.VI_rand, rel=1e-10)
        assert found.sd_normal[k] ** 2 == pytest.approx(other.VI_norm, rel=1e-10)


def test_degrees_are_whole_whether_single_precision_serves_or_not(monkeypatch):
    _, valid = field(4, (40, 31), 0.6)
    classes = lag_classes(15)
    mask = mask_sums(valid, Padded(valid.shape, classes.reach))
    other = mask_sums(~valid, Padded(valid.shape, classes.reach))
    fast = degree_squares([other, mask], classes)[1]
    monkeypatch.setattr(module, "_CLEAR", -1.0)
    assert (degree_squares([mask], classes)[0] == fast).all()
    rows, columns = np.nonzero(valid)
    distance = np.hypot(rows[:, None] - rows, columns[:, None] - columns)
    for k in range(15):
        degree = ((distance >= k + 0.5) & (distance < k + 1.5)).sum(axis=1)
        assert fast[k] == (degree**2).sum()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_shift_scale_and_mirror_change_nothing_but_the_unit(seed, shift, scale):
    values, valid = field(seed, (9, 12))
    classes = lag_classes(4)
    plain, other = (
        variogram(values, classes=classes),
        variogram(shift + scale * values[::-1, :], valid[::-1], classes=classes),
    )
    assert other.gamma == pytest.approx(scale**2 * plain.gamma, rel=1e-6)
    assert correlogram(values[:, ::-1], classes=classes).value == pytest.approx(
        correlogram(values, classes=classes).value, abs=1e-10
    )


def test_white_noise_stays_within_its_moments_and_a_smooth_field_does_not():
    rng = np.random.default_rng(5)
    z = np.stack([correlogram(rng.lognormal(0, 1, (60, 60)), classes=lag_classes(10)).z
                  for _ in range(200)])  # fmt: skip
    # 200 worlds: the standard error of a mean is 0.07, of a standard deviation 0.05.
    assert np.abs(z.mean(axis=0)).max() < 0.3
    assert np.abs(z.std(axis=0) - 1.0).max() < 0.2
    smooth = correlogram(smooth_noise(rng, (120, 120), 3.0), classes=lag_classes(20))
    # Correlation exp(-d^2 / 36) falls to 0.05 at 10.4 cells.
    assert smooth.z[0] > 50
    assert smooth.range() == pytest.approx(10.4, abs=2.0)


def test_the_range_of_noise_is_nothing_and_of_a_trend_is_refused():
    rng = np.random.default_rng(6)
    assert correlogram(rng.normal(size=(50, 50)), classes=lag_classes(8)).range() == 0.0
    trend = np.add.outer(np.arange(50.0), np.arange(50.0))
    with pytest.raises(UndefinedScoreError, match="more lags"):
        correlogram(trend, classes=lag_classes(8)).range()


def test_classes_refuse_what_they_cannot_hold():
    with pytest.raises(ValueError, match="lags"):
        lag_classes(0)
    with pytest.raises(ValueError, match="increasing"):
        lag_classes(edges=[2.0, 1.0])
    with pytest.raises(ValueError, match="tolerance"):
        lag_classes(3, azimuth_deg=0.0, tolerance_deg=0.0)
    with pytest.raises(ValueError, match="not finite"):
        correlogram(np.full((5, 5), np.inf), np.ones((5, 5), bool))
    with pytest.raises(UndefinedScoreError, match="vary"):
        variogram(np.ones((5, 5)))
    with pytest.raises(ValueError, match="same shape"):
        variogram(np.ones((5, 5)), np.ones((4, 5), bool))
