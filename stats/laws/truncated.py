r"""Laws of a positive quantity cut to (0, upper]: what all families share.

A family brings its own distribution function, density and quantile, and integrals where it has
them in closed form; the cut, the moments and the two integrals of the continuous ranked probability
score follow here. With F and S = 1 - F of the family, M = F(u) - F(0) and 0 < x <= u,

.. math:: 1 - G(x) = \frac{S(x) - S(u)}{M}, \qquad
          A(x) = \frac{I(x) - x\,S(u)}{M}, \qquad
          J(r) = \frac{K(r) - K(u) - 2 S(u)\,[I(u) - I(r)] + S(u)^2 (u - r)}{M^2},

where :math:`I(x) = \int_0^x S` and :math:`K(r) = \int_r^\infty S^2`. Where a family has no closed
I or K, or the cut removes so much that they would cancel, `stats.laws.quadrature` takes over.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import BoolArray, FloatArray, as_finite, as_nonnegative, as_probability
from stats.laws.quadrature import CHUNK, integrate, panel_ends

# Closed forms of a law that keeps less than this lose digits to cancellation.
_LEAST_CLOSED_MASS = 0.05
_LEAST_MASS = 1e-290
_NOTHING = 1e-13


class TruncatedLaw(ABC):
    """Laws of one family, one per case, cut to (0, upper]; made by a subclass.

    Attributes:
        upper: largest possible value; inf for no cut.
    """

    parameters: ClassVar[tuple[str, ...]]
    upper: FloatArray
    _mass: FloatArray
    _cdf_ends: tuple[FloatArray, FloatArray]
    _sf_ends: tuple[FloatArray, FloatArray]

    def _store(self, upper: ArrayLike, *, positive: tuple[str, ...], **given: ArrayLike) -> None:
        """Check, broadcast and keep the parameters, and what the cut leaves of the law."""
        arrays = {name: as_finite(name, value) for name, value in given.items()}
        for name in positive:
            if arrays[name].size and not arrays[name].min() > 0.0:
                raise ValueError(
                    f"{name}: found a minimum of {arrays[name].min():g}; expected values above 0"
                )
        end = np.asarray(upper, dtype=np.float64)
        if end.size and not (end > 0.0).all():
            raise ValueError("upper: found a value that is not above 0")
        broadcast = np.broadcast_arrays(*arrays.values(), end)
        for name, value in zip((*arrays, "upper"), broadcast, strict=True):
            object.__setattr__(self, name, value)
        self._cut()

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name}: a law is not changed; make another one")

    def _cut(self) -> None:
        finite = np.isfinite(self.upper)
        at_end = np.where(finite, self.upper, 1.0)
        zero = np.zeros(self.shape)
        cdf_ends = self._cdf(zero), np.where(finite, self._cdf(at_end), 1.0)
        sf_ends = self._sf(zero), np.where(finite, self._sf(at_end), 0.0)
        mass = np.where(cdf_ends[1] < 0.5, cdf_ends[1] - cdf_ends[0], sf_ends[0] - sf_ends[1])
        for name, value in (("_cdf_ends", cdf_ends), ("_sf_ends", sf_ends), ("_mass", mass)):
            object.__setattr__(self, name, value)
        if mass.size and not mass.min() > _LEAST_MASS:
            lost = int(np.count_nonzero(~(mass > _LEAST_MASS)))
            raise ValueError(f"{lost} of {mass.size} laws leave nothing within 0 and upper")

    @abstractmethod
    def _cdf(self, x: FloatArray) -> FloatArray:
        """F of the whole family, x of 0 or more and finite."""

    @abstractmethod
    def _sf(self, x: FloatArray) -> FloatArray:
        """1 - F of the whole family."""

    @abstractmethod
    def _log_density(self, x: FloatArray) -> FloatArray:
        """Log density of the whole family, x above 0."""

    @abstractmethod
    def _from_below(self, share: FloatArray) -> FloatArray:
        """Value with F(x) = share."""

    @abstractmethod
    def _from_above(self, share: FloatArray) -> FloatArray:
        """Value with 1 - F(x) = share."""

    @abstractmethod
    def _moments(self) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of the law without an upper end; infinite where there is none."""

    def _tail_index(self) -> FloatArray:
        """Exponent a of a survival that falls like x^-a; inf for a lighter tail."""
        return np.full(self.shape, np.inf)

    def _limited(self, x: FloatArray) -> FloatArray:
        """I(x), NaN where there is no closed form."""
        return np.full(x.shape, np.nan)

    def _squared(self, r: FloatArray) -> FloatArray:
        """K(r), NaN where there is no closed form."""
        return np.full(r.shape, np.nan)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the parameters."""
        return self.upper.shape

    def _mapped(self, change: Callable[[FloatArray], FloatArray]) -> Self:
        """The same laws with every array changed alike (flattened, chosen, given an axis)."""
        new = copy.copy(self)
        for name in (*self.parameters, "upper", "_mass"):
            object.__setattr__(new, name, change(getattr(self, name)))
        for name in ("_cdf_ends", "_sf_ends"):
            object.__setattr__(new, name, tuple(change(a) for a in getattr(self, name)))
        return new

    def take(self, which: ArrayLike) -> Self:
        """The laws of some cases, by index or mask."""
        return self._mapped(lambda a: a[np.asarray(which)])

    def _inside(self, x: ArrayLike) -> FloatArray:
        return np.minimum(as_nonnegative("x", x), self.upper)

    def cdf(self, x: ArrayLike) -> FloatArray:
        """G(x), for x of 0 or more."""
        value = self._inside(x)
        return np.clip((self._cdf(value) - self._cdf_ends[0]) / self._mass, 0.0, 1.0)

    def sf(self, x: ArrayLike) -> FloatArray:
        """1 - G(x), with its own precision in the upper tail."""
        value = self._inside(x)
        most_cut = self._cdf_ends[1] < 0.5
        above = np.where(
            most_cut, self._cdf_ends[1] - self._cdf(value), self._sf(value) - self._sf_ends[1]
        )
        return np.clip(above / self._mass, 0.0, 1.0)

    def mass(self, x: ArrayLike) -> FloatArray:
        """P(X = x): no value has any."""
        return np.zeros(np.broadcast_shapes(as_finite("x", x).shape, self.shape))

    def log_density(self, x: ArrayLike) -> FloatArray:
        """Log of the density per unit of x; -inf at 0 and above `upper`."""
        value = as_nonnegative("x", x)
        inside = (value > 0.0) & (value <= self.upper)
        safe = np.where(inside, value, np.minimum(self.upper, 1.0))
        return np.where(inside, self._log_density(safe) - np.log(self._mass), -np.inf)

    def quantile_from_below(self, share: ArrayLike) -> FloatArray:
        """Value with G(x) = `share`, precise for small shares."""
        u = as_probability(share, "share")
        low = self._cdf_ends[0] + u * self._mass
        # Past the middle of the family the same point is further from 1 than from 0.
        x = np.where(
            low < 0.5,
            self._from_below(np.minimum(low, 0.5)),
            self._from_above(np.clip(self._sf_ends[0] - u * self._mass, 0.0, 1.0)),
        )
        return np.where(u == 1.0, self.upper, np.clip(x, 0.0, self.upper))

    def quantile_from_above(self, share: ArrayLike) -> FloatArray:
        """Value with 1 - G(x) = `share`, precise for small shares."""
        v = as_probability(share, "share")
        high = self._sf_ends[1] + v * self._mass
        x = np.where(
            high < 0.5,
            self._from_above(np.minimum(high, 0.5)),
            self._from_below(np.clip(self._cdf_ends[1] - v * self._mass, 0.0, 1.0)),
        )
        return np.where(v == 0.0, self.upper, np.clip(x, 0.0, self.upper))

    def quantile(self, level: ArrayLike) -> FloatArray:
        """Value that a share `level` within [0, 1] of the law does not exceed."""
        u = as_probability(level, "level")
        below = self.quantile_from_below(np.minimum(u, 0.5))
        return np.where(u <= 0.5, below, self.quantile_from_above(1.0 - np.maximum(u, 0.5)))

    def median(self) -> FloatArray:
        """Quantile at 0.5."""
        return self.quantile(0.5)

    def sample(self, rng: np.random.Generator) -> FloatArray:
        """One draw per case."""
        return self.quantile(rng.random(self.shape))

    def mean(self) -> FloatArray:
        """E[X]; infinite without an upper end where the tail index is 1 or less."""
        whole = np.isinf(self.upper)
        mean, _ = self._moments()
        if not whole.all():
            mean = np.where(whole, mean, self.limited_mean(np.where(whole, 0.0, self.upper)))

        def area(law: TruncatedLaw, ends: FloatArray) -> FloatArray:
            last = ends[:, -1]
            rest = _power_rest(law, last * law.sf(last), 1.0)
            return ends[:, 0] + integrate(law._mapped(_new_axis).sf, ends, ends[:, 0], last) + rest

        return self._by_quadrature(area, (), np.isnan(mean), mean)

    def variance(self) -> FloatArray:
        """Var[X]; infinite without an upper end where the tail index is 2 or less."""
        _, variance = self._moments()
        need = np.isfinite(self.upper) | np.isnan(variance)
        if not need.any():
            return variance
        mean = self.mean()

        def spread(law: TruncatedLaw, ends: FloatArray, centre: FloatArray) -> FloatArray:
            wide, m, last = law._mapped(_new_axis), centre[:, None], ends[:, -1]
            below = integrate(lambda x: (m - x) * wide.cdf(x), ends, np.zeros(len(m)), centre)
            above = integrate(lambda x: (x - m) * wide.sf(x), ends, centre, last)
            return 2.0 * (below + above + _power_rest(law, last**2 * law.sf(last), 2.0))

        return self._by_quadrature(spread, (mean,), need, variance)

    def limited_mean(self, x: ArrayLike) -> FloatArray:
        """A(x) = E min(X, x), the integral of 1 - G from 0 to x."""
        value = self._inside(x)
        value = np.broadcast_to(value, np.broadcast_shapes(value.shape, self.shape))
        tail = self._sf_ends[1]
        closed = (self._limited(value) - value * tail) / self._mass
        need = np.isnan(closed) | (self._mass < _LEAST_CLOSED_MASS)

        def area(law: TruncatedLaw, ends: FloatArray, top: FloatArray) -> FloatArray:
            wide = law._mapped(_new_axis)
            # Where the law has no mass to speak of, the survival is 1.
            head = np.minimum(top, ends[:, 0])
            return head + integrate(wide.sf, ends, head, top)

        return np.clip(self._by_quadrature(area, (value,), need, closed), 0.0, value)

    def squared_survival(self, above: ArrayLike = 0.0) -> FloatArray:
        """J(above), the integral of (1 - G)^2 from `above` to the end of the law.

        Infinite without an upper end where the tail index is 1/2 or less.
        """
        start = self._inside(above)
        start = np.broadcast_to(start, np.broadcast_shapes(start.shape, self.shape))
        closed, endless = self._closed_j(start)
        need = (np.isnan(closed) | (self._mass < _LEAST_CLOSED_MASS)) & ~endless

        def area(law: TruncatedLaw, ends: FloatArray, low: FloatArray) -> FloatArray:
            wide = law._mapped(_new_axis)
            head = np.maximum(ends[:, 0] - low, 0.0)
            inner = integrate(lambda x: wide.sf(x) ** 2, ends, low, law.upper)
            last = np.maximum(ends[:, -1], low)
            return head + inner + _power_rest(law, last * law.sf(last) ** 2, 1.0, squared=True)

        value = self._by_quadrature(area, (start,), need, closed)
        return np.where(endless, np.inf, np.maximum(value, 0.0))

    def _closed_j(self, start: FloatArray) -> tuple[FloatArray, BoolArray]:
        """J in closed form, NaN where there is none, and where it is infinite."""
        tail, end = self._sf_ends[1], np.where(np.isinf(self.upper), 0.0, self.upper)
        whole = np.isinf(self.upper)
        endless = np.broadcast_to(whole & (self._tail_index() <= 0.5), start.shape)
        inner = self._squared(start)
        if not whole.all():
            end = np.broadcast_to(end, start.shape)
            last = self._squared(end)
            # K(u) is at most S(u) times the mean above u, which is often nothing.
            most = tail * (self._moments()[0] - self._limited(end))
            last = np.where(np.isnan(last) & (most < _NOTHING * inner), 0.0, last)
            beyond = last + tail * (
                2.0 * (self._limited(end) - self._limited(start)) - tail * (end - start)
            )
            inner = inner - np.where(whole, 0.0, beyond)
        return inner / self._mass**2, endless

    def _by_quadrature(
        self,
        area: Callable[..., FloatArray],
        arguments: tuple[FloatArray, ...],
        where: BoolArray,
        otherwise: FloatArray,
    ) -> FloatArray:
        """`area` for the cases in `where`, a few thousand at a time; `otherwise` for the rest."""
        shape = otherwise.shape
        chosen = np.flatnonzero(np.broadcast_to(where, shape))
        value = np.array(otherwise, dtype=np.float64).reshape(-1)
        flat = self._mapped(lambda a: np.broadcast_to(a, shape).reshape(-1))
        columns = [np.broadcast_to(a, shape).reshape(-1) for a in arguments]
        for first in range(0, chosen.size, CHUNK):
            part = chosen[first : first + CHUNK]
            law = flat.take(part)
            value[part] = area(law, panel_ends(law), *(a[part] for a in columns))
        return value.reshape(shape)


def _new_axis(a: FloatArray) -> FloatArray:
    return a[:, None]


def _power_rest(
    law: TruncatedLaw, edge: FloatArray, order: float, *, squared: bool = False
) -> FloatArray:
    """Integral of x^(order - 1) S(x), or S(x)^2, beyond the last panel of a power tail.

    `edge` is x^order S or S^2 there; 0 for laws with an end or a lighter tail.
    """
    falls = (2.0 if squared else 1.0) * law._tail_index() - order
    power = np.isinf(law.upper) & np.isfinite(falls) & (falls > 0.0)
    return np.where(power, edge / np.where(power, falls, 1.0), 0.0)
