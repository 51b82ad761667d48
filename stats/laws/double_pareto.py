r"""The Double Pareto Simplified law per case, cut to (0, upper] or not at all.

.. math:: F(x) = \left[1 + (x / t)^{-\alpha}\right]^{-\beta/\alpha}, \qquad x > 0,

the Dagum law with second shape p = beta / alpha. The density rises like x^(beta - 1) and falls like
x^-(alpha + 1): alpha is the cumulative exponent and the tail index, t is not the rollover. F^2 is
the law with 2 p, so that

.. math:: \int_r^\infty (1 - F)^2 = -r\,S(r)^2 + 2\,m_p(r) - m_{2p}(r), \qquad
          m_p(r) = t\,p\,B(p + \tfrac1\alpha, 1 - \tfrac1\alpha)\,
          I_{1 - w}(1 - \tfrac1\alpha, p + \tfrac1\alpha)

with w = 1 / (1 + (r/t)^-alpha), for alpha above 1; from r = 0 the form

.. math:: \frac{t}{\alpha}\,\Gamma(-\tfrac1\alpha) \left[\frac{\Gamma(2p + 1/\alpha)}{\Gamma(2p)} -
          2\,\frac{\Gamma(p + 1/\alpha)}{\Gamma(p)}\right]

holds down to alpha = 1/2, where the continuous ranked probability score becomes infinite.

C. P. Stark & N. Hovius (2001), Geophysical Research Letters 28, 1091-1094,
doi:10.1029/2000GL008527 (the law between two ends); C. Kleiber & S. Kotz (2003), Statistical Size
Distributions in Economics and Actuarial Sciences, Wiley, chapter 6 (moments).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from stats.case_arrays import FloatArray
from stats.laws.truncated import TruncatedLaw

# Nearer to 1 the closed forms lose their digits.
_NEAR_ONE = 1e-3


class DoublePareto(TruncatedLaw):
    """Double Pareto Simplified laws cut to (0, upper]; parameters broadcast.

    Attributes:
        alpha: tail index, above 0.
        beta: exponent of the distribution function at 0, above 0.
        t: scale, above 0, in the unit of x.
        upper: largest possible value; inf for the plain law.

    Raises:
        ValueError: a parameter is not finite and above 0.

    Example:
        >>> law = DoublePareto([1.4], [2.3], [800.0])
        >>> law.quantile(0.5).round(1), law.mean().round(1), law.squared_survival().round(1)
        (array([1267.8]), array([3386.3]), array([1056.]))
    """

    parameters = ("alpha", "beta", "t")
    alpha: FloatArray
    beta: FloatArray
    t: FloatArray

    def __init__(
        self, alpha: ArrayLike, beta: ArrayLike, t: ArrayLike, upper: ArrayLike = math.inf
    ) -> None:
        self._store(upper, positive=self.parameters, alpha=alpha, beta=beta, t=t)

    def _bend(self, x: FloatArray) -> FloatArray:
        """Exponent alpha ln(x / t), -inf at 0."""
        with np.errstate(divide="ignore"):
            return self.alpha * (np.log(x) - np.log(self.t))

    def _log_cdf(self, x: FloatArray) -> FloatArray:
        return -(self.beta / self.alpha) * np.logaddexp(0.0, -self._bend(x))

    def _cdf(self, x: FloatArray) -> FloatArray:
        return np.exp(self._log_cdf(x))

    def _sf(self, x: FloatArray) -> FloatArray:
        return -np.expm1(self._log_cdf(x))

    def _log_density(self, x: FloatArray) -> FloatArray:
        bend = self._bend(x)
        steep = (1.0 + self.beta / self.alpha) * np.logaddexp(0.0, -bend)
        return np.log(self.beta) - bend - np.log(x) - steep

    def _of_log_cdf(self, log_cdf: FloatArray) -> FloatArray:
        y = -log_cdf * self.alpha / self.beta
        with np.errstate(divide="ignore", invalid="ignore"):
            # ln(e^y - 1) without overflow.
            log_odds = y + np.log(-np.expm1(-y))
            x = self.t * np.exp(-log_odds / self.alpha)
        return np.where(np.isposinf(y), 0.0, x)

    def _from_below(self, share: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore"):
            return self._of_log_cdf(np.log(share))

    def _from_above(self, share: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore"):
            return self._of_log_cdf(np.log1p(-share))

    def _tail_index(self) -> FloatArray:
        return self.alpha

    def _raw_moment(self, order: int) -> FloatArray:
        power = np.where(self.alpha > order, order / self.alpha, 0.0)
        p = self.beta / self.alpha
        value = self.t**order * p * np.exp(special.betaln(p + power, 1.0 - power))
        return np.where(self.alpha > order, value, np.inf)

    def _moments(self) -> tuple[FloatArray, FloatArray]:
        first, second = self._raw_moment(1), self._raw_moment(2)
        square = np.where(np.isinf(first), 0.0, first) ** 2
        return first, second - square

    def _mean_above(self, r: FloatArray, p: FloatArray) -> FloatArray:
        """m(r), the part of the mean above r, for a law with another p; NaN where not closed."""
        closed = self.alpha > 1.0 + _NEAR_ONE
        power = np.where(closed, 1.0 / self.alpha, 0.5)
        share = special.expit(-self._bend(r))
        whole = self.t * p * np.exp(special.betaln(p + power, 1.0 - power))
        return np.where(closed, whole * special.betainc(1.0 - power, p + power, share), np.nan)

    def _limited(self, x: FloatArray) -> FloatArray:
        closed = self.alpha > 1.0 + _NEAR_ONE
        power = np.where(closed, 1.0 / self.alpha, 0.5)
        p = self.beta / self.alpha
        whole = self.t * p * np.exp(special.betaln(p + power, 1.0 - power))
        below = whole * special.betainc(p + power, 1.0 - power, special.expit(self._bend(x)))
        return np.where(closed, below + x * self._sf(x), np.nan)

    def _squared(self, r: FloatArray) -> FloatArray:
        p = self.beta / self.alpha
        tail = 2.0 * self._mean_above(r, p) - self._mean_above(r, 2.0 * p) - r * self._sf(r) ** 2
        closed = (r == 0.0) & (self.alpha > 0.5) & (np.abs(self.alpha - 1.0) > _NEAR_ONE)
        power = 1.0 / np.where(closed, self.alpha, 2.0)
        rise = special.poch(2.0 * p, power) - 2.0 * special.poch(p, power)
        return np.where(closed, self.t * power * special.gamma(-power) * rise, tail)
