"""Hashes that follow content and nothing else, and records that survive every format."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import box

from hazard.errors import DataError
from hazard.geo.grid import Grid
from hazard.geo.provenance import LayerSource, file_sha256
from hazard.geo.store import cf_dataset, open_netcdf, open_zarr, write_netcdf, write_zarr

texts = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=20)


def shapefile(folder: Path, size: float = 10) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "slides.shp"
    gpd.GeoDataFrame({"n": [1]}, geometry=[box(0, 0, size, size)], crs="EPSG:32645").to_file(path)
    return path


def zipped(shp: Path, archive: Path, inner: str) -> Path:
    with zipfile.ZipFile(archive, "w") as out:
        for part in shp.parent.iterdir():
            out.write(part, f"{inner}/{part.name}")
    return archive


def test_hash_is_sha256_of_the_content_also_of_large_files(tmp_path: Path) -> None:
    data = np.random.default_rng(1).bytes(3 * 2**20 + 17)
    (tmp_path / "a.tif").write_bytes(data)
    assert file_sha256(tmp_path / "a.tif") == hashlib.sha256(data).hexdigest()


def test_hash_of_a_shapefile_covers_all_of_its_parts(tmp_path: Path) -> None:
    path = shapefile(tmp_path / "a")
    first = file_sha256(path)
    assert first == file_sha256(shapefile(tmp_path / "b"))
    for suffix in (".shp", ".dbf", ".prj", ".shx", ".cpg"):
        part = path.with_suffix(suffix)
        before = part.read_bytes()
        part.write_bytes(before + b" ")
        assert file_sha256(path) != first, suffix
        part.write_bytes(before)
    path.with_suffix(".prj").unlink()
    assert file_sha256(path) != first


def test_hash_is_the_same_inside_a_zip_by_each_way_of_naming_it(tmp_path: Path) -> None:
    path = shapefile(tmp_path / "a")
    archive = zipped(path, tmp_path / "China.zip", "China")
    expected = file_sha256(path)
    assert file_sha256(archive, member="China/slides.shp") == expected
    assert file_sha256(f"/vsizip/{archive}/China/slides.shp") == expected
    assert file_sha256(f"/vsizip/{{{archive}}}/China/slides.shp") == expected
    dbf = hashlib.sha256(path.with_suffix(".dbf").read_bytes()).hexdigest()
    assert file_sha256(archive, member="China/slides.dbf") == dbf
    # The zip itself is another file.
    assert file_sha256(archive) not in (expected, dbf)


def test_hash_of_a_store_follows_names_and_content(tmp_path: Path) -> None:
    grid = Grid.from_bounds("EPSG:32645", (0, 0, 40, 30), cell_m=10)
    for name, value in (("a", 1.0), ("b", 1.0), ("c", 2.0)):
        write_zarr(
            tmp_path / name, cf_dataset({"z": (("y", "x"), np.full(grid.shape, value))}, grid)
        )
    a, b, c = (file_sha256(tmp_path / name) for name in "abc")
    assert a == b != c


def test_missing_and_broken_inputs_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.tif: found no such file"):
        file_sha256(tmp_path / "none.tif")
    (tmp_path / "bad.zip").write_text("text")
    with pytest.raises(DataError, match=r"bad\.zip: found no readable zip"):
        file_sha256(tmp_path / "bad.zip", member="a.shp")
    archive = zipped(shapefile(tmp_path / "a"), tmp_path / "a.zip", "a")
    with pytest.raises(DataError, match=r"a\.zip: found no member 'b\.shp'; expected one of a/"):
        file_sha256(archive, member="b.shp")
    with pytest.raises(DataError, match=r"expected /vsizip/FILE\.zip/MEMBER"):
        file_sha256("/vsizip/folder/file.shp")


def test_hash_matches_in_the_real_archive(data_dir: Path) -> None:
    archive = data_dir / "inventories" / "China.zip"
    with zipfile.ZipFile(archive) as content:
        member = next(n for n in content.namelist() if n.endswith(".shp"))
    got = file_sha256(archive, member=member)
    assert got == file_sha256(f"/vsizip/{archive}/{member}")
    assert len(got) == 64


@given(
    st.builds(
        LayerSource, file=texts, sha256=texts, crs=texts, resampling=texts, unit=texts,
        source=texts, notes=st.lists(texts.filter(bool), max_size=3).map(tuple),
    )
)  # fmt: skip
def test_record_survives_its_attributes(record: LayerSource) -> None:
    assert LayerSource.from_attrs(record.to_attrs()) == record


@pytest.mark.parametrize("notes", [(), ("one",), ("222 cells filled", "percent to share")])
def test_record_survives_netcdf_and_zarr(tmp_path: Path, notes: tuple[str, ...]) -> None:
    record = LayerSource(
        file="dem.tif", sha256="ab" * 32, crs="EPSG:4326", resampling="bilinear", unit="m",
        source="SRTM", notes=notes,
    )  # fmt: skip
    grid = Grid.from_bounds("EPSG:32645", (0, 0, 40, 30), cell_m=10)
    dataset = cf_dataset({"z": (("y", "x"), np.zeros(grid.shape), record.to_attrs())}, grid)
    write_netcdf(tmp_path / "a.nc", dataset)
    write_zarr(tmp_path / "a.zarr", dataset)
    with open_netcdf(tmp_path / "a.nc") as got:
        assert LayerSource.from_attrs(got.z.attrs) == record
    assert LayerSource.from_attrs(open_zarr(tmp_path / "a.zarr").z.attrs) == record


def test_layers_without_provenance_are_named() -> None:
    with pytest.raises(DataError, match="slope: found no attribute units, source, source_file"):
        LayerSource.from_attrs({"source_sha256": "a"}, layer="slope")
