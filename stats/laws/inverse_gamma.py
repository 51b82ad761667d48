r"""The three-parameter inverse gamma law, cut to (0, upper] or at 0 only.

.. math:: f(x) = \frac{1}{a\,\Gamma(\rho)} \left[\frac{a}{x - s}\right]^{\rho + 1}
          \exp\left[-\frac{a}{x - s}\right], \qquad x > s .

The tail falls with the index rho. A shift below 0, as in the fits of landslide areas, would give
mass to negative values; what lies below 0 is cut away too. For s = 0 and without an upper end the
mean of the smaller of two draws is closed for every rho above 1/2,

.. math:: \frac{2 a}{(2\rho - 1)\,B(\rho, \rho)} \frac{2^{-\rho}}{\rho}
          \,{}_2F_1(\rho, 2 - \rho; \rho + 1; \tfrac12),

also where the mean is infinite.

B. D. Malamud, D. L. Turcotte, F. Guzzetti & P. Reichenbach (2004), Earth Surface Processes and
Landforms 29, 687-711, doi:10.1002/esp.1064.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from stats.case_arrays import FloatArray
from stats.laws.truncated import TruncatedLaw

# Nearer to 1 the mean below x loses its digits.
_NEAR_ONE = 1e-3


class InverseGamma(TruncatedLaw):
    """Inverse gamma laws cut to (0, upper]; parameters broadcast against each other.

    Attributes:
        rho: tail index, above 0.
        a: scale, above 0, in the unit of x.
        s: shift, in the unit of x; what lies below 0 is cut away.
        upper: largest possible value; inf for no upper end.

    Raises:
        ValueError: a parameter is not finite, or rho or a is not above 0.

    Example:
        >>> law = InverseGamma([3.0], [4.0])
        >>> law.mean(), law.variance(), law.squared_survival().round(4)
        (array([2.]), array([4.]), array([1.25]))
    """

    parameters = ("rho", "a", "s")
    rho: FloatArray
    a: FloatArray
    s: FloatArray

    def __init__(
        self, rho: ArrayLike, a: ArrayLike, s: ArrayLike = 0.0, upper: ArrayLike = math.inf
    ) -> None:
        self._store(upper, positive=("rho", "a"), rho=rho, a=a, s=s)

    def _inverse(self, x: FloatArray) -> FloatArray:
        """Ratio a / (x - s); inf at the shift and below it."""
        past = x - self.s
        above = past > 0.0
        return np.where(above, self.a / np.where(above, past, 1.0), np.inf)

    def _cdf(self, x: FloatArray) -> FloatArray:
        return special.gammaincc(self.rho, self._inverse(x))

    def _sf(self, x: FloatArray) -> FloatArray:
        return special.gammainc(self.rho, self._inverse(x))

    def _log_density(self, x: FloatArray) -> FloatArray:
        z = self._inverse(x)
        inside = np.isfinite(z)
        safe = np.where(inside, z, 1.0)
        kernel = (self.rho + 1.0) * np.log(safe) - safe - special.gammaln(self.rho)
        return np.where(inside, kernel - np.log(self.a), -np.inf)

    def _from_below(self, share: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore"):
            return self.s + self.a / special.gammainccinv(self.rho, share)

    def _from_above(self, share: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore"):
            return self.s + self.a / special.gammaincinv(self.rho, share)

    def _tail_index(self) -> FloatArray:
        return self.rho

    def _moments(self) -> tuple[FloatArray, FloatArray]:
        one = np.where(self.rho > 1.0, self.rho - 1.0, 1.0)
        two = np.where(self.rho > 2.0, self.rho - 2.0, 1.0)
        cut = self.s < 0.0
        mean = np.where(cut, np.nan, self.s + self.a / one)
        variance = np.where(cut, np.nan, (self.a / one) ** 2 / two)
        return (
            np.where(self.rho > 1.0, mean, np.inf),
            np.where(self.rho > 2.0, variance, np.inf),
        )

    def _plain_limited(self, w: FloatArray) -> FloatArray:
        """Integral of the survival without shift from 0 to w; NaN for rho near 1."""
        positive = w > 0.0
        z = self.a / np.where(positive, w, 1.0)
        near = np.abs(self.rho - 1.0) < _NEAR_ONE
        less = np.where(near, 1.0, self.rho - 1.0)
        high = special.gammaincc(np.where(self.rho > 1.0, less, 1.0), z)
        edge = np.exp(less * np.log(z) - z - special.gammaln(self.rho))
        low = special.gammaincc(self.rho, z) - edge
        below = self.a / less * np.where(self.rho > 1.0, high, low)
        value = w * special.gammainc(self.rho, z) + np.where(near, np.nan, below)
        return np.where(positive, value, 0.0)

    def _limited(self, x: FloatArray) -> FloatArray:
        start = np.where(self.s < 0.0, self._plain_limited(np.maximum(-self.s, 0.0)), 0.0)
        before = np.clip(x, 0.0, np.maximum(self.s, 0.0))
        return before + self._plain_limited(np.maximum(x - self.s, 0.0)) - start

    def _squared(self, r: FloatArray) -> FloatArray:
        rho = np.where(self.rho > 0.5, self.rho, 1.0)
        factor = np.exp(-rho * math.log(2.0) - special.betaln(rho, rho))
        shape = special.hyp2f1(rho, 2.0 - rho, rho + 1.0, 0.5)
        whole = self.s + 2.0 * self.a / (2.0 * rho - 1.0) * factor / rho * shape
        return np.where((r == 0.0) & (self.s >= 0.0) & (self.rho > 0.5), whole, np.nan)
