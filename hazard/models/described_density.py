"""The density block as the paper's text describes it: one convolution block, six dense blocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array

from hazard.models.base import ComputeType, compute_dtype
from hazard.models.keras_layers import batch_norm, convolution, dense
from hazard.models.max_pooling import max_pool
from hazard.models.reference_density import cut_cells, patches_of_cells


@dataclass(frozen=True, kw_only=True)
class DescribedDensityConfig:
    """Settings of the density block of the paper's text, which names no sizes.

    Attributes:
        bands: predictors per pixel.
        pixels_per_cell: pixels along one side of a cell.
        filters: channels of the convolution.
        widths: features of the six dense blocks.
        dropout: share of features dropped in each.
        compute: type of the computation.
    """

    bands: int = 13
    pixels_per_cell: int = 32
    filters: int = 32
    widths: tuple[int, ...] = (512, 256, 128, 64, 32, 16)
    dropout: float = 0.2
    compute: ComputeType = "float32"


class DenseBlock(nnx.Module):
    """Dense with ReLU, batch norm, dropout."""

    def __init__(
        self, features: int, out: int, dropout: float, dtype: object, rngs: nnx.Rngs
    ) -> None:
        self.dense = dense(features, out, dtype=dtype, rngs=rngs)
        self.norm = batch_norm(out, dtype=dtype, rngs=rngs)
        self.dropout = nnx.Dropout(dropout)

    def __call__(self, x: Array, rngs: nnx.Rngs | None) -> Array:
        """(cell, feature) -> (cell, feature_)."""
        return self.dropout(self.norm(nnx.relu(self.dense(x))), rngs=rngs)


class DescribedDensity(nnx.Module):
    """(patch, n f, n f, band) -> area density (patch, n, n), each cell alone.

    The output has a softplus: densities are not negative, and unlike a ReLU it cannot die.
    """

    def __init__(self, config: DescribedDensityConfig, rngs: nnx.Rngs) -> None:
        dtype = compute_dtype(config.compute)
        self.pixels_per_cell = config.pixels_per_cell
        self.blocks = len(config.widths)
        self.conv = convolution(
            config.bands, config.filters, 3, padding="SAME", dtype=dtype, rngs=rngs
        )
        self.norm = batch_norm(config.filters, dtype=dtype, rngs=rngs)
        # Two poolings by 2 keep 8 x 8 places of a cell of 32 pixels.
        features = config.filters * (config.pixels_per_cell // 4) ** 2
        for index, width in enumerate(config.widths):
            setattr(self, f"block{index}", DenseBlock(features, width, config.dropout, dtype, rngs))
            features = width
        self.out = dense(features, 1, dtype=dtype, rngs=rngs)

    def __call__(
        self, batch: Mapping[str, Array], *, rngs: nnx.Rngs | None = None
    ) -> dict[str, Array]:
        """Area density per cell on the scale of the target."""
        pixels = batch["pixels"]
        x = nnx.relu(self.norm(self.conv(cut_cells(pixels, self.pixels_per_cell))))
        x = max_pool(max_pool(x, 2, 2), 2, 2)
        x = x.reshape(x.shape[0], -1)
        for index in range(self.blocks):
            x = getattr(self, f"block{index}")(x, rngs)
        cells = nnx.softplus(jnp.asarray(self.out(x)[:, 0], jnp.float32))
        return {"density": patches_of_cells(cells, pixels, self.pixels_per_cell)}
