"""Inventories to GeoPackage under standard column names, whole or not at all."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from pyproj import CRS

from stats.command.errors import DataError
from stats.command.inventory_record import (
    METADATA_MINIMUM,
    STANDARD_COLUMNS,
    InventoryTable,
)


def _standard(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The frame with every standard column, dates as datetime64[s], and one geometry column."""
    out = frame.copy()
    n = len(out)
    if "landslide_id" not in out:
        out["landslide_id"] = np.arange(1, n + 1, dtype=np.int64)
    if "area_m2" not in out:
        out["area_m2"] = np.asarray(out.geometry.area, dtype=np.float64)
    for name in ("date_start", "date_end"):
        values = out[name] if name in out else pd.Series([pd.NaT] * n, index=out.index)
        out[name] = pd.to_datetime(values).astype("datetime64[s]")
    for name in ("date_kind", "source", "confidence"):
        if name not in out:
            out[name] = pd.Series([None] * n, index=out.index, dtype=object)
    extra = [c for c in out.columns if c not in STANDARD_COLUMNS and c != out.geometry.name]
    out = out[[*STANDARD_COLUMNS, *extra, out.geometry.name]]
    return out.rename_geometry("geometry") if out.geometry.name != "geometry" else out


def write_inventory(
    path: str | Path,
    inventory: InventoryTable | gpd.GeoDataFrame,
    *,
    layer: str = "landslides",
    minimum_mapping_area_m2: float | None = None,
    metadata: dict[str, Any] | None = None,
) -> Path:
    """Write an inventory as a GeoPackage: beside the final name first, then renamed.

    Columns are the standard ones (landslide_id, area_m2, date_start, date_end, date_kind, source,
    confidence) and whatever else the frame has; geometries are multipolygons. The minimum mapping
    area and the counts of the reading go into the metadata of the layer, and
    `read_inventory_table(path, columns=STANDARD_MAP)` reads it all back.

    Args:
        path: file to write; it must end in .gpkg. An existing file is replaced.
        inventory: a table, or a GeoDataFrame in a metric coordinate system.
        layer: name of the layer.
        minimum_mapping_area_m2: of a GeoDataFrame (a table has its own) [m2].
        metadata: further entries for the layer, written as text.

    Raises:
        DataError: another suffix, no coordinate system, or geometries that are no polygons.
    """
    import pyogrio

    path = Path(path)
    if path.suffix.lower() != ".gpkg":
        raise DataError(
            path,
            found=f"the suffix {path.suffix!r}",
            expected="'.gpkg' (shapefiles cut column names to ten characters)",
        )
    entries: dict[str, Any] = dict(metadata or {})
    if isinstance(inventory, InventoryTable):
        frame, crs = inventory.frame, inventory.crs
        summary = inventory.summary()
        entries = {f"read_{k}": v for k, v in summary.items()} | entries
        if minimum_mapping_area_m2 is None:
            minimum_mapping_area_m2 = inventory.minimum_mapping_area_m2
    else:
        frame = inventory
        if frame.crs is None:
            raise DataError(path, found="a frame without coordinate system", expected="one")
        crs = CRS.from_user_input(frame.crs)
    if minimum_mapping_area_m2 is not None and np.isfinite(minimum_mapping_area_m2):
        entries[METADATA_MINIMUM] = repr(float(minimum_mapping_area_m2))
    kinds = shapely.get_type_id(np.asarray(frame.geometry.to_numpy(), dtype=object))
    if not np.isin(kinds, (3, 6)).all():
        raise DataError(path, found="a geometry that is no polygon", expected="polygons only")
    path.parent.mkdir(parents=True, exist_ok=True)
    # GDAL refuses a GeoPackage whose suffix is another, and shell-special characters in a name.
    stem = re.sub(r"[^\w.-]", "_", path.stem)
    beside = path.with_name(f".{stem}.{os.getpid()}.partial.gpkg")
    try:
        pyogrio.write_dataframe(
            _standard(frame).set_crs(crs, allow_override=True),
            beside,
            layer=layer,
            driver="GPKG",
            geometry_type="MultiPolygon",
            promote_to_multi=True,
            layer_metadata={key: str(value) for key, value in entries.items()},
        )
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return path
