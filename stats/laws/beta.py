r"""The beta law of a quantity between 0 and `upper`, such as a percentage.

.. math:: f(x) = \frac{(x/u)^{a - 1} (1 - x/u)^{b - 1}}{u\,B(a, b)}, \qquad 0 < x < u.

It ends at `upper` by nature, so nothing is cut. The mean of the smaller of two draws is

.. math:: u \left[\frac{a}{a + b} - \frac{2\,B(a + b, a + b)}{(a + b)\,B(a, a)\,B(b, b)}\right].

A. I. Jordan, F. Krüger & S. Lerch (2019), Journal of Statistical Software 90(12),
doi:10.18637/jss.v090.i12 (continuous ranked probability score).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from stats.case_arrays import FloatArray
from stats.laws.truncated import TruncatedLaw


class Beta(TruncatedLaw):
    """Beta laws on (0, upper); parameters broadcast against each other.

    Attributes:
        a: exponent at 0, above 0.
        b: exponent at `upper`, above 0.
        upper: end of the range, finite; 100 for a percentage.

    Raises:
        ValueError: a parameter is not finite and above 0.

    Example:
        >>> law = Beta([2.0], [3.0], 100.0)
        >>> law.mean(), law.variance().round(6), law.squared_survival().round(4)
        (array([40.]), array([400.]), array([28.5714]))
    """

    parameters = ("a", "b")
    a: FloatArray
    b: FloatArray

    def __init__(self, a: ArrayLike, b: ArrayLike, upper: ArrayLike = 100.0) -> None:
        if not np.isfinite(np.asarray(upper, dtype=np.float64)).all():
            raise ValueError("upper: found a value that is not finite; a beta law has an end")
        self._store(upper, positive=self.parameters, a=a, b=b)

    def _share(self, x: FloatArray) -> FloatArray:
        return np.clip(x / self.upper, 0.0, 1.0)

    def _cdf(self, x: FloatArray) -> FloatArray:
        return np.asarray(special.betainc(self.a, self.b, self._share(x)), dtype=np.float64)

    def _sf(self, x: FloatArray) -> FloatArray:
        return np.asarray(special.betaincc(self.a, self.b, self._share(x)), dtype=np.float64)

    def _log_density(self, x: FloatArray) -> FloatArray:
        share = self._share(x)
        kernel = special.xlogy(self.a - 1.0, share) + special.xlog1py(self.b - 1.0, -share)
        return kernel - special.betaln(self.a, self.b) - np.log(self.upper)

    def _from_below(self, share: FloatArray) -> FloatArray:
        return self.upper * special.betaincinv(self.a, self.b, share)

    def _from_above(self, share: FloatArray) -> FloatArray:
        return self.upper * special.betainccinv(self.a, self.b, share)

    def _moments(self) -> tuple[FloatArray, FloatArray]:
        total = self.a + self.b
        mean = self.upper * self.a / total
        return mean, mean * self.upper * self.b / (total * (total + 1.0))

    def variance(self) -> FloatArray:
        """Var[X], in closed form: the law ends at `upper` by nature."""
        return self._moments()[1]

    def _limited(self, x: FloatArray) -> FloatArray:
        share, mean = self._share(x), self.upper * self.a / (self.a + self.b)
        below = mean * special.betainc(self.a + 1.0, self.b, share)
        return x * special.betaincc(self.a, self.b, share) + below

    def _squared(self, r: FloatArray) -> FloatArray:
        total = self.a + self.b
        log_ratio = (
            special.betaln(total, total)
            - special.betaln(self.a, self.a)
            - special.betaln(self.b, self.b)
        )
        whole = self.upper / total * (self.a - 2.0 * np.exp(log_ratio))
        return np.where(r == 0.0, whole, np.where(r >= self.upper, 0.0, np.nan))
