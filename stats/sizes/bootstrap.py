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

from stats.case_arrays import BoolArray, FloatArray
from stats.precision import in_float64
from stats.sizes.coordinates import coordinate_box, evaluator, from_theta, to_theta
from stats.sizes.law import law_named
from stats.sizes.newton import Optimum, newton
from stats.sizes.recording import RecordedAreas, Recording, check_areas, recorded_areas

TOLERANCE = 1e-7
"""Log-likelihood still to be gained by a converged refit: 0.0005 standard errors."""
_MOST = 60


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

    def one(counts: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        mine = data._replace(weights=counts.astype(data.log_x.dtype))
        found: Optimum = newton(evaluator(law, mine), start, box, tolerance=TOLERANCE, most=_MOST)
        return to_theta(law, found.u), found.converged, found.value

    return jax.lax.map(one, weights)


def _collected(areas: FloatArray, recording: Recording, weights: FloatArray) -> FloatArray:
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
    weights: FloatArray | None = None,
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
    first = from_theta(family, jnp.asarray(np.asarray(start, dtype=np.float64)))
    if weights is not None:
        if areas.ndim != 1 or np.ndim(weights) != 2 or np.shape(weights)[1] != areas.size:
            raise ValueError(
                f"weights: found shape {np.shape(weights)} for areas of shape {areas.shape}; "
                "expected (draw, n) for (n,)"
            )
        data = recorded_areas(check_areas(areas, recording, least=family.k), recording)
        counts = jnp.asarray(_collected(areas, recording, np.asarray(weights)))
        theta, converged, value = _refit_weights(law, first, counts, data)
    else:
        if areas.ndim != 2:
            raise ValueError(f"samples: found {areas.ndim} dimensions; expected (draw, n)")
        check_areas(areas.ravel(), recording, least=family.k)
        data = recorded_areas(areas[0], recording)._replace(weights=None)
        pixel = None
        if recording.pixel_m2 is not None:
            pixel = jnp.asarray(recording.pixel_m2)
            areas = recording.counts(areas) * recording.pixel_m2
        theta, converged, value = _refit_samples(law, first, jnp.log(areas), data, pixel)
    return Refits(np.asarray(theta), np.asarray(converged), np.asarray(value))
