"""The detection error of a run: which ground it comes from, what is written, what is said."""

import datetime as dt
import io
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import shapely
import yaml
from affine import Affine
from pyproj import CRS, Transformer

from benchmarks import images_to_hazard as benchmark
from detection.config.map import MapConfig
from detection.config.schema import load_config
from detection.inventory.epoch_map import EpochMap
from detection.inventory.ground import as_geometries
from detection.inventory.records import TrackingSettings
from detection.inventory.track import track
from detection.inventory.write import write_multi_temporal
from detection.map.error_page import error_page
from detection.map.error_stage import DetectionError, Lattice, error_stage
from detection.map.folder import FIT
from detection.map.held_out import learnt_ground, slope_on, unseen_by_network
from detection.observation.model import read_model
from detection.observation.survey import Survey, as_seen
from detection.patches.manifest import write_manifest
from detection.patches.patch_set import PatchOrigin, PatchSet
from detection.patches.split_record import ROLES, Split
from detection.scenes.catalogue import SceneEntry, write_catalogue
from hazard.errors import DataError
from hazard.geo.grid import Grid
from hazard.geo.store import open_netcdf
from stats.command.frame import Session
from stats.command.log import Log
from stats.command.progress import SilentReporter
from tests.detection.scenes.made_files import BANDS, CORNER, counts, write_polygons, write_raster

UTM = CRS("EPSG:32645")
WEST, NORTH = CORNER
SIDE = 6000.0
GROUND = shapely.box(WEST, NORTH - SIDE, WEST + SIDE, NORTH)
CLOUD = shapely.box(WEST, NORTH - 1000, WEST + 1000, NORTH)
CELLS = Grid(crs=UTM, transform=Affine(500, 0, WEST, 0, -500, NORTH), shape=(12, 12))


def told():
    stream = io.StringIO()
    return Session(log=Log(stream=stream), reporter=SilentReporter()), stream


def epochs(first, second, *, cloud=None):
    maps = [
        EpochMap(
            name=name, start=dt.date(2015, month, 1), end=dt.date(2015, month, 28), crs=UTM,
            geometries=as_geometries(boxes), footprint=ground, pixel_m=10.0,
        )
        for name, month, boxes, ground in (
            ("before", 5, first, GROUND if cloud is None else GROUND - cloud),
            ("after", 11, second, GROUND),
        )
    ]  # fmt: skip
    return track(maps, settings=TrackingSettings(tolerance_m=0.0))


@pytest.fixture(scope="module")
def inventories():
    """Squares in cells of 300 m, each alone; two in three are found, the larger ones oftener."""
    rng = np.random.default_rng(5)
    reference, detected = ([], []), ([], [])
    for place in range(400):
        row, column = divmod(place, 20)
        x, y = WEST + 300 * column + 100, NORTH - 300 * row - 200
        side = np.sqrt(400.0 * rng.random() ** (-1 / 1.5)).clip(20, 180)
        epoch = int(rng.integers(2))
        found = rng.random() < 1 / (1 + np.exp(-np.log(side**2 / 500)))
        for k in range(epoch, 2):
            reference[k].append(shapely.box(x, y, x + side, y + side))
            if found:
                detected[k].append(shapely.box(x, y, x + side, y + 1.05 * side))
        if place % 12 == 0:
            detected[epoch].append(shapely.box(x + 190, y, x + 215, y + 20))
    detected[1].extend(box for box in detected[0] if not any(box.equals(b) for b in detected[1]))
    seen = ([box for box in detected[0] if not box.intersects(CLOUD)], detected[1])
    return epochs(*seen, cloud=CLOUD), epochs(*reference)


@pytest.fixture(scope="module")
def elevation(tmp_path_factory):
    rows, columns = np.mgrid[:80, :80]
    heights = (1000 + 60 * np.abs(columns - 40) + 10 * rows).astype(np.float32)
    heights[:2] = -9999
    return write_raster(
        tmp_path_factory.mktemp("elevation") / "dem.tif", heights, pixel=100.0, nodata=-9999,
        corner=(WEST - 1000, NORTH + 1000),
    )  # fmt: skip


def config(**error):
    return MapConfig.model_validate(
        {"name": "way", "title": "The way", "data": "scenes", "model": "model",
         "polygons": {"minimum_area_m2": 400}, "seed": 3,
         "error": {"ground": "all", "block_m": 500, "draws": 60, **error}}
    )  # fmt: skip


def staged(run, inventories, lattice, *, reference=True, **error):
    session, stream = told()
    detected, known = inventories
    chosen = config(**error)
    write_multi_temporal(run / "inventory", detected)
    found = error_stage(chosen, detected, known if reference else None, lattice, run, session)
    return found, stream.getvalue().splitlines()


@pytest.fixture(scope="module")
def finished(inventories, elevation, tmp_path_factory):
    run = tmp_path_factory.mktemp("run")
    lattice = Lattice(elevation=elevation, cells=CELLS, pixels_per_cell=10)
    return run, *staged(run, inventories, lattice)


def test_half_of_the_blocks_calibrate_and_the_others_check(finished):
    run, found, lines = finished
    model = read_model(run / "inventory" / "detection_error.json")
    assert model.n_blocks == 72
    assert 120 < model.n_reference < 260
    assert found.calibration.reference_m2.size == model.n_reference
    assert model.n_reference + found.checks.reference_m2.size == pytest.approx(400, abs=15)
    low, high = model.interval("recall_area", 0.99)
    assert low < 1.0 < high
    assert any("72 of these blocks" in line for line in lines)
    assert any(f"{model.n_reference} reference landslides" in line for line in lines)


def test_sizes_are_compared_on_the_ground_that_did_not_calibrate(finished):
    run, found, _ = finished
    table = pd.read_csv(run / "carried_sizes.csv")
    assert set(table["way"]) == {"detected", "carried", "reference"}
    every, table = (table[table["ground"] == name] for name in ("all", "checked"))
    assert set(every["way"]) == {"detected", "carried"}
    assert (every["n"] > table["n"].max()).all()
    rows = table.set_index(["quantity", "way"])
    assert rows.loc[("total_m2", "reference"), "n"] == found.checks.reference_m2.size
    total = rows.loc[("total_m2", "reference"), "value"]
    assert total == pytest.approx(found.checks.reference_m2.sum())
    carried = rows.loc[("total_m2", "carried")]
    assert carried["low"] < total < carried["high"]
    assert carried["value"] > rows.loc[("total_m2", "detected"), "value"]


def test_the_observation_lies_on_the_cells_and_knows_the_cloud(finished):
    run, found, _ = finished
    with open_netcdf(run / "inventory" / "observation.nc") as layer:
        share = layer["observation_probability"].to_numpy()
        false = layer["false_alarms"].to_numpy()
        names = layer["epoch"].attrs["names"]
        assert np.array_equal(layer["x"], CELLS.x)
    assert share.shape == (2, *CELLS.shape)
    assert names == "before, after"
    assert (share[0, :2, :2] == 0).all()
    assert (false[0, :2, :2] == 0).all()
    clear = np.ones(CELLS.shape, dtype=bool)
    clear[:2, :2] = False
    factor = found.factors.recall
    assert np.allclose(share[0][clear] / factor[0], share[1][clear] / factor[1], rtol=1e-4)
    observed = found.calibration.found.mean()
    assert share[1].mean() / factor[1] == pytest.approx(observed, abs=0.05)


def test_cells_of_another_coordinate_system_are_scored_where_they_lie(finished):
    _, found, _ = finished
    x, y = (axis.ravel() for axis in np.meshgrid(CELLS.x, CELLS.y))
    on = found.scored(x, y)
    assert on.sum() == 72
    other = CRS("EPSG:32644")
    moved = replace(found, cells=Grid.covering(CELLS, other, cell_m=500))
    east, north = Transformer.from_crs(UTM, other, always_xy=True).transform(x, y)
    assert np.array_equal(moved.scored(east, north), on)
    assert not moved.scored(x, y).any()
    with pytest.raises(ValueError, match="no checking ground"):
        replace(found, ground=None).scored(x, y)


def test_mean_presence_is_put_right_on_other_ground(finished, inventories):
    _, found, _ = finished
    detected, reference = inventories
    rows = benchmark.presence_rows(
        found, detected, as_seen(reference, detected), CELLS, 0.9, np.random.default_rng(0)
    )
    own = {row["way"]: row for row in rows}
    truth = own["reference"]["value"]
    assert own["detected"]["high"] < truth
    assert own["carried"]["low"] < truth < own["carried"]["high"]
    # Cells of the checking blocks in both epochs, those under cloud in one only.
    assert own["reference"]["n"] in range(2 * 72 - 4, 2 * 72 + 1)
    sizes = [row for row in found.sizes.rows if row["ground"] == "checked"]
    text = list(benchmark.lines_of(7, [*sizes, *rows]))
    assert len(text) == 6
    assert "misses" in text[-2]
    assert "holds" in text[-1]
    table = list(benchmark.summary([{"rows": rows}, {"rows": []}]))
    assert "holds 1 of 1" in table[-1]
    assert "holds 0 of 1" in table[-2]
    assert "of 0" in table[0]


def test_an_inventory_with_its_error_can_be_made_again(finished, inventories):
    run, *_ = finished
    record = json.loads((run / "inventory" / "inventory.json").read_text())
    assert {"detection_error.json", "observation.nc"} <= set(record["files"])
    write_multi_temporal(run / "inventory", inventories[0])
    assert not (run / "inventory" / "observation.nc").exists()


def test_the_page_holds_both_and_what_cannot_be_modelled(finished, tmp_path):
    (tmp_path / "figures").mkdir()
    page = error_page(finished[1], tmp_path, synthetic=True)
    text = "\n".join(page.parts)
    for words in ("did not calibrate", "detection error carried on", "as detected", "reference",
                  "cannot model", "Recall, splits and merges"):  # fmt: skip
        assert words in text, words
    assert {p.name for p in (tmp_path / "figures").iterdir()} == {
        "detection_error.png",
        "carried_sizes_all.png",
        "carried_sizes_checked.png",
    }
    none = error_page(DetectionError(words=("No detection error: why.",)), tmp_path, synthetic=True)
    assert "No detection error: why" in "\n".join(none.parts)


@pytest.mark.parametrize(
    ("error", "reference", "words"),
    [
        ({"least_landslides": 5000}, True, "error.least_landslides 5000"),
        ({}, False, "no reference inventory"),
        ({"calibrate": False}, True, "error.calibrate is false"),
        ({"ground": None}, True, "error.ground does not say"),
        ({"block_m": 6000, "share": 1.0}, True, "blocks"),
    ],
)
def test_where_nothing_is_known_one_line_says_why(inventories, tmp_path, error, reference, words):
    found, lines = staged(tmp_path, inventories, Lattice(elevation=None), reference=reference,
                          **error)  # fmt: skip
    assert found.model is None
    assert sum("No detection error" in line and words in line for line in lines) == 1
    assert not (tmp_path / "inventory" / "detection_error.json").exists()
    assert not (tmp_path / "carried_sizes.csv").exists()


def test_where_all_blocks_calibrate_nothing_is_checked(inventories, tmp_path):
    found, lines = staged(tmp_path, inventories, Lattice(elevation=None), share=1.0)
    assert found.ground is None
    assert found.checks is None
    assert found.model.n_blocks == 144
    assert not found.model.with_terrain
    assert {row["way"] for row in found.sizes.rows} == {"detected", "carried"}
    assert any("none is left to check" in line for line in lines)


def test_larger_landslides_get_an_error_of_their_own(inventories, tmp_path):
    found, _ = staged(tmp_path, inventories, Lattice(elevation=None), sizes_above_m2=700)
    stored = read_model(tmp_path / "inventory" / "detection_error_sizes.json")
    assert (found.model.minimum_m2, stored.minimum_m2) == (400.0, 700.0)
    assert stored.n_reference < found.model.n_reference
    for row in found.sizes.rows:
        if row["ground"] == "checked":
            assert row["n"] < found.checks.reference_m2.size


def test_a_stored_error_serves_ground_without_a_reference(finished, inventories, tmp_path):
    _, first, _ = finished
    stored = tmp_path / "detection_error.json"
    stored.write_text(json.dumps(first.model.to_json()))
    lattice = Lattice(elevation=None)
    found, lines = staged(tmp_path, inventories, lattice, reference=False, model=str(stored))
    assert np.array_equal(found.model.draws, first.model.draws)
    assert {row["way"] for row in found.sizes.rows} == {"detected", "carried"}
    assert any("none of them of this run" in line for line in lines)
    known, _ = staged(tmp_path, inventories, lattice, model=str(stored))
    assert known.checks.reference_m2.size > first.checks.reference_m2.size
    assert "reference" in {row["way"] for row in known.sizes.rows}
    other = first.model.to_json() | {"minimum_m2": 200.0}
    stored.write_text(json.dumps(other))
    with pytest.raises(DataError, match=r"minimum_area_m2"):
        staged(tmp_path, inventories, lattice, model=str(stored))


def test_slope_has_no_gaps(elevation):
    pixels = Grid.from_bounds(UTM, (WEST - 1000, NORTH, WEST + 1000, NORTH + 1000), cell_m=50)
    slope = slope_on(pixels, elevation)
    assert np.isfinite(slope).all()
    assert slope[-1, 10] == pytest.approx(np.degrees(np.arctan(np.hypot(0.6, 0.1))), abs=0.5)


def trained_study(folder, **changes):
    """A study of real scenes with its manifest: one training, one validation, one test patch."""
    entry = SceneEntry(
        name="one", region="here", epoch="e", date=dt.date(2015, 6, 1), bands=BANDS, unit="dn",
        image=(write_raster(folder / "one.tif", counts(96, 96)),),
        inventory=write_polygons(folder / "one.gpkg", [shapely.box(WEST, NORTH - 50, WEST + 50,
                                                                   NORTH)]),
    )  # fmt: skip
    write_catalogue(folder, [entry])
    yes = np.ones((3, 32, 32), bool)
    patches = PatchSet(
        bands=BANDS, unit="dn", pixel_m=10.0, valid=yes, truth=yes, known=yes,
        image=np.random.default_rng(0).random((3, 32, 32, 4)).astype(np.float32),
        origin=tuple(
            PatchOrigin(scene="one", region="here", epoch="e", row=row, column=0)
            for row in (0, 32, 64)
        ),
    )  # fmt: skip
    role = np.array([ROLES[name] for name in ("train", "validation", "test")], dtype=np.int8)
    run = folder / "run"
    (run / FIT).mkdir(parents=True)
    write_manifest(run / FIT / "manifest.json", patches, Split(name="x", unit="y", role=role))
    study = {"name": "fit", "title": "Fit", "data": str(folder),
             "networks": [{"name": "default"}]} | changes  # fmt: skip
    (folder / "fit.yaml").write_text(yaml.safe_dump(study))
    return run


def mapped(folder, **changes):
    """A run that trains its network by fit.yaml, and ground of 1 km."""
    chosen = MapConfig.model_validate(
        {"name": "way", "title": "The way", "data": str(folder),
         "fit": {"config": str(folder / "fit.yaml")}} | changes
    )  # fmt: skip
    pixels = Grid(crs=UTM, transform=Affine(50, 0, WEST, 0, -50, NORTH), shape=(20, 20))
    ground = Survey(pixels=pixels, slope_deg=None, seen=np.ones((1, 20, 20), bool), block_m=500.0)
    return chosen, ground


def test_ground_of_training_and_validation_patches_does_not_calibrate(tmp_path):
    run = trained_study(tmp_path)
    chosen, ground = mapped(tmp_path)
    free, why = unseen_by_network(chosen, run, ground)
    # Patches of 320 m: two of them, and every pixel of 50 m that they touch.
    assert not free[:13, :7].any()
    assert free[14:].all()
    assert free[:, 8:].all()
    assert "without the patches" in why
    boxes = learnt_ground(
        load_config(tmp_path / "fit.yaml"), run / FIT / "manifest.json", ground.pixels
    )
    assert shapely.union_all(boxes).bounds == (WEST, NORTH - 640, WEST + 320, NORTH)


def test_rendered_ground_of_the_same_seed_is_no_other_ground(tmp_path):
    run = trained_study(tmp_path, data="", embedded={"seed": 4})
    for seed, free in ((4, False), (5, True)):
        chosen, ground = mapped(tmp_path, data="", embedded={"regions": ["nepal_like"],
                                                             "seed": seed})  # fmt: skip
        found, why = unseen_by_network(chosen, run, ground)
        assert (found is not None) == free
        assert str(seed) in why


def test_named_ground_is_taken(tmp_path):
    west = write_polygons(tmp_path / "west.gpkg", [shapely.box(WEST, NORTH - 1000, WEST + 500,
                                                               NORTH)])  # fmt: skip
    run = trained_study(tmp_path)
    chosen, ground = mapped(tmp_path, error={"ground": str(west)})
    free, why = unseen_by_network(chosen, run, ground)
    assert free[:, :10].all()
    assert not free[:, 10:].any()
    assert "west.gpkg" in why
