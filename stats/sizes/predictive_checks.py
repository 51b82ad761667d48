r"""Posterior predictive checks: could the fitted law have made these areas?

For each posterior draw an inventory of the same size and recording is replicated, and statistics
of the replicates are held against the observed ones (Gelman, Meng & Stern, 1996, Statistica Sinica
6, 733-807). Nothing is simulated that is known exactly: the largest and the median area are order
statistics, whose tail shares are beta distributed, and the number above an area is binomial. A
check fails where the law cannot follow the data: a share above 10,000 m2 that is too small says
that the tail bends, one near the detection limit that landslides there were missed.

The p-values are conservative (the parameters have seen the data: under a true law they gather
around 1/2, the more so the closer the statistic is to what the parameters fit), so that a small
one is a firm sign of misfit and a large one no proof of fit; `stats.sizes.goodness` has tests of
exact size.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from stats.case_arrays import FloatArray
from stats.precision import in_float64
from stats.sizes.law import law_named
from stats.sizes.recording import Recording

NEAR_LIMIT = 1.5
_GRID = 1500


@dataclass(frozen=True)
class PredictiveCheck:
    """One statistic of the data among its replicates.

    Attributes:
        statistic: what is compared, with its unit.
        observed: its value in the data.
        low: 2.5 % quantile of the replicates.
        median: their median.
        high: their 97.5 % quantile.
        p_value: two-sided, twice the smaller tail with ties counted half; at least 1/replicates.
        replicates: how many.
    """

    statistic: str
    observed: float
    low: float
    median: float
    high: float
    p_value: float
    replicates: int


def compare(statistic: str, observed: float, replicated: FloatArray) -> PredictiveCheck:
    """The place of an observed statistic among replicates.

    Example:
        >>> check = compare("largest area [m2]", 95.0, np.arange(100.0))
        >>> round(check.p_value, 3), check.median
        (0.09, 49.5)
    """
    above = float(np.mean(replicated > observed) + 0.5 * np.mean(replicated == observed))
    low, median, high = (float(q) for q in np.quantile(replicated, (0.025, 0.5, 0.975)))
    p_value = min(1.0, max(2.0 * min(above, 1.0 - above), 1.0 / replicated.size))
    return PredictiveCheck(statistic, observed, low, median, high, p_value, replicated.size)


@functools.cache
def compiled(law: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """(q, theta, lower, upper) -> area of a tail share; (a, ...) -> ln share above an area."""
    family = law_named(law)

    def area(q: Any, theta: Any, lower: Any, upper: Any) -> Any:
        def one(v: Any, row: Any) -> Any:
            return family.inverse_tail_mass(v, lower, upper, row)

        return jax.vmap(one)(q, theta)

    def share(a: Any, theta: Any, lower: Any, upper: Any) -> Any:
        def one(row: Any) -> Any:
            return family.log_mass(a, upper, row) - family.log_mass(lower, upper, row)

        return jax.vmap(one)(theta)

    return jax.jit(area), jax.jit(share)


class _Replicates:
    """Tail shares of areas, and areas of tail shares, for each posterior draw."""

    def __init__(
        self, law: str, theta: FloatArray, recording: Recording, curve: FloatArray | None
    ) -> None:
        self.theta, self.recording = theta, recording
        self.lower, self.upper = recording.edges()
        area, share = compiled(law)
        self._area = functools.partial(area, lower=self.lower, upper=self.upper)
        self._share = functools.partial(share, lower=self.lower, upper=self.upper)
        self.grid: FloatArray | None = None
        self.detected = np.ones(theta.shape[0])
        if curve is not None:
            self._tabulate(curve)

    def _tabulate(self, curve: FloatArray) -> None:
        """Share recorded above the area of tail share q, as a table over ln q per draw."""
        log_q = np.linspace(math.log(1e-9), 0.0, _GRID)
        q = np.broadcast_to(np.exp(log_q), (self.theta.shape[0], _GRID))
        # The smallest area of an untruncated law is 0; its logarithm is not wanted.
        areas = np.maximum(np.asarray(self._area(q, self.theta)), 1e-9)
        odds = (np.log(areas) - curve[:, :1]) / np.exp(curve[:, 1:])
        seen = 0.5 * (1.0 + np.tanh(0.5 * odds))
        steps = 0.5 * (seen[:, 1:] + seen[:, :-1]) * np.diff(q, axis=1)
        table = np.concatenate([(seen * q)[:, :1], steps], axis=1).cumsum(axis=1)
        self.detected = table[:, -1]
        self.grid = np.log(table / table[:, -1:])
        self.log_q = log_q

    def area(self, share: FloatArray) -> FloatArray:
        """(draw,) recorded areas above which `share` (draw,) of the recorded ones lie."""
        q = share
        if self.grid is not None:
            rows = zip(np.log(share), self.grid, strict=True)
            q = np.exp([np.interp(s, row, self.log_q) for s, row in rows])
        areas = np.asarray(self._area(q, self.theta))
        pixel = self.recording.pixel_m2
        return areas if pixel is None else np.maximum(np.rint(areas / pixel), 1.0) * pixel

    def share_above(self, area_m2: float) -> FloatArray:
        """(draw,) shares of the recorded areas that exceed `area_m2`."""
        pixel = self.recording.pixel_m2
        edge = area_m2
        if pixel is not None:
            edge = (math.floor(area_m2 / pixel + 1e-9) + 0.5) * pixel
        if edge >= self.upper:
            return np.zeros(self.theta.shape[0])
        if edge <= self.lower:
            return np.ones(self.theta.shape[0])
        log_share = np.asarray(self._share(edge, self.theta))
        if self.grid is None:
            return np.exp(log_share)
        rows = zip(log_share, self.grid, strict=True)
        return np.exp([np.interp(s, self.log_q, row) for s, row in rows])


@in_float64
def share_detected(
    law: str, theta: FloatArray, recording: Recording, curve: FloatArray
) -> FloatArray:
    """(draw,) share of the landslides within the limits that a detection curve records.

    Args:
        law: name of the law.
        theta: (draw, k) its parameters.
        recording: the limits.
        curve: (draw, 2) ln half area and ln width of the curve.

    Example:
        >>> theta, curve = np.array([[1.0]]), np.log([[200.0, 0.01]])
        >>> share = share_detected("power", theta, Recording(lower_m2=100.0), curve)
        >>> bool(abs(share[0] - 0.5) < 0.01)
        True
    """
    return _Replicates(law, np.asarray(theta), recording, np.asarray(curve)).detected


@in_float64
def predictive_checks(
    law: str,
    theta: FloatArray,
    areas_m2: FloatArray,
    recording: Recording,
    *,
    curve: FloatArray | None = None,
    above_m2: Sequence[float] = (1e3, 1e4, 1e5),
    rng: np.random.Generator,
) -> tuple[PredictiveCheck, ...]:
    """Checks of largest and median area, and of the number and share above some areas.

    Args:
        law: name of the law.
        theta: (draw, k) posterior draws of its parameters; one inventory is replicated for each.
        areas_m2: (n,) observed areas [m2].
        recording: how they were recorded; replicates are recorded the same way.
        curve: (draw, 2) ln half area and ln width, where there is a detection curve.
        above_m2: areas [m2]; those outside the recording are left out.
        rng: of the replicates.

    Example:
        >>> areas = 300.0 / np.random.default_rng(1).random(500) ** (1.0 / 1.4)
        >>> checks = predictive_checks("power", np.full((400, 1), 1.4), areas,
        ...     Recording(lower_m2=300.0), rng=np.random.default_rng(2))
        >>> [c.statistic for c in checks][:2], all(c.p_value > 0.02 for c in checks)
        (['largest area [m2]', 'median area [m2]'], True)
        >>> low = predictive_checks("power", np.full((400, 1), 1.1), areas,
        ...     Recording(lower_m2=300.0), rng=np.random.default_rng(2))
        >>> min(c.p_value for c in low) <= 0.01
        True
    """
    if recording.detection is not None and curve is None:
        raise ValueError("curve: found None; expected the detection curve of each draw")
    n, draws = areas_m2.size, theta.shape[0]
    replicates = _Replicates(law, np.asarray(theta), recording, curve)
    middle = (n + 1) // 2
    median = float(np.partition(areas_m2, middle - 1)[middle - 1])
    largest = -np.expm1(np.log(rng.random(draws)) / n)
    central = rng.beta(n + 1 - middle, middle, draws)
    found = [
        compare("largest area [m2]", float(areas_m2.max()), replicates.area(largest)),
        compare("median area [m2]", median, replicates.area(central)),
    ]
    lower, upper = replicates.lower, replicates.upper
    limits = [(a, f"share above {a:,.0f} m2") for a in above_m2 if lower < a < upper]
    if lower > 0.0 and NEAR_LIMIT * lower < upper:
        near = NEAR_LIMIT * lower
        limits.append((near, f"share above {near:,.0f} m2 ({NEAR_LIMIT} x limit)"))
    for area, name in limits:
        count = rng.binomial(n, np.clip(replicates.share_above(area), 0.0, 1.0))
        found.append(compare(name, float(np.mean(areas_m2 > area)), count / n))
    return tuple(found)
