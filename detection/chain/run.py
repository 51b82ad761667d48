"""The work behind ``python -m detection.chain``: trainings, scores, tables and records."""

from __future__ import annotations

import datetime as dt
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from detection.chain.counts import SceneCounts, read_counts, write_counts
from detection.chain.folder import (
    COUNTS,
    DESIGNS,
    LAYOUT,
    LAYOUT_VERSION,
    MATRIX,
    MODELS,
    PACKAGES,
    PANELS,
    SPLIT,
    TRAININGS,
    TRANSFER,
    TrainingRecord,
    read_trainings,
    write_trainings,
)
from detection.chain.panels import panel_arrays
from detection.chain.plan import PlannedTraining
from detection.chain.study import ChainStudy, chain_section, chain_study, plan_of
from detection.chain.tables import (
    design_rows,
    ground_tables,
    matrix_rows,
    split_rows,
    transfer_rows,
)
from detection.chain.trainings import data_digest, score_planned, train_planned, training_key
from detection.config.schema import DetectionConfig
from detection.patches.audit import audit
from detection.patches.split_record import ROLES
from detection.runs.record import (
    CONFIG,
    LOG,
    PROVENANCE,
    RECORD,
    write_config,
    write_json,
    write_table,
)
from detection.training.model import DetectionModel
from detection.training.model_file import load_model, save_model
from detection.training.study import StudyPatches, count_scenes, study_patches
from hazard.geo.beside import write_beside
from hazard.geo.provenance import package_versions
from hazard.training.machine import describe_machine
from hazard.training.programs import ProgramCache
from stats.command.frame import Session
from stats.command.run_lock import run_lock

BANNER = "SYNTHETIC: the scenes are rendered; nothing in this run was observed"


def chain_run(
    config: DetectionConfig,
    run: Path,
    session: Session,
    *,
    resume: bool = False,
    overrides: Sequence[str] = (),
    xla_flags: str = "",
) -> ChainStudy:
    """Train everything that a configuration asks for, score it and write the tables.

    Args:
        config: checked configuration.
        run: run folder.
        session: log and progress.
        resume: keep finished trainings whose settings and data are the same.
        overrides: ``--set`` texts, for the record.
        xla_flags: flags that were set before JAX was imported, for the record.

    Raises:
        ConfigError: no chain, or settings that cannot be used.
        DataError: data that cannot be used.
        UserError: another process works in the run folder.
    """
    chain_section(config)
    started, seconds = dt.datetime.now(dt.UTC), {}
    with run_lock(run):
        log = session.log
        log.also_to(run / LOG)
        # A finished run that is made again is no finished run until its end.
        (run / RECORD).unlink(missing_ok=True)
        if config.is_synthetic:
            log.warning(BANNER)
        begin = time.monotonic()
        with session.reporter.task("scenes", count_scenes(config)) as advance:
            patches = study_patches(config, progress=advance)
        study = chain_study(config, patches)
        seconds["scenes and patches"] = time.monotonic() - begin
        for region in study.data.values():
            sizes = ", ".join(f"{len(part)} {role}" for role, part in region.parts.items())
            log.info(f"{region.name}: {sizes} patches of {region.event_epoch}")
        findings = audit_of(patches, study)
        for finding in findings:
            tell = log.warning if finding.startswith("leak") else log.info
            tell(f"audit: {finding}")
        (run / MODELS).mkdir(exist_ok=True)
        begin = time.monotonic()
        records = _train_all(study, run, session, resume=resume)
        seconds["trainings and maps"] = time.monotonic() - begin
        begin = time.monotonic()
        scenes = [s for name in records for s in read_counts(run / COUNTS / f"{name}.csv")]
        _write_tables(config, study, run, scenes)
        _write_panels(study, run)
        seconds["tables and panels"] = time.monotonic() - begin
        _write_records(config, study, run, started, seconds, overrides, xla_flags, findings)
    return study


def audit_of(patches: StudyPatches, study: ChainStudy) -> tuple[str, ...]:
    """What training, validation and test share, as this study uses them: one line per finding.

    Training and validation patches are those of the event epochs; test ground counts in all.
    """
    events = {name: region.event_epoch for name, region in study.data.items()}
    role = patches.split.role.copy()
    for i, origin in enumerate(patches.patches.origin):
        trained = origin.epoch == events.get(origin.region)
        tested = origin.region in events and role[i] == ROLES["test"]
        if not (trained or tested):
            role[i] = ROLES["unused"]
    used = patches.split.with_roles(role)
    return tuple(map(str, audit(patches.patches, used, grids=patches.grids or None)))


def dry_run_lines(config: DetectionConfig, run: Path) -> list[str]:
    """What a run would do; nothing is rendered, read or written."""
    plan = plan_of(config)
    lines = [f"Would train {len(plan.trainings)} networks, in this order:"]
    for planned in plan.trainings:
        start = f"from {planned.parent}" if planned.parent else "from fresh weights"
        part = "" if planned.share == 1.0 else f"{planned.share:.0%} of "
        frozen = f", frozen {', '.join(planned.frozen)}" if planned.frozen else ""
        lines.append(
            f"  {planned.name}: {part}{', '.join(planned.regions)}; {start}; learning rate "
            f"{planned.learning_rate:g}{frozen}"
        )
    names = (MODELS, COUNTS, MATRIX, TRANSFER, DESIGNS, "report/html/index.html")
    return [*lines, "Would write:", *(f"  {run / name}" for name in names)]


def _train_all(
    study: ChainStudy, run: Path, session: Session, *, resume: bool
) -> dict[str, TrainingRecord]:
    digest = data_digest(study.data)
    before = read_trainings(run) if resume else {}
    records: dict[str, TrainingRecord] = {}
    cache = ProgramCache()
    with session.reporter.task("trainings", len(study.plan.trainings)) as advance:
        for planned in study.plan.trainings:
            parent_key = "" if planned.parent is None else records[planned.parent].key
            key = training_key(planned, study.settings, data_digest=digest, parent_key=parent_key)
            if (old := before.get(planned.name)) is not None and old.key == key:
                records[planned.name] = old
                session.log.info(f"{planned.name}: kept")
            else:
                records[planned.name] = _train_one(study, planned, run, key, cache)
                # Whole before the next begins: what is killed now resumes behind it.
                write_trainings(run, records)
                _tell(session, records[planned.name])
            advance(1)
    write_trainings(run, records)
    return records


def _train_one(
    study: ChainStudy, planned: PlannedTraining, run: Path, key: str, cache: ProgramCache
) -> TrainingRecord:
    begin = time.monotonic()
    parent: DetectionModel | None = None
    if planned.parent is not None:
        parent = load_model(run / MODELS / planned.parent)
    stage = train_planned(
        planned, study.data, study.settings, parent=parent,
        standardisation=study.standardisation, cache=cache, provenance={"key": key},
    )  # fmt: skip
    model = stage.fitted.model
    regions = study.data
    if planned.share < 1.0:
        regions = {name: study.data[name] for name in planned.regions}
    batch = study.settings.recipe.batch_size
    counts = score_planned(planned, model, regions, batch_size=batch)
    save_model(model, run / MODELS / planned.name)
    write_counts(run / COUNTS / f"{planned.name}.csv", counts)
    history = [vars(entry) for entry in stage.fitted.history]
    return TrainingRecord(
        name=planned.name, key=key, planned=asdict(planned), seconds=time.monotonic() - begin,
        patches=stage.patches, steps=len(history) * -(-stage.patches["drawn"] // batch),
        threshold=model.threshold.to_json(), history=history,
        freezing=None if stage.freezing is None else asdict(stage.freezing),
        parameters=study.parameters,
    )  # fmt: skip


def _tell(session: Session, record: TrainingRecord) -> None:
    loss = float(np.mean(record.history[-1]["loss"]))
    session.log.info(
        f"{record.name}: {record.patches['train']} patches, {record.steps} steps, loss {loss:.3f}, "
        f"threshold {record.threshold['threshold']:.3f}, {record.seconds:.0f} s"
    )


def _write_tables(
    config: DetectionConfig, study: ChainStudy, run: Path, scenes: Sequence[SceneCounts]
) -> None:
    evaluation = config.evaluation
    events = {name: region.event_epoch for name, region in study.data.items()}
    tables = ground_tables(
        scenes, events, draws=evaluation.draws, seed=config.seed, unit=study.unit
    )
    write_table(run / SPLIT, split_rows(study.data))
    for name, make in ((MATRIX, matrix_rows), (TRANSFER, transfer_rows), (DESIGNS, design_rows)):
        write_table(run / name, make(study.plan, tables, level=evaluation.level))


def _write_panels(study: ChainStudy, run: Path) -> None:
    stages = study.plan.stages(study.plan.variants[0].name)
    models = [load_model(run / MODELS / stage.name) for stage in stages]
    arrays = panel_arrays(study.data, models, batch_size=study.settings.recipe.batch_size)
    with write_beside(run / PANELS) as part, part.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)


def _write_records(
    config: DetectionConfig,
    study: ChainStudy,
    run: Path,
    started: dt.datetime,
    seconds: dict[str, float],
    overrides: Sequence[str],
    xla_flags: str,
    findings: Sequence[str],
) -> None:
    finished = dt.datetime.now(dt.UTC)
    write_config(run / CONFIG, config)
    versions = {"python": sys.version.split()[0], **package_versions(PACKAGES)}
    synthetic = any(region.patches.synthetic for region in study.data.values())
    provenance: dict[str, Any] = {
        "command": "python -m detection.chain", "overrides": list(overrides),
        "started": started.isoformat(timespec="seconds"),
        "finished": finished.isoformat(timespec="seconds"), "seconds": seconds,
        "seed": config.seed, "synthetic": synthetic, "data_sha256": data_digest(study.data),
        "config": config.model_dump(mode="json"), "versions": versions,
        **describe_machine(xla_flags),
    }  # fmt: skip
    write_json(run / PROVENANCE, provenance)
    regions = {
        name: {
            "event_epoch": region.event_epoch, "epochs": list(region.epochs),
            "patches": {role: len(part) for role, part in region.parts.items()},
            "landslide_share": {
                epoch: _landslide_share(region.to_score(epoch)[0]) for epoch in region.epochs
            },
        }
        for name, region in study.data.items()
    }  # fmt: skip
    first = next(iter(study.data.values()))
    files = (
        TRAININGS, MODELS, COUNTS, MATRIX, TRANSFER, DESIGNS, SPLIT, PANELS, CONFIG, PROVENANCE, LOG
    )  # fmt: skip
    record = {
        "layout": LAYOUT, "layout_version": LAYOUT_VERSION, "name": config.name,
        "title": config.title, "synthetic": synthetic, "seed": config.seed,
        "patch_px": first.patches.image.shape[1], "pixel_m": first.patches.pixel_m,
        "bands": list(first.patches.bands), "order": list(study.plan.order),
        "written": finished.isoformat(timespec="seconds"),
        "variants": [asdict(variant) for variant in study.plan.variants], "unit": study.unit,
        "level": config.evaluation.level, "draws": config.evaluation.draws,
        "standardisation": "first" if study.standardisation is not None else "own",
        "network": study.settings.choice.title, "regions": regions, "audit": list(findings),
        "files": [name for name in files if (run / name).exists()],
    }  # fmt: skip
    write_json(run / RECORD, record)


def _landslide_share(patches: Any) -> float:
    counted = int(patches.counted.sum())
    return float((patches.truth & patches.counted).sum()) / max(counted, 1)
