"""From a scene and a network to two georeferenced files: probability and mask.

    SCENE_probability.tif   uint16, steps of 0.0001 (scale in the file), 65535 not seen
    SCENE_mask.tif          uint8, 1 landslide, 0 none, 255 not seen

Both are Cloud Optimized GeoTIFFs on the grid of the scene. Finished strips lie in a hidden folder
beside them until both are complete; a run that was killed goes on behind the last of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rasterio

from detection.mapping.forward import Flip, Forward, joined
from detection.mapping.machines import rows_by_dask
from detection.mapping.model_forward import (
    ModelForward,
    model_identity,
    require_fit,
    require_inputs,
)
from detection.mapping.source import ArrayScene, SceneSource
from detection.mapping.stored import StripFolder, write_map
from detection.mapping.strips import MapJob, Part, compute_rows, finish_strips
from detection.mapping.tiles import Blend, Tiling, plan_tiles
from detection.models.span import ReceptiveField
from detection.scenes.scene import Scene
from detection.training.model import DetectionModel
from hazard.errors import ConfigError
from hazard.geo.grid import Block, Grid
from stats.command.run_lock import run_lock

LAYOUT_VERSION = 1
GDAL_CACHE_MB = 64
LONGEST_STRETCH = 4
Mapper = Forward | DetectionModel


@dataclass(frozen=True, kw_only=True)
class MapSettings:
    """How a scene is mapped; none of it but blend, halo and flips changes the map of a network.

    Attributes:
        tile_px: side of a tile; by default six halos and at least 512.
        halo_px: half of the overlap of tiles; by default that of the receptive field.
        blend: `centre` (equals one pass over the whole scene), `cosine` or `mean`.
        flips: mirror images whose probabilities are averaged.
        batch: tiles that pass the network at once.
        memory_mb: bound of what reading, adding and writing hold [MB]; what the network needs for
            a batch comes on top.
        threads: threads that read, run the network and add.
        scheduler: None for threads of this process; `local` for processes of this machine; or the
            address of a dask scheduler.
        workers: processes of `local`.
        need_pre: where the earlier date was not seen, there is no probability.
        resume: go on behind the strips that an interrupted run of the same job finished.
    """

    tile_px: int | None = None
    halo_px: int | None = None
    blend: Blend = "centre"
    flips: tuple[Flip, ...] = ("none",)
    batch: int = 4
    memory_mb: int = 1024
    threads: int = 2
    scheduler: str | None = None
    workers: int = 2
    need_pre: bool = True
    resume: bool = True

    def __post_init__(self) -> None:
        for name in ("batch", "memory_mb", "threads", "workers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)}; use at least 1")


@dataclass(frozen=True, kw_only=True)
class SceneMap:
    """A finished map.

    Attributes:
        name: of the scene.
        probability: file of probabilities.
        mask: file of the mask.
        grid: of both.
        threshold: probability from which a pixel is landslide.
        seen_px: pixels with a probability.
        landslide_px: pixels of the mask.
        tiling: where tiles lay.
        resumed_strips: strips taken from an earlier, interrupted run.
        seconds: wall time.
    """

    name: str
    probability: Path
    mask: Path
    grid: Grid
    threshold: float
    seen_px: int
    landslide_px: int
    tiling: Tiling
    resumed_strips: int
    seconds: float


def map_scene(
    model: Mapper | Sequence[Mapper],
    source: SceneSource | Scene,
    out: Path | str,
    *,
    threshold: float | None = None,
    settings: MapSettings | None = None,
    receptive_field: ReceptiveField | None = None,
    identity: str | None = None,
    tags: Mapping[str, object] | None = None,
    progress: Callable[[int], None] | None = None,
) -> SceneMap:
    """Map a scene of any size.

    Args:
        model: a trained model, a forward function of raw batches, or several, whose probabilities
            are averaged.
        source: the scene.
        out: folder of the two files, made where absent.
        threshold: by default that of the model; needed for functions and several models.
        settings: see there.
        receptive_field: needed for functions; of models it is known.
        identity: text that changes with the function; without it the map of a function is not
            resumed.
        tags: further facts for the files.
        progress: called with the number of tiles done; `plan_map` tells how many there are.

    Raises:
        ConfigError: no threshold or receptive field, tiles that cannot be laid, or too little
            memory.
        DataError: a scene that the model was not made for, or probabilities that are none.
        UserError: another process writes the same map, or there is no dask.
    """
    started = time.monotonic()
    chosen = settings or MapSettings()
    scene: SceneSource = ArrayScene(source) if isinstance(source, Scene) else source
    members = tuple(model) if isinstance(model, Sequence) else (model,)
    job = plan_map(members, scene, settings=chosen, receptive_field=receptive_field)
    cut = _threshold(members, threshold)
    folder = Path(out)
    files = tuple(folder / f"{scene.name}_{kind}.tif" for kind in ("probability", "mask"))
    who = _identity(members, identity)
    with ExitStack() as stack:
        stack.enter_context(rasterio.Env(GDAL_CACHEMAX=GDAL_CACHE_MB))
        hidden = folder / f".{scene.name}.strips"
        stack.enter_context(run_lock(hidden))
        whole = None if who is None else _fingerprint(who, scene, job, chosen)
        strips = StripFolder(hidden, job.tiling, whole, resume=chosen.resume)
        done = strips.finished
        if progress is not None and done:
            progress(done * len(job.tiling.columns))
        if done < len(job.tiling.rows):
            first = job.tiling.first_needed(done)
            rows = _rows(job, range(first, len(job.tiling.rows)), chosen, progress)
            for strip in finish_strips(job.tiling, rows, done):
                strips.add(strip)
        seen, landslide = write_map(
            strips,
            scene.grid,
            files[0],
            files[1],
            threshold=cut,
            tags={**_tags(scene, job, chosen, len(members)), **(tags or {})},
        )
        strips.remove()
    return SceneMap(
        name=scene.name,
        probability=files[0],
        mask=files[1],
        grid=scene.grid,
        threshold=cut,
        seen_px=seen,
        landslide_px=landslide,
        tiling=job.tiling,
        resumed_strips=done,
        seconds=time.monotonic() - started,
    )


def plan_map(
    members: Sequence[Mapper],
    source: SceneSource,
    *,
    settings: MapSettings,
    receptive_field: ReceptiveField | None = None,
) -> MapJob:
    """Lay the tiles and choose the batch within the memory; nothing is computed.

    Raises:
        ConfigError: no receptive field, tiles that cannot be laid, or too little memory.
        DataError: a scene that a model was not made for.
    """
    probe = source.read(Block(row0=0, row1=1, col0=0, col1=1))
    fields = [] if receptive_field is None else [receptive_field]
    forwards: list[Forward] = []
    for member in members:
        if isinstance(member, DetectionModel):
            require_fit(member, source)
            require_inputs(member, source, set(probe))
            fields.append(member.receptive_field)
            forwards.append(ModelForward(member))
        else:
            forwards.append(member)
    if not fields:
        raise ConfigError(
            "mapping", ["receptive_field: found none; expected that of the forward function"]
        )
    try:
        tiling = plan_tiles(
            source.grid.shape,
            _widest(fields),
            tile_px=settings.tile_px,
            halo_px=settings.halo_px,
            blend=settings.blend,
        )
        forward = joined(forwards, settings.flips)
    except ValueError as error:
        raise ConfigError("mapping", [str(error)]) from error
    pixel_bytes = sum(v.itemsize * v[0, 0].size for v in probe.values())
    reads_pre = any(m.preparation.use_pre for m in members if isinstance(m, DetectionModel))
    plain = any(not isinstance(m, DetectionModel) for m in members)
    batch, stretch = _batch(tiling, settings, pixel_bytes)
    return MapJob(
        source=source,
        forward=forward,
        tiling=tiling,
        batch=batch,
        stretch=stretch,
        need_pre=settings.need_pre and (reads_pre or plain),
    )


def _widest(fields: Sequence[ReceptiveField]) -> ReceptiveField:
    stride = max(field.stride_px for field in fields)
    if any(stride % field.stride_px for field in fields):
        raise ConfigError(
            "mapping",
            [f"members: found strides {sorted(f.stride_px for f in fields)}; expected multiples"],
        )
    return ReceptiveField(
        before_px=max(field.before_px for field in fields),
        after_px=max(field.after_px for field in fields),
        stride_px=stride,
    )


def _batch(tiling: Tiling, settings: MapSettings, pixel_bytes: int) -> tuple[int, int]:
    """Tiles per batch, near the number asked for and with few zeros in the last of a row, and
    batches that are read together, both within the memory.
    """
    n = len(tiling.columns)
    wanted = min(settings.batch, n)
    choices = range(max(1, wanted // 2), min(n, wanted + wanted // 2) + 1)
    batch = min(choices, key=lambda b: (-(-n // b) * b, abs(b - wanted)))

    def need(batch: int, stretch: int) -> float:
        return memory_need_mb(tiling, batch, stretch, settings.threads, pixel_bytes)

    while batch > 1 and need(batch, 1) > settings.memory_mb:
        batch -= 1
    if need(batch, 1) > settings.memory_mb:
        raise ConfigError(
            "mapping",
            [
                f"memory_mb: found {settings.memory_mb}; expected at least {need(1, 1):.0f} for "
                f"tiles of {tiling.rows.size_px} x {tiling.columns.size_px} px in "
                f"{settings.threads} thread(s) (fewer threads or smaller tiles need less)"
            ],
        )
    stretch = min(LONGEST_STRETCH, -(-n // batch))
    while stretch > 1 and need(batch, stretch) > settings.memory_mb:
        stretch -= 1
    return batch, stretch


def memory_need_mb(
    tiling: Tiling, batch: int, stretch: int, threads: int, pixel_bytes: int
) -> float:
    """What reading, adding and writing hold at once [MB].

    Two stretches are kept, or the windows of the chunks under way, and the rows that the next tiles
    need again; one more copy is made while reading. Every thread holds a batch and
    some maps of it; two strips are being added to and written. The network's own memory is not in
    it.
    """
    chunk = batch * tiling.rows.size_px * tiling.columns.size_px
    strip = tiling.rows.size_px * tiling.columns.length_px
    again = 2 * tiling.halo_px * tiling.columns.length_px
    windows = max(3 * stretch, threads + 3)
    held = (windows * chunk + again) * pixel_bytes
    held += threads * chunk * (pixel_bytes + 16) + strip * (3 * 5 + 12)
    return held / 1e6 + GDAL_CACHE_MB


def _rows(
    job: MapJob,
    rows: Sequence[int],
    settings: MapSettings,
    progress: Callable[[int], None] | None,
) -> Iterator[tuple[int, Part]]:
    if settings.scheduler is None:
        return compute_rows(job, rows, threads=settings.threads, progress=progress)
    return rows_by_dask(
        job,
        rows,
        scheduler=settings.scheduler,
        workers=settings.workers,
        threads=settings.threads,
        progress=progress,
    )


def _threshold(members: Sequence[Mapper], given: float | None) -> float:
    if given is not None:
        if not 0 < given <= 1:
            raise ConfigError(
                "mapping", [f"threshold: found {given}; expected above 0 and at most 1"]
            )
        return given
    first = members[0] if len(members) == 1 else None
    if not isinstance(first, DetectionModel):
        raise ConfigError(
            "mapping",
            ["threshold: found none; expected one (a single trained model brings its own)"],
        )
    return first.threshold.threshold


def _identity(members: Sequence[Mapper], given: str | None) -> list[str] | None:
    known = [model_identity(m) if isinstance(m, DetectionModel) else given for m in members]
    return None if None in known else [str(text) for text in known]


def _fingerprint(
    who: list[str], source: SceneSource, job: MapJob, settings: MapSettings
) -> dict[str, Any]:
    grid = source.grid
    return {
        "layout_version": LAYOUT_VERSION,
        "models": who,
        "scene": [source.name, source.identity(), grid.crs.to_wkt(), list(grid.transform)[:6]],
        "shape": list(grid.shape),
        "bands": list(source.bands),
        "tiling": job.tiling.summary(),
        "flips": list(settings.flips),
        "batch": job.batch,
        "need_pre": job.need_pre,
    }


def _tags(source: SceneSource, job: MapJob, settings: MapSettings, members: int) -> dict[str, Any]:
    facts = {key: value for key, value in source.facts.items() if value is not None}
    return {
        "scene": source.name,
        "bands": ",".join(source.bands),
        **facts,
        **job.tiling.summary(),
        "flips": ",".join(settings.flips),
        "members": members,
    }
