"""Every kind of file the cube reads, intact and damaged: a cube, or one message and exit code 3."""

import datetime as dt
import shutil
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr
from typer.testing import CliRunner

import hazard.cube.figures as figures_module
from hazard.cube.__main__ import app
from hazard.geo.cog import write_cog
from hazard.geo.grid import Grid
from tests.hazard.cube import small_study as small

GRID_SECTION = {"crs": small.CRS, "cell_m": 1000, "bounds": [*small.GRID.bounds]}
DAMAGES = ("missing", "empty", "wrong format", "truncated")


def landslides() -> gpd.GeoDataFrame:
    rng = np.random.default_rng(4)
    left, bottom, right, top = small.GRID.bounds
    points = shapely.points(rng.uniform(left, right, 60), rng.uniform(bottom, top, 60))
    years = np.repeat([2015, 2016], 30)
    return gpd.GeoDataFrame({"year": years}, geometry=shapely.buffer(points, 60), crs=small.CRS)


def dated(folder: Path, name: str) -> dict:
    """A target of polygons by year, in the format that the name says."""
    path = folder / name
    if path.suffix == ".zip":
        inner = folder / "inner"
        inner.mkdir()
        landslides().to_file(inner / "slides.shp")
        shutil.make_archive(str(path.with_suffix("")), "zip", inner)
        shutil.rmtree(inner)
        file = f"{path}/slides.shp"
    elif path.suffix == ".parquet":
        landslides().to_parquet(path)
        file = str(path)
    else:
        landslides().to_file(path)
        file = str(path)
    epochs = [
        {"name": str(year), "start": dt.date(year, 1, 1), "end": dt.date(year, 12, 31)}
        for year in (2015, 2016)
    ]
    study = small.study_values(folder)["study"]
    return {
        "target": {"kind": "dated", "file": file, "columns": {"year": "year"}},
        "study": {**study, "epochs": epochs, "grid": GRID_SECTION},
        # The planted elevation has a void of two cells; the mask of a dated target is elevation.
        "rain": None,
    }


def elevation_netcdf(folder: Path, name: str) -> dict:
    lon, lat = np.linspace(84.9, 85.2, 300), np.linspace(27.95, 28.2, 300)
    z = 1500 + 3000 * (lon[None] - 85) + 5000 * (lat[:, None] - 28)
    z = z + 200 * np.sin(lon[None] * 700) * np.cos(lat[:, None] * 500)
    xr.Dataset(
        {"elevation": (("lat", "lon"), z.astype(np.float32), {"units": "m"})},
        coords={
            "lon": ("lon", lon, {"units": "degrees_east"}),
            "lat": ("lat", lat, {"units": "degrees_north"}),
        },
    ).to_netcdf(folder / name, engine="h5netcdf")
    return {"terrain": {"elevation": str(folder / name), "stream_threshold_km2": 2.0}}


def intensity_bands(folder: Path, name: str) -> dict:
    left, bottom, right, top = small.GRID.bounds
    middle = (left + right) / 2
    bands = gpd.GeoDataFrame(
        {"value": [6.0, 7.0]},
        geometry=[
            shapely.box(left - 5000, bottom - 5000, middle, top + 5000),
            shapely.box(middle, bottom - 5000, right + 5000, top + 5000),
        ],
        crs=small.CRS,
    )
    bands.to_file(folder / name)
    return {"shaking": {"kind": "mmi_contours", "file": str(folder / name)}}


def plain_shakemap(folder: Path, name: str) -> dict:
    import gzip

    (folder / name).write_bytes(gzip.decompress((folder / "event0.xml.gz").read_bytes()))
    return {"shaking": {"kind": "shakemap", "events": [str(folder / name)]}}


def rain_parquet(folder: Path, name: str) -> dict:
    table = pd.read_csv(folder / "rain.csv", parse_dates=["time"])
    table.to_parquet(folder / name)
    return {"rain": {"kind": "points", "file": str(folder / name)}}


def rain_lattice() -> tuple[pd.DatetimeIndex, np.ndarray, np.ndarray, np.ndarray]:
    days = pd.date_range("2015-04-01", "2016-12-31", freq="D")
    lon, lat = np.linspace(84.8, 85.3, 6), np.linspace(28.3, 27.9, 5)
    values = np.random.default_rng(2).gamma(0.3, 20.0, (len(days), 5, 6)).astype(np.float32)
    return days, lon, lat, values


def rain_netcdf(folder: Path, name: str) -> dict:
    days, lon, lat, values = rain_lattice()
    xr.Dataset(
        {"precip": (("time", "lat", "lon"), values, {"units": "mm/day"})},
        coords={
            "time": days,
            "lon": ("lon", lon, {"units": "degrees_east"}),
            "lat": ("lat", lat, {"units": "degrees_north"}),
        },
    ).to_netcdf(folder / name, engine="h5netcdf")
    return {"rain": {"kind": "netcdf", "file": str(folder / name)}}


def rain_geotiff(folder: Path, name: str) -> dict:
    days, _, _, values = rain_lattice()
    grid = Grid.from_bounds("EPSG:4326", (84.75, 27.85, 85.35, 28.35), cell_m=0.1)
    write_cog(
        folder / name, values, grid,
        names=[day.date().isoformat() for day in days], units=["mm/day"] * len(days),
    )  # fmt: skip
    first = days[0].date().isoformat()
    return {"rain": {"kind": "geotiff", "file": str(folder / name), "first_day": first}}


def as_written(folder: Path, name: str) -> dict:
    del folder, name
    return {}


FILES = {
    "density.tif": as_written,
    "dem.tif": as_written,
    "dem.nc": elevation_netcdf,
    "event1.xml.gz": as_written,
    "plain.xml": plain_shakemap,
    "bands.gpkg": intensity_bands,
    "rain.csv": as_written,
    "rain.parquet": rain_parquet,
    "rain.nc": rain_netcdf,
    "rain.tif": rain_geotiff,
    "censored.tif": as_written,
    "slides.gpkg": dated,
    "slides.shp": dated,
    "slides.geojson": dated,
    "slides.zip": dated,
    "slides.parquet": dated,
}


@pytest.fixture(scope="module", params=FILES)
def intact(request, tmp_path_factory):
    """A whole study that reads the file."""
    folder = tmp_path_factory.mktemp("intact")
    small.write_study(folder)
    sections = FILES[request.param](folder, request.param)
    small.write_config(folder, {**small.study_values(folder), **sections})
    return folder, request.param


def run(folder: Path):
    arguments = [str(folder / "study.yaml"), "--out", str(folder / "run")]
    return CliRunner().invoke(app, arguments)


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch):
    """Maps take most of a run's time and read no file of the user's."""
    monkeypatch.setattr(figures_module, "draw_cube", lambda *_, **__: [])


def test_intact_files_make_a_cube(intact, tmp_path):
    folder, name = intact
    mine = rewritten(folder, tmp_path / "study")
    result = run(mine)
    assert result.exit_code == 0, f"{name}: {result.output}"


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_are_named_in_one_message(intact, damage, tmp_path):
    folder, name = intact
    if (name, damage) == ("rain.csv", "truncated"):
        pytest.skip("a table cut at the end of a line is a shorter table, and a valid one")
    mine = rewritten(folder, tmp_path / "study")
    path = mine / name
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "wrong format":
        path.write_bytes(b"\x00\x01 this is something else\n" * 40)
    else:
        path.write_bytes(content[: int(0.6 * len(content))])
    result = run(mine)
    assert result.exit_code == 3, f"{name}, {damage}: {result.output}"
    assert "Traceback" not in result.output
    errors = [line for line in result.output.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert path.name in result.output
    assert not (mine / "run" / "cube.zarr").exists()


def rewritten(folder: Path, target: Path) -> Path:
    """A copy of the study whose configuration names the copied files."""
    shutil.copytree(folder, target)
    config = target / "study.yaml"
    config.write_text(config.read_text().replace(str(folder), str(target)))
    return target
