"""The pure step: what moves, what stays bit-identical, and that it is pure."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from hazard.training.functional import Variables, count_parameters, functional, variables_of
from hazard.training.objective import LossTerm, make_objective
from hazard.training.optimiser import OptimiserConfig, learning_rate, make_optimiser
from hazard.training.step import initial_state, make_step, trainable_names
from tests.hazard.training.small_network import SmallNetwork, planted

OBJECTIVE = make_objective([LossTerm(term="log_loss"), LossTerm(term="mae")])
BATCH = {name: jnp.asarray(value) for name, value in planted(16).items()}


def take_steps(steps, *, frozen=(), config=None, seed=0):
    module = SmallNetwork(nnx.Rngs(seed))
    variables = variables_of(module)
    optimiser = make_optimiser(config or OptimiserConfig(learning_rate=0.01))
    step = make_step(functional(module, frozen=frozen), OBJECTIVE, optimiser, frozen=frozen)
    state, infos = initial_state(variables, optimiser, frozen), []
    compiled = jax.jit(step)
    for _ in range(steps):
        state, info = compiled(state, BATCH, jax.random.key(1))
        infos.append(info)
    return variables, state, infos


def test_everything_moves_where_nothing_is_frozen():
    before, after, infos = take_steps(5)
    assert all(not np.array_equal(before.params[n], after.params[n]) for n in before.params)
    assert all(not np.array_equal(before.stats[n], after.stats[n]) for n in before.stats)
    assert float(infos[-1].loss) < float(infos[0].loss)
    assert int(after.step) == 5
    assert float(infos[0].grad_norm) > 0


def test_frozen_parts_stay_bit_identical_with_their_running_statistics():
    config = OptimiserConfig(rule="adamw", weight_decay=0.1, learning_rate=0.01)
    before, after, _ = take_steps(5, frozen=("body",), config=config)
    for name, value in {**before.params, **before.stats}.items():
        moved = {**after.params, **after.stats}[name]
        same = np.asarray(value).tobytes() == np.asarray(moved).tobytes()
        assert same == name.startswith("body/"), name


def test_a_frozen_batch_norm_uses_its_running_statistics():
    """Otherwise the frozen part would still depend on the batch it happens to stand in."""
    module = SmallNetwork(nnx.Rngs(0), dropout=0.0)
    variables = variables_of(module)
    frozen = functional(module, frozen=("body",))
    free = functional(module)
    key = jax.random.key(0)
    predicted, _ = free(variables, BATCH, train=False)
    kept, _ = frozen(variables, BATCH, key=key, train=True)
    moving, _ = free(variables, BATCH, key=key, train=True)
    np.testing.assert_array_equal(kept["logit"], predicted["logit"])
    assert np.abs(np.asarray(moving["logit"] - predicted["logit"])).max() > 1e-3


def test_freezing_everything_or_nothing_known_is_refused():
    params = variables_of(SmallNetwork(nnx.Rngs(0))).params
    with pytest.raises(ValueError, match="leaves nothing to train"):
        trainable_names(params, ("body", "presence", "amount"))
    with pytest.raises(ValueError, match=r"no part 'encoder'.*amount, body, presence"):
        trainable_names(params, ("encoder",))
    with pytest.raises(ValueError, match="no part 'bod'"):
        functional(SmallNetwork(nnx.Rngs(0)), frozen=("bod",))


def test_the_same_state_batch_and_key_give_the_same_state():
    _, first, _ = take_steps(3)
    _, second, _ = take_steps(3)
    for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


def test_dropout_changes_from_step_to_step():
    module = SmallNetwork(nnx.Rngs(0), dropout=0.5)
    apply, variables = functional(module), variables_of(module)
    outputs = [
        apply(variables, BATCH, key=jax.random.key(k), train=True)[0]["logit"] for k in (0, 1)
    ]
    assert not np.array_equal(*outputs)


def test_the_step_vmaps_over_members():
    """Merging a module inside vmap and grad is where running statistics fail if mishandled."""
    modules = [SmallNetwork(nnx.Rngs(seed)) for seed in (0, 1)]
    optimiser = make_optimiser(OptimiserConfig())
    step = make_step(functional(modules[0]), OBJECTIVE, optimiser)
    states = [initial_state(variables_of(m), optimiser) for m in modules]
    stacked = jax.tree.map(lambda *v: jnp.stack(v), *states)
    after, info = jax.jit(jax.vmap(step, in_axes=(0, None, None)))(
        stacked, BATCH, jax.random.key(0)
    )
    assert info.loss.shape == (2,)
    assert after.stats["body/norm/mean"].shape == (2, 4)


def test_gradients_are_clipped_and_rates_follow_the_schedule():
    config = OptimiserConfig(rule="sgd", momentum=0.0, learning_rate=1.0, clip_norm=0.1)
    before, after, infos = take_steps(1, config=config)
    moved = optax.tree.norm(jax.tree.map(jnp.subtract, after.params, before.params))
    assert float(infos[0].grad_norm) > 0.1
    assert float(moved) == pytest.approx(0.1, rel=1e-4)
    rate = learning_rate(OptimiserConfig(schedule="exponential", decay_rate=0.9))
    assert [float(rate(n)) for n in (0, 999, 1000, 2500)] == pytest.approx(
        [1e-3, 1e-3, 9e-4, 8.1e-4], rel=1e-5
    )
    warm = learning_rate(OptimiserConfig(schedule="cosine", warmup_steps=10, decay_steps=100))
    assert float(warm(0)) == 0.0
    assert float(warm(10)) == pytest.approx(1e-3, rel=1e-5)
    assert float(warm(110)) == pytest.approx(1e-5, rel=1e-3)


def test_wrong_optimisers_are_refused():
    with pytest.raises(ValueError, match="rule 'adagrad'"):
        make_optimiser(OptimiserConfig(rule="adagrad"))
    with pytest.raises(ValueError, match="schedule 'step'"):
        make_optimiser(OptimiserConfig(schedule="step"))
    with pytest.raises(ValueError, match="learning rate 0"):
        OptimiserConfig(learning_rate=0.0)
    with pytest.raises(ValueError, match="use adamw"):
        OptimiserConfig(rule="adam", weight_decay=0.1)


def test_parameters_are_counted_without_being_made():
    by_hand = 3 * 4 + (4 + 4) + 2 * (7 + 1)
    assert count_parameters(lambda rngs: SmallNetwork(rngs)) == by_hand
    made = variables_of(SmallNetwork(nnx.Rngs(0)))
    assert sum(v.size for v in made.params.values()) == by_hand
    assert isinstance(made, Variables)
