"""The written layout of a cube, version 1, and how it is read back.

A cube is a Zarr v3 folder. Cells and pixels cannot share the dimensions y, x in one dataset, so
each resolution has a group of its own:

==============  ======================================================================
``/``           (epoch, y, x) cells: area_density, presence, mask, observed, recovered;
                observation_probability and false_alarms where the detection error is known
                (without them every landslide is recorded, and nothing else)
``/pixels``     (y, x) terrain and other fine layers on the nested lattice; ``filled``
``/cells``      (y, x) further layers on the cell grid, each with ``NAME_flag``
``/triggers``   (y, x) and (epoch, y, x) shaking and rain on their own, coarser grid
``/folds``      (fold, epoch, y, x) int8 roles of every design of held-out data
==============  ======================================================================

Readers check ``layout`` and ``layout_version`` of the root and nothing else decides compatibility.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hazard.errors import DataError

if TYPE_CHECKING:
    import xarray as xr

    from hazard.geo.grid import Grid

LAYOUT = "hazard-cube"
LAYOUT_VERSION = 1
GROUPS = ("pixels", "cells", "triggers", "folds")
CUBE_NAME = "cube.zarr"

# Bits of /pixels/filled, and of nothing else.
FILLED_ELEVATION, FILLED_DERIVATIVE, FILLED_FLOW, FILLED_EXTRA = 1, 2, 4, 8
FILLED_MEANINGS = {
    FILLED_ELEVATION: "elevation_filled",
    FILLED_DERIVATIVE: "terrain_derivative_filled",
    FILLED_FLOW: "flow_layer_filled",
    FILLED_EXTRA: "further_layer_filled",
}
# Bits of NAME_flag in /cells and /triggers.
FLAG_CENSORED, FLAG_FILLED = 1, 2
FLAG_MEANINGS = {FLAG_CENSORED: "censored_below_threshold", FLAG_FILLED: "filled_from_nearest"}

NOT_OBSERVED = -1
NO_CLASS = -32768


@dataclass(frozen=True, kw_only=True)
class CubeEpoch:
    """One slice of time of a cube.

    Attributes:
        name: name for titles and columns.
        start: first day.
        end: last day, inclusive.
        season: season of the images that close it.
        length_days: days from start to end, both counted.
        image_start: first image used, None where not known.
        image_end: last image used, None where not known.
        dates: ``observed`` or ``nominal``.
        monsoons: monsoons since the event.
    """

    name: str
    start: dt.date
    end: dt.date
    season: str
    length_days: int
    image_start: dt.date | None
    image_end: dt.date | None
    dates: str
    monsoons: int

    def as_json(self) -> dict[str, Any]:
        """Plain values, dates as ISO text."""
        return {
            key: value.isoformat() if isinstance(value, dt.date) else value
            for key, value in vars(self).items()
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> CubeEpoch:
        """The record that `as_json` wrote."""
        dates = {
            key: None if values[key] is None else dt.date.fromisoformat(values[key])
            for key in ("start", "end", "image_start", "image_end")
        }
        return cls(**{**values, **dates})


@dataclass(frozen=True)
class Cube:
    """A cube opened for reading; datasets are lazy, values are read when asked for.

    Attributes:
        path: the Zarr folder.
        root: cells per epoch.
        pixels: fine layers.
        cells: further layers on cells.
        triggers: shaking and rain.
        folds: roles of held-out designs.
    """

    path: Path
    root: xr.Dataset
    pixels: xr.Dataset
    cells: xr.Dataset
    triggers: xr.Dataset
    folds: xr.Dataset

    @property
    def name(self) -> str:
        """Name of the study."""
        return str(self.root.attrs["name"])

    @property
    def title(self) -> str:
        """Title of the study."""
        return str(self.root.attrs["title"])

    @property
    def synthetic(self) -> bool:
        """True where the data come from the embedded world."""
        return bool(self.root.attrs["synthetic"])

    @cached_property
    def epochs(self) -> tuple[CubeEpoch, ...]:
        """Epochs in order."""
        return tuple(CubeEpoch.from_json(e) for e in json.loads(self.root.attrs["epochs"]))

    @cached_property
    def absent(self) -> dict[str, str]:
        """Predictors that could not be derived, each with its reason."""
        return dict(json.loads(self.root.attrs["absent"]))

    @cached_property
    def inputs(self) -> list[dict[str, Any]]:
        """Provenance of every layer: file, hash, coordinate system, resampling, unit, source."""
        return list(json.loads(self.root.attrs["inputs"]))

    @cached_property
    def config(self) -> dict[str, Any]:
        """The configuration that built the cube."""
        return dict(json.loads(self.root.attrs["config"]))

    @cached_property
    def grid(self) -> Grid:
        """The cell grid."""
        return grid_of(self.root, self.path)

    @cached_property
    def pixel_grid(self) -> Grid:
        """The nested lattice of pixels."""
        return grid_of(self.pixels, self.path)

    @cached_property
    def trigger_grid(self) -> Grid:
        """The grid of shaking and rain."""
        return grid_of(self.triggers, self.path)

    @property
    def pixels_per_cell(self) -> int:
        """Pixels along one side of a cell."""
        return self.pixel_grid.shape[0] // self.grid.shape[0]


def grid_of(dataset: xr.Dataset, source: object) -> Grid:
    """The grid that a group's ``spatial_ref``, y and x describe.

    Raises:
        DataError: no axes, or no coordinate system.
    """
    from hazard.geo.cf import grid_from_dataset

    return grid_from_dataset(dataset, source=source)


def check_layout(attributes: dict[str, Any], path: Path) -> None:
    """Refuse what is not a cube of this version.

    Raises:
        DataError: another kind of store, or another version of the layout.

    Example:
        >>> check_layout({"layout": "hazard-cube", "layout_version": 1}, Path("cube.zarr"))
    """
    if attributes.get("layout") != LAYOUT:
        raise DataError(
            path,
            found=f"layout {attributes.get('layout')!r}",
            expected=f"{LAYOUT!r}, as `python -m hazard.cube` writes it",
        )
    if attributes.get("layout_version") != LAYOUT_VERSION:
        raise DataError(
            path,
            found=f"layout version {attributes.get('layout_version')!r}",
            expected=f"{LAYOUT_VERSION}; rebuild it with `python -m hazard.cube CONFIG --fresh`",
        )


def open_cube(path: Path | str) -> Cube:
    """Open a cube (``cube.zarr``, or the run folder that holds it) for reading.

    Integers keep their type: ``presence`` is int8 with -1 where not observed.

    Raises:
        DataError: no such folder, not a cube, another layout version, or a missing group.
    """
    folder = Path(path)
    if (folder / CUBE_NAME).is_dir():
        folder = folder / CUBE_NAME
    if not (folder / "zarr.json").is_file():
        raise DataError(
            folder,
            found="no cube" if folder.exists() else "no such folder",
            expected="a cube.zarr written by `python -m hazard.cube`",
        )
    root = _open_group(folder, None)
    check_layout(dict(root.attrs), folder)
    return Cube(folder, root, *(_open_group(folder, group) for group in GROUPS))


def _open_group(folder: Path, group: str | None) -> xr.Dataset:
    import xarray as xr
    import zarr.errors

    try:
        # Decoding a fill value would turn int8 into float; missing floats are NaN as they stand.
        return xr.open_zarr(
            folder, group=group, consolidated=False, mask_and_scale=False, chunks=None
        )
    except (
        OSError, KeyError, ValueError, zarr.errors.GroupNotFoundError, json.JSONDecodeError
    ) as error:  # fmt: skip
        where = "root" if group is None else f"group {group!r}"
        raise DataError(
            folder, found=f"no readable {where} ({error})", expected="a whole cube"
        ) from None
