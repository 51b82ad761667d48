"""What the areas of an inventory tell of how they were recorded: smallest size, pixels, slivers.

A likelihood needs the minimum mapping area and the size of a pixel, and few inventories state
them. Both leave marks in the areas: a sharp lower edge, sometimes with slivers far below it that a
polygon overlay left behind, and whole multiples of one number. One sliver below the edge, taken for
the detection limit, decides the whole left limb of a fit; here it is found, counted and named.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from stats.case_arrays import BoolArray, FloatArray, as_finite
from stats.sizes.whole_pixels import (
    TOLERANCE,
    Pixels,
    are_multiples,
    find_pixels,
    share_of_multiples,
)

MinimumFrom = Literal["given", "smallest area", "gap"]

GAP_RATIO = 5.0
"""Areas within this factor of the next larger one are no slivers."""
GAP_LEVEL = 0.01
SLIVER_SHARE = 0.05
"""At most this share of the areas (or one area) can be slivers."""
BINS_MATTER = 0.01
"""Pixels below this share of the minimum mapping area are treated as exact areas."""


@dataclass(frozen=True, kw_only=True)
class Gap:
    """An empty stretch among the smallest areas that no smooth left limb would leave.

    Attributes:
        below_m2: largest area below it.
        above_m2: smallest area above it.
        n_below: areas below.
        p_value: chance of an edge so sharp over a gap so wide, at most over all power-law limbs.
    """

    below_m2: float
    above_m2: float
    n_below: int
    p_value: float


@dataclass(frozen=True, kw_only=True)
class AreaRecord:
    """What the areas tell of their recording.

    Attributes:
        n: areas looked at.
        minimum_mapping_area_m2: smallest landslide that the inventory claims to hold.
        minimum_from: "given", "smallest area" of the file, or the "gap" above slivers.
        lower_m2: where a truncated likelihood begins: the minimum, or the edge of its pixel bin.
        n_fit: areas that enter the likelihood.
        n_below: areas below the minimum, which do not.
        n_spent: 1 where the smallest area sets the minimum and so says nothing beyond it.
        gap: the gap in the sorted areas, or None; also where the minimum was given.
        slivers_m2: the areas below the gap, ascending.
        pixels: the number that most areas are multiples of, or None.
        pixel_m2: pixel area for a binned likelihood; None where areas count as exact.
        n_equal: areas equal to an earlier one and not explained by pixels (possible duplicates).
        notes: all of this in words.
    """

    n: int
    minimum_mapping_area_m2: float
    minimum_from: MinimumFrom
    lower_m2: float
    n_fit: int
    n_below: int
    n_spent: int
    gap: Gap | None
    slivers_m2: tuple[float, ...]
    pixels: Pixels | None
    pixel_m2: float | None
    n_equal: int
    notes: tuple[str, ...] = ()

    def in_fit(self, areas_m2: ArrayLike) -> BoolArray:
        """Which areas enter the likelihood; an area that sets the minimum does not.

        Given the smallest of n independent areas, the others are a sample of the law truncated
        there, so the fit is exact when the smallest is left out, and too low when it is not.
        """
        areas = _as_areas(areas_m2)
        kept = areas >= self.lower_m2
        if self.n_spent:
            kept &= np.arange(areas.size) != np.flatnonzero(kept)[np.argmin(areas[kept])]
        return kept


def _as_areas(areas_m2: ArrayLike) -> FloatArray:
    areas = as_finite("areas_m2", areas_m2).ravel()
    if not areas.size:
        raise ValueError("areas_m2: found no areas; expected at least one")
    if areas.min() <= 0.0:
        raise ValueError(f"areas_m2: found {areas.min():g}; expected areas above 0")
    return areas


def gap_p_value(n_below: int, n_above: int, log_ratio: float) -> float:
    r"""Chance that a smooth left limb leaves such a gap under such an edge.

    Take a limb :math:`F(x) \propto x^b` up to twice the upper end of the gap, any b > 0. Of the
    :math:`k + m` areas there, k lie below the gap with probability
    :math:`P(\mathrm{Bin}(k + m, 2^{-b}) \le k)`, and by the representation of Renyi (1953) the
    spacing above the k-th smallest logarithm exceeds r with probability :math:`e^{-k b r}`. The
    largest product over b is returned: a small b makes wide gaps but no sharp edge, a large one
    the reverse. Limbs that fall faster than a power leave smaller gaps.

    Args:
        n_below: areas below the gap, k.
        n_above: areas above its upper end, up to twice that, m.
        log_ratio: ln of its upper over its lower end, r.

    Example:
        >>> gap_p_value(1, 3000, np.log(275 / 0.2)) < 1e-20
        True
        >>> round(gap_p_value(1, 2, np.log(387 / 263.7)), 2)
        0.4
    """
    exponents = np.geomspace(1e-3, 60.0, 400)
    edge = stats.binom.logcdf(n_below, n_below + n_above, np.exp2(-exponents))
    return float(np.exp(min(0.0, np.max(edge - n_below * exponents * log_ratio))))


def find_gap(areas_m2: ArrayLike, *, pixel_m2: float = 0.0) -> Gap | None:
    """The highest gap among the smallest areas that is too wide for a smooth left limb.

    A wrongly found gap costs at most `SLIVER_SHARE` of the areas, since a likelihood truncated
    higher up stays right; a missed one spoils the left limb.

    Args:
        areas_m2: areas, in any order.
        pixel_m2: areas are multiples of this, so neighbours one pixel apart leave no gap.

    Example:
        >>> find_gap([0.2, 275.0, 276.0, 279.0, 290.0, 301.0, 330.0, 410.0, 700.0, 1200.0]).n_below
        1
        >>> find_gap([263.7, 387.0, 387.3, 392.8, 428.2, 470.8, 475.5, 502.2, 545.1]) is None
        True
    """
    areas = np.sort(_as_areas(areas_m2))
    most = min(max(1, int(SLIVER_SHARE * areas.size)), areas.size - 1)
    below, above = areas[:most], areas[1 : most + 1]
    ratio = np.maximum(above - pixel_m2, below) / below
    for index in np.flatnonzero(ratio >= GAP_RATIO)[::-1]:
        k, high = int(index) + 1, float(above[index])
        m = int(np.searchsorted(areas, 2.0 * high, side="right")) - k - 1
        p_value = gap_p_value(k, m, math.log(float(ratio[index])))
        if p_value <= GAP_LEVEL:
            return Gap(below_m2=float(below[index]), above_m2=high, n_below=k, p_value=p_value)
    return None


def read_record(
    areas_m2: ArrayLike,
    *,
    minimum_mapping_area_m2: float | None = None,
    pixel_m2: float | None = None,
) -> AreaRecord:
    """Minimum mapping area, pixels, slivers and equal areas of an inventory.

    The minimum is the given one; else the area above a gap among the smallest; else the smallest.

    Args:
        areas_m2: areas of the landslides, in any order.
        minimum_mapping_area_m2: of the survey, where known.
        pixel_m2: area of a pixel, where known; else it is looked for. 0 says: areas are exact.

    Raises:
        ValueError: no areas, areas that are not finite or not above 0, or none left above the
            given minimum.

    Example:
        >>> areas = np.r_[0.2, 25.0 * np.repeat(np.arange(11, 41), 3)]
        >>> record = read_record(areas)
        >>> record.minimum_mapping_area_m2, record.minimum_from, record.pixel_m2, record.slivers_m2
        (275.0, 'gap', 25.0, (0.2,))
        >>> record.lower_m2, record.n_fit
        (262.5, 90)
    """
    areas = np.sort(_as_areas(areas_m2))
    pixels = find_pixels(areas) if pixel_m2 is None else _given_pixels(areas, pixel_m2)
    step = pixels.area_m2 if pixels is not None else 0.0
    gap = find_gap(areas, pixel_m2=step)
    minimum, rule = _minimum(areas, minimum_mapping_area_m2, gap)
    binned = step if step >= BINS_MATTER * minimum else None
    lower = minimum if binned is None else _lower_edge(minimum, binned, given=rule == "given")
    kept = int(areas.size - np.searchsorted(areas, lower, side="left"))
    if not kept:
        raise ValueError(
            f"areas_m2: found none of {areas.size} above a minimum of {minimum:g} m2 "
            f"(largest {areas[-1]:g}); expected a minimum below them"
        )
    # Many areas share the first pixel bin, and each of them still counts.
    spent = int(rule != "given" and binned is None and kept > 1)
    slivers = () if gap is None else tuple(float(a) for a in areas[: gap.n_below])
    equal = _unexplained_equal(areas, pixels)
    record = AreaRecord(
        n=int(areas.size),
        minimum_mapping_area_m2=minimum,
        minimum_from=rule,
        lower_m2=lower,
        n_fit=kept - spent,
        n_below=int(areas.size) - kept,
        n_spent=spent,
        gap=gap,
        slivers_m2=slivers,
        pixels=pixels,
        pixel_m2=binned,
        n_equal=equal,
    )
    return replace(record, notes=tuple(_in_words(record)))


def _minimum(areas: FloatArray, given: float | None, gap: Gap | None) -> tuple[float, MinimumFrom]:
    if given is not None:
        if not (math.isfinite(given) and given > 0.0):
            raise ValueError(f"minimum_mapping_area_m2: found {given!r}; expected an area above 0")
        return float(given), "given"
    if gap is not None:
        return gap.above_m2, "gap"
    return float(areas[0]), "smallest area"


def _lower_edge(minimum: float, pixel: float, *, given: bool) -> float:
    """Half a pixel below the first bin: of the smallest area, or that reaches a given minimum."""
    count = minimum / pixel
    first = math.ceil(count - TOLERANCE) if given else round(count)
    return (max(1, first) - 0.5) * pixel


def _given_pixels(areas: FloatArray, pixel_m2: float) -> Pixels | None:
    if not (math.isfinite(pixel_m2) and pixel_m2 >= 0.0):
        raise ValueError(f"pixel_m2: found {pixel_m2!r}; expected an area, or 0 for exact areas")
    if pixel_m2 == 0.0:
        return None
    return Pixels(area_m2=float(pixel_m2), share=share_of_multiples(areas, pixel_m2), given=True)


def _unexplained_equal(areas: FloatArray, pixels: Pixels | None) -> int:
    """Areas equal to an earlier one to 1 part in 10^9, less those that are whole pixels."""
    same = np.diff(areas) <= 1e-9 * areas[1:]
    if pixels is not None:
        same &= ~are_multiples(areas[1:], pixels.area_m2)
    return int(np.count_nonzero(same))


def _in_words(record: AreaRecord) -> list[str]:
    words = []
    if record.gap is not None:
        listed = ", ".join(f"{a:.3g}" for a in record.slivers_m2[:5])
        more = f" and {record.gap.n_below - 5} more" if record.gap.n_below > 5 else ""
        one = record.gap.n_below == 1
        words.append(
            f"{record.gap.n_below} sliver{'' if one else 's'} ({listed}{more} m2) below a gap that "
            f"ends at {record.gap.above_m2:.6g} m2 (p = {record.gap.p_value:.1g})"
        )
    if record.pixels is not None:
        treated = "in pixel bins" if record.pixel_m2 else "as exact: pixels are small"
        source = "the given pixel" if record.pixels.given else "one pixel"
        words.append(
            f"{100 * record.pixels.share:.1f} % of the areas are multiples of "
            f"{record.pixels.area_m2:.6g} m2 ({source}); treated {treated}"
        )
    if record.n_equal:
        noun = "area equals" if record.n_equal == 1 else "areas equal"
        words.append(f"{record.n_equal} {noun} an earlier one: possible duplicates, kept")
    if record.n_spent:
        words.append("the smallest area sets the minimum and is not fitted again")
    return words
