"""Calibration of posteriors in simulated worlds: ranks, false alarms, planted changes."""

import jax
import numpy as np
import pytest
from scipy import stats

from stats.case_arrays import FloatArray
from stats.precision import in_float64
from stats.sizes import double_pareto
from stats.sizes.contrasts import CHANGED, difference
from stats.sizes.law import law_named
from stats.sizes.priors import derived_of, theta_of
from tests.stats.sizes.posterior_worlds import prior_moments, sample_worlds

LAW = "dps_extended"
LOWER = 100.0
WORLDS, N = 300, 200
DRAWS, BINS = 99, 10
# Six quantities are tested: each at 5 % / 6, so that a sound sampler fails in 5 % of seeds.
LEVEL = 0.05 / 6.0


@in_float64
def simulated(theta: FloatArray, n: int, rng: np.random.Generator) -> FloatArray:
    law = law_named(LAW)
    each = jax.vmap(lambda u, row: law.inverse_mass(u, LOWER, np.inf, row))
    return np.asarray(each(rng.random((theta.shape[0], n)), theta))


def p_value_of_ranks(draws: FloatArray, truth: FloatArray, rng: np.random.Generator) -> float:
    """Chi-square test that the rank of the truth among its (world, draw) draws is uniform."""
    below, tied = (draws < truth[:, None]).sum(1), (draws == truth[:, None]).sum(1)
    rank = below + rng.integers(0, tied + 1)
    counts = np.bincount(rank * BINS // (draws.shape[1] + 1), minlength=BINS)
    return float(stats.chisquare(counts).pvalue)


@pytest.mark.nightly
@pytest.mark.slow
def test_ranks_of_the_truth_among_posterior_draws_are_uniform() -> None:
    """Simulation-based calibration (Talts et al., 2018): truths from the prior, 300 worlds."""
    rng = np.random.default_rng(11)
    mean, sd, _ = prior_moments(LAW)
    truth = mean + sd * rng.normal(size=(WORLDS, 3))
    theta = theta_of(LAW, truth)
    areas = simulated(theta, N, rng)
    chains = sample_worlds(LAW, areas, LOWER, seed=3, warmup=500, draws=DRAWS, thin=10)
    z = chains.z
    sampled = theta_of(LAW, z)
    quantities = {f"coordinate {j}": (z[..., j], truth[:, j]) for j in range(3)}
    quantities |= {n: (sampled[..., j], theta[:, j]) for j, n in ((1, "beta"), (2, "t"))}
    # No rollover counts as one at 0; ties are broken at random.
    rollover = np.nan_to_num(derived_of(LAW, sampled)["rollover_m2"])
    quantities["rollover"] = (rollover, np.nan_to_num(derived_of(LAW, theta)["rollover_m2"]))
    found = {k: p_value_of_ranks(d, t, rng) for k, (d, t) in quantities.items()}
    assert min(found.values()) > LEVEL, found
    # The test sees intervals that are a third too narrow, or a bias of half a standard deviation.
    centre = z.mean(axis=1, keepdims=True)
    spread = z.std(axis=1, keepdims=True)
    narrow, moved = centre + (z - centre) / 1.5, z + 0.5 * spread
    for broken in (narrow, moved):
        worst = min(p_value_of_ranks(broken[..., j], truth[:, j], rng) for j in range(3))
        assert worst < 1e-6
    # Trees that lose the density would make the ranks meaningless.
    assert chains.diverging.mean() < 1e-3


@pytest.mark.nightly
@pytest.mark.slow
def test_null_contrasts_raise_their_nominal_rate_of_false_alarms_and_a_planted_one_is_found() -> (
    None
):
    """Separately fitted inventories of n = 1,000; alpha 1.4 twice (null) and 2.0 (planted)."""
    worlds, n = 200, 1000
    rng = np.random.default_rng(12)
    alphas = np.array([1.4, 1.4, 2.0])
    areas = np.array(
        [
            [double_pareto.sample(n, a, 2.3, 800.0, rng=rng, lower=LOWER) for a in alphas]
            for _ in range(worlds)
        ]
    )
    chains = sample_worlds(
        LAW, areas.reshape(-1, n), LOWER, seed=4, warmup=300, draws=500, target_accept=0.9
    )
    alpha = np.exp(chains.z[..., 0]).reshape(worlds, 3, -1)
    null = [difference(a[0], a[1]) for a in alpha]
    planted = [difference(a[2], a[0]) for a in alpha]
    alarms = np.mean([c.verdict == CHANGED for c in null])
    # The standard error of 5 % in 200 worlds is 1.5 points: two of them.
    assert abs(alarms - 0.05) <= 0.031, alarms
    assert np.mean([c.verdict == CHANGED for c in planted]) > 0.98
    covered = np.mean([c.low < 0.6 < c.high for c in planted])
    assert abs(covered - 0.95) <= 0.031, covered
    assert np.mean([c.probability_of_direction for c in planted]) > 0.99
