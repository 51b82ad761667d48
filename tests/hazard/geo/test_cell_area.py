"""Area and counts per cell: against brute force, invariances, and the ways GEOS can fail."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from hazard.errors import DataError
from hazard.geo import cell_area
from hazard.geo.cell_area import (
    cell_landslide_area,
    cell_landslide_count,
    cell_shares,
    union_clusters,
)
from hazard.geo.grid import Grid

CRS = "EPSG:32645"


@st.composite
def polygons(draw, most=12):
    """Random star-shaped polygons with holes, some beyond a grid of 0-1000 m."""
    n = draw(st.integers(1, most))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(n):
        k = rng.integers(3, 12)
        angle = np.sort(rng.uniform(0, 2 * np.pi, k))
        radius = rng.lognormal(3.5, 1.2) * rng.uniform(0.3, 1.0, k)
        centre = rng.uniform(-100, 1100, 2)
        ring = centre + radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
        shape = shapely.make_valid(shapely.Polygon(ring), method="structure", keep_collapsed=False)
        if rng.random() < 0.3:
            shape = shape.difference(shapely.Point(*centre).buffer(radius.min() / 2))
        if shape.geom_type in ("Polygon", "MultiPolygon") and shape.area > 0:
            out.append(shape)
    return np.array([*out, shapely.box(10, 10, 20, 20)], dtype=object)


@st.composite
def grids(draw, most=17):
    """Grids over 0-1000 m with square or oblong cells."""
    nx, ny = draw(st.integers(1, most)), draw(st.integers(1, most))
    shift = draw(st.floats(-5, 5))
    from affine import Affine

    return Grid(
        crs=CRS, transform=Affine(1000 / nx, 0, shift, 0, -1000 / ny, 1000 + shift), shape=(ny, nx)
    )


def cell_box(grid, row, col):
    left, _, _, top = grid.bounds
    dx, dy = grid.cell_size
    return shapely.box(left + col * dx, top - (row + 1) * dy, left + (col + 1) * dx, top - row * dy)


def brute_force(geometries, grid):
    """Intersection of one union over everything with every cell, by shapely alone."""
    everything = shapely.union_all(geometries)
    return np.array(
        [
            [everything.intersection(cell_box(grid, r, c)).area for c in range(grid.shape[1])]
            for r in range(grid.shape[0])
        ]
    )


@settings(max_examples=60, deadline=None)
@given(polygons(), grids(most=5))
def test_area_per_cell_agrees_with_brute_force(geometries, grid):
    area = cell_landslide_area(geometries, grid)
    np.testing.assert_allclose(area, brute_force(geometries, grid), rtol=1e-9, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(polygons(), grids(most=17))
def test_area_over_many_cells_agrees_with_brute_force(geometries, grid):
    """Here exactextract takes the large polygons: single precision per cell, exact in total."""
    area = cell_landslide_area(geometries, grid)
    expected = brute_force(geometries, grid)
    np.testing.assert_allclose(area, expected, atol=2e-6 * grid.cell_area_m2)
    assert area.sum() == pytest.approx(expected.sum(), rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(polygons(), grids())
def test_exactextract_and_intersections_agree(geometries, grid):
    """The two routes for polygons over several cells: single and double precision."""
    union = union_clusters(geometries).geometries
    total = np.zeros((2, *grid.shape))
    for k, limit in enumerate((10_000, 1)):
        shares = cell_shares(union, grid, intersection_cells=limit)
        flat = np.bincount(shares.cell, weights=shares.area_m2, minlength=total[k].size)
        total[k] = flat.reshape(grid.shape)
    np.testing.assert_allclose(total[1], total[0], atol=3e-6 * grid.cell_area_m2)
    assert total[1].sum() == pytest.approx(total[0].sum(), rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(polygons(), st.integers(1, 5), st.integers(1, 6))
def test_refined_cells_add_up_to_the_cell(geometries, n, factor):
    grid = Grid.from_bounds(CRS, (0, 0, 1000, 1000), cell_m=1000 / n)
    fine = cell_landslide_area(geometries, grid.refine(factor))
    rows, cols = grid.shape
    summed = fine.reshape(rows, factor, cols, factor).sum(axis=(1, 3))
    # 1e-6: the precision of exactextract, which the fine grid may call on and the coarse not.
    np.testing.assert_allclose(
        summed, cell_landslide_area(geometries, grid), rtol=1e-6, atol=1e-6 * grid.cell_area_m2
    )


@settings(max_examples=40, deadline=None)
@given(polygons(), st.randoms(use_true_random=False))
def test_order_and_repetition_change_nothing(geometries, random):
    grid = Grid.from_bounds(CRS, (0, 0, 1000, 1000), cell_m=100)
    shuffled = list(geometries) * 2
    random.shuffle(shuffled)
    np.testing.assert_allclose(
        cell_landslide_area(shuffled, grid), cell_landslide_area(geometries, grid),
        rtol=1e-9, atol=1e-3,
    )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(polygons())
def test_union_of_clusters_is_the_union_and_idempotent(geometries):
    result = union_clusters(geometries)
    everything = shapely.union_all(geometries)
    assert shapely.area(result.geometries).sum() == pytest.approx(everything.area, rel=1e-10)
    again = union_clusters(result.geometries)
    assert again.n_merged == 0
    assert len(again.geometries) == len(result.geometries)
    for polygon, cluster in zip(geometries, result.cluster, strict=True):
        outside = polygon.difference(result.geometries[cluster]).area
        assert outside <= 1e-9 * polygon.area


@settings(max_examples=40, deadline=None)
@given(polygons(), grids())
def test_without_union_every_polygon_counts(geometries, grid):
    area = cell_landslide_area(geometries, grid, union=False)
    frame = shapely.box(*grid.bounds)
    expected = sum(g.intersection(frame).area for g in geometries)
    assert area.sum() == pytest.approx(expected, rel=1e-9)


def test_chain_of_overlaps_is_one_cluster_and_touching_polygons_stay_apart():
    chain = [shapely.box(k * 9, 0, k * 9 + 10, 5) for k in range(50)]
    touching = [shapely.box(k * 10, 20, k * 10 + 10, 25) for k in range(50)]
    result = union_clusters([*chain, *touching])
    assert len(result.geometries) == 51
    assert result.n_merged == 1
    assert shapely.area(result.geometries).sum() == pytest.approx(451 * 5 + 500 * 5)


def test_polygon_around_a_hole_that_holds_another_keeps_both():
    ring = shapely.box(0, 0, 100, 100).difference(shapely.box(40, 40, 60, 60))
    result = union_clusters([ring, shapely.box(45, 45, 55, 55)])
    assert result.n_merged == 0
    assert shapely.area(result.geometries).sum() == 9600 + 100


def test_union_that_geos_refuses_is_repaired_and_counted(monkeypatch):
    plain = shapely.union_all
    calls = []

    def failing(parts, grid_size=None):
        calls.append(grid_size)
        if len(calls) < 3:
            raise shapely.errors.GEOSException("TopologyException: found non-noded intersection")
        return plain(parts, grid_size=grid_size)

    monkeypatch.setattr(cell_area.shapely, "union_all", failing)
    result = union_clusters([shapely.box(0, 0, 2, 1), shapely.box(1, 0, 3, 1)])
    assert result.n_fallback == 1
    assert calls == [None, None, 1e-6]
    assert shapely.area(result.geometries).tolist() == [pytest.approx(3.0)]


def test_outside_and_over_the_edge():
    grid = Grid.from_bounds(CRS, (0, 0, 200, 200), cell_m=100)
    far = shapely.box(500, 500, 600, 600)
    over = shapely.box(-50, 150, 50, 250)
    np.testing.assert_allclose(cell_landslide_area([far, over], grid), [[2500, 0], [0, 0]])


def test_polygon_on_cell_borders_goes_wholly_where_it_lies():
    grid = Grid.from_bounds(CRS, (0, 0, 300, 300), cell_m=100)
    area = cell_landslide_area([shapely.box(100, 100, 200, 200)], grid)
    assert area.tolist() == [[0, 0, 0], [0, 10000, 0], [0, 0, 0]]


def test_large_polygon_over_many_cells_keeps_its_area_exactly():
    grid = Grid.from_bounds(CRS, (0, 0, 10_000, 10_000), cell_m=50)
    disc = shapely.Point(5003.7, 4998.1).buffer(3000, quad_segs=200)
    area = cell_landslide_area([disc], grid)
    assert area.sum() == pytest.approx(disc.area, rel=1e-12)
    assert area.max() == pytest.approx(2500, rel=1e-6)


def test_no_polygons_give_zeros():
    grid = Grid.from_bounds(CRS, (0, 0, 200, 100), cell_m=100)
    assert cell_landslide_area([], grid).tolist() == [[0, 0]]
    assert cell_landslide_count([], grid).tolist() == [[0, 0]]
    assert cell_landslide_count([], grid, by="largest_share").tolist() == [[0, 0]]
    assert len(union_clusters([]).geometries) == 0


def test_empty_polygons_and_series_are_taken():
    grid = Grid.from_bounds(CRS, (0, 0, 200, 100), cell_m=100)
    series = gpd.GeoSeries([shapely.Polygon(), shapely.box(10, 10, 20, 20)], crs=CRS)
    assert cell_landslide_area(series, grid).tolist() == [[100, 0]]
    assert cell_landslide_count(series, grid).tolist() == [[1, 0]]


@pytest.mark.parametrize("wrong", [shapely.Point(0, 0), None, shapely.LineString([(0, 0), (1, 1)])])
def test_what_is_no_polygon_is_refused(wrong):
    grid = Grid.from_bounds(CRS, (0, 0, 200, 100), cell_m=100)
    with pytest.raises(DataError, match="position 1"):
        cell_landslide_area([shapely.box(0, 0, 1, 1), wrong], grid)


def test_geographic_grid_is_refused():
    grid = Grid.from_bounds("EPSG:4326", (80, 20, 81, 21), cell_m=0.1)
    for function in (cell_landslide_area, cell_landslide_count):
        with pytest.raises(DataError, match="metres"):
            function([shapely.box(80, 20, 80.1, 20.1)], grid)


@pytest.mark.parametrize(
    ("rule", "column"), [("representative_point", 1), ("centroid", 1), ("largest_share", 1)]
)
def test_each_landslide_counts_once(rule, column):
    grid = Grid.from_bounds(CRS, (0, 0, 200, 100), cell_m=100)
    counts = cell_landslide_count([shapely.box(80, 0, 180, 10)], grid, by=rule)
    assert counts.sum() == 1
    assert counts[0, column] == 1


def test_the_three_count_rules_differ_on_a_curved_runout():
    grid = Grid.from_bounds(CRS, (0, 0, 300, 100), cell_m=100)
    # A wide head in column 0, a narrow tail into column 2.
    shape = shapely.union_all([shapely.box(90, 0, 100, 100), shapely.box(100, 0, 300, 4)])
    by = {
        rule: int(np.argmax(cell_landslide_count([shape], grid, by=rule)[0]))
        for rule in ("centroid", "largest_share")
    }
    assert by == {"centroid": 1, "largest_share": 0}


def test_progress_adds_up_to_the_number_of_polygons():
    grid = Grid.from_bounds(CRS, (0, 0, 1000, 1000), cell_m=10)
    shapes = [shapely.box(1, 1, 2, 2), shapely.box(5, 5, 15, 15), shapely.box(100, 100, 900, 900),
              shapely.box(5000, 0, 5001, 1)]  # fmt: skip
    done = []
    cell_landslide_area(shapes, grid, progress=done.append)
    assert sum(done) == len(shapes)


@pytest.mark.data
def test_china_2009_totals_agree_with_the_union(data_dir):
    from stats.command.inventory_table import read_inventory_table

    table = read_inventory_table(data_dir / "inventories" / "China.zip", member="2009")
    left, bottom, right, top = table.frame.total_bounds
    corner = np.floor([left / 1000, bottom / 1000]) * 1000
    grid = Grid.from_bounds(table.crs, (*corner, right, top + 1000), cell_m=1000)
    area = cell_landslide_area(table.frame, grid)
    union = shapely.union_all(table.frame.geometry.to_numpy())
    assert area.sum() == pytest.approx(union.area, rel=1e-9)
    assert cell_landslide_count(table.frame, grid).sum() == 10_335
