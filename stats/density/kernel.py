r"""Kernel density of landslides per km2, or of their area, on a masked lattice.

With :math:`m_c` the number (or area) of landslides in cell c, a Gaussian kernel :math:`k_h` and the
window W,

.. math:: \hat\lambda(u) = \sum_c m_c \, k_{h_c}(u - c) / e_{h_c}(c)
          \quad\text{or}\quad
          \hat\lambda(u) = \frac{1}{e_h(u)} \sum_c m_c \, k_h(u - c), \qquad
          e_h(u) = \int_W k_h(u - v)\,dv .

The first (``mass``, Diggle's correction) gives every landslide its whole weight inside the window,
so that the map sums to the total; the second (``uniform``) is unbiased where the intensity is
constant. Landslides stand at the centres of their cells: a bandwidth of less than the side of a
cell is refused, and one of three sides or more differs little from the exact positions.

Adaptive bandwidths follow Abramson's square root law around a pilot estimate,
:math:`h_c = h\,(\tilde\lambda(c) / g)^{-1/2}`, g the geometric mean over the landslides; they are
held in classes of equal ratio, one convolution each (Davies & Baddeley 2018).

The bandwidth is chosen by leave-one-out likelihood,
:math:`\sum_i \ln \hat\lambda_{-i}(x_i) - \int_W \hat\lambda`, the mass of the second term being
the number of landslides under ``mass``.

I. S. Abramson (1982), Annals of Statistics 10, 1217-1223, doi:10.1214/aos/1176345986;
P. Diggle (1985), Applied Statistics 34, 138-147, doi:10.2307/2347366;
T. M. Davies & A. Baddeley (2018), Statistics and Computing 28, 937-956,
doi:10.1007/s11222-017-9772-4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import signal

from stats.case_arrays import FloatArray, UndefinedScoreError, as_nonnegative
from stats.density.window import M2_PER_KM2, Window

EdgeCorrection = Literal["mass", "uniform", "none"]
# Beyond this many bandwidths the kernel is below 1e-14 of its peak.
_REACH = 8.0
# Classes of adaptive bandwidths differ by this ratio; wider and narrower than these are held.
_RATIO, _NARROWEST, _WIDEST = 1.05, 0.25, 4.0


@dataclass(frozen=True, kw_only=True, eq=False)
class KernelDensity:
    """A kernel estimate on the lattice.

    Attributes:
        per_km2: (y, x) intensity per km2 in the unit of the weights, NaN outside the window.
        bandwidth_m: standard deviation of the kernel [m]; of the typical landslide if adaptive.
        bandwidths_m: (y, x) that of each cell's landslides, if adaptive.
        edge: correction.
        n: number of landslides, or their summed weight.
    """

    per_km2: FloatArray
    bandwidth_m: float
    bandwidths_m: FloatArray | None
    edge: EdgeCorrection
    n: float


def gaussian_kernel(bandwidth_m: float, cell_m: float, shape: tuple[int, int]) -> FloatArray:
    """Kernel at the offsets between cell centres [1/m2], as wide as it can matter.

    Example:
        >>> round(float(gaussian_kernel(2e3, 1e3, (50, 50)).sum() * 1e6), 9)
        1.0
    """
    reach = [min(int(np.ceil(_REACH * bandwidth_m / cell_m)), n) for n in shape]
    y, x = (np.arange(-r, r + 1) * cell_m / bandwidth_m for r in reach)
    # Sums over a lattice are right to 1e-8 of the integral for bandwidths from one cell on.
    weight = np.exp(-0.5 * y**2)[:, None] * np.exp(-0.5 * x**2)
    return weight / (2.0 * np.pi * bandwidth_m**2)


def kernel_density(
    counts: ArrayLike, window: Window, *, bandwidth_m: float, edge: EdgeCorrection = "mass"
) -> KernelDensity:
    """Fixed-bandwidth estimate.

    Args:
        counts: (y, x) landslides per cell, or their area (`stats.density.window.counts_on`).
        window: cells.
        bandwidth_m: standard deviation of the kernel [m], at least the side of a cell.
        edge: correction.

    Raises:
        ValueError: a bandwidth below the side of a cell, or counts that do not fit the window.

    Example:
        >>> window = Window(inside=np.ones((9, 9), bool), west_m=0, north_m=9e3, cell_m=1e3)
        >>> counts = np.zeros((9, 9)); counts[0, 0] = 1
        >>> found = kernel_density(counts, window, bandwidth_m=1.5e3)
        >>> round(float(found.per_km2.sum()), 12)
        1.0
    """
    m = _counts(counts, window)
    _check(bandwidth_m, window)
    raw = _smooth(m, window, bandwidth_m, edge)
    return KernelDensity(
        per_km2=_shown(raw, window), bandwidth_m=float(bandwidth_m), bandwidths_m=None, edge=edge,
        n=float(m.sum()),
    )  # fmt: skip


def adaptive_density(
    counts: ArrayLike,
    window: Window,
    *,
    bandwidth_m: float,
    pilot_m: float | None = None,
    edge: EdgeCorrection = "mass",
) -> KernelDensity:
    """Adaptive estimate: narrow kernels where landslides crowd, wide ones where they are rare.

    Args:
        counts: (y, x) landslides per cell.
        window: cells.
        bandwidth_m: bandwidth of the typical landslide [m].
        pilot_m: bandwidth of the pilot estimate [m]; None uses `bandwidth_m`.
        edge: correction.

    Raises:
        UndefinedScoreError: no landslide inside.
        ValueError: as for `kernel_density`.
    """
    m = _counts(counts, window)
    _check(bandwidth_m, window)
    where = m > 0.0
    if not where.any():
        raise UndefinedScoreError("adaptive bandwidths need at least one landslide in the window")
    pilot = kernel_density(m, window, bandwidth_m=pilot_m or bandwidth_m, edge="uniform").per_km2
    logs = np.log(pilot[where])
    typical = float((m[where] * logs).sum() / m[where].sum())
    steps = np.rint(-0.5 * (logs - typical) / np.log(_RATIO)).astype(np.int64)
    widest, narrowest = (int(np.log(v) // np.log(_RATIO)) for v in (_WIDEST, _NARROWEST))
    least = int(np.ceil(np.log(window.cell_m / bandwidth_m) / np.log(_RATIO) - 1e-9))
    steps = np.clip(steps, max(narrowest, least), max(widest, least))
    classes = np.zeros(m.shape, dtype=np.int64)
    classes[where] = steps
    raw = np.zeros(m.shape)
    for step in np.unique(steps):
        part = np.where(where & (classes == step), m, 0.0)
        raw += _smooth(part, window, bandwidth_m * _RATIO ** int(step), edge)
    widths = np.where(where, bandwidth_m * _RATIO ** classes.astype(np.float64), np.nan)
    return KernelDensity(
        per_km2=_shown(raw, window), bandwidth_m=float(bandwidth_m), bandwidths_m=widths,
        edge=edge, n=float(m.sum()),
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class BandwidthChoice:
    """Leave-one-out likelihood against the bandwidth.

    Attributes:
        bandwidth_m: the best.
        tried_m: (bandwidth,) those that were tried [m].
        log_likelihood: (bandwidth,) of each.
        at_edge: the best is the narrowest or widest tried, so the true optimum may lie beyond.
    """

    bandwidth_m: float
    tried_m: FloatArray
    log_likelihood: FloatArray
    at_edge: bool


def choose_bandwidth(
    counts: ArrayLike,
    window: Window,
    *,
    tried_m: ArrayLike | None = None,
    edge: EdgeCorrection = "uniform",
) -> BandwidthChoice:
    """The bandwidth under which every landslide is best forecast by all others.

    Args:
        counts: (y, x) whole numbers of landslides per cell.
        window: cells.
        tried_m: (bandwidth,) candidates [m]; None tries 25 from one cell to a quarter of the
            window's longer side.
        edge: correction of the estimate.

    Raises:
        UndefinedScoreError: fewer than 2 landslides.
        ValueError: counts that are not whole, candidates below the side of a cell.
    """
    m = _counts(counts, window)
    if not np.array_equal(m, np.rint(m)):
        raise ValueError("counts: found parts of landslides; expected whole numbers")
    if m.sum() < 2:
        raise UndefinedScoreError(f"a bandwidth needs 2 landslides; found {int(m.sum())}")
    widest = max(2.0, 0.25 * max(m.shape)) * window.cell_m
    tried = (
        np.geomspace(window.cell_m, widest, 25) if tried_m is None
        else np.sort(np.asarray(tried_m, dtype=np.float64).reshape(-1))
    )  # fmt: skip
    if not tried.size or not np.isfinite(tried).all():
        raise ValueError(f"tried_m: found {tried}; expected finite bandwidths")
    scores = np.array([_left_out(m, window, float(h), edge) for h in tried])
    best = int(np.argmax(scores))
    return BandwidthChoice(
        bandwidth_m=float(tried[best]), tried_m=tried, log_likelihood=scores,
        at_edge=best in (0, tried.size - 1) and tried.size > 1,
    )  # fmt: skip


def _left_out(m: FloatArray, window: Window, h: float, edge: EdgeCorrection) -> float:
    _check(h, window)
    mass = _mass(window, h)
    own = float(gaussian_kernel(h, window.cell_m, (m.shape[0], m.shape[1])).max())
    where = m > 0.0
    raw = _smooth(m, window, h, edge)
    alone = own / mass if edge != "none" else np.full(m.shape, own)
    left = raw[where] - alone[where]
    # A lone landslide far from all others has nothing but rounding left.
    left = np.maximum(left, np.finfo(np.float64).tiny)
    total = float(raw[window.inside].sum() * window.cell_m**2)
    return float((m[where] * np.log(left)).sum() - total)


def _smooth(m: FloatArray, window: Window, h: float, edge: EdgeCorrection) -> FloatArray:
    """(y, x) intensity per m2."""
    kernel = gaussian_kernel(h, window.cell_m, (m.shape[0], m.shape[1]))
    if edge == "none":
        return _convolve(m, kernel)
    mass = _mass(window, h)
    if edge == "mass":
        return _convolve(m / mass, kernel)
    return _convolve(m, kernel) / mass


def _mass(window: Window, h: float) -> FloatArray:
    """(y, x) share of a kernel at each cell that lies in the window."""
    kernel = gaussian_kernel(h, window.cell_m, (window.inside.shape[0], window.inside.shape[1]))
    share = _convolve(window.inside.astype(np.float64), kernel) * window.cell_m**2
    # Outside the window nothing is divided by it.
    return np.where(window.inside, share, 1.0)


def _convolve(values: FloatArray, kernel: FloatArray) -> FloatArray:
    # Transforms leave rounding of either sign where the sum is 0.
    return np.maximum(signal.fftconvolve(values, kernel, mode="same"), 0.0)


def _counts(counts: ArrayLike, window: Window) -> FloatArray:
    m = as_nonnegative("counts", counts)
    if m.shape != window.inside.shape or m[~window.inside].any():
        raise ValueError(
            f"counts of shape {m.shape}; expected {window.inside.shape}, 0 outside the window"
        )
    return m


def _check(bandwidth_m: float, window: Window) -> None:
    if not window.cell_m * (1.0 - 1e-9) <= bandwidth_m < np.inf:
        raise ValueError(
            f"bandwidth: found {bandwidth_m} m; expected at least the side of a cell, "
            f"{window.cell_m:g} m"
        )


def _shown(per_m2: FloatArray, window: Window) -> FloatArray:
    return np.where(window.inside, per_m2 * M2_PER_KM2, np.nan)
