r"""Second-order statistics of landslide locations: more clustered than their intensity explains?

With intensity :math:`\lambda(u)` on window W and translation weights, the inhomogeneous K function
and the pair correlation are

.. math:: \hat K(r) = \sum_{i \ne j} \frac{1[d_{ij} \le r]}
          {\lambda(x_i) \lambda(x_j)\, |W \cap W_{x_i - x_j}|}, \qquad
          \hat g(r) = \frac{1}{2 \pi r} \sum_{i \ne j}
          \frac{\kappa_b(r - d_{ij})}{\lambda(x_i) \lambda(x_j)\, |W \cap W_{x_i - x_j}|},

with :math:`K = \pi r^2`, :math:`g = 1` for an inhomogeneous Poisson process of that intensity,
above them where landslides attract each other. The set covariance :math:`|W \cap W_u|` of any
masked window is found once, by a transform, and interpolated. K is shown as
:math:`L(r) = \sqrt{K/\pi}`.

What looks like clustering may be a trend of the intensity and the other way round; a kernel
intensity of the same points with a narrow bandwidth explains everything away. The intensity
belongs to a model (susceptibility), or to a bandwidth much wider than the ranges that are asked
about.

A. Baddeley, J. Moller & R. Waagepetersen (2000), Statistica Neerlandica 54, 329-350,
doi:10.1111/1467-9574.00144; D. Stoyan & H. Stoyan (1994), Fractals, Random Shapes and Point
Fields, Wiley; J. Ohser (1983), Mathematische Operationsforschung und Statistik 14, 63-71
(translation weights).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage, signal, spatial

from stats.case_arrays import FloatArray, UndefinedScoreError, as_finite
from stats.density.window import M2_PER_KM2, Window
from stats.spatial.envelope import Envelope, envelope_of

Statistic = Literal["L", "g"]


@dataclass(frozen=True, kw_only=True, eq=False)
class PairStatistics:
    """K, L and pair correlation at some distances.

    Attributes:
        distance_m: (r,) distances [m].
        k_m2: (r,) inhomogeneous K [m2].
        l_m: (r,) sqrt(K / pi) [m]; equal to the distance for a Poisson process.
        g: (r,) pair correlation; 1 for a Poisson process.
        bandwidth_m: half-width of the Epanechnikov kernel of g [m].
        n: number of points.
    """

    distance_m: FloatArray
    k_m2: FloatArray
    l_m: FloatArray
    g: FloatArray
    bandwidth_m: float
    n: int


def set_covariance(window: Window) -> FloatArray:
    """Area of the overlap of the window with itself, shifted [m2].

    Returns:
        (2 rows - 1, 2 columns - 1); no shift in the middle.

    Example:
        >>> window = Window(inside=np.ones((1, 2), bool), west_m=0, north_m=1, cell_m=1.0)
        >>> set_covariance(window)
        array([[1., 2., 1.]])
    """
    ones = window.inside.astype(np.float64)
    return np.asarray(np.rint(signal.fftconvolve(ones, ones[::-1, ::-1])) * window.cell_m**2)


def pair_statistics(
    x_m: ArrayLike,
    y_m: ArrayLike,
    window: Window,
    *,
    distance_m: ArrayLike,
    intensity_per_km2: ArrayLike | None = None,
    bandwidth_m: float | None = None,
) -> PairStatistics:
    """K, L and pair correlation of points in a masked window.

    Args:
        x_m: (point,) eastings [m].
        y_m: (point,) northings [m].
        window: cells; points outside are refused.
        distance_m: (r,) rising distances above 0 [m].
        intensity_per_km2: (y, x) intensity, above 0 wherever there is a point; None takes the
            constant one. It is scaled so that the sum of 1 / intensity over the points is the area
            of the window, which takes most of the variance out.
        bandwidth_m: half-width of the kernel of g [m]; None takes 0.15 / sqrt(intensity), Stoyan's
            rule, times the square root of 5.

    Raises:
        UndefinedScoreError: fewer than 2 points.
        ValueError: points outside the window, distances that do not rise, an intensity of 0 at a
            point.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> window = Window(inside=np.ones((20, 20), bool), west_m=0, north_m=2e4, cell_m=1e3)
        >>> x, y = rng.uniform(0, 2e4, (2, 400))
        >>> found = pair_statistics(x, y, window, distance_m=[1e3, 2e3])
        >>> bool(np.all(np.abs(found.l_m / found.distance_m - 1) < 0.1))
        True
    """
    x, y = as_finite("x_m", x_m).reshape(-1), as_finite("y_m", y_m).reshape(-1)
    row, column, held = window.cells_of(x, y)
    if not held.all():
        raise ValueError(f"found {int((~held).sum())} of {x.size} points outside the window")
    if x.size < 2:
        raise UndefinedScoreError(f"pairs need 2 points; found {x.size}")
    r = as_finite("distance_m", distance_m).reshape(-1)
    if not r.size or r[0] <= 0.0 or (np.diff(r) <= 0.0).any():
        raise ValueError(f"distance_m: found {r}; expected rising distances above 0")
    area = window.area_km2 * M2_PER_KM2
    if intensity_per_km2 is None:
        at = np.full(x.size, x.size / area)
    else:
        field = np.asarray(intensity_per_km2, dtype=np.float64)
        if field.shape != window.inside.shape:
            raise ValueError(f"intensity {field.shape}; expected {window.inside.shape}")
        at = field[row, column] / M2_PER_KM2
        if not (np.isfinite(at).all() and (at > 0.0).all()):
            raise ValueError("intensity: found a point where it is not above 0")
    # Normalised as spatstat's `normalise` does: exact totals instead of expected ones.
    at = at * (1.0 / at).sum() / area
    b = np.sqrt(5.0) * 0.15 / np.sqrt(x.size / area) if bandwidth_m is None else bandwidth_m
    tree = spatial.cKDTree(np.column_stack([x, y]))
    pairs = tree.query_pairs(float(r[-1] + b), output_type="ndarray")
    first, second = pairs[:, 0], pairs[:, 1]
    dx, dy = x[second] - x[first], y[second] - y[first]
    d = np.hypot(dx, dy)
    # Each pair counts in both orders, with the same weight.
    weight = 2.0 / (at[first] * at[second] * _overlap(window, dx, dy))
    order = np.argsort(d)
    d, weight = d[order], weight[order]
    below = np.concatenate([[0.0], np.cumsum(weight)])
    k = below[np.searchsorted(d, r, side="right")]
    return PairStatistics(
        distance_m=r, k_m2=k, l_m=np.sqrt(k / np.pi), g=_correlation(d, weight, r, float(b)),
        bandwidth_m=float(b), n=int(x.size),
    )  # fmt: skip


def poisson_envelope(
    x_m: ArrayLike,
    y_m: ArrayLike,
    window: Window,
    *,
    distance_m: ArrayLike,
    rng: np.random.Generator,
    intensity_per_km2: ArrayLike | None = None,
    simulations: int = 99,
    statistic: Statistic = "L",
    level: float = 0.95,
) -> Envelope:
    """The statistic beside those of Poisson processes of the same intensity and number.

    Simulated points are uniform within their cells. The test has its level where the intensity is
    given; where it was estimated from these very points, it is too cautious.

    Args:
        x_m: as for `pair_statistics`.
        y_m: likewise.
        window: likewise.
        distance_m: likewise.
        rng: of the simulations.
        intensity_per_km2: likewise.
        simulations: number of simulated patterns.
        statistic: "L" (less the distance) or "g".
        level: coverage of the simultaneous envelope.

    Returns:
        Envelope of L(r) - r [m], or of g(r).
    """
    found = pair_envelopes(
        x_m, y_m, window, distance_m=distance_m, rng=rng, intensity_per_km2=intensity_per_km2,
        simulations=simulations, level=level,
    )  # fmt: skip
    return found[statistic]


def pair_envelopes(
    x_m: ArrayLike,
    y_m: ArrayLike,
    window: Window,
    *,
    distance_m: ArrayLike,
    rng: np.random.Generator,
    intensity_per_km2: ArrayLike | None = None,
    bandwidth_m: float | None = None,
    simulations: int = 99,
    level: float = 0.95,
) -> dict[Statistic, Envelope]:
    """Both statistics beside those of the same simulated patterns; as `poisson_envelope`.

    Args:
        x_m: as for `pair_statistics`.
        y_m: likewise.
        window: likewise.
        distance_m: likewise.
        rng: of the simulations.
        intensity_per_km2: likewise.
        bandwidth_m: likewise.
        simulations: number of simulated patterns.
        level: coverage of the simultaneous envelopes.

    Returns:
        Envelopes of L(r) - r [m] and of g(r), by name.
    """
    observed = pair_statistics(
        x_m, y_m, window, distance_m=distance_m, intensity_per_km2=intensity_per_km2,
        bandwidth_m=bandwidth_m,
    )  # fmt: skip
    share = np.where(window.inside, 1.0, 0.0)
    if intensity_per_km2 is not None:
        share = np.where(window.inside, np.nan_to_num(np.asarray(intensity_per_km2)), 0.0)
    chance = share.reshape(-1) / share.sum()
    west, north = window.centres()
    draws = []
    for _ in range(simulations):
        cell = rng.choice(chance.size, size=observed.n, p=chance)
        row, column = np.divmod(cell, share.shape[1])
        shift = rng.uniform(-0.5, 0.5, (2, observed.n)) * window.cell_m * (1.0 - 1e-9)
        draws.append(
            pair_statistics(
                west[column] + shift[0], north[row] + shift[1], window,
                distance_m=distance_m, intensity_per_km2=intensity_per_km2,
                bandwidth_m=observed.bandwidth_m,
            )
        )  # fmt: skip
    return {
        name: envelope_of(
            _shown(observed, name), np.stack([_shown(d, name) for d in draws]), level=level
        )
        for name in get_args(Statistic)
    }


def _shown(found: PairStatistics, statistic: Statistic) -> FloatArray:
    return found.l_m - found.distance_m if statistic == "L" else found.g


def _overlap(window: Window, dx: FloatArray, dy: FloatArray) -> FloatArray:
    """Area of window and shifted window together, between the lattice's shifts [m2]."""
    covariance = set_covariance(window)
    rows, columns = window.inside.shape
    at = np.stack([dy / window.cell_m + rows - 1, dx / window.cell_m + columns - 1])
    found = ndimage.map_coordinates(covariance, at, order=1, mode="constant", cval=0.0)
    # Points in opposite corners of two cells: less than one cell is left of the overlap.
    return np.maximum(found, 0.25 * window.cell_m**2)


def _correlation(d: FloatArray, weight: FloatArray, r: FloatArray, b: float) -> FloatArray:
    """Pair correlation; the kernel is cut at 0 and made whole again there."""
    g = np.empty(r.size)
    for index, distance in enumerate(r):
        low, high = np.searchsorted(d, [distance - b, distance + b])
        u = (distance - d[low:high]) / b
        kernel = 0.75 / b * np.maximum(1.0 - u**2, 0.0)
        reach = min(distance / b, 1.0)
        whole = 0.5 + 0.75 * (reach - reach**3 / 3.0)
        # Divided by the distance of the pair, not by r: less bias close to 0.
        g[index] = (weight[low:high] * kernel / d[low:high]).sum() / (2.0 * np.pi * whole)
    return g
