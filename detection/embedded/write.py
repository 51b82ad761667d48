"""The embedded study as ordinary files, in the layout that real scenes come in.

scenes.yaml                    what every file holds (`detection.scenes.catalogue`)
images/SCENE.tif               reflectance in ten-thousandths, uint16, blue, green, red, nir
images/SCENE_pre.tif           the image before, registered to it with the planted error
clouds/SCENE.tif, _pre.tif     cloud mask, 1 where cloud or its shadow is reported
inventories/SCENE.gpkg         landslides that a mapper of the image draws
inventories/SCENE_new.gpkg     those among them that failed since the image before
footprints/SITE.gpkg           the ground that was mapped
elevation/SITE.tif             elevation [m] on a coarser grid
study.json                     settings, hash, and the word SYNTHETIC
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from detection.embedded.regions import BANDS
from detection.embedded.sensor import STEP
from detection.embedded.study import EmbeddedStudy, TrueInventory
from detection.scenes.catalogue import ImageEntry, SceneEntry, write_catalogue
from detection.scenes.scene import Scene
from hazard.errors import DataError
from hazard.geo.beside import write_beside
from hazard.geo.cog import write_cog
from stats.command.inventory_write import write_inventory

LAYOUT = "embedded-scenes"
RECORD = "study.json"


def write_study(study: EmbeddedStudy, folder: str | os.PathLike[str]) -> Path:
    """Write a study into a folder, whole or not at all.

    Args:
        study: from `detection.embedded.study.render_study`.
        folder: destination; an earlier embedded study there is replaced.

    Returns:
        The `scenes.yaml`.

    Raises:
        DataError: the folder holds something else.
    """
    target = Path(folder)
    with write_beside(target, may_replace=_is_study) as part:
        part.mkdir(parents=True)
        entries = []
        for scene, truth in zip(study.scenes, study.inventories, strict=True):
            entries.append(_write_scene(part, scene, truth, study))
        for dem in study.elevations:
            write_cog(
                part / "elevation" / f"{dem.site}.tif",
                dem.elevation_m,
                dem.grid,
                names=["elevation"],
                units=["m"],
                tags=_tags(study),
            )
        write_catalogue(part, entries)
        record = {
            "layout": LAYOUT,
            "synthetic": True,
            "notice": "SYNTHETIC",
            "settings": asdict(study.settings),
            "settings_hash": study.settings.settings_hash,
            "scenes": [scene.name for scene in study.scenes],
        }
        (part / RECORD).write_text(json.dumps(record, indent=1), encoding="utf-8")
    return target / "scenes.yaml"


def _is_study(path: Path) -> bool:
    """An empty folder, or an earlier study."""
    if not path.is_dir():
        return False
    if not any(path.iterdir()):
        return True
    try:
        return bool(json.loads((path / RECORD).read_text(encoding="utf-8"))["layout"] == LAYOUT)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _tags(study: EmbeddedStudy) -> dict[str, Any]:
    return {"SYNTHETIC": "rendered, not taken", "SETTINGS": study.settings.settings_hash}


def _write_scene(
    folder: Path, scene: Scene, truth: TrueInventory, study: EmbeddedStudy
) -> SceneEntry:
    if scene.pre is None or scene.pre_valid is None:
        raise DataError(f"scene {scene.name!r}", found="no earlier image", expected="one")
    images = {}
    for suffix, image, valid in (
        ("", scene.image, scene.valid),
        ("_pre", scene.pre, scene.pre_valid),
    ):
        name = f"{scene.name}{suffix}.tif"
        counts = np.rint(np.moveaxis(image, -1, 0) / STEP).astype(np.uint16)
        write_cog(
            folder / "images" / name,
            counts,
            scene.grid,
            names=list(scene.bands),
            units=["dn"] * len(scene.bands),
            nodata=0,
            tags=_tags(study),
        )
        write_cog(
            folder / "clouds" / name,
            (~valid).astype(np.uint8),
            scene.grid,
            names=["cloud"],
            units=["1"],
            nodata=None,
            tags=_tags(study),
        )
        images[suffix] = ImageEntry(
            image=(folder / "images" / name,),
            date=truth.pre_date if suffix else scene.date,
            scale=STEP,
            cloud=folder / "clouds" / name,
        )
    chosen = [("", list(truth.landslides)), ("_new", [p for p in truth.landslides if p.new])]
    for suffix, landslides in chosen:
        frame = gpd.GeoDataFrame(
            {
                "landslide_id": np.array([p.landslide_id for p in landslides], dtype=np.int64),
                "area_m2": np.asarray(
                    shapely.area([p.polygon for p in landslides]), dtype=np.float64
                ),
                "date_start": [p.failed for p in landslides],
                "date_end": [p.failed for p in landslides],
                "source": ["embedded truth"] * len(landslides),
                "new": [p.new for p in landslides],
                "regrown": np.array([p.regrown for p in landslides], dtype=np.float64),
            },
            geometry=[p.polygon for p in landslides],
            crs=scene.grid.crs,
        )
        write_inventory(
            folder / "inventories" / f"{scene.name}{suffix}.gpkg",
            frame,
            metadata={"SYNTHETIC": "true polygons", "site": truth.site},
        )
    footprint = folder / "footprints" / f"{truth.site}.gpkg"
    if not footprint.exists():
        footprint.parent.mkdir(exist_ok=True)
        frame = gpd.GeoDataFrame(geometry=[shapely.box(*scene.grid.bounds)], crs=scene.grid.crs)
        frame.to_file(footprint, layer="footprint", driver="GPKG")
    suffix = "" if study.settings.truth == "visible" else "_new"
    return SceneEntry(
        name=scene.name,
        region=scene.region,
        epoch=scene.epoch,
        sensor=scene.sensor,
        bands=BANDS,
        unit=scene.unit,
        pre=images["_pre"],
        elevation=folder / "elevation" / f"{truth.site}.tif",
        inventory=folder / "inventories" / f"{scene.name}{suffix}.gpkg",
        footprint=footprint,
        synthetic=True,
        **images[""].model_dump(),
    )
