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

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from stats.case_arrays import BoolArray, FloatArray, IntArray
from stats.precision import in_float64
from stats.sizes.ascent import Lanes, climb, climb_draws, plain_lane
from stats.sizes.coordinates import coordinate_box
from stats.sizes.describe import describe, describe_many, start_from
from stats.sizes.law import Law, law_named
from stats.sizes.newton import Optimum
from stats.sizes.quantities import beyond, interval, quantity_names
from stats.sizes.recording import RecordedAreas, Recording, check_areas, recorded_areas

_STIFF = 1e4
_ROOT_TOLERANCE = 1e-3
_MOST_STEPS, _MOST_EVALUATIONS, _TOLERANCE = 40, 60, 1e-7
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


def _errors(slopes: FloatArray, hessian: FloatArray) -> FloatArray:
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
    error = _errors(
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
            pull = Lanes(index[int(lane)], goal, hold, _TOLERANCE, _MOST_EVALUATIONS)
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


class Profiles(NamedTuple):
    """Profile intervals of one quantity in many draws, on its natural scale.

    Attributes:
        value: (draw,) maximum-likelihood estimates.
        low: (draw,) lower ends; the end of the domain where open.
        high: (draw,) upper ends; likewise.
        converged: (draw,) the maximum is proven, and nothing higher was met.
    """

    value: FloatArray
    low: FloatArray
    high: FloatArray
    converged: BoolArray


@in_float64
def profile_many(
    law: str,
    samples: FloatArray,
    recording: Recording,
    start: ArrayLike,
    *,
    quantity: str = "alpha",
    level: float = 0.95,
) -> Profiles:
    """Profile interval of one quantity in each of many samples, through one compilation.

    Args:
        law: name of the law.
        samples: (draw, n) exact areas [m2].
        recording: how they were recorded; exact areas only.
        start: (k,) parameters from which every fit starts.
        quantity: a parameter, "rollover_m2" or "pdf_slope".
        level: coverage aimed at.

    Raises:
        ValueError: bad areas, shapes or names.

    Example:
        >>> from stats.sizes.double_pareto import sample
        >>> rng = np.random.default_rng(1)
        >>> areas = sample(4 * 400, 1.4, 2.3, 800.0, rng=rng, lower=100.0).reshape(4, 400)
        >>> found = profile_many("dps", areas, Recording(lower_m2=100.0), [1.4, 2.3, 800.0])
        >>> bool(np.all((found.low < found.value) & (found.value < found.high)))
        True
    """
    family = law_named(law)
    names = quantity_names(family)
    if quantity not in names:
        raise ValueError(f"quantity: found {quantity!r}; expected one of {', '.join(names)}")
    areas = np.asarray(samples, dtype=np.float64)
    if areas.ndim != 2 or recording.pixel_m2 is not None or recording.detection is not None:
        raise ValueError(
            f"samples: found {areas.ndim} dimensions, recorded as {recording}; expected exact "
            "areas (draw, n) without pixels and detection curve"
        )
    check_areas(areas.ravel(), recording, least=family.k)
    log_x = jnp.log(areas)
    data = recorded_areas(areas[0], recording)._replace(log_x=log_x)
    index, draws = names.index(quantity), len(areas)
    first = np.broadcast_to(start_from(family, start), (draws, family.k))
    lanes = jax.tree.map(lambda leaf: np.broadcast_to(leaf, (draws,)), plain_lane())
    found, value = climb_draws(law, first, data, lanes._replace(index=np.full(draws, index)))
    u_hat, value = np.asarray(found.u), np.asarray(value)
    error = _errors(describe_many(family, u_hat).slopes[:, index], np.asarray(found.hessian))
    reach = (float(log_x.min()), float(log_x.max()))
    every = np.arange(draws)

    def solve(
        some: IntArray, start: FloatArray, aim: FloatArray, stiff: FloatArray
    ) -> tuple[FloatArray, ...]:
        starts, aims, holds = u_hat.copy(), np.zeros(draws), np.zeros(draws)
        starts[some], aims[some], holds[some] = start, aim, stiff
        most = np.where(np.isin(every, some), _MOST_EVALUATIONS, 0)
        pulls = Lanes(np.full(draws, index), aims, holds, np.full(draws, _TOLERANCE), most)
        there, at = climb_draws(law, starts, data, pulls)
        at = np.asarray(at)
        height = np.asarray(there.value) + 0.5 * holds * (at - aims) ** 2
        return np.asarray(there.u)[some], at[some], height[some]

    ends = []
    for side in (-1.0, 1.0):
        sides = np.full(draws, side)

        def run_off(
            some: IntArray, u: FloatArray, at: FloatArray, sides: FloatArray = sides
        ) -> BoolArray:
            return beyond(family, np.full(some.size, index), u, at, reach, sides[some])

        top = np.asarray(found.value)
        ends.append(
            search_ends(solve, run_off, u_hat, value, top, error, sides, target=root_target(level))
        )
    low, high = ends
    natural_ends = np.array(
        [
            interval(family, quantity, *pair, open_low=a, open_high=b)
            for pair, a, b in zip(
                zip(low.end, high.end, strict=True), low.is_open, high.is_open, strict=True
            )
        ]
    )
    points = [interval(family, quantity, v, v, open_low=False, open_high=False)[0] for v in value]
    nothing_higher = ~(np.isfinite(low.better_value) | np.isfinite(high.better_value))
    return Profiles(
        np.array(points),
        natural_ends[:, 0],
        natural_ends[:, 1],
        np.asarray(found.converged) & nothing_higher,
    )
