"""Inventories on a grid: reprojection, what lies outside, and totals."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from hazard.errors import DataError
from hazard.geo.cell_area import cell_landslide_area
from hazard.geo.grid import Grid
from hazard.geo.inventory import read_inventory, to_grid
from stats.command.inventory_table import ColumnMap, read_inventory_table

UTM = "EPSG:32645"
GRID = Grid.from_bounds(UTM, (400_000, 3_000_000, 402_000, 3_001_000), cell_m=1000)


def box(x, y, size=100):
    return shapely.box(400_000 + x, 3_000_000 + y, 400_000 + x + size, 3_000_000 + y + size)


def written(tmp_path, geometries, crs=UTM, name="a.gpkg"):
    path = tmp_path / name
    gpd.GeoDataFrame(geometry=list(geometries), crs=UTM).to_crs(crs).to_file(path)
    return path


def test_outside_and_partly_outside_are_counted_with_their_area(tmp_path):
    path = written(
        tmp_path, [box(0, 0), box(-50, 0), box(-5000, 0), box(-100, 300), box(1950, 950)]
    )
    inventory = read_inventory(path, GRID)
    assert len(inventory) == 5
    assert inventory.n_outside == 2  # far away, and touching the edge from outside
    assert inventory.n_partly_outside == 2
    assert inventory.area_outside_m2 == pytest.approx(20_000)
    assert inventory.area_partly_outside_m2 == pytest.approx(5_000 + 7_500)
    assert inventory.area_m2 == pytest.approx(50_000)
    inside = cell_landslide_area(inventory.geometries, GRID, union=False).sum()
    beyond = inventory.area_outside_m2 + inventory.area_partly_outside_m2
    assert inside + beyond == pytest.approx(inventory.area_m2)


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32644", "EPSG:3857"])
def test_other_coordinate_systems_come_onto_the_grid(tmp_path, crs):
    inventory = read_inventory(written(tmp_path, [box(100, 100), box(1500, 100)], crs), GRID)
    assert inventory.reprojected_from is not None
    np.testing.assert_allclose(inventory.table.frame["area_m2"], 10_000, rtol=1e-4)
    np.testing.assert_allclose(
        cell_landslide_area(inventory.geometries, GRID), [[10_000, 10_000]], rtol=1e-4
    )
    assert inventory.table.crs == GRID.crs


def test_same_coordinate_system_is_left_alone(tmp_path):
    inventory = read_inventory(written(tmp_path, [box(100, 100)]), GRID)
    assert inventory.reprojected_from is None
    assert inventory.geometries[0].equals_exact(box(100, 100), 0.0)
    assert inventory.summary()["n_outside"] == 0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_area_inside_and_outside_add_up(seed):
    from stats.command.inventory_record import InventoryTable

    rng = np.random.default_rng(seed)
    x, y = rng.uniform(-500, 2500, 15), rng.uniform(-500, 1500, 15)
    centres = shapely.points(400_000 + x, 3_000_000 + y)
    shapes = shapely.buffer(centres, rng.uniform(1, 400, 15))
    frame = gpd.GeoDataFrame({"landslide_id": range(15)}, geometry=shapes, crs=UTM)
    table = InventoryTable(
        frame=frame, crs=GRID.crs, path="made", layer="made", area_crs="", n_read=15,
        minimum_mapping_area_m2=0.0, minimum_mapping_area_from="given",
    )  # fmt: skip
    inventory = to_grid(table, GRID)
    inside = cell_landslide_area(inventory.geometries, GRID, union=False).sum()
    beyond = inventory.area_outside_m2 + inventory.area_partly_outside_m2
    assert inside + beyond == pytest.approx(inventory.area_m2, rel=1e-9)


def test_polygon_beyond_the_projection_is_named(tmp_path):
    path = tmp_path / "a.geojson"
    frame = gpd.GeoDataFrame({"id": [7]}, geometry=[shapely.box(170, 0, 179, 5)], crs=4326)
    frame.to_file(path)
    # A gnomonic map shows one hemisphere only, and this polygon lies on the other.
    half = Grid.from_bounds("+proj=gnom +lat_0=0 +lon_0=0", (0, 0, 1000, 1000), cell_m=1000)
    with pytest.raises(DataError, match=r"a\.geojson.*outside the domain"):
        read_inventory(path, half)


def test_geographic_grid_is_refused(tmp_path):
    path = written(tmp_path, [box(0, 0)])
    geographic = Grid.from_bounds("EPSG:4326", (80, 20, 81, 21), cell_m=0.1)
    with pytest.raises(DataError, match="metres"):
        read_inventory(path, geographic)
    with pytest.raises(TypeError, match="coordinate system"):
        read_inventory(path, GRID, metric_crs=UTM)


@pytest.mark.data
def test_nepal_2015_on_a_grid_around_it(data_dir):
    path = data_dir / "inventories" / "Nepal.zip"
    table = read_inventory_table(path, member="2015")
    left, bottom, right, top = table.frame.total_bounds
    grid = Grid.from_bounds(table.crs, (left, bottom, right, top), cell_m=1000)
    inventory = read_inventory(path, grid, member="2015", columns=ColumnMap(area="Area"))
    assert (inventory.n_outside, len(inventory)) == (0, 98)
    half = Grid.from_bounds(table.crs, (left, bottom, (left + right) / 2, top), cell_m=1000)
    assert 0 < read_inventory(path, half, member="2015").n_outside < 98
