"""The real Sentinel-2 pair of Hokkaido, by the catalogue that comes with the project."""

import jax
import numpy as np
import pytest

from detection.scenes.catalogue import read_catalogue
from detection.scenes.read import read_scene, scene_grid
from detection.scenes.topography import slope_deg
from hazard.geo.grid import Block
from hazard.geo.raster import read_on_grid
from tests.conftest import ROOT

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def entry(data_dir):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HAZARD_TEST_DATA", str(data_dir))
        return read_catalogue(ROOT / "configs" / "hokkaido_s2_scenes.yaml").entries[0]


@pytest.fixture(scope="module")
def scene(entry):
    return read_scene(entry)


def test_forty_percent_of_the_earlier_image_is_no_data_and_the_later_one_is_whole(scene):
    assert scene.valid.mean() > 0.97  # the corners of the turned rectangle are not covered
    inside = scene.valid
    assert scene.pre_valid[inside].mean() == pytest.approx(1 - 0.4064, abs=0.003)
    assert (scene.pre[~scene.pre_valid] == 0).all()
    assert (scene.pre[scene.pre_valid] > 0).all()
    assert scene.truth is None


def test_reflectance_is_that_of_vegetated_ground(scene):
    blue, green, red = np.median(scene.image[scene.valid], axis=0)
    assert 0.05 < red < blue < 0.12
    assert 0.05 < green < 0.12
    assert np.percentile(scene.image[scene.valid], [0, 100]) == pytest.approx(
        [0.0287, 0.45], abs=0.01
    )


def test_slope_of_the_warped_surface_agrees_with_the_published_slope(scene, entry, data_dir):
    path = data_dir / "imagery" / "hokkaido_s2_scene" / "slope" / "download.slope.tif"
    published = read_on_grid(path, scene.grid).values
    ours = np.asarray(jax.jit(slope_deg)(scene.elevation_m, scene.grid.cell_size))
    both = np.isfinite(published) & np.isfinite(ours)
    assert both.mean() > 0.95
    assert np.corrcoef(published[both], ours[both])[0, 1] > 0.9


def test_a_window_of_the_warped_scene_is_part_of_the_whole(scene, entry):
    window = Block(row0=300, row1=420, col0=500, col1=640)
    part = read_scene(entry, window=window, bands=("red", "green", "blue"))
    np.testing.assert_array_equal(part.image, scene.image[window.slices][..., ::-1])
    np.testing.assert_array_equal(part.pre_valid, scene.pre_valid[window.slices])
    # In 0.2 % of the earlier image one band lacks a value that others have.
    alone = read_scene(entry, window=window, bands=("blue",))
    assert alone.pre_valid.sum() > part.pre_valid.sum()
    np.testing.assert_array_equal(part.elevation_m, scene.elevation_m[window.slices])
    assert scene_grid(entry).cell_size == (10, 10)
