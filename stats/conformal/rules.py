r"""Split, Mondrian, blocked and weighted conformal rules: one weighted quantile behind all four.

A rule keeps, of each case to come, the values whose score is at most

.. math:: t = \min\Big\{s : \sum_i w_i\,1\{s_i \le s\} \ge (1 - a)\,\big(\sum_i w_i + w\big)\Big\},

the quantile of the calibration scores with the weight w of the case itself put at infinity.

- split: all weights 1. Right where calibration cases and those to come are exchangeable one by one,
  which cells of a map are not.
- Mondrian: a rule of its own for every stratum (season, predicted stratum); coverage then holds
  within each, and a change of their shares does no harm.
- blocked: the unit is a block or an epoch with all its cells. Each calibration unit weighs 1,
  shared out among its cells, and the unit to come weighs 1 too, so that the number of *units*
  bounds what is promised.
- weighted: cases weigh the ratio of the densities of their predictors, to come over calibration
  (`stats.conformal.shift_weights`); right where only the predictors shift and the scores given them
  do not.

The four combine: strata of blocked and weighted cases are strata of weights.

V. Vovk et al. (2005), Algorithmic Learning in a Random World, Springer (Mondrian); R. J.
Tibshirani, R. F. Barber, E. J. Candès & A. Ramdas (2019), NeurIPS 32, arXiv:1904.06019 (weighted);
Y. Lee, R. F. Barber & R. Willett (2023), arXiv:2306.06342 (units with members).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from stats.aggregate import Label
from stats.case_arrays import FloatArray, as_nonnegative, require_same_shape
from stats.conformal.guarantee import Guarantee, guarantee


@dataclass(frozen=True, eq=False)
class StratumRule:
    """Calibration scores of one stratum, sorted, with the running sum of their weights.

    Attributes:
        score: (score,) increasing.
        weight_up_to: (score,) sum of the weights up to and with each.
        n_cases: calibration cases.
        guarantee: what the units of this stratum promise.
        effective_cases: (sum w)^2 / sum w^2, what the weights leave of the cases.
    """

    score: FloatArray
    weight_up_to: FloatArray
    n_cases: int
    guarantee: Guarantee
    effective_cases: float

    def threshold(self, weight: FloatArray, level: float) -> FloatArray:
        """(case,) threshold for cases of the given weights; inf where no score reaches it."""
        wanted = level * (self.weight_up_to[-1] + weight)
        # Rounding of the running sum must not skip a score.
        place = np.searchsorted(self.weight_up_to, wanted * (1.0 - 1e-12), side="left")
        inside = place < self.score.size
        return np.where(inside, self.score[np.minimum(place, self.score.size - 1)], np.inf)


@dataclass(frozen=True, eq=False)
class ConformalRule:
    """A calibrated rule.

    Attributes:
        level: wanted coverage.
        method: in words, such as "Mondrian, blocked".
        strata: rule of every stratum; the single key "all" without strata.
        statement: what is promised by the stratum that promises least, for a page.
    """

    level: float
    method: str
    strata: dict[Label, StratumRule]
    statement: str = field(default="")

    def thresholds(
        self, *, stratum: ArrayLike | None = None, weight: ArrayLike | None = None, size: int = 1
    ) -> FloatArray:
        """(case,) thresholds of cases to come; inf where nothing is promised.

        Args:
            stratum: (case,) stratum of each case, where the rule has strata; one that was never
                calibrated has no threshold.
            weight: (case,) density ratio of each case, where the rule is weighted; else 1.
            size: number of cases, where neither is given.

        Example:
            >>> rule = conformal_rule(np.arange(1.0, 20.0), level=0.9)
            >>> rule.thresholds(), conformal_rule(np.arange(1.0, 9.0), level=0.9).thresholds()
            (array([18.]), array([inf]))
        """
        labels = None if stratum is None else np.asarray(stratum)
        if (labels is None) != (list(self.strata) == ["all"]):
            raise ValueError(f"stratum: the rule has the strata {list(self.strata)}")
        if weight is not None:
            w = as_nonnegative("weight", weight)
        else:
            w = np.ones(size if labels is None else labels.shape)
        if labels is None:
            return self.strata["all"].threshold(w, self.level)
        found = np.full(labels.shape, np.inf)
        require_same_shape(stratum=labels, weight=w)
        for name, rule in self.strata.items():
            here = labels == name
            found[here] = rule.threshold(w[here], self.level)
        return found


def conformal_rule(
    score: ArrayLike,
    *,
    level: float,
    stratum: ArrayLike | None = None,
    unit: ArrayLike | None = None,
    unit_name: str | None = None,
    weight: ArrayLike | None = None,
) -> ConformalRule:
    """Calibrate a conformal rule on held-out scores.

    Args:
        score: (case,) scores of forecasts that saw neither the case nor its neighbours or epoch
            (`stats.conformal.scores.conformity_scores` on held-out folds).
        level: wanted coverage, 1 - a.
        stratum: (case,) stratum of each case; one rule for all if None.
        unit: (case,) block or epoch of each case; every case by itself if None.
        unit_name: of a unit, in the singular; "case" without units.
        weight: (case,) density ratio of each case; equal if None.

    Raises:
        ValueError: no scores, values missing, or a stratum without weight.

    Example:
        >>> rule = conformal_rule([1.0, 2.0, 3.0, 4.0], level=0.6, unit=[0, 0, 1, 1],
        ...                       unit_name="epoch")
        >>> rule.method, rule.thresholds(), rule.strata["all"].guarantee.n_units
        ('blocked', array([4.]), 2)
    """
    s = np.asarray(score, dtype=np.float64).reshape(-1)
    if s.size == 0 or np.isnan(s).any():
        raise ValueError(f"score: found {s.size} values, {np.isnan(s).sum()} missing")
    w = np.ones(s.size) if weight is None else as_nonnegative("weight", weight).reshape(-1)
    labels = np.full(s.size, "all") if stratum is None else np.asarray(stratum).reshape(-1)
    units = np.arange(s.size) if unit is None else np.asarray(unit).reshape(-1)
    require_same_shape(score=s, weight=w, stratum=labels, unit=units)
    name = unit_name or ("case" if unit is None else "unit")
    strata: dict[Label, StratumRule] = {}
    for label in np.unique(labels).tolist():
        here = labels == label
        strata[label] = _stratum_rule(s[here], w[here], units[here], level, name, unit is not None)
    parts = ["Mondrian"] * (stratum is not None) + ["blocked"] * (unit is not None)
    parts += ["weighted"] * (weight is not None)
    least = min(strata.values(), key=lambda rule: rule.guarantee.n_units)
    return ConformalRule(level, ", ".join(parts) or "split", strata, least.guarantee.statement)


def _stratum_rule(
    score: FloatArray,
    weight: FloatArray,
    unit: np.ndarray,
    level: float,
    name: str,
    blocked: bool,
) -> StratumRule:
    if not weight.sum() > 0.0:
        raise ValueError("weight: found a stratum whose weights are all 0")
    live = weight > 0.0
    score, weight, unit = score[live], weight[live], unit[live]
    distinct, place, count = np.unique(unit, return_inverse=True, return_counts=True)
    shared = weight / count[place.reshape(-1)] if blocked else weight
    order = np.argsort(score, kind="stable")
    return StratumRule(
        score[order],
        np.cumsum(shared[order]),
        int(score.size),
        guarantee(int(distinct.size), level, unit=name),
        float(weight.sum() ** 2 / np.sum(weight**2)),
    )
