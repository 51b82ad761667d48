r"""Inventories drawn from fitted laws, recorded as the real one was, and their model probabilities.

`simulate` draws areas from the law as recorded: truncated to the recording's interval, thinned by
its detection curve, rounded to whole pixels. `probabilities` gives for each area the share u of
recorded areas below it and the share v above it, both with full relative precision, since goodness
of fit looks at both tails. Whole-pixel areas are spread evenly, in probability, over their bin, so
that ties do not look like a misfit.

Most laws have closed distribution and quantile functions. A law thinned by a detection curve has
none, and those of `BY_TABLE` are slow to invert; for them the mass is summed over panels of ln area
(Gauss-Legendre in each) from where the density has fallen to e^-40 of its peak on one side to the
same on the other, and interpolated: a table of 2,048 panels is right to about 1e-5 in probability.
Every function takes one set of parameters per draw, so that whole simulations go through one
compilation.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import FloatArray
from stats.precision import in_float64
from stats.sizes.law import law_named
from stats.sizes.recording import Recording

BY_TABLE = ("lognormal", "ig")
"""Laws whose quantiles are searched for by iteration."""

_PANELS, _NODES = 2048, 4
# Logarithms of areas between which a table may lie, and how far the density falls at its ends.
_WIDEST, _DROP = (-60.0, 650.0), 40.0


class Probabilities(NamedTuple):
    """Model probabilities of the areas of each draw, sorted upwards.

    Attributes:
        log_below: (draw, n) ln of the share of recorded areas below each area.
        log_above: (draw, n) ln of the share above.
    """

    log_below: FloatArray
    log_above: FloatArray


class _Table(NamedTuple):
    """(draw, m) ln area of the nodes, and (draw, m) ln of the shares below and above each."""

    log_x: FloatArray
    log_below: FloatArray
    log_above: FloatArray


def as_theta(law: str, theta: ArrayLike) -> FloatArray:
    """Parameters as (draw, k).

    Raises:
        ValueError: another shape, or values that are not finite.

    Example:
        >>> as_theta("dps", [1.4, 2.3, 800.0]).shape
        (1, 3)
    """
    values = np.atleast_2d(np.asarray(theta, dtype=np.float64))
    k = law_named(law).k
    if values.ndim != 2 or values.shape[1] != k:
        raise ValueError(f"theta: found shape {np.shape(theta)}; expected (draw, {k}) or ({k},)")
    if not np.isfinite(values).all():
        raise ValueError(f"theta: found values of {law} that are not finite")
    return values


def _check_curve(recording: Recording) -> None:
    if recording.detection is not None and recording.detection.covariance is not None:
        raise ValueError(
            "detection curve: found one fitted with a prior; give its fitted values as known "
            "(covariance None) to draw inventories from it"
        )


@functools.partial(jax.jit, static_argnames="name")
def _inverse(name: str, theta: jax.Array, u: jax.Array, lower: float, upper: float) -> jax.Array:
    law = law_named(name)
    return jax.vmap(lambda t, share: law.inverse_mass(share, lower, upper, t))(theta, u)


@functools.partial(jax.jit, static_argnames="name")
def _log_shares(
    name: str, theta: jax.Array, x: jax.Array, lower: float, upper: float
) -> tuple[jax.Array, jax.Array]:
    law = law_named(name)

    def one(t: jax.Array, values: jax.Array) -> tuple[jax.Array, jax.Array]:
        whole = law.log_mass(lower, upper, t)
        inside = jnp.clip(values, lower, upper)
        # An interval of no length has no mass; its logarithm is not asked of the law.
        some, rest = inside > lower, inside < upper
        end = jnp.where(some, inside, jnp.minimum(2.0 * lower + 1.0, upper))
        begin = jnp.where(rest, inside, jnp.maximum(0.5 * values, lower))
        below = jnp.where(some, law.log_mass(lower, end, t) - whole, -jnp.inf)
        above = jnp.where(rest, law.log_mass(begin, upper, t) - whole, -jnp.inf)
        return jnp.minimum(below, 0.0), jnp.minimum(above, 0.0)

    return jax.lax.map(lambda both: one(*both), (theta, x))


@functools.partial(jax.jit, static_argnames="name")
def _panels(
    name: str, theta: jax.Array, low: float, high: float, curve: jax.Array | None
) -> tuple[jax.Array, jax.Array]:
    """(draw, m + 1) edges in ln area and (draw, m) log mass of the panels between them."""
    law = law_named(name)
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)

    def log_density(log_x: jax.Array, t: jax.Array) -> jax.Array:
        value = law.log_kernel(jnp.exp(log_x), t) + log_x
        if curve is not None:
            value = value - jax.nn.softplus(-(log_x - curve[0]) / curve[1])
        return jnp.where(jnp.isnan(value), -jnp.inf, value)

    def one(t: jax.Array) -> tuple[jax.Array, jax.Array]:
        start, stop = jnp.asarray(low), jnp.asarray(high)
        for _ in range(4):
            at = jnp.linspace(start, stop, 1024)
            value = log_density(at, t)
            inside = value > value.max() - _DROP
            step = at[1] - at[0]
            first, last = at[jnp.argmax(inside)], at[at.size - 1 - jnp.argmax(inside[::-1])]
            start, stop = jnp.maximum(first - step, low), jnp.minimum(last + step, high)
        edges = jnp.linspace(start, stop, _PANELS + 1)
        width = edges[1] - edges[0]
        log_x = edges[:-1, None] + 0.5 * width * (nodes + 1.0)
        terms = log_density(log_x, t) + np.log(0.5 * weights)
        return edges, jax.nn.logsumexp(terms, axis=1) + jnp.log(width)

    return jax.lax.map(one, theta)


def _table(name: str, theta: FloatArray, recording: Recording) -> _Table | None:
    detection = recording.detection
    if detection is None and name not in BY_TABLE:
        return None
    curve = None
    if detection is not None:
        curve = np.array([math.log(detection.half_area_m2), detection.width])
    lower, upper = recording.edges()
    low = math.log(lower) if lower > 0.0 else _WIDEST[0]
    high = math.log(upper) if math.isfinite(upper) else _WIDEST[1]
    edges, logs = _panels(name, theta, low, high, curve)
    panel = np.asarray(logs)
    panel = panel - panel.max(axis=1, keepdims=True)
    nothing = np.full((len(theta), 1), -np.inf)
    below = np.concatenate([nothing, np.logaddexp.accumulate(panel, axis=1)], axis=1)
    above = np.concatenate([nothing, np.logaddexp.accumulate(panel[:, ::-1], axis=1)], axis=1)
    total = below[:, -1:]
    return _Table(
        np.asarray(edges),
        np.minimum(below - total, 0.0),
        np.minimum(above[:, ::-1] - total, 0.0),
    )


def _areas_at(law: str, theta: FloatArray, u: FloatArray, recording: Recording) -> FloatArray:
    """(draw, n) areas below which the shares u of the recorded areas lie."""
    lower, upper = recording.edges()
    table = _table(law, theta, recording)
    if table is None:
        return np.asarray(_inverse(law, theta, u, lower, upper))
    shares = np.exp(table.log_below)
    log_x = [np.interp(u[i], shares[i], table.log_x[i]) for i in range(len(theta))]
    return np.exp(np.stack(log_x))


@in_float64
def simulate(
    law: str, theta: ArrayLike, n: int, recording: Recording, *, rng: np.random.Generator
) -> FloatArray:
    """Areas of one inventory per set of parameters, recorded as `recording` says.

    Args:
        law: name of the law.
        theta: (draw, k) parameters, or (k,) for one draw.
        n: landslides per inventory.
        recording: limits, detection curve and pixels.
        rng: source of the draws.

    Returns:
        (draw, n) areas [m2], not sorted.

    Raises:
        ValueError: parameters of another shape or outside the domain, n below 1, a detection curve
            with a prior.

    Example:
        >>> areas = simulate(
        ...     "dps", [1.4, 2.3, 800.0], 5, Recording(lower_m2=300.0, pixel_m2=25.0),
        ...     rng=np.random.default_rng(0),
        ... )
        >>> bool(areas.min() >= 300.0), (areas % 25.0).tolist()
        (True, [[0.0, 0.0, 0.0, 0.0, 0.0]])
    """
    if n < 1:
        raise ValueError(f"n: found {n}; expected 1 or more")
    _check_curve(recording)
    values = as_theta(law, theta)
    u = rng.random((len(values), n))
    x = _areas_at(law, values, u, recording)
    if not np.isfinite(x).all():
        raise ValueError(f"theta: found parameters outside the domain of {law}")
    if recording.pixel_m2 is not None:
        x = recording.counts(x) * recording.pixel_m2
    return x


@in_float64
def quantiles(law: str, theta: ArrayLike, shares: ArrayLike, recording: Recording) -> FloatArray:
    """Areas below which shares of the recorded areas lie, not rounded to pixels.

    Args:
        law: name of the law.
        theta: (draw, k) parameters, or (k,) for one draw.
        shares: (m,) shares, the same for every draw.
        recording: how areas were recorded.

    Returns:
        (draw, m) areas [m2].

    Example:
        >>> quantiles("dps", [1.4, 2.3, 800.0], [0.5], Recording()).round(1)
        array([[1267.8]])
    """
    _check_curve(recording)
    values = as_theta(law, theta)
    u = np.asarray(shares, dtype=np.float64)
    if u.ndim != 1 or not (u.min(initial=0.0) >= 0.0 and u.max(initial=0.0) <= 1.0):
        raise ValueError("shares: expected one dimension with values in [0, 1]")
    return _areas_at(law, values, np.broadcast_to(u, (len(values), u.size)).copy(), recording)


def _shares_at(
    law: str, theta: FloatArray, x: FloatArray, recording: Recording, table: _Table | None
) -> tuple[FloatArray, FloatArray]:
    lower, upper = recording.edges()
    if table is None:
        below, above = _log_shares(law, theta, x, lower, upper)
        return np.asarray(below), np.asarray(above)
    log_x = np.log(np.clip(x, lower, upper))
    below, above = np.empty_like(log_x), np.empty_like(log_x)
    with np.errstate(divide="ignore", invalid="ignore"):
        for row, at in enumerate(log_x):
            below[row] = np.log(np.interp(at, table.log_x[row], np.exp(table.log_below[row])))
            above[row] = np.log(np.interp(at, table.log_x[row], np.exp(table.log_above[row])))
        # The smaller share keeps its digits, the larger is its complement.
        low = below < above
        log_low, log_high = np.log1p(-np.exp(below)), np.log1p(-np.exp(above))
    return np.where(low, below, log_high), np.where(low, log_low, above)


@in_float64
def probabilities(
    law: str, theta: ArrayLike, areas_m2: ArrayLike, recording: Recording
) -> Probabilities:
    """Shares below and above each area under the fitted law as recorded.

    Args:
        law: name of the law.
        theta: (draw, k) parameters, or (k,) for one draw.
        areas_m2: (draw, n) areas of each draw, or (n,).
        recording: how they were recorded.

    Raises:
        ValueError: shapes that do not fit, a detection curve with a prior.

    Example:
        >>> found = probabilities("dps", [1.4, 2.3, 800.0], [1267.8, 300.0], Recording())
        >>> np.exp(found.log_below).round(3)
        array([[0.072, 0.5  ]])
    """
    _check_curve(recording)
    values = as_theta(law, theta)
    x = np.sort(np.atleast_2d(np.asarray(areas_m2, dtype=np.float64)), axis=1)
    if len(x) != len(values):
        raise ValueError(f"areas_m2: found {len(x)} draws for {len(values)} sets of parameters")
    table = _table(law, values, recording)
    if recording.pixel_m2 is None:
        return Probabilities(*_shares_at(law, values, x, recording, table))
    # The r-th of m equal areas sits at (r - 1/2) / m of its bin's mass.
    lower, upper = recording.edges()
    half = 0.5 * recording.pixel_m2
    edges = np.concatenate([x - half, x + half], axis=1)
    below, above = _shares_at(law, values, np.clip(edges, lower, upper), recording, table)
    n = x.shape[1]
    place = np.stack([_places(row) for row in x])
    with np.errstate(divide="ignore"):
        rest, reach = np.log1p(-place), np.log(place)
    return Probabilities(
        np.logaddexp(below[:, :n] + rest, below[:, n:] + reach),
        np.logaddexp(above[:, :n] + rest, above[:, n:] + reach),
    )


def _places(x: FloatArray) -> FloatArray:
    """For sorted values, (r - 1/2) / m of the r-th of each m equal ones."""
    first = np.searchsorted(x, x, "left")
    count = np.searchsorted(x, x, "right") - first
    return np.asarray((np.arange(x.size) - first + 0.5) / count)
