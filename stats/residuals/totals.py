"""Observed totals and counts per epoch beside what the forecast's own law says of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stats.case_arrays import FloatArray, IntArray
from stats.residuals.cases import ForecastCases

# Sums are cheap: as many as tell a p-value below 0.05 / 10 apart.
LEAST_TOTALS = 799


@dataclass(frozen=True, kw_only=True)
class TotalRow:
    """Observed total and count of an epoch beside what the forecast says of them.

    Attributes:
        epoch: which.
        what: "total" (sum of values) or "count" (of cases above 0).
        observed: what came.
        expected: mean of the forecast.
        low: lower end of the forecast's interval, cases independent.
        high: upper end.
        p_value: two-sided tail of the observed among simulated ones.
    """

    epoch: Any
    what: str
    observed: float
    expected: float
    low: float
    high: float
    p_value: float


def total_rows(
    cases: ForecastCases, *, rng: np.random.Generator, draws: int, level: float
) -> tuple[TotalRow, ...]:
    """Two rows per epoch.

    Args:
        cases: forecasts and what came.
        rng: source of randomness.
        draws: simulated outcomes of all cases, 799 at least.
        level: coverage of the intervals.
    """
    draws = max(draws, LEAST_TOTALS)
    epochs = cases.epochs
    number = np.zeros(cases.n, dtype=np.int64)
    for place, epoch in enumerate(epochs):
        number[cases.epoch == epoch] = place
    drawn = np.stack([_sums(cases.law.sample(rng), number, len(epochs)) for _ in range(draws)])
    seen = _sums(cases.value, number, len(epochs))
    mean = (cases.law.mean(), cases.law.probability)
    tail = 0.5 * (1.0 - level)
    rows = []
    for place, epoch in enumerate(epochs):
        for kind, what in enumerate(("total", "count")):
            sums, came = drawn[:, kind, place], float(seen[kind, place])
            low, high = np.quantile(sums, [tail, 1.0 - tail])
            least = min(np.count_nonzero(sums >= came), np.count_nonzero(sums <= came))
            rows.append(
                TotalRow(
                    epoch=epoch, what=what, observed=came,
                    expected=float(mean[kind][number == place].sum()), low=float(low),
                    high=float(high), p_value=min(1.0, 2.0 * (least + 1.0) / (draws + 1.0)),
                )
            )  # fmt: skip
    return tuple(rows)


def _sums(values: FloatArray, number: IntArray, epochs: int) -> FloatArray:
    """(2, epoch) sums of values, and counts of those above 0."""
    return np.stack(
        [np.bincount(number, values, epochs), np.bincount(number, values > 0.0, epochs)]
    )
