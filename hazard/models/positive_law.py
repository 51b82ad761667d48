r"""Laws of the area density where there is any: positive, skewed, and with a tail that is tamed.

A lognormal fits the observed densities (the sd of their logarithm is 1.6-1.9), but its mean is
$e^{\mu + \sigma^2/2}$: where a network predicts a wide spread the mean explodes. Here the spread
is bounded and the law ends at 100 percent of the cell, so the mean is the mean of a law that can
happen, and the mean that is reported belongs to the likelihood that was fitted.

A law turns two unconstrained numbers per cell into its parameters. All functions are pure,
elementwise and float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammainc, gammaln, log_ndtr, ndtri
from jaxtyping import Array, Float, PRNGKeyArray

FULL_CELL_PERCENT = 100.0
RAW = 2

Raw = Float[Array, "*shape 2"]
Values = Float[Array, "*shape"]


class PositiveLaw(Protocol):
    """A law on (0, 100] percent with two unconstrained parameters per cell."""

    def log_density(self, x: Values, raw: Raw) -> Values:
        """Natural logarithm of the probability density at x [percent]."""

    def mean(self, raw: Raw) -> Values:
        """Expectation [percent]."""

    def cdf(self, x: Values, raw: Raw) -> Values:
        """Probability of at most x."""

    def quantile(self, level: Values, raw: Raw) -> Values:
        """Value [percent] that is not exceeded with probability `level`."""

    def sample(self, key: PRNGKeyArray, raw: Raw, draws: int) -> Float[Array, "draw ..."]:
        """Random values [percent]."""

    def initial_raw(self, mean_log: float, sd_log: float) -> tuple[float, float]:
        """Unconstrained numbers of a law with about this mean and sd of the log density."""


@dataclass(frozen=True)
class TruncatedLognormal:
    r"""Lognormal cut off at 100 percent, its spread bounded.

    $\mu$ is free below $\ln 100$, $\sigma$ lies between `sigma_low` and `sigma_high`. With
    $b = (\ln u - \mu)/\sigma$, u = 100 and $z = (\ln x - \mu) / \sigma$:

    $$ \ln f(x) = -\ln x - \ln\sigma - \tfrac12 \ln 2\pi - \tfrac12 z^2 - \ln\Phi(b) $$

    $$ E[x] = e^{\mu + \sigma^2/2}\; \Phi(b - \sigma) / \Phi(b) $$

    Attributes:
        sigma_low: smallest spread of the log.
        sigma_high: largest spread; observed densities have 1.6-1.9 over all cells together.
    """

    sigma_low: float = 0.3
    sigma_high: float = 2.2

    def parameters(self, raw: Raw) -> tuple[Values, Values]:
        """Location and spread of the log."""
        raw32 = jnp.asarray(raw, jnp.float32)
        top = jnp.float32(np.log(FULL_CELL_PERCENT))
        location = top - jax.nn.softplus(top - raw32[..., 0])
        width = self.sigma_high - self.sigma_low
        return location, self.sigma_low + width * jax.nn.sigmoid(raw32[..., 1])

    def log_density(self, x: Values, raw: Raw) -> Values:
        """Natural logarithm of the probability density at x [percent], 0 < x <= 100."""
        location, spread = self.parameters(raw)
        log_x = jnp.log(x)
        z = (log_x - location) / spread
        inside = log_ndtr(self._bound(location, spread))
        return -log_x - jnp.log(spread) - 0.5 * jnp.log(2 * jnp.pi) - 0.5 * z * z - inside

    def mean(self, raw: Raw) -> Values:
        """Expectation of the truncated law [percent]."""
        location, spread = self.parameters(raw)
        b = self._bound(location, spread)
        return jnp.exp(location + 0.5 * spread**2 + log_ndtr(b - spread) - log_ndtr(b))

    def cdf(self, x: Values, raw: Raw) -> Values:
        """Probability of at most x [percent]."""
        location, spread = self.parameters(raw)
        z = (jnp.log(jnp.maximum(x, 1e-30)) - location) / spread
        below = jnp.exp(log_ndtr(z) - log_ndtr(self._bound(location, spread)))
        return jnp.where(x <= 0, 0.0, jnp.minimum(below, 1.0))

    def quantile(self, level: Values, raw: Raw) -> Values:
        """Value not exceeded with probability `level` [percent]."""
        location, spread = self.parameters(raw)
        full = jnp.exp(log_ndtr(self._bound(location, spread)))
        return jnp.minimum(jnp.exp(location + spread * ndtri(level * full)), FULL_CELL_PERCENT)

    def sample(self, key: PRNGKeyArray, raw: Raw, draws: int) -> Float[Array, "draw ..."]:
        """Random densities by inversion [percent]."""
        shape = (draws, *raw.shape[:-1])
        level = jax.random.uniform(key, shape, minval=1e-7, maxval=1.0)
        return self.quantile(level, jnp.broadcast_to(raw, (*shape, RAW)))

    def initial_raw(self, mean_log: float, sd_log: float) -> tuple[float, float]:
        """Unconstrained numbers of a law with this mean and sd of the log (cut-off ignored)."""
        top = float(np.log(FULL_CELL_PERCENT))
        below = top - min(mean_log, top - 0.1)
        share = (sd_log - self.sigma_low) / (self.sigma_high - self.sigma_low)
        share = min(max(share, 0.02), 0.98)
        return top - float(np.log(np.expm1(below))), float(np.log(share / (1 - share)))

    def _bound(self, location: Values, spread: Values) -> Values:
        return (jnp.float32(np.log(FULL_CELL_PERCENT)) - location) / spread


@dataclass(frozen=True)
class Gamma:
    r"""Gamma law given by its mean m and shape k; the mean is a parameter, so it cannot explode.

    $$ \ln f(x) = k \ln(k/m) - \ln\Gamma(k) + (k - 1)\ln x - k x / m $$

    Its tail is lighter than the observed one. It is not cut off at 100 percent: with a mean of
    10 percent and k = 0.5, 0.2 % of it lies above.

    Attributes:
        shape_low: smallest k; small k means many tiny and a few large densities.
        shape_high: largest k.
    """

    shape_low: float = 0.2
    shape_high: float = 5.0

    def parameters(self, raw: Raw) -> tuple[Values, Values]:
        """Mean [percent], at most 100, and shape."""
        raw32 = jnp.asarray(raw, jnp.float32)
        top = jnp.float32(np.log(FULL_CELL_PERCENT))
        mean = jnp.exp(top - jax.nn.softplus(top - raw32[..., 0]))
        width = self.shape_high - self.shape_low
        return mean, self.shape_low + width * jax.nn.sigmoid(raw32[..., 1])

    def log_density(self, x: Values, raw: Raw) -> Values:
        """Natural logarithm of the probability density at x > 0 [percent]."""
        mean, shape = self.parameters(raw)
        log_rate = jnp.log(shape) - jnp.log(mean)
        power = (shape - 1.0) * jnp.log(x)
        return shape * log_rate - gammaln(shape) + power - jnp.exp(log_rate) * x

    def mean(self, raw: Raw) -> Values:
        """Expectation [percent]."""
        return self.parameters(raw)[0]

    def cdf(self, x: Values, raw: Raw) -> Values:
        """Probability of at most x [percent]."""
        mean, shape = self.parameters(raw)
        return gammainc(shape, jnp.maximum(x, 0.0) * shape / mean)

    def quantile(self, level: Values, raw: Raw) -> Values:
        """Value not exceeded with probability `level` [percent], by bisection of the logarithm."""
        low = jnp.full(jnp.shape(level), -30.0, jnp.float32)
        high = jnp.full(jnp.shape(level), 9.0, jnp.float32)

        def halve(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
            middle = 0.5 * (ends[0] + ends[1])
            under = self.cdf(jnp.exp(middle), raw) < level
            return jnp.where(under, middle, ends[0]), jnp.where(under, ends[1], middle)

        low, high = jax.lax.fori_loop(0, 40, halve, (low, high))
        return jnp.exp(0.5 * (low + high))

    def sample(self, key: PRNGKeyArray, raw: Raw, draws: int) -> Float[Array, "draw ..."]:
        """Random densities [percent]."""
        mean, shape = self.parameters(raw)
        draw = jax.random.gamma(key, jnp.broadcast_to(shape, (draws, *shape.shape)))
        return draw * jnp.broadcast_to(mean / shape, draw.shape)

    def initial_raw(self, mean_log: float, sd_log: float) -> tuple[float, float]:
        """Unconstrained numbers of a law with the lognormal's mean and coefficient of variation."""
        mean = min(float(np.exp(mean_log + 0.5 * sd_log**2)), 0.9 * FULL_CELL_PERCENT)
        shape = 1.0 / float(np.expm1(sd_log**2))
        share = (shape - self.shape_low) / (self.shape_high - self.shape_low)
        share = min(max(share, 0.02), 0.98)
        top = float(np.log(FULL_CELL_PERCENT))
        below = top - float(np.log(mean))
        return top - float(np.log(np.expm1(below))), float(np.log(share / (1 - share)))


LAWS: dict[str, PositiveLaw] = {
    "truncated_lognormal": TruncatedLognormal(),
    "gamma": Gamma(),
}


def positive_law(name: str) -> PositiveLaw:
    """A law by its name in configurations.

    Raises:
        ValueError: an unknown name.

    Example:
        >>> positive_law("gamma")
        Gamma(shape_low=0.2, shape_high=5.0)
    """
    if name not in LAWS:
        raise ValueError(f"law {name!r}; use one of {', '.join(LAWS)}")
    return LAWS[name]
