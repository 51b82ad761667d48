"""Write and read CF-1.8 netCDF files and Zarr v3 stores; describe grids in them (`cf_dataset`).

Both are made beside their final name and renamed when complete. Zarr stores are format 3 without
consolidated metadata; cells and pixels live in groups, since one dataset has one y and one x.
Text arrays have no stable Zarr v3 type: store integer codes and name them in attributes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr

from hazard.errors import DataError
from hazard.geo.beside import write_beside
from hazard.geo.cf import cf_dataset, grid_coordinates, grid_from_dataset
from hazard.geo.grid import Grid
from hazard.geo.sources import PathLike, decoding

__all__ = [
    "cf_dataset",
    "create_grid_group",
    "create_zarr_layer",
    "grid_coordinates",
    "grid_from_dataset",
    "open_netcdf",
    "open_zarr",
    "write_netcdf",
    "write_zarr",
    "zarr_store_beside",
]

CHUNK_BYTES = 2 * 2**20
"""Aim of one chunk; the default chunks hold half to all of it."""


def default_chunks(
    shape: Sequence[int], dtype: Any, *, target_bytes: int = CHUNK_BYTES
) -> tuple[int, ...]:
    """Chunks of about `target_bytes`: whole in the last two axes as far as they fit, else square.

    Leading axes (epoch, member, layer) are cut to 1 where a (y, x) plane fills a chunk, and joined
    where planes are small.

    Example:
        >>> default_chunks((6, 196, 220), "float32")
        (6, 196, 220)
        >>> default_chunks((6272, 7040), "float32")
        (724, 724)
    """
    budget = max(1, target_bytes // np.dtype(dtype).itemsize)
    chunks = [max(1, size) for size in shape]
    plane = len(chunks) - min(2, len(chunks))
    if math.prod(chunks[plane:]) > budget:
        chunks[:plane] = [1] * plane
        if len(chunks) - plane == 1:
            chunks[-1] = budget
        else:
            side = math.isqrt(budget)
            rows, cols = chunks[-2], chunks[-1]
            if cols <= side:
                chunks[-2] = max(1, budget // cols)
            elif rows <= side:
                chunks[-1] = max(1, budget // rows)
            else:
                chunks[-2:] = [side, side]
        return tuple(min(c, max(1, s)) for c, s in zip(chunks, shape, strict=True))
    room = budget // math.prod(chunks[plane:])
    for axis in range(plane - 1, -1, -1):
        chunks[axis] = max(1, min(chunks[axis], room))
        room //= chunks[axis]
    return tuple(chunks)


def write_netcdf(path: PathLike, dataset: xr.Dataset, *, compression: int = 1) -> None:
    """Write a CF netCDF-4 file (h5netcdf), beside and then renamed.

    Args:
        path: destination.
        dataset: from `cf_dataset`, or any that describes itself after CF.
        compression: deflate level of the numeric variables, 0 for none.
    """
    ready = _with_conventions(dataset)
    encoding: dict[Any, dict[str, Any]] = {}
    for name, variable in ready.variables.items():
        options: dict[str, Any] = dict(variable.encoding)
        if variable.ndim and variable.dtype.kind in "iufb" and name in ready.data_vars:
            options["chunksizes"] = default_chunks(variable.shape, variable.dtype)
            if compression:
                options |= {"zlib": True, "complevel": compression, "shuffle": True}
        if variable.dtype.kind == "f" and name in ready.coords:
            options["_FillValue"] = None  # CF: coordinates have no missing values
        if options:
            encoding[name] = options
    with write_beside(path) as part:
        ready.to_netcdf(part, engine="h5netcdf", format="NETCDF4", encoding=encoding)


def open_netcdf(
    path: PathLike,
    *,
    variables: Sequence[str] = (),
    attributes: Mapping[str, Any] | None = None,
    load: bool = False,
) -> xr.Dataset:
    """Open a netCDF file; the caller closes it.

    Args:
        path: file.
        variables: names that must be there.
        attributes: attributes of the file that must have these values.
        load: read every value now, so that damaged content is refused here; default lazily.

    Raises:
        DataError: missing, empty or undecodable file; missing variable; wrong attribute.
    """
    file = Path(path)
    if not file.is_file() or file.stat().st_size == 0:
        found = "an empty file" if file.is_file() else "no such file"
        raise DataError(file, found=found, expected="a netCDF file")
    with decoding(file, "a netCDF-4 file"):
        dataset = xr.open_dataset(file, engine="h5netcdf", decode_coords="all")
    try:
        _require(dataset, file, variables, attributes)
        if load:
            with decoding(file, "whole arrays"):
                dataset.load()
    except DataError:
        dataset.close()
        raise
    return dataset


def write_zarr(
    path: PathLike,
    data: xr.Dataset | Mapping[str, xr.Dataset],
    *,
    chunks: Mapping[str, Sequence[int]] | None = None,
    shards: Mapping[str, Sequence[int]] | None = None,
) -> None:
    """Write a Zarr v3 store, beside and then renamed; an existing store is replaced when complete.

    Args:
        path: destination folder.
        data: a dataset, or one per group ("" is the root).
        chunks: sizes per variable name (or "group/name"); default about 2 MB (`default_chunks`).
        shards: sizes per variable likewise, each a multiple of the chunk; default none.

    Raises:
        DataError: the destination holds something that is no Zarr store.
        ValueError: text variables.
    """
    groups = {"": data} if isinstance(data, xr.Dataset) else dict(data)
    with zarr_store_beside(path) as root:
        for group, dataset in groups.items():
            _write_group(root, group, dataset, chunks or {}, shards or {})


@contextmanager
def zarr_store_beside(
    path: PathLike, *, attrs: Mapping[str, Any] | None = None
) -> Iterator[zarr.Group]:
    """A new Zarr v3 root group to fill; on success it becomes `path`, on failure nothing changes.

    Args:
        path: destination folder.
        attrs: attributes of the root.

    Raises:
        DataError: the destination holds something that is no Zarr store.
    """
    with write_beside(path, may_replace=is_zarr_store) as part:
        yield zarr.open_group(part, mode="w", zarr_format=3, attributes=dict(attrs or {}))


def is_zarr_store(path: Path) -> bool:
    """A folder with Zarr v3 metadata."""
    return (path / "zarr.json").is_file()


def create_grid_group(
    parent: zarr.Group,
    name: str,
    grid: Grid,
    *,
    coords: Mapping[str, Any] | None = None,
    attrs: Mapping[str, Any] | None = None,
) -> zarr.Group:
    """Make the group `name` ("" for the parent itself) with the axes and mapping of `grid`.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp()) / "cube.zarr"
        >>> grid = Grid.from_bounds("EPSG:32645", (0, 0, 4000, 2000), cell_m=1000)
        >>> with zarr_store_beside(folder) as root:
        ...     pixels = create_grid_group(root, "pixels", grid.refine(2))
        ...     slope = create_zarr_layer(pixels, "slope", (4, 8), "float32", dims=("y", "x"),
        ...         attrs={"units": "degree"})
        ...     slope[0:2, :] = 30
        >>> float(open_zarr(folder, "pixels").slope[0, 0]), grid_from_dataset(
        ...     open_zarr(folder, "pixels")).shape
        (30.0, (4, 8))
    """
    _write_group(parent, name, cf_dataset({}, grid, coords=coords, attrs=attrs), {}, {})
    return parent[name] if name else parent  # type: ignore[return-value, unused-ignore]


def create_zarr_layer(
    group: zarr.Group,
    name: str,
    shape: Sequence[int],
    dtype: Any,
    *,
    dims: Sequence[str],
    chunks: Sequence[int] | None = None,
    shards: Sequence[int] | None = None,
    attrs: Mapping[str, Any] | None = None,
    fill: float | int | bool | None = None,
) -> zarr.Array:
    """An empty layer for region writes (`layer[rows, cols] = ...`), readable by xarray.

    Args:
        group: from `create_grid_group`.
        name: of the layer.
        shape: sizes along `dims`.
        dtype: stored type.
        dims: dimension names.
        chunks: default about 2 MB. Writers in parallel must keep to whole chunks (or shards).
        shards: several chunks in one file; multiples of `chunks`.
        attrs: CF attributes; `grid_mapping` is added where the dimensions include y and x.
        fill: value where nothing was written; default NaN for floats, 0 else.
    """
    kind = np.dtype(dtype).kind
    if kind not in "iufb":
        raise ValueError(f"{name}: dtype {dtype}; text is stored as integer codes and attributes")
    attributes = dict(attrs or {})
    if {"y", "x"} <= set(dims):
        attributes["grid_mapping"] = "spatial_ref"
    value = fill if fill is not None else (math.nan if kind == "f" else 0)
    return group.create_array(
        name,
        shape=tuple(shape),
        dtype=dtype,
        chunks=tuple(chunks) if chunks else default_chunks(shape, dtype),
        shards=tuple(shards) if shards else None,
        dimension_names=tuple(dims),
        attributes=attributes,
        fill_value=value,
    )


def open_zarr(
    path: PathLike,
    group: str | None = None,
    *,
    variables: Sequence[str] = (),
    attributes: Mapping[str, Any] | None = None,
    load: bool = False,
) -> xr.Dataset:
    """Open a group of a Zarr v3 store (without dask).

    Args:
        path: store.
        group: default the root.
        variables: names that must be there.
        attributes: attributes of the root that must have these values, such as a layout version.
        load: read every value now, so that damaged chunks are refused here; default lazily.

    Raises:
        DataError: missing, no Zarr v3 store, damaged, missing group or variable, wrong attribute.
    """
    store = Path(path)
    if not store.exists():
        aside = [p / "replaced" for p in sorted(store.parent.glob(f".{store.name}-*"))]
        kept = next((p for p in aside if p.is_dir()), None)
        hint = f" (an earlier one, set aside when a write was killed, lies in {kept})"
        raise DataError(
            store, found=f"no such store{hint if kept else ''}", expected="a Zarr v3 store"
        )
    if not is_zarr_store(store):
        raise DataError(store, found="no zarr.json", expected="a Zarr v3 store (a folder)")
    with decoding(store, "a Zarr v3 store"):
        metadata = json.loads((store / "zarr.json").read_text())
        kind = metadata.get("zarr_format"), metadata.get("node_type")
        if kind != (3, "group"):  # zarr itself would read it as an empty group
            raise DataError(
                store, found=f"zarr_format, node_type = {kind}", expected="(3, 'group')"
            )
        root = zarr.open_group(store, mode="r", zarr_format=3, use_consolidated=False)
        _require_attributes(dict(root.attrs), store, attributes)
        if group and group not in root:
            names = ", ".join(sorted(root.group_keys())) or "none"
            raise DataError(store, found=f"groups {names}", expected=f"group {group!r}")
        dataset = xr.open_zarr(
            store, group=group, consolidated=False, zarr_format=3, chunks=None, decode_coords="all"
        )
    _require(dataset, store, variables, None)
    if load:
        with decoding(store, "whole chunks"):
            dataset.load()
    return dataset


def _write_group(
    parent: zarr.Group,
    group: str,
    dataset: xr.Dataset,
    chunks: Mapping[str, Sequence[int]],
    shards: Mapping[str, Sequence[int]],
) -> None:
    ready = _with_conventions(dataset)
    path = "/".join(part for part in (parent.path, group) if part)
    there = parent if not group else parent.get(group)
    if isinstance(there, zarr.Group):
        # xarray would replace the attributes that the group already has.
        ready.attrs = {**dict(there.attrs), **ready.attrs}
    encoding: dict[Any, dict[str, Any]] = {}
    for key, variable in ready.variables.items():
        name, full = str(key), "/".join(part for part in (group, str(key)) if part)
        if variable.dtype.kind in "OUST":
            raise ValueError(f"{full}: text; store integer codes and name them in attributes")
        encoding[key] = dict(variable.encoding)
        if not variable.ndim or variable.dtype.kind not in "iufb":
            continue
        chunk = chunks.get(full, chunks.get(name)) or (
            variable.shape if name in ready.dims else default_chunks(variable.shape, variable.dtype)
        )
        encoding[key]["chunks"] = tuple(max(1, int(size)) for size in chunk)
        if shard := shards.get(full, shards.get(name)):
            encoding[key]["shards"] = tuple(shard)
    ready.to_zarr(
        parent.store,
        group=path or None,
        mode="a",
        zarr_format=3,
        consolidated=False,
        encoding=encoding,
    )


def _with_conventions(dataset: xr.Dataset) -> xr.Dataset:
    """A copy with `grid_mapping` in attributes only, and no leftover encoding of another file."""
    ready = dataset.copy(deep=False)
    ready.attrs = {"Conventions": "CF-1.8", **dataset.attrs}
    for name in ready.variables:
        variable = ready[name].variable
        mapping = variable.attrs.get("grid_mapping") or variable.encoding.get("grid_mapping")
        kept = {k: variable.encoding[k] for k in ("units", "calendar") if k in variable.encoding}
        ready[name].encoding = kept
        ready[name].attrs = {k: v for k, v in variable.attrs.items() if k != "grid_mapping"}
        if mapping:
            ready[name].encoding["grid_mapping"] = mapping
    return ready


def _require_attributes(
    found: Mapping[str, Any], path: object, attributes: Mapping[str, Any] | None
) -> None:
    for key, value in (attributes or {}).items():
        if key not in found:
            raise DataError(path, found=f"no attribute {key!r}", expected=f"{key} = {value!r}")
        if found[key] != value:
            raise DataError(path, found=f"{key} = {found[key]!r}", expected=f"{key} = {value!r}")


def _require(
    dataset: xr.Dataset,
    path: object,
    variables: Sequence[str],
    attributes: Mapping[str, Any] | None,
) -> None:
    missing = [name for name in variables if name not in dataset.variables]
    if missing:
        have = ", ".join(sorted(map(str, dataset.data_vars))) or "none"
        raise DataError(path, found=f"variables {have}", expected=f"also {', '.join(missing)}")
    _require_attributes(dataset.attrs, path, attributes)
