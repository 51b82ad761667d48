"""Settings: what is refused, and what the hash depends on."""

import pytest
from pydantic import ValidationError

from hazard.world.domain import cell_grid, lattice_grid, pixel_grid, random_stream
from hazard.world.settings import WorldConfig


def test_extent_beyond_the_full_study_is_refused() -> None:
    with pytest.raises(ValidationError, match="found 200 x 220; expected at most 196 x 220"):
        WorldConfig(extent_cells=(200, 220))


def test_missed_epoch_must_exist() -> None:
    with pytest.raises(ValidationError, match="missed_epoch: found 5; expected below n_epochs"):
        WorldConfig(n_epochs=4, missed_epoch=5)


@pytest.mark.parametrize(
    "wrong", [{"pixels_per_cell": 10}, {"cell_m": 500}, {"seeed": 1}, {"extent_cells": (4, 40)}]
)
def test_wrong_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        WorldConfig.model_validate(wrong)


def test_grids_nest_and_the_window_keeps_the_blocks_of_the_full_study() -> None:
    config = WorldConfig(extent_cells=(33, 41), pixels_per_cell=16)
    cells, lattice, pixels = cell_grid(config), lattice_grid(config), pixel_grid(config)
    assert cells.bounds == lattice.bounds == pixels.bounds
    assert pixels.cell_size == (62.5, 62.5)
    full = cell_grid(WorldConfig())
    offset = (cells.transform.c - full.transform.c) / 1000.0
    assert offset % 4 == 0


def test_streams_of_parts_are_independent_and_repeatable() -> None:
    config = WorldConfig(seed=4)
    a = random_stream(config, "rain").random(3)
    assert (random_stream(config, "rain").random(3) == a).all()
    assert (random_stream(config, "rain", index=1).random(3) != a).all()
    assert (random_stream(WorldConfig(seed=5), "rain").random(3) != a).all()
