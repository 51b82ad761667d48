"""Interpolation between rain sites: known values, exactness, honest leave-one-out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hazard.errors import DataError
from hazard.geo.rain_interpolation import (
    METHODS,
    LeaveOneOut,
    Variogram,
    choose_method,
    fit_variogram,
    interpolate,
    inverse_distance,
    krige,
    leave_one_out,
    usable_methods,
)


def sites(seed: int, n: int = 15):
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 100e3, n), rng.uniform(0, 80e3, n)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 9999), a=st.floats(-0.5, 0.5), b=st.floats(-0.5, 0.5))
def test_a_thin_plate_leaves_no_error_on_a_linear_field(seed, a, b):
    x, y = sites(seed)
    plane = 200 + (a * x + b * y) / 1000
    row = leave_one_out(x, y, plane, method="thin_plate")
    assert row.rmse_mm_day < 1e-6
    assert row.n == 15


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 9999), method=st.sampled_from(METHODS))
def test_a_constant_field_stays_constant(seed, method):
    x, y = sites(seed)
    at = sites(seed + 1, 40)
    values = interpolate(x, y, np.full(15, 7.0), *at, method=method)
    np.testing.assert_allclose(values, 7.0, rtol=1e-9)


@pytest.mark.parametrize("method", ["nearest", "inverse_distance", "thin_plate"])
def test_exact_methods_pass_through_the_sites(method):
    x, y = sites(4)
    values = np.random.default_rng(4).uniform(10, 90, 15)
    np.testing.assert_allclose(interpolate(x, y, values, x, y, method=method), values, rtol=1e-8)


def test_inverse_distance_has_the_value_worked_by_hand():
    # Distances 1 and 3: weights 1 and 1/9.
    found = inverse_distance(
        np.array([0.0, 4.0]), np.zeros(2), np.array([10.0, 50.0]), np.array([1.0]), np.zeros(1)
    )
    assert found[0] == pytest.approx((10 + 50 / 9) / (1 + 1 / 9))


def test_kriging_agrees_with_weights_solved_from_the_variogram():
    """The textbook form: [Gamma 1; 1 0] [w; mu] = [gamma0; 1], one target at a time."""
    x, y = sites(6, 8)
    values = np.random.default_rng(6).uniform(10, 90, 8)
    model = Variogram(nugget=15.0, sill=200.0, range_m=30e3)
    at_x, at_y = sites(7, 5)

    def gamma(h):
        return np.where(h > 0, 15.0 + 200.0 * (1 - np.exp(-h / 30e3)), 0.0)

    between = gamma(np.hypot(x[:, None] - x, y[:, None] - y))
    system = np.block([[between, np.ones((8, 1))], [np.ones((1, 8)), np.zeros((1, 1))]])
    expected = []
    for px, py in zip(at_x, at_y, strict=True):
        weights = np.linalg.solve(system, np.append(gamma(np.hypot(x - px, y - py)), 1.0))
        expected.append(weights[:8] @ values)
        assert weights[:8].sum() == pytest.approx(1.0)
    found = krige(x, y, values, at_x, at_y, variogram=model)
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    exact = krige(x, y, values, x, y, variogram=Variogram(nugget=0.0, sill=200.0, range_m=30e3))
    np.testing.assert_allclose(exact, values, rtol=1e-9)


def test_the_variogram_recovers_a_planted_range():
    x, y = sites(8, 400)
    rng = np.random.default_rng(8)
    covariance = 100 * np.exp(-np.hypot(x[:, None] - x, y[:, None] - y) / 10e3)
    values = np.linalg.cholesky(covariance + 10 * np.eye(400)) @ rng.normal(size=400)
    model = fit_variogram(x, y, values)
    assert 5e3 < model.range_m < 20e3
    assert 60 < model.sill < 180
    assert model.nugget < 40


def test_leave_one_out_does_not_know_the_site_left_out():
    x, y = sites(9)
    values = np.random.default_rng(9).uniform(10, 90, 15)
    row = leave_one_out(x, y, values, method="nearest", inside=np.arange(15) < 4)
    error = []
    for i in range(15):
        distance = np.hypot(x - x[i], y - y[i])
        distance[i] = np.inf
        error.append(values[distance.argmin()] - values[i])
    assert row.rmse_mm_day == pytest.approx(np.sqrt(np.mean(np.square(error))))
    assert row.bias_mm_day == pytest.approx(np.mean(error))
    assert row.rmse_inside_mm_day == pytest.approx(np.sqrt(np.mean(np.square(error[:4]))))
    assert (row.n, row.n_inside) == (15, 4)


def test_sites_without_a_value_take_no_part():
    x, y = sites(10)
    values = np.random.default_rng(10).uniform(10, 90, 15)
    holed = values.copy()
    holed[[2, 5]] = np.nan
    keep = np.isfinite(holed)
    assert leave_one_out(x, y, holed, method="inverse_distance") == leave_one_out(
        x[keep], y[keep], values[keep], method="inverse_distance"
    )


def row(method: str, statistic: str, rmse: float) -> LeaveOneOut:
    return LeaveOneOut(
        epoch="e", statistic=statistic, method=method, rmse_mm_day=rmse, bias_mm_day=0.0, n=10,
        rmse_inside_mm_day=np.nan, n_inside=0,
    )  # fmt: skip


def test_the_choice_weighs_statistics_by_their_own_spread():
    table = [
        row("nearest", "big", 100.0), row("nearest", "small", 1.0),
        row("kriging", "big", 101.0), row("kriging", "small", 0.5),
    ]  # fmt: skip
    assert choose_method(table, {"big": 1e4, "small": 1.0}) == "kriging"
    assert choose_method(table, {"big": 1.0, "small": 1.0}) == "nearest"
    tie = [row("kriging", "big", 1.0), row("nearest", "big", 1.0)]
    assert choose_method(tie, {"big": 1.0}) == "nearest"


def test_too_few_or_collinear_sites_are_refused():
    line = np.arange(6) * 1000.0
    with pytest.raises(DataError, match="one line"):
        interpolate(line, line, line, line, line, method="thin_plate")
    with pytest.raises(DataError, match="at least 3"):
        interpolate(line[:2], line[:2], line[:2], line, line, method="thin_plate")
    with pytest.raises(DataError, match="two or more"):
        usable_methods(line, line, 1, "a.csv")
    with pytest.raises(DataError, match="two or more"):
        leave_one_out(line[:1], line[:1], line[:1], method="nearest")


def test_only_methods_that_work_without_one_site_are_tried():
    x, y = sites(1, 33)
    assert usable_methods(x, y, 2, "a.csv") == ("nearest", "inverse_distance")
    assert usable_methods(x, y, 33, "a.csv") == METHODS
    assert "thin_plate" not in usable_methods(x, 2 * x + 5, 33, "a.csv")
