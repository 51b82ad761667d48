"""One step of training, pure: state, batch and key in, new state and diagnostics out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from hazard.training.functional import Arrays, Functional, Variables, check_parts, in_parts
from hazard.training.losses.reduction import Reduced
from hazard.training.objective import Objective

BatchChange = Callable[[dict[str, Array]], dict[str, Array]]


class TrainState(NamedTuple):
    """Everything that a step changes.

    Attributes:
        params: trainable arrays by name, frozen ones included.
        stats: running statistics by name.
        opt_state: state of the optimiser, for the arrays that are not frozen.
        step: steps taken in this stage.
        rate_scale: factor on every update (lowered on a plateau).
    """

    params: Arrays
    stats: Arrays
    opt_state: Any
    step: Int[Array, ""]
    rate_scale: Float[Array, ""]

    @property
    def variables(self) -> Variables:
        """What the network has learned."""
        return Variables(self.params, self.stats)


class StepInfo(NamedTuple):
    """Diagnostics of one step.

    Attributes:
        loss: value of the objective.
        terms: mean and weight of each of its terms.
        grad_norm: global norm of the gradient before clipping.
    """

    loss: Float[Array, ""]
    terms: dict[str, Reduced]
    grad_norm: Float[Array, ""]


Step = Callable[[TrainState, dict[str, Array], PRNGKeyArray], tuple[TrainState, StepInfo]]


def trainable_names(params: Mapping[str, Any], frozen: Sequence[str]) -> tuple[str, ...]:
    """Names of the parameters that a step may move.

    Raises:
        ValueError: a frozen part that is not there, or nothing left to train.

    Example:
        >>> trainable_names({"body/kernel": 1, "head/kernel": 2}, ("body",))
        ('head/kernel',)
    """
    check_parts(tuple(params), frozen)
    names = tuple(name for name in params if not in_parts(name, frozen))
    if not names:
        raise ValueError(f"frozen {', '.join(frozen)} leaves nothing to train")
    return names


def initial_state(
    variables: Variables, optimiser: optax.GradientTransformation, frozen: Sequence[str] = ()
) -> TrainState:
    """State before the first step of a stage."""
    names = trainable_names(variables.params, frozen)
    return TrainState(
        params=dict(variables.params),
        stats=dict(variables.stats),
        opt_state=optimiser.init({name: variables.params[name] for name in names}),
        step=jnp.zeros((), jnp.int32),
        rate_scale=jnp.ones((), jnp.float32),
    )


def make_step(
    apply: Functional,
    objective: Objective,
    optimiser: optax.GradientTransformation,
    *,
    frozen: Sequence[str] = (),
    change_batch: BatchChange | None = None,
) -> Step:
    """Build `step(state, batch, key) -> (state, info)`; no input or output, no globals.

    Gradients are taken for the arrays that are not frozen, and only those pass the optimiser: a
    frozen array is handed on untouched (bit-identical, weight decay included), and the backward
    pass through a frozen first part is never computed.

    Args:
        apply: the network, with the same parts frozen (`functional`).
        objective: what is made small.
        optimiser: see `make_optimiser`.
        frozen: names of parts that stay as they are, running statistics included.
        change_batch: subset and target transform of the stage, augmentation.
    """

    def step(
        state: TrainState, batch: dict[str, Array], key: PRNGKeyArray
    ) -> tuple[TrainState, StepInfo]:
        names = trainable_names(state.params, frozen)
        fixed = {n: v for n, v in state.params.items() if n not in set(names)}
        used = batch if change_batch is None else change_batch(batch)

        def loss(moving: Arrays) -> tuple[Float[Array, ""], tuple[dict[str, Reduced], Arrays]]:
            outputs, stats = apply(
                Variables({**fixed, **moving}, state.stats),
                used,
                key=jax.random.fold_in(key, state.step),
                train=True,
            )
            scored = objective(outputs, used)
            return scored.loss, (scored.terms, stats)

        moving = {name: state.params[name] for name in names}
        (value, (terms, stats)), grads = jax.value_and_grad(loss, has_aux=True)(moving)
        updates, opt_state = optimiser.update(grads, state.opt_state, moving)
        updates = jax.tree.map(lambda u: u * state.rate_scale, updates)
        moved = optax.apply_updates(moving, updates)
        after = TrainState(
            params={name: moved.get(name, old) for name, old in state.params.items()},
            stats={
                name: old if in_parts(name, frozen) else stats[name]
                for name, old in state.stats.items()
            },
            opt_state=opt_state,
            step=state.step + 1,
            rate_scale=state.rate_scale,
        )
        return after, StepInfo(value, terms, optax.tree.norm(grads))

    return step
