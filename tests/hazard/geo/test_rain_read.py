"""Readers of daily rain: tables, netCDF, GeoTIFF stacks; everything broken is one DataError."""

import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hazard.errors import DataError
from hazard.geo.rain_read import open_rain_geotiffs, open_rain_netcdf, read_rain_points

DAYS = pd.date_range("2015-06-01", periods=10, tz="UTC")


def table(**changes) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    parts = [
        pd.DataFrame(
            {
                "time": DAYS, "longitude": lon, "latitude": lat,
                "precip": rng.gamma(0.5, 10, 10), "station": name,
            }
        )
        for name, lon, lat in (("a", 84.0, 28.0), ("b", 85.0, 28.5), ("c", 84.5, 27.5))
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True).assign(**changes)


def dataset(units: str = "mm/day", **changes) -> xr.Dataset:
    rain = np.random.default_rng(1).gamma(0.5, 10, (10, 4, 5)).astype(np.float32)
    data = xr.Dataset(
        {"precip": (("time", "latitude", "longitude"), rain, {"units": units})},
        coords={
            "time": DAYS.tz_localize(None),
            "latitude": ("latitude", 27.0 + np.arange(4) * 0.5, {"units": "degrees_north"}),
            "longitude": ("longitude", 84.0 + np.arange(5) * 0.5, {"units": "degrees_east"}),
        },
    )
    return data.assign_coords(**changes)


def geotiff(path, rain: np.ndarray, *, crs="EPSG:4326", nodata=-9999.0, west=84.0) -> None:
    count, rows, cols = rain.shape
    with rasterio.open(
        path, "w", driver="GTiff", count=count, height=rows, width=cols, dtype="float32",
        crs=crs, transform=Affine(0.5, 0, west, 0, -0.5, 29.0), nodata=nodata,
    ) as target:  # fmt: skip
        target.write(rain.astype(np.float32))


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_table_becomes_days_by_points(tmp_path, suffix):
    frame = table()
    path = tmp_path / f"rain.{suffix}"
    (frame.to_parquet if suffix == "parquet" else frame.to_csv)(path, index=False)
    daily = read_rain_points(path, station="station")
    assert daily.names == ("a", "c", "b")
    assert daily.rain_mm_day.shape == (10, 3)
    np.testing.assert_allclose(daily.rain_mm_day[:, 2], frame.precip[10:20], rtol=1e-12)
    assert (daily.x[2], daily.y[2]) == (85.0, 28.5)
    assert daily.dates[0] == np.datetime64("2015-06-01")


def test_columns_unit_and_system_are_arguments(tmp_path):
    frame = table().rename(columns={"longitude": "E", "latitude": "N", "precip": "r", "time": "d"})
    frame["E"], frame["N"] = frame["E"] * 1e4, frame["N"] * 1e5
    frame["r"] /= 1000
    frame.to_csv(tmp_path / "a.csv", index=False)
    daily = read_rain_points(
        tmp_path / "a.csv", time="d", x="E", y="N", value="r", crs="EPSG:32645", unit="m day-1"
    )
    np.testing.assert_allclose(daily.rain_mm_day[:, 0], frame.r[:10] * 1000, rtol=1e-12)
    assert daily.crs.to_epsg() == 32645


def test_missing_days_of_a_point_stay_missing(tmp_path):
    table().drop(index=[3, 4]).to_csv(tmp_path / "a.csv", index=False)
    daily = read_rain_points(tmp_path / "a.csv")
    assert np.isnan(daily.rain_mm_day[[3, 4], 0]).all()
    assert np.isnan(daily.rain_mm_day).sum() == 2


def test_one_place_under_two_names_is_one_point(tmp_path):
    frame = table()
    twin = frame[frame.station == "a"].assign(station="A again")
    pd.concat([frame, twin]).to_csv(tmp_path / "a.csv", index=False)
    daily = read_rain_points(tmp_path / "a.csv", station="station")
    assert len(daily.names) == 3
    assert daily.n_merged == 1
    twin["precip"] += 1.0
    pd.concat([frame, twin]).to_csv(tmp_path / "b.csv", index=False)
    with pytest.raises(DataError, match="different rain"):
        read_rain_points(tmp_path / "b.csv", station="station")


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (table().rename(columns={"precip": "rain"}), "column 'precip'"),
        (table().iloc[:0], "no rows"),
        (table(precip=-1.0), "between -1 and -1"),
        (table(precip=1e5), "0 to 2000"),
        (table(precip=np.inf), "0 to 2000"),
        (table(precip="wet"), "numbers"),
        (table(time="yesterday"), "days in 'time'"),
        (table(time=None), "undated|days"),
        (table(latitude=np.nan), "without coordinates|point"),
        (table(latitude=2800.0), "degrees"),
        (pd.concat([table(), table()]), "several values on one day"),
    ],
)
def test_tables_that_cannot_be_used_say_why(tmp_path, frame, message):
    frame.to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(DataError, match=message):
        read_rain_points(tmp_path / "a.csv")


def test_files_that_are_no_tables_are_refused(tmp_path):
    table().to_parquet(tmp_path / "a.parquet")
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:900])
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "a.xlsx").write_bytes(b"PK")
    for name in ("cut.parquet", "empty.csv", "a.xlsx", "none.csv"):
        with pytest.raises(DataError, match=name.replace(".", r"\.")):
            read_rain_points(tmp_path / name)
    with pytest.raises(DataError, match="coordinate system"):
        read_rain_points(tmp_path / "a.parquet", crs="EPSG:1")


@pytest.mark.parametrize(
    ("units", "factor"), [("mm/day", 1.0), ("mm d-1", 1.0), ("kg m-2 s-1", 86400.0)]
)
def test_netcdf_is_converted_from_its_own_unit_and_turned_north_up(tmp_path, units, factor):
    data = dataset(units)
    data["precip"] = data.precip / factor
    data.precip.attrs["units"] = units
    data.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    daily = open_rain_netcdf(tmp_path / "a.nc")
    rain = daily.load(slice(2, 5), slice(0, 4), slice(1, 3))
    expected = dataset().precip.values[2:5, ::-1, 1:3]
    np.testing.assert_allclose(rain, expected, rtol=1e-5)
    assert daily.dates[2] == np.datetime64("2015-06-03")
    assert daily.grid.y[0] == 28.5


def test_netcdf_gaps_scales_and_dimension_order_are_kept(tmp_path):
    data = dataset().transpose("longitude", "time", "latitude").isel(latitude=slice(None, None, -1))
    data.precip[1, 4, 2] = np.nan
    packing = {"dtype": "int16", "scale_factor": 0.1, "_FillValue": -999}
    data.to_netcdf(tmp_path / "a.nc", engine="h5netcdf", encoding={"precip": packing})
    daily = open_rain_netcdf(tmp_path / "a.nc")
    rain = daily.load(slice(0, 10), slice(0, 4), slice(0, 5))
    expected = data.precip.transpose("time", "latitude", "longitude").values
    assert np.array_equal(np.isnan(rain), np.isnan(expected))
    np.testing.assert_allclose(rain, expected, atol=0.0501)
    assert np.isnan(rain[4, 2, 1])


def test_classic_netcdf_is_read_too(tmp_path):
    dataset().to_netcdf(tmp_path / "a.nc", engine="scipy")
    rain = open_rain_netcdf(tmp_path / "a.nc").load(slice(3, 4), slice(0, 4), slice(0, 5))
    np.testing.assert_allclose(rain[0], dataset().precip.values[3, ::-1], rtol=1e-6)


def test_a_model_calendar_without_leap_days_is_read(tmp_path):
    cftime = pytest.importorskip("cftime")
    days = [cftime.DatetimeNoLeap(2016, 2, 24 + i) for i in range(5)]
    days += [cftime.DatetimeNoLeap(2016, 3, 1 + i) for i in range(5)]
    dataset(time=days).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    daily = open_rain_netcdf(tmp_path / "a.nc")
    assert daily.dates[-1] == np.datetime64("2016-03-05")
    assert daily.dates.size == 10


def test_netcdf_that_is_no_daily_rain_is_refused(tmp_path):
    def check(data, message, **options):
        data.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
        with pytest.raises(DataError, match=message):
            open_rain_netcdf(tmp_path / "a.nc", **options)

    check(dataset("mm"), "rain unit 'mm'")
    check(dataset("K"), "rain unit 'K'")
    check(dataset(time=pd.date_range("2015-06-01", periods=10, freq="6h")), "several values")
    check(dataset(time=DAYS.tz_localize(None)[::-1]), "backwards")
    check(dataset(time=np.arange(10.0)), "time")
    check(dataset().isel(time=0, drop=True), "time")
    check(dataset(), "variable 'rain'", variable="rain")
    dataset("mm").to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    assert open_rain_netcdf(tmp_path / "a.nc", unit="mm/day").dates.size == 10


def test_impossible_rain_is_found_when_it_is_read(tmp_path):
    data = dataset()
    data.precip[3, 1, 1] = -5.0
    data.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    daily = open_rain_netcdf(tmp_path / "a.nc")
    with pytest.raises(DataError, match="between -5 and -5"):
        daily.load(slice(0, 10), slice(0, 4), slice(0, 5))


RAIN = np.random.default_rng(2).gamma(0.5, 10, (6, 4, 5))


def test_bands_and_daily_files_give_the_same_days(tmp_path):
    rain = RAIN.copy()
    rain[1, 2, 2] = -9999.0
    geotiff(tmp_path / "stack.tif", rain)
    folder = tmp_path / "days"
    folder.mkdir()
    for day in range(6):
        geotiff(folder / f"chirps_201506{day + 1:02d}.tif", rain[day : day + 1])
    (folder / "readme.txt").write_text("not a day")
    stack = open_rain_geotiffs(tmp_path / "stack.tif", first_day="2015-06-01")
    files = open_rain_geotiffs(folder, pattern="chirps_%Y%m%d.tif")
    assert np.array_equal(stack.dates, files.dates)
    window = slice(1, 5), slice(1, 4), slice(0, 4)
    one, two = stack.load(*window), files.load(*window)
    np.testing.assert_array_equal(one, two)
    assert np.isnan(one[0, 1, 2])
    assert np.isnan(one).sum() == 1
    np.testing.assert_allclose(one[1], RAIN[2, 1:4, 0:4], rtol=1e-6)


def test_stacks_that_cannot_be_used_say_why(tmp_path):
    geotiff(tmp_path / "stack.tif", RAIN)
    with pytest.raises(DataError, match="first_day"):
        open_rain_geotiffs(tmp_path / "stack.tif")
    with pytest.raises(DataError, match="first_day 'June'"):
        open_rain_geotiffs(tmp_path / "stack.tif", first_day="June")
    with pytest.raises(DataError, match="pattern"):
        open_rain_geotiffs(tmp_path)
    with pytest.raises(DataError, match="no file named so"):
        open_rain_geotiffs(tmp_path, pattern="rain_%Y%m%d.tif")
    with pytest.raises(DataError):
        open_rain_geotiffs(tmp_path / "none.tif", first_day="2015-06-01")
    folder = tmp_path / "mixed"
    folder.mkdir()
    geotiff(folder / "r20150601.tif", RAIN[:1])
    geotiff(folder / "r20150602.tif", RAIN[:1], west=85.0)
    with pytest.raises(DataError, match=r"that of r20150601\.tif"):
        open_rain_geotiffs(folder, pattern="r%Y%m%d.tif")
    geotiff(folder / "r20150602.tif", RAIN[:2])
    with pytest.raises(DataError, match="2 bands"):
        open_rain_geotiffs(folder, pattern="r%Y%m%d.tif")
    geotiff(tmp_path / "nowhere.tif", RAIN, crs=None)
    with pytest.raises(DataError, match="coordinate system"):
        open_rain_geotiffs(tmp_path / "nowhere.tif", first_day="2015-06-01")


def test_a_truncated_stack_fails_when_read_with_its_name(tmp_path):
    geotiff(tmp_path / "a.tif", np.tile(RAIN, (1, 30, 30)))
    (tmp_path / "cut.tif").write_bytes((tmp_path / "a.tif").read_bytes()[:60_000])
    with pytest.raises(DataError, match=r"cut\.tif"):
        open_rain_geotiffs(tmp_path / "cut.tif", first_day="2015-06-01").load(
            slice(0, 6), slice(0, 120), slice(0, 150)
        )


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rain")
    table().to_parquet(folder / "a.parquet")
    table().to_csv(folder / "a.csv", index=False)
    dataset().to_netcdf(folder / "a.nc", engine="h5netcdf")
    return {suffix: (folder / f"a.{suffix}").read_bytes() for suffix in ("parquet", "csv", "nc")}


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), suffix=st.sampled_from(["parquet", "csv", "nc"]))
def test_damaged_files_are_read_or_refused_never_crash(originals, tmp_path_factory, data, suffix):
    content = bytearray(originals[suffix])
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        for _ in range(data.draw(st.integers(1, 3))):
            content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.mktemp("fuzz") / f"a.{suffix}"
    path.write_bytes(bytes(content))
    try:
        if suffix == "nc":
            daily = open_rain_netcdf(path)
            daily.load(slice(0, 10), slice(0, daily.grid.shape[0]), slice(0, daily.grid.shape[1]))
        else:
            read_rain_points(path, station="station")
    except DataError:
        return
