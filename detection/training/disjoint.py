"""Training and validation must share no ground: looked up where each patch was cut."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy import ndarray

from detection.patches.patch_set import PatchSet
from hazard.errors import DataError


def shared_patches(one: PatchSet, other: PatchSet) -> list[tuple[int, int]]:
    """Pairs of patches of one scene that hold a common pixel, at most one for each of `other`.

    Scenes of one region on different dates are different scenes here; that the same ground stands
    on both sides is for the split and its audit to avoid.
    """
    size = max(one.image.shape[1], other.image.shape[1])
    places: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for i, origin in enumerate(one.origin):
        places[origin.scene].append((origin.row, origin.column, i))
    arrays: dict[str, ndarray] = {name: np.array(rows) for name, rows in places.items()}
    found = []
    for j, origin in enumerate(other.origin):
        there = arrays.get(origin.scene)
        if there is None:
            continue
        near = (np.abs(there[:, 0] - origin.row) < size) & (
            np.abs(there[:, 1] - origin.column) < size
        )
        if near.any():
            found.append((int(there[near.argmax(), 2]), j))
    return found


def require_disjoint(training: PatchSet, validation: PatchSet) -> None:
    """Refuse validation patches that hold pixels of training patches.

    Raises:
        DataError: naming the first such pair.
    """
    pairs = shared_patches(training, validation)
    if pairs:
        i, j = pairs[0]
        a, b = training.origin[i], validation.origin[j]
        raise DataError(
            "validation patches",
            found=f"{len(pairs)} that overlap training patches, such as {b.scene} at row {b.row}, "
            f"column {b.column} over row {a.row}, column {a.column}",
            expected="other ground; a split by blocks, regions or epochs leaves the border out",
        )
