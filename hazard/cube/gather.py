"""Which samples a step takes, and their arrays gathered by row number.

A training loop moves `Batches.arrays()` to the device once. Per epoch of training it needs only
index arrays of a few kilobytes: `shuffled_steps` shuffles samples with a key or generator given by
the caller and cuts them into steps of one fixed size (so that one compilation serves all), the
last one filled up with weight 0. The gather functions use indexing, `reshape` and `transpose`
alone and so run on NumPy and, inside a jitted step, on JAX arrays. NumPy only at module level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hazard.cube.batches import Batches
from stats.resampling.folds import TRAIN

Array = np.ndarray[Any, np.dtype[Any]]
Int32Array = np.ndarray[Any, np.dtype[np.int32]]
Float32Array = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Steps:
    """The order of one epoch of training.

    Attributes:
        sample: (step, size, ...) the samples of every step.
        weight: (step, size) 1, or 0 for what only fills the last step up.
    """

    sample: Int32Array
    weight: Float32Array

    def __len__(self) -> int:
        return int(self.sample.shape[0])


def shuffled_steps(rng: Any, samples: Array, size: int) -> Steps:
    """Shuffle samples and cut them into steps of `size`.

    Args:
        rng: a NumPy Generator (advanced by the call), a JAX key (not advanced: split it per
            epoch), or None for the order as given, as in prediction.
        samples: (sample, ...) whole numbers, such as the tables below.
        size: samples per step.

    Returns:
        The steps; every sample stands in exactly one with weight 1.

    Raises:
        ValueError: no sample, or size < 1.

    Example:
        >>> steps = shuffled_steps(None, np.arange(3), 2)
        >>> steps.sample.tolist(), steps.weight.tolist()
        ([[0, 1], [2, 0]], [[1.0, 1.0], [1.0, 0.0]])
    """
    table = np.asarray(samples, dtype=np.int32)
    n = table.shape[0]
    if size < 1 or n < 1:
        raise ValueError(f"{n} samples in steps of {size}; use at least 1 of each")
    order = np.arange(n)
    if isinstance(rng, np.random.Generator):
        order = rng.permutation(n)
    elif rng is not None:
        import jax

        order = np.asarray(jax.random.permutation(rng, n))
    n_steps = -(-n // size)
    weight = np.zeros(n_steps * size, dtype=np.float32)
    weight[:n] = 1.0
    filled = np.concatenate([order, np.resize(order, n_steps * size - n)])
    return Steps(
        sample=table[filled].reshape(n_steps, size, *table.shape[1:]),
        weight=weight.reshape(n_steps, size),
    )


def loss_weight(batches: Batches, role: int = TRAIN) -> Float32Array:
    """(epoch, cell) 1 for observed cell-epochs of a role, else 0 (padding included)."""
    return batches.weight * (batches.role == role)


def patch_epoch_samples(
    batches: Batches, role: int = TRAIN, *, lattices: tuple[int, ...] = (0, 1)
) -> Int32Array:
    """(sample, 2) patch and epoch of patches that hold a cell of the role in that epoch."""
    held = loss_weight(batches, role)[:, batches.patch_cells].any(axis=(2, 3))
    held &= np.isin(batches.patch_lattice, lattices)
    epoch, patch = np.nonzero(held)
    return np.stack([patch, epoch], axis=1).astype(np.int32)


def patch_samples(
    batches: Batches, role: int = TRAIN, *, lattices: tuple[int, ...] = (0, 1)
) -> Int32Array:
    """(sample,) patches that hold a cell of the role in any epoch.

    For networks that encode a patch's terrain once and score all its epochs in one step.
    """
    return np.unique(patch_epoch_samples(batches, role, lattices=lattices)[:, 0])


def cell_epoch_samples(
    batches: Batches, role: int = TRAIN, *, positive_only: bool = False
) -> Int32Array:
    """(sample, 2) cell row and epoch of the role; with `positive_only`, those with landslides."""
    held = loss_weight(batches, role) > 0
    if positive_only:
        held = held & (batches.presence > 0)
    epoch, cell = np.nonzero(held)
    return np.stack([cell, epoch], axis=1).astype(np.int32)


def gather_pixels(pixels: Any, rows: Any) -> Any:
    """Terrain of patches: (cell, f, f, band) at (..., n, n) rows -> (..., n f, n f, band).

    Example:
        >>> pixels = np.arange(3, dtype=np.float32)[:, None, None, None] * np.ones((1, 2, 2, 1))
        >>> gather_pixels(pixels, np.array([[0, 1], [2, 0]]))[:, :, 0].astype(int)
        array([[0, 0, 1, 1],
               [0, 0, 1, 1],
               [2, 2, 0, 0],
               [2, 2, 0, 0]])
    """
    n, f, bands = rows.shape[-1], pixels.shape[1], pixels.shape[-1]
    lead = rows.shape[:-2]
    tiles = pixels[rows].reshape(-1, n, n, f, f, bands)
    return tiles.transpose(0, 1, 3, 2, 4, 5).reshape(*lead, n * f, n * f, bands)


def gather_static(static: Any, rows: Any) -> Any:
    """(cell, band) at (...) rows -> (..., band)."""
    return static[rows]


def gather_epochs(values: Any, rows: Any, epoch: Any) -> Any:
    """(epoch, cell, ...) at (sample, n, n) or (sample,) rows, one epoch (sample,) for each."""
    return values[epoch.reshape(-1, *(1,) * (rows.ndim - 1)), rows]


def gather_all_epochs(values: Any, rows: Any) -> Any:
    """(epoch, cell, ...) at (sample, n, n) rows -> (epoch, sample, n, n, ...)."""
    return values[:, rows]
