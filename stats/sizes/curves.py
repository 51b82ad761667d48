"""Curves of fitted laws for plots: density and survival, with the band of bootstrap refits."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import FloatArray
from stats.precision import in_float64
from stats.sizes.bootstrap import refit_many
from stats.sizes.fit import SizeFit
from stats.sizes.law import law_named, log_density

# Cells of one table of bootstrap weights.
_BLOCK = 4_000_000
_LENGTHS = (512, 2048)


@dataclass(frozen=True, kw_only=True)
class Curves:
    """A fitted law on a grid of areas.

    Attributes:
        area_m2: (point,) ascending areas from the lower end of the recording on.
        density_per_m2: (point,) density.
        survival: (point,) share at or above.
        density_low: (point,) lower edge of the pointwise band of the density.
        density_high: (point,) upper edge.
        survival_low: (point,) lower edge of the band of the survival.
        survival_high: (point,) upper edge.
        draws: bootstrap refits behind the band.
        unconverged: refits left out because they were not proven.
        level: pointwise coverage aimed at.
    """

    area_m2: FloatArray
    density_per_m2: FloatArray
    survival: FloatArray
    density_low: FloatArray
    density_high: FloatArray
    survival_low: FloatArray
    survival_high: FloatArray
    draws: int
    unconverged: int
    level: float


@in_float64
def density_and_survival(
    law: str, theta: FloatArray, area_m2: FloatArray, lower_m2: float, upper_m2: float
) -> tuple[FloatArray, FloatArray]:
    """(draw, point) density and survival of a law truncated to (lower, upper).

    Args:
        law: name of the law.
        theta: (draw, k) parameters.
        area_m2: (point,) areas within the two ends.
        lower_m2: lower end; 0 for none.
        upper_m2: upper end; infinity for none.

    Example:
        >>> density, survival = density_and_survival(
        ...     "dps", np.array([[1.4, 2.3, 800.0]]), np.array([200.0, 1e4]), 100.0, np.inf
        ... )
        >>> survival.round(4)
        array([[0.9744, 0.0464]])
    """
    density, survival = _curves(
        law, jnp.asarray(theta), jnp.asarray(area_m2), jnp.asarray(lower_m2), jnp.asarray(upper_m2)
    )
    return np.asarray(density), np.asarray(survival)


@functools.partial(jax.jit, static_argnames="law")
def _curves(
    law: str, theta: jax.Array, x: jax.Array, lower: jax.Array, upper: jax.Array
) -> tuple[jax.Array, jax.Array]:
    family = law_named(law)

    def one(parameters: jax.Array) -> tuple[jax.Array, jax.Array]:
        density = jnp.exp(log_density(family, x, parameters, lower, upper))
        whole = family.log_mass(lower, upper, parameters)
        above = jnp.minimum(x, upper * (1.0 - 1e-15))
        survival = jnp.exp(family.log_mass(above, upper, parameters) - whole)
        return density, jnp.where(x >= upper, 0.0, survival)

    found: tuple[jax.Array, jax.Array] = jax.lax.map(one, theta)
    return found


def fitted_curves(
    fit: SizeFit,
    areas_m2: ArrayLike,
    *,
    rng: np.random.Generator,
    draws: int = 200,
    points: int = 160,
    level: float = 0.95,
) -> Curves:
    """Density and survival of a fit, with the band of a non-parametric bootstrap.

    Args:
        fit: the fit.
        areas_m2: (n,) its areas.
        rng: source of the draws.
        draws: bootstrap refits; 0 for no band.
        points: grid points, even in ln area up to 1.5 times the largest area.
        level: pointwise coverage aimed at.
    """
    areas = np.asarray(areas_m2, dtype=np.float64)
    lower, upper = fit.recording.edges()
    end = min(upper, 1.5 * float(areas.max()))
    start = lower if lower > 0.0 else 0.5 * float(areas.min())
    grid = np.geomspace(start, end, points)
    density, survival = density_and_survival(fit.law, fit.parameters[None], grid, lower, upper)
    theta, lost = _refitted(fit, areas, rng=rng, draws=draws)
    none = np.full((4, points), np.nan)
    if len(theta) >= 2:
        many = density_and_survival(fit.law, theta, grid, lower, upper)
        tails = (0.5 - 0.5 * level, 0.5 + 0.5 * level)
        none = np.concatenate([np.quantile(values, tails, axis=0) for values in many])
    return Curves(
        area_m2=grid,
        density_per_m2=density[0],
        survival=survival[0],
        density_low=none[0],
        density_high=none[1],
        survival_low=none[2],
        survival_high=none[3],
        draws=len(theta),
        unconverged=lost,
        level=level,
    )


def _refitted(
    fit: SizeFit, areas: FloatArray, *, rng: np.random.Generator, draws: int
) -> tuple[FloatArray, int]:
    """Parameters of proven bootstrap refits, and the number of the others."""
    kept, step = [np.empty((0, len(fit.theta)))], max(1, _BLOCK // areas.size)
    share = np.full(areas.size, 1.0 / areas.size)
    # Filled up with areas that never appear, so that inventories share a compilation.
    extra = next((length - areas.size for length in _LENGTHS if areas.size <= length), 0)
    filled = np.pad(areas, (0, extra), mode="edge")
    for start in range(0, draws, step):
        weights = rng.multinomial(areas.size, share, min(step, draws - start)).astype(np.float64)
        weights = np.pad(weights, ((0, 0), (0, extra)))
        refits = refit_many(fit.law, filled, fit.recording, fit.parameters, weights=weights)
        usable = refits.converged & np.isfinite(refits.theta).all(axis=1)
        kept.append(refits.theta[usable])
    theta = np.concatenate(kept)
    return theta, draws - len(theta)
