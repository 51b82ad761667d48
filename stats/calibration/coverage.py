r"""Coverage and width of central intervals, by stratum, beside what closed intervals imply.

A central interval [Q(a/2), Q(1 - a/2)] of a law with an atom at zero holds more than 1 - a: where
it begins at zero it holds all of the mass there. With P(0) near 0.85 the 50 percent interval of
most cells is [0, 0]. A coverage above the level is then no fault, and one at the level would be.
Three figures per case and level, all addable, keep that apart:

- covered: whether the closed interval holds the value;
- implied: what the forecast itself gives the closed interval, F(high) - F(low-);
- exact: the chance that the randomised transform lies within a/2 and 1 - a/2, which is 1 - a for a
  right forecast, whatever its atoms.

covered - implied is the fault; implied - level the over-coverage that comes with closing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from stats.aggregate import Label, LabelledSums, sum_by
from stats.calibration.pit import pit_terms
from stats.case_arrays import FloatArray, IntArray
from stats.laws.predictive import PredictiveLaw, observed

PARTS = ("covered", "implied", "exact", "below", "above", "width")


def coverage_terms(law: PredictiveLaw, value: ArrayLike, *, level: float) -> dict[str, FloatArray]:
    """Addable terms of one central interval per case.

    Args:
        law: (case,) predictive laws; for the law given presence its positive law on cases with
            presence.
        value: (case,) observed values.
        level: nominal coverage.

    Returns:
        (case,) arrays by name: ``covered``, ``implied``, ``exact``, ``below`` and ``above`` (the
        value lies outside on that side), ``width`` in the unit of the value.

    Example:
        >>> from stats.laws.hurdle import hurdle_lognormal
        >>> law = hurdle_lognormal([0.2, 0.2], [0.0, 0.0], [1.0, 1.0], upper=np.inf)
        >>> terms = coverage_terms(law, [0.0, 9.0], level=0.8)
        >>> terms["covered"], terms["implied"].round(3), terms["exact"].round(3)
        (array([1., 0.]), array([0.9, 0.9]), array([0.875, 0.   ]))
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"level: found {level}; expected a number between 0 and 1")
    y, tail = observed(law, value), 0.5 * (1.0 - level)
    low, high = law.quantile(tail), law.quantile(1.0 - tail)
    implied = law.cdf(high) - law.cdf(low) + law.mass(low)
    at_ends = pit_terms(law, y, [tail, 1.0 - tail])
    return {
        "covered": ((low <= y) & (y <= high)).astype(np.float64),
        "implied": np.clip(implied, 0.0, 1.0),
        "exact": (at_ends[:, 1] - at_ends[:, 0]).reshape(y.shape),
        "below": (y < low).astype(np.float64),
        "above": (y > high).astype(np.float64),
        "width": high - low,
    }


@dataclass(frozen=True)
class CoverageRow:
    """Coverage of one stratum at one level.

    Attributes:
        labels: stratum, by name of label.
        level: nominal coverage.
        n: cases.
        covered: share within the closed interval.
        implied: what the forecast gives the closed interval.
        exact: share of randomised transforms within the central range; `level` where right.
        below: share below the interval.
        above: share above it.
        width: mean width, in the unit of the value.
    """

    labels: dict[str, Label]
    level: float
    n: int
    covered: float
    implied: float
    exact: float
    below: float
    above: float
    width: float

    @property
    def fault(self) -> float:
        """Coverage of the closed interval less what the forecast gives it."""
        return self.covered - self.implied

    @property
    def closed_excess(self) -> float:
        """Over-coverage that comes with closing the interval: no fault of the forecast."""
        return self.implied - self.level


def coverage_sums(
    law: PredictiveLaw,
    value: ArrayLike,
    labels: Mapping[str, ArrayLike | Label],
    *,
    levels: Sequence[float] = (0.5, 0.8, 0.95),
) -> LabelledSums:
    """Sums of coverage terms by stratum and level; sums of chunks add up.

    Args:
        law: (case,) predictive laws.
        value: (case,) observed values.
        labels: name to (case,) labels, such as epoch, slope class, decile of predicted density.
        levels: nominal coverages.

    Example:
        >>> from stats.laws.hurdle import hurdle_lognormal
        >>> law = hurdle_lognormal([0.2, 0.2], [0.0, 0.0], [1.0, 1.0])
        >>> coverage_sums(law, [0.0, 9.0], {"epoch": [1, 2]}, levels=[0.8]).keys
        ((1, 0.8), (2, 0.8))
    """
    sums: LabelledSums | None = None
    for level in levels:
        terms = {k: v.reshape(-1) for k, v in coverage_terms(law, value, level=level).items()}
        part = sum_by(terms, {**labels, "level": float(level)})
        sums = part if sums is None else sums + part
    if sums is None:
        raise ValueError("levels: none given")
    return sums


def coverage_rows(sums: LabelledSums) -> list[CoverageRow]:
    """One row per stratum and level.

    Example:
        >>> from stats.laws.hurdle import hurdle_lognormal
        >>> law = hurdle_lognormal([0.2, 0.2], [0.0, 0.0], [1.0, 1.0], upper=np.inf)
        >>> (row,) = coverage_rows(coverage_sums(law, [0.0, 9.0], {}, levels=[0.8]))
        >>> row.covered, round(row.implied, 3), round(row.closed_excess, 3), round(row.fault, 3)
        (0.5, 0.9, 0.1, -0.4)
    """
    rows = []
    for key, n, mean in zip(sums.keys, sums.n, sums.means(), strict=True):
        labels = dict(zip(sums.names, key, strict=True))
        level = float(labels.pop("level"))
        figures = dict(zip(sums.terms, map(float, mean), strict=True))
        rows.append(CoverageRow(labels, level, int(n), **figures))
    return rows


def strata_of(values: ArrayLike, count: int = 10) -> IntArray:
    """(case,) number of the quantile class of each value, from 0; ties stay together.

    Example:
        >>> strata_of([0.0, 0.0, 0.0, 1.0, 2.0, 3.0], 3)
        array([0, 0, 0, 1, 2, 2])
    """
    v = np.asarray(values, dtype=np.float64).reshape(-1)
    if count < 1 or not v.size:
        raise ValueError(f"found {v.size} values and {count} classes; expected 1 or more of each")
    cuts = np.unique(np.quantile(v, np.arange(1, count) / count))
    return np.searchsorted(cuts, v, side="left").astype(np.int64)
