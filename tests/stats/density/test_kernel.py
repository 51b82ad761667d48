"""Kernel densities: the formula itself, what the edge corrections promise, the bandwidth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stats.case_arrays import UndefinedScoreError
from stats.density.kernel import adaptive_density, choose_bandwidth, kernel_density
from stats.density.window import Window, counts_on

CELL = 500.0


def window_of(inside):
    inside = np.asarray(inside, dtype=bool)
    return Window(inside=inside, west_m=300e3, north_m=3e6, cell_m=CELL)


def ragged(shape=(24, 31), seed=0):
    inside = np.random.default_rng(seed).random(shape) < 0.8
    inside[:4, :9] = False
    return window_of(inside)


def some_counts(window, seed=1):
    m = np.random.default_rng(seed).poisson(0.4, window.inside.shape).astype(float)
    return np.where(window.inside, m, 0.0)


def by_hand(m, window, h, edge):
    """The double sum over cells, without transforms."""
    y, x = np.nonzero(np.ones(m.shape, bool))
    inside = window.inside.reshape(-1)
    d2 = ((y[:, None] - y) ** 2 + (x[:, None] - x) ** 2) * CELL**2
    k = np.exp(-0.5 * d2 / h**2) / (2 * np.pi * h**2)
    mass = np.where(inside, (k * inside).sum(axis=1) * CELL**2, 1.0)
    weight = m.reshape(-1)
    raw = k @ (weight / mass) if edge == "mass" else k @ weight
    if edge == "uniform":
        raw = raw / mass
    return np.where(inside, raw * 1e6, np.nan).reshape(m.shape)


@pytest.mark.parametrize("edge", ["mass", "uniform", "none"])
@pytest.mark.parametrize("h", [CELL, 1.7e3, 9e3])
def test_agrees_with_the_double_sum(edge, h):
    window = ragged()
    m = some_counts(window)
    found = kernel_density(m, window, bandwidth_m=h, edge=edge).per_km2
    assert found == pytest.approx(by_hand(m, window, h, edge), rel=1e-10, abs=1e-13, nan_ok=True)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), h=st.floats(1.0, 40.0))
def test_mass_correction_keeps_the_total(seed, h):
    window = ragged(seed=seed)
    m = some_counts(window, seed)
    found = kernel_density(m, window, bandwidth_m=h * CELL)
    assert np.nansum(found.per_km2) * CELL**2 / 1e6 == pytest.approx(m.sum(), rel=1e-9)


def test_uniform_correction_gives_a_constant_where_counts_are_constant():
    window = ragged()
    m = np.where(window.inside, 3.0, 0.0)
    found = kernel_density(m, window, bandwidth_m=2e3, edge="uniform").per_km2
    assert found[window.inside] == pytest.approx(3.0 * 1e6 / CELL**2, rel=1e-10)
    without = kernel_density(m, window, bandwidth_m=2e3, edge="none").per_km2
    assert np.nanmin(without) < 0.7 * 3.0 * 1e6 / CELL**2


def test_likelihood_finds_the_scale_of_planted_clusters():
    # Clusters of sd 2 km, so that a new point is best forecast by kernels of about that width.
    rng = np.random.default_rng(5)
    window = window_of(np.ones((80, 80)))
    centres = rng.uniform(8e3, 32e3, (12, 2))
    points = np.concatenate([c + rng.normal(0, 2e3, (60, 2)) for c in centres])
    m, outside = counts_on(window, 300e3 + points[:, 0], 3e6 - points[:, 1])
    assert m.sum() + outside == len(points)
    found = choose_bandwidth(m, window)
    assert 700.0 < found.bandwidth_m < 2e3
    assert not found.at_edge


def test_likelihood_asks_for_the_widest_kernel_where_nothing_clusters():
    window = window_of(np.ones((40, 40)))
    m = np.random.default_rng(0).poisson(0.5, (40, 40)).astype(float)
    found = choose_bandwidth(m, window)
    assert found.bandwidth_m == found.tried_m[-1]
    assert found.at_edge


def test_adaptive_kernels_are_narrow_in_the_crowd_and_keep_the_total():
    window = window_of(np.ones((40, 40)))
    m = np.zeros((40, 40))
    m[10, 10], m[30, 35] = 200.0, 1.0
    found = adaptive_density(m, window, bandwidth_m=2e3)
    assert found.bandwidths_m[10, 10] < found.bandwidths_m[30, 35]
    assert np.nansum(found.per_km2) * CELL**2 / 1e6 == pytest.approx(201.0, rel=1e-9)
    # Two landslides in mirrored places are equally typical: the estimate is the fixed one.
    pair = np.zeros((40, 40))
    pair[20, 9] = pair[20, 30] = 1.0
    alike = adaptive_density(pair, window, bandwidth_m=2e3)
    fixed = kernel_density(pair, window, bandwidth_m=2e3)
    assert alike.per_km2 == pytest.approx(fixed.per_km2, rel=1e-9, abs=1e-12)


def test_adaptive_is_closer_to_a_planted_peak_than_fixed():
    # A sharp peak on a wide plain: one bandwidth cannot serve both.
    rng = np.random.default_rng(2)
    window = window_of(np.ones((60, 60)))
    y, x = np.mgrid[:60, :60]
    truth = 0.1 + 8.0 * np.exp(-0.5 * ((y - 30) ** 2 + (x - 30) ** 2) / 3.0**2)
    errors = []
    for _ in range(20):
        m = rng.poisson(truth).astype(float)
        pair = [
            kernel_density(m, window, bandwidth_m=2e3).per_km2,
            adaptive_density(m, window, bandwidth_m=2e3).per_km2,
        ]
        errors.append([((e * CELL**2 / 1e6 - truth) ** 2).mean() for e in pair])
    fixed, adaptive = np.mean(errors, axis=0)
    assert adaptive < 0.8 * fixed


def test_points_outside_are_counted_and_left_out():
    window = window_of([[True, False]])
    m, outside = counts_on(window, [300.2e3, 300.7e3, 0.0], [3e6 - 1, 3e6 - 1, 0.0])
    assert m.tolist() == [[1.0, 0.0]]
    assert outside == 2


def test_what_cannot_be_estimated_is_refused():
    window = window_of(np.ones((5, 5)))
    with pytest.raises(ValueError, match="at least the side of a cell"):
        kernel_density(np.ones((5, 5)), window, bandwidth_m=100.0)
    with pytest.raises(ValueError, match="0 outside the window"):
        kernel_density(np.ones((4, 5)), window, bandwidth_m=1e3)
    with pytest.raises(UndefinedScoreError):
        adaptive_density(np.zeros((5, 5)), window, bandwidth_m=1e3)
    with pytest.raises(UndefinedScoreError):
        choose_bandwidth(np.eye(1, 25).reshape(5, 5), window)
    with pytest.raises(ValueError, match="whole numbers"):
        choose_bandwidth(np.full((5, 5), 0.5), window)
    with pytest.raises(ValueError, match="with 0 cells"):
        window_of(np.zeros((3, 3)))
