"""From data to the highest maximum: starts, compiled ascents, and the name of a limit reached."""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from stats.case_arrays import FloatArray
from stats.sizes.coordinates import FAMILY, coordinate_box, evaluator
from stats.sizes.describe import starts_from
from stats.sizes.law import Law, law_named
from stats.sizes.newton import TOLERANCE, Box, Optimum, newton
from stats.sizes.quantities import search_values
from stats.sizes.recording import RecordedAreas
from stats.sizes.truncated_dps import PHI_MINIMUM, Evaluation

# Above this many areas the starts are tried on a compressed sample, and the best is climbed on.
_COMPRESS_ABOVE, _CELLS = 2048, 512
_LENGTHS = (512, 2048)
_MOST = 100

PARETO = "pareto"
FRECHET = "frechet"
LOG = "log"


def padded(data: RecordedAreas) -> RecordedAreas:
    """The data with weights, filled up with weight 0 to one of few lengths: fewer compilations."""
    n = data.log_x.shape[0]
    unit = max(64, 2 ** (n.bit_length() - 4))
    wanted = next((length for length in _LENGTHS if n <= length), n + -n % unit)
    extra = wanted - n
    weights = np.ones(n) if data.weights is None else np.asarray(data.weights)
    edges = data.bin_edges
    if edges is not None:
        edges = np.pad(np.asarray(edges), ((0, 0), (0, extra)), mode="edge")
    return data._replace(
        log_x=np.pad(np.asarray(data.log_x), (0, extra), mode="edge"),
        weights=np.pad(weights, (0, extra)),
        bin_edges=edges,
    )


def _compressed(data: RecordedAreas) -> RecordedAreas:
    """`_CELLS` weighted areas that stand for all: the means of equal steps of ln x."""
    log_x = np.asarray(data.log_x)
    weights = np.ones(log_x.size) if data.weights is None else np.asarray(data.weights)
    low, high = log_x.min(), log_x.max()
    cell = np.minimum(((log_x - low) * (_CELLS / (high - low))).astype(np.int64), _CELLS - 1)
    mass: FloatArray = np.bincount(cell, weights, _CELLS).astype(np.float64)
    total: FloatArray = np.bincount(cell, weights * log_x, _CELLS).astype(np.float64)
    empty = mass <= 0.0
    return data._replace(
        log_x=np.where(empty, low, total / np.where(empty, 1.0, mass)), weights=mass
    )


class Lanes(NamedTuple):
    """What one ascent is told besides its start: a pull towards a value, and when to stop.

    Attributes:
        index: quantity that is pulled (position in `quantity_names`).
        aim: value it is pulled to, on its search scale.
        stiff: stiffness of the pull; 0 for a free ascent.
        tolerance: log-likelihood still to be gained at convergence.
        most: evaluations at most; 0 leaves the start where it is.
    """

    index: Any
    aim: Any
    stiff: Any
    tolerance: Any
    most: Any


def plain_lane() -> Lanes:
    """A free ascent."""
    return Lanes(0, 0.0, 0.0, TOLERANCE, _MOST)


def _ascend(
    law: Law, start: jax.Array, box: Box, data: RecordedAreas, lane: Lanes
) -> tuple[Optimum, jax.Array]:
    evaluate = evaluator(law, data)

    def pick(u: jax.Array) -> jax.Array:
        return search_values(law, u)[lane.index]

    def pulled(u: jax.Array) -> Evaluation:
        at = evaluate(u)
        slope, value = jax.grad(pick)(u), pick(u)
        off = value - lane.aim
        turn = jnp.outer(slope, slope) + off * jax.hessian(pick)(u)
        return Evaluation(
            at.value - 0.5 * lane.stiff * off**2,
            at.gradient - lane.stiff * off * slope,
            at.hessian - lane.stiff * turn,
        )

    found = newton(pulled, start, box, tolerance=lane.tolerance, most=lane.most)
    return found, pick(found.u)


@functools.partial(jax.jit, static_argnames="name")
def climb(
    name: str, start: jax.Array, box: Box, data: RecordedAreas, lane: Lanes
) -> tuple[Optimum, jax.Array]:
    """One ascent and the quantity it ends at: the one program that every part of a fit runs.

    It is compiled once per law, kind of recording and padded length; starts, cuts, limits and
    profiles differ only in its inputs.
    """
    return _ascend(law_named(name), start, box, data, lane)


@functools.partial(jax.jit, static_argnames="name")
def climb_draws(
    name: str, starts: jax.Array, data: RecordedAreas, lanes: Lanes
) -> tuple[Optimum, jax.Array]:
    """Ascents on many samples: starts (draw, k), `data.log_x` (draw, n), lanes of (draw,)."""
    law = law_named(name)

    def one(draw: tuple[jax.Array, jax.Array, Lanes]) -> tuple[Optimum, jax.Array]:
        start, log_x, lane = draw
        mine = data._replace(log_x=log_x)
        return _ascend(law, start, coordinate_box(law, mine), mine, lane)

    return jax.lax.map(one, (starts, data.log_x, lanes))


def _settled(found: Optimum) -> Optimum:
    return jax.tree.map(np.asarray, found)


def free_climb(law: Law, start: FloatArray, data: RecordedAreas, box: Box | None = None) -> Optimum:
    """A free ascent as NumPy arrays; inside float64."""
    bounds = coordinate_box(law, data, np) if box is None else box
    return _settled(climb(law.name, start, bounds, data, plain_lane())[0])


def start_points(law: Law, areas_m2: FloatArray, data: RecordedAreas) -> FloatArray:
    """(s, c) coordinates to start from: the law's own starts, and the corners of its family."""
    lower = 0.0 if data.lower is None else float(data.lower)
    upper = math.inf if data.upper is None else float(data.upper)
    sample = areas_m2[:: max(1, areas_m2.size // 2000)]
    starts = starts_from(law, np.asarray(law.starts(sample, lower, upper), dtype=np.float64))
    if law.name in FAMILY:
        # Near each limit too: a ridge is then walked from both ends.
        middle, alpha = float(np.median(np.log(sample))), float(np.median(starts[:, 0]))
        corners = [[alpha, phi, middle] for phi in (PHI_MINIMUM, 0.1, 0.3, 0.48)]
        if law.name == "dps_extended" and lower > 0.0:
            corners += [[alpha + 0.3, 0.65, middle + 2.0], [alpha, 0.9, middle]]
        starts = np.concatenate([starts, np.array(corners)])
    if data.curve_precision is not None:
        curve = np.broadcast_to(np.asarray(data.curve), (len(starts), 2))
        starts = np.concatenate([starts, curve], axis=1)
    return starts


def _highest(law: Law, starts: FloatArray, data: RecordedAreas) -> Optimum:
    """The highest of the ascents from `starts`; among equals one with a proof."""
    box, lane = coordinate_box(law, data, np), plain_lane()
    ready = jax.tree.map(jnp.asarray, data)
    found = [climb(law.name, start, box, ready, lane)[0] for start in starts]
    value = np.array([float(one.value) for one in found])
    value = np.where(np.isfinite(value), value, -np.inf)
    level = value >= value.max() - 1e-6
    proven = np.array([bool(one.converged) for one in found])
    return _settled(found[int(np.argmax(2.0 * level + (level & proven)))])


def maximise(law: Law, areas_m2: FloatArray, data: RecordedAreas) -> tuple[Optimum, RecordedAreas]:
    """The highest maximum from all starts, and the padded data; inside float64."""
    starts = start_points(law, areas_m2, data)
    full = padded(data)
    if data.plain and data.log_x.shape[0] > _COMPRESS_ABOVE:
        small = _compressed(data)
        # So many areas leave few hills; every second start covers the family.
        near = _highest(law, starts[::2], small)
        best = free_climb(law, np.asarray(near.u), full)
        if bool(best.converged):
            return best, full
    return _highest(law, starts, full), full


def limit_of(law: Law, u: FloatArray, data: RecordedAreas) -> str | None:
    """Name of the limit of the family at which `u` stands, or None."""
    box = coordinate_box(law, data, np)
    if law.name not in FAMILY:
        at = (u[: law.k] <= box.lower[: law.k] + 1e-6) | (u[: law.k] >= box.upper[: law.k] - 1e-6)
        names = [name for name, held in zip(law.names, at, strict=True) if held]
        return f"ridge: {', '.join(names)} run to the end of the domain" if names else None
    if u[1] <= PHI_MINIMUM * 1.01:
        return FRECHET
    if u[1] >= 1.0 - 1e-9 or u[2] <= box.lower[2] + 1e-6 or u[2] >= box.upper[2] - 1e-6:
        return PARETO
    if u[0] >= box.upper[0] - 1e-6:
        return "ridge: alpha -> infinity (the density ends at t)"
    if u[1] >= box.upper[1] - 1e-9:
        return LOG
    return None


def limit_maximum(law: Law, limit: str, u: FloatArray, data: RecordedAreas) -> Optimum:
    """The maximum within one limit of the Double Pareto family (its phi held), from `u`.

    Args:
        law: a law of the family.
        limit: "frechet" or "pareto".
        u: coordinates to start from.
        data: padded data.
    """
    phi = PHI_MINIMUM if limit == FRECHET else 1.0
    box = coordinate_box(law, data, np)
    lower, upper, start = box.lower.copy(), box.upper.copy(), np.array(u)
    lower[1] = upper[1] = start[1] = phi
    return free_climb(law, start, data, box._replace(lower=lower, upper=upper))
