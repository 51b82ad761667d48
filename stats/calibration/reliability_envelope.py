r"""Is a reliability curve what a calibrated forecast would show? Envelope of the whole, and tests.

Outcomes are drawn from the forecast itself and go the same way as the observed ones: isotonic
regression, curve, miscalibration. The envelope of each point (`stats.calibration.corp`) is left
somewhere by most curves of calibrated forecasts; the one for the whole curve by the share 1 - level
only. The miscalibration part of a score is never below 0, so it has to be held against its own
simulated values too.

Drawn outcomes are independent of each other unless the caller hands in draws that are not
(`drawn`), such as those of a latent field fitted to the residuals. Neighbouring cells depend on
each other; with independent draws both tests raise too many alarms on maps.

T. Dimitriadis, T. Gneiting & A. I. Jordan (2021), PNAS 118, e2016191118,
doi:10.1073/pnas.2016191118 (consistency bands).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from stats.calibration.corp import Rule, corp_parts, reliability
from stats.calibration.worm import simultaneous_envelope
from stats.case_arrays import BoolArray, FloatArray, as_outcome, as_probability, require_same_shape

_POINTS = 60


@dataclass(frozen=True, eq=False)
class ReliabilityEnvelope:
    """A reliability curve between the curves of calibrated forecasts.

    Attributes:
        forecast: (point,) forecast probabilities, increasing.
        frequency: (point,) isotonic event frequency there.
        low: (point,) envelope of each point alone.
        high: (point,) its upper end.
        low_all: (point,) envelope of the whole curve.
        high_all: (point,) its upper end.
        level: coverage of both.
        curve_p_value: share of curves at least as far out, this one among them.
        miscalibration: MCB of the forecast under `rule`.
        miscalibration_p_value: share of simulated MCB at least as large, this one among them.
        rule: "brier" or "log".
        draws: simulated outcomes.
    """

    forecast: FloatArray
    frequency: FloatArray
    low: FloatArray
    high: FloatArray
    low_all: FloatArray
    high_all: FloatArray
    level: float
    curve_p_value: float
    miscalibration: float
    miscalibration_p_value: float
    rule: Rule
    draws: int


def reliability_envelope(
    probability: ArrayLike,
    outcome: ArrayLike,
    *,
    rng: np.random.Generator,
    draws: int = 199,
    level: float = 0.95,
    rule: Rule = "brier",
    drawn: ArrayLike | None = None,
) -> ReliabilityEnvelope:
    """Reliability curve with envelopes and p-values under calibration.

    Args:
        probability: (case,) forecast within [0, 1].
        outcome: (case,) 0 or 1.
        rng: source of randomness.
        draws: simulated outcomes of all cases.
        level: coverage of the envelopes.
        rule: score of the miscalibration.
        drawn: (draw, case) outcomes to hold the curve against, in place of independent ones.

    Raises:
        ValueError: fewer than 19 draws, or shapes that differ.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> p = rng.random(400)
        >>> right = reliability_envelope(p, rng.random(400) < p, rng=rng, draws=99)
        >>> wrong = reliability_envelope(p**2, rng.random(400) < p, rng=rng, draws=99)
        >>> right.curve_p_value > 0.05, wrong.curve_p_value < 0.05, wrong.miscalibration_p_value
        (True, True, 0.01)
    """
    p, y = as_probability(probability).reshape(-1), as_outcome(outcome).reshape(-1)
    require_same_shape(probability=p, outcome=y)
    if drawn is None:
        outcomes: BoolArray = rng.random((draws, p.size)) < p
    else:
        outcomes = as_outcome(drawn, "drawn")
    if outcomes.ndim != 2 or outcomes.shape[1] != p.size or outcomes.shape[0] < 19:
        raise ValueError(f"found outcomes {outcomes.shape}; expected (19 or more, {p.size})")
    # Points at even shares of the cases: every part of the curve counts by what it is made of.
    points = np.unique(np.quantile(p, np.linspace(0.0, 1.0, _POINTS), method="nearest"))
    place = np.searchsorted(np.unique(p), points)
    seen = reliability(p, y).frequency[place]
    curves = np.stack([reliability(p, row).frequency[place] for row in outcomes])
    low, high, low_all, high_all, curve_p = simultaneous_envelope(seen, curves, level)
    mcb = corp_parts(p, y, rule=rule).miscalibration
    simulated = np.array([corp_parts(p, row, rule=rule).miscalibration for row in outcomes])
    at_least = 1 + int(np.count_nonzero(simulated >= mcb - 1e-15))
    return ReliabilityEnvelope(
        points, seen, low, high, np.clip(low_all, 0.0, 1.0), np.clip(high_all, 0.0, 1.0), level,
        curve_p, mcb, at_least / (1.0 + len(outcomes)), rule, len(outcomes),
    )  # fmt: skip
