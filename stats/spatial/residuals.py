r"""Standardised score residuals of Bernoulli and hurdle forecasts.

A score residual is the derivative of the log-likelihood in one direction, at the forecast, divided
by its standard deviation under the forecast. If the forecast is right each has mean 0 and variance
1 in every cell, whatever its probability, so that sums over cells can be tested without a fit:

- presence: along the log odds, :math:`(o - p)/\sqrt{p(1-p)}`;
- of the positive law G, where something was observed: with :math:`r = \Phi^{-1}(G(y))`, along a
  shift of r (location: r) and along its logarithmic spread (scale: :math:`(r^2 - 1)/\sqrt2`);
- of the whole hurdle law: its normal score is known where y > 0, :math:`z = \Phi^{-1}(F(y))`, and
  below :math:`c = \Phi^{-1}(1 - p)` where y = 0. Along a shift the score is z above and
  :math:`-\varphi(c)/\Phi(c)` at zero, along the spread :math:`z^2 - 1` and
  :math:`-c\,\varphi(c)/\Phi(c)`; informations
  :math:`\varphi^2/\Phi + (1-\Phi) + c\varphi` and
  :math:`c^2\varphi^2/\Phi + 2(1-\Phi) + c\varphi + c^3\varphi`.

The score at zero is the mean of the normal scores of a randomised transform there: nothing is
drawn, so that no injected noise hides what neighbours share.

D. R. Cox & D. V. Hinkley (1974), Theoretical Statistics, Chapman & Hall, section 9.3 (score
tests); P. K. Dunn & G. K. Smyth (1996), JCGS 5, 236-244, doi:10.1080/10618600.1996.10474708
(normal scores).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from stats.case_arrays import (
    BoolArray,
    FloatArray,
    UndefinedScoreError,
    as_nonnegative,
    as_outcome,
    as_probability,
    require_same_shape,
)
from stats.laws.hurdle import Hurdle

_ROOT_2PI = math.sqrt(2.0 * math.pi)


@dataclass(frozen=True, eq=False)
class ScoreResiduals:
    """Score residuals of one direction.

    Attributes:
        name: direction, such as "presence" or "scale".
        value: (case,) standardised residuals, NaN where there is none.
        information: (case,) variance of the raw score under the forecast, 0 where there is none.
    """

    name: str
    value: FloatArray
    information: FloatArray

    @property
    def defined(self) -> BoolArray:
        """(case,) where there is a residual: not where the forecast was certain, and right."""
        return self.information > 0.0

    @property
    def score(self) -> FloatArray:
        """(case,) raw scores, 0 where there is none."""
        held = np.where(self.defined, self.value, 0.0)
        return held * np.sqrt(self.information)


@dataclass(frozen=True, eq=False)
class HurdleResiduals:
    """Score residuals of hurdle forecasts.

    Attributes:
        presence: of the probability of any value at all.
        location: of the whole law, along a shift of its normal score.
        scale: of the whole law, along its spread; above 0 where values lie far out.
        positive_location: of the positive law, on positive cases.
        positive_scale: of the positive law's spread, on positive cases.
    """

    presence: ScoreResiduals
    location: ScoreResiduals
    scale: ScoreResiduals
    positive_location: ScoreResiduals
    positive_scale: ScoreResiduals

    def parts(self) -> tuple[ScoreResiduals, ...]:
        """All five."""
        return (
            self.presence, self.location, self.scale, self.positive_location, self.positive_scale,
        )  # fmt: skip


def _standardised(name: str, score: FloatArray, information: FloatArray) -> ScoreResiduals:
    live = information > 0.0
    safe = np.sqrt(np.where(live, information, 1.0))
    return ScoreResiduals(
        name, np.where(live, score / safe, np.nan), np.where(live, information, 0.0)
    )


def _refuse_impossible(impossible: BoolArray, what: str) -> None:
    count = int(np.count_nonzero(impossible))
    if count:
        raise UndefinedScoreError(f"{count} of {impossible.size} cases {what}: no score residual")


def presence_residuals(probability: ArrayLike, outcome: ArrayLike) -> ScoreResiduals:
    """Score residuals of Bernoulli forecasts, (o - p) / sqrt(p (1 - p)).

    Args:
        probability: p.
        outcome: 0 or 1, of the same shape.

    Raises:
        UndefinedScoreError: an outcome that the forecast called impossible.

    Example:
        >>> presence_residuals([0.5, 0.2, 0.0], [1, 0, 0]).value
        array([ 1. , -0.5,  nan])
    """
    p, o = as_probability(probability), as_outcome(outcome)
    require_same_shape(probability=p, outcome=o)
    _refuse_impossible((o & (p == 0.0)) | (~o & (p == 1.0)), "had probability 0")
    return _standardised("presence", o - p, p * (1.0 - p))


def _normal_score(below: FloatArray, above: FloatArray) -> FloatArray:
    """Normal quantile from whichever tail has its digits."""
    return np.where(below < above, special.ndtri(below), -special.ndtri(above))


def hurdle_residuals(law: Hurdle, value: ArrayLike) -> HurdleResiduals:
    """Score residuals of hurdle forecasts of a nonnegative quantity, such as area density.

    Args:
        law: (case,) hurdle laws.
        value: (case,) observed values, 0 or more.

    Raises:
        UndefinedScoreError: a value that the forecast called impossible: above 0 where p = 0, 0
            where p = 1, or outside the positive law.

    Example:
        >>> from stats.laws.hurdle import hurdle_lognormal
        >>> law = hurdle_lognormal([0.5, 0.5], [0.0, 0.0], [1.0, 1.0], upper=np.inf)
        >>> found = hurdle_residuals(law, [0.0, np.e])
        >>> found.positive_location.value, found.location.value.round(3)
        (array([nan,  1.]), array([-0.882,  1.558]))
    """
    y = as_nonnegative("value", value)
    p = law.probability
    require_same_shape(law=p, value=y)
    positive = y > 0.0
    _refuse_impossible((positive & (p == 0.0)) | (~positive & (p == 1.0)), "had probability 0")
    inner_below, inner_above = law.positive.cdf(y), law.positive.sf(y)
    r = np.where(positive, _normal_score(inner_below, inner_above), 0.0)
    _refuse_impossible(~np.isfinite(r), "lie outside the positive law")
    above = p * inner_above
    z = np.where(positive, _normal_score(1.0 - above, above), 0.0)
    with np.errstate(divide="ignore"):
        c = _normal_score(1.0 - p, p)
    uncertain = p > 0.0
    cut = np.where(uncertain & (p < 1.0), c, 0.0)
    density = np.where(p < 1.0, np.exp(-0.5 * cut**2) / _ROOT_2PI, 0.0)
    # Below the cut: density over probability, from a form that does not underflow.
    hazard = np.where(p < 1.0, density / np.where(p < 1.0, 1.0 - p, 1.0), 0.0)
    location = np.where(positive, z, -hazard)
    scale = np.where(positive, z**2 - 1.0, -cut * hazard)
    about_location = hazard * density + p + cut * density
    about_scale = cut**2 * hazard * density + 2.0 * p + (cut + cut**3) * density
    ones = positive.astype(np.float64)
    return HurdleResiduals(
        presence=_standardised("presence", positive - p, p * (1.0 - p)),
        location=_standardised("location", location, np.where(uncertain, about_location, 0.0)),
        scale=_standardised("scale", scale, np.where(uncertain, about_scale, 0.0)),
        positive_location=_standardised("positive_location", r, ones),
        positive_scale=_standardised("positive_scale", r**2 - 1.0, 2.0 * ones),
    )
