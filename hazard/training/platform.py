"""Flags that must be set before JAX is imported; this module imports nothing but text tools.

An unknown XLA flag aborts the process, so flags are given for tested versions alone. Command
files call `set_cpu_flags` before their first import of JAX:

    from hazard.training.platform import set_cpu_flags
    set_cpu_flags()
"""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping

# The default convolution library of these versions is slow at 64 channels; measured by
# benchmarks/training.py. Each version was started once with the flag.
_FASTER_CONVOLUTIONS = (
    "--xla_cpu_experimental_ynn_fusion_type=-LIBRARY_FUSION_TYPE_INDIVIDUAL_CONVOLUTION"
)
TESTED_JAXLIB = ("0.10.2",)


def cpu_flags(jaxlib_version: str) -> str:
    """XLA flags that make convolutions on a CPU faster, or nothing for an untested version.

    Example:
        >>> cpu_flags("0.10.2").startswith("--xla_cpu"), cpu_flags("0.99.0")
        (True, '')
    """
    return _FASTER_CONVOLUTIONS if jaxlib_version in TESTED_JAXLIB else ""


def installed_jaxlib() -> str:
    """Version of jaxlib, read from its metadata without importing it; empty where absent."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("jaxlib")
    except PackageNotFoundError:
        return ""


def set_cpu_flags(environment: MutableMapping[str, str] | None = None) -> str:
    """Add the flags to ``XLA_FLAGS`` unless the user has set the same flag; return what was added.

    Raises:
        RuntimeError: JAX is imported already, so that the flags would come too late.

    Example:
        >>> set_cpu_flags({"XLA_FLAGS": "--xla_cpu_experimental_ynn_fusion_type=x"})
        ''
    """
    target = os.environ if environment is None else environment
    if environment is None and "jaxlib" in sys.modules:
        raise RuntimeError("XLA flags must be set before JAX is imported")
    flags = cpu_flags(installed_jaxlib())
    already = target.get("XLA_FLAGS", "")
    if not flags or flags.split("=")[0] in already:
        return ""
    target["XLA_FLAGS"] = f"{already} {flags}".strip()
    return flags
