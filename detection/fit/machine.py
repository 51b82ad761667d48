"""What a run was made with: device, flags, memory, versions, inputs."""

from __future__ import annotations

import hashlib
import os
import platform
import resource
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "landslide-hazard", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "scipy",
    "scikit-learn", "rasterio", "shapely", "pandas", "pyarrow", "sphinx", "myst-parser",
)  # fmt: skip
# Linux counts in KiB, macOS in bytes.
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024
_PIECE = 1 << 20


def package_versions() -> dict[str, str]:
    """Versions of the packages that a run depends on."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def describe_machine(xla_flags: str) -> dict[str, Any]:
    """Device, cores, peak memory and flags.

    Args:
        xla_flags: flags that this run added to those of the user.
    """
    import jax

    devices = jax.devices()
    affinity = getattr(os, "sched_getaffinity", None)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT / 2**30
    return {
        "device": f"{len(devices)} x {devices[0].device_kind} ({devices[0].platform})",
        "cores": len(affinity(0)) if affinity is not None else os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "peak_memory_gib": round(peak, 3),
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "xla_flags_added": xla_flags,
    }


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
            "sha256": _sha256(path),
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


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()
