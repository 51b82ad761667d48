r"""The size laws as numpyro distributions: for models of one's own around landslide areas.

Every class wraps a law of `stats.sizes.law.LAWS` with its constraints, its support and its
truncation (`lower`, `upper`); `log_prob` is `stats.sizes.law.log_density`. They compute in the
precision of the process around: a model that needs float64 enters `jax.enable_x64(True)`, as
`stats.precision.in_float64` does.

Example:
    >>> areas = DoubleParetoSimplified(1.4, 2.3, 800.0, lower=100.0)
    >>> round(float(areas.log_prob(800.0)), 3)
    -7.676
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.distributions import Distribution, constraints

from stats.sizes.law import Law, law_named


def _each(function: Callable[..., Any], *arguments: Any) -> Any:
    """`function` of scalars and a (k,) theta, over the broadcast shape of all its arguments."""
    *scalars, theta = arguments
    arrays = jnp.broadcast_arrays(*scalars, *theta)
    shape = arrays[0].shape
    if shape == ():
        return function(*scalars, theta)
    flat = [a.reshape(-1) for a in arrays]
    n = len(scalars)
    return jax.vmap(lambda *row: function(*row[:n], row[n:]))(*flat).reshape(shape)


class SizeDistribution(Distribution):
    """What the laws share: density, sampling and distribution function under truncation."""

    law: ClassVar[Law]
    pytree_data_fields = ("lower", "upper")
    pytree_aux_fields = ("bounded",)

    def __init__(
        self, theta: tuple[Any, ...], lower: Any, upper: Any, validate_args: bool | None
    ) -> None:
        law = type(self).law
        self.lower, self.upper = lower, upper
        # Whether the support ends must be known while tracing: it decides the bijection.
        self.bounded = not (isinstance(upper, (int, float)) and math.isinf(upper))
        if law.needs_upper and not self.bounded:
            raise ValueError(f"upper: found {upper}; {law.title} has two finite ends")
        for name, value in zip(law.names, theta, strict=True):
            setattr(self, name, value)
        batch_shape = jnp.broadcast_shapes(*(jnp.shape(a) for a in (*theta, lower, upper)))
        super().__init__(batch_shape=batch_shape, validate_args=validate_args)

    @property
    def theta(self) -> tuple[Any, ...]:
        """Parameters in the order of the law."""
        return tuple(getattr(self, name) for name in type(self).law.names)

    @property
    def support(self) -> constraints.Constraint:
        """(lower, upper), or above lower."""
        if self.bounded:
            return constraints.open_interval(self.lower, self.upper)
        return constraints.greater_than(self.lower)

    def _log_mass(self, a: Any, b: Any) -> Any:
        law = type(self).law
        if self.batch_shape == ():
            return law.log_mass(a, b, self.theta)
        return _each(law.log_mass, a, b, self.theta)

    def log_prob(self, value: Any) -> Any:
        """Log density of the truncated law, -inf outside its support."""
        value = jnp.asarray(value)
        inside = (value > self.lower) & (value < self.upper)
        middle = 0.5 * (self.lower + self.upper) if self.bounded else self.lower + 1.0
        kernel = type(self).law.log_kernel(jnp.where(inside, value, middle), self.theta)
        return jnp.where(inside, kernel - self._log_mass(self.lower, self.upper), -jnp.inf)

    def sample(self, key: Any, sample_shape: tuple[int, ...] = ()) -> Any:
        """Areas by inversion, exact far out in the tail."""
        share = jax.random.uniform(
            key, (*sample_shape, *self.batch_shape), minval=np.finfo(np.float32).tiny
        )
        inverse = type(self).law.inverse_tail_mass
        if self.batch_shape == ():
            return inverse(share, self.lower, self.upper, self.theta)
        return _each(inverse, share, self.lower, self.upper, self.theta)

    def cdf(self, value: Any) -> Any:
        """Distribution function of the truncated law."""
        value = jnp.asarray(value)
        inside = (value > self.lower) & (value < self.upper)
        middle = 0.5 * (self.lower + self.upper) if self.bounded else self.lower + 1.0
        part = self._log_mass(self.lower, jnp.where(inside, value, middle))
        share = jnp.exp(part - self._log_mass(self.lower, self.upper))
        return jnp.where(inside, share, jnp.where(value <= self.lower, 0.0, 1.0))

    def icdf(self, q: Any) -> Any:
        """Quantile function of the truncated law."""
        inverse = type(self).law.inverse_mass
        if self.batch_shape == ():
            return inverse(q, self.lower, self.upper, self.theta)
        return _each(inverse, q, self.lower, self.upper, self.theta)


def _positive_lower(law: Law, lower: Any) -> None:
    if isinstance(lower, (int, float)) and lower <= 0.0:
        raise ValueError(f"lower: found {lower}; {law.title} needs a lower end above 0")


class DoubleParetoSimplified(SizeDistribution):
    """Double Pareto Simplified (`stats.sizes.laws.dps`); alpha is the cumulative exponent."""

    law = law_named("dps")
    arg_constraints: ClassVar[dict[str, Any]] = {
        "alpha": constraints.positive,
        "beta": constraints.positive,
        "t": constraints.positive,
    }
    reparametrized_params: ClassVar[list[str]] = ["alpha", "beta", "t"]

    def __init__(
        self,
        alpha: Any,
        beta: Any,
        t: Any,
        *,
        lower: Any = 0.0,
        upper: Any = math.inf,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__((alpha, beta, t), lower, upper, validate_args)


class ExtendedDoublePareto(SizeDistribution):
    """The law extended under truncation, beta >= -alpha; needs lower > 0.

    The domain of beta hangs on alpha. In a model sample g = alpha + beta > 0, or z in R^3 and
    `law_named("dps_extended").constrain(z)`.
    """

    law = law_named("dps_extended")
    arg_constraints: ClassVar[dict[str, Any]] = {
        "alpha": constraints.positive,
        "beta": constraints.dependent,
        "t": constraints.positive,
    }
    reparametrized_params: ClassVar[list[str]] = ["alpha", "beta", "t"]

    def __init__(
        self,
        alpha: Any,
        beta: Any,
        t: Any,
        *,
        lower: Any,
        upper: Any = math.inf,
        validate_args: bool | None = None,
    ) -> None:
        _positive_lower(type(self).law, lower)
        traced = isinstance(alpha, jax.core.Tracer) or isinstance(beta, jax.core.Tracer)
        if validate_args and not traced and np.any(np.asarray(beta) < -np.asarray(alpha)):
            raise ValueError(f"beta: found {beta}; expected at least -alpha = -{alpha}")
        super().__init__((alpha, beta, t), lower, upper, validate_args)


class DoublePareto(DoubleParetoSimplified):
    """Double Pareto of Stark & Hovius (2001): Double Pareto Simplified between two fixed ends."""

    law = law_named("dp")

    def __init__(
        self,
        alpha: Any,
        beta: Any,
        t: Any,
        *,
        lower: Any,
        upper: Any,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__(alpha, beta, t, lower=lower, upper=upper, validate_args=validate_args)


class ShiftedInverseGamma(SizeDistribution):
    """Three-parameter inverse gamma of Malamud et al. (2004); s < 0."""

    law = law_named("ig")
    arg_constraints: ClassVar[dict[str, Any]] = {
        "rho": constraints.positive,
        "a": constraints.positive,
        "s": constraints.less_than(0.0),
    }
    reparametrized_params: ClassVar[list[str]] = ["rho", "a", "s"]

    def __init__(
        self,
        rho: Any,
        a: Any,
        s: Any,
        *,
        lower: Any = 0.0,
        upper: Any = math.inf,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__((rho, a, s), lower, upper, validate_args)


class PowerLawTail(SizeDistribution):
    """Power law above `lower`; alpha is the cumulative exponent, the density falls with alpha+1."""

    law = law_named("power")
    arg_constraints: ClassVar[dict[str, Any]] = {"alpha": constraints.positive}
    reparametrized_params: ClassVar[list[str]] = ["alpha"]

    def __init__(
        self, alpha: Any, *, lower: Any, upper: Any = math.inf, validate_args: bool | None = None
    ) -> None:
        _positive_lower(type(self).law, lower)
        super().__init__((alpha,), lower, upper, validate_args)


class TruncatedLognormalSizes(SizeDistribution):
    """Lognormal areas between two ends."""

    law = law_named("lognormal")
    arg_constraints: ClassVar[dict[str, Any]] = {
        "mu": constraints.real,
        "sigma": constraints.positive,
    }
    reparametrized_params: ClassVar[list[str]] = ["mu", "sigma"]

    def __init__(
        self,
        mu: Any,
        sigma: Any,
        *,
        lower: Any = 0.0,
        upper: Any = math.inf,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__((mu, sigma), lower, upper, validate_args)


class GeneralisedParetoSizes(SizeDistribution):
    """Generalised Pareto law located at 0; xi above -1/2."""

    law = law_named("gpd")
    arg_constraints: ClassVar[dict[str, Any]] = {
        "sigma": constraints.positive,
        "xi": constraints.greater_than(-0.5),
    }
    reparametrized_params: ClassVar[list[str]] = ["sigma", "xi"]

    def __init__(
        self,
        sigma: Any,
        xi: Any,
        *,
        lower: Any = 0.0,
        upper: Any = math.inf,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__((sigma, xi), lower, upper, validate_args)


class ExtendedGeneralisedPareto(SizeDistribution):
    """Extended generalised Pareto law of Naveau et al. (2016), G(u) = u^kappa."""

    law = law_named("egpd")
    arg_constraints: ClassVar[dict[str, Any]] = {
        "kappa": constraints.positive,
        "sigma": constraints.positive,
        "xi": constraints.greater_than(-0.5),
    }
    reparametrized_params: ClassVar[list[str]] = ["kappa", "sigma", "xi"]

    def __init__(
        self,
        kappa: Any,
        sigma: Any,
        xi: Any,
        *,
        lower: Any = 0.0,
        upper: Any = math.inf,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__((kappa, sigma, xi), lower, upper, validate_args)
