"""From training and validation patches to a detection model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import jax

from detection.losses.terms import DETECTION_TERMS
from detection.patches.patch_set import PatchSet
from detection.patches.preparation import Preparation, fit_preparation
from detection.training.disjoint import require_disjoint
from detection.training.model import DetectionModel, predict_patches
from detection.training.prepared import build_prepared, frozen_names, network_settings
from detection.training.recipes import Recipe, stage_of
from detection.training.sampling import Prior, draws, has_landslide, prior_of
from detection.training.source import patch_source
from detection.training.threshold import Measure, ThresholdChoice, choose_threshold
from hazard.errors import DataError
from hazard.training.checkpoint import CheckpointFolder
from hazard.training.curriculum import curriculum_to_json
from hazard.training.loop import train
from hazard.training.programs import BatchHook, ProgramCache
from hazard.training.records import EpochRecord, ProgressCallback, TrainingSettings
from hazard.training.sharding import DataParallel


@dataclass(frozen=True, kw_only=True)
class NetworkChoice:
    """A network to train, as configurations name it.

    Attributes:
        name: in `detection.models`.
        settings: its settings, without numbers of bands.
        label: in tables and folder names; the name where empty.
    """

    name: str = "default"
    settings: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""

    @property
    def title(self) -> str:
        """Label, or name."""
        return self.label or self.name


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What the preparation makes of the patches.

    Attributes:
        indices: spectral indices.
        topography: layers from elevation; None takes slope and hillshade where there is elevation.
        use_pre: the earlier image; None takes it where there is one.
    """

    indices: tuple[str, ...] = ("ndvi",)
    topography: tuple[str, ...] | None = None
    use_pre: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Imbalance:
    """What is done about landslides being rare; all of it is off by default.

    Attributes:
        positive_weight: weight of landslide pixels in cross-entropy terms; ``balanced`` is the
            ratio of the others to them in the training patches; None leaves the recipe's.
        positive_share: share of patches with landslide among the draws of an epoch; None draws
            every patch once.
        restore_prior: take the shift of the log odds back where the loss is cross-entropy alone.
    """

    positive_weight: float | Literal["balanced"] | None = None
    positive_share: float | None = None
    restore_prior: bool = True


@dataclass(frozen=True, eq=False, kw_only=True)
class FittedNetwork:
    """A model and how it came about.

    Attributes:
        model: see there.
        history: every epoch.
        best_epochs: epoch that each member's weights come from; -1 is the last one.
        prior: shares of landslide in patches and draws.
    """

    model: DetectionModel
    history: tuple[EpochRecord, ...]
    best_epochs: tuple[int, ...]
    prior: Prior


def preparation_of(train_patches: PatchSet, inputs: Inputs) -> Preparation:
    """The preparation fitted on training patches, with every layer that they allow by default."""
    layers = inputs.topography
    if layers is None:
        allowed = train_patches.elevation_m is not None and train_patches.pixel_m is not None
        layers = ("slope", "hillshade") if allowed else ()
    return fit_preparation(
        train_patches, indices=inputs.indices, topography=layers, use_pre=inputs.use_pre
    )


def fit_network(
    choice: NetworkChoice,
    training: PatchSet,
    validation: PatchSet | None,
    *,
    recipe: Recipe,
    inputs: Inputs | None = None,
    preparation: Preparation | None = None,
    imbalance: Imbalance | None = None,
    members: int = 1,
    seed: int = 0,
    initial: DetectionModel | None = None,
    frozen: Sequence[str] = (),
    augment: BatchHook | None = None,
    measure: Measure = "f1",
    watch: bool = False,
    allow_overlap: bool = False,
    checkpoints: Path | None = None,
    resume: bool = False,
    save_every_s: float = 60.0,
    steps_per_call: int | None = None,
    look_every: int = 8,
    parallel: DataParallel | None = None,
    cache: ProgramCache | None = None,
    progress: ProgressCallback | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> FittedNetwork:
    """Train a network, choose its threshold on validation patches, and make a model of both.

    Args:
        choice: network and settings.
        training: patches to train on.
        validation: patches of other ground: early stopping, the checkpoint rule and the threshold
            use these alone. None where nothing watches; the threshold is then 0.5.
        recipe: how to train.
        inputs: what the preparation makes; ignored where one is given.
        preparation: instead of one fitted on `training`.
        imbalance: tools against rare landslides.
        members: networks with seeds of their own, whose probabilities are averaged.
        seed: of initial values, orders, draws and augmentation.
        initial: start from its weights, and keep its preparation: fine-tuning.
        frozen: parts of the network that stay bit-identical, statistics included.
        augment: random change of raw training batches, after the split and on the device.
        measure: what the threshold makes large.
        watch: compute validation losses also where they decide nothing.
        allow_overlap: let training and validation share pixels, as some published studies do.
        checkpoints: folder of checkpoints; None saves none.
        resume: go on from the newest of them; the weights are those of an uninterrupted run.
        save_every_s: seconds between checkpoints.
        steps_per_call: see `TrainingSettings`.
        look_every: likewise.
        parallel: devices that share each batch.
        cache: programs of earlier trainings of equal shapes.
        progress: called at every look at the losses.
        provenance: plain JSON kept with the model.

    Raises:
        DataError: patches that do not fit each other or the preparation, or that share pixels.
        UserError: the checkpoint belongs to another training.
        ValueError: a setting that cannot be used.
    """
    if validation is not None:
        _same_kind(training, validation)
        if not allow_overlap:
            require_disjoint(training, validation)
    elif recipe.watches:
        raise DataError(
            "validation patches", found="none",
            expected=f"some: the recipe {recipe.name!r} chooses its weights by them",
        )  # fmt: skip
    rule = preparation or (initial.preparation if initial is not None else None)
    rule = rule or preparation_of(training, inputs or Inputs())
    rule.require(training.bands, training.unit, training.pixel_m)
    settings = network_settings(choice.name, choice.settings, rule)
    tools = imbalance or Imbalance()
    drawn = draws(has_landslide(training), positive_share=tools.positive_share, seed=seed)
    used = _weighted(recipe, tools, training)
    prior = prior_of(training, drawn, positive_weight=used.positive_weight())
    stage = stage_of(used, draws=int(drawn.size), frozen=frozen_names(frozen))
    watched = validation is not None and (used.watches or watch)
    facts = {
        **dict(provenance or {}), "network": choice.name, "label": choice.title,
        "recipe": recipe.name, "stage": curriculum_to_json([stage])[0], "seed": seed,
        "members": members, "prior": prior.to_json(), "frozen": list(frozen),
        "patches": {"train": len(training), "validation": len(validation or ())},
        "synthetic": training.synthetic,
    }  # fmt: skip
    folder = CheckpointFolder(checkpoints) if checkpoints is not None else None
    try:
        trained = train(
            lambda rngs: build_prepared(choice.name, settings, rule, rngs),
            [stage], patch_source(training, drawn),
            patch_source(validation) if watched and validation is not None else None,
            settings=TrainingSettings(
                members=members, seed=seed, save_every_s=save_every_s,
                steps_per_call=steps_per_call, look_every=look_every,
            ),
            table=DETECTION_TERMS, initial=_start(initial, members), checkpoints=folder,
            resume=resume, record={"preparation": rule.to_json(), "settings": dict(settings)},
            parallel=parallel, augment=augment, cache=cache, progress=progress,
        )  # fmt: skip
    finally:
        if folder is not None:
            folder.close()
    shift = prior.logit_shift if tools.restore_prior and used.is_proper() else 0.0
    model = DetectionModel(
        network_name=choice.name, settings=settings, preparation=rule,
        variables=jax.device_get(trained.variables), pixel_m=training.pixel_m,
        threshold=ThresholdChoice(threshold=0.5, rule="fixed", pixels=0, positive=0),
        logit_shift=shift, provenance={**facts, "best_epochs": list(trained.best_epochs[0])},
    )  # fmt: skip
    if validation is not None and (validation.truth & validation.counted).any():
        model = model.with_threshold(
            choose_threshold(
                predict_patches(model, validation, batch_size=used.batch_size),
                validation.truth, validation.counted, measure=measure,
            )
        )  # fmt: skip
    return FittedNetwork(
        model=model, history=trained.history, best_epochs=trained.best_epochs[0], prior=prior
    )


def _same_kind(training: PatchSet, validation: PatchSet) -> None:
    for what in ("bands", "unit", "pixel_m"):
        one, other = getattr(training, what), getattr(validation, what)
        if one != other:
            raise DataError(
                "validation patches", found=f"{what} {other}",
                expected=f"{one}, as the training patches have",
            )  # fmt: skip


def _weighted(recipe: Recipe, tools: Imbalance, training: PatchSet) -> Recipe:
    """The recipe with the weight of landslide pixels that was asked for."""
    weight = tools.positive_weight
    if weight is None:
        return recipe
    if not any(term.term == "cross_entropy" for term in recipe.terms):
        raise ValueError(
            f"positive_weight with the recipe {recipe.name!r}, which has no cross-entropy; "
            "Tversky losses weigh the two errors themselves"
        )
    if weight == "balanced":
        positive = int((training.truth & training.counted).sum())
        if positive == 0:
            raise DataError("training patches", found="no landslide pixel", expected="some")
        weight = (int(training.counted.sum()) - positive) / positive
    terms = tuple(
        replace(term, options={**term.options, "positive_weight": float(weight)})
        if term.term == "cross_entropy" else term
        for term in recipe.terms
    )  # fmt: skip
    return replace(recipe, terms=terms)


def _start(initial: DetectionModel | None, members: int) -> Any:
    if initial is None:
        return None
    if initial.members != members:
        raise ValueError(f"{members} members from a model of {initial.members}; use as many")
    return jax.tree.map(jax.numpy.asarray, initial.variables)
