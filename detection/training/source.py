"""Training samples on the device: each patch once, drawn as often as the sampling says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int
from numpy import ndarray

from detection.patches.patch_set import PatchSet
from detection.patches.preparation import batch_arrays
from hazard.training.data import WEIGHT

DRAW = "draw"


@dataclass(frozen=True, eq=False)
class PatchSource:
    """Raw patches, and which of them stands behind each sample.

    A sample is a draw: a patch that is drawn three times per epoch lies on the device once.

    Attributes:
        arrays: raw arrays along the patches, and ``draw``: (sample,) numbers of patches.
    """

    arrays: Mapping[str, Array]

    @property
    def size(self) -> int:
        """Number of samples of an epoch."""
        return int(self.arrays[DRAW].shape[0])

    @staticmethod
    def gather(arrays: Mapping[str, Array], indices: Int[Array, " sample"]) -> dict[str, Array]:
        """The raw batch of these samples."""
        rows = jnp.take(arrays[DRAW], indices)
        return {
            name: jnp.take(value, rows, axis=0) for name, value in arrays.items() if name != DRAW
        }


def patch_source(patches: PatchSet, drawn: Int[ndarray, " draw"] | None = None) -> PatchSource:
    """Put patches on the device.

    Args:
        patches: raw values, in the unit of the sensor.
        drawn: numbers of the patches of one epoch; each once where None.

    Raises:
        ValueError: no patches, or none with a pixel that counts.
    """
    if len(patches) == 0:
        raise ValueError("no patches to train on")
    raw = batch_arrays(patches)
    if not raw[WEIGHT].any():
        raise ValueError("no pixel of these patches was both seen and mapped")
    order = np.arange(len(patches), dtype=np.int32) if drawn is None else drawn
    arrays = {name: jnp.asarray(value) for name, value in raw.items()}
    return PatchSource({**arrays, DRAW: jnp.asarray(order, jnp.int32)})
