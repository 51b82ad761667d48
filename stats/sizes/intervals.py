"""Covariance, intervals and verdicts of a maximum: what is identified, and why the rest is not."""

from __future__ import annotations

import math

import numpy as np
from scipy import special
from scipy.stats import chi2

from stats.case_arrays import FloatArray
from stats.sizes.ascent import FRECHET, LOG, PARETO, limit_maximum
from stats.sizes.coordinates import FAMILY
from stats.sizes.describe import Description
from stats.sizes.law import Law
from stats.sizes.newton import Optimum
from stats.sizes.profile import Profile
from stats.sizes.quantities import (
    ROLLOVER,
    SCALE,
    SLOPE,
    Estimate,
    domain,
    interval,
    natural,
    quantity_names,
    reason_of,
)
from stats.sizes.recording import RecordedAreas
from stats.sizes.stability import CutFits, unstable

# Parameters that have no value of their own at a limit.
_LOST = {FRECHET: ("beta", "t"), PARETO: ("beta", "t", ROLLOVER), LOG: ()}
_SAID = {
    FRECHET: "beta -> infinity with beta t^alpha fixed: the Frechet law",
    PARETO: "no bend inside the data: the Pareto law",
    LOG: "beta -> 0: the log limit",
}


def ridge_towards(
    law: Law, u: FloatArray, value: float, data: RecordedAreas, target: float
) -> str | None:
    """Limits that the data cannot tell from the maximum: a ridge of the likelihood, by name."""
    if law.name not in FAMILY:
        return None
    found = []
    for limit in (FRECHET, PARETO):
        if limit == PARETO and (law.name != "dps_extended" or data.lower is None):
            continue
        there = limit_maximum(law, limit, u, data)
        # The Frechet law has one parameter less, the Pareto law two.
        fewer = 1 if limit == FRECHET else 2
        bound = chi2.ppf(chi2.cdf(target**2, 1), fewer)
        if bool(there.converged) and 2.0 * (value - float(there.value)) < bound:
            found.append(limit)
    return f"ridge towards {' and '.join(found)}" if found else None


def _inverse_information(found: Optimum) -> FloatArray:
    """Covariance of the coordinates, 0 along those held at a bound; infinite if not definite."""
    free = np.asarray(found.free)
    size = free.size
    if not bool(found.definite):
        return np.full((size, size), np.inf)
    out = np.zeros((size, size))
    out[np.ix_(free, free)] = np.linalg.inv(-np.asarray(found.hessian)[np.ix_(free, free)])
    return out


def covariance(law: Law, found: Optimum, shown: Description) -> FloatArray:
    """(k, k) covariance on the unconstrained scale, by the chain rule from the coordinates."""
    inner = _inverse_information(found)
    if not np.all(np.isfinite(inner)):
        return np.full((law.k, law.k), np.inf)
    jacobian = shown.z_slopes
    held = (np.abs(jacobian[:, ~np.asarray(found.free)]) > 1e-9).any(axis=1)
    # At beta = 0 the scale of a law with beta > 0 itself runs off.
    held |= ~np.all(np.isfinite(jacobian), axis=1)
    out = np.nan_to_num(jacobian) @ inner @ np.nan_to_num(jacobian).T
    out[held, held] = np.inf
    return out


def _half_widths(found: Optimum, shown: Description, level: float) -> FloatArray:
    """(q,) half widths of normal intervals on the search scales."""
    inner = _inverse_information(found)
    if not np.all(np.isfinite(inner)):
        return np.full(shown.values.shape, np.inf)
    variance = np.einsum("qi,ij,qj->q", shown.slopes, inner, shown.slopes)
    return float(special.ndtri(0.5 + level / 2.0)) * np.sqrt(variance)


def estimates_of(
    law: Law,
    found: Optimum,
    shown: Description,
    data: RecordedAreas,
    ends: Profile | None,
    limit: str | None,
    cuts: CutFits | None,
    *,
    level: float,
    kind: str | None,
) -> dict[str, Estimate]:
    """Every quantity with its interval and verdict.

    Args:
        law: family.
        found: the maximum.
        shown: what its coordinates mean.
        data: recorded areas.
        ends: profile intervals on the search scales; None for delta intervals or none.
        limit: name of the limit or ridge, or None.
        cuts: fits above higher cuts, or None.
        level: coverage aimed at.
        kind: "profile", "delta" or None.
    """
    values, half = shown.values, np.full(shown.values.shape, np.inf)
    if kind == "delta":
        half = _half_widths(found, shown, level)
    lower = 0.0 if data.lower is None else float(data.lower)
    out = {}
    for i, name in enumerate(quantity_names(law, curve=data.curve_precision is not None)):
        if name == SCALE and limit != FRECHET:
            continue
        lost = name in _LOST.get(limit or "", ())
        exists = not math.isnan(values[i]) and (name != ROLLOVER or limit != PARETO)
        point = natural(law, name, float(values[i])) if exists and not lost else None
        if ends is not None and exists:
            open_low, open_high = bool(ends.open_low[i]), bool(ends.open_high[i])
            low, high = float(ends.low[i]), float(ends.high[i])
        else:
            open_low = open_high = kind is None or not math.isfinite(half[i])
            low, high = float(values[i]) - half[i], float(values[i]) + half[i]
        first, last = domain(law, name)
        if exists:
            first, last = interval(law, name, low, high, open_low=open_low, open_high=open_high)
        reason = _reason(law, name, point, limit, open_low, open_high, level, lower, kind)
        if not reason and cuts is not None and point is not None and name != SCALE:
            change = unstable(name, point, cuts)
            reason = f"not stable over cuts: {change}" if change else ""
        out[name] = Estimate(
            value=point,
            low=first,
            high=last,
            level=level,
            method=kind if kind is not None and exists else "none",
            identified=not reason and point is not None,
            reason=reason,
        )
    return out


def _reason(
    law: Law,
    name: str,
    point: float | None,
    limit: str | None,
    open_low: bool,
    open_high: bool,
    level: float,
    lower: float,
    kind: str | None,
) -> str:
    if point is None:
        if limit in _SAID and name in _LOST[limit]:
            return f"the maximum lies at a limit ({_SAID[limit]})"
        if name == ROLLOVER:
            return "the fitted density has no rollover"
        return "the fitted law has no power tail" if name == SLOPE else "it has no value here"
    if kind is None:
        return "no interval was asked for"
    if open_low or open_high:
        if name == SLOPE:
            open_low, open_high = open_high, open_low
        said = reason_of(name, open_low=open_low, open_high=open_high, level=level)
        if kind == "delta":
            said = "the information matrix is singular"
        if limit is not None and limit in _SAID:
            return f"{said}; the maximum lies at a limit ({_SAID[limit]})"
        return f"{said} ({limit})" if limit is not None else said
    _, _, towards = (limit or "").partition("ridge towards ")
    for end in (FRECHET, PARETO):
        if end in towards and name in _LOST[end]:
            return f"the data cannot be told from a limit without it ({_SAID[end]})"
    if name == ROLLOVER and lower > 0.0 and point <= lower:
        return f"{point:.4g} m2 lies below the smallest recorded size ({lower:g} m2)"
    return ""
