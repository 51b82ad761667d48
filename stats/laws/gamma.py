r"""The gamma law of a positive quantity, cut to (0, upper] or not at all.

.. math:: f(x) = \frac{x^{k - 1} e^{-x / \theta}}{\Gamma(k)\,\theta^k}, \qquad
          \int_0^x (1 - F) = x\,Q(k, x/\theta) + k\,\theta\,P(k + 1, x/\theta),

with P and Q the regularised incomplete gamma functions. Without a cut the mean of the smaller of
two draws is :math:`k\theta - \theta / B(1/2, k)`.

M. Scheuerer & D. Möller (2015), Annals of Applied Statistics 9, 1328-1349,
doi:10.1214/15-AOAS843 (continuous ranked probability score).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from stats.case_arrays import FloatArray
from stats.laws.truncated import TruncatedLaw


class Gamma(TruncatedLaw):
    """Gamma laws cut to (0, upper]; parameters broadcast against each other.

    Attributes:
        concentration: k, above 0 (the shape parameter).
        scale: theta, above 0, in the unit of x.
        upper: largest possible value; inf for the plain law.

    Raises:
        ValueError: a parameter is not finite and above 0, or the cut leaves nothing of a law.

    Example:
        >>> law = Gamma([2.0], [1.5], 100.0)
        >>> law.mean().round(6), law.quantile(0.5).round(6), law.squared_survival().round(6)
        (array([3.]), array([2.51752]), array([1.875]))
    """

    parameters = ("concentration", "scale")
    concentration: FloatArray
    scale: FloatArray

    def __init__(
        self, concentration: ArrayLike, scale: ArrayLike, upper: ArrayLike = math.inf
    ) -> None:
        self._store(upper, positive=self.parameters, concentration=concentration, scale=scale)

    def _cdf(self, x: FloatArray) -> FloatArray:
        return special.gammainc(self.concentration, x / self.scale)

    def _sf(self, x: FloatArray) -> FloatArray:
        return special.gammaincc(self.concentration, x / self.scale)

    def _log_density(self, x: FloatArray) -> FloatArray:
        k, z = self.concentration, x / self.scale
        return special.xlogy(k - 1.0, z) - z - special.gammaln(k) - np.log(self.scale)

    def _from_below(self, share: FloatArray) -> FloatArray:
        return self.scale * special.gammaincinv(self.concentration, share)

    def _from_above(self, share: FloatArray) -> FloatArray:
        return self.scale * special.gammainccinv(self.concentration, share)

    def _moments(self) -> tuple[FloatArray, FloatArray]:
        mean = self.concentration * self.scale
        return mean, mean * self.scale

    def _limited(self, x: FloatArray) -> FloatArray:
        k, z = self.concentration, x / self.scale
        below = k * self.scale * special.gammainc(k + 1.0, z)
        return x * special.gammaincc(k, z) + below

    def _squared(self, r: FloatArray) -> FloatArray:
        whole = self.scale * (self.concentration - 1.0 / special.beta(0.5, self.concentration))
        return np.where(r == 0.0, whole, np.nan)
