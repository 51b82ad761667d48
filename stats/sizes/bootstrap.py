"""Many refits of one law through one compilation: the engine of bootstraps and of simulations.

Every draw starts at the same point (the maximum-likelihood estimate) and takes a few Newton steps;
draws that did not prove their convergence are returned as such. Draws that are weightings of one
list of areas share their first step: the sums over areas of all draws are one matrix product.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import BoolArray, FloatArray, IntArray, as_weights
from stats.precision import in_float64
from stats.sizes.coordinates import FAMILY, coordinate_box, evaluator, to_theta
from stats.sizes.describe import describe_many, start_from, starts_from
from stats.sizes.detection import DetectionCurve
from stats.sizes.fit import SizeFit
from stats.sizes.law import law_named
from stats.sizes.newton import Optimum, newton
from stats.sizes.quantities import SCALE, Estimate, interval, quantity_names
from stats.sizes.recording import RecordedAreas, Recording, check_areas, recorded_areas
from stats.sizes.simulation import simulate
from stats.sizes.truncated_dps import PHI_MINIMUM, Evaluation, data_features, evaluate_sums

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


class Bootstrap(NamedTuple):
    """A bootstrap of a fit.

    Attributes:
        theta: (draw, k) refitted parameters; those of draws at a limit are the family's next to it.
        converged: (draw,) convergence was proven.
        estimates: quantity -> Estimate with the percentile interval over converged draws.
        kind: "nonparametric" or "parametric".
    """

    theta: FloatArray
    converged: BoolArray
    estimates: dict[str, Estimate]
    kind: str


def resampled_counts(weights: FloatArray, draws: int, rng: np.random.Generator) -> IntArray:
    """How often each area is drawn in resamples of the size of the data (draw, n).

    Args:
        weights: (n,) how often each area counts; the resample has their (rounded) total.
        draws: number of resamples.
        rng: source of the draws.

    Example:
        >>> resampled_counts(np.ones(4), 2, np.random.default_rng(0)).sum(axis=1).tolist()
        [4, 4]
    """
    n, total = weights.size, round(float(weights.sum()))
    even = bool(np.all(weights == 1.0))
    edges = np.cumsum(weights) / weights.sum()
    counts = np.empty((draws, n), dtype=np.int64)
    for row in counts:
        if even:
            drawn = rng.integers(0, n, total)
        else:
            drawn = np.minimum(np.searchsorted(edges, rng.random(total), side="right"), n - 1)
        row[:] = np.bincount(drawn, minlength=n)
    return counts


def bootstrap(
    fit: SizeFit,
    areas_m2: ArrayLike,
    *,
    rng: np.random.Generator,
    draws: int = 1000,
    kind: Literal["nonparametric", "parametric"] = "nonparametric",
    weights: ArrayLike | None = None,
    level: float = 0.95,
) -> Bootstrap:
    """Bootstrap a fit: refit resampled areas, or inventories simulated from the fit.

    Args:
        fit: the fit; its maximum is the start of every refit.
        areas_m2: (n,) the areas it was fitted to [m2].
        rng: source of the draws.
        draws: number of refits.
        kind: "nonparametric" resamples the areas, "parametric" simulates from the fitted law
            with the fit's recording.
        weights: (n,) how often each area counts.
        level: coverage aimed at.

    Returns:
        Refitted parameters with percentile intervals. An interval that reaches draws at a limit
        of the family is open there. Draws without proof of convergence take no part in it.

    Raises:
        ValueError: other areas than the fit's, too few draws, fewer than half of them converged.

    Example:
        >>> from stats.sizes.double_pareto import sample
        >>> from stats.sizes.fit import fit_sizes
        >>> rng = np.random.default_rng(2)
        >>> areas = sample(1000, 1.4, 2.3, 800.0, rng=rng, lower=100.0)
        >>> fit = fit_sizes(areas, "dps", Recording(lower_m2=100.0), intervals=None)
        >>> found = bootstrap(fit, areas, rng=rng, draws=200)
        >>> found.estimates["alpha"].low < 1.4 < found.estimates["alpha"].high
        True
    """
    law = law_named(fit.law)
    areas = check_areas(areas_m2, fit.recording, least=law.k + 2)
    if areas.size != fit.n or draws < 20:
        raise ValueError(
            f"bootstrap: found {areas.size} areas and {draws} draws; expected the {fit.n} areas of "
            "the fit and 20 draws or more"
        )
    given = as_weights(weights, areas.shape)
    if kind == "parametric":
        recording = fit.recording
        detection = recording.detection
        if detection is not None and detection.fitted:
            half, width = np.exp(fit.u[law.k :])
            known = DetectionCurve(half_area_m2=float(half), width=float(width))
            recording = replace(recording, detection=known)
        drawn = simulate(fit.law, fit.parameters, round(fit.weight) * draws, recording, rng=rng)
        refits = refit_many(fit.law, drawn.reshape(draws, -1), fit.recording, fit.parameters)
    else:
        counts = resampled_counts(given, draws, rng)
        refits = refit_many(fit.law, areas, fit.recording, fit.parameters, weights=counts)
    good = refits.converged
    if 2 * int(good.sum()) < draws:
        raise ValueError(
            f"bootstrap: found {int(good.sum())} of {draws} refits converged; expected half or more"
        )
    return Bootstrap(refits.theta, good, _percentiles(fit, refits.theta[good], level), kind)


@in_float64
def _percentiles(fit: SizeFit, theta: FloatArray, level: float) -> dict[str, Estimate]:
    """Percentile intervals, by order statistics so that infinite draws stay infinite."""
    law = law_named(fit.law)
    u = starts_from(law, theta)
    values = describe_many(law, u).values.copy()
    if law.name in FAMILY:
        # At the Frechet limit beta is infinite and t zero.
        limit = u[:, 1] <= PHI_MINIMUM * 1.01
        values[limit, 1], values[limit, 2] = np.inf, -np.inf
    out = {}
    tail = 0.5 * (1.0 - level)
    places = np.clip(np.array([tail, 1.0 - tail]) * (len(theta) + 1) - 1, 0, len(theta) - 1)
    first, last = round(float(places[0])), round(float(places[1]))
    for i, name in enumerate(quantity_names(law)):
        if name == SCALE or name not in fit.estimates:
            continue
        # Without a rollover (or tail) the quantity lies below all others.
        column = np.sort(np.where(np.isnan(values[:, i]), -np.inf, values[:, i]))
        low, high = column[first], column[last]
        open_low, open_high = not np.isfinite(low), not np.isfinite(high)
        ends = interval(law, name, low, high, open_low=open_low, open_high=open_high)
        reason = fit.estimates[name].reason if fit.estimates[name].method != "none" else ""
        if open_low or open_high:
            reason = (
                f"more than {100 * tail:g} % of the draws have no {name} or none that is finite"
            )
        out[name] = Estimate(
            value=fit.estimates[name].value,
            low=ends[0],
            high=ends[1],
            level=level,
            method="bootstrap",
            identified=not reason and fit.estimates[name].value is not None,
            reason=reason,
        )
    return out
