"""The detection error of an inventory is read, checked, and laid into the cube."""

import json

import numpy as np
import pytest
import yaml

from hazard.config.schema import load_config
from hazard.cube.build import build_cube
from hazard.cube.layout import open_cube
from hazard.cube.observation import read_observation
from hazard.cube.sources import resolve_sources
from hazard.errors import DataError
from hazard.geo.grid import Block, Grid
from tests.hazard.cube import small_study as small

NAMES = ("first", "second", "third")


def build(folder, layers, run="run", **options):
    small.write_observation(folder / "observation.nc", layers, **options)
    config = folder / "study.yaml"
    values = yaml.safe_load(config.read_text())
    values["target"]["observation"] = str(folder / "observation.nc")
    config.write_text(yaml.safe_dump(values, sort_keys=False))
    checked = load_config(config)
    return build_cube(resolve_sources(checked, folder / run), folder / run)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("study")
    small.write_study(path, shaking=None, rain=None, layers=None)
    return path


@pytest.fixture(scope="module")
def result(folder):
    return build(folder, small.observation())


def test_what_cannot_be_recorded_is_not_observed_and_the_rest_has_both_layers(result):
    cube = open_cube(result.path)
    planted, density = small.observation(), small.density()
    seen = np.isfinite(density) & (planted["observation_probability"] > 0)
    np.testing.assert_array_equal(cube.root["observed"].values, seen)
    for name, values in planted.items():
        np.testing.assert_array_equal(
            cube.root[name].values, np.where(seen, values, np.nan), err_msg=name
        )
    assert np.isnan(cube.root["area_density"].values[1, 4:6]).all()
    # The mask itself keeps its cells.
    np.testing.assert_array_equal(cube.root["mask"].values, np.isfinite(density))


def test_the_summary_says_what_is_recorded_and_what_was_lost(result, folder):
    rows = {row.layer: row for row in result.summary.layers}
    assert rows["observation_probability"].median == pytest.approx(0.5)
    assert rows["false_alarms"].maximum == pytest.approx(0.01)
    lost = small.density()[1, 4:6]
    note = next(n for n in result.summary.notes if n.startswith("detection error"))
    assert "probability 0.500" in note
    assert f"{lost.size} cells and epochs" in note
    assert f"{int((lost > 0).sum())} of them with recorded landslides" in note
    cube = open_cube(result.path)
    sources = {source["layer"]: source for source in cube.inputs}
    assert sources["false_alarms"]["file"] == str(folder / "observation.nc")
    assert json.loads(cube.root.attrs["config"])["target"]["observation"]


def test_another_observation_of_the_same_name_is_noticed(folder):
    layers = small.observation()
    assert build(folder, layers, run="again").built
    assert not build(folder, layers, run="again").built
    layers["observation_probability"][0, 2:] = 0.25
    again = build(folder, layers, run="again")
    assert "target" in again.built
    cube = open_cube(again.path)
    assert (cube.root["observation_probability"].values[0, 2:] == np.float32(0.25)).all()


def test_a_larger_file_of_the_same_lattice_is_cropped(tmp_path):
    wide = small.GRID.crop(Block(row0=-1, row1=small.ROWS + 2, col0=-3, col1=small.COLS))
    rng = np.random.default_rng(0)
    layers = {n: rng.random((3, *wide.shape)).astype(np.float32) for n in small.observation()}
    small.write_observation(tmp_path / "o.nc", layers, grid=wide)
    found = read_observation(tmp_path / "o.nc", small.GRID, NAMES)
    np.testing.assert_array_equal(found.probability, layers["observation_probability"][:, 1:-2, 3:])
    assert "cropped to the cells of the study" in found.source.notes


def test_epochs_without_names_are_told_by_their_number(tmp_path):
    small.write_observation(tmp_path / "o.nc", small.observation(), names="")
    assert read_observation(tmp_path / "o.nc", small.GRID, NAMES).probability.shape[0] == 3
    small.write_observation(tmp_path / "o.nc", small.observation(), names="", values=[1, 2, 3])
    with pytest.raises(DataError, match=r"\[1, 2, 3\] without attribute names"):
        read_observation(tmp_path / "o.nc", small.GRID, NAMES)


def changed(name, value, at=(0, 5, 5)):
    layers = small.observation()
    layers[name][at] = value
    return layers


SHIFTED = Grid.from_bounds(small.CRS, (300_500, 3_100_000, 316_500, 3_112_000), cell_m=1000)
ELSEWHERE = Grid.from_bounds("EPSG:32644", (300_000, 3_100_000, 316_000, 3_112_000), cell_m=1000)
SMALLER = small.GRID.crop(Block(row0=0, row1=small.ROWS, col0=0, col1=small.COLS - 1))


@pytest.mark.parametrize(
    ("layers", "options", "message"),
    [
        (changed("observation_probability", 1.5), {}, "from 0 to 1.5; expected 0 to 1"),
        (changed("false_alarms", -0.1), {}, "false_alarms from -0.1 to 0.01; expected 0 or more"),
        (changed("false_alarms", np.inf), {}, "to inf; expected 0 or more"),
        (changed("false_alarms", np.nan), {}, "both or neither"),
        (small.observation(), {"unit": "percent"}, "unit 'percent'"),
        (small.observation(), {"names": "first, third, second"}, "expected 3 epochs first"),
        (small.observation(), {"grid": SHIFTED}, "expected the study's cells, 12 x 16 cells"),
        (small.observation(), {"grid": ELSEWHERE}, "zone 44N; expected the study's cells"),
        ({n: v[:, :, :-1] for n, v in small.observation().items()}, {"grid": SMALLER},
         "12 x 15 cells of 1000 x 1000"),
        ({"false_alarms": small.observation()["false_alarms"]}, {},
         "also observation_probability"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_fit_is_refused_with_what_was_found(
    tmp_path, layers, options, message
):
    small.write_observation(tmp_path / "o.nc", layers, **options)
    with pytest.raises(DataError, match=r"o\.nc: found") as failure:
        read_observation(tmp_path / "o.nc", small.GRID, NAMES)
    assert message in str(failure.value)
    assert failure.value.exit_code == 3


def test_an_observed_cell_of_unknown_probability_is_refused(folder):
    unknown = {name: values.copy() for name, values in small.observation().items()}
    for values in unknown.values():
        values[2, 8, 8] = np.nan
    with pytest.raises(DataError, match="no observation_probability in 1 observed cells"):
        build(folder, unknown, run="unknown")


def test_a_missing_file_is_named_with_its_key(tmp_path):
    small.write_study(tmp_path, shaking=None, rain=None, layers=None)
    values = yaml.safe_load((tmp_path / "study.yaml").read_text())
    values["target"]["observation"] = str(tmp_path / "none.nc")
    checked = load_config(small.write_config(tmp_path, values))
    with pytest.raises(DataError, match=r"target\.observation: .*none\.nc"):
        resolve_sources(checked, tmp_path / "run")
