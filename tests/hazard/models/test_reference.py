"""The published pair: the printed numbers of parameters, and cells that are cut correctly."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from hazard.models.pair import PairConfig, build_reference
from hazard.models.reference_density import (
    ReferenceDensity,
    ReferenceDensityConfig,
    cut_cells,
    patches_of_cells,
)
from hazard.models.reference_susceptibility import (
    ReferenceSusceptibility,
    ReferenceSusceptibilityConfig,
)
from hazard.training.functional import count_parameters, functional, variables_of


def test_the_susceptibility_network_has_the_printed_number_of_parameters():
    build = lambda rngs: ReferenceSusceptibility(ReferenceSusceptibilityConfig(bands=13), rngs)  # noqa: E731
    assert count_parameters(build) == 23_556_931


def test_the_density_network_has_its_number_of_parameters():
    build = lambda rngs: ReferenceDensity(ReferenceDensityConfig(bands=13), rngs)  # noqa: E731
    assert count_parameters(build) == 682_241


def test_patches_of_128_pixels_become_4_x_4_cells():
    module = nnx.eval_shape(lambda: build_reference(PairConfig(), nnx.Rngs(0)))
    variables = variables_of(module)
    batch = {"pixels": jax.ShapeDtypeStruct((2, 128, 128, 13), jnp.float32)}
    apply = functional(module)
    outputs = jax.eval_shape(lambda v, b: apply(v, b)[0], variables, batch)
    assert outputs["logit"].shape == outputs["density"].shape == (2, 4, 4)


def test_every_cell_is_cut_with_its_own_pixels():
    n, f = 4, 32
    number = np.arange(n * n, dtype=np.float32).reshape(n, n)
    pixels = np.kron(number, np.ones((f, f), np.float32))[None, :, :, None]
    two = jnp.asarray(np.concatenate([pixels, pixels + 100]))
    cells = cut_cells(two, f)
    assert cells.shape == (2 * n * n, f, f, 1)
    for index, cell in enumerate(np.asarray(cells)):
        assert np.unique(cell).tolist() == [100 * (index // 16) + index % 16]
    # What the published code does instead: a strip of 8 rows crosses all four cells of a row.
    strip = np.asarray(two).reshape(-1, f, f, 1)[0]
    assert np.unique(strip).size == 4
    back = patches_of_cells(cells[:, 0, 0, 0], two, f)
    np.testing.assert_array_equal(back[0], number)


def test_the_density_of_a_cell_depends_on_its_own_pixels_alone():
    module = ReferenceDensity(ReferenceDensityConfig(bands=2, pixels_per_cell=16), nnx.Rngs(0))
    apply, variables = functional(module), variables_of(module)
    # Every ReLU alive, so that any change in the input can be seen.
    params = {n: jnp.abs(v) if n.endswith("kernel") else v for n, v in variables.params.items()}
    variables = variables._replace(params=params)
    pixels = np.random.default_rng(0).random((1, 64, 64, 2)).astype(np.float32)
    changed = pixels.copy()
    changed[0, 16:32, 32:48] += 1.0  # the cell in row 1, column 2
    run = jax.jit(lambda p: apply(variables, {"pixels": p})[0]["density"])
    difference = np.abs(np.asarray(run(changed) - run(pixels)))[0]
    assert difference[1, 2] > 1e-3
    difference[1, 2] = 0.0
    assert difference.max() == 0.0


def test_conventions_are_those_of_keras():
    module = ReferenceDensity(ReferenceDensityConfig(bands=3), nnx.Rngs(0))
    assert module.stem_norm.epsilon == 1e-3
    assert module.stem_norm.momentum == 0.99
    for name, value in variables_of(module).params.items():
        if name.endswith("bias"):
            assert float(jnp.abs(value).max()) == 0.0, name
    kernel = np.asarray(module.dense1.kernel[...])
    limit = np.sqrt(6 / sum(kernel.shape))
    assert np.abs(kernel).max() <= limit
    assert np.abs(kernel).max() > 0.98 * limit
    assert kernel.std() == pytest.approx(limit / np.sqrt(3), rel=0.02)


def test_the_reference_has_32_pixels_per_cell():
    with pytest.raises(ValueError, match="16 pixels per cell; the reference has 32"):
        build_reference(PairConfig(pixels_per_cell=16), nnx.Rngs(0))
    with pytest.raises(ValueError, match="use at least"):
        ReferenceDensity(ReferenceDensityConfig(pixels_per_cell=4), nnx.Rngs(0))
