r"""Hierarchical fit: epochs, regions and mapping methods learn from one another.

A hundred areas fix alpha to 17 % on their own. Groups that are alike pull their estimates together
(partial pooling), and how much they are alike is itself estimated: where they differ the estimates
stay apart. The standard deviations between groups have half-normal priors, stated in the result;
for ln alpha the scale is 0.3, so that groups may as well be equal as differ by a factor of two.

Groups may carry labels of crossed factors, such as an epoch and a mapping method. Each factor then
has effects with a standard deviation of its own, and the groups keep one for what no factor
explains. `stats.sizes.contrasts` answers whether the exponent changed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from stats.case_arrays import FloatArray
from stats.precision import in_float64
from stats.sizes.bayes import (
    LEAST_AREAS,
    NODE_ERROR,
    TARGET_ACCEPT,
    check_law,
    check_sampling,
    first_positions,
)
from stats.sizes.hierarchical_posterior import HierarchicalPosterior, collected
from stats.sizes.hierarchy_density import (
    Hierarchy,
    choose_centring,
    dimension,
    fitted_curves,
    log_posterior_of_groups,
    separate_modes,
    unpack,
)
from stats.sizes.nuts import run_chains
from stats.sizes.posterior_density import error_of_nodes, prepared_areas
from stats.sizes.priors import Prior, check_priors
from stats.sizes.recording import check_areas
from stats.sizes.size_groups import SizeGroup, design_of, groups_by_kind

# A full mass matrix pays off while it can be learnt in the warm-up.
_DENSE_UP_TO = 80


def first_positions_of_groups(
    data: Hierarchy, chains: int, modes: FloatArray, seed: int
) -> FloatArray:
    """(chain, d) scattered first positions around the separate modes."""
    rng = np.random.default_rng([seed, 3])
    (groups, columns), k = data.design.shape, data.mean.size
    factors = data.factor_of_column.shape[0]
    mu = (np.median(modes, axis=0) - data.mean) / data.sd
    parts = [
        mu + 0.1 * rng.normal(size=(chains, k)),
        -0.7 + 0.4 * rng.normal(size=(chains, k * (factors + 1))),
        0.3 * rng.normal(size=(chains, k * columns)),
        0.3 * rng.normal(size=(chains, k * groups)),
    ]
    for kind in data.kinds:
        if kind.areas.curve_precision is not None:
            centre = np.asarray(kind.areas.curve).ravel()
            parts.append(centre + 0.1 * rng.normal(size=(chains, centre.size)))
    return np.concatenate(parts, axis=1)


class Unpacked(NamedTuple):
    """Draws of the parts of a hierarchy.

    Attributes:
        mu: (chain, draw, k) coordinates of the typical group.
        tau: (chain, draw, factor + 1, k) standard deviations, the last between groups.
        group: (chain, draw, group, k) coordinates of the groups.
        curves: (chain, draw, fitted curve, 2) ln half area and ln width.
    """

    mu: FloatArray
    tau: FloatArray
    group: FloatArray
    curves: FloatArray


@functools.cache
def _effects() -> Callable[..., Any]:
    return jax.jit(jax.vmap(lambda row, data: unpack(row, data)[0], (0, None)))


@in_float64
def unpacked(z: FloatArray, data: Hierarchy) -> Unpacked:
    """Parts of (chain, draw, d) positions."""
    found = _effects()(z.reshape(-1, z.shape[2]), data)
    parts = (found.mu, np.exp(np.asarray(found.log_tau)), found.group, found.curves)
    return Unpacked(*(np.asarray(p).reshape(*z.shape[:2], *p.shape[1:]) for p in parts))


def fit_hierarchical(
    groups: Sequence[SizeGroup],
    law: str = "dps_extended",
    *,
    factors: Sequence[str] = (),
    priors: Sequence[Prior] | None = None,
    chains: int = 4,
    draws: int = 1000,
    warmup: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    threads: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> HierarchicalPosterior:
    """Joint posterior of the size laws of several groups, partially pooled.

    Args:
        groups: two or more, with unique names.
        law: name of the law, the same for all.
        factors: labels that have effects of their own.
        priors: of the typical group's coordinates, with the scales of the standard deviations
            between groups; None for `stats.sizes.priors.default_priors`.
        chains: independent chains, from scattered starts.
        draws: kept draws of each.
        warmup: adaptation draws of each, dropped.
        seed: of starts and draws.
        level: probability of the intervals.
        threads: chains at a time; None for the available cores.
        progress: called with the number of chains that ended.

    Returns:
        The joint posterior. Look at `converged` and `notes` first.

    Raises:
        ValueError: fewer than two groups, a name twice, a missing label, bad areas (with the
            name of the group), wrong priors or settings.

    Example:
        >>> from stats.sizes import double_pareto
        >>> from stats.sizes.recording import Recording
        >>> rng = np.random.default_rng(1)
        >>> groups = [
        ...     SizeGroup(name=str(year), areas_m2=double_pareto.sample(
        ...         80, 1.4, 2.3, 800.0, rng=rng, lower=100.0),
        ...         recording=Recording(lower_m2=100.0))
        ...     for year in (2015, 2016, 2017)
        ... ]
        >>> found = fit_hierarchical(groups, chains=2, draws=300, warmup=400)
        >>> alpha = found.estimates["2016", "alpha"]
        >>> alpha.low < 1.4 < alpha.high
        True
    """
    check_sampling(chains=chains, draws=draws, warmup=warmup, level=level)
    chosen = check_priors(law, priors)
    names = tuple(group.name for group in groups)
    if len(names) < 2 or len(set(names)) != len(names):
        raise ValueError(f"groups: found names {list(names)}; expected two or more, each once")
    areas = []
    for group in groups:
        try:
            check_law(law, group.recording)
            areas.append(check_areas(group.areas_m2, group.recording, least=LEAST_AREAS))
        except ValueError as error:
            raise ValueError(f"group {group.name}: {error}") from None
    labels, design, of_column, crossed = design_of(groups, factors)
    mean, sd = np.array([p.mean for p in chosen]), np.array([p.sd for p in chosen])
    group_sd = np.array([p.group_sd for p in chosen])
    kinds = groups_by_kind(groups, areas)
    begin = np.concatenate(
        [
            first_positions(law, a, group.recording, 1, seed)
            for group, a in zip(groups, areas, strict=True)
        ]
    )
    modes, spreads = separate_modes(law, kinds, mean, sd, begin)
    centred = choose_centring(modes, spreads, group_sd)
    data = Hierarchy(
        kinds, mean, sd, group_sd, design, of_column, centred.astype(np.float64), modes, spreads
    )
    run = run_chains(
        log_posterior_of_groups(law),
        first_positions_of_groups(data, chains, modes, seed),
        data,
        seed=seed,
        warmup=warmup,
        draws=draws,
        dense=dimension(data) <= _DENSE_UP_TO,
        target_accept=TARGET_ACCEPT,
        threads=threads,
        progress=progress,
    )
    found = unpacked(run.z, data)
    curves = _curves_by_group(names, data, found.curves)
    notes = _notes_on_nodes(law, groups, areas, found.group)
    return collected(
        law, groups, labels, crossed, chosen, centred, found.mu, found.tau, found.group,
        curves, tuple(a.size for a in areas), int(run.diverging.sum()), level, notes,
    )  # fmt: skip


def _notes_on_nodes(
    law: str, groups: Sequence[SizeGroup], areas: Sequence[FloatArray], z: FloatArray
) -> list[str]:
    """Groups whose nodes do not stand for their areas at the draws reached."""
    size = max(a.size for a in areas)
    notes = []
    for g, (group, own) in enumerate(zip(groups, areas, strict=True)):
        data = prepared_areas(own, group.recording)
        if own.size > np.asarray(data.log_x).size and data.curve is None:
            rows = z[..., g, :].reshape(-1, z.shape[-1])
            rows = rows[:: max(1, rows.shape[0] // 16)][:16]
            error = error_of_nodes(law, rows, own, group.recording, data, size=size)
            if error > NODE_ERROR:
                notes.append(f"{group.name}: log-likelihood through nodes off by {error:.1g}")
    return notes


def _curves_by_group(
    names: Sequence[str], data: Hierarchy, curves: FloatArray
) -> dict[str, FloatArray]:
    found, used = {}, 0
    if fitted_curves(data.kinds):
        for kind in data.kinds:
            if kind.areas.curve_precision is not None:
                for member in kind.members:
                    found[names[member]] = curves[..., used, :]
                    used += 1
    return found
