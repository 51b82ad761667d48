"""What partial pooling gains: 12 groups of 100 areas against separate maximum likelihood fits."""

import jax
import numpy as np
import pytest

from stats.case_arrays import FloatArray
from stats.sizes import double_pareto
from stats.sizes.bootstrap import refit_many
from stats.sizes.hierarchical import first_positions_of_groups, unpacked
from stats.sizes.hierarchy_density import (
    Hierarchy,
    Kind,
    choose_centring,
    log_posterior_of_groups,
    separate_modes,
)
from stats.sizes.nuts import run_chains
from stats.sizes.recording import RecordedAreas, Recording
from tests.stats.sizes.posterior_worlds import prior_moments

LAW = "dps"
WORLDS, GROUPS, N = 40, 12, 100
TYPICAL = (1.4, 2.3, 800.0)


def stacked(areas: FloatArray) -> Hierarchy:
    """The hierarchies of (world, group, n) areas, with a leading world axis."""
    mean, sd, group_sd = prior_moments(LAW)
    rows = np.log(areas).reshape(-1, N)
    every = (Kind(np.arange(rows.shape[0]), RecordedAreas(rows, np.ones(rows.shape))),)
    modes, spreads = separate_modes(LAW, every, mean, sd, np.tile(mean, (rows.shape[0], 1)))
    modes, spreads = (a.reshape(WORLDS, GROUPS, 3) for a in (modes, spreads))
    centred = np.array(
        [choose_centring(m, s, group_sd) for m, s in zip(modes, spreads, strict=True)]
    )

    def repeat(a: FloatArray) -> FloatArray:
        return np.broadcast_to(a, (WORLDS, *np.shape(a))).copy()

    data = RecordedAreas(np.log(areas), np.ones(areas.shape))
    return Hierarchy(
        (Kind(repeat(np.arange(GROUPS)), data),), repeat(mean), repeat(sd), repeat(group_sd),
        np.zeros((WORLDS, GROUPS, 0)), np.zeros((WORLDS, 0, 0)), centred.astype(np.float64),
        modes, spreads,
    )  # fmt: skip


def pooled(areas: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(world, draw, group) draws of alpha and (world, draw) of its sd between groups."""
    data = stacked(areas)
    each = [jax.tree.map(lambda leaf, w=w: leaf[w], data) for w in range(WORLDS)]
    starts = [first_positions_of_groups(h, 1, h.location, w)[0] for w, h in enumerate(each)]
    chains = run_chains(
        log_posterior_of_groups(LAW), np.array(starts), data, seed=1, warmup=500, draws=500,
        dense=False, target_accept=0.9, shared=False,
    )  # fmt: skip
    found = [unpacked(chains.z[w : w + 1], h) for w, h in enumerate(each)]
    return np.exp([f.group[0, ..., 0] for f in found]), np.array([f.tau[0, :, 0, 0] for f in found])


def mean_with_error(values: FloatArray) -> tuple[float, float]:
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(values.size))


@pytest.mark.nightly
@pytest.mark.slow
@pytest.mark.parametrize(("sd", "most"), [(0.05, 0.70), (0.15, 1.00)])
def test_pooling_lowers_the_error_of_alpha_as_far_as_the_groups_are_alike(
    sd: float, most: float
) -> None:
    rng = np.random.default_rng(21)
    truth = TYPICAL[0] * np.exp(sd * rng.normal(size=(WORLDS, GROUPS)))
    areas = np.array(
        [[double_pareto.sample(N, a, *TYPICAL[1:], rng=rng) for a in row] for row in truth]
    )
    separate = refit_many(LAW, areas.reshape(-1, N), Recording(), TYPICAL)
    alone = separate.theta[:, 0].reshape(WORLDS, GROUPS)
    draws, between = pooled(areas)
    error = np.sqrt(((draws.mean(axis=1) - truth) ** 2).mean(axis=1))
    worlds = np.sqrt(((alone - truth) ** 2).mean(axis=1))
    ratio = float(error.mean() / worlds.mean())
    # Standard error of a ratio of means over worlds.
    spread = mean_with_error(error - ratio * worlds)[1] / float(worlds.mean())
    # Two standard errors below what is asked.
    assert ratio + 2.0 * spread < most, (ratio, spread)
    # Intervals of all pairs hold the true difference; within a world the pairs hang together,
    # so the error of the rate is that of its mean over worlds.
    a, b = np.triu_indices(GROUPS, 1)
    gaps = draws[:, :, a] - draws[:, :, b]
    low, high = np.quantile(gaps, [0.025, 0.975], axis=1)
    missed = ((truth[:, a] - truth[:, b] < low) | (truth[:, a] - truth[:, b] > high)).mean(axis=1)
    rate, rate_error = mean_with_error(missed)
    assert rate < 0.05 + 2.0 * max(rate_error, 0.005), (rate, rate_error)
    # The sd between groups is itself covered.
    inside = (np.quantile(between, 0.025, axis=1) < sd) & (sd < np.quantile(between, 0.975, axis=1))
    assert inside.mean() > 0.85
