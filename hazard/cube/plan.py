"""What a build would read, make and write, and what it would cost: the dry run.

The constants are measured, not guessed: `benchmarks/cube.py` prints them for the machine it runs
on. They cover the work per pixel; what depends on the files themselves (a slow disk, polygons by
the hundred thousand) is not known before they are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hazard.config.schema import HazardConfig
from hazard.cube.grids import StudyGrids

GIB = 2.0**30
# Peak of the flow part on the padded lattice: elevation, routing and the held masks [byte/pixel].
FLOW_BYTES_PER_PIXEL = 28.0
# Python, libraries and compiled kernels [byte].
BASE_BYTES = 0.4 * GIB
# Stored size of a pixel layer after compression, against its 4 bytes per pixel.
COMPRESSED_SHARE = 0.85
# Terrain, flow, writing and the summary on two cores [s/pixel]; start-up and the rest [s].
SECONDS_PER_PIXEL = 1.0e-6
BASE_SECONDS = 6.0
# Building a world costs about as much again per pixel of its own terrain.
WORLD_SECONDS_PER_PIXEL = 2.0e-6
PIXEL_LAYERS = 8


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a build is expected to cost.

    Attributes:
        pixels: pixels stored per layer.
        peak_gib: peak resident memory [GiB].
        disk_gib: size of the cube [GiB].
        seconds: wall time on two cores [s].
    """

    pixels: int
    peak_gib: float
    disk_gib: float
    seconds: float


def estimate(grids: StudyGrids, *, extra_pixel_layers: int = 0) -> Estimate:
    """Memory, disk and time of a build on these lattices.

    Args:
        grids: lattices of the study.
        extra_pixel_layers: further layers on pixels.
    """
    rows, cols = grids.padded.shape
    pixels = int(np.prod(grids.pixels.shape))
    peak = BASE_BYTES + FLOW_BYTES_PER_PIXEL * rows * cols
    layers = PIXEL_LAYERS + extra_pixel_layers
    return Estimate(
        pixels=pixels,
        peak_gib=peak / GIB,
        disk_gib=COMPRESSED_SHARE * 4.0 * layers * pixels / GIB,
        seconds=BASE_SECONDS + SECONDS_PER_PIXEL * pixels * layers / PIXEL_LAYERS,
    )


@dataclass(frozen=True, kw_only=True)
class PlannedFile:
    """A file that would be read.

    Attributes:
        role: key of the configuration that names it.
        path: the file.
        megabytes: its size [MB]; None where it does not exist.
    """

    role: str
    path: Path
    megabytes: float | None


def planned_files(named: Sequence[tuple[str, Path]]) -> tuple[PlannedFile, ...]:
    """Sizes of the files that a configuration names."""
    return tuple(
        PlannedFile(role=role, path=path, megabytes=_megabytes(path)) for role, path in named
    )


def _megabytes(path: Path) -> float | None:
    if path.is_dir():
        return sum(part.stat().st_size for part in path.rglob("*") if part.is_file()) / 1e6
    return path.stat().st_size / 1e6 if path.exists() else None


def plan_lines(
    config: HazardConfig,
    files: Sequence[PlannedFile],
    grids: StudyGrids | None,
    *,
    out: Path,
    world_pixels: int | None,
) -> list[str]:
    """The dry run in words.

    Args:
        config: the configuration as given.
        files: files that it names.
        grids: lattices; None where they are known only after the world is built.
        out: run folder.
        world_pixels: pixels of the embedded world's terrain; None where files are used.
    """
    lines = [f"Study {config.name!r}: {config.title}", "Would read:"]
    if world_pixels is None:
        lines += [f"  {f.role}: {f.path} ({f.megabytes or 0:.1f} MB)" for f in files]
    else:
        lines.append(
            "  nothing: none of the named files exists, the embedded world would be built "
            f"({world_pixels:,} pixels of terrain), and everything stamped SYNTHETIC"
        )
    lines.append("Would build:")
    if grids is not None:
        rows, cols = grids.cells.shape
        prows, pcols = grids.pixels.shape
        width, height = grids.cells.cell_size
        lines += [
            f"  {rows} x {cols} cells of {width:g} x {height:g} m, "
            f"{prows} x {pcols} pixels, {grids.triggers.shape[0]} x {grids.triggers.shape[1]} "
            "trigger cells",
        ]
    if config.study is not None and world_pixels is None:
        lines.append(f"  {len(config.study.epochs)} epochs")
    lines.append("  folds: " + ", ".join(fold.design for fold in config.cube.folds))
    lines += [
        "Would write:",
        *(f"  {out / name}" for name in ("cube.zarr", "figures/cube.png", "summary.json")),
        *(
            f"  {out / name}"
            for name in ("run.json", "provenance.json", "config.yaml", "log.jsonl")
        ),
    ]
    if world_pixels is not None:
        lines.append(f"  {out / 'world'}")
    if grids is not None:
        extra = sum(layer.support == "pixel" for layer in config.layers)
        cost = estimate(grids, extra_pixel_layers=extra)
        seconds = cost.seconds + WORLD_SECONDS_PER_PIXEL * (world_pixels or 0)
        lines.append(
            f"Estimated: memory {cost.peak_gib:.1f} GiB at the peak (allowed "
            f"{config.cube.memory_gib:g}), disk at most {cost.disk_gib:.2f} GiB, about "
            f"{seconds:.0f} s on two cores"
        )
    return lines
