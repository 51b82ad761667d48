"""Log posterior density of recorded areas in the coordinates of a law, with a cheap gradient.

For the Double Pareto family, value and score of exact areas and of whole pixels are one pass over
the data by the closed form (`stats.sizes.truncated_dps`), and the pass is over Gauss nodes that
stand for the areas. Detection curves and the other laws take the same functions through automatic
differentiation of `stats.sizes.recording.log_likelihood_of`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from stats.case_arrays import FloatArray
from stats.precision import in_float64
from stats.sizes import truncated_dps
from stats.sizes.empirical_nodes import weighted_nodes
from stats.sizes.law import law_named
from stats.sizes.priors import to_theta
from stats.sizes.recording import RecordedAreas, Recording, log_likelihood_of, recorded_areas

CLOSED_FORM = ("dps", "dps_extended", "dp")
_COMPRESS_ABOVE = 256
# Sizes that data are filled up to, with weight 0: fits of similar size share a compilation.
_STEP = 128


class Target(NamedTuple):
    """What a compiled log posterior takes.

    Attributes:
        areas: recorded areas as weighted nodes or bins.
        mean: (k,) prior means of the coordinates.
        sd: (k,) prior standard deviations.
    """

    areas: RecordedAreas
    mean: FloatArray
    sd: FloatArray


def prepared_areas(
    areas_m2: FloatArray, recording: Recording, *, size: int | None = None, nodes: bool = True
) -> RecordedAreas:
    """Areas as few weighted nodes, filled up to a size that later fits share.

    Areas without a detection curve become Gauss nodes where there are many (of whole pixels: the
    middles of bins). Areas under a detection curve stay as they are: a narrow curve
    is not smooth enough for nodes.

    Args:
        areas_m2: (n,) checked areas [m2].
        recording: how they were recorded.
        size: nodes to fill up to; None for the next multiple of 128.
        nodes: replace many exact areas by Gauss nodes.

    Raises:
        ValueError: `size` is below the number of nodes.
    """
    data = recorded_areas(areas_m2, recording)
    log_x = np.asarray(data.log_x)
    weights = np.ones(log_x.size) if data.weights is None else np.asarray(data.weights)
    edges = None if data.bin_edges is None else np.asarray(data.bin_edges)
    if nodes and data.curve is None and log_x.size > _COMPRESS_ABOVE:
        log_x, weights = weighted_nodes(log_x, weights)
        if edges is not None:
            # Bins of one width: their mass is a smooth function of their middle.
            half = 0.5 * float(recording.pixel_m2 or 0.0)
            edges = np.stack([np.exp(log_x) - half, np.exp(log_x) + half])
    fill = (size or _STEP * -(-log_x.size // _STEP)) - log_x.size
    if fill < 0:
        raise ValueError(f"size: found {size}; expected at least {log_x.size}")
    # Copies of the first area with weight 0: inside the support, and without effect.
    if edges is not None:
        edges = np.pad(edges, ((0, 0), (0, fill)), mode="edge")
    return data._replace(
        log_x=np.pad(log_x, (0, fill), mode="edge"),
        weights=np.pad(weights, (0, fill)),
        bin_edges=edges,
    )


@jax.custom_vjp
def _closed_form(u: jax.Array, areas: RecordedAreas) -> jax.Array:
    return _value_and_score(u, areas)[0]


def _value_and_score(u: jax.Array, areas: RecordedAreas) -> tuple[jax.Array, jax.Array]:
    low = None if areas.lower is None else jnp.log(areas.lower)
    high = None if areas.upper is None else jnp.log(areas.upper)
    # The compiler drops the Hessians, which nothing reads.
    if areas.bin_edges is None:
        weights = None if areas.weights is None else jnp.asarray(areas.weights)
        found = truncated_dps.evaluate(u, jnp.asarray(areas.log_x), weights, low, high)
        return found.value, found.gradient
    edges, count = jnp.log(areas.bin_edges), jnp.asarray(areas.weights)
    bins = jax.vmap(lambda a, b: truncated_dps.log_mass(u, a, b))(edges[0], edges[1])
    whole = truncated_dps.log_mass(u, low, high)
    value = (count * (bins.value - whole.value)).sum()
    return value, count @ (bins.gradient - whole.gradient)


def _backward(score: jax.Array, cotangent: jax.Array) -> tuple[jax.Array, None]:
    return cotangent * score, None


_closed_form.defvjp(_value_and_score, _backward)


def _limit_coordinates(law: str, z: jax.Array) -> jax.Array:
    """(ln alpha, phi, ln s) of `truncated_dps` from the coordinates of the law."""
    ratio = z[1] - z[0]
    if law == "dps_extended":
        # g = alpha + beta: phi = alpha / (alpha + g), and the location is s itself.
        return jnp.stack([z[0], jax.nn.sigmoid(-ratio), z[2]])
    phi = 1.0 / (2.0 + jnp.exp(ratio))
    moved = (jnp.log1p(1.0 / (1.0 + jnp.exp(ratio)))) * jnp.exp(-z[0])
    return jnp.stack([z[0], phi, z[2] + moved])


def log_likelihood_at(law: str, z: jax.Array, areas: RecordedAreas) -> jax.Array:
    """Log-likelihood at the coordinates z (k,), or (k + 2,) with a fitted detection curve."""
    family = law_named(law)
    if law in CLOSED_FORM and areas.curve is None:
        return _closed_form(_limit_coordinates(law, z), areas)
    curve = z[family.k :] if areas.curve_precision is not None else None
    return log_likelihood_of(family, to_theta(law)(z[: family.k]), areas, curve)


@functools.cache
def log_posterior(law: str) -> Callable[[jax.Array, Any], jax.Array]:
    """(z, Target) -> log posterior density up to a constant; the same object for the same law."""
    k = law_named(law).k

    def density(z: jax.Array, target: Target) -> jax.Array:
        off = (z[:k] - target.mean) / target.sd
        return log_likelihood_at(law, z, target.areas) - 0.5 * (off * off).sum()

    return density


@functools.cache
def _log_likelihoods(law: str) -> Callable[..., Any]:
    return jax.jit(jax.vmap(lambda z, data: log_likelihood_at(law, z, data), (0, None)))


@in_float64
def error_of_nodes(
    law: str,
    z: FloatArray,
    areas_m2: FloatArray,
    recording: Recording,
    areas: RecordedAreas,
    *,
    size: int | None = None,
) -> float:
    """Largest error of the log-likelihood of the nodes, over rows of z, less a constant.

    A constant does not move a posterior, so the errors are taken from their mean. Several
    inventories share a compilation if their areas are filled up to one `size`.
    """
    exact = prepared_areas(areas_m2, recording, nodes=False, size=size)
    each = _log_likelihoods(law)
    gap = np.asarray(each(z, exact)) - np.asarray(each(z, areas))
    return float(np.max(np.abs(gap - gap.mean())))
