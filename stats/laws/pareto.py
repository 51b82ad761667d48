r"""Generalised Pareto laws, plain and extended, cut to (0, upper] or not at all.

With :math:`L(x) = \ln(1 + \xi x / \sigma) / \xi` (x / sigma at xi = 0) the plain law has the
survival e^-L, and the extended one the distribution function

.. math:: F(x) = \left(1 - e^{-L(x)}\right)^{\kappa},

which bends the bulk by kappa and leaves the tail index 1 / xi alone; kappa = 1 is the plain law.
For xi > 0 the tail is a power, for xi < 0 the law ends at -sigma / xi. The square of F is the law
with 2 kappa, which is why the integral of (1 - F)^2 is closed: by parts,

.. math:: \int_r^\infty (1 - F)^2 = -r\,S(r)^2 + 2\,m_\kappa(r) - m_{2\kappa}(r), \qquad
          m_\kappa(r) = \int_r^\infty x\,dF_\kappa ,

with incomplete beta functions for m (xi < 1).

I. Papastathopoulos & J. A. Tawn (2013), Journal of Statistical Planning and Inference 143, 131-143,
doi:10.1016/j.jspi.2012.07.001; P. Naveau, R. Huser, P. Ribereau & A. Hannart (2016), Water
Resources Research 52, 2753-2769, doi:10.1002/2015WR018552.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from stats.case_arrays import FloatArray
from stats.laws.truncated import TruncatedLaw

# Nearer to 0 the forms with 1/xi lose their digits.
_SMALL_XI = 1e-3


class GeneralisedPareto(TruncatedLaw):
    """Generalised Pareto laws cut to (0, upper]; parameters broadcast against each other.

    Attributes:
        sigma: scale, above 0, in the unit of x.
        xi: shape; 1 / xi is the tail index where it is above 0.
        upper: largest possible value; inf for the plain law.

    Raises:
        ValueError: a parameter is not finite, or sigma is not above 0.

    Example:
        >>> law = GeneralisedPareto([1.0], [0.25])
        >>> law.mean().round(6), law.variance().round(6), law.squared_survival().round(6)
        (array([1.333333]), array([3.555556]), array([0.571429]))
    """

    parameters: ClassVar[tuple[str, ...]] = ("sigma", "xi")
    sigma: FloatArray
    xi: FloatArray

    def __init__(self, sigma: ArrayLike, xi: ArrayLike, upper: ArrayLike = math.inf) -> None:
        self._store(upper, positive=("sigma",), sigma=sigma, xi=xi)

    def _hazard(self, x: FloatArray) -> FloatArray:
        """L(x), minus the log survival of the plain law; inf past the end of a bounded one."""
        z = x / self.sigma
        with np.errstate(divide="ignore"):
            curved = np.log1p(np.maximum(self.xi * z, -1.0))
        return np.where(self.xi == 0.0, z, curved / np.where(self.xi == 0.0, 1.0, self.xi))

    def _at_hazard(self, level: FloatArray) -> FloatArray:
        """Value with L(x) = level."""
        straight = self.xi == 0.0
        with np.errstate(invalid="ignore"):
            curved = np.expm1(self.xi * level) / np.where(straight, 1.0, self.xi)
        return self.sigma * np.where(straight, level, curved)

    def _cdf(self, x: FloatArray) -> FloatArray:
        return -np.expm1(-self._hazard(x))

    def _sf(self, x: FloatArray) -> FloatArray:
        return np.exp(-self._hazard(x))

    def _log_density(self, x: FloatArray) -> FloatArray:
        level = self._hazard(x)
        # Past the end of a bounded law L is infinite and the density is 0.
        density = -(1.0 + self.xi) * np.where(np.isinf(level), 0.0, level)
        return np.where(np.isinf(level), -np.inf, density) - np.log(self.sigma)

    def _from_below(self, share: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore"):
            return self._at_hazard(-np.log1p(-share))

    def _from_above(self, share: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore"):
            return self._at_hazard(-np.log(share))

    def _tail_index(self) -> FloatArray:
        heavy = self.xi > 0.0
        return np.where(heavy, 1.0 / np.where(heavy, self.xi, 1.0), np.inf)

    def _moments(self) -> tuple[FloatArray, FloatArray]:
        room = np.where(self.xi < 1.0, 1.0 - self.xi, 1.0)
        mean = np.where(self.xi < 1.0, self.sigma / room, np.inf)
        twice = np.where(self.xi < 0.5, 1.0 - 2.0 * self.xi, 1.0)
        return mean, np.where(self.xi < 0.5, (self.sigma / room) ** 2 / twice, np.inf)

    def _limited(self, x: FloatArray) -> FloatArray:
        level = self._hazard(x)
        w = (1.0 - self.xi) * level
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            curved = -np.expm1(-w) / (1.0 - self.xi)
        return self.sigma * np.where(self.xi == 1.0, level, curved)

    def _squared(self, r: FloatArray) -> FloatArray:
        room = np.where(self.xi < 2.0, 2.0 - self.xi, 1.0)
        value = self.sigma / room * np.exp(-room * self._hazard(r))
        return np.where(self.xi < 2.0, value, np.nan)


class ExtendedGeneralisedPareto(GeneralisedPareto):
    """Extended generalised Pareto laws cut to (0, upper]; parameters broadcast.

    Attributes:
        kappa: exponent of the bulk, above 0; the density goes like x^(kappa - 1) at 0.
        sigma: scale, above 0, in the unit of x.
        xi: shape; 1 / xi is the tail index where it is above 0.
        upper: largest possible value; inf for the plain law.

    Raises:
        ValueError: a parameter is not finite, or kappa or sigma is not above 0.

    Example:
        >>> law = ExtendedGeneralisedPareto([1.0], [1.0], [0.25])
        >>> law.mean().round(6), law.variance().round(6), law.squared_survival().round(6)
        (array([1.333333]), array([3.555556]), array([0.571429]))
    """

    parameters = ("kappa", "sigma", "xi")
    kappa: FloatArray

    def __init__(
        self, kappa: ArrayLike, sigma: ArrayLike, xi: ArrayLike, upper: ArrayLike = math.inf
    ) -> None:
        self._store(upper, positive=("kappa", "sigma"), kappa=kappa, sigma=sigma, xi=xi)

    def _log_plain_cdf(self, x: FloatArray) -> FloatArray:
        level = self._hazard(x)
        with np.errstate(divide="ignore"):
            small = np.log(-np.expm1(-np.minimum(level, 1.0)))
        return np.where(level < 1.0, small, np.log1p(-np.exp(-np.maximum(level, 1.0))))

    def _cdf(self, x: FloatArray) -> FloatArray:
        return np.exp(self.kappa * self._log_plain_cdf(x))

    def _sf(self, x: FloatArray) -> FloatArray:
        return -np.expm1(self.kappa * self._log_plain_cdf(x))

    def _log_density(self, x: FloatArray) -> FloatArray:
        bend = (self.kappa - 1.0) * self._log_plain_cdf(x) + np.log(self.kappa)
        return super()._log_density(x) + bend

    def _of_log_cdf(self, log_cdf: FloatArray) -> FloatArray:
        log_plain = log_cdf / self.kappa
        with np.errstate(divide="ignore"):
            high = -np.log(-np.expm1(log_plain))
            low = -np.log1p(-np.exp(np.minimum(log_plain, -0.5)))
        return self._at_hazard(np.where(log_plain < -0.5, low, high))

    def _from_below(self, share: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore"):
            return self._of_log_cdf(np.log(share))

    def _from_above(self, share: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore"):
            return self._of_log_cdf(np.log1p(-share))

    def _moments(self) -> tuple[FloatArray, FloatArray]:
        straight, k = np.abs(self.xi) < _SMALL_XI, self.kappa
        xi = np.where(straight | (self.xi >= 0.5), -1.0, self.xi)
        first = k * np.exp(special.betaln(k, 1.0 - np.where(self.xi < 1.0, self.xi, 0.0)))
        second = k * np.exp(special.betaln(k, 1.0 - 2.0 * xi))
        mean = self.sigma / np.where(straight, 1.0, self.xi) * (first - 1.0)
        mean = np.where(straight, np.nan, np.where(self.xi < 1.0, mean, np.inf))
        variance = (self.sigma / xi) ** 2 * (second - first**2)
        return mean, np.where(straight, np.nan, np.where(self.xi < 0.5, variance, np.inf))

    def _mean_above(self, r: FloatArray, kappa: FloatArray) -> FloatArray:
        """m(r), the part of the mean above r, for a law with another kappa; NaN if not closed."""
        closed = (self.xi < 1.0) & (np.abs(self.xi) >= _SMALL_XI)
        xi = np.where(closed, self.xi, 0.5)
        share = np.exp(-self._hazard(r))
        whole = kappa * np.exp(special.betaln(kappa, 1.0 - xi))
        above = whole * special.betainc(1.0 - xi, kappa, share)
        survival = -np.expm1(kappa * self._log_plain_cdf(r))
        return np.where(closed, self.sigma / xi * (above - survival), np.nan)

    def _limited(self, x: FloatArray) -> FloatArray:
        whole = self._mean_above(np.zeros_like(x), self.kappa)
        return whole - self._mean_above(x, self.kappa) + x * self._sf(x)

    def _squared(self, r: FloatArray) -> FloatArray:
        twice = self._mean_above(r, 2.0 * self.kappa)
        return 2.0 * self._mean_above(r, self.kappa) - twice - r * self._sf(r) ** 2
