"""Counts leave out what was not seen, survive a file, and broken files are named."""

import numpy as np
import pytest

from detection.chain.counts import (
    SceneCounts,
    block_numbers,
    patch_counts,
    read_counts,
    write_counts,
)
from hazard.errors import DataError


def scene(**changes):
    values = {
        "training": "scratch-1-a", "region": "a", "epoch": "event",
        "block": np.array([0, 0, 65536]), "unseen": np.array([True, False, True]),
        "counts": np.arange(12.0).reshape(3, 4),
    }  # fmt: skip
    return SceneCounts(**(values | changes))


def test_pixels_that_do_not_count_are_in_no_class():
    rng = np.random.default_rng(0)
    alarm, truth, counted = rng.random((3, 5, 8, 8)) < 0.5
    four = patch_counts(alarm, truth, counted)
    assert four.sum(axis=1).tolist() == counted.sum(axis=(1, 2)).tolist()
    assert four[:, 0].tolist() == (alarm & truth & counted).sum(axis=(1, 2)).tolist()
    changed = np.where(counted, alarm, ~alarm)
    assert np.array_equal(patch_counts(changed, truth, counted), four)


def test_blocks_are_squares_of_ground_and_never_shared_by_two_squares():
    row, column = (axis.ravel() for axis in np.mgrid[0:256:32, 0:256:32])
    number = block_numbers(row, column, block_px=64)
    assert len(set(number.tolist())) == 16
    for one in set(number.tolist()):
        own = number == one
        assert np.ptp(row[own]) < 64
        assert np.ptp(column[own]) < 64
    with pytest.raises(ValueError, match="at least 1"):
        block_numbers(row, column, block_px=0)


def test_a_file_gives_back_what_was_written(tmp_path):
    scenes = [scene(), scene(epoch="later")]
    write_counts(tmp_path / "counts.csv", scenes)
    for one, other in zip(scenes, read_counts(tmp_path / "counts.csv"), strict=True):
        assert (one.training, one.region, one.epoch) == (other.training, other.region, other.epoch)
        for name in ("block", "unseen", "counts"):
            assert np.array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("text", ["", "a,b\n", "cut"])
def test_a_file_that_is_no_table_of_counts_is_refused(tmp_path, text):
    path = tmp_path / "counts.csv"
    if text == "cut":
        write_counts(path, [scene()])
        text = path.read_text()[:-4]
    path.write_text(text)
    with pytest.raises(DataError, match=r"counts\.csv"):
        read_counts(path)


def test_arrays_of_different_length_are_refused():
    with pytest.raises(ValueError, match="3 blocks"):
        scene(counts=np.zeros((2, 4)))
