"""The work behind ``python -m hazard.cube``: sources, build, tables, maps and the run folder."""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from hazard.config.schema import HazardConfig
from hazard.cube.build import BuildResult, build_cube
from hazard.cube.grids import study_grids
from hazard.cube.layout import CUBE_NAME, open_cube
from hazard.cube.plan import plan_lines, planned_files
from hazard.cube.sources import (
    BANNER,
    BANNER_WORLD_ONLY,
    StudySources,
    named_files,
    resolve_sources,
    use_world,
)
from hazard.cube.summary import Summary, epoch_table, layer_table, plain_table
from hazard.cube.writer import write_text
from hazard.cube.zip_paths import split_member
from hazard.geo.provenance import package_versions
from stats.command.frame import Session
from stats.command.run_folder import RUN_LAYOUT, RUN_LAYOUT_VERSION
from stats.command.run_lock import run_lock

LOG_NAME = "log.jsonl"
PACKAGES = (
    "landslide-hazard", "numpy", "scipy", "xarray", "zarr", "rasterio", "pyproj", "shapely",
    "geopandas", "numba", "pydantic", "matplotlib",
)  # fmt: skip


def run_folder_of(config: HazardConfig, out: Path | None) -> Path:
    """``--out``, else ``runs/NAME``."""
    return out if out is not None else Path("runs") / config.name


def run_cube(
    config: HazardConfig,
    run: Path,
    session: Session,
    *,
    fresh: bool = False,
    export: Path | None = None,
    overrides: Sequence[str] = (),
) -> BuildResult:
    """Build a study's cube in a run folder and write everything that goes with it.

    Args:
        config: checked configuration.
        run: run folder.
        session: log and progress.
        fresh: build every part again.
        export: file for standardised batches; None for none.
        overrides: ``--set`` texts, for the record.

    Raises:
        DataError: an input that cannot be used; an earlier cube stays as it is.
        UserError: another process works in the run folder.
    """
    log = session.log
    started = dt.datetime.now(dt.UTC)
    synthetic = use_world(config)
    with run_lock(run):
        log.also_to(run / LOG_NAME)
        if synthetic:
            log.warning(BANNER if named_files(config) else BANNER_WORLD_ONLY)
        sources = _resolved(config, run, session, synthetic)
        result = build_cube(sources, run, fresh=fresh, reporter=session.reporter)
        log.info(
            f"cube: {result.path}"
            + ("" if result.built else " (up to date; --fresh builds it again)")
        )
        cube = open_cube(result.path)
        from hazard.cube.figures import draw_cube

        with session.reporter.task("maps", 1) as advance:
            figures = draw_cube(cube, run / "figures")
            advance(1)
        for page in figures:
            log.info(f"maps: {page}")
        if export is not None:
            from hazard.cube.cube_batches import export_cube, predictors_of_cube

            # Each predictor is read twice: to fit its scaling, then to write it.
            steps = 2 * len(predictors_of_cube(cube))
            with session.reporter.task("export", steps) as advance:
                export_cube(cube, export, progress=advance)
            log.info(f"batches: {export}")
        _write_records(config, sources, run, result, figures, started, overrides)
    return result


def _resolved(config: HazardConfig, run: Path, session: Session, synthetic: bool) -> StudySources:
    if not synthetic:
        return resolve_sources(config, run)
    from hazard.cube.world_study import world_steps

    with session.reporter.task("embedded world", world_steps(config)) as advance:
        return resolve_sources(config, run, progress=advance)


def dry_run_lines(config: HazardConfig, run: Path) -> list[str]:
    """What a build would do; nothing is written.

    Raises:
        DataError: files are missing, or a grid cannot be made from them.
    """
    if not use_world(config):
        files = planned_files([(file.role, file.path) for file in named_files(config)])
        return plan_lines(config, files, study_grids(config), out=run, world_pixels=None)
    from hazard.cube.world_plan import world_grids

    grids, pixels = world_grids(config)
    return plan_lines(config, (), grids, out=run, world_pixels=pixels)


def summary_text(summary: Summary, *, title: str, synthetic: bool) -> str:
    """The summary as plain text."""
    stamp = "  [SYNTHETIC]" if synthetic and "SYNTHETIC" not in title else ""
    parts = [f"{title}{stamp}", ""]
    parts += [plain_table(*epoch_table(summary)), "", plain_table(*layer_table(summary)), ""]
    parts += [f"absent: {name} ({reason})" for name, reason in summary.absent.items()]
    parts += [f"note: {note}" for note in summary.notes]
    return "\n".join(parts)


def print_summary(summary: Summary, *, title: str, synthetic: bool) -> None:
    """The summary to stdout: rich tables on a terminal, plain text elsewhere."""
    if not sys.stdout.isatty():
        sys.stdout.write(summary_text(summary, title=title, synthetic=synthetic) + "\n")
        return
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if synthetic:
        console.print("[bold white on red] SYNTHETIC [/] nothing here was observed")
    for heading, (header, rows) in (
        (title, epoch_table(summary)),
        ("layers, inside the study mask", layer_table(summary)),
    ):
        table = Table(title=heading, title_justify="left")
        for index, name in enumerate(header):
            table.add_column(name, justify="left" if index < 3 else "right", overflow="fold")
        for row in rows:
            table.add_row(*row)
        console.print(table)
    for name, reason in summary.absent.items():
        console.print(f"[yellow]absent[/]: {name} ({reason})")
    for note in summary.notes:
        console.print(f"note: {note}", highlight=False)


def _write_records(
    config: HazardConfig,
    sources: StudySources,
    run: Path,
    result: BuildResult,
    figures: Sequence[Path],
    started: dt.datetime,
    overrides: Sequence[str],
) -> None:
    """config.yaml, summary.json, provenance.json and, last, run.json."""
    finished = dt.datetime.now(dt.UTC)
    as_given = config.model_dump(mode="json", exclude_unset=True)
    write_text(run / "config.yaml", yaml.safe_dump(as_given, sort_keys=False))
    _write_json(run / "summary.json", result.summary.as_json())
    provenance = {
        "layout_version": RUN_LAYOUT_VERSION,
        "command": "python -m hazard.cube",
        "overrides": list(overrides),
        "started": started.isoformat(timespec="seconds"),
        "finished": finished.isoformat(timespec="seconds"),
        "seconds_per_part": result.seconds,
        "parts_built": list(result.built),
        "seed": config.seed,
        "synthetic": sources.synthetic,
        "versions": {"python": sys.version.split()[0], **package_versions(PACKAGES)},
        "inputs": [
            {
                "role": file.role,
                "path": str(file.path),
                "sha256": result.input_hashes[str(file.path)],
                "bytes": _size(split_member(file.path)[0]),
            }
            for file in sources.files
        ],
        "config": sources.config.model_dump(mode="json"),
    }
    _write_json(run / "provenance.json", provenance)
    record = {
        "layout": RUN_LAYOUT,
        "layout_version": RUN_LAYOUT_VERSION,
        "name": config.name,
        "title": config.title,
        "synthetic": sources.synthetic,
        "seed": config.seed,
        "written": finished.isoformat(timespec="seconds"),
        "files": {
            "cube": CUBE_NAME,
            "config": "config.yaml",
            "provenance": "provenance.json",
            "summary": "summary.json",
            "log": LOG_NAME,
            "figures": [page.relative_to(run).as_posix() for page in figures],
        },
    }
    _write_json(run / "run.json", record)


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(part.stat().st_size for part in path.rglob("*") if part.is_file())
    return path.stat().st_size


def _write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=1, default=str) + "\n")
