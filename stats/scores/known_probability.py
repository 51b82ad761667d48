r"""Scores against a known probability, such as that of a simulated world. In nats.

Where the probability $q$ of an event is known, the score of a forecast $p$ is known in expectation,
without the luck of one outcome:

$$ S(p, q) = -q \ln p - (1 - q) \ln(1 - p) $$

It is smallest for $p = q$: the oracle's score is the entropy $H(q) = S(q, q)$. The regret of a
forecast is what it loses to the oracle, $S(p, q) - H(q) \ge 0$ (the Kullback-Leibler divergence),
and its share of the gap between a climatology and the oracle says how much of what can be known it
does not tell.

A frequency $k / N$ over replays stands for $q$. $S$ is linear in $q$, so the frequency gives it
without bias as long as the forecast did not see the replays. $H$ is not: the entropy of a frequency
is too small, by about $1 / (2 N)$ where $q$ is not near 0 or 1. `entropy_of_counts` uses Zhang's
estimator, whose bias falls exponentially with $N q$:

$$ \hat H = \frac{k}{N} [\psi(N) - \psi(k)] + \frac{N - k}{N} [\psi(N) - \psi(N - k)] $$

where a term without an event is 0, and $\psi$ is the digamma function. What is left lies between
$-0.3 / N$ and 0: the oracle looks a little too good, never too bad.

Z. Zhang (2012), Entropy estimation in Turing's perspective, Neural Computation 24, 1368-1389.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from stats.case_arrays import (
    FloatArray,
    UndefinedScoreError,
    as_nonnegative,
    as_probability,
    require_same_shape,
)


def expected_log_terms(probability: ArrayLike, known: ArrayLike) -> FloatArray:
    """(case,) expected log score of a forecast under a known probability.

    Infinite where the forecast excludes what can happen.

    Args:
        probability: (case,) forecast.
        known: (case,) known probability, or its unbiased estimate from replays that the forecast
            did not see.

    Example:
        >>> expected_log_terms([0.5, 0.1, 0.0], [0.1, 0.1, 0.1]).round(4)
        array([0.6931, 0.3251,    inf])
    """
    p, q = as_probability(probability), as_probability(known)
    require_same_shape(probability=p, known=q)
    # xlogy and xlog1py: 0 where the excluded case cannot happen.
    return np.asarray(0.0 - special.xlogy(q, p) - special.xlog1py(1.0 - q, -p), dtype=np.float64)


def entropy_of_counts(events: ArrayLike, trials: int) -> FloatArray:
    """(case,) entropy of an event's unknown probability from its count, nearly without bias.

    Args:
        events: (case,) replays with the event.
        trials: replays, at least 1.

    Raises:
        ValueError: more events than trials, or no trial.

    Example:
        >>> entropy_of_counts([0, 10, 90], 100).round(4)
        array([0.    , 0.3302, 0.3302])
    """
    k = as_nonnegative("events", events)
    if trials < 1 or (k > trials).any():
        raise ValueError(f"events up to {k.max(initial=0):g} of {trials} trials")

    def term(count: FloatArray) -> FloatArray:
        there = np.maximum(count, 1.0)
        return np.where(
            count > 0.0, count / trials * (special.digamma(trials) - special.digamma(there)), 0.0
        )

    return term(k) + term(trials - k)


def regret_share(score: float, oracle: float, climatology: float) -> float:
    """Share of the gap between climatology and oracle that a forecast leaves open.

    0 is the oracle, 1 the climatology, above 1 worse than it.

    Args:
        score: mean expected score of the forecast.
        oracle: mean entropy of the known probability.
        climatology: mean expected score of the climatology.

    Raises:
        UndefinedScoreError: the oracle is not better than the climatology.

    Example:
        >>> round(regret_share(0.33, 0.3, 0.45), 6)
        0.2
    """
    gap = climatology - oracle
    if not gap > 0.0:
        raise UndefinedScoreError(f"the climatology ({climatology:g}) is the oracle ({oracle:g})")
    return (score - oracle) / gap
