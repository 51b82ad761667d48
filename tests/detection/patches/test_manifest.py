import dataclasses
import json

import numpy as np
import pytest

from detection.patches.audit import audit
from detection.patches.cut import cut_patches
from detection.patches.manifest import patch_hashes, read_manifest, write_manifest
from detection.patches.splits import split_at_random
from hazard.errors import DataError
from tests.detection.patches.made_scenes import made_scene


@pytest.fixture(scope="module")
def patches():
    return cut_patches(made_scene(), 20, 15)


@pytest.fixture
def written(patches, tmp_path):
    (tmp_path / "image.tif").write_bytes(b"pixels")
    split = split_at_random(patches)
    path = tmp_path / "split.json"
    text = write_manifest(
        path, patches, split, files=[tmp_path / "image.tif"], base=tmp_path,
        findings=audit(patches, split), cut={"size_px": 20, "stride_px": 15, "keep_empty": True},
    )  # fmt: skip
    return path, split, text


def test_a_manifest_reads_back_whole(patches, written):
    path, split, text = written
    manifest = read_manifest(path)
    assert manifest.sha256 == text
    assert manifest.bands == patches.bands
    assert manifest.origin == patches.origin
    assert manifest.hashes == tuple(patch_hashes(patches))
    assert manifest.findings == audit(patches, split)
    assert manifest.findings
    assert (manifest.size_px, manifest.pixel_m, manifest.cut["stride_px"]) == (20, 10.0, 15)
    np.testing.assert_array_equal(manifest.split.role, split.role)
    assert manifest.split.seed == split.seed
    assert manifest.split.separates == split.separates


def test_roles_come_back_for_patches_in_any_order(patches, written):
    path, split, _ = written
    order = np.random.default_rng(0).permutation(len(patches))
    found = read_manifest(path).split_of(patches.select(order))
    np.testing.assert_array_equal(found.role, split.role[order])


def test_patches_of_other_content_are_refused(patches, written):
    manifest = read_manifest(written[0])
    truth = patches.truth.copy()
    truth[3, 0, 0] ^= True
    with pytest.raises(DataError, match=r"patch of a-1 at row 0, column 45: found content"):
        manifest.split_of(dataclasses.replace(patches, truth=truth))
    with pytest.raises(DataError, match="patches; expected all"):
        manifest.split_of(patches.select([0, 1]))
    other = tuple(dataclasses.replace(o, scene="b") for o in patches.origin)
    with pytest.raises(DataError, match="found a patch of b"):
        manifest.split_of(dataclasses.replace(patches, origin=other))


def test_files_that_changed_are_named(written, tmp_path):
    manifest = read_manifest(written[0])
    assert manifest.files[0][0] == "image.tif"
    manifest.check_files(tmp_path)
    (tmp_path / "image.tif").write_bytes(b"other pixels")
    with pytest.raises(DataError, match=r"image\.tif: found SHA-256"):
        manifest.check_files(tmp_path)
    (tmp_path / "image.tif").unlink()
    with pytest.raises(DataError, match="no such file"):
        manifest.check_files(tmp_path)


def test_a_manifest_that_somebody_changed_is_refused(written):
    path = written[0]
    record = json.loads(path.read_text())
    moved = next(row for row in record["patches"] if row[5] == "test")
    moved[5] = "train"
    path.write_text(json.dumps(record))
    with pytest.raises(DataError, match="does not fit its hash"):
        read_manifest(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"layout": "detection-split"}', "\x00"])
def test_other_files_are_refused(tmp_path, text):
    (tmp_path / "split.json").write_text(text)
    with pytest.raises(DataError, match="no usable manifest"):
        read_manifest(tmp_path / "split.json")
    with pytest.raises(DataError, match="no such file"):
        read_manifest(tmp_path / "nowhere.json")


def test_two_patches_of_one_place_are_refused(patches, tmp_path):
    twice = patches.select([0, 0])
    with pytest.raises(DataError, match="two at row 0, column 0 of a-1"):
        write_manifest(tmp_path / "m.json", twice, split_at_random(twice))
    assert not list(tmp_path.iterdir())
