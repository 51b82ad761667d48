r"""Corrections of the event rate: class weights, balanced samples, and the mean of an epoch.

All three shift the log-odds by a constant, so they leave the order of cases alone.

- Weighted cross-entropy with weights w+ and w- learns odds that are w+/w- times too large; dividing
  by that ratio is exact. Focal and Tversky losses have no such correction: recalibrate them.
- Training on a sample with event rate r' for a population with rate r changes the odds by
  r'/(1 - r') over r/(1 - r).
- The correction of the epoch mean shifts a forecast until its mean equals the observed rate. It
  uses the outcome that is scored, so it is a diagnostic and no forecast: it tells luck or season
  (the rate) from skill (the order and the spread).

M. Saerens, P. Latinne & C. Decaestecker (2002), Neural Computation 14, 21-41,
doi:10.1162/089976602753284446.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special

from stats.case_arrays import FloatArray, UndefinedScoreError, as_probability, as_weights


def shift_log_odds(probability: ArrayLike, shift: float) -> FloatArray:
    """(case,) expit(logit p + shift), computed so that small and large p keep their digits.

    Exact 0 and 1 stay what they are.

    Example:
        >>> shift_log_odds([0.0, 0.5, 1.0], math.log(3.0))
        array([0.  , 0.75, 1.  ])
    """
    p = as_probability(probability)
    if not math.isfinite(shift):
        raise ValueError(f"shift: found {shift}; expected a finite number")
    # Multiply the larger side down, never up: no overflow for large shifts.
    up, down = math.exp(min(shift, 0.0)), math.exp(-max(shift, 0.0))
    event, none = up * p, down * (1.0 - p)
    total = event + none
    return np.where(total > 0.0, event / np.where(total > 0.0, total, 1.0), p)


def undo_class_weights(
    probability: ArrayLike, *, event_weight: float, other_weight: float = 1.0
) -> FloatArray:
    """(case,) probability of a model trained by weighted cross-entropy, weights undone.

    Args:
        probability: (case,) forecast of the model.
        event_weight: weight of cases with the event in the loss.
        other_weight: weight of cases without.

    Example:
        >>> undo_class_weights([0.5], event_weight=4.0)
        array([0.2])
    """
    if not (event_weight > 0.0 and other_weight > 0.0):
        raise ValueError(f"weights {event_weight} and {other_weight}; expected both above 0")
    return shift_log_odds(probability, math.log(other_weight) - math.log(event_weight))


def correct_prior(
    probability: ArrayLike, *, sample_rate: float, population_rate: float
) -> FloatArray:
    """(case,) probability moved from the event rate of a sample to that of the population.

    Args:
        probability: (case,) forecast of a model trained on the sample.
        sample_rate: event rate of the (balanced) training sample.
        population_rate: event rate of the training population before balancing.

    Example:
        >>> correct_prior([0.5], sample_rate=0.5, population_rate=0.1).round(6)
        array([0.1])
    """
    for name, rate in (("sample_rate", sample_rate), ("population_rate", population_rate)):
        if not 0.0 < rate < 1.0:
            raise ValueError(f"{name}: found {rate}; expected a number between 0 and 1")
    shift = float(special.logit(population_rate) - special.logit(sample_rate))
    return shift_log_odds(probability, shift)


@dataclass(frozen=True, eq=False)
class MeanCorrection:
    """A forecast whose mean was made equal to a rate.

    Attributes:
        probability: (case,) shifted forecast.
        shift: shift of the log-odds; exp(shift) is the factor on the odds.
    """

    probability: FloatArray
    shift: float


def correct_mean(
    probability: ArrayLike, rate: float, *, weights: ArrayLike | None = None
) -> MeanCorrection:
    """Shift the log-odds until the mean probability equals `rate`.

    Args:
        probability: (case,) forecast; exact 0 and 1 cannot move.
        rate: wanted weighted mean, such as the observed event rate of the epoch.
        weights: (case,) optional.

    Raises:
        UndefinedScoreError: no shift reaches the rate (it is 0 or 1, or exact zeros and ones of
            the forecast stand in the way).

    Example:
        >>> result = correct_mean([0.1, 0.3], 0.4)
        >>> round(float(result.probability.mean()), 12), round(result.shift, 4)
        (0.4, 1.0697)
    """
    p = as_probability(probability)
    w = as_weights(weights, p.shape)
    share = w / w.sum()
    floor, ceiling = float(share[p == 1.0].sum()), 1.0 - float(share[p == 0.0].sum())
    if not floor < rate < ceiling:
        raise UndefinedScoreError(
            f"no shift brings the mean to {rate:g}; it can lie between {floor:g} and {ceiling:g}"
        )

    def excess(shift: float) -> float:
        return float(np.sum(share * shift_log_odds(p, shift))) - rate

    reach = 1.0
    while excess(-reach) > 0.0 or excess(reach) < 0.0:
        reach *= 2.0
        if reach > 1e4:
            raise UndefinedScoreError(f"no finite shift brings the mean to {rate:g}")
    shift = float(optimize.brentq(excess, -reach, reach, xtol=1e-13, rtol=1e-14))
    return MeanCorrection(shift_log_odds(p, shift), shift)
