"""Tests of the power-law tail: the search, its uncertainty and its p-value."""

import math

import numpy as np
import powerlaw
import pytest
from scipy import io

from stats.sizes.double_pareto import sample
from stats.sizes.tail import bootstrap_tail, power_tail, tail_p_value
from stats.sizes.tail_search import as_areas, nearest_tail


def _every_candidate(areas, minimum_tail):
    """Distance of each candidate, computed in full: the search written out."""
    logs = np.log(np.sort(areas))
    best = (math.inf, 0.0, 0.0)
    for value in np.unique(logs)[:-1]:
        above = logs[logs >= value]
        if above.size < minimum_tail:
            continue
        alpha = above.size / (above - value).sum()
        share = 1.0 - np.exp(-alpha * (above - value))
        step = np.arange(above.size) / above.size
        distance = max((share - step).max(), (step + 1.0 / above.size - share).max())
        best = min(best, (distance, math.exp(value), alpha))
    return best


def test_sample_of_the_magnitude_paper_has_the_published_tail(data_dir):
    areas = io.loadmat(data_dir / "mls" / "sample_data.mat")["Area"].ravel()
    tail = power_tail(areas)
    assert tail.x_min_m2 == 9234.0
    assert tail.n_tail == 120
    assert round(tail.pdf_slope, 3) == -2.463
    assert tail.alpha == pytest.approx(-tail.pdf_slope - 1.0)


@pytest.mark.parametrize("seed", range(6))
def test_pruned_search_finds_what_the_full_search_finds(seed):
    rng = np.random.default_rng(seed)
    areas = sample(700, 1.4, 2.3, 800.0, rng=rng)
    if seed % 2:
        # Whole pixels of 25 m2: ties everywhere.
        areas = np.ceil(areas / 25.0) * 25.0
    distance, x_min, alpha = _every_candidate(areas, 10)
    tail = power_tail(areas)
    assert tail.distance == pytest.approx(distance, rel=1e-9)
    assert tail.x_min_m2 == pytest.approx(x_min, rel=1e-12)
    assert tail.alpha == pytest.approx(alpha, rel=1e-9)


@pytest.mark.filterwarnings("ignore")
def test_agrees_with_the_powerlaw_package():
    areas = sample(1500, 1.4, 2.3, 800.0, rng=np.random.default_rng(5))
    theirs = powerlaw.Fit(areas, verbose=0)
    ours = power_tail(areas, minimum_tail=2)
    assert ours.x_min_m2 == pytest.approx(theirs.xmin, rel=1e-12)
    assert -ours.pdf_slope == pytest.approx(theirs.power_law.alpha, rel=1e-9)
    assert ours.distance == pytest.approx(theirs.power_law.D, rel=1e-9)
    fixed = powerlaw.Fit(areas, xmin=3000.0, verbose=0)
    given = power_tail(areas, x_min_m2=3000.0)
    assert -given.pdf_slope == pytest.approx(fixed.power_law.alpha, rel=1e-9)
    assert given.distance == pytest.approx(fixed.power_law.D, rel=1e-9)


def test_a_planted_bound_is_found_between_body_and_tail():
    rng = np.random.default_rng(11)
    body = rng.uniform(100.0, 5000.0, 3000)
    areas = np.concatenate([body, 5000.0 * (1.0 + rng.pareto(1.5, 2000))])
    tail = power_tail(areas)
    assert 4000.0 < tail.x_min_m2 < 7000.0
    assert tail.alpha == pytest.approx(1.5, abs=3 * tail.alpha_se)


def test_bootstrap_moves_bound_and_exponent_together():
    rng = np.random.default_rng(2)
    areas = sample(1000, 1.4, 2.3, 800.0, rng=rng)
    found = bootstrap_tail(areas, rng=rng, draws=200)
    # On the curved part of the law a lower bound means a flatter tail.
    assert found.correlation > 0.5
    assert found.alpha.low < 1.4 < found.alpha.high
    assert found.alpha_draws.std() > found.tail.alpha_se
    again = bootstrap_tail(areas, rng=np.random.default_rng(9), draws=20)
    same = bootstrap_tail(areas, rng=np.random.default_rng(9), draws=20)
    np.testing.assert_array_equal(again.alpha_draws, same.alpha_draws)


def test_p_value_is_small_where_no_bound_helps():
    rng = np.random.default_rng(3)
    # Uniform on (1, 2): no power-law tail of 100 areas anywhere.
    found = tail_p_value(rng.uniform(1.0, 2.0, 600), rng=rng, draws=199, minimum_tail=100)
    assert found.p_value < 0.02
    assert found.p_value_se == pytest.approx(math.sqrt(found.p_value * (1 - found.p_value) / 199))


@pytest.mark.slow
def test_p_value_of_the_tail_keeps_its_level_under_a_planted_tail():
    """Half body, half Pareto: the test rejects at 5 % in at most 5 + 2 %.

    300 worlds: the binomial standard error of a rate of 5 % is 1.3 %. The choice of the bound takes
    some freedom out of the distance in the world, and equally in its synthetic copies.
    """
    rng = np.random.default_rng(17)
    p_values = []
    for _ in range(300):
        n_tail = rng.binomial(200, 0.5)
        areas = np.concatenate(
            [rng.uniform(100.0, 1000.0, 200 - n_tail), 1000.0 * (1.0 + rng.pareto(1.4, n_tail))]
        )
        p_values.append(tail_p_value(areas, rng=rng, draws=59).p_value)
    rate = np.mean(np.array(p_values) <= 0.05)
    assert rate <= 0.07


def test_progress_is_told_each_draw():
    rng = np.random.default_rng(1)
    ticks = []
    bootstrap_tail(rng.pareto(1.5, 100) + 1.0, rng=rng, draws=7, progress=ticks.append)
    tail_p_value(rng.pareto(1.5, 100) + 1.0, rng=rng, draws=5, progress=ticks.append)
    assert ticks == [1] * 12


@pytest.mark.parametrize(
    ("areas", "message"),
    [
        ([1.0, 2.0, 3.0], "3 areas; expected at least 10"),
        ([5.0] * 20, "all 20 areas are 5 m2"),
        ([1.0] * 19 + [2.0], None),
        ([0.0, *range(1, 20)], "smallest area of 0"),
        ([math.nan, *range(1, 20)], "1 of 20 values not finite"),
        (np.ones((4, 5)) * np.arange(1, 6), "expected one dimension"),
    ],
)
def test_unusable_areas_are_named(areas, message):
    if message is None:
        assert power_tail(areas).n_tail == 20
        return
    with pytest.raises(ValueError, match=message):
        power_tail(areas)


def test_no_candidate_is_an_error_not_a_result():
    with pytest.raises(ValueError, match="no bound leaves 10 areas"):
        nearest_tail(np.log(np.repeat([1.0, 2.0], [3, 12]))[3:], 10)
    with pytest.raises(ValueError, match="all 12 areas equal the bound"):
        power_tail(np.repeat([1.0, 2.0], [3, 12]), x_min_m2=2.0)
    with pytest.raises(ValueError, match="minimum_tail"):
        power_tail([1.0, 2.0], minimum_tail=1)
    assert as_areas([2, 1]).tolist() == [1.0, 2.0]
