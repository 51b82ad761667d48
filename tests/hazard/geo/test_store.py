"""netCDF and Zarr: CF attributes, exact grids, and nothing lost when writing fails or is killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyproj import CRS, Transformer

from hazard.errors import DataError
from hazard.geo.beside import write_beside
from hazard.geo.grid import Block, Grid
from hazard.geo.raster import read_native
from hazard.geo.store import (
    cf_dataset,
    create_grid_group,
    create_zarr_layer,
    default_chunks,
    grid_from_dataset,
    open_netcdf,
    open_zarr,
    write_netcdf,
    write_zarr,
    zarr_store_beside,
)

GRID = Grid(
    crs="EPSG:32645",
    transform=Affine(1000, 0, 248635.079552699, 0, -1000, 3175441.10599484),
    shape=(12, 17),
)
CRS_CHOICES = ["EPSG:32645", "EPSG:4326", "EPSG:3857", "EPSG:3035", "EPSG:2264", "EPSG:3031"]


def study(grid: Grid = GRID) -> xr.Dataset:
    rng = np.random.default_rng(1)
    density = rng.gamma(0.3, 1, (3, *grid.shape)).astype(np.float32)
    density[:, 0, 0] = np.nan
    return cf_dataset(
        {
            "area_density": (("epoch", "y", "x"), density, {"units": "percent"}),
            "mask": (("y", "x"), rng.random(grid.shape) < 0.9, {"long_name": "mapped cells"}),
            "geology": xr.DataArray(rng.integers(0, 9, grid.shape), dims=("y", "x")).astype(
                "int16"
            ),
            "length_days": (("epoch",), np.array([33.0, 190.0, 365.0]), {"units": "1"}),
        },
        grid,
        coords={
            "epoch": ("epoch", pd.to_datetime(["2015-04-25", "2015-06-01", "2016-01-01"]).values)
        },
        attrs={"title": "test", "cube_version": 3},
    )


def clean(dataset: xr.Dataset) -> xr.Dataset:
    """Without encodings; grid_mapping may live there or in attributes."""
    out = dataset.load().drop_encoding()
    for variable in out.variables.values():
        variable.attrs.pop("grid_mapping", None)
    return out[sorted(map(str, out.data_vars))]


def write(kind: str, folder: Path, dataset: xr.Dataset, name: str = "study") -> Path:
    path = folder / f"{name}.{kind}"
    (write_netcdf if kind == "nc" else write_zarr)(path, dataset)
    return path


def read(path: Path, **options: Any) -> xr.Dataset:
    if path.suffix == ".zarr":
        return open_zarr(path, **options)
    with open_netcdf(path, **options) as dataset:
        return dataset.load()


# ---- content ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["nc", "zarr"])
def test_dataset_round_trips_with_values_attributes_and_grid(tmp_path: Path, kind: str) -> None:
    dataset = study()
    path = write(kind, tmp_path, dataset)
    got = read(path)
    xr.testing.assert_identical(clean(got), clean(dataset.copy()))
    assert got.attrs["Conventions"] == "CF-1.8"
    grid = grid_from_dataset(got)
    assert (grid.crs, grid.transform, grid.shape) == (GRID.crs, GRID.transform, GRID.shape)
    # And again from what was read: nothing of the first file's layout gets in the way.
    again = read(write(kind, tmp_path, got, "again"))
    xr.testing.assert_identical(clean(again), clean(dataset.copy()))
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"again.{kind}", f"study.{kind}"]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    crs=st.sampled_from(CRS_CHOICES),
    cell=st.tuples(st.floats(1e-3, 1), st.floats(1e-3, 1)),
    corner=st.tuples(st.floats(-170, 170), st.floats(-80, 80)),
    shape=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    kind=st.sampled_from(["nc", "zarr"]),
)
def test_any_grid_round_trips_exactly(
    tmp_path: Path,
    crs: str,
    cell: tuple[float, float],
    corner: tuple[float, float],
    shape: tuple[int, int],
    kind: str,
) -> None:
    scale = 1.0 if crs == "EPSG:4326" else 10_000 / 3
    t = Affine(cell[0] * scale, 0, corner[0] * scale, 0, -cell[1] * scale, corner[1] * scale)
    grid = Grid(crs=crs, transform=t, shape=shape)
    dataset = cf_dataset({"z": (("y", "x"), np.zeros(shape))}, grid)
    got = grid_from_dataset(read(write(kind, tmp_path, dataset)))
    assert got == grid


def test_grid_survives_cropping_and_loss_of_the_geotransform() -> None:
    dataset = study()
    block = Block(row0=3, row1=9, col0=5, col1=7)
    part = dataset.isel(y=block.slices[0], x=block.slices[1])
    assert grid_from_dataset(part) == GRID.crop(block)
    one = dataset.isel(y=[4], x=[2])
    assert grid_from_dataset(one) == GRID.crop(Block(row0=4, row1=5, col0=2, col1=3))
    # Every second cell is another lattice: the axes decide, not the stale GeoTransform.
    thinned = grid_from_dataset(dataset.isel(y=slice(None, None, 2), x=slice(None, None, 2)))
    assert thinned.cell_size == (2000, 2000)
    del dataset.spatial_ref.attrs["GeoTransform"]
    assert grid_from_dataset(dataset).same_as(GRID)


def test_axes_and_mapping_follow_cf() -> None:
    dataset = study()
    assert dataset.x.attrs["standard_name"] == "projection_x_coordinate"
    assert (dataset.x.attrs["units"], dataset.y.attrs["axis"]) == ("m", "Y")
    mapping = dataset.spatial_ref.attrs
    assert mapping["grid_mapping_name"] == "transverse_mercator"
    assert mapping["longitude_of_central_meridian"] == 87
    assert CRS.from_wkt(mapping["crs_wkt"]) == GRID.crs
    # The CF parameters alone give the same projection.
    bare = {k: v for k, v in mapping.items() if k not in ("crs_wkt", "spatial_ref", "GeoTransform")}
    x, y = Transformer.from_crs(CRS.from_cf(bare), GRID.crs, always_xy=True).transform(4e5, 3.1e6)
    assert (x, y) == pytest.approx((4e5, 3.1e6), abs=1e-3)
    degrees = cf_dataset(
        {}, Grid(crs="EPSG:4326", transform=Affine(1, 0, 5, 0, -1, 9), shape=(2, 3))
    )
    assert degrees.y.attrs["units"] == "degrees_north"
    assert degrees.x.attrs["standard_name"] == "longitude"
    feet = cf_dataset({}, Grid(crs="EPSG:2264", transform=Affine(1, 0, 5, 0, -1, 9), shape=(2, 3)))
    assert "foot" in feet.x.attrs["units"]


def test_netcdf_file_holds_cf_metadata_as_other_programs_look_for_it(tmp_path: Path) -> None:
    path = write("nc", tmp_path, study())
    with h5py.File(path) as file:
        assert file["area_density"].attrs["grid_mapping"] == "spatial_ref"
        assert np.isnan(file["area_density"].attrs["_FillValue"][0])
        assert "_FillValue" not in file["x"].attrs
        assert "grid_mapping" not in file["length_days"].attrs
        assert "coordinates" not in file["area_density"].attrs
        assert file["area_density"].compression == "gzip"
        assert file["epoch"].attrs["units"].startswith("days since")
    # And our own raster reader finds the grid in it.
    raster = read_native(path, variable="area_density", band=2)
    assert raster.grid.same_as(GRID)
    np.testing.assert_array_equal(raster.values, study().area_density.values[1])


def test_shapes_that_are_not_the_grids_are_refused() -> None:
    with pytest.raises(ValueError, match=r"z: y, x of \(3, 3\) on a grid of shape \(12, 17\)"):
        cf_dataset({"z": (("y", "x"), np.zeros((3, 3)))}, GRID)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda d: d.drop_vars("x"), "no axis 'x'"),
        (lambda d: d.drop_vars("spatial_ref"), "no grid mapping"),
        (lambda d: d.isel(x=[0, 1, 5]), "irregular axis x"),
        (lambda d: d.assign_coords(spatial_ref=xr.Variable((), 0, {"a": 1})), "without coordinate"),
        (
            lambda d: d.assign_coords(spatial_ref=d.spatial_ref.assign_attrs(GeoTransform="1 2 x")),
            "expected six numbers",
        ),
    ],
    ids=["axis", "mapping", "irregular", "no crs", "geotransform"],
)
def test_datasets_without_a_grid_are_refused(edit: Any, message: str) -> None:
    with pytest.raises(DataError, match=rf"cube\.zarr: .*{message}"):
        grid_from_dataset(edit(study()), source="cube.zarr")


# ---- Zarr ------------------------------------------------------------------------------------


def test_groups_hold_other_lattices(tmp_path: Path) -> None:
    fine = GRID.refine(4)
    pixels = cf_dataset({"slope": (("y", "x"), np.ones(fine.shape, np.float32))}, fine)
    path = tmp_path / "cube.zarr"
    write_zarr(path, {"": study(), "pixels": pixels, "triggers/rain": study()})
    assert grid_from_dataset(open_zarr(path)) == GRID
    assert grid_from_dataset(open_zarr(path, "pixels")) == fine
    assert "length_days" in open_zarr(path, "triggers/rain")
    root = json.loads((path / "zarr.json").read_text())
    assert root["zarr_format"] == 3
    assert "consolidated_metadata" not in root
    with pytest.raises(DataError, match="found groups pixels, triggers; expected group 'pixel'"):
        open_zarr(path, "pixel")


def test_chunks_and_shards_are_as_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    write_zarr(
        path, {"": study(), "g": study()}, chunks={"area_density": (1, 4, 4)},
        shards={"g/area_density": (3, 12, 20)},
    )  # fmt: skip
    root = zarr.open_group(path, mode="r")
    assert root["area_density"].chunks == root["g/area_density"].chunks == (1, 4, 4)
    assert root["area_density"].shards is None
    assert root["g/area_density"].shards == (3, 12, 20)
    assert len(list((path / "g/area_density/c").rglob("[0-9]"))) < 10
    xr.testing.assert_equal(open_zarr(path).area_density, open_zarr(path, "g").area_density)


@given(
    st.lists(st.integers(1, 9000), min_size=1, max_size=4),
    st.sampled_from(["float32", "float64", "uint8", "bool"]),
)
def test_default_chunks_are_within_the_shape_and_neither_tiny_nor_huge(
    shape: list[int], dtype: str
) -> None:
    chunks = default_chunks(shape, dtype)
    assert len(chunks) == len(shape)
    assert all(1 <= c <= s for c, s in zip(chunks, shape, strict=True))
    size = int(np.prod(chunks)) * np.dtype(dtype).itemsize
    assert size <= 2 * 2**20
    assert chunks == tuple(shape) or size >= 2**19


def test_layers_are_written_by_region_and_read_by_xarray(tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(size=(2, *GRID.shape)).astype(np.float32)
    path = tmp_path / "cube.zarr"
    with zarr_store_beside(path, attrs={"cube_version": 3}) as root:
        group = create_grid_group(root, "", GRID, attrs={"title": "cube"})
        layer = create_zarr_layer(
            group, "slope", values.shape, "float32", dims=("epoch", "y", "x"),
            chunks=(1, 5, 5), attrs={"units": "degree"},
        )  # fmt: skip
        empty = create_zarr_layer(group, "gap", GRID.shape, "float32", dims=("y", "x"))
        create_zarr_layer(group, "code", GRID.shape, "int16", dims=("y", "x"), fill=-1)
        create_zarr_layer(group, "flag", GRID.shape, "bool", dims=("y", "x"))
        for block in GRID.blocks(5):
            layer[:, block.slices[0], block.slices[1]] = values[(slice(None), *block.slices)]
        empty[0, 0] = 5
    dataset = open_zarr(path, attributes={"cube_version": 3, "title": "cube"})
    np.testing.assert_array_equal(dataset.slope, values)
    assert dataset.slope.attrs["units"] == "degree"
    assert int(dataset.gap.isnull().sum()) == 12 * 17 - 1
    assert (dataset.code == -1).all()
    assert dataset.flag.dtype == bool
    assert not dataset.flag.any()
    assert grid_from_dataset(dataset) == GRID
    assert dataset.slope.encoding["grid_mapping"] == "spatial_ref"


def test_text_is_refused_with_the_way_out(tmp_path: Path) -> None:
    dataset = study().assign(name=("epoch", ["a", "b", "c"]))
    with pytest.raises(ValueError, match="name: text; store integer codes"):
        write_zarr(tmp_path / "a.zarr", dataset)
    with zarr_store_beside(tmp_path / "b.zarr") as root, pytest.raises(ValueError, match="text is"):
        create_zarr_layer(root, "name", (3,), "U5", dims=("epoch",))


# ---- bad input -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["nc", "zarr"])
def test_missing_variables_and_wrong_versions_are_named(tmp_path: Path, kind: str) -> None:
    path = write(kind, tmp_path, study())
    with pytest.raises(DataError, match=rf"study\.{kind}: found variables area_density, .*slope"):
        read(path, variables=["mask", "slope"])
    with pytest.raises(DataError, match=r"found cube_version = .*3.*; expected cube_version = 4"):
        read(path, attributes={"cube_version": 4})
    with pytest.raises(DataError, match="found no attribute 'layout'; expected layout = 1"):
        read(path, attributes={"layout": 1})
    assert "mask" in read(path, variables=["mask"], attributes={"cube_version": 3})


def test_what_is_no_zarr_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.zarr: found no such store"):
        open_zarr(tmp_path / "a.zarr")
    (tmp_path / "b.zarr").mkdir()
    with pytest.raises(DataError, match=r"b\.zarr: found no zarr\.json"):
        open_zarr(tmp_path / "b.zarr")
    (tmp_path / "c.zarr").write_text("no folder")
    with pytest.raises(DataError, match=r"c\.zarr: found no zarr\.json"):
        open_zarr(tmp_path / "c.zarr")
    contents = {
        "": "unreadable content",
        "{": "unreadable content",
        '{"zarr_format": 3}': "zarr_format, node_type",
        '{"zarr_format": 2, "node_type": "group"}': "zarr_format, node_type",
        '{"zarr_format": 3, "node_type": "array"}': "zarr_format, node_type",
    }
    for content, found in contents.items():
        (tmp_path / "b.zarr" / "zarr.json").write_text(content)
        with pytest.raises(DataError, match=rf"b\.zarr: found {found}"):
            open_zarr(tmp_path / "b.zarr")


def test_a_damaged_chunk_is_refused_when_loaded(tmp_path: Path) -> None:
    path = write("zarr", tmp_path, study())
    chunk = next(p for p in (path / "area_density" / "c").rglob("*") if p.is_file())
    chunk.write_bytes(chunk.read_bytes()[:20])
    with pytest.raises(DataError, match=r"study\.zarr: found unreadable content"):
        open_zarr(path, load=True)
    # The other variables still read.
    assert open_zarr(path).geology.load().shape == GRID.shape


def test_what_is_no_netcdf_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.nc: found no such file"):
        open_netcdf(tmp_path / "a.nc")
    (tmp_path / "b.nc").touch()
    with pytest.raises(DataError, match=r"b\.nc: found an empty file"):
        open_netcdf(tmp_path / "b.nc")
    (tmp_path / "c.nc").write_text("text")
    with pytest.raises(DataError, match=r"c\.nc: found unreadable content"):
        open_netcdf(tmp_path / "c.nc")
    path = write("nc", tmp_path, study())
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(DataError, match=r"study\.nc: found unreadable content"):
        open_netcdf(path, load=True)


# ---- nothing half-written, nothing lost ------------------------------------------------------


def test_a_failure_while_writing_leaves_the_earlier_store(tmp_path: Path) -> None:
    path = write("zarr", tmp_path, study())
    before = {p: p.read_bytes() for p in path.rglob("*") if p.is_file()}
    with pytest.raises(ValueError, match="text"):
        write_zarr(path, {"": study(), "late": study().assign(n=("epoch", ["a", "b", "c"]))})

    def interrupted() -> None:
        with zarr_store_beside(path) as root:
            create_grid_group(root, "", GRID)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert {p: p.read_bytes() for p in path.rglob("*") if p.is_file()} == before
    assert [p.name for p in tmp_path.iterdir()] == ["study.zarr"]


def test_a_failing_rename_puts_the_earlier_store_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("zarr", tmp_path, study())
    rename, calls = os.rename, []

    def failing(source: Any, target: Any) -> None:
        calls.append(source)
        if len(calls) == 2:
            raise OSError("disk")
        rename(source, target)

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(OSError, match="disk"):
        write_zarr(path, study().assign_attrs(title="new"))
    monkeypatch.undo()
    assert len(calls) == 3
    assert open_zarr(path).attrs["title"] == "test"
    assert [p.name for p in tmp_path.iterdir()] == ["study.zarr"]


def test_a_complete_store_replaces_the_earlier_one_whole(tmp_path: Path) -> None:
    path = write("zarr", tmp_path, study())
    write_zarr(path, study().drop_vars("geology").assign_attrs(title="new"))
    assert open_zarr(path).attrs["title"] == "new"
    assert not (path / "geology").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["study.zarr"]


def test_folders_and_files_of_the_user_are_never_replaced(tmp_path: Path) -> None:
    folder, file = tmp_path / "photos", tmp_path / "notes.txt"
    folder.mkdir()
    (folder / "a.jpg").write_text("mine")
    file.write_text("mine")
    for path in (folder, file):
        with pytest.raises(DataError, match="another kind; expected nothing to overwrite"):
            write_zarr(path, study())
    with pytest.raises(DataError, match="found a folder of another kind"):
        write_netcdf(folder, study())
    # Also where it appears only while the store is being written.
    late = tmp_path / "late.zarr"

    def written_meanwhile() -> None:
        with zarr_store_beside(late):
            late.mkdir()
            (late / "a.jpg").write_text("mine")

    with pytest.raises(DataError, match="another kind"):
        written_meanwhile()
    assert (folder / "a.jpg").read_text() == file.read_text() == "mine"
    assert (late / "a.jpg").read_text() == "mine"


KILLED = """
    import os, signal, sys
    from pathlib import Path
    import hazard.geo.beside as beside
    from hazard.geo.grid import Grid
    from hazard.geo.store import create_grid_group, zarr_store_beside

    path, step = Path(sys.argv[1]), sys.argv[2]
    die = lambda: os.kill(os.getpid(), signal.SIGKILL)
    if step != "writing":
        rename, count = os.rename, 0
        def rename_and_die(source, target):
            global count
            count += 1
            rename(source, target)
            if count == {"set aside": 1, "renamed": 2}[step]:
                die()
        os.rename = rename_and_die
    with zarr_store_beside(path, attrs={"title": "new"}) as root:
        create_grid_group(root, "", Grid.from_bounds("EPSG:32645", (0, 0, 50, 50), cell_m=10))
        if step == "writing":
            die()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
@pytest.mark.parametrize(
    ("step", "title"), [("writing", "test"), ("set aside", None), ("renamed", "new")]
)
def test_a_kill_at_any_step_loses_nothing(tmp_path: Path, step: str, title: str | None) -> None:
    path = write("zarr", tmp_path, study())
    script = tmp_path / "killed.py"
    script.write_text(textwrap.dedent(KILLED))
    process = subprocess.run([sys.executable, str(script), str(path), step], check=False)
    assert process.returncode == -signal.SIGKILL
    if title is not None:
        dataset = open_zarr(path, load=True)
        assert dataset.attrs["title"] == title
    else:
        # Between the two renames: the message says where the earlier store lies, whole.
        with pytest.raises(DataError, match=r"found no such store \(an earlier one, set aside"):
            open_zarr(path)
        aside = next(tmp_path.glob(".study.zarr-*/replaced"))
        assert open_zarr(aside, load=True).attrs["title"] == "test"
        shutil.move(aside, path)
        assert grid_from_dataset(open_zarr(path)) == GRID


def test_a_file_appears_only_when_complete(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "a.txt"
    with write_beside(path) as part:
        part.write_text("half")
        assert not path.exists()
        assert part.parent.parent == path.parent
        part.write_text("whole")
    assert path.read_text() == "whole"

    def failing() -> None:
        with write_beside(path) as part:
            part.write_text("other")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        failing()
    assert path.read_text() == "whole"
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]
