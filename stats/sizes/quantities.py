r"""The quantities of a fit that get an interval, each on a scale that suits a search.

Parameters are profiled in ln (positive ones), as they are in an odd, compressing scale (real ones:
asinh) or in logit (bounded ones); the rollover and the tail in ln. `pdf_slope` is -(alpha + 1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from stats.case_arrays import BoolArray, FloatArray, IntArray
from stats.sizes.coordinates import FAMILY, to_theta
from stats.sizes.law import Law, Parameter
from stats.sizes.truncated_dps import PHI_MINIMUM

ROLLOVER, SLOPE, SCALE = "rollover_m2", "pdf_slope", "frechet_scale_m2"
CURVE = ("detection_half_area_m2", "detection_width")
# A rollover further (in ln) outside the areas is as good as none.
_NO_ROLLOVER = 3.0


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """One quantity with its interval.

    Attributes:
        value: maximum-likelihood estimate; None where there is none (no rollover, a limit).
        low: lower end of the interval; the end of the domain (possibly -inf) where it is open.
        high: upper end; the end of the domain (possibly inf) where it is open.
        level: coverage aimed at.
        method: "profile", "delta", "bootstrap", or "none" where there is no interval.
        identified: the interval is closed and, where cuts were tried, the estimate is stable.
        reason: why it is not identified; empty where it is.

    Example:
        >>> Estimate(
        ...     value=1.4, low=1.2, high=1.7, level=0.95, method="profile", identified=True
        ... ).reason
        ''
    """

    value: float | None
    low: float
    high: float
    level: float
    method: str
    identified: bool
    reason: str = ""


def quantity_names(law: Law, *, curve: bool = False) -> tuple[str, ...]:
    """Names in the order of `search_values`.

    Example:
        >>> from stats.sizes.law import law_named
        >>> quantity_names(law_named("dps"))
        ('alpha', 'beta', 't', 'rollover_m2', 'pdf_slope', 'frechet_scale_m2')
    """
    names = (*law.names, ROLLOVER, SLOPE)
    if law.name in FAMILY:
        names = (*names, SCALE)
    return (*names, *CURVE) if curve else names


def _kind(law: Law, parameter: Parameter) -> str:
    # The beta of the family reaches 0 in its log limit, so it cannot be in ln.
    if law.name in FAMILY and parameter.name == "beta":
        return "asinh"
    if parameter.lower == 0.0 and math.isinf(parameter.upper):
        return "ln"
    return "asinh" if math.isinf(parameter.upper) or math.isinf(parameter.lower) else "logit"


def search_values(law: Law, u: jax.Array) -> jax.Array:
    """(q,) quantities on their search scales at coordinates `u`; NaN where one does not exist."""
    theta = to_theta(law, u)
    found = []
    for value, parameter in zip(theta, law.parameters, strict=True):
        kind = _kind(law, parameter)
        if kind == "ln":
            found.append(jnp.log(value))
        elif kind == "asinh":
            found.append(jnp.arcsinh(value))
        else:
            found.append(jnp.log((value - parameter.lower) / (parameter.upper - value)))
    alpha = law.tail_exponent(theta)
    tail = jnp.where(alpha > 0.0, jnp.log(jnp.where(alpha > 0.0, alpha, 1.0)), jnp.nan)
    found += [jnp.asarray(law.log_rollover(theta)), tail]
    if law.name in FAMILY:
        found.append(u[2])
    if u.shape[0] > law.k:
        found += [u[law.k], u[law.k + 1]]
    return jnp.stack([jnp.asarray(value, dtype=u.dtype) for value in found])


def beyond(
    law: Law,
    index: IntArray,
    u: FloatArray,
    value: FloatArray,
    reach: tuple[float, float],
    side: FloatArray,
) -> BoolArray:
    """A quantity has run off: past its end, or at a limit of the family where it has no value.

    Args:
        law: family.
        index: (lane,) position of the quantity.
        u: (lane, c) coordinates.
        value: (lane,) the quantity there, on its search scale.
        reach: smallest and largest ln area.
        side: (lane,) direction of the search, -1 or 1.
    """
    off = (value < reach[0] - _NO_ROLLOVER) | (value > reach[1] + _NO_ROLLOVER)
    off &= index == law.k
    if law.name in FAMILY:
        frechet, pareto = u[:, 1] <= PHI_MINIMUM * 1.001, u[:, 1] >= 1.0
        off |= frechet & (((index == 1) & (side > 0)) | ((index == 2) & (side < 0)))
        off |= pareto & (index == 2)
    return off


def natural(law: Law, name: str, value: float) -> float:
    """Value of a quantity from its search scale.

    Example:
        >>> from stats.sizes.law import law_named
        >>> round(natural(law_named("dps"), "pdf_slope", math.log(1.4)), 6)
        -2.4
    """
    if math.isnan(value):
        return value
    if name == SLOPE:
        return -(math.exp(value) + 1.0)
    if name in law.names:
        parameter = law.parameters[law.names.index(name)]
        kind = _kind(law, parameter)
        if kind == "asinh":
            return math.sinh(value)
        if kind == "logit":
            share = 1.0 / (1.0 + math.exp(-value))
            return parameter.lower + share * (parameter.upper - parameter.lower)
    return math.exp(value)


def domain(law: Law, name: str) -> tuple[float, float]:
    """Ends of the domain of a quantity, where an open interval ends."""
    if name == SLOPE:
        return -math.inf, -1.0
    if name in law.names:
        parameter = law.parameters[law.names.index(name)]
        return parameter.lower, parameter.upper
    return 0.0, math.inf


def interval(
    law: Law, name: str, low: float, high: float, *, open_low: bool, open_high: bool
) -> tuple[float, float]:
    """Natural ends of an interval found on the search scale."""
    ends = domain(law, name)
    first, last = natural(law, name, low), natural(law, name, high)
    if name == SLOPE:
        first, last, open_low, open_high = last, first, open_high, open_low
    return (ends[0] if open_low else first), (ends[1] if open_high else last)


def reason_of(name: str, *, open_low: bool, open_high: bool, level: float) -> str:
    """Why an interval with open ends identifies nothing.

    Example:
        >>> reason_of("beta", open_low=False, open_high=True, level=0.95)
        'the 95 % profile of beta is open above'
    """
    if not (open_low or open_high):
        return ""
    sides = " and ".join(s for s, o in (("below", open_low), ("above", open_high)) if o)
    return f"the {100 * level:g} % profile of {name} is open {sides}"
