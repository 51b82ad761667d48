"""Layers against independent formulas: pooling, transposed and depthwise convolutions, padding."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from detection.models.layers import (
    BatchNorm,
    Convolution,
    TransposedConvolution,
    grouped_convolution,
    interpolate,
    max_pool,
    shifted_products,
    spread_products,
    window_products,
)

F32 = {"dtype": jnp.float32}


def random(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


@pytest.mark.parametrize(("size", "before"), [(2, 0), (3, 1)])
def test_max_pool_is_that_of_xla(size, before):
    x = random(2, 8, 6, 3)

    def plain(x):
        pads = ((0, 0), (before, 0), (before, 0), (0, 0))
        dims, steps = (1, size, size, 1), (1, 2, 2, 1)
        return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, dims, steps, pads)

    ours = max_pool(x, size, before=before)
    assert ours.shape == (2, 4, 3, 3)
    np.testing.assert_array_equal(ours, plain(x))
    pull = random(2, 4, 3, 3, seed=1)
    for f, g in zip(
        *(jax.vjp(p, x)[1](pull) for p in (plain, lambda x: max_pool(x, size, before=before))),
        strict=True,
    ):
        np.testing.assert_allclose(f, g, rtol=1e-6)


def test_ties_share_the_gradient():
    gradient = jax.grad(lambda x: max_pool(x).sum())(jnp.zeros((1, 2, 2, 1)))
    np.testing.assert_array_equal(gradient, 0.25)


@pytest.mark.parametrize("size", [1, 2])
def test_window_products_are_the_convolution_of_xla_gradients_included(size):
    x, kernel = random(2, 4, 6, 5), random(size, size, 5, 3, seed=1)

    def plain(x, kernel):
        return jax.lax.conv_general_dilated(
            x, kernel, (size, size), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    (one, back), (other, back_) = jax.vjp(plain, x, kernel), jax.vjp(window_products, x, kernel)
    pull = random(*one.shape, seed=2)
    for a, b in zip((one, *back(pull)), (other, *back_(pull)), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=2e-5)
    layer = Convolution(5, 3, size, stride=size, rngs=nnx.Rngs(0), **F32)
    layer.bias[...] = jnp.arange(3.0)
    np.testing.assert_allclose(
        layer(x), plain(x, layer.kernel[...]) + jnp.arange(3.0), rtol=0, atol=2e-5
    )


@pytest.mark.parametrize(("size", "stride"), [(2, 2), (3, 2), (5, 3)])
def test_spread_products_are_the_transposed_convolution_of_xla_gradients_included(size, stride):
    x, kernel = random(2, 4, 3, 5), random(size, size, 4, 5, seed=1)

    def plain(x, kernel):
        return jax.lax.conv_transpose(
            x, kernel, (stride, stride), "SAME", transpose_kernel=True,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )  # fmt: skip

    def ours(x, kernel):
        return spread_products(x, kernel, stride)

    pull = random(2, 4 * stride, 3 * stride, 4, seed=2)
    (one, back), (other, back_) = jax.vjp(plain, x, kernel), jax.vjp(ours, x, kernel)
    for a, b in zip((one, *back(pull)), (other, *back_(pull)), strict=True):
        # Sums of some ten to hundred products of order 1.
        np.testing.assert_allclose(a, b, rtol=0, atol=2e-5)


@pytest.mark.parametrize(("size", "stride"), [(2, 2), (3, 2), (3, 1)])
def test_transposed_convolution_is_the_gradient_of_a_same_convolution(size, stride):
    """Keras' convention, by its definition: kernel (y, x, out, in), gradient with respect to x."""
    layer = TransposedConvolution(3, 5, size, stride=stride, rngs=nnx.Rngs(0), **F32)
    assert layer.kernel[...].shape == (size, size, 5, 3)
    small = random(2, 4, 6, 3)

    def forward(large):
        return jax.lax.conv_general_dilated(
            large, layer.kernel[...], (stride, stride), "SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )  # fmt: skip

    (expected,) = jax.vjp(forward, jnp.zeros((2, 4 * stride, 6 * stride, 5)))[1](small)
    np.testing.assert_allclose(layer(small), expected, atol=1e-6)


def test_transposed_convolution_spreads_a_pixel_where_keras_does():
    layer = TransposedConvolution(1, 1, 3, rngs=nnx.Rngs(0), **F32)
    kernel = jnp.arange(1.0, 10.0).reshape(3, 3, 1, 1)
    layer.kernel[...] = kernel
    y = layer(jnp.zeros((1, 2, 2, 1)).at[0, 0, 0, 0].set(1.0))
    np.testing.assert_array_equal(y[0, :3, :3, 0], kernel[:, :, 0, 0])
    np.testing.assert_array_equal(y[0, 3, :, 0], 0.0)


def test_same_padding_puts_the_larger_half_after():
    layer = Convolution(1, 1, 2, rngs=nnx.Rngs(0), **F32)
    layer.kernel[...] = jnp.arange(1.0, 5.0).reshape(2, 2, 1, 1)
    y = layer(jnp.zeros((1, 3, 3, 1)).at[0, 0, 0, 0].set(1.0))
    np.testing.assert_array_equal(y[0, :, :, 0], np.diag([1.0, 0.0, 0.0]))


@pytest.mark.parametrize("size", [3, 5])
def test_both_depthwise_formulas_agree(size):
    x, kernel = random(2, 7, 6, 4), random(size, size, 4, seed=1)
    np.testing.assert_allclose(
        shifted_products(x, kernel), grouped_convolution(x, kernel), atol=1e-5
    )


def test_interpolation_keeps_a_slope():
    ramp = jnp.broadcast_to(jnp.arange(6.0)[None, None, :, None], (1, 4, 6, 1))
    fine = interpolate(ramp, 4)[0, 5, :, 0]
    np.testing.assert_allclose(jnp.diff(fine)[2:-2], 0.25, atol=1e-6)


def test_batch_norm_follows_keras():
    norm = BatchNorm(2, rngs=nnx.Rngs(0), **F32)
    x = 3.0 + 2.0 * random(4, 8, 8, 2)
    norm.train()
    y = norm(x)
    mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
    np.testing.assert_allclose(y, (x - mean) / jnp.sqrt(var + 1e-3), atol=1e-5)
    np.testing.assert_allclose(norm.mean[...], 0.01 * mean, rtol=1e-4)
    np.testing.assert_allclose(norm.var[...], 0.99 + 0.01 * var, rtol=1e-5)
