"""The files that a run reads, and their hashes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hazard.geo.provenance import file_sha256


def input_hashes(data: Path | None) -> list[dict[str, Any]]:
    """Path, size and SHA-256 of every file of the data; nothing for embedded scenes."""
    if data is None:
        return []
    root = data_root(data)
    assert root is not None
    files = data_files(data)
    return [
        {
            "path": str(path.relative_to(root)),
            "bytes": path.stat().st_size,
            "sha256": file_sha256(path),
        }
        for path in files
    ]


def data_root(data: Path | None) -> Path | None:
    """The folder of the data: itself, or where a file lies."""
    return data.parent if data is not None and data.is_file() else data


def data_files(data: Path | None) -> list[Path]:
    """Every file of the data."""
    root = data_root(data)
    return [] if root is None else sorted(path for path in root.rglob("*") if path.is_file())
