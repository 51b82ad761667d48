"""Encoder of the nested lattice: f x f pixels of each cell become one vector per cell."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

LARGEST_STEM = 4


def reductions(pixels_per_cell: int) -> tuple[int, ...]:
    """Factors by which the lattice shrinks to the cells: a stem of at most 4, then primes.

    Example:
        >>> reductions(32), reductions(6), reductions(1), reductions(7)
        ((4, 2, 2, 2), (3, 2), (1,), (1, 7))
    """
    if not 1 <= pixels_per_cell <= 64:
        raise ValueError(f"{pixels_per_cell} pixels per cell; use 1 to 64")
    stem = max(d for d in range(1, LARGEST_STEM + 1) if pixels_per_cell % d == 0)
    rest, factors = pixels_per_cell // stem, [stem]
    prime = 2
    while rest > 1:
        while rest % prime == 0:
            factors.append(prime)
            rest //= prime
        prime += 1
    return tuple(factors)


def fold_pixels(x: Float[Array, "patch y x band"], factor: int) -> Array:
    """(patch, y, x, band) -> (patch, y / f, x / f, f f band): pixels become bands."""
    if factor == 1:
        return x
    patch, rows, cols, band = x.shape
    nested = x.reshape(patch, rows // factor, factor, cols // factor, factor, band)
    moved = nested.transpose(0, 1, 3, 2, 4, 5)
    return moved.reshape(patch, rows // factor, cols // factor, factor * factor * band)


class PixelBlock(nnx.Module):
    """Layer norm, 3 x 3 convolution, GELU, 1 x 1 convolution, added to its input."""

    def __init__(self, width: int, dropout: float, dtype: Any, rngs: nnx.Rngs) -> None:
        self.norm = nnx.LayerNorm(width, dtype=dtype, rngs=rngs)
        self.conv = nnx.Conv(width, width, (3, 3), padding="SAME", dtype=dtype, rngs=rngs)
        self.dropout = nnx.Dropout(dropout)
        self.mix = nnx.Linear(
            width, width, kernel_init=nnx.initializers.zeros, dtype=dtype, rngs=rngs
        )

    def __call__(self, x: Array, rngs: nnx.Rngs | None) -> Array:
        """Same shape."""
        y = nnx.gelu(self.conv(self.norm(x)))
        return x + self.mix(self.dropout(y, rngs=rngs))


class TerrainEncoder(nnx.Module):
    """(patch, n f, n f, band) -> (patch, n, n, width).

    The stem folds up to 4 x 4 pixels into bands (a convolution whose stride equals its size, in
    the form that a CPU computes fastest); blocks alternate with the remaining reductions. Beside
    the learned code, the mean and the spread of every band within the cell are handed on: with
    few data a plain summary is hard to beat.
    """

    def __init__(
        self,
        bands: int,
        pixels_per_cell: int,
        width: int,
        dropout: float,
        dtype: Any,
        rngs: nnx.Rngs,
    ) -> None:
        stem, *rest = reductions(pixels_per_cell)
        self.pixels_per_cell = pixels_per_cell
        self.stem_factor, self.factors = stem, tuple(rest)
        self.stem = nnx.Linear(stem * stem * bands, width, dtype=dtype, rngs=rngs)
        for index, factor in enumerate(self.factors):
            setattr(self, f"block{index}", PixelBlock(width, dropout, dtype, rngs))
            down = nnx.Linear(factor * factor * width, width, dtype=dtype, rngs=rngs)
            setattr(self, f"down{index}", down)
        self.features = width + (2 * bands if pixels_per_cell > 1 else bands)

    def __call__(
        self, pixels: Float[Array, "patch y x band"], rngs: nnx.Rngs | None = None
    ) -> Float[Array, "patch n n feature"]:
        """Code and summary of every cell."""
        x = nnx.gelu(self.stem(fold_pixels(pixels, self.stem_factor)))
        for index, factor in enumerate(self.factors):
            x = getattr(self, f"block{index}")(x, rngs)
            x = nnx.gelu(getattr(self, f"down{index}")(fold_pixels(x, factor)))
        return jnp.concatenate([x, self._summary(pixels).astype(x.dtype)], axis=-1)

    def _summary(self, pixels: Array) -> Array:
        f = self.pixels_per_cell
        if f == 1:
            return pixels
        patch, rows, cols, band = pixels.shape
        nested = jnp.asarray(pixels, jnp.float32).reshape(patch, rows // f, f, cols // f, f, band)
        mean = jnp.mean(nested, axis=(2, 4))
        variance = jnp.mean(jnp.square(nested - mean[:, :, None, :, None]), axis=(2, 4))
        # 1e-6: the slope of a square root at 0 is infinite, and flat cells exist.
        return jnp.concatenate([mean, jnp.sqrt(variance + 1e-6)], axis=-1)
