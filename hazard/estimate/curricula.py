"""Curricula of a configuration as stages, and what has to be undone after them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hazard.config.fit import ReferenceConfig, TrainingConfig
from hazard.training.curriculum import Stage, curriculum_from_json
from hazard.training.published import (
    PUBLISHED_POSITIVE_WEIGHT,
    default_curriculum,
    published_curriculum,
)

# Proper scores of presence: what they train is a probability.
_PROPER = ("log_loss",)


@dataclass(frozen=True)
class Undo:
    """How the output of a susceptibility network becomes a probability.

    Attributes:
        kind: ``nothing``, ``class_weight`` or ``recalibrate``.
        class_weight: weight of positives in the last stage that trained presence.
    """

    kind: Literal["nothing", "class_weight", "recalibrate"]
    class_weight: float = 1.0

    @property
    def words(self) -> str:
        """For tables."""
        return {
            "nothing": "proper",
            "class_weight": f"class weight {self.class_weight:g} undone",
            "recalibrate": "score recalibrated on validation cells",
        }[self.kind]


def curriculum_of(config: TrainingConfig, *, patches: int) -> tuple[Stage, ...]:
    """Stages of the default network.

    Args:
        config: section `fit.training`.
        patches: training patches, which decide the length of the cosine schedule.
    """
    if config.curriculum == "default":
        per_pass = max(1, -(-patches // config.batch_size))
        epochs = min(config.epochs, max(1, -(-config.most_steps // per_pass)))
        steps = per_pass * epochs
        return default_curriculum(
            epochs=epochs, batch_size=config.batch_size, patience=config.patience,
            learning_rate=config.learning_rate, weight_decay=config.weight_decay,
            decay_steps=steps,
        )  # fmt: skip
    if config.curriculum == "published":
        if config.patience is None:
            return published_curriculum(batch_size=config.batch_size)
        return published_curriculum(batch_size=config.batch_size, patience=config.patience)
    return curriculum_from_json([stage.model_dump() for stage in config.curriculum])


def reference_curriculum(config: ReferenceConfig) -> tuple[Stage, ...]:
    """The published curriculum with the lengths of the configuration."""
    return published_curriculum(
        presence_loss=config.presence_loss, batch_size=config.batch_size,
        susceptibility_epochs=config.susceptibility_epochs, log_epochs=config.density_epochs,
        positive_epochs=config.density_epochs, all_epochs=config.density_epochs,
        joint_epochs=config.joint_epochs, patience=config.patience,
    )  # fmt: skip


def undo_of(stages: tuple[Stage, ...]) -> Undo:
    """What the last stage that trained presence leaves to be undone.

    Example:
        >>> undo_of(default_curriculum()).kind, undo_of(published_curriculum()).kind
        ('nothing', 'recalibrate')
        >>> undo_of(published_curriculum(presence_loss="weighted_cross_entropy"))
        Undo(kind='class_weight', class_weight=5.0)
    """
    for stage in reversed(stages):
        if stage.epochs == 0:
            continue
        terms = [t for t in stage.terms if t.term not in ("mae", "mse", "positive_nll",
                                                          "gamma_deviance")]  # fmt: skip
        if not terms or "susceptibility" in stage.frozen or "presence" in stage.frozen:
            continue
        names = {term.term for term in terms}
        if names <= set(_PROPER):
            return Undo("nothing")
        if names == {"weighted_cross_entropy"}:
            weight = terms[0].options.get("positive_weight", 1.0)
            return Undo("class_weight", float(weight))
        if names == {"weighted_cross_entropy", "product_mae"}:
            # A few joint steps with a second loss move the output a little off the first one's
            # optimum; the weight is undone as published.
            return Undo("class_weight", PUBLISHED_POSITIVE_WEIGHT)
        return Undo("recalibrate")
    return Undo("nothing")
