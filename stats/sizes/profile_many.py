"""Profile intervals of one quantity in many samples at once: coverage in worlds of known truth.

The draws walk outwards in step (`stats.sizes.profile.search_ends`); their restricted maxima go
through one compiled map, in which a draw that has arrived costs nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import BoolArray, FloatArray, IntArray
from stats.precision import in_float64
from stats.sizes.ascent import Lanes, climb_draws, plain_lane
from stats.sizes.describe import describe_many, start_from
from stats.sizes.law import law_named
from stats.sizes.profile import (
    MOST_EVALUATIONS,
    TOLERANCE,
    root_target,
    rough_errors,
    search_ends,
)
from stats.sizes.quantities import beyond, interval, quantity_names
from stats.sizes.recording import Recording, check_areas, recorded_areas


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
    error = rough_errors(describe_many(family, u_hat).slopes[:, index], np.asarray(found.hessian))
    reach = (float(log_x.min()), float(log_x.max()))
    every = np.arange(draws)

    def solve(
        some: IntArray, start: FloatArray, aim: FloatArray, stiff: FloatArray
    ) -> tuple[FloatArray, ...]:
        starts, aims, holds = u_hat.copy(), np.zeros(draws), np.zeros(draws)
        starts[some], aims[some], holds[some] = start, aim, stiff
        most = np.where(np.isin(every, some), MOST_EVALUATIONS, 0)
        pulls = Lanes(np.full(draws, index), aims, holds, np.full(draws, TOLERANCE), most)
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
