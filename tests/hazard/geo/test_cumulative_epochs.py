"""Cumulative inventories to epochs: planted truth, both rules, gaps in observation."""

import datetime as dt

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from hazard.errors import DataError
from hazard.geo.cell_area import cell_landslide_area
from hazard.geo.cumulative_epochs import series_from_cumulative
from hazard.geo.epochs import Epoch
from hazard.geo.footprint_change import footprint_difference
from hazard.geo.grid import Grid

UTM = "EPSG:32645"
GRID = Grid.from_bounds(UTM, (0, 0, 200, 100), cell_m=100)
CELL = GRID.cell_area_m2


def years(n, first=2015):
    return [
        Epoch(name=str(first + k), start=dt.date(first + k, 1, 1), end=dt.date(first + k + 1, 1, 1))
        for k in range(n)
    ]


def square(x, y, size=10):
    return shapely.box(x, y, x + size, y + size)


def test_increase_is_kept_and_decrease_is_recovery():
    first = [square(10, 10), square(150, 10, 20)]
    second = [square(10, 10), square(40, 40), square(150, 10, 10)]
    s = series_from_cumulative([first, second], years(2), GRID)
    np.testing.assert_allclose(s.area_m2, [[[100, 400]], [[100, 0]]], atol=1e-6)
    np.testing.assert_allclose(s.recovered_percent / 100 * CELL, [[[0, 0]], [[0, 300]]], atol=1e-6)
    assert s.observed.all()
    assert any("first time" in note for note in s.notes)


@pytest.mark.parametrize(("method", "new", "gone"), [("cell_area", 0, 0), ("geometry", 100, 100)])
def test_failure_and_recovery_in_one_cell_cancel_only_by_area(method, new, gone):
    s = series_from_cumulative([[square(10, 10)], [square(40, 40)]], years(2), GRID, method=method)
    assert s.area_m2[1, 0, 0] == pytest.approx(new)
    assert s.recovered_percent[1, 0, 0] / 100 * CELL == pytest.approx(gone)


@pytest.mark.parametrize("method", ["cell_area", "geometry"])
def test_the_same_inventory_twice_gives_exactly_nothing(method):
    rng = np.random.default_rng(5)
    shapes = [shapely.Point(*rng.uniform(0, 200, 2)).buffer(rng.uniform(1, 60)) for _ in range(40)]
    shuffled = [shapes[k] for k in rng.permutation(40)]
    s = series_from_cumulative([shapes, shuffled], years(2), GRID.refine(4), method=method)
    if method == "cell_area":
        assert s.presence()[1].max() == 0
        assert s.recovered_percent[1].max() == 0
    else:
        assert s.area_m2[1].sum() < 1e-6


def test_growth_at_one_end_is_not_new_area_at_the_other():
    """A large footprint that grows is split over its cells anew, with rounding in each."""
    grid = Grid.from_bounds(UTM, (0, 0, 1000, 1000), cell_m=10)
    scar = shapely.Point(413.7, 487.1).buffer(311.3, quad_segs=37)
    grown = shapely.Point(724.9, 487.1).buffer(40)
    visible = [cell_landslide_area(state, grid) for state in ([scar], [scar, grown])]
    s = series_from_cumulative([[scar], [scar, grown]], years(2), grid)
    far = grid.x < 600
    assert np.abs(visible[1] - visible[0])[:, far].max() > 0  # there is rounding to take off
    assert s.presence()[1][:, far].max() == 0
    assert s.recovered_percent[1][:, far].max() == 0
    assert s.area_m2[1].sum() == pytest.approx(visible[1].sum() - visible[0].sum(), rel=1e-4)


def test_baseline_takes_old_landslides_off_the_first_epoch():
    old, new = square(10, 10), square(150, 10)
    s = series_from_cumulative([[old, new]], years(1), GRID, baseline=[old])
    np.testing.assert_allclose(s.area_m2, [[[0, 100]]], atol=1e-9)
    without = series_from_cumulative([[old, new]], years(1), GRID)
    np.testing.assert_allclose(without.area_m2, [[[100, 100]]])
    unseen = series_from_cumulative([[old, new]], years(1), GRID, first_epoch="not_observed")
    assert not unseen.observed.any()
    assert np.isnan(unseen.area_density_percent).all()


def test_baseline_that_saw_one_cell_only():
    s = series_from_cumulative(
        [[square(10, 10), square(150, 10)]], years(1), GRID, baseline=[square(10, 10)],
        baseline_observed=np.array([[True, False]]), first_epoch="not_observed",
    )  # fmt: skip
    assert s.observed.tolist() == [[[True, False]]]
    assert s.area_density_percent[0, 0, 0] == 0


@pytest.mark.parametrize("method", ["cell_area", "geometry"])
def test_a_cell_not_seen_is_compared_with_the_last_time_it_was(method):
    one, two, three = [square(10, 10)], [square(150, 10)], [square(10, 10), square(40, 40)]
    mask = [None, np.array([[False, True]]), None]
    s = series_from_cumulative([one, two, three], years(3), GRID, observed=mask, method=method)
    assert s.observed[:, 0, 0].tolist() == [True, False, True]
    assert np.isnan(s.area_density_percent[1, 0, 0])
    assert s.area_m2[2, 0, 0] == pytest.approx(100)  # the old one is not new again
    assert s.area_m2[1, 0, 1] == pytest.approx(100)
    assert s.recovered_percent[2, 0, 1] / 100 * CELL == pytest.approx(100)
    assert s.window_days[:, 0, 0].tolist() == [365, 366, 731]
    assert s.account["n_bridged"] == 1


def test_an_epoch_never_mapped_is_not_observed_anywhere():
    s = series_from_cumulative(
        [[square(10, 10)], None, [square(10, 10), square(40, 40)]], years(3), GRID
    )
    assert not s.observed[1].any()
    assert s.presence()[1].tolist() == [[-1, -1]]
    assert s.area_m2[2, 0, 0] == pytest.approx(100)
    assert (s.window_days[2] == 731).all()
    assert s.density_percent_per_year[2, 0, 0] == pytest.approx(1 / (731 / 365.25))


def test_what_is_mapped_where_nothing_was_seen_is_accounted():
    s = series_from_cumulative(
        [[square(10, 10)]], years(1), GRID, observed=[np.array([[False, True]])]
    )
    assert s.account["area_mapped_unobserved_m2"] == pytest.approx(100)
    assert np.isnan(s.area_density_percent[0, 0, 0])


@st.composite
def histories(draw):
    """Footprints that appear and fade, and what is seen, over up to four epochs."""
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    n_epochs = draw(st.integers(2, 4))
    pool = [
        shapely.Point(*rng.uniform(-10, 210, 2)).buffer(rng.uniform(2, 30), quad_segs=4)
        for _ in range(15)
    ]
    states = [[p for p in pool if rng.random() < 0.5] for _ in range(n_epochs)]
    seen = rng.random((n_epochs, 2, 4)) < 0.7
    return states, seen


@settings(max_examples=40, deadline=None)
@given(histories())
def test_new_less_recovered_is_the_change_of_visible_area(history):
    """By either rule, bookkeeping over the epochs that saw a cell ends at what is visible."""
    states, seen = history
    grid = GRID.refine(2)
    assert grid.shape == (2, 4)
    visible = np.stack([cell_landslide_area(state, grid) for state in states])
    for method in ("cell_area", "geometry"):
        s = series_from_cumulative(
            states, years(len(states)), grid, observed=list(seen), method=method
        )
        np.testing.assert_array_equal(s.observed, seen)
        net = np.nan_to_num(s.area_m2) - np.nan_to_num(
            s.recovered_percent / 100 * grid.cell_area_m2
        )
        ever = seen.any(axis=0)
        last = len(states) - 1 - np.argmax(seen[::-1], axis=0)
        final = np.take_along_axis(visible, last[None], axis=0)[0]
        # Differences below 1e-6 of a cell are set to zero, once per epoch.
        atol = 4e-6 * grid.cell_area_m2
        np.testing.assert_allclose(net.sum(axis=0)[ever], final[ever], atol=atol)


@settings(max_examples=30, deadline=None)
@given(histories())
def test_geometric_new_area_is_at_least_the_difference_of_areas(history):
    states, seen = history
    grid = GRID.refine(2)
    a, b = (
        series_from_cumulative(states, years(len(states)), grid, observed=list(seen), method=m)
        for m in ("cell_area", "geometry")
    )
    difference = np.nan_to_num(b.area_m2) - np.nan_to_num(a.area_m2)
    assert difference.min() >= -2e-6 * grid.cell_area_m2


def test_slivers_of_misregistration_go_where_asked():
    first, shifted = [square(10, 10, 50)], [square(10.5, 10, 50)]
    plain = series_from_cumulative([first, shifted], years(2), GRID, method="geometry")
    assert plain.area_m2[1].sum() == pytest.approx(25)
    cleaned = series_from_cumulative(
        [first, shifted], years(2), GRID, method="geometry", minimum_part_m2=30
    )
    assert cleaned.area_m2[1].sum() == 0
    assert cleaned.account["n_slivers"] == 2
    assert cleaned.account["sliver_area_m2"] == pytest.approx(50)


def test_difference_that_geos_refuses_is_repaired_and_counted(monkeypatch):
    from hazard.geo import footprint_change

    plain = shapely.difference
    calls = []

    def failing(a, b, grid_size=None):
        calls.append(grid_size)
        if grid_size is None:
            raise shapely.errors.GEOSException("TopologyException")
        return plain(a, b, grid_size=grid_size)

    monkeypatch.setattr(footprint_change.shapely, "difference", failing)
    left = footprint_difference(np.array([square(0, 0)]), np.array([square(5, 0)]))
    assert left.n_fallback == 1
    assert shapely.area(left.geometries).sum() == pytest.approx(50, rel=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inventories": [[]]}, "one per epoch"),
        ({"method": "guess"}, "method"),
        ({"first_epoch": "guess"}, "first_epoch"),
        ({"inventories": [gpd.GeoSeries([square(0, 0)], crs="EPSG:32644"), []]}, "the grid's"),
        ({"inventories": [gpd.GeoSeries([square(0, 0)]), []]}, "the grid's"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    arguments = {"inventories": [[], []], "epochs": years(2), "grid": GRID} | change
    with pytest.raises(DataError, match=message):
        series_from_cumulative(**arguments)


@pytest.mark.data
def test_nepal_series_shows_the_earthquake(data_dir):
    from hazard.geo.inventory import read_inventory
    from stats.command.inventory_table import read_inventory_table

    path = data_dir / "inventories" / "Nepal.zip"
    tables = [read_inventory_table(path, member=year) for year in range(2013, 2020)]
    bounds = np.array([table.frame.total_bounds for table in tables])
    corner = np.floor(bounds[:, :2].min(axis=0) / 1000) * 1000
    grid = Grid.from_bounds(tables[0].crs, (*corner, *bounds[:, 2:].max(axis=0)), cell_m=1000)
    inventories = [read_inventory(path, grid, member=year) for year in range(2013, 2020)]
    s = series_from_cumulative(inventories[1:], years(6, 2014), grid, baseline=inventories[0])
    assert s.epochs[int(s.summary()["total_area_km2"].argmax())].name == "2015"
    assert len(s.summary()) == 6
