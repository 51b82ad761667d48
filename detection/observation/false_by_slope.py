r"""False alarms by slope as they were counted, beside what the fitted function expects.

False alarms crowd: a field or a snow patch gives many. With :math:`K_b` false alarms on the ground
:math:`G_b` of block b and the rate :math:`r = \sum K_b / \sum G_b`, their counts vary by

.. math:: \varphi = \frac{B}{B - 1} \frac{\sum_b (K_b - r G_b)^2}{\sum_b K_b}

times as much as Poisson counts (at least 1; the variance of a ratio estimator, Cochran 1977,
Sampling Techniques, chapter 6). Intervals are exact Poisson ones of counts divided by
:math:`\varphi`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from detection.observation.calibration import SLOPE_EDGES_DEG, Calibration
from detection.observation.emulate import class_slopes_deg
from detection.observation.model import ObservationModel
from stats.case_arrays import FloatArray
from stats.sizes.rates import number_rate

LEVEL = 0.95
# An interval of almost no ground says nothing.
LEAST_SHARE = 0.02


@dataclass(frozen=True, kw_only=True)
class SlopeRate:
    """False alarms of a class of slope.

    Attributes:
        low_deg: lower end of the class.
        high_deg: upper end.
        middle_deg: slope that stands for the class.
        ground_km2: ground of the class that was looked at.
        share: of all the ground [-].
        count: false alarms on it.
        rate: false alarms per km2.
        low: lower end of its interval.
        high: upper end.
        expected: rate by the fitted function [1/km2].
    """

    low_deg: float
    high_deg: float
    middle_deg: float
    ground_km2: float
    share: float
    count: int
    rate: float
    low: float
    high: float
    expected: float


def false_by_slope(
    found: Calibration, model: ObservationModel, *, level: float = LEVEL
) -> tuple[SlopeRate, ...]:
    """Rates of all classes of slope of which some ground was looked at.

    Args:
        found: what blocks tell.
        model: detection error, of these blocks or of others.
        level: nominal coverage of the intervals.
    """
    counts, middle_deg = found.false_counts, class_slopes_deg()
    expected = model.false_rate_per_km2(middle_deg)
    whole = float(found.ground_km2.sum())
    rates = []
    for k, (low_deg, high_deg) in enumerate(pairwise(SLOPE_EDGES_DEG)):
        ground = found.ground_km2[:, k]
        if not ground.sum() > 0.0:
            continue
        rate = number_rate(
            float(counts[:, k].sum()), 1.0, region_km2=float(ground.sum()),
            dispersion=overdispersion(counts[:, k], ground), level=level,
        )  # fmt: skip
        rates.append(
            SlopeRate(
                low_deg=low_deg, high_deg=high_deg, middle_deg=float(middle_deg[k]),
                ground_km2=float(ground.sum()), share=float(ground.sum()) / whole,
                count=int(counts[:, k].sum()), rate=rate.value, low=rate.low, high=rate.high,
                expected=float(expected[k]),
            )
        )  # fmt: skip
    return tuple(rates)


def overdispersion(counts: FloatArray, ground_km2: FloatArray) -> float:
    """Variance of the sum of counts of blocks over that of a Poisson count, at least 1.

    Args:
        counts: (block,) false alarms.
        ground_km2: (block,) ground that was looked at; blocks without any are left out.

    Example:
        >>> import numpy as np
        >>> ground = np.full(4, 2.0)
        >>> overdispersion(np.array([3.0, 2.0, 4.0, 3.0]), ground)
        1.0
        >>> overdispersion(np.array([0.0, 12.0, 0.0, 0.0]), ground)
        12.0
    """
    used = ground_km2 > 0.0
    k, g = counts[used], ground_km2[used]
    if k.size < 2 or not k.sum() > 0.0:
        return 1.0
    residual = k - k.sum() / g.sum() * g
    return float(max(1.0, k.size / (k.size - 1) * (residual**2).sum() / k.sum()))


def departures(found: Calibration | None, model: ObservationModel) -> tuple[str, ...]:
    """In words, where false alarms of blocks that did not calibrate are not as expected by slope.

    Where the function holds, any class is named by chance in about 5 % of cases (Bonferroni), the
    uncertainty of the function left aside.

    Args:
        found: what those blocks tell; None where there are none.
        model: detection error of other blocks.
    """
    if found is None or not found.with_terrain:
        return ()
    classes = len(SLOPE_EDGES_DEG) - 1
    rates = false_by_slope(found, model, level=1.0 - (1.0 - LEVEL) / classes)
    wrong = [r for r in rates if r.share > LEAST_SHARE and not r.low <= r.expected <= r.high]
    if not wrong:
        return ()
    listed = "; ".join(
        f"{_class_name(r)} {r.rate:.1f} ({r.low:.1f} to {r.high:.1f}), expected {r.expected:.1f}"
        for r in wrong
    )
    return (
        "the function of slope does not describe false alarms on ground that did not calibrate "
        f"[1/km2]: {listed}; what is expected of a cell is off by as much",
    )


def slope_rows(rates: Sequence[SlopeRate]) -> list[list[str | int]]:
    """Rows of a table: slope, ground, false alarms, expected rate, rate with its interval."""
    return [
        [_class_name(r), f"{r.ground_km2:.1f}", r.count, f"{r.expected:.1f}",
         f"{r.rate:.1f} ({r.low:.1f} to {r.high:.1f})"]
        for r in rates
    ]  # fmt: skip


def _class_name(rate: SlopeRate) -> str:
    return f"{rate.low_deg:.0f} to {rate.high_deg:.0f} deg"
