"""The contract of a network that maps landslides: what it is built from, reads and returns.

A network is a Flax NNX module called as `module(batch, rngs=...)`. The batch maps names to arrays
(patch, y, x, band): ``image`` is the date to be mapped, ``pre`` an earlier date, ``topography``
derivatives of elevation; a network ignores what it does not read. Outputs map names to logits
(patch, y, x) in float32; ``logit`` has the resolution of the image. Whether a network trains or
predicts is its mode (`train()`, `eval()`), so that a part can be frozen in the mode of prediction.
Parameters and running statistics are float32 whatever the type of the computation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, Protocol, TypeVar

import jax.numpy as jnp
from flax import nnx

from detection.models.layers import Feature
from detection.models.span import ReceptiveField, Span

ComputeType = Literal["float32", "bfloat16"]
Config = TypeVar("Config")


class NetworkConfig(Protocol):
    """What every record of settings can say."""

    @property
    def inputs(self) -> Mapping[str, int]:
        """Bands of every array that the network reads."""

    @property
    def size_multiple(self) -> int:
        """The sides of a patch must be multiples of this [px]."""


@dataclass(frozen=True, kw_only=True)
class Output:
    """One map of logits.

    Attributes:
        name: key.
        stride: pixels of the image per pixel of the map.
        meaning: where it comes from.
    """

    name: str
    stride: int
    meaning: str


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """A network that a configuration can name.

    Attributes:
        name: name in configurations and tables.
        title: one line for reports.
        config: frozen dataclass of its settings.
        build: module from its settings and random keys.
        outputs: what it returns.
        parts: names of parts that a training may freeze.
        source: where the design comes from.
    """

    name: str
    title: str
    config: type[Any]
    build: Callable[[Any, nnx.Rngs], Network]
    outputs: tuple[Output, ...]
    parts: tuple[str, ...]
    source: str


class Network(nnx.Module):
    """Base of all networks.

    Attributes:
        config: the settings it was built from.
    """

    config: Any

    def __call__(
        self, batch: Mapping[str, Feature], *, rngs: nnx.Rngs | None = None
    ) -> dict[str, Feature]:
        """Logits by name."""
        raise TypeError(f"{type(self).__name__} has no forward pass")

    def receptive_field(self) -> ReceptiveField:
        """Pixels that ``logit`` depends on, by running the network on spans."""
        span = self({name: Span() for name in self.config.inputs})["logit"]
        return ReceptiveField(before_px=span.before, after_px=span.after, stride_px=span.coarsest)

    def receptive_field_px(self) -> int:
        """Side of the square of pixels that a logit depends on [px]."""
        return self.receptive_field().side_px


def read_inputs(batch: Mapping[str, Feature], config: NetworkConfig) -> dict[str, Feature]:
    """What the network reads, checked.

    Raises:
        ValueError: a missing array, a wrong number of axes or bands, arrays of different size, or
            sides that do not divide.
    """
    found: dict[str, Feature] = {}
    for name, bands in config.inputs.items():
        if name not in batch:
            raise ValueError(f"no {name!r} in the batch; it has {', '.join(sorted(batch))}")
        value = found[name] = batch[name]
        if isinstance(value, Span):
            continue
        if value.ndim != 4 or value.shape[-1] != bands:
            raise ValueError(
                f"{name} of shape {value.shape}; use (patch, y, x, band) with {bands} bands"
            )
        multiple = config.size_multiple
        if value.shape[1] % multiple or value.shape[2] % multiple:
            raise ValueError(
                f"{name} of {value.shape[1]} x {value.shape[2]} pixels; use multiples of {multiple}"
            )
    sizes = {name: v.shape[:3] for name, v in found.items() if not isinstance(v, Span)}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"arrays (patch, y, x) of {sizes}; use equal ones")
    return found


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


def at_least_one(**counts: int) -> None:
    """Refuse settings below 1.

    Example:
        >>> at_least_one(bands=0)
        Traceback (most recent call last):
        ValueError: bands 0; use at least 1
    """
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{name} {count}; use at least 1")


def config_from_mapping(cls: type[Config], values: Mapping[str, Any], where: str) -> Config:
    """Settings from a mapping (a configuration file, or the record beside a checkpoint).

    Raises:
        ValueError: a key that the settings do not have.

    Example:
        >>> config_from_mapping(Output, {"nam": "x"}, "output")
        Traceback (most recent call last):
        ValueError: output: unknown key 'nam'; use name, stride, meaning
    """
    known = [item.name for item in fields(cls)]  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            raise ValueError(f"{where}: unknown key {key!r}; use {', '.join(known)}")
    # JSON knows lists alone.
    return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
