"""What a run was made with: device, cores, memory, flags."""

from __future__ import annotations

import os
import platform
import resource
import sys
from typing import Any

# Linux counts in KiB, macOS in bytes.
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


def peak_memory_gib() -> float:
    """Largest resident memory of this process so far [GiB]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT / 2**30


def describe_machine(xla_flags: str) -> dict[str, Any]:
    """Device, cores, system, peak memory and flags.

    Args:
        xla_flags: flags that this run added to those of the user.
    """
    import jax

    devices = jax.devices()
    affinity = getattr(os, "sched_getaffinity", None)
    return {
        "device": f"{len(devices)} x {devices[0].device_kind} ({devices[0].platform})",
        "cores": len(affinity(0)) if affinity is not None else os.cpu_count(),
        "system": platform.platform(),
        "peak_memory_gib": round(peak_memory_gib(), 3),
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "xla_flags_added": xla_flags,
    }
