"""A scene in raster files of any size: one image or one file per band, an earlier date, elevation.

The first band of the image decides the grid, and every other band of it must lie on that grid. The
earlier image, the masks and the elevation are brought onto it where they lie elsewhere, by their
georeference (bilinear; masks by the nearest pixel), window by window.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from detection.mapping.source import Window
from hazard.errors import DataError
from hazard.geo.grid import Block, Grid
from hazard.geo.raster import read_info, read_on_grid
from hazard.geo.sources import open_source, read_window

BandFile = tuple[Path, int]


def band_files(files: Path | Sequence[Path], bands: Sequence[str]) -> tuple[BandFile, ...]:
    """Where each band lies: band 1, 2, ... of one file, or band 1 of one file each.

    Raises:
        DataError: a number of bands or files that does not fit.
    """
    if isinstance(files, Path):
        count = read_info(files).count
        if count < len(bands):
            raise DataError(
                files, found=f"{count} band(s)", expected=f"{len(bands)}: {', '.join(bands)}"
            )
        return tuple((files, number + 1) for number in range(len(bands)))
    if len(files) != len(bands):
        raise DataError(
            ", ".join(str(file) for file in files),
            found=f"{len(files)} file(s)",
            expected=f"one for each of {', '.join(bands)}",
        )
    return tuple((file, 1) for file in files)


@dataclass(frozen=True, kw_only=True)
class FileScene:
    """A scene read by window from files.

    Attributes:
        name: of the scene.
        bands: names of the bands, in the order of the files.
        image: one file with all bands, or one file for each.
        pre: the earlier date, likewise, or None.
        elevation: ground elevation [m], or None. Where it is void, a pixel counts as not seen.
        seen: raster that is not 0 where the image shows the ground (neither cloud nor shadow).
        pre_seen: likewise of the earlier date.
        unit: unit of the values after `scale` and `offset`.
        scale: factor from the files' values.
        offset: addend to them.
        nodata: value that means "not seen" in the images, besides what the files say.
        region: of the scene, for tags; so are the next three.
        epoch: its epoch.
        sensor: what took it.
        date: of the image.

    Raises:
        DataError: files that cannot be read, or bands on different grids.
    """

    name: str
    bands: tuple[str, ...]
    image: Path | tuple[Path, ...]
    pre: Path | tuple[Path, ...] | None = None
    elevation: Path | None = None
    seen: Path | None = None
    pre_seen: Path | None = None
    unit: str = "1"
    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None
    region: str = ""
    epoch: str = ""
    sensor: str = ""
    date: dt.date | None = None
    _layers: dict[str, tuple[BandFile, ...]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        self._layers["image"] = band_files(self.image, self.bands)
        if self.pre is not None:
            self._layers["pre"] = band_files(self.pre, self.bands)
        for path in dict.fromkeys(path for path, _ in self._layers["image"]):
            if not read_info(path).grid.same_as(self.grid):
                raise DataError(
                    path,
                    found="another grid than the first band's",
                    expected="all bands of the image on one grid",
                )

    @cached_property
    def grid(self) -> Grid:
        """Where the pixels lie."""
        return read_info(self._layers["image"][0][0]).grid

    @property
    def facts(self) -> Mapping[str, Any]:
        """Region, epoch, date, sensor and unit."""
        return {
            "region": self.region, "epoch": self.epoch, "sensor": self.sensor, "unit": self.unit,
            "date": None if self.date is None else self.date.isoformat(), "synthetic": False,
        }  # fmt: skip

    def identity(self) -> str:
        """Names, sizes and times of all files, and what is done to their values."""
        paths = [path for layer in self._layers.values() for path, _ in layer]
        paths += [p for p in (self.elevation, self.seen, self.pre_seen) if p is not None]
        stamps = [(str(p.resolve()), p.stat().st_size, p.stat().st_mtime_ns) for p in paths]
        return repr((stamps, self._layers, self.scale, self.offset, self.nodata))

    def read(self, block: Block) -> Window:
        """Arrays of a window, by key."""
        image, valid = self._on_own_grid(block)
        found: Window = {"image": image, "valid": valid & self._marked(self.seen, block)}
        if self.pre is not None:
            pre, pre_valid = self._resampled(block)
            found |= {"pre": pre, "pre_valid": pre_valid & self._marked(self.pre_seen, block)}
        if self.elevation is not None:
            ground = read_on_grid(self.elevation, self.grid, block=block)
            found["elevation_m"] = np.where(ground.valid, ground.values, 0).astype(np.float32)
            found["valid"] = found["valid"] & ground.valid
        return found

    def _on_own_grid(self, block: Block) -> tuple[ndarray, Bool[ndarray, "y x"]]:
        image = np.empty((*block.shape, len(self.bands)), np.float32)
        valid = np.ones(block.shape, np.bool_)
        layer = self._layers["image"]
        for path in dict.fromkeys(path for path, _ in layer):
            with open_source(path) as source:
                for place, (file, band) in enumerate(layer):
                    if file == path:
                        values, seen = read_window(
                            source, block, band, nodata=None, categorical=False
                        )
                        image[..., place], known = self._physical(values)
                        valid &= seen & known
        return image, valid

    def _resampled(self, block: Block) -> tuple[ndarray, Bool[ndarray, "y x"]]:
        image = np.empty((*block.shape, len(self.bands)), np.float32)
        valid = np.ones(block.shape, np.bool_)
        for place, (path, band) in enumerate(self._layers["pre"]):
            # Nodata goes into the reader, so that it is not mixed into its neighbours.
            raster = read_on_grid(path, self.grid, band=band, block=block, nodata=self.nodata)
            image[..., place] = raster.values * np.float32(self.scale) + np.float32(self.offset)
            valid &= raster.valid
        return image, valid

    def _physical(self, values: ndarray) -> tuple[ndarray, ndarray | bool]:
        """Values in the unit, and where they are not the nodata that the caller stated."""
        known = True if self.nodata is None else values != np.float32(self.nodata)
        return values * np.float32(self.scale) + np.float32(self.offset), known

    def _marked(self, path: Path | None, block: Block) -> ndarray | bool:
        if path is None:
            return True
        mask = read_on_grid(path, self.grid, block=block, resampling="nearest")
        return mask.valid & (mask.values != 0)
