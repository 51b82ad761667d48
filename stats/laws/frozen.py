r"""One frozen distribution said of all cases, as a predictive law.

Anything that knows `cdf`, `sf`, `logpdf`, `ppf`, `isf`, `mean` and `var` will do: a fitted law of
landslide areas (`stats.sizes.distribution.SizeLaw`), whole or truncated at either end, or a frozen
continuous distribution of `scipy.stats` on positive values. The two integrals of the scores are
added up once over panels between fixed quantiles, so that a case costs no more than the piece of
one panel it lies in.
"""

from __future__ import annotations

import functools
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import FloatArray, as_finite, as_nonnegative, as_probability
from stats.laws.quadrature import integrate, panel_ends


class FrozenDistribution(Protocol):
    """A continuous distribution of positive values with its parameters."""

    def cdf(self, x: Any, /) -> Any:
        """Distribution function."""

    def sf(self, x: Any, /) -> Any:
        """Survival function."""

    def logpdf(self, x: Any, /) -> Any:
        """Log density."""

    def ppf(self, u: Any, /) -> Any:
        """Quantile from below."""

    def isf(self, q: Any, /) -> Any:
        """Quantile from above."""

    def mean(self) -> Any:
        """Mean, infinite where there is none."""

    def var(self) -> Any:
        """Variance, infinite where there is none."""


class SameForAll:
    """The same law for every case.

    Attributes:
        law: the frozen distribution.
        shape: of the cases.

    Example:
        >>> from stats.sizes.distribution import size_law
        >>> law = SameForAll(size_law("dps", alpha=1.4, beta=2.3, t=800.0), (2,))
        >>> law.limited_mean([500.0, 5000.0]).round(1), law.squared_survival()[0].round(1)
        (array([ 468.6, 1841.6]), np.float64(1056.0))
    """

    def __init__(self, law: FrozenDistribution, shape: tuple[int, ...]) -> None:
        self.law = law
        self.shape = shape

    @functools.cached_property
    def _ends(self) -> FloatArray:
        return np.unique(panel_ends(self)[0])

    @functools.cached_property
    def _tail_index(self) -> float:
        """Exponent of a power tail from the last two panels; inf for a law that ends."""
        if np.isfinite(float(self.law.isf(0.0))):
            return np.inf
        high = self._ends[-2:]
        fall = np.diff(np.log(np.asarray(self.law.sf(high), dtype=np.float64)))
        return float(-fall[0] / np.diff(np.log(high))[0])

    def quantile_from_below(self, share: float) -> FloatArray:
        """Single quantile with the panels' axis of cases."""
        return np.asarray(self.law.ppf(share), dtype=np.float64).reshape(1)

    def quantile_from_above(self, share: float) -> FloatArray:
        """Single quantile with the panels' axis of cases."""
        return np.asarray(self.law.isf(share), dtype=np.float64).reshape(1)

    def _survival(self, x: FloatArray, power: int) -> FloatArray:
        return np.asarray(self.law.sf(x), dtype=np.float64) ** power

    def _piece(self, low: FloatArray, high: FloatArray, power: int) -> FloatArray:
        """(case,) integral of the survival to a power from `low` to `high`, within one panel."""
        ends = np.stack([low, high], axis=-1)
        return integrate(lambda x: self._survival(x, power), ends, low, high)

    @functools.cached_property
    def _up_to(self) -> dict[int, FloatArray]:
        """By power, (end,) integral from 0 to each end of the panels.

        Below the first end the survival is 1.
        """
        first = self._ends[:1]
        return {
            power: np.concatenate(
                [first, first + np.cumsum(self._piece(self._ends[:-1], self._ends[1:], power))]
            )
            for power in (1, 2)
        }

    def _broadcast(self, x: FloatArray) -> FloatArray:
        return np.broadcast_to(x, np.broadcast_shapes(x.shape, self.shape))

    def cdf(self, x: ArrayLike) -> FloatArray:
        """F(x)."""
        return self._broadcast(np.asarray(self.law.cdf(as_nonnegative("x", x)), np.float64))

    def sf(self, x: ArrayLike) -> FloatArray:
        """1 - F(x)."""
        return self._broadcast(np.asarray(self.law.sf(as_nonnegative("x", x)), np.float64))

    def mass(self, x: ArrayLike) -> FloatArray:
        """P(X = x): no value has any."""
        return self._broadcast(np.zeros(as_finite("x", x).shape))

    def log_density(self, x: ArrayLike) -> FloatArray:
        """Log of the density; -inf at 0."""
        value = as_nonnegative("x", x)
        safe = np.where(value > 0.0, value, 1.0)
        density = np.where(value > 0.0, np.asarray(self.law.logpdf(safe), np.float64), -np.inf)
        return self._broadcast(density)

    def quantile(self, level: ArrayLike) -> FloatArray:
        """Value that a share `level` does not exceed."""
        u = as_probability(level, "level")
        low = np.asarray(self.law.ppf(np.minimum(u, 0.5)), dtype=np.float64)
        high = np.asarray(self.law.isf(1.0 - np.maximum(u, 0.5)), dtype=np.float64)
        return self._broadcast(np.where(u <= 0.5, low, high))

    def mean(self) -> FloatArray:
        """E[X]."""
        return np.full(self.shape, float(self.law.mean()))

    def variance(self) -> FloatArray:
        """Var[X]."""
        return np.full(self.shape, float(self.law.var()))

    def limited_mean(self, x: ArrayLike) -> FloatArray:
        """E min(X, x)."""
        value = as_nonnegative("x", x)
        flat = np.clip(value.reshape(-1), None, self._ends[-1])
        place = np.clip(np.searchsorted(self._ends, flat, side="right") - 1, 0, None)
        start = np.minimum(self._ends[place], flat)
        whole = np.where(flat < self._ends[0], flat, self._up_to[1][place])
        return self._broadcast((whole + self._piece(start, flat, 1)).reshape(value.shape))

    def squared_survival(self, above: ArrayLike = 0.0) -> FloatArray:
        """Integral of (1 - F)^2 from `above` upwards; infinite for a tail index of 1/2 or less."""
        start = as_nonnegative("above", above)
        index, last = self._tail_index, self._ends[-1]
        if index <= 0.5 * (1.0 + 1e-6):
            return self._broadcast(np.full(start.shape, np.inf))
        rest = last * float(self.law.sf(last)) ** 2 / (2.0 * index - 1.0)
        flat = np.minimum(start.reshape(-1), last)
        place = np.searchsorted(self._ends, flat, side="left")
        up_to = self._up_to[2]
        # From the end of the panel it lies in, and the piece before that.
        beyond = up_to[-1] - up_to[place] + (rest if np.isfinite(index) else 0.0)
        piece = np.where(place == 0, self._ends[0] - flat, self._piece(flat, self._ends[place], 2))
        return self._broadcast((beyond + piece).reshape(start.shape))

    def sample(self, rng: np.random.Generator) -> FloatArray:
        """One draw per case."""
        return self.quantile(rng.random(self.shape))

    def take(self, which: ArrayLike) -> SameForAll:
        """The law for some cases, by index or mask."""
        return SameForAll(self.law, np.empty(self.shape)[np.asarray(which)].shape)
