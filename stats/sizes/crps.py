r"""Continuous ranked probability score of size laws.

.. math:: \mathrm{CRPS}(F, y) = \int_{-\infty}^\infty [F(x) - 1\{x \ge y\}]^2\,dx
          = \int_0^y F^2\,dx + \int_y^\infty S^2\,dx

It is finite only where the survival S falls faster than x^{-1/2}, that is for a cumulative
exponent alpha > 1/2; below, it is refused. It needs no mean: for 1/2 < alpha <= 1 it is finite
although E|X - y| is not, so the energy form (and simulation) must not be used there.

For Double Pareto Simplified, integration by parts gives with p = beta/alpha,
q = [1 + (y/t)^{-alpha}]^{-1} and b = 1 - 1/alpha

.. math:: \mathrm{CRPS} = y\,(2 F(y) - 1)
          + 2 t p \left[\int_q^1 w^{p - b} (1 - w)^{b - 1} dw - B(2p + 1 - b, b)\right],

where for alpha < 1 both terms stand for their analytic continuation in b (the parts that diverge
cancel). Other laws and truncated ones go by quadrature of the quantile function, whose integrand
is made bounded for any admissible tail.

The score: Matheson & Winkler (1976), Management Science 22, 1087-1096; Gneiting & Raftery (2007),
JASA 102, 359-378, doi:10.1198/016214506000001437. The closed form follows from the integral.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from stats.sizes.distribution import SizeLaw, size_law

FloatArray = np.ndarray[Any, np.dtype[np.float64]]

# Next to alpha = 1 the two terms of the closed form are large and nearly equal.
_NEAR_ONE = 1e-3
_CHUNK = 512


def _areas(observed: ArrayLike) -> FloatArray:
    y = np.asarray(observed, dtype=np.float64)
    if not (np.isfinite(y) & (y >= 0.0)).all():
        raise ValueError("observed: found a value below 0 or not finite; expected areas")
    return y


def _check_tail(alpha: float, upper: float) -> None:
    if alpha <= 0.5 and math.isinf(upper):
        raise ValueError(
            f"alpha: found {alpha:g}; the CRPS is infinite for alpha <= 1/2 without an upper end"
        )


def crps_dps(observed: ArrayLike, alpha: float, beta: float, t: float) -> FloatArray:
    """CRPS of untruncated Double Pareto Simplified, in closed form.

    Args:
        observed: areas, any shape.
        alpha: cumulative exponent of the tail, above 1/2.
        beta: cumulative exponent of the left limb.
        t: scale.

    Returns:
        Score in the unit of the areas and in their shape; smaller is better.

    Raises:
        ValueError: alpha <= 1/2, or parameters or areas outside their domain.

    Example:
        >>> crps_dps([500.0, 5000.0], 1.4, 2.3, 800.0).round(1)
        array([ 618.8, 2372.8])
    """
    law = size_law("dps", alpha=alpha, beta=beta, t=t)
    y = _areas(observed)
    _check_tail(alpha, math.inf)
    if abs(alpha - 1.0) < _NEAR_ONE:
        return crps_quadrature(law, y)
    p, b = beta / alpha, 1.0 - 1.0 / alpha
    with np.errstate(divide="ignore"):
        z = alpha * np.log(y / t)
    q, rest = special.expit(z), special.expit(-z)
    part = _upper_beta(p + 1.0 - b, b, q, rest)
    whole = _upper_beta(2.0 * p + 1.0 - b, b, np.zeros(()), np.ones(()))
    return y * (2.0 * law.cdf(y) - 1.0) + 2.0 * t * p * (part - whole)


def _upper_beta(c: float, b: float, q: FloatArray, rest: FloatArray) -> FloatArray:
    """Integral of w^(c-1) (1-w)^(b-1) from q to 1, rest = 1 - q; continued to -1 < b < 0."""
    if b > 0.0:
        return special.beta(c, b) * special.betainc(b, c, rest)
    above = special.beta(c, b + 1.0) * special.betainc(b + 1.0, c, rest)
    with np.errstate(divide="ignore"):
        edge = np.exp(special.xlogy(c, q) + special.xlogy(b, rest))
    return ((c + b) * above + edge) / b


def crps_quadrature(law: SizeLaw, observed: ArrayLike) -> FloatArray:
    r"""CRPS of any size law, truncated or not, by quadrature of its quantile function.

    .. math:: \mathrm{CRPS} = y\,(F^2 - S^2) - 2 F^2 \int_0^1 Q(F w)\,w\,dw
              + 2 S^2 \int_0^1 \bar Q(S w)\,w\,dw

    at y inside the support (F, S: its distribution function and survival there), with the distance
    to the support added for an area outside. The last integrand grows like w^{1 - 1/alpha} and is
    integrated in w^{2 - 1/alpha}.

    Args:
        law: frozen law.
        observed: areas, any shape, inside the support or not.

    Returns:
        Score in the unit of the areas.

    Raises:
        ValueError: alpha <= 1/2 without an upper end, or an area that is no area.

    Example:
        >>> law = size_law("dps", alpha=1.4, beta=2.3, t=800.0)
        >>> crps_quadrature(law, [500.0, 5000.0]).round(1)
        array([ 618.8, 2372.8])
    """
    y = _areas(observed)
    slope = law.pdf_slope()
    alpha = math.nan if slope is None else -slope - 1.0
    _check_tail(alpha, law.upper)
    heavy = math.isinf(law.support()[1]) and not math.isnan(alpha)
    rate = 2.0 - 1.0 / alpha if heavy else 2.0
    flat = y.ravel()
    parts = [
        _crps_chunk(law, flat[first : first + _CHUNK], rate)
        for first in range(0, flat.size, _CHUNK)
    ]
    return np.concatenate([*parts, np.empty(0)]).reshape(y.shape)


def _crps_chunk(law: SizeLaw, observed: FloatArray, rate: float) -> FloatArray:
    low, high = law.support()
    y = np.clip(observed, low, high)
    below, above = law.cdf(y), law.sf(y)
    # Panels shrink towards both ends, where the quantile function may be steep.
    edges = np.concatenate([[0.0], np.geomspace(1e-12, 0.5, 21)])
    edges = np.concatenate([edges, 1.0 - edges[-2::-1]])
    nodes, weights = np.polynomial.legendre.leggauss(12)
    half = 0.5 * np.diff(edges)[:, None]
    s = (0.5 * (edges[1:] + edges[:-1])[:, None] + half * nodes).ravel()
    ds = (half * weights).ravel()
    left = law.ppf(below[:, None] * np.sqrt(s)) @ ds
    # w dw = w^(2 - rate) ds / rate, s = w^rate; the floor is where the integrand has its limit.
    log_w = np.maximum(np.log(s) / rate, -600.0)
    tail = law.isf(above[:, None] * np.exp(log_w))
    right = (tail * np.exp((2.0 - rate) * log_w)) @ ds * (2.0 / rate)
    inside = y * (below - above) - below**2 * left
    with np.errstate(invalid="ignore"):
        upper = np.where(above > 0.0, above**2 * right, 0.0)
    # F^2 or (1 - F)^2 is 1 between the support and an area outside it.
    return inside + upper + np.abs(observed - y)


def crps(law: SizeLaw, observed: ArrayLike) -> FloatArray:
    """CRPS of a size law: closed form where there is one, quadrature elsewhere.

    Example:
        >>> law = size_law("dps", alpha=0.5, beta=2.3, t=800.0)
        >>> crps(law, [500.0])
        Traceback (most recent call last):
        ValueError: alpha: found 0.5; the CRPS is infinite for alpha <= 1/2 without an upper end
    """
    plain = law.law.name in ("dps", "dps_extended") and law.theta[1] > 0.0
    if plain and law.lower == 0.0 and math.isinf(law.upper):
        return crps_dps(observed, *law.theta)
    return crps_quadrature(law, observed)
