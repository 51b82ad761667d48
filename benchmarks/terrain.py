"""Time the terrain code beside published tools, on the same elevations and in the same minute.

    python benchmarks/terrain.py [--size 2000] [--repeats 7] [--dem FILE] [--large]

Tools are timed in turn, one run each per round, so that a change of the machine's load hits all
of them; the table gives the best and the median of the warm rounds and the first run, which
includes compilation or loading of compiled code. `cpu` is the least processor time over all
threads: on a machine with other work it says what the wall clock cannot. pyflwdir comes with the
`dev` extra. xdem and pysheds are timed where they can be imported: xdem (through geoutils) needs
pandas < 3, and so cannot share this project's environment; pysheds 0.5 calls a function that
NumPy 2.4 removed, which is put back for it. Nothing is downloaded.

Targets, warm, 2000 x 2000 pixels on two cores: slope + aspect + curvatures <= 0.1 s; fill +
D-infinity + wetness index <= 1.5 s. The exit code is 1 if the best round misses one.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hazard.geo.fill import fill_depressions
from hazard.geo.flow import route_flow
from hazard.geo.kernels import thread_count
from hazard.geo.streams import stream_distance_m, twi
from hazard.geo.terrain import derivatives

SIDE_M = 30.0
TARGETS_S = {"ours: slope, aspect, curvatures": 0.1, "ours: fill + D-infinity + TWI": 1.5}
Runs = dict[str, Callable[[], Any]]


def mountains(rows: int, cols: int, seed: int = 1) -> np.ndarray:
    """(y, x) float32 elevations with a power-law spectrum, sd 1000 m [m]."""
    rng = np.random.default_rng(seed)
    frequency = np.fft.rfftfreq(cols)[None] ** 2 + np.fft.fftfreq(rows)[:, None] ** 2
    frequency[0, 0] = 1.0
    noise = np.fft.rfft2(rng.standard_normal((rows, cols), dtype=np.float32))
    noise *= (frequency**-0.95).astype(np.float32)
    surface = np.fft.irfft2(noise, (rows, cols))
    surface *= 1000.0 / surface.std()
    return (surface + 3000.0).astype(np.float32)


def our_runs(z: np.ndarray, valid: np.ndarray) -> Runs:
    cell = (SIDE_M, SIDE_M)
    flow = route_flow(z, valid, cell)
    slope = derivatives(z, valid, cell).slope_deg

    def wetness() -> np.ndarray:
        return twi(route_flow(z, valid, cell).specific_area_m, slope)

    return {
        "ours: slope, aspect, curvatures": lambda: derivatives(z, valid, cell),
        "ours: fill": lambda: fill_depressions(z, valid),
        "ours: fill + D-infinity + TWI": wetness,
        "ours: D8 area on known directions": flow.d8_area_m2,
        "ours: stream distance": lambda: stream_distance_m(
            flow.area_m2, valid, cell, threshold_m2=1e6
        ),
    }


def pyflwdir_runs(z: np.ndarray) -> Runs:
    import pyflwdir

    _, d8 = pyflwdir.dem.fill_depressions(z)
    network = pyflwdir.from_array(d8, ftype="d8")
    return {
        "pyflwdir: fill + D8": lambda: pyflwdir.dem.fill_depressions(z),
        "pyflwdir: D8 area on known directions": lambda: pyflwdir.from_array(
            d8, ftype="d8"
        ).upstream_area(unit="cell"),
        "pyflwdir: D8 area, network ready": lambda: network.upstream_area(unit="cell"),
    }


def scipy_runs(z: np.ndarray, valid: np.ndarray) -> Runs:
    from scipy.ndimage import distance_transform_edt

    land = ~(route_flow(z, valid, (SIDE_M, SIDE_M)).area_m2 >= 1e6)
    return {"scipy: stream distance": lambda: distance_transform_edt(land, sampling=SIDE_M)}


def xdem_runs(z: np.ndarray) -> Runs:
    import rasterio
    import xdem

    attributes = ["slope", "aspect", "profile_curvature", "tangential_curvature"]
    dem = xdem.DEM.from_array(
        z, transform=rasterio.Affine(SIDE_M, 0, 5e5, 0, -SIDE_M, 4e6), crs=32645, nodata=-9999
    )
    return {
        f"xdem ({engine}): slope, aspect, curvatures": lambda engine=engine: (
            xdem.terrain.get_terrain_attribute(
                dem, attributes, surface_fit="ZevenbergThorne", curv_method="directional",
                engine=engine,
            )
        )
        for engine in ("scipy", "numba")
    }  # fmt: skip


def pysheds_runs(z: np.ndarray) -> Runs:
    if not hasattr(np, "in1d"):
        setattr(np, "in1d", np.isin)  # noqa: B010
    from affine import Affine
    from pysheds.grid import Grid
    from pysheds.view import Raster, ViewFinder

    view = ViewFinder(
        affine=Affine(SIDE_M, 0, 0, 0, -SIDE_M, 0), shape=z.shape, nodata=np.float64(-9999)
    )
    dem = Raster(z.astype(np.float64), view)
    grid = Grid.from_raster(dem)

    def whole() -> np.ndarray:
        flooded = grid.resolve_flats(grid.fill_depressions(dem))
        return grid.accumulation(grid.flowdir(flooded, routing="dinf"), routing="dinf")

    return {"pysheds: fill, flats, D-infinity area": whole}


def versions() -> str:
    names = ("numpy", "numba", "scipy", "pyflwdir", "pysheds", "xdem")
    found = []
    for name in names:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{name} absent")
    return ", ".join(found)


def measure(runs: Runs, repeats: int) -> dict[str, tuple[float, float, float, float]]:
    """First, best and median time of each run, and its least processor time [s]."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    cpu: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats + 1):
        for name, run in runs.items():
            start, start_cpu = time.perf_counter(), time.process_time()
            run()
            times[name].append(time.perf_counter() - start)
            cpu[name].append(time.process_time() - start_cpu)
    return {
        name: (t[0], min(t[1:]), float(np.median(t[1:])), min(cpu[name][1:]))
        for name, t in times.items()
    }


def read_dem(path: Path) -> tuple[np.ndarray, np.ndarray]:
    from hazard.geo.raster import read_native

    raster = read_native(path)
    return raster.values, raster.valid


def large() -> None:
    """The full study extent once: time and peak memory of the routing."""
    import resource

    z = mountains(6272, 7040)
    valid = np.ones(z.shape, bool)
    start = time.perf_counter()
    flow = route_flow(z, valid, (SIDE_M, SIDE_M))
    routed = time.perf_counter()
    local = derivatives(z, valid, (SIDE_M, SIDE_M))
    derived = time.perf_counter()
    twi(flow.specific_area_m, local.slope_deg)
    stream_distance_m(flow.area_m2, valid, (SIDE_M, SIDE_M), threshold_m2=1e6)
    end = time.perf_counter()
    print(
        f"\n6272 x 7040: routing {routed - start:.1f} s, derivatives {derived - routed:.2f} s, "
        f"wetness and stream distance {end - derived:.2f} s; process peak "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2:.2f} GiB "
        "(making the elevations included)"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=2000, help="rows and columns (default 2000)")
    parser.add_argument("--repeats", type=int, default=7, help="warm rounds (default 7)")
    parser.add_argument("--dem", type=Path, help="a real elevation raster, square pixels assumed")
    parser.add_argument("--large", action="store_true", help="also the full extent, 6272 x 7040")
    options = parser.parse_args()
    if options.dem is None:
        z = mountains(options.size, options.size)
        valid = np.ones(z.shape, bool)
    else:
        z, valid = read_dem(options.dem)
    print(f"{z.shape[0]} x {z.shape[1]} pixels, {thread_count()} cores; {versions()}")
    print(f"load (1, 5, 15 min) before: {os.getloadavg()}")

    runs = our_runs(z, valid) | scipy_runs(z, valid)
    for name, make in (("pyflwdir", pyflwdir_runs), ("xdem", xdem_runs), ("pysheds", pysheds_runs)):
        if importlib.util.find_spec(name) is None:
            print(f"{name}: not importable here, left out")
        elif not valid.all():
            print(f"{name}: left out, the raster has voids")
        else:
            runs |= make(z)
    results = measure(runs, options.repeats)

    print(f"\n{'':48s} {'first':>8s} {'best':>8s} {'median':>8s} {'cpu':>8s}  target [s]")
    missed = False
    for name, (first, best, median, cpu) in results.items():
        target = TARGETS_S.get(name) if z.size <= 4_000_000 else None
        verdict = "" if target is None else f"<= {target}  {'met' if best <= target else 'MISSED'}"
        missed |= target is not None and best > target
        print(f"{name:48s} {first:8.3f} {best:8.3f} {median:8.3f} {cpu:8.3f}  {verdict}")
    if options.large:
        large()
    print(f"load after: {os.getloadavg()}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
