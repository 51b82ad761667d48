"""Patches put back on the ground they were cut from, so that every pixel is scored once.

Patches overlap, and a landslide may lie on several. Where scenes say where their patches lie,
those that touch or overlap make one piece of ground; a pixel that several patches hold has the
mean of their probabilities. Patches that came cut (several at one place of a "scene") are pieces
of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy import sparse

from detection.patches.patch_set import PatchSet
from hazard.errors import DataError


@dataclass(frozen=True, eq=False, kw_only=True)
class Ground:
    """A piece of ground.

    Attributes:
        name: of the scene, with the number of the patch where it is a piece of its own.
        scene: of its patches.
        region: likewise.
        epoch: likewise.
        row: of its first pixel in the scene.
        column: likewise.
        probability: (y, x) of landslide, 0 where nothing counts.
        truth: (y, x) landslides, where nothing counts too.
        counted: (y, x) pixels that were seen and mapped.
        placed: whether `row` and `column` say where it lies on its scene.
    """

    name: str
    scene: str
    region: str
    epoch: str
    row: int
    column: int
    probability: Float[ndarray, "y x"]
    truth: Bool[ndarray, "y x"]
    counted: Bool[ndarray, "y x"]
    placed: bool


def lay_out(probability: Float[ndarray, "patch y x"], patches: PatchSet) -> tuple[Ground, ...]:
    """Pieces of ground, scene by scene.

    Args:
        probability: of every patch, 0 to 1 wherever a pixel counts.
        patches: the set.

    Raises:
        DataError: shapes that differ, a probability that is none, overlapping patches that
            contradict each other about truth.

    Example:
        >>> from detection.patches.patch_set import PatchOrigin
        >>> off = np.zeros((2, 4, 4), bool)
        >>> origin = tuple(
        ...     PatchOrigin(scene="a", region="a", epoch="1", row=0, column=c) for c in (0, 3))
        >>> patches = PatchSet(bands=("red",), unit="1", pixel_m=3.0, valid=~off, known=~off,
        ...     image=np.zeros((2, 4, 4, 1), np.float32), truth=off, origin=origin)
        >>> (ground,) = lay_out(np.stack([np.zeros((4, 4)), np.ones((4, 4))]), patches)
        >>> ground.probability[0].tolist()
        [0.0, 0.0, 0.0, 0.5, 1.0, 1.0, 1.0]
    """
    values = np.asarray(probability)
    if values.shape != patches.truth.shape:
        raise DataError(
            "probability", found=f"shape {values.shape}", expected=f"{patches.truth.shape}"
        )
    counted = patches.counted
    chosen = values[counted]
    if not ((chosen >= 0) & (chosen <= 1)).all():
        bad = int(np.count_nonzero(~((chosen >= 0) & (chosen <= 1))))
        raise DataError(
            "probability",
            found=f"{bad} of {chosen.size} pixels that count outside 0 to 1, or not a number",
            expected="probabilities",
        )
    scenes: dict[tuple[str, str, str], list[int]] = {}
    for number, origin in enumerate(patches.origin):
        scenes.setdefault((origin.region, origin.epoch, origin.scene), []).append(number)
    found: list[Ground] = []
    for (*_, scene), numbers in scenes.items():
        places = {(patches.origin[i].row, patches.origin[i].column) for i in numbers}
        if len(places) < len(numbers):
            found += [_piece(f"{scene} {i}", [i], values, patches, False) for i in numbers]
        else:
            groups = _touching(numbers, patches)
            found += [_piece(scene, group, values, patches, True) for group in groups]
    return tuple(found)


def _touching(numbers: list[int], patches: PatchSet) -> list[list[int]]:
    """Patches of a scene in groups that hang together; apart, they may lie a country away."""
    height, width = patches.truth.shape[1:]
    row = np.array([patches.origin[i].row for i in numbers], dtype=np.float64)
    column = np.array([patches.origin[i].column for i in numbers], dtype=np.float64)
    boxes = shapely.box(column, row, column + width, row + height)
    one, other = shapely.STRtree(boxes).query(boxes, predicate="intersects")
    graph = sparse.coo_array((np.ones(one.size), (one, other)), shape=(len(numbers),) * 2)
    count, label = sparse.csgraph.connected_components(graph, directed=False)
    return [[numbers[i] for i in np.flatnonzero(label == group)] for group in range(count)]


def _piece(
    name: str, numbers: list[int], values: ndarray, patches: PatchSet, placed: bool
) -> Ground:
    height, width = patches.truth.shape[1:]
    origin = patches.origin[numbers[0]]
    row = min(patches.origin[i].row for i in numbers)
    column = min(patches.origin[i].column for i in numbers)
    rows = max(patches.origin[i].row for i in numbers) + height - row
    columns = max(patches.origin[i].column for i in numbers) + width - column
    total = np.zeros((rows, columns), dtype=np.float32)
    held = np.zeros((rows, columns), dtype=np.uint16)
    truth = np.zeros((rows, columns), dtype=bool)
    counted = np.zeros((rows, columns), dtype=bool)
    for i in numbers:
        top, left = patches.origin[i].row - row, patches.origin[i].column - column
        window = np.s_[top : top + height, left : left + width]
        counts = patches.valid[i] & patches.known[i]
        both = counted[window] & counts
        if (truth[window] != patches.truth[i])[both].any():
            raise DataError(
                f"patches of scene {origin.scene!r}",
                found=f"another truth in the patch at row {patches.origin[i].row}, column "
                f"{patches.origin[i].column} than in one that overlaps it",
                expected="one truth for a pixel",
            )
        truth[window] |= patches.truth[i]
        counted[window] |= counts
        total[window] += np.where(counts, values[i], 0)
        held[window] += counts
    return Ground(
        name=name, scene=origin.scene, region=origin.region, epoch=origin.epoch, row=row,
        column=column, probability=total / np.maximum(held, 1), truth=truth, counted=counted,
        placed=placed,
    )  # fmt: skip
