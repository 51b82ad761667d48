"""``python -m stats.sizes``: exit codes, what it may overwrite, and one whole run."""

import csv
import json
import os
import subprocess
import sys

import geopandas as gpd
import numpy as np
import pytest
import shapely
from typer.testing import CliRunner

from stats.command.errors import UsageError
from stats.command.sizes_folder import check_out, file_name
from stats.command.sizes_settings import parse_cutoff, parse_cuts, parse_laws
from stats.sizes import double_pareto as dps
from stats.sizes.__main__ import app


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def table(tmp_path):
    areas = dps.sample(150, 1.4, 2.3, 800.0, rng=np.random.default_rng(1), lower=120.0)
    path = tmp_path / "areas.csv"
    path.write_text("area_m2\n" + "\n".join(f"{a:.3f}" for a in areas), encoding="utf-8")
    return path


# Usage


def test_help_needs_nothing_heavy():
    """What --help imports, not how long it took: no array library at all."""
    script = (
        "import sys\nfrom typer.testing import CliRunner\nfrom stats.sizes.__main__ import app\n"
        "r = CliRunner().invoke(app, ['--help'])\nassert r.exit_code == 0, r.output\n"
        "heavy = {'jax', 'numpy', 'pandas', 'geopandas', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--law", "lognorm"], "did you mean 'lognormal'"),
        (["--law", ","], "--law"),
        (["--cutoff", "small"], "--cutoff"),
        (["--cutoff", "-5"], "--cutoff"),
        (["--cuts", "0.5"], "--cuts"),
        (["--cuts", "a"], "--cuts"),
        (["--unit", "acre"], "--unit"),
        (["--draws", "3"], "--draws"),
        (["--level", "2"], "--level"),
        (["--pixel", "-1"], "--pixel"),
        (["--least-overlap", "3"], "--least-overlap"),
        (["--nonsense"], ""),
    ],
)
def test_wrong_options_end_with_2_and_write_nothing(table, tmp_path, options, message):
    out = tmp_path / "out"
    result = run(table, "--out", out, *options)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output
    assert not out.exists()


def test_no_inventory_is_a_usage_error():
    assert run("--out", "x").exit_code == 2


def test_parsing_of_options():
    assert parse_cutoff("AUTO") is None
    assert parse_laws("DPS,ig,dps") == ("dps", "ig")
    assert parse_cuts("2,1.5") == (1.0, 1.5, 2.0)
    assert parse_cuts("none") == ()


def test_references_must_pair(table, tmp_path):
    result = run(
        table, table, table, "--reference", table, "--reference", table, "--out", tmp_path / "o"
    )
    assert result.exit_code == 2
    assert "--reference" in result.output


# Data


@pytest.mark.parametrize(
    "content", [b"", b"area_m2\n", b"area_m2\n400\nx\n", b"area_m2\n0.2\n0.3\n", b"\x00\xff"]
)
def test_broken_data_end_with_3_and_write_nothing(tmp_path, content):
    path, out = tmp_path / "broken.csv", tmp_path / "out"
    path.write_bytes(content)
    result = run(path, "--out", out)
    assert result.exit_code == 3
    assert "broken.csv" in result.output
    assert "Traceback" not in result.output
    assert os.listdir(tmp_path) == ["broken.csv"]


def test_a_cutoff_above_all_areas_ends_with_3(table, tmp_path):
    result = run(table, "--cutoff", "1e9", "--out", tmp_path / "out")
    assert result.exit_code == 3
    assert "1e+09" in result.output
    assert not (tmp_path / "out").exists()


def test_too_few_areas_end_with_1_and_the_reason(tmp_path):
    path = tmp_path / "few.csv"
    path.write_text("area_m2\n400\n900\n1200\n")
    result = run(path, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "at least 5" in result.output
    assert os.listdir(tmp_path) == ["few.csv"]


# Overwriting


@pytest.fixture
def earlier(tmp_path):
    """A folder as an earlier run leaves it."""
    out = tmp_path / "out"
    (out / "figures").mkdir(parents=True)
    (out / "html" / "_static").mkdir(parents=True)
    files = ["fits.csv", "fits.json", "sizes.md", "figures/a.png"]
    for name in (*files, "html/index.html", "html/_static/x.css"):
        (out / name).write_text("old")
    record = {"layout": "landslide-sizes", "layout_version": 1, "files": [*files, "html"]}
    (out / "sizes.json").write_text(json.dumps(record))
    return out


def test_an_earlier_run_may_be_replaced(earlier):
    check_out(earlier)
    check_out(earlier.parent / "new")
    (earlier.parent / "empty").mkdir()
    check_out(earlier.parent / "empty")


@pytest.mark.parametrize("name", ["notes.txt", "figures/mine.png", "sub/x"])
def test_a_file_of_the_user_stops_the_run_before_any_work(earlier, table, name):
    path = earlier / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
    result = run(table, "--out", earlier)
    assert result.exit_code == 2
    assert name in result.output
    assert path.read_text() == "mine"
    assert (earlier / "fits.csv").read_text() == "old"


@pytest.mark.parametrize("record", ["", "[]", "{}", '{"layout": "other", "files": ["fits.csv"]}'])
def test_a_folder_of_another_program_is_left_alone(earlier, record):
    (earlier / "sizes.json").write_text(record)
    with pytest.raises(UsageError, match="no earlier run wrote"):
        check_out(earlier)


def test_a_file_in_the_way_is_left_alone(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(UsageError, match="found the file"):
        check_out(tmp_path / "out")


def test_file_names_are_plain_and_differ():
    taken = set()
    names = [
        file_name(label, taken) for label in ("China 2009", "China/2009", "überall", "..", "A", "a")
    ]
    assert len({n.lower() for n in names}) == len(names)
    assert all(n.replace("_", "").replace(".", "").replace("-", "").isalnum() for n in names)
    assert names[0] == "China_2009"


# A whole run


def inventory(path, areas, shift=0.0, skip=()):
    """Squares of these areas on a lattice, some left out, all shifted."""
    side = np.sqrt(areas)
    x = 500_000.0 + 2_000.0 * (np.arange(areas.size) % 20) + shift
    y = 3_000_000.0 + 2_000.0 * (np.arange(areas.size) // 20)
    kept = ~np.isin(np.arange(areas.size), skip)
    shapes = shapely.box(x, y, x + side, y + side)[kept]
    gpd.GeoDataFrame(geometry=shapes, crs="EPSG:32645").to_file(path)
    return path


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory):
    """Two laws, a reference with outlines, pages in HTML: one run for all checks below."""
    folder = tmp_path_factory.mktemp("whole")
    rng = np.random.default_rng(5)
    areas = dps.sample(250, 1.4, 2.3, 800.0, rng=rng, lower=120.0, upper=2e6)
    reference = inventory(folder / "reference.gpkg", areas)
    mine = inventory(folder / "mine.gpkg", 1.1 * areas, shift=1.0, skip=np.argsort(areas)[:40])
    out = folder / "out"
    result = run(
        mine, "--reference", reference, "--law", "dps,lognormal", "--cuts", "1,2", "--draws", "40",
        "--out", out, "--debug",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    return out, result


@pytest.mark.slow
def test_the_folder_is_whole_and_its_own_record_lists_it(whole_run):
    out, result = whole_run
    record = json.loads((out / "sizes.json").read_text())
    assert (record["layout"], record["layout_version"]) == ("landslide-sizes", 1)
    for name in record["files"]:
        assert (out / name).exists(), name
    assert sorted(p.name for p in out.iterdir()) == sorted(
        ["figures", "html", "sizes.json", "sizes.md", "fits.json", "fits.csv", "cuts.csv",
         "choice.csv", "comparison.json", "epochs.csv", "mine_matches.csv", "mine_missed.csv",
         "mine_false.csv"]
    )  # fmt: skip
    assert [p for p in out.parent.iterdir() if p.name.startswith(".")] == []
    assert (out / "html" / "index.html").is_file()
    check_out(out)
    assert "mine" in result.output
    assert "written to" in result.output.replace("\n", " ")


@pytest.mark.slow
def test_fits_are_an_array_of_records_in_json_and_rows_in_csv(whole_run):
    out, _ = whole_run
    records = json.loads((out / "fits.json").read_text())
    assert [r["law"] for r in records] == ["dps", "lognormal"]
    first = records[0]
    assert set(first["parameters"]) == {"alpha", "beta", "t"}
    alpha = first["parameters"]["alpha"]
    assert {"estimate", "low", "high", "identified", "reason", "unit"} <= set(alpha)
    assert alpha["low"] < 1.4 < alpha["high"]
    assert first["pdf_slope"]["estimate"] == pytest.approx(-alpha["estimate"] - 1.0)
    assert first["n"] == 209
    assert first["n_read"] == 210
    assert first["goodness"]["draws"] == 40
    assert 0.0 < first["goodness"]["ad"]["p_value"] <= 1.0
    assert first["loglik"] < 0.0
    with (out / "fits.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [r["law"] for r in rows] == ["dps", "lognormal"]
    assert float(rows[0]["alpha"]) == alpha["estimate"]
    assert rows[1]["alpha"] == ""
    with (out / "cuts.csv").open() as stream:
        cuts = list(csv.DictReader(stream))
    assert float(cuts[1]["cut_m2"]) == pytest.approx(2 * first["cutoff_m2"])


@pytest.mark.slow
def test_missed_landslides_are_the_ones_left_out(whole_run):
    out, _ = whole_run
    found = json.loads((out / "comparison.json").read_text())[0]
    matching = found["matching"]
    assert matching["groups"] == {
        "1:1": 210,
        "1:n": 0,
        "n:1": 0,
        "n:m": 0,
        "missed": 40,
        "false": 0,
    }
    assert matching["recall"] == pytest.approx(210 / 250)
    assert matching["residuals"]["1:1"]["quartiles_ratio"] == pytest.approx([1.1] * 3)
    assert found["sizes"]["reference"]["n"] == 250
    with (out / "mine_missed.csv").open() as stream:
        missed = [float(row["area_m2"]) for row in csv.DictReader(stream)]
    assert missed == sorted(missed, reverse=True)
    assert len(missed) == 40
    # The same landslides, a tenth larger: no difference of exponents, drawn together.
    alpha = found["differences"][0]
    assert alpha["quantity"] == "alpha"
    assert alpha["unit"] == "group of matched landslides"
    assert alpha["low"] <= 0.0 <= alpha["high"]


@pytest.mark.slow
def test_the_page_shows_the_reasons_and_links_every_figure(whole_run):
    out, _ = whole_run
    page = (out / "sizes.md").read_text()
    for name in (out / "figures").iterdir():
        assert f"figures/{name.name}" in page
    assert "1:1: 210" in page
    assert "[degree]" not in page


@pytest.mark.slow
def test_the_same_run_gives_the_same_numbers_and_replaces_itself(whole_run, tmp_path):
    out, _ = whole_run
    before = (out / "fits.json").read_text()
    again = tmp_path / "again"
    result = run(
        out.parent / "mine.gpkg", "--law", "dps,lognormal", "--cuts", "1,2", "--draws", "40",
        "--out", again, "--no-html", "--quiet",
    )  # fmt: skip
    assert result.exit_code == 0
    assert result.output == ""
    assert json.loads((again / "fits.json").read_text()) == json.loads(before)


def test_an_interrupted_write_leaves_the_earlier_run(earlier, table, monkeypatch):
    """The last step fails: the old folder stands as it was, and nothing lies beside it."""
    from stats.command import sizes_run

    class StopError(RuntimeError):
        pass

    def stop(*_: object, **__: object) -> None:
        raise StopError("disk full")

    before = {p: p.read_text() for p in earlier.rglob("*") if p.is_file()}
    monkeypatch.setattr(sizes_run, "write_records", stop)
    monkeypatch.setattr(sizes_run, "fit_inventory", lambda *_, **__: _fitted_stand_in(sizes_run))
    result = run(table, "--out", earlier, "--quiet")
    assert result.exit_code == 1
    assert "disk full" in result.output
    assert {p: p.read_text() for p in earlier.rglob("*") if p.is_file()} == before
    assert sorted(p.name for p in earlier.parent.iterdir()) == ["areas.csv", "out"]


def _fitted_stand_in(_module):
    from types import SimpleNamespace

    return SimpleNamespace(
        laws=[SimpleNamespace(fit=object(), failure="")],
        record=SimpleNamespace(notes=()),
        areas=SimpleNamespace(notes=(), label="a", synthetic=False),
    )
