"""Daily rain: monsoon, orography, correlation in space, and a file that the cube's reader takes."""

import datetime as dt

import numpy as np
import pytest

from hazard.geo.rain_read import open_rain_netcdf
from hazard.world.build import WorldStudy
from hazard.world.domain import across_belt_km, region_axes_km, to_km
from hazard.world.rain import Rain, build_rain
from hazard.world.settings import WorldConfig
from hazard.world.simulate import Simulation


@pytest.fixture(scope="module")
def rain() -> Rain:
    config = WorldConfig(pixels_per_cell=4, seed=3, rain_start_year=2013)
    y, x = region_axes_km(1.0)
    d = across_belt_km(*np.meshgrid(x, y))
    ramp = np.interp(d, (-130.0, -60.0, -20.0, 10.0), (200.0, 1300.0, 3500.0, 4800.0))
    return build_rain(config, ramp, dt.date(2016, 12, 31))


def test_four_fifths_fall_in_the_monsoon(rain: Rain) -> None:
    month = np.array(
        [(rain.first_day + dt.timedelta(days=i)).month for i in range(len(rain.mm_day))]
    )
    share = rain.mm_day[(month >= 6) & (month <= 9)].sum() / rain.mm_day.sum()
    assert 0.70 < share < 0.90
    annual = rain.mm_day.sum(axis=0) / 4.0
    # CHIRPS at stations of the region: 870 to 1,610 mm a year.
    assert 700.0 < np.median(annual) < 2400.0


def test_it_rains_most_on_the_first_high_ridges_and_little_behind(rain: Rain) -> None:
    x, _ = to_km(rain.grid.x, rain.grid.x)
    _, y = to_km(rain.grid.y, rain.grid.y)
    d = across_belt_km(*np.meshgrid(x, y))
    annual = rain.mm_day.sum(axis=0) / 4.0
    front, lee = annual[(d > -55) & (d < -30)].mean(), annual[d > 15].mean()
    plain = annual[(d > -90) & (d < -70)].mean()
    assert front > 1.4 * plain
    assert lee < 0.5 * front


def test_wet_days_are_correlated_in_space_and_persist(rain: Rain) -> None:
    wet = (rain.mm_day[1180:1270] > 0).astype(float)
    near = np.corrcoef(wet[:, 10, 10], wet[:, 10, 12])[0, 1]
    anomalies = wet - wet.mean(axis=0)
    far = np.mean(
        [np.corrcoef(anomalies[:, 5, c], anomalies[:, 35, c])[0, 1] for c in range(0, 40, 5)]
    )
    assert near > far + 0.2
    dry_season = rain.mm_day[60:150] > 0
    after_wet = dry_season[1:][dry_season[:-1]].mean()
    assert after_wet > dry_season.mean() + 0.15


def test_days_are_found_by_date(rain: Rain) -> None:
    part = rain.between(dt.date(2013, 1, 3), dt.date(2013, 1, 5))
    np.testing.assert_array_equal(part, rain.mm_day[2:4])


def test_file_is_read_by_the_reader_of_real_rain(study: WorldStudy, small: Simulation) -> None:
    found = open_rain_netcdf(study.rain)
    assert found.grid.same_as(small.ground.rain.grid)
    rows, cols = found.grid.shape
    days = found.load(slice(100, 300), slice(0, rows), slice(0, cols))
    np.testing.assert_allclose(days, small.ground.rain.mm_day[100:300], rtol=1e-6)
    assert str(found.dates[0]) == small.ground.rain.first_day.isoformat()
