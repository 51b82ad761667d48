"""A loss as data: named terms, each with a weight and options, added up.

A term is `term(outputs, batch, **options) -> Reduced`; outputs and batch are mappings of arrays.
The terms here know no model: which output, target and weight they read are options. Rooms with
models of their own bring further terms (`hazard.models.losses.HAZARD_TERMS`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from hazard.training.losses.classification import bernoulli_log_loss, weighted_cross_entropy
from hazard.training.losses.overlap import dice_loss, focal_tversky_loss
from hazard.training.losses.recorded import recorded_log_loss
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


def as_term(
    loss: Callable[..., Reduced], *, reads: str, against: str, of_score: bool = False
) -> Term:
    """A loss of plain arrays as a term, which finds them by name.

    Args:
        loss: `loss(predicted, target, weight, **options) -> Reduced`.
        reads: output that is read unless the option ``output`` says otherwise.
        against: target, unless the option ``target`` does; the weight is ``weight``.
        of_score: whether the loss is one of the sigmoid of a logit.

    Example:
        >>> one = jnp.ones((1, 2, 2))
        >>> term = as_term(mean_absolute_error, reads="density", against="density")
        >>> float(term({"density": 3 * one}, {"density": one, "weight": one}).value)
        2.0
    """

    def term(
        outputs: Outputs,
        batch: Batch,
        *,
        output: str = reads,
        target: str = against,
        weight: str = "weight",
        **options: Any,
    ) -> Reduced:
        value = outputs[output]
        if of_score:
            value = jax.nn.sigmoid(jnp.asarray(value, jnp.float32))
        return loss(value, batch[target], batch[weight], **options)

    return term


def log_loss_term(
    outputs: Outputs,
    batch: Batch,
    *,
    output: str = "logit",
    target: str = "presence",
    weight: str = "weight",
) -> Reduced:
    """Log loss of presence: of the record where the batch has ``observation``, ``false_alarms``.

    Example:
        >>> half, one = jnp.full((1,), 0.5), jnp.ones((1,))
        >>> batch = {"presence": one, "weight": one}
        >>> float(log_loss_term({"logit": 0 * one}, batch).value)  # ln 2
        0.6931471824645996
        >>> batch |= {"observation": half, "false_alarms": 0 * one}
        >>> float(log_loss_term({"logit": 0 * one}, batch).value)  # -ln(1 - 0.5**0.5)
        1.2279472351074219
    """
    values = outputs[output], batch[target], batch[weight]
    if "observation" in batch:
        return recorded_log_loss(*values, batch["observation"], batch["false_alarms"])
    return bernoulli_log_loss(*values)


_presence = partial(as_term, reads="logit", against="presence")
_density = partial(as_term, reads="density", against="density")

TERMS: Mapping[str, Term] = {
    "log_loss": log_loss_term,
    "weighted_cross_entropy": _presence(weighted_cross_entropy),
    "focal_tversky": _presence(focal_tversky_loss, of_score=True),
    "dice": _presence(dice_loss, of_score=True),
    "mae": _density(mean_absolute_error),
    "mse": _density(mean_squared_error),
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
