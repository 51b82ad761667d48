r"""Damped Newton ascent of a log-likelihood inside a box, compiled; convergence comes with it.

Every iteration costs one evaluation of value, score and Hessian. The Hessian is made definite
through its eigenvalues, the step is shortened until the log-likelihood rises, and coordinates that
stand at a bound and are pushed outwards are held there (a limit of the family is such a bound).
The search has converged when the Newton decrement

.. math:: d = \tfrac12\, g^\mathsf{T} |H|^{-1} g

over the free coordinates, the log-likelihood still to be gained, is below the tolerance *and* the
free Hessian is negative definite. Pure JAX; formulas name no dtype.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from stats.sizes.truncated_dps import Evaluation

Evaluate = Callable[[jax.Array], Evaluation]

TOLERANCE = 1e-10
"""Log-likelihood still to be gained at convergence."""
# Scaled eigenvalues below this are flat; this many refused steps in a row end an ascent.
_FLAT, _REFUSED = 1e-12, 40


class Box(NamedTuple):
    """Bounds of the coordinates and the longest step along each, all (k,)."""

    lower: jax.Array
    upper: jax.Array
    step: jax.Array


class Optimum(NamedTuple):
    """Where the ascent ended, with the proof.

    Attributes:
        u: (k,) coordinates.
        value: log-likelihood.
        gradient: (k,) score.
        hessian: (k, k) second derivatives.
        decrement: log-likelihood still to be gained, by the quadratic model of free coordinates.
        free: (k,) bool, coordinates not held at a bound.
        definite: the Hessian of the free coordinates is negative definite.
        converged: decrement below the tolerance and definite.
        evaluations: passes over the data.
    """

    u: jax.Array
    value: jax.Array
    gradient: jax.Array
    hessian: jax.Array
    decrement: jax.Array
    free: jax.Array
    definite: jax.Array
    converged: jax.Array
    evaluations: jax.Array


class _Model(NamedTuple):
    """Quadratic model of the free coordinates: scaled eigenvalues, vectors, slopes along them."""

    roots: jax.Array
    vectors: jax.Array
    along: jax.Array
    scale: jax.Array
    free: jax.Array
    decrement: jax.Array
    definite: jax.Array


class _State(NamedTuple):
    u: jax.Array
    at: Evaluation
    model: _Model
    damping: jax.Array
    evaluations: jax.Array
    refused: jax.Array


def _model(u: jax.Array, at: Evaluation, box: Box) -> _Model:
    outward = ((u <= box.lower) & (at.gradient < 0.0)) | ((u >= box.upper) & (at.gradient > 0.0))
    free = ~outward
    both = free[:, None] & free[None, :]
    negative = jnp.where(both, -at.hessian, jnp.eye(free.size, dtype=at.hessian.dtype))
    scale = jnp.sqrt(jnp.maximum(jnp.abs(jnp.diagonal(negative)), 1e-30))
    roots, vectors = jnp.linalg.eigh(negative / scale[:, None] / scale[None, :])
    along = vectors.T @ (jnp.where(free, at.gradient, 0.0) / scale)
    decrement = 0.5 * jnp.sum(along**2 / jnp.maximum(jnp.abs(roots), _FLAT))
    return _Model(roots, vectors, along, scale, free, decrement, roots[0] > _FLAT)


def _step(model: _Model, damping: jax.Array, box: Box) -> jax.Array:
    size = jnp.maximum(jnp.abs(model.roots), _FLAT) + damping
    step = jnp.where(model.free, model.vectors @ (model.along / size) / model.scale, 0.0)
    longest = jnp.max(jnp.abs(step) / box.step)
    return step / jnp.maximum(longest, 1.0)


def newton(
    evaluate: Evaluate,
    start: jax.Array,
    box: Box,
    *,
    at: Evaluation | None = None,
    tolerance: float = TOLERANCE,
    most: int = 100,
) -> Optimum:
    """Ascend from `start`; traceable, so that many problems go through one compilation.

    Args:
        evaluate: log-likelihood with score and Hessian at a point of the box.
        start: (k,) start.
        box: bounds and longest steps.
        at: evaluation at `start`, where it is known already.
        tolerance: log-likelihood still to be gained at convergence.
        most: evaluations at most.

    Returns:
        The optimum with its gradient, Hessian and proof of convergence.
    """
    start = jnp.clip(start, box.lower, box.upper)
    k, dtype = start.shape[0], start.dtype
    if at is None:
        # A point below all others, without slope: the first step stays, and evaluates the start.
        at = Evaluation(
            jnp.asarray(-jnp.inf, dtype=dtype), jnp.zeros(k, dtype=dtype), -jnp.eye(k, dtype=dtype)
        )
        model = _Model(
            jnp.ones(k, dtype=dtype),
            jnp.eye(k, dtype=dtype),
            jnp.zeros(k, dtype=dtype),
            jnp.ones(k, dtype=dtype),
            jnp.ones(k, dtype=bool),
            jnp.asarray(jnp.inf, dtype=dtype),
            jnp.zeros((), dtype=bool),
        )
    else:
        model = _model(start, at, box)

    def unfinished(state: _State) -> jax.Array:
        done = (state.model.decrement < tolerance) & state.model.definite
        return ~done & (state.evaluations < most) & (state.refused < _REFUSED)

    def advance(state: _State) -> _State:
        trial = state.u + _step(state.model, state.damping, box)
        trial = jnp.clip(trial, box.lower, box.upper)
        there = evaluate(trial)
        # Rounding of a sum of n terms, not a licence to descend.
        slack = 1e-13 * jnp.abs(there.value)
        known = jnp.isfinite(there.gradient).all() & jnp.isfinite(there.hessian).all()
        better = known & (there.value >= state.at.value - slack)
        u = jnp.where(better, trial, state.u)
        now = jax.tree.map(lambda new, old: jnp.where(better, new, old), there, state.at)
        eased = jnp.where(state.damping < 1e-6, 0.0, 0.1 * state.damping)
        return _State(
            u=u,
            at=now,
            model=_model(u, now, box),
            damping=jnp.where(better, eased, jnp.maximum(10.0 * state.damping, 1e-2)),
            evaluations=state.evaluations + 1,
            refused=jnp.where(better, 0, state.refused + 1),
        )

    count = jnp.asarray(0)
    first = _State(start, at, model, jnp.zeros((), dtype=dtype), count, count)
    state = jax.lax.while_loop(unfinished, advance, first)
    return Optimum(
        u=state.u,
        value=state.at.value,
        gradient=state.at.gradient,
        hessian=state.at.hessian,
        decrement=state.model.decrement,
        free=state.model.free,
        definite=state.model.definite,
        converged=(state.model.decrement < tolerance) & state.model.definite,
        evaluations=state.evaluations,
    )
