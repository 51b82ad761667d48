"""Optimisers as data: rule, schedule, clipping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import optax

Rule = Literal["adam", "adamw", "sgd"]
ScheduleName = Literal["constant", "exponential", "cosine"]


@dataclass(frozen=True, kw_only=True)
class OptimiserConfig:
    """How parameters are moved.

    Attributes:
        rule: update rule.
        learning_rate: largest learning rate.
        schedule: how it falls with the steps.
        decay_steps: exponential: steps per factor `decay_rate`; cosine: steps until the end.
        decay_rate: factor of the exponential decay per `decay_steps`.
        final_share: cosine: learning rate at the end, as a share of the largest.
        warmup_steps: steps of linear rise from 0 before the schedule.
        clip_norm: largest global norm of the gradient; None does not clip.
        weight_decay: decoupled decay (adamw alone), on arrays of two or more axes.
        momentum: of sgd.
    """

    rule: Rule = "adam"
    learning_rate: float = 1e-3
    schedule: ScheduleName = "constant"
    decay_steps: int = 1000
    decay_rate: float = 0.96
    final_share: float = 0.01
    warmup_steps: int = 0
    clip_norm: float | None = 1.0
    weight_decay: float = 0.0
    momentum: float = 0.9

    def __post_init__(self) -> None:
        if not self.learning_rate > 0:
            raise ValueError(f"learning rate {self.learning_rate}; use a positive number")
        if self.weight_decay and self.rule != "adamw":
            raise ValueError(f"weight decay with {self.rule!r}; use adamw")


def learning_rate(config: OptimiserConfig) -> optax.Schedule:
    """Learning rate as a function of the number of the step.

    Example:
        >>> rate = learning_rate(OptimiserConfig(schedule="exponential", decay_rate=0.5))
        >>> float(rate(0)), float(rate(1000)), float(rate(1999))
        (0.001..., 0.0005..., 0.0005...)
    """
    peak = config.learning_rate
    if config.schedule == "exponential":
        # In stairs: the published training lowers the rate every 1000 steps, not at each one.
        after = optax.exponential_decay(peak, config.decay_steps, config.decay_rate, staircase=True)
    elif config.schedule == "cosine":
        after = optax.cosine_decay_schedule(peak, config.decay_steps, config.final_share)
    elif config.schedule == "constant":
        after = optax.constant_schedule(peak)
    else:
        raise ValueError(f"schedule {config.schedule!r}; use constant, exponential or cosine")
    if not config.warmup_steps:
        return after
    rise = optax.linear_schedule(0.0, peak, config.warmup_steps)
    return optax.join_schedules([rise, after], [config.warmup_steps])


def make_optimiser(config: OptimiserConfig) -> optax.GradientTransformation:
    """The optax transformation of a configuration.

    Raises:
        ValueError: an unknown rule or schedule.
    """
    rate = learning_rate(config)
    if config.rule == "adam":
        rule = optax.adam(rate)
    elif config.rule == "adamw":
        rule = optax.adamw(rate, weight_decay=config.weight_decay, mask=_matrices)
    elif config.rule == "sgd":
        rule = optax.sgd(rate, momentum=config.momentum)
    else:
        raise ValueError(f"rule {config.rule!r}; use adam, adamw or sgd")
    if config.clip_norm is None:
        return rule
    return optax.chain(optax.clip_by_global_norm(config.clip_norm), rule)


def _matrices(params: dict[str, object]) -> dict[str, bool]:
    """Biases and scales of norms are not shrunk."""
    return {name: getattr(value, "ndim", 0) >= 2 for name, value in params.items()}
