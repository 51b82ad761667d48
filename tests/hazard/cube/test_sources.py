"""Files or the embedded world, decided whole: never a silent mixture."""

from pathlib import Path

import pytest

from hazard.config.schema import HazardConfig, load_config
from hazard.cube.build import build_cube
from hazard.cube.layout import open_cube
from hazard.cube.sources import named_files, resolve_sources, use_world
from hazard.errors import DataError
from tests.hazard.cube import small_study as small

WORLD = {"extent_cells": [12, 16], "pixels_per_cell": 4, "seed": 2}
ROOT = Path(__file__).resolve().parents[3]


def configured(folder: Path, **sections) -> HazardConfig:
    values = {**small.study_values(folder), **sections}
    return load_config(small.write_config(folder, values))


def test_every_named_file_is_listed_with_its_key(tmp_path):
    roles = [file.role for file in named_files(configured(tmp_path))]
    assert roles == [
        "target.file", "terrain.elevation", "shaking.events.0", "shaking.events.1", "rain.file",
        "layers.slope_above_10_deg.file",
    ]  # fmt: skip


def test_all_files_present_are_used_even_where_a_world_is_allowed(tmp_path):
    small.write_study(tmp_path)
    config = configured(tmp_path, if_missing={"world": WORLD})
    sources = resolve_sources(config, tmp_path / "run")
    assert not sources.synthetic
    assert sources.banner is None
    assert not (tmp_path / "run").exists()


def test_none_present_without_if_missing_is_an_error_that_lists_them(tmp_path):
    with pytest.raises(DataError, match=r"none of its 6 input files .*dem\.tif.*if_missing\.world"):
        use_world(configured(tmp_path))


@pytest.mark.parametrize("allowed", [False, True])
def test_some_present_and_some_not_is_an_error_that_names_the_missing(tmp_path, allowed):
    small.write_study(tmp_path)
    (tmp_path / "rain.csv").unlink()
    (tmp_path / "event1.xml.gz").unlink()
    extra = {"if_missing": {"world": WORLD}} if allowed else {}
    with pytest.raises(DataError, match="4 of its 6") as failure:
        resolve_sources(configured(tmp_path, **extra), tmp_path / "run")
    message = str(failure.value)
    assert "rain.file" in message
    assert "shaking.events.1" in message
    assert "dem.tif" not in message
    assert not (tmp_path / "run").exists()


def test_a_member_of_a_zip_exists_where_the_zip_does(tmp_path):
    small.write_study(tmp_path)
    (tmp_path / "a.zip").write_bytes(b"")
    config = configured(tmp_path, layers=[], rain=None)
    config = config.model_copy(
        update={"target": config.target.model_copy(update={"file": tmp_path / "a.zip/b.shp"})}
    )
    assert not use_world(config)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The embedded world in place of the missing files of the small study."""
    folder = tmp_path_factory.mktemp("world")
    config = configured(folder, if_missing={"world": WORLD})
    sources = resolve_sources(config, folder / "run")
    return sources, build_cube(sources, folder / "run")


def test_none_present_builds_the_world_and_stamps_everything(world):
    sources, result = world
    assert sources.synthetic
    assert "SYNTHETIC" in sources.banner
    cube = open_cube(result.path)
    assert cube.synthetic
    assert "SYNTHETIC" in cube.title
    assert "SYNTHETIC" in cube.root.attrs["source"]


def test_a_world_is_read_as_cumulative_inventories_by_the_readers_of_real_files(world):
    sources, result = world
    config = sources.config
    assert config.target.kind == "cumulative"
    assert config.shaking.kind == "shakemap"
    assert config.rain.kind == "netcdf"
    assert all(Path(file.path).is_file() for file in sources.files)
    assert not any("truth" in str(file.path) for file in sources.files)
    cube = open_cube(result.path)
    assert cube.grid.shape == (12, 16)
    assert cube.pixels_per_cell == 4
    assert len(cube.epochs) == 8
    assert cube.absent == {"slope_above_10_deg": "not part of the embedded world"}
    assert float(cube.triggers["pga_sd"].max()) > 0
    assert 0 < float((cube.root["presence"].values == 1).mean()) < 0.6


def test_the_cube_of_a_world_holds_the_densities_the_world_published(world):
    """The world's own raster of increases agrees with the cube's differences of polygons."""
    import numpy as np

    from hazard.geo.raster import read_native

    sources, result = world
    folder = Path(sources.config.terrain.elevation).parent
    cube = open_cube(result.path)
    for epoch in range(8):
        published = read_native(folder / "area_density.tif", band=epoch + 1).values
        mask = cube.root["observed"].values[epoch]
        np.testing.assert_allclose(
            cube.root["area_density"].values[epoch][mask], published[mask], atol=2e-3
        )


def test_a_missed_epoch_of_a_world_is_not_observed_and_not_zero(tmp_path):
    values = {
        "name": "missed", "title": "Missed epoch", "cube": {"folds": []},
        "if_missing": {"world": {**WORLD, "n_epochs": 4, "missed_epoch": 2}},
    }  # fmt: skip
    config = load_config(small.write_config(tmp_path, values))
    cube = open_cube(build_cube(resolve_sources(config, tmp_path / "run"), tmp_path / "run").path)
    assert not cube.root["observed"].values[2].any()
    assert (cube.root["presence"].values[2] == -1).all()
    assert cube.root["mask"].values[2].any()
