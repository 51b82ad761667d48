r"""The power law above a cutoff (Pareto law), the tail of Clauset et al. (2009).

.. math:: f(x) = \frac{\alpha\, c^{\alpha}}{x^{\alpha + 1}}, \qquad x > c = \text{lower}.

`alpha` is the cumulative exponent: Clauset et al. (SIAM Review 51, 661-703,
doi:10.1137/070710111) and the powerlaw packages print the exponent of the density, alpha + 1.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import special

from stats.sizes.laws.family import FloatArray, Law, Parameter, hill_exponents
from stats.sizes.laws.stable import log1mexp, log1p_ratio


def _log_kernel(x: Any, theta: Any) -> jax.Array:
    return -(theta[0] + 1.0) * jnp.log(x)


def _log_width(a: Any, b: Any) -> tuple[jax.Array, jax.Array]:
    """(ln(b/a), b is finite), the first 1 where b is infinite."""
    finite = b < jnp.inf
    end = jnp.where(finite, b, 2.0 * a)
    return jnp.where(finite, jnp.log1p((end - a) / a), 1.0), finite


def _log_mass(a: Any, b: Any, theta: Any) -> jax.Array:
    alpha = theta[0]
    a = jnp.asarray(a)
    proper = a > 0.0
    start = jnp.where(proper, a, 0.5 * jnp.minimum(b, 2.0))
    width, finite = _log_width(start, b)
    share = jnp.where(finite, log1mexp(alpha * width), 0.0)
    return jnp.where(proper, share - jnp.log(alpha) - alpha * jnp.log(start), jnp.inf)


def _quantile(u: Any, q: Any, a: Any, b: Any, theta: Any) -> jax.Array:
    alpha = theta[0]
    a, b = jnp.asarray(a), jnp.asarray(b)
    width, finite = _log_width(a, b)
    lost = jnp.where(finite, -jnp.expm1(-alpha * width), 1.0)
    kept = jnp.where(finite, jnp.exp(-alpha * width), 0.0)
    # S(x)/S(a) = 1 - u lost = q + u kept
    little = u * lost < 0.5
    near = u * lost * log1p_ratio(-jnp.where(little, u * lost, 0.0))
    far = -jnp.log(jnp.where(little, 1.0, q + u * kept))
    x = a * jnp.exp(jnp.where(little, near, far) / alpha)
    x = jnp.where(q <= 0.0, b, jnp.where(u <= 0.0, a, x))
    return jnp.clip(x, a, b)


def _inverse_mass(u: Any, a: Any, b: Any, theta: Any) -> jax.Array:
    u = jnp.asarray(u)
    return _quantile(u, 1.0 - u, a, b, theta)


def _inverse_tail_mass(q: Any, a: Any, b: Any, theta: Any) -> jax.Array:
    q = jnp.asarray(q)
    return _quantile(1.0 - q, q, a, b, theta)


def _starts(x: FloatArray, lower: float, upper: float) -> FloatArray:
    whole = float(np.clip(1.0 / max(float(np.mean(np.log(x / lower))), 1e-3), 0.1, 10.0))
    return np.array([[whole], *[[alpha] for alpha in hill_exponents(x, (0.1, 0.4))]])


def _raw_moment(theta: FloatArray, order: int, lower: float, upper: float) -> float | None:
    alpha = float(theta[0])
    if math.isinf(upper):
        return alpha / (alpha - order) * lower**order
    width = math.log(upper / lower)
    # Written with (e^y - 1)/y the moment passes smoothly through order = alpha.
    gain = special.exprel((order - alpha) * width) / special.exprel(-alpha * width)
    return float(lower**order * gain)


POWER = Law(
    name="power",
    title="Power-law tail",
    parameters=(
        Parameter(
            "alpha", "1", 0.0, math.inf, "exponent of the cumulative tail (density: alpha + 1)"
        ),
    ),
    source="Clauset et al. (2009), doi:10.1137/070710111",
    log_kernel=_log_kernel,
    log_mass=_log_mass,
    inverse_mass=_inverse_mass,
    inverse_tail_mass=_inverse_tail_mass,
    constrain=jnp.exp,
    unconstrain=jnp.log,
    log_rollover=lambda theta: jnp.full_like(theta[0], jnp.nan),
    tail_exponent=lambda theta: jnp.asarray(theta[0]),
    starts=_starts,
    raw_moment=_raw_moment,
    law_notes=lambda theta, lower, upper: (
        "a tail above a cutoff: the law has no rollover by construction",
    ),
    needs_lower=True,
)
