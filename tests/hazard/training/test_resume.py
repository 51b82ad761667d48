"""A run that is killed at any moment ends in the same weights as one that is not."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[3]


def run(folder, kill=None):
    command = [sys.executable, "-m", "tests.hazard.training.resumed_run", str(folder)]
    result = subprocess.run(
        command + ([] if kill is None else [kill]),
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
        check=False,
    )
    if kill is None:
        assert result.returncode == 0, result.stderr
        with np.load(folder / "final.npz") as arrays:
            return dict(arrays)
    assert result.returncode == -signal.SIGKILL, result.stderr
    assert not (folder / "final.npz").exists()
    return {}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    return run(tmp_path_factory.mktemp("whole"))


def check(folder, kills, uninterrupted):
    for kill in kills:
        run(folder, kill)
    resumed = run(folder)
    assert resumed.keys() == uninterrupted.keys()
    for name, value in uninterrupted.items():
        assert resumed[name].tobytes() == value.tobytes(), name


def test_a_run_killed_in_mid_epoch_ends_in_the_same_weights(tmp_path, uninterrupted):
    """Killed in the first stage's second epoch, then in the second stage."""
    check(tmp_path, ["8", "13"], uninterrupted)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.nightly)])
def test_kills_at_random_moments_change_nothing(tmp_path, uninterrupted, seed):
    rng = np.random.default_rng(seed)
    kills = [f"{rng.integers(1, 6)}s" for _ in range(3)]
    check(tmp_path, kills, uninterrupted)
