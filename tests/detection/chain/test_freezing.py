"""Frozen parts stay bit-identical, running statistics included; freezing everything is refused."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from detection.chain.freezing import check_frozen, compare_frozen
from detection.losses.presets import loss_preset
from detection.losses.terms import DETECTION_TERMS
from detection.models.layers import BatchNorm, Convolution
from detection.models.registry import MODELS
from hazard.training.curriculum import Stage
from hazard.training.data import device_source
from hazard.training.ensemble import stack_members, take_member
from hazard.training.functional import Variables, variables_of
from hazard.training.loop import train
from hazard.training.optimiser import OptimiserConfig


class Small(nnx.Module):
    """Two parts with batch norm: what freezing is about, at a second of compilation."""

    def __init__(self, rngs):
        self.encoder = ConvNorm(rngs)
        self.head = ConvNorm(rngs)

    def __call__(self, batch, *, rngs=None):
        del rngs
        x = nnx.relu(self.encoder(batch["image"]))
        return {"logit": jnp.asarray(self.head(x)[..., 0], jnp.float32)}


class ConvNorm(nnx.Module):
    def __init__(self, rngs):
        self.conv = Convolution(2, 2, 3, dtype=jnp.float32, rngs=rngs)
        self.norm = BatchNorm(2, dtype=jnp.float32, rngs=rngs)

    def __call__(self, x):
        return self.norm(self.conv(x))


@pytest.fixture(scope="module")
def fine_tuned():
    """Weights before and after two steps with the encoder frozen."""
    rng = np.random.default_rng(0)
    source = device_source(
        {
            "image": rng.normal(3.0, 2.0, (4, 32, 32, 2)).astype(np.float32),
            "mask": (rng.random((4, 32, 32)) < 0.2).astype(np.float32),
            "weight": np.ones((4, 32, 32), np.float32),
        }
    )
    before = variables_of(Small(nnx.Rngs(3)))
    stage = Stage(
        name="fine", terms=loss_preset("default"), epochs=1, batch_size=2,
        optimiser=OptimiserConfig(rule="adamw", weight_decay=0.1), frozen=("encoder",),
    )  # fmt: skip
    trained = train(Small, [stage], source, initial=stack_members([before]), table=DETECTION_TERMS)
    return before, take_member(trained.variables, 0)


def test_frozen_parts_are_bit_identical_with_their_running_statistics(fine_tuned):
    before, after = fine_tuned
    record = compare_frozen(before, after, ("encoder",))
    assert record.frozen_changed == ()
    # Kernel, bias, scale and shift; mean and variance.
    assert (record.frozen_arrays, record.frozen_statistics) == (6, 2)
    assert 0 < record.trainable_parameters < record.total_parameters
    assert record.moved_arrays > 0


def test_a_change_of_one_bit_in_a_frozen_statistic_is_found(fine_tuned):
    before, after = fine_tuned
    name = next(n for n in sorted(after.stats) if n.startswith("encoder"))
    nudged = np.array(after.stats[name])
    nudged.view(np.uint32)[0] ^= 1
    touched = Variables(after.params, {**after.stats, name: jnp.asarray(nudged)})
    assert compare_frozen(before, touched, ("encoder",)).frozen_changed == (name,)


def test_what_is_not_frozen_moved_with_its_statistics(fine_tuned):
    before, after = fine_tuned
    record = compare_frozen(before, after, ("encoder",))
    assert record.moved_arrays > 0
    moved = [n for n in after.stats if not np.array_equal(before.stats[n], after.stats[n])]
    assert moved
    assert all(n.startswith("head") for n in moved)


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
    other = fine_tuned[0]._replace(stats={})
    with pytest.raises(ValueError, match="two different networks"):
        compare_frozen(fine_tuned[0], other, ("encoder",))
