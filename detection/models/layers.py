"""Layers with the conventions of the published code (Keras), on arrays and on spans.

======================  ===================================  =============================
convention              Keras, used here                     default of Flax NNX
======================  ===================================  =============================
batch-norm epsilon      1e-3                                 1e-5
batch-norm momentum     0.99                                 0.99
kernel initialisation   Glorot uniform, or as stated         LeCun normal
bias                    present, zero                        present, zero
transposed kernel       (y, x, out, in), gradient of a       (y, x, in, out), a correlation
                        convolution with padding "same"
======================  ===================================  =============================

Padding is "same" as TensorFlow counts it: of an odd number of zeros the larger half comes after.
For running variances Keras' fused batch norm corrects for the sample size (n / (n - 1)); this one
does not: with at least 256 values per channel the difference is below 0.4 %.

A feature is an array (patch, y, x, band) or a `Span`; that is what `Feature` stands for.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from flax import nnx

from detection.models.span import Span

BATCH_NORM_EPSILON = 1e-3
BATCH_NORM_MOMENTUM = 0.99
INITIALISERS = {
    "glorot_uniform": jax.nn.initializers.glorot_uniform(),
    "glorot_normal": jax.nn.initializers.glorot_normal(),
    "he_normal": jax.nn.initializers.he_normal(),
}

Feature: TypeAlias = Any


class Convolution(nnx.Conv):
    """A square convolution, padding "same" or by a number of zeros on every side.

    Where windows neither overlap nor leave pixels out (1 x 1, or 2 x 2 with a stride of 2) it is a
    matrix product of windows; XLA's gradients of such convolutions take 2 to 4 times as long on a
    CPU.
    """

    def __init__(
        self,
        bands: int,
        out: int,
        size: int,
        *,
        stride: int = 1,
        zeros: int | None = None,
        bias: bool = True,
        initialiser: str = "glorot_uniform",
        dtype: Any,
        rngs: nnx.Rngs,
    ) -> None:
        padding: Any = "SAME" if zeros is None else ((zeros, zeros), (zeros, zeros))
        super().__init__(
            bands, out, (size, size), strides=(stride, stride), padding=padding, use_bias=bias,
            kernel_init=INITIALISERS[initialiser], dtype=dtype, param_dtype=jnp.float32, rngs=rngs,
        )  # fmt: skip
        # Sides are multiples of the stride: "same" puts size - stride zeros around.
        self.before = max(size - stride, 0) // 2 if zeros is None else zeros

    def __call__(self, x: Feature) -> Feature:
        """(patch, y, x, band) -> (patch, y / stride, x / stride, out)."""
        if isinstance(x, Span):
            return x.window(self.kernel_size[0], stride=self.strides[0], before=self.before)
        if self.kernel_size != self.strides or self.before:
            return super().__call__(x)
        x, kernel = (jnp.asarray(v, self.dtype) for v in (x, self.kernel[...]))
        y = window_products(x, kernel)
        return y if self.bias is None else y + jnp.asarray(self.bias[...], self.dtype)


def window_products(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolution by windows side by side: the kernel's size is its stride.

    Args:
        x: (patch, y, x, band), sides multiples of the kernel's.
        kernel: (y, x, band, out).

    Returns:
        (patch, y / size, x / size, out).

    Example:
        >>> window_products(jnp.ones((1, 2, 4, 1)), jnp.ones((2, 2, 1, 1)))[0, :, :, 0]
        Array([[4., 4.]], dtype=float32)
    """
    size, _, bands, out = kernel.shape
    patch, high, wide, _ = x.shape
    if size > 1:
        x = x.reshape(patch, high // size, size, wide // size, size, bands)
        x = x.transpose(0, 1, 3, 2, 4, 5)
    flat = x.reshape(-1, size * size * bands) @ kernel.reshape(-1, out)
    return flat.reshape(patch, high // size, wide // size, out)


class TransposedConvolution(nnx.ConvTranspose):
    """The gradient of a convolution with padding "same": `stride` times the size.

    On a CPU it is one matrix product and an addition of what falls on the same pixel: XLA takes the
    gradient of the kernel of a dilated convolution value by value there, 20 to 30 times slower.
    """

    def __init__(
        self,
        bands: int,
        out: int,
        size: int,
        *,
        stride: int = 2,
        initialiser: str = "glorot_uniform",
        dtype: Any,
        rngs: nnx.Rngs,
    ) -> None:
        super().__init__(
            bands, out, (size, size), strides=(stride, stride), padding="SAME",
            transpose_kernel=True, kernel_init=INITIALISERS[initialiser], dtype=dtype,
            param_dtype=jnp.float32, rngs=rngs,
        )  # fmt: skip

    def __call__(self, x: Feature) -> Feature:
        """(patch, y, x, band) -> (patch, y stride, x stride, out)."""
        if isinstance(x, Span):
            return x.transposed(self.kernel_size[0], self.strides[0])
        stride = self.strides[0]
        if stride == 1 or jax.default_backend() != "cpu":
            return super().__call__(x)
        x, kernel, bias = (
            jnp.asarray(v, self.dtype) for v in (x, self.kernel[...], self.bias[...])
        )
        return spread_products(x, kernel, stride) + bias


def spread_products(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """Transposed convolution, padding "same": each pixel gives a square of the kernel's size.

    Args:
        x: (patch, y, x, band).
        kernel: (y, x, out, band), as of the convolution of which this is the gradient.
        stride: of that convolution.

    Returns:
        (patch, y stride, x stride, out).

    Example:
        >>> pixel, kernel = jnp.ones((1, 1, 2, 1)), jnp.arange(9.0).reshape(3, 3, 1, 1)
        >>> spread_products(pixel, kernel, 2)[0, :, :, 0]
        Array([[0., 1., 2., 1.],
               [3., 4., 8., 4.]], dtype=float32)
    """
    size, _, out, bands = kernel.shape
    patch, high, wide, _ = x.shape
    # Taps to a multiple of the stride: a whole number of squares of the output.
    squares = -(-size // stride)
    more = squares * stride - size
    kernel = jnp.pad(kernel, ((0, more), (0, more), (0, 0), (0, 0)))
    flat = kernel.transpose(3, 0, 1, 2).reshape(bands, -1)
    taps = (squares, stride, squares, stride)
    spread = (x.reshape(-1, bands) @ flat).reshape(patch, high, wide, *taps, out)
    shifted = [
        jnp.pad(
            spread[:, :, :, i, :, j],
            ((0, 0), (i, squares - 1 - i), (j, squares - 1 - j), (0, 0), (0, 0), (0, 0)),
        )
        for i in range(squares)
        for j in range(squares)
    ]
    sums = sum(shifted[1:], shifted[0]).transpose(0, 1, 3, 2, 4, 5)
    before = max(size - stride, 0) // 2
    rows, columns = (slice(before, before + side * stride) for side in (high, wide))
    whole = [(side + squares - 1) * stride for side in (high, wide)]
    return sums.reshape(patch, *whole, out)[:, rows, columns]


class DepthwiseConvolution(nnx.Module):
    """A kernel of its own for every band, padding "same".

    On a CPU it is a sum of shifted products: XLA's grouped convolution is several times slower
    there.
    """

    def __init__(self, bands: int, size: int, *, dtype: Any, rngs: nnx.Rngs) -> None:
        # Every band sees size^2 values: LeCun's variance.
        draw = jax.random.truncated_normal(rngs.params(), -2.0, 2.0, (size, size, bands))
        self.kernel = nnx.Param(jnp.asarray(draw / (0.87962566 * size), jnp.float32))
        self.bias = nnx.Param(jnp.zeros(bands, jnp.float32))
        self.size = size
        self.dtype = dtype

    def __call__(self, x: Feature) -> Feature:
        """Same shape."""
        before = (self.size - 1) // 2
        if isinstance(x, Span):
            return x.window(self.size, before=before)
        kernel = jnp.asarray(self.kernel[...], self.dtype)
        bias = jnp.asarray(self.bias[...], self.dtype)
        x = jnp.asarray(x, self.dtype)
        if jax.default_backend() == "cpu":
            return shifted_products(x, kernel) + bias
        return grouped_convolution(x, kernel) + bias


def shifted_products(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Depthwise convolution of (patch, y, x, band) by a kernel (y, x, band), one tap at a time."""
    size = kernel.shape[0]
    pads = ((size - 1) // 2, size // 2)
    padded = jnp.pad(x, ((0, 0), pads, pads, (0, 0)))
    high, wide = x.shape[1:3]
    taps = [
        padded[:, i : i + high, j : j + wide] * kernel[i, j]
        for i in range(size)
        for j in range(size)
    ]
    return sum(taps[1:], taps[0])


def grouped_convolution(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """The same by XLA's grouped convolution."""
    return jax.lax.conv_general_dilated(
        x, kernel[:, :, None], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=x.shape[-1],
    )  # fmt: skip


class BatchNorm(nnx.BatchNorm):
    """Batch norm over all axes but the last; statistics in float32."""

    def __init__(self, bands: int, *, dtype: Any, rngs: nnx.Rngs) -> None:
        super().__init__(
            bands, momentum=BATCH_NORM_MOMENTUM, epsilon=BATCH_NORM_EPSILON, dtype=dtype,
            param_dtype=jnp.float32, rngs=rngs,
        )  # fmt: skip

    def __call__(self, x: Feature) -> Feature:
        """Same shape."""
        return x if isinstance(x, Span) else super().__call__(x)


class PixelNorm(nnx.LayerNorm):
    """Layer norm over the bands of each pixel: no batch, no neighbour and no date changes it."""

    def __init__(self, bands: int, *, dtype: Any, rngs: nnx.Rngs) -> None:
        super().__init__(bands, epsilon=1e-5, dtype=dtype, param_dtype=jnp.float32, rngs=rngs)

    def __call__(self, x: Feature) -> Feature:
        """Same shape."""
        return x if isinstance(x, Span) else super().__call__(x)


class Dropout(nnx.Dropout):
    """Dropout of values, or of whole bands of a patch; randomness comes in with the call."""

    def __init__(self, rate: float, *, whole_bands: bool = False) -> None:
        super().__init__(rate, broadcast_dims=(1, 2) if whole_bands else ())

    def __call__(self, x: Feature, *, rngs: nnx.Rngs | None = None) -> Feature:
        """Same shape."""
        return x if isinstance(x, Span) else super().__call__(x, rngs=rngs)


def relu(x: Feature) -> Feature:
    """max(x, 0)."""
    return x if isinstance(x, Span) else nnx.relu(x)


def gelu(x: Feature) -> Feature:
    """Gaussian error linear unit, tanh form."""
    return x if isinstance(x, Span) else nnx.gelu(x)


def sigmoid(x: Feature) -> Feature:
    """1 / (1 + exp(-x))."""
    return x if isinstance(x, Span) else nnx.sigmoid(x)


def add(x: Feature, *others: Feature) -> Feature:
    """Sum of maps."""
    if isinstance(x, Span):
        return x.joined(*others)
    return sum(others, x)


def subtract(x: Feature, y: Feature) -> Feature:
    """Difference of two maps."""
    return x.joined(y) if isinstance(x, Span) else x - y


def multiply(x: Feature, y: Feature) -> Feature:
    """Product of maps; one band is repeated."""
    return x.joined(y) if isinstance(x, Span) else x * y


def join(*maps: Feature) -> Feature:
    """One map of the bands of all, in order."""
    if isinstance(maps[0], Span):
        return maps[0].joined(*maps[1:])
    return jnp.concatenate(maps, axis=-1)


def max_pool(x: Feature, size: int = 2, *, before: int = 0) -> Feature:
    """Maximum over windows with a step of 2; pixels beyond the border never win.

    A maximum of shifted slices: XLA's own pooling has the same values, but a CPU takes its gradient
    value by value. Equal maxima share the gradient.

    Args:
        x: (patch, y, x, band), sides even.
        size: side of a window, 2 or 3.
        before: pixels of padding before the first window (size - 2 of them in all).

    Example:
        >>> max_pool(jnp.arange(16.0).reshape(1, 4, 4, 1))[0, :, :, 0]
        Array([[ 5.,  7.],
               [13., 15.]], dtype=float32)
    """
    if isinstance(x, Span):
        return x.window(size, stride=2, before=before)
    after = size - 2 - before
    if before or after:
        pads = (before, after + 1)
        x = jnp.pad(x, ((0, 0), pads, pads, (0, 0)), constant_values=-jnp.inf)
    high, wide = (2 * ((side - size) // 2 + 1) for side in x.shape[1:3])
    x = _largest([x[:, i : i + high : 2] for i in range(size)])
    return _largest([x[:, :, j : j + wide : 2] for j in range(size)])


def average_pool(x: Feature) -> Feature:
    """Mean of squares of 2 x 2 pixels.

    Example:
        >>> average_pool(jnp.arange(4.0).reshape(1, 2, 2, 1)).item()
        1.5
    """
    if isinstance(x, Span):
        return x.window(2, stride=2)
    patch, high, wide, band = x.shape
    return jnp.mean(x.reshape(patch, high // 2, 2, wide // 2, 2, band), axis=(2, 4))


def double(x: Feature, factor: int = 2) -> Feature:
    """Nearest-neighbour upsampling.

    Example:
        >>> double(jnp.array([[[[1.0], [2.0]]]]))[0, :, :, 0]
        Array([[1., 1., 2., 2.],
               [1., 1., 2., 2.]], dtype=float32)
    """
    if isinstance(x, Span):
        return x.repeated(factor)
    return jnp.repeat(jnp.repeat(x, factor, axis=1), factor, axis=2)


def interpolate(x: Feature, factor: int) -> Feature:
    """Bilinear upsampling by an even factor, pixel centres at halves.

    Example:
        >>> interpolate(jnp.array([[[[0.0], [4.0]]]]), 2)[0, 0, :, 0]
        Array([0., 1., 3., 4.], dtype=float32)
    """
    if isinstance(x, Span):
        return x.interpolated(factor)
    patch, high, wide, band = x.shape
    return jax.image.resize(x, (patch, high * factor, wide * factor, band), "bilinear")


def as_logit(x: Feature) -> Feature:
    """(patch, y, x, 1) -> (patch, y, x), float32."""
    return x if isinstance(x, Span) else jnp.asarray(x[..., 0], jnp.float32)


def _largest(maps: list[jax.Array]) -> jax.Array:
    best = maps[0]
    for other in maps[1:]:
        best = jnp.maximum(best, other)
    return best
