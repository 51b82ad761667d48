"""Fixtures shared by all tests: where the real inputs lie, and strict numerics."""

import os
from pathlib import Path

import matplotlib
import pytest
from hypothesis import settings

matplotlib.use("Agg")

# A first call compiles, and other work shares the cores: no test judges by the clock.
settings.register_profile("no_clock", deadline=None)
settings.load_profile("no_clock")

ROOT = Path(__file__).resolve().parents[1]


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
