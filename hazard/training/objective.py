"""A loss as data: named terms, each with a weight and options, added up.

A term is `term(outputs, batch, **options) -> Reduced`; outputs and batch are mappings of arrays.
The terms here know no model: which output, target and weight they read are options. Rooms with
models of their own bring further terms (`hazard.models.losses.HAZARD_TERMS`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from hazard.training.losses.classification import bernoulli_log_loss, weighted_cross_entropy
from hazard.training.losses.overlap import dice_loss, focal_tversky_loss
from hazard.training.losses.reduction import Reduced
from hazard.training.losses.regression import mean_absolute_error, mean_squared_error

Outputs = Mapping[str, Array]
Batch = Mapping[str, Array]
Term = Callable[..., Reduced]


@dataclass(frozen=True, kw_only=True)
class LossTerm:
    """One summand of an objective.

    Attributes:
        term: name in the table of terms.
        factor: what it is multiplied by.
        options: keyword arguments of the term.
    """

    term: str
    factor: float = 1.0
    options: Mapping[str, Any] = field(default_factory=dict)


class Scored(NamedTuple):
    """Value of an objective.

    Attributes:
        loss: the weighted sum.
        terms: each summand's own mean and weight, by name, before the factor.
    """

    loss: Float[Array, ""]
    terms: dict[str, Reduced]


Objective = Callable[[Outputs, Batch], Scored]


def cross_entropy_term(
    outputs: Outputs,
    batch: Batch,
    *,
    output: str = "logit",
    target: str = "presence",
    weight: str = "weight",
    positive_weight: float = 1.0,
) -> Reduced:
    """`weighted_cross_entropy` of a logit."""
    return weighted_cross_entropy(
        outputs[output], batch[target], batch[weight], positive_weight=positive_weight
    )


def log_loss_term(
    outputs: Outputs,
    batch: Batch,
    *,
    output: str = "logit",
    target: str = "presence",
    weight: str = "weight",
) -> Reduced:
    """`bernoulli_log_loss` of a logit."""
    return bernoulli_log_loss(outputs[output], batch[target], batch[weight])


def focal_tversky_term(
    outputs: Outputs,
    batch: Batch,
    *,
    output: str = "logit",
    target: str = "presence",
    weight: str = "weight",
    **options: Any,
) -> Reduced:
    """`focal_tversky_loss` of the sigmoid of a logit."""
    probability = jax.nn.sigmoid(jnp.asarray(outputs[output], jnp.float32))
    return focal_tversky_loss(probability, batch[target], batch[weight], **options)


def dice_term(
    outputs: Outputs,
    batch: Batch,
    *,
    output: str = "logit",
    target: str = "presence",
    weight: str = "weight",
    **options: Any,
) -> Reduced:
    """`dice_loss` of the sigmoid of a logit."""
    probability = jax.nn.sigmoid(jnp.asarray(outputs[output], jnp.float32))
    return dice_loss(probability, batch[target], batch[weight], **options)


def mae_term(
    outputs: Outputs,
    batch: Batch,
    *,
    output: str = "density",
    target: str = "density",
    weight: str = "weight",
) -> Reduced:
    """`mean_absolute_error` of an output."""
    return mean_absolute_error(outputs[output], batch[target], batch[weight])


def mse_term(
    outputs: Outputs,
    batch: Batch,
    *,
    output: str = "density",
    target: str = "density",
    weight: str = "weight",
) -> Reduced:
    """`mean_squared_error` of an output."""
    return mean_squared_error(outputs[output], batch[target], batch[weight])


TERMS: Mapping[str, Term] = {
    "log_loss": log_loss_term,
    "weighted_cross_entropy": cross_entropy_term,
    "focal_tversky": focal_tversky_term,
    "dice": dice_term,
    "mae": mae_term,
    "mse": mse_term,
}


def make_objective(terms: Sequence[LossTerm], table: Mapping[str, Term] | None = None) -> Objective:
    """The function that adds up the terms.

    Args:
        terms: summands; the same term twice is kept apart by a number.
        table: terms by name, `TERMS` where None.

    Raises:
        ValueError: no terms, or a name that is not in the table.

    Example:
        >>> objective = make_objective([LossTerm(term="mae", factor=2.0)])
        >>> one = jnp.ones((1, 2, 2))
        >>> scored = objective({"density": 3 * one}, {"density": one, "weight": one})
        >>> float(scored.loss), float(scored.terms["mae"].value)
        (4.0, 2.0)
    """
    known = TERMS if table is None else table
    if not terms:
        raise ValueError("an objective without terms; name at least one")
    for term in terms:
        if term.term not in known:
            raise ValueError(f"loss {term.term!r}; use one of {', '.join(sorted(known))}")
    names = term_names(terms)

    def objective(outputs: Outputs, batch: Batch) -> Scored:
        values = {
            name: Reduced(*known[term.term](outputs, batch, **term.options))
            for name, term in zip(names, terms, strict=True)
        }
        return Scored(combine({n: v.value for n, v in values.items()}, terms), values)

    return objective


def term_names(terms: Sequence[LossTerm]) -> tuple[str, ...]:
    """Distinct names of the terms, in order."""
    plain = [term.term for term in terms]
    return tuple(
        name if plain.count(name) == 1 else f"{name}_{plain[:i].count(name)}"
        for i, name in enumerate(plain)
    )


def combine(values: Mapping[str, Any], terms: Sequence[LossTerm]) -> Any:
    """Weighted sum of the terms' means, by their names."""
    names = term_names(terms)
    return sum(term.factor * values[name] for name, term in zip(names, terms, strict=True))
