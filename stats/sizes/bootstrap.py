"""Bootstrap of a fit: refits of resampled areas, or of inventories simulated from the fit.

Intervals are percentiles over the draws whose convergence is proven; draws at a limit of the family
count as infinite, so that an interval which reaches them is open.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import BoolArray, FloatArray, IntArray, as_weights
from stats.precision import in_float64
from stats.sizes.coordinates import FAMILY
from stats.sizes.describe import describe_many, starts_from
from stats.sizes.detection import DetectionCurve
from stats.sizes.fit import SizeFit
from stats.sizes.law import law_named
from stats.sizes.quantities import SCALE, Estimate, interval, quantity_names
from stats.sizes.recording import check_areas
from stats.sizes.refit import Refits, refit_many
from stats.sizes.simulation import simulate
from stats.sizes.truncated_dps import PHI_MINIMUM

__all__ = ["Bootstrap", "Refits", "bootstrap", "refit_many", "resampled_counts"]


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
        >>> from stats.sizes.recording import Recording
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
