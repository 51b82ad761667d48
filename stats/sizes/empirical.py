r"""The data of a size distribution as they are: survival of every area, density in adaptive bins.

A log-log plot of counts in equal bins hides how few landslides stand behind its right end and
bends where bins are empty. Here the density comes in bins that hold about equally many areas, each
with the exact interval of its count, and the survival function shows every single area.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from stats.case_arrays import FloatArray, IntArray, as_finite

LEAST_PER_BIN = 8
MOST_BINS = 40


@dataclass(frozen=True, kw_only=True)
class AdaptiveDensity:
    """Density of areas in bins of about equal numbers.

    Attributes:
        edges_m2: (bin + 1,) ascending edges.
        counts: (bin,) areas in each.
        centre_m2: (bin,) geometric middle of each.
        density_per_m2: (bin,) share of all areas per m2.
        low: (bin,) lower end of the 95 % binomial interval of Clopper & Pearson (1934).
        high: (bin,) upper end.
    """

    edges_m2: FloatArray
    counts: IntArray
    centre_m2: FloatArray
    density_per_m2: FloatArray
    low: FloatArray
    high: FloatArray


def share_interval(count: ArrayLike, n: int, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
    """Exact binomial interval (Clopper & Pearson, 1934) of a share `count` / `n`.

    Example:
        >>> [round(float(end), 4) for end in share_interval(3, 10)]
        [0.0667, 0.6525]
    """
    k = np.asarray(count, dtype=np.float64)
    tail = 0.5 * (1.0 - level)
    low = np.where(k > 0, stats.beta.ppf(tail, np.maximum(k, 1), n - k + 1), 0.0)
    high = np.where(k < n, stats.beta.isf(tail, k + 1, np.maximum(n - k, 1)), 1.0)
    return low, high


def adaptive_density(
    areas_m2: ArrayLike, *, lower_m2: float | None = None, pixel_m2: float | None = None
) -> AdaptiveDensity:
    """Density of areas in bins that hold about equally many.

    With n areas there are about 2 n^(2/5) bins, at most `MOST_BINS`, each of `LEAST_PER_BIN` areas
    or more. Edges lie midway between neighbouring areas (in ln area); equal areas share a bin.

    Args:
        areas_m2: (n,) areas above `lower_m2`, n >= 1.
        lower_m2: where the first bin begins; the smallest area where None.
        pixel_m2: pixel of areas in whole pixels: edges then lie half a pixel between them.

    Raises:
        ValueError: no areas, or an area below the lower end.

    Example:
        >>> density = adaptive_density(np.geomspace(100.0, 1e5, 200), lower_m2=90.0)
        >>> int(density.counts.sum()), len(density.counts)
        (200, 17)
        >>> total = (density.density_per_m2 * np.diff(density.edges_m2)).sum()
        >>> round(float(total), 6)
        1.0
    """
    areas = np.sort(as_finite("areas_m2", areas_m2).ravel())
    if not areas.size:
        raise ValueError("areas_m2: found no areas; expected at least one")
    start = float(areas[0]) if lower_m2 is None else float(lower_m2)
    if areas[0] < start:
        raise ValueError(f"areas_m2: found {areas[0]:g} below {start:g}")
    values, counts = np.unique(areas, return_counts=True)
    if pixel_m2 is not None:
        between = values[:-1] + 0.5 * pixel_m2
        stop = values[-1] + 0.5 * pixel_m2
    else:
        between = np.sqrt(values[:-1] * values[1:])
        # Half the last step in ln area: the largest area lies inside the last bin.
        stop = values[-1] * math.sqrt(values[-1] / values[-2]) if values.size > 1 else 0.0
        stop = max(stop, float(values[-1]) * 1.01)
    wanted = max(LEAST_PER_BIN, math.ceil(areas.size / min(MOST_BINS, _bins(areas.size))))
    cuts, inside = [], 0
    left = areas.size
    for at in range(values.size - 1):
        inside += int(counts[at])
        left -= int(counts[at])
        if inside >= wanted and left >= LEAST_PER_BIN:
            cuts.append(at)
            inside = 0
    edges = np.r_[start, between[cuts], stop]
    number = np.histogram(areas, edges)[0].astype(np.int64)
    width = np.diff(edges)
    low, high = share_interval(number, areas.size)
    return AdaptiveDensity(
        edges_m2=edges,
        counts=number,
        # A limit of 0 has no geometric middle.
        centre_m2=np.sqrt(np.maximum(edges[:-1], 1e-3 * edges[1:]) * edges[1:]),
        density_per_m2=number / areas.size / width,
        low=low / width,
        high=high / width,
    )


def _bins(n: int) -> int:
    return max(1, round(2.0 * n**0.4))


@dataclass(frozen=True, kw_only=True)
class EmpiricalSurvival:
    """Share of areas at or above each area, with pointwise exact 95 % intervals.

    Attributes:
        area_m2: (value,) distinct areas, ascending.
        survival: (value,) share of the areas that are as large or larger.
        low: (value,) lower end of its interval.
        high: (value,) upper end.
    """

    area_m2: FloatArray
    survival: FloatArray
    low: FloatArray
    high: FloatArray


def empirical_survival(areas_m2: ArrayLike) -> EmpiricalSurvival:
    """Survival of every area.

    Example:
        >>> survival = empirical_survival([100.0, 200.0, 200.0, 400.0])
        >>> survival.area_m2.tolist(), survival.survival.tolist()
        ([100.0, 200.0, 400.0], [1.0, 0.75, 0.25])
    """
    areas = np.sort(as_finite("areas_m2", areas_m2).ravel())
    if not areas.size:
        raise ValueError("areas_m2: found no areas; expected at least one")
    values, first = np.unique(areas, return_index=True)
    above = areas.size - first
    low, high = share_interval(above, areas.size)
    return EmpiricalSurvival(area_m2=values, survival=above / areas.size, low=low, high=high)
