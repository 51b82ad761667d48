"""The default network: what it sees, what it does not, and where it starts."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from hazard.models.default import DefaultConfig, DefaultNetwork
from hazard.models.record_towers import RecordConfig
from hazard.models.terrain_encoder import TerrainEncoder, fold_pixels, reductions
from hazard.training.functional import functional, variables_of

RNG = np.random.default_rng(0)


def without_record(batch):
    return {**batch, "past": jnp.zeros_like(batch["past"])}


def alive(module, seed=1):
    """Variables of a network whose zero-initialised layers are random too."""
    variables = variables_of(module)
    rng = np.random.default_rng(seed)
    params = {
        name: jnp.asarray(rng.normal(0, 0.3, size=v.shape), jnp.float32)
        for name, v in variables.params.items()
    }
    return variables._replace(params=params)


def maps(config, rows, cols, epochs=2):
    """Layers of a whole study area, and a cutter of patches from them."""
    f = config.pixels_per_cell
    layers = {
        "pixels": RNG.normal(size=(rows * f, cols * f, config.pixel_bands)),
        "cells": RNG.normal(size=(rows, cols, config.cell_bands)),
        "epochs": RNG.normal(size=(epochs, rows, cols, config.epoch_bands)),
        "past": RNG.normal(size=(epochs, rows, cols, config.past_bands)),
        "valid": np.ones((rows, cols)),
    }

    def cut(row, col, n):
        h, q = config.halo_cells, config.pixel_halo_cells
        around = slice(row - h, row + n + h), slice(col - h, col + n + h)
        fine = (
            slice((row - q) * f, (row + n + q) * f),
            slice((col - q) * f, (col + n + q) * f),
        )
        batch = {
            "pixels": layers["pixels"][fine],
            "cells": layers["cells"][around],
            "epochs": layers["epochs"][:, *around],
            "past": layers["past"][:, row : row + n, col : col + n],
            "valid": layers["valid"][around],
        }
        return {k: jnp.asarray(v[None], jnp.float32) for k, v in batch.items()}

    return layers, cut


CONFIG = DefaultConfig(
    pixel_bands=2, cell_bands=2, epoch_bands=1, past_bands=1, pixels_per_cell=2, halo_cells=2,
    pixel_halo_cells=2, depth=2, width=8, terrain_width=4,
)  # fmt: skip


def test_a_prediction_does_not_depend_on_the_patch_it_is_made_in():
    """With a halo as wide as the trunk sees, tiles fit together without a seam."""
    module = DefaultNetwork(CONFIG, nnx.Rngs(0))
    apply, variables = functional(module), alive(module)
    _, cut = maps(CONFIG, 14, 14)
    run = jax.jit(lambda b: apply(variables, b)[0]["logit"])
    for kind in (lambda batch: batch, without_record):
        one = run(kind(cut(4, 4, 4)))[0]
        # The same cells as the lower right part of another patch.
        other = run(kind(cut(2, 3, 6)))[0]
        np.testing.assert_allclose(one, other[:, 2:6, 1:5], atol=1e-5)
        assert float(one.std()) > 0.05


def test_the_trunk_sees_as_many_cells_as_it_has_blocks():
    config = DefaultConfig(cell_bands=1, halo_cells=4, depth=2, width=8)
    module = DefaultNetwork(config, nnx.Rngs(0))
    apply, variables = functional(module), alive(module)
    cells = jnp.zeros((1, 9, 9, 1))
    valid = jnp.ones((1, 9, 9))
    run = jax.jit(lambda c: apply(variables, {"cells": c, "valid": valid})[0]["logit"])

    def change(distance):
        moved = cells.at[0, 4, 4 + distance, 0].set(5.0)
        return float(jnp.abs(run(moved) - run(cells)).max())

    assert change(0) > 1e-3
    assert change(2) > 1e-4
    assert change(3) == 0.0


def test_cells_that_are_not_mapped_are_not_seen():
    module = DefaultNetwork(CONFIG, nnx.Rngs(0))
    apply, variables = functional(module), alive(module)
    layers, cut = maps(CONFIG, 10, 10)
    layers["past"][:] = 0.0
    layers["valid"][4, 3] = 0.0
    run = jax.jit(lambda b: apply(variables, b)[0]["logit"])
    before = run(cut(3, 4, 4))
    for name in ("cells", "epochs", "past"):
        layers[name][..., 4, 3, :] = 1e3
    layers["pixels"][8:10, 6:8] = 1e3
    np.testing.assert_allclose(run(cut(3, 4, 4)), before, atol=1e-4)
    layers["valid"][4, 3] = 1.0
    assert float(jnp.abs(run(cut(3, 4, 4)) - before).max()) > 1e-2


def test_cells_that_are_not_mapped_are_like_the_end_of_the_world():
    """A layer norm makes something of nothing; a convolution must not see it."""
    cells = jnp.asarray(RNG.normal(size=(1, 8, 8, 1)), jnp.float32)
    inside = jnp.zeros((1, 8, 8)).at[:, 2:6, 2:6].set(1.0)
    logits = []
    for halo in (2, 0):
        config = DefaultConfig(cell_bands=1, halo_cells=halo, depth=2, width=8)
        module = DefaultNetwork(config, nnx.Rngs(0))
        cut = slice(2 - halo, 6 + halo)
        batch = {"cells": cells[:, cut, cut], "valid": inside[:, cut, cut]}
        logits.append(functional(module)(alive(module), batch)[0]["logit"])
    np.testing.assert_allclose(logits[0], logits[1], atol=1e-5)


def test_terrain_is_encoded_once_whatever_the_number_of_epochs(monkeypatch):
    seen = []
    call = TerrainEncoder.__call__

    def counting(self, pixels, rngs=None):
        seen.append(pixels.shape)
        return call(self, pixels, rngs)

    monkeypatch.setattr(TerrainEncoder, "__call__", counting)
    module = DefaultNetwork(CONFIG, nnx.Rngs(0))
    _, cut = maps(CONFIG, 10, 10, epochs=5)
    outputs = functional(module)(variables_of(module), cut(3, 3, 4))[0]
    assert outputs["logit"].shape == (1, 5, 4, 4)
    assert seen == [(1, 16, 16, 2)]


def test_epochs_are_treated_alike():
    module = DefaultNetwork(CONFIG, nnx.Rngs(0))
    apply, variables = functional(module), alive(module)
    batch = maps(CONFIG, 8, 8, epochs=3)[1](2, 2, 4)
    turned = {k: v[:, ::-1] if k in ("epochs", "past") else v for k, v in batch.items()}
    run = jax.jit(lambda b: apply(variables, b)[0]["logit"])
    np.testing.assert_allclose(run(turned), run(batch)[:, ::-1], atol=1e-5)


def test_past_records_can_be_switched_off():
    batch = maps(CONFIG, 8, 8)[1](2, 2, 4)
    changed = {**batch, "past": batch["past"] + 3.0}
    for use, expected in ((True, True), (False, False)):
        settings = {**{k: getattr(CONFIG, k) for k in vars(CONFIG)}, "use_past": use}
        module = DefaultNetwork(DefaultConfig(**settings), nnx.Rngs(0))
        apply, variables = functional(module), alive(module)
        run = jax.jit(lambda b, apply=apply, v=variables: apply(v, b)[0]["logit"])
        differs = float(jnp.abs(run(changed) - run(batch)).max()) > 1e-3
        assert differs == expected


def test_a_cell_without_a_record_is_forecast_from_terrain_and_triggers_alone():
    module = DefaultNetwork(CONFIG, nnx.Rngs(0))
    apply, variables = functional(module), alive(module)
    batch = maps(CONFIG, 8, 8)[1](2, 2, 4)
    blank = {**batch, "past": batch["past"].at[0, 0, 1, 2].set(0.0)}
    found = apply(variables, blank)[0]["logit"]
    terrain = apply(variables, without_record(batch))[0]["logit"]
    record = apply(variables, batch)[0]["logit"]
    assert float(found[0, 0, 1, 2]) == float(terrain[0, 0, 1, 2])
    others = np.ones(found.shape, bool)
    others[0, 0, 1, 2] = False
    np.testing.assert_array_equal(np.asarray(found)[others], np.asarray(record)[others])
    assert float(jnp.abs(terrain - record).min()) > 1e-4


def test_cells_with_a_record_teach_terrain_nothing_but_its_code():
    module = DefaultNetwork(CONFIG, nnx.Rngs(0))
    apply, variables = functional(module), alive(module)
    batch = maps(CONFIG, 8, 8)[1](2, 2, 4)

    def total(params, given):
        return jnp.sum(apply(variables._replace(params=params), given)[0]["logit"])

    taught = jax.grad(total)(variables.params, batch)
    moved = {name.split("/")[0].split(".")[0] for name, g in taught.items() if jnp.any(g != 0)}
    assert moved == {"record"}
    untouched = jax.grad(total)(variables.params, without_record(batch))
    assert not any(jnp.any(g != 0) for name, g in untouched.items() if name.startswith("record"))


def test_each_cell_epoch_trains_one_tower_and_a_forecast_is_their_mean():
    module = DefaultNetwork(CONFIG, nnx.Rngs(0))
    apply, variables = functional(module), alive(module)
    batch = maps(CONFIG, 30, 30)[1](5, 5, 20)

    def of(share_alone, share_informed):
        scaled = {
            name: v * (share_alone if "alone" in name else share_informed)
            if "alone" in name or "informed" in name
            else v
            for name, v in variables.params.items()
        }
        return apply(variables._replace(params=scaled), batch)[0]["logit"]

    both, alone, informed, none = of(1, 1), of(1, 0), of(0, 1), of(0, 0)
    np.testing.assert_allclose(both - none, (alone - none) + (informed - none), atol=1e-4)
    plain = DefaultNetwork(replace(CONFIG, dropout=0.0, record=RecordConfig(code_dropout=0.0)),
                           nnx.Rngs(0))  # fmt: skip
    trained = functional(plain)(variables, batch, key=jax.random.key(3), train=True)[0]["logit"]
    is_alone = np.isclose(trained, 2 * alone - none, atol=1e-4)
    is_informed = np.isclose(trained, 2 * informed - none, atol=1e-4)
    assert (is_alone | is_informed).all()
    assert 0.4 < is_alone.mean() < 0.6


@pytest.mark.parametrize("recorded", [False, True])
def test_training_starts_at_the_base_rate_and_the_stated_law(recorded):
    config = DefaultConfig(
        cell_bands=2, past_bands=3 * recorded, base_rate=0.07, mean_log_percent=-1.0,
        sd_log_percent=1.2,
    )  # fmt: skip
    module = DefaultNetwork(config, nnx.Rngs(0))
    cells = jnp.asarray(RNG.normal(size=(1, 12, 12, 2)), jnp.float32)
    batch = {"cells": cells, "valid": jnp.ones((1, 12, 12))}
    if recorded:
        batch["past"] = jnp.asarray(RNG.normal(size=(1, 2, 4, 4, 3)), jnp.float32)
    outputs, _ = functional(module)(variables_of(module), batch)
    np.testing.assert_allclose(jax.nn.sigmoid(outputs["logit"]), 0.07, rtol=1e-4)
    location, spread = module.law.parameters(outputs["law"])
    np.testing.assert_allclose(location, -1.0, rtol=1e-4)
    np.testing.assert_allclose(spread, 1.2, rtol=1e-4)
    np.testing.assert_allclose(outputs["density"], np.exp(-1.0 + 0.72), rtol=1e-2)


@pytest.mark.parametrize("factor", [1, 2, 3, 5, 6, 8, 16, 32])
def test_any_number_of_pixels_per_cell_becomes_one_vector(factor):
    encoder = TerrainEncoder(3, factor, 4, 0.0, jnp.float32, nnx.Rngs(0))
    shape = jax.eval_shape(encoder, jax.ShapeDtypeStruct((2, 2 * factor, 3 * factor, 3), "float32"))
    assert shape.shape == (2, 2, 3, encoder.features)
    assert np.prod(reductions(factor)) == factor


def test_pixels_are_folded_with_their_own_cell():
    cell = np.kron(np.arange(6.0).reshape(2, 3), np.ones((4, 4)))[None, :, :, None]
    folded = np.asarray(fold_pixels(jnp.asarray(cell), 4))
    assert folded.shape == (1, 2, 3, 16)
    np.testing.assert_array_equal(folded.std(axis=-1), 0.0)
    np.testing.assert_array_equal(folded[0, :, :, 0], np.arange(6.0).reshape(2, 3))


def test_the_summary_of_a_cell_is_its_mean_and_spread():
    encoder = TerrainEncoder(2, 4, 3, 0.0, jnp.float32, nnx.Rngs(0))
    pixels = RNG.normal(size=(1, 8, 8, 2)).astype(np.float32)
    summary = np.asarray(encoder(jnp.asarray(pixels)))[..., 3:]
    cell = pixels[0, 4:8, 0:4].reshape(-1, 2)
    np.testing.assert_allclose(summary[0, 1, 0], [*cell.mean(0), *cell.std(0)], atol=1e-4)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "without inputs"),
        ({"past_bands": 2, "use_past": False}, "without inputs"),
        ({"cell_bands": 1, "law": "normal"}, "law 'normal'"),
        ({"cell_bands": 1, "base_rate": 0.0}, "base rate 0.0"),
        ({"cell_bands": 1, "pixel_halo_cells": 9}, "pixel halo of 9 cells"),
    ],
)
def test_settings_that_make_no_network_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        DefaultConfig(**values)
