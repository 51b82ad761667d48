"""What the forecasts of a run leave unexplained, and how dense its inventories are.

Both are made by the calls behind ``python -m stats.residuals`` and ``python -m stats.density``,
into folders of the run that the report shows. A folder is kept where nothing that it was made from
has changed; each is written whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hazard.archive.names import DENSITIES_FOLDER, PREDICTIONS_NAME, RESIDUALS_FOLDER, WORK_FOLDER
from hazard.config.schema import HazardConfig
from stats.command import density_files, residuals_run
from stats.command.density_settings import DensitySettings
from stats.command.errors import UsageError
from stats.command.frame import Session
from stats.command.residuals_run import NoSectionError, ResidualsSettings, run_residuals

if TYPE_CHECKING:
    from hazard.cube.layout import Cube

DAYS_PER_YEAR = 365.25
CUBE_KEYS = "parts.json"


def make_residuals(config: HazardConfig, run: Path, session: Session) -> Path | None:
    """The folder ``residuals`` of a run; None where the run gives none, with the reason in the log.

    Args:
        config: of the run.
        run: run folder with its forecasts.
        session: log and progress.

    Raises:
        UsageError: the configuration names a scheme or model that the run does not have.
    """
    asked = config.fit.residuals
    if asked is None:
        return None
    out = run / RESIDUALS_FOLDER
    parts = sorted(p for p in (run / PREDICTIONS_NAME).rglob("*") if p.is_file())
    key = _key(asked.model_dump(mode="json"), config, run, parts)
    if _kept(out / residuals_run.RECORD, key):
        session.log.info("residuals: found finished")
        return out
    named = (asked.scheme, asked.model, asked.references)
    try:
        run_residuals(
            ResidualsSettings(
                run=run, out=out, scheme=asked.scheme, model=asked.model,
                references=asked.references, draws=asked.draws, level=config.fit.evaluation.level,
                seed=config.seed, html=False, dpi=config.fit.report.figure_dpi, key=key,
            ),
            session,
        )  # fmt: skip
    except NoSectionError as reason:
        session.log.warning(f"residuals: none ({reason})")
        return None
    except UsageError as reason:
        if any(name is not None for name in named):
            raise
        # A run without any honest scheme or model has no residuals, and nobody asked for one.
        session.log.warning(f"residuals: none ({reason})")
        return None
    return out


def make_densities(config: HazardConfig, cube: Cube, run: Path, session: Session) -> Path | None:
    """The folder ``densities`` of a run; None where the study has no outlines.

    Args:
        config: of the run.
        cube: of the run.
        run: run folder.
        session: log and progress.
    """
    from hazard.cube.sources import resolve_sources
    from hazard.fit.new_landslides import landslides_by_epoch, write_window

    asked = config.fit.densities
    if asked is None:
        return None
    complete = resolve_sources(config, run).config
    if complete.target is None or complete.target.kind == "density_raster":
        return None
    out = run / DENSITIES_FOLDER
    key = _key(asked.model_dump(mode="json"), config, run, [])
    if _kept(out / density_files.RECORD, key):
        session.log.info("densities: found finished")
        return out
    from stats.command.density_run import run_density

    folder = run / WORK_FOLDER / DENSITIES_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    epochs = landslides_by_epoch(complete, cube.grid, folder, synthetic=cube.synthetic)
    filled = [e for e in epochs if e.n]
    if not filled:
        session.log.warning("densities: none (no landslide in any epoch)")
        return None
    run_density(
        DensitySettings(
            inventories=tuple(str(e.path) for e in filled), out=out,
            window=write_window(cube, folder), epochs=tuple(e.name for e in filled),
            years=tuple(e.days / DAYS_PER_YEAR for e in filled), cell_m=asked.cell_m,
            crs=cube.grid.crs.to_wkt(), level=config.fit.evaluation.level, seed=config.seed,
            html=False, simulations=asked.simulations, dpi=config.fit.report.figure_dpi, key=key,
            title="New landslides per epoch",
        ),
        session,
    )  # fmt: skip
    return out


def _key(asked: Any, config: HazardConfig, run: Path, files: list[Path]) -> str:
    """Hash of everything that decides a folder: settings, version, cube, forecasts."""
    digest = hashlib.sha256(version("landslide-hazard").encode())
    for layout in (residuals_run.LAYOUT_VERSION, density_files.LAYOUT_VERSION):
        digest.update(str(layout).encode())
    told = [asked, config.seed, config.fit.evaluation.level, config.fit.report.figure_dpi]
    digest.update(json.dumps(told).encode())
    for path in _there(run / CUBE_KEYS, *files):
        digest.update(path.relative_to(run).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _there(*paths: Path) -> Iterator[Path]:
    return (path for path in paths if path.is_file())


def _kept(record: Path, key: str) -> bool:
    """Whether a folder of results carries this key."""
    try:
        return bool(json.loads(record.read_text(encoding="utf-8"))["settings"]["key"] == key)
    except (OSError, ValueError, KeyError, TypeError):
        return False
