"""A run folder is read by its layout, and anything else is refused in words."""

import json

import pytest

from stats.command.errors import DataError
from stats.command.run_folder import describe_run, read_run_folder


@pytest.fixture
def run(tmp_path):
    record = {
        "layout": "hazard-run", "layout_version": 2, "name": "a", "title": "A study",
        "synthetic": True, "seed": 3, "written": "2026-01-01T00:00:00+00:00",
        "files": {
            "cube": "cube.zarr", "config": "config.yaml", "provenance": "provenance.json",
            "summary": "summary.json", "log": "log.jsonl", "figures": ["figures/cube.png"],
        },
    }  # fmt: skip
    (tmp_path / "run.json").write_text(json.dumps(record))
    summary = {
        "epochs": [{"epoch": "first", "observed": 9, "positive": 2, "area_km2": 1.25}],
        "layers": [{"layer": "pga"}], "absent": {"pga_sd": "one event"}, "notes": [],
    }  # fmt: skip
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    provenance = {"inputs": [{"role": "rain.file", "path": "rain.csv", "sha256": "ab" * 32}]}
    (tmp_path / "provenance.json").write_text(json.dumps(provenance))
    (tmp_path / "cube.zarr").mkdir()
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures/cube.png").write_bytes(b"png")
    return tmp_path


def change(run, **values):
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, **values}))


def test_a_run_is_read_whole(run):
    found = read_run_folder(run)
    assert (found.name, found.seed, found.synthetic) == ("a", 3, True)
    assert found.cube == run / "cube.zarr"
    assert found.figures == (run / "figures/cube.png",)
    text = "\n".join(describe_run(found))
    for part in ("SYNTHETIC", "first: 9 cells", "pga_sd (one event)", "rain.file", "abababababab"):
        assert part in text


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"layout": "other"}, "layout 'other'"),
        ({"layout_version": 1}, "layout version 1"),
        ({"files": {"cube": "cube.zarr"}}, "files.config"),
    ],
)
def test_another_layout_is_refused(run, values, message):
    change(run, **values)
    with pytest.raises(DataError, match=message):
        read_run_folder(run)


@pytest.mark.parametrize("name", ["summary.json", "provenance.json", "figures/cube.png"])
def test_a_missing_file_is_named(run, name):
    (run / name).unlink()
    with pytest.raises(DataError, match=name):
        read_run_folder(run)


@pytest.mark.parametrize("text", ["", "{", "[1]"])
def test_a_damaged_record_is_refused(run, text):
    (run / "run.json").write_text(text)
    with pytest.raises(DataError, match=r"run\.json"):
        read_run_folder(run)


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        read_run_folder(tmp_path / "absent")
    with pytest.raises(DataError, match=r"no run\.json"):
        read_run_folder(tmp_path)
