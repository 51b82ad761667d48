import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from detection.scenes.rasterise import rasterise
from hazard.geo.grid import Grid
from stats.command.inventory_table import read_inventory_table

GRID = Grid(crs="EPSG:32645", transform=Affine(10, 0, 0, 0, -10, 400), shape=(40, 50))


def polygons(*geometries):
    return np.array(geometries, dtype=object)


# Corners lie on thousandths of a metre, as in files; GEOS divides by the square of shorter edges.
@given(
    st.lists(
        st.tuples(st.integers(0, 500_000), st.integers(0, 400_000)), min_size=3, max_size=8
    ).map(lambda corners: [(x / 1000, y / 1000) for x, y in corners])
)
def test_a_pixel_is_landslide_where_its_centre_lies_inside(points):
    hull = shapely.convex_hull(shapely.MultiPoint(points))
    if hull.geom_type != "Polygon":
        return
    x, y = np.meshgrid(GRID.x, GRID.y)
    centres = shapely.points(x, y)
    wanted = shapely.contains(hull, centres)
    # A centre on the edge belongs to neither rule.
    clear = shapely.distance(shapely.boundary(hull), centres) > 1e-6
    found = rasterise(polygons(hull), GRID)
    np.testing.assert_array_equal(found[clear], wanted[clear])


def test_holes_stay_holes_and_overlaps_count_once():
    ring = shapely.box(100, 100, 300, 300) - shapely.box(150, 150, 250, 250)
    found = rasterise(polygons(ring, shapely.box(100, 100, 200, 300)), GRID)
    assert found.sum() == 20 * 20 - 5 * 10
    multi = shapely.MultiPolygon([shapely.box(0, 0, 20, 20), shapely.box(40, 40, 60, 60)])
    assert rasterise(polygons(multi), GRID).sum() == 8


def test_the_centre_rule_keeps_the_area_and_touching_inflates_it():
    rng = np.random.default_rng(0)
    circles = [shapely.Point(*xy).buffer(12) for xy in rng.uniform(20, 380, (400, 2))]
    true = sum(circle.area for circle in circles)
    single = sum(rasterise(polygons(c), GRID).sum() for c in circles) * 100
    touched = sum(rasterise(polygons(c), GRID, all_touched=True).sum() for c in circles) * 100
    assert single == pytest.approx(true, rel=0.03)
    assert touched > 1.8 * true


def test_nothing_within_reach_gives_an_empty_mask():
    far = polygons(shapely.box(9000, 9000, 9100, 9100))
    assert not rasterise(far, GRID).any()
    assert not rasterise(polygons(), GRID).any()


@pytest.mark.data
@pytest.mark.parametrize(
    ("archive", "member", "n", "tolerance"),
    [("Nepal.zip", "2015", 98, 0.01), ("China.zip", "2011", 1552, 0.01)],
)
def test_real_inventories_keep_their_area(data_dir, archive, member, n, tolerance):
    """At 5 m, the mask of the whole inventory has the area of the union of its polygons."""
    table = read_inventory_table(data_dir / "inventories" / archive, member=member)
    assert len(table) == n
    geometries = np.asarray(table.frame.geometry.to_numpy(), dtype=object)
    grid = Grid.from_bounds(table.crs, tuple(shapely.total_bounds(geometries)), cell_m=5.0)
    # Block by block, as scenes are read: no pixel is lost or doubled at the seams.
    pixels = sum(int(rasterise(geometries, grid.crop(b)).sum()) for b in grid.blocks(4096))
    assert pixels * 25.0 == pytest.approx(shapely.union_all(geometries).area, rel=tolerance)
