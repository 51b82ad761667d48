r"""The exact and fast search for the lower bound of a power-law tail.

For each candidate bound alpha is the maximum likelihood estimate of the areas at or above it, and
the bound with the smallest two-sided Kolmogorov-Smirnov distance between those areas and their own
law is wanted. The distance at a few ranks is a lower bound of the distance, so a candidate is
dropped as soon as that exceeds the best distance found; ever more ranks are looked at, and only the
handful of candidates that is left is computed in full. No candidate is lost by it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import FloatArray, IntArray, as_finite

# Ranks looked at in the rounds of the search, and the largest table of a round.
PROBES = (4, 12, 36, 108, 324, 972)
BLOCK = 2_000_000


def as_areas(areas_m2: ArrayLike, *, minimum: int = 2) -> FloatArray:
    """Areas as a sorted vector of float64.

    Raises:
        ValueError: not one-dimensional, not finite, not above 0, fewer than `minimum`, or all
            equal.

    Example:
        >>> as_areas([3.0, 3.0, 3.0])
        Traceback (most recent call last):
        ValueError: areas_m2: all 3 areas are 3 m2; a distribution needs areas that differ
    """
    areas = np.sort(as_finite("areas_m2", areas_m2), axis=None)
    if np.ndim(areas_m2) != 1:
        raise ValueError(f"areas_m2: found shape {np.shape(areas_m2)}; expected one dimension")
    if areas.size < minimum:
        raise ValueError(f"areas_m2: found {areas.size} areas; expected at least {minimum}")
    if areas[0] <= 0.0:
        raise ValueError(f"areas_m2: found a smallest area of {areas[0]:g}; expected above 0")
    if areas[0] == areas[-1]:
        raise ValueError(
            f"areas_m2: all {areas.size} areas are {areas[0]:g} m2; "
            "a distribution needs areas that differ"
        )
    return areas


def _full_distance(logs: FloatArray, first: int, alpha: float) -> float:
    """Two-sided Kolmogorov-Smirnov distance of the tail from index `first` on."""
    above = logs[first:]
    gap = -np.expm1(-alpha * (above - above[0])) - np.arange(above.size) / above.size
    return float(max(gap.max(), 1.0 / above.size - gap.min()))


def _bounds(logs: FloatArray, first: IntArray, alpha: FloatArray, probes: int) -> FloatArray:
    """Distance of each candidate tail at `probes` of its ranks: a lower bound of the distance."""
    bound = np.empty(first.size)
    step = max(1, BLOCK // probes)
    # From the smallest to the largest area of each tail.
    place = np.linspace(0.0, 1.0, probes)
    for low in range(0, first.size, step):
        start, exponent = first[low : low + step, None], alpha[low : low + step, None]
        size = logs.size - start
        rank = np.round(place * (size - 1)).astype(np.int64)
        gap = -np.expm1(-exponent * (logs[start + rank] - logs[start])) - rank / size
        bound[low : low + step] = np.maximum(gap.max(axis=1), 1.0 / size[:, 0] - gap.min(axis=1))
    return bound


def _alpha_above(logs: FloatArray, first: IntArray) -> FloatArray:
    above = np.cumsum(logs[::-1])[::-1]
    size = logs.size - first
    return size / (above[first] - size * logs[first])


def nearest_tail(logs: FloatArray, minimum_tail: int) -> tuple[int, float, float]:
    """First index, alpha and distance of the tail nearest to its own Pareto law.

    Args:
        logs: (n,) logarithms of the areas, sorted upwards; equal values stay together.
        minimum_tail: smallest number of areas that may make a tail.

    Raises:
        ValueError: no bound leaves that many areas that differ.

    Example:
        >>> quantiles = -np.log1p(-(np.arange(200) + 0.5) / 200) / 2.0
        >>> start, alpha, distance = nearest_tail(quantiles, 150)
        >>> start, round(alpha, 1), distance < 0.01
        (0, 2.0, True)
    """
    starts = np.flatnonzero(np.r_[True, logs[1:] > logs[:-1]])
    first = starts[(logs.size - starts >= minimum_tail) & (logs[starts] < logs[-1])]
    if first.size == 0:
        raise ValueError(
            f"power-law tail: no bound leaves {minimum_tail} areas that differ "
            f"({logs.size} areas, {starts.size} values)"
        )
    alpha = _alpha_above(logs, first)
    best = math.inf
    for probes in PROBES:
        bound = _bounds(logs, first, alpha, probes)
        leader = int(np.argmin(bound))
        best = min(best, _full_distance(logs, int(first[leader]), float(alpha[leader])))
        keep = bound <= best
        first, alpha, bound = first[keep], alpha[keep], bound[keep]
    found = (math.inf, 0, 0.0)
    for i in np.argsort(bound, kind="stable"):
        if bound[i] > found[0]:
            break
        distance = _full_distance(logs, int(first[i]), float(alpha[i]))
        found = min(found, (distance, int(first[i]), float(alpha[i])))
    return found[1], found[2], found[0]
