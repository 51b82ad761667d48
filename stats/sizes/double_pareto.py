r"""The Double Pareto Simplified law of landslide areas, exactly.

In the notation of the literature (Stark & Hovius, 2001; Rossi et al., LAND-Stat)

.. math:: f(x) = \frac{\beta t^{\alpha}}{x^{\alpha + 1}}
          \left[1 + (x / t)^{-\alpha}\right]^{-(1 + \beta / \alpha)}, \qquad x > 0,

which is the Dagum (Burr III) law with shape :math:`\alpha`, second shape :math:`\beta / \alpha`
and scale :math:`t`; everything is closed form. On a log-log plot the density rises with slope
:math:`\beta - 1` on the left and falls with :math:`-(\alpha + 1)` on the right: `alpha` is the
*cumulative* exponent, the one of the density is `alpha + 1`. `t` is not the rollover.

With `lower` and `upper` the law is truncated to that interval, which is the five-parameter double
Pareto law of Stark & Hovius (2001), Geophysical Research Letters 28(6), 1091-1094,
doi:10.1029/2000GL008527.

Functions of one law, on top of `stats.sizes.law`, where the formulas and the other laws are. They
compute in float64. Areas are in m2 by convention, any unit serves as long as `t`, `lower` and
`upper` share it.
"""

from __future__ import annotations

import math
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from stats.precision import in_float64
from stats.sizes.distribution import SizeLaw, size_law

Values = np.ndarray[Any, np.dtype[np.float64]]


def check_parameters(
    alpha: float, beta: float, t: float, lower: float = 0.0, upper: float = math.inf
) -> None:
    """Refuse parameters outside the law's domain.

    Raises:
        ValueError: a parameter is not finite and positive, or `lower` is not below `upper`.

    Example:
        >>> check_parameters(1.4, 0.0, 800.0)
        Traceback (most recent call last):
        ValueError: beta: found 0.0; expected a finite number above 0
    """
    for name, value in (("alpha", alpha), ("beta", beta), ("t", t)):
        if not (math.isfinite(value) and value > 0.0):
            raise ValueError(f"{name}: found {value}; expected a finite number above 0")
    if not 0.0 <= lower < upper:
        raise ValueError(f"truncation: found [{lower}, {upper}]; expected 0 <= lower < upper")


def _law(alpha: float, beta: float, t: float, lower: float, upper: float) -> SizeLaw:
    check_parameters(alpha, beta, t, lower, upper)
    return size_law("dps", alpha=alpha, beta=beta, t=t, lower=lower, upper=upper)


def _survival(x: float, alpha: float, beta: float, t: float) -> jax.Array:
    bend = jax.nn.softplus(-alpha * jnp.log(jnp.asarray(x) / t))
    return -jnp.expm1(-(beta / alpha) * bend)


def pdf(
    x: Values, alpha: float, beta: float, t: float, *, lower: float = 0.0, upper: float = math.inf
) -> Values:
    """Density at `x`, 0 outside the support.

    Args:
        x: areas, any shape.
        alpha: exponent of the cumulative tail, > 0.
        beta: exponent of the cumulative left limb, > 0.
        t: scale, in the unit of `x`.
        lower: lower truncation point, 0 for none.
        upper: upper truncation point, infinity for none.

    Returns:
        Density per unit of `x`, in the shape of `x`.

    Raises:
        ValueError: parameters outside the domain (`check_parameters`).

    Example:
        >>> float(pdf(np.array(800.0), 1.4, 2.3, 800.0).round(8))
        0.00046032
    """
    return _law(alpha, beta, t, lower, upper).pdf(x)


def survival(
    x: Values, alpha: float, beta: float, t: float, *, lower: float = 0.0, upper: float = math.inf
) -> Values:
    r"""Exceedance probability :math:`P(X > x)`, exact in the far tail. Arguments as in `pdf`.

    Example:
        >>> float(survival(np.array(1.0e6), 1.4, 2.3, 800.0).round(9))
        7.584e-05
    """
    return _law(alpha, beta, t, lower, upper).sf(x)


def cdf(
    x: Values, alpha: float, beta: float, t: float, *, lower: float = 0.0, upper: float = math.inf
) -> Values:
    r"""Distribution function :math:`P(X \le x)`. Arguments as in `pdf`.

    Example:
        >>> float(cdf(np.array(800.0), 1.4, 2.3, 800.0).round(6))
        0.320222
    """
    return _law(alpha, beta, t, lower, upper).cdf(x)


@in_float64
def quantile(
    probability: Values,
    alpha: float,
    beta: float,
    t: float,
    *,
    lower: float = 0.0,
    upper: float = math.inf,
) -> Values:
    r"""Area :math:`Q(u)` that a share `probability` does not exceed; the inverse of `cdf`.

    .. math:: Q(u) = t\,[u^{-\alpha/\beta} - 1]^{-1/\alpha}

    Raises:
        ValueError: a probability outside [0, 1], or parameters outside the domain.

    Example:
        >>> float(quantile(np.array(0.5), 1.4, 2.3, 800.0).round(1))
        1267.8
    """
    check_parameters(alpha, beta, t, lower, upper)
    u = np.asarray(probability)
    if u.size and not (np.nanmin(u) >= 0.0 and np.nanmax(u) <= 1.0):
        raise ValueError(f"probability: found {u.min()}..{u.max()}; expected within [0, 1]")
    # The arithmetic stays as it is: the worlds drawn with it repeat to the last bit.
    # Truncated: u -> F(lower) + u (F(upper) - F(lower)), on the survival side for large u.
    tail = _survival(upper, alpha, beta, t) if math.isfinite(upper) else 0.0
    head = _survival(lower, alpha, beta, t) if lower > 0.0 else 1.0
    exceedance = jnp.asarray(head) - jnp.asarray(u) * (head - tail)
    log_cdf = jnp.log1p(-jnp.clip(exceedance, 0.0, 1.0))
    if lower == 0.0 and not math.isfinite(upper):
        log_cdf = jnp.log(jnp.asarray(u))
    log_ratio = jnp.log(jnp.expm1(-(alpha / beta) * log_cdf))
    return cast(Values, jnp.clip(t * jnp.exp(-log_ratio / alpha), lower, upper))


def sample(
    n: int,
    alpha: float,
    beta: float,
    t: float,
    *,
    rng: np.random.Generator,
    lower: float = 0.0,
    upper: float = math.inf,
) -> Values:
    """`n` independent areas, by inversion.

    Example:
        >>> areas = sample(20_000, 1.4, 2.3, 800.0, rng=np.random.default_rng(1))
        >>> bool(abs(np.median(areas) / 1267.8 - 1.0) < 0.03)
        True
    """
    return quantile(rng.random(n), alpha, beta, t, lower=lower, upper=upper)


def rollover(alpha: float, beta: float, t: float) -> float | None:
    r"""Mode of the density, :math:`t\,[(\beta - 1)/(\alpha + 1)]^{1/\alpha}`; None if beta <= 1.

    Example:
        >>> round(rollover(1.4, 2.3, 800.0)), rollover(1.4, 1.0, 800.0)
        (516, None)
    """
    return _law(alpha, beta, t, 0.0, math.inf).mode()
