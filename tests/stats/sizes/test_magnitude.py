"""Tests of the landslide-event magnitude against the published sample and planted tails."""

import math

import numpy as np
import pytest
from scipy import io

from stats.sizes.magnitude import (
    REFERENCE_AREA_M2,
    REFERENCE_COUNT,
    REFERENCE_DENSITY_PER_M2,
    bootstrap_magnitude,
    event_magnitude,
    published_monte_carlo,
)


@pytest.fixture
def sample_areas(data_dir):
    return io.loadmat(data_dir / "mls" / "sample_data.mat")["Area"].ravel()


def test_published_sample_gives_the_published_magnitude(sample_areas):
    searched = event_magnitude(sample_areas)
    assert searched.cutoff_m2 == 9234.0
    assert searched.n_tail == 120
    assert round(searched.pdf_slope, 3) == -2.463
    assert searched.value == pytest.approx(3.63, abs=0.005)
    # With the slope as the authors rounded it.
    given = event_magnitude(sample_areas, cutoff_m2=9234.0, pdf_slope=-2.46)
    assert given.value == pytest.approx(3.63, abs=0.005)
    assert given.value > searched.value


def test_published_monte_carlo_gives_the_published_error(sample_areas):
    estimate = event_magnitude(sample_areas, cutoff_m2=9234.0, pdf_slope=-2.46)
    spread = {}
    for kind in ("as published", "standard error"):
        spread[kind] = published_monte_carlo(
            estimate,
            cutoff_se_m2=2433.05255,
            pdf_slope_se=0.18197985,
            rng=np.random.default_rng(0),
            spread=kind,
        )
    assert spread["as published"] == pytest.approx(0.08, abs=0.006)
    # Mending the spread alone overstates: slope and cutoff are not independent.
    assert spread["standard error"] > 1.6 * spread["as published"]


def test_bootstrap_carries_the_correlation_of_cutoff_slope_and_density(sample_areas):
    found = bootstrap_magnitude(sample_areas, rng=np.random.default_rng(0), draws=300)
    assert found.value.low < found.estimate.value < found.value.high
    assert 0.07 < found.sd < 0.12
    names = list(found.draws)
    at = {name: i for i, name in enumerate(names)}
    correlation = found.correlation
    assert correlation[at["log10_cutoff"], at["pdf_slope"]] < -0.6
    assert correlation[at["log10_cutoff"], at["log10_midpoint_density"]] < -0.5
    # Taken as independent, the same draws would claim a larger spread.
    shuffled = np.random.default_rng(1).permutation(found.draws["log10_cutoff"])
    apart = found.draws["pdf_slope"] * (math.log10(REFERENCE_AREA_M2) - shuffled)
    assert apart.std() > 1.5 * found.sd


def test_reference_inventory_has_the_magnitude_of_its_count():
    """A tail through the reference point with any slope has log10(11111), by construction."""
    slope, cutoff = -2.4, 3000.0
    density = REFERENCE_DENSITY_PER_M2 * (cutoff / REFERENCE_AREA_M2) ** slope
    n_tail = round(density * cutoff / 1.4)
    areas = cutoff * ((np.arange(n_tail) + 0.5) / n_tail) ** (-1.0 / 1.4)
    found = event_magnitude(areas, cutoff_m2=cutoff, pdf_slope=slope, density="likelihood")
    assert found.value == pytest.approx(math.log10(REFERENCE_COUNT), abs=1e-3)


def test_ten_times_the_landslides_are_one_magnitude_more():
    rng = np.random.default_rng(6)
    areas = 2000.0 * (1.0 + rng.pareto(1.5, 800))
    for density in ("bin", "likelihood"):
        one = event_magnitude(areas, cutoff_m2=3000.0, density=density)
        ten = event_magnitude(np.tile(areas, 10), cutoff_m2=3000.0, density=density)
        assert ten.value - one.value == pytest.approx(1.0, abs=1e-9)
        assert one.midpoint_m2 == pytest.approx(math.sqrt(3000.0 * areas.max()))


def test_midpoint_cancels():
    areas = np.append(2000.0 * (1.0 + np.random.default_rng(6).pareto(1.5, 800)), 1.0e7)
    smaller = areas.copy()
    smaller[-1] = 2.0e6
    kwargs = {"cutoff_m2": 3000.0, "pdf_slope": -2.5}
    assert event_magnitude(areas, **kwargs).value == event_magnitude(smaller, **kwargs).value
    assert (
        event_magnitude(areas, **kwargs).midpoint_m2
        > 2 * event_magnitude(smaller, **kwargs).midpoint_m2
    )


@pytest.mark.slow
def test_bootstrap_interval_covers_the_planted_magnitude():
    """Planted: 300 of 900 landslides follow a Pareto law above 3,000 m2.

    The magnitude of the law itself is known. A 95 % interval covers it in at least 88 % of 100
    worlds; the binomial standard error of 95 % is 2.2 %.
    """
    rng = np.random.default_rng(8)
    n, share, cutoff, alpha = 900, 1 / 3, 3000.0, 1.5
    at_cutoff = n * share * alpha / cutoff
    truth = math.log10(REFERENCE_COUNT * at_cutoff / REFERENCE_DENSITY_PER_M2) - (
        alpha + 1.0
    ) * math.log10(REFERENCE_AREA_M2 / cutoff)
    inside = 0
    for _ in range(100):
        above = rng.binomial(n, share)
        areas = np.concatenate(
            [rng.uniform(100.0, cutoff, n - above), cutoff * (1.0 + rng.pareto(alpha, above))]
        )
        found = bootstrap_magnitude(areas, rng=rng, draws=100, density="likelihood")
        inside += found.value.low <= truth <= found.value.high
    assert inside / 100 >= 0.88


def test_bad_input_is_named():
    areas = 2000.0 * (1.0 + np.random.default_rng(6).pareto(1.5, 80))
    with pytest.raises(ValueError, match="pdf_slope: found"):
        event_magnitude(areas, pdf_slope=2.5)
    with pytest.raises(ValueError, match="density: found 'bins'"):
        event_magnitude(areas, density="bins")
    with pytest.raises(ValueError, match="0 areas at or above 1e\\+09 m2"):
        event_magnitude(areas, cutoff_m2=1e9)
    with pytest.raises(ValueError, match="5 areas; expected at least 10"):
        event_magnitude(areas[:5])
    with pytest.raises(ValueError, match="no landslides to read a density from"):
        event_magnitude(np.append(np.full(40, 1.0), [1e5, 2e5] * 10), cutoff_m2=5000.0)
    with pytest.raises(ValueError, match="cutoff_se_m2: found 0"):
        published_monte_carlo(
            event_magnitude(areas),
            cutoff_se_m2=0.0,
            pdf_slope_se=0.1,
            rng=np.random.default_rng(0),
        )
