"""What the coordinates of a maximum mean: parameters, quantities and their slopes, compiled."""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import FloatArray
from stats.sizes.coordinates import from_theta, to_theta
from stats.sizes.law import Law, law_named
from stats.sizes.quantities import search_values


class Description(NamedTuple):
    """Meaning of coordinates.

    Attributes:
        theta: (k,) natural parameters.
        z: (k,) on the law's unconstrained scale.
        z_slopes: (k, c) derivatives of z by the coordinates.
        values: (q,) quantities on their search scales, NaN where one does not exist.
        slopes: (q, c) their derivatives by the coordinates.
    """

    theta: FloatArray
    z: FloatArray
    z_slopes: FloatArray
    values: FloatArray
    slopes: FloatArray


def _described(name: str, u: jax.Array) -> tuple[jax.Array, ...]:
    law = law_named(name)

    def scale(v: jax.Array) -> jax.Array:
        return law.unconstrain(to_theta(law, v))

    def quantities(v: jax.Array) -> jax.Array:
        return search_values(law, v)

    return (
        to_theta(law, u),
        scale(u),
        jax.jacfwd(scale)(u),
        quantities(u),
        jax.jacfwd(quantities)(u),
    )


@functools.partial(jax.jit, static_argnames="name")
def _one(name: str, u: jax.Array) -> tuple[jax.Array, ...]:
    return _described(name, u)


@functools.partial(jax.jit, static_argnames="name")
def _many(name: str, u: jax.Array) -> tuple[jax.Array, ...]:
    return jax.vmap(lambda v: _described(name, v))(u)


@functools.partial(jax.jit, static_argnames="name")
def _starts(name: str, theta: jax.Array) -> jax.Array:
    law = law_named(name)
    return jax.vmap(lambda values: from_theta(law, values))(theta)


def describe(law: Law, u: ArrayLike) -> Description:
    """Meaning of one point (c,); to be called inside float64."""
    return Description(*(np.asarray(part) for part in _one(law.name, jnp.asarray(u))))


def describe_many(law: Law, u: ArrayLike) -> Description:
    """Meaning of many points (draw, c), the draws along the first axis."""
    return Description(*(np.asarray(part) for part in _many(law.name, jnp.asarray(u))))


def start_from(law: Law, theta: ArrayLike) -> FloatArray:
    """Coordinates (k,) of natural parameters, checked.

    Raises:
        ValueError: wrong number of parameters, or outside the domain.
    """
    values = np.asarray(theta, dtype=np.float64)
    if values.shape != (law.k,):
        raise ValueError(
            f"start: found shape {values.shape}; expected ({law.k},) for {', '.join(law.names)}"
        )
    u = np.asarray(_starts(law.name, values[None]))[0]
    if not np.all(np.isfinite(u)):
        raise ValueError(f"start: found {values.tolist()}; expected parameters inside the domain")
    return u


def starts_from(law: Law, theta: FloatArray) -> FloatArray:
    """Coordinates (s, k) of several natural parameters (s, k)."""
    return np.asarray(_starts(law.name, theta))
