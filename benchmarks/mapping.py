"""Speed and peak memory of mapping a scene, against simpler ways of doing the same.

    python -m benchmarks.mapping                       # 2048 x 2048 x 4, three rounds
    python -m benchmarks.mapping --network unet        # with PyTorch, where it is installed
    python -m benchmarks.mapping --network unet --cores 1   # for a machine in use
    python -m benchmarks.mapping --big                 # 20,000 x 20,000 x 4, made on the fly

The network is the default one, with the halo that it needs; or the U-Net of 16 filters; or plain
convolutions (4 bands to 32, four layers of 3 x 3, one logit; five pixels to either side). Of these
two PyTorch is given the same, with the same weights:

``bare``   the passes alone: as many batches as the map needs, one batch over and over
``map``    `detection.mapping.map_scene`, from a tiled GeoTIFF to two finished COGs
``plain``  the usual script: the whole image in memory, the same tiles, sums and weights of the
           whole scene, one GeoTIFF of float32 at the end
``torch``  a sliding window with PyTorch: windows read as they are needed, the same tiles, batches
           and blending (each pixel from the tile in whose inside it lies), one row of tiles in
           memory, one GeoTIFF of float32

Every measurement is a process of its own, so that its peak memory is its own; rounds are
interleaved, and the best of each is printed, with the largest difference between the maps.
Starting, compiling and the first pass are not timed. PyTorch is no dependency: without it the
reason stands in its place, unless `--torch-python` names an interpreter that has it.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

BANDS, WIDTH, LAYERS = 4, 32, 4
BATCH = 2
UNET_FILTERS = 16
ROOT = Path(__file__).resolve().parents[1]
CONTESTANTS = ("bare", "map", "plain", "torch")
NETWORKS = ("default", "unet", "convolutions")


class Clock:
    """Wall time and processor time of this process since it was made."""

    def __init__(self):
        self.wall, self.processor = time.perf_counter(), time.process_time()

    def read(self):
        """Both, in seconds."""
        return {
            "wall": time.perf_counter() - self.wall,
            "processor": time.process_time() - self.processor,
        }


def weights():
    """Kernels (row, column, in, out) and biases."""
    import numpy as np

    rng = np.random.default_rng(0)
    widths = [BANDS, *[WIDTH] * LAYERS, 1]
    kernels = []
    for a, b in pairwise(widths):
        scale = np.sqrt(2 / (9 * a))
        kernels.append((scale * rng.standard_normal((3, 3, a, b))).astype(np.float32))
    return kernels


def jax_forward(network):
    """Raw batch -> probability, compiled, and the receptive field."""
    from hazard.training.platform import set_cpu_flags

    set_cpu_flags()
    import jax
    import jax.numpy as jnp
    import numpy as np
    from flax import nnx

    from detection.models.registry import build_model
    from detection.models.span import ReceptiveField
    from hazard.training.functional import functional, variables_of

    if network != "convolutions":
        chosen = {"filters": UNET_FILTERS} if network == "unet" else {}
        module = build_model(network, {"bands": BANDS, **chosen}, nnx.Rngs(0))
        variables, apply = variables_of(module), functional(module)

        @jax.jit
        def whole(arrays, image):
            return jax.nn.sigmoid(apply(arrays, {"image": image})[0]["logit"])

        return lambda b: np.asarray(whole(variables, b["image"])), module.receptive_field()
    kernels = [jnp.asarray(k) for k in weights()]

    @jax.jit
    def convolutions(image):
        x = image
        for number, kernel in enumerate(kernels):
            x = jax.lax.conv_general_dilated(
                x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
            x = jax.nn.relu(x) if number + 1 < len(kernels) else x
        return jax.nn.sigmoid(x[..., 0])

    reach = LAYERS + 1
    field = ReceptiveField(before_px=reach, after_px=reach, stride_px=1)
    return lambda batch: np.asarray(convolutions(batch["image"])), field


def source(path):
    from detection.mapping.entry import EntryScene
    from detection.scenes.catalogue import SceneEntry

    return EntryScene(
        SceneEntry(
            name="scene", region="none", epoch="none", image=(path,), scale=1e-4, unit="1",
            bands=("blue", "green", "red", "nir"),
        )
    )  # fmt: skip


def settings():
    from detection.mapping.scene_map import MapSettings

    return MapSettings(batch=BATCH)


def warm(forward, tile, tiles):
    """First passes: compilation and thread pools."""
    import numpy as np

    rng = np.random.default_rng(0)
    batch = {"image": rng.random((tiles, tile, tile, BANDS), dtype=np.float32)}
    for _ in range(2):
        forward(batch)
    return batch


def planned(path, network):
    """Forward function, receptive field, job, and a batch that has passed."""
    forward, field = jax_forward(network)
    from detection.mapping.scene_map import plan_map

    job = plan_map((forward,), source(path), settings=settings(), receptive_field=field)
    return forward, field, job, warm(forward, job.tiling.rows.size_px, job.batch)


def bare(path, network):
    """The passes alone."""
    forward, _, job, batch = planned(path, network)
    batches = sum(len(job.chunks(row)) for row in range(len(job.tiling.rows)))
    clock = Clock()
    for _ in range(batches):
        forward(batch)
    return clock.read()


def mapped(path, network, out):
    """What the package does."""
    forward, field, _, _ = planned(path, network)
    from detection.mapping.scene_map import map_scene

    clock = Clock()
    found = map_scene(
        forward, source(path), out, threshold=0.5, receptive_field=field, settings=settings()
    )
    return {**clock.read(), "file": str(found.probability)}


def whole_array(path, network, out):
    """The usual script."""
    forward, field = jax_forward(network)
    import numpy as np
    import rasterio

    from detection.mapping.tiles import plan_tiles

    with rasterio.open(path) as dataset:
        tiling = plan_tiles(dataset.shape, field)
    side = tiling.rows.size_px
    warm(forward, side, BATCH)
    clock = Clock()
    with rasterio.open(path) as dataset:
        image = np.moveaxis(dataset.read(), 0, -1).astype(np.float32) * np.float32(1e-4)
        profile = dataset.profile
    shape = image.shape[:2]
    # To a multiple of the stride.
    pads = [(0, axis.padded_px - axis.length_px) for axis in (tiling.rows, tiling.columns)]
    image = np.pad(image, (*pads, (0, 0)))
    total, weight = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    corners = [(y, x) for y in range(len(tiling.rows)) for x in range(len(tiling.columns))]
    for first in range(0, len(corners), BATCH):
        some = corners[first : first + BATCH]
        batch = np.zeros((BATCH, side, side, BANDS), np.float32)
        for k, (row, column) in enumerate(some):
            y, x = tiling.rows.starts[row], tiling.columns.starts[column]
            batch[k] = image[y : y + side, x : x + side]
        found = forward({"image": batch})
        for k, (row, column) in enumerate(some):
            y, x = tiling.rows.starts[row], tiling.columns.starts[column]
            (y0, y1), (x0, x1) = tiling.rows.parts[row], tiling.columns.parts[column]
            total[y0:y1, x0:x1] += found[k, y0 - y : y1 - y, x0 - x : x1 - x]
            weight[y0:y1, x0:x1] += 1
    profile.update(count=1, dtype="float32", compress="deflate", predictor=3)
    with rasterio.open(out / "plain.tif", "w", **profile) as dataset:
        dataset.write(total / weight, 1)
    return {**clock.read(), "file": str(out / "plain.tif")}


def big(out):
    """20,000 x 20,000 x 4 from no file, by a forward function that costs nothing."""
    from dataclasses import dataclass, field

    import numpy as np
    from affine import Affine

    from detection.mapping.scene_map import MapSettings, map_scene
    from detection.mapping.tiles import PIXELWISE
    from hazard.geo.grid import Grid

    @dataclass
    class Plane:
        name: str = "big"
        bands: tuple = ("b", "g", "r", "n")
        facts: dict = field(default_factory=dict)
        grid: Grid = field(
            default_factory=lambda: Grid(
                crs="EPSG:32645", transform=Affine(3, 0, 3e5, 0, -3, 3e6), shape=(20_000, 20_000)
            )
        )

        def identity(self):
            return "plane"

        def read(self, block):
            rows = np.arange(block.row0, block.row1, dtype=np.float32)[:, None, None]
            columns = np.arange(block.col0, block.col1, dtype=np.float32)[:, None]
            image = np.broadcast_to((rows + columns) / 40_000, (*block.shape, 4))
            return {"image": image, "valid": np.ones(block.shape, np.bool_)}

    chosen = MapSettings(tile_px=1024, halo_px=64, blend="cosine", memory_mb=1200)
    clock = Clock()
    found = map_scene(
        lambda b: b["image"][..., 0], Plane(), out, threshold=0.5, receptive_field=PIXELWISE,
        settings=chosen,
    )  # fmt: skip
    assert found.seen_px == 20_000**2
    return clock.read()


def make_scene(path, side):
    """Smooth ground with some noise, uint16, tiled: compresses about as images do."""
    import numpy as np
    from affine import Affine

    from hazard.geo.cog import write_cog_blocks
    from hazard.geo.grid import Grid

    grid = Grid(crs="EPSG:32645", transform=Affine(3, 0, 3e5, 0, -3, 3e6), shape=(side, side))
    rng = np.random.default_rng(0)

    def blocks():
        for block in grid.blocks(1024):
            rows = np.arange(block.row0, block.row1)[:, None]
            columns = np.arange(block.col0, block.col1)
            ground = 1500 + 600 * np.sin(rows / 37) * np.cos(columns / 53)
            noise = 40 * rng.standard_normal((BANDS, *block.shape), dtype=np.float32)
            yield block, (ground + noise).astype(np.uint16)

    names = [f"band {k + 1}" for k in range(BANDS)]
    write_cog_blocks(
        path, blocks(), grid, dtype=np.uint16, names=names, units=[""] * BANDS, nodata=None
    )


def work(name, path, network, out):
    """One measurement in this process, as a line of JSON."""
    from benchmarks.mapping_torch import sliding_window, store_unet

    stored = path.parent / "unet.npz"
    found = {
        "big": lambda: big(out),
        "weights": lambda: store_unet(stored),
        "bare": lambda: bare(path, network),
        "map": lambda: mapped(path, network, out),
        "plain": lambda: whole_array(path, network, out),
        "torch": lambda: sliding_window(path, network, stored, out),
    }[name]()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**found, "peak_mb": peak}))


def measure(name, path, options):
    """A measurement in a process of its own."""
    if name == "torch" and options.network == "default":
        return {"reason": "the default network is written in JAX alone; use --network unet"}
    python = options.torch_python if name == "torch" else sys.executable
    if name == "torch":
        code = "import torch"
        found = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
        if found.returncode:
            return {"reason": f"no PyTorch ({found.stderr.strip().splitlines()[-1]})"}
    command = [python, "-m", "benchmarks.mapping", "--worker", name, "--scene", str(path)]
    command += ["--out", tempfile.mkdtemp(dir=path.parent), "--network", options.network]
    command += ["--cores", str(options.cores)] if options.cores else []
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def largest_difference(one, other):
    """Between two maps of probabilities, each with the scale that its file states."""
    import numpy as np
    import rasterio

    worst = 0.0
    with rasterio.open(one) as a, rasterio.open(other) as b:
        for _, window in a.block_windows(1):
            x, y = (f.read(1, window=window) * f.scales[0] for f in (a, b))
            worst = max(worst, float(np.abs(x - y).max()))
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--contestants", nargs="+", default=list(CONTESTANTS), choices=CONTESTANTS)
    parser.add_argument("--network", default="default", choices=NETWORKS)
    parser.add_argument("--cores", type=int, help="cores each may use; all unless given")
    parser.add_argument("--torch-python", default=sys.executable, help="interpreter with torch")
    parser.add_argument("--big", action="store_true")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--scene", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        if options.cores:
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-options.cores :])
        work(options.worker, options.scene, options.network, options.out)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scene.tif"
        if options.big:
            found = measure("big", path, options)
            print(f"20,000 x 20,000 x 4: {found['wall']:.0f} s, peak {found['peak_mb']:.0f} MB")
            return
        make_scene(path, options.side)
        if options.network == "unet":
            measure("weights", path, options)
        results = {name: [] for name in options.contestants}
        for _ in range(options.rounds):
            for name, found in results.items():
                if not found or "reason" not in found[0]:
                    found.append(measure(name, path, options))
        files = {name: found[0].get("file") for name, found in results.items()}
        differences = {
            name: largest_difference(files["map"], file)
            for name, file in files.items()
            if file and files.get("map") and name != "map"
        }
    side = options.side
    print(
        f"{side} x {side} x {BANDS}, network {options.network}, best of {options.rounds}, "
        f"{options.cores or os.cpu_count()} cores, load at the end {os.getloadavg()[0]:.1f}"
    )
    print("| | wall s | processor s | Mpx/s | peak MB |\n|---|---:|---:|---:|---:|")
    best = {}
    for name, found in results.items():
        if "reason" in found[0]:
            print(f"| {name} | not run: {found[0]['reason']} | | | |")
            continue
        best[name] = {key: min(f[key] for f in found) for key in ("wall", "processor", "peak_mb")}
        b = best[name]
        speed = options.side**2 / b["wall"] / 1e6
        print(
            f"| {name} | {b['wall']:.2f} | {b['processor']:.2f} | {speed:.2f} "
            f"| {b['peak_mb']:.0f} |"
        )
    for name, value in differences.items():
        print(f"largest difference of probabilities, {name} and map: {value:.1e}")
    if {"bare", "map"} <= set(best):
        shares = {k: best["bare"][k] / best["map"][k] for k in ("wall", "processor")}
        print(
            f"map reaches {shares['wall']:.1%} of the bare passes by wall time, "
            f"{shares['processor']:.1%} by processor time"
        )


if __name__ == "__main__":
    main()
