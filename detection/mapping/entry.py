"""A scene of a catalogue, read by window while it is mapped.

Everything about files (bands, scale, nodata, clouds, the grid to warp to) is decided where scenes
are read, in `detection.scenes`; here the truth is left aside and the windows are handed on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from detection.mapping.source import Window, scene_window
from detection.scenes.catalogue import SceneEntry
from detection.scenes.read import read_scene, scene_grid
from hazard.geo.grid import Block, Grid


@dataclass(frozen=True, eq=False)
class EntryScene:
    """A scene in files of any size.

    Attributes:
        entry: from `detection.scenes.catalogue`.
    """

    entry: SceneEntry

    @property
    def name(self) -> str:
        """Name of the scene."""
        return self.entry.name

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands."""
        return self.entry.bands

    @cached_property
    def grid(self) -> Grid:
        """Where the pixels lie."""
        return scene_grid(self.entry)

    @cached_property
    def _unmapped(self) -> SceneEntry:
        """The entry without truth, which would be read for every window."""
        return self.entry.model_copy(update={"inventory": None, "truth": None, "footprint": None})

    @property
    def facts(self) -> Mapping[str, Any]:
        """Region, epoch, dates, sensor and unit."""
        entry = self.entry
        before = None if entry.pre is None else entry.pre.date
        return {
            "region": entry.region, "epoch": entry.epoch, "sensor": entry.sensor,
            "date": None if entry.date is None else entry.date.isoformat(),
            "date_before": None if before is None else before.isoformat(),
            "unit": entry.unit, "synthetic": entry.synthetic,
        }  # fmt: skip

    def identity(self) -> str:
        """The entry, and the sizes and times of its files."""
        files = [(path.stat().st_size, path.stat().st_mtime_ns) for path in self._unmapped.files()]
        return self._unmapped.model_dump_json() + repr(files)

    def read(self, block: Block) -> Window:
        """Arrays of a window, by key; where the elevation is void, a pixel counts as not seen."""
        found = scene_window(read_scene(self._unmapped, window=block))
        if "elevation_m" in found:
            known = np.isfinite(found["elevation_m"])
            found["elevation_m"] = np.where(known, found["elevation_m"], 0).astype(np.float32)
            found["valid"] = found["valid"] & known
        return found
