r"""Profile likelihood intervals of any quantity, honest about open ends.

The end of an interval is where the likelihood, maximised over everything else, has fallen by
:math:`q = \chi^2_{1,\,level}/2` (1.92 at 95 %). For a quantity :math:`\psi(u)` the restricted
maximum is that of :math:`\ell(u) - \tfrac K2 [\psi(u) - v]^2`: whatever K, its maximiser is the
restricted maximum at the value :math:`\psi` it ends at, so the stiff penalty steers and does not
bias. The signed root :math:`\sqrt{2(\hat\ell - \ell_p)}` is nearly linear in v, and a bracketed
secant on it takes a handful of steps. Where the quantity can run to the end of its domain before
the likelihood has fallen that far, the interval is open and says so.

The search runs over lanes (quantities and sides of one fit, or many draws) in step; the ascents
inside it are the compiled ones of every fit.

Source: Venzon & Moolgavkar (1988), Applied Statistics 37(1), 87-94, doi:10.2307/2347496, for the
interval; the search is our own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import special

from stats.case_arrays import BoolArray, FloatArray, IntArray
from stats.sizes.ascent import Lanes, climb
from stats.sizes.coordinates import coordinate_box
from stats.sizes.describe import describe
from stats.sizes.law import Law
from stats.sizes.newton import Optimum
from stats.sizes.quantities import beyond
from stats.sizes.recording import RecordedAreas

_STIFF = 1e4
_ROOT_TOLERANCE = 1e-3
_MOST_STEPS = 40
MOST_EVALUATIONS, TOLERANCE = 60, 1e-7
# Log-likelihood by which a restricted maximum may exceed the maximum before it counts as better.
_BETTER = 1e-4

# (lanes, starts, aims, stiffness) -> coordinates, quantity and log-likelihood of those lanes
Solve = Callable[[IntArray, FloatArray, FloatArray, FloatArray], tuple[FloatArray, ...]]


class Ends(NamedTuple):
    """Ends of profile intervals on the search scale, one per lane.

    Attributes:
        end: where the likelihood has fallen by enough; meaningless where open.
        is_open: the quantity ran off before that.
        better: (lane, k) coordinates of the highest point met.
        better_value: its log-likelihood where it is above the maximum, else -inf.
    """

    end: FloatArray
    is_open: BoolArray
    better: FloatArray
    better_value: FloatArray


def root_target(level: float) -> float:
    """Fall of the signed root at the ends of an interval.

    Raises:
        ValueError: a level outside (0, 1).

    Example:
        >>> round(root_target(0.95), 3)
        1.96
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"level: found {level}; expected a share between 0 and 1")
    return float(special.ndtri(0.5 + 0.5 * level))


def search_ends(
    solve: Solve,
    run_off: Callable[[IntArray, FloatArray, FloatArray], BoolArray],
    u_hat: FloatArray,
    start: FloatArray,
    top: FloatArray,
    error: FloatArray,
    side: FloatArray,
    target: float,
) -> Ends:
    """Walk every lane outwards until the likelihood has fallen by enough, then close the bracket.

    Args:
        solve: restricted maxima of some lanes.
        run_off: (lanes, u, value) -> the quantity has reached its end.
        u_hat: (lane, k) maxima.
        start: (lane,) quantity there.
        top: (lane,) log-likelihood there.
        error: (lane,) standard error of the quantity, roughly.
        side: (lane,) -1 or 1.
        target: fall of the root at the ends.
    """
    size = start.size
    inside, outside = start.copy(), np.full(size, np.nan)
    root_in, root_out = np.zeros(size), np.full(size, np.nan)
    u, end, lag = u_hat.copy(), start.copy(), np.zeros(size)
    reach = target * error
    found, stuck = np.zeros(size, bool), np.isnan(start)
    better, better_value = u_hat.copy(), np.full(size, -np.inf)
    for _ in range(_MOST_STEPS):
        lanes = np.flatnonzero(~found & ~stuck)
        if lanes.size == 0:
            break
        bracketed = ~np.isnan(outside[lanes])
        with np.errstate(invalid="ignore"):
            share = (target - root_in[lanes]) / (root_out[lanes] - root_in[lanes])
        step = np.clip(share, 0.05, 0.95) * (outside[lanes] - inside[lanes])
        v = inside[lanes] + np.where(bracketed, step, side[lanes] * reach[lanes])
        # The penalty stops a little short of what it aims at, by about as much as last time.
        stiff = _STIFF / error[lanes] ** 2
        there, at, height = solve(lanes, u[lanes], v + lag[lanes], stiff)
        lag[lanes] = np.clip(v + lag[lanes] - at, -0.01 * error[lanes], 0.01 * error[lanes])
        root = np.sqrt(2.0 * np.maximum(top[lanes] - height, 0.0))
        below = root < target
        # The quantity no longer follows, or has run to its end: nothing stops it.
        idle = ~bracketed & below & (np.abs(at - inside[lanes]) < 0.3 * np.abs(v - inside[lanes]))
        stuck[lanes] = idle | (below & run_off(lanes, there, at))
        higher = height > np.maximum(better_value[lanes], top[lanes] + _BETTER)
        better[lanes[higher]], better_value[lanes[higher]] = there[higher], height[higher]
        reach[lanes] *= np.clip(target / np.maximum(root, 0.1), 1.5, 3.0)
        end[lanes] = at
        into, out = lanes[below], lanes[~below]
        inside[into], root_in[into], u[into] = at[below], root[below], there[below]
        outside[out], root_out[out] = at[~below], root[~below]
        narrow = np.abs(outside[lanes] - inside[lanes]) < 1e-6 * error[lanes]
        found[lanes] = (np.abs(root - target) < _ROOT_TOLERANCE) | narrow
    return Ends(end=end, is_open=~found, better=better, better_value=better_value)


def rough_errors(slopes: FloatArray, hessian: FloatArray) -> FloatArray:
    """Rough standard errors of quantities from slopes (..., k) and Hessian (..., k, k)."""
    roots, vectors = np.linalg.eigh(-hessian)
    along = np.einsum("...k,...ki->...i", np.nan_to_num(slopes), vectors)
    spread = np.sum(along**2 / np.maximum(np.abs(roots), 1e-8), axis=-1)
    return np.clip(np.sqrt(spread), 1e-4, 1.0)


class Profile(NamedTuple):
    """Profile intervals of the quantities of one fit, on their search scales.

    Attributes:
        low: (q,) lower ends.
        high: (q,) upper ends.
        open_low: (q,) bool.
        open_high: (q,) bool.
        better: coordinates of a point above the maximum, or None.
    """

    low: FloatArray
    high: FloatArray
    open_low: BoolArray
    open_high: BoolArray
    better: FloatArray | None


def profile_of(law: Law, found: Optimum, data: RecordedAreas, target: float) -> Profile:
    """Profile intervals of all quantities of a fit; to be called inside float64.

    Args:
        law: family.
        found: the maximum.
        data: padded data, as it was climbed on.
        target: fall of the root at the ends (`root_target`).
    """
    u_hat = np.asarray(found.u)
    shown = describe(law, u_hat)
    q = shown.values.size
    error = rough_errors(
        shown.slopes, np.broadcast_to(np.asarray(found.hessian), (q, *found.hessian.shape))
    )
    box = coordinate_box(law, data, np)
    index, side = np.tile(np.arange(q), 2), np.repeat([-1.0, 1.0], q)
    log_x = np.asarray(data.log_x)
    reach = (float(log_x.min()), float(log_x.max()))

    def solve(
        lanes: IntArray, start: FloatArray, aim: FloatArray, stiff: FloatArray
    ) -> tuple[FloatArray, ...]:
        out = []
        for lane, first, goal, hold in zip(lanes, start, aim, stiff, strict=True):
            pull = Lanes(index[int(lane)], goal, hold, TOLERANCE, MOST_EVALUATIONS)
            there, at = climb(law.name, first, box, data, pull)
            at = float(at)
            out.append(
                (np.asarray(there.u), at, float(there.value) + 0.5 * hold * (at - goal) ** 2)
            )
        return tuple(np.array(column) for column in zip(*out, strict=True))

    def run_off(lanes: IntArray, u: FloatArray, value: FloatArray) -> BoolArray:
        return beyond(law, index[lanes], u, value, reach, side[lanes])

    both = np.tile(u_hat, (2 * q, 1))
    top = np.full(2 * q, float(found.value))
    ends = search_ends(
        solve, run_off, both, np.tile(shown.values, 2), top, np.tile(error, 2), side, target
    )
    best = int(np.argmax(ends.better_value))
    return Profile(
        low=ends.end[:q],
        high=ends.end[q:],
        open_low=ends.is_open[:q],
        open_high=ends.is_open[q:],
        better=ends.better[best] if np.isfinite(ends.better_value[best]) else None,
    )
