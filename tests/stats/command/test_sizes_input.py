"""Areas of inventories: every way to name them, and every way in which they are wrong."""

import zipfile

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stats.command.errors import DataError, UsageError, UserError
from stats.command.sizes_input import expand_sources, labels_of, parse_source, read_areas

UTM = "EPSG:32645"


def boxes(n=6, size=30.0, x=500_000.0, y=3_000_000.0):
    return [shapely.box(x + 100 * k, y, x + 100 * k + size, y + size) for k in range(n)]


def polygons(path, geometries=None, crs=UTM, **options):
    frame = gpd.GeoDataFrame(geometry=boxes() if geometries is None else geometries, crs=crs)
    frame.to_file(path, **options)
    return path


def read(text, **options):
    source = expand_sources([str(text)])[0]
    return read_areas(source, labels_of([source])[0], **options)


def areas_or_message(path):
    """Areas, or the message of the one kind of error that may come."""
    try:
        return read(path).areas_m2, ""
    except UserError as error:
        return np.array([np.nan]), str(error)


# Tables


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "400\n900\n1600\n"),
        ("a.txt", "# areas of 2015\n400\n\n900 \n1600"),
        ("a.csv", "area_m2\n400\n900\n1600\n"),
        ("a.csv", "id,Area,depth\n1,400,2.5\n2,900,3.5\n3,1600,1.0\n"),
        ("a.csv", "id;area_m2\nx;400,0\ny;900,0\nz;1600,0\n"),
        ("a.tsv", "id\tArea\nx\t400\ny\t900\nz\t1600\n"),
        ("a.dat", "400 \n900\n1600\n"),
        ("a.csv", "\ufeffarea_m2\n400\n900\n1600\n"),
    ],
)
def test_text_tables_of_areas(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    found = read(path)
    assert found.areas_m2.tolist() == [400.0, 900.0, 1600.0]
    assert found.table is None


def test_parquet_and_the_column_of_choice(tmp_path):
    path = tmp_path / "a.parquet"
    pd.DataFrame({"scar": [400.0, 900.0], "whole": [500.0, 1000.0]}).to_parquet(path)
    assert read(f"{path}:scar").areas_m2.tolist() == [400.0, 900.0]
    with pytest.raises(DataError, match="FILE:COLUMN"):
        read(path)
    with pytest.raises(DataError, match="did you mean 'whole'"):
        read(f"{path}:whol")


def test_units_of_tables(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("area\n0.0004\n0.0009\n", encoding="utf-8")
    assert read(path, unit="km2").areas_m2 == pytest.approx([400.0, 900.0])
    with pytest.raises(DataError, match="--unit"):
        read(path)
    with pytest.raises(UsageError, match="--unit"):
        read(polygons(tmp_path / "p.gpkg"), unit="km2")


def test_blank_cells_are_dropped_and_counted(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,area_m2\n1,400\n2,\n3,900\n", encoding="utf-8")
    found = read(path)
    assert found.areas_m2.tolist() == [400.0, 900.0]
    assert found.notes == ("1 rows without an area dropped",)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "empty file"),
        ("a.csv", b"area_m2\n", "no areas"),
        ("a.csv", b"# nothing\n", "no rows"),
        ("a.csv", b"area_m2\n400\nmany\n", "'many'"),
        ("a.csv", b"area_m2\n400\n-3\n", "not above 0"),
        ("a.csv", b"area_m2\n400\n0\n", "not above 0"),
        ("a.csv", b"area_m2\n400\ninf\n", "not finite"),
        ("a.csv", b"name\nx\ny\n", "FILE:COLUMN"),
        ("a.csv", b"\xff\xfe\x00a\x00", "unreadable table"),
        ("a.parquet", b"PAR1 nothing", "unreadable file"),
        ("a.xlsx", b"PK", "suffix|file"),
    ],
)
def test_broken_tables_are_refused_in_words(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read(path)
    assert name in str(caught.value)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(max_size=300), suffix=st.sampled_from([".csv", ".txt", ".parquet", ".tsv"])
)
def test_noise_is_either_areas_or_one_clear_error(tmp_path, content, suffix):
    path = tmp_path / f"noise{suffix}"
    path.write_bytes(content)
    areas, message = areas_or_message(path)
    assert "noise" in message or (np.isfinite(areas) & (areas > 0)).all()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    at=st.integers(0, 4000), value=st.integers(0, 255), cut=st.integers(1, 4000),
    truncate=st.booleans(),
)  # fmt: skip
def test_damaged_vector_files_never_crash(tmp_path, at, value, cut, truncate):
    whole = tmp_path / "whole.geojson"
    if not whole.exists():
        polygons(whole, crs="EPSG:4326", geometries=[
            shapely.box(85 + k / 100, 28, 85.001 + k / 100, 28.001) for k in range(6)
        ])  # fmt: skip
    data = bytearray(whole.read_bytes())
    if truncate:
        data = data[: cut % len(data)]
    else:
        data[at % len(data)] = value
    path = tmp_path / "damaged.geojson"
    path.write_bytes(bytes(data))
    areas, message = areas_or_message(path)
    assert "damaged.geojson" in message or (areas > 0).all()


# Polygons


def test_polygons_are_measured(tmp_path):
    found = read(polygons(tmp_path / "a.gpkg"))
    assert found.areas_m2 == pytest.approx(np.full(6, 900.0))
    assert found.table is not None
    assert found.stated_minimum_m2 is None
    assert len(found.sha256) == 64


def test_degrees_taken_for_metres_are_named(tmp_path):
    small = [shapely.box(85 + k / 100, 28, 85.001 + k / 100, 28.001) for k in range(6)]
    path = polygons(tmp_path / "a.gpkg", small, crs=UTM)
    with pytest.raises(DataError, match="degrees taken for metres"):
        read(path)
    assert np.median(read(polygons(tmp_path / "b.gpkg", small, crs="EPSG:4326")).areas_m2) > 1e3


def test_a_file_without_a_system_needs_one(tmp_path):
    path = polygons(tmp_path / "a.shp")
    path.with_suffix(".prj").unlink()
    with pytest.raises(DataError, match="no coordinate system"):
        read(path)
    assert read(path, crs=UTM).areas_m2 == pytest.approx(np.full(6, 900.0))


def test_an_empty_layer_is_refused(tmp_path):
    path = polygons(tmp_path / "a.gpkg", [])
    with pytest.raises(DataError, match="no features"):
        read(path)


# Names


def archive(tmp_path, names=("2009", "2011")):
    path = tmp_path / "China.zip"
    with zipfile.ZipFile(path, "w") as out:
        for k, name in enumerate(names):
            file = polygons(tmp_path / f"{name}.geojson", boxes(3 + k), driver="GeoJSON")
            out.write(file, f"China/{name}.geojson")
    return path


def test_a_zip_is_all_its_files_or_the_one_named(tmp_path):
    path = archive(tmp_path)
    sources = expand_sources([str(path)])
    assert labels_of(sources) == ["China 2009", "China 2011"]
    assert [len(read_areas(s, "x").areas_m2) for s in sources] == [3, 4]
    assert len(read(f"{path}:2011").areas_m2) == 4
    with pytest.raises(DataError, match="no member '2012'"):
        read(f"{path}:2012")


def test_labels_never_repeat():
    sources = [parse_source(t) for t in ("a/x.csv", "b/x.csv", "b/x.csv:area")]
    assert labels_of(sources) == ["x", "x (2)", "x area"]


def test_a_colon_in_a_file_name_stays_there(tmp_path):
    path = tmp_path / "a:b.csv"
    path.write_text("area\n400\n900\n")
    assert parse_source(str(path)).name is None
    assert len(read(path).areas_m2) == 2
    assert parse_source(f"{path}:area").name == "area"


@pytest.mark.parametrize("text", ["nowhere.gpkg", "nowhere.csv", "nowhere.zip", "nowhere.zip:a"])
def test_missing_files_are_named(tmp_path, text):
    with pytest.raises(DataError, match="nowhere"):
        read(tmp_path / text)


def test_an_empty_name_is_a_usage_error():
    with pytest.raises(UsageError, match="empty name"):
        expand_sources([""])
