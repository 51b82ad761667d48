"""The Bernoulli law of presence, as a law of the numbers 0 and 1.

Its continuous ranked probability score is the Brier score, its logarithmic score the usual one;
presence is scored by the same code as density.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import FloatArray, as_finite, as_nonnegative, as_probability


@dataclass(frozen=True, eq=False)
class Bernoulli:
    """Laws of 1 with probability p and 0 otherwise, one per case.

    Attributes:
        probability: p, within [0, 1].

    Example:
        >>> law = Bernoulli(np.array([0.2, 1.0]))
        >>> law.mean(), law.variance().round(2), law.quantile(0.9)
        (array([0.2, 1. ]), array([0.16, 0.  ]), array([1., 1.]))
    """

    probability: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "probability", as_probability(self.probability))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the cases."""
        return self.probability.shape

    def cdf(self, x: ArrayLike) -> FloatArray:
        """F(x): 0 below 0, 1 - p up to 1, then 1."""
        return 1.0 - self.sf(x)

    def sf(self, x: ArrayLike) -> FloatArray:
        """P(X > x)."""
        value = as_finite("x", x)
        return np.where(value < 0.0, 1.0, np.where(value < 1.0, self.probability, 0.0))

    def mass(self, x: ArrayLike) -> FloatArray:
        """P(X = x)."""
        value = as_finite("x", x)
        p = self.probability
        return np.where(value == 0.0, 1.0 - p, np.where(value == 1.0, p, 0.0))

    def log_density(self, x: ArrayLike) -> FloatArray:
        """Log of the mass; -inf for a value that is neither 0 nor 1, or was excluded."""
        value = as_finite("x", x)
        with np.errstate(divide="ignore"):
            absent, present = np.log1p(-self.probability), np.log(self.probability)
        return np.where(value == 0.0, absent, np.where(value == 1.0, present, -np.inf))

    def quantile(self, level: ArrayLike) -> FloatArray:
        """0 up to level 1 - p, then 1."""
        share = as_probability(level, "level")
        return np.where(1.0 - share < self.probability, 1.0, 0.0)

    def mean(self) -> FloatArray:
        """E[X] = p."""
        return self.probability

    def variance(self) -> FloatArray:
        """Var[X] = p (1 - p)."""
        return self.probability * (1.0 - self.probability)

    def limited_mean(self, x: ArrayLike) -> FloatArray:
        """E min(X, x)."""
        return self.probability * np.minimum(as_nonnegative("x", x), 1.0)

    def squared_survival(self, above: ArrayLike = 0.0) -> FloatArray:
        """Integral of (1 - F)^2 from `above` upwards."""
        return self.probability**2 * np.maximum(1.0 - as_nonnegative("above", above), 0.0)

    def sample(self, rng: np.random.Generator) -> FloatArray:
        """One draw per case."""
        return (rng.random(self.shape) < self.probability).astype(np.float64)

    def take(self, which: ArrayLike) -> Bernoulli:
        """The laws of some cases, by index or mask."""
        return Bernoulli(self.probability[np.asarray(which)])
