r"""The coordinates in which a law is fitted, their box, and the likelihood in them.

The Double Pareto Simplified family has coordinates of its own (`stats.sizes.truncated_dps`), in
which its limits are bounds of the box; every other law is fitted on its unconstrained scale. A
detection curve that is fitted adds (ln half area, ln width) behind them.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from stats.sizes import truncated_dps
from stats.sizes.law import Law
from stats.sizes.newton import Box, Evaluate
from stats.sizes.recording import RecordedAreas, log_likelihood_of
from stats.sizes.truncated_dps import PHI_MINIMUM, Evaluation

FAMILY = ("dps", "dps_extended", "dp")
"""Laws with the coordinates (ln alpha, phi, ln s)."""

# Exponents outside [0.02, 60] and scales this far (in ln) outside the data are limits, not fits.
_LN_ALPHA, _FAR, _WIDE = (-3.9, 4.1), 15.0, 60.0
# From 0 on the mass diverges at beta = 0; the likelihood falls to minus infinity before it.
_LOG_LIMIT_FROM_ZERO = 0.5 - 1e-9


def to_theta(law: Law, u: jax.Array) -> jax.Array:
    """Natural parameters (k,) of coordinates (k or k + 2,)."""
    return truncated_dps.to_theta(u[:3]) if law.name in FAMILY else law.constrain(u[: law.k])


def from_theta(law: Law, theta: jax.Array) -> jax.Array:
    """Coordinates of natural parameters."""
    return truncated_dps.from_theta(theta) if law.name in FAMILY else law.unconstrain(theta)


def coordinate_box(law: Law, data: RecordedAreas, xp: Any = jnp) -> Box:
    """Bounds and longest steps of the coordinates for these data.

    Args:
        law: family.
        data: recorded areas.
        xp: `jax.numpy` inside a traced function, `numpy` outside.
    """
    low: tuple[Any, ...]
    high: tuple[Any, ...]
    if law.name in FAMILY:
        log_x = xp.asarray(data.log_x)
        phi = 0.5
        if data.lower is None:
            phi = _LOG_LIMIT_FROM_ZERO
        elif law.name == "dps_extended":
            phi = 1.0
        low = (_LN_ALPHA[0], PHI_MINIMUM, log_x.min() - _FAR)
        high = (_LN_ALPHA[1], phi, log_x.max() + _FAR)
        step: tuple[float, ...] = (1.0, 0.3, 3.0)
    else:
        low, high, step = (-_WIDE,) * law.k, (_WIDE,) * law.k, (2.0,) * law.k
    lower, upper, steps = (
        xp.stack([xp.asarray(end, dtype=data.log_x.dtype) for end in ends])
        for ends in (low, high, step)
    )
    if data.curve_precision is not None:
        centre = xp.asarray(data.curve)
        lower = xp.concatenate([lower, centre - 10.0])
        upper = xp.concatenate([upper, centre + 10.0])
        steps = xp.concatenate([steps, xp.ones(2)])
    return Box(lower, upper, steps)


def evaluator(law: Law, data: RecordedAreas) -> Evaluate:
    """The log-likelihood with score and Hessian in coordinates, by hand where that exists."""
    if law.name in FAMILY and data.plain:
        log_x = jnp.asarray(data.log_x)
        weights = None if data.weights is None else jnp.asarray(data.weights)
        ends = [None if end is None else jnp.log(end) for end in (data.lower, data.upper)]
        return lambda u: truncated_dps.evaluate(u, log_x, weights, ends[0], ends[1])

    def value(u: jax.Array) -> jax.Array:
        curve = u[law.k :] if data.curve_precision is not None else None
        return log_likelihood_of(law, to_theta(law, u), data, curve)

    def gradient(u: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        at, slope = jax.value_and_grad(value)(u)
        return slope, (at, slope)

    def evaluate(u: jax.Array) -> Evaluation:
        # Forward over reverse, with value and score carried along: one pass for all three.
        hessian, (at, slope) = jax.jacfwd(gradient, has_aux=True)(u)
        return Evaluation(at, slope, hessian)

    return evaluate
