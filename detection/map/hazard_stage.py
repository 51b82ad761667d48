"""Hazard from detected inventories, and, where there are any, from reference ones beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from detection.config.map import SIDE_TITLES, HazardStage, MapConfig
from detection.inventory.records import MultiTemporal
from detection.inventory.write import hazard_sections
from detection.map.error_stage import DetectionError, Lattice
from detection.map.folder import ELEVATION, HAZARD_SKILL, INVENTORY
from detection.map.hazard_run import merged_study, run_hazard, write_study
from detection.map.skill import skill_rows
from detection.runs.record import write_table
from hazard.config.parsing import read_yaml
from hazard.config.schema import load_config
from hazard.geo.grid import Grid
from hazard.geo.raster import read_info
from stats.command.frame import Session

SCHEME = "forward_chaining"
CELL_M = 1000.0
NOT_SCORED = (
    "The hazard with the detection error carried on is not scored: no reference ground is left "
    "that did not calibrate (error.share below 1 leaves some)"
)


def side_study(
    config: MapConfig,
    stage: HazardStage,
    side: str,
    found: MultiTemporal,
    folder: Path,
    run: Path,
    *,
    observation: Path | None = None,
) -> Path:
    """Write the configuration of one of the fits.

    Args:
        config: of the run.
        stage: hazard configuration of the user.
        side: detected, carried or reference.
        found: inventory.
        folder: where it was written to.
        run: run folder.
        observation: netCDF of what was observed of each cell and epoch; None: everything was.

    Raises:
        ConfigError: a template that cannot be used.
    """
    sections = hazard_sections(folder.resolve(), found)
    if observation is not None:
        sections["target"]["observation"] = str(observation.resolve())
    rendered = _rendered(stage.config, found, run / ELEVATION) if config.is_synthetic else {}
    study = merged_study(
        stage.config, sections, name=f"{config.name}_{side}",
        title=f"{config.title}: hazard from {SIDE_TITLES[side]}", own=rendered,
    )  # fmt: skip
    return write_study(run / f"hazard_{side}.yaml", study, source=stage.config)


def lattice_of(config: MapConfig, detected: MultiTemporal, run: Path) -> Lattice:
    """Elevation and cells of the hazard study; without one, the elevation of rendered scenes.

    Raises:
        ConfigError: a template that cannot be used.
        DataError: an elevation that cannot be used.
    """
    if config.hazard is None:
        return Lattice(elevation=run / ELEVATION if config.is_synthetic else None)
    path = side_study(config, config.hazard, "detected", detected, run / INVENTORY, run)
    study = load_config(path)
    assert study.study is not None
    assert study.terrain is not None
    section, elevation = study.study.grid, study.terrain.elevation
    # The schema lets no inventory through without a grid.
    assert section is not None
    if section.bounds is not None:
        cells = Grid.from_bounds(section.crs, section.bounds, cell_m=section.cell_m)
    else:
        cells = Grid.covering(read_info(elevation).grid, section.crs, cell_m=section.cell_m)
    return Lattice(
        elevation=elevation, resampling=study.terrain.resampling, cells=cells,
        pixels_per_cell=study.study.pixels_per_cell,
    )  # fmt: skip


def hazard_stage(
    config: MapConfig,
    stage: HazardStage,
    inventories: Mapping[str, tuple[MultiTemporal, Path]],
    error: DetectionError,
    run: Path,
    session: Session,
    *,
    resume: bool,
) -> list[dict[str, Any]]:
    """Run hazard.fit on every inventory and compare what the forecasts are worth.

    Args:
        config: of the run.
        stage: hazard configuration of the user, and how forecasts are compared.
        inventories: by "detected" and "reference": an inventory and the folder it was written to.
        error: of the detector; with an observation of the cells, hazard is also fitted on the
            detected inventory with that carried on, and all are compared where that is honest.
        run: run folder.
        session: log and progress.
        resume: keep finished fits.

    Returns:
        Rows of `skill_rows`, none without a reference.

    Raises:
        ConfigError: a template that cannot be used.
        UserError: hazard.fit failed.
    """
    folders: dict[str, Path] = {}
    for side in stage.sides(
        with_error=error.observation is not None, with_reference="reference" in inventories
    ):
        found, folder = inventories["reference" if side == "reference" else "detected"]
        observation = error.observation if side == "carried" else None
        path = side_study(config, stage, side, found, folder, run, observation=observation)
        folders[side] = run_hazard(path, run / f"hazard_{side}", session, resume=resume)
    (run / HAZARD_SKILL).unlink(missing_ok=True)
    if "reference" not in folders:
        return []
    scored, counts = dict(folders), None
    if "carried" in folders:
        if error.ground is None:
            session.log.info(NOT_SCORED)
            del scored["carried"]
            if "detected" not in scored:
                return []
        else:
            counts = error.scored
    rows = skill_rows(
        scored, scheme=SCHEME, block_m=stage.block_m, draws=stage.draws, seed=config.seed,
        counts=counts,
    )  # fmt: skip
    write_table(run / HAZARD_SKILL, rows)
    return rows


def _rendered(template: Path, found: MultiTemporal, elevation: Path) -> dict[str, dict[str, Any]]:
    """Sections that follow from rendered scenes: their event, their ground, their elevation."""
    first = found.epochs[0].epoch
    grid = (read_yaml(template).values.get("study") or {}).get("grid") or {"cell_m": CELL_M}
    return {
        "study": {
            "event": {"name": "embedded event", "date": first.start.isoformat()},
            "grid": {**grid, "crs": found.crs.to_string()},
        },
        "terrain": {"elevation": str(elevation.resolve())},
    }
