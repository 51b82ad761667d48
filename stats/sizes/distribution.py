r"""Frozen distributions of landslide area, in the manner of `scipy.stats`.

`size_law("dps", alpha=1.4, beta=2.3, t=800.0)` is a law with its parameters and its support; every
method computes in float64 whatever the process around uses, and returns NumPy values. Areas are in
m2 by convention; any unit serves as long as scales and ends share it.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from stats.precision import in_float64
from stats.sizes.compiled import DERIVATIVES, evaluate, padded
from stats.sizes.law import Law, law_named

FloatArray = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class SizeLaw:
    """A size law with parameters and support; make one with `size_law`.

    Attributes:
        law: family.
        theta: parameters, in the order of `law.parameters`.
        lower: lower end of the support, 0 for none.
        upper: upper end, infinity for none.
    """

    law: Law
    theta: tuple[float, ...]
    lower: float = 0.0
    upper: float = math.inf

    def __post_init__(self) -> None:
        """Refuse parameters and supports on which the law is no law."""
        if len(self.theta) != self.law.k:
            raise ValueError(
                f"theta: found {len(self.theta)} values; expected {', '.join(self.law.names)}"
            )
        for parameter, value in zip(self.law.parameters, self.theta, strict=True):
            if not (math.isfinite(value) and parameter.lower < value < parameter.upper):
                raise ValueError(
                    f"{parameter.name}: found {value}; expected a finite number between "
                    f"{parameter.lower:g} and {parameter.upper:g}"
                )
        refusal = self.law.refusal(np.asarray(self.theta))
        if refusal is not None:
            raise ValueError(refusal)
        if not 0.0 <= self.lower < self.upper:
            raise ValueError(
                f"truncation: found [{self.lower}, {self.upper}]; expected 0 <= lower < upper"
            )
        if self.law.needs_upper and not math.isfinite(self.upper):
            raise ValueError(f"upper: found {self.upper}; {self.law.title} has two finite ends")
        if not math.isfinite(self._log_mass()):
            raise ValueError(
                f"lower: found {self.lower}; with these parameters {self.law.title} is a law only "
                f"above a lower end inside its support"
            )

    @in_float64
    def _log_mass(self) -> float:
        theta = np.asarray(self.theta, dtype=np.float64)
        return float(evaluate(self.law, "logmass", 0.0, self.lower, self.upper, theta))

    @in_float64
    def _at(self, what: str, x: ArrayLike, fill: float) -> FloatArray:
        values = np.asarray(x, dtype=np.float64)
        theta = np.asarray(self.theta, dtype=np.float64)
        flat = padded(values.ravel(), fill)
        out = evaluate(self.law, what, flat, self.lower, self.upper, theta)
        return np.asarray(out)[: values.size].reshape(values.shape)

    @functools.cached_property
    def _median(self) -> float:
        return float(self._at("ppf", 0.5, 0.5))

    @functools.cached_property
    def _end(self) -> float:
        return float(self._at("isf", 0.0, 0.5))

    def _between(self, what: str, x: ArrayLike, below: float, above: float) -> FloatArray:
        values = np.asarray(x, dtype=np.float64)
        if np.isnan(values).any():
            raise ValueError(f"x: found {int(np.isnan(values).sum())} NaN; expected areas")
        low, high = self.support()
        # A density has a value at the ends too, where a detection limit often has an area.
        inside = (values > low) & (values < high)
        if what == "logpdf":
            inside |= ((values == low) | (values == high)) & (values > 0.0) & np.isfinite(values)
        at = self._at(what, np.where(inside, values, self._median), self._median)
        return np.where(inside, at, np.where(values <= low, below, above))

    def support(self) -> tuple[float, float]:
        """(lower, upper) end; the law may end before its truncation point (xi < 0)."""
        return self.lower, self._end

    def logpdf(self, x: ArrayLike) -> FloatArray:
        """Log density, -inf outside the support [ln of 1/unit of x]."""
        return self._between("logpdf", x, -math.inf, -math.inf)

    def pdf(self, x: ArrayLike) -> FloatArray:
        """Density per unit of x, 0 outside the support.

        Example:
            >>> float(size_law("dps", alpha=1.4, beta=2.3, t=800.0).pdf(800.0).round(8))
            0.00046032
        """
        return np.exp(self.logpdf(x))

    def logcdf(self, x: ArrayLike) -> FloatArray:
        """Log of the distribution function, exact far to the left."""
        return self._between("logcdf", x, -math.inf, 0.0)

    def cdf(self, x: ArrayLike) -> FloatArray:
        r"""Distribution function :math:`P(X \le x)`.

        Example:
            >>> float(size_law("dps", alpha=1.4, beta=2.3, t=800.0).cdf(800.0).round(6))
            0.320222
        """
        return np.exp(self.logcdf(x))

    def logsf(self, x: ArrayLike) -> FloatArray:
        """Log of the exceedance probability, exact far to the right."""
        return self._between("logsf", x, 0.0, -math.inf)

    def sf(self, x: ArrayLike) -> FloatArray:
        r"""Exceedance probability :math:`P(X > x)`.

        Example:
            >>> law = size_law("dps", alpha=1.4, beta=2.3, t=800.0)
            >>> float(law.sf(1.0e6).round(9))
            7.584e-05
        """
        return np.exp(self.logsf(x))

    def _inverse(self, what: str, share: ArrayLike) -> FloatArray:
        values = np.asarray(share, dtype=np.float64)
        if not ((values >= 0.0) & (values <= 1.0)).all():
            raise ValueError("probability: found a value outside [0, 1]")
        return self._at(what, values, 0.5)

    def ppf(self, u: ArrayLike) -> FloatArray:
        """Area that a share u does not exceed; the inverse of `cdf`.

        Example:
            >>> float(size_law("dps", alpha=1.4, beta=2.3, t=800.0).ppf(0.5).round(1))
            1267.8
        """
        return self._inverse("ppf", u)

    def isf(self, q: ArrayLike) -> FloatArray:
        """Area that a share q exceeds; the inverse of `sf`, exact for tiny q."""
        return self._inverse("isf", q)

    def rvs(self, size: int | tuple[int, ...], rng: np.random.Generator) -> FloatArray:
        """Independent areas, by inversion.

        Example:
            >>> law = size_law("ig", rho=1.4, a=1280.0, s=-132.0)
            >>> areas = law.rvs(20_000, np.random.default_rng(1))
            >>> bool(abs(np.median(areas) / law.median() - 1.0) < 0.03)
            True
        """
        return self.ppf(rng.random(size))

    def median(self) -> float:
        """Area that half of the landslides exceed."""
        return self._median

    def interval(self, level: float) -> tuple[float, float]:
        """Central interval that holds a share `level` of the landslides."""
        return float(self.ppf(0.5 - 0.5 * level)), float(self.isf(0.5 - 0.5 * level))

    def mode(self) -> float | None:
        """Rollover: the mode of the density, None where the support holds none.

        Example:
            >>> law = size_law("dps", alpha=1.4, beta=2.3, t=800.0, lower=600.0)
            >>> law.mode(), round(law.law.mode(law.theta))
            (None, 516)
        """
        mode = self.law.mode(self.theta)
        return mode if mode is not None and self.lower < mode < self.upper else None

    def pdf_slope(self) -> float | None:
        """Slope of the log density over log area far out, -(alpha + 1); None without power tail."""
        return self.law.pdf_slope(self.theta)

    def moment(self, order: int) -> float:
        """E[X^order]; infinite where the tail is too heavy for it.

        Raises:
            ValueError: `order` is not a positive integer.

        Example:
            >>> size_law("dps", alpha=0.9, beta=2.3, t=800.0).moment(1)
            inf
        """
        if order != int(order) or order < 1:
            raise ValueError(f"order: found {order}; expected a positive integer")
        return self.law.moment(self.theta, int(order), self.lower, self.upper)

    def mean(self) -> float:
        """Mean area; infinite for alpha <= 1 without an upper end."""
        return self.moment(1)

    def var(self) -> float:
        """Variance of area; infinite for alpha <= 2 without an upper end."""
        second = self.moment(2)
        return second if math.isinf(second) else second - self.moment(1) ** 2

    def _likelihood(self, what: str, areas: ArrayLike, weights: ArrayLike | None) -> FloatArray:
        x = np.asarray(areas, dtype=np.float64).ravel()
        w = np.ones(x.size) if weights is None else np.asarray(weights, dtype=np.float64).ravel()
        low, high = self.support()
        outside = int(np.count_nonzero(~((x >= low) & (x <= high) & (x > 0.0))))
        if outside:
            raise ValueError(
                f"areas: found {outside} of {x.size} outside the support [{low:g}, {high:g}]"
            )
        if w.size != x.size:
            raise ValueError(f"weights: found {w.size}; expected {x.size}, one per area")
        return self._derivative(what, padded(x, self._median), padded(w, 0.0))

    @in_float64
    def _derivative(self, what: str, x: FloatArray, weights: FloatArray) -> FloatArray:
        theta = np.asarray(self.theta, dtype=np.float64)
        return np.asarray(DERIVATIVES[what](self.law, theta, x, weights, self.lower, self.upper))

    def loglik(self, areas: ArrayLike, weights: ArrayLike | None = None) -> float:
        """Log-likelihood of exact areas, all inside the support; weights count an area so often.

        Raises:
            ValueError: an area lies outside the support, or weights of another length.
        """
        return float(self._likelihood("loglik", areas, weights))

    def score(self, areas: ArrayLike, weights: ArrayLike | None = None) -> FloatArray:
        """Exact gradient (k,) of `loglik` in the natural parameters."""
        return self._likelihood("score", areas, weights)

    def hessian(self, areas: ArrayLike, weights: ArrayLike | None = None) -> FloatArray:
        """Exact Hessian (k, k) of `loglik` in the natural parameters."""
        return self._likelihood("hessian", areas, weights)

    def notes(self) -> tuple[str, ...]:
        """What the reader of these parameters must know.

        Example:
            >>> size_law("dps", alpha=0.9, beta=0.8, t=800.0).notes()[:2]
            ('alpha <= 1: the untruncated law has no mean',
             'beta <= 1: the density has no rollover')
        """
        return self.law.notes(self.theta, self.lower, self.upper)


def size_law(
    name: str | Law, *, lower: float = 0.0, upper: float = math.inf, **parameters: float
) -> SizeLaw:
    """A frozen size law by name and named parameters.

    Args:
        name: key of `stats.sizes.law.LAWS`, or a law.
        lower: lower end of the support, 0 for none.
        upper: upper end, infinity for none.
        **parameters: every parameter of the law, by its name.

    Returns:
        The distribution.

    Raises:
        ValueError: an unknown law, a missing or unknown parameter, values outside the domain, or
            ends between which these parameters make no law.

    Example:
        >>> size_law("gpd", sigma=800.0)
        Traceback (most recent call last):
        ValueError: gpd: found parameters sigma; expected sigma, xi
        >>> size_law("power", alpha=1.4, lower=1000.0).mean()
        3500.0...
    """
    law = law_named(name) if isinstance(name, str) else name
    if set(parameters) != set(law.names):
        found = ", ".join(parameters) or "none"
        raise ValueError(f"{law.name}: found parameters {found}; expected {', '.join(law.names)}")
    theta = tuple(float(parameters[key]) for key in law.names)
    return SizeLaw(law, theta, float(lower), float(upper))
