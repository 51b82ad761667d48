r"""The coordinates in which a law is fitted, their box, and the likelihood in them.

The Double Pareto Simplified family has coordinates of its own (`stats.sizes.truncated_dps`), in
which its limits are bounds of the box; every other law is fitted on its unconstrained scale. A
detection curve that is fitted adds (ln half area, ln width) behind them.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from stats.case_arrays import FloatArray
from stats.sizes import truncated_dps
from stats.sizes.law import Law
from stats.sizes.newton import Box, Evaluate
from stats.sizes.recording import RecordedAreas, log_likelihood_of
from stats.sizes.truncated_dps import PHI_MINIMUM, Evaluation

FAMILY = ("dps", "dps_extended", "dp")
"""Laws with the coordinates (ln alpha, phi, ln s)."""

# Exponents outside [0.02, 60] and scales this far (in ln) outside the data are limits, not fits.
_LN_ALPHA, _FAR = (-3.9, 4.1), 15.0
# From 0 on the mass diverges at beta = 0; the likelihood falls to minus infinity before it.
_LOG_LIMIT_FROM_ZERO = 0.5 - 1e-9


def to_theta(law: Law, u: jax.Array) -> jax.Array:
    """Natural parameters (k,) of coordinates (k or k + 2,)."""
    return truncated_dps.to_theta(u[:3]) if law.name in FAMILY else law.constrain(u[: law.k])


def from_theta(law: Law, theta: jax.Array) -> jax.Array:
    """Coordinates of natural parameters."""
    return truncated_dps.from_theta(theta) if law.name in FAMILY else law.unconstrain(theta)


def coordinate_box(law: Law, data: RecordedAreas) -> Box:
    """Bounds and longest steps of the coordinates for these data; traceable."""
    log_x = jnp.asarray(data.log_x)
    if law.name in FAMILY:
        low, high = log_x.min() - _FAR, log_x.max() + _FAR
        phi = 0.5
        if data.lower is None:
            phi = _LOG_LIMIT_FROM_ZERO
        elif law.name == "dps_extended":
            phi = 1.0
        lower = jnp.stack([jnp.asarray(_LN_ALPHA[0]), jnp.asarray(PHI_MINIMUM), low])
        upper = jnp.stack([jnp.asarray(_LN_ALPHA[1]), jnp.asarray(phi), high])
        step = jnp.asarray([1.0, 0.3, 3.0])
    else:
        lower, upper = jnp.full(law.k, -60.0), jnp.full(law.k, 60.0)
        step = jnp.full(law.k, 2.0)
    if data.curve_precision is not None:
        centre = jnp.asarray(data.curve)
        lower = jnp.concatenate([lower, centre - 10.0])
        upper = jnp.concatenate([upper, centre + 10.0])
        step = jnp.concatenate([step, jnp.ones(2)])
    return Box(lower, upper, step)


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

    def evaluate(u: jax.Array) -> Evaluation:
        at, gradient = jax.value_and_grad(value)(u)
        return Evaluation(at, gradient, jax.hessian(value)(u))

    return evaluate


def start_points(law: Law, areas_m2: FloatArray, data: RecordedAreas) -> FloatArray:
    """(s, k) coordinates to start from: the law's own starts, and the corners of its family."""
    lower = 0.0 if data.lower is None else float(data.lower)
    upper = np.inf if data.upper is None else float(data.upper)
    sample = areas_m2[:: max(1, areas_m2.size // 2000)]
    theta = np.asarray(law.starts(sample, lower, upper), dtype=np.float64)
    starts = np.asarray(jax.vmap(lambda values: from_theta(law, values))(jnp.asarray(theta)))
    if law.name in FAMILY:
        # Near each limit too: a ridge is then walked from both ends.
        middle, alpha = float(np.median(np.log(sample))), float(np.median(starts[:, 0]))
        corners = [[alpha, phi, middle] for phi in (PHI_MINIMUM, 0.1, 0.3, 0.48)]
        if law.name == "dps_extended" and lower > 0.0:
            corners += [[alpha + 0.3, 0.65, middle + 2.0], [alpha, 0.9, middle]]
        starts = np.concatenate([starts, np.array(corners)])
    if data.curve_precision is not None:
        curve = np.broadcast_to(np.asarray(data.curve), (len(starts), 2))
        starts = np.concatenate([starts, curve], axis=1)
    return starts
