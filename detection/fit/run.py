"""The work behind ``python -m detection.fit``: patches, models, scores, report, records."""

from __future__ import annotations

import datetime as dt
import platform
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from detection.config.schema import DetectionConfig
from detection.fit.data import StudyData, study_data
from detection.fit.folder import (
    CHECKPOINTS,
    EVALUATED,
    EVALUATIONS,
    FIGURES,
    GRID,
    HISTORY,
    LAYOUT,
    LAYOUT_VERSION,
    MODELS,
    PREDICTIONS,
    REPORT,
    SCOREBOARD_CSV,
    SCOREBOARD_PARQUET,
    write_table,
)
from detection.fit.grid_run import grid_run
from detection.fit.inputs import input_hashes
from detection.fit.models import FittedModel, fit_all
from detection.fit.scores import scoreboard, write_scores
from detection.runs.record import CONFIG, LOG, PROVENANCE, RECORD, write_config, write_json
from detection.training.grid import Trial, TrialResult
from hazard.errors import UsageError
from hazard.geo.provenance import package_versions
from hazard.training.machine import describe_machine
from stats.command.frame import Session
from stats.command.run_lock import run_lock
from stats.command.timing import timed, times_in_words

PACKAGES = (
    "landslide-hazard", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "scipy",
    "scikit-learn", "rasterio", "shapely", "pandas", "pyarrow", "sphinx", "myst-parser",
)  # fmt: skip
BANNER = "no data are named: the embedded scenes stand in, and every figure is SYNTHETIC"


def fit_run(
    config: DetectionConfig,
    run: Path,
    session: Session,
    *,
    resume: bool = False,
    grid_only: bool = False,
    overrides: Sequence[str] = (),
    xla_flags: str = "",
) -> None:
    """Cut, split, train, score and report, in a run folder.

    Args:
        config: checked configuration.
        run: run folder.
        session: log and progress.
        resume: keep finished models of the same settings and data, go on with a started one.
        grid_only: search the grid and stop there.
        overrides: ``--set`` texts, for the record.
        xla_flags: flags that were set before JAX was imported, for the record.

    Raises:
        DataError: an input that cannot be used.
        UserError: another process works in the run folder.
        UsageError: a grid is asked for and none is configured.
    """
    if grid_only and config.grid is None:
        raise UsageError("--grid: found no key 'grid' in the configuration; expected values to try")
    seconds: dict[str, float] = {}
    part = partial(timed, seconds)
    started = dt.datetime.now(dt.UTC)

    with run_lock(run):
        session.log.also_to(run / LOG)
        # A finished run that is made again is no finished run until its end.
        (run / RECORD).unlink(missing_ok=True)
        if config.is_synthetic:
            session.log.warning(BANNER)
        write_config(run / CONFIG, config)
        with part("patches"):
            data = study_data(config, run, session)
        trials: dict[str, Trial] = {}
        results: tuple[TrialResult, ...] = ()
        if config.grid is not None:
            with part("grid"):
                label, best, results = grid_run(config, data.study, run, session, resume=resume)
            if config.grid.use_best:
                trials = {label: best}
        models: tuple[FittedModel, ...] = ()
        if not grid_only:
            with part("models"):
                models = fit_all(
                    config, data.study, run, session, digest=data.digest, trials=trials,
                    resume=resume,
                )  # fmt: skip
            _drop_others(run, [model.label for model in models])
            _write_history(models, run)
            with part("scores"):
                scored = scoreboard(config, data.study.test, models, session)
                write_scores(run, data.study.test, scored)
                write_table(run / SCOREBOARD_CSV, scored.rows)
                write_table(run / SCOREBOARD_PARQUET, scored.rows)
            _write_provenance(config, run, data, models, seconds, started, overrides, xla_flags)
            with part("report"):
                from detection.fit.report import write_report

                page = write_report(config, run, data, models, scored, results, session)
        _write_provenance(config, run, data, models, seconds, started, overrides, xla_flags)
        _write_record(config, run, data, models)
        if models:
            session.log.info(f"report: {page}")
        session.log.info(times_in_words(seconds))


def _drop_others(run: Path, labels: Sequence[str]) -> None:
    """What an earlier run of other models left in the folder, and scores of its models."""
    for folder in (MODELS, EVALUATIONS, CHECKPOINTS):
        for path in (run / folder).glob("*"):
            if path.name not in labels:
                shutil.rmtree(path)
    for path in (run / PREDICTIONS).glob("*.npz"):
        if path.stem not in labels:
            path.unlink()
    shutil.rmtree(run / EVALUATED, ignore_errors=True)


def _write_history(models: Sequence[FittedModel], run: Path) -> None:
    rows: list[dict[str, Any]] = []
    for model in models:
        for entry in model.history:
            for member, loss in enumerate(entry.loss):
                row: dict[str, Any] = {
                    "model": model.label, "member": member, "epoch": entry.epoch, "loss": loss,
                    "validation_loss": None if entry.validation is None
                    else entry.validation[member],
                    "gradient_norm": entry.grad_norm[member],
                }  # fmt: skip
                row |= {f"train_{name}": values[member] for name, values in entry.terms.items()}
                row |= {
                    f"validation_{name}": values[member]
                    for name, values in entry.validation_terms.items()
                }
                rows.append(row)
    write_table(run / HISTORY, rows)


def _write_provenance(
    config: DetectionConfig,
    run: Path,
    data: StudyData,
    models: Sequence[FittedModel],
    seconds: dict[str, float],
    started: dt.datetime,
    overrides: Sequence[str],
    xla_flags: str,
) -> None:
    write_json(
        run / PROVENANCE,
        {
            "layout_version": LAYOUT_VERSION, "command": "python -m detection.fit",
            "overrides": list(overrides), "started": started.isoformat(timespec="seconds"),
            "finished": _now(), "seconds": seconds, "seed": config.seed,
            "synthetic": data.synthetic, "versions": package_versions(PACKAGES),
            **describe_machine(xla_flags), "python": platform.python_version(),
            "inputs": input_hashes(config.data),
            "data_sha256": data.digest, "patches": data.counts,
            "models": {m.label: {**m.facts, "threshold": m.threshold.to_json()} for m in models},
            "config": config.model_dump(mode="json"),
        },
    )  # fmt: skip


def _write_record(
    config: DetectionConfig, run: Path, data: StudyData, models: Sequence[FittedModel]
) -> None:
    """run.json, last of all: without it a folder is no finished run."""
    files = sorted(
        path.relative_to(run).as_posix()
        for path in run.rglob("*")
        if path.is_file() and path.relative_to(run).parts[:2] != (REPORT, "html")
    )
    write_json(
        run / RECORD,
        {
            "layout": LAYOUT, "layout_version": LAYOUT_VERSION, "name": config.name,
            "title": config.title, "synthetic": data.synthetic, "seed": config.seed,
            "written": _now(), "grid_only": not models,
            "models": [model.label for model in models if model.folder is not None],
            "paths": {
                key: name
                for key, name in {
                    "models": MODELS, "scoreboard": SCOREBOARD_PARQUET,
                    "scoreboard_csv": SCOREBOARD_CSV, "history": HISTORY, "grid": GRID,
                    "figures": FIGURES, "report": f"{REPORT}/html/index.html", "log": LOG,
                    "config": CONFIG, "provenance": PROVENANCE,
                }.items()
                if (run / name).exists()
            },
            "files": [*files, RECORD],
        },
    )  # fmt: skip


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
