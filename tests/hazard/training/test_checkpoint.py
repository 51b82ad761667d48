"""Checkpoints: both halves or neither, the names of what is wrong, and finished models."""

import json

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from hazard.errors import DataError
from hazard.training.checkpoint import (
    CheckpointFolder,
    read_model,
    read_model_record,
    save_model,
)
from hazard.training.functional import Variables

PARAMS = {"stem/conv/kernel": jnp.arange(6.0).reshape(2, 3), "head/bias": jnp.ones(2)}
TREE = {
    "params": PARAMS,
    "opt": optax.adam(optax.exponential_decay(1e-3, 10, 0.9)).init(PARAMS),
    "step": jnp.asarray(7, jnp.int32),
}
RECORD = {
    "config": {"width": 16},
    "standardisation": {"slope_deg": {"mean": 1 / 3, "sd": 0.1}},
    "best": [float("inf")],
}


def test_arrays_and_record_come_back_exactly(tmp_path):
    with CheckpointFolder(tmp_path / "c") as folder:
        assert folder.newest is None
        folder.save(3, TREE, RECORD)
        back = folder.arrays(TREE)
        assert folder.record() == RECORD
    for a, b in zip(_leaves(TREE), _leaves(back), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    assert type(back["opt"][0]).__name__ == "ScaleByAdamState"


def test_only_the_newest_are_kept(tmp_path):
    with CheckpointFolder(tmp_path, keep=2) as folder:
        for number in range(4):
            folder.save(number, {"a": jnp.full(2, float(number))}, {"number": number})
        assert folder.newest == 3
        assert folder.record()["number"] == 3
        assert float(folder.arrays({"a": jnp.zeros(2)}, 2)["a"][0]) == 2.0
        with pytest.raises(DataError, match="checkpoint 0 that cannot be read"):
            folder.record(0)


def test_a_half_written_checkpoint_is_not_seen(tmp_path):
    """What a kill leaves behind: a folder under a temporary name."""
    with CheckpointFolder(tmp_path) as folder:
        folder.save(0, {"a": jnp.ones(2)}, {"number": 0})
    (tmp_path / "1.orbax-checkpoint-tmp" / "arrays").mkdir(parents=True)
    with CheckpointFolder(tmp_path) as folder:
        assert folder.newest == 0
        folder.save(1, {"a": jnp.zeros(2)}, {"number": 1})
        assert folder.newest == 1


def test_what_cannot_be_resumed_is_one_clear_error(tmp_path):
    with CheckpointFolder(tmp_path) as folder:
        with pytest.raises(DataError, match="no checkpoint; expected one to resume from"):
            folder.record()
        folder.save(0, {"a": jnp.ones(2)}, {})
        with pytest.raises(DataError, match="expected"):
            folder.arrays({"a": jnp.ones(3)})
        with pytest.raises(DataError, match="cannot be read"):
            folder.arrays({"b": jnp.ones(2)})


def test_a_damaged_record_is_a_data_error(tmp_path):
    with CheckpointFolder(tmp_path) as folder:
        folder.save(0, {"a": jnp.ones(2)}, {"x": 1})
    written = [f for f in (tmp_path / "0" / "record").glob("*") if '"x"' in f.read_text()]
    assert written
    for file in written:
        file.write_text("{half")
    with CheckpointFolder(tmp_path) as folder, pytest.raises(DataError, match="cannot be read"):
        folder.record()


def test_a_model_is_stored_with_what_it_needs_to_be_used(tmp_path):
    variables = Variables(PARAMS, {"norm/mean": jnp.zeros(2)})
    save_model(tmp_path / "model", variables, RECORD)
    save_model(tmp_path / "model", variables, {**RECORD, "config": {"width": 8}})
    assert read_model_record(tmp_path / "model")["config"] == {"width": 8}
    back = read_model(tmp_path / "model", variables)
    assert isinstance(back, Variables)
    np.testing.assert_array_equal(back.params["stem/conv/kernel"], PARAMS["stem/conv/kernel"])
    assert json.dumps(read_model_record(tmp_path / "model")["standardisation"])
    with pytest.raises(DataError, match="no such folder"):
        read_model_record(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def _leaves(tree):
    import jax

    return jax.tree.leaves(tree)
