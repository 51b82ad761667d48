"""Batches split over simulated devices give the losses and weights of one device."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hazard.training.sharding import data_parallel

ROOT = Path(__file__).resolve().parents[3]

SCRIPT = """
import sys
import jax, numpy as np
from hazard.training.loop import train
from hazard.training.objective import LossTerm
from hazard.training.records import TrainingSettings
from hazard.training.sharding import data_parallel
from tests.hazard.training.small_network import SmallNetwork, log_loss_stage, planted_source

devices, members, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
assert len(jax.devices()) == devices
parallel = data_parallel() if devices > 1 else None
result = train(
    lambda rngs: SmallNetwork(rngs, dropout=0.0),
    [log_loss_stage(terms=(LossTerm(term="log_loss"), LossTerm(term="focal_tversky")))],
    planted_source(44), planted_source(24, seed=1),
    settings=TrainingSettings(members=members), parallel=parallel,
)
used = {d for d in result.variables.params["presence/kernel"].devices()}
assert len(used) == devices
np.savez(path, losses=[e.loss for e in result.history],
         validation=[e.validation for e in result.history], **result.variables.params)
"""


def run(devices, members, path):
    environment = {
        **os.environ,
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
        "JAX_PLATFORMS": "cpu",
    }
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(devices), str(members), str(path)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    with np.load(path) as arrays:
        return dict(arrays)


def test_four_devices_give_the_losses_of_one(tmp_path):
    """The pooled Tversky loss and the batch norm see the whole batch on any number of devices."""
    one, four = (run(devices, 2, tmp_path / f"{devices}.npz") for devices in (1, 4))
    for name, value in one.items():
        np.testing.assert_allclose(four[name], value, atol=1e-5, rtol=1e-4, err_msg=name)


def test_a_batch_must_divide_evenly():
    class Three:
        size = 3

    parallel = data_parallel()
    parallel.check_batch(4)
    mesh = type("Mesh", (), {"devices": Three()})()
    with pytest.raises(ValueError, match="batches of 4 on 3 devices"):
        type(parallel)(mesh).check_batch(4)
