"""Scenes in files: windows as they are read elsewhere, nodata kept, broken files named."""

from dataclasses import replace

import numpy as np
import pytest
import rasterio

from detection.mapping.entry import EntryScene
from detection.mapping.scene_map import MapSettings, map_scene
from detection.mapping.stored import NOT_SEEN
from detection.mapping.tiles import PIXELWISE
from detection.scenes.catalogue import ImageEntry, SceneEntry, TargetGrid
from detection.scenes.read import read_scene
from hazard.errors import DataError
from hazard.geo.grid import Block
from hazard.geo.raster import write_cog
from tests.detection.mapping.scenes import first_band, random_scene, utm
from tests.detection.mapping.test_networks import forward_of

NAMES = ("blue", "green", "red")


def write(path, values, grid, **kwargs):
    bands = values if values.ndim == 3 else values[np.newaxis]
    write_cog(path, bands, grid, names=["b"] * len(bands), units=["1"] * len(bands), **kwargs)
    return path


@pytest.fixture
def entry(tmp_path):
    """Two dates in files, with nodata, and elevation on a coarser grid with a void."""
    scene = random_scene((90, 70), pre=True)
    image, pre = (
        write(
            tmp_path / f"{name}.tif", np.moveaxis(np.where(valid[..., None], values, 0), -1, 0),
            scene.grid, valid=valid, nodata=-1,
        )
        for name, values, valid in (
            ("image", scene.image, scene.valid), ("pre", scene.pre, scene.pre_valid),
        )
    )  # fmt: skip
    coarse = utm((12, 12), side=30.0)
    known = np.ones((12, 12), bool)
    known[3, 1] = False
    ground = write(tmp_path / "z.tif", np.full((12, 12), 1500, np.float32), coarse, valid=known)
    return SceneEntry(
        name="a", region="r", epoch="e", bands=NAMES, unit="1", image=(image,),
        pre=ImageEntry(image=(pre,)), elevation=ground,
    )  # fmt: skip


def test_windows_are_those_of_the_scene(entry):
    source = EntryScene(entry)
    whole = read_scene(entry)
    block = Block(row0=17, row1=61, col0=4, col1=70)
    found = source.read(block)
    known = np.isfinite(whole.elevation_m[block.slices])
    assert not known.all()
    np.testing.assert_array_equal(found["valid"], whole.valid[block.slices] & known)
    np.testing.assert_array_equal(found["pre_valid"], whole.pre_valid[block.slices])
    np.testing.assert_array_equal(found["image"], whole.image[block.slices])
    np.testing.assert_array_equal(found["pre"], whole.pre[block.slices])
    assert np.isfinite(found["elevation_m"]).all()
    np.testing.assert_allclose(found["elevation_m"][known], 1500)


def test_the_map_of_files_is_that_of_the_arrays(entry, tmp_path):
    chosen = MapSettings(tile_px=40, halo_px=4, blend="cosine")
    common = {"threshold": 0.5, "receptive_field": PIXELWISE, "settings": chosen}
    files = map_scene(first_band, EntryScene(entry), tmp_path / "files", **common)
    scene = read_scene(entry)
    seen = scene.valid & np.isfinite(scene.elevation_m)
    arrays = map_scene(
        first_band, replace(scene, valid=seen, elevation_m=None), tmp_path / "arrays", **common
    )
    for kind in ("probability", "mask"):
        with rasterio.open(getattr(files, kind)) as a, rasterio.open(getattr(arrays, kind)) as b:
            np.testing.assert_array_equal(a.read(1), b.read(1))


def test_cloud_is_not_seen(entry, tmp_path):
    cloud = np.zeros((90, 70), np.uint8)
    cloud[20:40, 10:30] = 1
    path = write(tmp_path / "cloud.tif", cloud, utm((90, 70)))
    cloudy = entry.model_copy(update={"cloud": path})
    found = map_scene(
        first_band, EntryScene(cloudy), tmp_path, threshold=0.5, receptive_field=PIXELWISE
    )
    with rasterio.open(found.probability) as dataset:
        steps = dataset.read(1)
    assert (steps[20:40, 10:30] == NOT_SEEN).all()
    assert (steps != NOT_SEEN).any()


def test_another_file_is_another_scene(entry):
    before = EntryScene(entry).identity()
    assert EntryScene(entry).identity() == before
    path = entry.image[0]
    path.write_bytes(path.read_bytes() + b"\0")
    assert EntryScene(entry).identity() != before


def test_a_truncated_image_is_named_and_leaves_no_map(tmp_path):
    scene = random_scene((400, 400), unseen=0.0)
    image = write(tmp_path / "a.tif", np.moveaxis(scene.image, -1, 0), scene.grid)
    image.write_bytes(image.read_bytes()[: image.stat().st_size // 2])
    entry = SceneEntry(name="a", region="r", epoch="e", bands=NAMES, unit="1", image=(image,))
    with pytest.raises(DataError, match=r"a\.tif"):
        map_scene(
            first_band, EntryScene(entry), tmp_path / "o", threshold=0.5,
            receptive_field=PIXELWISE,
        )  # fmt: skip
    assert list((tmp_path / "o").glob("*.tif")) == []


@pytest.mark.data
def test_the_hokkaido_pair_is_mapped_and_keeps_its_nodata(data_dir, tmp_path):
    """Two dates of Sentinel-2; 40 % of the earlier one is missing and says so by zeros alone."""
    folder = data_dir / "imagery" / "hokkaido_s2_scene"
    post, pre = (
        tuple(folder / f"{when}-event" / f"download.B{k}.tif" for k in (2, 3, 4))
        for when in ("post", "pre")
    )
    entry = SceneEntry(
        name="hokkaido", region="hokkaido", epoch="2018", bands=NAMES, unit="1", image=post,
        scale=1e-4, nodata=0, pre=ImageEntry(image=pre, scale=1e-4, nodata=0),
        elevation=folder / "dem" / "download.DSM.tif", sensor="Sentinel-2",
        grid=TargetGrid(crs="EPSG:32654", pixel_m=10.0),
    )  # fmt: skip
    source = EntryScene(entry)
    forward, field = forward_of("default", pre_bands=3, topography_bands=1)

    def on_raw(batch):
        shown = {k: 10 * batch[k] for k in ("image", "pre")}
        return forward({**shown, "topography": batch["elevation_m"][..., None] / 300})

    found = map_scene(
        on_raw, source, tmp_path, threshold=0.5, receptive_field=field,
        settings=MapSettings(tile_px=512, batch=2),
    )  # fmt: skip
    scene = read_scene(entry)
    seen = scene.valid & scene.pre_valid & np.isfinite(scene.elevation_m)
    with rasterio.open(found.probability) as dataset:
        steps = dataset.read(1)
        assert dataset.crs.to_epsg() == 32654
    np.testing.assert_array_equal(steps == NOT_SEEN, ~seen)
    inside = scene.valid & np.isfinite(scene.elevation_m)
    assert 0.39 < (inside & ~scene.pre_valid).sum() / inside.sum() < 0.42
    assert found.seen_px == seen.sum() > 0.5 * inside.sum()
    assert np.ptp(steps[seen]) > 100
