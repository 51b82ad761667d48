"""Terrain derivatives against analytical surfaces, symmetries, edges and real elevations."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hazard.errors import DataError
from hazard.geo.grid import Grid
from hazard.geo.terrain import Derivatives, derivatives, terrain_on_grid

LAYERS = ("slope_deg", "northness", "eastness", "profile_curvature", "plan_curvature")


def lattice(rows, cols, dx, dy):
    """x east and y north of each pixel, the middle pixel at the origin."""
    x = (np.arange(cols) - cols // 2) * dx
    y = (rows // 2 - np.arange(rows)) * dy
    return np.meshgrid(x, y)


def derived(z, dx=1.0, dy=None, **options) -> Derivatives:
    return derivatives(z, np.ones(np.shape(z), bool), (dx, dy or dx), **options)


def at_centre(surface, dx, dy, x0, y0):
    """The five layers at (x0, y0) for a surface sampled on 3 x 3 pixels around it."""
    x, y = lattice(3, 3, dx, dy)
    found = derived(surface(x + x0, y + y0), dx, dy)
    return {name: float(getattr(found, name)[1, 1]) for name in LAYERS}


@pytest.mark.parametrize("cell_size", [(30.0, 30.0), (30.0, 20.0), (7.0, 11.0)])
@pytest.mark.parametrize("direction_deg", [0, 30, 45, 100, 225, 300])
def test_a_plane_has_its_slope_and_aspect_everywhere_and_no_curvature(cell_size, direction_deg):
    # Falls at 35 degrees towards `direction_deg`, clockwise from north.
    towards = math.radians(direction_deg)
    x, y = lattice(9, 7, *cell_size)
    z = 500.0 - math.tan(math.radians(35)) * (x * math.sin(towards) + y * math.cos(towards))
    found = derived(z, *cell_size)
    assert np.allclose(found.slope_deg, 35.0, atol=1e-5)
    assert np.allclose(found.northness, math.cos(towards), atol=1e-6)
    assert np.allclose(found.eastness, math.sin(towards), atol=1e-6)
    assert np.abs(found.profile_curvature).max() < 1e-12
    assert np.abs(found.plan_curvature).max() < 1e-12
    assert found.valid.all()


R = 1000.0


def sphere(x, y):
    return np.sqrt(R**2 - x**2 - y**2)


def test_a_sphere_has_profile_curvature_minus_z_second_derivative_not_one_over_radius():
    r0 = R * math.sin(math.radians(35))
    truth = 1.0 / (R * math.cos(math.radians(35)) ** 3)  # -z'' along the meridian
    assert truth * R == pytest.approx(1.82, abs=0.002)
    found = at_centre(sphere, 1.0, 1.0, r0 * math.cos(0.3), r0 * math.sin(0.3))
    assert found["slope_deg"] == pytest.approx(35.0, abs=1e-3)
    assert found["profile_curvature"] == pytest.approx(truth, rel=1e-4)
    # Across the slope the surface falls off on both sides: a spur, negative plan curvature.
    across = math.tan(math.radians(35)) / r0
    assert found["plan_curvature"] == pytest.approx(-across, rel=1e-4)


def cone(x, y):
    return -0.7 * np.hypot(x, y)


@pytest.mark.parametrize(("sign", "name"), [(1.0, "peak"), (-1.0, "funnel")])
def test_a_cone_has_plan_curvature_tan_slope_over_radius(sign, name):
    found = at_centre(lambda x, y: sign * cone(x, y), 1.0, 1.0, 60.0, 80.0)
    assert found["plan_curvature"] == pytest.approx(-sign * 0.7 / 100.0, rel=1e-3)
    assert found["profile_curvature"] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("cell_size", [(2.0, 2.0), (2.0, 5.0)])
def test_a_paraboloid_is_reproduced_exactly(cell_size):
    # The quartic contains every quadratic: no discretisation error at all.
    a, b, m, x0, y0 = 0.003, 0.001, 0.002, 40.0, -25.0
    found = at_centre(lambda x, y: -(a * x * x + b * y * y + m * x * y), *cell_size, x0, y0)
    gx, gy = -(2 * a * x0 + m * y0), -(2 * b * y0 + m * x0)
    g2 = gx * gx + gy * gy
    along = (-2 * a * gx * gx - 2 * b * gy * gy - 2 * m * gx * gy) / g2
    across = (-2 * a * gy * gy - 2 * b * gx * gx + 2 * m * gx * gy) / g2
    assert found["slope_deg"] == pytest.approx(math.degrees(math.atan(math.sqrt(g2))), rel=1e-6)
    assert found["northness"] == pytest.approx(-gy / math.sqrt(g2), rel=1e-6)
    assert found["eastness"] == pytest.approx(-gx / math.sqrt(g2), rel=1e-6)
    assert found["profile_curvature"] == pytest.approx(-along, rel=1e-6)
    assert found["plan_curvature"] == pytest.approx(across, rel=1e-6)


@pytest.mark.parametrize("surface", [sphere, cone], ids=["sphere", "cone"])
@pytest.mark.parametrize("layer", ["slope_deg", "profile_curvature", "plan_curvature"])
def test_errors_fall_with_the_square_of_the_pixel(surface, layer):
    r0 = 500.0
    if surface is sphere:
        steep = r0 / math.sqrt(R**2 - r0**2)
        truth = {
            "slope_deg": math.degrees(math.atan(steep)),
            "profile_curvature": R**2 / (R**2 - r0**2) ** 1.5,
            "plan_curvature": -steep / r0,
        }[layer]
    else:
        truth = {
            "slope_deg": math.degrees(math.atan(0.7)),
            "profile_curvature": 0.0,
            "plan_curvature": -0.7 / r0,
        }[layer]
    # Over all azimuths: at single ones the leading error happens to cancel.
    azimuths = np.radians(np.arange(7.0, 360.0, 20.0))
    errors = []
    for size in (80.0, 40.0, 20.0):
        found = [
            at_centre(surface, size, 1.3 * size, r0 * math.cos(t), r0 * math.sin(t))[layer]
            for t in azimuths
        ]
        errors.append(np.sqrt(np.mean((np.array(found) - truth) ** 2)))
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    assert np.all(np.abs(orders - 2.0) < 0.1), (errors, orders)


def test_flat_ground_has_zero_slope_aspect_and_curvature():
    found = derived(np.full((5, 6), 812.5, np.float32), 30.0)
    assert found.valid.all()
    for name in LAYERS:
        assert not getattr(found, name).any(), name


def test_a_saddle_point_without_gradient_gets_zeros_not_nan():
    x, y = lattice(3, 3, 1.0, 1.0)
    found = derived(x * x - y * y)
    assert [float(getattr(found, name)[1, 1]) for name in LAYERS] == [0.0] * 5


def test_float32_input_loses_no_digits_of_the_curvature_to_its_own_differences():
    rng = np.random.default_rng(3)
    z = (4000.0 + np.cumsum(rng.normal(0, 8, (60, 60)), 0)).astype(np.float32)
    single, double = derived(z, 30.0), derived(z.astype(np.float64), 30.0)
    for name in LAYERS:
        assert np.array_equal(getattr(single, name), getattr(double, name)), name


elevations = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9),
    elements=st.integers(-2000, 8000).map(float),
)


@st.composite
def masked_elevations(draw):
    z = draw(elevations)
    return z, draw(hnp.arrays(np.bool_, z.shape))


@given(masked_elevations(), st.sampled_from([(30.0, 30.0), (10.0, 25.0)]))
def test_a_quarter_turn_turns_the_aspect_and_nothing_else(case, cell_size):
    z, valid = case
    before = derivatives(z, valid, cell_size)
    after = derivatives(np.rot90(z), np.rot90(valid), cell_size[::-1])  # anticlockwise
    turned = {name: np.rot90(getattr(before, name)) for name in LAYERS}
    # What faced east faces north.
    turned["northness"], turned["eastness"] = turned["eastness"], -turned["northness"]
    for name in LAYERS:
        assert np.allclose(getattr(after, name), turned[name], 1e-5, 1e-7, equal_nan=True), name


@given(masked_elevations(), st.integers(-1000, 1000))
def test_adding_a_constant_changes_nothing(case, constant):
    z, valid = case
    before, after = derivatives(z, valid, (30, 20)), derivatives(z + constant, valid, (30, 20))
    for name in LAYERS:
        assert np.array_equal(getattr(before, name), getattr(after, name), equal_nan=True), name


@given(masked_elevations(), st.sampled_from([0.25, 2.0, 8.0]))
def test_scaling_elevation_scales_gradient_and_curvature(case, factor):
    z, valid = case
    before, after = derivatives(z, valid, (30, 20)), derivatives(factor * z, valid, (30, 20))

    gradient = np.tan(np.radians(before.slope_deg.astype(float)))
    expected = np.degrees(np.arctan(factor * gradient))
    assert np.allclose(after.slope_deg, expected, rtol=0, atol=1e-4, equal_nan=True)
    for name in ("profile_curvature", "plan_curvature"):
        one, two = getattr(before, name), getattr(after, name)
        assert np.allclose(two, factor * one, rtol=1e-5, atol=1e-7, equal_nan=True), name
    assert np.allclose(after.northness, before.northness, atol=1e-6, equal_nan=True)


@given(masked_elevations())
def test_values_stand_exactly_where_a_neighbour_on_an_axis_is_valid(case):
    z, valid = case
    padded = np.pad(valid, 1)
    any_neighbour = padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
    found = derivatives(z, valid, (30, 30))
    assert np.array_equal(found.valid, valid & any_neighbour)
    for name in LAYERS:
        assert np.array_equal(np.isfinite(getattr(found, name)), found.valid), name
    assert np.nanmax(found.slope_deg, initial=0.0) < 90.0


@given(masked_elevations())
def test_the_strict_edge_rule_keeps_only_complete_neighbourhoods(case):
    z, valid = case
    padded = np.pad(valid, 1)
    rows, cols = z.shape
    complete = np.ones_like(valid)
    for i in range(3):
        for j in range(3):
            complete &= padded[i : i + rows, j : j + cols]
    found = derivatives(z, valid, (30, 30), edges="invalid")
    assert np.array_equal(found.valid, complete)
    loose = derivatives(z, valid, (30, 30))
    for name in LAYERS:
        assert np.array_equal(getattr(found, name)[complete], getattr(loose, name)[complete]), name


def test_values_under_the_mask_are_never_read():
    rng = np.random.default_rng(5)
    z, valid = rng.normal(1000, 50, (12, 15)), rng.random((12, 15)) > 0.3
    first = derivatives(np.where(valid, z, np.nan), valid, (30, 30))
    second = derivatives(np.where(valid, z, -32767.0), valid, (30, 30))
    for name in LAYERS:
        assert np.array_equal(getattr(first, name), getattr(second, name), equal_nan=True), name


def test_results_do_not_depend_on_the_number_of_threads():
    z = np.random.default_rng(6).normal(1000, 50, (300, 301)).astype(np.float32)
    one, four = derived(z, 30.0, threads=1), derived(z, 30.0, threads=4)
    for name in LAYERS:
        assert np.array_equal(getattr(one, name), getattr(four, name)), name


@pytest.mark.parametrize("shape", [(1, 7), (7, 1)])
def test_a_single_row_or_column_slopes_along_itself(shape):
    found = derived(np.arange(7.0).reshape(shape) * 10.0, 10.0)
    assert np.allclose(found.slope_deg, 45.0)
    assert found.valid.all()


def test_a_raster_without_a_valid_pixel_or_with_one_lonely_pixel_has_no_slope():
    nowhere = derivatives(np.full((4, 4), np.nan), np.zeros((4, 4), bool), (30, 30))
    assert not nowhere.valid.any()
    assert np.isnan(nowhere.slope_deg).all()
    assert not derived(np.array([[100.0]])).valid.any()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_valid_pixel_that_is_not_finite_is_named(value):
    z = np.ones((5, 6), np.float32)
    z[3, 4] = value
    with pytest.raises(DataError, match=r"dem\.tif: found 1 valid pixels.*row 3, column 4"):
        derived(z, 30.0, source="dem.tif")


def test_shapes_masks_and_cell_sizes_that_cannot_be_are_refused():
    z, ones = np.ones((3, 4)), np.ones((3, 4), bool)
    for bad in (
        lambda: derivatives(z, ones[:2], (30, 30)),
        lambda: derivatives(z, ones.astype(int), (30, 30)),
        lambda: derivatives(z[0], ones[0], (30, 30)),
        lambda: derivatives(z, ones, (30, 0)),
        lambda: derivatives(z, ones, (30, np.nan)),
        lambda: derivatives(z, ones, (30, 30), edges="wrap"),
    ):
        with pytest.raises(ValueError):
            bad()


def test_a_geographic_grid_is_refused_and_a_metric_one_gives_its_cell_size():
    x, _ = lattice(4, 4, 30.0, 30.0)
    ones = np.ones((4, 4), bool)
    metric = Grid.from_bounds("EPSG:32645", (0, 0, 120, 120), cell_m=30)
    assert np.allclose(terrain_on_grid(x, ones, metric).slope_deg, 45.0)
    geographic = Grid.from_bounds("EPSG:4326", (0, 0, 4, 4), cell_m=1)
    with pytest.raises(DataError, match=r"dem\.tif.*metres"):
        terrain_on_grid(x, ones, geographic, source="dem.tif")
    with pytest.raises(DataError, match=r"found shape \(3, 4\)"):
        terrain_on_grid(x[:3], ones[:3], metric)


def test_the_mixed_derivative_at_edges_is_that_of_the_complete_quadrants():
    # On z = m x y one-sided gradients and the mixed derivative are exact in every corner.
    x, y = lattice(4, 5, 3.0, 2.0)
    x, y, m = x + 10.0, y + 20.0, 0.01
    found = derived(m * x * y, 3.0, 2.0)
    expected = -2 * m * (m * y) * (m * x) / ((m * y) ** 2 + (m * x) ** 2)
    assert np.allclose(found.profile_curvature, expected, rtol=1e-5)
    assert np.allclose(found.plan_curvature, expected, rtol=1e-5)
