"""Cubes are opened by their layout and version, and nothing else passes for one."""

import datetime as dt
import json
import shutil

import numpy as np
import pytest
import zarr

from hazard.config.schema import load_config
from hazard.cube.build import build_cube
from hazard.cube.layout import CubeEpoch, open_cube
from hazard.cube.sources import resolve_sources
from hazard.errors import DataError
from tests.hazard.cube import small_study as small


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("layout")
    config = load_config(small.write_study(folder))
    build_cube(resolve_sources(config, folder / "run"), folder / "run")
    return folder / "run"


@pytest.fixture
def copy(run, tmp_path):
    shutil.copytree(run / "cube.zarr", tmp_path / "cube.zarr")
    return tmp_path / "cube.zarr"


def test_a_cube_opens_from_its_folder_or_from_the_run(run):
    one, other = open_cube(run), open_cube(run / "cube.zarr")
    assert one.path == other.path
    assert one.name == "small"
    assert not one.synthetic


def test_grids_nest_and_come_back_exact(run):
    cube = open_cube(run)
    assert cube.grid.same_as(small.GRID)
    assert cube.pixel_grid.same_as(small.GRID.refine(small.FACTOR))
    assert cube.trigger_grid.same_as(small.GRID)
    assert cube.pixels_per_cell == small.FACTOR


def test_epochs_come_back_with_their_dates_and_nominal_mark(run):
    first = open_cube(run).epochs[0]
    assert (first.name, first.start, first.end) == (
        "first",
        dt.date(2015, 4, 25),
        dt.date(2015, 9, 30),
    )
    assert first.length_days == 159
    assert first.dates == "observed"
    assert CubeEpoch.from_json(json.loads(json.dumps(first.as_json()))) == first


def test_integers_keep_their_type_and_floats_their_nan(run):
    cube = open_cube(run)
    assert cube.root["presence"].dtype == np.int8
    assert cube.root["mask"].dtype == np.bool_
    assert cube.root["area_density"].dtype == np.float32
    assert np.isnan(cube.root["area_density"].values[:, 0, 0]).all()
    assert all(role.dtype == np.int8 for role in cube.folds.data_vars.values())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layout_version": 2}, "layout version 2"),
        ({"layout_version": None}, "layout version None"),
        ({"layout": "another"}, "layout 'another'"),
    ],
)
def test_another_layout_or_version_is_refused(copy, change, message):
    zarr.open_group(copy, mode="a").attrs.update(change)
    with pytest.raises(DataError, match=message):
        open_cube(copy)


def test_a_missing_group_is_named(copy):
    shutil.rmtree(copy / "triggers")
    with pytest.raises(DataError, match="group 'triggers'"):
        open_cube(copy)


def test_what_is_no_cube_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        open_cube(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no cube"):
        open_cube(tmp_path / "empty")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/zarr.json").write_text("{")
    with pytest.raises(DataError, match="broken"):
        open_cube(tmp_path / "broken")
