r"""Histogram of the randomised transform, with the envelope of a right forecast.

Bars are differences of the distribution of the transform (`stats.calibration.pit`), with the
randomisation at atoms integrated out. A right forecast has bars of equal height; how far from it
chance alone leads is found by drawing outcomes from the forecast itself, which go the same way. A
binomial envelope would be too wide: with 85 percent zeros most of each bar is the forecast's own
mass, which does not scatter.

Drawn outcomes are independent of each other, which neighbouring cells are not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from stats.calibration.pit import pit_distribution
from stats.calibration.worm import simultaneous_envelope
from stats.case_arrays import FloatArray
from stats.laws.predictive import PredictiveLaw


@dataclass(frozen=True, eq=False)
class PitHistogram:
    """Shares of transforms by bin.

    Attributes:
        edges: (bin + 1,) from 0 to 1.
        share: (bin,) share of the cases, of sum 1.
        low: (bin,) envelope of each bar alone.
        high: (bin,) its upper end.
        low_all: (bin,) envelope of all bars together.
        high_all: (bin,) its upper end.
        level: coverage of both.
        p_value: share of histograms at least as far out, this one among them.
        n: cases.
        draws: simulated outcomes.
    """

    edges: FloatArray
    share: FloatArray
    low: FloatArray
    high: FloatArray
    low_all: FloatArray
    high_all: FloatArray
    level: float
    p_value: float
    n: int
    draws: int


def pit_histogram(
    law: PredictiveLaw,
    value: ArrayLike,
    *,
    rng: np.random.Generator,
    bins: int = 20,
    draws: int = 199,
    level: float = 0.95,
) -> PitHistogram:
    """Histogram of the transforms of a forecast, with envelopes.

    Args:
        law: (case,) predictive laws.
        value: (case,) observed values, 0 or more.
        rng: source of randomness.
        bins: number of bars of equal width.
        draws: simulated outcomes of all cases.
        level: coverage of the envelopes.

    Raises:
        ValueError: fewer than 2 bins or 19 draws.

    Example:
        >>> from stats.laws.hurdle import hurdle_lognormal
        >>> rng = np.random.default_rng(0)
        >>> law = hurdle_lognormal(np.full(500, 0.3), np.zeros(500), np.ones(500))
        >>> right = pit_histogram(law, law.sample(rng), rng=rng, draws=39)
        >>> wide = hurdle_lognormal(np.full(500, 0.3), np.zeros(500), np.full(500, 2.0))
        >>> wrong = pit_histogram(wide, law.sample(rng), rng=rng, draws=39)
        >>> right.p_value > 0.05, wrong.p_value
        (True, 0.025)
    """
    if bins < 2 or draws < 19:
        raise ValueError(f"found {bins} bins and {draws} draws; expected 2 and 19 or more")
    edges = np.linspace(0.0, 1.0, bins + 1)

    def shares(outcome: ArrayLike) -> FloatArray:
        inner = pit_distribution(law, outcome, edges[1:-1])
        return np.diff(np.concatenate([[0.0], inner, [1.0]]))

    seen = shares(value)
    curves = np.stack([shares(law.sample(rng)) for _ in range(draws)])
    low, high, low_all, high_all, p_value = simultaneous_envelope(seen, curves, level)
    return PitHistogram(
        edges=edges, share=seen, low=low, high=high, low_all=np.maximum(low_all, 0.0),
        high_all=high_all, level=level, p_value=p_value, n=int(np.prod(law.shape)), draws=draws,
    )  # fmt: skip
