r"""Log posterior density of a hierarchical fit: groups that share what they have in common.

For group g and coordinate j of the law

.. math:: z_{gj} = \mu_j + \sum_f e_{f,\ell_f(g),j} + \delta_{gj}, \qquad
          e_{f\cdot j} \sim N(0, \tau_{fj}), \quad \delta_{gj} \sim N(0, \tau_{0j}), \quad
          \tau \sim \text{half-normal},

with the priors of `stats.sizes.priors` on :math:`\mu`. A group that knows its coordinate well is
sampled as z itself (centred), one that knows little as :math:`\delta / \tau` (non-centred): the
first would tie the group to tau, the second tau to the group (Betancourt & Girolami, 2015,
arXiv:1312.0906). The choice is made per group and coordinate, from the data.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from stats.case_arrays import BoolArray, FloatArray
from stats.precision import in_float64
from stats.sizes.law import law_named
from stats.sizes.posterior_density import Target, log_likelihood_at, log_posterior
from stats.sizes.recording import RecordedAreas

_NEWTON_STEPS = 40
_STEP_LENGTHS = (1.0, 0.5, 0.2, 0.05, 0.01, 0.001)
_DIFFERENCE = 1e-4


class Kind(NamedTuple):
    """Groups recorded in one way, stacked: rows of `areas` belong to the groups `members`."""

    members: np.ndarray[Any, np.dtype[np.int64]]
    areas: RecordedAreas


class Hierarchy(NamedTuple):
    """What the compiled log posterior of groups takes.

    Attributes:
        kinds: groups by how they were recorded.
        mean: (k,) prior means of the coordinates.
        sd: (k,) prior standard deviations.
        group_sd: (k,) scales of the half-normal priors of the standard deviations.
        design: (group, column) 1 where a group has a level of a factor; no columns: no factors.
        factor_of_column: (factor, column) 1 where a column belongs to a factor.
        centred: (group, k) 1 where the coordinate is sampled itself.
        location: (group, k) where a centred coordinate is expected.
        scale: (group, k) how well it is known.
    """

    kinds: tuple[Kind, ...]
    mean: FloatArray
    sd: FloatArray
    group_sd: FloatArray
    design: FloatArray
    factor_of_column: FloatArray
    centred: FloatArray
    location: FloatArray
    scale: FloatArray


class Effects(NamedTuple):
    """Unpacked position: all parts of the hierarchy in the coordinates of the law.

    Attributes:
        mu: (k,) typical group.
        log_tau: (factor + 1, k) ln standard deviations; the last row is between groups.
        level: (column, k) effects of the levels of factors.
        group: (group, k) coordinates of the groups.
        curves: (fitted curve, 2) ln half area and ln width.
    """

    mu: jax.Array
    log_tau: jax.Array
    level: jax.Array
    group: jax.Array
    curves: jax.Array


def fitted_curves(kinds: tuple[Kind, ...]) -> int:
    """Number of groups whose detection curve takes part in the fit."""
    return sum(len(kind.members) for kind in kinds if kind.areas.curve_precision is not None)


def dimension(data: Hierarchy) -> int:
    """Length of a position."""
    (groups, columns), k = data.design.shape, data.mean.shape[0]
    factors = data.factor_of_column.shape[0]
    return k * (1 + factors + 1 + columns + groups) + 2 * fitted_curves(data.kinds)


def unpack(position: jax.Array, data: Hierarchy) -> tuple[Effects, jax.Array]:
    """Effects of a position, and its log prior density up to a constant."""
    (groups, columns), k = data.design.shape, data.mean.shape[0]
    factors = data.factor_of_column.shape[0]
    sizes = np.cumsum([k, k * (factors + 1), k * columns, k * groups])
    raw_mu, raw_tau, raw_level, raw_group, raw_curve = jnp.split(position, sizes)
    mu = jnp.asarray(data.mean) + data.sd * raw_mu
    log_tau = jnp.log(data.group_sd) + raw_tau.reshape(factors + 1, k)
    tau = jnp.exp(log_tau)
    standard = raw_level.reshape(columns, k)
    level = standard * (jnp.asarray(data.factor_of_column).T @ tau[:factors])
    expected = mu + jnp.asarray(data.design) @ level
    raw = raw_group.reshape(groups, k)
    centred = jnp.asarray(data.centred) > 0.0
    group = jnp.where(centred, data.location + data.scale * raw, expected + tau[-1] * raw)
    off = jnp.where(centred, (group - expected) / tau[-1], raw)
    prior = (
        -0.5 * (raw_mu**2).sum()
        + (log_tau - 0.5 * (tau / data.group_sd) ** 2).sum()
        - 0.5 * (standard**2).sum()
        - 0.5 * (off**2).sum()
        - (data.centred * log_tau[-1]).sum()
    )
    return Effects(mu, log_tau, level, group, raw_curve.reshape(-1, 2)), prior


@functools.cache
def log_posterior_of_groups(law: str) -> Callable[[jax.Array, Any], jax.Array]:
    """(position, Hierarchy) -> log posterior density; the same object for the same law."""

    def density(position: jax.Array, data: Hierarchy) -> jax.Array:
        effects, total = unpack(position, data)
        used = 0
        for kind in data.kinds:
            z = effects.group[kind.members]
            if kind.areas.curve_precision is not None:
                count = z.shape[0]
                z = jnp.concatenate([z, effects.curves[used : used + count]], axis=1)
                used += count
            total += jax.vmap(lambda row, areas: log_likelihood_at(law, row, areas))(
                z, kind.areas
            ).sum()
        return total

    return density


@functools.cache
def _modes(law: str) -> Callable[..., Any]:
    """Compiled (starts, targets) -> modes and Hessians of separate log posteriors."""
    density = log_posterior(law)

    def one(start: jax.Array, target: Target) -> tuple[jax.Array, jax.Array]:
        score = jax.grad(density)
        k = start.shape[0]

        def hessian(z: jax.Array) -> jax.Array:
            # Differences of the exact score: it has no forward mode.
            steps = _DIFFERENCE * jnp.eye(k, dtype=z.dtype)
            rows = jax.vmap(lambda d: score(z + d, target) - score(z - d, target))(steps)
            return 0.25 / _DIFFERENCE * (rows + rows.T)

        def ascend(_: Any, z: jax.Array) -> jax.Array:
            values, vectors = jnp.linalg.eigh(hessian(z))
            curvature = jnp.maximum(jnp.abs(values), 1e-2)
            step = vectors @ ((vectors.T @ score(z, target)) / curvature)
            step = step / jnp.maximum(1.0, jnp.max(jnp.abs(step)))
            lengths = jnp.asarray((0.0, *_STEP_LENGTHS), dtype=z.dtype)
            reached = jax.vmap(lambda a: density(z + a * step, target))(lengths)
            return z + lengths[jnp.argmax(jnp.where(jnp.isnan(reached), -jnp.inf, reached))] * step

        mode = jax.lax.fori_loop(0, _NEWTON_STEPS, ascend, start)
        return mode, hessian(mode)

    return jax.jit(jax.vmap(one))


@in_float64
def separate_modes(
    law: str, kinds: tuple[Kind, ...], mean: FloatArray, sd: FloatArray, starts: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Mode and standard deviation of each group on its own, under the priors of mu.

    Args:
        law: name of the law.
        kinds: groups by how they were recorded.
        mean: (k,) prior means.
        sd: (k,) prior standard deviations.
        starts: (group, k) first positions.

    Returns:
        (group, k) modes and (group, k) standard deviations by the curvature there. A fitted
        detection curve is held at its centre.
    """
    k = law_named(law).k
    modes, spreads = np.array(starts), np.broadcast_to(sd, starts.shape).copy()
    for kind in kinds:
        held = kind.areas._replace(curve_precision=None)
        count = kind.members.size
        target = Target(held, np.tile(mean, (count, 1)), np.tile(sd, (count, 1)))
        found, curvature = (np.asarray(a) for a in _modes(law)(starts[kind.members], target))
        values, vectors = np.linalg.eigh(-curvature)
        # The prior bounds the variance in every direction.
        values = np.maximum(values, 1.0 / float(np.max(sd)) ** 2)
        variance = np.einsum("gij,gj,gij->gi", vectors, 1.0 / values, vectors)
        modes[kind.members] = found[:, :k]
        spreads[kind.members] = np.sqrt(variance)
    return modes, spreads


def choose_centring(modes: FloatArray, spreads: FloatArray, group_sd: FloatArray) -> BoolArray:
    """(group, k) which coordinates are sampled themselves: where a group knows more than the rest.

    The standard deviation between groups is estimated by moments, and held above a quarter of its
    prior scale.

    Example:
        >>> spreads = np.array([[0.01], [0.4], [0.01]])
        >>> choose_centring(np.array([[0.2], [0.9], [0.5]]), spreads, np.array([0.3])).ravel()
        array([ True, False,  True])
    """
    weight = 1.0 / (spreads**2 + group_sd**2)
    centre = (weight * modes).sum(axis=0) / weight.sum(axis=0)
    excess = (weight * ((modes - centre) ** 2 - spreads**2)).sum(axis=0) / weight.sum(axis=0)
    between = np.sqrt(np.maximum(excess, (0.25 * group_sd) ** 2))
    # On the border the non-centred form is the safer one: a funnel costs divergences.
    return np.asarray(spreads < between / 3.0)
