import warnings

import numpy as np
import pytest
import rasterio

from detection.patches.adjoining import adjoining_patches
from detection.patches.audit import audit, leaks, linked_groups
from detection.patches.cut import cut_patches
from detection.patches.image_folders import read_image_folders
from detection.patches.splits import split_at_random, split_by_block
from detection.patches.tile import tile_patches
from hazard.errors import DataError
from tests.detection.patches.made_scenes import made_scene

RGB = ("red", "green", "blue")


def write_image(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = values if values.ndim == 3 else values[..., None]
    driver = {".png": "PNG", ".tif": "GTiff"}[path.suffix]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(
            path, "w", driver=driver, height=values.shape[0], width=values.shape[1],
            count=values.shape[2], dtype=values.dtype,
        ) as out:  # fmt: skip
            out.write(np.moveaxis(values, -1, 0))
    aux = path.with_suffix(path.suffix + ".aux.xml")
    aux.unlink(missing_ok=True)
    return path


def made_folder(base, stems=("2", "10", "9"), *, size=16, high=1, suffix=".png"):
    rng = np.random.default_rng(0)
    for stem in stems:
        write_image(base / "images" / f"{stem}{suffix}",
                    rng.integers(0, 255, (size, size, 3)).astype(np.uint8))  # fmt: skip
        mask = np.zeros((size, size), np.uint8)
        mask[:4, : int(stem)] = high
        write_image(base / "masks" / f"{stem}.png", mask)
    return base


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_images_meet_their_masks_in_natural_order(tmp_path):
    made_folder(tmp_path / "set")
    steps = []
    found = read_image_folders(tmp_path / "set", bands=RGB, pixel_m=3.0, progress=steps.append)
    assert list(found) == ["all"]
    patches = found["all"]
    assert [o.scene for o in patches.origin] == ["set/2", "set/9", "set/10"]
    assert patches.truth.sum(axis=(1, 2)).tolist() == [8, 36, 40]
    with rasterio.open(tmp_path / "set" / "images" / "9.png") as file:
        np.testing.assert_array_equal(patches.image[1], np.moveaxis(file.read(), 0, -1))
    assert patches.valid.all()
    assert patches.pixel_m == 3.0
    assert sum(steps) == 3


def test_roles_come_from_the_names_of_folders(tmp_path):
    for part in ("train", "val", "test"):
        made_folder(tmp_path / part, stems=("1", "2"))
    found = read_image_folders(tmp_path, bands=RGB)
    assert list(found) == ["test", "train", "validation"]
    assert found["validation"].origin[0].region == f"{tmp_path.name}/validation/1"


@pytest.mark.parametrize(("high", "above"), [(1, None), (200, None), (60, 50)])
def test_masks_of_any_code_read_alike(tmp_path, high, above):
    made_folder(tmp_path, high=high)
    found = read_image_folders(tmp_path, bands=RGB, mask_above=above)["all"]
    assert found.truth.sum(axis=(1, 2)).tolist() == [8, 36, 40]


def test_black_is_a_value_unless_it_is_named_nodata(tmp_path):
    made_folder(tmp_path)
    image = np.full((16, 16, 3), 9, np.uint8)
    image[0], image[1, :, 0] = 0, 0
    write_image(tmp_path / "images" / "2.png", image)
    assert read_image_folders(tmp_path, bands=RGB)["all"].valid.all()
    valid = read_image_folders(tmp_path, bands=RGB, nodata=0)["all"].valid[0]
    assert not valid[0].any()
    assert valid[1:].all()


def test_folders_that_cannot_be_used_are_told(tmp_path):
    made_folder(tmp_path)
    with pytest.raises(DataError, match="3 bands; expected 4"):
        read_image_folders(tmp_path, bands=(*RGB, "nir"))
    with pytest.raises(DataError, match="no such folder"):
        read_image_folders(tmp_path / "nowhere", bands=RGB)
    with pytest.raises(DataError, match="no such folder; expected a folder of images"):
        read_image_folders(tmp_path, bands=RGB, masks="labels")
    (tmp_path / "masks" / "9.png").rename(tmp_path / "masks" / "8.png")
    with pytest.raises(DataError, match="2 files without partner, such as '8'"):
        read_image_folders(tmp_path, bands=RGB)
    (tmp_path / "masks" / "8.png").rename(tmp_path / "masks" / "9.png")
    whole = (tmp_path / "images" / "9.png").read_bytes()
    (tmp_path / "images" / "9.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"9\.png: found a cut file"):
        read_image_folders(tmp_path, bands=RGB)
    write_image(tmp_path / "images" / "9.png", np.zeros((20, 20, 3), np.uint8))
    with pytest.raises(DataError, match=r"20 x 20 pixels; expected 16 x 16, as 2\.png"):
        read_image_folders(tmp_path, bands=RGB)
    write_image(tmp_path / "images" / "2.png", np.zeros((20, 10, 3), np.uint8))
    with pytest.raises(DataError, match="a square image"):
        read_image_folders(tmp_path, bands=RGB)


def test_numbered_tiles_of_a_lattice_become_neighbours_again(tmp_path):
    # A scene of 3 x 5 tiles, numbered row by row; cut as a scene and read as files.
    scene = made_scene(48, 80)
    whole = cut_patches(scene, 16, 16)
    for number, (image, truth) in enumerate(zip(whole.image, whole.truth, strict=True)):
        write_image(tmp_path / "images" / f"{number}.tif", image)
        write_image(tmp_path / "masks" / f"{number}.png", truth.astype(np.uint8))
    found = read_image_folders(tmp_path, bands=scene.bands, lattice_columns=5)["all"]
    assert [(o.row, o.column) for o in found.origin] == [(o.row, o.column) for o in whole.origin]
    np.testing.assert_array_equal(found.image, whole.image)
    (tmp_path / "images" / "0.tif").rename(tmp_path / "images" / "a.tif")
    (tmp_path / "masks" / "0.png").rename(tmp_path / "masks" / "a.png")
    with pytest.raises(DataError, match="a name that is no number"):
        read_image_folders(tmp_path, bands=scene.bands, lattice_columns=5)


def test_tiles_of_large_patches_are_the_patches_of_the_scene():
    scene = made_scene(64, 64)
    large = cut_patches(scene, 64, 64)
    for options in ({}, {"keep_empty": False}, {"minimum_counted": 0.9}, {"cover_edge": False}):
        tiles, cut = tile_patches(large, 20, 12, **options), cut_patches(scene, 20, 12, **options)
        assert tiles.origin == cut.origin
        for name in ("image", "valid", "truth", "pre", "elevation_m"):
            np.testing.assert_array_equal(getattr(tiles, name), getattr(cut, name))
    with pytest.raises(DataError, match="at least 128 x 128"):
        tile_patches(large, 128, 128)


@pytest.mark.data
def test_the_hokkaido_patches_read_as_measured(data_dir):
    folder = data_dir / "imagery" / "hokkaido_rgb_patches"
    patches = read_image_folders(folder, bands=RGB)["all"]
    assert patches.image.shape == (12, 256, 256, 3)
    assert patches.truth.mean() == pytest.approx(0.3244, abs=0.0001)
    brightness = patches.image.astype(np.float64)
    assert brightness[patches.truth].mean() == pytest.approx(85.958, abs=0.001)
    assert brightness[~patches.truth].mean() == pytest.approx(45.109, abs=0.001)
    assert patches.valid.all()


@pytest.mark.data
def test_nine_of_the_hokkaido_patches_adjoin(data_dir):
    """Edges of neighbours on a lattice of 36 columns continue each other, others do not."""
    folder = data_dir / "imagery" / "hokkaido_rgb_patches"
    patches = read_image_folders(folder, bands=RGB, lattice_columns=36)["all"]
    place = {(o.row, o.column): i for i, o in enumerate(patches.origin)}

    def alike(one, other):
        return np.corrcoef(one.ravel(), other.ravel())[0, 1]

    neighbours, strangers = [], []
    for (row, col), i in place.items():
        for (down, right), j in place.items():
            image, other = patches.image[i], patches.image[j]
            if i != j:
                sides = (
                    ((row, col + 256), alike(image[:, -1], other[:, 0])),
                    ((row + 256, col), alike(image[-1], other[0])),
                )
                for where, value in sides:
                    (neighbours if where == (down, right) else strangers).append(value)
    assert len(neighbours) == 9
    assert min(neighbours) > 0.85
    assert max(strangers) < 0.7
    unplaced = read_image_folders(folder, bands=RGB)["all"]
    assert len(adjoining_patches(unplaced)) == 9
    assert len(set(linked_groups(unplaced, adjoining=True))) == 4
    quarters = tile_patches(patches, 128, 128)
    corner = [(o.row, o.column) for o in quarters.origin]
    pairs = adjoining_patches(quarters)
    assert len(pairs) >= 64
    for pair in pairs:
        (row, col), step = corner[pair.first], (0, 128) if pair.side == "right" else (128, 0)
        assert corner[pair.second] == (row + step[0], col + step[1])
    tiles = tile_patches(patches, 64, 64)
    assert leaks(audit(tiles, split_by_block(tiles, block_px=256, buffer_px=64))) == ()
    kinds = {f.kind for f in audit(tiles, split_at_random(tiles))}
    assert kinds == {"adjoining patches"}


@pytest.mark.data
def test_the_nepal_images_read_with_their_soft_masks(data_dir):
    folder = data_dir / "imagery" / "nepal_png"
    patches = read_image_folders(folder, bands=("swir", "nir", "visible"))["all"]
    assert patches.image.shape == (24, 512, 512, 3)
    assert patches.truth.mean() == pytest.approx(0.00752, abs=0.00001)
    assert patches.truth.any(axis=(1, 2)).all()
    some = patches.select(np.arange(0, 24, 4))
    assert audit(some, split_at_random(some)) == ()
