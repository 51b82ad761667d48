r"""The lognormal law of areas: ln x is normal with mean mu and standard deviation sigma.

.. math:: f(x) = \frac{1}{x \sigma \sqrt{2\pi}} \exp\left[-\frac{(\ln x - \mu)^2}{2\sigma^2}\right]

The rollover is :math:`e^{\mu - \sigma^2}`; there is no power tail. The unconstrained scale is
((mu - 7)/sigma^2, ln sigma): under truncation the law runs towards a Pareto law along mu to
-infinity with mu/sigma^2 fixed, which is straight there. 7 is the log of a usual area in m2 and
only centres the first coordinate.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from stats.precision import in_float64
from stats.sizes.laws.family import FloatArray, Law, Parameter
from stats.sizes.laws.log_concave import Concave, inverse_between, log_mass_between

_CENTRE = 7.0
_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


def _reach(z: Any, drop: Any) -> jax.Array:
    # z d + d^2/2 = drop for z >= 0
    z = jnp.maximum(z, 0.0)
    return 2.0 * drop / (z + jnp.sqrt(z * z + 2.0 * drop))


def _normal(theta: Any) -> Concave:
    """Standard normal density, whatever theta."""
    return Concave(
        log_g=lambda z: -0.5 * z * z,
        peak=0.0,
        reach_left=lambda z, drop: _reach(-z, drop),
        reach_right=_reach,
        log_constant=-_HALF_LOG_2PI,
    )


def _ends(a: Any, b: Any, theta: Any) -> tuple[jax.Array, jax.Array, jax.Array]:
    mu, sigma = theta[0], theta[1]
    from_zero, finite = a <= 0.0, b < jnp.inf
    start = jnp.where(from_zero, 1.0, a)
    end = jnp.where(finite, b, 2.0 * start)
    low = jnp.where(from_zero, -jnp.inf, (jnp.log(start) - mu) / sigma)
    high = jnp.where(finite, (jnp.log(end) - mu) / sigma, jnp.inf)
    # Without a lower end the width may stand for anything: it is not used.
    whole = from_zero | ~finite
    span = jnp.where(whole, 1.0, (end - start) / start)
    return low, high, jnp.where(whole, jnp.inf, jnp.log1p(span) / sigma)


def _log_kernel(x: Any, theta: Any) -> jax.Array:
    log_x = jnp.log(x)
    z = (log_x - theta[0]) / theta[1]
    return -0.5 * z * z - _HALF_LOG_2PI - log_x - jnp.log(theta[1])


def _log_mass(a: Any, b: Any, theta: Any) -> jax.Array:
    return log_mass_between(_normal(theta), *_ends(jnp.asarray(a), jnp.asarray(b), theta))


def _quantile(u: Any, q: Any, a: Any, b: Any, theta: Any) -> jax.Array:
    a, b = jnp.asarray(a), jnp.asarray(b)
    z = inverse_between(_normal, theta, u, q, *_ends(a, b, theta))
    x = jnp.exp(theta[0] + theta[1] * z)
    x = jnp.where(q <= 0.0, b, jnp.where(u <= 0.0, a, x))
    return jnp.clip(x, a, b)


def _inverse_mass(u: Any, a: Any, b: Any, theta: Any) -> jax.Array:
    u = jnp.asarray(u)
    return _quantile(u, 1.0 - u, a, b, theta)


def _inverse_tail_mass(q: Any, a: Any, b: Any, theta: Any) -> jax.Array:
    q = jnp.asarray(q)
    return _quantile(1.0 - q, q, a, b, theta)


def _constrain(z: Any) -> jax.Array:
    sigma = jnp.exp(z[1])
    return jnp.stack([_CENTRE + z[0] * sigma * sigma, sigma])


def _unconstrain(theta: Any) -> jax.Array:
    mu, sigma = theta[0], theta[1]
    return jnp.stack([(mu - _CENTRE) / (sigma * sigma), jnp.log(sigma)])


def _starts(x: FloatArray, lower: float, upper: float) -> FloatArray:
    log_x = np.log(x)
    mu, sigma = float(np.mean(log_x)), max(float(np.std(log_x)), 1e-3)
    # A cut hides the left limb: the second and third start put the mode lower, wider.
    return np.array([[mu, sigma], [mu - sigma, 1.4 * sigma], [mu - 4.0 * sigma, 2.2 * sigma]])


def _raw_moment(theta: FloatArray, order: int, lower: float, upper: float) -> float | None:
    mu, sigma = (float(value) for value in theta)
    shifted = np.array([mu + order * sigma**2, sigma])
    gain = _mass_of(shifted, lower, upper) - _mass_of(theta, lower, upper)
    return math.exp(order * mu + 0.5 * (order * sigma) ** 2 + float(gain))


@in_float64
def _mass_of(theta: FloatArray, lower: float, upper: float) -> Any:
    return _log_mass(lower, upper, theta)


LOGNORMAL = Law(
    name="lognormal",
    title="Lognormal",
    parameters=(
        Parameter("mu", "ln m2", -math.inf, math.inf, "mean of the log area"),
        Parameter("sigma", "1", 0.0, math.inf, "standard deviation of the log area"),
    ),
    source="Johnson, Kotz & Balakrishnan (1994), Continuous Univariate Distributions 1, ch. 14",
    log_kernel=_log_kernel,
    log_mass=_log_mass,
    inverse_mass=_inverse_mass,
    inverse_tail_mass=_inverse_tail_mass,
    constrain=_constrain,
    unconstrain=_unconstrain,
    log_rollover=lambda theta: theta[0] - theta[1] ** 2,
    tail_exponent=lambda theta: jnp.full_like(theta[0], jnp.nan),
    starts=_starts,
    raw_moment=_raw_moment,
    law_notes=lambda theta, lower, upper: ("the tail is no power law: there is no alpha",),
)
