r"""The logarithmic score, of a probability and of a hurdle law. In nats, smaller is better.

A forecast of exactly 0 or 1 that turns out wrong scores infinity, as it should: nothing here clips.
Who wants a finite score for counts (climatology of few epochs, persistence) smooths the forecast
first, by name, with `laplace_probability`, and says so beside the figure.

The score of a hurdle law is a density against counting measure at 0 and length above it, in units
of 1 per percent: two hurdle forecasts can be compared with each other, not with a Bernoulli score.

I. J. Good (1952), Journal of the Royal Statistical Society B 14, 107-114.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import (
    FloatArray,
    as_nonnegative,
    as_outcome,
    as_probability,
    require_same_shape,
)
from stats.laws.hurdle import Hurdle
from stats.laws.predictive import PredictiveLaw, observed


def log_terms(probability: ArrayLike, outcome: ArrayLike) -> FloatArray:
    """(case,) -ln p where the outcome is 1, -ln(1 - p) where it is 0; inf where certain and wrong.

    Example:
        >>> log_terms([0.5, 0.0, 0.0], [1, 0, 1]).round(4)
        array([0.6931, 0.    ,    inf])
    """
    p, y = as_probability(probability), as_outcome(outcome)
    require_same_shape(probability=p, outcome=y)
    with np.errstate(divide="ignore"):
        return 0.0 - np.where(y, np.log(p), np.log1p(-p))


def laplace_probability(
    events: ArrayLike, trials: ArrayLike, *, pseudo_count: float = 1.0
) -> FloatArray:
    """Smoothed frequency (events + a) / (trials + 2 a), strictly between 0 and 1.

    Args:
        events: number of events, such as past epochs with a landslide in the cell.
        trials: number of trials, such as past epochs observed.
        pseudo_count: a, above 0; 1 is Laplace's rule, 0.5 Jeffreys'.

    Raises:
        ValueError: more events than trials, or `pseudo_count` not above 0.

    Example:
        >>> laplace_probability([0, 2], 4).round(3)
        array([0.167, 0.5  ])
    """
    if not (np.isfinite(pseudo_count) and pseudo_count > 0.0):
        raise ValueError(f"pseudo_count: found {pseudo_count}; expected a number above 0")
    k, n = as_nonnegative("events", events), as_nonnegative("trials", trials)
    if (k > n).any():
        raise ValueError("events: found more events than trials")
    return (k + pseudo_count) / (n + 2.0 * pseudo_count)


def hurdle_log_parts(law: Hurdle, value: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Log score of a hurdle law in two addable parts: of occurrence, and of the positive value.

    Args:
        law: (case,) hurdle laws of density [percent].
        value: (case,) observed density [percent], 0 or more.

    Returns:
        (case,) score of presence, -ln p or -ln(1 - p), and (case,) -ln g(value) where the value is
        above 0, else 0.

    Example:
        >>> from stats.laws.hurdle import hurdle_lognormal
        >>> law = hurdle_lognormal([0.2, 0.2], [0.0, 0.0], [1.0, 1.0])
        >>> occurrence, size = hurdle_log_parts(law, [0.0, 1.0])
        >>> occurrence.round(4), size.round(4)
        (array([0.2231, 1.6094]), array([0.    , 0.9189]))
    """
    y = as_nonnegative("value", value)
    require_same_shape(law=law.probability, value=y)
    occurrence = log_terms(law.probability, y > 0.0)
    size = np.where(y > 0.0, 0.0 - law.positive.log_density(y), 0.0)
    return occurrence, size


def hurdle_log_terms(law: Hurdle, value: ArrayLike) -> FloatArray:
    """(case,) -ln(1 - p) at 0, -ln p - ln g(value) above: the sum of `hurdle_log_parts`.

    Example:
        >>> from stats.laws.hurdle import hurdle_lognormal
        >>> hurdle_log_terms(hurdle_lognormal([0.0], [0.0], [1.0]), [1.0])
        array([inf])
    """
    occurrence, size = hurdle_log_parts(law, value)
    return occurrence + size


def law_log_terms(law: PredictiveLaw, value: ArrayLike) -> FloatArray:
    """(case,) minus the log density of any predictive law, of its mass where it has an atom.

    Raises:
        UndefinedScoreError: the law has no density (an ensemble).

    Example:
        >>> from stats.laws.gamma import Gamma
        >>> law_log_terms(Gamma([1.0, 1.0], [2.0, 2.0]), [2.0, 0.0]).round(4)
        array([1.6931,    inf])
    """
    return 0.0 - law.log_density(observed(law, value))
