"""Data parallelism: batches split over devices, everything else on each of them.

The compiled program is written for the whole batch, and XLA divides it: batch norms and
batch-pooled losses see all samples, so the losses are those of one device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array

AXIS = "data"
_EVERYWHERE = PartitionSpec()  # type: ignore[no-untyped-call]
_FIRST_AXIS = PartitionSpec(AXIS)  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class DataParallel:
    """Devices that share a batch.

    Attributes:
        mesh: one axis, ``data``.
    """

    mesh: Mesh

    @property
    def devices(self) -> int:
        """Number of devices."""
        return int(self.mesh.devices.size)

    def replicate(self, tree: Any) -> Any:
        """A copy of every array on each device."""
        return jax.device_put(tree, NamedSharding(self.mesh, _EVERYWHERE))

    def split(self, batch: dict[str, Array]) -> dict[str, Array]:
        """Inside a compiled function: divide the first axis of every array over the devices."""
        sharding = NamedSharding(self.mesh, _FIRST_AXIS)
        constrain = jax.lax.with_sharding_constraint
        return constrain(batch, sharding)  # type: ignore[no-untyped-call]

    def check_batch(self, batch_size: int) -> None:
        """Refuse batches that do not divide evenly.

        Raises:
            ValueError: the devices do not divide the batch.
        """
        if batch_size % self.devices:
            raise ValueError(
                f"batches of {batch_size} on {self.devices} devices; use a multiple of the devices"
            )


def data_parallel(devices: Sequence[jax.Device] | None = None) -> DataParallel:
    """Data parallelism over the given devices, or all there are.

    Example:
        >>> data_parallel(jax.devices()[:1]).devices
        1
    """
    chosen = jax.devices() if devices is None else list(devices)
    return DataParallel(Mesh(np.array(chosen), (AXIS,)))
