r"""Maximum-likelihood fit of a size law to recorded areas, with the proof that it is one.

The likelihood is climbed from several starts by a damped Newton method (`stats.sizes.newton`); the
result carries its gradient, its Hessian's definiteness and the log-likelihood still to be gained.
A maximum that lies at a limit of the family is named (`limit`) instead of printed as numbers that
would have run on: ``frechet`` (beta to infinity, t to 0), ``log`` (beta = 0), ``pareto`` (no
bend inside the data) or ``ridge`` with the parameters that run together.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import FloatArray, as_weights
from stats.precision import in_float64
from stats.sizes.coordinates import FAMILY, coordinate_box, evaluator, start_points, to_theta
from stats.sizes.law import Law, law_named
from stats.sizes.newton import Optimum, newton
from stats.sizes.recording import RecordedAreas, Recording, check_areas, recorded_areas
from stats.sizes.truncated_dps import PHI_MINIMUM

Intervals = Literal["profile", "delta"]
# Above this many areas the starts are tried on a compressed sample, and the best is climbed on.
_COMPRESS_ABOVE, _CELLS = 2048, 512


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """One quantity with its interval.

    Attributes:
        value: maximum-likelihood estimate; None where there is none (no rollover, a limit).
        low: lower end of the interval; -inf or the bound of the domain where it is open.
        high: upper end; inf where it is open.
        level: coverage aimed at.
        method: "profile", "delta", or "none" where no interval was asked for or exists.
        identified: the interval is closed (and, once `identified` saw other cuts, stable).
        reason: why it is not identified; empty where it is.
    """

    value: float | None
    low: float
    high: float
    level: float
    method: str
    identified: bool
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class SizeFit:
    """A fitted size law.

    Attributes:
        law: name of the law.
        recording: how the areas were recorded.
        theta: parameter -> estimate; at a limit the finite member of the family next to it.
        n: number of areas.
        weight: total weight (n without weights).
        log_likelihood: at the maximum.
        aic: Akaike's criterion; a parameter at a limit is not counted.
        bic: Schwarz's criterion, with `weight` as the sample size.
        z: (k,) estimate on the law's unconstrained scale.
        covariance: (k, k) inverse observed information on that scale; infinite variances in
            directions that the data leave free or that stand at a limit.
        u: coordinates in which it was climbed (with those of a fitted detection curve).
        gradient_norm: largest component of the score per unit of weight, free coordinates.
        decrement: log-likelihood still to be gained by the quadratic model.
        hessian_definite: the Hessian of the free coordinates is negative definite.
        converged: both say so.
        limit: name of the limit of the family where the maximum lies, or None.
        estimates: name -> Estimate for every parameter, `rollover_m2` and `pdf_slope`.
        notes: what the reader must know.
    """

    law: str
    recording: Recording
    theta: Mapping[str, float]
    n: int
    weight: float
    log_likelihood: float
    aic: float
    bic: float
    z: FloatArray
    covariance: FloatArray
    u: FloatArray
    gradient_norm: float
    decrement: float
    hessian_definite: bool
    converged: bool
    limit: str | None
    estimates: Mapping[str, Estimate]
    notes: tuple[str, ...]

    @property
    def parameters(self) -> FloatArray:
        """(k,) theta as an array, in the order of the law."""
        return np.array(list(self.theta.values()))


def padded(data: RecordedAreas) -> RecordedAreas:
    """The data with weights, filled up with weight 0 to one of few lengths: fewer compilations."""
    n = data.log_x.shape[0]
    unit = max(16, 2 ** max(0, n.bit_length() - 4))
    extra = -n % unit
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
    """At most `_CELLS` weighted areas that stand for all: the means of equal steps of ln x."""
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


@functools.partial(jax.jit, static_argnames="name")
def _climb_all(name: str, starts: jax.Array, data: RecordedAreas) -> Optimum:
    law = law_named(name)
    box = coordinate_box(law, data)
    return jax.vmap(lambda start: newton(evaluator(law, data), start, box))(starts)


@functools.partial(jax.jit, static_argnames="name")
def climb(name: str, start: jax.Array, data: RecordedAreas) -> Optimum:
    """One ascent from `start`; compiled once per law, kind of recording and padded length."""
    law = law_named(name)
    return newton(evaluator(law, data), start, coordinate_box(law, data))


def _best(found: Optimum) -> Optimum:
    value = np.where(np.isfinite(found.value), np.asarray(found.value), -np.inf)
    # Among equal heights the one with a proof.
    level = value >= value.max() - 1e-6
    score = np.where(level, np.asarray(found.converged) * 1.0, -1.0)
    best = int(np.argmax(score + 1e-9 * (value - value.max()) * level))
    return jax.tree.map(lambda leaf: np.asarray(leaf)[best], found)


def maximise(law: Law, areas_m2: FloatArray, data: RecordedAreas) -> Optimum:
    """The highest of the ascents from all starts, as NumPy arrays; inside float64."""
    starts = start_points(law, areas_m2, data)
    full = padded(data)
    if data.plain and data.log_x.shape[0] > _COMPRESS_ABOVE:
        near = _best(_climb_all(law.name, starts, _compressed(data)))
        best = jax.tree.map(np.asarray, climb(law.name, near.u, full))
        if bool(best.converged):
            return best
    return _best(_climb_all(law.name, starts, full))


def limit_of(law: Law, u: FloatArray, data: RecordedAreas) -> str | None:
    """Name of the limit of the family at which `u` stands, or None."""
    box = jax.tree.map(np.asarray, coordinate_box(law, data))
    if law.name in FAMILY:
        if u[1] <= PHI_MINIMUM * 1.01:
            return "frechet"
        if u[1] >= 1.0 - 1e-9 or u[2] <= box.lower[2] + 1e-6 or u[2] >= box.upper[2] - 1e-6:
            return "pareto"
        if u[0] >= box.upper[0] - 1e-6:
            return "ridge: alpha -> infinity (the density ends at t)"
        if u[1] >= box.upper[1] - 1e-9:
            return "log"
        return None
    at = (u[: law.k] <= box.lower[: law.k] + 1e-6) | (u[: law.k] >= box.upper[: law.k] - 1e-6)
    names = [name for name, held in zip(law.names, at, strict=True) if held]
    return f"ridge: {', '.join(names)} run to the end of the domain" if names else None


def _covariance(law: Law, found: Optimum) -> FloatArray:
    """Covariance on the unconstrained scale: inverse information, through the change of scale."""
    free = np.asarray(found.free)
    k = law.k
    information = -np.asarray(found.hessian)[np.ix_(free, free)]
    out = np.zeros((free.size, free.size))
    if not bool(found.definite):
        return np.full((k, k), np.inf)
    out[np.ix_(free, free)] = np.linalg.inv(information)

    def unconstrained(u: jax.Array) -> jax.Array:
        return law.unconstrain(to_theta(law, u))

    jacobian = np.asarray(jax.jacobian(unconstrained)(jnp.asarray(found.u)))
    covariance = jacobian @ out @ jacobian.T
    held = (np.abs(jacobian[:, ~free]) > 1e-9).any(axis=1)
    covariance[held, held] = np.inf
    return covariance


@in_float64
def fit_sizes(
    areas_m2: ArrayLike,
    law: str = "dps_extended",
    recording: Recording | None = None,
    weights: ArrayLike | None = None,
) -> SizeFit:
    """Fit a size law by maximum likelihood.

    Args:
        areas_m2: (n,) areas [m2], all within the recording.
        law: name of the law.
        recording: limits, pixels and detection curve; none: exact areas from 0 on.
        weights: (n,) how often each area counts.

    Returns:
        The fit with its proof of convergence.

    Raises:
        ValueError: bad, too few or out-of-range areas, unknown law.

    Example:
        >>> from stats.sizes.double_pareto import sample
        >>> areas = sample(
        ...     3000, 1.4, 2.3, 800.0, rng=np.random.default_rng(2), lower=100.0
        ... )
        >>> fit = fit_sizes(areas, recording=Recording(lower_m2=100.0))
        >>> fit.converged, fit.limit, abs(fit.theta["alpha"] / 1.4 - 1.0) < 0.1
        (True, None, True)
    """
    family = law_named(law)
    setting = Recording() if recording is None else recording
    areas = check_areas(areas_m2, setting, least=family.k + 2)
    if family.needs_upper and not math.isfinite(setting.upper_m2):
        raise ValueError(f"{law}: found no upper limit; expected a recording with both ends")
    if family.needs_lower and setting.lower_m2 == 0.0 and law != "dps_extended":
        raise ValueError(f"{law}: found no lower limit; expected a recording with lower_m2 > 0")
    given = None if weights is None else as_weights(weights, areas.shape)
    data = recorded_areas(areas, setting, given)
    found = maximise(family, areas, data)
    total = float(areas.size if given is None else given.sum())
    theta = np.asarray(to_theta(family, jnp.asarray(found.u)))
    free = int(np.count_nonzero(found.free))
    value = float(found.value)
    limit = limit_of(family, np.asarray(found.u), data)
    return SizeFit(
        law=law,
        recording=setting,
        theta=dict(zip(family.names, (float(v) for v in theta), strict=True)),
        n=areas.size,
        weight=total,
        log_likelihood=value,
        aic=2.0 * free - 2.0 * value,
        bic=free * math.log(total) - 2.0 * value,
        z=np.asarray(family.unconstrain(jnp.asarray(theta))),
        covariance=_covariance(family, found),
        u=np.asarray(found.u),
        gradient_norm=_gradient_norm(found, total),
        decrement=float(found.decrement),
        hessian_definite=bool(found.definite),
        converged=bool(found.converged),
        limit=limit,
        estimates={},
        notes=(),
    )


def _gradient_norm(found: Optimum, total: float) -> float:
    free = np.asarray(found.free)
    gradient: Any = np.abs(np.asarray(found.gradient)[free])
    return float(gradient.max(initial=0.0)) / total
