"""Where a layer comes from: file, hash, coordinate system, resampling, unit and source.

A `LayerSource` becomes flat attributes of the layer (CF, Zarr and GeoTIFF tags take text and lists
of text), and is read back from them.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any

from hazard.errors import DataError

PREFIX = "source_"
CHUNK = 1 << 20
# The files that together are one shapefile; indexes (.qix, .sbn) can be rebuilt and do not count.
SHAPEFILE_PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")


def package_versions(names: Iterable[str]) -> dict[str, str]:
    """Version of each package, or that it is not installed.

    Example:
        >>> package_versions(["no-such-package"])
        {'no-such-package': 'not installed'}
    """
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def file_sha256(path: str | os.PathLike[str], *, member: str | None = None) -> str:
    """SHA-256 of a file, as hexadecimal text, read in pieces of 1 MiB.

    A shapefile is all of its parts (.shp, .shx, .dbf, .prj, .cpg as present): the hash runs over
    suffix and content of each, so it is the same inside a zip and outside. A folder (a Zarr
    store) is hashed likewise over its files in the order of their relative names.

    Args:
        path: file, folder, or a GDAL path `/vsizip/FILE.zip/MEMBER`.
        member: name inside `path`, a zip file.

    Raises:
        DataError: no such file or member, or not a zip file.

    Example:
        >>> import tempfile
        >>> name = Path(tempfile.mkdtemp()) / "a.txt"
        >>> _ = name.write_bytes(b"abc")
        >>> file_sha256(name)[:16]
        'ba7816bf8f01cfea'
    """
    text = os.fspath(path)
    if text.startswith("/vsizip/"):
        archive, inner = _split_vsizip(text)
        if member is not None and inner is not None:
            raise ValueError(f"a member in the path {text!r} and as an argument")
        return file_sha256(archive, member=member or inner)
    file = Path(text)
    if not file.exists():
        raise DataError(text, found="no such file", expected="a file to hash")
    if member is not None:
        return _member_sha256(file, member)
    if file.is_dir():
        files = sorted(part for part in file.rglob("*") if part.is_file())
        return _joint([(part.relative_to(file).as_posix(), part) for part in files])
    if file.suffix.lower() == ".shp":
        here = {part.suffix.lower(): part for part in file.parent.glob(f"{_literal(file.stem)}.*")}
        return _joint([(suffix, here[suffix]) for suffix in SHAPEFILE_PARTS if suffix in here])
    with _opened(file) as stream:
        return _digest(stream).hexdigest()


@dataclass(frozen=True, kw_only=True)
class LayerSource:
    """Provenance of one layer.

    Attributes:
        file: name of the file as the user gave it ("" for a derived layer without one file).
        sha256: hash of the file's content (`file_sha256`).
        crs: coordinate system of the file, as an authority code or WKT.
        resampling: how it came onto the grid, or "none".
        unit: unit of the values in the layer.
        source: data set, product or authority in words.
        notes: what else was done: conversions, fills, derivations.

    Example:
        >>> record = LayerSource(file="dem.tif", sha256="ab", crs="EPSG:4326",
        ...     resampling="bilinear", unit="m", source="SRTM", notes=("222 cells filled",))
        >>> LayerSource.from_attrs(record.to_attrs()) == record
        True
    """

    file: str
    sha256: str
    crs: str
    resampling: str
    unit: str
    source: str
    notes: tuple[str, ...] = ()

    def to_attrs(self) -> dict[str, Any]:
        """Flat attributes: `units`, `source` as in CF, the rest under `source_...`."""
        return {
            "units": self.unit,
            "source": self.source,
            f"{PREFIX}file": self.file,
            f"{PREFIX}sha256": self.sha256,
            f"{PREFIX}crs": self.crs,
            f"{PREFIX}resampling": self.resampling,
            # One text: netCDF reads a list of one text back as a text.
            f"{PREFIX}notes": "\n".join(note.replace("\n", " ") for note in self.notes),
        }

    @classmethod
    def from_attrs(cls, attrs: Mapping[str, Any], *, layer: str = "layer") -> LayerSource:
        """The record behind the attributes of a layer.

        Raises:
            DataError: an attribute is missing.
        """
        keys = {
            "unit": "units",
            "source": "source",
            **{
                name: f"{PREFIX}{name}" for name in ("file", "sha256", "crs", "resampling", "notes")
            },
        }
        missing = [key for key in keys.values() if key not in attrs]
        if missing:
            raise DataError(
                layer, found=f"no attribute {', '.join(missing)}", expected="provenance attributes"
            )
        values = {name: str(attrs[key]) for name, key in keys.items()}
        notes = values.pop("notes")
        return cls(notes=tuple(notes.split("\n")) if notes else (), **values)


def _literal(stem: str) -> str:
    """A file name as a glob pattern that matches only itself."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in stem)


@contextmanager
def _opened(file: Path) -> Iterator[IO[bytes]]:
    try:
        with file.open("rb") as stream:
            yield stream
    except OSError as error:
        raise DataError(file, found=f"{error.strerror}", expected="a readable file") from error


def _digest(stream: IO[bytes]) -> Any:
    digest = hashlib.sha256()
    while piece := stream.read(CHUNK):
        digest.update(piece)
    return digest


def _joint(parts: list[tuple[str, Path]]) -> str:
    hashes = []
    for name, part in parts:
        with _opened(part) as stream:
            hashes.append((name, _digest(stream).digest()))
    return _combine(hashes)


def _combine(hashes: list[tuple[str, bytes]]) -> str:
    joint = hashlib.sha256()
    for name, digest in hashes:
        joint.update(name.encode() + b"\0" + digest)
    return joint.hexdigest()


def _split_vsizip(text: str) -> tuple[str, str | None]:
    """Archive and member of a `/vsizip/` path, with or without braces around the archive."""
    rest = text.removeprefix("/vsizip/")
    if rest.startswith("{") and "}" in rest:
        archive, _, inner = rest[1:].partition("}")
        return archive, inner.lstrip("/") or None
    head, found, tail = rest.partition(".zip")
    if not found:
        raise DataError(text, found="no .zip in the path", expected="/vsizip/FILE.zip/MEMBER")
    archive = head + ".zip"
    if not Path(archive).exists() and Path("/" + archive).exists():
        archive = "/" + archive
    return archive, tail.lstrip("/") or None


def _member_sha256(file: Path, member: str) -> str:
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            if member not in names:
                raise DataError(
                    file, found=f"no member {member!r}", expected=f"one of {', '.join(names[:8])}"
                )
            stem, suffix = os.path.splitext(member)
            if suffix.lower() != ".shp":
                with archive.open(member) as stream:
                    return _digest(stream).hexdigest()
            here = {
                os.path.splitext(name)[1].lower(): name
                for name in names
                if os.path.splitext(name)[0] == stem
            }
            hashes = []
            for part in (suffix for suffix in SHAPEFILE_PARTS if suffix in here):
                with archive.open(here[part]) as stream:
                    hashes.append((part, _digest(stream).digest()))
            return _combine(hashes)
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise DataError(file, found=f"no readable zip ({error})", expected="a zip file") from error
