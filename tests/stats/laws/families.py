"""Laws of every family beside independent ones of SciPy, and fine quadrature of the latter."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from stats.laws.beta import Beta
from stats.laws.double_pareto import DoublePareto
from stats.laws.gamma import Gamma
from stats.laws.inverse_gamma import InverseGamma
from stats.laws.lognormal import TruncatedLognormal
from stats.laws.pareto import ExtendedGeneralisedPareto, GeneralisedPareto

NODES, WEIGHTS = np.polynomial.legendre.leggauss(12)


class PowerOf:
    """A law whose distribution function is a power of another's."""

    def __init__(self, law, power):
        self.law, self.power = law, power

    def cdf(self, x):
        return self.law.cdf(x) ** self.power

    def sf(self, x):
        with np.errstate(divide="ignore"):
            high = -np.expm1(self.power * np.log1p(-self.law.sf(x)))
        return np.where(self.law.cdf(x) < 0.5, 1.0 - self.cdf(x), high)

    def pdf(self, x):
        return self.power * self.law.cdf(x) ** (self.power - 1.0) * self.law.pdf(x)


@dataclass(frozen=True)
class Case:
    """One law of a family and the law of SciPy it must be."""

    name: str
    law: Any
    reference: Any
    upper: float

    def mass(self) -> float:
        return float(self.above(0.0))

    def above(self, x):
        """Mass between x and the upper end, from the side that keeps the digits."""
        if np.isfinite(self.upper) and self.reference.cdf(self.upper) < 0.5:
            return self.reference.cdf(self.upper) - self.reference.cdf(x)
        return self.reference.sf(x) - (
            self.reference.sf(self.upper) if np.isfinite(self.upper) else 0.0
        )

    def sf(self, x):
        return np.where(np.asarray(x) < self.upper, self.above(x), 0.0) / self.mass()

    def integral(self, power: int, low: float, high: float, order: int = 1) -> float:
        """Integral of x**(order - 1) sf**power, piecewise on a log axis."""
        end = min(high, self.upper)
        if not np.isfinite(end):
            end = 1e3
            while end**order * self.sf(end) ** power > 1e-15 and end < 1e200:
                end *= 10.0
        if end <= low:
            return 0.0
        start = max(low, 1e-14)
        marks = np.geomspace(start, end, 1500)
        # Towards a finite end the survival may fall like a power of what is left.
        near = end - (end - start) * np.geomspace(1e-15, 0.5, 400)
        cuts = np.unique(np.concatenate([marks, near, [start, end]]))
        cuts = np.log(cuts[(cuts >= start) & (cuts <= end)])
        half = 0.5 * np.diff(cuts)[:, None]
        t = cuts[:-1, None] + half + half * NODES
        total = np.sum(half * WEIGHTS * np.exp(order * t) * self.sf(np.exp(t)) ** power)
        return float(total) + (max(start - low, 0.0) if order == 1 else 0.0)


def cases() -> list[Case]:
    found = []

    def add(name, make, reference, *parameters, uppers=(100.0, np.inf)):
        for upper in uppers:
            law = make(*([p] for p in parameters), upper)
            label = f"{name}{parameters}-{'cut' if np.isfinite(upper) else 'whole'}"
            found.append(Case(label, law, reference, upper))

    for mu, sigma in ((0.0, 1.0), (4.0, 0.8)):
        add("lognormal", TruncatedLognormal, stats.lognorm(sigma, scale=np.exp(mu)), mu, sigma)
    for k, scale in ((0.4, 3.0), (2.5, 20.0), (9.0, 400.0), (60.0, 0.5)):
        add("gamma", Gamma, stats.gamma(k, scale=scale), k, scale)
    for a, b in ((0.3, 4.0), (2.0, 0.8), (12.0, 30.0)):
        add("beta", Beta, stats.beta(a, b, scale=100.0), a, b, uppers=(100.0,))
    for sigma, xi in ((2.0, 0.3), (40.0, 0.0), (40.0, -0.2), (5.0, 1.0), (3.0, 1.4)):
        whole = (100.0, np.inf)
        add("gpd", GeneralisedPareto, stats.genpareto(xi, scale=sigma), sigma, xi, uppers=whole)
    for kappa, sigma, xi in (
        (0.6, 2.0, 0.4), (3.0, 1.0, 0.0), (3.0, 30.0, -0.3), (2.0, 1.0, 1.0), (1.5, 4.0, 5e-4),
        (0.8, 1.0, 1.3),
    ):  # fmt: skip
        reference = PowerOf(stats.genpareto(xi, scale=sigma), kappa)
        add("egpd", ExtendedGeneralisedPareto, reference, kappa, sigma, xi)
    for rho, a, s in ((3.0, 4.0, 0.0), (1.4, 1.3, -0.13), (0.8, 1.0, 0.0), (1.0, 2.0, -0.5),
                      (2.2, 3.0, 1.5), (6.0, 2000.0, 0.0)):  # fmt: skip
        add("ig", InverseGamma, stats.invgamma(rho, loc=s, scale=a), rho, a, s)
    for alpha, beta, t in ((1.4, 2.3, 0.8), (0.8, 0.6, 0.5), (1.0, 1.0, 2.0), (2.6, 0.5, 30.0)):
        # The Dagum law is a power of the log-logistic one, whose survival SciPy keeps exact.
        reference = PowerOf(stats.fisk(alpha, scale=t), beta / alpha)
        add("dps", DoublePareto, reference, alpha, beta, t)
    return found
