"""Landslides of a map of any size: labelled strip by strip, outlined as if the map were one piece.

Pixels of a strip are labelled; labels that touch across the seam to the strip above are joined
(union-find), by edges or, with connectivity 8, also by corners. Counts and probabilities are added
as whole numbers and outlines are joined in whole coordinates, so the cut into strips leaves no
trace in the result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from affine import Affine
from jaxtyping import Bool, Int
from numpy import ndarray
from rasterio.features import shapes
from scipy import ndimage
from shapely.geometry import Polygon, shape

from detection.polygons.outlines import Outline, whole_outline
from detection.polygons.pixels import PixelSource, Rows

Connectivity = Literal[4, 8]
STRIP_ROWS = 1024
NO_STEPS = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False, kw_only=True)
class Region:
    """A landslide in pixels.

    Attributes:
        row: of its first pixel, row by row.
        column: of that pixel.
        pixels: how many.
        steps_sum: sum of the probabilities in steps, or None.
        steps_min: smallest of them, or None.
        cut_off: it reaches the edge of the scene or a pixel that was not seen.
        outline: in columns and rows.
    """

    row: int
    column: int
    pixels: int
    steps_sum: int | None
    steps_min: int | None
    cut_off: bool
    outline: Outline


class _Found:
    """Labels of all strips so far: their numbers, their sums, and which are one landslide."""

    def __init__(self) -> None:
        self.parent: list[int] = []
        self.sums: list[ndarray] = []
        self.pieces: dict[int, list[Polygon]] = {}

    def root(self, label: int) -> int:
        """The smallest label of the landslide."""
        while self.parent[label] != label:
            self.parent[label] = self.parent[self.parent[label]]
            label = self.parent[label]
        return label

    def join(self, one: int, other: int) -> None:
        """Two labels are one landslide."""
        a, b = self.root(one), self.root(other)
        self.parent[max(a, b)] = min(a, b)


def trace(
    source: PixelSource,
    *,
    connectivity: Connectivity = 4,
    strip_rows: int = STRIP_ROWS,
    minimum_px: int = 1,
    progress: Callable[[int], None] | None = None,
) -> tuple[Region, ...]:
    """All landslides of a map, in the order of their first pixels.

    Args:
        source: the map.
        connectivity: 4, pixels that share an edge are one landslide; 8, or a corner. A landslide
            held together by corners is a multipolygon.
        strip_rows: rows that are looked at together; bounds the memory, changes nothing.
        minimum_px: smaller ones are left out.
        progress: called with the number of rows done.

    Raises:
        ValueError: another connectivity, or a strip or minimum below 1.

    Example:
        >>> from detection.polygons.pixels import ArrayPixels
        >>> from hazard.geo.grid import Grid
        >>> grid = Grid(crs="EPSG:32645", transform=Affine(3, 0, 0, 0, -3, 6), shape=(2, 2))
        >>> diagonal = ArrayPixels(grid=grid, mask=np.eye(2, dtype=bool))
        >>> len(trace(diagonal)), len(trace(diagonal, connectivity=8))
        (2, 1)
    """
    if connectivity not in (4, 8) or strip_rows < 1 or minimum_px < 1:
        raise ValueError(
            f"connectivity {connectivity}, strip_rows {strip_rows}, minimum_px {minimum_px}; use 4 "
            "or 8, and at least 1"
        )
    height, width = source.grid.shape
    found = _Found()
    above: ndarray = np.zeros(width, np.int64)
    with_steps = True
    for row0 in range(0, height, strip_rows):
        row1 = min(row0 + strip_rows, height)
        # A row more on each side tells whether the first and last row border on the unseen.
        around = source.rows(max(row0 - 1, 0), min(row1 + 1, height))
        own = slice(row0 - max(row0 - 1, 0), row0 - max(row0 - 1, 0) + row1 - row0)
        labels, count = ndimage.label(
            around.mask[own], structure=np.ones((3, 3)) if connectivity == 8 else None
        )
        offset = len(found.parent)
        found.parent.extend(range(offset, offset + count))
        with_steps = around.steps is not None
        sums = _sums(
            labels, count, around, own, row0 * width, _unseen_near(around.valid, row0, row1, height)
        )
        found.sums.append(sums)
        numbers = np.where(labels > 0, labels.astype(np.int64) + offset, 0)
        _join_seam(found, above, numbers[0], connectivity)
        above = numbers[-1]
        _outline_pieces(found, labels, sums, offset, row0, minimum_px)
        if progress is not None:
            progress(row1 - row0)
    return _regions(found, width, with_steps, minimum_px)


def _unseen_near(
    valid: Bool[ndarray, "y x"], row0: int, row1: int, height: int
) -> Bool[ndarray, "y x"]:
    """Pixels of the strip with an unseen one, or the edge of the scene, across one of its edges."""
    unseen = np.pad(
        ~valid,
        ((int(row0 == 0), int(row1 == height)), (1, 1)),
        constant_values=True,
    )
    return unseen[:-2, 1:-1] | unseen[2:, 1:-1] | unseen[1:-1, :-2] | unseen[1:-1, 2:]


def _sums(
    labels: Int[ndarray, "y x"],
    count: int,
    around: Rows,
    own: slice,
    before: int,
    near: Bool[ndarray, "y x"],
) -> Int[ndarray, "label 5"]:
    """Of every label: pixels, sum and minimum of steps, number of the first pixel, cut off."""
    inside = labels.ravel() > 0
    label = labels.ravel()[inside] - 1
    number = np.flatnonzero(inside) + before
    sums = np.zeros((count, 5), np.int64)
    sums[:, 0] = np.bincount(label, minlength=count)
    sums[:, 2] = sums[:, 3] = NO_STEPS
    np.minimum.at(sums[:, 3], label, number)
    sums[:, 4] = np.bincount(label[near.ravel()[inside]], minlength=count) > 0
    if around.steps is not None:
        steps = around.steps[own].ravel()[inside].astype(np.int64)
        np.add.at(sums[:, 1], label, steps)
        np.minimum.at(sums[:, 2], label, steps)
    return sums


def _join_seam(found: _Found, above: ndarray, below: ndarray, connectivity: Connectivity) -> None:
    """Join labels (counted from 1, 0 for none) of the rows on both sides of a seam."""
    pairs = [(above, below)]
    if connectivity == 8:
        pairs += [(above[1:], below[:-1]), (above[:-1], below[1:])]
    for one, other in pairs:
        both = (one > 0) & (other > 0)
        for a, b in np.unique(np.stack([one[both], other[both]], axis=1), axis=0).tolist():
            found.join(a - 1, b - 1)


def _outline_pieces(
    found: _Found,
    labels: ndarray,
    sums: Int[ndarray, "label 5"],
    offset: int,
    row0: int,
    minimum_px: int,
) -> None:
    """Outline the labels of a strip; those that cannot grow and are too small are left out."""
    wanted = np.concatenate([[False], sums[:, 0] >= minimum_px])
    for edge in (labels[0], labels[-1]):
        wanted[edge] = True
    wanted[0] = False
    mask = wanted[labels]
    if not mask.any():
        return
    drawn: Any = shapes(
        labels.astype(np.int32), mask=mask, connectivity=4, transform=Affine.translation(0, row0)
    )
    for geometry, label in drawn:
        piece: Any = shape(geometry)
        found.pieces.setdefault(offset + int(label) - 1, []).append(piece)


def _regions(found: _Found, width: int, with_steps: bool, minimum_px: int) -> tuple[Region, ...]:
    if not found.parent:
        return ()
    sums = np.concatenate(found.sums)
    roots = np.array([found.root(label) for label in range(len(found.parent))])
    total = np.zeros_like(sums)
    total[:, 2] = total[:, 3] = NO_STEPS
    for column, rule in (
        (0, np.add),
        (1, np.add),
        (2, np.minimum),
        (3, np.minimum),
        (4, np.maximum),
    ):
        rule.at(total[:, column], roots, sums[:, column])
    pieces: dict[int, list[Polygon]] = {}
    for label, drawn in found.pieces.items():
        pieces.setdefault(int(roots[label]), []).extend(drawn)
    kept = [root for root in np.unique(roots).tolist() if total[root, 0] >= minimum_px]
    regions = []
    for root in sorted(kept, key=lambda label: int(total[label, 3])):
        count, steps_sum, steps_min, first, cut = (int(n) for n in total[root])
        outline = whole_outline(pieces[root])
        if outline.area != count:
            raise ValueError(f"an outline of {outline.area} pixels around {count}")
        regions.append(
            Region(
                row=first // width, column=first % width, pixels=count,
                steps_sum=steps_sum if with_steps else None,
                steps_min=steps_min if with_steps else None,
                cut_off=bool(cut), outline=outline,
            )
        )  # fmt: skip
    return tuple(regions)
