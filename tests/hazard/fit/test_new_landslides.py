"""What is new in an epoch: by date, or by ground that no landslide of the inventory before had."""

import datetime as dt

import geopandas as gpd
import numpy as np
import pytest
from shapely import box

from hazard.config.schema import HazardConfig
from hazard.fit.new_landslides import landslides_by_epoch, new_outlines
from hazard.geo.grid import Grid

CRS = "EPSG:32645"
GRID = Grid.from_bounds(CRS, (300e3, 3e6, 310e3, 3.01e6), cell_m=1000)
EPOCHS = [
    {"name": name, "start": dt.date(2015 + k, 1, 1), "end": dt.date(2015 + k, 12, 31),
     "season": "other"}
    for k, name in enumerate(("first", "second", "third"))
]  # fmt: skip


def square(x, y, side=100.0):
    return box(300e3 + x, 3e6 + y, 300e3 + x + side, 3e6 + y + side)


def config(folder, target):
    return HazardConfig.model_validate(
        {
            "name": "new", "title": "New landslides", "target": target,
            "study": {
                "event": {"name": "quake", "date": "2015-01-01", "magnitude": 7.0},
                "epoch_dates": "observed", "pixels_per_cell": 4, "epochs": EPOCHS,
                "grid": {"crs": CRS, "cell_m": 1000.0},
            },
            "terrain": {"elevation": str(folder / "dem.tif")},
        }
    )  # fmt: skip


def write(path, shapes, **columns):
    gpd.GeoDataFrame(columns, geometry=shapes, crs=CRS).to_file(path, engine="pyogrio")
    return str(path)


def test_cumulative_inventories_give_what_shares_no_ground_with_the_one_before(tmp_path):
    baseline = write(tmp_path / "old.gpkg", [square(0, 0)])
    first = write(tmp_path / "a.gpkg", [square(50, 0), square(1000, 0)])
    third = write(
        tmp_path / "c.gpkg",
        # Grown, new, and two that only touch older ones.
        [square(950, 0, 200.0), square(5000, 5000), square(150, 0), square(1100, 0)],
    )
    target = {"kind": "cumulative", "files": [first, None, third], "baseline": baseline}
    found = landslides_by_epoch(config(tmp_path, target), GRID, tmp_path, synthetic=True)
    assert [(e.name, e.n) for e in found] == [("first", 1), ("third", 3)]
    # Nobody looked in the second epoch: what came in it is in the third's.
    assert [e.days for e in found] == [365, 366 + 365]
    frame = gpd.read_file(found[1].path)
    assert frame.crs.to_epsg() == 32645
    assert sorted(frame.geometry.centroid.x - 300e3) == pytest.approx([200.0, 1150.0, 5050.0])


def test_dated_inventories_give_each_landslide_once(tmp_path):
    file = write(
        tmp_path / "dated.gpkg", [square(0, 0), square(500, 0), square(900, 0)],
        year=[2015, 2017, 2017],
    )  # fmt: skip
    target = {"kind": "dated", "file": file, "columns": {"year": "year"}}
    found = landslides_by_epoch(config(tmp_path, target), GRID, tmp_path, synthetic=False)
    assert [(e.name, e.n) for e in found] == [("first", 1), ("second", 0), ("third", 2)]
    assert not found[1].path.exists()


def test_a_touch_is_no_shared_ground_and_an_empty_past_makes_all_new():
    now = np.array([square(0, 0), square(200, 0)])
    assert new_outlines(now, np.zeros(0, dtype=object)).tolist() == [True, True]
    assert new_outlines(now, np.array([square(100, 0)])).tolist() == [True, True]
    assert new_outlines(now, np.array([square(99, 0)])).tolist() == [False, True]
