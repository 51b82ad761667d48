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


class _State(NamedTuple):
    u: jax.Array
    at: Evaluation
    damping: jax.Array
    evaluations: jax.Array
    refused: jax.Array


def _free(u: jax.Array, gradient: jax.Array, box: Box) -> jax.Array:
    outward = ((u <= box.lower) & (gradient < 0.0)) | ((u >= box.upper) & (gradient > 0.0))
    return ~outward


def _curvature(
    at: Evaluation, free: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Eigenvalues and vectors of the scaled negative Hessian of the free coordinates."""
    both = free[:, None] & free[None, :]
    negative = jnp.where(both, -at.hessian, jnp.eye(free.size, dtype=at.hessian.dtype))
    scale = jnp.sqrt(jnp.maximum(jnp.abs(jnp.diagonal(negative)), 1e-30))
    roots, vectors = jnp.linalg.eigh(negative / scale[:, None] / scale[None, :])
    along = vectors.T @ (jnp.where(free, at.gradient, 0.0) / scale)
    return roots, vectors, along, scale


def _decrement(at: Evaluation, free: jax.Array) -> tuple[jax.Array, jax.Array]:
    roots, _, along, _ = _curvature(at, free)
    size = jnp.maximum(jnp.abs(roots), 1e-12)
    return 0.5 * jnp.sum(along**2 / size), roots[0] > 1e-12


def _step(at: Evaluation, free: jax.Array, damping: jax.Array, box: Box) -> jax.Array:
    roots, vectors, along, scale = _curvature(at, free)
    size = jnp.maximum(jnp.abs(roots), 1e-12) + damping
    step = jnp.where(free, vectors @ (along / size) / scale, 0.0)
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
    first = evaluate(start) if at is None else at

    def unfinished(state: _State) -> jax.Array:
        free = _free(state.u, state.at.gradient, box)
        left, definite = _decrement(state.at, free)
        done = (left < tolerance) & definite
        return ~done & (state.evaluations < most) & (state.refused < 40)

    def advance(state: _State) -> _State:
        free = _free(state.u, state.at.gradient, box)
        trial = jnp.clip(state.u + _step(state.at, free, state.damping, box), box.lower, box.upper)
        there = evaluate(trial)
        # Rounding of a sum of n terms, not a licence to descend.
        slack = 1e-13 * jnp.abs(state.at.value)
        better = (there.value >= state.at.value - slack) & jnp.isfinite(there.gradient).all()
        return _State(
            u=jnp.where(better, trial, state.u),
            at=jax.tree.map(lambda new, old: jnp.where(better, new, old), there, state.at),
            damping=jnp.where(
                better,
                jnp.where(state.damping < 1e-6, 0.0, 0.1 * state.damping),
                jnp.maximum(10.0 * state.damping, 1e-2),
            ),
            evaluations=state.evaluations + 1,
            refused=jnp.where(better, 0, state.refused + 1),
        )

    zero = jnp.zeros((), dtype=start.dtype)
    state = jax.lax.while_loop(
        unfinished, advance, _State(start, first, zero, jnp.asarray(1), jnp.asarray(0))
    )
    free = _free(state.u, state.at.gradient, box)
    decrement, definite = _decrement(state.at, free)
    return Optimum(
        u=state.u,
        value=state.at.value,
        gradient=state.at.gradient,
        hessian=state.at.hessian,
        decrement=decrement,
        free=free,
        definite=definite,
        converged=(decrement < tolerance) & definite,
        evaluations=state.evaluations,
    )
