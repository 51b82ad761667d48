"""Max pooling whose gradient is quick on a CPU.

XLA computes the gradient of a max pool by `select_and_scatter`, which a CPU runs value by value.
Here the backward pass finds, for every window, the place of its first maximum in row-major order
(the place that `select_and_scatter` picks, ties included), and adds up the shifted gradients of
each phase of the stride; all of it vectorised over patches and bands. The values are the same, up
to the order in which the at most ceil(size / stride)^2 windows of a pixel are summed.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

Padding = tuple[int, int]


def max_pool(
    x: Float[Array, "patch y x band"], size: int, stride: int, padding: str = "VALID"
) -> Float[Array, "patch y_ x_ band"]:
    """Maximum over square windows; pixels beyond the border never win.

    Args:
        x: channels last.
        size: side of a window.
        stride: step from one window to the next.
        padding: ``"VALID"``, windows that lie wholly inside, or ``"SAME"``, one window per
            `stride` pixels.

    Example:
        >>> max_pool(jnp.arange(16.0).reshape(1, 4, 4, 1), 2, 2)[0, :, :, 0]
        Array([[ 5.,  7.],
               [13., 15.]], dtype=float32)
    """
    if jax.default_backend() == "cpu":
        return _scattered_pool(x, size, stride, padding)
    return plain_max_pool(x, size, stride, padding)


def plain_max_pool(
    x: Float[Array, "patch y x band"], size: int, stride: int, padding: str = "VALID"
) -> Float[Array, "patch y_ x_ band"]:
    """The same with XLA's own gradient, which suits a GPU."""
    return jax.lax.reduce_window(
        x,
        -jnp.inf,
        jax.lax.max,
        window_dimensions=(1, size, size, 1),
        window_strides=(1, stride, stride, 1),
        padding=padding,
    )


@partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3))
def _scattered_pool(x: Array, size: int, stride: int, padding: str) -> Array:
    return plain_max_pool(x, size, stride, padding)


def _forward(x: Array, size: int, stride: int, padding: str) -> tuple[Array, tuple[Array, Array]]:
    y = plain_max_pool(x, size, stride, padding)
    return y, (x, y)


def _backward(
    size: int, stride: int, padding: str, kept: tuple[Array, Array], gradient: Array
) -> tuple[Array]:
    x, y = kept
    rows, cols = (_pads(x.shape[a], y.shape[a], size, stride, padding) for a in (1, 2))
    place = _first_maximum(x, y, size, stride, rows, cols)
    phases = jnp.stack(
        [
            jnp.stack([_phase(place, gradient, size, stride, p, q) for q in range(stride)], axis=3)
            for p in range(stride)
        ],
        axis=2,
    )
    patch, high, _, wide, _, band = phases.shape
    padded = phases.reshape(patch, high * stride, wide * stride, band)
    # Windows need not reach the last pixels: those have no gradient.
    after = [
        (0, max(0, pads[0] + n - side))
        for pads, n, side in zip((rows, cols), x.shape[1:3], padded.shape[1:3], strict=True)
    ]
    padded = jnp.pad(padded, ((0, 0), *after, (0, 0)))
    return (padded[:, rows[0] : rows[0] + x.shape[1], cols[0] : cols[0] + x.shape[2]],)


_scattered_pool.defvjp(_forward, _backward)


def _pads(side: int, pooled: int, size: int, stride: int, padding: str) -> Padding:
    if padding == "VALID":
        return 0, 0
    total = max((pooled - 1) * stride + size - side, 0)
    return total // 2, total - total // 2


def _first_maximum(
    x: Array, y: Array, size: int, stride: int, rows: Padding, cols: Padding
) -> Int[Array, "patch y_ x_ band"]:
    """Number of the first pixel, row by row, of each window that holds its maximum."""
    padded = jnp.pad(x, ((0, 0), rows, cols, (0, 0)), constant_values=-jnp.inf)
    high, wide = ((n - 1) * stride + 1 for n in y.shape[1:3])
    place = jnp.full(y.shape, size * size, jnp.int16)
    for number in reversed(range(size * size)):
        i, j = divmod(number, size)
        pixel = padded[:, i : i + high : stride, j : j + wide : stride]
        place = jnp.where(pixel == y, jnp.int16(number), place)
    return place


def _phase(place: Array, gradient: Array, size: int, stride: int, p: int, q: int) -> Array:
    """Gradient of the padded pixels (p + stride m, q + stride n)."""
    reach = (size - 1) // stride
    total = jnp.zeros((), gradient.dtype)
    for i in range(p, size, stride):
        for j in range(q, size, stride):
            down, right = i // stride, j // stride
            shift = ((0, 0), (down, reach - down), (right, reach - right), (0, 0))
            won = jnp.where(place == i * size + j, gradient, 0)
            total = total + jnp.pad(won, shift)
    if total.ndim:
        return total
    # A stride beyond the size skips these pixels.
    patch, high, wide, band = gradient.shape
    return jnp.zeros((patch, high + reach, wide + reach, band), gradient.dtype)
