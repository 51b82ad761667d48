"""The written study reads back as the scenes that were rendered."""

from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest

from detection.embedded.study import EmbeddedStudy, render_study
from detection.embedded.write import write_study
from detection.scenes.catalogue import read_catalogue
from detection.scenes.read import read_scene
from hazard.errors import DataError


@pytest.fixture(scope="module")
def folder(study: EmbeddedStudy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("embedded") / "study"
    write_study(study, target)
    return target


def test_scenes_read_back_as_they_were_rendered(study: EmbeddedStudy, folder: Path) -> None:
    catalogue = read_catalogue(folder)
    assert [e.name for e in catalogue.entries] == [s.name for s in study.scenes]
    for entry, scene in zip(catalogue.entries, study.scenes, strict=True):
        again = read_scene(entry)
        assert (again.region, again.epoch, again.date) == (scene.region, scene.epoch, scene.date)
        assert (again.bands, again.unit) == (scene.bands, scene.unit)
        assert again.synthetic
        assert again.grid == scene.grid
        np.testing.assert_array_equal(again.valid, scene.valid)
        np.testing.assert_array_equal(again.truth, scene.truth)
        np.testing.assert_array_equal(again.known, scene.known)
        np.testing.assert_allclose(again.image[again.valid], scene.image[scene.valid], atol=1e-6)
        assert again.pre is not None
        assert scene.pre is not None
        np.testing.assert_array_equal(again.pre_valid, scene.pre_valid)
        seen = scene.pre_valid
        np.testing.assert_allclose(again.pre[seen], scene.pre[seen], atol=1e-6)
        assert again.elevation_m is not None
        assert scene.elevation_m is not None
        np.testing.assert_allclose(again.elevation_m, scene.elevation_m, atol=0.02)


def test_inventories_carry_dates_and_what_is_new(study: EmbeddedStudy, folder: Path) -> None:
    truth = study.inventories[1]
    frame = gpd.read_file(folder / "inventories" / f"{truth.scene}.gpkg")
    new = gpd.read_file(folder / "inventories" / f"{truth.scene}_new.gpkg")
    assert len(frame) == len(truth.landslides) > len(new)
    assert len(new) == sum(p.new for p in truth.landslides)
    assert frame["area_m2"].sum() == pytest.approx(truth.visible.sum() * 25.0)
    assert sorted(frame["landslide_id"]) == [p.landslide_id for p in truth.landslides]


def test_only_an_embedded_study_is_replaced(study: EmbeddedStudy, folder: Path) -> None:
    write_study(study, folder)
    other = folder.parent / "mine"
    other.mkdir()
    (other / "notes.txt").write_text("keep")
    with pytest.raises(DataError):
        write_study(study, other)
    assert (other / "notes.txt").read_text() == "keep"


@pytest.mark.slow
def test_the_catalogue_follows_the_setting_of_truth(tmp_path: Path, study: EmbeddedStudy) -> None:
    new = render_study(replace(study.settings, truth="new"))
    write_study(new, tmp_path / "new")
    for entry, truth in zip(read_catalogue(tmp_path / "new").entries, new.inventories, strict=True):
        np.testing.assert_array_equal(read_scene(entry).truth, truth.new)
