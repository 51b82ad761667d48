"""The command: a run folder that is whole, keeps what is done, and says what cannot be used."""

import datetime as dt
import json
import os
import subprocess
import sys
from dataclasses import replace

import geopandas as gpd
import jax
import numpy as np
import pandas as pd
import pytest
import rasterio
import yaml

from detection.config.map import FitStage, MapConfig, load_map_config
from detection.config.schema import DetectionConfig
from detection.map.dry_run import map_lines
from detection.map.folder import run_folder_of
from detection.map.mapped import map_scenes
from detection.map.run import map_run, models_of, trained_labels
from detection.map.scenes import epochs_of
from detection.mapping.stored import NOT_SEEN
from detection.patches.preparation import Preparation
from detection.scenes.catalogue import SceneEntry, read_catalogue, write_catalogue
from detection.training.model import DetectionModel
from detection.training.model_file import load_model, save_model
from detection.training.threshold import ThresholdChoice
from hazard.errors import ConfigError, UsageError
from hazard.training.functional import Variables
from stats.command.frame import Session
from stats.command.log import Log
from stats.command.progress import SilentReporter
from tests.detection.models.small_networks import SMALL, abstract, drawn
from tests.detection.scenes.made_files import BANDS, box_px, counts, write_polygons, write_raster


def quiet():
    return Session(log=Log(quiet=True), reporter=SilentReporter())


def scene(folder, name, date, epoch, seed):
    stored = counts(96, 80, seed=seed)
    stored[:, 60:, 70:] = 65535
    return SceneEntry(
        name=name, region="here", epoch=epoch, date=date, bands=BANDS, unit="dn",
        image=(write_raster(folder / f"{name}.tif", stored, nodata=65535),),
        inventory=write_polygons(
            folder / f"{name}.gpkg",
            [box_px(5, 5, 15, 12), box_px(40, 20 + seed, 52, 32 + seed), box_px(70, 50, 76, 66)],
        ),
    )  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two dates of one scene, and a network with drawn weights."""
    folder = tmp_path_factory.mktemp("study")
    write_catalogue(
        folder,
        [scene(folder, "one", dt.date(2015, 6, 1), "first", 1),
         scene(folder, "two", dt.date(2015, 11, 1), "second", 2)],
    )  # fmt: skip
    weights = drawn(abstract("default", bands=4))
    model = DetectionModel(
        network_name="default", settings={**SMALL["default"], "bands": 4}, pixel_m=10.0,
        preparation=Preparation(
            bands=BANDS, unit="dn", indices=(), topography=(), pixel_m=10.0, mean=(3000.0,) * 4,
            scale=(1700.0,) * 4,
        ),
        variables=Variables(
            *({f"network/{k}": v[np.newaxis] for k, v in part.items()} for part in weights)
        ),
        threshold=ThresholdChoice(threshold=0.5, rule="fixed", pixels=0, positive=0),
    )  # fmt: skip
    save_model(model, folder / "model")
    text = {
        "name": "way", "title": "The way", "data": str(folder), "model": str(folder / "model"),
        "polygons": {"minimum_area_m2": 300}, "mapping": {"threads": 1, "batch": 2},
    }  # fmt: skip
    (folder / "way.yaml").write_text(yaml.safe_dump(text))
    return folder


@pytest.fixture(scope="module")
def finished(study, tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "way"
    map_run(load_map_config(study / "way.yaml"), run, quiet())
    return run


def test_the_run_folder_is_whole(finished):
    record = json.loads((finished / "run.json").read_text())
    assert (record["layout"], record["layout_version"]) == ("detection-map", 1)
    assert record["synthetic"] is False
    assert [(e["name"], e["end"]) for e in record["epochs"]] == [
        ("first", "2015-06-01"),
        ("second", "2015-11-01"),
    ]
    for name in record["files"]:
        assert (finished / name).exists(), name
    for name in ("one", "two"):
        assert (finished / "maps" / f"{name}_probability.tif").exists()
        assert (finished / "outlines" / f"{name}.gpkg").exists()
    front = (finished / "report" / "html" / "index.html").read_text(encoding="utf-8")
    assert "The way" in front
    assert "SYNTHETIC" not in front
    for page in ("scenes", "inventory", "comparison", "hazard", "limits"):
        assert (finished / "report" / "html" / f"{page}.html").exists()
    assert not list(finished.rglob("*.part"))


def test_inventories_hold_what_was_outlined_and_what_the_reference_says(finished):
    drawn_one = gpd.read_file(finished / "outlines" / "one.gpkg")
    assert (drawn_one["area_m2"] >= 300).all()
    areas = pd.read_csv(finished / "inventory" / "areas.csv")
    assert areas["visible_m2"][0] == pytest.approx(drawn_one.union_all().area, rel=1e-6)
    reference = pd.read_csv(finished / "reference" / "areas.csv")
    # One landslide moves by a column of 12 pixels of 10 m: 1,200 m2 on either side.
    assert reference[["expanded_m2", "recovered_m2"]].iloc[1].tolist() == [1200.0, 1200.0]
    compared = pd.read_csv(finished / "comparison" / "epochs.csv")
    assert compared["reference_n"].tolist() == [3, 3]


def test_what_is_done_is_kept_and_what_changed_is_made_again(study, finished):
    def stamps():
        return {p.name: p.stat().st_mtime_ns for p in (finished / "maps").glob("*_mask.tif")}

    before = stamps()
    config = load_map_config(study / "way.yaml")
    map_run(config, finished, quiet(), resume=True)
    assert stamps() == before
    image = study / "two.tif"
    os.utime(image, ns=(1, image.stat().st_mtime_ns + 10**9))
    map_run(config, finished, quiet(), resume=True)
    after = stamps()
    assert after["one_mask.tif"] == before["one_mask.tif"]
    assert after["two_mask.tif"] != before["two_mask.tif"]


def test_a_dry_run_writes_nothing_and_names_the_scenes(study, tmp_path):
    lines = "\n".join(map_lines(load_map_config(study / "way.yaml"), tmp_path / "run"))
    assert "first: 2015-06-01 to 2015-06-01, one" in lines
    assert "reference inventories" in lines
    assert "detection error" not in lines
    config = load_map_config(study / "way.yaml", overrides=["error.ground=all"])
    told = "\n".join(map_lines(config, tmp_path / "run"))
    assert "Would estimate the detection error on 50 %" in told
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": None}, "neither model nor fit"),
        ({"fit": {"config": "fit.yaml"}}, "model and fit"),
        ({"data": None, "embedded": {"regions": ["nepal_like", "papua_like"]}}, "expected one"),
        ({"nonsense": 1}, "nonsense"),
        ({"mapping": {"threshold": 1.5}}, "threshold"),
        ({"ensemble": ["another"]}, "an ensemble and no mapping.threshold"),
        ({"model": None, "fit": {"config": "fit.yaml", "ensemble": ["unet"]}}, "an ensemble and"),
    ],
)
def test_a_wrong_setting_is_told(study, tmp_path, change, message):
    text = yaml.safe_load((study / "way.yaml").read_text()) | change
    file = tmp_path / "way.yaml"
    file.write_text(yaml.safe_dump({k: v for k, v in text.items() if v is not None}))
    with pytest.raises(ConfigError, match=message):
        load_map_config(file)


def test_shipped_configurations_are_valid_and_find_each_other():
    from pathlib import Path

    configs = Path(__file__).resolve().parents[3] / "configs"
    for name in ("images_to_hazard", "images_to_hazard_smoke"):
        config = load_map_config(configs / f"{name}.yaml")
        assert isinstance(config, MapConfig)
        assert config.name == name
        assert config.is_synthetic
        assert config.fit is not None
        assert config.hazard is not None
        assert config.fit.config.is_file()
        assert config.hazard.config.is_file()


def first_map(study, out, *overrides, scheduler=None):
    """Stored steps of the map of scene `one`, under other settings."""
    config = load_map_config(study / "way.yaml", overrides=overrides, scheduler=scheduler)
    models = models_of(config, out, quiet(), resume=False)
    epochs = epochs_of(read_catalogue(study), None)
    map_scenes(config, epochs[:1], models, out, quiet(), resume=False)
    return steps_of(out)


def steps_of(run):
    with rasterio.open(run / "maps" / "one_probability.tif") as dataset:
        return dataset.read(1).astype(int)


def test_an_ensemble_maps_the_mean_of_its_members(study, finished, tmp_path):
    stored = load_model(study / "model")
    variables = jax.tree.map(lambda v: 0.5 * v, stored.variables)
    save_model(replace(stored, variables=variables), tmp_path / "weak")
    alone = steps_of(finished)
    weak = first_map(study, tmp_path / "alone", f"model={tmp_path / 'weak'}")
    cut = "mapping.threshold=0.5"
    twice = first_map(study, tmp_path / "twice", cut, f"ensemble=[{study / 'model'}]")
    both = first_map(study, tmp_path / "both", cut, f"ensemble=[{tmp_path / 'weak'}]")
    seen = alone != NOT_SEEN
    np.testing.assert_array_equal(twice, alone)
    assert np.abs(weak - alone)[seen].max() > 100
    assert np.abs(both - (alone + weak) / 2)[seen].max() <= 1
    np.testing.assert_array_equal(both[~seen], NOT_SEEN)


def test_members_of_a_training_are_named_before_it_begins(tmp_path):
    study = DetectionConfig.model_validate(
        {"name": "a", "title": "A", "networks": [{"name": "unet"}, {"name": "default"}]}
    )
    stage = FitStage(config=tmp_path / "fit.yaml", ensemble=("default",))
    assert trained_labels(stage, study) == ("unet", "default")
    for changes, message in (
        ({"ensemble": ("unet",)}, "expected each once"),
        ({"ensemble": ("resnet",)}, r"fit.ensemble: found 'resnet'; expected one of unet, default"),
        ({"network": "resnet"}, r"fit.network: found 'resnet'"),
    ):
        with pytest.raises(ConfigError, match=message):
            trained_labels(stage.model_copy(update=changes), study)


def test_stored_members_have_seen_ground_that_nobody_named(study):
    """Another's training ground is unknown: nothing may be calibrated there unless it is named."""
    given = ["mapping.threshold=0.5", "model=null", "fit={config: fit.yaml}"]
    assert load_map_config(study / "way.yaml", overrides=given).may_calibrate
    stored = [*given, f"ensemble=[{study / 'model'}]"]
    assert not load_map_config(study / "way.yaml", overrides=stored).may_calibrate
    named = [*stored, "error.ground=all"]
    assert load_map_config(study / "way.yaml", overrides=named).may_calibrate


def test_the_scheduler_is_named_on_the_command_line(study, tmp_path):
    address = "tcp://127.0.0.1:8786"
    command = [sys.executable, "-m", "detection.map", str(study / "way.yaml"), "--dry-run"]
    done = subprocess.run(
        [*command, "--scheduler", address, "--out", str(tmp_path / "run")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert f"Would map by dask: {address}." in done.stdout


@pytest.mark.slow
def test_processes_give_the_maps_of_threads(study, finished, tmp_path):
    pytest.importorskip("distributed")
    np.testing.assert_array_equal(first_map(study, tmp_path, scheduler="local"), steps_of(finished))


def test_a_folder_of_others_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="no record of a run"):
        run_folder_of("way", tmp_path)


def test_help_starts_nothing_heavy():
    code = (
        "import sys, detection.map.__main__; "
        "print([m for m in ('jax', 'rasterio', 'geopandas', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def whole_way(out, *more):
    from pathlib import Path

    root = Path(__file__).resolve().parents[3]
    command = [sys.executable, "-m", "detection.map", "configs/images_to_hazard_smoke.yaml"]
    subprocess.run([*command, *more, "--out", str(out), "--quiet"], cwd=root, check=True)
    return (out / "report" / "html" / "hazard.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_smoke_twin_goes_the_whole_way(tmp_path):
    page = whole_way(tmp_path / "way")
    assert "SYNTHETIC" in page
    assert (tmp_path / "way" / "hazard_carried" / "report" / "html" / "index.html").exists()
    assert not (tmp_path / "way" / "hazard_detected").exists()
    used = yaml.safe_load((tmp_path / "way" / "hazard_carried.yaml").read_text())["target"]
    assert used["observation"].endswith("inventory/observation.nc")
    page = (tmp_path / "way" / "report" / "html" / "error.html").read_text(encoding="utf-8")
    assert "Ground that did not calibrate" in page


@pytest.mark.nightly
def test_hazard_is_fitted_on_all_inventories_and_compared(tmp_path):
    page = whole_way(
        tmp_path / "way", "--set", "hazard.plain=true", "--set", "hazard.reference=true"
    )
    skill = pd.read_csv(tmp_path / "way" / "hazard_skill.csv")
    assert set(skill["side"]) == {
        "detected", "carried", "reference", "difference", "carried_difference", "gain",
    }  # fmt: skip
    assert "What detection costs" in page
