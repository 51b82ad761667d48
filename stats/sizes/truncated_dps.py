r"""Score and Hessian of the truncated, extended Double Pareto Simplified law by hand.

The family is written in coordinates in which all of its limits are ordinary points,

.. math:: u = (\ln\alpha,\ \varphi,\ \ln s), \qquad
          \varphi = \frac{\alpha}{2\alpha + \beta} \in (0, 1], \qquad
          s = t\,\varphi^{-1/\alpha},

with :math:`y = (x/s)^{-\alpha}` and :math:`h = \ln(1 + \varphi y)/\varphi`. The kernel is
:math:`x^{-\alpha-1} e^{-(1-\varphi) h}` and its mass over (a, b)

.. math:: \frac{s^{-\alpha}}{\alpha}\,\frac{e^{\delta h_a} - e^{\delta h_b}}{\delta},
          \qquad \delta = 2\varphi - 1 .

:math:`\varphi \to 0` is the Frechet law of scale s (beta to infinity), :math:`\varphi = 1/2` the
log limit (beta = 0) and :math:`\varphi = 1` the Pareto law (beta = -alpha): a maximum that lies at
a limit is found there, instead of being chased to beta = 1e16.

One evaluation is one pass over the data: with :math:`e = \ln y` and :math:`r = \partial h /
\partial e` seven sums of h, r and e give the value, the score and the Hessian. The derivation
uses :math:`h_{ee} = r - \varphi r^2`, :math:`h_{e\varphi} = -r^2`,
:math:`h_\varphi = (r - h)/\varphi` and :math:`h_{\varphi\varphi} = -(r^2 + 2 h_\varphi)/\varphi`.

Functions here are pure JAX and name no dtype.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

# Below this the second derivative in phi loses its digits (rounding / phi^2); the likelihood of a
# fit at the bound differs from the Frechet law's by about 1e-5 per standard error of phi.
PHI_MINIMUM = 1e-5


class Evaluation(NamedTuple):
    """Log-likelihood with its first and second derivatives at one point."""

    value: jax.Array
    gradient: jax.Array
    hessian: jax.Array


class _Point(NamedTuple):
    """h and its derivatives at one area (or summed over areas), in e and phi."""

    h: jax.Array
    e: jax.Array
    r: jax.Array


def to_theta(u: jax.Array) -> jax.Array:
    """(alpha, beta, t) of the coordinates `u`, along the last axis."""
    alpha, phi = jnp.exp(u[..., 0]), u[..., 1]
    ln_t = u[..., 2] + jnp.log(phi) / alpha
    return jnp.stack([alpha, alpha * (1.0 / phi - 2.0), jnp.exp(ln_t)], axis=-1)


def from_theta(theta: jax.Array) -> jax.Array:
    """Coordinates of (alpha, beta, t), along the last axis."""
    alpha, beta, t = theta[..., 0], theta[..., 1], theta[..., 2]
    phi = jnp.clip(alpha / (2.0 * alpha + beta), PHI_MINIMUM, 1.0)
    return jnp.stack([jnp.log(alpha), phi, jnp.log(t) - jnp.log(phi) / alpha], axis=-1)


def _point(log_x: jax.Array, u: jax.Array) -> _Point:
    alpha, phi = jnp.exp(u[0]), u[1]
    e = -alpha * (log_x - u[2])
    shifted = e + jnp.log(phi)
    # exp(-|.|) once serves the softplus and its sigmoid, and cannot overflow.
    small = jnp.exp(-jnp.abs(shifted))
    h = (jnp.maximum(shifted, 0.0) + jnp.log1p(small)) / phi
    r = jnp.where(shifted >= 0.0, 1.0, small) / (1.0 + small) / phi
    return _Point(h=h, e=e, r=r)


def data_sums(log_x: jax.Array, weights: jax.Array | None, u: jax.Array) -> jax.Array:
    """The seven sums over areas that carry all of the data at `u`.

    Args:
        log_x: (n,) logarithms of the areas.
        weights: (n,) weights, or None.
        u: (3,) coordinates.

    Returns:
        (7,) sums of h, r, r e, r e^2, r^2, r^2 e, r^2 e^2.
    """
    p = _point(log_x, u)
    w_r = p.r if weights is None else weights * p.r
    w_r2 = w_r * p.r
    w_re = w_r * p.e
    w_r2e = w_r2 * p.e
    h = p.h if weights is None else weights * p.h
    terms = (h, w_r, w_re, w_re * p.e, w_r2, w_r2e, w_r2e * p.e)
    return jnp.stack([term.sum() for term in terms])


def data_features(log_x: jax.Array, u: jax.Array) -> jax.Array:
    """(n, 7) terms of `data_sums`: many weightings of one `u` are a matrix product with them."""
    p = _point(log_x, u)
    re, r2 = p.r * p.e, p.r * p.r
    r2e = r2 * p.e
    return jnp.stack([p.h, p.r, re, re * p.e, r2, r2e, r2e * p.e], axis=-1)


def _log_ratio(w: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """ln(expm1(w)/w) and its first two derivatives, smooth through 0 and without overflow."""
    near = jnp.abs(w) < 0.1
    safe = jnp.where(near, 1.0, w)
    size = jnp.abs(safe)
    value = jnp.where(safe > 0.0, safe, 0.0) + jnp.log(-jnp.expm1(-size) / size)
    first = -1.0 / jnp.expm1(-safe) - 1.0 / safe
    # 1/(4 sinh^2(w/2)) written with e^-|w|
    second = 1.0 / safe**2 - jnp.exp(-size) / jnp.expm1(-size) ** 2
    w2 = w * w
    series = w / 2.0 + w2 / 24.0 * (1.0 - w2 / 120.0 * (1.0 - w2 * 2.0 / 63.0))
    series_first = 0.5 + w / 12.0 * (1.0 - w2 / 60.0 * (1.0 - w2 / 42.0 * (1.0 - w2 / 40.0)))
    series_second = (1.0 - w2 / 20.0 * (1.0 - w2 * 5.0 / 126.0 * (1.0 - w2 * 0.035))) / 12.0
    return (
        jnp.where(near, series, value),
        jnp.where(near, series_first, first),
        jnp.where(near, series_second, second),
    )


def _gradient_of_h(p: _Point, alpha: jax.Array, phi: jax.Array) -> jax.Array:
    return jnp.stack([p.r * p.e, (p.r - p.h) / phi, alpha * p.r])


def _hessian_of_h(p: _Point, alpha: jax.Array, phi: jax.Array) -> jax.Array:
    rq, r2, h_phi = p.r - phi * p.r**2, p.r**2, (p.r - p.h) / phi
    aa = rq * p.e**2 + p.r * p.e
    ap = -r2 * p.e
    al = alpha * (rq * p.e + p.r)
    pp = -(r2 + 2.0 * h_phi) / phi
    pl = -alpha * r2
    ll = alpha**2 * rq
    return jnp.stack([jnp.stack([aa, ap, al]), jnp.stack([ap, pp, pl]), jnp.stack([al, pl, ll])])


_PHI = (0.0, 1.0, 0.0)


def log_mass(u: jax.Array, log_lower: jax.Array | None, log_upper: jax.Array | None) -> Evaluation:
    """ln[(e^(delta h_c) - e^(delta h_m))/delta] with its derivatives in `u`."""
    alpha, phi = jnp.exp(u[0]), u[1]
    delta = 2.0 * phi - 1.0
    unit = jnp.asarray(_PHI, dtype=u.dtype)
    phi_phi = jnp.outer(unit, unit)
    zero, none = jnp.zeros(3, dtype=u.dtype), jnp.zeros((3, 3), dtype=u.dtype)
    h_m, g_m, hess_m = jnp.zeros((), dtype=u.dtype), zero, none
    if log_upper is not None:
        end = _point(log_upper, u)
        h_m, g_m, hess_m = end.h, _gradient_of_h(end, alpha, phi), _hessian_of_h(end, alpha, phi)
    if log_lower is None:
        # From zero on: h_c is infinite, so the law needs beta > 0 (delta < 0).
        value = delta * h_m - jnp.log(-delta)
        gradient = delta * g_m + 2.0 * unit * (h_m - 1.0 / delta)
        cross = jnp.outer(g_m, unit)
        hessian = delta * hess_m + 2.0 * (cross + cross.T) + 4.0 / delta**2 * phi_phi
        return Evaluation(value, gradient, hessian)
    start = _point(log_lower, u)
    g_c, hess_c = _gradient_of_h(start, alpha, phi), _hessian_of_h(start, alpha, phi)
    width = start.h - h_m
    log_ratio, first, second = _log_ratio(delta * width)
    # A = dG/dh_c, B = -dG/dh_m, A - B = delta
    b = jnp.exp(-jnp.log(width) - log_ratio)
    a = b + delta
    a = jnp.where(delta < 0.0, b * jnp.exp(delta * width), a)
    mixed = first + delta * width * second
    gradient = a * g_c - b * g_m + 2.0 * unit * (h_m + width * first)
    turn = g_c - g_m
    cross = jnp.outer(mixed * turn + g_m, unit)
    hessian = (
        a * hess_c
        - b * hess_m
        - a * b * jnp.outer(turn, turn)
        + 2.0 * (cross + cross.T)
        + 4.0 * width**2 * second * phi_phi
    )
    return Evaluation(delta * h_m + jnp.log(width) + log_ratio, gradient, hessian)


def evaluate_sums(
    u: jax.Array,
    sums: jax.Array,
    sum_log_x: jax.Array,
    n: jax.Array,
    log_lower: jax.Array | None,
    log_upper: jax.Array | None,
) -> Evaluation:
    """Log-likelihood, score and Hessian at `u` from `data_sums` there.

    Args:
        u: (3,) coordinates ln alpha, phi, ln s.
        sums: (7,) sums at `u`.
        sum_log_x: sum of (weighted) ln x.
        n: number (or total weight) of areas.
        log_lower: logarithm of the lower truncation point; None for 0.
        log_upper: logarithm of the upper truncation point; None for infinity.
    """
    alpha, phi = jnp.exp(u[0]), u[1]
    h, r, re, re2, r2, r2e, r2e2 = sums
    e = -alpha * (sum_log_x - n * u[2])
    left = 1.0 - phi
    h_phi = (r - h) / phi
    value = e + n * u[0] - left * h - sum_log_x
    gradient = jnp.stack([e + n - left * re, h - left * h_phi, alpha * (n - left * r)])
    aa = e - left * (re2 - phi * r2e2 + re)
    ap = re + left * r2e
    al = alpha * (n - left * (re - phi * r2e + r))
    pp = 2.0 * h_phi + left * (r2 + 2.0 * h_phi) / phi
    pl = alpha * (r + left * r2)
    # The Pareto law (phi = 1) has no scale: a unit of curvature holds it where it stands.
    ll = jnp.where(left <= 0.0, -n, -left * alpha**2 * (r - phi * r2))
    hessian = jnp.stack([jnp.stack([aa, ap, al]), jnp.stack([ap, pp, pl]), jnp.stack([al, pl, ll])])
    mass = log_mass(u, log_lower, log_upper)
    return Evaluation(
        value - n * mass.value, gradient - n * mass.gradient, hessian - n * mass.hessian
    )


def evaluate(
    u: jax.Array,
    log_x: jax.Array,
    weights: jax.Array | None,
    log_lower: jax.Array | None,
    log_upper: jax.Array | None,
) -> Evaluation:
    """Log-likelihood of areas, score and Hessian at `u`: one pass over the data."""
    if weights is None:
        sum_log_x, n = log_x.sum(), jnp.asarray(log_x.shape[0], dtype=log_x.dtype)
    else:
        sum_log_x, n = (weights * log_x).sum(), weights.sum()
    sums = data_sums(log_x, weights, u)
    return evaluate_sums(u, sums, sum_log_x, n, log_lower, log_upper)
