r"""The three-parameter inverse gamma law.

.. math:: f(x) = \frac{1}{a\,\Gamma(\rho)} \left[\frac{a}{x - s}\right]^{\rho + 1}
          \exp\left[-\frac{a}{x - s}\right], \qquad x > s,

after Malamud et al. (2004), Earth Surface Processes and Landforms 29, 687-711,
doi:10.1002/esp.1064. In :math:`v = \ln[a / (x - s)]` the density is :math:`e^{\rho v - e^v} /
\Gamma(\rho)`, log-concave; masses are integrals in v, with all digits in both tails.

`rho` is the cumulative exponent; the density falls with rho + 1. LAND-Stat writes alpha = rho,
eta = sqrt(-s), lambda = sqrt(a). The unconstrained scale is (ln rho, ln[a/(rho + 1)], ln[-s]):
a/(rho + 1) is the distance of the mode from s.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln
from scipy import special

from stats.precision import in_float64
from stats.sizes.laws.family import FloatArray, Law, Parameter, hill_exponents
from stats.sizes.laws.log_concave import Concave, inverse_between, log_mass_between


def _density(theta: Any) -> Concave:
    rho = theta[0]

    def reach_left(v: Any, drop: Any) -> jax.Array:
        # rho (d - 1 + e^-d) >= drop
        c = drop / rho
        return c + jnp.sqrt(2.0 * c)

    def reach_right(v: Any, drop: Any) -> jax.Array:
        # y (e^d - 1 - d) >= drop, y = max(e^v, rho)
        c = drop / jnp.maximum(jnp.exp(jnp.minimum(v, 600.0)), rho)
        return jnp.log1p(c + jnp.sqrt(2.0 * c))

    return Concave(
        log_g=lambda v: rho * v - jnp.exp(v),
        peak=jnp.log(rho),
        reach_left=reach_left,
        reach_right=reach_right,
        log_constant=-gammaln(rho),
        left_joints=(6.0, 40.0),
    )


def _ends(a: Any, b: Any, theta: Any) -> tuple[jax.Array, jax.Array, jax.Array]:
    """(low, high, width) in v of the areas (a, b); v falls with the area."""
    scale, s = theta[1], theta[2]
    log_a = jnp.log(scale)
    finite = b < jnp.inf
    end = jnp.where(finite, b, 2.0 * a + 1.0)
    low = jnp.where(finite, log_a - jnp.log(end - s), -jnp.inf)
    width = jnp.where(finite, jnp.log1p((end - a) / (a - s)), jnp.inf)
    return low, log_a - jnp.log(a - s), width


def _log_kernel(x: Any, theta: Any) -> jax.Array:
    density, shifted = _density(theta), jnp.log(x - theta[2])
    return density.log_g(jnp.log(theta[1]) - shifted) + density.log_constant - shifted


def _log_mass(a: Any, b: Any, theta: Any) -> jax.Array:
    return log_mass_between(_density(theta), *_ends(jnp.asarray(a), jnp.asarray(b), theta))


def _quantile(u: Any, q: Any, a: Any, b: Any, theta: Any) -> jax.Array:
    a, b = jnp.asarray(a), jnp.asarray(b)
    v = inverse_between(_density, theta, q, u, *_ends(a, b, theta))
    x = theta[2] + theta[1] * jnp.exp(-v)
    x = jnp.where(q <= 0.0, b, jnp.where(u <= 0.0, a, x))
    return jnp.clip(x, a, b)


def _inverse_mass(u: Any, a: Any, b: Any, theta: Any) -> jax.Array:
    u = jnp.asarray(u)
    return _quantile(u, 1.0 - u, a, b, theta)


def _inverse_tail_mass(q: Any, a: Any, b: Any, theta: Any) -> jax.Array:
    q = jnp.asarray(q)
    return _quantile(1.0 - q, q, a, b, theta)


def _constrain(z: Any) -> jax.Array:
    rho = jnp.exp(z[0])
    return jnp.stack([rho, (1.0 + rho) * jnp.exp(z[1]), -jnp.exp(z[2])])


def _unconstrain(theta: Any) -> jax.Array:
    rho, a, s = theta[0], theta[1], theta[2]
    return jnp.stack([jnp.log(rho), jnp.log(a) - jnp.log1p(rho), jnp.log(-s)])


def _log_rollover(theta: Any) -> jax.Array:
    mode = theta[1] / (theta[0] + 1.0) + theta[2]
    has = mode > 0.0
    return jnp.where(has, jnp.log(jnp.where(has, mode, 1.0)), jnp.nan)


def _starts(x: FloatArray, lower: float, upper: float) -> FloatArray:
    median = float(np.median(x))
    rows = []
    for rho, shift in zip(hill_exponents(x, (0.1, 0.1, 0.4)), (0.05, 0.4, 0.2), strict=True):
        s = shift * median
        a = (median + s) * special.gammaincinv(rho, 0.5)
        rows.append([rho, a, -s])
    return np.array(rows)


def _raw_moment(theta: FloatArray, order: int, lower: float, upper: float) -> float | None:
    rho, a, s = (float(value) for value in theta)
    if order >= rho:
        return None
    # E[(a/y + s)^k] by the binomial theorem; each negative power of y lowers rho by one.
    whole = _mass_of(theta, lower, upper)
    total = 0.0
    for j in range(order + 1):
        part = _mass_of(np.array([rho - j, a, s]), lower, upper) - whole
        weight = math.comb(order, j) * s ** (order - j) * a**j
        total += weight * math.exp(part + math.lgamma(rho - j) - math.lgamma(rho))
    return total


@in_float64
def _mass_of(theta: FloatArray, lower: float, upper: float) -> Any:
    return _log_mass(lower, upper, theta)


def _notes(theta: FloatArray, lower: float, upper: float) -> tuple[str, ...]:
    rho, a, s = (float(value) for value in theta)
    found = ["rho is the cumulative exponent, written alpha elsewhere"]
    if a / (rho + 1.0) + s <= 0.0:
        found.insert(0, "a/(rho + 1) <= -s: the density has no rollover")
    if -s < 1e-4 * a / (rho + 1.0):
        found.append("s is at its limit 0: the two-parameter inverse gamma law")
    return tuple(found)


IG = Law(
    name="ig",
    title="Inverse gamma, three parameters",
    parameters=(
        Parameter("rho", "1", 0.0, math.inf, "exponent of the cumulative tail (density: rho + 1)"),
        Parameter("a", "m2", 0.0, math.inf, "scale"),
        Parameter("s", "m2", -math.inf, 0.0, "shift, below 0"),
    ),
    source="Malamud et al. (2004), doi:10.1002/esp.1064",
    log_kernel=_log_kernel,
    log_mass=_log_mass,
    inverse_mass=_inverse_mass,
    inverse_tail_mass=_inverse_tail_mass,
    constrain=_constrain,
    unconstrain=_unconstrain,
    log_rollover=_log_rollover,
    tail_exponent=lambda theta: jnp.asarray(theta[0]),
    starts=_starts,
    raw_moment=_raw_moment,
    law_notes=_notes,
)
