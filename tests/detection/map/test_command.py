"""The command: a run folder that is whole, keeps what is done, and says what cannot be used."""

import datetime as dt
import json
import os
import subprocess
import sys

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import yaml

from detection.config.map import MapConfig, load_map_config
from detection.map.dry_run import map_lines
from detection.map.folder import run_folder_of
from detection.map.run import map_run
from detection.patches.preparation import Preparation
from detection.scenes.catalogue import SceneEntry, write_catalogue
from detection.training.model import DetectionModel
from detection.training.model_file import save_model
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
