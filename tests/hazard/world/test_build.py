"""The study folder: ordinary files, stamped, whole or absent, taken again when equal."""

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio

from hazard.errors import DataError
from hazard.geo.raster import read_info, read_native
from hazard.geo.store import open_netcdf
from hazard.world import build
from hazard.world.build import WorldStudy, build_steps, build_world, study_files
from hazard.world.domain import pixel_grid
from hazard.world.settings import WorldConfig
from hazard.world.simulate import Simulation
from stats.command.inventory_record import STANDARD_MAP
from stats.command.inventory_table import read_inventory_table
from tests.hazard.world.conftest import SMALL

TINY = WorldConfig(extent_cells=(12, 12), pixels_per_cell=4, n_epochs=3, seed=1, missed_epoch=1)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> WorldStudy:
    return build_world(TINY, tmp_path_factory.mktemp("tiny") / "world")


def test_every_raster_says_synthetic_and_lies_on_the_grid(study: WorldStudy) -> None:
    for path in (study.dem, study.study_area, study.area_density):
        with rasterio.open(path) as dataset:
            assert dataset.tags()["world"] == "SYNTHETIC"
    assert read_info(study.dem).shape == pixel_grid(SMALL).shape
    assert read_info(study.area_density).count == 8
    assert read_info(study.area_density).shape == study.grid.shape


def test_area_density_is_the_simulated_series(study: WorldStudy, small: Simulation) -> None:
    for epoch in (0, 4, 7):
        band = read_native(study.area_density, band=epoch + 1)
        np.testing.assert_allclose(
            band.values, small.density_percent[epoch].astype(np.float32), equal_nan=True
        )


def test_inventories_are_read_by_the_common_reader(study: WorldStudy, small: Simulation) -> None:
    total = []
    for path in (study.baseline, *study.inventories):
        assert path is not None
        table = read_inventory_table(path, columns=STANDARD_MAP)
        assert table.n_repaired == 0
        assert table.minimum_mapping_area_m2 == SMALL.minimum_mapping_area_m2
        total.append(len(table.frame))
    # Cumulative: the first epoch adds thousands, later ones keep most.
    assert total[1] > 3 * total[0]
    assert total[-1] > total[1]


def test_dem_holds_the_elevation(study: WorldStudy, small: Simulation) -> None:
    np.testing.assert_array_equal(read_native(study.dem).values, small.ground.terrain.elevation_m)


def test_netcdf_says_synthetic(study: WorldStudy) -> None:
    with open_netcdf(study.rain) as rain:
        assert rain.attrs["world"] == "SYNTHETIC"


def test_manifest_names_every_file_with_its_hash(study: WorldStudy) -> None:
    manifest = json.loads((study.folder / "world.json").read_text())
    found = {
        p.relative_to(study.folder).as_posix()
        for p in study.folder.rglob("*")
        if p.is_file() and p.name != "world.json"
    }
    assert set(manifest["files"]) == found
    assert manifest["world"] == "SYNTHETIC"
    assert manifest["config_hash"] == SMALL.config_hash
    assert len(manifest["epochs"]) == 8


def test_missed_epoch_has_no_inventory_and_no_density(tiny: WorldStudy) -> None:
    assert tiny.observed == (True, False, True)
    assert tiny.inventories[1] is None
    assert tiny.footprints[1] is None
    assert not (tiny.folder / "inventories/epoch_01.gpkg").exists()
    assert np.isnan(read_native(tiny.area_density, band=2).values).all()


def test_equal_settings_take_the_folder_as_it_is(tiny: WorldStudy) -> None:
    before = {p: p.stat().st_mtime_ns for p in tiny.folder.rglob("*")}
    steps: list[int] = []
    again = build_world(TINY, tiny.folder, progress=steps.append)
    assert again == tiny
    assert {p: p.stat().st_mtime_ns for p in tiny.folder.rglob("*")} == before
    assert sum(steps) == build_steps(TINY)


def test_other_settings_or_a_damaged_folder_are_built_again(tmp_path: Path) -> None:
    folder = tmp_path / "world"
    build_world(TINY, folder)
    (folder / "dem.tif").write_bytes(b"short")
    study = build_world(TINY, folder)
    assert read_info(study.dem).shape == (48, 48)
    other = TINY.model_copy(update={"seed": 2})
    build_world(other, folder)
    assert json.loads((folder / "world.json").read_text())["seed"] == 2


def test_a_folder_that_is_no_world_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="nothing to overwrite"):
        build_world(TINY, tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **options: object) -> None:
        raise RuntimeError("disk full")

    monkeypatch.setattr(build, "write_rain", broken)
    with pytest.raises(RuntimeError, match="disk full"):
        build_world(TINY, tmp_path / "world")
    assert list(tmp_path.iterdir()) == []


def test_truth_is_flagged_and_consistent(study: WorldStudy, small: Simulation) -> None:
    truth = study.folder / "truth"
    parameters = json.loads((truth / "parameters.json").read_text())
    assert parameters["truth"] == "not an observation"
    with open_netcdf(truth / "cells.nc") as cells:
        assert cells.attrs["truth"] == "not an observation"
        intensity = cells["intensity"].values
        np.testing.assert_allclose(intensity[0], small.intensities[0].cell)
        n = int((small.landslides.epoch >= 0).sum())
        assert int(cells["sources"].sum()) == n
        probability = cells["presence_probability"].values
        assert ((probability >= 0) & (probability <= 1)).all()
        # The closed form is close to the share of cells that truly have a new source.
        seen = (cells["sources"].values > 0).mean(axis=(1, 2))
        np.testing.assert_allclose(probability.mean(axis=(1, 2)), seen, atol=0.04)


def test_nothing_outside_the_room_reads_the_truth() -> None:
    package = Path(build.__file__).parents[1]
    for source in package.rglob("*.py"):
        if "world" not in source.relative_to(package).parts[:1]:
            text = source.read_text()
            assert "world.truth" not in text, source
            assert "truth/" not in text, source


def test_paths_are_known_without_building(tmp_path: Path) -> None:
    study = study_files(TINY, tmp_path)
    assert study.dem == tmp_path / "dem.tif"
    assert study.epochs[0].name == "coseismic 2015"
