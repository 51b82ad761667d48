"""``python -m stats.residuals``: reads runs as hazard.fit writes them, says what is wrong."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest

from stats.command.errors import DataError, UsageError
from stats.command.frame import Session
from stats.command.log import Log
from stats.command.predictions_read import cases_of, open_held_out
from stats.command.progress import SilentReporter
from stats.command.residuals_run import ResidualsSettings, run_residuals
from stats.command.residuals_words import plain_words
from tests.hazard.evaluate.planted import law_fields, model, planted_run, world


def quiet():
    return Session(log=Log(quiet=True), reporter=SilentReporter())


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    p, mu, density = world(3)
    rate = np.full(p.shape, (density > 0).mean())
    shouting = 1.0 / (1.0 + (1.0 / p - 1.0) ** 2.5)
    mask = np.ones(p.shape[1:], dtype=bool)
    mask[:5, :9] = False
    forecasts = {}
    for scheme in ("forward_chaining", "random"):
        forecasts[scheme, "right"] = law_fields(p, mu)
        forecasts[scheme, "shouting"] = law_fields(shouting, mu)
        forecasts[scheme, "climatology"] = law_fields(rate, -0.8, 1.2)
        forecasts[scheme, "zero"] = law_fields(0.0 * p, mu)
    names = [model("right", "network"), model("shouting", "network"), model("climatology")]
    planted_run(folder, density, forecasts, models=[*names, model("zero")], mask=mask)
    return folder, density, mask


def made(run, tmp_path, **other):
    settings = {"html": False, "draws": 39} | other
    return run_residuals(ResidualsSettings(run=run[0], out=tmp_path / "out", **settings), quiet())


def rows(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_right_forecast_is_the_network_and_is_said_to_be_right(run, tmp_path):
    found = made(run, tmp_path)
    assert found.settings.model == "right"
    assert found.settings.scheme == "forward_chaining"
    assert found.settings.references == ("climatology",)
    text = " ".join(plain_words(found))
    assert "better than climatology" in text
    assert "Probabilities are not seen to be off" in text
    assert "not seen to be wrong together" in text
    tests = rows(tmp_path / "out" / "tests.csv")
    assert min(float(t["q_value"]) for t in tests) > 0.05


def test_an_over_confident_forecast_is_said_to_be_one(run, tmp_path):
    found = made(run, tmp_path, model="shouting", references=("right",))
    text = " ".join(plain_words(found))
    assert "worse than right" in text
    assert "Probabilities are off their frequencies" in text
    asked = {(t["residual"], t["against"]): float(t["q_value"])
             for t in rows(tmp_path / "out" / "tests.csv")}  # fmt: skip
    assert asked["presence", "forecast"] < 0.001


def test_cases_are_the_observed_cells_of_the_tested_epochs(run):
    folder, density, mask = run
    held_out = open_held_out(folder)
    cases, numbers, extent = cases_of(held_out, "forward_chaining", "right", ["climatology"])
    assert cases.n == 2 * mask.sum()
    assert cases.epochs == ("post 2015", "pre 2016")
    # Under forward chaining folds are epochs and say nothing more; under random ones they do.
    assert cases.fold is None
    assert cases_of(held_out, "random", "right", [])[0].fold is not None
    assert (numbers[0] == -1).all()
    assert cases.value[numbers[2][20, 20]] == pytest.approx(density[2, 20, 20], rel=1e-5)
    assert extent == (0.0, 0.0, 32e3, 24e3)
    values, inside = cases.lattice(cases.value, "pre 2016")
    assert np.array_equal(inside, mask)
    assert values[20, 20] == pytest.approx(density[2, 20, 20], rel=1e-5)


def test_every_file_is_listed_and_every_figure_stands_on_the_page(run, tmp_path):
    made(run, tmp_path)
    out = tmp_path / "out"
    record = json.loads((out / "residuals.json").read_text())
    page = (out / "residuals.md").read_text()
    for file in record["files"]:
        assert (out / file).is_file(), file
        if file.endswith(".png"):
            assert file in page
    assert {"scores.csv", "differences.csv", "structure.csv", "reliability.csv", "tests.csv",
            "coverage.csv", "totals.csv"} <= set(record["files"])  # fmt: skip
    assert "SYNTHETIC" in page
    # Epochs stand in the order of time, not of the alphabet.
    scores = page[page.index("## Scores") : page.index("## Differences")]
    assert scores.index("post 2015") < scores.index("pre 2016")
    assert record["synthetic"] is True


@pytest.mark.slow
def test_the_page_builds_without_a_warning(run, tmp_path):
    made(run, tmp_path, html=True)
    assert (tmp_path / "out" / "html" / "index.html").is_file()
    assert not (tmp_path / "out" / ".page").exists()


def test_what_the_run_does_not_have_is_named(run, tmp_path):
    with pytest.raises(UsageError, match="--scheme: found 'mars'; expected one of"):
        made(run, tmp_path, scheme="mars")
    with pytest.raises(UsageError, match="--model: found 'absent'"):
        made(run, tmp_path, model="absent")
    with pytest.raises(UsageError, match="--references: found 'right'"):
        made(run, tmp_path, references=("right",))
    with pytest.raises(DataError, match="calls nothing impossible"):
        made(run, tmp_path, model="zero")
    assert not (tmp_path / "out").exists()


def test_no_run_and_other_layouts_are_data_errors(run, tmp_path):
    with pytest.raises(DataError, match=r"no predictions\.zarr"):
        open_held_out(tmp_path)
    broken = tmp_path / "predictions.zarr"
    broken.mkdir()
    (broken / "zarr.json").write_text("{not json")
    with pytest.raises(DataError, match=r"predictions\.zarr"):
        open_held_out(tmp_path)
    (broken / "zarr.json").write_text(
        json.dumps({"zarr_format": 3, "node_type": "group", "attributes": {"layout": "other"}})
    )
    with pytest.raises(DataError, match="layout 'other'"):
        open_held_out(tmp_path)


def test_the_command_reports_errors_with_their_exit_codes(tmp_path):
    def call(*arguments):
        command = [sys.executable, "-m", "stats.residuals", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    missing = call(str(tmp_path))
    assert missing.returncode == 3
    assert "run folder" in missing.stderr
    assert "Traceback" not in missing.stderr
    assert call(str(tmp_path), "--level", "2").returncode == 2
    assert call("--help").returncode == 0


def test_a_folder_of_someone_else_is_left_alone(run, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("precious")
    with pytest.raises(UsageError, match=r"notes\.txt"):
        made(run, tmp_path)
    assert (out / "notes.txt").read_text() == "precious"
