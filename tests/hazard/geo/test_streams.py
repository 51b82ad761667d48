"""Wetness index, channels and stream distance on planted valleys, and what they refuse."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hazard.errors import DataError
from hazard.geo.flow import route_flow
from hazard.geo.streams import channel_network, stream_distance_m, twi
from hazard.geo.terrain import derivatives


def valley(rows=41, cols=61, dx=20.0, dy=30.0):
    """Two planes that meet in a valley along the middle row, which falls to the east."""
    y = (np.arange(rows) - rows // 2)[:, None] * dy
    x = np.arange(cols)[None] * dx
    return 2000.0 + 0.5 * np.abs(y) - 0.02 * x, (dx, dy)


def test_twi_is_the_logarithm_of_area_over_gradient_with_a_floor():
    a = np.array([[10.0, 10.0, 500.0, np.nan, 10.0]])
    slope = np.array([[45.0, 0.0, 20.0, 20.0, np.nan]])
    found = twi(a, slope, minimum_tan_slope=0.01)[0]
    expected = [math.log(10.0), math.log(1000.0), math.log(500 / math.tan(math.radians(20)))]
    assert np.allclose(found[:3], expected, rtol=1e-6)
    assert np.isnan(found[3:]).all()


@given(st.floats(0.0, 89.0), st.floats(0.1, 1e8))
def test_twi_falls_with_slope_and_rises_with_area(slope, area):
    base = twi(np.array([[area]]), np.array([[slope]]))[0, 0]
    assert twi(np.array([[area * 2]]), np.array([[slope]]))[0, 0] == pytest.approx(
        base + math.log(2.0), abs=1e-4
    )
    assert twi(np.array([[area]]), np.array([[slope + 0.9]]))[0, 0] <= base


def test_twi_refuses_areas_that_cannot_be():
    ones = np.ones((2, 2))
    for bad in (
        lambda: twi(0 * ones, ones),
        lambda: twi(ones, ones[:1]),
        lambda: twi(ones, ones, minimum_tan_slope=0.0),
    ):
        with pytest.raises(ValueError):
            bad()


def test_a_planted_stream_is_found_and_the_distance_to_it_is_exact():
    z, cell_size = valley()
    valid = np.ones(z.shape, bool)
    flow = route_flow(z, valid, cell_size)
    # Side slopes drain at most their own columns and a few beside them; the valley drains all.
    threshold = 60 * cell_size[0] * cell_size[1]
    channels = channel_network(flow.area_m2, valid, threshold_m2=threshold)
    middle = z.shape[0] // 2
    assert channels[middle, 5:].all()
    assert not np.delete(channels, middle, 0).any()
    distance = stream_distance_m(flow.area_m2, valid, cell_size, threshold_m2=threshold)
    rows = np.abs(np.arange(z.shape[0]) - middle) * cell_size[1]
    assert np.allclose(distance[:, 10:], np.broadcast_to(rows[:, None], z.shape)[:, 10:])


def test_the_valley_floor_is_the_wettest_place():
    z, cell_size = valley()
    valid = np.ones(z.shape, bool)
    index = twi(
        route_flow(z, valid, cell_size).specific_area_m,
        derivatives(z, valid, cell_size).slope_deg,
    )
    assert np.isfinite(index).all()
    assert (index[:, 5:-1].argmax(0) == z.shape[0] // 2).all()


def test_without_a_channel_the_error_names_threshold_and_largest_area():
    area = np.array([[900.0, 4.5e6, np.nan]])
    valid = np.array([[True, True, False]])
    with pytest.raises(DataError, match=r"dem\.tif: found .*4\.5e\+06 m2.*drains 1e\+07 m2"):
        stream_distance_m(area, valid, (30, 30), threshold_m2=1e7, source="dem.tif")


def test_a_channel_under_the_mask_does_not_count():
    area, valid = np.array([[900.0, 5e6]]), np.array([[True, False]])
    with pytest.raises(DataError, match="largest contributing area of 900 m2"):
        channel_network(area, valid, threshold_m2=1000.0)


def test_nothing_valid_is_an_error_and_not_a_crash():
    with pytest.raises(DataError, match="largest contributing area of 0 m2"):
        channel_network(np.full((3, 3), np.nan), np.zeros((3, 3), bool), threshold_m2=1.0)


def test_distance_is_measured_across_voids_and_absent_inside_them():
    area = np.array([[5e6, 900.0, 900.0, 900.0]])
    valid = np.array([[True, False, True, True]])
    found = stream_distance_m(area, valid, (30, 30), threshold_m2=1e6)
    assert np.allclose(found, [[0.0, np.nan, 60.0, 90.0]], equal_nan=True)


@pytest.mark.parametrize("threshold", [0.0, -1.0, np.nan])
def test_a_threshold_that_is_not_positive_is_refused(threshold):
    with pytest.raises(ValueError):
        channel_network(np.ones((2, 2)), np.ones((2, 2), bool), threshold_m2=threshold)
