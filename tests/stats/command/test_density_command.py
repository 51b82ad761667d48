"""``python -m stats.density``: what it writes, what it refuses, and that nothing is lost."""

import csv
import json
import subprocess
import sys

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from shapely import box

from stats.command.density_run import run_density
from stats.command.density_settings import DensitySettings, check_settings
from stats.command.errors import DataError, UsageError
from stats.command.frame import Session
from stats.command.log import Log
from stats.command.progress import SilentReporter

CRS = "EPSG:32645"


def inventory(path, points, side=40.0, crs=CRS):
    shapes = [box(x, y, x + side, y + side) for x, y in points]
    gpd.GeoDataFrame(geometry=shapes, crs=crs).to_file(path, engine="pyogrio")
    return str(path)


def quiet():
    return Session(log=Log(quiet=True), reporter=SilentReporter())


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    rng = np.random.default_rng(0)
    even = rng.uniform([300e3, 3e6], [310e3, 3.008e6], (60, 2))
    crowd = rng.normal([304e3, 3.004e6], 300.0, (80, 2))
    first = inventory(folder / "first.gpkg", even)
    second = inventory(folder / "second.gpkg", np.concatenate([even[:40], crowd]))
    window = folder / "window.gpkg"
    gpd.GeoDataFrame(geometry=[box(300e3, 3e6, 310e3, 3.008e6)], crs=CRS).to_file(window)
    return folder, first, second, window


@pytest.fixture(scope="module")
def run(study):
    folder, first, second, window = study
    out = folder / "out"
    found = run_density(
        DensitySettings(
            inventories=(first, second), out=out, window=window, years=(1.0, 0.5), html=False
        ),
        quiet(),
    )
    return out, found


def rows(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_densities_are_numbers_over_the_window(run):
    out, found = run
    first, second = rows(out / "densities.csv")
    assert found.window.area_km2 == 80.0
    n = int(first["n"]) + int(first["outside"])
    assert n == 60
    assert float(first["per_km2"]) == pytest.approx(int(first["n"]) / 80.0)
    assert float(second["per_km2_year"]) == pytest.approx(2 * float(second["per_km2"]))
    assert float(first["total_m2"]) == pytest.approx(1600.0 * int(first["n"]))


def test_maps_hold_the_numbers_and_lie_where_the_landslides_are(run):
    out, _ = run
    with rasterio.open(out / "density.tif") as source:
        assert source.crs.to_epsg() == 32645
        values, names = source.read(), source.descriptions
        peak = np.unravel_index(np.argmax(values[1]), values[1].shape)
        x, y = source.xy(*peak)
    assert names == ("first", "second")
    counted = [int(row["n"]) for row in rows(out / "densities.csv")]
    assert values.sum(axis=(1, 2)) * 0.25 == pytest.approx(counted, rel=1e-5)
    assert np.hypot(x - 304e3, y - 3.004e6) < 1000.0


def test_the_crowd_is_hot_and_the_change_is_found_there(run):
    out, _ = run
    with rasterio.open(out / "hot_spots.tif") as source:
        spots = source.read()
        row, column = source.index(304e3, 3.004e6)
    assert spots[1, row, column] == 1
    assert (spots[0] == 1).mean() < 0.02
    change = rows(out / "changes.csv")[0]
    assert change["per"] == "year"
    assert int(change["blocks_up"]) >= 1
    # 60 in a year, then 120 in half of one.
    assert float(change["ratio"]) == pytest.approx(4.0, rel=0.1)
    with rasterio.open(out / "change.tif") as source:
        assert source.read(1)[row, column] > 0


def test_the_page_names_every_figure_and_the_record_every_file(run):
    out, _ = run
    page = (out / "density.md").read_text()
    record = json.loads((out / "density.json").read_text())
    for file in record["files"]:
        assert (out / file).is_file()
        if file.endswith(".png"):
            assert file in page
    assert "per year" in page


def test_an_earlier_run_is_replaced_and_anything_else_is_left_alone(study, tmp_path):
    _, first, _, window = study
    out = tmp_path / "out"
    settings = DensitySettings(inventories=(first,), out=out, window=window, html=False)
    run_density(settings, quiet())
    run_density(settings, quiet())
    (out / "mine.txt").write_text("precious")
    with pytest.raises(UsageError, match=r"mine\.txt"):
        run_density(settings, quiet())
    assert (out / "mine.txt").read_text() == "precious"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_without_a_window_the_page_says_that_it_is_a_guess(study, tmp_path):
    _, first, _, _ = study
    found = run_density(
        DensitySettings(inventories=(first,), out=tmp_path / "out", html=False), quiet()
    )
    assert "guess" in found.window_from
    assert found.changes == ()
    assert "guess" in (tmp_path / "out" / "density.md").read_text()
    assert "per_km2_year" in rows(tmp_path / "out" / "densities.csv")[0]
    assert rows(tmp_path / "out" / "densities.csv")[0]["per_km2_year"] == ""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cell_m": 0.0}, "--cell: found 0"),
        ({"bandwidth_m": 10.0}, "at least the side of a cell"),
        ({"radius_m": 1.0}, "--radius"),
        ({"level": 1.0}, "--level"),
        ({"years": (0.0,)}, "--years"),
    ],
)
def test_settings_that_cannot_be_met_are_refused(changes, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        check_settings(DensitySettings(inventories=("a",), out=tmp_path, **changes))


def test_names_and_lengths_must_pair_with_the_inventories(study, tmp_path):
    _, first, second, _ = study
    common = {"inventories": (first, second), "out": tmp_path / "out", "html": False}
    with pytest.raises(UsageError, match="--years: found 3 for 2"):
        run_density(DensitySettings(years=(1.0, 2.0, 3.0), **common), quiet())
    with pytest.raises(UsageError, match="--epochs: found 1 for 2"):
        run_density(DensitySettings(epochs=("a",), **common), quiet())
    with pytest.raises(UsageError, match="names that differ"):
        run_density(DensitySettings(epochs=("a", "a"), **common), quiet())
    assert not (tmp_path / "out").exists()


def test_degrees_and_huge_lattices_are_refused(study, tmp_path):
    _, first, _, window = study
    degrees = inventory(tmp_path / "degrees.gpkg", [(85.0, 27.0)], side=0.001, crs="EPSG:4326")
    with pytest.raises(DataError, match="--crs"):
        run_density(DensitySettings(inventories=(degrees,), out=tmp_path / "a"), quiet())
    found = run_density(
        DensitySettings(inventories=(degrees,), out=tmp_path / "b", crs=CRS, html=False), quiet()
    )
    assert found.crs.endswith("32645")
    with pytest.raises(DataError, match="larger --cell"):
        run_density(
            DensitySettings(inventories=(first,), out=tmp_path / "c", window=window, cell_m=0.5),
            quiet(),
        )
    empty = tmp_path / "areas.csv"
    empty.write_text("area_m2\n100\n200\n")
    with pytest.raises(DataError, match="outlines"):
        run_density(DensitySettings(inventories=(str(empty),), out=tmp_path / "d"), quiet())


def test_the_command_reports_errors_with_their_exit_codes(tmp_path):
    def call(*arguments):
        command = [sys.executable, "-m", "stats.density", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    missing = call(str(tmp_path / "absent.gpkg"), "--out", str(tmp_path / "out"))
    assert missing.returncode == 3
    assert "absent.gpkg" in missing.stderr
    assert "Traceback" not in missing.stderr
    usage = call("a.gpkg", "--cell", "-5")
    assert usage.returncode == 2
    assert "--cell" in usage.stderr
    assert call("--help").returncode == 0


def test_real_inventories_of_seven_years(data_dir, tmp_path):
    found = run_density(
        DensitySettings(
            inventories=(str(data_dir / "inventories" / "Nepal.zip"),), out=tmp_path / "out",
            years=(1.0,), html=False,
        ),
        quiet(),
    )  # fmt: skip
    assert [e.row.n for e in found.epochs] == [35, 21, 98, 28, 18, 12, 24]
    ratio = {(c.first, c.second): float(c.whole.ratio) for c in found.changes}
    assert ratio["Nepal 2014", "Nepal 2015"] == pytest.approx(98 / 21)


def test_pairs_say_that_a_crowd_is_closer_than_its_broad_pattern_and_even_ground_is_not(run):
    out, found = run
    even, crowd = (e.pairs for e in found.epochs)
    assert even is not None
    assert crowd is not None
    # 80 landslides within some hundred metres; the kernel of the intensity is 1 km wide.
    assert crowd.correlation.observed[0] > even.correlation.observed[0]
    table = rows(out / "pairs.csv")
    assert {r["epoch"] for r in table} == {"first", "second"}
    assert len(table) == 2 * found.epochs[0].pairs.found.distance_m.size
    first = table[0]
    k, r = float(first["k_m2"]), float(first["distance_m"])
    assert float(first["l_minus_r_m"]) == pytest.approx(np.sqrt(k / np.pi) - r)
    assert "Do landslides crowd" in (out / "density.md").read_text()


def test_a_reference_is_subtracted_epoch_by_epoch(study, tmp_path):
    _, first, second, window = study
    asked = {"inventories": (second, first), "out": tmp_path / "out", "window": window,
             "html": False, "simulations": 0}  # fmt: skip
    found = run_density(DensitySettings(**asked, reference=(first, first)), quiet())
    assert found.epochs[0].pairs is None
    later, same = rows(tmp_path / "out" / "differences.csv")
    assert int(later["n"]) == found.epochs[0].row.n - found.epochs[1].row.n
    assert float(later["total_m2"]) == pytest.approx(1600.0 * int(later["n"]))
    assert int(same["n"]) == 0
    assert float(same["n_ratio"]) == 1.0
    assert "Against the reference" in (tmp_path / "out" / "density.md").read_text()
    assert not (tmp_path / "out" / "pairs.csv").exists()
    with pytest.raises(UsageError, match="--reference: found 1 inventories"):
        run_density(DensitySettings(**asked, reference=(first,)), quiet())
    with pytest.raises(UsageError, match="--simulations: found 5"):
        check_settings(DensitySettings(**{**asked, "simulations": 5}))


def test_the_map_of_areas_adds_up_to_the_area_of_the_landslides(run):
    out, found = run
    with rasterio.open(out / "area_density.tif") as source:
        percent = source.read(1)
        assert source.units[0] == "%"
    km2 = np.nansum(percent) / 100.0 * 0.5**2
    assert km2 == pytest.approx(found.epochs[0].row.total_m2 / 1e6, rel=1e-4)


def test_plain_words_name_what_rose_and_where_it_crowds(run):
    out, found = run
    text = (out / "density.md").read_text()
    assert "Most landslides came in second" in text
    change = found.changes[0]
    assert float(change.whole.low) > 1.0
    assert "From first to second the number per year rose" in text
    assert "Hot spots" in text
    # An even scatter is no hot spot, and the crowd is one.
    said = next(line for line in text.splitlines() if "Hot spots" in line)
    assert "second" in said
