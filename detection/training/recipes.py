"""How a network is trained, as data: the default recipe and those of the papers.

Every number of a published recipe is that of the paper or of its public code. What neither says is
named in `unpublished`, and is our own. The optimiser is optax's (Adam with epsilon 1e-8).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from detection.losses.presets import LOSS_PRESETS
from hazard.training.curriculum import Stage
from hazard.training.objective import LossTerm
from hazard.training.optimiser import OptimiserConfig

Keep = Literal["best", "last"]
_PLAIN_ADAM = OptimiserConfig(clip_norm=None)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained.

    Attributes:
        name: name in configurations and tables.
        source: where it comes from.
        terms: summands of the loss.
        epochs: largest number of passes over the training patches.
        batch_size: patches per step.
        optimiser: how parameters are moved.
        decay_over_training: the schedule ends with the last epoch, instead of after
            `optimiser.decay_steps`.
        keep: the checkpoint that is kept: ``best`` by the validation value, or ``last``.
        monitor: the validation value: ``loss``, or the name of a term.
        patience: stop after so many epochs without a better one; None never stops.
        plateau_patience: lower the learning rate after so many; None never does.
        plateau_factor: by this factor,
        plateau_floor: and not below this share of the first rate.
        augmentation: name of the preset of `detection.augmentation`.
        unpublished: settings that the source does not give; ours.
    """

    name: str
    source: str
    terms: tuple[LossTerm, ...]
    epochs: int
    batch_size: int
    optimiser: OptimiserConfig
    decay_over_training: bool = False
    keep: Keep = "best"
    monitor: str = "loss"
    patience: int | None = None
    plateau_patience: int | None = None
    plateau_factor: float = 0.1
    plateau_floor: float = 1e-4
    augmentation: str = "none"
    unpublished: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.keep not in ("best", "last"):
            raise ValueError(f"keep {self.keep!r}; use best or last")

    @property
    def watches(self) -> bool:
        """True where the training depends on validation values."""
        stops = self.patience is not None or self.plateau_patience is not None
        return stops or self.keep == "best"

    def positive_weight(self) -> float:
        """Weight of landslide pixels in the cross-entropy; 1 without one."""
        weights = [float(term.options.get("positive_weight", 1.0)) for term in self.terms]
        return max(weights, default=1.0)

    def is_proper(self) -> bool:
        """True where the loss is cross-entropy alone, so that outputs are probabilities."""
        return all(term.term == "cross_entropy" for term in self.terms)


def stage_of(recipe: Recipe, *, draws: int, frozen: tuple[str, ...] = ()) -> Stage:
    """The stage of `hazard.training` that carries a recipe out.

    Args:
        recipe: see there.
        draws: patches drawn per epoch; a schedule over the training needs them.
        frozen: names of arrays that stay as they are (`frozen_names`).
    """
    steps = max(1, recipe.epochs * -(-draws // recipe.batch_size))
    optimiser = recipe.optimiser
    if recipe.decay_over_training:
        warmup = min(optimiser.warmup_steps, steps // 10)
        # The schedule counts from the end of the rise.
        optimiser = replace(optimiser, decay_steps=max(1, steps - warmup), warmup_steps=warmup)
    return Stage(
        name=recipe.name, terms=recipe.terms, epochs=recipe.epochs, optimiser=optimiser,
        batch_size=recipe.batch_size, field="mask", frozen=frozen, patience=recipe.patience,
        monitor=recipe.monitor, restore_best=recipe.keep == "best",
        plateau_patience=recipe.plateau_patience, plateau_factor=recipe.plateau_factor,
        plateau_floor=recipe.plateau_floor,
    )  # fmt: skip


_RASUWA = "Rasuwa study (Nepal), multi-temporal U-Net"
_HR_GLDD = "Meena et al. (2023), HR-GLDD, doi:10.5194/essd-15-3283-2023"
_ADSMS = "Bhuyan et al. (2023), multi-temporal inventories by transfer"
_PRAKASH = "Prakash et al. (2021), doi:10.1038/s41598-021-89015-8"

RECIPES: Mapping[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="default", source="this project", terms=LOSS_PRESETS["default"], epochs=40,
            batch_size=16,
            optimiser=OptimiserConfig(
                rule="adamw", learning_rate=2e-3, schedule="cosine", warmup_steps=50,
                weight_decay=0.01, clip_norm=1.0,
            ),
            decay_over_training=True, keep="last", augmentation="default",
        ),
        Recipe(
            name="rasuwa_text", source=f"{_RASUWA}: the paper", terms=LOSS_PRESETS["rasuwa_text"],
            epochs=250, batch_size=32, optimiser=replace(_PLAIN_ADAM, learning_rate=1e-3),
            keep="best", unpublished=("checkpoint rule", "augmentation"),
        ),
        Recipe(
            name="rasuwa_code", source=f"{_RASUWA}: its public code",
            terms=LOSS_PRESETS["rasuwa_code"], epochs=50, batch_size=8,
            optimiser=replace(_PLAIN_ADAM, learning_rate=1e-3), keep="last", patience=100,
            plateau_patience=20, plateau_factor=0.1, plateau_floor=1e-2,
            unpublished=("augmentation",),
        ),
        Recipe(
            name="adsms", source=f"{_ADSMS}: its public code", terms=LOSS_PRESETS["adsms"],
            epochs=70, batch_size=16, optimiser=replace(_PLAIN_ADAM, learning_rate=1e-4),
            keep="best", monitor="tversky", patience=40, plateau_patience=15,
            plateau_factor=0.33, augmentation="adsms",
        ),
        Recipe(
            name="bitemporal", source=_PRAKASH, terms=LOSS_PRESETS["bitemporal"], epochs=100,
            batch_size=16, optimiser=replace(_PLAIN_ADAM, learning_rate=1e-4), keep="best",
            patience=10, plateau_patience=3, plateau_factor=0.1, augmentation="bitemporal",
            unpublished=(
                "epochs", "batch size", "weights and exponent of the focal Tversky loss",
                "ranges of the augmentation", "weight decay",
            ),
        ),
        Recipe(
            name="hr_gldd_text", source=f"{_HR_GLDD}: the paper", terms=LOSS_PRESETS["hr_gldd"],
            epochs=50, batch_size=16, optimiser=replace(_PLAIN_ADAM, learning_rate=5e-4),
            keep="best", unpublished=("epochs", "augmentation"),
        ),
        Recipe(
            name="hr_gldd_code", source=f"{_HR_GLDD}: its public code",
            terms=LOSS_PRESETS["hr_gldd"], epochs=5, batch_size=16,
            optimiser=replace(_PLAIN_ADAM, learning_rate=5e-4), keep="best", patience=30,
            unpublished=("augmentation",),
        ),
    )
}  # fmt: skip
"""Recipes by name."""


def recipe(name: str) -> Recipe:
    """A recipe by its name.

    Raises:
        ValueError: an unknown name.

    Example:
        >>> recipe("adsms").epochs, recipe("adsms").optimiser.learning_rate
        (70, 0.0001)
    """
    if name not in RECIPES:
        raise ValueError(f"recipe {name!r}; use one of {', '.join(RECIPES)}")
    return RECIPES[name]
