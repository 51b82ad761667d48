"""One small study for all tests of the renderer."""

import pytest

from detection.embedded.settings import EmbeddedSettings
from detection.embedded.study import EmbeddedStudy, render_study

SETTINGS = EmbeddedSettings(regions=("nepal_like",), size_px=128, epochs=2, seed=5)


@pytest.fixture(scope="session")
def study() -> EmbeddedStudy:
    return render_study(SETTINGS)
