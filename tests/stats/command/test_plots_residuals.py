"""Worm, Q-Q, transform and coverage pages: what is drawn, the stamp, and what is refused."""

import numpy as np
import pytest
from PIL import Image

from stats.command.plots_residuals import (
    CoveragePanel,
    NormalPanel,
    TransformPanel,
    draw_coverage_pages,
    draw_normal_pages,
    draw_transform_pages,
)

Z = np.linspace(-2.0, 2.0, 9)


def normal_panel(bend=0.2):
    return NormalPanel(
        title="epoch 3", normal=Z, residual=Z + bend * Z**2, low=Z - 0.1, high=Z + 0.1,
        low_all=Z - 0.2, high_all=Z + 0.2, note="n = 9",
    )  # fmt: skip


def transform_panel():
    return TransformPanel(
        title="epoch 3", edges=np.linspace(0, 1, 5), share=np.array([0.2, 0.3, 0.1, 0.4]),
        low=np.full(4, 0.2), high=np.full(4, 0.3),
    )  # fmt: skip


def coverage_panel():
    return CoveragePanel(
        title="80 %", strata=["low", "high"], level=0.8, covered=np.array([0.95, 0.7]),
        implied=np.array([0.93, 0.82]), low=np.array([0.9, 0.6]), high=np.array([0.97, 0.75]),
    )  # fmt: skip


DRAWN = {
    "worm": lambda n, path, s: draw_normal_pages(
        [normal_panel()] * n, path, kind="worm", title="T", synthetic=s),
    "qq": lambda n, path, s: draw_normal_pages(
        [normal_panel()] * n, path, kind="qq", title="T", synthetic=s),
    "transform": lambda n, path, s: draw_transform_pages(
        [transform_panel()] * n, path, title="T", synthetic=s),
    "coverage": lambda n, path, s: draw_coverage_pages(
        [coverage_panel()] * n, path, title="T", synthetic=s),
}  # fmt: skip


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), dtype=int)


def near(path, colour):
    return int((np.abs(pixels(path) - np.array(colour)).max(axis=-1) <= 12).sum())


@pytest.mark.parametrize("name", DRAWN)
def test_pages_are_written_stamped_and_numbered(name, tmp_path):
    files = DRAWN[name](7, tmp_path / "a.png", True)
    assert [f.name for f in files] == ["a.png", "a_2.png"]
    assert near(files[0], (0xB3, 0, 0)) > 100
    (plain,) = DRAWN[name](1, tmp_path / "b.png", False)
    assert near(plain, (0xB3, 0, 0)) == 0
    with pytest.raises(ValueError, match="nothing to draw"):
        DRAWN[name](0, tmp_path / "c.png", False)
    assert not (tmp_path / "c.png").exists()


def test_a_worm_is_flat_where_the_forecast_is_right_and_bows_where_not(tmp_path):
    def rows_of_curve(bend):
        panels = [normal_panel(bend), normal_panel(0.5)]
        (file,) = draw_normal_pages(panels, tmp_path / f"{bend}.png", kind="worm", title="T")
        found = pixels(file)
        curve = (np.abs(found - np.array((0, 0x72, 0xB2))).max(axis=-1) <= 12).nonzero()
        left = curve[1] < found.shape[1] // 2
        top = curve[0] < 0.75 * found.shape[0]
        return np.ptp(curve[0][left & top])

    assert rows_of_curve(0.0) < 8 < 40 < rows_of_curve(0.5)
