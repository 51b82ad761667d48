"""Scene by scene: probability and mask, outlines, and the ground that was seen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from detection.config.map import MapConfig
from detection.map.folder import MAPS, OUTLINES, SCENES, read_scenes
from detection.map.scenes import EpochScenes
from detection.mapping.entry import EntryScene
from detection.mapping.model_forward import model_identity
from detection.mapping.scene_map import MapSettings, map_scene, plan_map
from detection.polygons.inventory import (
    MapFacts,
    PolygonSettings,
    outline_landslides,
    write_landslides,
)
from detection.polygons.pixels import FilePixels
from detection.runs.record import write_json
from detection.scenes.catalogue import SceneEntry
from detection.training.model import DetectionModel
from stats.command.frame import Session


@dataclass(frozen=True, kw_only=True)
class MappedScene:
    """What is kept of a mapped scene.

    Attributes:
        name: of the scene.
        epoch: its epoch.
        key: digest of model, scene and settings; equal keys are not mapped again on resume.
        landslides: number of outlines.
        area_m2: their area.
        seen_km2: ground with a probability.
        pixel_m: side of a pixel.
        threshold: probability from which a pixel is landslide.
        seconds: of mapping and outlining.
    """

    name: str
    epoch: str
    key: str
    landslides: int
    area_m2: float
    seen_km2: float
    pixel_m: float
    threshold: float
    seconds: float


def map_settings(config: MapConfig) -> MapSettings:
    """How scenes are mapped, from the configuration."""
    m = config.mapping
    return MapSettings(
        tile_px=m.tile_px, halo_px=m.halo_px, blend=m.blend, flips=m.flips, batch=m.batch,
        memory_mb=m.memory_mb, threads=m.threads, scheduler=m.scheduler, workers=m.workers,
        need_pre=m.need_pre,
    )  # fmt: skip


def polygon_settings(config: MapConfig) -> PolygonSettings:
    """How landslides are outlined, likewise."""
    p = config.polygons
    return PolygonSettings(
        connectivity=p.connectivity, minimum_area_m2=p.minimum_area_m2, sieve_px=p.sieve_px,
        smooth=p.smooth,
    )  # fmt: skip


def map_scenes(
    config: MapConfig,
    epochs: Sequence[EpochScenes],
    models: Sequence[DetectionModel],
    run: Path,
    session: Session,
    *,
    resume: bool,
) -> dict[str, MappedScene]:
    """Map and outline every scene; finished ones with the same key are kept on resume.

    Raises:
        DataError: scenes that the model was not made for, or that cannot be read.
    """
    before = read_scenes(run, MappedScene) if resume else {}
    found: dict[str, MappedScene] = {}
    entries = [entry for epoch in epochs for entry in epoch.entries]
    for entry in entries:
        source = EntryScene(entry)
        key = _key(config, models, source)
        old = before.get(entry.name)
        if old is not None and old.key == key and all(p.exists() for p in files_of(run, entry)):
            found[entry.name] = old
            session.log.info(f"{entry.name}: kept")
        else:
            found[entry.name] = _map_one(config, models, source, key, run, session)
        # Whole before the next begins: what is killed now resumes behind it.
        write_json(run / SCENES, {"scenes": [asdict(scene) for scene in found.values()]})
    return found


def files_of(run: Path, entry: SceneEntry) -> tuple[Path, Path, Path]:
    """Probability, mask and outlines of a scene."""
    maps = run / MAPS
    return (
        maps / f"{entry.name}_probability.tif",
        maps / f"{entry.name}_mask.tif",
        run / OUTLINES / f"{entry.name}.gpkg",
    )


def _map_one(
    config: MapConfig,
    models: Sequence[DetectionModel],
    source: EntryScene,
    key: str,
    run: Path,
    session: Session,
) -> MappedScene:
    entry, settings, outlines = source.entry, map_settings(config), polygon_settings(config)
    tiles = plan_map(models, source, settings=settings).tiling.n_tiles
    with session.reporter.task(f"map {entry.name}", tiles) as advance:
        made = map_scene(
            models, source, run / MAPS, settings=settings, threshold=config.mapping.threshold,
            progress=advance,
        )  # fmt: skip
    facts = MapFacts(
        scene=entry.name, epoch=entry.epoch, sensor=entry.sensor, date=entry.date,
        date_before=None if entry.pre is None else entry.pre.date,
        source=names_of(models), synthetic=entry.synthetic,
    )  # fmt: skip
    pixels = FilePixels(mask=made.mask, probability=made.probability)
    with session.reporter.task(f"outline {entry.name}", made.grid.shape[0]) as advance:
        frame = outline_landslides(pixels, facts, settings=outlines, progress=advance)
    write_landslides(files_of(run, entry)[2], frame, settings=outlines)
    width, height = made.grid.cell_size
    scene = MappedScene(
        name=entry.name, epoch=entry.epoch, key=key, landslides=len(frame),
        area_m2=float(frame["area_m2"].sum()), seen_km2=made.seen_px * width * height / 1e6,
        pixel_m=float(max(width, height)), threshold=made.threshold, seconds=made.seconds,
    )  # fmt: skip
    session.log.info(
        f"{entry.name}: {scene.landslides} landslides, {scene.area_m2 / 1e6:.3f} km2 of "
        f"{scene.seen_km2:.1f} km2 seen, {scene.seconds:.0f} s"
    )
    return scene


def names_of(models: Sequence[DetectionModel]) -> str:
    """What a map is said to come from: the network, or the networks of an ensemble."""
    return " + ".join(model.network_name for model in models)


def _key(config: MapConfig, models: Sequence[DetectionModel], source: EntryScene) -> str:
    settings = [asdict(map_settings(config)), asdict(polygon_settings(config))]
    for name in ("threads", "scheduler", "workers", "memory_mb", "resume", "batch"):
        settings[0].pop(name)
    parts = [
        [model_identity(model) for model in models], models[0].threshold.to_json(),
        config.mapping.threshold, settings, source.identity(),
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
