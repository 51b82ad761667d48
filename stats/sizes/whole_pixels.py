"""The number that most areas are whole multiples of: landslides mapped in pixels, or rounded.

Polygons made from a classified raster have areas of k pixels, k = 1, 2, ...; near the minimum
mapping area k is of order ten, and a density that varies within a pixel must then be integrated
over it. The pixel is looked for in the areas themselves: any divisor of a small area may be it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from stats.case_arrays import BoolArray, FloatArray

TOLERANCE = 0.01
"""An area is a multiple if it is within this share of a pixel of one."""
LEAST_SHARE = 0.5
CHANCE = 1e-6
_LARGEST_COUNT = 1000
_SEEDS = 16
_LOOKED_AT = 256


@dataclass(frozen=True, kw_only=True)
class Pixels:
    """A pixel area and how many areas are made of it.

    Attributes:
        area_m2: area of a pixel.
        share: share of the areas that are whole multiples.
        given: stated by the caller, not found.
    """

    area_m2: float
    share: float
    given: bool = False


def are_multiples(areas_m2: FloatArray, pixel_m2: float) -> BoolArray:
    """Which areas are whole multiples of a pixel, within `TOLERANCE` of it.

    Example:
        >>> are_multiples(np.array([0.2, 25.0, 49.9, 60.0]), 25.0)
        array([False,  True,  True, False])
    """
    count = areas_m2 / pixel_m2
    return (np.abs(count - np.rint(count)) <= TOLERANCE) & (np.rint(count) >= 1)


def share_of_multiples(areas_m2: FloatArray, pixel_m2: float) -> float:
    """Share of the areas that are whole multiples of a pixel."""
    return float(are_multiples(areas_m2, pixel_m2).mean())


def _candidates(ordered: FloatArray) -> FloatArray:
    """Divisors of small areas: if most areas are multiples, one of these is the pixel."""
    lower = ordered[: max(1, (ordered.size + 1) // 2)]
    # Slivers and single edited polygons are outvoted by seeds spread over the lower half.
    places = np.unique(np.linspace(0, lower.size - 1, _SEEDS).round().astype(int))
    divisors = np.arange(1, _LARGEST_COUNT + 1)
    found = (lower[places][:, None] / divisors).ravel()
    return np.unique(found[found >= lower[0] * 1e-6])[::-1]


def _refined(areas: FloatArray, pixel: float) -> float:
    """Least squares over ever larger multiples, for areas that were rounded when written."""
    for largest in (10, 100, 1000):
        near = areas[are_multiples(areas, pixel) & (areas < (largest + 0.5) * pixel)]
        if near.size:
            count = np.rint(near / pixel)
            pixel = float((near * count).sum() / (count * count).sum())
    # 25.000000003 is 25.
    return round(pixel, max(0, 6 - math.floor(math.log10(pixel))))


def find_pixels(areas_m2: FloatArray) -> Pixels | None:
    """The largest number of which most areas are whole multiples; None where there is none.

    It must divide at least half of the areas, more than chance would in all numbers tried
    (binomial probability below `CHANCE`), and losing few against its own halves, thirds, fifths
    and sevenths: half of the multiples of 25 are multiples of 50.

    Args:
        areas_m2: (n,) areas above 0, in any order.

    Example:
        >>> find_pixels(25.0 * np.arange(11.0, 60.0))
        Pixels(area_m2=25.0, share=1.0, given=False)
        >>> rng = np.random.default_rng(1)
        >>> find_pixels(300.0 / rng.random(200)) is None
        True
    """
    ordered = np.sort(np.asarray(areas_m2, dtype=np.float64))
    if ordered.size < 3:
        return None
    step = max(1, ordered.size // _LOOKED_AT)
    looked_at = ordered[::step]
    candidates = _candidates(ordered)
    enough = int(
        max(
            stats.binom.isf(CHANCE / candidates.size, looked_at.size, 2 * TOLERANCE) + 1,
            math.ceil(LEAST_SHARE * looked_at.size),
        )
    )
    if enough > looked_at.size:
        return None
    for part in np.array_split(candidates, max(1, candidates.size // 256)):
        count = looked_at / part[:, None]
        whole = np.rint(count)
        hits = ((np.abs(count - whole) <= TOLERANCE) & (whole >= 1)).sum(axis=1)
        for pixel in part[hits >= enough]:
            share = share_of_multiples(ordered, float(pixel))
            finer = max(share_of_multiples(ordered, float(pixel) / k) for k in (2, 3, 5, 7))
            if share >= LEAST_SHARE and share >= 0.8 * finer:
                area = _refined(ordered, float(pixel))
                return Pixels(area_m2=area, share=share_of_multiples(ordered, area))
    return None
