"""Inventory files: counts, columns, dates, areas, round trip, and every way to be broken."""

import datetime as dt
import shutil
import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stats.command.errors import DataError
from stats.command.inventory_table import (
    STANDARD_MAP,
    ColumnMap,
    InventoryTable,
    read_inventory_table,
    write_inventory,
)
from stats.command.landslide_dates import date_interval, year_interval
from stats.command.polygon_repair import repair_polygons
from stats.command.vector_file import vector_members

UTM = "EPSG:32645"
BOW = shapely.Polygon([(0, 0), (20, 20), (20, 0), (0, 20)])


def boxes(n=5, size=30.0):
    return [shapely.box(100 * k, 0, 100 * k + size, size) for k in range(n)]


def frame_of(geometries, crs=UTM, **columns):
    return gpd.GeoDataFrame(columns, geometry=list(geometries), crs=crs)


def write(path, frame, **options):
    frame.to_file(path, **options)
    return path


@pytest.fixture
def simple(tmp_path):
    frame = frame_of(
        boxes(),
        Slide_ID=[f"s{k}" for k in range(5)],
        Year=[2009, 2011, 2011, 2013, 2014],
        Area=[900.0] * 5,
        Conf=["high", "low", None, "high", "low"],
    )
    return write(tmp_path / "simple.gpkg", frame)


# Reading and counting


def test_standard_columns_and_measured_areas(simple):
    table = read_inventory_table(
        simple, columns=ColumnMap(id="Slide_ID", year="Year", area="Area", confidence="Conf")
    )
    assert list(table.frame.columns) == [
        "landslide_id", "area_m2", "date_start", "date_end", "date_kind", "source", "confidence",
        "area_stated_m2", "geometry",
    ]  # fmt: skip
    assert table.frame["landslide_id"].tolist() == ["s0", "s1", "s2", "s3", "s4"]
    assert table.frame["area_m2"].tolist() == [900.0] * 5
    assert table.frame["area_stated_m2"].tolist() == [900.0] * 5
    assert table.frame["confidence"].isna().tolist() == [False, False, True, False, False]
    assert table.interval_censored
    assert table.frame["date_end"].iloc[0] == pd.Timestamp("2009-12-31")
    assert set(table.frame["date_kind"]) == {"year"}


def test_nothing_mapped_gives_row_numbers_and_undated(simple):
    table = read_inventory_table(simple)
    assert table.frame["landslide_id"].tolist() == [1, 2, 3, 4, 5]
    assert table.n_undated == 5
    assert table.frame["date_start"].isna().all()
    assert not table.interval_censored


def test_what_is_repaired_and_dropped_is_counted(tmp_path):
    shapes = [
        *boxes(3),
        BOW,
        None,
        shapely.Polygon(),
        shapely.Point(1, 1),
        shapely.LineString([(0, 0), (5, 5)]),
        shapely.GeometryCollection([shapely.Point(0, 0), shapely.box(500, 500, 510, 510)]),
        shapely.MultiPolygon([shapely.box(0, 90, 5, 95), shapely.box(10, 90, 15, 95)]),
        shapely.force_3d(shapely.box(700, 0, 710, 10), 5.0),
    ]
    path = write(tmp_path / "mixed.geojson", frame_of(shapes))
    table = read_inventory_table(path)
    assert table.n_read == 11
    assert len(table) == 7
    assert table.n_repaired == 1
    assert table.n_z_dropped == 1
    assert table.n_multipart == 2  # the multipolygon, and the bow tie made valid
    assert table.n_dropped == 4
    assert {k: v for k, v in table.dropped.items() if k in ("Point", "LineString")} == {
        "Point": 1,
        "LineString": 1,
    }
    assert table.n_dropped_empty == 2
    assert not shapely.has_z(table.frame.geometry.to_numpy()).any()
    assert table.frame.geometry.is_valid.all()
    assert table.frame.area.tolist()[3] == pytest.approx(200.0)
    # The row number of the file stays the identifier of what is left.
    assert table.frame["landslide_id"].tolist() == [1, 2, 3, 4, 9, 10, 11]


def test_overlaps_duplicates_and_slivers_are_kept_and_counted(tmp_path):
    shapes = [
        shapely.box(0, 0, 50, 50),
        shapely.reverse(shapely.box(0, 0, 50, 50)),
        shapely.box(25, 0, 75, 50),
        shapely.box(200, 0, 201, 1),
    ]
    path = write(tmp_path / "a.gpkg", frame_of(shapes))
    table = read_inventory_table(path, minimum_area_m2=100)
    assert len(table) == 4
    assert table.n_duplicates == 1
    assert table.n_below_minimum == 1
    assert (table.minimum_mapping_area_m2, table.minimum_mapping_area_from) == (100.0, "given")
    own = read_inventory_table(path)
    assert own.minimum_mapping_area_from == "smallest polygon"
    assert own.minimum_mapping_area_m2 == pytest.approx(1.0)
    assert own.n_below_minimum == 0


def test_explode_makes_landslides_of_parts(tmp_path):
    two = shapely.MultiPolygon([shapely.box(0, 0, 5, 5), shapely.box(10, 0, 15, 5)])
    path = write(tmp_path / "a.gpkg", frame_of([two]))
    assert len(read_inventory_table(path)) == 1
    parts = read_inventory_table(path, explode=True)
    assert len(parts) == 2
    assert parts.frame["area_m2"].tolist() == [25.0, 25.0]
    assert any("split" in note for note in parts.notes)


def test_summary_is_flat_and_complete(simple):
    summary = read_inventory_table(simple).summary()
    assert summary["n_landslides"] == 5
    assert {"n_repaired", "n_duplicates", "area_crs", "date_kinds", "notes"} <= set(summary)


# Areas


def test_geographic_files_are_measured_in_an_equal_area_system(tmp_path):
    metric = frame_of([shapely.box(400_000, 3_000_000, 401_000, 3_001_000)])
    path = write(tmp_path / "geo.geojson", metric.to_crs("EPSG:4326"))
    table = read_inventory_table(path)
    # UTM scale away from the central meridian: areas differ from the equal-area ones by 6e-4.
    assert table.frame["area_m2"].iloc[0] == pytest.approx(1e6, rel=1e-3)
    assert "equal-area" in table.area_crs
    in_utm = read_inventory_table(path, metric_crs=UTM)
    assert in_utm.frame["area_m2"].iloc[0] == pytest.approx(1e6, rel=1e-6)
    assert in_utm.crs.to_epsg() == 4326


def test_area_of_an_equal_area_projection_agrees_with_the_ellipsoid(tmp_path):
    from pyproj import Geod

    box = shapely.box(85.0, 28.0, 85.2, 28.2)
    path = write(tmp_path / "geo.geojson", frame_of([box], crs="EPSG:4326"))
    fine = shapely.segmentize(box, 0.001)
    area = abs(Geod(ellps="WGS84").geometry_area_perimeter(fine)[0])
    # Straight edges of the two systems differ a little between the corners.
    assert read_inventory_table(path).frame["area_m2"].iloc[0] == pytest.approx(area, rel=2e-4)


def test_metres_called_degrees_are_refused(tmp_path):
    path = write(tmp_path / "a.gpkg", frame_of([shapely.box(5e5, 3e6, 5.1e5, 3.1e6)], "EPSG:4326"))
    with pytest.raises(DataError, match=r"latitudes 3e\+06"):
        read_inventory_table(path)


def test_empty_geographic_layer_is_allowed_where_asked(tmp_path):
    path = write(tmp_path / "a.gpkg", frame_of([], "EPSG:4326", k=[]), geometry_type="Polygon")
    assert len(read_inventory_table(path, allow_empty=True)) == 0


def test_geographic_metric_crs_is_refused(simple):
    with pytest.raises(DataError, match="metric_crs"):
        read_inventory_table(simple, metric_crs="EPSG:4326")


def test_feet_are_not_metres(tmp_path):
    path = write(tmp_path / "feet.gpkg", frame_of(boxes(), crs="EPSG:2263"))
    table = read_inventory_table(path)
    assert table.frame["area_m2"].iloc[0] == pytest.approx(900 * 0.3048006**2, rel=2e-3)


# Columns and dates


def test_unknown_column_is_named_with_a_suggestion(simple):
    with pytest.raises(DataError, match=r"'year'.*did you mean 'Year'.*Slide_ID, Year"):
        read_inventory_table(simple, columns=ColumnMap(year="year"))


@pytest.mark.parametrize(
    ("value", "start", "end", "kind"),
    [
        ("2015-04-25", "2015-04-25", "2015-04-25", "day"),
        ("2015-04-25T06:11:00Z", "2015-04-25", "2015-04-25", "day"),
        ("2015/04/25", "2015-04-25", "2015-04-25", "day"),
        ("2016-02", "2016-02-01", "2016-02-29", "month"),
        ("2016", "2016-01-01", "2016-12-31", "year"),
        (2016, "2016-01-01", "2016-12-31", "year"),
        (pd.Timestamp("2015-04-25T23:30:00-05:00"), "2015-04-26", "2015-04-26", "day"),
        (dt.date(2015, 4, 25), "2015-04-25", "2015-04-25", "day"),
    ],
)
def test_dates_become_closed_intervals(value, start, end, kind):
    first, last, what = date_interval(value)
    assert (str(first), str(last), what) == (start, end, kind)


@pytest.mark.parametrize("value", ["25.4.2015", "2015-02-30", "2015-13", "soon", "04/25/2015"])
def test_what_is_no_date_is_refused(value):
    with pytest.raises(ValueError):
        date_interval(value)


@pytest.mark.parametrize("value", [0, -9999, 2009.5, "abc", float("inf")])
def test_what_is_no_year_is_refused(value):
    with pytest.raises(ValueError):
        year_interval(value)


def test_bad_dates_name_column_and_row(tmp_path):
    frame = frame_of(boxes(3), when=["2015-04-25", "2015-05-01", "2015-02-30"])
    path = write(tmp_path / "a.gpkg", frame)
    with pytest.raises(DataError, match=r"'2015-02-30' in column 'when', row 3"):
        read_inventory_table(path, columns=ColumnMap(date="when"))


def test_row_numbers_are_those_of_the_file_after_drops(tmp_path):
    shapes = [shapely.Point(0, 0), *boxes(2)]
    path = write(tmp_path / "a.geojson", frame_of(shapes, y=["2010", "2011", "never"]))
    with pytest.raises(DataError, match=r"'never' in column 'y', row 3"):
        read_inventory_table(path, columns=ColumnMap(year="y"))


def test_start_and_end_win_over_date_over_year(tmp_path):
    frame = frame_of(
        boxes(4),
        a=["2015-04-25", None, None, None],
        b=["2015-05-30", None, None, None],
        d=["2015-05-01", "2015-05-02", None, None],
        y=[2014, 2014, 2014, None],
    )
    path = write(tmp_path / "a.gpkg", frame)
    table = read_inventory_table(
        path, columns=ColumnMap(date_start="a", date_end="b", date="d", year="y")
    )
    assert table.frame["date_kind"].tolist() == ["interval", "day", "year", "unknown"]
    assert table.n_undated == 1


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [("2015-05-02", "2015-05-01", "interval"), ("2015-05-02", None, "date_start alone")],
)
def test_impossible_intervals_are_refused(tmp_path, first, last, message):
    path = write(tmp_path / "a.gpkg", frame_of(boxes(2), a=[first, None], b=[last, None]))
    with pytest.raises(DataError, match=message):
        read_inventory_table(path, columns=ColumnMap(date_start="a", date_end="b"))


# Coordinate systems


def test_missing_coordinate_system_is_refused_or_stated(tmp_path):
    path = write(tmp_path / "a.shp", frame_of(boxes(), k=range(5)))
    path.with_suffix(".prj").unlink()
    with pytest.raises(DataError, match="no coordinate system"):
        read_inventory_table(path)
    table = read_inventory_table(path, crs=UTM)
    assert table.crs.to_epsg() == 32645
    assert any("stated by the caller" in note for note in table.notes)


def test_contradicting_coordinate_system_is_refused(simple):
    assert len(read_inventory_table(simple, crs=UTM)) == 5
    with pytest.raises(DataError, match="only for a file without one"):
        read_inventory_table(simple, crs="EPSG:32644")
    with pytest.raises(DataError, match="PROJ"):
        read_inventory_table(simple, crs="EPSG:0")


# Formats, layers and members


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".geojson", ".parquet"])
def test_formats_give_the_same_table(tmp_path, suffix):
    frame = frame_of(boxes(), Year=[2009, 2011, 2011, 2013, 2014])
    path = tmp_path / f"a{suffix}"
    if suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_file(path)
    table = read_inventory_table(path, columns=ColumnMap(year="Year"))
    assert len(table) == 5
    assert table.frame["date_start"].dt.year.tolist() == [2009, 2011, 2011, 2013, 2014]
    # GeoJSON keeps seven decimals of metres; the others every bit.
    np.testing.assert_allclose(table.frame["area_m2"], 900.0, rtol=1e-6)


def test_several_layers_must_be_chosen(tmp_path):
    path = tmp_path / "a.gpkg"
    write(path, frame_of(boxes(2)), layer="slides_2015")
    write(path, frame_of(boxes(3)), layer="slides_2016")
    with pytest.raises(DataError, match="slides_2015, slides_2016"):
        read_inventory_table(path)
    with pytest.raises(DataError, match="did you mean 'slides_2016'"):
        read_inventory_table(path, layer="slide_2016")
    assert len(read_inventory_table(path, layer="slides_2016")) == 3


def zipped(path, *stems, drop=(), folder="F/"):
    source = path.parent / "source"
    source.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("__MACOSX/._x.shp", b"junk")
        for k, stem in enumerate(stems):
            write(source / f"{stem}.shp", frame_of(boxes(k + 1), k=range(k + 1)))
            for part in sorted(source.glob(f"{stem}.*")):
                if part.suffix not in drop:
                    archive.write(part, folder + part.name)
    return path


def test_members_of_a_zip_are_chosen_by_path_name_or_stem(tmp_path):
    path = zipped(tmp_path / "a.zip", "2009", "2011")
    for member in ("2011", 2011, "2011.shp", "F/2011.shp", "/F/2011.shp"):
        table = read_inventory_table(path, member=member)
        assert (len(table), table.member) == (2, "F/2011.shp")
    with pytest.raises(DataError, match=r"2 vector files \(F/2009.shp, F/2011.shp\)"):
        read_inventory_table(path)
    with pytest.raises(DataError, match=r"no member '2010'.*F/2009.shp, F/2011.shp"):
        read_inventory_table(path, member="2010")


def test_single_member_needs_no_name_and_member_needs_a_zip(tmp_path, simple):
    assert len(read_inventory_table(zipped(tmp_path / "a.zip", "only"))) == 1
    with pytest.raises(DataError, match="asked of no zip"):
        read_inventory_table(simple, member="x")


def test_same_stem_twice_needs_the_full_path(tmp_path):
    path = zipped(tmp_path / "a.zip", "2009")
    with zipfile.ZipFile(path, "a") as archive:
        for part in sorted((tmp_path / "source").glob("2009.*")):
            archive.write(part, "G/" + part.name)
    with pytest.raises(DataError, match="2 times"):
        read_inventory_table(path, member="2009")
    assert len(read_inventory_table(path, member="G/2009.shp")) == 1


# Broken files


def test_zip_without_companions_or_vectors(tmp_path):
    with pytest.raises(DataError, match=r"without its \.shx"):
        read_inventory_table(zipped(tmp_path / "a.zip", "2009", drop=(".shx",)))
    empty = tmp_path / "b.zip"
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("readme.txt", "nothing")
    with pytest.raises(DataError, match="without a vector file"):
        read_inventory_table(empty)


@pytest.mark.parametrize("name", ["a.gpkg", "a.shp", "a.geojson", "a.zip", "a.parquet"])
def test_missing_empty_and_wrong_format(tmp_path, name):
    path = tmp_path / name
    with pytest.raises(DataError, match="no such file"):
        read_inventory_table(path)
    path.touch()
    with pytest.raises(DataError, match="0 bytes"):
        read_inventory_table(path)
    path.write_bytes(b"this is plain text, and no vector file\n" * 20)
    with pytest.raises(DataError, match=str(path)):
        read_inventory_table(path)


def test_folders_and_other_suffixes_are_refused(tmp_path):
    with pytest.raises(DataError, match="a folder"):
        read_inventory_table(tmp_path)
    other = tmp_path / "a.csv"
    other.write_text("x,y\n1,2\n")
    with pytest.raises(DataError, match=r"a \.csv file"):
        read_inventory_table(other)


@pytest.mark.parametrize("missing", [".dbf", ".shx"])
def test_shapefile_without_a_companion(tmp_path, missing):
    path = write(tmp_path / "a.shp", frame_of(boxes(), k=range(5)))
    path.with_suffix(missing).unlink()
    with pytest.raises(DataError, match=rf"without its \{missing}"):
        read_inventory_table(path)


@pytest.mark.parametrize("part", [".shp", ".shx", ".dbf"])
def test_truncated_shapefile_is_refused_though_gdal_opens_it(tmp_path, part):
    path = write(tmp_path / "a.shp", frame_of(boxes(50), k=range(50)))
    target = path.with_suffix(part)
    target.write_bytes(target.read_bytes()[: target.stat().st_size // 2])
    with pytest.raises(DataError, match="truncated" if part != ".dbf" else "unreadable"):
        read_inventory_table(path)


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".parquet", ".zip"])
def test_truncated_files_are_refused(tmp_path, suffix):
    frame = frame_of(boxes(300), k=range(300))
    path = tmp_path / f"a{suffix}"
    if suffix == ".zip":
        zipped(path, "2009", "2011")
    elif suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_file(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=str(path)):
        read_inventory_table(path, member="2009" if suffix == ".zip" else None)


def test_damaged_text_in_parquet_is_refused_before_it_is_used(tmp_path):
    path = tmp_path / "a.parquet"
    frame_of(boxes(3), when=["2015-04-25"] * 3).to_parquet(path)
    data = path.read_bytes()
    assert data.count(b"2015-04-25") > 0
    path.write_bytes(data.replace(b"2015-04-25", b"2\x8015-04-25", 1))
    with pytest.raises(DataError, match="unreadable"):
        read_inventory_table(path, columns=ColumnMap(date="when"))


def test_damaged_member_is_found_by_its_checksum(tmp_path):
    path = zipped(tmp_path / "a.zip", "2009", "2011")
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("F/2011.shp")
    data = bytearray(path.read_bytes())
    data[info.header_offset + 60] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match="damaged member"):
        read_inventory_table(path, member="2011")
    assert len(read_inventory_table(path, member="2009")) == 1


def test_no_features_is_refused_unless_allowed(tmp_path):
    path = write(tmp_path / "a.gpkg", frame_of([], k=[]), geometry_type="Polygon")
    with pytest.raises(DataError, match="no features"):
        read_inventory_table(path)
    table = read_inventory_table(path, allow_empty=True)
    assert len(table) == 0
    assert np.isnan(table.minimum_mapping_area_m2)


def test_points_instead_of_polygons(tmp_path):
    path = write(tmp_path / "a.gpkg", frame_of([shapely.Point(0, 0), shapely.Point(1, 1)]))
    with pytest.raises(DataError, match=r"no polygon among 2 features \(2 Point\)"):
        read_inventory_table(path)


def test_table_without_geometry(tmp_path):
    import pyogrio

    path = tmp_path / "a.gpkg"
    pyogrio.write_dataframe(pd.DataFrame({"a": [1]}), path, layer="plain")
    with pytest.raises(DataError, match="no layer with geometries"):
        read_inventory_table(path)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    """A folder with one good file of each format."""
    folder = tmp_path_factory.mktemp("pristine")
    shapes = [*boxes(20), BOW, shapely.MultiPolygon(boxes(2))]
    n = len(shapes)
    frame = frame_of(shapes, Year=[2009] * n, when=["2015-04-25"] * n)
    for suffix in (".gpkg", ".shp", ".geojson", ".parquet"):
        path = folder / f"a{suffix}"
        if suffix == ".parquet":
            frame.to_parquet(path)
        else:
            frame.to_file(path)
    zipped(folder / "a.zip", "2009", "2011")
    return folder


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".geojson", ".parquet", ".zip"])
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    which=st.integers(0, 3),
    cut=st.none() | st.floats(0, 1, exclude_max=True),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8),
)
def test_fuzzed_files_give_a_table_or_a_data_error(tmp_path, pristine, suffix, which, cut, flips):
    """Cut anywhere, or bytes flipped anywhere: never another exception, never a warning."""
    shutil.rmtree(tmp_path / "f", ignore_errors=True)
    folder = tmp_path / "f"
    folder.mkdir()
    parts = [".shp", ".shx", ".dbf", ".prj"] if suffix == ".shp" else [suffix]
    for part in parts:
        shutil.copy(pristine / f"a{part}", folder / f"a{part}")
    target = folder / f"a{parts[which % len(parts)]}"
    content = bytearray(target.read_bytes())
    for where, byte in flips:
        content[int(where * len(content))] = byte
    if cut is not None:
        content = content[: int(cut * len(content))]
    target.write_bytes(bytes(content))
    columns = ColumnMap(year="Year", date="when") if suffix != ".zip" else None
    member = "2011" if suffix == ".zip" else None
    try:
        table = read_inventory_table(folder / f"a{suffix}", columns=columns, member=member)
    except DataError as error:
        message = str(error)
        assert message.startswith(str(folder))
        return
    assert isinstance(table, InventoryTable)
    assert np.isfinite(table.frame["area_m2"]).all()
    assert table.frame.geometry.is_valid.all()
    assert table.n_read == len(table) + table.n_dropped


# Repair


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_repaired_polygons_are_valid_and_cover_the_same_ground(seed):
    rng = np.random.default_rng(seed)
    rings = [rng.uniform(0, 100, (rng.integers(4, 9), 2)) for _ in range(6)]
    shapes = np.array([shapely.Polygon(ring) for ring in rings], dtype=object)
    out = repair_polygons(shapes)
    assert out.kept.all()
    assert shapely.is_valid(out.geometries).all()
    for shape, fixed in zip(shapes, out.geometries, strict=True):
        assert shapely.box(*shape.bounds).buffer(1e-6).covers(fixed)
        if shape.is_valid:
            assert fixed.equals(shape)
    again = repair_polygons(out.geometries)
    assert again.n_repaired == 0


def test_overlapping_parts_do_not_become_holes():
    two = shapely.MultiPolygon([shapely.box(0, 0, 2, 1), shapely.box(1, 0, 3, 1)])
    out = repair_polygons(np.array([two], dtype=object))
    assert shapely.area(out.geometries).tolist() == [3.0]


def test_ground_that_an_outline_runs_round_twice_is_no_hole():
    ring = [(0, 0), (4, 0), (4, 2), (1, 2), (1, 1), (3, 1), (3, 3), (0, 3)]
    out = repair_polygons(np.array([shapely.Polygon(ring)], dtype=object))
    assert shapely.area(out.geometries).tolist() == [11.0]
    assert out.n_repaired == 1


def test_wild_coordinates_end_in_a_count_and_no_warning():
    ring = [(330, 0), (300, 2.682e154), (300, 30), (330, 30), (330, 0)]
    out = repair_polygons(np.array([shapely.Polygon(ring), shapely.box(0, 0, 1, 1)], dtype=object))
    assert out.kept[1]
    assert out.kept.sum() + sum(out.dropped.values()) == 2


def test_coordinates_that_are_not_finite_are_dropped_and_named():
    wild = shapely.Polygon([(0, 0), (1, np.inf), (2, 0)])
    huge = shapely.box(0, 0, 1e300, 1e300)
    out = repair_polygons(np.array([wild, huge, shapely.box(0, 0, 1, 1)], dtype=object))
    assert out.dropped == {"not finite": 2}


# Writing


def test_round_trip_keeps_everything(tmp_path, simple):
    table = read_inventory_table(
        simple, columns=ColumnMap(id="Slide_ID", year="Year", confidence="Conf"), minimum_area_m2=50
    )
    path = write_inventory(tmp_path / "out" / "b.gpkg", table)
    again = read_inventory_table(path, columns=STANDARD_MAP)
    pd.testing.assert_frame_equal(
        pd.DataFrame(again.frame.drop(columns="geometry")),
        pd.DataFrame(table.frame.drop(columns="geometry")),
        check_dtype=False,
    )
    assert again.frame.geometry.geom_equals_exact(table.frame.geometry, 0.0).all()
    assert again.crs == table.crs
    assert again.minimum_mapping_area_m2 == 50.0
    assert again.minimum_mapping_area_from == "stated in the file"
    assert sorted(p.name for p in path.parent.iterdir()) == ["b.gpkg"]


def test_plain_frames_get_standard_columns(tmp_path):
    path = write_inventory(
        tmp_path / "b.gpkg", frame_of(boxes(3)), minimum_mapping_area_m2=10, metadata={"note": "x"}
    )
    table = read_inventory_table(path, columns=STANDARD_MAP)
    assert table.frame["landslide_id"].tolist() == [1, 2, 3]
    assert table.n_undated == 3
    assert table.minimum_mapping_area_m2 == 10.0


def test_failed_write_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch, simple):
    import pyogrio

    before = simple.read_bytes()

    def half(frame, path, **options):
        Path(path).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(pyogrio, "write_dataframe", half)
    with pytest.raises(OSError, match="disk full"):
        write_inventory(simple, frame_of(boxes(3)))
    assert simple.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["simple.gpkg"]


@pytest.mark.parametrize(
    ("name", "frame", "message"),
    [
        ("a.shp", frame_of(boxes(1)), "ten characters"),
        ("a.gpkg", frame_of(boxes(1), crs=None), "without coordinate system"),
        ("a.gpkg", frame_of([shapely.Point(0, 0)]), "no polygon"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path, name, frame, message):
    with pytest.raises(DataError, match=message):
        write_inventory(tmp_path / name, frame)
    assert not list(tmp_path.iterdir())


# Real inventories

REAL = {
    "China": {2009: 10335, 2011: 1552, 2013: 370, 2014: 560, 2017: 140, 2018: 198, 2019: 349,
              2021: 414},
    "Nepal": {2013: 35, 2014: 21, 2015: 98, 2016: 28, 2017: 18, 2018: 12, 2019: 24},
}  # fmt: skip


@pytest.mark.data
@pytest.mark.parametrize("area", ["China", "Nepal"])
def test_all_real_layers_are_read_whole(data_dir, area):
    path = data_dir / "inventories" / f"{area}.zip"
    assert len(vector_members(path)) == len(REAL[area])
    for year, count in REAL[area].items():
        table = read_inventory_table(path, member=year, columns=ColumnMap(area="Area"))
        assert (len(table), table.n_dropped) == (count, 0), year
        assert table.frame.geometry.is_valid.all()
        assert table.crs.to_epsg() == {"China": 32648, "Nepal": 32645}[area]


@pytest.mark.data
def test_invalid_polygons_of_china_2009_are_repaired_and_its_sliver_kept(data_dir):
    table = read_inventory_table(
        data_dir / "inventories" / "China.zip", member="2009", columns=ColumnMap(year="Year"),
        minimum_area_m2=250,
    )  # fmt: skip
    assert table.n_repaired == 22
    assert table.n_multipart >= 115
    assert table.n_below_minimum == 1
    assert table.frame["area_m2"].min() == pytest.approx(0.197, abs=1e-3)
    assert set(table.frame["date_kind"]) == {"year"}


@pytest.mark.data
def test_columns_of_other_years_are_listed(data_dir):
    with pytest.raises(DataError, match=r"Year.*raster_val, InPoly_FID, Area"):
        read_inventory_table(
            data_dir / "inventories" / "Nepal.zip", member=2013, columns=ColumnMap(year="Year")
        )


@pytest.mark.data
def test_kashmir_years(data_dir):
    table = read_inventory_table(
        data_dir / "kashmir" / "landslides.shp", columns=ColumnMap(year="Year_obs")
    )
    years = table.frame["date_start"].dt.year.value_counts().to_dict()
    assert years == {2000: 92, 2001: 6, 2005: 130, 2006: 1730, 2010: 640, 2011: 21}
    assert table.n_z_dropped == 2619
    assert table.frame["area_m2"].sum() == pytest.approx(5.49e6, rel=1e-3)
    assert table.frame["area_m2"].median() == pytest.approx(925, abs=1)
