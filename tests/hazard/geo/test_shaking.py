"""Events combined: maximum, spread, coverage rule; what one event cannot give is absent."""

import numpy as np
import pytest

from hazard.errors import DataError
from hazard.geo.grid import Grid
from hazard.geo.raster import Raster
from hazard.geo.shakemap_write import write_shakemap
from hazard.geo.shaking import combine_events, shaking_from_shakemaps
from tests.hazard.geo.test_shakemap import made

GRID = Grid.from_bounds("EPSG:32645", (0, 0, 3000, 2000), cell_m=1000)


def event(values, valid=None) -> Raster:
    array = np.asarray(values, dtype=np.float32)
    seen = np.ones(array.shape, bool) if valid is None else np.asarray(valid)
    return Raster(values=np.where(seen, array, np.nan), valid=seen, grid=GRID)


ONE = [[1, 2, 3], [4, 5, 6]]
TWO = [[3, 2, 1], [8, 5, 2]]


@pytest.mark.parametrize("ddof", [0, 1])
def test_maximum_and_spread_agree_with_numpy(ddof):
    rng = np.random.default_rng(0)
    stack = rng.uniform(0.1, 8, (5, 2, 3)).astype(np.float32)
    shaking = combine_events([event(part) for part in stack], ddof=ddof)
    wide = stack.astype(np.float64)
    np.testing.assert_allclose(shaking.layers["pga"], wide.max(axis=0), rtol=1e-12)
    np.testing.assert_allclose(shaking.layers["pga_sd"], wide.std(axis=0, ddof=ddof), rtol=1e-12)
    assert f"ddof {ddof}" in " ".join(shaking.notes)
    assert (shaking.n_events == 5).all()


def test_one_event_has_no_spread_and_says_so():
    shaking = combine_events([event(ONE)])
    assert "pga_sd" not in shaking.layers
    assert "two events" in shaking.absent["pga_sd"]


def test_cells_that_one_event_misses_follow_the_stated_rule():
    seen = [[True, False, True], [True, True, False]]
    parts = [event(ONE), event(TWO, seen), event(TWO, seen)]
    available = combine_events(parts)
    assert available.layers["pga"].tolist() == [[3, 2, 3], [8, 5, 6]]
    assert available.n_events.tolist() == [[3, 1, 3], [3, 3, 1]]
    assert np.isnan(available.layers["pga_sd"][[0, 1], [1, 2]]).all()
    assert not available.valid["pga_sd"][0, 1]
    assert available.layers["pga_sd"][0, 0] == pytest.approx(np.std([1, 3, 3]))
    assert "2 cells are not covered by all events and use" in " ".join(available.notes)
    strict = combine_events(parts, coverage="all")
    assert np.array_equal(strict.valid["pga"], np.array(seen))
    assert np.isnan(strict.layers["pga"][0, 1])


def test_bad_combinations_are_refused():
    with pytest.raises(DataError, match="no event"):
        combine_events([])
    other = Grid.from_bounds("EPSG:32645", (0, 0, 2000, 2000), cell_m=1000)
    small = Raster(values=np.ones((2, 2), np.float32), valid=np.ones((2, 2), bool), grid=other)
    with pytest.raises(DataError, match="grid"):
        combine_events([event(ONE), small])
    holed = Raster(
        values=np.full((2, 3), np.nan, np.float32), valid=np.ones((2, 3), bool), grid=GRID
    )
    with pytest.raises(DataError, match="without a value"):
        combine_events([holed])


def test_shakemap_files_become_shaking_with_their_uncertainty(tmp_path):
    grid = Grid.from_bounds("EPSG:32645", (260e3, 3.14e6, 300e3, 3.17e6), cell_m=2000)
    strong, weak = made(seed=1), made(seed=2)
    weak.layers["pga"][:] = 0.5
    paths = [tmp_path / "strong.xml.gz", tmp_path / "weak.xml.gz"]
    for path, shakemap in zip(paths, (strong, weak), strict=True):
        write_shakemap(path, shakemap)
    alone = shaking_from_shakemaps(paths[:1], grid)
    both = shaking_from_shakemaps(paths, grid)
    np.testing.assert_array_equal(both.layers["pga"], alone.layers["pga"])
    np.testing.assert_allclose(both.layers["pga_sd"], (alone.layers["pga"] - 0.5) / 2, rtol=1e-5)
    np.testing.assert_array_equal(both.layers["pga_ln_sigma"], alone.layers["pga_ln_sigma"])
    assert (both.layers["mmi"] >= alone.layers["mmi"]).all()
    assert set(alone.absent) == {"pga_sd"}
    assert not both.absent
    assert both.events[0].startswith("M7.8 2015-04-25")


def test_shakemaps_of_elsewhere_are_refused(tmp_path):
    write_shakemap(tmp_path / "a.xml", made(lon0=10.0))
    grid = Grid.from_bounds("EPSG:32645", (260e3, 3.14e6, 300e3, 3.17e6), cell_m=2000)
    with pytest.raises(DataError, match="overlap"):
        shaking_from_shakemaps([tmp_path / "a.xml"], grid)
