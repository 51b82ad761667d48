"""Hazard from detected inventories, and, where there are any, from reference ones beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from detection.config.map import HazardStage, MapConfig
from detection.inventory.records import MultiTemporal
from detection.inventory.write import hazard_sections
from detection.map.folder import HAZARD_SKILL
from detection.map.hazard_run import merged_study, run_hazard, write_study
from detection.map.skill import skill_rows
from detection.runs.record import write_table
from hazard.config.parsing import read_yaml
from stats.command.frame import Session

SCHEME = "forward_chaining"
CELL_M = 1000.0


def hazard_stage(
    config: MapConfig,
    stage: HazardStage,
    inventories: Mapping[str, tuple[MultiTemporal, Path]],
    run: Path,
    session: Session,
    *,
    elevation: Path | None,
    resume: bool,
) -> list[dict[str, Any]]:
    """Run hazard.fit on every inventory and compare what the forecasts are worth.

    Args:
        config: of the run.
        stage: hazard configuration of the user, and how forecasts are compared.
        inventories: by "detected" and "reference": an inventory and the folder it was written to.
        run: run folder.
        session: log and progress.
        elevation: elevation of rendered scenes, which replaces that of the template; or None.
        resume: keep finished fits.

    Returns:
        Rows of `skill_rows`, none without a reference.

    Raises:
        ConfigError: a template that cannot be used.
        UserError: hazard.fit failed.
    """
    folders: dict[str, Path] = {}
    for side, (found, folder) in inventories.items():
        sections = hazard_sections(folder.resolve(), found)
        study = merged_study(
            stage.config, sections, name=f"{config.name}_{side}",
            title=f"{config.title}: hazard from {side} inventories",
            own={} if elevation is None else _rendered(stage.config, found, elevation),
        )  # fmt: skip
        path = write_study(run / f"hazard_{side}.yaml", study, source=stage.config)
        folders[side] = run_hazard(path, run / f"hazard_{side}", session, resume=resume)
    if len(folders) < 2:
        return []
    rows = skill_rows(
        folders["detected"], folders["reference"], scheme=SCHEME, block_m=stage.block_m,
        draws=stage.draws, seed=config.seed,
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
