"""An epoch played again: by the same functions, so with the world's own streams the same epoch."""

import dataclasses

import numpy as np
import pytest

from hazard.geo.cell_area import cell_shares
from hazard.world.domain import cell_grid, random_stream
from hazard.world.parameters import GORKHA_LIKE
from hazard.world.replay import EpochPlayer, Streams, drawn_shares, state_before
from hazard.world.settings import WorldConfig
from hazard.world.simulate import Simulation, simulate_observed
from tests.hazard.world.conftest import SMALL

LAST = SMALL.n_epochs - 1


class DrawsForTheLast:
    """A stream that gives the last of many landslides the draws that it got among all."""

    def __init__(self, rng: np.random.Generator, before: int, new: int) -> None:
        self.normal = rng.standard_normal(before + new)[before:]
        self.uniform = rng.random(before + new)[before:]

    def standard_normal(self, size: int) -> np.ndarray:
        assert size == self.normal.size
        return self.normal

    def random(self, size: int) -> np.ndarray:
        assert size == self.uniform.size
        return self.uniform


def player(simulation: Simulation, config: WorldConfig = SMALL) -> EpochPlayer:
    return EpochPlayer(config, GORKHA_LIKE, simulation.ground, simulation.drivers)


def test_with_the_worlds_own_streams_it_is_the_worlds_own_epoch(small: Simulation) -> None:
    state = state_before(SMALL, GORKHA_LIKE, small, LAST)
    intensity = player(small).intensity(state, LAST, small.drivers.epoch_effect[LAST])
    np.testing.assert_array_equal(intensity.lattice, small.intensities[LAST].lattice)
    new = small.landslides.area_m2.size - state.row.size
    streams = Streams(
        landslides=random_stream(SMALL, "landslides", index=LAST + 1),
        footprints=random_stream(SMALL, "footprints", index=LAST + 1),
        traits=DrawsForTheLast(random_stream(SMALL, "mapper"), state.row.size, new),  # type: ignore[arg-type]
        mapper=random_stream(SMALL, "mapper", index=LAST + 2),
    )
    played = player(small).play(state, LAST, intensity, streams)
    np.testing.assert_allclose(played.density_percent, small.density_percent[LAST], atol=1e-9)
    np.testing.assert_array_equal(played.density_percent > 0, small.density_percent[LAST] > 0)
    visit = small.visits[-1]
    assert visit is not None
    np.testing.assert_array_equal(np.flatnonzero(played.state.outlines.share > 0), visit.index)


@pytest.mark.parametrize("epoch", [0, 3, LAST])
def test_the_state_before_holds_the_last_inventory(small: Simulation, epoch: int) -> None:
    state = state_before(SMALL, GORKHA_LIKE, small, epoch)
    assert state.scars.epoch.max() == epoch - 1
    area = np.bincount(state.shares.cell, weights=state.shares.area_m2, minlength=32 * 40)
    np.testing.assert_allclose(area.reshape(32, 40), small.area_m2[epoch], atol=1e-4)


def test_outlines_are_cut_without_drawing_those_inside_a_cell(small: Simulation) -> None:
    state = state_before(SMALL, GORKHA_LIKE, small, 4)
    grid = cell_grid(SMALL)
    index = np.flatnonzero(state.outlines.share > 0)
    # Shifts of hundreds of metres push many over a border, and some out of the grid.
    rng = np.random.default_rng(0)
    shifted = dataclasses.replace(
        state.outlines, dx_m=rng.normal(0, 400, state.row.size), dy_m=state.outlines.dy_m - 300.0
    )
    found = drawn_shares(state.polygon, state.scars, shifted, index, grid)
    from hazard.world.footprints import scaled

    drawn = scaled(
        state.polygon[index], np.sqrt(shifted.share[index]), shifted.dx_m[index],
        shifted.dy_m[index],
    )  # fmt: skip
    expected = cell_shares(drawn, grid)
    for a, b in ((found.cell, expected.cell), (found.polygon, index[expected.polygon])):
        size = int(max(a.max(), b.max())) + 1
        np.testing.assert_allclose(
            np.bincount(a, weights=found.area_m2, minlength=size),
            np.bincount(b, weights=expected.area_m2, minlength=size),
            rtol=1e-7, atol=1e-5,
        )  # fmt: skip


def test_another_epoch_effect_keeps_the_planted_number_of_sources(small: Simulation) -> None:
    state = state_before(SMALL, GORKHA_LIKE, small, 5)
    play = player(small)
    other = play.intensity(state, 5, play.draw_epoch_effect(np.random.default_rng(1)))
    share = -np.expm1(-other.cell[small.ground.mapped]).mean()
    assert share == pytest.approx(GORKHA_LIKE.presence[5], rel=1e-6)
    assert not np.allclose(other.lattice, small.intensities[5].lattice)


def test_in_a_missed_epoch_slopes_fail_and_enter_the_next_inventory() -> None:
    config = WorldConfig(
        extent_cells=(16, 20), pixels_per_cell=4, seed=2, n_epochs=4, missed_epoch=2
    )
    world = simulate_observed(config)
    play, rng = player(world, config), np.random.default_rng(0)
    state = state_before(config, GORKHA_LIKE, world, 2)
    missed = play.play(state, 2, world.intensities[2], Streams.of(rng))
    assert np.isnan(missed.density_percent).all()
    assert (missed.state.outlines.share[state.row.size :] == 0).all()
    after = play.play(missed.state, 3, world.intensities[3], Streams.of(rng))
    entered = after.state.outlines.share > 0
    assert (after.state.scars.epoch[entered] == 2).any()
