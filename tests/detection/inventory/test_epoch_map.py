"""Epochs from files: projected, repaired, cut to size; real inventories through the whole way."""

import datetime as dt

import geopandas as gpd
import numpy as np
import pytest
import shapely

from detection.inventory.epoch_map import EpochMap, footprint_of_mask, read_epoch_map
from detection.inventory.records import TrackingSettings
from detection.inventory.tables import areas_table, sums_in_words
from detection.inventory.track import track
from hazard.errors import DataError
from hazard.geo.grid import Grid
from tests.detection.inventory.hand_made import UTM

YEAR = {"name": "2015", "start": dt.date(2015, 1, 1), "end": dt.date(2015, 12, 31)}


def write(path, *shapes, crs="EPSG:32645"):
    gpd.GeoDataFrame(geometry=list(shapes), crs=crs).to_file(path)
    return path


def test_files_of_other_projections_and_resolutions_come_together(tmp_path):
    bow = shapely.Polygon([(500_000, 3_100_000), (500_100, 3_100_100), (500_100, 3_100_000),
                           (500_000, 3_100_100)])  # fmt: skip
    small = shapely.box(501_000, 3_100_000, 501_010, 3_100_010)
    utm = write(tmp_path / "utm.gpkg", bow, small)
    degrees = tmp_path / "degrees.gpkg"
    gpd.read_file(utm).to_crs("EPSG:4326").to_file(degrees)
    seen = write(tmp_path / "seen.gpkg", shapely.box(499_000, 3_099_000, 502_000, 3_101_000))
    one = read_epoch_map(utm, **YEAR, footprint=seen, minimum_area_m2=200.0)
    other = read_epoch_map(degrees, **YEAR, crs="EPSG:32645", minimum_area_m2=200.0)
    assert shapely.area(one.geometries).tolist() == pytest.approx([5000.0])
    assert shapely.area(other.geometries).sum() == pytest.approx(5000.0, rel=1e-4)
    assert one.footprint.area == 6e6
    assert any("below 200 m2" in note for note in one.notes)
    with pytest.raises(DataError, match="in metres"):
        read_epoch_map(degrees, **YEAR)


def test_a_mask_of_seen_pixels_is_a_footprint_with_its_holes():
    grid = Grid.from_bounds("EPSG:32645", (0, 0, 50, 50), cell_m=10)
    seen = np.ones(grid.shape, dtype=bool)
    seen[2, 2] = False
    footprint = footprint_of_mask(seen, grid)
    assert footprint.area == 2400.0
    assert not footprint.contains(shapely.Point(25, 25))
    assert footprint_of_mask(np.zeros(grid.shape, dtype=bool), grid).is_empty


def test_what_is_no_polygon_is_refused():
    with pytest.raises(DataError, match="no valid polygons"):
        EpochMap(**YEAR, geometries=np.array([shapely.Point(0, 0)]), crs=UTM)


def real(data_dir, region, years, pixel_m, **more):
    file = data_dir / "inventories" / f"{region}.zip"
    return [
        read_epoch_map(file, member=str(year), name=str(year), start=dt.date(year, 1, 1),
                       end=dt.date(year, 12, 31), pixel_m=pixel_m, **more)
        for year in years
    ]  # fmt: skip


@pytest.mark.data
def test_the_nepal_inventories_add_up_and_are_lists_of_what_is_new(data_dir):
    """Published maps of one year against the others: almost nothing persists, much comes again."""
    maps = real(data_dir, "Nepal", (2013, 2014, 2015, 2016, 2017, 2018, 2019), 3.0)
    found = track(maps, settings=TrackingSettings(minimum_part_m2=200.0))
    assert found.gaps() == []
    table = areas_table(found).set_index("epoch")
    assert table.n_mapped.tolist() == [35, 21, 98, 28, 18, 12, 24]
    assert table.persistent_m2["2015":].sum() < 0.01 * table.visible_m2["2015":].sum()
    assert table.reactivated_m2["2017"] / table.visible_m2["2017"] == pytest.approx(0.21, abs=0.03)
    assert sums_in_words(found)[2].startswith("2015: visible 1.1236 km2 = new 0.8")


@pytest.mark.data
@pytest.mark.slow
def test_the_china_inventories_add_up(data_dir):
    years = (2009, 2011, 2013, 2014, 2017, 2018, 2019, 2021)
    found = track(real(data_dir, "China", years, 5.0),
                  settings=TrackingSettings(minimum_part_m2=200.0))  # fmt: skip
    assert found.gaps() == []
    table = areas_table(found).set_index("epoch")
    assert table.n_mapped.tolist() == [10335, 1552, 370, 560, 140, 198, 349, 414]
    whole = table.new_m2 + table.expanded_m2 + table.reactivated_m2 + table.persistent_m2
    assert np.allclose(whole, table.visible_m2, rtol=1e-6)
    before = table.persistent_m2 + table.recovered_m2 + table.unobserved_m2
    assert np.allclose(before, table.before_m2, rtol=1e-6)
    assert table.ever_m2["2021"] == pytest.approx(88.03e6 + 6.24e6, rel=0.01)
