r"""The lognormal law of a positive quantity, truncated to (0, upper] or not at all.

With :math:`z = (\ln x - \mu)/\sigma` and :math:`b = (\ln u - \mu)/\sigma` the law has

.. math:: G(x) = \Phi(z)/\Phi(b), \qquad 0 < x \le u.

Area density in percent of a cell cannot exceed 100, so `upper` is 100 there; `upper` = inf is the
plain lognormal. Everything is computed through logarithms of normal tails or the scaled
complementary error function: a network in training may put the untruncated median far above
`upper`, where :math:`\Phi(b)` underflows while the law itself stays perfectly ordinary (it tends
to a power law :math:`(x/u)^{-b/\sigma}`).

Two integrals carry every continuous ranked probability score of the law:

.. math:: A(y) = \int_0^y (1 - G)\,dx = \mathrm{E}\min(X, y), \qquad
          J(r) = \int_r^\infty (1 - G)^2\,dx .

Both are closed: A by normal distribution functions, J by parts into a bivariate normal with
correlation :math:`-1/\sqrt 2`, which is two evaluations of Owen's T (D. B. Owen (1956), Annals of
Mathematical Statistics 27, 1075-1090, doi:10.1214/aoms/1177728074). Where the closed form of J
would lose digits to cancellation (sigma above about 4.3, or most of the mass truncated away),
Gauss-Legendre quadrature takes over.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from stats.case_arrays import FloatArray, as_finite, as_nonnegative

_ROOT2 = math.sqrt(2.0)
_LOG_ROOT_2PI = 0.5 * math.log(2.0 * math.pi)
# The closed form of J cancels terms of size exp(sigma^2/2) / Phi(b)^2 against each other.
_LARGEST_LOG_CANCELLATION = math.log(1e4)
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(96)
_CHUNK = 20_000


@dataclass(frozen=True, eq=False)
class TruncatedLognormal:
    """Lognormal laws truncated to (0, upper]; parameters broadcast against each other.

    Attributes:
        mu: mean of ln x before truncation, x in the unit of `upper`.
        sigma: standard deviation of ln x before truncation, above 0.
        upper: largest possible value; inf for the plain lognormal.

    Raises:
        ValueError: a parameter is not finite, or sigma or upper is not above 0.

    Example:
        >>> law = TruncatedLognormal(0.0, 1.0, 100.0)
        >>> float(law.median().round(6)), float(law.mean().round(6))
        (0.999997, 1.648468)
    """

    mu: FloatArray
    sigma: FloatArray
    upper: FloatArray

    def __init__(self, mu: ArrayLike, sigma: ArrayLike, upper: ArrayLike = math.inf) -> None:
        mu, sigma = as_finite("mu", mu), as_finite("sigma", sigma)
        upper = np.asarray(upper, dtype=np.float64)
        if sigma.size and not sigma.min() > 0.0:
            raise ValueError(f"sigma: found a minimum of {sigma.min():g}; expected values above 0")
        if upper.size and not (upper > 0.0).all():
            raise ValueError("upper: found a value that is not above 0")
        for name, value in zip(
            ("mu", "sigma", "upper"), np.broadcast_arrays(mu, sigma, upper), strict=True
        ):
            object.__setattr__(self, name, value)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the parameters."""
        return self.mu.shape

    @property
    def bound(self) -> FloatArray:
        """b, the truncation on the scale of the standard normal."""
        return (np.log(self.upper) - self.mu) / self.sigma

    def _log_x(self, x: ArrayLike) -> FloatArray:
        values = np.minimum(as_nonnegative("x", x), self.upper)
        with np.errstate(divide="ignore"):
            return np.log(values)

    def _log_cdf(self, log_x: FloatArray) -> FloatArray:
        """Log of G. Below b = -1 the common factor exp(-b^2/2) is removed by hand."""
        b = np.broadcast_to(self.bound, np.broadcast_shapes(log_x.shape, self.shape))
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            z = (log_x - self.mu) / self.sigma
            plain = special.log_ndtr(z) - special.log_ndtr(b)
            gap = (np.log(self.upper) - log_x) / self.sigma
            scaled = _log_mass_ratio(gap, b)
        log_cdf = np.where(b < -1.0, np.where(np.isinf(gap), -np.inf, scaled), plain)
        return np.minimum(log_cdf, 0.0)

    def cdf(self, x: ArrayLike) -> FloatArray:
        """G(x), for x of 0 or more.

        Example:
            >>> TruncatedLognormal(0.0, 1.0, 2.0).cdf([0.0, 1.0, 2.0]).round(4)
            array([0.    , 0.6615, 1.    ])
        """
        return np.exp(self._log_cdf(self._log_x(x)))

    def sf(self, x: ArrayLike) -> FloatArray:
        """1 - G(x), with full relative precision in the upper tail of the plain law.

        Example:
            >>> float(TruncatedLognormal(0.0, 1.0).sf(np.exp(10.0)))
            7.619853024160...e-24
        """
        return -np.expm1(self._log_cdf(self._log_x(x)))

    def mass(self, x: ArrayLike) -> FloatArray:
        """P(X = x): no value has any."""
        return np.zeros(np.broadcast_shapes(as_finite("x", x).shape, self.shape))

    def log_density(self, x: ArrayLike) -> FloatArray:
        """Log of the density g(x) per unit of x; -inf at 0 and above `upper`.

        Example:
            >>> float(TruncatedLognormal(0.0, 1.0).log_density(1.0).round(6))
            -0.918939
        """
        values = as_nonnegative("x", x)
        inside = (values > 0.0) & (values <= self.upper)
        log_x = np.log(np.where(inside, values, 1.0))
        z = (log_x - self.mu) / self.sigma
        b = self.bound
        with np.errstate(over="ignore", invalid="ignore"):
            plain = -0.5 * z**2 - special.log_ndtr(b)
            gap = (np.log(self.upper) - log_x) / self.sigma
            scaled = gap * (2.0 * b - gap) / 2.0 - np.log(0.5 * special.erfcx(-b / _ROOT2))
        kernel = np.where(b < -1.0, scaled, plain)
        return np.where(inside, kernel - log_x - np.log(self.sigma) - _LOG_ROOT_2PI, -np.inf)

    def quantile(self, level: ArrayLike) -> FloatArray:
        """Value that a share `level` within [0, 1] of the law does not exceed.

        Example:
            >>> TruncatedLognormal(0.0, 1.0, 2.0).quantile([0.0, 0.5, 1.0]).round(4)
            array([0.    , 0.7328, 2.    ])
        """
        share = as_finite("level", level)
        if share.size and (share.min() < 0.0 or share.max() > 1.0):
            raise ValueError("level: found a value outside 0 and 1")
        b = np.broadcast_to(self.bound, np.broadcast_shapes(share.shape, self.shape))
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            log_share = np.log(share)
            z = special.ndtri_exp(log_share + special.log_ndtr(b))
            gap = np.maximum(b - z, 0.0)
            # Below b = -1 the inverse loses digits that two Newton steps on ln G bring back.
            for _ in range(2):
                excess = _log_mass_ratio(gap, b) - log_share
                gap = gap + excess * special.erfcx((gap - b) / _ROOT2) * math.sqrt(0.5 * math.pi)
            scaled = self.upper * np.exp(-self.sigma * np.maximum(gap, 0.0))
            x = np.where(b < -1.0, scaled, np.exp(self.mu + self.sigma * z))
        x = np.where(share == 0.0, 0.0, np.where(share == 1.0, self.upper, x))
        return np.minimum(x, self.upper)

    def median(self) -> FloatArray:
        """Quantile at 0.5."""
        return self.quantile(0.5)

    def sample(self, rng: np.random.Generator) -> FloatArray:
        """One draw per case."""
        return self.quantile(rng.random(self.shape))

    def take(self, which: ArrayLike) -> TruncatedLognormal:
        """The laws of some cases, by index or mask."""
        chosen = np.asarray(which)
        return TruncatedLognormal(self.mu[chosen], self.sigma[chosen], self.upper[chosen])

    def partial_moment(self, order: int, x: ArrayLike | None = None) -> FloatArray:
        r"""E[X^k; X <= x] = e^{k mu + k^2 sigma^2/2} Phi(z - k sigma) / Phi(b); k is `order`.

        Without `x` it is the moment of the whole law.

        Example:
            >>> float(TruncatedLognormal(0.0, 1.0).partial_moment(1).round(6))
            1.648721
        """
        log_x = np.log(self.upper) if x is None else self._log_x(x)
        b = self.bound
        shift = order * self.sigma
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            z = (log_x - self.mu) / self.sigma
            # z above shift: the factor Phi is of order 1, nothing can cancel.
            far = order * self.mu + 0.5 * shift**2 + special.log_ndtr(z - shift)
            far = far - special.log_ndtr(b)
            gap = (np.log(self.upper) - log_x) / self.sigma
            kernel = np.where(
                b < -1.0,
                gap * (2.0 * b - gap) / 2.0 - np.log(special.erfcx(-b / _ROOT2)),
                -0.5 * z**2 - math.log(2.0) - special.log_ndtr(b),
            )
            near = order * log_x + np.log(special.erfcx((shift - z) / _ROOT2)) + kernel
            value = np.exp(np.where(z < shift, near, far))
        return np.where(np.isneginf(log_x), 0.0, value)

    def mean(self) -> FloatArray:
        """E[X]; never above `upper`, however far mu lies beyond it.

        Example:
            >>> TruncatedLognormal([0.0, 500.0], 1.0, 100.0).mean().round(4)
            array([ 1.6485, 99.7985])
        """
        return self.partial_moment(1)

    def variance(self) -> FloatArray:
        """Var[X].

        Example:
            >>> float(TruncatedLognormal(0.0, 1.0).variance().round(6))
            4.670774
        """
        mean = self.mean()
        spread = self.partial_moment(2) - mean**2
        # The plain law has a form without cancellation.
        plain = np.expm1(self.sigma**2) * mean**2
        return np.maximum(np.where(np.isinf(self.upper), plain, spread), 0.0)

    def limited_mean(self, x: ArrayLike) -> FloatArray:
        """A(x) = E min(X, x), the integral of 1 - G from 0 to x.

        Example:
            >>> law = TruncatedLognormal(0.0, 1.0, 100.0)
            >>> bool(np.isclose(law.limited_mean(100.0), law.mean()))
            True
        """
        values = as_nonnegative("x", x)
        return self.partial_moment(1, values) + values * self.sf(values)

    def squared_survival(self, above: ArrayLike = 0.0) -> FloatArray:
        """J(above), the integral of (1 - G)^2 from `above` to the end of the law.

        At 0 it is the mean of the smaller of two independent draws.

        Example:
            >>> float(TruncatedLognormal(0.0, 1.0).squared_survival().round(6))
            0.790562
        """
        start = as_nonnegative("above", above)
        shape = np.broadcast_shapes(start.shape, self.shape)
        mu, sigma, upper, start = (
            np.broadcast_to(a, shape).reshape(-1) for a in (self.mu, self.sigma, self.upper, start)
        )
        with np.errstate(over="ignore"):
            b = (np.log(upper) - mu) / sigma
            cancellation = 0.5 * sigma**2 - 2.0 * special.log_ndtr(b)
        closed = cancellation < _LARGEST_LOG_CANCELLATION
        value = np.empty(mu.shape)
        value[closed] = _closed_j(mu[closed], sigma[closed], upper[closed], start[closed])
        rest = np.flatnonzero(~closed)
        for first in range(0, rest.size, _CHUNK):
            part = rest[first : first + _CHUNK]
            value[part] = _quadrature_j(mu[part], sigma[part], upper[part], start[part])
        return np.maximum(value, 0.0).reshape(shape)


def _log_mass_ratio(gap: FloatArray, b: FloatArray) -> FloatArray:
    """Log of Phi(b - gap) / Phi(b) for negative b, the common factor e^(-b^2/2) removed by hand."""
    tails = np.log(special.erfcx((gap - b) / _ROOT2)) - np.log(special.erfcx(-b / _ROOT2))
    return gap * (2.0 * b - gap) / 2.0 + tails


def _wedge(k: FloatArray, sigma: FloatArray) -> FloatArray:
    """P(W <= k, Z <= W + sigma) for independent standard normal W and Z, by Owen's T."""
    h = sigma / _ROOT2
    plain = np.isfinite(k) & (k != 0.0)
    safe = np.where(plain, k, 1.0)
    second = np.where(k == 0.0, 0.25, special.owens_t(safe, 1.0 + sigma / safe))
    value = 0.5 * (special.ndtr(h) + special.ndtr(k)) - second - 0.5 * (k < 0.0)
    value = value - special.owens_t(h, 1.0 + 2.0 * np.where(np.isfinite(k), k, 0.0) / sigma)
    return np.where(np.isposinf(k), special.ndtr(h), np.where(np.isneginf(k), 0.0, value))


def _closed_j(mu: FloatArray, sigma: FloatArray, upper: FloatArray, r: FloatArray) -> FloatArray:
    """J by parts: -r (Phi(b) - Phi(z))^2 + 2 e^(mu + sigma^2/2) times a bivariate normal."""
    start = np.minimum(r, upper)
    with np.errstate(divide="ignore"):
        b = (np.log(upper) - mu) / sigma
        z = (np.log(start) - mu) / sigma
    mass, below = special.ndtr(b), special.ndtr(z)
    inner = mass * (special.ndtr(b - sigma) - special.ndtr(z - sigma))
    inner = inner - (_wedge(b - sigma, sigma) - _wedge(z - sigma, sigma))
    edge = start * (mass - below) ** 2 if np.isfinite(start).all() else 0.0
    return (2.0 * np.exp(mu + 0.5 * sigma**2) * inner - edge) / mass**2


def _quadrature_j(
    mu: FloatArray, sigma: FloatArray, upper: FloatArray, r: FloatArray
) -> FloatArray:
    """J by Gauss-Legendre in z, where the integrand is neither 0 nor its left limit."""
    law = TruncatedLognormal(mu, sigma, upper)
    b = law.bound
    with np.errstate(divide="ignore"):
        z_start = (np.log(np.minimum(r, upper)) - mu) / sigma
    high = np.minimum(b, 0.5 * sigma + 9.0)
    # Below `flat` G is under e^-40; below `faint` e^(sigma z) has fallen by e^-40 from its peak.
    flat = -np.sqrt(np.minimum(b, 0.0) ** 2 + 80.0)
    faint = np.minimum(b, 0.5 * sigma) - np.maximum(40.0 / sigma, 9.0)
    low = np.minimum(np.maximum(np.maximum(flat, faint), z_start), high)
    half = 0.5 * (high - low)
    z = (0.5 * (high + low))[:, None] + half[:, None] * _NODES
    log_x = mu[:, None] + sigma[:, None] * z
    wide = TruncatedLognormal(mu[:, None], sigma[:, None], upper[:, None])
    tail = -np.expm1(wide._log_cdf(np.minimum(log_x, np.log(upper)[:, None])))
    with np.errstate(over="ignore"):
        inner = half * np.sum(_WEIGHTS * sigma[:, None] * np.exp(log_x) * tail**2, axis=1)
        head = np.maximum(np.exp(mu + sigma * low) - r, 0.0)
    return inner + np.where(low > z_start, head, 0.0)
