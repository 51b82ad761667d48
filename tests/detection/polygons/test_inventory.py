"""Polygons with areas in metres, holes and sieves, and the file that others read."""

import datetime as dt

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from pyproj import Geod

from detection.polygons.inventory import (
    MapFacts,
    PolygonSettings,
    outline_landslides,
    write_landslides,
)
from detection.polygons.pixels import ArrayPixels, FilePixels
from hazard.errors import DataError
from hazard.geo.grid import Grid
from hazard.geo.raster import write_cog
from stats.command.inventory_record import STANDARD_MAP
from stats.command.inventory_table import read_inventory_table

FACTS = MapFacts(
    scene="valley_2015", epoch="2015", sensor="PlanetScope", date=dt.date(2015, 10, 30),
    date_before=dt.date(2014, 11, 2), source="unet",
)  # fmt: skip
ALL = PolygonSettings(minimum_area_m2=0)


def utm(shape, side=5.0):
    return Grid(crs="EPSG:32645", transform=Affine(side, 0, 3e5, 0, -side, 3.1e6), shape=shape)


def two_landslides():
    """One of 12 pixels with a hole of one, one of 4 pixels."""
    mask = np.zeros((20, 20), dtype=bool)
    mask[2:5, 2:7] = True
    mask[3, 4] = False
    mask[12:14, 10:12] = True
    mask[2, 6] = mask[4, 2] = False
    return mask


def test_areas_perimeters_and_probabilities_are_those_of_the_pixels():
    mask = two_landslides()
    probability = np.where(mask, 0.8, 0.1)
    probability[13, 11] = 0.6
    frame = outline_landslides(
        ArrayPixels(grid=utm(mask.shape), mask=mask, probability=probability), FACTS, settings=ALL
    )
    assert frame["n_pixels"].tolist() == [12, 4]
    np.testing.assert_allclose(frame["area_m2"], [12 * 25, 4 * 25])
    np.testing.assert_allclose(frame["perimeter_m"], [(16 + 4) * 5, 8 * 5])
    np.testing.assert_allclose(frame["probability_mean"], [0.8, 0.75])
    np.testing.assert_allclose(frame["probability_min"], [0.8, 0.6])
    assert frame["landslide_id"].tolist() == [1, 2]
    assert set(frame["image_date"]) == {"2015-10-30"}
    assert len(frame.geometry.iloc[0].interiors) == 1
    left, _, _, top = frame.geometry.iloc[0].bounds
    assert (left, top) == (3e5 + 2 * 5, 3.1e6 - 2 * 5)


def test_the_published_minimum_area_is_the_default():
    mask = two_landslides()
    frame = outline_landslides(ArrayPixels(grid=utm(mask.shape), mask=mask), FACTS)
    assert frame["area_m2"].tolist() == [300.0]
    exact = np.zeros((5, 5), dtype=bool)
    exact[1:3, 1:5] = True  # 8 pixels of 25 m2: the minimum itself
    assert len(outline_landslides(ArrayPixels(grid=utm((5, 5)), mask=exact), FACTS)) == 1


def test_a_map_without_landslides_is_an_empty_inventory(tmp_path):
    mask = np.zeros((5, 5), dtype=bool)
    frame = outline_landslides(ArrayPixels(grid=utm((5, 5)), mask=mask), FACTS)
    path = write_landslides(tmp_path / "none.gpkg", frame, settings=PolygonSettings())
    assert len(frame) == 0
    assert path.is_file()


@pytest.mark.parametrize("lat", [0.5, 28.0, 61.0])
def test_degrees_and_mercator_are_measured_on_an_equal_area_plane(lat):
    mask = np.zeros((40, 40), dtype=bool)
    mask[10:20, 10:30] = True
    degrees = Grid(crs="EPSG:4326", transform=Affine(1e-4, 0, 85, 0, -1e-4, lat), shape=(40, 40))
    frame = outline_landslides(ArrayPixels(grid=degrees, mask=mask), FACTS, settings=ALL)
    ring = frame.geometry.iloc[0].exterior.coords
    area, length = Geod(ellps="WGS84").polygon_area_perimeter(*zip(*ring, strict=True))
    assert frame["area_m2"].iloc[0] == pytest.approx(abs(area), rel=1e-5)
    assert frame["perimeter_m"].iloc[0] == pytest.approx(length, rel=1e-3)
    x, y = frame.to_crs("EPSG:3857").total_bounds[[0, 3]]
    web = Grid(crs="EPSG:3857", transform=Affine(10, 0, x, 0, -10, y), shape=(40, 40))
    found = outline_landslides(ArrayPixels(grid=web, mask=mask), FACTS, settings=ALL)
    # 200 pixels of 100 m2 on the Mercator plane, less on the ground.
    expected = 200 * 100 * np.cos(np.radians(lat)) ** 2
    assert found["area_m2"].iloc[0] == pytest.approx(expected, rel=0.01)


def test_the_minimum_area_holds_in_degrees_too():
    mask = np.zeros((40, 40), dtype=bool)
    mask[3, 3:5] = True  # 2 pixels of about 96 m2
    mask[20, 20:23] = True
    degrees = Grid(crs="EPSG:4326", transform=Affine(1e-4, 0, 85, 0, -1e-4, 38), shape=(40, 40))
    frame = outline_landslides(ArrayPixels(grid=degrees, mask=mask), FACTS)
    assert frame["n_pixels"].tolist() == [3]


def test_a_sieve_takes_specks_and_holes_but_no_hole_that_was_not_seen():
    mask = np.zeros((20, 20), dtype=bool)
    mask[2:8, 2:12] = True
    mask[4, 4] = mask[4, 8] = mask[6, 6] = False  # three holes
    mask[15, 15] = True  # a speck
    valid = np.ones_like(mask)
    valid[4, 8] = False
    chosen = PolygonSettings(minimum_area_m2=0, sieve_px=3, strip_rows=4)
    frame = outline_landslides(
        ArrayPixels(grid=utm(mask.shape), mask=mask, valid=valid), FACTS, settings=chosen
    )
    assert len(frame) == 1
    holes = frame.geometry.iloc[0].interiors
    assert len(holes) == 1
    assert shapely.Polygon(holes[0]).centroid.coords[0] == (3e5 + 8.5 * 5, 3.1e6 - 4.5 * 5)
    assert frame["area_m2"].iloc[0] == (60 - 1) * 25
    assert frame["n_pixels"].iloc[0] == 57


def test_a_hole_between_corners_is_sieved_with_connectivity_8():
    mask = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], dtype=bool)
    source = ArrayPixels(grid=utm((3, 3)), mask=mask)
    chosen = PolygonSettings(minimum_area_m2=0, sieve_px=2, connectivity=8)
    (shape,) = outline_landslides(source, FACTS, settings=chosen).geometry
    assert shape.area == 5 * 25


def test_smoothing_moves_no_edge_by_half_a_pixel():
    mask = two_landslides()
    source = ArrayPixels(grid=utm(mask.shape), mask=mask)
    hard = outline_landslides(source, FACTS, settings=ALL)
    soft = outline_landslides(
        source, FACTS, settings=PolygonSettings(minimum_area_m2=0, smooth=True)
    )
    distance = shapely.hausdorff_distance(hard.boundary.array, soft.boundary.array)
    assert np.all((distance > 0) & (distance < 2.5))
    assert soft["n_pixels"].tolist() == hard["n_pixels"].tolist()
    np.testing.assert_allclose(soft["area_m2"], soft.area)


def test_the_file_reads_back_as_an_inventory(tmp_path):
    mask = two_landslides()
    frame = outline_landslides(ArrayPixels(grid=utm(mask.shape), mask=mask), FACTS, settings=ALL)
    path = write_landslides(
        tmp_path / "a.gpkg", frame, settings=PolygonSettings(), metadata={"threshold": 0.4}
    )
    table = read_inventory_table(path, columns=STANDARD_MAP)
    assert table.frame["landslide_id"].tolist() == [1, 2]
    np.testing.assert_allclose(table.frame["area_m2"], [300, 100])
    assert table.minimum_mapping_area_m2 == 200
    assert table.frame["date_kind"].tolist() == ["interval", "interval"]
    assert str(table.frame["date_start"].iloc[0].date()) == "2014-11-02"
    assert table.crs.to_epsg() == 32645


def test_maps_on_disk_give_what_arrays_give(tmp_path):
    rng = np.random.default_rng(0)
    grid = utm((40, 30))
    probability = np.rint(rng.random((40, 30)) * 1e4) / 1e4
    valid = rng.random((40, 30)) < 0.9
    write_cog(
        tmp_path / "p.tif", probability.astype(np.float32), grid, names=["p"], units=["1"],
        valid=valid,
    )  # fmt: skip
    write_cog(
        tmp_path / "m.tif", (probability >= 0.6).astype(np.uint8), grid, names=["m"], units=["1"],
        valid=valid, nodata=255,
    )  # fmt: skip
    expected = outline_landslides(
        ArrayPixels(grid=grid, mask=probability >= 0.6, valid=valid, probability=probability),
        FACTS, settings=ALL,
    )  # fmt: skip
    for source in (
        FilePixels(probability=tmp_path / "p.tif", threshold=0.6),
        FilePixels(probability=tmp_path / "p.tif", mask=tmp_path / "m.tif"),
    ):
        found = outline_landslides(
            source, FACTS, settings=PolygonSettings(minimum_area_m2=0, strip_rows=7)
        )
        assert found.equals(expected)


def test_files_that_do_not_fit_are_refused(tmp_path):
    write_cog(
        tmp_path / "p.tif", np.full((9, 9), 7, np.float32), utm((9, 9)), names=["p"], units=["1"]
    )
    write_cog(tmp_path / "m.tif", np.ones((9, 8), np.uint8), utm((9, 8)), names=["m"], units=["1"])
    with pytest.raises(DataError, match="another grid"):
        FilePixels(mask=tmp_path / "m.tif", probability=tmp_path / "p.tif")
    with pytest.raises(ValueError, match="threshold"):
        FilePixels(probability=tmp_path / "p.tif")
    with pytest.raises(DataError, match="probabilities from 0 to 1"):
        FilePixels(probability=tmp_path / "p.tif", threshold=0.5).rows(0, 9)
    frame = outline_landslides(FilePixels(mask=tmp_path / "m.tif"), FACTS)
    with pytest.raises(DataError, match="gpkg"):
        write_landslides(tmp_path / "a.shp", frame, settings=PolygonSettings())
    (tmp_path / "t.tif").write_bytes((tmp_path / "m.tif").read_bytes()[:300])
    with pytest.raises(DataError, match=r"t\.tif"):
        outline_landslides(FilePixels(mask=tmp_path / "t.tif"), FACTS)
    with pytest.raises(ValueError, match="date_before"):
        MapFacts(scene="a", date=dt.date(2015, 1, 1), date_before=dt.date(2015, 1, 1))
    with pytest.raises(ValueError, match="minimum_area_m2"):
        PolygonSettings(minimum_area_m2=-1)


def test_nodata_of_the_mask_is_no_landslide(tmp_path):
    marks = np.zeros((6, 6), np.uint8)
    marks[1:3, 1:3] = 1
    valid = np.ones((6, 6), bool)
    valid[4:, :] = False
    write_cog(
        tmp_path / "m.tif", marks, utm((6, 6)), names=["m"], units=["1"], valid=valid, nodata=255
    )
    with rasterio.open(tmp_path / "m.tif") as stored:
        assert (stored.read(1) == 255).sum() == 12
    frame = outline_landslides(FilePixels(mask=tmp_path / "m.tif"), FACTS, settings=ALL)
    assert frame["n_pixels"].tolist() == [4]
