"""The command on the embedded scenes: run folder, resume after a kill, scores of other data."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from detection.evaluate.__main__ import app as evaluate_app
from detection.evaluate.write import read_evaluation
from detection.fit.folder import LAYOUT, require_run, run_folder_of
from detection.patches.manifest import read_manifest
from detection.training.model_file import load_model
from hazard.errors import DataError, UsageError

ROOT = Path(__file__).resolve().parents[3]
SMALL = "{widths: [8, 16], blocks: [1, 1], kernel_sizes: [3, 3], decoder_width: 8, detail_width: 4}"
CONFIG = f"""
name: tiny
title: A tiny study
seed: 3
embedded: {{regions: [nepal_like], size_px: 192, epochs: 1}}
patches: {{size_px: 32, stride_px: 32, train_stride_px: 16}}
split: {{block_m: 320, test_share: 0.3}}
preparation: {{topography: []}}
networks:
  - {{name: default, settings: {SMALL}}}
training: {{epochs: 6, batch_size: 4, learning_rate: 0.01, save_every_s: 0.001}}
baselines: [logistic_regression]
evaluation: {{block_m: 160, draws: 40}}
report: {{panels: 2, papers: ["001"]}}
"""


def run(*arguments, **options):
    command = [sys.executable, "-m", "detection.fit", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, **options)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A run that was killed in the middle of its training, and then resumed."""
    folder = tmp_path_factory.mktemp("fit")
    file = folder / "tiny.yaml"
    file.write_text(CONFIG)
    out = folder / "run"
    log = (folder / "killed.log").open("w")
    first = subprocess.Popen(
        [sys.executable, "-m", "detection.fit", str(file), "--out", str(out)], cwd=ROOT,
        stdout=log, stderr=log,
    )  # fmt: skip
    saved = out / "checkpoints" / "default"
    deadline = time.monotonic() + 300
    # The second whole checkpoint: the training is under way, and not at its start.
    while not [p for p in saved.glob("[0-9]*") if p.name.isdigit() and int(p.name) >= 2]:
        assert first.poll() is None, (folder / "killed.log").read_text()[-2000:]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.wait()
    log.close()
    assert not (out / "run.json").exists()
    done = run(file, "--out", out, "--resume")
    assert done.returncode == 0, done.stderr[-3000:]
    return file, out, done.stderr


@pytest.mark.slow
def test_a_killed_run_ends_with_the_weights_of_an_undisturbed_one(fitted, tmp_path):
    file, out, _ = fitted
    whole = run(file, "--out", tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr[-3000:]
    record = "model/default/model.json"
    one, other = (json.loads((folder / record).read_text()) for folder in (out, tmp_path / "whole"))
    assert one["weights_sha256"] == other["weights_sha256"]
    assert one["threshold"] == other["threshold"]
    boards = [
        pd.read_parquet(folder / "scoreboard.parquet") for folder in (out, tmp_path / "whole")
    ]
    scores = [board.drop(columns="seconds") for board in boards]
    pd.testing.assert_frame_equal(*scores)


@pytest.mark.slow
def test_the_run_folder_is_what_its_layout_says(fitted):
    _, out, _ = fitted
    record = require_run(out)
    assert record["layout"] == LAYOUT
    assert record["synthetic"] is True
    assert record["models"] == ["default"]
    for name in record["files"]:
        assert (out / name).is_file(), name
    for name in record["paths"].values():
        assert (out / name).exists(), name
    provenance = json.loads((out / "provenance.json").read_text())
    manifest = read_manifest(out / "manifest.json")
    assert provenance["data_sha256"] == json.loads((out / "manifest.json").read_text())["sha256"]
    assert len(manifest.origin) == manifest.split.role.size
    assert (
        load_model(out / "model" / "default").provenance["data_sha256"]
        == (provenance["data_sha256"])
    )
    history = pd.read_csv(out / "history.csv")
    assert history["epoch"].tolist() == list(range(6))
    assert np.isfinite(history["loss"]).all()
    assert list((out / "checkpoints").iterdir()) == []


@pytest.mark.slow
def test_the_scoreboard_has_every_model_with_its_interval(fitted):
    _, out, _ = fitted
    board = pd.read_csv(out / "scoreboard.csv")
    pooled = board[(board["site"] == "all") & (board["patches"] == "all")].set_index("model")
    assert set(pooled.index) == {"default", "logistic_regression"}
    assert (pooled["f1_low"] <= pooled["f1"]).all()
    assert (pooled["f1"] <= pooled["f1_high"]).all()
    np.testing.assert_allclose(pooled["iou"], pooled["f1"] / (2 - pooled["f1"]))
    evaluation = read_evaluation(out / "evaluation" / "default")
    assert evaluation.score("f1").value == pytest.approx(pooled.loc["default", "f1"])
    assert evaluation.synthetic


@pytest.mark.slow
def test_every_page_of_the_report_is_stamped(fitted):
    _, out, _ = fitted
    pages = list((out / "report").glob("*.md"))
    assert {p.stem for p in pages} >= {"index", "sites", "examples", "models", "data", "papers"}
    for page in pages:
        assert "SYNTHETIC" in page.read_text(), page.name
    assert (out / "report" / "html" / "index.html").is_file()


@pytest.mark.slow
def test_a_finished_model_is_taken_and_a_changed_one_is_not(fitted, tmp_path):
    file, out, _ = fitted
    again = run(file, "--out", out, "--resume", "--set", "report.panels=0")
    assert again.returncode == 0, again.stderr[-3000:]
    assert "default: taken from" in again.stderr
    changed = run(file, "--out", out, "--resume", "--set", "training.epochs=1")
    assert changed.returncode == 0, changed.stderr[-3000:]
    assert "taken from" not in changed.stderr
    assert len(pd.read_csv(out / "history.csv")) == 1


@pytest.mark.slow
def test_stored_models_are_scored_again_on_own_and_on_other_data(fitted, tmp_path):
    _, out, _ = fitted
    runner = CliRunner()
    own = runner.invoke(evaluate_app, [str(out), "--out", str(tmp_path / "own"), "--quiet"])
    assert own.exit_code == 0, own.output
    board = pd.read_csv(out / "scoreboard.csv").query("site == 'all' and patches == 'all'")
    scores = pd.read_csv(tmp_path / "own" / "scores.csv").query("score == 'f1'")
    expected = board.set_index("model").loc["default", "f1"]
    assert scores["value"].iloc[0] == pytest.approx(expected)
    other = runner.invoke(
        evaluate_app,
        [str(out), "--set", "embedded.seed=9", "--out", str(tmp_path / "other"), "--quiet"],
    )
    assert other.exit_code == 0, other.output
    record = json.loads((tmp_path / "other" / "rescored.json").read_text())
    assert record["own"] is False
    assert record["patches"] > 0
    assert (tmp_path / "other" / "html" / "index.html").is_file()
    assert runner.invoke(evaluate_app, [str(tmp_path), "--quiet"]).exit_code == 3


def test_folders_of_others_are_left_alone(tmp_path):
    assert run_folder_of("x", None) == Path("runs/x")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"notes\.txt"):
        run_folder_of("x", tmp_path)
    with pytest.raises(DataError, match="no readable record"):
        require_run(tmp_path)


@pytest.mark.parametrize("module", ["detection.fit", "detection.evaluate"])
def test_help_loads_nothing_heavy(module):
    script = (
        "import sys\n"
        f"import {module}.__main__ as command\n"
        "heavy = {'jax', 'rasterio', 'sklearn', 'pandas', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "command.app(['--help'], prog_name='x')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False,
        env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Exit codes" in done.stdout


def test_dry_run_and_bad_configurations_write_nothing(tmp_path):
    file = tmp_path / "tiny.yaml"
    file.write_text(CONFIG)
    dry = run(file, "--out", tmp_path / "run", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "Would train" in dry.stdout
    assert not (tmp_path / "run").exists()
    bad = run(file, "--out", tmp_path / "run", "--set", "networks.0.training={recipe: nobody}")
    assert bad.returncode == 2, bad.stderr
    assert not (tmp_path / "run").exists()
    no_grid = run(file, "--out", tmp_path / "run", "--grid")
    assert no_grid.returncode == 2, no_grid.stderr
