"""python -m hazard.fit: from an empty folder to a report, and what it says before it starts."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr
from typer.testing import CliRunner

from hazard.archive.predictions import open_predictions
from hazard.fit.__main__ import app

ROOT = Path(__file__).resolve().parents[2]
STUDY = """
name: tiny
title: Tiny study
seed: 5
if_missing:
  world: {extent_cells: [16, 20], pixels_per_cell: 4, n_epochs: 4}
cube:
  folds:
    - {design: spatial_blocks, folds: 2, block_km: 4, buffer_km: 0}
    - {design: forward_chaining, first_test_epoch: 2, block_km: 4, buffer_km: 0}
fit:
  schemes:
    - {design: spatial_blocks, folds: 1}
    - {design: forward_chaining, folds: 1, take: last}
  network: {patch_cells: 8, width: 4, depth: 1, terrain_width: 2, past_windows: [3]}
  training: {epochs: 2, batch_size: 4}
  baselines: [zero, climatology, persistence_mean]
  final: {members: 2, block_km: 4}
  ceiling: null
  evaluation: {draws: 20, block_km: 4, mapping_units_km: [1, 2], thresholds_percent: [0, 0.5]}
  report: {figure_dpi: 50, maximum_maps: 6}
"""


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(STUDY)
    return path


def invoke(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_help_starts_nothing_heavy():
    script = (
        "import sys; from typer.testing import CliRunner; from hazard.fit.__main__ import app\n"
        "result = CliRunner().invoke(app, ['--help']); assert result.exit_code == 0\n"
        "heavy = {'jax', 'numpy', 'xarray', 'pydantic', 'rasterio'} & set(sys.modules)\n"
        "assert not heavy, heavy; print(result.output)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    for word in ("--resume", "--dry-run", "--publish", "--set", "--out"):
        assert word in done.stdout


def test_a_dry_run_tells_all_and_writes_nothing(study, tmp_path):
    run = tmp_path / "run"
    found = invoke(study, "--out", run, "--dry-run")
    assert found.exit_code == 0, found.output
    assert not run.exists()
    assert "spatial_blocks: 1 folds" in found.output
    assert "Estimated: 4 networks" in found.output
    assert "SYNTHETIC" in found.output


def test_a_scheme_without_its_design_is_told_before_it_starts(study, tmp_path):
    found = invoke(
        study, "--out", tmp_path / "run", "--dry-run", "--set", "fit.schemes=[{design: random}]"
    )
    assert "random: not run (the cube would hold no such design)" in found.output


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("fit.trainig.epochs=3", "did you mean 'training'?"),
        ("fit.baselines=[lightgmb]", "fit.baselines.0: found 'lightgmb'"),
        ("fit.evaluation.thresholds_percent=[0.1]", "expected 0 and then rising"),
    ],
)
def test_a_wrong_setting_is_exit_2_and_named(study, tmp_path, override, said):
    found = invoke(study, "--out", tmp_path / "run", "--set", override)
    assert found.exit_code == 2
    assert said in found.output
    assert not (tmp_path / "run").exists()


def test_publishing_asks_for_docs_before_any_work(study, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = invoke(study, "--out", tmp_path / "run", "--publish")
    assert found.exit_code == 2, found.output
    assert "found no folder docs/" in found.output
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fit")
    (folder / "tiny.yaml").write_text(STUDY)
    # Another process: JAX reads its flags once, and this one has begun.
    done = subprocess.run(
        [sys.executable, "-m", "hazard.fit", folder / "tiny.yaml", "--out", folder / "run",
         "--log-json"],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return folder, done


@pytest.mark.slow
def test_the_run_folder_is_whole_and_says_what_it_is(finished):
    folder, _ = finished
    run = folder / "run"
    record = json.loads((run / "run.json").read_text())
    for name in ("predictions", "maps", "maps_netcdf", "maps_zarr", "models", "scoreboard",
                 "scoreboard_csv", "report"):  # fmt: skip
        assert (run / record["files"][name]).exists(), name
    assert record["synthetic"] is True
    fit = json.loads((run / "provenance.json").read_text())["fit"]
    assert len(fit["fits"]) == 3 + 2 * 3
    assert all(item["seconds"] > 0 for item in fit["fits"])
    assert fit["peak_memory_gib"] > 0
    assert {"cube", "fits and predictions", "maps", "evaluation", "report"} <= set(fit["seconds"])
    assert not list(run.glob(".*part*"))


@pytest.mark.slow
def test_maps_scores_and_forecasts_belong_together(finished):
    run = finished[0] / "run"
    predictions = open_predictions(run)
    tif = next((run / "maps" / "final").glob("susceptibility_02_*.tif"))
    with rasterio.open(tif) as file:
        mapped = file.read(1)
    assert np.array_equal(
        mapped, predictions.field("probability", "final", "default")[2], equal_nan=True
    )
    board = pd.read_parquet(run / "scoreboard.parquet")
    row = board[(board.scheme == "forward_chaining") & (board.model == "zero")]
    assert len(row)
    csv = pd.read_csv(run / "scoreboard.csv")
    assert len(csv) == len(board)


@pytest.mark.slow
def test_a_second_run_with_resume_keeps_every_fit(finished):
    folder, _ = finished
    before = open_predictions(folder / "run").field("probability", "final", "default")
    done = subprocess.run(
        [sys.executable, "-m", "hazard.fit", folder / "tiny.yaml", "--out", folder / "run",
         "--resume", "--quiet"],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr == ""
    fit = json.loads((folder / "run" / "provenance.json").read_text())["fit"]
    assert all(item["resumed"] for item in fit["fits"])
    after = open_predictions(folder / "run").field("probability", "final", "default")
    assert np.array_equal(before, after, equal_nan=True)


def kill_when(happened, command, *, within_s=300):
    """Start a command, and SIGKILL it as soon as `happened()`; it must not end before."""
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            end = time.monotonic() + within_s
            while not happened():
                assert process.poll() is None, process.stderr.read()[-3000:]
                assert time.monotonic() < end, "it never came to the place where it is killed"
                time.sleep(0.01)
        finally:
            process.kill()
        process.wait()
        assert process.returncode == -signal.SIGKILL


@pytest.mark.nightly
@pytest.mark.slow
def test_a_run_that_is_killed_twice_ends_as_one_that_was_not(finished, tmp_path):
    """Once within a training, once between the forecasts and their scores."""
    whole, run = finished[0] / "run", tmp_path / "run"
    command = [sys.executable, "-m", "hazard.fit", finished[0] / "tiny.yaml", "--out", run,
               "--quiet", "--set", "fit.training.save_every_s=0.001"]  # fmt: skip
    fits = run / "work" / "fits"

    def training():
        done = len(list(fits.glob("*.json")))
        saved = [p for p in (run / "work" / "checkpoints").glob("*/*") if p.name.isdigit()]
        return done >= 4 and saved

    kill_when(training, command)
    left = len(list(fits.glob("*.json")))
    assert 4 <= left < 9
    assert not (run / "predictions.zarr").exists()
    kill_when((run / "predictions.zarr").exists, [*command, "--resume"])
    assert not (run / "scoreboard.csv").exists()
    done = subprocess.run(
        [*command, "--resume"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert (run / "scoreboard.csv").read_bytes() == (whole / "scoreboard.csv").read_bytes()
    a, b = (xr.open_zarr(r / "predictions.zarr", consolidated=False) for r in (whole, run))
    assert set(a.data_vars) == set(b.data_vars)
    for name in a.data_vars:
        np.testing.assert_array_equal(a[name].values, b[name].values, err_msg=str(name))
    assert (run / "report" / "html" / "index.html").is_file()
