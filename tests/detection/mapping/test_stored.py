"""The two files of a map: written side by side, and neither left half written."""

import time

import numpy as np
import pytest
import rasterio
from affine import Affine

from detection.mapping import stored
from detection.mapping.stored import NOT_SEEN, StripFolder, write_map
from detection.mapping.strips import Strip
from detection.mapping.tiles import PIXELWISE, plan_tiles
from hazard.errors import DataError
from hazard.geo.grid import Grid

SHAPE = (700, 600)
GRID = Grid(crs="EPSG:32645", transform=Affine(3, 0, 3e5, 0, -3, 3e6), shape=SHAPE)


@pytest.fixture
def strips(tmp_path):
    """Finished strips of a random map, an eighth of it not seen, and the map."""
    rng = np.random.default_rng(0)
    probability = rng.random(SHAPE, dtype=np.float32)
    valid = rng.random(SHAPE) > 1 / 8
    tiling = plan_tiles(SHAPE, PIXELWISE, tile_px=256, halo_px=0)
    folder = StripFolder(tmp_path / "strips", tiling, None, resume=False)
    for number in range(len(tiling.rows)):
        top, bottom = tiling.strip(number)
        folder.add(Strip(number, top, probability[top:bottom], valid[top:bottom]))
    return folder, probability, valid


def written(folder, tmp_path):
    return write_map(
        folder, GRID, tmp_path / "p.tif", tmp_path / "m.tif", threshold=0.25, tags={"scene": "a"}
    )


def test_both_files_hold_the_map_and_its_counts(strips, tmp_path):
    folder, probability, valid = strips
    seen, landslide = written(folder, tmp_path)
    with rasterio.open(tmp_path / "p.tif") as p, rasterio.open(tmp_path / "m.tif") as m:
        steps, mask = p.read(1), m.read(1)
        assert p.tags()["scene"] == m.tags()["scene"] == "a"
    np.testing.assert_array_equal(steps == NOT_SEEN, ~valid)
    # Half a step, and the rounding of float32.
    assert np.abs(steps * 1e-4 - probability)[valid].max() <= 0.501e-4
    np.testing.assert_array_equal(mask == 1, (steps >= 2500) & valid)
    assert (seen, landslide) == (valid.sum(), (mask == 1).sum())


@pytest.mark.parametrize("broken", ["p.tif", "m.tif"])
def test_a_file_that_cannot_be_written_is_named_and_leaves_nothing_half_written(
    strips, tmp_path, monkeypatch, broken
):
    real = stored.write_cog_blocks

    def failing(path, blocks, *args, **kwargs):
        if path.name != broken:
            return real(path, blocks, *args, **kwargs)

        def first_only():
            yield next(iter(blocks))
            raise DataError(path, found="a full disk", expected="some room")

        return real(path, first_only(), *args, **kwargs)

    monkeypatch.setattr(stored, "write_cog_blocks", failing)
    folder, _, _ = strips
    with pytest.raises(DataError, match=broken):
        written(folder, tmp_path)
    left = {path.name for path in tmp_path.iterdir()} - {"strips"}
    assert broken not in left
    for name in left:
        with rasterio.open(tmp_path / name) as dataset:  # the other one, whole
            assert dataset.read(1).shape == SHAPE


def test_ctrl_c_ends_the_file_that_is_being_written_beside(strips, tmp_path, monkeypatch):
    """The main thread is interrupted; the other one must not go on to the end of a large map."""
    folder, _, _ = strips
    real, handed_out = stored.write_cog_blocks, []

    def interrupted(path, blocks, *args, **kwargs):
        if path.name == "m.tif":
            raise KeyboardInterrupt
        return real(path, blocks, *args, **kwargs)

    def slowly(height=512):
        for number, band in enumerate(type(folder).bands(folder, 8)):
            time.sleep(0.01)
            handed_out.append(number)
            yield band

    monkeypatch.setattr(stored, "write_cog_blocks", interrupted)
    monkeypatch.setattr(folder, "bands", slowly)
    with pytest.raises(KeyboardInterrupt):
        written(folder, tmp_path)
    assert len(handed_out) < SHAPE[0] // 8
    assert {path.name for path in tmp_path.iterdir()} == {"strips"}
