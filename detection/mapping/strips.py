"""From tiles to strips of finished rows: the arithmetic that every way of running shares.

A job is cut into rows of tiles, a row into chunks of neighbouring tiles that pass the network as
one batch. What a chunk adds to the map depends on the job alone, and contributions are added in
the order of the tiles, so threads, machines and resumed runs give the same bits.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from detection.mapping.forward import Forward, checked
from detection.mapping.source import SceneSource, Window, read_padded
from detection.mapping.tiles import Tiling
from hazard.geo.grid import Block

Item = TypeVar("Item")

# GDAL's bindings set the filter of warnings, which is one for all threads, while they warp.
_READING = threading.Lock()
# A pass uses all cores as it is; a second one beside it would double the memory of the network.
_PASSING = threading.Lock()


class Waiting(Protocol):
    """A result under way: a future of threads or of dask."""

    def result(self) -> Any:
        """Wait for it."""

    def cancel(self) -> Any:
        """Do not start it."""


class Chunk(NamedTuple):
    """Neighbouring tiles of one row: row of tiles, first and last + 1 column of tiles."""

    row: int
    first: int
    last: int


class Part(NamedTuple):
    """Contribution to the map.

    Attributes:
        row0: first row of pixels.
        column0: first column.
        values: weighted probabilities (y, x), 0 where not seen.
        valid: pixels that were seen.
    """

    row0: int
    column0: int
    values: Float[ndarray, "y x"]
    valid: Bool[ndarray, "y x"]


class Strip(NamedTuple):
    """Finished rows.

    Attributes:
        number: row of tiles that finished it.
        row0: first row of pixels.
        probability: (y, x) float32, 0 where not seen.
        valid: pixels with a probability.
    """

    number: int
    row0: int
    probability: Float[ndarray, "y x"]
    valid: Bool[ndarray, "y x"]


@dataclass(frozen=True, eq=False, kw_only=True)
class MapJob:
    """All that decides a map.

    Attributes:
        source: the scene.
        forward: raw batch -> probability.
        tiling: where tiles lie.
        batch: tiles that pass the network at once; the last batch of a row is padded to it.
        stretch: chunks that are read together; a file is decoded in blocks, and a block that two
            windows share is decoded twice.
        need_pre: a pixel not seen on the earlier date has no probability.
    """

    source: SceneSource
    forward: Forward
    tiling: Tiling
    batch: int
    stretch: int = 1
    need_pre: bool = True

    def chunks(self, row: int) -> list[Chunk]:
        """The chunks of a row of tiles."""
        n = len(self.tiling.columns)
        return [Chunk(row, k, min(k + self.batch, n)) for k in range(0, n, self.batch)]

    def place(self, row: int, first: int, last: int) -> Block:
        """Pixels under neighbouring tiles of a row; they may reach over the edge of the scene."""
        rows, columns = self.tiling.rows, self.tiling.columns
        return Block(
            row0=rows.starts[row], row1=rows.starts[row] + rows.size_px,
            col0=columns.starts[first], col1=columns.starts[last - 1] + columns.size_px,
        )  # fmt: skip

    def compute(self, chunk: Chunk, window: Window) -> Part:
        """Predict, weight and add the tiles of a chunk, given the arrays under it."""
        rows, columns = self.tiling.rows, self.tiling.columns
        top, width = rows.starts[chunk.row], columns.size_px
        left = columns.starts[chunk.first]
        seen = window["valid"]
        if self.need_pre and "pre_valid" in window:
            seen = seen & window["pre_valid"]
        offsets = [columns.starts[k] - left for k in range(chunk.first, chunk.last)]
        # A tile without a pixel to map costs no pass of the network.
        busy = [k for k, at in enumerate(offsets) if seen[:, at : at + width].any()]
        found = self._predict(window, seen, [offsets[k] for k in busy], width)
        from_px, to_px = rows.parts[chunk.row]
        share_y = rows.shares[chunk.row][:, np.newaxis]
        own = slice(from_px - top, to_px - top)
        start = columns.parts[chunk.first][0]
        end = max(columns.parts[k][1] for k in range(chunk.first, chunk.last))
        values = np.zeros((to_px - from_px, end - start), np.float32)
        for k, tile in zip(busy, found, strict=True):
            column = chunk.first + k
            x0, x1 = columns.parts[column]
            at = columns.starts[column]
            values[:, x0 - start : x1 - start] += (
                tile[own, x0 - at : x1 - at] * share_y * columns.shares[column]
            )
        return Part(from_px, start, values, seen[own, start - left : end - left])

    def _predict(
        self, window: Window, seen: Bool[ndarray, "y x"], offsets: list[int], width: int
    ) -> Float[ndarray, "patch y x"]:
        """Probabilities of the tiles at these columns of the window."""
        if not offsets:
            return np.empty((0, *seen.shape), np.float32)
        # Zeros fill the batch: one shape, one compilation.
        batch = {key: _cut(value, offsets, width, self.batch) for key, value in window.items()}
        wanted = _cut(seen, offsets, width, self.batch)
        with _PASSING:
            found = self.forward(batch)
        return checked(found, wanted, self.source.name)[: len(offsets)]


class StretchReader:
    """Windows of chunks, read by stretches.

    The last two stretches are kept, and of every stretch the rows that the next row of tiles will
    need again.

    Args:
        job: whose chunks, in the order of `MapJob.chunks`, row after row.
    """

    def __init__(self, job: MapJob) -> None:
        self._job = job
        self._kept: dict[tuple[int, int], tuple[int, Window]] = {}
        self._lower: dict[int, tuple[int, Window]] = {}

    def read(self, chunk: Chunk) -> Window:
        """Arrays under a chunk, by key."""
        job = self._job
        tiles = job.stretch * job.batch
        key = (chunk.row, chunk.first // tiles)
        with _READING:
            if key not in self._kept:
                while len(self._kept) > 1:
                    self._kept.pop(next(iter(self._kept)))
                last = min((key[1] + 1) * tiles, len(job.tiling.columns))
                whole = job.place(chunk.row, key[1] * tiles, last)
                self._kept[key] = (whole.col0, self._stretch(key, whole))
            begin, window = self._kept[key]
        block = job.place(*chunk)
        return {k: v[:, block.col0 - begin : block.col1 - begin] for k, v in window.items()}

    def _stretch(self, key: tuple[int, int], whole: Block) -> Window:
        """Read the rows that the stretch above did not hold."""
        row, stretch = key
        height, above = self._job.source.grid.shape[0], self._lower.pop(stretch, None)
        if above is not None and above[0] == row:
            upper = above[1]
            there = len(next(iter(upper.values())))
            rest = replace(whole, row0=whole.row0 + there)
            new = read_padded(self._job.source, rest)
            window = {k: np.concatenate([upper[k], new[k]]) for k in new}
        else:
            window = read_padded(self._job.source, whole)
        starts = self._job.tiling.rows.starts
        if row + 1 < len(starts):
            # Rows beyond the edge are made, not read: they must not be all that is left to read.
            shared = min(whole.row1, height - 1) - starts[row + 1]
            from_row = starts[row + 1] - whole.row0
            if shared > 0:
                lower = {k: v[from_row : from_row + shared].copy() for k, v in window.items()}
                self._lower[stretch] = (row + 1, lower)
        return window


def _cut(value: ndarray, offsets: list[int], width: int, batch: int) -> ndarray:
    cut = np.zeros((batch, value.shape[0], width, *value.shape[2:]), value.dtype)
    for k, at in enumerate(offsets):
        cut[k] = value[:, at : at + width]
    return cut


def in_order(
    submit: Callable[[Item], Waiting], items: Iterable[Item], ahead: int
) -> Iterator[tuple[Item, Any]]:
    """Items with their results, in order, with at most `ahead` of them under way."""
    waiting: deque[tuple[Item, Waiting]] = deque()
    try:
        for item in items:
            waiting.append((item, submit(item)))
            if len(waiting) >= ahead:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    finally:
        for _, future in waiting:
            future.cancel()


def compute_rows(
    job: MapJob,
    rows: Iterable[int],
    *,
    threads: int = 2,
    progress: Callable[[int], None] | None = None,
) -> Iterator[tuple[int, Part]]:
    """Rows of tiles, one after the other, their chunks by threads.

    While the network computes, one more thread reads ahead, in the order of the chunks.
    """
    columns = job.tiling.columns
    reader = StretchReader(job)
    with (
        ThreadPoolExecutor(1, thread_name_prefix="read") as reading,
        ThreadPoolExecutor(threads, thread_name_prefix="map") as pool,
    ):

        def submit(chunk: Chunk) -> Future[Part]:
            window = reading.submit(reader.read, chunk)
            return pool.submit(lambda: job.compute(chunk, window.result()))

        chunks = (chunk for row in rows for chunk in job.chunks(row))
        values: ndarray = np.empty((0, 0), np.float32)
        valid: ndarray = np.empty((0, 0), np.bool_)
        for chunk, part in in_order(submit, chunks, threads + 1):
            if chunk.first == 0:
                shape = (len(part.values), columns.length_px)
                values, valid = np.zeros(shape, np.float32), np.zeros(shape, np.bool_)
            across = slice(part.column0, part.column0 + part.values.shape[1])
            values[:, across] += part.values
            valid[:, across] |= part.valid
            if progress is not None:
                progress(chunk.last - chunk.first)
            if chunk.last == len(columns):
                yield chunk.row, Part(part.row0, 0, values, valid)


def finish_strips(
    tiling: Tiling, rows: Iterable[tuple[int, Part]], first: int = 0
) -> Iterator[Strip]:
    """Add rows of tiles in their order and hand out rows of pixels as soon as they are complete.

    Args:
        tiling: where tiles lie.
        rows: rows of tiles from `tiling.first_needed(first)` on.
        first: number of the first strip that is wanted; earlier rows are added but not handed out.
    """
    width = tiling.columns.length_px
    base = 0
    values, valid = np.zeros((0, width), np.float32), np.zeros((0, width), np.bool_)
    for row, part in rows:
        if not len(values):
            base = part.row0
        missing = part.row0 + len(part.values) - base - len(values)
        if missing > 0:
            values = np.concatenate([values, np.zeros((missing, width), np.float32)])
            valid = np.concatenate([valid, np.zeros((missing, width), np.bool_)])
        inside = slice(part.row0 - base, part.row0 - base + len(part.values))
        values[inside] += part.values
        valid[inside] |= part.valid
        end = tiling.strip(row)[1] - base
        if row >= first:
            begin = tiling.strip(row)[0] - base
            yield Strip(row, base + begin, values[begin:end], valid[begin:end])
        values, valid, base = values[end:], valid[end:], base + end
