"""Total area of landslides: what was mapped, and what the process would bring again.

The total area of a complete inventory is a sum, known as well as the polygons are. An interval
makes sense for the expected total of the process that brought it: landslides come as a compound
Poisson process, so in a bootstrap draw each landslide appears a Poisson(1) number of times, which
varies number and areas together. With heavy tails that interval is too short (the largest landslide
that may come is not in the sample): nominal 95 % intervals covered the expectation of planted
Double Pareto processes in 92-95 % of 400 worlds at alpha 2.5, in 74-77 % at alpha 1.4. With alpha
<= 1 the expectation does not exist. Both are said in the result.

Rates per time: `rates`. Volumes: `volume`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import FloatArray, as_finite
from stats.resampling.interval import Interval, interval_of_draws

Counting = Literal["poisson", "fixed"]
# Cells of one table of bootstrap weights.
BLOCK = 5_000_000


@dataclass(frozen=True)
class TotalArea:
    """Area of all landslides of an inventory.

    Attributes:
        total_m2: sum of the mapped areas.
        n: number of landslides.
        largest_share: share of the largest landslide in the total.
        expected_m2: interval of the expected total of the process; its value is `total_m2`.
        counting: whether the number of landslides varied in the draws.
        notes: why the interval may be too short, empty where nothing is known against it.
    """

    total_m2: float
    n: int
    largest_share: float
    expected_m2: Interval
    counting: Counting
    notes: tuple[str, ...]


def mapped_areas(areas_m2: ArrayLike, minimum: int) -> FloatArray:
    """Areas as a vector of float64, at least `minimum` of them, all above 0.

    Example:
        >>> mapped_areas([4, 0], 1)
        Traceback (most recent call last):
        ValueError: areas_m2: found a smallest area of 0; expected above 0
    """
    areas = as_finite("areas_m2", areas_m2)
    if areas.ndim != 1 or areas.size < minimum:
        raise ValueError(
            f"areas_m2: found shape {areas.shape}; expected one dimension of {minimum} or more"
        )
    if areas.size and areas.min() <= 0.0:
        raise ValueError(f"areas_m2: found a smallest area of {areas.min():g}; expected above 0")
    return areas


def total_draws(
    areas: FloatArray, draws: int, counting: Counting, rng: np.random.Generator
) -> FloatArray:
    """Totals of bootstrap inventories; exactly compound Poisson where the number varies.

    Args:
        areas: (n,) areas.
        draws: number of inventories.
        counting: whether the number of landslides varies ("poisson") or not ("fixed").
        rng: source of the draws.

    Returns:
        (draw,) totals.

    Example:
        >>> total_draws(np.array([2.0, 2.0]), 3, "fixed", np.random.default_rng(0))
        array([4., 4., 4.])
    """
    totals = np.empty(draws)
    step = max(1, BLOCK // areas.size)
    share = np.full(areas.size, 1.0 / areas.size)
    for low in range(0, draws, step):
        rows = min(step, draws - low)
        if counting == "poisson":
            weights = rng.poisson(1.0, (rows, areas.size))
        else:
            weights = rng.multinomial(areas.size, share, rows)
        totals[low : low + rows] = weights @ areas
    return totals


def total_area(
    areas_m2: ArrayLike,
    *,
    rng: np.random.Generator,
    draws: int = 2000,
    level: float = 0.95,
    counting: Counting = "poisson",
    tail_alpha: float | None = None,
) -> TotalArea:
    """Total area, with a bootstrap interval of its expectation.

    Args:
        areas_m2: (n,) areas, at least two.
        rng: source of the draws.
        draws: number of bootstrap inventories.
        level: nominal coverage.
        counting: "poisson" lets the number of landslides vary, "fixed" keeps it.
        tail_alpha: exponent of the cumulative tail, if fitted; says whether a mean and a variance
            exist.

    Raises:
        ValueError: fewer than two areas, or one not above 0.

    Example:
        >>> found = total_area([100.0, 200.0, 700.0], rng=np.random.default_rng(0))
        >>> found.total_m2, found.largest_share
        (1000.0, 0.7)
    """
    areas = mapped_areas(areas_m2, 2)
    total = float(areas.sum())
    notes = []
    if tail_alpha is not None and tail_alpha <= 1.0:
        notes.append(
            f"alpha {tail_alpha:.2f} <= 1: the law has no mean, the interval says only how much "
            "these landslides vary"
        )
    elif tail_alpha is not None and tail_alpha <= 2.0:
        notes.append(
            f"alpha {tail_alpha:.2f} <= 2: the law has no variance, the interval is too short "
            "(at alpha 1.4 nominal 95 % cover about 75 %)"
        )
    interval = interval_of_draws(
        total,
        total_draws(areas, draws, counting, rng),
        n=areas.size,
        unit="landslide",
        level=level,
        method="percentile",
    )
    share = float(areas.max()) / total
    return TotalArea(total, areas.size, share, interval, counting, tuple(notes))
