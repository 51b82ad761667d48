"""Members: the same ones by vmap and unrolled, and different from each other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from hazard.training.ensemble import (
    build_members,
    member_seed,
    over_members,
    summarise_members,
    take_member,
)
from hazard.training.evaluation import predict
from hazard.training.functional import functional, variables_of
from hazard.training.loop import train
from hazard.training.records import TrainingSettings
from tests.hazard.training.small_network import SmallNetwork, log_loss_stage, planted_source

SOURCE = planted_source(40)


def trained(mode, members=3, seed=0):
    return train(
        SmallNetwork,
        [log_loss_stage()],
        SOURCE,
        SOURCE,
        settings=TrainingSettings(members=members, seed=seed, member_mode=mode),
    )


def test_vmapped_and_unrolled_members_are_the_same():
    vmapped, unrolled = trained("vmap"), trained("unroll")
    for name, value in vmapped.variables.params.items():
        np.testing.assert_allclose(value, unrolled.variables.params[name], atol=2e-5, rtol=1e-4)
    np.testing.assert_allclose(
        vmapped.history[-1].validation, unrolled.history[-1].validation, rtol=1e-5
    )


def test_members_differ_and_do_not_depend_on_their_number():
    three = trained("unroll")
    kernels = np.asarray(three.variables.params["presence/kernel"])
    gaps = [np.abs(kernels[a] - kernels[b]).max() for a, b in ((0, 1), (0, 2), (1, 2))]
    assert min(gaps) > 1e-2
    one = trained("unroll", members=1)
    for name, value in one.variables.params.items():
        np.testing.assert_allclose(value[0], three.variables.params[name][0], atol=2e-5, rtol=1e-4)


def test_seeds_of_members_never_meet():
    seeds = {member_seed(seed, member) for seed in range(30) for member in range(30)}
    assert len(seeds) == 900


def test_same_seed_same_members():
    first = build_members(SmallNetwork, members=2, seed=5)[1]
    second = build_members(SmallNetwork, members=2, seed=5)[1]
    third = build_members(SmallNetwork, members=2, seed=6)[1]
    for name, value in first.params.items():
        np.testing.assert_array_equal(value, second.params[name])
    assert not np.array_equal(first.params["presence/kernel"], third.params["presence/kernel"])


@pytest.mark.parametrize("mode", ["vmap", "unroll"])
def test_predictions_come_back_in_order_and_once(mode):
    module, variables = build_members(SmallNetwork, members=2, seed=0)
    apply = functional(module)
    wanted = np.array([5, 3, 39, 0, 7])
    parts = list(predict(apply, variables, SOURCE, batch_size=2, samples=wanted, mode=mode))
    np.testing.assert_array_equal(np.concatenate([numbers for numbers, _ in parts]), wanted)
    logits = np.concatenate([out["logit"] for _, out in parts], axis=1)
    for member in range(2):
        expected, _ = apply(
            take_member(variables, member), SOURCE.gather(SOURCE.arrays, wanted), train=False
        )
        np.testing.assert_allclose(logits[member], expected["logit"], atol=1e-6)


def test_summary_is_mean_sd_and_share_of_pairs_that_disagree():
    values = np.random.default_rng(0).random((5, 40))
    summary = summarise_members(jnp.asarray(values, jnp.float32), threshold=0.4)
    np.testing.assert_allclose(summary.mean, values.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(summary.spread, values.std(axis=0, ddof=1), rtol=1e-4)
    votes = values > 0.4
    pairs = [votes[a] != votes[b] for a in range(5) for b in range(a)]
    np.testing.assert_allclose(summary.disagreement, np.mean(pairs, axis=0), rtol=1e-6)
    assert float(summarise_members(jnp.ones((1, 1))).spread[0]) == 0.0


def test_shared_arguments_have_no_member_axis():
    for mode in ("vmap", "unroll"):
        scaled = over_members(lambda x, c: x * c, 2, mode=mode, shared=(1,))
        np.testing.assert_array_equal(scaled(jnp.ones((2, 3)), jnp.arange(3.0))[1], [0, 1, 2])


def test_a_member_mode_must_be_known():
    with pytest.raises(ValueError, match="members 'pmap'"):
        over_members(lambda x: x, 2, mode="pmap")


def test_variables_of_a_module_can_be_put_back():
    module = SmallNetwork(nnx.Rngs(0))
    batch = SOURCE.gather(SOURCE.arrays, jnp.arange(4))
    outputs, stats = functional(module)(variables_of(module), batch, train=False)
    module.eval()
    np.testing.assert_allclose(outputs["logit"], module(batch)["logit"], atol=1e-6)
    assert stats.keys() == variables_of(module).stats.keys()
    assert jax.tree.leaves(stats)[0].dtype == jnp.float32
