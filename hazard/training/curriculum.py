"""A curriculum as data: a list of stages, each with its cells, target, loss and what is frozen."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jax.numpy as jnp
from jaxtyping import Array

from hazard.training.data import WEIGHT
from hazard.training.objective import LossTerm
from hazard.training.optimiser import OptimiserConfig

ADAM = OptimiserConfig()
Subset = Literal["all", "positive"]
Transform = Literal["identity", "log", "log1p"]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage of a curriculum.

    Attributes:
        name: short name for logs and tables.
        terms: summands of the loss.
        epochs: largest number of passes over the samples.
        optimiser: how parameters are moved; its state starts anew in every stage.
        batch_size: samples per step.
        subset: ``positive`` counts elements alone whose `field` is above 0.
        field: target that `subset` and `target_transform` speak of.
        target_transform: what is done to that target before the loss sees it.
        frozen: names of parts that stay bit-identical, running statistics included.
        patience: stop after so many epochs without a better validation value; None never stops.
        least_gain: smaller improvements do not count.
        monitor: ``loss``, or the name of a term.
        restore_best: end with the variables of the best validation value, not with the last.
        plateau_patience: lower the learning rate after so many epochs without improvement.
        plateau_factor: by this factor,
        plateau_floor: and not below this share of the scheduled rate.
    """

    name: str
    terms: tuple[LossTerm, ...]
    epochs: int
    optimiser: OptimiserConfig = ADAM
    batch_size: int = 32
    subset: Subset = "all"
    field: str = "density"
    target_transform: Transform = "identity"
    frozen: tuple[str, ...] = ()
    patience: int | None = None
    least_gain: float = 0.0
    monitor: str = "loss"
    restore_best: bool = True
    plateau_patience: int | None = None
    plateau_factor: float = 0.1
    plateau_floor: float = 1e-4

    def __post_init__(self) -> None:
        if not self.terms:
            raise ValueError(f"stage {self.name!r} has no loss; name at least one term")
        for key, allowed in (
            ("subset", ("all", "positive")),
            ("target_transform", ("identity", "log", "log1p")),
        ):
            if getattr(self, key) not in allowed:
                raise ValueError(
                    f"stage {self.name!r}: {key} {getattr(self, key)!r}; "
                    f"use one of {', '.join(allowed)}"
                )
        if self.epochs < 0 or self.batch_size < 1:
            raise ValueError(
                f"stage {self.name!r}: {self.epochs} epochs in batches of {self.batch_size}; "
                "use at least 0 and 1"
            )
        if self.target_transform == "log" and self.subset != "positive":
            raise ValueError(f"stage {self.name!r}: the log of zeros; use subset positive or log1p")

    @property
    def watches(self) -> bool:
        """True where the stage depends on validation values."""
        return self.patience is not None or self.plateau_patience is not None


def change_batch(stage: Stage, batch: Mapping[str, Array]) -> dict[str, Array]:
    """Apply a stage's subset to the weights, then its transform to the target.

    Example:
        >>> stage = Stage(name="a", terms=(LossTerm(term="mae"),), epochs=1, subset="positive",
        ...               target_transform="log1p")
        >>> batch = {"density": jnp.array([[0.0, 3.0]]), "weight": jnp.ones((1, 2))}
        >>> changed = change_batch(stage, batch)
        >>> changed["weight"].tolist(), round(float(changed["density"][0, 1]), 4)
        ([[0.0, 1.0]], 1.3863)
    """
    changed = dict(batch)
    if stage.subset == "all" and stage.target_transform == "identity":
        return changed
    weight = jnp.asarray(batch[WEIGHT], jnp.float32)
    # What does not count may be NaN, and NaN > 0 is False: only then is the comparison safe.
    target = jnp.where(weight > 0, jnp.asarray(batch[stage.field], jnp.float32), 0.0)
    if stage.subset == "positive":
        weight = jnp.where(target > 0, weight, 0.0)
        changed[WEIGHT] = weight
    if stage.target_transform == "log1p":
        changed[stage.field] = jnp.log1p(target)
    elif stage.target_transform == "log":
        changed[stage.field] = jnp.log(jnp.where(target > 0, target, 1.0))
    return changed


def curriculum_to_json(curriculum: Sequence[Stage]) -> list[dict[str, Any]]:
    """Plain values of all stages."""
    return [dataclasses.asdict(stage) for stage in curriculum]


def curriculum_from_json(values: Sequence[Mapping[str, Any]]) -> tuple[Stage, ...]:
    """Stages from plain values, as a configuration file or a checkpoint has them.

    Raises:
        ValueError: an unknown key, or a value that a stage refuses.

    Example:
        >>> stage = Stage(name="a", terms=(LossTerm(term="mae"),), epochs=1)
        >>> curriculum_from_json(curriculum_to_json([stage])) == (stage,)
        True
    """
    return tuple(_stage_from_json(item, index) for index, item in enumerate(values))


def _stage_from_json(values: Mapping[str, Any], index: int) -> Stage:
    where = f"curriculum stage {index}"
    given = dict(values)
    if "terms" in given:
        given["terms"] = tuple(_record(LossTerm, item, where) for item in given["terms"])
    if "optimiser" in given:
        given["optimiser"] = _record(OptimiserConfig, given["optimiser"], where)
    if "frozen" in given:
        given["frozen"] = tuple(given["frozen"])
    return _record(Stage, given, where)


def _record(cls: Any, values: Mapping[str, Any], where: str) -> Any:
    known = [item.name for item in dataclasses.fields(cls)]
    for key in values:
        if key not in known:
            raise ValueError(f"{where}: unknown key {key!r}; use {', '.join(known)}")
    try:
        return cls(**values)
    except TypeError as error:
        raise ValueError(f"{where}: {error}") from None
