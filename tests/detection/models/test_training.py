"""Every network learns four patches by heart, and what is frozen stays bit-identical."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from detection.losses.presets import detection_objective
from detection.models.registry import MODELS
from hazard.training.functional import in_parts
from hazard.training.optimiser import OptimiserConfig, make_optimiser
from hazard.training.step import initial_state, make_step
from tests.detection.models.small_networks import make_batch, ready, terms

QUICK = ("default", "unet", "adsms_unet")
# Each of their parts is one of the attention residual network, too; but for the differences of the
# bi-temporal one, whose outputs other tests look at, and which takes the longest to compile.
NIGHTLY = (
    "residual_unet", "attention_unet", "attention_unet_published", "bitemporal_residual_unet",
)  # fmt: skip
STEPS = 80
# The loss after so many steps, as a share of the first.
SHARE = 0.5
CHANGES = {"bitemporal_residual_unet": {"dropout": 0.0, "spatial_dropout": 0.0}}


def trained(name, steps, *, frozen=(), side=32, **changes):
    """Variables before and after, and the losses."""
    apply, before, _ = ready(name, frozen=frozen, **changes)
    optimiser = make_optimiser(OptimiserConfig(rule="adam", learning_rate=1e-2))
    step = make_step(apply, detection_objective(terms(name)), optimiser, frozen=frozen)
    state, batch, losses = initial_state(before, optimiser, frozen), make_batch(name, side), []
    # Compiling takes nearly all of the time here, and its last optimisations gain little.
    lowered = jax.jit(step).lower(state, batch, jax.random.key(0))
    step = lowered.compile(compiler_options={"xla_backend_optimization_level": 0})
    for _ in range(steps):
        state, info = step(state, batch, jax.random.key(0))
        losses.append(float(info.loss))
    return before, state.variables, losses


def marks(name):
    if name in QUICK:
        return ()
    return (pytest.mark.slow, pytest.mark.nightly) if name in NIGHTLY else (pytest.mark.slow,)


@pytest.mark.parametrize("name", [pytest.param(n, marks=marks(n)) for n in MODELS])
def test_four_patches_are_learned_by_heart(name):
    _, after, losses = trained(name, STEPS, **CHANGES.get(name, {}))
    assert np.isfinite(losses).all()
    assert losses[-1] < SHARE * losses[0]
    assert all(v.dtype == jnp.float32 for v in jax.tree.leaves(after))


def test_frozen_parts_stay_bit_identical_and_the_rest_moves():
    frozen = ("encoder", "decoder/levels/0")
    before, after, _ = trained("unet", 1, frozen=frozen, side=16)
    for old, new in zip(before, after, strict=True):
        for name, value in old.items():
            same = np.asarray(value).tobytes() == np.asarray(new[name]).tobytes()
            # A bias before a batch norm has no effect, so it may stay where it is.
            if in_parts(name, frozen):
                assert same, name
            elif not name.endswith("conv/bias"):
                assert not same, name


def test_bfloat16_is_close_to_float32():
    batch = make_batch("default", 16)
    one, other = (
        jax.jit(lambda b, f=f, v=v: f(v, b)[0]["logit"])(batch)
        for f, v, _ in (ready("default"), ready("default", compute="bfloat16"))
    )
    assert one.dtype == other.dtype == jnp.float32
    assert 0 < float(jnp.abs(one - other).max()) < 0.1 * float(jnp.std(one)) + 0.05


@pytest.mark.slow
def test_dropout_follows_its_key():
    name = "bitemporal_residual_unet"
    apply, variables, _ = ready(name)
    batch = make_batch(name, 32, patches=2)
    run = jax.jit(lambda key: apply(variables, batch, key=key, train=True)[0]["logit"])
    one, two, again = (run(jax.random.key(seed)) for seed in (0, 1, 0))
    np.testing.assert_array_equal(one, again)
    assert float(jnp.abs(one - two).max()) > 0
