"""Probabilities as scaled integers, strips that survive a kill, and the two files of a map.

A probability is stored as whole steps of 0.0001 (uint16), and 65535 stands for "not seen": nodata
is never a probability. The mask is decided on these steps, so anyone who applies the threshold to
the file gets the same mask: 1 landslide, 0 none, 255 not seen.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, UInt8, UInt16
from numpy import ndarray

from detection.mapping.strips import Strip
from detection.mapping.tiles import Tiling
from hazard.geo.cog import BLOCK_SIZE, write_cog_blocks
from hazard.geo.grid import Block, Grid

PROBABILITY_STEP = 1e-4
STEPS = 10_000
NOT_SEEN = 65_535
MASK_NOT_SEEN = 255


def to_steps(
    probability: Float[ndarray, "*shape"], valid: Bool[ndarray, "*shape"]
) -> UInt16[ndarray, "*shape"]:
    """Probabilities as whole steps, `NOT_SEEN` where not valid.

    Example:
        >>> to_steps(np.array([0.0, 0.5, 1.0, 0.3]), np.array([True, True, True, False])).tolist()
        [0, 5000, 10000, 65535]
    """
    steps = np.clip(np.rint(probability * STEPS), 0, STEPS)
    return np.where(valid, steps, NOT_SEEN).astype(np.uint16)


def to_mask(steps: UInt16[ndarray, "*shape"], threshold: float) -> UInt8[ndarray, "*shape"]:
    """1 where the stored probability reaches the threshold.

    Raises:
        ValueError: a threshold outside (0, 1].

    Example:
        >>> to_mask(np.array([4999, 5000, 65535], np.uint16), 0.5).tolist()
        [0, 1, 255]
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold {threshold}; use one above 0 and at most 1")
    # 0.07 * 10,000 is a little more than 700.
    least = int(np.ceil(threshold * STEPS - 1e-6))
    mask = (steps >= least).astype(np.uint8)
    return np.where(steps == NOT_SEEN, np.uint8(MASK_NOT_SEEN), mask)


class StripFolder:
    """Finished strips of one job, each a file that is there whole or not at all.

    Args:
        path: folder, made where absent.
        tiling: where tiles lie.
        identity: all that decides the strips; None where nobody can say, then nothing is kept
            from an earlier run.
        resume: keep the strips of an earlier run of the same identity.
    """

    def __init__(
        self, path: Path, tiling: Tiling, identity: Mapping[str, Any] | None, *, resume: bool
    ) -> None:
        self.path, self.tiling = path, tiling
        record = None if identity is None else json.dumps(identity, sort_keys=True, default=str)
        said = path / "job.json"
        if not (resume and record is not None and said.is_file() and said.read_text() == record):
            for old in path.glob("strip_*.npy"):
                old.unlink()
            said.unlink(missing_ok=True)
        path.mkdir(parents=True, exist_ok=True)
        if record is not None:
            _replace(said, record.encode())
        self.finished = self._count()

    def _file(self, number: int) -> Path:
        return self.path / f"strip_{number:06d}.npy"

    def _count(self) -> int:
        """Strips from the first on that are there."""
        for number in range(len(self.tiling.rows)):
            if not self._file(number).is_file():
                return number
        return len(self.tiling.rows)

    def add(self, strip: Strip) -> None:
        """Store a strip."""
        part = self._file(strip.number).with_suffix(".part")
        with part.open("wb") as stream:
            np.save(stream, to_steps(strip.probability, strip.valid))
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(self._file(strip.number))
        self.finished = strip.number + 1

    def bands(
        self, height: int = BLOCK_SIZE
    ) -> Iterator[tuple[Block, UInt16[ndarray, "y x"], Bool[ndarray, "y x"]]]:
        """The whole map, some rows at a time: steps, and where they are probabilities."""
        rows, width = self.tiling.rows.length_px, self.tiling.columns.length_px
        edges = [self.tiling.strip(k) for k in range(len(self.tiling.rows))]
        for top in range(0, rows, height):
            bottom = min(top + height, rows)
            found = [
                np.load(self._file(k), mmap_mode="r")[max(top - a, 0) : bottom - a]
                for k, (a, b) in enumerate(edges)
                if a < bottom and b > top
            ]
            steps = np.concatenate(found)
            whole = Block(row0=top, row1=bottom, col0=0, col1=width)
            yield whole, steps, steps != NOT_SEEN

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.path)


def _replace(path: Path, content: bytes) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(content)
    part.replace(path)


def write_map(
    folder: StripFolder,
    grid: Grid,
    probability: Path,
    mask: Path,
    *,
    threshold: float,
    tags: Mapping[str, object],
) -> tuple[int, int]:
    """Write both files side by side, each beside its name and then renamed.

    Returns:
        Pixels with a probability, and pixels of the mask.
    """
    stopped = threading.Event()

    def probabilities() -> Iterator[tuple[Block, UInt16[ndarray, "y x"], Bool[ndarray, "y x"]]]:
        for band in folder.bands():
            if stopped.is_set():
                raise InterruptedError("the other file of the map could not be written")
            yield band

    # Most of the time goes into resampling and compression, each on one core.
    with ThreadPoolExecutor(1, thread_name_prefix="write") as pool:
        writing = pool.submit(
            write_cog_blocks,
            probability,
            probabilities(),
            grid,
            dtype=np.uint16,
            names=["landslide_probability"],
            units=["1"],
            descriptions=["probability that the pixel is landslide"],
            nodata=NOT_SEEN,
            scales=[(PROBABILITY_STEP, 0.0)],
            tags=tags,
            overviews="average",
        )
        try:
            counts = _write_mask(folder, grid, mask, threshold, tags)
        except BaseException:
            stopped.set()
            raise
        writing.result()
    return counts


def _write_mask(
    folder: StripFolder, grid: Grid, path: Path, threshold: float, tags: Mapping[str, object]
) -> tuple[int, int]:
    """Write the mask and count its pixels: those seen, and landslide."""
    seen = count = 0

    def masks() -> Iterator[tuple[Block, UInt8[ndarray, "y x"], Bool[ndarray, "y x"]]]:
        nonlocal seen, count
        for block, steps, valid in folder.bands():
            found = to_mask(steps, threshold)
            seen += int(np.count_nonzero(valid))
            count += int(np.count_nonzero(found == 1))
            yield block, found, valid

    write_cog_blocks(
        path,
        masks(),
        grid,
        dtype=np.uint8,
        names=["landslide"],
        units=["1"],
        descriptions=["1 landslide, 0 none, 255 not seen"],
        nodata=MASK_NOT_SEEN,
        tags={**tags, "threshold": threshold},
        overviews="mode",
    )
    return seen, count
