"""The intensity: its level, its links, and what it grows with."""

import dataclasses

import numpy as np
import pytest

from hazard.world.intensity import link, score, slope_term, to_cells, with_level
from hazard.world.parameters import ALTERNATIVE, GORKHA_LIKE
from hazard.world.simulate import Simulation


def test_level_gives_the_planted_presence() -> None:
    rng = np.random.default_rng(0)
    relative = np.exp(2.0 * rng.standard_normal((40, 60)))
    mapped = rng.random((10, 15)) < 0.7
    intensity = with_level(relative, 0.23, mapped)
    assert -np.expm1(-intensity.cell[mapped]).mean() == pytest.approx(0.23, abs=1e-8)
    np.testing.assert_allclose(intensity.lattice, intensity.level * relative)


def test_number_of_sources_is_poisson_with_that_intensity(small: Simulation) -> None:
    # Over the cells of an epoch: observed minus expected, in standard deviations.
    slides = small.landslides
    for epoch, intensity in enumerate(small.intensities):
        n = (slides.epoch == epoch).sum() + slides.n_dropped[epoch + 1]
        expected = intensity.lattice.sum()
        assert abs(n - expected) < 4.0 * np.sqrt(expected)


def test_counts_follow_the_intensity_cell_by_cell(small: Simulation) -> None:
    slides, intensity = small.landslides, small.intensities[0]
    counts = np.zeros(intensity.cell.shape)
    new = slides.epoch == 0
    np.add.at(counts, (slides.row[new] // 4, slides.col[new] // 4), 1)
    order = np.argsort(intensity.cell, axis=None)
    for part in np.array_split(order, 4)[1:]:
        seen, expected = counts.ravel()[part].sum(), intensity.cell.ravel()[part].sum()
        # Landslides that found no room moved or vanished: a few percent.
        assert abs(seen - expected) < 5.0 * np.sqrt(expected) + 0.12 * expected


@pytest.mark.parametrize("parameters", [GORKHA_LIKE, ALTERNATIVE])
def test_steeper_shaken_weaker_and_older_ground_fails_more(
    parameters: object, small: Simulation
) -> None:
    d = small.drivers
    base = score(GORKHA_LIKE, d, 1)
    for name, more in (
        ("slope_deg", d.slope_deg + 5.0),
        ("ln_pga", d.ln_pga + 0.5),
        ("weak_rock", d.weak_rock + 0.3),
        ("road_proximity", d.road_proximity + 0.3),
        ("rain_score", d.rain_score + 1.0),
        ("random_effect", d.random_effect + 1.0),
    ):
        changed = score(GORKHA_LIKE, dataclasses.replace(d, **{name: more}), 1)
        assert (changed > base - 1e-6).all(), name
        assert (changed > base + 1e-3).mean() > 0.5, name
    legacy = np.ones(d.slope_deg.shape)
    assert (score(GORKHA_LIKE, d, 1, legacy) > base).all()


def test_the_two_links_are_increasing_and_differ_where_it_matters() -> None:
    eta = np.linspace(-6.0, 8.0, 200)
    log, bent = link(GORKHA_LIKE, eta), link(ALTERNATIVE, eta)
    assert (np.diff(log) > 0).all()
    assert (np.diff(bent) > 0).all()
    # Far up the second link is nearly a power of the score, not its exponential.
    assert log[-1] / log[-20] > 2.0 * bent[-1] / bent[-20]


def test_plains_do_not_slide() -> None:
    assert slope_term(GORKHA_LIKE, np.array([2.0]))[0] < 0.02
    assert to_cells(np.ones((8, 12))).tolist() == [[16.0] * 3] * 2
