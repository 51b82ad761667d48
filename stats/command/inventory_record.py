"""The records of a landslide inventory: which columns to take, and the table with its account."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal

import geopandas as gpd
from pyproj import CRS

from stats.command.landslide_dates import CENSORED_KINDS

MinimumRule = Literal["given", "stated in the file", "smallest polygon"]

# Key, in the metadata of a layer, of its minimum mapping area.
METADATA_MINIMUM = "minimum_mapping_area_m2"

STANDARD_COLUMNS = (
    "landslide_id", "area_m2", "date_start", "date_end", "date_kind", "source", "confidence",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ColumnMap:
    """Names, in the file, of the columns that the table takes; None where there is none.

    Attributes:
        id: identifier of the landslide (default: the row number, from 1).
        date: day of failure, or an ISO month or year.
        date_start: first possible day of failure.
        date_end: last possible day of failure.
        year: year of failure, or of the image that first shows it.
        area: area as stated by the file [m2], kept beside the measured one.
        source: who or what mapped it.
        confidence: mapping confidence, as it stands.
    """

    id: str | None = None
    date: str | None = None
    date_start: str | None = None
    date_end: str | None = None
    year: str | None = None
    area: str | None = None
    source: str | None = None
    confidence: str | None = None


# The names under which `write_inventory` writes.
STANDARD_MAP = ColumnMap(
    id="landslide_id",
    date_start="date_start",
    date_end="date_end",
    source="source",
    confidence="confidence",
)


@dataclass(frozen=True, kw_only=True)
class InventoryTable:
    """An inventory with standard columns and the account of how it was read.

    Attributes:
        frame: GeoDataFrame with landslide_id, geometry, area_m2 (float64), date_start and
            date_end (closed interval, datetime64[s], NaT unknown), date_kind ("day", "interval",
            "month", "year", "unknown"), source, confidence (both None where the file has none),
            and area_stated_m2 where a column of areas was mapped.
        crs: coordinate system of the geometries.
        path: file it came from.
        layer: layer read.
        member: file inside the zip, or None.
        area_crs: name of the metric coordinate system in which area_m2 was measured.
        minimum_mapping_area_m2: smallest landslide that the inventory claims to hold [m2].
        minimum_mapping_area_from: "given", "stated in the file" (its layer metadata), or
            "smallest polygon" of the file.
        n_read: features in the file.
        n_repaired: invalid geometries made valid.
        n_dropped_empty: features without a geometry (null or empty) or without area.
        dropped: features dropped, by reason.
        n_z_dropped: features whose third coordinate was removed.
        n_multipart: landslides made of several polygons.
        n_duplicates: polygons equal to an earlier one (kept).
        n_below_minimum: polygons smaller than the minimum mapping area (kept).
        n_repeated_ids: identifiers that occur before (kept as they are).
        n_undated: landslides without any date.
        notes: warnings of the reader and choices made, in words.
    """

    frame: gpd.GeoDataFrame
    crs: CRS
    path: str
    layer: str
    member: str | None = None
    area_crs: str
    minimum_mapping_area_m2: float
    minimum_mapping_area_from: MinimumRule
    n_read: int
    n_repaired: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    n_z_dropped: int = 0
    n_multipart: int = 0
    n_duplicates: int = 0
    n_below_minimum: int = 0
    n_repeated_ids: int = 0
    n_undated: int = 0
    notes: tuple[str, ...] = ()

    @property
    def n_dropped_empty(self) -> int:
        """Features dropped because there was no geometry or no area in it."""
        return sum(self.dropped.get(reason, 0) for reason in ("null", "empty", "collapsed"))

    @property
    def n_dropped(self) -> int:
        """Features dropped for any reason."""
        return sum(self.dropped.values())

    @property
    def interval_censored(self) -> bool:
        """True where at least one date is known only to an interval."""
        return bool(self.frame["date_kind"].isin(CENSORED_KINDS).any())

    def __len__(self) -> int:
        return len(self.frame)

    def summary(self) -> dict[str, Any]:
        """Every count and choice as one flat mapping, for reports and logs."""
        names = [f.name for f in fields(self) if f.name not in {"frame", "crs", "dropped", "notes"}]
        values: dict[str, Any] = {"n_landslides": len(self), "crs": self.crs.name}
        values |= {name: getattr(self, name) for name in names}
        values |= {f"n_dropped_{k.lower().replace(' ', '_')}": v for k, v in self.dropped.items()}
        values["date_kinds"] = self.frame["date_kind"].value_counts().to_dict()
        values["notes"] = list(self.notes)
        return values
