"""The bits of ``/pixels/filled``, each owned by one part of the cube."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import zarr

from hazard.cube.holes import HoleMap


def mark_filled(root: zarr.Group, bit: int, holes: Sequence[HoleMap]) -> None:
    """Set one bit exactly where holes were filled, and clear it elsewhere.

    A part that is built again must take back what it said before, and leave other bits alone.

    Args:
        root: the partial store, with the terrain part in it.
        bit: one of the masks of `hazard.cube.layout.FILLED_MEANINGS`.
        holes: what was filled, layer by layer.
    """
    array: Any = root["pixels/filled"]
    flags = np.array(array[:, :])
    others = flags & np.uint8(0xFF ^ bit)
    marked = others.copy()
    for part in holes:
        marked.reshape(-1)[part.hole] |= np.uint8(bit)
    if not np.array_equal(marked, flags):
        array[:, :] = marked
