"""The work behind ``python -m detection.map``: maps, inventories, errors, hazard, report."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from detection.comparison.write import write_comparison
from detection.config.map import FitStage, HazardStage, MapConfig
from detection.config.schema import DetectionConfig, load_config
from detection.fit.folder import MODELS
from detection.fit.run import PACKAGES, fit_run
from detection.inventory.records import MultiTemporal, TrackingSettings
from detection.inventory.tables import sums_in_words
from detection.inventory.track import track
from detection.inventory.write import write_multi_temporal
from detection.map.compare import compare_inventories
from detection.map.epochs import detected_epochs, reference_epochs
from detection.map.error_stage import DetectionError, error_stage
from detection.map.folder import (
    COMPARISON,
    FIT,
    INVENTORY,
    LAYOUT,
    LAYOUT_VERSION,
    REFERENCE,
)
from detection.map.hazard_stage import hazard_stage, lattice_of
from detection.map.mapped import MappedScene, map_scenes, polygon_settings
from detection.map.rendered import run_catalogue
from detection.map.report import write_report
from detection.map.scenes import EpochScenes, epochs_of, with_reference
from detection.runs.record import (
    CONFIG,
    LOG,
    PROVENANCE,
    RECORD,
    as_given,
    write_config,
    write_json,
)
from detection.training.model import DetectionModel
from detection.training.model_file import load_model
from hazard.errors import ConfigError
from hazard.geo.provenance import package_versions
from hazard.training.machine import describe_machine
from stats.command.frame import Session
from stats.command.run_lock import run_lock
from stats.command.timing import timed, times_in_words

BANNER = "no data are named: rendered scenes stand in, and everything made of them is SYNTHETIC"


def map_run(
    config: MapConfig,
    run: Path,
    session: Session,
    *,
    resume: bool = False,
    overrides: Sequence[str] = (),
    xla_flags: str = "",
) -> None:
    """Map scenes, make inventories, compare them, carry their error on, fit hazard, report.

    Args:
        config: checked configuration.
        run: run folder.
        session: log and progress.
        resume: keep finished scenes, models and fits whose settings and data are the same.
        overrides: ``--set`` texts, for the record.
        xla_flags: flags that were set before JAX was imported, for the record.

    Raises:
        DataError: an input that cannot be used.
        UserError: another process works in the run folder, or hazard.fit failed.
    """
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
        with part("scenes"):
            catalogue = run_catalogue(config, run, session)
            epochs = epochs_of(catalogue, config.region)
            known = with_reference(epochs)
        with part("model"):
            models = models_of(config, run, session, resume=resume)
        with part("maps and outlines"):
            scenes = map_scenes(config, epochs, models, run, session, resume=resume)
        with part("inventories"):
            detected = detected_inventory(config, epochs, scenes, run, session)
            reference = reference_inventory(config, epochs, run, session) if known else None
        compared = None
        if reference is not None:
            with part("comparison"):
                compared = compare_inventories(
                    config, (detected, run / INVENTORY), (reference, run / REFERENCE), session
                )
                write_comparison(run / COMPARISON, compared)
        with part("detection error"):
            lattice = lattice_of(config, detected, run)
            error = error_stage(config, detected, reference, lattice, run, session)
        skill: list[dict[str, Any]] = []
        if config.hazard is not None:
            with part("hazard"):
                skill = _hazard(
                    config, config.hazard, detected, reference, error, run, session, resume=resume
                )
        with part("report"):
            page = write_report(
                config, run, epochs, scenes, models, detected, reference, compared, error, skill,
                session,
            )  # fmt: skip
        _write_records(config, run, epochs, seconds, started, overrides, xla_flags)
        session.log.info(f"report: {page}")
        session.log.info(times_in_words(seconds))


def models_of(
    config: MapConfig, run: Path, session: Session, *, resume: bool
) -> tuple[DetectionModel, ...]:
    """The stored model, or one that is trained now, in the folder ``fit`` of the run; behind it
    the further members of an ensemble.
    """
    others = tuple(load_model(folder) for folder in config.ensemble)
    if config.model is not None:
        return (load_model(config.model), *others)
    assert config.fit is not None
    study = load_config(config.fit.config, overrides=config.fit.overrides)
    labels = trained_labels(config.fit, study)
    if resume and _is_finished(run / FIT, study):
        session.log.info(f"{run / FIT}: kept")
    else:
        fit_run(study, run / FIT, session, resume=resume, overrides=config.fit.overrides)
    return (*(load_model(run / FIT / MODELS / label) for label in labels), *others)


def trained_labels(stage: FitStage, study: DetectionConfig) -> tuple[str, ...]:
    """Labels of the networks that map, among those of the training.

    Raises:
        ConfigError: a label that the training does not have, or the same one twice.
    """
    known = [network.title for network in study.networks]
    first = stage.network or known[0]
    labels = (first, *stage.ensemble)
    for key, label in (("network", first), *(("ensemble", name) for name in stage.ensemble)):
        if label not in known:
            raise ConfigError(
                str(stage.config),
                [f"fit.{key}: found {label!r}; expected one of {', '.join(known)}"],
            )
    if len(set(labels)) < len(labels):
        raise ConfigError(
            str(stage.config), [f"fit.ensemble: found {', '.join(labels)}; expected each once"]
        )
    return labels


def _is_finished(fit: Path, study: DetectionConfig) -> bool:
    """Whether a training of these very settings ended there; its record is written last."""
    if not (fit / RECORD).exists():
        return False
    return bool(yaml.safe_load((fit / CONFIG).read_text(encoding="utf-8")) == as_given(study))


def detected_inventory(
    config: MapConfig,
    epochs: Sequence[EpochScenes],
    scenes: dict[str, MappedScene],
    run: Path,
    session: Session,
) -> MultiTemporal:
    """The multi-temporal inventory of the mapped scenes, written into the run folder."""
    maps = detected_epochs(epochs, scenes, run)
    with session.reporter.task("follow landslides through the epochs", len(maps)) as advance:
        found = track(maps, settings=tracking_settings(config), progress=advance)
    write_multi_temporal(
        run / INVENTORY, found, synthetic=config.is_synthetic,
        minimum_mapping_area_m2=config.polygons.minimum_area_m2 or None,
        provenance={"command": "python -m detection.map", "run": run.name},
    )  # fmt: skip
    for line in sums_in_words(found):
        session.log.info(line)
    return found


def reference_inventory(
    config: MapConfig, epochs: Sequence[EpochScenes], run: Path, session: Session
) -> MultiTemporal:
    """That of the reference inventories of the same scenes, likewise."""
    maps = reference_epochs(epochs, settings=polygon_settings(config))
    settings = replace(tracking_settings(config), tolerance_m=0.0, minimum_part_m2=0.0)
    with session.reporter.task("the reference likewise", len(maps)) as advance:
        found = track(maps, settings=settings, progress=advance)
    write_multi_temporal(
        run / REFERENCE, found, synthetic=config.is_synthetic,
        provenance={"command": "python -m detection.map", "run": run.name, "kind": "reference"},
    )  # fmt: skip
    return found


def tracking_settings(config: MapConfig) -> TrackingSettings:
    """How epochs are compared, from the configuration."""
    t = config.tracking
    return TrackingSettings(
        memory=t.memory, tolerance_px=t.tolerance_px, minimum_part_m2=t.minimum_part_m2,
        least_overlap=t.least_overlap,
    )  # fmt: skip


def _hazard(
    config: MapConfig,
    stage: HazardStage,
    detected: MultiTemporal,
    reference: MultiTemporal | None,
    error: DetectionError,
    run: Path,
    session: Session,
    *,
    resume: bool,
) -> list[dict[str, Any]]:
    inventories = {"detected": (detected, run / INVENTORY)}
    if reference is not None:
        inventories["reference"] = (reference, run / REFERENCE)
    return hazard_stage(config, stage, inventories, error, run, session, resume=resume)


def _write_records(
    config: MapConfig,
    run: Path,
    epochs: Sequence[EpochScenes],
    seconds: dict[str, float],
    started: dt.datetime,
    overrides: Sequence[str],
    xla_flags: str,
) -> None:
    write_json(
        run / PROVENANCE,
        {"command": "python -m detection.map", "overrides": list(overrides), "seed": config.seed,
         "started": started.isoformat(timespec="seconds"), "seconds": seconds,
         "machine": describe_machine(xla_flags), "packages": package_versions(PACKAGES)},
    )  # fmt: skip
    write_json(
        run / RECORD,
        {"layout": LAYOUT, "layout_version": LAYOUT_VERSION, "name": config.name,
         "title": config.title, "synthetic": config.is_synthetic,
         "epochs": [{"name": e.name, "start": e.start, "end": e.end,
                     "scenes": [entry.name for entry in e.entries]} for e in epochs],
         "files": sorted(path.name for path in run.iterdir() if path.name != RECORD)},
    )  # fmt: skip
