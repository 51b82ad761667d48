"""Dated polygons to epochs: which epoch an interval belongs to, and the Kashmir years."""

import datetime as dt

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from hazard.errors import DataError
from hazard.geo.dated_epochs import assign_epochs, series_from_dated
from hazard.geo.epochs import Epoch
from hazard.geo.grid import Grid
from hazard.geo.inventory import read_inventory
from stats.command.inventory_table import ColumnMap

UTM = "EPSG:32645"
GRID = Grid.from_bounds(UTM, (0, 0, 200, 100), cell_m=100)


def epoch(name, start, end):
    return Epoch(name=name, start=dt.date.fromisoformat(start), end=dt.date.fromisoformat(end))


EPOCHS = [
    epoch("pre", "2015-01-01", "2015-06-01"),
    epoch("post", "2015-06-01", "2016-01-01"),
    epoch("later", "2016-06-01", "2017-01-01"),
]


@pytest.mark.parametrize(
    ("interval", "rule", "index", "straddling"),
    [
        (("2015-03-01", "2015-03-01"), "observation", 0, 0),
        (("2015-05-31", "2015-05-31"), "drop", 0, 0),
        (("2015-06-01", "2015-06-01"), "drop", 1, 0),
        (("2015-01-01", "2015-12-31"), "observation", 1, 1),
        (("2015-01-01", "2015-12-31"), "largest_overlap", 1, 1),
        (("2015-01-01", "2015-06-30"), "observation", 1, 1),
        (("2015-01-01", "2015-06-30"), "largest_overlap", 0, 1),
        (("2015-01-01", "2015-12-31"), "drop", -1, 1),
        (("2015-12-01", "2016-02-01"), "observation", -1, 1),
        (("2015-12-01", "2016-02-01"), "largest_overlap", 1, 1),
        (("2014-01-01", "2014-12-31"), "observation", -1, 0),
        (("2016-02-01", "2016-02-01"), "observation", -1, 0),
        (("NaT", "NaT"), "observation", -1, 0),
    ],
)
def test_epoch_of_an_interval(interval, rule, index, straddling):
    assigned, counts = assign_epochs([interval[0]], [interval[1]], EPOCHS, rule=rule)
    assert assigned.tolist() == [index]
    assert counts["n_straddling"] == straddling


def test_everything_unassigned_has_a_reason():
    starts = ["2014-01-01", "2016-02-01", "2020-01-01", "NaT", "2015-01-01", "2015-02-01"]
    ends = ["2014-12-31", "2016-02-01", "2020-01-01", "NaT", "2015-12-31", "2015-02-01"]
    _, counts = assign_epochs(starts, ends, EPOCHS, rule="drop")
    assert counts == {
        "n_assigned": 1, "n_straddling": 1, "n_undated": 1, "n_before": 1, "n_after": 1,
        "n_in_gap": 1, "n_dropped_straddling": 1,
    }  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 600)), min_size=1, max_size=30),
    st.sampled_from(["observation", "largest_overlap", "drop"]),
)
def test_counts_add_up_and_intervals_inside_need_no_rule(items, rule):
    origin = np.datetime64("2014-01-01")
    starts = np.array([origin + a for a, _ in items])
    ends = np.array([origin + a + b for a, b in items])
    index, counts = assign_epochs(starts, ends, EPOCHS, rule=rule)
    reasons = ("n_assigned", "n_undated", "n_before", "n_after", "n_in_gap", "n_dropped_straddling")
    assert sum(counts[r] for r in reasons) == len(items)
    assert counts["n_assigned"] == (index >= 0).sum()
    for k, (first, last) in enumerate(zip(starts, ends, strict=True)):
        for e, span in enumerate(EPOCHS):
            if span.start <= first.item() and last.item() < span.end:
                assert index[k] == e


def test_unknown_rule_is_refused():
    with pytest.raises(DataError, match="largest_overlap"):
        assign_epochs(["2015-01-01"], ["2015-01-01"], EPOCHS, rule="coin")


@pytest.fixture
def dated(tmp_path):
    shapes = [
        shapely.box(10, 10, 20, 20), shapely.box(15, 10, 25, 20),
        shapely.box(10, 10, 20, 20), shapely.box(150, 10, 170, 20),
    ]  # fmt: skip
    when = ["2015-03-01", "2015-03-09", "2015-07-01", "2015"]
    path = tmp_path / "d.gpkg"
    gpd.GeoDataFrame({"when": when}, geometry=shapes, crs=UTM).to_file(path)
    return read_inventory(path, GRID, columns=ColumnMap(date="when"))


def test_overlaps_count_once_within_an_epoch_and_again_in_the_next(dated):
    s = series_from_dated(dated, EPOCHS, GRID)
    np.testing.assert_allclose(s.area_m2, [[[150, 0]], [[100, 200]], [[0, 0]]])
    assert s.counts.tolist() == [[[2, 0]], [[1, 1]], [[0, 0]]]
    assert s.recovered_percent is None
    assert s.interval_censored
    assert s.account["n_interval_censored"] == 1
    assert s.account["n_straddling"] == 1
    assert any("1 of 4" in note for note in s.notes)
    assert any("every cell counts as observed" in note for note in s.notes)


def test_landslides_outside_the_footprint_are_accounted_not_counted(dated):
    s = series_from_dated(
        dated, EPOCHS, GRID, observed=[None, np.array([[True, False]]), None], rule="observation"
    )
    assert np.isnan(s.area_density_percent[1, 0, 1])
    assert s.counts[1, 0, 1] == 0
    assert s.account["area_mapped_unobserved_m2"] == pytest.approx(200)
    assert s.account["n_mapped_unobserved"] == 1


def test_dates_outside_all_epochs_are_an_error_with_the_counts(dated):
    late = [epoch("x", "2020-01-01", "2021-01-01")]
    with pytest.raises(DataError, match="before 4"):
        series_from_dated(dated, late, GRID)


@pytest.mark.data
def test_kashmir_years(data_dir):
    grid = Grid.from_bounds("EPSG:32643", (342_000, 3_820_000, 357_000, 3_843_000), cell_m=250)
    inventory = read_inventory(
        data_dir / "kashmir" / "landslides.shp", grid, columns=ColumnMap(year="Year_obs")
    )
    years = [2000, 2001, 2005, 2006, 2010, 2011]
    epochs = [epoch(str(y), f"{y}-01-01", f"{y + 1}-01-01") for y in years]
    s = series_from_dated(inventory, epochs, grid)
    assert s.counts.sum(axis=(1, 2)).tolist() == [92, 6, 130, 1730, 640, 21]
    assert s.summary()["total_area_km2"].sum() == pytest.approx(5.489, abs=1e-3)
    assert s.interval_censored
    assert s.account["n_interval_censored"] == 2619
    # Hydrological years cut every calendar year in two: all are counted as straddling.
    halves = [epoch(str(y), f"{y}-06-01", f"{y + 1}-06-01") for y in range(1999, 2012)]
    shifted = series_from_dated(inventory, halves, grid)
    assert shifted.account["n_straddling"] == 2619
