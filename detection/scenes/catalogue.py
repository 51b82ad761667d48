"""The layout of a folder of scenes: one file `scenes.yaml` that says what every other file holds.

Paths are relative to the folder. A smallest entry names an image, its bands in the order of the
file, and their unit::

    scenes:
      - name: rasuwa-2015
        region: rasuwa
        epoch: "2015"
        image: images/2015.tif          # or a list of files, read one after the other
        bands: [blue, green, red, nir]
        unit: "1"
        scale: 0.0001                   # stored number to unit: value * scale + offset
        inventory: inventories/2015.gpkg
        footprint: inventories/mapped_area.gpkg

Nothing is guessed: a file with another number of bands, with band names of its own in another
order, or with another unit is refused.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, field_validator, model_validator

from hazard.config.parsing import read_yaml
from hazard.config.validation import Section, validate
from hazard.errors import DataError
from hazard.geo.beside import write_beside

FILE_NAME = "scenes.yaml"
LAYOUT: Literal["detection-scenes"] = "detection-scenes"

Name = Annotated[str, Field(min_length=1)]
Files = Annotated[tuple[Path, ...], Field(min_length=1)]


class ImageEntry(Section):
    """An image: where it lies, how its numbers are to be read, and where it saw the ground."""

    image: Files
    """file, or files whose bands follow each other (such as one file per band)"""
    date: dt.date | None = None
    """day it was taken"""
    scale: float = 1.0
    """factor from stored number to unit"""
    offset: float = 0.0
    """addend from stored number to unit, after the factor"""
    nodata: float | None = None
    """stored number of pixels that were not seen; absent: the file's own. 0 is a value unless the
    file or this key says otherwise"""
    valid: Path | None = None
    """mask of what was seen: not 0 where it was"""
    cloud: Path | None = None
    """mask of what was hidden: not 0 under cloud and its shadow"""

    @field_validator("image", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str | Path) else value

    @model_validator(mode="after")
    def _a_scale_that_scales(self) -> ImageEntry:
        if self.scale == 0:
            raise ValueError("scale 0; expected another number")
        return self

    def files(self) -> tuple[Path, ...]:
        """Every file that it names."""
        return (*self.image, *(path for path in (self.valid, self.cloud) if path is not None))


class TargetGrid(Section):
    """The grid that a scene is warped to."""

    crs: str
    """coordinate system in metres, such as EPSG:32645"""
    pixel_m: Annotated[float, Field(gt=0)]
    """side of a pixel [m]"""


class SceneEntry(ImageEntry):
    """One scene of a catalogue."""

    name: Name
    """unique name"""
    region: Name
    """place; splits by event go by it"""
    epoch: Name
    """epoch that the date belongs to"""
    sensor: str = ""
    """what took the image"""
    bands: Annotated[tuple[Name, ...], Field(min_length=1)]
    """names of the bands, in the order of the file (or files)"""
    unit: Name
    """unit after scale and offset: 1 for reflectance, dn for uncalibrated counts"""
    grid: TargetGrid | None = None
    """grid to warp everything to; absent: that of the image, which must be in metres"""
    pre: ImageEntry | None = None
    """an earlier image of the same bands and unit"""
    elevation: Path | None = None
    """elevation [m], on any grid"""
    inventory: Path | None = None
    """landslide polygons"""
    inventory_member: str | None = None
    """file inside a zip"""
    inventory_layer: str | None = None
    """layer, where the file has several"""
    truth: Path | None = None
    """raster of landslides in place of polygons: not 0 where there is one, nodata where nobody
    looked"""
    footprint: Path | None = None
    """polygons of the ground that the mapper looked at; absent: all of the image"""
    synthetic: bool = False
    """rendered, not taken"""

    @model_validator(mode="after")
    def _consistent(self) -> SceneEntry:
        if twice := sorted({band for band in self.bands if self.bands.count(band) > 1}):
            raise ValueError(f"band {twice[0]!r} twice; expected every band once")
        if self.inventory is not None and self.truth is not None:
            raise ValueError("inventory and truth; expected one of them")
        if self.footprint is not None and self.inventory is None and self.truth is None:
            raise ValueError("a footprint without inventory or truth; expected either")
        if self.pre is not None and self.date and self.pre.date and self.pre.date >= self.date:
            raise ValueError(f"pre.date {self.pre.date}; expected a day before {self.date}")
        return self

    def files(self) -> tuple[Path, ...]:
        """Every file that it names, for hashes."""
        others = (self.elevation, self.inventory, self.truth, self.footprint)
        earlier = self.pre.files() if self.pre is not None else ()
        return (*super().files(), *earlier, *(path for path in others if path is not None))


class CatalogueFile(Section):
    """Content of `scenes.yaml`."""

    layout: Literal["detection-scenes"] = LAYOUT
    """kind of file"""
    layout_version: Literal[1] = 1
    """version of the layout"""
    scenes: Annotated[tuple[SceneEntry, ...], Field(min_length=1)]
    """the scenes"""

    @model_validator(mode="after")
    def _names_are_unique(self) -> CatalogueFile:
        names = [entry.name for entry in self.scenes]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"scene {twice[0]!r} twice; expected unique names")
        return self


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """The scenes of a folder, with paths that can be opened.

    Attributes:
        path: the `scenes.yaml`.
        entries: the scenes.
    """

    path: Path
    entries: tuple[SceneEntry, ...]

    def __len__(self) -> int:
        return len(self.entries)

    def entry(self, name: str) -> SceneEntry:
        """The scene of this name.

        Raises:
            DataError: there is none.
        """
        for entry in self.entries:
            if entry.name == name:
                return entry
        names = ", ".join(entry.name for entry in self.entries)
        raise DataError(self.path, found=f"no scene {name!r}", expected=f"one of {names}")


def read_catalogue(path: str | os.PathLike[str]) -> Catalogue:
    """Read `scenes.yaml` and look whether the files that it names are there.

    Args:
        path: the file, or the folder it lies in.

    Raises:
        ConfigError: keys that are unknown, missing or contradictory, with their lines.
        DataError: a file that a scene names does not exist.
    """
    file = Path(path)
    if file.is_dir():
        file = file / FILE_NAME
    if not file.exists():
        raise DataError(path, found=f"no {FILE_NAME}", expected="a catalogue of scenes")
    content = validate(CatalogueFile, read_yaml(file))
    entries = tuple(_placed(entry, file.parent) for entry in content.scenes)
    for entry in entries:
        for used in entry.files():
            if not str(used).startswith("/vsi") and not used.exists():
                raise DataError(
                    f"{file}, scene {entry.name!r}", found=f"no file {used}", expected="a file"
                )
    return Catalogue(path=file, entries=entries)


def write_catalogue(folder: str | os.PathLike[str], entries: Iterable[SceneEntry]) -> Path:
    """Write `scenes.yaml` into a folder; paths below the folder are stored relative to it.

    Returns:
        The file.

    Raises:
        ValueError: scenes of one name.
    """
    base = Path(folder)
    content = CatalogueFile(scenes=tuple(entries))
    record = content.model_dump(mode="json", exclude_defaults=True)
    record = {"layout": content.layout, "layout_version": content.layout_version, **record}
    for scene in record["scenes"]:
        _relative(scene, base)
        if "pre" in scene:
            _relative(scene["pre"], base)
    with write_beside(base / FILE_NAME) as part:
        part.write_text(yaml.safe_dump(record, sort_keys=False, width=100), encoding="utf-8")
    return base / FILE_NAME


_PATHS = ("image", "valid", "cloud", "elevation", "inventory", "truth", "footprint")


def _relative(section: dict[str, Any], base: Path) -> None:
    def shorten(text: str) -> str:
        path = Path(text)
        return path.relative_to(base).as_posix() if path.is_relative_to(base) else text

    for key in _PATHS:
        if isinstance(section.get(key), str):
            section[key] = shorten(section[key])
        elif section.get(key) is not None:
            files = [shorten(text) for text in section[key]]
            section[key] = files[0] if len(files) == 1 else files


def _placed(entry: SceneEntry, base: Path) -> SceneEntry:
    """The entry with its paths seen from where the process runs."""
    changes: dict[str, Any] = _joined(entry, base)
    if entry.pre is not None:
        changes["pre"] = entry.pre.model_copy(update=_joined(entry.pre, base))
    return entry.model_copy(update=changes)


def _joined(entry: ImageEntry, base: Path) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for key in _PATHS:
        value = getattr(entry, key, None)
        if isinstance(value, tuple):
            changes[key] = tuple(base / path for path in value)
        elif value is not None:
            changes[key] = base / value
    return changes
