r"""Hurdle laws: nothing with probability 1 - p, otherwise a positive law.

.. math:: F(x) = 1 - p + p\,G(x), \qquad x \ge 0.

The hazard of a cell in an epoch is such a law of area density [percent of the cell]: p is the
susceptibility, G the law of density given that there is any, and the mean p E[X | X > 0] is the
expected density.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import FloatArray, as_finite, as_nonnegative, as_probability
from stats.laws.lognormal import TruncatedLognormal


class PositiveLaw(Protocol):
    """What a law of positive values must offer to stand behind a hurdle and be scored."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the parameters."""

    def cdf(self, x: ArrayLike, /) -> FloatArray:
        """G(x)."""

    def sf(self, x: ArrayLike, /) -> FloatArray:
        """1 - G(x)."""

    def log_density(self, x: ArrayLike, /) -> FloatArray:
        """Log of the density of G."""

    def quantile(self, level: ArrayLike, /) -> FloatArray:
        """Inverse of G."""

    def mean(self) -> FloatArray:
        """E[X]."""

    def variance(self) -> FloatArray:
        """Var[X]."""

    def limited_mean(self, x: ArrayLike, /) -> FloatArray:
        """E min(X, x)."""

    def squared_survival(self, above: ArrayLike = 0.0, /) -> FloatArray:
        """Integral of (1 - G)^2 from `above` upwards."""

    def take(self, which: ArrayLike, /) -> PositiveLaw:
        """The laws of some cases."""


@dataclass(frozen=True, eq=False)
class Hurdle:
    """Hurdle laws, one per case.

    Attributes:
        probability: p, probability of any density at all, within [0, 1]. p = 0 is allowed (the
            zero forecast); the positive law then needs parameters but never weighs in.
        positive: law given that the value is above 0.

    Example:
        >>> law = Hurdle(np.array([0.0, 0.2]), TruncatedLognormal(np.zeros(2), np.ones(2), 100.0))
        >>> law.mean().round(4), law.cdf(0.0)
        (array([0.    , 0.3297]), array([1. , 0.8]))
    """

    probability: FloatArray
    positive: PositiveLaw

    def __post_init__(self) -> None:
        probability = as_probability(self.probability)
        if probability.shape != self.positive.shape:
            raise ValueError(
                f"probability has shape {probability.shape}, the positive law "
                f"{self.positive.shape}; expected the same"
            )
        object.__setattr__(self, "probability", probability)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the cases."""
        return self.probability.shape

    def cdf(self, x: ArrayLike) -> FloatArray:
        """F(x), 0 below 0 and 1 - p at 0."""
        values = as_finite("x", x)
        inside = 1.0 - self.probability * self.positive.sf(np.maximum(values, 0.0))
        return np.where(values < 0.0, 0.0, inside)

    def sf(self, x: ArrayLike) -> FloatArray:
        """P(X > x), such as the probability that density exceeds a threshold.

        Example:
            >>> float(hurdle_lognormal(0.2, 0.0, 1.0).sf(0.5).round(4))
            0.1512
        """
        values = as_finite("x", x)
        inside = self.probability * self.positive.sf(np.maximum(values, 0.0))
        return np.where(values < 0.0, 1.0, inside)

    def mass(self, x: ArrayLike) -> FloatArray:
        """P(X = x): 1 - p at 0, else 0.

        Example:
            >>> hurdle_lognormal([0.2, 0.2], [0.0, 0.0], [1.0, 1.0]).mass([0.0, 1.0])
            array([0.8, 0. ])
        """
        return np.where(as_finite("x", x) == 0.0, 1.0 - self.probability, 0.0)

    def log_density(self, x: ArrayLike) -> FloatArray:
        """ln(1 - p) at 0, ln p + ln g(x) above: against counting at 0 and length above it.

        Example:
            >>> hurdle_lognormal([0.2, 0.2], [0.0, 0.0], [1.0, 1.0]).log_density([0, 1]).round(4)
            array([-0.2231, -2.5284])
        """
        values = as_nonnegative("x", x)
        with np.errstate(divide="ignore"):
            absent, present = np.log1p(-self.probability), np.log(self.probability)
        return np.where(values == 0.0, absent, present + self.positive.log_density(values))

    def limited_mean(self, x: ArrayLike) -> FloatArray:
        """E min(X, x), the integral of 1 - F from 0 to x: p times that of the positive law."""
        return self.probability * self.positive.limited_mean(x)

    def squared_survival(self, above: ArrayLike = 0.0) -> FloatArray:
        """Integral of (1 - F)^2 from `above` upwards: p^2 times that of the positive law."""
        squared = self.positive.squared_survival(above)
        # No presence, no tail: also where that of the positive law is infinite.
        return np.where(self.probability > 0.0, self.probability, 0.0) ** 2 * np.where(
            self.probability > 0.0, squared, 0.0
        )

    def take(self, which: ArrayLike) -> Hurdle:
        """The laws of some cases, by index or mask; the positive law must know how."""
        chosen = np.asarray(which)
        return Hurdle(self.probability[chosen], self.positive.take(chosen))

    def quantile(self, level: ArrayLike) -> FloatArray:
        """Smallest x with F(x) >= `level`: 0 up to level 1 - p, then the positive law's.

        Example:
            >>> law = hurdle_lognormal([0.05, 0.2], [0.0, 0.0], [1.0, 1.0])
            >>> law.quantile(0.9)
            array([0.        , 0.9999974...])
        """
        share = as_probability(level, "level")
        rest = 1.0 - share
        inside = rest < self.probability
        safe = np.where(self.probability > 0.0, self.probability, 1.0)
        # 1 - rest/p keeps its digits near the top of the law.
        conditional = np.where(inside, 1.0 - rest / safe, 0.0)
        return np.where(inside, self.positive.quantile(np.clip(conditional, 0.0, 1.0)), 0.0)

    def mean(self) -> FloatArray:
        """Expected density, p E[X | X > 0]."""
        return self.probability * self.positive.mean()

    def median(self) -> FloatArray:
        """Quantile at 0.5: 0 wherever p is at most one half."""
        return self.quantile(0.5)

    def variance(self) -> FloatArray:
        """Variance, p Var + p (1 - p) mean^2 with the moments of the positive law."""
        mean = self.positive.mean()
        p = self.probability
        return p * self.positive.variance() + p * (1.0 - p) * mean**2

    def sample(self, rng: np.random.Generator) -> FloatArray:
        """One draw per case.

        Example:
            >>> float(hurdle_lognormal(0.0, 0.0, 1.0).sample(np.random.default_rng(0)))
            0.0
        """
        share = rng.random(self.shape)
        if share.ndim != 1:
            return self.quantile(share)
        # Most draws of a rare event are 0: the positive law is asked about the others alone.
        present = 1.0 - share < self.probability
        drawn = np.zeros(share.shape)
        drawn[present] = self.take(present).quantile(share[present])
        return drawn


def hurdle_lognormal(
    probability: ArrayLike, mu: ArrayLike, sigma: ArrayLike, *, upper: float = 100.0
) -> Hurdle:
    """Hurdle with a lognormal truncated to (0, upper], the forecast law of area density.

    Args:
        probability: (case,) p.
        mu: (case,) mean of ln density before truncation, density in percent.
        sigma: (case,) its standard deviation.
        upper: 100 for a percentage; inf for the plain lognormal.

    Example:
        >>> float(hurdle_lognormal(0.5, 0.0, 1.0).mean().round(5))
        0.82423
    """
    p, m, s = np.broadcast_arrays(
        np.asarray(probability, np.float64),
        np.asarray(mu, np.float64),
        np.asarray(sigma, np.float64),
    )
    return Hurdle(p, TruncatedLognormal(m, s, upper))
