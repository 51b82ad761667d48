"""The configuration of hazard.fit, and the comparison of what two of its runs are worth."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import yaml
import zarr

from detection.map.hazard_run import merged_study, run_hazard, write_study
from detection.map.skill import DIFFERENCES, skill_rows
from hazard.errors import ConfigError, DataError, UserError
from stats.command.frame import Session
from stats.command.log import Log
from stats.command.predictions_read import open_held_out
from stats.command.progress import SilentReporter
from tests.hazard.evaluate.planted import law_fields, model, planted_run, world

SECTIONS = {
    "study": {"epochs": [{"name": "one", "start": "2015-01-01", "end": "2015-06-01"}]},
    "target": {"kind": "cumulative", "files": ["seen/01.gpkg"]},
}


def test_epochs_and_landslides_are_replaced_and_the_rest_stays(tmp_path):
    template = tmp_path / "hazard.yaml"
    template.write_text(
        "name: mine\ntitle: Mine\nseed: 4\nif_missing: {world: {extent_cells: [32, 40]}}\n"
        "study: {event: {name: e, date: 2015-01-01}, grid: {crs: EPSG:32645, cell_m: 500}}\n"
        "target: {kind: dated, file: mine.gpkg, columns: {year: y}}\n"
        "terrain: {elevation: mine.tif, resampling: cubic}\n"
    )
    made = merged_study(
        template, SECTIONS, name="new", title="New", own={"terrain": {"elevation": "/dem.tif"}}
    )
    assert made["target"] == SECTIONS["target"]
    assert made["study"]["epochs"] == SECTIONS["study"]["epochs"]
    assert made["study"]["grid"]["cell_m"] == 500
    assert made["terrain"] == {"elevation": "/dem.tif", "resampling": "cubic"}
    assert (made["name"], made["seed"]) == ("new", 4)
    assert "if_missing" not in made
    written = write_study(tmp_path / "made.yaml", made, source=template)
    assert yaml.safe_load(written.read_text())["target"] == SECTIONS["target"]


def test_a_template_with_problems_is_refused(tmp_path):
    template = tmp_path / "hazard.yaml"
    template.write_text("name: a\nname: b\n")
    with pytest.raises(ConfigError, match="name"):
        merged_study(template, SECTIONS, name="n", title="t", own={})


def test_a_hazard_run_that_fails_is_an_error(tmp_path):
    config = tmp_path / "hazard.yaml"
    config.write_text("name: a\nnonsense: 1\n")
    quiet = Session(log=Log(quiet=True), reporter=SilentReporter())
    with pytest.raises(UserError, match="exit code 2"):
        run_hazard(config, tmp_path / "out", quiet, resume=False)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A forecast that knows the world, one that was fitted on half of it, and one in between."""
    p, mu, density = world(3)
    seen = np.where(np.random.default_rng(1).random(p.shape) < 0.5, density, 0.0)
    folders = {}
    sides = ("reference", p, density), ("detected", 0.5 * p, seen), ("carried", 0.9 * p, seen)
    for side, field, mapped in sides:
        folder = tmp_path_factory.mktemp(side)
        forecasts = {("forward_chaining", "network"): law_fields(field, mu)}
        record = replace(model("network", "network"), true_presence=side == "carried")
        planted_run(folder, mapped, forecasts, models=[record])
        folders[side] = folder
    # What the detector records of it is another probability, which is not the one to be scored.
    root = zarr.open_group(folders["carried"] / "predictions.zarr", mode="r+")
    for name, value in (("observation_probability", 0.5), ("false_alarms", 0.1)):
        root.create_array(name, data=np.full(p.shape, value, dtype=np.float32))
    return folders


def scored(runs, **changes):
    options = {"scheme": "forward_chaining", "block_m": 8000.0, "draws": 200, "seed": 1} | changes
    rows = skill_rows(runs, **options)
    return {(row["score"], row["side"]): row for row in rows}


def two(runs):
    return {side: runs[side] for side in ("detected", "reference")}


def test_half_of_the_landslides_cost_rate_and_not_order(runs):
    found = scored(two(runs))
    assert {side for _, side in found} == {"detected", "reference", "difference"}
    order = found["auc", "difference"]
    assert order["value"] == pytest.approx(0.0, abs=1e-9)
    area = found["area_ratio", "detected"]["value"] / found["area_ratio", "reference"]["value"]
    assert area == pytest.approx(0.5, abs=1e-6)
    loss = found["log_score", "difference"]
    assert 0 < loss["low"] < loss["value"] < loss["high"]
    # The rate alone is wrong, so correcting it leaves little to lose.
    assert abs(found["log_score_corrected", "difference"]["value"]) < 0.25 * loss["value"]
    assert loss["unit"] == "8 km block"
    assert loss["n"] == found["auc", "reference"]["n"] > 500


def test_the_same_run_twice_differs_in_nothing(runs):
    same = dict.fromkeys(("detected", "carried", "reference"), runs["reference"])
    for (score, side), row in scored(same).items():
        if side in DIFFERENCES:
            assert (row["value"], row["low"], row["high"]) == (0.0, 0.0, 0.0), score


def test_what_carrying_the_error_on_gains_is_paired(runs):
    found = scored(runs)
    for score in ("log_score", "brier"):
        gain = found[score, "gain"]
        sides = (found[score, f"{side}difference"] for side in ("carried_", ""))
        assert gain["value"] == pytest.approx(next(sides)["value"] - next(sides)["value"])
        assert gain["low"] < gain["high"] < 0.0, score
    area = found["area_ratio", "carried"]["value"] / found["area_ratio", "reference"]["value"]
    assert area == pytest.approx(0.9, abs=1e-6)


def test_only_cells_that_count_are_scored(runs):
    every = scored(runs)["brier", "gain"]
    middle = float(np.median(open_held_out(runs["reference"]).root["x"][:]))
    west = scored(runs, counts=lambda x, y: x < middle)["brier", "gain"]
    east = scored(runs, counts=lambda x, y: x >= middle)["brier", "gain"]
    assert west["n"] + east["n"] == every["n"]
    assert west["n_units"] < every["n_units"]
    parts = west["n"] * west["value"] + east["n"] * east["value"]
    assert every["value"] == pytest.approx(parts / every["n"])


def test_other_cells_or_schemes_are_refused(runs, tmp_path):
    with pytest.raises(DataError, match="no model with forecasts"):
        scored(runs, scheme="spatial_blocks")
    moved = tmp_path / "moved"
    shutil.copytree(runs["detected"], moved)
    root = zarr.open_group(moved / "predictions.zarr", mode="r+", use_consolidated=False)
    root["x"][:] = np.asarray(root["x"][:]) + 500.0
    with pytest.raises(DataError, match="other cells"):
        scored({**runs, "detected": moved})
