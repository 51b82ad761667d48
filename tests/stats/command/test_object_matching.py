"""Matching of outlines: planted geometry, agreement with brute force, wrong places and systems."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from stats.command.errors import DataError
from stats.command.inventory_table import read_inventory_table
from stats.command.object_matching import (
    match_inventories,
    match_outlines,
    overlaps,
    pair_table,
    unmatched_table,
)
from stats.sizes.matching import KINDS

UTM = "EPSG:32645"


def table(geometries):
    return gpd.GeoDataFrame({"landslide_id": np.arange(1, len(geometries) + 1)})


def matched(ours, theirs, **options):
    ours, theirs = np.array(ours, dtype=object), np.array(theirs, dtype=object)
    return match_outlines(ours, theirs, table(ours), table(theirs), **options)


def inventory(path, geometries, crs=UTM):
    gpd.GeoDataFrame(geometry=list(geometries), crs=crs).to_file(path)
    return read_inventory_table(path)


def test_planted_groups_with_their_areas():
    ours = [
        shapely.box(0, 0, 10, 10),  # 1:1, half shared
        shapely.box(100, 0, 130, 10),  # one over two
        shapely.box(200, 0, 210, 10),  # two in one
        shapely.box(212, 0, 220, 10),
        shapely.box(300, 0, 310, 10),  # false
    ]
    theirs = [
        shapely.box(5, 0, 15, 10),
        shapely.box(100, 0, 110, 10),
        shapely.box(120, 0, 130, 10),
        shapely.box(200, 0, 220, 10),
        shapely.box(400, 0, 405, 10),  # missed
    ]
    result = matched(ours, theirs)
    assert [KINDS[k] for k in result.matching.kind] == ["1:1", "1:n", "n:1", "false", "missed"]
    assert result.group_shared_m2.tolist() == [50.0, 200.0, 180.0, 0.0, 0.0]
    assert result.group_predicted_m2.tolist() == [100.0, 300.0, 180.0, 100.0, 0.0]
    assert result.group_reference_m2.tolist() == [100.0, 200.0, 200.0, 0.0, 50.0]
    pairs = pair_table(result)
    assert pairs["iou"][0] == pytest.approx(50 / 150)
    assert pairs["residual_m2"].tolist() == [0.0, 200.0, 200.0, -100.0, -120.0]
    assert pairs["kind"].tolist() == ["1:1", "1:n", "1:n", "n:1", "n:1"]
    assert pairs["main"].tolist() == [True, True, False, True, True]
    false, missed = unmatched_table(result, "false"), unmatched_table(result, "missed")
    assert false["landslide_id"].tolist() == [5]
    assert missed["landslide_id"].tolist() == [5]
    assert 400 <= missed["x_m"][0] <= 405
    assert missed["area_m2"][0] == 50.0


def test_outlines_that_overlap_in_one_inventory_count_once():
    result = matched(
        [shapely.box(0, 0, 10, 10), shapely.box(0, 0, 10, 10)], [shapely.box(0, 0, 10, 10)]
    )
    assert result.group_predicted_m2.tolist() == [100.0]
    assert result.group_shared_m2.tolist() == [100.0]


rectangles = st.tuples(
    st.integers(0, 40), st.integers(0, 40), st.integers(1, 15), st.integers(1, 15)
).map(lambda r: shapely.box(r[0], r[1], r[0] + r[2], r[1] + r[3]))


@settings(max_examples=60)
@given(ours=st.lists(rectangles, max_size=12), theirs=st.lists(rectangles, max_size=12))
def test_overlaps_agree_with_brute_force(ours, theirs):
    pairs, area = overlaps(np.array(ours, dtype=object), np.array(theirs, dtype=object))
    found = {(int(i), int(j)): float(a) for (i, j), a in zip(pairs, area, strict=True)}
    plain = {
        (i, j): a.intersection(b).area
        for i, a in enumerate(ours)
        for j, b in enumerate(theirs)
        if a.intersection(b).area > 0
    }
    assert found.keys() == plain.keys()
    assert all(found[k] == pytest.approx(plain[k]) for k in plain)


@settings(max_examples=30)
@given(ours=st.lists(rectangles, min_size=1, max_size=10))
def test_an_inventory_matches_itself_without_misses(ours):
    result = matched(ours, ours)
    assert result.matching.missed.size == result.matching.false.size == 0
    np.testing.assert_allclose(result.group_shared_m2, result.group_predicted_m2)
    np.testing.assert_allclose(result.group_predicted_m2, result.group_reference_m2)


def test_the_reference_is_brought_into_the_system_of_the_predicted(tmp_path):
    boxes = [
        shapely.box(500_000 + 100 * k, 3_000_000, 500_040 + 100 * k, 3_000_040) for k in range(4)
    ]
    ours = inventory(tmp_path / "a.gpkg", boxes)
    frame = gpd.GeoDataFrame(geometry=boxes, crs=UTM).to_crs("EPSG:4326")
    frame.to_file(tmp_path / "b.gpkg")
    result = match_inventories(ours, read_inventory_table(tmp_path / "b.gpkg"))
    assert result.matching.count("1:1") == 4
    np.testing.assert_allclose(result.reference_m2, 1600.0, rtol=1e-4)


def test_inventories_of_two_places_are_refused(tmp_path):
    ours = inventory(tmp_path / "a.gpkg", [shapely.box(500_000, 3e6, 500_040, 3e6 + 40)])
    theirs = inventory(tmp_path / "b.gpkg", [shapely.box(600_000, 3e6, 600_040, 3e6 + 40)])
    with pytest.raises(DataError, match="lie apart"):
        match_inventories(ours, theirs)


def test_degrees_are_refused_for_the_predicted_one(tmp_path):
    ours = inventory(tmp_path / "a.gpkg", [shapely.box(85, 28, 85.001, 28.001)], crs="EPSG:4326")
    with pytest.raises(DataError, match="projected one in metres"):
        match_inventories(ours, ours)


@pytest.mark.data
def test_two_years_of_the_wenchuan_area_match_by_place(data_dir):
    source = data_dir / "inventories" / "China.zip"
    years = [read_inventory_table(source, member=m) for m in ("2009", "2014")]
    groups = match_inventories(years[0], years[1]).matching
    again = match_inventories(years[1], years[0]).matching
    assert sum(groups.count(k) for k in KINDS) == groups.kind.size
    assert groups.count("1:1") == again.count("1:1") > 0
    assert groups.count("1:n") == again.count("n:1")
    assert groups.missed.size == again.false.size
