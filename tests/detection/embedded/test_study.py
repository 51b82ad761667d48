"""Rendered scenes: reproducible, whole, and true where they say so."""

from dataclasses import fields, replace

import numpy as np
import pytest
import shapely
from rasterio.features import rasterize

from detection.config.data import EmbeddedConfig
from detection.embedded.ground import build_region, site_grids
from detection.embedded.regions import REGIONS
from detection.embedded.settings import EmbeddedSettings
from detection.embedded.study import EmbeddedStudy, render_scenes, render_study
from tests.detection.embedded.conftest import SETTINGS


def test_equal_settings_give_equal_scenes(study: EmbeddedStudy) -> None:
    again = render_scenes(SETTINGS)
    assert [s.name for s in again] == [s.name for s in study.scenes]
    for one, other in zip(study.scenes, again, strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.pre, other.pre)
        np.testing.assert_array_equal(one.truth, other.truth)
        np.testing.assert_array_equal(one.valid, other.valid)


def test_another_seed_gives_another_place(study: EmbeddedStudy) -> None:
    other = render_scenes(replace(SETTINGS, seed=6, epochs=1))
    assert not np.array_equal(other[0].image, study.scenes[0].image)


def test_scenes_are_physical_and_stamped(study: EmbeddedStudy) -> None:
    for scene in study.scenes:
        assert scene.synthetic
        assert scene.unit == "1"
        assert scene.bands[3] == "nir"
        assert scene.image.dtype == np.float32
        assert np.isfinite(scene.image).all()
        assert scene.image.min() > 0.0
        assert scene.image.max() <= 1.6
        assert scene.elevation_m is not None
        assert np.isfinite(scene.elevation_m).all()


def test_truth_is_bare_where_it_was_green_before(study: EmbeddedStudy) -> None:
    scene, truth = study.scenes[0], study.inventories[0]
    assert scene.pre is not None
    assert scene.pre_valid is not None
    seen = scene.valid & scene.pre_valid
    new = truth.new & seen
    assert new.sum() > 100

    def ndvi(image: np.ndarray) -> np.ndarray:
        return (image[..., 3] - image[..., 2]) / (image[..., 3] + image[..., 2])

    change = ndvi(scene.image) - ndvi(scene.pre)
    assert change[new].mean() < change[seen & ~truth.visible].mean() - 0.1


def test_polygons_rasterise_to_the_masks(study: EmbeddedStudy) -> None:
    for scene, truth in zip(study.scenes, study.inventories, strict=True):
        for chosen, mask in (
            (list(truth.landslides), truth.visible),
            ([p for p in truth.landslides if p.new], truth.new),
        ):
            assert all(shapely.is_valid(p.polygon) for p in chosen)
            drawn = np.zeros(mask.shape, dtype=np.uint8)
            if chosen:
                drawn = rasterize(
                    [p.polygon for p in chosen],
                    out_shape=mask.shape,
                    transform=scene.grid.transform,
                )
            np.testing.assert_array_equal(drawn.astype(bool), mask)


def test_new_is_part_of_visible_and_was_not_there_before(study: EmbeddedStudy) -> None:
    first, second = study.inventories
    assert not (first.new & ~first.visible).any()
    assert not (second.new & first.visible).any()
    assert all(first.date < p.failed <= second.date for p in second.landslides if p.new)


def test_truth_follows_the_setting(study: EmbeddedStudy) -> None:
    new = render_study(replace(SETTINGS, truth="new"))
    for scene, truth in zip(new.scenes, new.inventories, strict=True):
        np.testing.assert_array_equal(scene.truth, truth.new)
    for scene, truth in zip(study.scenes, study.inventories, strict=True):
        np.testing.assert_array_equal(scene.truth, truth.visible)


def test_elevation_covers_the_scene(study: EmbeddedStudy) -> None:
    dem, scene = study.elevations[0], study.scenes[0]
    left, bottom, right, top = scene.grid.bounds
    outer = dem.grid.bounds
    pixel = dem.grid.cell_size[0]
    assert outer[0] <= left - pixel
    assert outer[1] <= bottom - pixel
    assert outer[2] >= right + pixel
    assert outer[3] >= top + pixel


def bare_share(study: EmbeddedStudy) -> float:
    """Share of bare pixels that are no landslide."""
    red, nir = study.scenes[0].image[..., 2], study.scenes[0].image[..., 3]
    counted = study.scenes[0].counted & ~study.inventories[0].visible
    return float(((nir - red) / (nir + red) < 0.3)[counted].mean())


def test_fewer_lookalikes_leave_less_bare_ground(study: EmbeddedStudy) -> None:
    few = render_study(replace(SETTINGS, lookalikes=0.2))
    assert bare_share(few) < 0.6 * bare_share(study)
    np.testing.assert_array_equal(few.inventories[0].visible, study.inventories[0].visible)


def test_places_keep_their_gap() -> None:
    settings = replace(SETTINGS, size_px=64, sites=5, gap_px=48)
    world = build_region(settings, settings.region("nepal_like"))
    boxes = [shapely.box(*grid.bounds) for grid in site_grids(settings, world)]
    apart = shapely.distance(np.array(boxes)[:, None], np.array(boxes))
    assert len(boxes) == 5
    assert apart[np.triu_indices(5, 1)].min() >= 48 * settings.pixel_m - 1e-6


def test_configurations_reach_every_setting() -> None:
    """A user reaches every setting of the renderer, and defaults are the same."""
    config = EmbeddedConfig(regions=EmbeddedSettings().regions).model_dump()
    assert set(config) == {field.name for field in fields(EmbeddedSettings)}
    chosen = {"regions", "size_px", "epochs"}
    default = EmbeddedSettings()
    assert all(getattr(default, key) == config[key] for key in set(config) - chosen)


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="size_px 8"):
        EmbeddedSettings(size_px=8)
    with pytest.raises(ValueError, match="regions"):
        EmbeddedSettings(regions=("atlantis",))
    assert set(EmbeddedSettings().regions) == set(REGIONS)
