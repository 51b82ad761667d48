"""The embedded world as a study: its manifest becomes the sections of a configuration."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hazard.config.schema import HazardConfig
from hazard.config.sources import CumulativeTarget, GriddedRain, ShakemapShaking, TerrainConfig
from hazard.config.study import EpochConfig, EventConfig, GridConfig, StudyConfig
from hazard.errors import DataError

MANIFEST = "world.json"
EVENT_NAME = "Gorkha mainshock (SYNTHETIC)"
EVENT_MAGNITUDE = 7.8


def build_world_folder(
    config: HazardConfig, folder: Path, *, progress: Callable[[int], None] | None = None
) -> None:
    """Build the world of ``if_missing.world``, or keep the one that lies there already.

    Args:
        config: configuration with ``if_missing``.
        folder: where the world goes.
        progress: called with the number of steps done, `world_steps` in all.
    """
    from hazard.world.build import build_world

    if config.if_missing is None:
        raise ValueError("no if_missing.world in the configuration")
    build_world(config.if_missing.world, folder, progress=progress)


def world_steps(config: HazardConfig) -> int:
    """Steps that building the world reports."""
    from hazard.world.build import build_steps

    if config.if_missing is None:
        raise ValueError("no if_missing.world in the configuration")
    return build_steps(config.if_missing.world)


def world_config(config: HazardConfig, folder: Path) -> HazardConfig:
    """The configuration with study, target, terrain, shaking and rain of a world's manifest.

    Settings that are not about files (folds, patches, memory, seed, title) stay; further layers
    have no counterpart in a world and are left out.

    Args:
        config: configuration as read.
        folder: folder of the world.

    Raises:
        DataError: no readable manifest.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        return _configured(config, folder, manifest)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            path, found=f"no usable manifest ({error!r})", expected="one written with the world"
        ) from None


def _configured(config: HazardConfig, folder: Path, manifest: dict[str, Any]) -> HazardConfig:
    a, _, left, _, e, top = (float(v) for v in manifest["grid"]["transform"])
    rows, cols = (int(v) for v in manifest["grid"]["shape"])
    epochs = tuple(
        EpochConfig(
            name=epoch["name"],
            start=_day(epoch["start"]),
            # The manifest ends an epoch on the day after, a configuration on its last day.
            end=_day(epoch["end"]) - dt.timedelta(days=1),
            season=epoch["season"],
            image_start=None if epoch["image_start"] is None else _day(epoch["image_start"]),
            image_end=None if epoch["image_end"] is None else _day(epoch["image_end"]),
            monsoons=epoch["monsoons"],
        )
        for epoch in manifest["epochs"]
    )
    study = StudyConfig(
        event=EventConfig(
            name=EVENT_NAME, date=_day(manifest["event_date"]), magnitude=EVENT_MAGNITUDE
        ),
        epochs=epochs,
        epoch_dates="observed",
        grid=GridConfig(
            crs=manifest["grid"]["crs"],
            cell_m=a,
            bounds=(left, top + rows * e, left + cols * a, top),
        ),
        pixels_per_cell=int(manifest["config"]["pixels_per_cell"]),
    )
    target = CumulativeTarget(
        kind="cumulative",
        files=tuple(_inside(folder, epoch["inventory"]) for epoch in manifest["epochs"]),
        baseline=_inside(folder, manifest["baseline"]),
        observed=tuple(_inside(folder, epoch["observed_area"]) for epoch in manifest["epochs"]),
        mask=_inside(folder, manifest["study_area"]),
    )
    return config.model_copy(
        update={
            "study": study,
            "target": target,
            "terrain": TerrainConfig(elevation=folder / manifest["dem"]),
            "shaking": ShakemapShaking(
                kind="shakemap", events=tuple(folder / name for name in manifest["shakemaps"])
            ),
            "rain": GriddedRain(kind="netcdf", file=folder / manifest["rain"]),
            "layers": (),
        }
    )


def _inside(folder: Path, name: str | None) -> Path | None:
    return None if name is None else folder / name


def _day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)
