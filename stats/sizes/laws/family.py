r"""What every law of landslide areas provides: one frozen record of pure JAX functions.

A law is known by a kernel, its density up to a constant, and by the integral of that kernel over
an interval. The density truncated to (lower, upper) is their quotient, so that one formula serves
detection limits, upper bounds, pixel bins and laws that are proper only under truncation.

`theta` is an array (k,) in the order of `parameters`; `x`, `a`, `b` and `u` have any shape and
broadcast. No function names a dtype: enter `stats.precision.in_float64` at the public door.
Everything that depends on `theta` can be traced, differentiated and vmapped, except `moment`,
`starts` and `notes`, which take and return NumPy values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike

from stats.precision import in_float64

FloatArray = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Parameter:
    """One parameter of a law.

    Attributes:
        name: symbol of the literature, as it stands in tables.
        unit: "1" for exponents, "m2" for areas, "ln m2" for logarithms of areas.
        lower: infimum of the domain (not part of it).
        upper: supremum of the domain (not part of it).
        meaning: one line for tables and help texts.
    """

    name: str
    unit: str
    lower: float
    upper: float
    meaning: str


@dataclass(frozen=True)
class Law:
    r"""A family of size laws as pure functions.

    Attributes:
        name: key in `LAWS` and on the command line.
        title: name for people.
        parameters: k parameters, in the order of `theta`.
        source: author, year, DOI.
        log_kernel: (x, theta) -> ln of the density up to a constant that `log_mass` shares; for
            proper laws the ln density itself.
        log_mass: (a, b, theta) -> ln of the integral of exp(log_kernel) over (a, b),
            0 <= a < b <= inf, with full relative precision in both tails and in narrow intervals;
            +inf where the integral diverges.
        inverse_mass: (u, a, b, theta) -> the x below which a share u of the mass of (a, b) lies.
        inverse_tail_mass: (q, a, b, theta) -> the x above which a share q lies; exact for tiny q.
        constrain: z (k,) -> theta (k,), a smooth bijection of R^k onto the open domain, chosen so
            that the limits of the family are straight directions.
        unconstrain: its inverse.
        log_rollover: theta -> ln of the mode of the density, NaN where it has none inside (0, inf).
        tail_exponent: theta -> exponent alpha of the survival far out (the density falls with
            alpha + 1), NaN where there is no power tail.
        starts: (x, lower, upper) -> (s, k) start values from the data, s >= 3, natural scale.
        raw_moment: (theta, order, lower, upper) -> closed form of E[X^order], or None where
            quadrature of the quantile function serves (see `moment`).
        law_notes: (theta, lower, upper) -> remarks peculiar to the family.
        refusal: theta -> why these values lie outside the domain although each parameter is
            inside its own interval, or None.
        needs_lower: the law is proper only for lower > 0 (for `dps_extended`: where beta <= 0).
        needs_upper: the law is defined by two finite ends.
    """

    name: str
    title: str
    parameters: tuple[Parameter, ...]
    source: str
    log_kernel: Callable[[Any, Any], jax.Array]
    log_mass: Callable[[Any, Any, Any], jax.Array]
    inverse_mass: Callable[[Any, Any, Any, Any], jax.Array]
    inverse_tail_mass: Callable[[Any, Any, Any, Any], jax.Array]
    constrain: Callable[[Any], jax.Array]
    unconstrain: Callable[[Any], jax.Array]
    log_rollover: Callable[[Any], jax.Array]
    tail_exponent: Callable[[Any], jax.Array]
    starts: Callable[[FloatArray, float, float], FloatArray]
    raw_moment: Callable[[FloatArray, int, float, float], float | None]
    law_notes: Callable[[FloatArray, float, float], tuple[str, ...]]
    refusal: Callable[[FloatArray], str | None] = lambda theta: None
    needs_lower: bool = False
    needs_upper: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, in the order of theta."""
        return tuple(p.name for p in self.parameters)

    @property
    def k(self) -> int:
        """Number of parameters."""
        return len(self.parameters)

    def mode(self, theta: ArrayLike) -> float | None:
        """Mode of the untruncated density [unit of x], the rollover; None where there is none."""
        value = float(_in_double(self.log_rollover, theta))
        return None if math.isnan(value) else math.exp(value)

    def pdf_slope(self, theta: ArrayLike) -> float | None:
        """Slope of the density far out on log-log axes, -(alpha + 1); None without power tail."""
        value = float(_in_double(self.tail_exponent, theta))
        return None if math.isnan(value) else -(value + 1.0)

    def moment(
        self, theta: ArrayLike, order: int, lower: float = 0.0, upper: float = math.inf
    ) -> float:
        r"""E[X^order] of the law truncated to (lower, upper); inf where it does not exist.

        Without a closed form it is the integral of the quantile function,

        .. math:: E[X^k] = \frac1r \int_0^1 \bar Q(v^{1/r})^k\, v^{1/r - 1}\, dv, \qquad
                  r = 1 - k/\alpha,

        whose integrand stays bounded however slowly the tail falls.

        Args:
            theta: (k,) parameters.
            order: positive integer.
            lower: lower end.
            upper: upper end.

        Returns:
            The moment, in the unit of x to the power `order`.
        """
        values = np.asarray(theta, dtype=np.float64)
        alpha = float(_in_double(self.tail_exponent, values))
        if math.isinf(upper) and order >= alpha:
            return math.inf
        closed = self.raw_moment(values, order, lower, upper)
        if closed is not None:
            return closed
        heavy = math.isinf(upper) and not math.isnan(alpha)
        return _quantile_moment(
            self, values, order, lower, upper, 1.0 - order / alpha if heavy else 1.0
        )

    def notes(
        self, theta: ArrayLike, lower: float = 0.0, upper: float = math.inf
    ) -> tuple[str, ...]:
        """What the reader of these values must know: moments, rollover, meaning of the scale."""
        values = np.asarray(theta, dtype=np.float64)
        alpha = float(_in_double(self.tail_exponent, values))
        found = []
        if alpha <= 1.0:
            found.append("alpha <= 1: the untruncated law has no mean")
        elif alpha <= 2.0:
            found.append("alpha <= 2: the untruncated law has no variance")
        mode = self.mode(values)
        if mode is not None and mode <= lower:
            found.append("the rollover lies below the lower end: it is extrapolated, not seen")
        return (*found, *self.law_notes(values, lower, upper))


@in_float64
def _in_double(function: Callable[[Any], jax.Array], theta: Any) -> Any:
    return function(np.asarray(theta, dtype=np.float64))


@in_float64
def _quantile_moment(
    law: Law, theta: FloatArray, order: int, lower: float, upper: float, r: float
) -> float:
    # Geometric panels towards both ends: the integrand is analytic inside, steep at the ends.
    edges = np.concatenate([[0.0], np.geomspace(1e-14, 0.5, 48)])
    edges = np.concatenate([edges, 1.0 - edges[-2::-1]])
    nodes, weights = np.polynomial.legendre.leggauss(16)
    half, middle = 0.5 * np.diff(edges)[:, None], 0.5 * (edges[1:] + edges[:-1])[:, None]
    v, w = (middle + half * nodes).ravel(), (half * weights).ravel()
    # 1 - v without cancellation: the panels are mirrored.
    rest = v[::-1]
    log_v = np.where(v < 0.5, np.log(v), np.log1p(-np.minimum(rest, 0.5)))
    log_q = np.maximum(log_v / r, -650.0)
    below = -np.expm1(log_q)
    upper_half = np.asarray(law.inverse_tail_mass(np.exp(log_q), lower, upper, theta))
    lower_half = np.asarray(law.inverse_mass(below, lower, upper, theta))
    x = np.where(below < 0.5, lower_half, upper_half)
    return float(np.sum(w * np.exp(order * np.log(x) + log_q * (1.0 - r)) / r))


def hill_exponents(x: FloatArray, shares: Sequence[float]) -> list[float]:
    r"""Hill estimates of the tail exponent from the largest shares of the data, kept in [0.3, 4].

    Example:
        >>> areas = np.random.default_rng(1).pareto(1.4, 4000) + 1.0
        >>> [abs(a / 1.4 - 1.0) < 0.1 for a in hill_exponents(areas, (0.3, 0.1))]
        [True, True]
    """
    ordered = np.log(np.sort(np.asarray(x, dtype=np.float64)))
    found = []
    for share in shares:
        n = int(np.clip(round(share * ordered.size), 1, max(ordered.size - 1, 1)))
        excess = float(np.mean(ordered[-n:] - ordered[max(ordered.size - n - 1, 0)]))
        found.append(float(np.clip(1.0 / max(excess, 1e-3), 0.3, 4.0)))
    return found
