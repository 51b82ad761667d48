"""One small world, built once for all tests of the room."""

from pathlib import Path

import pytest

from hazard.world.build import WorldStudy, build_world
from hazard.world.settings import WorldConfig
from hazard.world.simulate import Simulation, simulate_observed

SMALL = WorldConfig(extent_cells=(32, 40), pixels_per_cell=8, seed=11)


@pytest.fixture(scope="session")
def small() -> Simulation:
    return simulate_observed(SMALL)


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> WorldStudy:
    folder: Path = tmp_path_factory.mktemp("worlds") / "small"
    return build_world(SMALL, folder)
