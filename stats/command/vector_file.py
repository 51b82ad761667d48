"""Vector files as they come: one reader, one clear error for every way in which they break.

GeoPackage, shapefile, GeoJSON, GeoParquet, and zips of the first three. GDAL opens a shapefile cut
in half without a word and calls the lost polygons empty, so lengths are checked against what the
headers declare before it is asked; zip members are checked against their checksums.
"""

from __future__ import annotations

import difflib
import struct
import warnings
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import geopandas as gpd

from stats.command.errors import DataError

FORMATS = "GeoPackage (.gpkg), shapefile (.shp), GeoJSON (.geojson, .json), GeoParquet or a .zip"
_GDAL_SUFFIXES = (".shp", ".gpkg", ".geojson", ".json")
_PARQUET_SUFFIXES = (".parquet", ".geoparquet")
_SIDECARS = (".shx", ".dbf")
_SHP_HEADER_BYTES = 100
_SHP_FILE_CODE = 9994


@dataclass(frozen=True, kw_only=True)
class VectorLayer:
    """One layer read whole.

    Attributes:
        frame: its features, with the coordinate system of the file (None where it has none).
        layer: name of the layer.
        member: file inside the zip, or None.
        notes: warnings of the reader, in words.
        metadata: key and value pairs that the file attaches to the layer.
    """

    frame: gpd.GeoDataFrame
    layer: str
    member: str | None
    notes: tuple[str, ...]
    metadata: dict[str, str] = field(default_factory=dict)


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """`; did you mean 'Year'?` for a near miss, else an empty string.

    Example:
        >>> did_you_mean("year_obs", ["Year_obs", "Source"])
        "; did you mean 'Year_obs'?"
    """
    by_lower = {choice.lower(): choice for choice in choices}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return f"; did you mean {by_lower[near[0]]!r}?" if near else ""


def _listed(names: Sequence[str], limit: int = 20) -> str:
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"


def _check_present(path: Path) -> None:
    if not path.exists():
        raise DataError(path, found="no such file", expected=FORMATS)
    if path.is_dir():
        raise DataError(path, found="a folder", expected=FORMATS)
    if path.stat().st_size == 0:
        raise DataError(path, found="an empty file (0 bytes)", expected=FORMATS)


def vector_members(path: str | Path) -> tuple[str, ...]:
    """Vector files inside a zip, in the order of the archive.

    Raises:
        DataError: missing, empty or truncated zip.
    """
    path = Path(path)
    _check_present(path)
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError, struct.error) as error:
        raise DataError(
            path, found=f"a damaged or truncated zip ({error})", expected="a whole zip archive"
        ) from error
    return tuple(
        name
        for name in names
        if PurePosixPath(name).suffix.lower() in _GDAL_SUFFIXES
        and not name.startswith("__MACOSX/")
        and not PurePosixPath(name).name.startswith("._")
    )


def choose_member(path: str | Path, member: str | int | None) -> str:
    """Full name of the wanted file in a zip: by path, by file name or by stem.

    Raises:
        DataError: none, several or no matching member; the message lists them.
    """
    members = vector_members(path)
    if not members:
        raise DataError(path, found="a zip without a vector file", expected=FORMATS)
    if member is None:
        if len(members) == 1:
            return members[0]
        raise DataError(
            path,
            found=f"{len(members)} vector files ({_listed(members)})",
            expected="`member` to name one of them, by path or stem",
        )
    wanted = str(member).strip("/")
    for key in (str, lambda name: PurePosixPath(name).name, lambda name: PurePosixPath(name).stem):
        matches = [name for name in members if key(name) == wanted]
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise DataError(
                path,
                found=f"member {wanted!r} {len(matches)} times ({_listed(matches)})",
                expected="the full path of one of them",
            )
    names = [*members, *(PurePosixPath(name).stem for name in members)]
    raise DataError(
        path,
        found=f"no member {wanted!r}{did_you_mean(wanted, names)}",
        expected=f"one of {_listed(members)}",
    )


def _check_shp_length(source: str, head: bytes, size: int) -> None:
    """Compare the length in the header of a .shp or .shx with the bytes that are there."""
    if len(head) < _SHP_HEADER_BYTES or struct.unpack(">i", head[:4])[0] != _SHP_FILE_CODE:
        raise DataError(
            source, found="no shapefile header", expected="a shapefile (file code 9994)"
        )
    declared = 2 * struct.unpack(">i", head[24:28])[0]
    if declared > size:
        raise DataError(
            source,
            found=f"{size} bytes (truncated)",
            expected=f"the {declared} bytes that its header declares",
        )


def _check_shapefile(path: Path) -> None:
    present = {p.suffix.lower(): p for p in path.parent.glob("*") if p.stem == path.stem}
    missing = [suffix for suffix in _SIDECARS if suffix not in present]
    if missing:
        raise DataError(
            path,
            found=f"a shapefile without its {' and '.join(missing)}",
            expected="the .shp, .shx and .dbf of one shapefile side by side",
        )
    for part in (path, present[".shx"]):
        with part.open("rb") as stream:
            _check_shp_length(str(part), stream.read(_SHP_HEADER_BYTES), part.stat().st_size)


def _check_member(path: Path, member: str) -> None:
    """Checksums of a member and, for a shapefile, that its companions are there and whole."""
    inside = PurePosixPath(member)
    try:
        with zipfile.ZipFile(path) as archive:
            parts = {
                PurePosixPath(name).suffix.lower(): name
                for name in archive.namelist()
                if PurePosixPath(name).with_suffix("") == inside.with_suffix("")
            }
            missing = [suffix for suffix in _SIDECARS if suffix not in parts]
            if inside.suffix.lower() == ".shp" and missing:
                raise DataError(
                    f"{path}:{member}",
                    found=f"a shapefile without its {' and '.join(missing)}",
                    expected="the .shp, .shx and .dbf of one shapefile in the zip",
                )
            for suffix, name in parts.items():
                if suffix in (".shp", ".shx"):
                    data = archive.read(name)
                    _check_shp_length(f"{path}:{name}", data[:_SHP_HEADER_BYTES], len(data))
                elif suffix in (".dbf", ".prj", inside.suffix.lower()):
                    archive.read(name)
    except DataError:
        raise
    # The decompressors behind zipfile raise errors of their own kinds (zlib, lzma, runtime).
    except Exception as error:
        raise DataError(
            f"{path}:{member}", found=f"a damaged member ({error})", expected="a whole zip archive"
        ) from error


def _choose_layer(source: str, target: str, layer: str | None) -> str:
    import pyogrio

    layers = [str(name) for name, kind in pyogrio.list_layers(target) if kind is not None]
    if not layers:
        raise DataError(source, found="no layer with geometries", expected="a layer of polygons")
    if layer is None:
        if len(layers) == 1:
            return layers[0]
        raise DataError(
            source,
            found=f"{len(layers)} layers ({_listed(layers)})",
            expected="`layer` to name one of them",
        )
    if layer not in layers:
        raise DataError(
            source,
            found=f"no layer {layer!r}{did_you_mean(layer, layers)}",
            expected=f"one of {_listed(layers)}",
        )
    return layer


def _read_target(source: str, target: str, layer: str | None) -> tuple[Any, str, dict[str, str]]:
    import pyogrio

    if target.lower().endswith(_PARQUET_SUFFIXES):
        if layer is not None:
            raise DataError(source, found=f"layer {layer!r} asked of GeoParquet", expected="none")
        frame = gpd.read_parquet(target)
        # Arrow decodes text when it is first looked at: damaged bytes must show here, not later.
        for column in frame.columns.drop(frame.geometry.name):
            frame[column].astype(object)
        return frame, Path(target).stem, {}
    name = _choose_layer(source, target, layer)
    metadata = pyogrio.read_info(target, layer=name).get("layer_metadata") or {}
    return pyogrio.read_dataframe(target, layer=name), name, dict(metadata)


def read_vector(
    path: str | Path, *, layer: str | None = None, member: str | int | None = None
) -> VectorLayer:
    """Read one layer of a vector file.

    Args:
        path: GeoPackage, shapefile, GeoJSON, GeoParquet, or a zip of the first three.
        layer: layer name; needed where a file has several.
        member: file inside a zip, by path, name or stem (`"2009"`); needed where it has several.

    Raises:
        DataError: missing, empty, truncated or damaged file, a shapefile without its companions,
            another format, no or several layers or members.
    """
    path = Path(path)
    _check_present(path)
    suffix = path.suffix.lower()
    chosen: str | None = None
    target = str(path)
    source = str(path)
    if suffix == ".zip":
        chosen = choose_member(path, member)
        _check_member(path, chosen)
        target = f"/vsizip/{{{path.resolve()}}}/{chosen}"
        source = f"{path}:{chosen}"
    elif member is not None:
        raise DataError(path, found=f"member {member!r} asked of no zip", expected="a .zip file")
    elif suffix == ".shp":
        _check_shapefile(path)
    elif suffix not in _GDAL_SUFFIXES + _PARQUET_SUFFIXES:
        raise DataError(path, found=f"a {suffix or 'suffixless'} file", expected=FORMATS)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            frame, name, metadata = _read_target(source, target, layer)
        except DataError:
            raise
        # Damaged bytes surface as errors of GDAL, Arrow, PROJ, SQLite, codecs and dates alike.
        except Exception as error:
            text = " ".join(str(error).split())[:300] or type(error).__name__
            raise DataError(source, found=f"an unreadable file ({text})", expected=FORMATS) from (
                error
            )
    if not isinstance(frame, gpd.GeoDataFrame):
        raise DataError(source, found="a table without geometries", expected="a layer of polygons")
    notes = tuple(dict.fromkeys(" ".join(str(w.message).split()) for w in caught))
    return VectorLayer(frame=frame, layer=name, member=chosen, notes=notes, metadata=metadata)
