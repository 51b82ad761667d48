"""The command on the embedded scenes: run folder, resume after a kill, scores of other data."""

import io
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

from detection.config.schema import load_config
from detection.evaluate.write import read_evaluation
from detection.fit.folder import LAYOUT, require_run, run_folder_of
from detection.fit.rescore import rescore
from detection.fit.run import fit_run
from detection.patches.manifest import read_manifest
from detection.training.model_file import load_model
from hazard.errors import DataError, UsageError
from stats.command.frame import Session
from stats.command.log import Log
from stats.command.progress import SilentReporter

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
training: {{epochs: 5, batch_size: 8, learning_rate: 0.01, save_every_s: 0.2}}
baselines: [logistic_regression]
evaluation: {{block_m: 160, draws: 40}}
report: {{panels: 2, papers: ["001"]}}
"""


def run(*arguments, **options):
    command = [sys.executable, "-m", "detection.fit", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, **options)


def fit(file, out, **options):
    """What the command does, in this process; returns what it said."""
    stream = io.StringIO()
    talk = Session(log=Log(stream=stream), reporter=SilentReporter())
    overrides = options.pop("overrides", ())
    fit_run(load_config(file, overrides=overrides), out, talk, **options)
    return stream.getvalue()


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fit")
    file = folder / "tiny.yaml"
    file.write_text(CONFIG)
    return file, folder / "run", fit(file, folder / "run")


@pytest.mark.nightly
def test_a_killed_run_ends_with_the_weights_of_an_undisturbed_one(tmp_path):
    file, out = tmp_path / "tiny.yaml", tmp_path / "run"
    file.write_text(CONFIG.replace("save_every_s: 0.2", "save_every_s: 0.001"))
    with (tmp_path / "killed.log").open("w") as log:
        first = subprocess.Popen(
            [sys.executable, "-m", "detection.fit", str(file), "--out", str(out)], cwd=ROOT,
            stdout=log, stderr=log,
        )  # fmt: skip
        saved = out / "checkpoints" / "default"
        deadline = time.monotonic() + 300
        # The third whole checkpoint: the training is under way, and neither new nor over.
        while not [p for p in saved.glob("*/[0-9]*") if p.name.isdigit() and int(p.name) >= 2]:
            assert first.poll() is None, (tmp_path / "killed.log").read_text()[-2000:]
            assert time.monotonic() < deadline
            time.sleep(0.02)
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert not (out / "run.json").exists()
    for folder, more in ((out, ["--resume"]), (tmp_path / "whole", [])):
        done = run(file, "--out", folder, *more)
        assert done.returncode == 0, done.stderr[-3000:]
    record = "model/default/model.json"
    one, other = (json.loads((f / record).read_text()) for f in (out, tmp_path / "whole"))
    assert one["weights_sha256"] == other["weights_sha256"]
    assert one["threshold"] == other["threshold"]
    boards = [pd.read_parquet(f / "scoreboard.parquet") for f in (out, tmp_path / "whole")]
    pd.testing.assert_frame_equal(*(board.drop(columns="seconds") for board in boards))


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
    assert history["epoch"].tolist() == list(range(5))
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
def test_stored_models_are_scored_again_on_own_and_on_other_data(fitted, tmp_path):
    _, out, _ = fitted
    talk = Session(log=Log(stream=io.StringIO()), reporter=SilentReporter())
    own = rescore(out, talk, out=tmp_path / "own")
    board = pd.read_csv(out / "scoreboard.csv").query("site == 'all' and patches == 'all'")
    expected = board.set_index("model").loc["default", "f1"]
    assert own.evaluations[0].score("f1").value == pytest.approx(expected)
    other = rescore(out, talk, out=tmp_path / "other", overrides=["embedded.seed=9"])
    record = json.loads((other.out / "rescored.json").read_text())
    assert record["own"] is False
    # Every pixel of the other scene, once.
    assert other.evaluations[0].protocol().pixels > board["n_pixels"].iloc[0]
    assert (other.out / "html" / "index.html").is_file()
    with pytest.raises(DataError, match="no readable record"):
        rescore(tmp_path, talk)


@pytest.mark.slow
def test_a_finished_model_is_taken_and_a_changed_one_is_not(fitted, monkeypatch):
    file, out, _ = fitted
    before = (out / "model" / "default" / "model.json").stat().st_mtime_ns
    said = fit(file, out, resume=True, overrides=["report.panels=0"])
    assert "default: taken from" in said
    assert (out / "model" / "default" / "model.json").stat().st_mtime_ns == before
    # The pages are not what is asked here, and written twice already.
    monkeypatch.setattr("detection.fit.report.write_report", lambda *_: out / "report")
    said = fit(file, out, resume=True, overrides=["training.epochs=1"])
    assert "taken from" not in said
    assert len(pd.read_csv(out / "history.csv")) == 1


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
