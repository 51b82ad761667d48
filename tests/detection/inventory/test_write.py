"""The written folder: read back by our own readers and by a hazard study, as it is."""

import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
import yaml

from detection.inventory.records import TrackingSettings
from detection.inventory.track import track
from detection.inventory.write import write_multi_temporal
from hazard.config.parsing import parse_yaml
from hazard.config.schema import HazardConfig
from hazard.config.validation import validate
from hazard.cube.target_layers import read_target
from hazard.geo.grid import Grid
from stats.command.errors import UsageError
from stats.command.inventory_table import STANDARD_MAP, read_inventory_table
from tests.detection.inventory.hand_made import epoch

GRID = Grid.from_bounds("EPSG:32645", (0, 0, 1000, 500), cell_m=100)
EVERYWHERE = (0, 0, 1000, 500)


def series():
    """A landslide that cloud hides, one that grows, one that heals and fails again."""
    hidden, grows, heals = (10, 10, 60, 60), (310, 110, 380, 160), (700, 300, 760, 390)
    return [
        epoch(2015, hidden, grows, heals, footprint=EVERYWHERE),
        epoch(2016, (310, 110, 450, 160), footprint=(200, 0, 1000, 500)),
        epoch(2017, hidden, grows, heals, (900, 10, 950, 60), footprint=EVERYWHERE),
    ]


@pytest.fixture
def written(tmp_path):
    found = track(series())
    return found, write_multi_temporal(tmp_path / "out", found, minimum_mapping_area_m2=100.0)


def hazard_study(folder, tmp_path):
    """A hazard configuration whose landslides are the written sections, unchanged."""
    sections = yaml.safe_load((folder / "hazard.yaml").read_text())
    sections["study"] |= {
        "event": {"name": "made by hand", "date": "2015-01-01"},
        "grid": {"crs": "EPSG:32645", "cell_m": 100, "bounds": [0, 0, 1000, 500]},
    }
    terrain = {"elevation": str(tmp_path / "dem.tif")}
    whole = {"name": "made", "title": "made", "terrain": terrain} | sections
    return validate(HazardConfig, parse_yaml(yaml.safe_dump(whole)))


def test_a_hazard_study_reads_new_and_expanded_ground_and_what_was_not_seen(written, tmp_path):
    found, folder = written
    series_read = read_target(hazard_study(folder, tmp_path), GRID).series
    assert [e.name for e in series_read.epochs] == ["2015", "2016", "2017"]
    # Unseen cells have no density, and absence elsewhere is 0.
    assert (~series_read.observed[1]).sum() == 5 * 2
    assert np.isnan(series_read.area_m2[1][4, 0])
    assert series_read.area_m2[1][0, 9] == 0.0
    for t, parts in enumerate(found.epochs):
        gained = parts.area_m2("new", "expanded")
        assert np.nansum(series_read.area_m2[t]) == pytest.approx(gained, rel=1e-9)
    # Neither the landslide behind cloud nor the one that failed again is new in 2017.
    assert series_read.area_m2[2][4, 0] == 0.0
    assert series_read.area_m2[2][4, 9] == pytest.approx(2500.0)


def test_the_published_subtraction_reaches_a_hazard_study_too(tmp_path):
    found = track(series(), settings=TrackingSettings(memory="previous"))
    folder = write_multi_temporal(tmp_path / "previous", found)
    series_read = read_target(hazard_study(folder, tmp_path), GRID).series
    # Healed ground that fails again is new to it.
    assert np.nansum(series_read.area_m2[2]) == pytest.approx(5400.0 + 2500.0)


def test_a_baseline_is_what_was_there_before(tmp_path):
    found = track(series(), baseline=epoch(2014, (10, 10, 60, 60), footprint=EVERYWHERE))
    folder = write_multi_temporal(tmp_path / "based", found)
    series_read = read_target(hazard_study(folder, tmp_path), GRID).series
    assert series_read.area_m2[0][4, 0] == 0.0
    assert np.nansum(series_read.area_m2[0]) == pytest.approx(3500.0 + 5400.0)


def test_layers_and_tables_hold_what_was_found(written):
    _, folder = written
    parts = gpd.read_file(folder / "parts" / "02_2016.gpkg")
    assert parts.crs == "EPSG:32645"
    assert dict(zip(parts.status, parts.area_m2, strict=True)) == {
        "expanded": 3500.0, "persistent": 3500.0, "recovered": 5400.0, "unobserved": 2500.0,
    }  # fmt: skip
    table = read_inventory_table(folder / "visible" / "03_2017.gpkg", columns=STANDARD_MAP)
    assert table.minimum_mapping_area_m2 == 100.0
    assert sorted(table.frame.landslide_id) == [1, 2, 3, 4]
    dated = read_inventory_table(
        folder / "parts" / "03_2017.gpkg", columns=STANDARD_MAP
    ).frame.set_index("landslide_id")
    assert str(dated.date_start[4].date()) == "2017-01-01"
    summary = pd.read_csv(folder / "areas.csv")
    assert summary.epoch.tolist() == [2015, 2016, 2017]
    assert summary.new_m2[2] == pytest.approx(2500.0)
    record = json.loads((folder / "inventory.json").read_text())
    assert (record["layout"], record["layout_version"]) == ("multi-temporal-inventory", 1)
    assert set(record["files"]) == {
        str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()
    } - {"inventory.json"}


def test_an_epoch_in_which_nothing_shows_is_written_and_read(tmp_path):
    found = track([epoch(2015, footprint=EVERYWHERE), epoch(2016, (10, 10, 60, 60))])
    folder = write_multi_temporal(tmp_path / "out", found)
    read = read_target(hazard_study(folder, tmp_path), GRID).series
    assert read.area_m2[0].sum() == 0.0
    assert read.area_m2[1].sum() == pytest.approx(2500.0)


def test_a_folder_of_something_else_is_left_alone(tmp_path, written):
    found, folder = written
    assert write_multi_temporal(folder, found) == folder
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"notes\.txt"):
        write_multi_temporal(folder, found)
    assert (folder / "notes.txt").read_text() == "mine"
    assert not shapely.is_empty(gpd.read_file(folder / "seen" / "01_2015.gpkg").geometry).any()
