"""Curricula that come with the package: the published one, and the one of the default network."""

from __future__ import annotations

from typing import Literal

from hazard.training.curriculum import Stage
from hazard.training.objective import LossTerm
from hazard.training.optimiser import OptimiserConfig

# The published schedule: Adam, 1e-3, a decay every 1000 steps whose factor is not given.
PUBLISHED_OPTIMISER = OptimiserConfig(
    rule="adam", learning_rate=1e-3, schedule="exponential", decay_steps=1000, decay_rate=0.96,
    clip_norm=None,
)  # fmt: skip
PUBLISHED_POSITIVE_WEIGHT = 5.0

PresenceLoss = Literal["focal_tversky", "weighted_cross_entropy"]


def presence_term(loss: PresenceLoss) -> LossTerm:
    """The published loss of susceptibility: batch-pooled Tversky, or cross-entropy 5 : 1."""
    if loss == "focal_tversky":
        return LossTerm(
            term="focal_tversky",
            options={
                "false_negative_weight": 0.7,
                "false_positive_weight": 0.3,
                "exponent": 1.0,
            },
        )
    return LossTerm(
        term="weighted_cross_entropy", options={"positive_weight": PUBLISHED_POSITIVE_WEIGHT}
    )


def published_curriculum(
    *,
    presence_loss: PresenceLoss = "focal_tversky",
    batch_size: int = 32,
    susceptibility_epochs: int = 500,
    log_epochs: int = 200,
    positive_epochs: int = 200,
    all_epochs: int = 200,
    joint_epochs: int = 5,
    patience: int = 10,
) -> tuple[Stage, ...]:
    """Susceptibility, the three stages of density, and both together, as published.

    The density network ends in a ReLU and cannot return the negative logarithm of a density below
    1 percent, so the log stage uses ln(1 + density). Its last stage trains on zeros too; a
    product with the probability then discounts zeros twice: this is the published model, not a
    recommendation.

    Args:
        presence_loss: Tversky (text and most of the code), or the weighted cross-entropy of the
            last published training, whose weight must be undone.
        batch_size: patches per step.
        susceptibility_epochs: largest number of epochs of susceptibility.
        log_epochs: of the log density of positive cells.
        positive_epochs: of their density, without early stopping.
        all_epochs: of all cells.
        joint_epochs: of both networks together.
        patience: epochs without improvement before a stage stops.

    Example:
        >>> [stage.name for stage in published_curriculum()]
        ['susceptibility', 'density_log', 'density_positive', 'density_all', 'joint']
    """
    presence = presence_term(presence_loss)
    density = LossTerm(term="mae")
    susceptibility_only: tuple[str, ...] = ("density",)
    density_only: tuple[str, ...] = ("susceptibility",)
    return (
        Stage(
            name="susceptibility", terms=(presence,), epochs=susceptibility_epochs,
            optimiser=PUBLISHED_OPTIMISER, batch_size=batch_size, frozen=susceptibility_only,
            patience=patience,
        ),
        Stage(
            name="density_log", terms=(density,), epochs=log_epochs,
            optimiser=PUBLISHED_OPTIMISER, batch_size=batch_size, subset="positive",
            target_transform="log1p", frozen=density_only, patience=patience,
        ),
        Stage(
            name="density_positive", terms=(density,), epochs=positive_epochs,
            optimiser=PUBLISHED_OPTIMISER, batch_size=batch_size, subset="positive",
            frozen=density_only, restore_best=False,
        ),
        Stage(
            name="density_all", terms=(density,), epochs=all_epochs,
            optimiser=PUBLISHED_OPTIMISER, batch_size=batch_size, frozen=density_only,
            patience=patience,
        ),
        Stage(
            name="joint", terms=(presence, LossTerm(term="product_mae")), epochs=joint_epochs,
            optimiser=PUBLISHED_OPTIMISER, batch_size=batch_size, restore_best=False,
        ),
    )  # fmt: skip


def default_curriculum(
    *,
    law: str = "truncated_lognormal",
    epochs: int = 60,
    batch_size: int = 8,
    learning_rate: float = 2e-3,
    weight_decay: float = 1e-2,
    patience: int | None = 10,
    decay_steps: int = 2000,
) -> tuple[Stage, ...]:
    """One stage: log loss of presence plus log likelihood of the positive densities.

    Both are proper, so nothing has to be undone afterwards. Without `patience` training goes on
    to the end of the cosine and keeps the last weights.

    Example:
        >>> [term.term for term in default_curriculum()[0].terms]
        ['log_loss', 'positive_nll']
    """
    return (
        Stage(
            name="hurdle",
            terms=(
                LossTerm(term="log_loss"),
                # Positives are about a sixth of the cells: each term is a mean over its own
                # cells, and 0.2 gives an observed density about the weight of an observed cell.
                LossTerm(term="positive_nll", factor=0.2, options={"law": law}),
            ),
            epochs=epochs,
            optimiser=OptimiserConfig(
                rule="adamw", learning_rate=learning_rate, schedule="cosine",
                decay_steps=decay_steps, warmup_steps=min(50, decay_steps // 10),
                weight_decay=weight_decay, clip_norm=1.0,
            ),
            batch_size=batch_size,
            patience=patience,
            # The best of many looks at a few blocks is an early, unfinished one.
            restore_best=patience is not None,
        ),
    )  # fmt: skip
