"""Train, or take from an earlier run, every model of a study; each stored when it is whole."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jaxtyping import Float
from numpy import ndarray

from detection.config.schema import DetectionConfig
from detection.config.training import NetworkConfig
from detection.fit.data import PROMISE_NOTHING
from detection.fit.folder import CHECKPOINTS, FINISHED, MODELS
from detection.fit.telling import TrainingTeller
from detection.patches.patch_set import PatchSet
from detection.pixelwise.inputs import PixelInputs
from detection.pixelwise.models import fit_pixel_model
from detection.runs.record import write_json
from detection.training.configured import (
    choice_of,
    hook_of,
    imbalance_of,
    inputs_of,
    parallel_of,
    recipe_of,
)
from detection.training.fit_network import fit_network
from detection.training.grid import Trial, apply_trial
from detection.training.model import predict_patches
from detection.training.model_file import load_model, save_model
from detection.training.study import StudyPatches
from detection.training.threshold import ThresholdChoice, choose_threshold
from hazard.errors import DataError
from hazard.training.programs import ProgramCache
from hazard.training.records import EpochRecord
from stats.command.frame import Session

Predict = Callable[[PatchSet], Float[ndarray, "patch y x"]]


@dataclass(frozen=True, eq=False, kw_only=True)
class FittedModel:
    """A model of the comparison.

    Attributes:
        label: in tables and folders.
        kind: ``network`` or ``pixels``.
        predict: probability of every pixel of patches.
        threshold: chosen on the validation part.
        history: epochs of a network; empty for models of pixels.
        facts: settings and sizes for tables and records, plain JSON.
        folder: where it is stored; None for models of pixels, which are fitted again in seconds.
    """

    label: str
    kind: str
    predict: Predict
    threshold: ThresholdChoice
    history: tuple[EpochRecord, ...]
    facts: dict[str, Any]
    folder: Path | None


def fit_all(
    config: DetectionConfig,
    study: StudyPatches,
    run: Path,
    session: Session,
    *,
    digest: str,
    trials: Mapping[str, Trial] | None = None,
    resume: bool = False,
) -> tuple[FittedModel, ...]:
    """Every network and every model of pixels of a study.

    Args:
        config: the study.
        study: its patches.
        run: run folder.
        session: log and progress.
        digest: of all patches and roles: a model of other data is never taken for one of these.
        trials: best combination of a grid, by label of network.
        resume: keep finished models of the same settings and data; go on with a started one.
    """
    cache = ProgramCache()
    found = [
        _network(
            config, network, study, run, session, digest=digest,
            trial=dict(trials or {}).get(network.title), resume=resume, cache=cache,
        )
        for network in config.networks
    ]  # fmt: skip
    found += [_pixels(config, kind, study, session) for kind in config.baselines]
    return tuple(found)


def _network(
    config: DetectionConfig,
    network: NetworkConfig,
    study: StudyPatches,
    run: Path,
    session: Session,
    *,
    digest: str,
    trial: Trial | None,
    resume: bool,
    cache: ProgramCache,
) -> FittedModel:
    training = config.training_of(network)
    inputs = inputs_of(config.preparation_of(network))
    choice, recipe = choice_of(network, training), recipe_of(training)
    if trial is not None:
        choice, recipe = apply_trial(trial, choice, recipe)
    asked = {
        "choice": [choice.name, dict(choice.settings)], "recipe": asdict(recipe),
        "inputs": asdict(inputs), "imbalance": asdict(imbalance_of(training)),
        "augmentation": repr(hook_of(training)), "members": training.members,
        "seed": config.seed, "threshold": training.threshold, "data": digest,
    }  # fmt: skip
    key = hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()
    folder, started = run / MODELS / network.title, run / CHECKPOINTS / network.title
    # Named by all that decides the weights, data included: a training of other patches starts anew.
    checkpoints = started / key[:16]
    if not (resume and _finished(folder, key)):
        if not resume:
            shutil.rmtree(started, ignore_errors=True)
        session.log.info(
            f"{network.title}: {len(study.training)} training and {len(study.validation)} "
            f"validation patches, {recipe.epochs} epochs in batches of {recipe.batch_size}"
        )
        start = time.monotonic()
        fitted = fit_network(
            choice, study.training, study.validation, recipe=recipe, inputs=inputs,
            imbalance=imbalance_of(training), members=training.members, seed=config.seed,
            augment=hook_of(training), measure=training.threshold, watch=training.watch,
            allow_overlap=config.split.by in PROMISE_NOTHING, checkpoints=checkpoints,
            resume=resume, save_every_s=training.save_every_s, parallel=parallel_of(training),
            cache=cache, progress=TrainingTeller(session.log, network.title),
            provenance={"study": config.name, "data_sha256": digest, "split": config.split.by},
        )  # fmt: skip
        seconds = time.monotonic() - start
        save_model(fitted.model, folder)
        write_json(
            folder / FINISHED,
            {
                "key": key, "seconds": seconds, "history": [vars(e) for e in fitted.history],
                "prior": fitted.prior.to_json(), "asked": asked,
            },
        )  # fmt: skip
        shutil.rmtree(started, ignore_errors=True)
    else:
        session.log.info(f"{network.title}: taken from {folder}")
    model = load_model(folder)
    kept = json.loads((folder / FINISHED).read_text(encoding="utf-8"))
    history = tuple(EpochRecord.from_json(entry) for entry in kept["history"])
    parameters = sum(int(v.size) for v in model.variables.params.values()) // model.members
    facts = {
        "network": choice.name, "recipe": recipe.name, "parameters": parameters,
        "epochs": len(history), "batch_size": recipe.batch_size,
        "learning_rate": recipe.optimiser.learning_rate, "members": training.members,
        "receptive_field_px": model.receptive_field.side_px, "seconds": kept["seconds"],
        "validation_f1": model.threshold.f1, "prior": kept["prior"],
        "channels": list(model.preparation.channels),
        "inputs": list(model.preparation.inputs), "unpublished": list(recipe.unpublished),
        "source": recipe.source,
    }  # fmt: skip

    def predict(patches: PatchSet) -> Float[ndarray, "patch y x"]:
        return predict_patches(model, patches, batch_size=recipe.batch_size)

    return FittedModel(
        label=network.title, kind="network", predict=predict, threshold=model.threshold,
        history=history, facts=facts, folder=folder,
    )  # fmt: skip


def _finished(folder: Path, key: str) -> bool:
    file = folder / FINISHED
    if not file.is_file():
        return False
    try:
        return bool(json.loads(file.read_text(encoding="utf-8"))["key"] == key)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            file, found=f"no readable record ({error})", expected="that of a finished model"
        ) from None


def _pixels(
    config: DetectionConfig, kind: Any, study: StudyPatches, session: Session
) -> FittedModel:
    start = time.monotonic()
    training = study.training
    section = config.preparation
    with_pre = training.pre is not None if section.use_pre is None else section.use_pre
    layers = ("slope",) if section.topography is None else section.topography
    slope = "slope" in layers and training.elevation_m is not None and training.pixel_m is not None
    inputs = PixelInputs(indices=section.indices, pre=with_pre, slope=slope)
    model = fit_pixel_model(kind, training, inputs=inputs, seed=config.seed)
    chosen = choose_threshold(
        model.probability(study.validation),
        study.validation.truth, study.validation.counted, measure=config.training.threshold,
    )  # fmt: skip
    seconds = time.monotonic() - start
    session.log.info(f"{kind}: fitted on {model.n_pixels:,} pixels in {seconds:.0f} s")
    facts = {
        "network": kind, "recipe": "scikit-learn", "seconds": seconds,
        "validation_f1": chosen.f1, "channels": list(inputs.names(training.bands)),
        "pixels": model.n_pixels, "positive_pixels": model.n_positive,
    }  # fmt: skip
    return FittedModel(
        label=kind, kind="pixels", predict=model.probability, threshold=chosen, history=(),
        facts=facts, folder=None,
    )  # fmt: skip
