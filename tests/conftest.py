"""Fixtures shared by all tests: where the real inputs lie, and strict numerics."""

import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import pytest
from hypothesis import settings

matplotlib.use("Agg")

# A first call compiles, and other work shares the cores: no test judges by the clock.
settings.register_profile("no_clock", deadline=None)
settings.load_profile("no_clock")

ROOT = Path(__file__).resolve().parents[1]
# Compiled programs are kept as long as a process lives: workers grew to 8 GiB. [byte]
MOST_RESIDENT = 2 * 2**30


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what takes minutes, unless it is asked for."""
    if os.environ.get("HAZARD_NIGHTLY") == "1":
        return
    skip = pytest.mark.skip(reason="takes minutes; HAZARD_NIGHTLY=1 runs it")
    for item in items:
        if item.get_closest_marker("nightly"):
            item.add_marker(skip)


def resident() -> int:
    """Memory of this process [byte], where the system tells it, else 0."""
    pages = Path("/proc/self/statm")
    return int(pages.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if pages.exists() else 0


@pytest.fixture(scope="module", autouse=True)
def programs_do_not_pile_up() -> Iterator[None]:
    """Drop compiled programs after a module, once there are many; the cache on disk has them."""
    yield
    if "jax" in sys.modules and resident() > MOST_RESIDENT:
        sys.modules["jax"].clear_caches()
        gc.collect()
        if sys.platform == "linux":
            # What is free stays with the process until it is asked to give it back.
            ctypes.CDLL("libc.so.6").malloc_trim(0)


def real_data_dir() -> Path | None:
    """Folder of the real inputs: HAZARD_TEST_DATA, or `shared/data` beside the project."""
    folder = Path(os.environ.get("HAZARD_TEST_DATA", ROOT.parent / "shared" / "data"))
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Real inputs; the test is skipped, with the reason, where they are absent."""
    folder = real_data_dir()
    if folder is None:
        pytest.skip("the real inputs are not beside the project; set HAZARD_TEST_DATA")
    return folder
