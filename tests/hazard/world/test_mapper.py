"""The mapper: detection limit, redrawn outlines, re-vegetation, missed epochs."""

import dataclasses

import numpy as np
import pytest
import shapely

from hazard.world.mapper import LARGEST_SHARE, detection_probability, map_inventories
from hazard.world.parameters import GORKHA_LIKE, Parameters
from hazard.world.settings import WorldConfig
from hazard.world.simulate import Simulation, density_increase, visible_area
from tests.hazard.world.conftest import SMALL


def with_mapper(**changes: object) -> Parameters:
    mapper = dataclasses.replace(GORKHA_LIKE.mapper, **changes)  # type: ignore[arg-type]
    return dataclasses.replace(GORKHA_LIKE, mapper=mapper)


EIGHT = (0.0,) * 8
FAITHFUL = with_mapper(
    look=EIGHT, partial=EIGHT, redraw_log_sd=EIGHT, recovery_per_year=0.0, recovery_log_sd=0.0
)


def test_small_landslides_are_missed_at_the_planted_rate(small: Simulation) -> None:
    slides = small.landslides
    visit = small.visits[1]
    assert visit is not None
    new = np.flatnonzero(slides.epoch == 0)
    seen = np.isin(new, visit.index)
    expected = detection_probability(SMALL, slides.area_m2[new])
    for low, high in ((0.0, 300.0), (300.0, 1000.0), (1000.0, np.inf)):
        part = (slides.area_m2[new] >= low) & (slides.area_m2[new] < high)
        if part.sum() > 30:
            error = 4.0 * np.sqrt(part.sum() * 0.25) / part.sum()
            assert abs(seen[part].mean() - expected[part].mean()) < min(error, 0.15)


def test_nothing_below_the_minimum_mapping_area_is_drawn(small: Simulation) -> None:
    for visit in small.visits:
        assert visit is not None
        area = visit.share * small.landslides.area_m2[visit.index]
        assert area.min() >= SMALL.minimum_mapping_area_m2 - 1e-9
        assert visit.share.max() <= LARGEST_SHARE


def test_outlines_have_the_drawn_share_of_the_true_area(small: Simulation) -> None:
    visit = small.visits[3]
    assert visit is not None
    drawn = shapely.area(visit.polygons(small.landslides))
    np.testing.assert_allclose(drawn, visit.share * small.landslides.area_m2[visit.index])


def test_a_faithful_mapper_records_exactly_the_new_landslides(small: Simulation) -> None:
    config = SMALL.model_copy(update={"misregistration_m": 0.0})
    visits = map_inventories(config, FAITHFUL, small.landslides, small.ground.epochs)
    area = visible_area(config, small.landslides, visits)
    everywhere = np.ones(area.shape[1:], bool)
    increase = density_increase(area, everywhere, 1.0e6).sum(axis=(1, 2)) * 1.0e4
    slides = small.landslides
    for epoch in range(8):
        visit = visits[epoch + 1]
        assert visit is not None
        new = visit.index[slides.epoch[visit.index] == epoch]
        # Some footprints hang over the edge of the extent.
        assert increase[epoch] == pytest.approx(slides.area_m2[new].sum(), rel=0.03)


def test_old_scars_fade_where_they_are_looked_at(small: Simulation) -> None:
    fading = with_mapper(look=(1.0,) * 8, partial=EIGHT, redraw_log_sd=EIGHT, recovery_per_year=0.3)
    visits = map_inventories(SMALL, fading, small.landslides, small.ground.epochs)
    shares = []
    for visit in visits[1:]:
        assert visit is not None
        coseismic = small.landslides.epoch[visit.index] == 0
        shares.append((visit.share * small.landslides.area_m2[visit.index])[coseismic].sum())
    assert (np.diff(shares) < 0.0).all()
    assert shares[-1] < 0.6 * shares[0]


def test_a_dry_season_shows_old_scars_again(small: Simulation) -> None:
    # Area of coseismic landslides rises from a post-monsoon to a dry-season inventory.
    slides = small.landslides
    old = []
    for visit in small.visits[1:]:
        assert visit is not None
        scars = slides.epoch[visit.index] == 0
        old.append((visit.share * slides.area_m2[visit.index])[scars].sum())
    assert old[4] > old[3]


def test_misregistration_shifts_an_epoch_as_a_whole(small: Simulation) -> None:
    config = SMALL.model_copy(update={"misregistration_m": 30.0})
    visits = map_inventories(config, FAITHFUL, small.landslides, small.ground.epochs)
    visit = visits[1]
    assert visit is not None
    new = small.landslides.epoch[visit.index] == 0
    assert visit.dx_m[new].std() < 15.0
    exact = map_inventories(
        SMALL.model_copy(update={"misregistration_m": 0.0}),
        FAITHFUL, small.landslides, small.ground.epochs,
    )  # fmt: skip
    assert exact[1] is not None
    assert not exact[1].dx_m.any()


def test_a_missed_epoch_is_unobserved_and_its_landslides_enter_later(small: Simulation) -> None:
    config = SMALL.model_copy(update={"missed_epoch": 3})
    visits = map_inventories(config, GORKHA_LIKE, small.landslides, small.ground.epochs)
    assert visits[4] is None
    after = visits[5]
    assert after is not None
    assert (small.landslides.epoch[after.index] == 3).any()
    area = visible_area(config, small.landslides, visits)
    mapped = small.ground.mapped
    density = density_increase(area, mapped, 1.0e6)
    assert np.isnan(density[3]).all()
    assert np.isfinite(density[4][mapped]).all()
    assert np.isnan(density[4][~mapped]).all()
    missed = WorldConfig(missed_epoch=3)
    assert missed.missed_epoch == 3
