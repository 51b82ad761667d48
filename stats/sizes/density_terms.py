"""Log density of each area under a fitted law, as recorded, and its slopes by the parameters.

The likelihood of a fit is a sum over areas; a comparison of laws needs its terms. With pixels an
area stands for its bin, and the term is the logarithm of the bin's probability.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import FloatArray
from stats.precision import in_float64
from stats.sizes.fit import SizeFit
from stats.sizes.law import law_named
from stats.sizes.recording import RecordedAreas, check_areas, log_likelihood_of, recorded_areas


@functools.partial(jax.jit, static_argnames=("name", "slopes"))
def _pointwise(
    name: str, z: jax.Array, data: RecordedAreas, *, slopes: bool
) -> tuple[jax.Array, jax.Array | None]:
    """(n,) log density of each area (or bin), and (n, k) its slopes on the unconstrained scale."""
    law = law_named(name)
    log_x = jnp.asarray(data.log_x)
    edges = None if data.bin_edges is None else jnp.asarray(data.bin_edges).T[:, :, None]

    def point(at: jax.Array) -> jax.Array:
        def one(value: jax.Array, ends: jax.Array | None) -> jax.Array:
            alone = data._replace(log_x=value[None], weights=None, bin_edges=ends)
            return log_likelihood_of(law, law.constrain(at), alone)

        return jax.vmap(one, in_axes=(0, None if edges is None else 0))(log_x, edges)

    return point(z), jax.jacfwd(point)(z) if slopes else None


def _counts(data: RecordedAreas) -> FloatArray:
    return np.ones(len(data.log_x)) if data.weights is None else np.asarray(data.weights)


def density_terms(fit: SizeFit, areas: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Log densities, scores and counts of the areas of a fit; inside float64.

    Args:
        fit: the fit.
        areas: (n,) areas within its recording.

    Returns:
        (m,) log densities, (m, k) their slopes on the law's unconstrained scale, and (m,) counts; m
        is n, or the number of different areas where they are whole pixels (then of their bins).
    """
    data = recorded_areas(areas, fit.recording)
    values, scores = _pointwise(fit.law, jnp.asarray(fit.z), data, slopes=True)
    return np.asarray(values), np.asarray(scores), _counts(data)


@in_float64
def log_densities(fit: SizeFit, areas_m2: ArrayLike) -> FloatArray:
    """Log density of each area under a fit (of its bin, where the areas are whole pixels).

    Args:
        fit: the fit.
        areas_m2: (n,) areas within its recording.

    Returns:
        (n,) in the order of the areas; their sum is the log-likelihood.

    Example:
        >>> from stats.sizes.fit import fit_sizes
        >>> from stats.sizes.recording import Recording
        >>> areas = 300.0 * (1.0 + np.random.default_rng(0).pareto(1.5, 50))
        >>> fit = fit_sizes(areas, "power", Recording(lower_m2=300.0), intervals=None)
        >>> bool(np.isclose(log_densities(fit, areas).sum(), fit.log_likelihood))
        True
    """
    areas = check_areas(areas_m2, fit.recording, least=1)
    data = recorded_areas(areas, fit.recording)
    values = np.asarray(_pointwise(fit.law, jnp.asarray(fit.z), data, slopes=False)[0])
    if fit.recording.pixel_m2 is None:
        return values
    _, where = np.unique(fit.recording.counts(areas), return_inverse=True)
    return np.asarray(values[where])
