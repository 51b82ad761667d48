"""A run that was killed goes on; a run of another job does not use its strips."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio

from detection.mapping.scene_map import MapSettings, map_scene
from detection.models.span import ReceptiveField
from hazard.errors import UserError
from stats.command.run_lock import run_lock
from tests.detection.mapping.scenes import array_scene, box_mean

ROOT = Path(__file__).resolve().parents[3]
FIVE = ReceptiveField(before_px=2, after_px=2, stride_px=1)

KILLED = """
from tests.detection.mapping.scenes import DiesAfter, array_scene
from tests.detection.mapping.test_resume import FIVE, settings
from detection.mapping.scene_map import map_scene
map_scene(DiesAfter({calls}), array_scene((120, 60)), {out!r}, threshold=0.5,
    receptive_field=FIVE, settings=settings({blend!r}), identity="box")
"""


def settings(blend, **changes):
    return MapSettings(tile_px=20, batch=4, blend=blend, threads=1, **changes)


class Counted:
    """Counts the batches."""

    def __init__(self, dies_at=None):
        self.batches, self.dies_at = 0, dies_at

    def __call__(self, batch):
        self.batches += 1
        if self.batches == self.dies_at:
            raise UserError("interrupted")
        return box_mean(batch)


def run(out, forward, blend="cosine", *, identity="box", **changes):
    return map_scene(
        forward, array_scene((120, 60)), out, threshold=0.5, receptive_field=FIVE,
        settings=settings(blend, **changes), identity=identity,
    )  # fmt: skip


def values(found):
    with rasterio.open(found.probability) as dataset:
        return dataset.read(1)


@pytest.mark.parametrize("blend", ["centre", "cosine"])
def test_a_map_goes_on_behind_its_finished_strips_bit_by_bit(tmp_path, blend):
    whole = Counted()
    expected = values(run(tmp_path / "a", whole, blend))
    with pytest.raises(UserError, match="interrupted"):
        run(tmp_path / "b", Counted(dies_at=5), blend)
    rest = Counted()
    found = run(tmp_path / "b", rest, blend)
    assert found.resumed_strips > 0
    assert rest.batches < whole.batches
    np.testing.assert_array_equal(values(found), expected)


def test_a_killed_process_leaves_strips_that_the_next_uses(tmp_path):
    out = tmp_path / "killed"
    script = KILLED.format(calls=6, out=str(out), blend="cosine")
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False)
    assert done.returncode == -9
    assert list(out.glob("*.tif")) == []
    found = run(out, box_mean)
    assert found.resumed_strips > 0
    np.testing.assert_array_equal(values(found), values(run(tmp_path / "whole", box_mean)))


@pytest.mark.parametrize(
    "changes", [{"identity": "other"}, {"identity": None}, {"resume": False}, {"blend": "mean"}]
)
def test_strips_of_another_job_are_not_used(tmp_path, changes):
    with pytest.raises(UserError, match="interrupted"):
        run(tmp_path, Counted(dies_at=5))
    assert run(tmp_path, box_mean, **changes).resumed_strips == 0


def test_two_processes_do_not_write_one_map(tmp_path):
    with run_lock(tmp_path / ".random.strips"), pytest.raises(UserError, match="in use"):
        run(tmp_path, box_mean)
