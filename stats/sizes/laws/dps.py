r"""Double Pareto Simplified, its extension under truncation, and the double Pareto law.

All three are one kernel,

.. math:: k(x) = \frac{t^\alpha}{x^{\alpha+1}}
          \left[1 + (x/t)^{-\alpha}\right]^{-(1 + \beta/\alpha)},

whose integral over (a, b) is, with :math:`s_x = \ln[1 + (x/t)^{-\alpha}]`,

.. math:: M(a, b) = \frac{e^{-(\beta/\alpha) s_b} - e^{-(\beta/\alpha) s_a}}{\beta}.

For beta > 0 it is the Dagum (Burr III) law with shapes alpha and beta/alpha and scale t. Under
truncation at lower > 0 the mass stays finite for all beta > -alpha: at beta = 0 it is the log
limit :math:`(s_a - s_b)/\alpha`, at beta = -alpha the Pareto law, and for beta to infinity with
:math:`\beta t^\alpha = \alpha s^\alpha` the Frechet law with scale s and mode
:math:`s [\alpha/(\alpha+1)]^{1/\alpha}`.

`alpha` is the cumulative exponent; the density falls with alpha + 1. `t` is not the rollover.

The unconstrained scale is (ln alpha, ln g, ln m) with g = beta (g = alpha + beta for the extended
law) and the location :math:`m = t (1 + g/\alpha)^{1/\alpha}`. Along beta to infinity m tends to
the Frechet scale, towards the Pareto law to t: both ridges are straight in ln g.

Sources: Stark & Hovius (2001), Geophysical Research Letters 28(6), 1091-1094,
doi:10.1029/2000GL008527 (five parameters: the truncated law); Rossi et al., LAND-Stat (simplified);
Dagum (1977) for the same law under another name. The extension follows from the formulas above.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import special

from stats.sizes.laws.family import FloatArray, Law, Parameter, hill_exponents
from stats.sizes.laws.stable import log1mexp, log1p_ratio, log_expm1_ratio, log_softplus


def _log_kernel(x: Any, theta: Any) -> jax.Array:
    alpha, beta, t = theta[0], theta[1], theta[2]
    z = jnp.log(x) - jnp.log(t)
    return -alpha * z - jnp.log(x) - (1.0 + beta / alpha) * jax.nn.softplus(-alpha * z)


def _gap(a: Any, b: Any, alpha: Any, t: Any) -> tuple[jax.Array, jax.Array]:
    """(ln(s_a - s_b), s_b) for 0 < a < b <= inf, without subtracting the two."""
    log_t = jnp.log(t)
    finite = b < jnp.inf
    end = jnp.where(finite, b, 2.0 * a)
    s_b = jnp.where(finite, jax.nn.softplus(-alpha * (jnp.log(end) - log_t)), 0.0)
    width = jnp.log1p((end - a) / a)
    share = jnp.where(finite, log1mexp(alpha * width), 0.0)
    # s_a - s_b = ln[1 + (w_a - w_b)/(1 + w_b)], w = (x/t)^-alpha.
    return log_softplus(-alpha * (jnp.log(a) - log_t) + share - s_b), s_b


def _log_mass(a: Any, b: Any, theta: Any) -> jax.Array:
    alpha, beta, t = theta[0], theta[1], theta[2]
    p = beta / alpha
    from_zero = jnp.asarray(a) <= 0.0
    log_gap, s_b = _gap(jnp.where(from_zero, jnp.minimum(t, 0.5 * b), a), b, alpha, t)
    bounded = log_gap - jnp.log(alpha) + log_expm1_ratio(p * jnp.exp(log_gap))
    whole = -jnp.log(jnp.where(beta > 0.0, beta, 1.0))
    return jnp.where(from_zero, jnp.where(beta > 0.0, whole, jnp.inf), bounded) - p * s_b


def _quantile(u: Any, q: Any, a: Any, b: Any, theta: Any) -> jax.Array:
    """Area with share u of the mass of (a, b) below and q = 1 - u above; both given exactly."""
    alpha, beta, t = theta[0], theta[1], theta[2]
    p = beta / alpha
    a, b = jnp.asarray(a), jnp.asarray(b)
    from_zero = a <= 0.0
    log_gap, s_b = _gap(jnp.where(from_zero, jnp.minimum(t, 0.5 * b), a), b, alpha, t)
    gap = jnp.exp(log_gap)
    y = p * gap
    # s_x - s_b = -ln(1 - v)/p with v = q (1 - e^-y); near p = 0 it is q * gap.
    v = q * gap * jnp.exp(log_expm1_ratio(y))
    near = jnp.abs(p * v) < 0.5
    smooth = v * log1p_ratio(-jnp.where(near, p * v, 0.0))
    safe_p = jnp.where(near, 1.0, p)
    direct = -jnp.log(u + q * jnp.exp(-jnp.where(near, 0.0, y))) / safe_p
    whole = -jnp.where(u < 0.5, jnp.log(u), jnp.log1p(-q)) / jnp.where(from_zero, p, 1.0)
    excess = jnp.where(from_zero, whole, jnp.where(near, smooth, direct))
    s_x = s_b + excess
    x = jnp.exp(jnp.log(t) - (s_x + log1mexp(s_x)) / alpha)
    x = jnp.where(q <= 0.0, b, jnp.where(u <= 0.0, a, x))
    return jnp.clip(x, a, b)


def _inverse_mass(u: Any, a: Any, b: Any, theta: Any) -> jax.Array:
    u = jnp.asarray(u)
    return _quantile(u, 1.0 - u, a, b, theta)


def _inverse_tail_mass(q: Any, a: Any, b: Any, theta: Any) -> jax.Array:
    q = jnp.asarray(q)
    return _quantile(1.0 - q, q, a, b, theta)


def _constrain(z: Any) -> jax.Array:
    alpha = jnp.exp(z[0])
    return jnp.stack([alpha, jnp.exp(z[1]), jnp.exp(z[2] - jax.nn.softplus(z[1] - z[0]) / alpha)])


def _unconstrain(theta: Any) -> jax.Array:
    alpha, beta, t = theta[0], theta[1], theta[2]
    return jnp.stack([jnp.log(alpha), jnp.log(beta), jnp.log(t) + jnp.log1p(beta / alpha) / alpha])


def _constrain_extended(z: Any) -> jax.Array:
    alpha, _g, t = _constrain(z)
    # g - alpha as a product keeps beta's digits near the log limit.
    return jnp.stack([alpha, alpha * jnp.expm1(z[1] - z[0]), t])


def _unconstrain_extended(theta: Any) -> jax.Array:
    alpha, beta, t = theta[0], theta[1], theta[2]
    log_g = jnp.log(alpha) + jnp.log1p(beta / alpha)
    return jnp.stack([jnp.log(alpha), log_g, jnp.log(t) + jnp.log(2.0 + beta / alpha) / alpha])


def _log_rollover(theta: Any) -> jax.Array:
    alpha, beta, t = theta[0], theta[1], theta[2]
    has = beta > 1.0
    rise = jnp.where(has, beta - 1.0, 1.0)
    return jnp.where(has, jnp.log(t) + (jnp.log(rise) - jnp.log1p(alpha)) / alpha, jnp.nan)


def _tail_exponent(theta: Any) -> jax.Array:
    return jnp.asarray(theta[0])


def _scale_for_median(alpha: float, beta: float, median: float) -> float:
    log_odds = float(np.log(np.expm1(alpha / beta * math.log(2.0))))
    return float(np.exp(math.log(median) + log_odds / alpha))


def _starts(x: FloatArray, lower: float, upper: float) -> FloatArray:
    median = float(np.median(x))
    steep, flat = hill_exponents(x, (0.1, 0.4))
    pairs = ((steep, 2.0), (steep, 6.0), (flat, 1.0), (1.2 * steep, 0.5))
    return np.array([[a, b, _scale_for_median(a, b, median)] for a, b in pairs])


def _starts_extended(x: FloatArray, lower: float, upper: float) -> FloatArray:
    plain = _starts(x, lower, upper)
    high = float(np.quantile(x, 0.8))
    alpha = plain[0, 0]
    return np.concatenate([plain[:3], [[alpha, 0.05, high], [1.3 * alpha, -0.3 * alpha, high]]])


def _raw_moment(theta: FloatArray, order: int, lower: float, upper: float) -> float | None:
    alpha, beta, t = (float(value) for value in theta)
    if lower > 0.0 or math.isfinite(upper) or beta <= 0.0:
        return None
    p, r = beta / alpha, order / alpha
    return float(np.exp(order * math.log(t) + math.log(p) + special.betaln(p + r, 1.0 - r)))


def _notes(theta: FloatArray, lower: float, upper: float) -> tuple[str, ...]:
    beta = float(theta[1])
    found = ["t is a scale, not the rollover"]
    if beta <= 1.0:
        found.insert(0, "beta <= 1: the density has no rollover")
    if beta <= 0.0:
        found.append("beta <= 0: the law exists only above its lower truncation point")
    return tuple(found)


def _refusal_extended(theta: FloatArray) -> str | None:
    alpha, beta = float(theta[0]), float(theta[1])
    if beta >= -alpha:
        return None
    return f"beta: found {beta:g}; expected at least -alpha = {-alpha:g} (the Pareto limit)"


_ALPHA = Parameter(
    "alpha", "1", 0.0, math.inf, "exponent of the cumulative tail (density: alpha + 1)"
)
_BETA = Parameter("beta", "1", 0.0, math.inf, "exponent of the cumulative left limb")
_T = Parameter("t", "m2", 0.0, math.inf, "scale between the two limbs; not the rollover")
_STARK = "Stark & Hovius (2001), doi:10.1029/2000GL008527"


def _law(name: str, title: str, source: str, **changes: Any) -> Law:
    parts: dict[str, Any] = {
        "parameters": (_ALPHA, _BETA, _T),
        "log_kernel": _log_kernel,
        "log_mass": _log_mass,
        "inverse_mass": _inverse_mass,
        "inverse_tail_mass": _inverse_tail_mass,
        "constrain": _constrain,
        "unconstrain": _unconstrain,
        "log_rollover": _log_rollover,
        "tail_exponent": _tail_exponent,
        "starts": _starts,
        "raw_moment": _raw_moment,
        "law_notes": _notes,
    }
    return Law(name=name, title=title, source=source, **{**parts, **changes})


DPS = _law(
    "dps",
    "Double Pareto Simplified",
    "Rossi et al. (LAND-Stat), after " + _STARK,
)
DPS_EXTENDED = _law(
    "dps_extended",
    "Double Pareto Simplified, extended under truncation",
    "extension of the truncated law of " + _STARK + " to beta > -alpha",
    parameters=(
        _ALPHA,
        Parameter("beta", "1", -math.inf, math.inf, "exponent of the left limb, above -alpha"),
        _T,
    ),
    constrain=_constrain_extended,
    unconstrain=_unconstrain_extended,
    starts=_starts_extended,
    refusal=_refusal_extended,
    needs_lower=True,
)
DP = _law("dp", "Double Pareto", _STARK, needs_lower=True, needs_upper=True)
