"""Interpolation between rain sites by named methods, each with its leave-one-out error.

==================  ===========================================================================
nearest             value of the nearest site
inverse_distance    weights 1 / d^2 over all sites (Shepard 1968, doi:10.1145/800186.810616)
thin_plate          thin-plate spline through the sites, linear trend included (Duchon 1977;
                    scipy's RBFInterpolator); it can overshoot
kriging             ordinary kriging with an exponential variogram fitted to the sites; the
                    nugget counts as noise, so it does not pass through the sites exactly
==================  ===========================================================================
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from hazard.errors import DataError
from hazard.geo.grid import FloatArray
from hazard.geo.rain_record import BoolArray

Method = Literal["nearest", "inverse_distance", "thin_plate", "kriging"]
METHODS: tuple[Method, ...] = get_args(Method)

POWER = 2.0
# Sites that a method needs before one can be left out.
FEWEST_SITES: dict[str, int] = {
    "nearest": 1,
    "inverse_distance": 1,
    "thin_plate": 4,
    "kriging": 8,
}
CHUNK = 65536


@dataclass(frozen=True, kw_only=True)
class LeaveOneOut:
    """Error of an interpolation when each site is predicted from all others.

    Attributes:
        epoch: name of the epoch.
        statistic: name of the layer.
        method: name of the method.
        rmse_mm_day: root mean square error [mm/day].
        bias_mm_day: mean of predicted minus observed [mm/day].
        n: sites left out in turn.
        rmse_inside_mm_day: the same error over sites inside the grid; NaN where there is none.
        n_inside: number of those.
    """

    epoch: str
    statistic: str
    method: str
    rmse_mm_day: float
    bias_mm_day: float
    n: int
    rmse_inside_mm_day: float
    n_inside: int


@dataclass(frozen=True, kw_only=True)
class Variogram:
    """Exponential variogram: nugget + sill (1 - exp(-h / range)).

    Attributes:
        nugget: variance of noise.
        sill: variance of the correlated part.
        range_m: e-folding distance [m].
    """

    nugget: float
    sill: float
    range_m: float

    def covariance(self, distance_m: FloatArray) -> FloatArray:
        """Covariance of the correlated part at a distance."""
        return self.sill * np.exp(-distance_m / self.range_m)


def fit_variogram(x: FloatArray, y: FloatArray, values: FloatArray, *, bins: int = 12) -> Variogram:
    """Weighted least squares on the binned empirical variogram, up to half the largest distance.

    Args:
        x: (site,) eastings [m].
        y: (site,) northings [m].
        values: (site,) values.
        bins: classes of distance.

    Example:
        >>> fit_variogram(np.arange(9.0), np.zeros(9), np.ones(9)).sill
        0.0
    """
    from scipy.optimize import least_squares

    i, j = np.triu_indices(x.size, 1)
    distance = np.hypot(x[i] - x[j], y[i] - y[j])
    half = 0.5 * (values[i] - values[j]) ** 2
    variance, reach = float(values.var()), float(distance.max()) / 2
    if variance == 0:
        return Variogram(nugget=0.0, sill=0.0, range_m=max(reach, 1.0))
    index = np.minimum((distance / reach * bins).astype(int), bins)
    count = np.bincount(index, minlength=bins + 1)[:bins]
    used = count > 0
    count = count[used]
    lag = np.bincount(index, weights=distance, minlength=bins + 1)[:bins][used] / count
    gamma = np.bincount(index, weights=half, minlength=bins + 1)[:bins][used] / count

    def residual(p: FloatArray) -> FloatArray:
        model = p[0] + p[1] * (1 - np.exp(-lag / (p[2] * reach)))
        return np.sqrt(count) * (model - gamma / variance)

    fit = least_squares(residual, [0.1, 0.9, 0.3], bounds=([0, 1e-6, 0.02], [10, 10, 10]))
    nugget, sill, length = fit.x
    return Variogram(
        nugget=float(nugget) * variance, sill=float(sill) * variance, range_m=float(length) * reach
    )


def krige(
    x: FloatArray,
    y: FloatArray,
    values: FloatArray,
    at_x: FloatArray,
    at_y: FloatArray,
    *,
    variogram: Variogram,
) -> FloatArray:
    """Ordinary kriging: the best linear combination whose weights sum to one.

    Args:
        x: (site,) eastings [m].
        y: (site,) northings [m].
        values: (site,) values.
        at_x: (n,) eastings of the targets [m].
        at_y: (n,) northings of the targets [m].
        variogram: its nugget is noise of the sites.

    Returns:
        (n,) predictions.
    """
    if variogram.sill == 0:
        return np.full(at_x.shape, values.mean())
    n = x.size
    system = np.zeros((n + 1, n + 1))
    system[:n, :n] = variogram.covariance(np.hypot(x[:, None] - x, y[:, None] - y))
    system[:n, :n] += variogram.nugget * np.eye(n)
    system[:n, n] = system[n, :n] = 1.0
    # The dual form: one solve for all targets.
    dual = np.linalg.solve(system, np.append(values, 0.0))
    out = np.empty(at_x.shape)
    for start in range(0, at_x.size, CHUNK):
        part = slice(start, start + CHUNK)
        distance = np.hypot(at_x[part, None] - x, at_y[part, None] - y)
        out[part] = variogram.covariance(distance) @ dual[:n] + dual[n]
    return out


def inverse_distance(
    x: FloatArray, y: FloatArray, values: FloatArray, at_x: FloatArray, at_y: FloatArray
) -> FloatArray:
    """Mean of the sites weighted by the inverse square of their distance.

    Example:
        >>> two = np.array([0.0, 3.0]), np.zeros(2), np.array([10.0, 40.0])
        >>> inverse_distance(*two, np.array([1.0, 0.0]), np.zeros(2))
        array([16., 10.])
    """
    out = np.empty(at_x.shape)
    for start in range(0, at_x.size, CHUNK):
        part = slice(start, start + CHUNK)
        distance = np.hypot(at_x[part, None] - x, at_y[part, None] - y)
        at_site = distance == 0
        weight = np.where(at_site, 1.0, distance) ** -POWER
        weight = np.where(at_site.any(axis=1, keepdims=True), at_site, weight)
        out[part] = (weight @ values) / weight.sum(axis=1)
    return out


def interpolate(
    x: FloatArray,
    y: FloatArray,
    values: FloatArray,
    at_x: FloatArray,
    at_y: FloatArray,
    *,
    method: Method,
    source: object = "rain sites",
) -> FloatArray:
    """Predict `values` of the sites (x, y) at the targets (at_x, at_y), all in metres.

    Raises:
        DataError: fewer sites than the method needs, or sites on one line (thin_plate).

    Example:
        >>> x, y = np.array([0.0, 1e4, 0.0, 1e4]), np.array([0.0, 0.0, 1e4, 1e4])
        >>> at = np.array([5e3]), np.array([5e3])
        >>> interpolate(x, y, np.array([1.0, 2.0, 3.0, 4.0]), *at, method="thin_plate").round(9)
        array([2.5])
    """
    from scipy.interpolate import RBFInterpolator
    from scipy.spatial import KDTree

    need = 3 if method == "thin_plate" else 1
    if x.size < need:
        raise DataError(source, found=f"{x.size} sites", expected=f"at least {need} for {method}")
    if method == "inverse_distance":
        return inverse_distance(x, y, values, at_x, at_y)
    points = np.column_stack([x, y])
    targets = np.column_stack([at_x, at_y])
    if method == "nearest":
        return values[np.atleast_1d(KDTree(points).query(targets)[1])]
    if method == "kriging":
        return krige(x, y, values, at_x, at_y, variogram=fit_variogram(x, y, values))
    if on_one_line(x, y):
        raise DataError(
            source,
            found=f"{x.size} sites on one line",
            expected="sites that a thin plate can be tied to (three off one line)",
        )
    try:
        spline = RBFInterpolator(points / 1000.0, values, kernel="thin_plate_spline", degree=1)
    except (np.linalg.LinAlgError, ValueError) as error:
        raise DataError(
            source, found=f"sites that a thin plate cannot pass ({error})",
            expected="sites at distinct places",
        ) from error  # fmt: skip
    out = np.empty(at_x.shape)
    for start in range(0, at_x.size, CHUNK):
        part = slice(start, start + CHUNK)
        out[part] = spline(targets[part] / 1000.0)
    return out


def on_one_line(x: FloatArray, y: FloatArray) -> bool:
    """True where all sites lie on one line (or place), to a millionth of their extent.

    Rounding hides it from a solver, which would then return numbers without meaning.

    Example:
        >>> on_one_line(np.arange(4.0), 2 * np.arange(4.0)), on_one_line(np.eye(3)[0], np.eye(3)[1])
        (True, False)
    """
    points = np.column_stack([x - x.mean(), y - y.mean()])
    spread = np.linalg.svd(points, compute_uv=False)
    return bool(spread.size < 2 or spread[1] <= 1e-6 * spread[0])


def usable_methods(
    x: FloatArray, y: FloatArray, n_sites: int, source: object
) -> tuple[Method, ...]:
    """Methods that still work when one of `n_sites` sites is left out.

    Raises:
        DataError: fewer than two sites.

    Example:
        >>> x, y = np.array([0.0, 1.0, 0.0, 1.0, 3.0]), np.array([0.0, 0.0, 1.0, 1.0, 2.0])
        >>> usable_methods(x, y, 5, "a.csv")
        ('nearest', 'inverse_distance', 'thin_plate')
    """
    if n_sites < 2:
        raise DataError(source, found=f"{n_sites} site(s) with enough days", expected="two or more")
    flat = on_one_line(x, y)
    return tuple(
        name
        for name in METHODS
        if n_sites - 1 >= FEWEST_SITES[name] and not (flat and name == "thin_plate")
    )


def leave_one_out(
    x: FloatArray,
    y: FloatArray,
    values: FloatArray,
    *,
    method: Method,
    epoch: str = "",
    statistic: str = "",
    inside: BoolArray | None = None,
    source: object = "rain sites",
) -> LeaveOneOut:
    """Predict each site from all others (negative predictions count as zero, as in the layer).

    The variogram of kriging is fitted anew without the site, so nothing of it is known.

    Args:
        x: (site,) eastings [m].
        y: (site,) northings [m].
        values: (site,) statistic [mm/day]; NaN sites take no part.
        method: interpolation.
        epoch: name, for the record.
        statistic: name, for the record.
        inside: (site,) True inside the grid.
        source: file, for errors.
    """
    have = np.isfinite(values)
    px, py, pv = x[have], y[have], values[have]
    if pv.size < 2:
        raise DataError(source, found=f"{pv.size} site(s)", expected="two or more to leave one out")
    error = np.empty(pv.size)
    for site in range(pv.size):
        rest = np.arange(pv.size) != site
        at = px[~rest], py[~rest]
        guess = interpolate(px[rest], py[rest], pv[rest], *at, method=method, source=source)
        error[site] = max(float(guess[0]), 0.0) - pv[site]
    within = inside[have] if inside is not None else np.zeros(pv.size, dtype=bool)
    return LeaveOneOut(
        epoch=epoch,
        statistic=statistic,
        method=method,
        rmse_mm_day=math.sqrt(float(np.mean(error**2))),
        bias_mm_day=float(error.mean()),
        n=int(pv.size),
        rmse_inside_mm_day=(
            math.sqrt(float(np.mean(error[within] ** 2))) if within.any() else math.nan
        ),
        n_inside=int(within.sum()),
    )


def choose_method(table: Sequence[LeaveOneOut], variance: Mapping[str, float]) -> Method:
    """The method with the lowest leave-one-out error, pooled over epochs and statistics.

    Squared errors are taken relative to the variance of each statistic between the sites, so that
    one statistic with large numbers does not decide alone. One method serves all statistics:
    with positive weights the width of the range then stays below the maximum everywhere.

    Args:
        table: rows of every method.
        variance: statistic -> variance between sites [(mm/day)^2], used as a scale.

    Returns:
        The best method; the simpler one (earlier in `METHODS`) on a tie.
    """
    squares: dict[str, float] = {}
    for row in table:
        scale = variance[row.statistic] or 1.0
        squares[row.method] = squares.get(row.method, 0.0) + row.n * row.rmse_mm_day**2 / scale
    ordered = [name for name in METHODS if name in squares]
    return min(ordered, key=lambda name: squares[name])
