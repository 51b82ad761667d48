"""All proper scores of one forecast at once, as terms per case.

The scores of a table must stand on the same cases and the same laws. What one of them cannot say of
these laws (an ensemble has no logarithmic score, the zero forecast no Dawid-Sebastiani score) is
named with its reason, and the others stand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import FloatArray, UndefinedScoreError, as_nonnegative
from stats.laws.predictive import PredictiveLaw, observed
from stats.scores.brier import brier_terms
from stats.scores.crps import crps_terms, threshold_crps_terms
from stats.scores.dawid_sebastiani import dawid_sebastiani_terms
from stats.scores.logarithmic import law_log_terms
from stats.scores.quantile import hurdle_quantile_terms, law_interval_terms


@dataclass(frozen=True, eq=False)
class LawTerms:
    """Score terms of one forecast.

    Attributes:
        terms: name to (case,) terms, ready for `stats.aggregate.sum_by`.
        undefined: name to the reason why these laws do not have the score.
    """

    terms: dict[str, FloatArray]
    undefined: dict[str, str]


def exceedance(law: PredictiveLaw, threshold: float) -> FloatArray:
    """(case,) probability of a value above 0 (threshold 0), or of at least the threshold.

    Example:
        >>> from stats.laws.ensemble import Ensemble
        >>> law = Ensemble(np.array([[0.0, 1.0, 2.0, 2.0]]))
        >>> exceedance(law, 0.0), exceedance(law, 2.0)
        (array([0.75]), array([0.5]))
    """
    least = float(as_nonnegative("threshold", threshold))
    above = law.sf(np.full(law.shape, least))
    if least > 0.0:
        above = above + law.mass(np.full(law.shape, least))
    return np.clip(above, 0.0, 1.0)


def _presence_terms(law: PredictiveLaw, value: FloatArray, least: float) -> FloatArray:
    return brier_terms(exceedance(law, least), value >= least if least > 0.0 else value > 0.0)


def law_terms(
    law: PredictiveLaw,
    value: ArrayLike,
    *,
    thresholds: Sequence[float] = (),
    quantile_levels: Sequence[float] = (0.5, 0.9, 0.95),
    interval_levels: Sequence[float] = (0.5, 0.8, 0.95),
) -> LawTerms:
    """Terms of every proper score of a forecast.

    Args:
        law: (case,) predictive laws.
        value: (case,) observed values, 0 or more.
        thresholds: for the threshold-weighted CRPS and for the Brier score of reaching them;
            presence (a value above 0) is scored in any case.
        quantile_levels: for quantile scores.
        interval_levels: for interval scores of central intervals.

    Returns:
        ``crps``, ``log``, ``dawid_sebastiani``, ``brier_0`` and, per threshold and level,
        ``twcrps_T``, ``brier_T``, ``quantile_L``, ``interval_L``.

    Example:
        >>> from stats.laws.hurdle import hurdle_lognormal
        >>> found = law_terms(hurdle_lognormal([0.0], [0.0], [1.0]), [3.0], thresholds=[1.0])
        >>> found.terms["crps"], found.terms["twcrps_1"], found.undefined
        (array([3.]), array([2.]), {'dawid_sebastiani': '1 of 1 forecasts have no variance'})
    """
    y = observed(law, value)
    wanted: dict[str, Callable[[], FloatArray]] = {
        "crps": partial(crps_terms, law, y),
        "log": partial(law_log_terms, law, y),
        "dawid_sebastiani": partial(dawid_sebastiani_terms, law, y),
        "brier_0": partial(_presence_terms, law, y, 0.0),
    }
    for t in thresholds:
        least = float(as_nonnegative("threshold", t))
        wanted[f"twcrps_{least:g}"] = partial(threshold_crps_terms, law, y, threshold=least)
        wanted[f"brier_{least:g}"] = partial(_presence_terms, law, y, least)
    for u in quantile_levels:
        wanted[f"quantile_{u:g}"] = partial(hurdle_quantile_terms, law, y, level=u)
    for u in interval_levels:
        wanted[f"interval_{u:g}"] = partial(law_interval_terms, law, y, level=u)
    terms: dict[str, FloatArray] = {}
    undefined: dict[str, str] = {}
    for name, score in wanted.items():
        try:
            terms[name] = score()
        except UndefinedScoreError as reason:
            undefined[name] = str(reason)
    return LawTerms(terms, undefined)
