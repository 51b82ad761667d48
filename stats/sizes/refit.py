"""Many refits of one law through one compilation: the engine of bootstraps and of simulations.

Every draw starts at the same point (the maximum-likelihood estimate) and takes a few Newton steps;
draws that did not prove their convergence are returned as such. Draws that are weightings of one
list of areas share their first step: the sums over areas of all draws are one matrix product.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import BoolArray, FloatArray, IntArray
from stats.precision import in_float64
from stats.sizes.coordinates import FAMILY, coordinate_box, evaluator, to_theta
from stats.sizes.describe import start_from
from stats.sizes.law import law_named
from stats.sizes.newton import Optimum, newton
from stats.sizes.recording import RecordedAreas, Recording, check_areas, recorded_areas
from stats.sizes.truncated_dps import Evaluation, data_features, evaluate_sums

TOLERANCE = 1e-7
"""Log-likelihood still to be gained by a converged refit: 0.0005 standard errors."""
_MOST, _BLOCK = 60, 128


class Refits(NamedTuple):
    """Refits of many draws.

    Attributes:
        theta: (draw, k) parameters.
        converged: (draw,) convergence was proven.
        log_likelihood: (draw,) maxima.
    """

    theta: FloatArray
    converged: BoolArray
    log_likelihood: FloatArray


@functools.partial(jax.jit, static_argnames="name")
def _refit_samples(
    name: str, start: jax.Array, log_x: jax.Array, data: RecordedAreas, pixel: jax.Array | None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    law = law_named(name)

    def one(values: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        mine = data._replace(log_x=values)
        if pixel is not None:
            x = jnp.exp(values)
            mine = mine._replace(bin_edges=jnp.stack([x - 0.5 * pixel, x + 0.5 * pixel]))
        found: Optimum = newton(
            evaluator(law, mine), start, coordinate_box(law, mine), tolerance=TOLERANCE, most=_MOST
        )
        return to_theta(law, found.u), found.converged, found.value

    return jax.lax.map(one, log_x)


@functools.partial(jax.jit, static_argnames="name")
def _refit_weights(
    name: str, start: jax.Array, weights: jax.Array, data: RecordedAreas
) -> tuple[jax.Array, jax.Array, jax.Array]:
    law = law_named(name)
    box = coordinate_box(law, data)
    first: Evaluation | None = None
    if name in FAMILY and data.plain:
        # All draws stand at one point: their sums there are one matrix product.
        log_x = jnp.asarray(data.log_x)
        ends = [None if end is None else jnp.log(end) for end in (data.lower, data.upper)]
        terms = jnp.concatenate([data_features(log_x, start), log_x[:, None]], axis=1)
        sums = weights @ terms
        first = jax.vmap(lambda s, n: evaluate_sums(start, s[:-1], s[-1], n, *ends))(
            sums, weights.sum(axis=1)
        )

    def one(draw: tuple[jax.Array, Evaluation | None]) -> tuple[jax.Array, jax.Array, jax.Array]:
        counts, at = draw
        found: Optimum = newton(
            evaluator(law, data._replace(weights=counts)),
            start,
            box,
            at=at,
            tolerance=TOLERANCE,
            most=_MOST,
        )
        return to_theta(law, found.u), found.converged, found.value

    return jax.lax.map(one, (weights, first))


def _in_blocks(
    law: str, start: FloatArray, weights: IntArray | FloatArray, data: RecordedAreas
) -> tuple[FloatArray, ...]:
    """Refits of weightings in blocks of equal size: bounded memory, one compilation."""
    draws = len(weights)
    size = -(-draws // -(-draws // _BLOCK))
    parts = []
    for first in range(0, draws, size):
        block = np.asarray(weights[first : first + size], dtype=np.float64)
        filled = np.pad(block, ((0, size - len(block)), (0, 0)), mode="edge")
        found = _refit_weights(law, jnp.asarray(start), jnp.asarray(filled), data)
        parts.append([np.asarray(part)[: len(block)] for part in found])
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def _collected(
    areas: FloatArray, recording: Recording, weights: IntArray | FloatArray
) -> IntArray | FloatArray:
    """Weights (draw, n) of areas as weights (draw, bin) where the areas are whole pixels."""
    if recording.pixel_m2 is None:
        return weights
    counts, where = np.unique(recording.counts(areas), return_inverse=True)
    cell = where + counts.size * np.arange(len(weights))[:, None]
    sums = np.bincount(cell.ravel(), weights.ravel(), len(weights) * counts.size)
    return sums.reshape(len(weights), counts.size).astype(np.float64)


@in_float64
def refit_many(
    law: str,
    samples: FloatArray,
    recording: Recording,
    start: ArrayLike,
    *,
    weights: IntArray | FloatArray | None = None,
) -> Refits:
    """Refit a law to many draws.

    Args:
        law: name of the law.
        samples: (draw, n) areas of each draw [m2]; or, with `weights`, (n,) areas of all.
        recording: how they were recorded.
        start: (k,) parameters from which every draw starts.
        weights: (draw, n) how often each area counts in each draw; integers of any width.

    Returns:
        Parameters, convergence and log-likelihood of every draw.

    Raises:
        ValueError: bad areas or shapes.

    Example:
        >>> from stats.sizes.double_pareto import sample
        >>> rng = np.random.default_rng(1)
        >>> areas = sample(500 * 8, 1.4, 2.3, 800.0, rng=rng, lower=100.0).reshape(8, 500)
        >>> refits = refit_many("dps", areas, Recording(lower_m2=100.0), [1.4, 2.3, 800.0])
        >>> refits.theta.shape, bool(refits.converged.all())
        ((8, 3), True)
    """
    family = law_named(law)
    areas = np.asarray(samples, dtype=np.float64)
    first = start_from(family, start)
    detection = recording.detection
    if detection is not None and detection.fitted:
        first = np.append(first, np.log([detection.half_area_m2, detection.width]))
    if weights is not None:
        if areas.ndim != 1 or np.ndim(weights) != 2 or np.shape(weights)[1] != areas.size:
            raise ValueError(
                f"weights: found shape {np.shape(weights)} for areas of shape {areas.shape}; "
                "expected (draw, n) for (n,)"
            )
        data = recorded_areas(check_areas(areas, recording, least=family.k), recording)
        counts = _collected(areas, recording, weights)
        found = _in_blocks(law, first, counts, data)
        return Refits(found[0], found[1].astype(bool), found[2])
    if areas.ndim != 2:
        raise ValueError(f"samples: found {areas.ndim} dimensions; expected (draw, n)")
    check_areas(areas.ravel(), recording, least=family.k)
    data = recorded_areas(areas[0], recording)._replace(weights=None)
    pixel = None
    if recording.pixel_m2 is not None:
        pixel = np.asarray(recording.pixel_m2)
        areas = recording.counts(areas) * recording.pixel_m2
        # Bins and their edges are made per draw.
        data = data._replace(log_x=np.log(areas[0]), bin_edges=np.zeros((2, areas.shape[1])))
    theta, converged, value = _refit_samples(law, first, jnp.log(areas), data, pixel)
    return Refits(np.asarray(theta), np.asarray(converged), np.asarray(value))
