"""Every fit of a run: planned, done or found done, kept; then all forecasts in one store."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from hazard.archive.names import PREDICTIONS_NAME, WORK_FOLDER
from hazard.archive.predictions import Header
from hazard.archive.records import ModelRecord, NotRun
from hazard.baselines.contract import MissingPackageError
from hazard.config.schema import HazardConfig
from hazard.cube.batches import Batches
from hazard.cube.cell_features import features_of_cube, targets_of_cube, windows_within
from hazard.cube.cube_batches import batches_of_cube, patches_of_cube, predictors_of_cube
from hazard.cube.layout import Cube
from hazard.cube.patches import PADDING, PatchIndex
from hazard.cube.refit import refit
from hazard.errors import DataError
from hazard.estimate.baselines import RAIN_PREFIX, WITHOUT_PAST, BaselineFitter
from hazard.estimate.errors import CannotFitError
from hazard.estimate.members import MemberForecasts, combine, exceedance, same_forecasts
from hazard.estimate.models import WITH_RAIN_VARIANT, allowed, model_records, without_rain
from hazard.estimate.network_source import BandNames, has_rain
from hazard.estimate.networks import NetworkFit, NetworkFitter
from hazard.estimate.plan import FoldPlan, Plan, make_plan
from hazard.estimate.pools import pool_fits, pools_of
from hazard.estimate.references import PATCH_CELLS, ReferenceFitter, cannot_run
from hazard.estimate.store import FitStore, StoredFit, arrays_hash, content_key
from hazard.estimate.telling import TrainingTeller
from hazard.estimate.thresholds import best_thresholds
from hazard.estimate.write import model_folder, write_models, write_predictions
from stats.command.frame import Session
from stats.laws.recorded import recorded_probability
from stats.resampling.folds import TRAIN, VALIDATION

Array = np.ndarray[Any, np.dtype[Any]]
# Raised when the meaning of a stored fit changes.
FIT_VERSION = 4
THREADED, THREADS = "lightgbm", 2


@dataclass(frozen=True, kw_only=True)
class Estimates:
    """What the fits of a run left behind.

    Attributes:
        header: axes of `predictions.zarr`.
        fits: one record per fit, for the provenance.
        seconds: by part.
    """

    header: Header
    fits: list[dict[str, Any]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


def estimate_run(
    run: Path, cube: Cube, config: HazardConfig, session: Session, *, resume: bool = False
) -> Estimates:
    """Fit everything that the configuration asks for, and write `predictions.zarr` and `models/`.

    Args:
        run: run folder.
        cube: its cube.
        config: configuration of the study.
        session: log and progress.
        resume: keep finished fits whose settings and data did not change.
    """
    started = time.monotonic()
    store = FitStore(run / WORK_FOLDER)
    if not resume:
        store.clear()
    work = _Work.prepare(cube, config, session)
    seconds = {"prepare": time.monotonic() - started}
    keys: dict[tuple[str, int, str], str] = {}
    fits: list[dict[str, Any]] = []
    absent = list(work.plan.not_run)
    started = time.monotonic()
    for done in _all_fits(work, store, session, resume=resume):
        if isinstance(done, NotRun):
            absent.append(done)
        else:
            keys[(done["scheme"], done["fold"], done["name"])] = done["key"]
            fits.append(done)
    seconds["fits"] = time.monotonic() - started
    started = time.monotonic()
    header = Header(
        schemes=work.plan.schemes, models=work.models, not_run=tuple(absent),
        levels_percent=tuple(config.fit.evaluation.thresholds_percent),
        members=max((f.members for f in work.plan.folds), default=1),
        folds=max((f.number + 1 for f in work.plan.folds), default=1),
    )  # fmt: skip
    loaded = {place: (store, key) for place, key in keys.items()}
    write_predictions(run / PREDICTIONS_NAME, cube, header, work.plan, work.base, loaded)
    write_models(run, cube, work.plan, loaded, config)
    seconds["write predictions"] = time.monotonic() - started
    return Estimates(header=header, fits=fits, seconds=seconds)


def _all_fits(
    work: _Work, store: FitStore, session: Session, *, resume: bool
) -> list[NotRun | dict[str, Any]]:
    """Everything one after the other, but boosted trees, which use one core each."""
    jobs = [(f, m) for f in work.plan.folds for m in work.fitted if allowed(m.name, f.models)]
    # Trees take most of the baselines' time and run in threads; regressions change the filters of
    # warnings, which all threads share, so they do not.
    threaded = [job for job in jobs if job[1].name.startswith(THREADED)]
    plain = [job for job in jobs if not job[1].name.startswith(THREADED)]
    found: list[NotRun | dict[str, Any]] = []

    def one(job: tuple[FoldPlan, ModelRecord]) -> NotRun | dict[str, Any]:
        return _one_fit(work, *job, store, session, resume=resume)

    with session.reporter.task("fits", len(jobs)) as advance:

        def take(done: NotRun | dict[str, Any]) -> None:
            session.log.info(_line(done))
            found.append(done)
            advance(1)

        for job in plain:
            take(one(job))
        with ThreadPoolExecutor(max_workers=THREADS) as pool:
            for done in pool.map(one, threaded):
                take(done)
    found += _pools(work, store, session, found)
    if work.config.fit.climatological_rain and has_rain(work.base):
        found += without_rain([done for done in found if not isinstance(done, NotRun)])
    return found


def _one_fit(
    work: _Work, fold: FoldPlan, model: ModelRecord, store: FitStore, session: Session, *,
    resume: bool,
) -> NotRun | dict[str, Any]:  # fmt: skip
    """A fit done or found done, or why it cannot be."""
    key = work.key(fold, model)
    reused = store.has(key)
    if not reused:
        try:
            store.save(key, work.fit(fold, model, store, key, resume=resume))
        except (CannotFitError, MissingPackageError, DataError) as error:
            return NotRun(scheme=fold.scheme, model=model.name, fold=fold.number, reason=str(error))
    return {**_summary(store.load(key).record), "key": key, "resumed": reused}


def _pools(
    work: _Work, store: FitStore, session: Session, found: list[NotRun | dict[str, Any]]
) -> list[NotRun | dict[str, Any]]:
    """Mixtures of what was fitted, or found finished."""
    keys = {
        (done["scheme"], done["fold"], done["name"]): done["key"]
        for done in found if not isinstance(done, NotRun)
    }  # fmt: skip
    made: list[NotRun | dict[str, Any]] = []
    of_truth = [model.name for model in work.models if model.true_presence]
    for fold, own in pools_of(work.config.fit.pools, work.plan.folds, keys, of_truth=of_truth):
        if isinstance(own, NotRun):
            made.append(own)
            continue
        key = content_key({"version": FIT_VERSION, "pool": own})
        reused = store.has(key)
        if not reused:
            fits = {part: store.load(name) for part, name in own.items()}
            store.save(key, pool_fits(fits, np.asarray(fold.predict)))
        made.append({**_summary(store.load(key).record), "key": key, "resumed": reused})
        session.log.info(_line(made[-1]))
    return made


@dataclass(kw_only=True, eq=False)
class _Work:
    """The study made ready for its fits."""

    cube: Cube
    config: HazardConfig
    session: Session
    plan: Plan
    models: tuple[ModelRecord, ...]
    base: Batches
    data_hash: str
    networks: NetworkFitter
    baselines: BaselineFitter
    references: ReferenceFitter
    seasons: tuple[str, ...]
    _fold: tuple[Any, Batches] | None = None

    @classmethod
    def prepare(cls, cube: Cube, config: HazardConfig, session: Session) -> _Work:
        """Read the study once: batches fitted on everything, features of cells, the plan."""
        fit = config.fit
        plan = make_plan(cube, fit, seed=config.seed)
        for absent in plan.not_run:
            session.log.warning(f"{absent.scheme}: not run ({absent.reason})")
        n = fit.network.patch_cells
        windows = windows_within(fit.network.past_windows, cube.grid.shape)
        count = len(predictors_of_cube(cube))
        with session.reporter.task("read the cube", 3 * count) as advance:
            base = batches_of_cube(
                cube, index=patches_of_cube(cube, n=n, shift=n // 2),
                past_windows=windows, past_per_year=fit.network.past_per_year,
                progress=advance,
            )  # fmt: skip
            features = features_of_cube(cube, progress=advance)
        return cls(
            cube=cube, config=config, session=session, plan=plan, base=base,
            models=model_records(
                fit, plan, rain=has_rain(base), detection_error=base.detection_error is not None
            ),
            data_hash=arrays_hash(base.arrays()),
            networks=NetworkFitter(base, fit.network, fit.training),
            baselines=BaselineFitter(
                features, targets_of_cube(cube), windows=fit.baseline_past_windows
            ),
            references=ReferenceFitter(fit.references),
            seasons=tuple(epoch.season for epoch in cube.epochs),
        )  # fmt: skip

    @property
    def fitted(self) -> list[ModelRecord]:
        """Models with a fit of their own."""
        return [m for m in self.models if not m.variant_of and m.kind != "pool"]

    def seed(self, fold: FoldPlan, model: ModelRecord) -> int:
        """Seed of one fit: of the study's seed and what is fitted, whatever else is run."""
        text = f"{self.config.seed}/{fold.scheme}/{fold.name}/{model.name}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")

    def key(self, fold: FoldPlan, model: ModelRecord) -> str:
        """Hash of everything that decides a fit."""
        fit = self.config.fit
        own: dict[str, Any] = {"name": model.name}
        if model.kind == "network":
            own |= {"network": fit.network.model_dump(), "training": fit.training.model_dump()}
            own["training"].pop("save_every_s")
        elif model.kind == "baseline":
            own |= {"windows": self.baselines.windows}
        elif model.kind == "reference":
            own |= {"references": fit.references.model_dump()}
        return content_key(
            {
                "version": FIT_VERSION, "data": self.data_hash, "role": fold.role_hash,
                "predict": hashlib.sha256(fold.predict.tobytes()).hexdigest(),
                "members": fold.members if model.kind != "baseline" else 1,
                "seed": self.seed(fold, model), "model": own,
                "rain": fit.climatological_rain,
                "windows": fit.network.past_windows, "per_year": fit.network.past_per_year,
                "levels": fit.evaluation.thresholds_percent, "split": fold.lattice_split,
            }
        )  # fmt: skip

    def fit(
        self, fold: FoldPlan, model: ModelRecord, store: FitStore, key: str, *, resume: bool
    ) -> StoredFit:
        """One fit, and what is kept of it."""
        started = time.monotonic()
        rain = self.config.fit.climatological_rain and model.name in WITH_RAIN_VARIANT
        if model.kind == "network":
            reads_rain = any(n.startswith(RAIN_PREFIX) for n in self._bands(model).epochs)
            rain = rain and reads_rain
        seed = self.seed(fold, model)
        arrays: dict[str, Array] = {}
        if model.kind == "baseline":
            found = self.baselines.fit(
                model.name, fold.role, seed=seed, climatological_rain=rain, seasons=self.seasons
            )
            forecasts: Mapping[str, MemberForecasts] = found.forecasts
            record = found.record
        else:
            done = self._network(fold, model, seed, rain, store.checkpoints(key), resume)
            forecasts, record = done.forecasts, done.record
            record["history"] = [vars(entry) for entry in done.history]
            for part, values in (("params", done.variables.params),
                                 ("stats", done.variables.stats)):  # fmt: skip
                arrays |= {f"variable/{part}/{n}": np.asarray(v) for n, v in values.items()}
            batches = self._batches(fold)
            record["standardisation"] = batches.standardisation.to_json()
            if model.kind == "network":
                # Cells with a record do not read the rain: there may be no others to forecast.
                observed = forecasts["observed"]
                if rain and same_forecasts(
                    observed, forecasts["climatological"], np.asarray(fold.predict)
                ):
                    forecasts, reads_rain = {"observed": observed}, False
                record["reads_rain"] = reads_rain
        train = fold.role == TRAIN
        targets = self.baselines.targets
        rate = float(targets.presence()[train].mean())
        for variant, members in forecasts.items():
            fields = combine(members, base_rate=rate)
            arrays[f"{variant}/threshold"] = self._thresholds(fold, model, fields)
            for name, found_values in fields.items():
                kept = np.where(fold.predict, found_values, np.nan).astype(np.float32)
                arrays[f"{variant}/{name}"] = kept
        record |= {
            "scheme": fold.scheme, "fold": fold.number, "fold_name": fold.name,
            "kind": model.kind, "name": model.name, **fold.counts, "base_rate": rate,
            "true_presence": model.true_presence,
            "train_cells": fold.role_hash, "seconds": time.monotonic() - started,
        }  # fmt: skip
        return StoredFit(arrays=arrays, record=record)

    def _network(
        self, fold: FoldPlan, model: ModelRecord, seed: int, rain: bool, checkpoints: Path,
        resume: bool,
    ) -> NetworkFit:  # fmt: skip
        batches = self._batches(fold)
        tell = TrainingTeller(self.session.log, f"{fold.scheme}, {fold.name}, {model.name}")
        if model.kind == "network":
            return self.networks.fit(
                batches, self._bands(model),
                members=fold.members, seed=seed, seasons=self.seasons, climatological_rain=rain,
                checkpoints=checkpoints, resume=resume, progress=tell,
            )  # fmt: skip
        small = with_patches(batches, patches_of_cube(self.cube, n=PATCH_CELLS, shift=2))
        reason = cannot_run(model.name, small)
        if reason is not None:
            raise CannotFitError(reason)
        return self.references.fit(
            model.name, small, members=fold.members, seed=seed, checkpoints=checkpoints,
            lattice_split=fold.lattice_split, resume=resume, progress=tell,
        )  # fmt: skip

    def _bands(self, model: ModelRecord) -> BandNames:
        past = not model.name.endswith(WITHOUT_PAST)
        return BandNames.of(self.base, past=past, leave_out=self.config.fit.network.leave_out)

    def _batches(self, fold: FoldPlan) -> Batches:
        """The batches of a fold; kept until another fold asks."""
        place = (fold.scheme, fold.number)
        if self._fold is None or self._fold[0] != place:
            self._fold = None
            self._fold = (place, refit(self.base, fold.role))
        return self._fold[1]

    def _thresholds(self, fold: FoldPlan, model: ModelRecord, fields: Mapping[str, Array]) -> Array:
        """(criterion, level) thresholds on the validation part, else on the training part."""
        part = fold.role == VALIDATION
        use = part if part.any() else fold.role == TRAIN
        density = self.baselines.targets.area_density[use]
        probability = fields["probability"][use]
        if model.true_presence:
            # What was recorded chooses, so the forecast of the record is cut.
            assert self.base.detection_error is not None
            pi, phi = (v[:, : self.base.n_cells][use] for v in self.base.detection_error)
            probability = recorded_probability(probability, pi, phi)
        columns = []
        for level in self.config.fit.evaluation.thresholds_percent:
            p = exceedance(probability, fields["mu"][use], fields["sigma"][use], level)
            present = density > 0 if level == 0 else density >= level
            columns.append(list(best_thresholds(p, present).values()))
        return np.asarray(columns, dtype=np.float64).T


def with_patches(batches: Batches, index: PatchIndex) -> Batches:
    """The same batches cut into other patches."""
    rows = np.append(batches.row_of_cell.reshape(-1), np.int32(batches.n_cells))
    return replace(
        batches,
        patch_cells=rows[np.where(index.cell == PADDING, rows.size - 1, index.cell)],
        patch_lattice=index.lattice.copy(),
        patch_corner=np.stack([index.row0, index.col0], axis=1).astype(np.int32),
    )


_SUMMARY = (
    "scheme", "fold", "fold_name", "name", "kind", "seconds", "members", "seed", "train",
    "validation", "test", "train_cells",
)  # fmt: skip


def _summary(record: Mapping[str, Any]) -> dict[str, Any]:
    scaled = record.get("standardisation")
    return {
        **{key: record[key] for key in _SUMMARY}, "epochs": len(record.get("history") or []),
        "reads_rain": record.get("reads_rain", True),
        "folder": model_folder(record["scheme"], record["fold"], record["name"]),
        # Of what stands in model.json, so that anyone can check it there.
        "standardisation": content_key(json.loads(scaled)) if scaled else None,
    }  # fmt: skip


def _line(done: NotRun | Mapping[str, Any]) -> str:
    if isinstance(done, NotRun):
        return f"{done.scheme}, fold {done.fold}, {done.model}: not run ({done.reason})"
    what = f"{done['scheme']}, {done['fold_name']}, {done['name']}"
    if done["resumed"]:
        return f"{what}: found finished"
    members = f", {done['members']} members" if done["members"] > 1 else ""
    epochs = f", {done['epochs']} epochs" if done["epochs"] else ""
    return f"{what}: {done['seconds']:.1f} s{members}{epochs}"
