"""Scenes in files: bands, nodata, masks and other grids come out where they belong."""

from pathlib import Path

import numpy as np
import pytest
import rasterio

from detection.mapping.files import FileScene
from detection.mapping.scene_map import MapSettings, map_scene
from detection.mapping.stored import NOT_SEEN
from detection.mapping.tiles import PIXELWISE
from hazard.errors import DataError
from hazard.geo.grid import Block, Grid
from hazard.geo.raster import write_cog
from tests.detection.mapping.scenes import first_band, random_scene, utm
from tests.detection.mapping.test_networks import forward_of

WHOLE = Block(row0=0, row1=40, col0=0, col1=30)
NAMES = ("blue", "green", "red")


def write(path: Path, values, grid, **kwargs):
    bands = values if values.ndim == 3 else values[np.newaxis]
    write_cog(path, bands, grid, names=["b"] * len(bands), units=["1"] * len(bands), **kwargs)
    return path


@pytest.fixture
def scene():
    made = random_scene((40, 30), pre=True)
    made.image[~made.valid] = made.pre[~made.pre_valid] = 0.5
    return made


def test_windows_of_files_are_windows_of_the_arrays(tmp_path, scene):
    counts = np.moveaxis(np.rint(scene.image * 10_000 + 100), -1, 0).astype(np.uint16)
    before = np.moveaxis(scene.pre, -1, 0)
    singles = tuple(
        write(tmp_path / f"{k}.tif", band, scene.grid, valid=scene.valid, nodata=0)
        for k, band in enumerate(counts)
    )
    pre = write(tmp_path / "pre.tif", before, scene.grid, valid=scene.pre_valid, nodata=-1)
    cloudless = np.ones((40, 30), np.uint8)
    cloudless[5:9, 3:20] = 0
    seen = write(tmp_path / "seen.tif", cloudless, scene.grid)
    source = FileScene(
        name="a", bands=NAMES, image=singles, pre=pre, seen=seen, scale=1e-4, offset=-0.01
    )
    # Scale and offset are of both images here; undo them for the earlier one.
    expected_pre = scene.pre * np.float32(1e-4) + np.float32(-0.01)
    for block in (WHOLE, Block(row0=7, row1=23, col0=4, col1=30)):
        found = source.read(block)
        part = block.slices
        valid = scene.valid[part] & (cloudless[part] == 1)
        np.testing.assert_array_equal(found["valid"], valid)
        np.testing.assert_array_equal(found["pre_valid"], scene.pre_valid[part])
        np.testing.assert_allclose(found["image"][valid], scene.image[part][valid], atol=6e-5)
        both = scene.pre_valid[part]
        np.testing.assert_allclose(found["pre"][both], expected_pre[part][both], atol=1e-6)
    stacked = FileScene(
        name="a", bands=NAMES, image=write(tmp_path / "all.tif", counts, scene.grid)
    )
    assert stacked.identity() != source.identity()
    assert stacked.read(WHOLE)["image"].shape == (40, 30, 3)


def test_nodata_that_the_file_does_not_know_can_be_stated(tmp_path, scene):
    image = np.where(scene.valid, np.moveaxis(scene.image, -1, 0) + 1, 0)
    path = write(tmp_path / "a.tif", image, scene.grid)
    assert FileScene(name="a", bands=NAMES, image=path).read(WHOLE)["valid"].all()
    source = FileScene(name="a", bands=NAMES, image=path, pre=path, nodata=0.0)
    found = source.read(WHOLE)
    np.testing.assert_array_equal(found["valid"], scene.valid)
    np.testing.assert_array_equal(found["pre_valid"], scene.valid)


def test_elevation_of_another_grid_is_brought_over_and_voids_are_not_seen(tmp_path, scene):
    coarse = Grid(crs=scene.grid.crs, transform=utm((6, 6), side=30.0).transform, shape=(6, 6))
    x = coarse.x - 3e5
    height = np.broadcast_to(1000 + x, (6, 6)).astype(np.float32).copy()
    known = np.ones((6, 6), bool)
    known[3, 1] = False
    ground = write(tmp_path / "z.tif", height, coarse, valid=known)
    image = write(tmp_path / "a.tif", np.moveaxis(scene.image, -1, 0), scene.grid)
    found = FileScene(name="a", bands=NAMES, image=image, elevation=ground).read(WHOLE)
    assert not found["valid"][35, 15]
    inside = found["valid"][:, 5:]
    expected = np.broadcast_to(1000 + scene.grid.x - 3e5, (40, 30))[:, 5:]
    assert np.isfinite(found["elevation_m"]).all()
    np.testing.assert_allclose(found["elevation_m"][:20, 5:], expected[:20], atol=0.1)
    assert inside[:20].all()


def test_files_that_do_not_fit_are_refused(tmp_path, scene):
    image = write(tmp_path / "a.tif", np.moveaxis(scene.image, -1, 0), scene.grid)
    other = write(tmp_path / "b.tif", scene.image[..., 0], utm((40, 30), side=5.0))
    with pytest.raises(DataError, match="3 band"):
        FileScene(name="a", bands=(*NAMES, "nir"), image=image)
    with pytest.raises(DataError, match="one for each"):
        FileScene(name="a", bands=NAMES, image=(image, image))
    with pytest.raises(DataError, match=r"b\.tif.*another grid"):
        FileScene(name="a", bands=("red", "nir"), image=(image, other))
    with pytest.raises(DataError, match="no such file"):
        FileScene(name="a", bands=NAMES, image=tmp_path / "none.tif")


def test_a_truncated_image_is_named_and_leaves_no_map(tmp_path):
    scene = random_scene((400, 400), unseen=0.0)
    image = write(tmp_path / "a.tif", np.moveaxis(scene.image, -1, 0), scene.grid)
    image.write_bytes(image.read_bytes()[: image.stat().st_size // 2])
    source = FileScene(name="a", bands=NAMES, image=image)
    with pytest.raises(DataError, match=r"a\.tif"):
        map_scene(first_band, source, tmp_path / "o", threshold=0.5, receptive_field=PIXELWISE)
    assert list((tmp_path / "o").glob("*.tif")) == []


@pytest.mark.data
def test_the_hokkaido_pair_is_mapped_and_keeps_its_nodata(data_dir, tmp_path):
    """Two dates of Sentinel-2; 40 % of the earlier one is missing and says so by zeros alone."""
    folder = data_dir / "imagery" / "hokkaido_s2_scene"
    post, pre = (
        tuple(folder / f"{when}-event" / f"download.B{k}.tif" for k in (2, 3, 4))
        for when in ("post", "pre")
    )
    source = FileScene(
        name="hokkaido", bands=NAMES, image=post, pre=pre, scale=1e-4, nodata=0.0,
        elevation=folder / "dem" / "download.DSM.tif", sensor="Sentinel-2",
    )  # fmt: skip
    forward, field = forward_of("default", pre_bands=3, topography_bands=1)

    def on_raw(batch):
        shown = {k: 10 * batch[k] for k in ("image", "pre")}
        return forward({**shown, "topography": batch["elevation_m"][..., None] / 300})

    found = map_scene(
        on_raw, source, tmp_path, threshold=0.5, receptive_field=field,
        settings=MapSettings(tile_px=512, batch=2),
    )  # fmt: skip
    with rasterio.open(found.probability) as dataset:
        steps = dataset.read(1)
        assert dataset.crs.to_epsg() == 4326
    missing = np.zeros(steps.shape, bool)
    for path in (*post, *pre):
        with rasterio.open(path) as dataset:
            assert dataset.shape == steps.shape
            missing |= dataset.read(1) == 0
    assert 0.40 < missing.mean() < 0.41
    np.testing.assert_array_equal(steps == NOT_SEEN, missing)
    assert found.seen_px == (~missing).sum()
    assert np.ptp(steps[~missing]) > 100
