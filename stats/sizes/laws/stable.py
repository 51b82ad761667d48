r"""Elementary functions that keep their digits where the textbook form loses them.

Each is smooth to the third derivative for automatic differentiation: near the removable
singularity a Taylor series takes over, and the branch that is not used sees a harmless argument,
so that no NaN leaks into a gradient.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

# Below this |x| the series of ln(sinh(x)/x) to x^12 is exact to 1e-17.
_SMALL_SINH = 0.25
# Below this |v| the series of ln(1+v)/v to v^12 is exact to 1e-17.
_SMALL_LOG1P = 0.04


def log1mexp(y: Any) -> jax.Array:
    r"""Log of 1 - e^{-y} for y > 0, exact for small and for large y.

    Example:
        >>> round(float(log1mexp(jnp.asarray(0.6931472))), 5)
        -0.69315
    """
    near = y < 0.6931471805599453
    low = jnp.where(near, y, 0.5)
    high = jnp.where(near, 1.0, y)
    return jnp.where(near, jnp.log(-jnp.expm1(-low)), jnp.log1p(-jnp.exp(-high)))


def log_expm1_ratio(y: Any) -> jax.Array:
    r"""Log of (1 - e^{-y}) / y for any real y; 0 at y = 0.

    It is -y/2 + ln(sinh(x)/x) with x = y/2, which is even and free of cancellation.

    Example:
        >>> float(log_expm1_ratio(jnp.asarray(0.0))), round(float(log_expm1_ratio(1.0)), 5)
        (0.0, -0.45868)
    """
    x = 0.5 * jnp.asarray(y)
    small = jnp.abs(x) < _SMALL_SINH
    s = jnp.where(small, x, 0.0) ** 2
    coefficients = (
        1.0 / 6.0,
        -1.0 / 180.0,
        1.0 / 2835.0,
        -1.0 / 37800.0,
        1.0 / 467775.0,
        -691.0 / 3831077250.0,
    )
    series = jnp.zeros_like(x)
    for c in reversed(coefficients):
        series = s * (c + series)
    size = jnp.abs(jnp.where(small, 1.0, x))
    direct = size + jnp.log(-jnp.expm1(-2.0 * size) / (2.0 * size))
    return jnp.where(small, series, direct) - x


def log1p_ratio(v: Any) -> jax.Array:
    r"""Quotient ln(1 + v) / v for v > -1; 1 at v = 0.

    Example:
        >>> float(log1p_ratio(jnp.asarray(0.0))), round(float(log1p_ratio(1.0)), 5)
        (1.0, 0.69315)
    """
    v = jnp.asarray(v)
    small = jnp.abs(v) < _SMALL_LOG1P
    s = jnp.where(small, v, 0.0)
    series = jnp.zeros_like(s)
    for k in range(12, 0, -1):
        series = -s * (1.0 / (k + 1.0) + series) if k > 1 else -s * (0.5 + series)
    safe = jnp.where(small, 1.0, v)
    return jnp.where(small, 1.0 + series, jnp.log1p(safe) / safe)


def log_softplus(q: Any) -> jax.Array:
    r"""Log of softplus, ln ln(1 + e^q), linear in q far to the left.

    Example:
        >>> float(log_softplus(jnp.asarray(-900.0)))
        -900.0
    """
    left = q < -15.0
    far = jnp.where(left, q, -15.0)
    e = jnp.exp(far)
    near = jnp.where(left, 0.0, q)
    return jnp.where(left, far - e * (0.5 - 5.0 / 24.0 * e), jnp.log(jax.nn.softplus(near)))


def log_expm1(s: Any) -> jax.Array:
    r"""Log of e^s - 1 for s > 0, exact for small s and without overflow for large s.

    Example:
        >>> float(log_expm1(jnp.asarray(800.0)))
        800.0
    """
    return s + log1mexp(s)
