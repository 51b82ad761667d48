"""Move the pixels of one sample by an affine map: bilinear for values, nearest for masks.

A pixel of the result looks back to where it came from. That place is rounded to 1/256 of a pixel,
so that flips and quarter turns meet pixels exactly and copy them bit by bit. Where it lies behind
the edge of the patch there is nothing to copy: such pixels are *filled*.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from detection.augmentation.draws import determinant

STEPS_PER_PIXEL = 256.0


class Places(NamedTuple):
    """Where the pixels of a result come from.

    Attributes:
        row: (y, x) row of the source [pixel], a multiple of 1/256.
        column: (y, x) column of the source.
        inside: (y, x) False where that lies behind the edge.
    """

    row: Float[Array, "y x"]
    column: Float[Array, "y x"]
    inside: Bool[Array, "y x"]


def places(forward: Float[Array, "2 2"], shape: tuple[int, int]) -> Places:
    """Where the pixels come from, under a map about the centre of the patch.

    Args:
        forward: matrix on (column, row), from the source to the result.
        shape: rows and columns.

    Example:
        >>> places(jnp.asarray([[-1.0, 0.0], [0.0, 1.0]]), (1, 3)).column.tolist()
        [[2.0, 1.0, 0.0]]
    """
    height, width = shape
    middle_row, middle_column = (height - 1) / 2, (width - 1) / 2
    down = jnp.arange(height, dtype=jnp.float32)[:, None] - middle_row
    right = jnp.arange(width, dtype=jnp.float32)[None, :] - middle_column
    (a, b), (c, d) = forward
    area = determinant(forward)
    column = middle_column + (d * right - b * down) / area
    row = middle_row + (a * down - c * right) / area
    column = jnp.round(column * STEPS_PER_PIXEL) / STEPS_PER_PIXEL
    row = jnp.round(row * STEPS_PER_PIXEL) / STEPS_PER_PIXEL
    inside = (row >= 0) & (row <= height - 1) & (column >= 0) & (column <= width - 1)
    return Places(row, column, inside)


def bilinear(values: Float[Array, "y x channel"], at: Places) -> Float[Array, "y x channel"]:
    """Values between pixels; behind the edge those of the nearest pixel of the edge.

    A neighbour without weight has no say, be it NaN: a place that meets a pixel copies it.
    """
    height, width, channels = values.shape
    flat = values.reshape(height * width, channels)
    row = jnp.clip(at.row, 0, height - 1)
    column = jnp.clip(at.column, 0, width - 1)
    top, left = jnp.floor(row), jnp.floor(column)
    lower, righter = row - top, column - left
    first_row, first_column = top.astype(jnp.int32), left.astype(jnp.int32)
    total = jnp.zeros_like(values)
    for step_row, weight_row in ((0, 1 - lower), (1, lower)):
        for step_column, weight_column in ((0, 1 - righter), (1, righter)):
            r = jnp.minimum(first_row + step_row, height - 1)
            c = jnp.minimum(first_column + step_column, width - 1)
            weight = (weight_row * weight_column)[..., None]
            total += jnp.where(weight > 0, weight * _rows(flat, r * width + c), 0)
    return total


def nearest(values: Float[Array, "y x channel"], at: Places) -> Float[Array, "y x channel"]:
    """The values of the nearest pixels; halves go to the higher row and column."""
    height, width, channels = values.shape
    flat = values.reshape(height * width, channels)
    row = jnp.clip(jnp.floor(at.row + 0.5), 0, height - 1).astype(jnp.int32)
    column = jnp.clip(jnp.floor(at.column + 0.5), 0, width - 1).astype(jnp.int32)
    return _rows(flat, row * width + column)


def _rows(flat: Float[Array, "pixel channel"], index: Int[Array, "y x"]) -> Array:
    return flat.at[index].get(mode="promise_in_bounds")
