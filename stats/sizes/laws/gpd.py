r"""Generalised Pareto and extended generalised Pareto laws.

With survival :math:`S(x) = (1 + \xi x / \sigma)^{-1/\xi}` and :math:`H = 1 - S`, the generalised
Pareto law has density :math:`S^{1 + \xi}/\sigma`, the extended law of Naveau et al. (2016), Water
Resources Research 52, 2753-2769, doi:10.1002/2015WR018552, with :math:`G(u) = u^\kappa`, has
:math:`F = H^\kappa`.

Both are located at 0. Truncated at c the generalised Pareto law is again one, of the excess over
c, with scale sigma + xi c. `xi` may be negative (above -1/2, where maximum likelihood is regular):
the law then ends at -sigma/xi. For xi > 0 the cumulative exponent alpha is 1/xi.

The extended law has its rollover where :math:`S = (1 + \xi)/(\kappa + \xi)`, if kappa > 1. The
unconstrained scale is (ln sigma, ln[xi + 1/2]), and (ln kappa, ln m, ln[xi + 1/2]) with the
location :math:`m = \sigma (1 + \kappa)^\xi`, which stays finite along kappa to infinity.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from stats.sizes.laws.family import FloatArray, Law, Parameter, hill_exponents
from stats.sizes.laws.stable import log1mexp, log1p_ratio, log_expm1_ratio, log_softplus

_XI_FLOOR = 0.5


def _log_decay(a: Any, b: Any, sigma: Any, xi: Any) -> jax.Array:
    """Fall of ln S from a to b, >= 0; +inf at or beyond the end of the law and for b = inf."""
    # At a beyond the end of the law the scale there is not positive: nothing is left to lose.
    scale = sigma + xi * a
    alive = (scale > 0.0) & (b < jnp.inf)
    step = (jnp.where(alive, b, a) - a) / jnp.where(scale > 0.0, scale, 1.0)
    inside = alive & (xi * step > -1.0)
    step = jnp.where(inside, step, 0.0)
    return jnp.where(inside, step * log1p_ratio(xi * step), jnp.inf)


def _x_at_decay(decay: Any, a: Any, sigma: Any, xi: Any) -> jax.Array:
    """Area x with ln S(a) - ln S(x) = decay."""
    return a + (sigma + xi * a) * decay * jnp.exp(log_expm1_ratio(-xi * decay))


def _decay_at_share(u: Any, q: Any, whole: Any) -> jax.Array:
    """-ln[q + u e^-whole], the decay at which share u of a mass with that total decay is used."""
    lost = -jnp.expm1(-whole)
    little = u * lost < 0.5
    near = u * lost * log1p_ratio(-jnp.where(little, u * lost, 0.0))
    far = -jnp.log(jnp.where(little, 1.0, q + u * jnp.exp(-whole)))
    return jnp.where(little, near, far)


def _log_h(x: Any, sigma: Any, xi: Any) -> tuple[jax.Array, jax.Array]:
    """(ln of the generalised Pareto density, decay), -inf and inf outside the support."""
    decay = _log_decay(jnp.zeros_like(x), x, sigma, xi)
    inside = jnp.isfinite(decay)
    safe = jnp.where(inside, decay, 1.0)
    return jnp.where(inside, -jnp.log(sigma) - (1.0 + xi) * safe, -jnp.inf), decay


def _gpd_log_kernel(x: Any, theta: Any) -> jax.Array:
    return _log_h(jnp.asarray(x), theta[0], theta[1])[0]


def _log_h_mass(a: Any, b: Any, sigma: Any, xi: Any) -> jax.Array:
    a, b = jnp.asarray(a), jnp.asarray(b)
    decay = _log_decay(a, b, sigma, xi)
    share = log1mexp(jnp.where(jnp.isfinite(decay), decay, 800.0))
    return share - _log_decay(jnp.zeros_like(a), a, sigma, xi)


def _gpd_log_mass(a: Any, b: Any, theta: Any) -> jax.Array:
    return _log_h_mass(a, b, theta[0], theta[1])


def _gpd_quantile(u: Any, q: Any, a: Any, b: Any, theta: Any) -> jax.Array:
    sigma, xi = theta[0], theta[1]
    a, b = jnp.asarray(a), jnp.asarray(b)
    decay = _decay_at_share(u, q, _log_decay(a, b, sigma, xi))
    end = jnp.where(xi < 0.0, jnp.minimum(b, -sigma / jnp.where(xi < 0.0, xi, -1.0)), b)
    last = (q <= 0.0) | jnp.isinf(decay)
    x = _x_at_decay(jnp.where(last, 1.0, decay), a, sigma, xi)
    return jnp.clip(jnp.where(last, end, x), a, end)


def _gap(a: Any, b: Any, theta: Any) -> tuple[jax.Array, jax.Array]:
    """(ln[ln H(b) - ln H(a)], -ln H(b)) for a > 0."""
    sigma, xi = theta[1], theta[2]
    part = _log_h_mass(a, b, sigma, xi)
    to_a = _log_decay(jnp.zeros_like(a), a, sigma, xi)
    to_b = _log_decay(jnp.zeros_like(b), b, sigma, xi)
    finite = jnp.isfinite(to_b)
    rest = jnp.where(finite, -log1mexp(jnp.where(finite, to_b, 1.0)), 0.0)
    return log_softplus(part - log1mexp(to_a)), rest


def _egpd_log_kernel(x: Any, theta: Any) -> jax.Array:
    kappa = theta[0]
    log_h, decay = _log_h(jnp.asarray(x), theta[1], theta[2])
    safe = jnp.where(jnp.isfinite(decay), decay, 1.0)
    return jnp.log(kappa) + log_h + (kappa - 1.0) * log1mexp(safe)


def _egpd_log_mass(a: Any, b: Any, theta: Any) -> jax.Array:
    kappa = theta[0]
    a, b = jnp.broadcast_arrays(jnp.asarray(a), jnp.asarray(b))
    zero = a <= 0.0
    log_gap, rest = _gap(jnp.where(zero, jnp.minimum(0.5 * b, theta[1]), a), b, theta)
    bounded = jnp.log(kappa) + log_gap + log_expm1_ratio(kappa * jnp.exp(log_gap))
    return jnp.where(zero, 0.0, bounded) - kappa * rest


def _egpd_quantile(u: Any, q: Any, a: Any, b: Any, theta: Any) -> jax.Array:
    kappa, sigma, xi = theta[0], theta[1], theta[2]
    a, b = jnp.broadcast_arrays(jnp.asarray(a), jnp.asarray(b))
    zero = a <= 0.0
    log_gap, rest = _gap(jnp.where(zero, jnp.minimum(0.5 * b, sigma), a), b, theta)
    whole = jnp.where(zero, jnp.inf, kappa * jnp.exp(log_gap))
    # From b downwards: -ln H(x) = rest - ln[u + q e^-whole]/kappa, the roles of u and q swapped.
    back = rest + _decay_at_share(q, u, whole) / kappa
    inner = (u > 0.0) & (back > 0.0) & jnp.isfinite(back)
    x = _x_at_decay(-log1mexp(jnp.where(inner, back, 1.0)), 0.0, sigma, xi)
    return jnp.clip(jnp.where(inner, x, jnp.where(u <= 0.0, a, b)), a, b)


def _both(quantile: Any) -> dict[str, Any]:
    def inverse_mass(u: Any, a: Any, b: Any, theta: Any) -> jax.Array:
        u = jnp.asarray(u)
        return quantile(u, 1.0 - u, a, b, theta)

    def inverse_tail_mass(q: Any, a: Any, b: Any, theta: Any) -> jax.Array:
        q = jnp.asarray(q)
        return quantile(1.0 - q, q, a, b, theta)

    return {"inverse_mass": inverse_mass, "inverse_tail_mass": inverse_tail_mass}


def _gpd_constrain(z: Any) -> jax.Array:
    return jnp.stack([jnp.exp(z[0]), jnp.exp(z[1]) - _XI_FLOOR])


def _gpd_unconstrain(theta: Any) -> jax.Array:
    return jnp.stack([jnp.log(theta[0]), jnp.log(theta[1] + _XI_FLOOR)])


def _egpd_constrain(z: Any) -> jax.Array:
    xi = jnp.exp(z[2]) - _XI_FLOOR
    return jnp.stack([jnp.exp(z[0]), jnp.exp(z[1] - xi * jax.nn.softplus(z[0])), xi])


def _egpd_unconstrain(theta: Any) -> jax.Array:
    kappa, sigma, xi = theta[0], theta[1], theta[2]
    location = jnp.log(sigma) + xi * jnp.log1p(kappa)
    return jnp.stack([jnp.log(kappa), location, jnp.log(xi + _XI_FLOOR)])


def _egpd_log_rollover(theta: Any) -> jax.Array:
    kappa, sigma, xi = theta[0], theta[1], theta[2]
    has = kappa > 1.0
    decay = jnp.log(jnp.where(has, kappa + xi, 2.0 + 2.0 * xi)) - jnp.log1p(xi)
    return jnp.where(has, jnp.log(_x_at_decay(decay, 0.0, sigma, xi)), jnp.nan)


def _alpha(xi: Any) -> jax.Array:
    heavy = jnp.asarray(xi) > 0.0
    return jnp.where(heavy, 1.0 / jnp.where(heavy, xi, 1.0), jnp.nan)


def _scale_for_median(x: FloatArray, xi: float, share: float) -> float:
    """Scale at which the median of x is passed with survival `share`."""
    return float(np.median(x)) * xi / math.expm1(-xi * math.log(share))


def _gpd_starts(x: FloatArray, lower: float, upper: float) -> FloatArray:
    rows = []
    for alpha in (*hill_exponents(x, (0.1, 0.4)), 4.0):
        xi = 1.0 / alpha
        excess = np.maximum(x - lower, 1e-12)
        rows.append([max(_scale_for_median(excess, xi, 0.5) - xi * lower, 1e-3 * np.median(x)), xi])
    return np.array(rows)


def _egpd_starts(x: FloatArray, lower: float, upper: float) -> FloatArray:
    rows = []
    for alpha, kappa in zip(hill_exponents(x, (0.1, 0.1, 0.4)), (1.0, 5.0, 2.0), strict=True):
        xi = 1.0 / alpha
        rows.append([kappa, _scale_for_median(x, xi, 1.0 - 0.5 ** (1.0 / kappa)), xi])
    return np.array(rows)


def _notes(theta: FloatArray, lower: float, upper: float) -> tuple[str, ...]:
    sigma, xi = float(theta[-2]), float(theta[-1])
    if xi <= 0.0:
        end = f", and the law ends at {-sigma / xi:.6g}" if xi < 0.0 else ""
        found: tuple[str, ...] = (f"xi <= 0: there is no power tail{end}",)
    else:
        found = ("alpha = 1/xi",)
        if sigma < 1e-3 * xi * lower:
            found = (*found, "sigma is at its limit 0: the Pareto law above the lower end")
    if theta.size == 3 and theta[0] > 1e3:
        found = (*found, "kappa towards infinity: only sigma kappa^xi and xi are determined")
    if theta.size == 3 and theta[0] <= 1.0:
        return ("kappa <= 1: the density has no rollover", *found)
    return found if theta.size == 3 else ("the density falls from 0 on: no rollover", *found)


_SIGMA = Parameter("sigma", "m2", 0.0, math.inf, "scale")
_XI = Parameter("xi", "1", -_XI_FLOOR, math.inf, "shape of the tail; alpha = 1/xi if positive")

GPD = Law(
    name="gpd",
    title="Generalised Pareto",
    parameters=(_SIGMA, _XI),
    source="Pickands (1975), doi:10.1214/aos/1176343003",
    log_kernel=_gpd_log_kernel,
    log_mass=_gpd_log_mass,
    constrain=_gpd_constrain,
    unconstrain=_gpd_unconstrain,
    log_rollover=lambda theta: jnp.full_like(theta[0], jnp.nan),
    tail_exponent=lambda theta: _alpha(theta[1]),
    starts=_gpd_starts,
    raw_moment=lambda theta, order, lower, upper: None,
    law_notes=_notes,
    **_both(_gpd_quantile),
)
EGPD = Law(
    name="egpd",
    title="Extended generalised Pareto",
    parameters=(
        Parameter("kappa", "1", 0.0, math.inf, "exponent of the cumulative left limb"),
        _SIGMA,
        _XI,
    ),
    source="Naveau et al. (2016), doi:10.1002/2015WR018552, G(u) = u^kappa",
    log_kernel=_egpd_log_kernel,
    log_mass=_egpd_log_mass,
    constrain=_egpd_constrain,
    unconstrain=_egpd_unconstrain,
    log_rollover=_egpd_log_rollover,
    tail_exponent=lambda theta: _alpha(theta[2]),
    starts=_egpd_starts,
    raw_moment=lambda theta, order, lower, upper: None,
    law_notes=_notes,
    **_both(_egpd_quantile),
)
