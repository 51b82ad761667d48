"""Our own network: what earlier epochs showed where there is a record, terrain and triggers else.

Data flow, per patch of n x n cells with a halo of h cells on each side (m = n + 2 h):

- ``pixels`` (patch, (n + 2 q) f, ., band): terrain on the nested lattice, q <= h cells of halo;
  encoded to one vector per cell **once**, whatever the number of epochs;
- ``cells`` (patch, m, m, band): static layers on the cell grid;
- ``epochs`` (patch, fresh, m, m, band): triggers and descriptors of those epochs in which some
  cell has no record: all of them, or the numbers in ``fresh`` (patch, fresh);
- ``valid`` (patch, m, m): 1 where a cell is mapped; everything else is zero and stays zero;
- ``past`` (patch, epoch, n, n, band): what earlier epochs showed in a cell and around it, the
  record of any forecaster; exactly zero in all bands where there is none.

Cells without a record are forecast from terrain and triggers:

- a convolutional trunk of `depth` blocks on the cell grid sees `depth` cells in each direction.
  With h >= depth no border of a patch is seen by its core, so a cell's prediction does not depend
  on the patch in which it is computed (exactly so where q = h, or without pixels);
- two heads on the n x n core: the logit of presence, and a positive law for the density where
  there is any. Both have a direct linear path from the inputs, so that training starts at the
  base rate and a generalised linear model, and the trunk adds what that misses.

Cells with a record are forecast from it (`hazard.models.record_towers`), by the same two heads:
where landslides have been seen tells more than terrain, and a few training epochs would let a
network that reads both learn the terrain of single cells by heart.

The density that is returned is the law's mean, E[density | density > 0]: susceptibility x density
is the expected density.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from hazard.models.base import ComputeType, compute_dtype
from hazard.models.positive_law import RAW, positive_law
from hazard.models.record_towers import RecordConfig, RecordTowers
from hazard.models.terrain_encoder import TerrainEncoder


@dataclass(frozen=True, kw_only=True)
class DefaultConfig:
    """Settings of the default network; an input with 0 bands is not read.

    Attributes:
        pixel_bands: bands of the nested lattice.
        cell_bands: static bands on the cell grid.
        epoch_bands: bands per epoch.
        past_bands: bands of past records.
        use_past: False leaves past records out even where they are given.
        pixels_per_cell: f, pixels along one side of a cell.
        halo_cells: h, cells around a patch.
        pixel_halo_cells: q, cells of the halo that `pixels` covers.
        terrain_width: features of the terrain code.
        width: features of the trunk.
        depth: blocks of the trunk, and the cells it sees in each direction.
        dropout: share of features of terrain and trunk dropped in training.
        record: settings of the towers that read the past.
        law: law of the positive densities (`hazard.models.positive_law`).
        base_rate: share of positive cells, where training starts.
        mean_log_percent: mean of the log of positive densities [percent], where training starts.
        sd_log_percent: its sd.
        compute: type of the computation.
    """

    pixel_bands: int = 0
    cell_bands: int = 0
    epoch_bands: int = 0
    past_bands: int = 0
    use_past: bool = True
    pixels_per_cell: int = 1
    halo_cells: int = 4
    pixel_halo_cells: int = 0
    terrain_width: int = 16
    width: int = 32
    depth: int = 4
    dropout: float = 0.1
    record: RecordConfig = field(default_factory=RecordConfig)
    law: str = "truncated_lognormal"
    base_rate: float = 0.15
    mean_log_percent: float = -1.2
    sd_log_percent: float = 1.7
    compute: ComputeType = "float32"

    def __post_init__(self) -> None:
        positive_law(self.law)
        if not 0 < self.base_rate < 1:
            raise ValueError(f"base rate {self.base_rate}; use a share between 0 and 1")
        if not 0 <= self.pixel_halo_cells <= self.halo_cells:
            raise ValueError(
                f"pixel halo of {self.pixel_halo_cells} cells; use 0 to {self.halo_cells}"
            )
        if not (self.pixel_bands or self.cell_bands or self.epoch_bands or self.past_used):
            raise ValueError("a network without inputs; give at least one band")

    @property
    def past_used(self) -> int:
        """Bands of past records that are read."""
        return self.past_bands if self.use_past else 0


class CellBlock(nnx.Module):
    """Layer norm, 3 x 3 convolution, GELU, dropout, 1 x 1 convolution, added to its input."""

    def __init__(self, width: int, dropout: float, dtype: Any, rngs: nnx.Rngs) -> None:
        self.norm = nnx.LayerNorm(width, dtype=dtype, rngs=rngs)
        self.conv = nnx.Conv(width, width, (3, 3), padding="SAME", dtype=dtype, rngs=rngs)
        self.dropout = nnx.Dropout(dropout)
        self.mix = nnx.Linear(
            width, width, kernel_init=nnx.initializers.zeros, dtype=dtype, rngs=rngs
        )

    def __call__(self, x: Array, valid: Array, rngs: nnx.Rngs | None) -> Array:
        """Same shape; what is not valid stays as it is."""
        y = nnx.gelu(self.conv(self.norm(x) * valid))
        return x + self.mix(self.dropout(y, rngs=rngs)) * valid


class DefaultNetwork(nnx.Module):
    """Terrain encoder, trunk on the cell grid, and the two heads."""

    def __init__(self, config: DefaultConfig, rngs: nnx.Rngs) -> None:
        dtype = compute_dtype(config.compute)
        self.config = config
        self.law = positive_law(config.law)
        static = config.cell_bands
        if config.pixel_bands:
            self.terrain = TerrainEncoder(
                config.pixel_bands,
                config.pixels_per_cell,
                config.terrain_width,
                config.dropout,
                dtype,
                rngs,
            )
            static += self.terrain.features
        changing = config.epoch_bands
        if static:
            self.static_in = nnx.Linear(static, config.width, dtype=dtype, rngs=rngs)
        if changing:
            self.epoch_in = nnx.Linear(changing, config.width, dtype=dtype, rngs=rngs)
        for index in range(config.depth):
            setattr(self, f"block{index}", CellBlock(config.width, config.dropout, dtype, rngs))
        self.norm_out = nnx.LayerNorm(config.width, dtype=dtype, rngs=rngs)
        features = config.width + static + changing
        self.presence = _head(features, 1, [np.log(config.base_rate / (1 - config.base_rate))])
        start = self.law.initial_raw(config.mean_log_percent, config.sd_log_percent)
        self.density = _head(features, RAW, start)
        if config.past_used:
            begin = [self.presence.bias[...][0], *start]
            self.record = RecordTowers(config.past_used, static, begin, config.record, dtype, rngs)

    def __call__(
        self, batch: Mapping[str, Array], *, rngs: nnx.Rngs | None = None
    ) -> dict[str, Array]:
        """`logit`, `law` (raw parameters) and `density` [percent], each (patch, epoch, n, n)."""
        static = self._static(batch, rngs)
        logit, raw = self._terrain(static, batch, rngs)
        if self.config.past_used:
            epochs = batch["past"].shape[1]
            logit, raw = (_spread(part, batch.get("fresh"), epochs) for part in (logit, raw))
            halo = self.config.halo_cells
            mapped = _crop(jnp.asarray(batch["valid"], jnp.float32), halo, first_axis=1)
            past = jnp.asarray(batch["past"], jnp.float32) * mapped[:, None, ..., None]
            core = None if static is None else _crop(static, halo, first_axis=1)
            found = self.record(past, core, rngs)
            recorded = jnp.any(past != 0, axis=-1, keepdims=True)
            logit = jnp.where(recorded, found[..., :1], logit)
            raw = jnp.where(recorded, found[..., 1:], raw)
        return {"logit": logit[..., 0], "law": raw, "density": self.law.mean(raw)}

    def _terrain(
        self, static: Array | None, batch: Mapping[str, Array], rngs: nnx.Rngs | None
    ) -> tuple[Array, Array]:
        """Logit and raw parameters of the law, (patch, fresh or 1, n, n, .)."""
        changing = None
        if self.config.epoch_bands:
            changing = jnp.asarray(batch["epochs"], jnp.float32)
        valid = jnp.asarray(batch["valid"], jnp.float32)[..., None]
        patch, rows, cols, _ = valid.shape
        epochs = 1 if changing is None else changing.shape[1]

        x = jnp.zeros((patch, 1, 1, 1, self.config.width), self._dtype)
        direct = []
        if static is not None:
            x = x + self.static_in(static * valid.astype(static.dtype))[:, None]
            shape = (patch, epochs, rows, cols, static.shape[-1])
            direct.append(jnp.broadcast_to((static * valid)[:, None], shape))
        if changing is not None:
            changing = changing * valid[:, None].astype(changing.dtype)
            x = x + self.epoch_in(changing)
            direct.append(changing)

        x = jnp.broadcast_to(x, (patch, epochs, rows, cols, x.shape[-1]))
        mask = jnp.broadcast_to(valid[:, None], (patch, epochs, rows, cols, 1))
        # Epochs join the patches: each is an image of its own for the trunk.
        x, mask = x.reshape(-1, *x.shape[2:]), mask.reshape(-1, *mask.shape[2:])
        mask = mask.astype(x.dtype)
        x = x * mask
        for index in range(self.config.depth):
            x = getattr(self, f"block{index}")(x, mask, rngs)
        x = self.norm_out(x).reshape(patch, epochs, rows, cols, -1)
        joined = jnp.concatenate([part.astype(jnp.float32) for part in (x, *direct)], axis=-1)
        core = _crop(joined, self.config.halo_cells, first_axis=2)
        return self.presence(core), self.density(core)

    @property
    def _dtype(self) -> Any:
        return compute_dtype(self.config.compute)

    def _static(
        self, batch: Mapping[str, Array], rngs: nnx.Rngs | None
    ) -> Float[Array, "patch m m feature"] | None:
        parts = []
        if self.config.cell_bands:
            parts.append(jnp.asarray(batch["cells"], jnp.float32))
        if self.config.pixel_bands:
            code = self.terrain(batch["pixels"], rngs)
            around = self.config.halo_cells - self.config.pixel_halo_cells
            pad = ((0, 0), (around, around), (around, around), (0, 0))
            parts.append(jnp.pad(code, pad).astype(jnp.float32))
        return jnp.concatenate(parts, axis=-1) if parts else None


class LinearHead(nnx.Module):
    """Dense layer that starts at a constant; float32 throughout."""

    def __init__(self, features: int, start: np.ndarray) -> None:
        self.kernel = nnx.Param(jnp.zeros((features, start.size), jnp.float32))
        self.bias = nnx.Param(jnp.asarray(start, jnp.float32))

    def __call__(self, x: Float[Array, "*shape feature"]) -> Float[Array, "*shape out"]:
        """Linear map of the last axis."""
        return jnp.matmul(x, self.kernel[...]) + self.bias[...]


def _head(features: int, size: int, start: Any) -> LinearHead:
    values = np.asarray(start, dtype=np.float32).reshape(size)
    return LinearHead(features, values)


def _spread(x: Array, fresh: Array | None, epochs: int) -> Array:
    """(patch, fresh, ...) values put at their epochs, (patch, epoch, ...); 0 elsewhere."""
    if fresh is None or x.shape[1] != fresh.shape[1]:
        return x
    empty = jnp.zeros((epochs, *x.shape[2:]), x.dtype)
    return jax.vmap(lambda values, at: empty.at[at].set(values))(x, fresh)


def _crop(x: Array, halo: int, *, first_axis: int) -> Array:
    if halo == 0:
        return x
    window = [slice(None)] * x.ndim
    window[first_axis] = window[first_axis + 1] = slice(halo, -halo)
    return x[tuple(window)]
