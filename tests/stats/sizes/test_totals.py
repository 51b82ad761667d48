"""Tests of total areas: bootstrap against the compound Poisson process, and its stated limits."""

import numpy as np
import pytest
from scipy import special

from stats.sizes.totals import total_area


def test_interval_has_the_spread_of_a_compound_poisson_process():
    rng = np.random.default_rng(1)
    areas = rng.gamma(2.0, 500.0, 4000)
    found = total_area(areas, rng=rng, draws=4000)
    half = 0.5 * (found.expected_m2.high - found.expected_m2.low)
    assert half == pytest.approx(1.96 * np.sqrt((areas**2).sum()), rel=0.04)
    fixed = total_area(areas, rng=rng, draws=4000, counting="fixed")
    half = 0.5 * (fixed.expected_m2.high - fixed.expected_m2.low)
    assert half == pytest.approx(1.96 * np.sqrt(areas.size * areas.var()), rel=0.04)


def test_interval_covers_where_a_variance_exists():
    """Gamma areas, Poisson(150) landslides: 92-98 % of 400 worlds (binomial error 1.1 %)."""
    rng = np.random.default_rng(4)
    truth, inside = 150 * 1000.0, 0
    for _ in range(400):
        areas = rng.gamma(2.0, 500.0, rng.poisson(150))
        found = total_area(areas, rng=rng, draws=400).expected_m2
        inside += found.low <= truth <= found.high
    assert 0.92 <= inside / 400 <= 0.98


def test_heavy_tails_are_covered_as_badly_as_the_result_says():
    """Double Pareto of alpha 1.4: 65-85 % of 200 worlds (binomial error 3 %), not 95 %."""
    rng = np.random.default_rng(3)
    alpha, p, t = 1.4, 2.3 / 1.4, 800.0
    mean = t * p * special.beta(p + 1.0 / alpha, 1.0 - 1.0 / alpha)
    inside = 0
    for _ in range(200):
        # The quantile function of the law.
        areas = t * (rng.random(rng.poisson(300)) ** (-1.0 / p) - 1.0) ** (-1.0 / alpha)
        found = total_area(areas, rng=rng, draws=200, tail_alpha=alpha)
        inside += found.expected_m2.low <= 300 * mean <= found.expected_m2.high
    assert 0.65 <= inside / 200 <= 0.85
    assert "about 75 %" in found.notes[0]


def test_missing_moments_are_said():
    rng = np.random.default_rng(1)
    areas = [100.0, 200.0, 700.0]
    assert "no mean" in total_area(areas, rng=rng, tail_alpha=0.9).notes[0]
    assert "no variance" in total_area(areas, rng=rng, tail_alpha=1.5).notes[0]
    assert total_area(areas, rng=rng, tail_alpha=2.5).notes == ()
    assert total_area(areas, rng=rng).largest_share == 0.7


def test_large_inventories_are_drawn_in_blocks(monkeypatch):
    areas = np.random.default_rng(1).gamma(2.0, 500.0, 50)
    whole = total_area(areas, rng=np.random.default_rng(2), draws=60)
    monkeypatch.setattr("stats.sizes.totals.BLOCK", 101)
    parts = total_area(areas, rng=np.random.default_rng(2), draws=60)
    assert whole.expected_m2.low == pytest.approx(parts.expected_m2.low, rel=1e-12)


@pytest.mark.parametrize(
    ("areas", "message"),
    [([1.0], "dimension of 2 or more"), ([1.0, -1.0], "above 0"), ([1.0, np.nan], "not finite")],
)
def test_unusable_areas_are_named(areas, message):
    with pytest.raises(ValueError, match=message):
        total_area(areas, rng=np.random.default_rng(0))
