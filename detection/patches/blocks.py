"""Square blocks of ground dealt to classes, and the patches that lie well inside one class.

Two patches of different classes are at least `buffer_px` apart, measured as the larger of the gaps
along rows and columns. Proof: a patch is kept only where the square that reaches `buffer_px` / 2
beyond it on every side (clipped to the ground that the patches cover) lies in blocks of one class;
such squares of two classes are disjoint, and clipping cannot make two squares disjoint whose
patches both lie inside the clip.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

SLACK = 1e-6


def deal(
    weight: Float[ndarray, " block"], shares: Sequence[float], rng: np.random.Generator
) -> Int[ndarray, " block"]:
    """Class of every block: heavy ones first, each to the class that is furthest behind.

    Blocks of equal weight come in random order, and so do the classes that are equally behind, so
    that every class gets its share of blocks with many landslides and of blocks with few.

    Args:
        weight: landslide pixels of every block.
        shares: share of every class; they are scaled to sum to 1.
        rng: random numbers.

    Example:
        >>> found = deal(np.arange(10.0), (0.6, 0.2, 0.2), np.random.default_rng(0))
        >>> np.bincount(found).tolist()
        [6, 2, 2]
    """
    wanted = np.asarray(shares, dtype=np.float64)
    if wanted.ndim != 1 or (wanted < 0).any() or wanted.sum() <= 0:
        raise ValueError(f"shares {tuple(shares)}; use numbers of at least 0")
    wanted = wanted / wanted.sum()
    order = np.lexsort((rng.random(len(weight)), -np.asarray(weight)))
    found = np.full(len(weight), -1, dtype=np.int64)
    given = np.zeros(len(wanted))
    for rank, block in enumerate(order):
        behind = wanted * (rank + 1) - given
        behind[wanted == 0] = -np.inf
        best = np.flatnonzero(behind >= behind.max() - SLACK)
        found[block] = rng.choice(best)
        given[found[block]] += 1
    return found


def classes_of_patches(
    boxes: Float[ndarray, "patch 4"],
    landslide_px: Int[ndarray, " patch"],
    *,
    block_px: float,
    buffer_px: float,
    shares: Sequence[float],
    rng: np.random.Generator,
) -> tuple[Int[ndarray, " patch"], int]:
    """Class of every patch of one region, -1 where it lies near ground of another class.

    Args:
        boxes: (row0, column0, row1, column1) of every patch, as `ground_boxes` gives them.
        landslide_px: landslide pixels of every patch.
        block_px: side of a block [px].
        buffer_px: ground that must lie between classes [px].
        shares: share of the blocks of every class.
        rng: random numbers.

    Returns:
        Classes, and the number of blocks that hold the centre of a patch.
    """
    lattice, inside, held = block_classes(
        boxes, landslide_px, block_px=block_px, shares=shares, rng=rng
    )
    return settle(boxes, lattice, block_px=block_px, buffer_px=buffer_px, inside=inside), held


def block_classes(
    boxes: Float[ndarray, "patch 4"],
    landslide_px: Int[ndarray, " patch"],
    *,
    block_px: float,
    shares: Sequence[float],
    rng: np.random.Generator,
) -> tuple[Int[ndarray, "row column"], Float[ndarray, " 4"], int]:
    """Class of every block of ground under the patches of one region.

    Returns:
        Classes of the lattice of blocks, the box of ground that it covers, and the number of
        blocks that hold the centre of a patch.
    """
    extent = np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])
    shape = np.maximum(1, np.ceil((extent[2:] - extent[:2]) / block_px - SLACK)).astype(int)
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    place = np.minimum(((centre - extent[:2]) // block_px).astype(int), shape - 1)
    number = place[:, 0] * shape[1] + place[:, 1]
    n_blocks = int(shape.prod())
    weight = np.bincount(number, weights=landslide_px, minlength=n_blocks)
    holds = np.bincount(number, minlength=n_blocks) > 0
    found = np.empty(n_blocks, dtype=np.int64)
    # Empty blocks are dealt too, apart: a class that got only those would have no patches.
    for group in (holds, ~holds):
        found[group] = deal(weight[group], shares, rng)
    return found.reshape(tuple(shape)), extent, int(holds.sum())


def settle(
    boxes: Float[ndarray, "patch 4"],
    lattice: Int[ndarray, "row column"],
    *,
    block_px: float,
    buffer_px: float,
    inside: Float[ndarray, " 4"],
) -> Int[ndarray, " patch"]:
    """Class of the blocks around every patch, -1 where they are of several classes."""
    reach = buffer_px / 2
    low = np.maximum(boxes[:, :2] - reach, inside[:2]) - inside[:2]
    high = np.minimum(boxes[:, 2:] + reach, inside[2:]) - inside[:2]
    first = np.floor(low / block_px + SLACK).astype(int)
    last = np.ceil(high / block_px - SLACK).astype(int)
    first = np.clip(first, 0, np.array(lattice.shape) - 1)
    last = np.clip(np.maximum(last, first + 1), 1, np.array(lattice.shape))
    total = (last - first).prod(axis=1)
    found = np.full(len(boxes), -1, dtype=np.int64)
    for label in np.unique(lattice):
        sums = np.pad((lattice == label).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
        (r0, c0), (r1, c1) = first.T, last.T
        covered = sums[r1, c1] - sums[r0, c1] - sums[r1, c0] + sums[r0, c0]
        found[covered == total] = label
    return found
