"""Miscalibration, discrimination and uncertainty of the proper scores, with block intervals.

Every draw needs an isotonic fit of its own, so that fewer draws are made than of other scores. A
fit gains more from a resample than from the cells themselves: cells that are drawn twice are
followed twice. The draws are therefore moved so that their mean is the value on all cells.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hazard.evaluate.resample import BlockTable, Estimate
from stats.calibration.corp import Rule, recalibrated_of_draws
from stats.case_arrays import BoolArray, FloatArray, IntArray
from stats.resampling.block_bootstrap import mean_of

RULES: tuple[Rule, ...] = ("brier", "log")
NO_INTERVAL = "no interval is made: the score is infinite"


def corp_estimates(
    scores: Mapping[Rule, Mapping[str, Estimate]],
    probability: FloatArray,
    outcome: BoolArray,
    block: IntArray,
    table: BlockTable,
    *,
    draws: int,
) -> dict[tuple[Rule, str, str], Estimate]:
    """Parts of mean scores: score = miscalibration - discrimination + uncertainty.

    Args:
        scores: by rule and correction, the mean scores; a shift of all log-odds leaves the order
            of the forecasts, and with it discrimination and uncertainty, as they are.
        probability: (case,) forecast.
        outcome: (case,) whether it came true.
        block: (case,) block of each case.
        table: resamples.
        draws: how many of them are used.

    Returns:
        By rule, correction and name of the part.
    """
    times = table.multiplicity[: 1 + draws]
    recalibrated = recalibrated_of_draws(probability, outcome, block, times)
    rate = mean_of(outcome.astype(np.float64), block)(times)
    note = f"interval from {times.shape[0] - 1} draws, centred on the value"
    found: dict[tuple[Rule, str, str], Estimate] = {}
    for number, rule in enumerate(RULES):
        best, constant = recalibrated[:, number], _of_constant(rate, rule)
        for correction, score in scores.get(rule, {}).items():
            drawn = np.full(0, np.nan) if score.draws is None else score.draws
            mean = np.concatenate([[score.value], drawn])[: times.shape[0]]
            parts = {"discrimination": constant - best, "uncertainty": constant}
            if mean.size == best.size:
                with np.errstate(invalid="ignore"):
                    parts["miscalibration"] = mean - best
            else:
                parts["miscalibration"] = np.array([score.value - best[0]])
            for part, values in parts.items():
                found[rule, correction, part] = _centred(values, block, table, note)
    return found


def _of_constant(rate: FloatArray, rule: Rule) -> FloatArray:
    """(draw,) score of the constant forecast at the rate of the very cases."""
    if rule == "brier":
        return rate * (1.0 - rate)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -rate * np.log(rate) - (1.0 - rate) * np.log1p(-rate)
    return np.where((rate > 0.0) & (rate < 1.0), entropy, np.where(np.isnan(rate), rate, 0.0))


def _centred(values: FloatArray, block: IntArray, table: BlockTable, note: str) -> Estimate:
    """Draws moved onto the value; no part is below 0."""
    estimate = table.of_values(values, block)
    live = values[1:][~np.isnan(values[1:])]
    if not np.isfinite(estimate.value) or not np.isfinite(live).all():
        return Estimate(value=estimate.value, n=estimate.n, note=NO_INTERVAL)
    if not live.size:
        return Estimate(value=estimate.value, n=estimate.n, note="no interval is made")
    moved = np.maximum(values[1:] - live.mean() + estimate.value, 0.0)
    return Estimate(
        value=max(estimate.value, 0.0), draws=moved, n=estimate.n, n_blocks=estimate.n_blocks,
        note=note,
    )  # fmt: skip
