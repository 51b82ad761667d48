"""One table of all networks, put through the same checks."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from hazard.models.base import ModelEntry
from hazard.models.losses import HAZARD_TERMS
from hazard.models.registry import MODELS, build_model, model_entry
from hazard.training.ensemble import build_members, over_members, take_member
from hazard.training.functional import functional, variables_of
from hazard.training.objective import TERMS, LossTerm, make_objective

PATCH, EPOCHS, N, HALO, F = 2, 2, 4, 2, 4
M = N + 2 * HALO

SETTINGS = {
    "default": {
        "pixel_bands": 3, "cell_bands": 2, "epoch_bands": 2, "past_bands": 1,
        "pixels_per_cell": F, "halo_cells": HALO, "depth": 1, "width": 8, "terrain_width": 4,
    },
    "reference": {"bands": 3},
    "described": {"bands": 3},
}  # fmt: skip


def shapes(name):
    if name == "default":
        return {
            "pixels": (PATCH, N * F, N * F, 3),
            "cells": (PATCH, M, M, 2),
            "epochs": (PATCH, EPOCHS, M, M, 2),
            "past": (PATCH, EPOCHS, N, N, 1),
            "fresh": (PATCH, EPOCHS),
            "valid": (PATCH, M, M),
        }
    return {"pixels": (PATCH, 64, 64, 3)}


def target_shape(name):
    return (PATCH, EPOCHS, N, N) if name == "default" else (PATCH, 2, 2)


def make_batch(name, seed=0):
    rng = np.random.default_rng(seed)
    batch = {k: rng.normal(size=s).astype(np.float32) for k, s in shapes(name).items()}
    if "valid" in batch:
        batch["valid"] = np.ones_like(batch["valid"])
        # One epoch without a record, so that terrain is asked as well.
        batch["past"][:, 0] = 0.0
        batch["fresh"] = np.broadcast_to(np.arange(EPOCHS), batch["fresh"].shape)
    presence = rng.integers(0, 2, size=target_shape(name)).astype(np.float32)
    density = presence * rng.lognormal(size=presence.shape).astype(np.float32)
    targets = {"presence": presence, "density": density, "weight": np.ones_like(presence)}
    return {k: jnp.asarray(v) for k, v in {**batch, **targets}.items()}


def build(name, **changes):
    return lambda rngs: build_model(name, {**SETTINGS[name], **changes}, rngs)


@functools.cache
def network(name):
    """The network, its variables, and its outputs as one program for all tests."""
    module = build(name)(nnx.Rngs(0))
    apply = functional(module)
    return apply, variables_of(module), jax.jit(lambda v, b: apply(v, b)[0])


def objective(name):
    density = LossTerm(term="positive_nll") if name == "default" else LossTerm(term="mae")
    return make_objective([LossTerm(term="log_loss"), density], {**TERMS, **HAZARD_TERMS})


# The published networks take most of a minute to compile; their numbers are checked where slow
# tests run (the reference's at night), their shapes and types everywhere.
NUMERIC = [
    pytest.param("default"),
    pytest.param("reference", marks=[pytest.mark.slow, pytest.mark.nightly]),
    pytest.param("described", marks=pytest.mark.slow),
]


def test_the_table_is_whole():
    assert set(SETTINGS) == set(MODELS)
    for name, entry in MODELS.items():
        assert isinstance(entry, ModelEntry)
        assert entry.name == name
        assert entry.source
        assert set(shapes(name)) == {spec.name for spec in entry.inputs}


@pytest.mark.parametrize("compute", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", MODELS)
def test_shapes_types_and_parts_are_as_declared(name, compute):
    module = nnx.eval_shape(lambda: build(name, compute=compute)(nnx.Rngs(0)))
    variables, apply = variables_of(module), functional(module)
    batch = make_batch(name)
    for leaf in jax.tree.leaves(variables):
        assert leaf.dtype == jnp.float32
    for train in (False, True):
        outputs, stats = jax.eval_shape(
            lambda v, b, k, train=train: apply(v, b, key=k, train=train),
            variables, batch, jax.random.key(0),
        )  # fmt: skip
        specs = {spec.name: spec for spec in model_entry(name).outputs}
        assert outputs.keys() == specs.keys()
        for key, value in outputs.items():
            assert value.dtype == jnp.float32
            assert len(value.shape) == len(specs[key].axes)
            assert value.shape[: len(target_shape(name))] == target_shape(name)
        assert {k: v.dtype for k, v in stats.items()} == {
            k: np.dtype("float32") for k in variables.stats
        }
    parts = {n.split("/")[0] for n in variables.params}
    assert set(model_entry(name).parts) <= parts


@pytest.mark.parametrize("name", NUMERIC)
def test_same_seed_same_network_and_it_is_pure(name):
    first, second = (variables_of(build(name)(nnx.Rngs(3))) for _ in range(2))
    for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()
    other = variables_of(build(name)(nnx.Rngs(4)))
    assert any(
        not np.array_equal(a, b)
        for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(other), strict=True)
    )


@pytest.mark.parametrize("name", NUMERIC)
def test_what_has_no_weight_changes_neither_loss_nor_gradient(name):
    (apply, variables, forward), score = network(name), objective(name)
    batch = make_batch(name)
    weight = batch["weight"].at[0].set(0.0)

    @jax.jit
    def of_params(presence, density):
        changed = {**batch, "weight": weight, "presence": presence, "density": density}

        def loss(params):
            outputs, _ = apply(variables._replace(params=params), changed, train=False)
            return score(outputs, changed).loss

        return jax.value_and_grad(loss)(variables.params)

    def of_outputs(presence, density):
        """Targets act on parameters through these alone, and nothing so large is compiled."""
        changed = {**batch, "weight": weight, "presence": presence, "density": density}
        return jax.value_and_grad(lambda outputs: score(outputs, changed).loss)(
            forward(variables, changed)
        )

    loss_and_gradient = of_params if name == "default" else of_outputs
    plain, gradient = loss_and_gradient(batch["presence"], batch["density"])
    spoiled, same = loss_and_gradient(
        batch["presence"].at[0].set(jnp.nan), batch["density"].at[0].set(jnp.nan)
    )
    assert np.isfinite(plain)
    assert plain == spoiled
    for a, b in zip(jax.tree.leaves(gradient), jax.tree.leaves(same), strict=True):
        np.testing.assert_array_equal(a, b)
    assert max(float(jnp.abs(g).max()) for g in jax.tree.leaves(gradient)) > 0


@pytest.mark.parametrize("name", NUMERIC)
def test_members_by_vmap_and_unrolled_are_the_same(name):
    _, stacked = build_members(build(name), members=2, seed=0)
    (apply, _, forward), batch = network(name), make_batch(name)
    found = [
        jax.jit(over_members(lambda v, b: apply(v, b)[0], 2, mode=mode, shared=(1,)))(
            stacked, batch
        )
        for mode in ("vmap", "unroll")
    ]
    alone = forward(take_member(stacked, 1), batch)
    for key, value in found[0].items():
        np.testing.assert_allclose(value, found[1][key], atol=1e-4, rtol=1e-4)
        np.testing.assert_allclose(alone[key], found[1][key][1], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", NUMERIC)
def test_a_patch_does_not_see_its_neighbours_in_the_batch(name):
    _, variables, forward = network(name)
    batch = make_batch(name)
    changed = {k: v.at[1].add(jnp.ones((), v.dtype)) for k, v in batch.items() if k != "fresh"}
    changed |= {k: v for k, v in batch.items() if k == "fresh"}
    before, after = forward(variables, batch), forward(variables, changed)
    for key, value in before.items():
        np.testing.assert_allclose(value[0], after[key][0], atol=1e-5)


def test_unknown_names_and_settings_are_refused():
    with pytest.raises(ValueError, match="model 'unet'; use one of default, reference, described"):
        model_entry("unet")
    with pytest.raises(ValueError, match="model reference: unknown key 'band'"):
        build_model("reference", {"band": 3}, nnx.Rngs(0))
    with pytest.raises(ValueError, match="compute 'float16'"):
        build("described", compute="float16")(nnx.Rngs(0))
