"""One training of the plan: its patches, starting weights, proof of freezing, and scores."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from detection.chain.counts import SceneCounts, patch_counts
from detection.chain.freezing import FreezeRecord, compare_frozen
from detection.chain.plan import PlannedTraining
from detection.chain.regions import RegionPatches, filled, joined, share_of
from detection.patches.cut import join_sets
from detection.patches.patch_set import PatchSet
from detection.patches.preparation import Preparation
from detection.training.fit_network import (
    FittedNetwork,
    Imbalance,
    Inputs,
    NetworkChoice,
    fit_network,
    preparation_of,
)
from detection.training.model import DetectionModel, predict_patches
from detection.training.prepared import frozen_names
from detection.training.recipes import Recipe
from detection.training.threshold import Measure
from hazard.training.programs import BatchHook, ProgramCache
from hazard.training.records import ProgressCallback
from hazard.training.sharding import DataParallel


@dataclass(frozen=True, kw_only=True)
class ChainSettings:
    """How the trainings of a study run.

    Attributes:
        choice: network and settings.
        recipe: of trainings from fresh weights.
        fine_tuning_epochs: passes from the second region on.
        joint_epochs: passes over several regions together.
        few_scratch_epochs: passes over a small share of a region from fresh weights.
        inputs: what the preparation makes.
        own_standardisation: fit it in every training; otherwise that of the first region serves
            the whole study.
        imbalance: tools against rare landslides.
        augment: random change of training patches.
        measure: what thresholds make large.
        members: networks per training.
        watch: compute validation losses also where they decide nothing.
        seed: of everything random.
        parallel: devices that share each batch.
    """

    choice: NetworkChoice
    recipe: Recipe
    fine_tuning_epochs: int
    joint_epochs: int
    few_scratch_epochs: int
    inputs: Inputs
    own_standardisation: bool = False
    imbalance: Imbalance | None = None
    augment: BatchHook | None = None
    measure: Measure = "f1"
    members: int = 1
    watch: bool = False
    seed: int = 0
    parallel: DataParallel | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainingPatches:
    """What one training sees.

    Attributes:
        distinct: its training patches, each once.
        training: the same, repeated to the common number of the study.
        validation: patches of other ground of the same regions and epochs.
    """

    distinct: PatchSet
    training: PatchSet
    validation: PatchSet


def training_patches(
    planned: PlannedTraining, data: Mapping[str, RegionPatches], *, seed: int
) -> TrainingPatches:
    """The patches of a training.

    Every region is filled up to the number of training patches of the largest one, so that all
    trainings of one kind take equally many steps; few patches are repeated to that number as well.
    A comparison of few data from two kinds of weights draws the same patches for both.
    """
    number = max(len(region.parts["train"]) for region in data.values())
    if planned.share < 1.0:
        # Of the region and the repeat alone: both sides of the comparison see the same.
        draw = _number(f"{seed}/{planned.regions[0]}/{planned.repeat}")
        region = data[planned.regions[0]]
        few = share_of(region.parts["train"], planned.share, seed=draw)
        return TrainingPatches(
            distinct=few, training=filled(few, number, seed=draw),
            validation=share_of(region.parts["validation"], planned.share, seed=draw),
        )  # fmt: skip
    parts = [data[name].parts["train"] for name in planned.regions]
    most = max(len(data[name].parts["validation"]) for name in planned.regions)
    held = [data[name].parts["validation"] for name in planned.regions]
    return TrainingPatches(
        distinct=parts[0] if len(parts) == 1 else join_sets(parts),
        training=joined(parts, number, seed=seed),
        # One region keeps its validation patches as they are; of several, each counts alike.
        validation=held[0] if len(held) == 1 else joined(held, most, seed=seed),
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainedStage:
    """What came of a training.

    Attributes:
        fitted: model and history.
        freezing: proof that frozen parts stayed; None where nothing was frozen.
        patches: numbers of patches.
    """

    fitted: FittedNetwork
    freezing: FreezeRecord | None
    patches: dict[str, int]


def train_planned(
    planned: PlannedTraining,
    data: Mapping[str, RegionPatches],
    settings: ChainSettings,
    *,
    parent: DetectionModel | None,
    standardisation: Preparation | None,
    cache: ProgramCache | None = None,
    progress: ProgressCallback | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> TrainedStage:
    """Carry out one training of a plan.

    Args:
        planned: what is trained.
        data: patches of the regions.
        settings: how.
        parent: the model whose weights it starts from.
        standardisation: of the whole study; None fits it on the patches of this training.
        cache: compiled programs of earlier trainings.
        progress: called at every look at the losses.
        provenance: kept with the model.

    Raises:
        ValueError: a parent is planned and not given, or parts are frozen in fresh weights.
        RuntimeError: a frozen array changed.
    """
    if (parent is None) != (planned.parent is None):
        raise ValueError(f"{planned.name} starts from {planned.parent or 'fresh weights'}")
    if planned.frozen and parent is None:
        raise ValueError(f"{planned.name} freezes parts of fresh weights")
    patches = training_patches(planned, data, seed=settings.seed)
    rule = standardisation or preparation_of(patches.distinct, settings.inputs)
    fitted = fit_network(
        settings.choice, patches.training, patches.validation,
        recipe=recipe_of_planned(planned, settings), preparation=rule,
        imbalance=settings.imbalance, members=settings.members,
        seed=_number(f"{settings.seed}/{planned.name}"), initial=parent, frozen=planned.frozen,
        augment=settings.augment, measure=settings.measure, watch=settings.watch,
        parallel=settings.parallel, cache=cache, progress=progress,
        provenance={**dict(provenance or {}), "training": asdict(planned)},
    )  # fmt: skip
    record = None
    if planned.frozen and parent is not None:
        parts = frozen_names(planned.frozen)
        record = compare_frozen(parent.variables, fitted.model.variables, parts)
        if record.frozen_changed:
            raise RuntimeError(f"{planned.name}: frozen {record.frozen_changed[0]} changed")
    counts = {
        "train": len(patches.distinct), "drawn": len(patches.training),
        "validation": len(patches.validation),
    }  # fmt: skip
    return TrainedStage(fitted=fitted, freezing=record, patches=counts)


def recipe_of_planned(planned: PlannedTraining, settings: ChainSettings) -> Recipe:
    """The recipe with the learning rate and the number of passes of a training."""
    base = settings.recipe
    epochs = base.epochs
    if planned.parent is not None:
        epochs = settings.fine_tuning_epochs
    elif planned.kind == "few_scratch":
        epochs = settings.few_scratch_epochs
    elif len(planned.regions) > 1:
        epochs = settings.joint_epochs
    optimiser = replace(base.optimiser, learning_rate=planned.learning_rate)
    return replace(base, epochs=epochs, optimiser=optimiser)


def score_planned(
    planned: PlannedTraining,
    model: DetectionModel,
    data: Mapping[str, RegionPatches],
    *,
    batch_size: int,
    progress: Callable[[int], None] | None = None,
) -> tuple[SceneCounts, ...]:
    """Counts of a model on every region and epoch, per patch, at the model's own threshold.

    Of the event epoch, on which trainings saw the other ground, test ground alone is mapped.
    """
    found = []
    for region in data.values():
        for epoch in region.epochs:
            patches, block, unseen = region.to_score(epoch)
            probability = predict_patches(model, patches, batch_size=batch_size, progress=progress)
            found.append(
                SceneCounts(
                    training=planned.name, region=region.name, epoch=epoch,
                    block=block, unseen=unseen,
                    counts=patch_counts(
                        probability >= model.threshold.threshold, patches.truth, patches.counted
                    ),
                )
            )  # fmt: skip
    return tuple(found)


def patches_to_map(data: Mapping[str, RegionPatches]) -> int:
    """Patches that `score_planned` maps."""
    return sum(
        len(region.to_score(epoch)[0]) for region in data.values() for epoch in region.epochs
    )


def training_key(
    planned: PlannedTraining, settings: ChainSettings, *, data_digest: str, parent_key: str
) -> str:
    """What decides the outcome of a training: equal keys, equal results.

    Args:
        planned: what is trained.
        settings: how.
        data_digest: of patches and split.
        parent_key: of the training whose weights it starts from; empty for fresh ones.
    """
    text = json.dumps(
        [
            asdict(planned), repr(settings.choice), repr(recipe_of_planned(planned, settings)),
            repr(settings.inputs), settings.own_standardisation, repr(settings.imbalance),
            repr(settings.augment), settings.measure, settings.members, settings.seed,
            data_digest, parent_key,
        ]
    )  # fmt: skip
    return hashlib.sha256(text.encode()).hexdigest()


def data_digest(data: Mapping[str, RegionPatches]) -> str:
    """SHA-256 over the values, truth, masks, origins and roles of all patches."""
    digest = hashlib.sha256()
    for region in data.values():
        patches = region.patches
        digest.update(repr((region.name, region.event_epoch, patches.bands, patches.unit)).encode())
        digest.update(repr(patches.origin).encode())
        arrays = (
            patches.image, patches.valid, patches.truth, patches.known, patches.pre,
            patches.pre_valid, patches.elevation_m, region.role,
        )  # fmt: skip
        for array in arrays:
            if array is not None:
                digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _number(text: str) -> int:
    """A seed from a text: distinct texts, unrelated seeds."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
