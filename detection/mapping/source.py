"""What a map is made from: a scene that hands out windows.

A window holds raw values under the keys that the stored networks read: `image` (y, x, band) and
`valid`; where there is an earlier date `pre` and `pre_valid`; where there is terrain
`elevation_m`. Nothing is standardised here. What was not seen is False in the mask and 0 in the
values: NaN would pass through a convolution into the pixels around it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from detection.scenes.scene import Scene
from hazard.errors import DataError
from hazard.geo.grid import Block, Grid

Window = dict[str, ndarray]


class SceneSource(Protocol):
    """A scene of any size, read by window.

    Where the map is made on many machines, a source is sent to each: it must be picklable.
    """

    @property
    def name(self) -> str:
        """Name of the scene; files are named after it."""
        ...

    @property
    def grid(self) -> Grid:
        """Where the pixels lie."""
        ...

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands, in the order of the arrays."""
        ...

    @property
    def facts(self) -> Mapping[str, Any]:
        """Date, sensor and the like, for the tags of the files."""
        ...

    def identity(self) -> str:
        """Text that changes whenever a value changes; a map is resumed only while it is equal."""
        ...

    def read(self, block: Block) -> Window:
        """Arrays of a window that lies inside the scene, by key."""
        ...


@dataclass(frozen=True, eq=False)
class ArrayScene:
    """A scene in memory.

    Attributes:
        scene: the record.
    """

    scene: Scene

    @property
    def name(self) -> str:
        """Name of the scene."""
        return self.scene.name

    @property
    def grid(self) -> Grid:
        """Where the pixels lie."""
        return self.scene.grid

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands."""
        return self.scene.bands

    @property
    def facts(self) -> Mapping[str, Any]:
        """Region, epoch, date, sensor, unit, and whether it was rendered."""
        return scene_facts(self.scene)

    def identity(self) -> str:
        """Digest of all arrays."""
        digest = hashlib.blake2b(digest_size=16)
        for key, value in scene_window(self.scene).items():
            digest.update(f"{key}:{value.shape}:{value.dtype};".encode())
            digest.update(np.ascontiguousarray(value).data)
        return digest.hexdigest()

    def read(self, block: Block) -> Window:
        """Arrays of a window, by key."""
        return scene_window(self.scene, block)


def scene_facts(scene: Scene) -> dict[str, Any]:
    """What a record of a scene says about itself, as text and numbers."""
    return {
        "region": scene.region,
        "epoch": scene.epoch,
        "date": None if scene.date is None else scene.date.isoformat(),
        "sensor": scene.sensor,
        "unit": scene.unit,
        "synthetic": scene.synthetic,
    }


def scene_window(scene: Scene, block: Block | None = None) -> Window:
    """The arrays of a scene, or of a window of it, under the keys of a raw batch."""
    part = (slice(None), slice(None)) if block is None else block.slices
    found: Window = {"image": scene.image[part], "valid": scene.valid[part]}
    if scene.pre is not None and scene.pre_valid is not None:
        found |= {"pre": scene.pre[part], "pre_valid": scene.pre_valid[part]}
    if scene.elevation_m is not None:
        found["elevation_m"] = scene.elevation_m[part]
    return found


def read_padded(source: SceneSource, block: Block) -> Window:
    """A window that may reach over the lower and right edge of the scene.

    Pixels beyond the edge are invalid and 0, and elevation goes on level. Invalid pixels hold 0
    whatever the source gave.

    Raises:
        DataError: a valid pixel that is not finite, or arrays that are no window of this size.
    """
    rows, columns = source.grid.shape
    inside = Block(
        row0=block.row0, row1=min(block.row1, rows), col0=block.col0, col1=min(block.col1, columns)
    )
    found = source.read(inside)
    missing = (block.row1 - inside.row1, block.col1 - inside.col1)
    ready: Window = {}
    for key, mask_key in (("image", "valid"), ("pre", "pre_valid")):
        if key not in found:
            continue
        values, mask = found[key], found[mask_key]
        expected = (*inside.shape, len(source.bands))
        if values.shape != expected or mask.shape != inside.shape:
            raise DataError(
                source.name,
                found=f"{key} of shape {values.shape}, {mask_key} of shape {mask.shape}",
                expected=f"{expected} and {inside.shape}",
            )
        cleaned = _zero_unseen(values, mask)
        if not np.isfinite(cleaned).all():
            raise DataError(
                source.name,
                found=f"{key} with values that are not finite in valid pixels",
                expected="such pixels to be False in the mask",
            )
        edge = ((0, missing[0]), (0, missing[1]))
        ready[key] = np.pad(cleaned, (*edge, (0, 0))) if any(missing) else cleaned
        ready[mask_key] = np.pad(mask, edge) if any(missing) else mask
    if "elevation_m" in found:
        elevation = np.asarray(found["elevation_m"], np.float32)
        edge = ((0, missing[0]), (0, missing[1]))
        ready["elevation_m"] = np.pad(elevation, edge, mode="edge") if any(missing) else elevation
    return ready


def _zero_unseen(values: ndarray, mask: Bool[ndarray, "y x"]) -> ndarray:
    stored = np.asarray(values, np.float32)
    if mask.all():
        return stored
    return np.where(mask[..., np.newaxis], stored, np.float32(0))
