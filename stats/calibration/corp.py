r"""CORP: reliability by isotonic regression, and the score parts that follow from it.

Pool-adjacent-violators finds the increasing recalibration of a forecast that scores best on the
cases themselves. Its fit against the forecast is the reliability diagram, without bins to choose;
with S the mean score of the forecast, S_C of its recalibration and S_R of the constant event
frequency,

.. math:: S = \underbrace{(S - S_C)}_{MCB} - \underbrace{(S_R - S_C)}_{DSC} +
          \underbrace{S_R}_{UNC}:

miscalibration (0 or more), discrimination (0 or more), uncertainty. Both the Brier and the log
score are minimised by the same isotonic fit. MCB of a calibrated forecast is small but above 0:
the fit follows the noise of its own cases.

T. Dimitriadis, T. Gneiting & A. I. Jordan (2021), PNAS 118, e2016191118,
doi:10.1073/pnas.2016191118.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special

from stats.case_arrays import (
    FloatArray,
    UndefinedScoreError,
    as_outcome,
    as_probability,
    as_weights,
    require_same_shape,
)

Rule = Literal["brier", "log"]


@dataclass(frozen=True, eq=False)
class Reliability:
    """A reliability diagram without bins.

    Attributes:
        forecast: (point,) distinct forecast probabilities, increasing.
        frequency: (point,) isotonic estimate of the event frequency given the forecast.
        weight: (point,) number of cases, or their weight, at the forecast.
    """

    forecast: FloatArray
    frequency: FloatArray
    weight: FloatArray


@dataclass(frozen=True)
class CorpParts:
    """Mean score and its parts; score = miscalibration - discrimination + uncertainty.

    Attributes:
        rule: "brier" or "log" (nats).
        score: mean score; inf for a log score that was certain and wrong.
        miscalibration: MCB, what recalibration would win.
        discrimination: DSC, what order is worth.
        uncertainty: UNC, score of the event frequency itself (the in-sample value).
        n: number of cases of positive weight.
    """

    rule: Rule
    score: float
    miscalibration: float
    discrimination: float
    uncertainty: float
    n: int


def _isotonic(events: FloatArray, weight: FloatArray) -> FloatArray:
    """Increasing frequencies for groups in order of forecast; groups of weight 0 copy the left."""
    live = weight > 0.0
    fit = np.zeros(weight.size)
    if live.any():
        result = optimize.isotonic_regression(events[live] / weight[live], weights=weight[live])
        place = np.maximum(np.cumsum(live) - 1, 0)
        fit = np.clip(result.x, 0.0, 1.0)[place]
    return fit


def _mean_score(p: FloatArray, events: FloatArray, weight: FloatArray, rule: Rule) -> float:
    """Weighted mean score of groups that share a forecast."""
    if rule == "brier":
        total = np.sum(weight * p**2 - 2.0 * events * p + events)
    else:
        total = -np.sum(special.xlogy(events, p) + special.xlog1py(weight - events, -p))
    return max(float(total / weight.sum()), 0.0)


def _parts(p: FloatArray, events: FloatArray, weight: FloatArray, rule: Rule) -> FloatArray:
    """(4,) score, MCB, DSC, UNC of groups."""
    frequency = np.full(p.shape, np.clip(events.sum() / weight.sum(), 0.0, 1.0))
    score = _mean_score(p, events, weight, rule)
    best = _mean_score(_isotonic(events, weight), events, weight, rule)
    constant = _mean_score(frequency, events, weight, rule)
    return np.array([score, score - best, constant - best, constant])


def _groups(
    probability: ArrayLike, outcome: ArrayLike, weights: ArrayLike | None
) -> tuple[FloatArray, np.ndarray, FloatArray, FloatArray]:
    """Distinct forecasts, group of each case, event weight and weight of each case."""
    p, y = as_probability(probability).reshape(-1), as_outcome(outcome).reshape(-1)
    require_same_shape(probability=p, outcome=y)
    w = as_weights(weights, p.shape)
    if p.size == 0:
        raise UndefinedScoreError("no cases")
    distinct, group = np.unique(p, return_inverse=True)
    return distinct, group.reshape(-1), w * y, w


def reliability(
    probability: ArrayLike, outcome: ArrayLike, *, weights: ArrayLike | None = None
) -> Reliability:
    """Reliability diagram of a probability forecast.

    Args:
        probability: (case,) forecast within [0, 1].
        outcome: (case,) 0 or 1.
        weights: (case,) optional.

    Example:
        >>> reliability([0.1, 0.2, 0.2, 0.9], [0, 1, 0, 1]).frequency
        array([0. , 0.5, 1. ])
    """
    distinct, group, events, w = _groups(probability, outcome, weights)
    event_sum = np.bincount(group, events, distinct.size)
    weight = np.asarray(np.bincount(group, w, distinct.size), dtype=np.float64)
    return Reliability(distinct, _isotonic(np.asarray(event_sum, np.float64), weight), weight)


def corp_parts(
    probability: ArrayLike,
    outcome: ArrayLike,
    *,
    rule: Rule,
    weights: ArrayLike | None = None,
) -> CorpParts:
    """Score, miscalibration, discrimination and uncertainty of a probability forecast.

    Args:
        probability: (case,) forecast within [0, 1].
        outcome: (case,) 0 or 1.
        rule: "brier" or "log".
        weights: (case,) optional.

    Example:
        >>> parts = corp_parts([0.1, 0.2, 0.2, 0.9], [0, 1, 0, 1], rule="brier")
        >>> round(parts.score, 4), round(parts.miscalibration, 4)
        (0.175, 0.05)
        >>> parts.discrimination, parts.uncertainty
        (0.125, 0.25)
    """
    distinct, group, events, w = _groups(probability, outcome, weights)
    event_sum = np.asarray(np.bincount(group, events, distinct.size), np.float64)
    weight = np.asarray(np.bincount(group, w, distinct.size), np.float64)
    score, mcb, dsc, unc = map(float, _parts(distinct, event_sum, weight, rule))
    return CorpParts(rule, score, mcb, dsc, unc, int(np.count_nonzero(w)))


def corp_of_draws(
    probability: ArrayLike,
    outcome: ArrayLike,
    block: ArrayLike,
    multiplicity: ArrayLike,
    *,
    rule: Rule,
) -> FloatArray:
    """(draw, 4) score, MCB, DSC, UNC of block resamples, each with its own isotonic fit.

    Forecasts are sorted once; a draw costs one sum and one isotonic fit. One column of it is a
    statistic for `BlockDraws.interval`. MCB is a minimum over many fits and biased upwards in
    resamples: read its interval as spread.

    Args:
        probability: (case,) forecast within [0, 1].
        outcome: (case,) 0 or 1.
        block: (case,) block numbers from 0.
        multiplicity: (draw, block) how often each block was drawn.
        rule: "brier" or "log".

    Example:
        >>> corp_of_draws([0.2, 0.8], [0, 1], [0, 1], [[1.0, 1.0]], rule="brier").round(3)
        array([[0.04, 0.04, 0.25, 0.25]])
    """
    distinct, group, events, _ = _groups(probability, outcome, None)
    times = np.asarray(multiplicity, dtype=np.float64)
    number = np.asarray(block)
    require_same_shape(probability=group, block=number)
    parts = np.empty((times.shape[0], 4))
    for draw, row in enumerate(times):
        w = row[number]
        event_sum = np.asarray(np.bincount(group, w * events, distinct.size), np.float64)
        weight = np.asarray(np.bincount(group, w, distinct.size), np.float64)
        with np.errstate(invalid="ignore"):
            parts[draw] = _parts(distinct, event_sum, weight, rule)
    return parts


def recalibrated_of_draws(
    probability: ArrayLike, outcome: ArrayLike, block: ArrayLike, multiplicity: ArrayLike
) -> FloatArray:
    """(draw, 2) Brier and log score of the isotonic recalibration in block resamples.

    The same fits as in `corp_of_draws`, several times as fast: whatever the weights, an isotonic
    fit steps up only behind a case without an event and before one with an event, so that cases
    between two such places are summed once for all draws. NaN in a draw without any case.

    Args:
        probability: (case,) forecast within [0, 1]; only its order matters.
        outcome: (case,) 0 or 1.
        block: (case,) block numbers from 0.
        multiplicity: (draw, block) how often each block was drawn.

    Example:
        >>> p, y, b = [0.1, 0.4, 0.4, 0.8], [0, 1, 0, 1], [0, 0, 1, 1]
        >>> recalibrated_of_draws(p, y, b, [[1.0, 1.0], [1.0, 0.0]]).round(4)
        array([[0.125 , 0.3466],
               [0.    , 0.    ]])
    """
    distinct, group, events, weight = _groups(probability, outcome, None)
    times = np.asarray(multiplicity, dtype=np.float64)
    number = np.asarray(block)
    require_same_shape(probability=group, block=number)
    with_event = np.bincount(group, events, distinct.size) > 0.0
    without_event = np.bincount(group, weight - events, distinct.size) > 0.0
    step = np.concatenate([[False], without_event[:-1] & with_event[1:]])
    place = np.cumsum(step)[group] * times.shape[1] + number
    size = (int(step.sum()) + 1, times.shape[1])

    def sums(terms: FloatArray) -> FloatArray:
        found = np.bincount(place, terms, size[0] * size[1]).reshape(size)
        return np.asarray(times @ found.T, dtype=np.float64)

    event_sum, weight_sum = sums(events), sums(weight)
    scores = np.full((times.shape[0], 2), np.nan)
    for draw, (e, w) in enumerate(zip(event_sum, weight_sum, strict=True)):
        live = w > 0.0
        if live.any():
            fit = optimize.isotonic_regression(e[live] / w[live], weights=w[live])
            # A level of the fit is the frequency of its own cases: its score follows from it.
            level = np.clip(fit.x[fit.blocks[:-1]], 0.0, 1.0)
            entropy = special.entr(level) + special.entr(1.0 - level)
            scores[draw] = fit.weights @ np.stack([level * (1.0 - level), entropy], axis=1)
            scores[draw] /= w.sum()
    return scores


@dataclass(frozen=True, eq=False)
class ConsistencyBands:
    """Where the reliability curve of a calibrated forecast would lie, point by point.

    Attributes:
        forecast: (point,) distinct forecasts, increasing.
        low: (point,) lower end.
        high: (point,) upper end.
        level: nominal coverage at each point.
        draws: number of simulated outcomes.
    """

    forecast: FloatArray
    low: FloatArray
    high: FloatArray
    level: float
    draws: int


def consistency_bands(
    probability: ArrayLike, *, draws: int, rng: np.random.Generator, level: float = 0.9
) -> ConsistencyBands:
    """Bands of the reliability curve under calibration, outcomes drawn from the forecast itself.

    Outcomes are drawn independently; where neighbouring cells depend on each other the bands are
    too narrow, and a curve outside them is no proof of miscalibration.

    Args:
        probability: (case,) forecast within [0, 1].
        draws: number of simulated outcomes.
        rng: source of randomness.
        level: coverage at each point.

    Example:
        >>> p = np.repeat([0.2, 0.8], 50)
        >>> bands = consistency_bands(p, draws=200, rng=np.random.default_rng(0))
        >>> bool((bands.low <= [0.2, 0.8]).all() and (bands.high >= [0.2, 0.8]).all())
        True
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"level: found {level}; expected a number between 0 and 1")
    distinct, count = np.unique(as_probability(probability).reshape(-1), return_counts=True)
    events = rng.binomial(count, distinct, size=(draws, distinct.size)).astype(np.float64)
    curves = np.stack([_isotonic(row, count.astype(np.float64)) for row in events])
    tail = 0.5 * (1.0 - level)
    low, high = np.quantile(curves, [tail, 1.0 - tail], axis=0)
    return ConsistencyBands(distinct, low, high, level, draws)
