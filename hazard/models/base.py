"""The contract of a network: what it is built from, what it reads and what it returns.

A network is a Flax NNX module called as `module(batch, rngs=...)`; batch and outputs are mappings
of arrays whose first axis is `patch`. Whether it trains or predicts is its mode (`train()`,
`eval()`), never an argument, so that a part can be frozen in the mode of prediction. Parameters
and running statistics are float32 whatever the type of the computation; outputs are float32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeVar

import jax.numpy as jnp
from flax import nnx

ComputeType = Literal["float32", "bfloat16"]
Config = TypeVar("Config")


@dataclass(frozen=True, kw_only=True)
class ArraySpec:
    """One array of a batch or of the outputs.

    Attributes:
        name: key.
        axes: names of the axes, in order.
        meaning: what it holds, with its unit.
    """

    name: str
    axes: tuple[str, ...]
    meaning: str


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """A network that a configuration can name.

    Attributes:
        name: name in configurations and tables.
        title: one line for reports.
        config: frozen dataclass of its settings.
        build: module from its settings and random keys.
        inputs: what it reads.
        outputs: what it returns.
        parts: names of parts that a curriculum may freeze.
        source: where the design comes from.
    """

    name: str
    title: str
    config: type[Any]
    build: Callable[[Any, nnx.Rngs], nnx.Module]
    inputs: tuple[ArraySpec, ...]
    outputs: tuple[ArraySpec, ...]
    parts: tuple[str, ...]
    source: str


def compute_dtype(compute: ComputeType) -> Any:
    """Type of the computation; parameters stay float32.

    Example:
        >>> compute_dtype("bfloat16").__name__
        'bfloat16'
    """
    types = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}
    if compute not in types:
        raise ValueError(f"compute {compute!r}; use {' or '.join(types)}")
    return types[compute]


def config_from_mapping(cls: type[Config], values: Mapping[str, Any], where: str) -> Config:
    """Settings from a mapping (a configuration file, or the record beside a checkpoint).

    Raises:
        ValueError: a key that the settings do not have.

    Example:
        >>> config_from_mapping(ArraySpec, {"nam": "x"}, "spec")
        Traceback (most recent call last):
        ValueError: spec: unknown key 'nam'; use name, axes, meaning
    """
    known = [item.name for item in fields(cls)]  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            raise ValueError(f"{where}: unknown key {key!r}; use {', '.join(known)}")
    # JSON knows lists alone.
    return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
