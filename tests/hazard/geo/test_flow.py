"""Flow routing: truths on planes and cones, conservation, pyflwdir, symmetry and memory."""

import math
import subprocess
import sys

import numpy as np
import pyflwdir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hazard.errors import DataError
from hazard.geo.directions import flow_directions
from hazard.geo.fill import COL_STEP, OUTLET, ROW_STEP, fill_depressions
from hazard.geo.flow import PEAK_BYTES_PER_PIXEL, FlowField, route_flow
from tests.hazard.geo.test_fill import coarse_elevations


def routed(z, dx=30.0, dy=None, **options) -> FlowField:
    return route_flow(z, np.ones(np.shape(z), bool), (dx, dy or dx), **options)


def rough(seed, shape=(120, 140)):
    """Rough ground without ties: depressions, divides and valleys."""
    rng = np.random.default_rng(seed)
    z = np.cumsum(rng.normal(0, 5, shape), 0) + np.cumsum(rng.normal(0, 5, shape), 1)
    return 2000 + z - 3.0 * np.arange(shape[1])


def plane(rows, cols, dx, dy, fall_rad):
    """Falls at 20 degrees towards `fall_rad`, anticlockwise from east."""
    x, y = np.arange(cols) * dx, -np.arange(rows) * dy
    along = x[None] * math.cos(fall_rad) + y[:, None] * math.sin(fall_rad)
    return 3000.0 - math.tan(math.radians(20)) * along


@pytest.mark.parametrize("cell_size", [(10.0, 10.0), (10.0, 14.0), (12.0, 8.0)])
@pytest.mark.parametrize("fall_deg", range(0, 360, 15))
def test_dinfinity_finds_the_direction_of_any_plane(cell_size, fall_deg):
    z = plane(9, 9, *cell_size, math.radians(fall_deg))
    flood = fill_depressions(z, np.ones(z.shape, bool))
    angle = flow_directions(flood, cell_size).angle_rad(cell_size)[1:-1, 1:-1]
    difference = np.angle(np.exp(1j * (angle - math.radians(fall_deg))))
    assert np.abs(difference).max() < 1e-6


@pytest.mark.parametrize("cell_size", [(10.0, 10.0), (10.0, 14.0), (12.0, 8.0)])
@pytest.mark.parametrize("part", [0.0, 0.2, 0.5, 0.9, 1.0])
def test_specific_area_of_a_plane_is_the_upslope_distance(cell_size, part):
    # `part` of the way from due east to the diagonal of the pixel.
    dx, dy = cell_size
    fall = -part * math.atan2(dy, dx)
    flow = routed(plane(80, 40, dx, dy, fall), dx, dy)
    # Flow from the first column moves down by one row per column at most: below row 40 every
    # pixel drains whole columns. The last column is the outlet.
    distance = (np.arange(39) + 1) * dx / math.cos(fall)
    assert np.allclose(flow.specific_area_m[40:-1, :39], distance, rtol=1e-5)
    # The same plane turned: falls to the south, the diagonal measured from there.
    turned = routed(np.rot90(plane(80, 40, dx, dy, fall), -1), dy, dx)
    assert np.allclose(np.rot90(turned.specific_area_m)[40:-1, :39], distance[None], rtol=1e-5)


def test_specific_area_of_a_cone_is_half_the_radius():
    n, side = 301, 10.0
    x = (np.arange(n) - n // 2 + 0.13) * side
    y = (n // 2 - np.arange(n) - 0.21) * side
    r = np.hypot(*np.meshgrid(x, y))
    flow = routed(-0.6 * r, side)
    ring = (r > 25 * side) & (r < 145 * side)
    ratio = flow.specific_area_m[ring] / (r[ring] / 2)
    d8_ratio = flow.d8_area_m2()[ring] / side / (r[ring] / 2)
    # D-infinity itself drifts towards the diagonals: within a fifth at every azimuth, a tenth
    # in the root mean square, without bias; D8 is five times as far off.
    assert ratio.mean() == pytest.approx(1.0, abs=0.02)
    assert np.sqrt(np.mean((ratio - 1) ** 2)) < 0.11
    assert np.percentile(np.abs(ratio - 1), 95) < 0.2
    assert np.sqrt(np.mean((d8_ratio - 1) ** 2)) > 0.4


@given(coarse_elevations(largest=14), st.sampled_from([(30.0, 30.0), (10.0, 25.0)]))
def test_all_water_leaves_through_the_outlets(case, cell_size):
    z, valid = case
    flow = route_flow(z, valid, cell_size)
    total = valid.sum() * cell_size[0] * cell_size[1]
    leaves = flow.d8 == OUTLET
    for area in (flow.area_m2, flow.d8_area_m2()):
        assert area[leaves].sum() == pytest.approx(total, rel=1e-12)
        assert np.array_equal(np.isnan(area), ~valid)
        assert (area[valid] >= cell_size[0] * cell_size[1] * (1 - 1e-12)).all()
    assert np.array_equal(flow.valid, valid)
    assert np.array_equal(np.isnan(flow.specific_area_m), ~valid)


@given(coarse_elevations(largest=14))
def test_water_never_runs_uphill_and_takes_the_steepest_of_eight(case):
    z, valid = case
    flow = route_flow(z, valid, (10.0, 25.0))
    lengths = [10.0, math.hypot(10, 25), 25.0, math.hypot(10, 25)] * 2
    padded = np.pad(flow.filled_m, 1, constant_values=np.nan)
    rows, cols = z.shape
    drops = np.stack([
        (flow.filled_m - padded[1 + i : 1 + i + rows, 1 + j : 1 + j + cols]) / length
        for i, j, length in zip(ROW_STEP, COL_STEP, lengths, strict=True)
    ])  # fmt: skip
    steepest = np.where(np.isnan(drops), -np.inf, drops).max(0)
    d8 = flow.d8
    for r, c in np.argwhere(valid).tolist():
        if steepest[r, c] > 0:
            assert drops[d8[r, c], r, c] == steepest[r, c]
        elif d8[r, c] != OUTLET:
            assert drops[d8[r, c], r, c] == 0.0


def slow_dinfinity_area(directions, filled, order_key, own):
    """Accumulation by sorting, one pixel at a time."""
    area = np.full(filled.shape, own)
    for index in np.argsort(-order_key, axis=None):
        r, c = np.unravel_index(index, filled.shape)
        k = int(directions.facet[r, c])
        if k >= OUTLET:
            continue
        share = float(directions.share[r, c])
        for direction, part in ((k, 1 - share), ((k + 1) % 8, share)):
            if part > 0:
                area[r + ROW_STEP[direction], c + COL_STEP[direction]] += part * area[r, c]
    return area


def test_accumulation_agrees_with_a_sort_and_push():
    z = hills(60, 70)
    ones = np.ones(z.shape, bool)
    flood = fill_depressions(z, ones)
    assert np.array_equal(flood.filled_m, z)  # no depression, so that elevation is an order
    expected = slow_dinfinity_area(flow_directions(flood, (30, 30)), z, z, 900.0)
    assert np.allclose(routed(z).area_m2, expected, rtol=1e-12)


# pyflwdir's codes, clockwise from east as powers of two, in our order (anticlockwise).
PYFLWDIR_CODES = np.array([1, 128, 64, 32, 16, 8, 4, 2, 0], np.uint8)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_d8_areas_equal_those_pyflwdir_finds_on_the_same_directions(seed):
    flow = routed(rough(seed))
    network = pyflwdir.from_array(PYFLWDIR_CODES[flow.d8], ftype="d8")
    theirs = network.upstream_area(unit="cell") * 900.0
    assert np.array_equal(flow.d8_area_m2(), theirs)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_d8_agrees_with_pyflwdir_where_the_directions_above_are_the_same(seed):
    # pyflwdir follows the flood to the LOWEST neighbour, we the STEEPEST descent: the areas must
    # be equal where every pixel of a catchment happens to have one answer to both.
    flow = routed(rough(seed).astype(np.float32))
    _, theirs = pyflwdir.dem.fill_depressions(flow.filled_m)
    ours = PYFLWDIR_CODES[flow.d8]
    differ = (ours != theirs).astype(np.float32)
    one, two = (pyflwdir.from_array(d8, ftype="d8") for d8 in (ours, theirs))
    same = (one.accuflux(differ) == 0) & (two.accuflux(differ) == 0)
    area = two.upstream_area(unit="cell") * 900.0
    assert same.sum() > 1500
    assert area[same].max() >= 10 * 900.0
    assert np.array_equal(flow.d8_area_m2()[same], area[same])
    # Elsewhere their way down is never the steeper one.
    lookup = {int(code): k for k, code in enumerate(PYFLWDIR_CODES[:8])}
    for r, c in np.argwhere((differ > 0) & (theirs > 0)).tolist():
        k = lookup[int(theirs[r, c])]
        assert drop(flow, r, c, int(flow.d8[r, c])) >= drop(flow, r, c, k)


def drop(flow, r, c, k):
    """Gradient from a pixel in direction k; that of an outlet is zero."""
    if k == OUTLET:
        return 0.0
    lower = float(flow.filled_m[r + ROW_STEP[k], c + COL_STEP[k]])
    return (float(flow.filled_m[r, c]) - lower) / (30.0 * math.hypot(ROW_STEP[k], COL_STEP[k]))


def hills(rows, cols):
    """Valleys and spurs on a fall, without depressions and without ties."""
    y, x = np.mgrid[:rows, :cols]
    return 3000.0 - 9.137 * x - 0.211 * y + 30 * np.sin(y / 7.3) + 8 * np.sin(x / 5.1 + y / 11.7)


def test_a_quarter_turn_turns_the_areas():
    z = hills(90, 60)
    one, two = routed(z, 30.0, 20.0), routed(np.rot90(z), 20.0, 30.0)
    assert np.array_equal(one.filled_m, z)
    assert np.allclose(np.rot90(one.area_m2), two.area_m2, rtol=1e-5)
    assert np.allclose(np.rot90(one.specific_area_m), two.specific_area_m, rtol=1e-5)
    assert np.array_equal(np.rot90(one.d8_area_m2()), two.d8_area_m2())


@given(st.integers(0, 2**32 - 1), st.integers(-500, 500))
def test_a_constant_on_top_changes_no_route(seed, constant):
    z = np.random.default_rng(seed).integers(0, 1000, (13, 17)) / 4.0
    one, two = routed(z), routed(z + constant)
    assert np.array_equal(one.code, two.code)
    assert np.array_equal(one.area_m2, two.area_m2)


def test_results_do_not_depend_on_the_number_of_threads():
    z = rough(8, (300, 320)).astype(np.float32)
    one, four = routed(z, threads=1), routed(z, threads=4)
    for name in ("filled_m", "area_m2", "specific_area_m", "code"):
        assert np.array_equal(getattr(one, name), getattr(four, name)), name


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2)])
def test_tiny_rasters_route(shape):
    flow = routed(np.arange(float(np.prod(shape))).reshape(shape))
    leaves = flow.d8 == OUTLET
    assert flow.area_m2[leaves].sum() == pytest.approx(900.0 * np.prod(shape))
    assert np.isfinite(flow.specific_area_m).all()


def test_a_flat_raster_and_one_without_a_valid_pixel_route():
    flow = routed(np.full((40, 50), 7.0, np.float32))
    assert flow.area_m2[flow.d8 == OUTLET].sum() == pytest.approx(900.0 * 2000)
    # Water leaves on all four sides, none of them overloaded.
    assert flow.area_m2.max() < 900.0 * 2000 / 4
    nowhere = route_flow(np.full((4, 5), np.nan), np.zeros((4, 5), bool), (30, 30))
    assert np.isnan(nowhere.area_m2).all()
    assert not nowhere.valid.any()


def test_slopes_too_gentle_for_float32_still_drain():
    # float32 near 8,000 m resolves 0.5 mm; this fall of 1e-5 has steps of 0.3 mm per pixel.
    z = (8000.0 - 3e-4 * np.arange(400.0) + np.zeros((50, 1))).astype(np.float32)
    flow = routed(z)
    assert flow.area_m2[flow.d8 == OUTLET].sum() == pytest.approx(900.0 * z.size, rel=1e-12)


def test_a_valid_pixel_that_is_not_finite_is_named():
    z = np.ones((5, 6), np.float32)
    z[2, 1] = np.inf
    with pytest.raises(DataError, match=r"dem\.tif.*row 2, column 1"):
        routed(z, source="dem.tif")


MEASURE = """
import os
import sys
import threading
import numpy as np
from hazard.geo.flow import route_flow

def surface(kind, n):
    rng = np.random.default_rng(0)
    if kind == "flat":
        return np.full((n, n), 100, np.float32)
    z = rng.standard_normal((n, n), dtype=np.float32)
    if kind == "mountains":
        np.cumsum(z, 0, out=z)
        np.cumsum(z, 1, out=z)
    return z

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

small = surface(sys.argv[1], 300)
route_flow(small, np.ones(small.shape, bool), (30.0, 30.0))
before = resident()
z = surface(sys.argv[1], 3000)
valid = np.ones(z.shape, bool)
peak, stop = [0], threading.Event()

def watch():
    while not stop.wait(0.002):
        peak[0] = max(peak[0], resident())

watcher = threading.Thread(target=watch)
watcher.start()
flow = route_flow(z, valid, (30.0, 30.0))
stop.set()
watcher.join()
held = z.nbytes + valid.nbytes + sum(
    a.nbytes for a in (flow.filled_m, flow.area_m2, flow.specific_area_m, flow.code)
)
print((peak[0] - before) / z.size, held / z.size)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="resident memory as Linux counts")
@pytest.mark.parametrize("kind", ["mountains", "noise", "flat"])
def test_routing_stays_within_its_bytes_per_pixel(kind):
    # Resident memory of a fresh process, because compiled code allocates out of Python's sight.
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, kind], capture_output=True, text=True, check=True
    )
    peak, held = map(float, done.stdout.split())
    assert held == 22.0
    assert held * 0.95 < peak <= PEAK_BYTES_PER_PIXEL
