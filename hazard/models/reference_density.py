"""The published density network, as its code has it, fed with cells that are cut correctly.

The published code reshapes (patch, 128, 128, band) straight to (16 patch, 32, 32, band): strips of
8 rows and 128 columns instead of cells, each paired with the label of some cell. Here a patch is
cut into its own cells. 682,241 trainable parameters for 32 x 32 x 13.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from hazard.models.base import ComputeType, compute_dtype
from hazard.models.keras_layers import batch_norm, convolution, dense, zero_pad
from hazard.models.max_pooling import max_pool


@dataclass(frozen=True, kw_only=True)
class ReferenceDensityConfig:
    """Settings of the published density network.

    Attributes:
        bands: predictors per pixel.
        pixels_per_cell: pixels along one side of a cell.
        compute: type of the computation.
    """

    bands: int = 13
    pixels_per_cell: int = 32
    compute: ComputeType = "float32"


def cut_cells(
    pixels: Float[Array, "patch y x band"], pixels_per_cell: int
) -> Float[Array, "cell f f band"]:
    """(patch, n f, n f, band) -> (patch n n, f, f, band), each cell with its own pixels.

    Example:
        >>> cells = cut_cells(jnp.arange(16.0).reshape(1, 4, 4, 1), 2)
        >>> cells[1, :, :, 0]
        Array([[2., 3.],
               [6., 7.]], dtype=float32)
    """
    patch, rows, cols, band = pixels.shape
    f = pixels_per_cell
    nested = pixels.reshape(patch, rows // f, f, cols // f, f, band)
    return nested.transpose(0, 1, 3, 2, 4, 5).reshape(-1, f, f, band)


def patches_of_cells(
    values: Float[Array, " cell"], like: Float[Array, "patch y x band"], pixels_per_cell: int
) -> Float[Array, "patch n n"]:
    """Values of cells, in the order of `cut_cells`, back as patches."""
    patch, rows, cols, _ = like.shape
    return values.reshape(patch, rows // pixels_per_cell, cols // pixels_per_cell)


class ReferenceDensity(nnx.Module):
    """(patch, n 32, n 32, band) -> area density [percent] (patch, n, n), each cell alone.

    Zero-pad 3, convolution 4 x 4 with stride 2 to 64, batch norm, ReLU, max-pool 3 / 2, dense 128
    on the channels with ReLU, batch norm, max-pool 3 / 2, then dense 512, 128, 32 and 1, all with
    ReLU, the output too: what it returns is never negative, and a unit that dies stays at zero.
    """

    def __init__(self, config: ReferenceDensityConfig, rngs: nnx.Rngs) -> None:
        dtype = compute_dtype(config.compute)
        self.pixels_per_cell = config.pixels_per_cell
        self.stem = convolution(config.bands, 64, 4, stride=2, dtype=dtype, rngs=rngs)
        self.stem_norm = batch_norm(64, dtype=dtype, rngs=rngs)
        self.channels = dense(64, 128, dtype=dtype, rngs=rngs)
        self.channels_norm = batch_norm(128, dtype=dtype, rngs=rngs)
        side = _pooled(_pooled((config.pixels_per_cell + 2) // 2 + 1))
        if side < 1:
            raise ValueError(f"{config.pixels_per_cell} pixels per cell; use at least 14")
        self.dense1 = dense(side * side * 128, 512, dtype=dtype, rngs=rngs)
        self.dense2 = dense(512, 128, dtype=dtype, rngs=rngs)
        self.dense3 = dense(128, 32, dtype=dtype, rngs=rngs)
        self.out = dense(32, 1, dtype=dtype, rngs=rngs)

    def __call__(
        self, batch: Mapping[str, Array], *, rngs: nnx.Rngs | None = None
    ) -> dict[str, Array]:
        """Area density per cell on the scale of the target; `rngs` is not used."""
        del rngs
        pixels = batch["pixels"]
        x = zero_pad(cut_cells(pixels, self.pixels_per_cell), 3)
        x = max_pool(nnx.relu(self.stem_norm(self.stem(x))), 3, 2)
        x = max_pool(self.channels_norm(nnx.relu(self.channels(x))), 3, 2)
        x = x.reshape(x.shape[0], -1)
        for layer in (self.dense1, self.dense2, self.dense3, self.out):
            x = nnx.relu(layer(x))
        cells = jnp.asarray(x[:, 0], jnp.float32)
        return {"density": patches_of_cells(cells, pixels, self.pixels_per_cell)}


def _pooled(side: int) -> int:
    return (side - 3) // 2 + 1
