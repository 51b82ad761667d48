"""Bad raster files: each ends in one DataError that names the file, never in anything else."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine

from hazard.errors import DataError
from hazard.geo.grid import Block, Grid
from hazard.geo.raster import Raster, read_info, read_native, read_on_grid
from hazard.geo.store import cf_dataset, write_netcdf

UTM = "EPSG:32645"
GRID = Grid(crs=UTM, transform=Affine(30, 0, 3e5, 0, -30, 3e6), shape=(64, 64))
TARGET = Grid(crs=UTM, transform=Affine(41, 0, 3e5, 0, -41, 3e6), shape=(40, 40))


def values() -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(1).normal(1000, 200, GRID.shape).astype(np.float32)


def geotiff(path: Path, crs: str | None = UTM, transform: Any = GRID.transform, **k: Any) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(
            path, "w", driver="GTiff", height=64, width=64, count=1, dtype="float32", crs=crs,
            transform=transform, nodata=-9999, **k,
        ) as dataset:  # fmt: skip
            dataset.write(values(), 1)
    return path


def netcdf(path: Path) -> Path:
    """Not compressed, so that a changed byte may also be just another value."""
    write_netcdf(
        path, cf_dataset({"z": (("y", "x"), values(), {"units": "m"})}, GRID), compression=0
    )
    return path


READERS = {
    "native": read_native,
    "on grid": lambda path: read_on_grid(path, TARGET),
    "block": lambda path: read_on_grid(
        path, TARGET, resampling="average", block=Block(row0=30, row1=40, col0=0, col1=9)
    ),
}


@pytest.fixture(params=list(READERS))
def read(request: pytest.FixtureRequest) -> Any:
    return READERS[request.param]


def test_missing_folder_and_empty_files_are_named(tmp_path: Path, read: Any) -> None:
    with pytest.raises(DataError, match=r"dem\.tif: found no such file; expected a raster file"):
        read(tmp_path / "dem.tif")
    with pytest.raises(DataError, match="found a folder"):
        read(tmp_path)
    for name in ("empty.tif", "empty.nc"):
        (tmp_path / name).touch()
        with pytest.raises(DataError, match=f"{name}: found an empty file"):
            read(tmp_path / name)
    with pytest.raises(DataError, match=r"/vsizip/.*: found unreadable content"):
        read(f"/vsizip/{tmp_path}/none.zip/dem.tif")


@pytest.mark.parametrize(
    "content",
    [b"elevation in metres\n1 2 3\n", b"II*\0", b"\x89HDF\r\n\x1a\n", b"CDF\x01", b"\0" * 500],
    ids=["text", "tiff magic", "hdf5 magic", "netcdf3 magic", "zeros"],
)
def test_wrong_formats_are_named(tmp_path: Path, read: Any, content: bytes) -> None:
    path = tmp_path / "dem.tif"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"dem\.tif: found unreadable content .*; expected a"):
        read(path)


@pytest.mark.parametrize("tiled", [False, True])
def test_a_truncated_geotiff_opens_but_fails_on_read(
    tmp_path: Path, read: Any, tiled: bool
) -> None:
    options = {"tiled": True, "blockxsize": 16, "blockysize": 16} if tiled else {}
    path = geotiff(tmp_path / "dem.tif", **options)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 5])
    assert read_info(path).shape == (64, 64)  # the header is whole: the trap
    with pytest.raises(
        DataError, match=r"dem\.tif: found unreadable content .*; expected float32 values in rows"
    ):
        read(path)


def test_a_truncated_netcdf_is_refused(tmp_path: Path, read: Any) -> None:
    path = netcdf(tmp_path / "dem.nc")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match=r"dem\.nc: found unreadable content"):
        read(path)


def test_no_coordinate_system_is_refused_without_a_warning(tmp_path: Path, read: Any) -> None:
    """Warnings are errors here: NotGeoreferencedWarning must not escape either."""
    path = geotiff(tmp_path / "dem.tif", crs=None)
    with pytest.raises(DataError, match=r"dem\.tif: found no coordinate system"):
        read(path)
    image = geotiff(tmp_path / "image.tif", crs=None, transform=Affine.identity())
    assert read_info(image).crs is None
    with pytest.raises(DataError, match=r"image\.tif: found no coordinate system"):
        read(image)


@pytest.mark.parametrize(
    "transform",
    [Affine(30, 3, 3e5, 3, -30, 3e6), Affine(-30, 0, 3e5, 0, -30, 3e6)],
    ids=["rotated", "mirrored"],
)
def test_rotated_and_mirrored_files_are_refused(
    tmp_path: Path, read: Any, transform: Affine
) -> None:
    path = geotiff(tmp_path / "dem.tif", transform=transform)
    with pytest.raises(DataError, match=r"dem\.tif: found a rotated, mirrored or empty transform"):
        read(path)


@pytest.mark.parametrize("band", [0, 2, -1])
def test_bands_that_are_not_there_are_refused(tmp_path: Path, band: int) -> None:
    path = geotiff(tmp_path / "dem.tif")
    message = rf"dem\.tif: found 1 band\(s\); expected band {band} to be among them"
    with pytest.raises(DataError, match=message):
        read_native(path, band=band)
    with pytest.raises(DataError, match=message):
        read_on_grid(path, TARGET, band=band)


def test_windows_beyond_the_file_are_refused(tmp_path: Path) -> None:
    path = geotiff(tmp_path / "dem.tif")
    with pytest.raises(DataError, match=r"found shape \(64, 64\); expected to hold"):
        read_native(path, window=Block(row0=0, row1=65, col0=0, col1=1))


def test_complex_numbers_are_refused(tmp_path: Path, read: Any) -> None:
    path = tmp_path / "radar.tif"
    with rasterio.open(
        path, "w", driver="GTiff", height=64, width=64, count=1, dtype="complex64", crs=UTM,
        transform=GRID.transform,
    ) as dataset:  # fmt: skip
        dataset.write(values().astype(np.complex64), 1)
    with pytest.raises(DataError, match=r"complex64 values .* expected real numbers"):
        read(path)


def test_grids_where_the_systems_do_not_meet_are_refused(tmp_path: Path) -> None:
    path = geotiff(tmp_path / "dem.tif")
    polar = Grid(crs="EPSG:4326", transform=Affine(1, 0, 0, 0, -1, 95), shape=(4, 4))
    with pytest.raises(DataError, match=r"dem\.tif: found"):
        read_on_grid(path, polar)
    antipode = Grid(crs="EPSG:4326", transform=Affine(0.1, 0, -93, 0, -0.1, -20), shape=(4, 4))
    with pytest.raises(DataError, match=r"dem\.tif: found"):
        read_on_grid(path, antipode)


def test_a_grid_partly_beyond_the_reach_of_the_system_reads_the_rest(tmp_path: Path) -> None:
    """Rows north of the pole have no place in the file's system; the others do."""
    path = tmp_path / "world.tif"
    with rasterio.open(
        path, "w", driver="GTiff", height=90, width=180, count=1, dtype="float32",
        crs="EPSG:3857", transform=Affine(2e5, 0, -1.8e7, 0, -2e5, 9e6),
    ) as dataset:  # fmt: skip
        dataset.write(np.ones((90, 180), np.float32), 1)
    grid = Grid(crs="EPSG:4326", transform=Affine(1, 0, 0, 0, -1, 95), shape=(60, 20))
    got = read_on_grid(path, grid)
    assert got.valid[40:].all()
    assert not got.valid[:25].any()
    assert not got.valid[:5].any()


# ---- fuzz -----------------------------------------------------------------------------------


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """A file cut short or with up to five bytes changed, more often at its ends.

    At the ends lie the headers and directories; in the middle lies what is compressed.
    """
    content = bytearray(data)
    if rng.random() < 0.3:
        content = content[: max(1, int(rng.random() * len(data)))]
    for _ in range(rng.integers(0 if len(content) < len(data) else 1, 6)):
        part = rng.choice([1.0, 0.03, -0.03], p=[0.6, 0.2, 0.2])
        place = int(rng.random() * abs(part) * len(content))
        content[place if part > 0 else -1 - place] ^= int(rng.integers(1, 256))
    return bytes(content)


def outcome(path: Path, seen: dict[str, int]) -> None:
    """Read in every way; only a Raster or a DataError that names the file may come out."""
    for read in READERS.values():
        refusal = None
        try:
            raster = read(path)
        except DataError as error:
            refusal = str(error)
        if refusal is not None:
            assert str(path) in refusal
            seen["refused"] += 1
        else:
            assert isinstance(raster, Raster)
            assert np.isfinite(raster.values[raster.valid]).all()
            assert np.isnan(raster.values[~raster.valid]).all()
            seen["read"] += 1


@pytest.mark.parametrize(
    "kind", ["plain tif", "deflate tif", "netcdf"],
)  # fmt: skip
def test_damaged_files_end_in_a_raster_or_a_data_error(tmp_path: Path, kind: str) -> None:
    if kind == "netcdf":
        whole = netcdf(tmp_path / "whole.nc")
    elif kind == "plain tif":
        whole = geotiff(tmp_path / "whole.tif")
    else:
        whole = geotiff(
            tmp_path / "whole.tif", compress="deflate", predictor=3, tiled=True,
            blockxsize=16, blockysize=16,
        )  # fmt: skip
    data = whole.read_bytes()
    seen = {"read": 0, "refused": 0}
    path = tmp_path / f"damaged{whole.suffix}"

    for seed in range(300):
        path.write_bytes(damaged(data, np.random.default_rng(seed)))
        outcome(path, seen)
    # Both ends are reached, so the test says something.
    assert min(seen.values()) > 20
