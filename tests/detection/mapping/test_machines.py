"""The map of many machines is that of one; without dask, or without a scheduler, a clear word."""

import contextlib
import socket
import sys

import numpy as np
import pytest
import rasterio

from detection.mapping import machines
from detection.mapping.machines import connect
from detection.mapping.scene_map import MapSettings, map_scene
from detection.models.span import ReceptiveField
from hazard.errors import UserError
from tests.detection.mapping.scenes import box_mean, random_scene

FIVE = ReceptiveField(before_px=2, after_px=2, stride_px=1)


def mapped(out, **changes):
    """Bytes of the map of a scene, and the tiles that were reported."""
    tiles = []
    settings = MapSettings(tile_px=20, batch=2, blend="cosine", **changes)
    found = map_scene(
        box_mean, random_scene((70, 60)), out, threshold=0.5, receptive_field=FIVE,
        settings=settings, progress=tiles.append,
    )  # fmt: skip
    with rasterio.open(found.probability) as dataset:
        return dataset.read(1), sum(tiles), found.tiling.n_tiles


@pytest.fixture
def usual_port_taken():
    """Port 8787, where dask would serve its figures, is in use by someone."""
    with socket.socket() as held:
        with contextlib.suppress(OSError):  # someone else has it
            held.bind(("", 8787))
            held.listen()
        yield


@pytest.mark.usefixtures("usual_port_taken")
def test_processes_and_a_scheduler_by_address_give_the_map_of_threads(tmp_path):
    pytest.importorskip("distributed")
    expected, _, _ = mapped(tmp_path / "threads")
    with connect("local", 2) as client:
        found, tiles, number = mapped(
            tmp_path / "dask", scheduler=client.scheduler_info()["address"]
        )
        where = client.run(lambda: __import__("os").getpid())
    np.testing.assert_array_equal(found, expected)
    assert tiles == number
    assert len(set(where.values())) == 2  # processes, not threads


def test_without_dask_the_message_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "dask", None)
    with pytest.raises(UserError, match="landslide-hazard\\[dask\\]"):
        mapped(tmp_path, scheduler="local")


def test_a_silent_address_is_named(tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(machines, "ANSWER_WITHIN_S", 0.5)
    with pytest.raises(UserError, match="nothing that answers"):
        mapped(tmp_path, scheduler="tcp://127.0.0.1:1")
