"""The embedded study as a folder of ordinary files, which are read as real ones are.

FOLDER/
  scenes.yaml                 the catalogue (`detection.scenes.catalogue`)
  images/SCENE.tif            reflectance in steps of 0.0001, 65535 not seen
  images/SCENE_before.tif     the earlier image, likewise
  elevation/SITE.tif          elevation of a site [m]
  elevation.tif               all sites together
  inventories/SCENE.gpkg      landslides that a mapper of the image draws
  study.json                  settings and their hash
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
from affine import Affine
from jaxtyping import Bool, Float
from numpy import ndarray

from detection.embedded.settings import EmbeddedSettings
from detection.embedded.study import EmbeddedStudy, SiteElevation, TrueInventory, render_study
from detection.scenes.catalogue import ImageEntry, SceneEntry, write_catalogue
from detection.scenes.scene import Scene
from hazard.geo.beside import write_beside
from hazard.geo.cog import write_cog
from hazard.geo.grid import Grid
from stats.command.inventory_write import write_inventory

RECORD, LAYOUT, LAYOUT_VERSION = "study.json", "embedded-scenes", 1
ELEVATION = "elevation.tif"
STEP, NOT_SEEN = 1e-4, 65535
TAGS = {"synthetic": "true", "title": "SYNTHETIC embedded scene, not observed"}


def write_study(
    folder: Path | str,
    settings: EmbeddedSettings,
    *,
    progress: Callable[[int], None] | None = None,
) -> Path:
    """Render a study into a folder, or take the one that lies there if its settings are equal.

    Args:
        folder: destination; one that holds anything else is refused.
        settings: what is rendered; of one region, since elevation has one coordinate system.
        progress: called with 1 after every scene.

    Returns:
        The folder.

    Raises:
        ValueError: several regions.
        DataError: the folder holds something else.
    """
    if len(settings.regions) != 1:
        raise ValueError(f"regions {settings.regions}; use one, in one coordinate system")
    final = Path(folder)
    if _record(final).get("settings_hash") == settings.settings_hash:
        return final
    study = render_study(settings, progress=progress)
    with write_beside(final, may_replace=_is_study) as part:
        part.mkdir()
        entries = [
            _write_scene(part, scene, truth, study.settings)
            for scene, truth in zip(study.scenes, study.inventories, strict=True)
        ]
        for site in study.elevations:
            _write_elevation(part / "elevation" / f"{site.site}.tif", site.elevation_m, site.grid)
        _write_elevation(part / ELEVATION, *mosaic(study.elevations))
        write_catalogue(part, entries)
        record = {
            "layout": LAYOUT, "layout_version": LAYOUT_VERSION, "synthetic": True,
            "settings_hash": settings.settings_hash, "settings": asdict(settings),
            "area_km2": _area_km2(study),
        }  # fmt: skip
        (part / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return final


def _write_scene(
    part: Path, scene: Scene, truth: TrueInventory, settings: EmbeddedSettings
) -> SceneEntry:
    image = part / "images" / f"{scene.name}.tif"
    _write_image(image, scene.image, scene.valid, scene)
    before = None
    if scene.pre is not None and scene.pre_valid is not None:
        before = image.with_name(f"{scene.name}_before.tif")
        _write_image(before, scene.pre, scene.pre_valid, scene)
    drawn = truth.landslides
    if settings.truth == "new":
        drawn = tuple(landslide for landslide in drawn if landslide.new)
    frame = gpd.GeoDataFrame(
        {
            "landslide_id": np.array([landslide.landslide_id for landslide in drawn], np.int64),
            "failed": [landslide.failed.isoformat() for landslide in drawn],
            "regrown": [landslide.regrown for landslide in drawn],
        },
        geometry=[landslide.polygon for landslide in drawn],
        crs=scene.grid.crs,
    )
    inventory = part / "inventories" / f"{scene.name}.gpkg"
    write_inventory(inventory, frame, metadata=TAGS)
    # The whole scene was looked at, so that one without landslides says that there are none.
    footprint = part / "inventories" / f"{scene.name}_footprint.gpkg"
    left, bottom, right, top = scene.grid.bounds
    ground = gpd.GeoDataFrame(
        {"landslide_id": [1]}, geometry=gpd.GeoSeries.from_wkt(
            [f"POLYGON(({left} {bottom},{right} {bottom},{right} {top},{left} {top},"
             f"{left} {bottom}))"]
        ), crs=scene.grid.crs,
    )  # fmt: skip
    write_inventory(footprint, ground, layer="footprint", metadata=TAGS)
    return SceneEntry(
        name=scene.name, region=scene.region, epoch=scene.epoch, date=scene.date,
        sensor=scene.sensor, bands=scene.bands, unit=scene.unit, scale=STEP, image=(image,),
        pre=None if before is None else ImageEntry(
            image=(before,), date=truth.pre_date, scale=STEP
        ),
        elevation=part / "elevation" / f"{truth.site}.tif", inventory=inventory,
        footprint=footprint, synthetic=True,
    )  # fmt: skip


def _write_image(
    path: Path, image: Float[ndarray, "y x band"], valid: Bool[ndarray, "y x"], scene: Scene
) -> None:
    steps = np.clip(np.rint(np.moveaxis(image, -1, 0) / STEP), 0, NOT_SEEN - 1).astype(np.uint16)
    write_cog(
        path, steps, scene.grid, names=scene.bands, units=[""] * len(scene.bands), valid=valid,
        nodata=NOT_SEEN, tags=TAGS | {"sensor": scene.sensor, "reflectance_step": STEP},
    )  # fmt: skip


def _write_elevation(path: Path, elevation_m: Float[ndarray, "y x"], grid: Grid) -> None:
    write_cog(
        path, elevation_m, grid, names=["elevation"], units=["m"],
        valid=np.isfinite(elevation_m), tags=TAGS,
    )  # fmt: skip


def mosaic(sites: Sequence[SiteElevation]) -> tuple[Float[ndarray, "y x"], Grid]:
    """The elevation of all sites on the lattice of the first; NaN between them.

    Sites lie on lattices of their own, less than half a pixel apart; pixels go to the nearest.
    """
    first = sites[0].grid
    pixel = first.cell_size[0]
    bounds = np.array([site.grid.bounds for site in sites])
    west, south, _, _ = bounds.min(axis=0)
    _, _, east, north = bounds.max(axis=0)
    left = first.transform.c - round((first.transform.c - west) / pixel) * pixel
    top = first.transform.f + round((north - first.transform.f) / pixel) * pixel
    rows, columns = round((top - south) / pixel) + 1, round((east - left) / pixel) + 1
    whole = np.full((rows, columns), np.nan, dtype=np.float32)
    for site in sites:
        row = round((top - site.grid.transform.f) / pixel)
        column = round((site.grid.transform.c - left) / pixel)
        high, wide = site.grid.shape
        whole[row : row + high, column : column + wide] = site.elevation_m
    grid = Grid(
        crs=first.crs, transform=Affine(pixel, 0, left, 0, -pixel, top), shape=(rows, columns)
    )
    return whole, grid


def _area_km2(study: EmbeddedStudy) -> float:
    one_date = {truth.site: scene for scene, truth in
                zip(study.scenes, study.inventories, strict=True)}  # fmt: skip
    return sum(scene.grid.shape[0] * scene.grid.shape[1] for scene in one_date.values()) * (
        study.settings.pixel_m**2 / 1e6
    )


def _record(folder: Path) -> dict[str, Any]:
    try:
        record = dict(json.loads((folder / RECORD).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}
    known = (record.get("layout"), record.get("layout_version")) == (LAYOUT, LAYOUT_VERSION)
    return record if known else {}


def _is_study(folder: Path) -> bool:
    return bool(_record(folder))
