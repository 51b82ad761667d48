"""What went where: the role and the hash of every patch, the files they came from, and the audit.

A manifest fixes a split for good: whoever has the same files gets the same patches in the same
roles, and whoever has others is told. Its own hash is stored with every model that was trained on
it. The layout is JSON; `layout_version` grows when it changes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from detection.patches.audit import Finding
from detection.patches.duplicates import content_hashes
from detection.patches.patch_set import PatchOrigin, PatchSet
from detection.patches.split_record import NAMES, ROLES, Split
from hazard.errors import DataError
from hazard.geo.beside import write_beside
from hazard.geo.provenance import file_sha256

LAYOUT, LAYOUT_VERSION = "detection-split", 1


@dataclass(frozen=True, eq=False, kw_only=True)
class Manifest:
    """A split as it was written.

    Attributes:
        bands: names of the bands.
        unit: their unit.
        pixel_m: side of a pixel [m], or None.
        size_px: side of a patch [px].
        split: roles and promises.
        origin: where every patch was cut.
        hashes: SHA-256 of what every patch holds (`patch_hashes`).
        files: path and SHA-256 of the files that the patches came from.
        findings: what the audit found.
        cut: settings of the cutting, for the record.
        sha256: of the manifest itself.
    """

    bands: tuple[str, ...]
    unit: str
    pixel_m: float | None
    size_px: int
    split: Split
    origin: tuple[PatchOrigin, ...]
    hashes: tuple[str, ...]
    files: tuple[tuple[str, str], ...]
    findings: tuple[Finding, ...]
    cut: Mapping[str, Any]
    sha256: str

    def split_of(self, patches: PatchSet) -> Split:
        """The roles of these patches, in their order; patches of another content are refused.

        Raises:
            DataError: patches that the manifest does not name, that hold something else, or that
                are missing.
        """
        known = {
            origin: (text, role)
            for origin, text, role in zip(self.origin, self.hashes, self.split.role, strict=True)
        }
        role = np.empty(len(patches), dtype=np.int8)
        for place, (origin, text) in enumerate(
            zip(patches.origin, patch_hashes(patches), strict=True)
        ):
            where = f"patch of {origin.scene} at row {origin.row}, column {origin.column}"
            if origin not in known:
                raise DataError(
                    "manifest", found=f"a {where}", expected="patches that the manifest names"
                )
            expected, role[place] = known[origin]
            if text != expected:
                raise DataError(
                    where, found=f"content {text[:12]}", expected=f"{expected[:12]} (manifest)"
                )
        if len(patches) != len(self.origin):
            raise DataError(
                "manifest", found=f"{len(patches)} patches", expected=f"all {len(self.origin)}"
            )
        return self.split.with_roles(role)

    def check_files(self, base: str | os.PathLike[str] = ".") -> None:
        """Hash the files again.

        Args:
            base: folder that relative paths start from.

        Raises:
            DataError: a file that is missing or has changed.
        """
        for path, expected in self.files:
            found = file_sha256(Path(base) / path)
            if found != expected:
                raise DataError(
                    path, found=f"SHA-256 {found[:12]}", expected=f"{expected[:12]} (manifest)"
                )


def patch_hashes(patches: PatchSet) -> list[str]:
    """SHA-256 of everything that a patch holds: images, masks, elevation."""
    texts = []
    for place, image in enumerate(content_hashes(patches)):
        digest = hashlib.sha256(image.encode())
        for name in ("truth", "known", "pre", "pre_valid", "elevation_m"):
            values = getattr(patches, name)
            if values is not None:
                digest.update(name.encode() + np.ascontiguousarray(values[place]).tobytes())
        texts.append(digest.hexdigest())
    return texts


def write_manifest(
    path: str | os.PathLike[str],
    patches: PatchSet,
    split: Split,
    *,
    files: Iterable[str | os.PathLike[str]] = (),
    base: str | os.PathLike[str] | None = None,
    findings: Sequence[Finding] = (),
    cut: Mapping[str, Any] | None = None,
) -> str:
    """Write a manifest, beside and then renamed.

    Args:
        path: JSON file.
        patches: the whole set, unused patches too.
        split: their roles.
        files: files that the patches came from; they are hashed.
        base: folder that paths are stored relative to, where they lie below it.
        findings: of `detection.patches.audit.audit`.
        cut: settings of the cutting.

    Returns:
        SHA-256 of the manifest.

    Raises:
        DataError: two patches of one origin, which no manifest can tell apart.
        ValueError: as many roles as patches are needed.
    """
    if len(patches) != len(split.role):
        raise ValueError(f"{len(patches)} patches, {len(split.role)} roles")
    if len(set(patches.origin)) != len(patches):
        twice = next(o for o in patches.origin if patches.origin.count(o) > 1)
        raise DataError(
            "patches", found=f"two at row {twice.row}, column {twice.column} of {twice.scene}",
            expected="every patch once",
        )  # fmt: skip
    names = sorted(os.fspath(file) for file in files)
    hashed = [[_relative(Path(name), base), file_sha256(name)] for name in names]
    settings = asdict(split)
    settings.pop("role")
    settings["separates"] = sorted(split.separates)
    record: dict[str, Any] = {
        "layout": LAYOUT,
        "layout_version": LAYOUT_VERSION,
        "bands": list(patches.bands),
        "unit": patches.unit,
        "pixel_m": patches.pixel_m,
        "size_px": patches.image.shape[1],
        "cut": dict(cut or {}),
        "split": settings,
        "counts": split.counts(),
        "findings": [asdict(finding) for finding in findings],
        "files": hashed,
        "patches": [
            [o.scene, o.region, o.epoch, o.row, o.column, NAMES[int(role)], text]
            for o, role, text in zip(patches.origin, split.role, patch_hashes(patches), strict=True)
        ],
    }
    record["sha256"] = _own_hash(record)
    with write_beside(path) as part:
        part.write_text(json.dumps(record, indent=1), encoding="utf-8")
    return str(record["sha256"])


def read_manifest(path: str | os.PathLike[str]) -> Manifest:
    """Read a manifest and check that nobody changed it.

    Raises:
        DataError: no such file, not a manifest, one of another version, or a changed one.
    """
    source = Path(path)
    if not source.is_file():
        raise DataError(path, found="no such file", expected="a manifest")
    try:
        record: dict[str, Any] = json.loads(source.read_text(encoding="utf-8"))
        layout = record["layout"], record["layout_version"]
        if layout != (LAYOUT, LAYOUT_VERSION):
            raise ValueError(f"layout {layout[0]!r}, version {layout[1]}")
        text = record.pop("sha256")
        if text != _own_hash(record):
            raise ValueError(f"content that does not fit its hash {text[:12]}")
        settings = record["split"]
        rows = record["patches"]
        return Manifest(
            bands=tuple(record["bands"]), unit=record["unit"], pixel_m=record["pixel_m"],
            size_px=record["size_px"],
            split=Split(
                **{**settings, "separates": frozenset(settings["separates"])},
                role=np.array([ROLES[row[5]] for row in rows], dtype=np.int8),
            ),
            origin=tuple(
                PatchOrigin(scene=r[0], region=r[1], epoch=r[2], row=r[3], column=r[4])
                for r in rows
            ),
            hashes=tuple(row[6] for row in rows),
            files=tuple((name, digest) for name, digest in record["files"]),
            findings=tuple(
                Finding(**{**finding, "roles": tuple(finding["roles"])})
                for finding in record["findings"]
            ),
            cut=record["cut"], sha256=text,
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise DataError(
            path, found=f"no usable manifest ({' '.join(str(error).split())[:200]})",
            expected=f"layout {LAYOUT!r}, version {LAYOUT_VERSION}, as it was written",
        ) from error  # fmt: skip


def _relative(path: Path, base: str | os.PathLike[str] | None) -> str:
    if base is not None and path.is_relative_to(base):
        return path.relative_to(base).as_posix()
    return str(path)


def _own_hash(record: Mapping[str, Any]) -> str:
    text = json.dumps(record, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
