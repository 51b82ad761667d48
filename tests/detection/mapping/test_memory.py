"""A scene of 20,000 x 20,000 x 4, 6.4 GB as floats, is mapped within 2 GB."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import rasterio

ROOT = Path(__file__).resolve().parents[3]

MAPPED = """
import json, resource
from tests.detection.mapping.scenes import RampScene, first_band
from detection.mapping.scene_map import MapSettings, map_scene
from detection.mapping.tiles import PIXELWISE
found = map_scene(first_band, RampScene(({side}, {side})), {out!r}, threshold=0.5,
    receptive_field=PIXELWISE,
    settings=MapSettings(tile_px=1024, halo_px=64, blend="cosine", memory_mb=1200))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps(dict(peak_mb=peak / 1024, seen=found.seen_px, seconds=found.seconds)))
"""


def run(out, side):
    script = MAPPED.format(out=str(out), side=side)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout)


@pytest.mark.nightly
def test_a_scene_of_400_million_pixels_stays_within_2_gb(tmp_path):
    found = run(tmp_path, 20_000)
    assert found["seen"] == 20_000**2
    assert found["peak_mb"] < 2000
    with rasterio.open(tmp_path / "ramp_probability.tif") as dataset:
        assert dataset.shape == (20_000, 20_000)
        corner = dataset.read(1, window=rasterio.windows.Window(19_000, 19_000, 1000, 1000))
    assert corner.max() == 10_000
    assert corner.min() > 9000
