import h5py
import numpy as np
import pytest

from detection.patches.hr_gldd import check_band_order, read_hr_gldd
from detection.patches.landslide4sense import BANDS, read_landslide4sense
from hazard.errors import DataError

NIR_LAST = ("red", "green", "blue", "nir")


def landscape(n=5, size=16, *, order=NIR_LAST, seed=0):
    """Vegetation with bare landslides, in reflectance; bands in any order."""
    rng = np.random.default_rng(seed)
    label = np.zeros((n, size, size), np.uint8)
    label[:, 3:8, 3:12] = 1
    green = {"blue": 0.03, "green": 0.06, "red": 0.04, "nir": 0.4}
    bare = {"blue": 0.12, "green": 0.17, "red": 0.23, "nir": 0.3}
    bands = [np.where(label, bare[b], green[b]) for b in order]
    image = np.stack(bands, -1) * rng.normal(1, 0.1, (n, size, size, 1))
    return image.astype(np.float32), label


def write_arrays(folder, *, roles=("train", "val", "test"), order=NIR_LAST, last_axis=True):
    folder.mkdir(exist_ok=True)
    for seed, role in enumerate(roles):
        image, label = landscape(n=5 - seed, order=order, seed=seed)
        np.save(folder / f"{role}X.npy", image)
        np.save(folder / f"{role}Y.npy", label[..., None] if last_axis else label)
    return folder


@pytest.mark.parametrize("last_axis", [True, False])
def test_arrays_read_by_the_roles_of_their_names(tmp_path, last_axis):
    found = read_hr_gldd(write_arrays(tmp_path, last_axis=last_axis))
    assert {role: len(part) for role, part in found.items()} == {
        "train": 5, "validation": 4, "test": 3
    }  # fmt: skip
    image, label = landscape(n=4, seed=1)
    np.testing.assert_array_equal(found["validation"].image, image)
    np.testing.assert_array_equal(found["validation"].truth, label == 1)
    assert found["train"].bands == NIR_LAST
    assert found["train"].pixel_m == 3.0
    assert found["train"].origin[2].region == "trainX/2"


@pytest.mark.parametrize(
    ("order", "named", "message"),
    [
        (NIR_LAST, NIR_LAST, None),
        (("blue", "green", "red", "nir"), ("blue", "green", "red", "nir"), None),
        (("blue", "green", "red", "nir"), NIR_LAST, "exchange red and blue"),
        (("nir", "green", "blue", "red"), NIR_LAST, "another order of the bands"),
        (("red", "nir", "blue", "green"), NIR_LAST, "'green' as the brightest band"),
    ],
)
def test_an_order_of_bands_that_cannot_be_is_refused(tmp_path, order, named, message):
    write_arrays(tmp_path, order=order)
    if message is None:
        checked = check_band_order(read_hr_gldd(tmp_path, bands=named)["train"])
        assert checked["ndvi"] > 0.5
        assert checked["red"] > checked["blue"]
    else:
        with pytest.raises(DataError, match=message):
            read_hr_gldd(tmp_path, bands=named)
        assert len(read_hr_gldd(tmp_path, bands=named, check=False)) == 3


def test_arrays_that_cannot_be_used_are_told(tmp_path):
    with pytest.raises(DataError, match=r"trainX\.npy: found no such file"):
        read_hr_gldd(tmp_path)
    write_arrays(tmp_path, roles=("train",))
    assert list(read_hr_gldd(tmp_path)) == ["train"]
    with pytest.raises(DataError, match=r"squares of 3 bands"):
        read_hr_gldd(tmp_path, bands=("red", "green", "nir"))
    image, label = landscape()
    np.save(tmp_path / "trainY.npy", label[:3])
    with pytest.raises(DataError, match=r"trainY\.npy: found shape \(3, 16, 16\)"):
        read_hr_gldd(tmp_path)
    np.save(tmp_path / "trainY.npy", label * 255)
    with pytest.raises(DataError, match=r"labels \[0, 255\]"):
        read_hr_gldd(tmp_path)
    np.save(tmp_path / "trainY.npy", label)
    image[1, 2, 3] = np.nan
    np.save(tmp_path / "trainX.npy", image)
    with pytest.raises(DataError, match="not finite"):
        read_hr_gldd(tmp_path)
    whole = (tmp_path / "trainX.npy").read_bytes()
    for cut in (0, 40, len(whole) // 2):
        (tmp_path / "trainX.npy").write_bytes(whole[:cut])
        with pytest.raises(DataError, match=r"trainX\.npy: found unreadable"):
            read_hr_gldd(tmp_path)
    np.save(tmp_path / "trainX.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="unreadable content"):
        read_hr_gldd(tmp_path)


def write_h5(folder, n=3, *, names=("img", "mask"), later=False, role="TrainData"):
    rng = np.random.default_rng(1)
    images = folder / "images" / role if later else folder / role / "img"
    masks = folder / "annotations" / role if later else folder / role / "mask"
    for part in (images, masks):
        part.mkdir(parents=True)
    for number in (1, 2, 10)[:n]:
        with h5py.File(images / f"image_{number}.h5", "w") as file:
            file[names[0]] = rng.normal(1, 0.2, (16, 16, 14))
        with h5py.File(masks / f"mask_{number}.h5", "w") as file:
            file[names[1]] = (rng.random((16, 16)) > 0.9).astype(np.uint8)
    return images, masks


def test_h5_files_read_by_their_numbers(tmp_path):
    images, masks = write_h5(tmp_path)
    steps = []
    found = read_landslide4sense(tmp_path, progress=steps.append)
    assert list(found) == ["train"]
    part = found["train"]
    assert part.image.shape == (3, 16, 16, 14)
    assert part.bands == BANDS
    assert part.unit == "scaled"
    assert part.elevation_m is None
    assert [o.region for o in part.origin] == ["train/1", "train/2", "train/10"]
    with h5py.File(images / "image_10.h5") as file:
        np.testing.assert_allclose(part.image[2], file["img"][()], rtol=1e-6)
    with h5py.File(masks / "mask_10.h5") as file:
        np.testing.assert_array_equal(part.truth[2], file["mask"][()] == 1)
    assert sum(steps) == 3


def test_the_later_layout_reads_too(tmp_path):
    write_h5(tmp_path, later=True, role="train")
    write_h5(tmp_path, later=True, role="validation", n=2)
    found = read_landslide4sense(tmp_path)
    assert {role: len(part) for role, part in found.items()} == {"train": 3, "validation": 2}


def test_roles_without_masks_are_left_out(tmp_path):
    write_h5(tmp_path)
    (tmp_path / "TestData" / "img").mkdir(parents=True)
    assert list(read_landslide4sense(tmp_path)) == ["train"]


def test_h5_files_that_cannot_be_used_are_told(tmp_path):
    with pytest.raises(DataError, match="expected the layout of Landslide4Sense"):
        read_landslide4sense(tmp_path)
    images, masks = write_h5(tmp_path)
    with pytest.raises(DataError, match=r"shape \(16, 16, 14\); expected \(16, 16, 6\)"):
        read_landslide4sense(tmp_path, bands=BANDS[:6])
    with h5py.File(masks / "mask_2.h5", "w") as file:
        file["mask"] = np.full((16, 16), 2)
    with pytest.raises(DataError, match=r"mask_2\.h5: found labels \[2\]"):
        read_landslide4sense(tmp_path)
    with h5py.File(masks / "mask_2.h5", "w") as file:
        file["label"] = np.zeros((16, 16))
    with pytest.raises(DataError, match="data sets label; expected one named 'mask'"):
        read_landslide4sense(tmp_path)
    (masks / "mask_2.h5").unlink()
    with pytest.raises(DataError, match="1 files without partner, such as number 2"):
        read_landslide4sense(tmp_path)
    whole = (images / "image_1.h5").read_bytes()
    (images / "image_1.h5").write_bytes(whole[: len(whole) // 3])
    (images / "image_2.h5").unlink()
    with pytest.raises(DataError, match=r"image_1\.h5: found unreadable"):
        read_landslide4sense(tmp_path)
