"""The full-extent world over ten seeds against the observed statistics (docs/world.md).

The mean over the ten seeds must lie within the tolerances; single seeds scatter around it as
independent earthquakes would. Four pixels per cell: the lattice that carries the intensity does
not depend on the pixels (test_simulate.py shows it).
"""

import pytest

from hazard.world.settings import WorldConfig
from tests.calibration import compare, run_seed, table


@pytest.mark.nightly
@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_mean_of_ten_seeds_lies_within_the_tolerances() -> None:
    runs = [run_seed(WorldConfig(pixels_per_cell=4, seed=seed)) for seed in range(1, 11)]
    outside = [line for line in compare(runs) if not line.agrees]
    assert not outside, "\n" + table(outside)
