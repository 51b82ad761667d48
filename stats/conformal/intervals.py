"""From held-out forecasts to intervals of new ones, in one call, with what they promise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import FloatArray
from stats.conformal.rules import ConformalRule, conformal_rule
from stats.conformal.scores import (
    Side,
    conformal_interval,
    conformity_scores,
    covered_terms,
)
from stats.laws.predictive import PredictiveLaw


@dataclass(frozen=True, eq=False)
class ConformalIntervals:
    """Intervals of new cases and the record that belongs to them.

    Attributes:
        low: (case,) lower ends, in the unit of the value.
        high: (case,) upper ends; inf where nothing is promised.
        threshold: (case,) threshold of the score.
        side: "upper" or "central".
        rule: the calibrated rule, with units, strata and effective cases.
        statement: what is promised, in a sentence.
    """

    low: FloatArray
    high: FloatArray
    threshold: FloatArray
    side: Side
    rule: ConformalRule
    statement: str

    def coverage(self, law: PredictiveLaw, value: ArrayLike) -> dict[str, FloatArray]:
        """(case,) addable terms once the values are known.

        Args:
            law: (case,) the forecasts the intervals were made of.
            value: (case,) observed values.

        Returns:
            ``randomised``: coverage of the set that the rule promises about, the randomisation at
            atoms integrated out; ``closed``: whether the interval holds the value; ``width``.
        """
        randomised, closed = covered_terms(law, value, self.threshold, side=self.side)
        return {"randomised": randomised, "closed": closed, "width": self.high - self.low}


def conformal_intervals(
    law: PredictiveLaw,
    value: ArrayLike,
    new_law: PredictiveLaw,
    *,
    level: float,
    side: Side,
    rng: np.random.Generator,
    stratum: tuple[ArrayLike, ArrayLike] | None = None,
    unit: ArrayLike | None = None,
    unit_name: str | None = None,
    weight: tuple[ArrayLike, ArrayLike] | None = None,
) -> ConformalIntervals:
    """Calibrate on held-out forecasts and make intervals of new ones.

    Args:
        law: (case,) forecasts that saw neither the case nor its neighbours or epoch.
        value: (case,) what was observed.
        new_law: (new case,) forecasts to come.
        level: wanted coverage.
        side: "upper" bounds or "central" intervals.
        rng: source of the randomisation at atoms.
        stratum: strata of the calibration cases and of the new ones.
        unit: (case,) block or epoch of the calibration cases.
        unit_name: of a unit, in the singular.
        weight: density ratios of the calibration cases and of the new ones.

    Example:
        >>> from stats.laws.hurdle import hurdle_lognormal
        >>> rng = np.random.default_rng(0)
        >>> law = hurdle_lognormal(np.full(600, 0.3), np.zeros(600), np.ones(600))
        >>> epoch, new = np.arange(600) % 6, hurdle_lognormal([0.3, 0.1], [0.0, 0.0], [1.0, 1.0])
        >>> found = conformal_intervals(law, law.sample(rng), new, level=0.95, side="upper",
        ...                             rng=rng, unit=epoch, unit_name="epoch")
        >>> found.high, found.rule.strata["all"].guarantee.needed
        (array([inf, inf]), 19)
    """
    score = conformity_scores(law, value, side=side, rng=rng)
    rule = conformal_rule(
        score,
        level=level,
        stratum=None if stratum is None else stratum[0],
        unit=unit,
        unit_name=unit_name,
        weight=None if weight is None else weight[0],
    )
    size = int(np.prod(new_law.shape))
    threshold = rule.thresholds(
        stratum=None if stratum is None else np.ravel(stratum[1]),
        weight=None if weight is None else np.ravel(weight[1]),
        size=size,
    ).reshape(new_law.shape)
    low, high = conformal_interval(new_law, threshold, side=side)
    return ConformalIntervals(low, high, threshold, side, rule, rule.statement)
