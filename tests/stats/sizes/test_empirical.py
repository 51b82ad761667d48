"""Adaptive-bin density and empirical survival: nothing lost, nothing binned away."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stats.sizes import double_pareto as dps
from stats.sizes.empirical import (
    LEAST_PER_BIN,
    MOST_BINS,
    adaptive_density,
    empirical_survival,
    share_interval,
)

lists = st.lists(st.floats(1.0, 1e6), min_size=1, max_size=300)


@given(lists)
def test_every_area_is_in_a_bin_and_the_density_integrates_to_one(areas):
    density = adaptive_density(areas, lower_m2=0.5)
    assert density.counts.sum() == len(areas)
    assert len(density.counts) <= MOST_BINS
    assert (density.counts >= min(LEAST_PER_BIN, len(areas))).all()
    assert (density.density_per_m2 * np.diff(density.edges_m2)).sum() == pytest.approx(1.0)
    assert (density.low <= density.density_per_m2).all()
    assert (density.high >= density.density_per_m2).all()


@given(lists)
def test_survival_begins_at_one_and_falls_by_every_area(areas):
    found = empirical_survival(areas)
    assert found.survival[0] == 1.0
    assert (np.diff(found.survival) < 0).all()
    ordered = np.sort(areas)
    expected = [(ordered >= a).mean() for a in found.area_m2]
    np.testing.assert_allclose(found.survival, expected)


def test_the_density_of_a_known_law_lies_in_its_intervals():
    """Share of bins whose 95 % interval holds the bin's true mean density: 1,500 bins, sd 0.6 %."""
    rng = np.random.default_rng(4)
    held = []
    for _ in range(60):
        areas = dps.sample(1000, 1.4, 2.3, 800.0, rng=rng, lower=100.0)
        density = adaptive_density(areas, lower_m2=100.0)
        edges = density.edges_m2
        mass = np.diff(dps.cdf(edges, 1.4, 2.3, 800.0, lower=100.0)) / np.diff(edges)
        held.append(((density.low <= mass) & (mass <= density.high))[1:-1])
    share = np.concatenate(held).mean()
    # Clopper-Pearson covers too much; edges placed by the data cost a little.
    assert 0.93 < share < 0.99


def test_pixels_give_edges_half_a_pixel_between():
    areas = 25.0 * np.repeat(np.arange(11, 31), 20)
    density = adaptive_density(areas, lower_m2=262.5, pixel_m2=25.0)
    assert ((density.edges_m2 / 25.0) % 1.0 == 0.5).all()
    # 400 areas, 20 in each of 20 pixel counts: flat, whatever the bins.
    np.testing.assert_allclose(density.density_per_m2, 1 / 500)


def test_intervals_are_those_of_scipy():
    low, high = share_interval([0, 3, 10], 10)
    for k, a, b in zip((0, 3, 10), low, high, strict=True):
        exact = stats.binomtest(k, 10).proportion_ci(method="exact")
        assert (a, b) == pytest.approx((exact.low, exact.high))


def test_wrong_areas_are_refused():
    with pytest.raises(ValueError, match="no areas"):
        adaptive_density([])
    with pytest.raises(ValueError, match="below"):
        adaptive_density([5.0], lower_m2=10.0)
    with pytest.raises(ValueError, match="no areas"):
        empirical_survival([])
