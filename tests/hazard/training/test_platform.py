"""Flags for the backend: tested versions alone, before JAX, and never twice."""

import subprocess
import sys
from pathlib import Path

import pytest

from hazard.training import platform

ROOT = Path(__file__).resolve().parents[3]


def test_flags_are_given_for_tested_versions_alone():
    assert platform.cpu_flags("0.10.2").startswith("--xla_cpu_")
    for version in ("", "0.9.0", "0.10.3", "0.11.2", "1.0"):
        assert platform.cpu_flags(version) == ""


def test_what_the_user_has_set_is_kept(monkeypatch):
    monkeypatch.setattr(platform, "installed_jaxlib", lambda: "0.10.2")
    environment = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    added = platform.set_cpu_flags(environment)
    assert environment["XLA_FLAGS"] == f"--xla_force_host_platform_device_count=2 {added}"
    assert platform.set_cpu_flags(environment) == ""


def test_flags_after_jax_are_refused():
    import jax  # noqa: F401

    with pytest.raises(RuntimeError, match="before JAX is imported"):
        platform.set_cpu_flags()


def test_the_module_imports_nothing_heavy_and_jax_starts_with_the_flags():
    """An unknown flag would abort the second half of this process."""
    code = (
        "import sys; from hazard.training.platform import set_cpu_flags; "
        "heavy = {'jax', 'jaxlib', 'numpy', 'flax', 'optax'} & set(sys.modules); "
        "assert not heavy, heavy; set_cpu_flags(); "
        "import jax; print(float(jax.numpy.ones(3).sum()))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "3.0"
