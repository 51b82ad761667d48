r"""Variogram models and the range they give.

.. math:: \gamma(h) = c_0 + c_1 \{1 - \rho(h / a)\},

nugget :math:`c_0 \ge 0`, partial sill :math:`c_1 \ge 0`, scale a. For a given scale the model is
linear in the two others, so the fit is a search over one number; weights are N / h^2, which trust
near classes with many pairs. The effective range is where the structured part has fallen to 5 %.

N. Cressie (1985), Mathematical Geology 17, 563-586, doi:10.1007/BF01032109 (weighted least
squares); E. J. Pebesma (2004), Computers & Geosciences 30, 683-691,
doi:10.1016/j.cageo.2004.03.012 (these weights).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize

from stats.case_arrays import FloatArray, UndefinedScoreError
from stats.spatial.variogram import Variogram

NEGLIGIBLE = 0.05
_GRID = 60


def _spherical(u: FloatArray) -> FloatArray:
    inside = np.minimum(u, 1.0)
    return 1.0 - 1.5 * inside + 0.5 * inside**3


def _matern(u: FloatArray) -> FloatArray:
    scaled = math.sqrt(3.0) * u
    return (1.0 + scaled) * np.exp(-scaled)


CORRELATIONS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "exponential": lambda u: np.exp(-u),
    "spherical": _spherical,
    "gaussian": lambda u: np.exp(-(u**2)),
    "matern32": _matern,
}
# u at which each correlation is 0.05.
_REACH = {
    name: float(optimize.brentq(lambda u, f=f: float(f(np.asarray(u))) - NEGLIGIBLE, 1e-6, 50.0))
    for name, f in CORRELATIONS.items()
}


@dataclass(frozen=True)
class VariogramModel:
    """A fitted variogram model.

    Attributes:
        name: "exponential", "spherical", "gaussian" or "matern32" (smoothness 3/2).
        nugget: c0, semivariance that no distance explains.
        partial_sill: c1, the structured part.
        scale: a, in the unit of the distances.
        loss: weighted mean of squared residuals over that of a flat variogram; 0 is a perfect fit,
            1 no better than none.
        within_reach: False where the scale ran to an end of the search, so that it is no estimate.
    """

    name: str
    nugget: float
    partial_sill: float
    scale: float
    loss: float
    within_reach: bool

    @property
    def sill(self) -> float:
        """Semivariance of far pairs."""
        return self.nugget + self.partial_sill

    @property
    def effective_range(self) -> float:
        """Distance at which the structured part has 5 % of its correlation left; 0 without one."""
        return self.scale * _REACH[self.name] if self.partial_sill > 0.0 else 0.0

    def gamma(self, distance: ArrayLike) -> FloatArray:
        """Semivariance at distances above 0, 0 at 0."""
        h = np.asarray(distance, dtype=np.float64)
        rise = self.nugget + self.partial_sill * (1.0 - CORRELATIONS[self.name](h / self.scale))
        return np.where(h > 0.0, rise, 0.0)

    def covariance(self, distance: ArrayLike) -> FloatArray:
        """Sill minus semivariance; the sill at distance 0."""
        return self.sill - self.gamma(distance)


def _linear_fit(
    shape: FloatArray, gamma: FloatArray, weight: FloatArray
) -> tuple[float, float, float]:
    """Nugget, partial sill (both 0 or more) and weighted squares for rises of a given shape."""
    root = np.sqrt(weight)
    design = np.stack([root, root * shape], axis=1)
    solution, norm = optimize.nnls(design, root * gamma)
    return float(solution[0]), float(solution[1]), float(norm) ** 2


def _fit_one(name: str, variogram: Variogram) -> VariogramModel:
    kept = variogram.pairs > 0
    h, gamma, pairs = variogram.distance[kept], variogram.gamma[kept], variogram.pairs[kept]
    if h.size < 4:
        raise UndefinedScoreError(f"a variogram model needs 4 classes with pairs; found {h.size}")
    unit = variogram.variance
    weight = pairs / h**2
    weight = weight / weight.sum()
    target = gamma / unit
    correlation = CORRELATIONS[name]
    low, high = math.log(0.25 * float(h[0])), math.log(2.0 * float(h[-1]))

    def loss(log_scale: float) -> float:
        return _linear_fit(1.0 - correlation(h / math.exp(log_scale)), target, weight)[2]

    grid = np.linspace(low, high, _GRID)
    values = [loss(float(g)) for g in grid]
    best = int(np.argmin(values))
    bounds = (float(grid[max(0, best - 1)]), float(grid[min(_GRID - 1, best + 1)]))
    polished = optimize.minimize_scalar(
        loss, bounds=bounds, method="bounded", options={"xatol": 1e-6}
    )
    log_scale = float(polished.x) if polished.fun <= values[best] else float(grid[best])
    nugget, sill, squares = _linear_fit(1.0 - correlation(h / math.exp(log_scale)), target, weight)
    flat = float(weight @ (target - weight @ target) ** 2)
    step = float(grid[1] - grid[0])
    return VariogramModel(
        name=name, nugget=nugget * unit, partial_sill=sill * unit, scale=math.exp(log_scale),
        loss=squares / flat if flat > 0.0 else 1.0,
        within_reach=sill == 0.0 or log_scale < high - 0.5 * step,
    )  # fmt: skip


def fit_variogram(variogram: Variogram, model: str | None = "exponential") -> VariogramModel:
    """Weighted least-squares fit of a model.

    Args:
        variogram: empirical variogram.
        model: name of the model; None takes the one with the smallest loss.

    Raises:
        ValueError: the model is unknown.
        UndefinedScoreError: fewer than 4 classes hold pairs.

    Example:
        >>> from stats.spatial.lags import lag_classes
        >>> h = np.arange(1.0, 21.0)
        >>> made = Variogram(h, 0.2 + 0.8 * (1.0 - np.exp(-h / 3.0)), 100.0 * h, 1.0, 999,
        ...                  lag_classes(20))
        >>> found = fit_variogram(made, None)
        >>> found.name, round(found.nugget, 3), round(found.effective_range, 2)
        ('exponential', 0.2, 8.99)
    """
    if model is not None:
        if model not in CORRELATIONS:
            raise ValueError(f"model: found {model!r}; expected one of {sorted(CORRELATIONS)}")
        return _fit_one(model, variogram)
    return min((_fit_one(name, variogram) for name in CORRELATIONS), key=lambda m: m.loss)
