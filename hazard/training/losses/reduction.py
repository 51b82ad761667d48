"""Means over what counts: a value and the weight it stands for."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


class Reduced(NamedTuple):
    """A mean and its denominator, so that batches can be pooled afterwards.

    Attributes:
        value: float32 mean; 0 where nothing counted.
        weight: float32 sum of the weights behind it.
    """

    value: Float[Array, ""]
    weight: Float[Array, ""]


def where_counted(
    values: Float[Array, "*shape"], weight: Float[Array, "*shape"], *, fill: float = 0.0
) -> Float[Array, "*shape"]:
    """Float32 values with `fill` where nothing counts.

    A target of NaN under a weight of 0 would otherwise turn every gradient into NaN, because
    0 x NaN is NaN; so the value is replaced before anything is computed from it.
    """
    return jnp.where(counted(weight), jnp.asarray(values, jnp.float32), jnp.float32(fill))


def counted(weight: Float[Array, "*shape"]) -> Bool[Array, "*shape"]:
    """True where the weight is positive."""
    return jnp.asarray(weight, jnp.float32) > 0


def weighted_mean(values: Float[Array, "*shape"], weight: Float[Array, "*shape"]) -> Reduced:
    r"""$\sum_i w_i v_i / \sum_i w_i$ in float32, and 0 where the weights are all zero.

    Example:
        >>> mean = weighted_mean(jnp.array([1.0, 3.0, jnp.nan]), jnp.array([1.0, 1.0, 0.0]))
        >>> float(mean.value), float(mean.weight)
        (2.0, 2.0)
    """
    weight32 = jnp.asarray(weight, jnp.float32)
    total = jnp.sum(weight32)
    summed = jnp.sum(where_counted(values, weight32) * weight32)
    return Reduced(summed / jnp.where(total > 0, total, 1.0), total)
