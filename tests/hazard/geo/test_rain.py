"""Rain per epoch on a grid: statistics first, gaps counted, lattices by blocks, climatology."""

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pytest
from pyproj import CRS

from hazard.errors import DataError
from hazard.geo.grid import Grid
from hazard.geo.rain import climatology, rain_on_grid, site_statistics
from hazard.geo.rain_record import GriddedRain, PointRain, rain_factor
from hazard.geo.rain_statistics import day_statistics

UTM = CRS.from_epsg(32645)
GRID = Grid.from_bounds(UTM, (300e3, 3.0e6, 340e3, 3.03e6), cell_m=5000)


@dataclass(frozen=True)
class Span:
    """Stands for an epoch: name, first day, length."""

    name: str
    start: dt.date
    length_days: int


def points(years: int = 3, n: int = 12, seed: int = 0) -> PointRain:
    rng = np.random.default_rng(seed)
    dates = np.arange("2014-01-01", f"{2014 + years}-01-01", dtype="datetime64[D]")
    return PointRain(
        dates=dates, rain_mm_day=rng.gamma(0.4, 12.0, (dates.size, n)),
        x=rng.uniform(295e3, 345e3, n), y=rng.uniform(2.995e6, 3.035e6, n), crs=UTM,
        names=tuple(map(str, range(n))),
    )  # fmt: skip


def lattice(rain: np.ndarray, start: str = "2015-01-01", cell: float = 10e3) -> GriddedRain:
    grid = Grid.from_bounds(UTM, (280e3, 2.98e6, 360e3, 3.05e6), cell_m=cell)
    return GriddedRain(
        dates=np.datetime64(start, "D") + np.arange(rain.shape[0]), grid=grid,
        load=lambda days, rows, columns: rain[days, rows, columns].astype(np.float64),
    )  # fmt: skip


EPOCHS = [Span("wet", dt.date(2015, 6, 1), 120), Span("dry", dt.date(2015, 10, 1), 90)]


def test_statistics_agree_with_numpy_percentiles():
    days = np.random.default_rng(1).gamma(0.4, 12.0, (183, 7))
    days[5:40, 2] = np.nan
    days[:, 6] = np.nan
    maximum, width = day_statistics(days)
    for site in range(6):
        seen = days[np.isfinite(days[:, site]), site]
        low, high = np.percentile(seen, [2.5, 97.5])
        assert maximum[site] == seen.max()
        assert width[site] == pytest.approx(high - low, rel=1e-12)
    assert np.isnan([maximum[6], width[6]]).all()


def test_an_epoch_takes_its_own_days_from_the_first_to_the_last():
    daily = points()
    daily.rain_mm_day[:] = 1.0
    first = int((np.datetime64("2015-06-01") - daily.dates[0]).astype(int))
    daily.rain_mm_day[[first - 1, first + 120]] = 500.0
    daily.rain_mm_day[[first, first + 119], 0] = [20.0, 30.0]
    found = site_statistics(daily, EPOCHS[:1])
    assert found.maximum[0].tolist() == [30.0, *[1.0] * 11]
    assert found.days_present[0, 0] == found.days_expected[0] == 120


def test_layers_at_the_points_are_the_statistics_of_the_points():
    daily = points()
    cell = Grid.from_bounds(
        UTM, (daily.x[4] - 50, daily.y[4] - 50, daily.x[4] + 50, daily.y[4] + 50), cell_m=100
    )
    result = rain_on_grid(daily, EPOCHS, cell, method="thin_plate")
    assert result.layers["rain_max_mm_day"][:, 0, 0] == pytest.approx(
        result.sites.maximum[:, 4], rel=1e-6
    )
    assert result.layers["rain_width_mm_day"][:, 0, 0] == pytest.approx(
        result.sites.width[:, 4], rel=1e-6
    )


def test_statistics_come_before_interpolation():
    """Storms on different days: the maximum of interpolated days would be halved between them."""
    daily = points(n=2)
    daily.rain_mm_day[:] = 0.0
    daily.rain_mm_day[520, 0] = daily.rain_mm_day[530, 1] = 100.0
    daily.x[:], daily.y[:] = [310e3, 330e3], 3.015e6
    middle = Grid.from_bounds(UTM, (319.5e3, 3.0145e6, 320.5e3, 3.0155e6), cell_m=1000)
    result = rain_on_grid(daily, EPOCHS[:1], middle, method="inverse_distance")
    assert result.layers["rain_max_mm_day"][0, 0, 0] == pytest.approx(100.0)


def test_auto_takes_the_lowest_leave_one_out_error_and_says_so():
    daily = points(n=20)
    plane = 5 + (daily.x - daily.x.min()) / 1000 + (daily.y - daily.y.min()) / 2000
    daily.rain_mm_day[:] = plane * np.linspace(0, 1, daily.dates.size)[:, None]
    result = rain_on_grid(daily, EPOCHS, GRID)
    assert set(result.method.values()) == {"thin_plate"}
    assert "thin_plate has the lowest leave-one-out error of nearest" in " ".join(result.notes)
    tried = {(row.method, row.epoch, row.statistic) for row in result.leave_one_out}
    assert len(tried) == 4 * 2 * 2
    exact = [row for row in result.leave_one_out if row.method == "thin_plate"]
    assert max(row.rmse_mm_day for row in exact) < 1e-6
    assert all(row.n == 20 for row in result.leave_one_out)


def test_the_width_never_exceeds_the_maximum_with_positive_weights():
    result = rain_on_grid(points(), EPOCHS, GRID, method="inverse_distance")
    assert (result.layers["rain_width_mm_day"] <= result.layers["rain_max_mm_day"]).all()
    assert result.valid.all()
    assert result.nearest_site_m[0] <= result.nearest_site_m[1]


def test_overshoot_is_counted_and_never_negative():
    daily = points(n=6, seed=3)
    daily.x[:] = [300e3, 301e3, 302e3, 300e3, 301e3, 302e3]
    daily.y[:] = [3.0e6, 3.0e6, 3.0e6, 3.001e6, 3.001e6, 3.001e6]
    result = rain_on_grid(daily, EPOCHS, GRID, method="thin_plate")
    assert any("beyond the range of the points" in note for note in result.notes)
    assert (result.layers["rain_max_mm_day"] >= 0).all()


def test_too_few_days_name_the_epoch():
    late = Span("monsoon 2017", dt.date(2016, 12, 1), 90)
    with pytest.raises(DataError, match=r"31 of 90 days of epoch 'monsoon 2017'"):
        rain_on_grid(points(), [*EPOCHS, late], GRID)


def test_a_point_with_gaps_takes_no_part_in_that_epoch_only():
    daily = points()
    first = int((np.datetime64("2015-06-01") - daily.dates[0]).astype(int))
    daily.rain_mm_day[first : first + 13, 3] = np.nan
    found = site_statistics(daily, EPOCHS, minimum_share=0.9)
    assert np.isnan(found.maximum[0, 3])
    assert np.isfinite(found.maximum[1, 3])
    result = rain_on_grid(daily, EPOCHS, GRID, method="nearest")
    assert "1 point-epochs have too few days" in " ".join(result.notes)
    kept = site_statistics(daily, EPOCHS, minimum_share=0.85)
    assert np.isfinite(kept.maximum).all()


def test_climatology_is_the_mean_of_the_other_years_statistics():
    daily = points(years=4)
    found = climatology(daily, EPOCHS)
    own = int((np.datetime64("2015-06-01") - daily.dates[0]).astype(int))
    starts = [np.datetime64(f"{year}-06-01") for year in (2014, 2016, 2017)]
    parts = []
    for start in starts:
        first = int((start - daily.dates[0]).astype(int))
        parts.append(daily.rain_mm_day[first : first + 120].max(axis=0))
    np.testing.assert_allclose(found.maximum[0], np.mean(parts, axis=0), rtol=1e-12)
    assert found.n_years.tolist() == [3, 3]
    changed = daily.rain_mm_day.copy()
    changed[own : own + 120] = 999.0
    other = PointRain(
        dates=daily.dates, rain_mm_day=changed, x=daily.x, y=daily.y, crs=UTM, names=daily.names
    )
    np.testing.assert_array_equal(climatology(other, EPOCHS[:1]).maximum[0], found.maximum[0])


def test_the_climatology_of_the_past_never_sees_later_years():
    daily = points(years=4)
    found = climatology(daily, EPOCHS, years="past")
    assert found.n_years.tolist() == [1, 1]
    daily.rain_mm_day[365:] = 999.0
    np.testing.assert_array_equal(climatology(daily, EPOCHS, years="past").maximum, found.maximum)
    first = Span("first", dt.date(2014, 6, 1), 100)
    with pytest.raises(DataError, match="'first'"):
        climatology(daily, [first], years="past")


def test_windows_across_new_year_and_leap_days_have_other_years():
    daily = points(years=4)
    found = climatology(daily, [Span("winter", dt.date(2015, 12, 1), 90)])
    assert found.n_years.tolist() == [2]
    leap = climatology(daily, [Span("leap", dt.date(2016, 2, 29), 30)])
    assert leap.n_years.tolist() == [3]


def test_a_constant_lattice_stays_constant_and_gaps_are_invalid():
    rain = np.full((365, 7, 8), 12.5)
    rain[:, 2, 3] = np.nan
    result = rain_on_grid(lattice(rain), EPOCHS, GRID)
    values = result.layers["rain_max_mm_day"]
    assert np.array_equal(np.isfinite(values), result.valid)
    assert values[result.valid] == pytest.approx(12.5)
    assert result.layers["rain_width_mm_day"][result.valid] == pytest.approx(0.0)
    assert 0 < (~result.valid).sum() < result.valid.size
    assert set(result.method.values()) == {"bilinear"}
    assert result.leave_one_out == ()


def test_a_linear_lattice_is_interpolated_back():
    grid = lattice(np.zeros((1, 7, 8))).grid
    plane = (grid.x[None] - 280e3) / 1e3 + (grid.y[:, None] - 2.98e6) / 2e3
    ramp = np.linspace(0, 1, 365)[:, None, None]
    result = rain_on_grid(lattice(plane * ramp), EPOCHS[:1], GRID)
    top = ramp[int((dt.date(2015, 6, 1) - dt.date(2015, 1, 1)).days) + 119, 0, 0]
    expected = (GRID.x[None] - 280e3) / 1e3 + (GRID.y[:, None] - 2.98e6) / 2e3
    np.testing.assert_allclose(result.layers["rain_max_mm_day"][0], expected * top, rtol=1e-10)


def test_blocks_of_any_size_give_the_same_and_stay_within_the_limit():
    rain = np.random.default_rng(5).gamma(0.4, 10, (365, 7, 8))
    largest = []
    source = lattice(rain)

    def load(days, rows, columns):
        part = source.load(days, rows, columns)
        largest.append(part.nbytes)
        return part

    watched = GriddedRain(dates=source.dates, grid=source.grid, load=load)
    whole = rain_on_grid(source, EPOCHS, GRID)
    tight = rain_on_grid(watched, EPOCHS, GRID, max_bytes=25_000)
    np.testing.assert_array_equal(
        whole.layers["rain_width_mm_day"], tight.layers["rain_width_mm_day"]
    )
    assert max(largest) <= 25_000
    assert len(largest) > 2 * len(EPOCHS)


def test_a_lattice_elsewhere_or_of_other_days_is_refused():
    far = Grid.from_bounds(UTM, (600e3, 3.0e6, 640e3, 3.03e6), cell_m=5000)
    with pytest.raises(DataError, match="overlap"):
        rain_on_grid(lattice(np.ones((365, 7, 8))), EPOCHS, far)
    with pytest.raises(DataError, match="'wet'"):
        rain_on_grid(lattice(np.ones((365, 7, 8)), start="2018-01-01"), EPOCHS, GRID)


def test_units_that_are_no_rain_rate_are_refused():
    assert rain_factor("kg m-2 s-1", "a") == 86400.0
    assert rain_factor("m day-1", "a") == 1000.0
    for unit in ("mm", "", "K", "kg"):
        with pytest.raises(DataError, match="rain unit"):
            rain_factor(unit, "a")


@pytest.mark.data
def test_gorkha_points_give_every_epoch_with_its_error(data_dir):
    from hazard.geo.epochs import Epoch
    from hazard.geo.rain_read import read_rain_points
    from hazard.geo.raster import read_info

    folder = data_dir / "gorkha"
    daily = read_rain_points(folder / "chirps_daily_points.parquet", station="station")
    assert daily.rain_mm_day.shape == (3712, 33)
    assert daily.n_merged == 2
    grid = read_info(folder / "landslide_area_density_1km.tif").grid
    epochs = [
        Epoch(name="post-monsoon 2015", start=dt.date(2015, 6, 16), end=dt.date(2015, 12, 16)),
        Epoch(name="pre-monsoon 2016", start=dt.date(2015, 12, 16), end=dt.date(2016, 6, 16)),
    ]
    result = rain_on_grid(daily, epochs, grid)
    assert result.valid.all()
    assert {row.n for row in result.leave_one_out} == {33}
    assert {row.n_inside for row in result.leave_one_out} == {8}
    wet, dry = result.layers["rain_width_mm_day"].mean(axis=(1, 2))
    assert wet > 1.5 * dry
