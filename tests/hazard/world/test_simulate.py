"""A whole world in memory: the series is that of its polygons; seeds and pixels."""

import numpy as np
import pytest
import shapely

from hazard.geo.cell_area import cell_landslide_area
from hazard.world.domain import cell_grid
from hazard.world.settings import WorldConfig
from hazard.world.simulate import Simulation, density_increase, simulate_observed
from hazard.world.study_area import mapped_cells
from hazard.world.summary import summarise
from tests.hazard.world.conftest import SMALL


def test_series_is_the_increase_of_the_united_footprints(small: Simulation) -> None:
    # Computed anew from the drawn polygons, overlaps counted once.
    area = [
        cell_landslide_area(visit.polygons(small.landslides), cell_grid(SMALL))
        for visit in small.visits[:4]
        if visit is not None
    ]
    expected = density_increase(np.stack(area), small.ground.mapped, 1.0e6)
    found = small.density_percent[:3]
    mapped = small.ground.mapped
    # Outlines drawn generously may touch a neighbour's: a trace of the area is counted twice.
    assert np.nansum(np.abs(found - expected)) < 0.01 * np.nansum(expected)
    assert ((found > 1e-4) == (expected > 1e-4))[:, mapped].mean() > 0.995


def test_same_seed_same_world_and_another_seed_another() -> None:
    config = WorldConfig(extent_cells=(16, 16), pixels_per_cell=4, n_epochs=3, seed=5)
    first, again = simulate_observed(config), simulate_observed(config)
    np.testing.assert_array_equal(first.density_percent, again.density_percent)
    np.testing.assert_array_equal(
        shapely.to_wkb(first.landslides.polygon), shapely.to_wkb(again.landslides.polygon)
    )
    other = simulate_observed(config.model_copy(update={"seed": 6}))
    assert not np.array_equal(first.ground.terrain.elevation_m, other.ground.terrain.elevation_m)
    assert not np.array_equal(
        np.nan_to_num(first.density_percent), np.nan_to_num(other.density_percent)
    )


def test_an_epoch_less_leaves_the_earlier_epochs_alone() -> None:
    long = WorldConfig(extent_cells=(16, 16), pixels_per_cell=4, n_epochs=4, seed=5)
    short = long.model_copy(update={"n_epochs": 3})
    # Rain is drawn day by day and the scores are not standardised over epochs.
    a, b = simulate_observed(long), simulate_observed(short)
    np.testing.assert_array_equal(a.intensities[0].lattice, b.intensities[0].lattice)


def test_progress_counts_every_step() -> None:
    config = WorldConfig(extent_cells=(16, 16), pixels_per_cell=4, n_epochs=2, seed=5)
    steps: list[int] = []
    simulate_observed(config, progress=steps.append)
    # Three terrain levels (1 km, 500 m, 250 m), triggers, two epochs, the mapper.
    assert sum(steps) == 3 + 1 + 2 + 1


def test_more_pixels_do_not_change_the_statistics(small: Simulation) -> None:
    coarse = simulate_observed(SMALL.model_copy(update={"pixels_per_cell": 4}))
    a = summarise(small.density_percent, small.ground.mapped)
    b = summarise(coarse.density_percent, coarse.ground.mapped)
    np.testing.assert_allclose(a.prevalence, b.prevalence, atol=0.04)
    np.testing.assert_allclose(np.log(a.quantiles[:, 0]), np.log(b.quantiles[:, 0]), atol=0.6)
    for epoch, intensity in enumerate(small.intensities[:1]):
        np.testing.assert_array_equal(intensity.lattice, coarse.intensities[epoch].lattice)


def test_mapped_area_is_made_of_whole_blocks_along_the_rupture() -> None:
    config = WorldConfig(pixels_per_cell=4, seed=9)
    mask = mapped_cells(config)
    blocks = mask.reshape(49, 4, 55, 4).sum(axis=(1, 3))
    assert set(np.unique(blocks)) == {0, 16}
    assert mask.sum() == 21_360
    rows, cols = np.nonzero(mask)
    # A belt to the east-south-east: column and row rise together.
    assert np.corrcoef(rows, cols)[0, 1] > 0.3


@pytest.mark.parametrize("kind", ["gorkha_like", "alternative"])
def test_small_worlds_have_positives_in_every_epoch(kind: str) -> None:
    config = WorldConfig(extent_cells=(16, 20), pixels_per_cell=4, seed=2, kind=kind)
    world = simulate_observed(config)
    found = world.density_percent[:, world.ground.mapped]
    assert np.isfinite(found).all()
    assert ((found > 0).mean(axis=1) > 0.02).all()
    assert found.max() < 100.0
