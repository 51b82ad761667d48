"""Pixel counts of every training on every scene, per patch: all that transfer is computed from.

The table is written as it grows (one CSV per training) and read back on resume, so that scores can
be made again without any network.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from hazard.errors import DataError
from hazard.geo.beside import write_beside

COLUMNS = (
    "training", "region", "epoch", "patch", "block", "unseen",
    "true_positive", "false_positive", "false_negative", "true_negative",
)  # fmt: skip


@dataclass(frozen=True, eq=False, kw_only=True)
class SceneCounts:
    """Counts of one training on the patches of one region and epoch.

    Attributes:
        training: name of the training.
        region: where.
        epoch: when.
        block: (patch,) number of the block of ground that a patch lies in; equal numbers are
            equal ground in every epoch of the region.
        unseen: (patch,) True where no training of the study saw the ground in any epoch.
        counts: (patch, 4) pixels: true positive, false positive, false negative, true negative.

    Raises:
        ValueError: arrays of different length.
    """

    training: str
    region: str
    epoch: str
    block: Int[ndarray, " patch"]
    unseen: Bool[ndarray, " patch"]
    counts: Float[ndarray, "patch 4"]

    def __post_init__(self) -> None:
        n = len(self.block)
        if self.unseen.shape != (n,) or self.counts.shape != (n, 4):
            raise ValueError(
                f"{self.training} on {self.region} {self.epoch}: {n} blocks, unseen of shape "
                f"{self.unseen.shape}, counts of shape {self.counts.shape}"
            )


def patch_counts(
    alarm: Bool[ndarray, "patch y x"],
    truth: Bool[ndarray, "patch y x"],
    counted: Bool[ndarray, "patch y x"],
) -> Float[ndarray, "patch 4"]:
    """Pixels per patch: true positive, false positive, false negative, true negative.

    Args:
        alarm: mapped as landslide.
        truth: landslide.
        counted: pixels that were seen and mapped; the others count nowhere.

    Example:
        >>> one = np.ones((1, 1, 2), dtype=bool)
        >>> patch_counts(one, np.array([[[True, False]]]), one).tolist()
        [[1.0, 1.0, 0.0, 0.0]]
    """
    kinds = (alarm & truth, alarm & ~truth, ~alarm & truth, ~alarm & ~truth)
    return np.stack([(k & counted).sum(axis=(1, 2)) for k in kinds], axis=1).astype(np.float64)


def block_numbers(
    row: Float[ndarray, " patch"], column: Float[ndarray, " patch"], *, block_px: int
) -> Int[ndarray, " patch"]:
    """Number of the square block of ground that holds a point of each patch, from 0.

    Args:
        row: rows of the points [px].
        column: columns [px].
        block_px: side of a block [px].

    Raises:
        ValueError: a side below 1.

    Example:
        >>> block_numbers(np.array([0, 64, -1]), np.array([0, 64, 0]), block_px=128).tolist()
        [1, 1, 0]
    """
    if block_px < 1:
        raise ValueError(f"block_px {block_px}; use at least 1")
    corners = np.stack([np.floor_divide(row, block_px), np.floor_divide(column, block_px)], axis=1)
    numbers = np.unique(corners, axis=0, return_inverse=True)[1]
    return np.asarray(numbers.reshape(-1), dtype=np.int64)


def write_counts(path: Path, scenes: Iterable[SceneCounts]) -> None:
    """Write counts as CSV, beside and then under its name."""
    with write_beside(path) as part, part.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for scene in scenes:
            for patch, (block, unseen, four) in enumerate(
                zip(scene.block, scene.unseen, scene.counts, strict=True)
            ):
                writer.writerow(
                    [scene.training, scene.region, scene.epoch, patch, int(block), int(unseen)]
                    + [int(value) for value in four]
                )


def read_counts(path: Path) -> tuple[SceneCounts, ...]:
    """Read what `write_counts` wrote.

    Raises:
        DataError: no such file, other columns, or cells that are no numbers.
    """
    expected = f"a table with the columns {', '.join(COLUMNS)}"
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            reader = csv.reader(stream)
            header = tuple(next(reader, ()))
            if header != COLUMNS:
                raise DataError(path, found=f"the columns {', '.join(header)}", expected=expected)
            rows = list(reader)
        return tuple(_scenes(rows))
    except (OSError, ValueError) as error:
        raise DataError(path, found=f"no readable table ({error})", expected=expected) from None


def _scenes(rows: Sequence[Sequence[str]]) -> Iterator[SceneCounts]:
    keys = list(dict.fromkeys(tuple(row[:3]) for row in rows))
    for key in keys:
        own = [row for row in rows if tuple(row[:3]) == key]
        if any(len(row) != len(COLUMNS) for row in own):
            raise ValueError(f"a row of {' '.join(key)} has too few or too many cells")
        numbers = np.array([[int(cell) for cell in row[4:]] for row in own], dtype=np.int64)
        training, region, epoch = key
        yield SceneCounts(
            training=training, region=region, epoch=epoch, block=numbers[:, 0],
            unseen=numbers[:, 1] > 0, counts=numbers[:, 2:].astype(np.float64),
        )  # fmt: skip
