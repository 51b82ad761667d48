"""Two small networks that read what earlier epochs showed in and around one cell.

The record of a cell (its own past and that of squares around it) already holds the neighbourhood,
so every cell is read by itself. One tower sees the record alone; the other also a code of a few
numbers of everything that stays (terrain, shaking), made of inputs of which half are dropped in
training. A few epochs hold thousands of cells but only a few rates and seasons: what stays is
easily learned by heart, and the bottleneck and the dropped inputs are what keeps that from
happening. In training each cell-epoch trains one of the towers, drawn by chance, so that both must
stand by themselves; a forecast is the mean of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float


@dataclass(frozen=True, kw_only=True)
class RecordConfig:
    """Settings of the towers.

    Attributes:
        width: features of each of the hidden layers.
        layers: hidden layers.
        dropout: share of hidden features dropped in training.
        code: numbers that what stays is reduced to; 0 leaves it out.
        code_dropout: share of its inputs dropped in training.
    """

    width: int = 64
    layers: int = 2
    dropout: float = 0.0
    code: int = 8
    code_dropout: float = 0.5


class Tower(nnx.Module):
    """Dense layers with GELU and dropout beside a linear layer; both start at zero."""

    def __init__(
        self, inputs: int, out: int, config: RecordConfig, dtype: Any, rngs: nnx.Rngs
    ) -> None:
        sizes = [inputs, *[config.width] * config.layers]
        self.layers = config.layers
        for index in range(config.layers):
            layer = nnx.Linear(sizes[index], sizes[index + 1], dtype=dtype, rngs=rngs)
            setattr(self, f"layer{index}", layer)
        self.dropout = nnx.Dropout(config.dropout)
        zeros = nnx.initializers.zeros
        self.last = nnx.Linear(
            sizes[-1], out, use_bias=False, kernel_init=zeros, dtype=dtype, rngs=rngs
        )
        self.direct = nnx.Linear(inputs, out, kernel_init=zeros, dtype=dtype, rngs=rngs)

    def __call__(self, x: Array, rngs: nnx.Rngs | None) -> Float[Array, "*shape out"]:
        """(..., out) in float32."""
        hidden = x
        for index in range(self.layers):
            hidden = nnx.gelu(getattr(self, f"layer{index}")(hidden))
            hidden = self.dropout(hidden, rngs=rngs)
        return self.direct(x).astype(jnp.float32) + self.last(hidden).astype(jnp.float32)


class RecordTowers(nnx.Module):
    """Both towers, and which of them counts."""

    def __init__(
        self,
        record: int,
        static: int,
        start: Sequence[float | Array],
        config: RecordConfig,
        dtype: Any,
        rngs: nnx.Rngs,
    ) -> None:
        out = len(start)
        self.offset = nnx.Param(jnp.asarray(start, jnp.float32))
        self.alone = Tower(record, out, config, dtype, rngs)
        self.code = bool(static and config.code)
        if self.code:
            self.forget = nnx.Dropout(config.code_dropout)
            self.encode = nnx.Linear(static, config.code, dtype=dtype, rngs=rngs)
            self.informed = Tower(record + config.code, out, config, dtype, rngs)

    def __call__(
        self,
        record: Float[Array, "patch epoch n n band"],
        static: Float[Array, "patch n n feature"] | None,
        rngs: nnx.Rngs | None,
    ) -> Float[Array, "patch epoch n n out"]:
        """Outputs of every cell and epoch, float32; those without a record mean nothing."""
        alone = self.alone(record, rngs)
        if not self.code or static is None:
            return alone + self.offset[...]
        # The encoder of the terrain learns from cells without a record alone.
        fixed = self.forget(jax.lax.stop_gradient(static)[:, None], rngs=rngs)
        code = nnx.gelu(self.encode(fixed))
        code = jnp.broadcast_to(code, (*record.shape[:-1], code.shape[-1]))
        informed = self.informed(jnp.concatenate([record, code.astype(record.dtype)], -1), rngs)
        if rngs is None:
            return 0.5 * (alone + informed) + self.offset[...]
        first = jax.random.bernoulli(rngs.dropout(), 0.5, (*record.shape[:-1], 1))
        return jnp.where(first, alone, informed) + self.offset[...]
