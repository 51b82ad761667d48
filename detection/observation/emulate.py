"""A detector in numbers: which landslides it finds, how large they come out, split and merged.

The emulator is what carries the error on: inventories simulated from a law pass through it, and
what comes out is compared with what was detected. It knows no geometry: landslides are a sequence,
as a survey meets them, and those that merge merge with their neighbours in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from detection.observation.calibration import SLOPE_EDGES_DEG, evenness
from detection.observation.model import false_rate_of, recall_of, size_coordinate
from stats.case_arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, eq=False, kw_only=True)
class Detected:
    """What a detector makes of true landslides.

    Attributes:
        area_m2: (object,) areas of the detected outlines, in the order of the survey.
        source: (object,) index of the (first) true landslide behind each.
        found: (n,) true landslides that were found.
        outlines: (n,) detected outlines in the group of each.
        members: (n,) true landslides in its group.
        ln_ratio: (n,) ln of detected over true area of its group; NaN where missed.
        evenness: (n,) of its outlines, as in `calibration.evenness`; NaN where not split.
    """

    area_m2: FloatArray
    source: IntArray
    found: BoolArray
    outlines: IntArray
    members: IntArray
    ln_ratio: FloatArray
    evenness: FloatArray


def emulate(
    values: Mapping[str, float],
    areas_m2: ArrayLike,
    slope_deg: ArrayLike,
    *,
    minimum_m2: float,
    rng: np.random.Generator,
) -> Detected:
    """Detect true landslides.

    Args:
        values: parameters by name, as `ObservationModel.named` gives them.
        areas_m2: (n,) true areas in the order of the survey.
        slope_deg: (n,) slopes.
        minimum_m2: outlines below it are not reported.
        rng: of everything.

    Example:
        >>> sure = dict.fromkeys(("recall_area", "recall_slope", "split_area", "merge_area",
        ...     "ratio_0", "ratio_area"), 0.0) | {"recall_0": 50.0, "split_0": -50.0,
        ...     "merge_0": -50.0, "ratio_sd": 1e-9, "fragments": 2.0, "members": 2.0,
        ...     "concentration": 1.0}
        >>> seen = emulate(sure, [500.0, 2000.0], [30.0, 30.0], minimum_m2=100.0,
        ...     rng=np.random.default_rng(0))
        >>> seen.area_m2.round(3).tolist()
        [500.0, 2000.0]
    """
    area = np.asarray(areas_m2, dtype=np.float64)
    x = size_coordinate(area)
    n = area.size
    found = rng.random(n) < recall_of(values, area, slope_deg, minimum_m2)
    mapped = area * np.exp(_outline_error(values, area, x, minimum_m2, rng))
    tied = found & (rng.random(n) < special.expit(values["merge_0"] + values["merge_area"] * x))
    group = _merged(tied, values["members"], rng)
    # One outline per group of found landslides, at the place of its first member.
    kept = np.flatnonzero(found)
    first, label = np.unique(group[kept], return_inverse=True)
    whole: FloatArray = np.bincount(label, mapped[kept], first.size).astype(np.float64)
    true = np.bincount(label, area[kept], first.size)
    size = np.bincount(label, minlength=first.size)
    p = special.expit(values["split_0"] + values["split_area"] * size_coordinate(area[first]))
    breaks = (size == 1) & (rng.random(first.size) < p)
    outline, owner = _split(whole, breaks, values, minimum_m2, rng)
    outlines = np.bincount(owner, minlength=first.size)
    total = np.bincount(owner, outline, first.size)
    even = evenness(outline, owner, first.size, minimum_m2)

    def of_landslides(per_group: FloatArray | IntArray, missing: float) -> FloatArray:
        out = np.full(n, missing)
        out[kept] = per_group[label]
        return out

    return Detected(
        area_m2=outline,
        source=first[owner].astype(np.int64),
        found=found,
        outlines=of_landslides(outlines, 0.0).astype(np.int64),
        members=of_landslides(size, 1.0).astype(np.int64),
        ln_ratio=of_landslides(np.log(total / true), np.nan),
        evenness=of_landslides(even, np.nan),
    )


def _outline_error(
    values: Mapping[str, float],
    area: FloatArray,
    x: FloatArray,
    minimum_m2: float,
    rng: np.random.Generator,
) -> FloatArray:
    """Normal ln ratios, such that no found landslide falls below the minimum."""
    mean, sd = values["ratio_0"] + values["ratio_area"] * x, values["ratio_sd"]
    below = special.ndtr((np.log(minimum_m2 / area) - mean) / sd)
    # A landslide that could only be drawn below the minimum is drawn at it.
    u = np.minimum(below + (1.0 - below) * rng.random(area.size), 1.0 - 1e-12)
    return np.maximum(mean + sd * special.ndtri(u), np.log(minimum_m2 / area))


def _merged(tied: BoolArray, members: float, rng: np.random.Generator) -> IntArray:
    """(n,) index of the first landslide of the group of each."""
    group = np.arange(tied.size)
    index = np.flatnonzero(tied)
    if index.size < 2:
        return group
    sizes = 2 + rng.poisson(max(members - 2.0, 0.0), index.size)
    start = np.concatenate([[0], np.cumsum(sizes)])
    chunk = np.searchsorted(start, np.arange(index.size), side="right") - 1
    group[index] = index[start[chunk]]
    return group


def _split(
    whole: FloatArray,
    breaks: BoolArray,
    values: Mapping[str, float],
    minimum_m2: float,
    rng: np.random.Generator,
) -> tuple[FloatArray, IntArray]:
    """Outlines and the group that each belongs to; every fragment is large enough to be seen."""
    pieces = np.ones(whole.size, dtype=np.int64)
    many = max(values["fragments"] - 2.0, 0.0)
    pieces[breaks] = 2 + rng.poisson(many, int(breaks.sum()))
    # As many fragments as the minimum leaves room for.
    pieces = np.maximum(np.minimum(pieces, np.floor(whole / minimum_m2).astype(np.int64)), 1)
    owner = np.repeat(np.arange(whole.size), pieces)
    share = rng.gamma(values["concentration"], size=owner.size) + 1e-300
    share /= np.bincount(owner, share, whole.size)[owner]
    # Each fragment has the minimum; the excess is shared out.
    least = np.where(pieces > 1, minimum_m2, 0.0)
    return least[owner] + share * (whole - pieces * least)[owner], owner


def class_slopes_deg() -> FloatArray:
    """Slope that stands for each class of `SLOPE_EDGES_DEG`.

    Example:
        >>> class_slopes_deg().tolist()
        [5.0, 15.0, 25.0, 35.0, 45.0]
    """
    edges = np.minimum(np.asarray(SLOPE_EDGES_DEG), 50.0)
    return np.asarray(0.5 * (edges[:-1] + edges[1:]))


def false_alarms(
    values: Mapping[str, float],
    ground_km2: ArrayLike,
    *,
    minimum_m2: float,
    rng: np.random.Generator,
) -> FloatArray:
    """Areas of the false alarms on some ground.

    Args:
        values: parameters by name.
        ground_km2: (class,) ground by slope class.
        minimum_m2: smallest outline reported.
        rng: of number and areas.

    Example:
        >>> values = {"false_0": 0.0, "false_slope": 0.0, "false_shape": 1.0, "false_scale": 1.0}
        >>> areas = false_alarms(values, [100.0, 0, 0, 0, 0], minimum_m2=200.0,
        ...     rng=np.random.default_rng(0))
        >>> 70 < areas.size < 130, bool(areas.min() >= 200.0)
        (True, True)
    """
    expected = float((np.asarray(ground_km2) * false_rate_of(values, class_slopes_deg())).sum())
    n = int(rng.poisson(expected))
    return minimum_m2 * np.exp(rng.gamma(values["false_shape"], values["false_scale"], n))
