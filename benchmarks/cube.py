"""Time and peak memory of building a cube at the full Gorkha extent.

    python benchmarks/cube.py [--cells 196 220] [--pixels-per-cell 32] [--keep FOLDER]

Makes a study of that size (rough synthetic terrain at the pixel size, six epochs of densities, two
ShakeMaps, daily rain at points), runs ``python -m hazard.cube`` on it in a process of its own, and
prints its wall time and peak resident memory, per part and per pixel. Limits to hold, at 196 x 220
cells of 32 x 32 pixels on two cores: 90 seconds and 4 GB.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from scipy import ndimage

from hazard.geo.cog import write_cog
from hazard.geo.grid import Grid
from hazard.geo.shakemap import ShakeEvent, ShakeMap
from hazard.geo.shakemap_write import write_shakemap

CRS = "EPSG:32645"
LEFT, TOP = 250_000.0, 3_176_000.0
EPOCHS = [
    {"name": f"half-year {i}", "start": dt.date(2015 + i // 2, 1 + 6 * (i % 2), 1),
     "end": dt.date(2015 + i // 2, 6 if i % 2 == 0 else 12, 30), "monsoons": (i + 1) // 2}
    for i in range(6)
]  # fmt: skip


def rough_terrain(shape: tuple[int, int], rng: np.random.Generator) -> Any:
    """Elevation [m] with relief at all scales: octaves of interpolated noise."""
    z = np.full(shape, 2000.0, np.float32)
    amplitude, spacing = 1200.0, 1024
    while spacing >= 4:
        coarse = rng.normal(size=(shape[0] // spacing + 4, shape[1] // spacing + 4))
        octave = ndimage.zoom(coarse.astype(np.float32), spacing, order=1)[: shape[0], : shape[1]]
        z += amplitude * octave
        amplitude, spacing = amplitude / 2.0, spacing // 2
    return np.clip(z, 100.0, 8500.0)


def write_study(folder: Path, cells: tuple[int, int], factor: int) -> Path:
    """Write every input and the configuration; return the configuration's path."""
    rng = np.random.default_rng(1)
    rows, cols = cells
    bounds = (LEFT, TOP - rows * 1000.0, LEFT + cols * 1000.0, TOP)
    grid = Grid.from_bounds(CRS, bounds, cell_m=1000.0)
    dem = folder / "dem.tif"
    pixels = grid.refine(factor)
    write_cog(dem, rough_terrain(pixels.shape, rng), pixels, names=["elevation"], units=["m"])
    share = rng.random((6, rows, cols))
    density = np.where(share < 0.15, rng.lognormal(-1.0, 1.5, share.shape), 0.0)
    density = np.clip(density, 0, 100).astype(np.float32)
    density[:, :8, :8] = np.nan
    write_cog(folder / "density.tif", density, grid, names=[e["name"] for e in EPOCHS],
              units=["percent"] * 6)  # fmt: skip
    lon, lat = np.linspace(83.5, 88.0, 181), np.linspace(29.5, 26.0, 141)
    events = []
    for number, (lon0, lat0, peak) in enumerate(((84.7, 28.1, 5.0), (86.1, 27.8, 3.0))):
        distance = np.hypot(lon[None] - lon0, lat[:, None] - lat0)
        event = ShakeEvent(
            event_id=f"benchmark{number}", magnitude=7.5, depth_km=15.0, lat_deg=lat0,
            lon_deg=lon0, time=dt.datetime(2015, 4, 25, tzinfo=dt.UTC), description="benchmark",
            version="1", network="none", status="SYNTHETIC",
        )  # fmt: skip
        layers = {"pga": peak * np.exp(-distance), "mmi": 9.0 - np.minimum(4.0, distance)}
        events.append(folder / f"event{number}.xml.gz")
        write_shakemap(
            events[-1],
            ShakeMap(event=event, lon=lon, lat=lat, layers=layers,
                     units={"pga": "m s-2", "mmi": "1"}, source_fields={}),
        )  # fmt: skip
    days = pd.date_range("2015-01-01", "2017-12-31", freq="D")
    table = [
        pd.DataFrame({"time": days, "longitude": x, "latitude": y,
                      "precip": rng.gamma(0.3, 15.0, len(days))})
        for x, y in zip(rng.uniform(84, 87.5, 35), rng.uniform(26.8, 29, 35), strict=True)
    ]  # fmt: skip
    pd.concat(table).to_parquet(folder / "rain.parquet")
    config = {
        "name": "benchmark", "title": "Benchmark of the cube",
        "study": {"event": {"name": "event", "date": dt.date(2015, 4, 25)},
                  "pixels_per_cell": factor, "epochs": EPOCHS},
        "target": {"kind": "density_raster", "file": str(folder / "density.tif")},
        "terrain": {"elevation": str(dem)},
        "shaking": {"kind": "shakemap", "events": [str(event) for event in events]},
        "rain": {"kind": "points", "file": str(folder / "rain.parquet")},
    }  # fmt: skip
    path = folder / "benchmark.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, nargs=2, default=(196, 220))
    parser.add_argument("--pixels-per-cell", type=int, default=32)
    parser.add_argument("--keep", type=Path, help="folder for the study; kept and used again")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "benchmark.yaml"
        if not config.exists():
            config = write_study(folder, tuple(arguments.cells), arguments.pixels_per_cell)
        run = folder / "run"
        start = time.monotonic()
        command = [sys.executable, "-m", "hazard.cube", str(config), "--out", str(run), "--fresh"]
        subprocess.run([*command, "--quiet"], check=True)
        seconds = time.monotonic() - start
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        parts = json.loads((run / "provenance.json").read_text())["seconds_per_part"]
        disk = sum(f.stat().st_size for f in (run / "cube.zarr").rglob("*") if f.is_file())
        pixels = np.prod(arguments.cells) * arguments.pixels_per_cell**2
        print(f"{pixels / 1e6:.1f} million pixels: {seconds:.1f} s, peak {peak:.2f} GiB resident, "
              f"cube {disk / 2**30:.2f} GiB")  # fmt: skip
        print(f"per pixel: {seconds / pixels * 1e6:.2f} us, {peak * 2**30 / pixels:.1f} bytes peak")
        for name, value in parts.items():
            print(f"  {name}: {value:.1f} s")


if __name__ == "__main__":
    main()
