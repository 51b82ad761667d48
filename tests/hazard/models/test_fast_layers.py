"""Layers rewritten for speed compute what the plain ones compute, gradients included."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

from hazard.models import doubled_convolution as doubled
from hazard.models import max_pooling as pooling
from hazard.models.described_susceptibility import ConvNorm


def gradients(layer: Callable[..., jax.Array], inputs: tuple[Any, ...], seed: int) -> Any:
    """Output, and gradients for a random gradient of the output."""
    out, back = jax.vjp(layer, *inputs)
    direction = np.random.default_rng(seed).standard_normal(out.shape)
    return out, back(jnp.asarray(direction, out.dtype))


@settings(max_examples=12, deadline=None)
@given(
    rows=st.integers(4, 11),
    cols=st.integers(4, 11),
    size=st.integers(1, 4),
    stride=st.integers(1, 4),
    padding=st.sampled_from(["VALID", "SAME"]),
    # Few levels: ties in most windows, as after a ReLU.
    levels=st.sampled_from([2, 5, 10**6]),
    seed=st.integers(0, 10**6),
)
def test_pooled_gradient_is_that_of_xla_ties_included(
    rows: int, cols: int, size: int, stride: int, padding: str, levels: int, seed: int
) -> None:
    values = np.random.default_rng(seed).integers(0, levels, (2, rows, cols, 3))
    x = jnp.asarray(values / levels - 0.5, jnp.float32)

    def ours(x: jax.Array) -> jax.Array:
        return pooling.max_pool(x, size, stride, padding)

    def plain(x: jax.Array) -> jax.Array:
        return pooling.plain_max_pool(x, size, stride, padding)

    out, (grad,) = gradients(ours, (x,), seed)
    expected, (expected_grad,) = gradients(plain, (x,), seed)
    np.testing.assert_array_equal(out, expected)
    # At most 16 windows meet in a pixel and are summed in another order.
    np.testing.assert_allclose(grad, expected_grad, rtol=0, atol=1e-5)


def test_a_tie_goes_to_the_first_pixel_of_the_window() -> None:
    grad = jax.grad(lambda x: pooling.max_pool(x, 2, 2).sum())(jnp.zeros((1, 4, 4, 1)))
    expected = np.zeros((4, 4))
    expected[::2, ::2] = 1
    np.testing.assert_array_equal(grad[0, :, :, 0], expected)


def test_pooling_keeps_bfloat16_and_passes_vmap() -> None:
    x = jnp.asarray(np.random.default_rng(1).standard_normal((2, 2, 6, 6, 3)), jnp.bfloat16)

    def total(x: jax.Array, pool: Callable[..., jax.Array]) -> jax.Array:
        return (pool(x, 3, 2, "SAME").astype(jnp.float32) ** 2).sum()

    ours = jax.vmap(jax.grad(lambda x: total(x, pooling.max_pool)))(x)
    plain = jnp.stack([jax.grad(lambda x: total(x, pooling.plain_max_pool))(x_) for x_ in x])
    assert ours.dtype == jnp.bfloat16
    # Up to four bfloat16 numbers (8 bits) are summed.
    np.testing.assert_allclose(
        ours.astype(jnp.float32), plain.astype(jnp.float32), rtol=2**-6, atol=2**-6
    )


@pytest.mark.parametrize("bands_out", [8, doubled.JOINT_BANDS])
@pytest.mark.parametrize("bands_skip", [0, 5])
@pytest.mark.parametrize("side", [(1, 3), (4, 3)])
def test_convolution_of_a_doubled_image_needs_no_doubling(
    bands_out: int, bands_skip: int, side: tuple[int, int]
) -> None:
    rng = np.random.default_rng(2)
    rows, cols = side
    x = jnp.asarray(rng.standard_normal((2, rows, cols, 6)), jnp.float32)
    kernel = jnp.asarray(rng.standard_normal((3, 3, 6 + bands_skip, bands_out)), jnp.float32)
    skip = rng.standard_normal((2, 2 * rows, 2 * cols, bands_skip)).astype(np.float32)
    inputs = (x, kernel, jnp.asarray(skip)) if bands_skip else (x, kernel)

    def of(layer: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
        return lambda x, kernel, skip=None: layer(x, skip, kernel)

    found, found_grads = gradients(of(doubled.folded_doubled_convolution), inputs, 3)
    plain, plain_grads = gradients(of(doubled.plain_doubled_convolution), inputs, 3)
    assert found.shape == (2, 2 * rows, 2 * cols, bands_out)
    for a, b in zip((found, *found_grads), (plain, *plain_grads), strict=True):
        # Sums of some hundred products of order 1.
        np.testing.assert_allclose(a, b, rtol=0, atol=2e-6 * float(jnp.abs(b).max()) + 1e-6)


def test_a_decoder_layer_is_the_plain_one_of_the_doubled_and_joined_image() -> None:
    rng = np.random.default_rng(4)
    layer = ConvNorm(7, 8, 3, 1, jnp.float32, nnx.Rngs(5))
    plain = ConvNorm(7, 8, 3, 1, jnp.float32, nnx.Rngs(5))
    x = jnp.asarray(rng.standard_normal((2, 4, 4, 5)), jnp.float32)
    skip = jnp.asarray(rng.standard_normal((2, 8, 8, 2)), jnp.float32)
    expected = plain(jnp.concatenate([doubled.double(x), skip], axis=-1))
    np.testing.assert_allclose(layer.of_doubled(x, skip), expected, rtol=0, atol=1e-5)
    assert float(expected.max()) > 1
    np.testing.assert_allclose(layer.norm.mean[...], plain.norm.mean[...], rtol=0, atol=1e-6)
    np.testing.assert_allclose(layer.norm.var[...], plain.norm.var[...], rtol=1e-5)
