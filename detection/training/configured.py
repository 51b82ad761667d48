"""From sections of a configuration to what training takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jax

from detection.augmentation.config import AugmentationConfig
from detection.augmentation.hook import make_hook
from detection.augmentation.presets import augmentation
from detection.config.data import PreparationConfig
from detection.config.training import NetworkConfig, TrainingConfig
from detection.training.fit_network import Imbalance, Inputs, NetworkChoice
from detection.training.recipes import Recipe, recipe
from hazard.training.objective import LossTerm
from hazard.training.programs import BatchHook
from hazard.training.sharding import DataParallel, data_parallel


def recipe_of(training: TrainingConfig) -> Recipe:
    """The recipe that is named, with what the configuration changes in it.

    Example:
        >>> changed = recipe_of(TrainingConfig(recipe="adsms", epochs=3, learning_rate=1e-3))
        >>> changed.epochs, changed.optimiser.learning_rate, changed.batch_size
        (3, 0.001, 16)
    """
    base = recipe(training.recipe)
    optimiser = base.optimiser
    if training.learning_rate is not None:
        optimiser = replace(optimiser, learning_rate=training.learning_rate)
    if training.weight_decay is not None:
        optimiser = replace(optimiser, rule="adamw", weight_decay=training.weight_decay)
    changes: dict[str, Any] = {
        key: getattr(training, key)
        for key in ("epochs", "batch_size", "keep", "patience")
        if getattr(training, key) is not None
    }
    if training.loss is not None:
        changes["terms"] = tuple(
            LossTerm(term=term.term, factor=term.factor, options=term.options)
            for term in training.loss
        )
        # A published rule may watch a term that the new loss does not have.
        changes["monitor"] = "loss"
    return replace(base, optimiser=optimiser, **changes)


def augmentation_of(training: TrainingConfig) -> AugmentationConfig:
    """The menu of the recipe, or the one that is named, with its changes.

    Raises:
        ValueError: an unknown menu or setting.
    """
    section = training.augmentation
    preset = section.preset or recipe(training.recipe).augmentation
    return augmentation(preset, section.changes)


def hook_of(training: TrainingConfig) -> BatchHook | None:
    """The hook of the augmentation; None where nothing is changed."""
    config = augmentation_of(training)
    return make_hook(config) if config.shares else None


def choice_of(
    network: NetworkConfig, training: TrainingConfig, *, more: Mapping[str, Any] | None = None
) -> NetworkChoice:
    """The network with its settings.

    Args:
        network: section of the configuration.
        training: says the type of the computation.
        more: further settings, such as those of a grid.
    """
    settings = {"compute": training.compute, **network.settings, **dict(more or {})}
    return NetworkChoice(name=network.name, settings=settings, label=network.title)


def inputs_of(preparation: PreparationConfig) -> Inputs:
    """What the preparation makes."""
    return Inputs(
        indices=preparation.indices, topography=preparation.topography, use_pre=preparation.use_pre
    )


def imbalance_of(training: TrainingConfig) -> Imbalance:
    """The tools against rare landslides."""
    section = training.imbalance
    return Imbalance(
        positive_weight=section.positive_weight, positive_share=section.positive_share,
        restore_prior=section.restore_prior,
    )  # fmt: skip


def parallel_of(training: TrainingConfig) -> DataParallel | None:
    """The devices that share each batch; None for one.

    Raises:
        ValueError: more devices than there are.
    """
    if training.devices is None or training.devices == 1:
        return None
    there = jax.devices()
    if training.devices > len(there):
        raise ValueError(f"{training.devices} devices; there are {len(there)}")
    return data_parallel(there[: training.devices])
