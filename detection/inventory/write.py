"""A multi-temporal inventory as a folder of ordinary files, which a hazard study reads as it is.

The layout is documented in ``docs/detection_inventories.md``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import yaml

from detection.inventory.epoch_map import EpochMap, Geometries
from detection.inventory.ground import as_geometries, dissolved
from detection.inventory.overlay import union
from detection.inventory.records import STATUSES, VISIBLE, EpochParts, MultiTemporal
from detection.inventory.seen_ground import SeenGround
from detection.inventory.tables import areas_table, failure_interval, landslide_table
from detection.runs.record import read_record
from hazard.geo.beside import write_beside
from stats.command.inventory_write import write_inventory
from stats.command.whole_folder import check_replaceable, listed_files, whole_folder, write_json

LAYOUT, LAYOUT_VERSION = "multi-temporal-inventory", 1
RECORD = "inventory.json"
HAZARD = "hazard.yaml"
FOLDERS = ("parts", "visible", "seen", "footprints")


def file_names(found: MultiTemporal) -> list[str]:
    """File name of each epoch: its number and its name, without what file systems refuse.

    Example: ``02_post-monsoon_2015.gpkg``.
    """
    return [
        f"{number:02d}_{re.sub(r'[^A-Za-z0-9.-]+', '_', parts.epoch.name).strip('_')}.gpkg"
        for number, parts in enumerate(found.epochs, start=1)
    ]


def write_multi_temporal(
    folder: str | Path,
    found: MultiTemporal,
    *,
    synthetic: bool = False,
    minimum_mapping_area_m2: float | None = None,
    provenance: dict[str, Any] | None = None,
) -> Path:
    """Write a multi-temporal inventory, whole or not at all.

    Args:
        folder: where to; an earlier inventory of this layout there is replaced.
        found: the inventory.
        synthetic: True where the images were rendered.
        minimum_mapping_area_m2: of the mapping, for the metadata of the layers [m2].
        provenance: further entries of the record (model, scenes, command).

    Raises:
        UsageError: the folder holds something else.
    """
    out = Path(folder)
    check_replaceable(out, record=RECORD, layout=LAYOUT)
    names = file_names(found)
    with whole_folder(out, record=RECORD, layout=LAYOUT) as beside:
        seen = _Seen(found)
        for name, parts in zip(names, found.epochs, strict=True):
            meta = {"epoch": parts.epoch.name, "synthetic": synthetic}
            layers: dict[str, tuple[str, gpd.GeoDataFrame]] = {
                "parts": ("parts", _parts_frame(parts, found)),
                "visible": ("landslides", _visible_frame(parts, found)),
                "seen": ("landslides", seen.with_epoch(parts)),
            }
            for kind, (layer, frame) in layers.items():
                write_inventory(
                    beside / kind / name, frame, layer=layer, metadata=meta,
                    minimum_mapping_area_m2=minimum_mapping_area_m2,
                )  # fmt: skip
            if parts.epoch.footprint is not None:
                frame = _frame([parts.epoch.footprint], found, landslide_id=[1])
                write_inventory(
                    beside / "footprints" / name, frame, layer="footprint", metadata=meta
                )
        if found.baseline is not None:
            outlines = dissolved(found.baseline.geometries, SeenGround(found.baseline.footprint))[0]
            write_inventory(
                beside / "baseline.gpkg", _frame(outlines, found), layer="landslides",
                metadata={"epoch": found.baseline.name, "synthetic": synthetic},
            )  # fmt: skip
        areas_table(found).to_csv(beside / "areas.csv", index=False)
        landslide_table(found).to_csv(beside / "landslides.csv", index=False)
        text = yaml.safe_dump(hazard_sections(out, found), sort_keys=False, allow_unicode=True)
        (beside / HAZARD).write_text(
            "# Sections of a hazard study; add study.event, study.grid and terrain.\n" + text,
            encoding="utf-8",
        )
        record = {
            "layout": LAYOUT,
            "layout_version": LAYOUT_VERSION,
            "synthetic": synthetic,
            "crs": found.crs.to_wkt(),
            "settings": asdict(found.settings),
            "n_landslides": found.n_landslides,
            "baseline": None if found.baseline is None else _epoch_entry(found.baseline),
            "epochs": [
                _epoch_entry(parts.epoch) | {"file": name, "account": dict(parts.account)}
                for name, parts in zip(names, found.epochs, strict=True)
            ],
            "provenance": provenance or {},
        }
        write_json(beside / RECORD, record | {"files": listed_files(beside, html=False)})
    return out


def announce_files(folder: str | Path, *names: str) -> None:
    """Name further files in the record of an inventory, before they are written into its folder.

    What the record does not name is another's, and keeps the folder from being replaced.

    Raises:
        DataError: no inventory there.
    """
    file = Path(folder) / RECORD
    record = read_record(file)
    with write_beside(file) as part:
        write_json(part, record | {"files": sorted({*record.get("files", ()), *names})})


def hazard_sections(folder: str | Path, found: MultiTemporal) -> dict[str, Any]:
    """`study.epochs` and `target` of a hazard configuration that reads a written inventory.

    With memory "everything" hazard differences the files of ``seen/``, which only ever grow: the
    increase in a cell is exactly its new and expanded ground. With memory "previous" it differences
    what was visible, as published. Ground that was not seen comes from ``footprints/``.

    Args:
        folder: where the inventory lies.
        found: the inventory.
    """
    out, names = Path(folder), file_names(found)
    everything = found.settings.memory == "everything"
    kind = "seen" if everything else "visible"
    observed = [
        None if parts.epoch.footprint is None else str(out / "footprints" / name)
        for name, parts in zip(names, found.epochs, strict=True)
    ]
    target: dict[str, Any] = {
        "kind": "cumulative",
        "files": [str(out / kind / name) for name in names],
        "difference": "cell_area" if everything else "geometry",
    }
    if found.baseline is not None:
        target["baseline"] = str(out / "baseline.gpkg")
    if any(path is not None for path in observed):
        target["observed"] = observed
    epochs = [
        {"name": e.name, "start": e.start.isoformat(), "end": e.end.isoformat()}
        for e in (parts.epoch for parts in found.epochs)
    ]
    return {"study": {"epochs": epochs}, "target": target}


def _epoch_entry(epoch: EpochMap) -> dict[str, Any]:
    return {
        "name": epoch.name, "start": epoch.start.isoformat(), "end": epoch.end.isoformat(),
        "lists": epoch.lists, "pixel_m": epoch.pixel_m, "sensor": epoch.sensor,
        "source": epoch.source, "notes": list(epoch.notes),
        "footprint_m2": None if epoch.footprint is None else epoch.footprint.area,
    }  # fmt: skip


def _frame(geometries: Any, found: MultiTemporal, **columns: Any) -> gpd.GeoDataFrame:
    array = as_geometries(geometries)
    table = pd.DataFrame({"landslide_id": np.arange(1, len(array) + 1), **columns})
    return gpd.GeoDataFrame(
        table.assign(area_m2=shapely.area(array)), geometry=array, crs=found.crs
    )


def _dates(parts: EpochParts, found: MultiTemporal) -> list[Any]:
    gained = {STATUSES.index(s) for s in ("new", "expanded", "reactivated")}
    return [
        failure_interval(parts, i, found) if code in gained else None
        for i, code in enumerate(parts.status.tolist())
    ]


def _parts_frame(parts: EpochParts, found: MultiTemporal) -> gpd.GeoDataFrame:
    """One row per part, as in the layer ``parts``."""
    dates = _dates(parts, found)
    names = [p.epoch.name for p in found.epochs]
    return _frame(
        parts.geometry,
        found,
        landslide_id=parts.landslide,
        status=[STATUSES[code] for code in parts.status.tolist()],
        epoch=parts.epoch.name,
        date_start=[pd.NaT if d is None else pd.Timestamp(d[0]) for d in dates],
        date_end=[pd.NaT if d is None else pd.Timestamp(d[1]) for d in dates],
        first_sight=parts.first_sight,
        last_seen=[names[i] if i >= 0 else "" for i in parts.last_seen.tolist()],
        source=parts.epoch.source,
    )


def _visible_frame(parts: EpochParts, found: MultiTemporal) -> gpd.GeoDataFrame:
    """One row per landslide that shows in the epoch."""
    codes = {STATUSES.index(status) for status in VISIBLE}
    pieces: dict[int, list[Any]] = defaultdict(list)
    for code, number, geometry in zip(
        parts.status.tolist(), parts.landslide.tolist(), parts.geometry, strict=True
    ):
        if code in codes:
            pieces[number].append(geometry)
    numbers = sorted(pieces)
    return _frame(
        [union(pieces[number]) for number in numbers],
        found,
        landslide_id=numbers,
        epoch=parts.epoch.name,
        objects=[parts.objects.get(number, 0) for number in numbers],
        source=parts.epoch.source,
    )


class _Seen:
    """Everything that was bare at some time, up to an epoch."""

    def __init__(self, found: MultiTemporal) -> None:
        self.found = found
        self.ground: dict[int, Any] = {}
        self.first: dict[int, str] = {}
        if found.baseline is not None:
            outlines: Geometries = dissolved(
                found.baseline.geometries, SeenGround(found.baseline.footprint)
            )[0]
            self.ground = dict(enumerate(outlines, start=1))
            self.first = dict.fromkeys(self.ground, found.baseline.name)

    def with_epoch(self, parts: EpochParts) -> gpd.GeoDataFrame:
        gained = {STATUSES.index("new"), STATUSES.index("expanded")}
        for code, number, geometry in zip(
            parts.status.tolist(), parts.landslide.tolist(), parts.geometry, strict=True
        ):
            if code in gained:
                mine = self.ground.get(number)
                self.ground[number] = geometry if mine is None else union([mine, geometry])
                self.first.setdefault(number, parts.epoch.name)
        numbers = sorted(self.ground)
        return _frame(
            [self.ground[number] for number in numbers],
            self.found,
            landslide_id=numbers,
            first_epoch=[self.first[number] for number in numbers],
        )
