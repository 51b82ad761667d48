"""A world as a folder of ordinary files, which the cube reads as it reads real ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely

from hazard.geo.beside import write_beside
from hazard.geo.cf import cf_dataset
from hazard.geo.cog import write_cog
from hazard.geo.epochs import Epoch
from hazard.geo.grid import Grid
from hazard.geo.provenance import file_sha256
from hazard.geo.shakemap_write import write_shakemap
from hazard.geo.store import write_netcdf
from hazard.world.calendar import EVENT_DATE, world_epochs
from hazard.world.domain import Array, cell_grid, pixel_grid
from hazard.world.parameters import parameters_of
from hazard.world.rain import Rain
from hazard.world.settings import WORLD_VERSION, WorldConfig
from hazard.world.simulate import Simulation, simulate_observed
from hazard.world.truth import STAMP, write_truth
from stats.command.inventory_write import write_inventory

MANIFEST = "world.json"
TAGS = {"world": STAMP, "title": "SYNTHETIC embedded world, not observations"}


@dataclass(frozen=True, kw_only=True)
class WorldStudy:
    """Where the files of a world lie.

    Attributes:
        folder: the study folder.
        config: its settings.
        grid: the 1 km grid.
        epochs: the epochs, with image dates, season and monsoons.
        observed: per epoch, False where no images were usable.
        dem: elevation (COG, metres).
        shakemaps: mainshock and aftershock (grid.xml.gz).
        rain: daily rain (CF netCDF, mm/day).
        baseline: inventory of what was visible before the earthquake (GeoPackage).
        inventories: per epoch, cumulative visible footprints; None where missed.
        footprints: per epoch, the area that was mapped (GeoPackage); None where missed.
        study_area: mapped cells (1 and 0).
        area_density: increase per epoch, percent of the cell (one band per epoch).
    """

    folder: Path
    config: WorldConfig
    grid: Grid
    epochs: tuple[Epoch, ...]
    observed: tuple[bool, ...]
    dem: Path
    shakemaps: tuple[Path, Path]
    rain: Path
    baseline: Path
    inventories: tuple[Path | None, ...]
    footprints: tuple[Path | None, ...]
    study_area: Path
    area_density: Path


def study_files(config: WorldConfig, folder: Path) -> WorldStudy:
    """The paths of a world's files, whether or not they exist."""
    observed = tuple(epoch != config.missed_epoch for epoch in range(config.n_epochs))

    def per_epoch(room: str) -> tuple[Path | None, ...]:
        return tuple(
            folder / room / f"epoch_{epoch:02d}.gpkg" if seen else None
            for epoch, seen in enumerate(observed)
        )

    return WorldStudy(
        folder=folder,
        config=config,
        grid=cell_grid(config),
        epochs=world_epochs(config.n_epochs),
        observed=observed,
        dem=folder / "dem.tif",
        shakemaps=(folder / "shaking/mainshock.xml.gz", folder / "shaking/aftershock.xml.gz"),
        rain=folder / "rain.nc",
        baseline=folder / "inventories/baseline.gpkg",
        inventories=per_epoch("inventories"),
        footprints=per_epoch("observed"),
        study_area=folder / "study_area.tif",
        area_density=folder / "area_density.tif",
    )


def build_world(
    config: WorldConfig, folder: Path | str, *, progress: Callable[[int], None] | None = None
) -> WorldStudy:
    """Build a world into `folder`, or take the one that lies there if its settings are equal.

    The folder is written beside its final name and renamed, so it is whole or absent.

    Args:
        config: the world's settings.
        folder: destination; a folder that is not a world (no world.json) is refused.
        progress: called with the number of steps done since the last call; `build_steps` of them.

    Returns:
        The paths of the files.

    Raises:
        DataError: `folder` holds something that is not a world.
    """
    final = Path(folder)
    if is_complete(config, final):
        if progress is not None:
            progress(build_steps(config))
        return study_files(config, final)
    done = 0

    def count(steps: int) -> None:
        nonlocal done
        done += steps
        if progress is not None:
            progress(steps)

    with write_beside(final, may_replace=_is_world) as part:
        part.mkdir()
        simulation = simulate_observed(config, progress=count)
        _write(config, simulation, part, count)
    if progress is not None and done < build_steps(config):
        progress(build_steps(config) - done)
    return study_files(config, final)


def build_steps(config: WorldConfig) -> int:
    """Number of progress steps of `build_world`."""
    levels = sum(spacing >= config.pixel_m for spacing in (1000, 500, 250, 125, 62.5, 31.25))
    return levels + 1 + config.n_epochs + 1 + 4


def is_complete(config: WorldConfig, folder: Path) -> bool:
    """Whether `folder` holds the whole world of these settings (hash, names and sizes agree)."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
    except (OSError, json.JSONDecodeError):
        return False
    if manifest.get("config_hash") != config.config_hash:
        return False
    files = manifest["files"]
    return all(
        (folder / name).is_file() and (folder / name).stat().st_size == entry["bytes"]
        for name, entry in files.items()
    )


def _is_world(folder: Path) -> bool:
    return folder.is_dir() and ((folder / MANIFEST).is_file() or not any(folder.iterdir()))


def _write(
    config: WorldConfig, simulation: Simulation, folder: Path, count: Callable[[int], None]
) -> None:
    study = study_files(config, folder)
    ground = simulation.ground
    write_cog(
        study.dem, ground.terrain.elevation_m, pixel_grid(config), names=["elevation"],
        units=["m"], tags=TAGS,
    )  # fmt: skip
    count(1)
    study.shakemaps[0].parent.mkdir()
    for path, name in zip(study.shakemaps, ("mainshock", "aftershock"), strict=True):
        write_shakemap(path, ground.shakemaps[name])
    write_rain(study.rain, ground.rain)
    write_cog(
        study.study_area, ground.mapped.astype(np.uint8), study.grid, names=["mapped"],
        units=["1"], nodata=None, tags=TAGS,
    )  # fmt: skip
    write_cog(
        study.area_density, simulation.density_percent.astype(np.float32), study.grid,
        names=[epoch.name for epoch in study.epochs], units=["percent"] * config.n_epochs,
        tags=TAGS,
    )  # fmt: skip
    count(1)
    _write_inventories(config, simulation, study)
    count(1)
    write_truth(folder / "truth", config, parameters_of(config), simulation)
    _write_manifest(config, study)
    count(1)


def write_rain(path: Path, rain: Rain) -> None:
    """Daily rain as CF netCDF (time, y, x), mm/day."""
    days = np.arange(rain.mm_day.shape[0])
    dataset = cf_dataset(
        {
            "precipitation": (
                ("time", "y", "x"),
                rain.mm_day,
                {"units": "mm day-1", "long_name": "daily rainfall (SYNTHETIC)",
                 "standard_name": "lwe_precipitation_rate", "cell_methods": "time: mean"},
            )
        },
        rain.grid,
        coords={
            "time": ("time", np.datetime64(rain.first_day, "ns") + days.astype("timedelta64[D]"))
        },
        attrs=TAGS,
    )  # fmt: skip
    dataset["time"].attrs = {"standard_name": "time", "axis": "T"}
    write_netcdf(path, dataset)


def _write_inventories(config: WorldConfig, simulation: Simulation, study: WorldStudy) -> None:
    mapped_area = _mapped_polygons(simulation.ground.mapped, study.grid)
    zone = shapely.union_all(mapped_area)
    shapely.prepare(zone)
    paths = (study.baseline, *study.inventories)
    for visit, path, index in zip(
        simulation.visits, paths, range(-1, config.n_epochs), strict=True
    ):
        if visit is None or path is None:
            continue
        polygons = visit.polygons(simulation.landslides)
        inside = shapely.intersects(zone, polygons)
        epoch = study.epochs[index] if index >= 0 else None
        frame = gpd.GeoDataFrame(
            {
                "landslide_id": visit.index[inside] + 1,
                "area_m2": shapely.area(polygons[inside]),
                "source": np.full(int(inside.sum()), "SYNTHETIC mapper", dtype=object),
            },
            geometry=polygons[inside],
            crs=study.grid.crs,
        )
        metadata = {
            **TAGS,
            "epoch": epoch.name if epoch else "before the earthquake",
            "cumulative": "every footprint that is visible in the epoch's images",
            "images": f"{epoch.image_start}/{epoch.image_end}" if epoch else "before 2015-04-25",
        }
        write_inventory(
            path, frame, minimum_mapping_area_m2=config.minimum_mapping_area_m2, metadata=metadata
        )
    for path in study.footprints:
        if path is not None:
            path.parent.mkdir(exist_ok=True)
            gpd.GeoDataFrame(
                {"block": np.arange(len(mapped_area))}, geometry=mapped_area, crs=study.grid.crs
            ).to_file(path, driver="GPKG", layer="observed", engine="pyogrio", layer_metadata=TAGS)


def _mapped_polygons(mapped: Array, grid: Grid) -> Array:
    """One square per mapped block of 4 x 4 cells."""
    rows, cols = (side // 4 * 4 for side in mapped.shape)
    r, c = np.nonzero(mapped[:rows:4, :cols:4])
    t = grid.transform
    return shapely.box(
        t.c + 4 * c * t.a, t.f + 4 * (r + 1) * t.e, t.c + 4 * (c + 1) * t.a, t.f + 4 * r * t.e
    )


def _write_manifest(config: WorldConfig, study: WorldStudy) -> None:
    folder = study.folder

    def relative(path: Path | None) -> str | None:
        return None if path is None else path.relative_to(folder).as_posix()

    files = sorted(path for path in folder.rglob("*") if path.is_file())
    manifest = {
        "world": STAMP,
        "version": WORLD_VERSION,
        "config": config.model_dump(mode="json"),
        "config_hash": config.config_hash,
        "seed": config.seed,
        "event_date": EVENT_DATE.isoformat(),
        "grid": {
            "crs": "EPSG:32645",
            "transform": list(study.grid.transform)[:6],
            "shape": list(study.grid.shape),
        },
        "dem": relative(study.dem),
        "shakemaps": [relative(path) for path in study.shakemaps],
        "rain": relative(study.rain),
        "study_area": relative(study.study_area),
        "area_density": relative(study.area_density),
        "baseline": relative(study.baseline),
        "epochs": [
            {
                "name": epoch.name,
                "start": epoch.start.isoformat(),
                "end": epoch.end.isoformat(),
                "image_start": epoch.image_start.isoformat() if epoch.image_start else None,
                "image_end": epoch.image_end.isoformat() if epoch.image_end else None,
                "season": epoch.season,
                "monsoons": epoch.monsoons,
                "observed": seen,
                "inventory": relative(inventory),
                "observed_area": relative(footprint),
            }
            for epoch, seen, inventory, footprint in zip(
                study.epochs, study.observed, study.inventories, study.footprints, strict=True
            )
        ],
        "truth": "truth/ holds what no mapper knows: for tests only, never a predictor",
        "files": {
            path.relative_to(folder).as_posix(): {
                "sha256": file_sha256(path),
                "bytes": path.stat().st_size,
            }
            for path in files
        },
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")


__all__ = ["WorldStudy", "build_steps", "build_world", "is_complete", "study_files"]
