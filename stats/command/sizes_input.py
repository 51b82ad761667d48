"""The areas of inventories as the command line names them: vector files, zips, tables of areas.

``FILE`` or ``FILE:NAME``. NAME is a member of a zip, a layer of a GeoPackage or the column of a
table. A zip without a NAME stands for all vector files in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from stats.case_arrays import FloatArray
from stats.command.area_table import TEXT_SUFFIXES, Source, is_geoparquet, read_area_table
from stats.command.errors import DataError, UsageError

if TYPE_CHECKING:
    from stats.command.inventory_record import InventoryTable

Unit = Literal["m2", "km2", "ha"]
IN_M2: dict[str, float] = {"m2": 1.0, "ha": 1e4, "km2": 1e6}
# Landslides have between about 1 m2 and 100 km2; medians beyond say another unit.
LEAST_MEDIAN_M2, MOST_MEDIAN_M2 = 1.0, 1e8


@dataclass(frozen=True, kw_only=True)
class Areas:
    """The areas of one inventory and where they come from.

    Attributes:
        label: short name, unique in a run.
        source: as the command line names it.
        areas_m2: (n,) areas [m2].
        stated_minimum_m2: minimum mapping area that the file itself states, or None.
        sha256: of the file.
        table: the polygons, or None for a table of areas.
        synthetic: the file says that nothing in it was observed.
        notes: what the reader changed or found, in words.
    """

    label: str
    source: Source
    areas_m2: FloatArray
    stated_minimum_m2: float | None
    sha256: str
    table: InventoryTable | None
    synthetic: bool
    notes: tuple[str, ...]


def parse_source(text: str) -> Source:
    """Split ``FILE:NAME``; a colon that belongs to the file's own name stays there.

    Example:
        >>> parse_source("data/China.zip:2009")
        Source(path=PosixPath('data/China.zip'), name='2009')
    """
    if not text.strip():
        raise UsageError("found an empty name of an inventory; expected FILE or FILE:NAME")
    if Path(text).exists() or ":" not in text:
        return Source(path=Path(text))
    head, _, tail = text.rpartition(":")
    if not head or not tail:
        return Source(path=Path(text))
    return Source(path=Path(head), name=tail)


def expand_sources(texts: Sequence[str]) -> list[Source]:
    """Sources of all arguments; a zip without a name becomes all its vector files, in order.

    Raises:
        DataError: a zip that cannot be read, or without a vector file.
    """
    from stats.command.vector_file import FORMATS, vector_members

    out: list[Source] = []
    for text in texts:
        source = parse_source(text)
        if source.name is None and source.path.suffix.lower() == ".zip":
            members = sorted(vector_members(source.path))
            if not members:
                raise DataError(source.path, found="a zip without a vector file", expected=FORMATS)
            named = members if len(members) > 1 else [None]
            out += [Source(path=source.path, name=member) for member in named]
        else:
            out.append(source)
    return out


def labels_of(sources: Sequence[Source]) -> list[str]:
    """Short names that differ: the file's stem, with the member's or column's where it has one.

    Example:
        >>> labels_of([parse_source("x/China.zip:China/2009.shp"), parse_source("b.gpkg")])
        ['China 2009', 'b']
    """
    labels: list[str] = []
    for source in sources:
        label = source.path.stem
        if source.name is not None:
            label += f" {PurePosixPath(source.name).stem}"
        base, number = label, 1
        while label in labels:
            number += 1
            label = f"{base} ({number})"
        labels.append(label)
    return labels


def read_areas(source: Source, label: str, *, unit: Unit = "m2", crs: str | None = None) -> Areas:
    """Read the areas of one inventory.

    Args:
        source: file, and member, layer or column.
        label: short name for tables and plots.
        unit: of the areas of a table; polygons are always measured in m2.
        crs: coordinate system of a vector file that states none.

    Raises:
        DataError: a file that cannot be read, without polygons or numbers, areas that are not
            finite or not above 0, or that cannot be landslides in m2.
    """
    suffix = source.path.suffix.lower()
    if suffix in TEXT_SUFFIXES or (suffix == ".parquet" and not is_geoparquet(source.path)):
        areas, notes = read_area_table(source)
        found = _checked(areas * IN_M2[unit], source, unit)
        return Areas(
            label=label, source=source, areas_m2=found, stated_minimum_m2=None,
            sha256=_sha256(source.path), table=None, synthetic=False, notes=tuple(notes),
        )  # fmt: skip
    if unit != "m2":
        raise UsageError(f"{source}: found --unit {unit} for polygons; they are measured in m2")
    return _read_polygons(source, label, crs)


def _read_polygons(source: Source, label: str, crs: str | None) -> Areas:
    from stats.command.inventory_table import read_inventory_table
    from stats.command.vector_file import read_vector

    zipped = source.path.suffix.lower() == ".zip"
    chosen: dict[str, Any] = {"member" if zipped else "layer": source.name}
    table = read_inventory_table(source.path, crs=crs, **chosen)
    metadata = read_vector(source.path, **chosen).metadata
    areas = _checked(table.frame["area_m2"].to_numpy(np.float64), source, "m2", of="polygons")
    notes = list(table.notes)
    counts = {
        "outlines repaired": table.n_repaired,
        "features without an outline dropped": table.n_dropped,
        "outlines equal to an earlier one, kept": table.n_duplicates,
        "landslides of several parts": table.n_multipart,
    }
    notes += [f"{number} {what}" for what, number in counts.items() if number]
    if not table.crs.is_projected:
        notes.append(f"areas measured in {table.area_crs}")
    stated = table.minimum_mapping_area_from == "stated in the file"
    return Areas(
        label=label,
        source=source,
        areas_m2=areas,
        stated_minimum_m2=table.minimum_mapping_area_m2 if stated else None,
        sha256=_sha256(source.path),
        table=table,
        synthetic="SYNTHETIC" in " ".join([*metadata, *metadata.values()]).upper(),
        notes=tuple(notes),
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _checked(areas: FloatArray, source: Source, unit: Unit, *, of: str = "rows") -> FloatArray:
    if not areas.size:
        raise DataError(source, found="no areas", expected=f"a table or layer with {of}")
    for wrong, what in ((~np.isfinite(areas), "not finite"), (areas <= 0, "not above 0")):
        if wrong.any():
            raise DataError(
                source,
                found=f"{int(wrong.sum())} of {areas.size} areas {what} (the first in row "
                f"{int(np.flatnonzero(wrong)[0]) + 1})",
                expected="areas of landslides, finite and above 0",
            )
    median = float(np.median(areas))
    if not LEAST_MEDIAN_M2 <= median <= MOST_MEDIAN_M2:
        hint = (
            "a coordinate system that fits the coordinates (degrees taken for metres?)"
            if of == "polygons"
            else f"areas in {unit}; --unit km2 or --unit ha states another unit"
        )
        raise DataError(source, found=f"a median area of {median:.3g} m2", expected=hint)
    return areas
