"""Spatial folds: square blocks or k-means regions, with a buffer between training and test.

The buffer removes training cells, never test cells: every observed cell is tested once, and no
training cell lies within the buffer distance of a test cell of its fold.
Source of the idea: Roberts, D. R. et al. (2017), Ecography 40, 913-929,
doi:10.1111/ecog.02881.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from stats.resampling.folds import (
    BUFFER,
    EPOCH,
    FUTURE,
    PLACE,
    TEST,
    TRAIN,
    UNUSED,
    VALIDATION,
    BoolArray,
    FloatArray,
    FoldDesign,
    as_observed,
    assign_groups,
    choose_share,
    near,
)

GroupArray = np.ndarray[Any, np.dtype[np.int64]]


def block_of_cells(
    x: FloatArray, y: FloatArray, *, block_m: float, origin: tuple[float, float] | None = None
) -> GroupArray:
    """(cell,) number of the square block each cell centre lies in, counted from 0 without gaps.

    Args:
        x: (cell,) eastings [m].
        y: (cell,) northings [m].
        block_m: side of a block [m].
        origin: a corner of the block lattice; the lower left cell centre by default.

    Example:
        >>> block_of_cells(np.array([0., 9., 11.]), np.array([0., 0., 0.]), block_m=10.0)
        array([0, 0, 1])
    """
    if not block_m > 0:
        raise ValueError(f"block of {block_m} m; use a positive side")
    east, north = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    x0, y0 = origin if origin is not None else (float(east.min()), float(north.min()))
    column = np.floor((east - x0) / block_m).astype(np.int64)
    row = np.floor((north - y0) / block_m).astype(np.int64)
    _, number = np.unique(np.stack([row, column], axis=1), axis=0, return_inverse=True)
    return number.reshape(-1).astype(np.int64)


def _cell_roles(
    group: GroupArray,
    fold_of: GroupArray,
    fold: int,
    x: FloatArray,
    y: FloatArray,
    *,
    buffer_m: float,
    validation_share: float,
    rng: np.random.Generator,
) -> np.ndarray[Any, np.dtype[np.int8]]:
    """(cell,) roles of one spatial fold: whole groups in test and validation, buffers around."""
    test = fold_of[group] == fold
    chosen = choose_share(np.flatnonzero(fold_of != fold), validation_share, rng)
    validation = np.isin(group, chosen)
    role = np.where(test, TEST, np.where(validation, VALIDATION, TRAIN)).astype(np.int8)
    if buffer_m > 0:
        role[~test & near(x, y, of=test, distance_m=buffer_m)] = BUFFER
        kept = role == VALIDATION
        role[(role == TRAIN) & near(x, y, of=kept, distance_m=buffer_m)] = BUFFER
    return role


def _check(observed: BoolArray, x: FloatArray, y: FloatArray, buffer_m: float) -> BoolArray:
    mask = as_observed(observed)
    if np.shape(x) != mask.shape[1:] or np.shape(y) != mask.shape[1:]:
        raise ValueError(f"x and y have shapes {np.shape(x)}, {np.shape(y)}; use {mask.shape[1:]}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("x or y holds a value that is not finite")
    if not buffer_m >= 0:
        raise ValueError(f"buffer of {buffer_m} m; use 0 or more")
    return mask


def grouped_folds(
    observed: BoolArray,
    x: FloatArray,
    y: FloatArray,
    group: GroupArray,
    *,
    n_folds: int,
    buffer_m: float,
    seed: int,
    name: str,
    unit: str,
    validation_share: float = 0.0,
    parameters: Mapping[str, float | int | str] | None = None,
) -> FoldDesign:
    """Folds of ready-made groups of cells (blocks, regions, catchments, slope units).

    Args:
        observed: (epoch, cell) usable cell-epochs.
        x: (cell,) eastings [m].
        y: (cell,) northings [m].
        group: (cell,) group numbers from 0.
        n_folds: number of folds.
        buffer_m: training cells within this distance [m] of a test cell are left out.
        seed: seed of the assignment of groups to folds.
        name: name of the scheme.
        unit: what a group is, in words.
        validation_share: share of the training groups set aside; buffered like test cells.
        parameters: settings of the caller, kept with the design.

    Returns:
        The design: a cell has the same role in all its observed epochs.
    """
    mask = _check(observed, x, y, buffer_m)
    rng = np.random.default_rng(seed)
    # Only groups with an observed cell count, else an empty block could fill a fold.
    _, renumbered = np.unique(group[mask.any(axis=0)], return_inverse=True)
    number = np.full(mask.shape[1], -1, dtype=np.int64)
    number[mask.any(axis=0)] = renumbered.reshape(-1)
    used = number >= 0
    fold_of = assign_groups(int(number.max()) + 1, n_folds, rng)
    role = np.full((n_folds, *mask.shape), UNUSED, dtype=np.int8)
    for fold in range(n_folds):
        cells = np.full(mask.shape[1], UNUSED, dtype=np.int8)
        cells[used] = _cell_roles(
            number[used], fold_of, fold, x[used], y[used],
            buffer_m=buffer_m, validation_share=validation_share, rng=rng,
        )  # fmt: skip
        role[fold] = np.where(mask, cells, UNUSED)
    return FoldDesign(
        name=name, unit=unit, role=role, seed=seed, separates=frozenset({PLACE}),
        buffer_m=float(buffer_m),
        parameters={
            "n_folds": n_folds, "n_groups": int(number.max()) + 1, "buffer_m": float(buffer_m),
            "validation_share": validation_share, **(parameters or {}),
        },
    )  # fmt: skip


def spatial_block_folds(
    observed: BoolArray,
    x: FloatArray,
    y: FloatArray,
    *,
    block_m: float,
    n_folds: int,
    seed: int,
    buffer_m: float = 0.0,
    origin: tuple[float, float] | None = None,
    validation_share: float = 0.0,
) -> FoldDesign:
    """Square blocks of `block_m` metres assigned to folds at random, all epochs together.

    Args: as `grouped_folds` and `block_of_cells`.

    Example:
        >>> x, y = (a.ravel() * 1000.0 for a in np.meshgrid(np.arange(8), np.arange(8)))
        >>> design = spatial_block_folds(
        ...     np.ones((1, 64), bool), x, y, block_m=4000, n_folds=2, seed=0, buffer_m=1000)
        >>> bool((design.test_fold >= 0).all()), design.unit
        (True, '4 km block')
    """
    group = block_of_cells(x, y, block_m=block_m, origin=origin)
    return grouped_folds(
        observed, x, y, group, n_folds=n_folds, buffer_m=buffer_m, seed=seed,
        name="spatial_blocks", unit=f"{block_m / 1000:g} km block",
        validation_share=validation_share, parameters={"block_m": float(block_m)},
    )  # fmt: skip


def kmeans_folds(
    observed: BoolArray,
    x: FloatArray,
    y: FloatArray,
    *,
    n_regions: int,
    n_folds: int,
    seed: int,
    buffer_m: float = 0.0,
    validation_share: float = 0.0,
) -> FoldDesign:
    """Compact regions by k-means of the coordinates, assigned to folds at random.

    Args: as `grouped_folds`; `n_regions` clusters (empty ones are dropped).
    """
    from scipy.cluster.vq import kmeans2

    mask = _check(observed, x, y, buffer_m)
    used = mask.any(axis=0)
    points = np.column_stack([x, y]).astype(np.float64)[used]
    _, label = kmeans2(points, n_regions, minit="++", seed=np.random.default_rng(seed))
    group = np.zeros(mask.shape[1], dtype=np.int64)
    group[used] = label
    return grouped_folds(
        mask, x, y, group, n_folds=n_folds, buffer_m=buffer_m, seed=seed, name="kmeans_regions",
        unit="k-means region", validation_share=validation_share,
        parameters={"n_regions": n_regions},
    )  # fmt: skip


def space_time_blocks(
    observed: BoolArray,
    x: FloatArray,
    y: FloatArray,
    *,
    block_m: float,
    n_folds: int,
    seed: int,
    buffer_m: float = 0.0,
    past_only: bool = False,
    origin: tuple[float, float] | None = None,
    validation_share: float = 0.0,
) -> FoldDesign:
    """New place and new epoch at once: a fold tests some blocks in one epoch.

    Training holds neither the test blocks (in any epoch) nor the test epoch (anywhere), nor a
    cell within the buffer of a test cell. There are `n_folds` x epochs folds, and every observed
    cell-epoch is tested in exactly one (with `past_only`, those after the first epoch).

    Args:
        observed: (epoch, cell) usable cell-epochs, epochs in order of time.
        x: (cell,) eastings [m].
        y: (cell,) northings [m].
        block_m: side of a block [m].
        n_folds: number of groups of blocks.
        seed: seed of the assignment.
        buffer_m: buffer [m].
        past_only: train on epochs before the test epoch only.
        origin: corner of the block lattice.
        validation_share: share of the training blocks set aside (in the training epochs).

    Returns:
        The design; folds whose training or test part would be empty are left out.
    """
    mask = _check(observed, x, y, buffer_m)
    base = spatial_block_folds(
        mask, x, y, block_m=block_m, n_folds=n_folds, seed=seed, buffer_m=buffer_m,
        origin=origin, validation_share=validation_share,
    )  # fmt: skip
    roles, names = [], []
    epochs = np.arange(mask.shape[0])
    for fold in range(base.n_folds):
        for epoch in epochs:
            role = base.role[fold].copy()
            role[(epochs != epoch)[:, None] & (role == TEST)] = UNUSED
            role[epoch, role[epoch] != TEST] = UNUSED
            if past_only:
                role[epoch + 1 :] = UNUSED
            if (role == TRAIN).any() and (role == TEST).any():
                roles.append(role)
                names.append(f"blocks {fold}, epoch {epoch}")
    if not roles:
        raise ValueError("no fold has both a training and a test part; use smaller blocks")
    return FoldDesign(
        name="space_time_blocks", unit=f"{block_m / 1000:g} km block x epoch",
        role=np.stack(roles), seed=seed, buffer_m=float(buffer_m), fold_names=tuple(names),
        separates=frozenset({PLACE, EPOCH, FUTURE} if past_only else {PLACE, EPOCH}),
        parameters={**base.parameters, "past_only": int(past_only)},
    )  # fmt: skip
