"""Data for training: arrays on the device and index arrays that say what comes when.

Nothing is copied per epoch. A source holds its arrays on the device once; the compiled step gets
them as arguments, with the indices of its batch, and gathers there. Any object with `arrays`,
`size` and `gather` will do, so the cube's batches and plain arrays are trained alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

WEIGHT = "weight"

Gather = Callable[[Mapping[str, Array], Int[Array, " sample"]], dict[str, Array]]


class Source(Protocol):
    """Samples that can be gathered inside a compiled function.

    Attributes:
        arrays: everything `gather` reads, on the device.
        size: number of samples.
        gather: see there.
    """

    @property
    def arrays(self) -> Mapping[str, Array]:
        """Everything `gather` reads."""

    @property
    def size(self) -> int:
        """Number of samples."""

    @property
    def gather(self) -> Gather:
        """`gather(arrays, indices)` -> the batch of these samples, with a key ``weight``.

        Pure: it reads `arrays`, never the object, so that tracing compiles no data in. As a plain
        function (a static method) it lets sources of equal shapes share compiled programs, and
        folds that differ in their weights alone then compile once.
        """


@dataclass(frozen=True, eq=False)
class ArraySource:
    """Samples along the first axis of plain arrays.

    Attributes:
        arrays: arrays of equal length; ``weight`` says what counts.

    Example:
        >>> source = ArraySource({"x": jnp.arange(3.0), "weight": jnp.ones(3)})
        >>> source.gather(source.arrays, jnp.array([2, 0]))["x"]
        Array([2., 0.], dtype=float32)
    """

    arrays: Mapping[str, Array]

    def __post_init__(self) -> None:
        lengths = {name: int(value.shape[0]) for name, value in self.arrays.items()}
        if WEIGHT not in lengths or len(set(lengths.values())) != 1 or self.size == 0:
            raise ValueError(f"samples per array {lengths}; use equal lengths > 0, and {WEIGHT!r}")

    @property
    def size(self) -> int:
        """Number of samples."""
        return int(next(iter(self.arrays.values())).shape[0])

    @staticmethod
    def gather(arrays: Mapping[str, Array], indices: Int[Array, " sample"]) -> dict[str, Array]:
        """Rows of every array."""
        return {name: jnp.take(value, indices, axis=0) for name, value in arrays.items()}


def device_source(arrays: Mapping[str, np.ndarray | Array]) -> ArraySource:
    """Put arrays on the default device once."""
    return ArraySource({name: jnp.asarray(value) for name, value in arrays.items()})


def take_batch(
    gather: Gather,
    arrays: Mapping[str, Array],
    indices: Int[Array, " sample"],
    counted: Float[Array, " sample"],
) -> dict[str, Array]:
    """Gather a batch and take every weight from places that only fill it up."""
    batch = gather(arrays, indices)
    return {
        name: _without_fill(value, counted) if is_weight(name) else value
        for name, value in batch.items()
    }


def is_weight(name: str) -> bool:
    """True for ``weight`` and for ``weight_...``, the weights of further outputs.

    Example:
        >>> is_weight("weight"), is_weight("weight_coarse"), is_weight("weights")
        (True, True, False)
    """
    return name == WEIGHT or name.startswith(f"{WEIGHT}_")


def _without_fill(weight: Array, counted: Float[Array, " sample"]) -> Array:
    weight32 = jnp.asarray(weight, jnp.float32)
    return weight32 * jax.lax.broadcast_in_dim(counted.astype(jnp.float32), weight32.shape, (0,))


@dataclass(frozen=True)
class Order:
    """Which sample stands where in the batches of one epoch.

    Attributes:
        indices: (batch, sample) int32 sample numbers.
        counted: (batch, sample) float32, 0 where a place only fills the last batch.
    """

    indices: np.ndarray
    counted: np.ndarray

    def __len__(self) -> int:
        return int(self.indices.shape[0])


def epoch_order(
    samples: np.ndarray,
    batch_size: int,
    *,
    seed: tuple[int, ...] | None,
) -> Order:
    """Cut samples into batches of equal size, shuffled where a seed is given.

    The order is a function of the seed alone, so a resumed run need not store it. The last batch
    is filled with samples of the same order that count nothing: real samples, because batch
    norms see them.

    Raises:
        ValueError: no samples.

    Example:
        >>> order = epoch_order(np.arange(3), 2, seed=None)
        >>> order.indices.tolist(), order.counted.tolist()
        ([[0, 1], [2, 0]], [[1.0, 1.0], [1.0, 0.0]])
    """
    if samples.size == 0:
        raise ValueError("no samples to cut into batches")
    order = np.asarray(samples, dtype=np.int32)
    if seed is not None:
        order = np.random.default_rng(seed).permutation(order)
    number = -(-order.size // batch_size)
    filled = np.resize(order, number * batch_size)
    counted = (np.arange(filled.size) < order.size).astype(np.float32)
    return Order(filled.reshape(number, batch_size), counted.reshape(number, batch_size))
