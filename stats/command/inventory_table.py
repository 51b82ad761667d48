"""Landslide inventories as one table: standard columns, every polygon kept, everything counted.

Overlapping polygons, duplicates and slivers are part of what was mapped and stay in the table
(size statistics need each landslide); they are dissolved only where cell areas are made. What a
reader changes or drops is a number in the record, never a silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from stats.command.errors import DataError
from stats.command.inventory_record import (
    METADATA_MINIMUM,
    STANDARD_COLUMNS,
    STANDARD_MAP,
    ColumnMap,
    InventoryTable,
    MinimumRule,
)
from stats.command.inventory_write import write_inventory
from stats.command.landslide_dates import parse_dates
from stats.command.polygon_repair import RepairedPolygons, count_exact_duplicates, repair_polygons
from stats.command.vector_crs import layer_crs, polygon_area_m2
from stats.command.vector_file import did_you_mean, read_vector

__all__ = [
    "STANDARD_COLUMNS",
    "STANDARD_MAP",
    "ColumnMap",
    "InventoryTable",
    "read_inventory_table",
    "write_inventory",
]


def _named(name: str | None, values: Any) -> tuple[str, Sequence[Any]] | None:
    return None if name is None else (name, values)


def _require_polygons(fixed: RepairedPolygons, n: int, source: str, *, allow_empty: bool) -> None:
    if fixed.kept.any() or (n == 0 and allow_empty):
        return
    found = ", ".join(f"{count} {reason}" for reason, count in fixed.dropped.items())
    raise DataError(source, found=f"no polygon among {n} features ({found})", expected="polygons")


def _minimum(
    area: np.ndarray[Any, np.dtype[np.float64]],
    given: float | None,
    metadata: dict[str, str],
    source: str,
) -> tuple[float, MinimumRule]:
    """Minimum mapping area [m2] and where it comes from."""
    rule: MinimumRule = "given"
    value: Any = given
    if value is None and METADATA_MINIMUM in metadata:
        rule, value = "stated in the file", metadata[METADATA_MINIMUM]
    if value is None:
        return (float(area.min()) if len(area) else float("nan")), "smallest polygon"
    try:
        minimum = float(value)
    except (TypeError, ValueError):
        minimum = float("nan")
    if not (np.isfinite(minimum) and minimum >= 0):
        raise DataError(
            source, found=f"a minimum mapping area of {value!r}", expected="a finite area in m2"
        )
    return minimum, rule


def _column(frame: gpd.GeoDataFrame, role: str, name: str | None, source: str) -> Any:
    """Values of a mapped column as objects; None where it is not mapped."""
    if name is None:
        return None
    columns = [str(c) for c in frame.columns if c != frame.geometry.name]
    if name not in columns:
        raise DataError(
            source,
            found=f"no column {name!r} (mapped to {role}){did_you_mean(name, columns)}",
            expected=f"one of {', '.join(columns) or 'no columns at all'}",
        )
    return frame[name].astype(object).to_numpy()


def _stated_area(values: Any, name: str, source: str, rows: Any) -> Any:
    numbers = pd.to_numeric(pd.Series(values, dtype=object), errors="coerce").to_numpy(float)
    wrong = np.flatnonzero(np.isnan(numbers) & pd.notna(values))
    if wrong.size:
        raise DataError(
            source,
            found=f"{values[wrong[0]]!r} in column {name!r}, row {rows[wrong[0]]}",
            expected="an area in m2",
        )
    return numbers


def read_inventory_table(
    path: str | Path,
    *,
    columns: ColumnMap | None = None,
    layer: str | None = None,
    member: str | int | None = None,
    minimum_area_m2: float | None = None,
    metric_crs: Any = None,
    crs: Any = None,
    explode: bool = False,
    allow_empty: bool = False,
) -> InventoryTable:
    """Read a landslide inventory of polygons.

    Args:
        path: GeoPackage, shapefile, GeoJSON, GeoParquet, or a zip of the first three.
        columns: names in the file; the default maps nothing.
        layer: layer name, where the file has several.
        member: file inside a zip, by path, name or stem, where it has several.
        minimum_area_m2: minimum mapping unit of the survey [m2]; the smallest polygon where None.
        metric_crs: coordinate system for area_m2; else the file's own where it is in metres,
            else a Lambert azimuthal equal-area one centred on the data.
        crs: coordinate system of a file that states none.
        explode: make one landslide of every part of a multipolygon (default: of the whole).
        allow_empty: accept a layer without features (a survey that found nothing).

    Raises:
        DataError: a file that cannot be read, no coordinate system, no polygons, unmapped or
            unknown columns, or dates that are none; see the message for what to do.
    """
    mapping = columns or ColumnMap()
    vector = read_vector(path, layer=layer, member=member)
    source = str(path) if vector.member is None else f"{path}:{vector.member}"
    notes = list(vector.notes)
    file_crs = layer_crs(vector.frame, crs, source, notes)
    raw = vector.frame
    picked = {
        f.name: _column(raw, f.name, getattr(mapping, f.name), source) for f in fields(ColumnMap)
    }
    if not allow_empty and len(raw) == 0:
        raise DataError(source, found="no features", expected="landslide polygons")
    fixed = repair_polygons(np.asarray(raw.geometry.to_numpy(), dtype=object))
    _require_polygons(fixed, len(raw), source, allow_empty=allow_empty)

    kept = np.flatnonzero(fixed.kept)
    rows = (kept + 1).tolist()
    taken = {role: None if values is None else values[kept] for role, values in picked.items()}
    dates = parse_dates(
        source,
        n=len(kept),
        rows=rows,
        date=_named(mapping.date, taken["date"]),
        start=_named(mapping.date_start, taken["date_start"]),
        end=_named(mapping.date_end, taken["date_end"]),
        year=_named(mapping.year, taken["year"]),
    )
    none = np.full(len(kept), None, dtype=object)
    table: dict[str, Any] = {
        "landslide_id": np.asarray(rows, dtype=np.int64)
        if taken["id"] is None
        else pd.Series(taken["id"]).infer_objects(),
        **{name: dates[name].to_numpy() for name in dates.columns},
        "source": none if taken["source"] is None else pd.Series(taken["source"]).infer_objects(),
        "confidence": none
        if taken["confidence"] is None
        else pd.Series(taken["confidence"]).infer_objects(),
    }
    if mapping.area is not None:
        table["area_stated_m2"] = _stated_area(taken["area"], mapping.area, source, rows)
    frame = gpd.GeoDataFrame(pd.DataFrame(table), geometry=fixed.geometries[kept], crs=file_crs)
    multipart = int((shapely.get_num_geometries(frame.geometry.to_numpy()) > 1).sum())
    if explode:
        frame = frame.explode(index_parts=False)
        notes.append(f"{multipart} multipolygons split into {len(frame)} landslides in all")
    frame = frame.reset_index(drop=True)
    area, area_crs = polygon_area_m2(frame.geometry, file_crs, metric_crs, source)
    frame.insert(1, "area_m2", area)
    minimum, rule = _minimum(area, minimum_area_m2, vector.metadata, source)
    ids = frame["landslide_id"]
    return InventoryTable(
        frame=frame,
        crs=file_crs,
        path=str(path),
        layer=vector.layer,
        member=vector.member,
        area_crs=area_crs.name,
        minimum_mapping_area_m2=minimum,
        minimum_mapping_area_from=rule,
        n_read=len(raw),
        n_repaired=fixed.n_repaired,
        dropped=fixed.dropped,
        n_z_dropped=fixed.n_z_dropped,
        n_multipart=multipart,
        n_duplicates=count_exact_duplicates(frame.geometry.to_numpy()),
        n_below_minimum=int((area < minimum).sum()),
        n_repeated_ids=int(ids.duplicated().sum()),
        n_undated=int((frame["date_kind"] == "unknown").sum()),
        notes=tuple(notes),
    )
