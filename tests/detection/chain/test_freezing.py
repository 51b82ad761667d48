"""Frozen parts stay bit-identical, running statistics included; freezing everything is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from detection.chain.freezing import check_frozen, compare_frozen
from detection.losses.presets import loss_preset
from detection.losses.terms import DETECTION_TERMS
from detection.models.registry import MODELS, build_model
from hazard.training.curriculum import Stage
from hazard.training.data import device_source
from hazard.training.ensemble import stack_members, take_member
from hazard.training.functional import Variables, variables_of
from hazard.training.loop import train
from hazard.training.optimiser import OptimiserConfig

SETTINGS = {"bands": 2, "filters": 2}


def build(rngs):
    return build_model("unet", SETTINGS, rngs)


@pytest.fixture(scope="module")
def fine_tuned():
    """Weights before and after two steps with the encoder and the bridge frozen."""
    rng = np.random.default_rng(0)
    source = device_source(
        {
            "image": rng.normal(3.0, 2.0, (4, 32, 32, 2)).astype(np.float32),
            "mask": (rng.random((4, 32, 32)) < 0.2).astype(np.float32),
            "weight": np.ones((4, 32, 32), np.float32),
        }
    )
    before = variables_of(build(nnx.Rngs(3)))
    stage = Stage(
        name="fine", terms=loss_preset("default"), epochs=1, batch_size=2,
        optimiser=OptimiserConfig(rule="adamw", weight_decay=0.1), frozen=("encoder", "bridge"),
    )  # fmt: skip
    trained = train(build, [stage], source, initial=stack_members([before]), table=DETECTION_TERMS)
    return before, take_member(trained.variables, 0)


def test_frozen_parts_are_bit_identical_with_their_running_statistics(fine_tuned):
    before, after = fine_tuned
    record = compare_frozen(before, after, ("encoder", "bridge"))
    assert record.frozen_changed == ()
    # Five blocks of two batch norms, each with a mean and a variance.
    assert record.frozen_statistics == 5 * 2 * 2
    assert record.frozen_arrays > record.frozen_statistics
    assert 0 < record.trainable_parameters < record.total_parameters
    assert record.moved_arrays > 0


def test_a_change_of_one_bit_in_a_frozen_statistic_is_found(fine_tuned):
    before, after = fine_tuned
    name = next(n for n in sorted(after.stats) if n.startswith("encoder"))
    nudged = np.array(after.stats[name])
    nudged.view(np.uint32)[0] ^= 1
    touched = Variables(after.params, {**after.stats, name: jnp.asarray(nudged)})
    assert compare_frozen(before, touched, ("encoder", "bridge")).frozen_changed == (name,)


def test_what_is_not_frozen_moved_with_its_statistics(fine_tuned):
    before, after = fine_tuned
    record = compare_frozen(before, after, ("encoder",))
    assert record.moved_arrays > 0
    moved = [n for n in after.stats if not np.array_equal(before.stats[n], after.stats[n])]
    assert moved
    assert all(n.startswith("decoder") for n in moved)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_freezing_every_part_of_a_network_is_refused(name):
    entry = MODELS[name]
    module = nnx.eval_shape(lambda: entry.build(entry.config(), nnx.Rngs(0)))
    names = tuple(variables_of(module).params)
    with pytest.raises(ValueError, match="nothing to train"):
        check_frozen(names, entry.parts)
    left = check_frozen(names, entry.parts[:-1])
    assert left
    assert all(n.startswith(entry.parts[-1]) for n in left)


def test_a_part_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="no part 'pool4'"):
        check_frozen(("encoder/kernel", "head/kernel"), ("pool4",))


def test_states_of_two_networks_do_not_compare(fine_tuned):
    other = variables_of(build_model("unet", {"bands": 3, "filters": 2}, nnx.Rngs(0)))
    with pytest.raises(ValueError, match="two different networks"):
        compare_frozen(fine_tuned[0], other, ("encoder",))
    assert jax.tree.leaves(other)
