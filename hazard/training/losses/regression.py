"""Losses of a continuous target."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from hazard.training.losses.reduction import Reduced, weighted_mean, where_counted


def mean_absolute_error(
    prediction: Float[Array, "*shape"],
    target: Float[Array, "*shape"],
    weight: Float[Array, "*shape"],
) -> Reduced:
    r"""$\sum w \, \vert \hat y - y \vert / \sum w$ [unit of the target].

    Its minimum is the median: for densities with a long right tail the totals come out low, and
    for rare events the best constant is zero.

    Example:
        >>> one = jnp.ones(2)
        >>> float(mean_absolute_error(jnp.array([1.0, 2.0]), jnp.array([2.0, 0.0]), one).value)
        1.5
    """
    error = where_counted(prediction, weight) - where_counted(target, weight)
    return weighted_mean(jnp.abs(error), weight)


def mean_squared_error(
    prediction: Float[Array, "*shape"],
    target: Float[Array, "*shape"],
    weight: Float[Array, "*shape"],
) -> Reduced:
    r"""$\sum w (\hat y - y)^2 / \sum w$ [unit of the target, squared]; its minimum is the mean."""
    error = where_counted(prediction, weight) - where_counted(target, weight)
    return weighted_mean(jnp.square(error), weight)
