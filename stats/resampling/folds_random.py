"""Random folds: every cell-epoch, or every cell with all its epochs, by itself.

They answer "how well does the model fill gaps in a map it has seen", and nothing harder:
neighbours and other epochs of a test cell are in training.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from stats.resampling.folds import (
    PLACE,
    TEST,
    TRAIN,
    UNUSED,
    VALIDATION,
    BoolArray,
    FoldDesign,
    as_observed,
    assign_groups,
    choose_share,
)


def random_folds(
    observed: BoolArray,
    *,
    n_folds: int,
    seed: int,
    unit: Literal["cell-epoch", "cell"] = "cell-epoch",
    validation_share: float = 0.0,
) -> FoldDesign:
    """Assign cell-epochs (or whole cells) to folds at random.

    Args:
        observed: (epoch, cell) True where a cell-epoch may be used.
        n_folds: number of folds; each observed cell-epoch is tested in exactly one.
        seed: seed of the assignment.
        unit: ``cell-epoch``, or ``cell``: all epochs of a cell share one fold.
        validation_share: share of the training units set aside in each fold.

    Returns:
        The design; unit ``cell`` promises separated places, ``cell-epoch`` promises nothing.

    Raises:
        ValueError: fewer units than folds, or a share outside [0, 1).

    Example:
        >>> design = random_folds(np.ones((2, 6), bool), n_folds=3, seed=1)
        >>> design.role.shape, np.bincount(design.test_fold.ravel()).tolist()
        ((3, 2, 6), [4, 4, 4])
    """
    mask = as_observed(observed)
    rng = np.random.default_rng(seed)
    if unit == "cell":
        group = np.where(mask.any(axis=0), 0, -1)
        group[group == 0] = np.arange(int((group == 0).sum()))
        groups = np.broadcast_to(group, mask.shape)
    elif unit == "cell-epoch":
        groups = np.full(mask.shape, -1)
        groups[mask] = np.arange(int(mask.sum()))
    else:
        raise ValueError(f"unit {unit!r}; use 'cell-epoch' or 'cell'")
    n_groups = int(groups.max()) + 1
    fold_of = assign_groups(n_groups, n_folds, rng)
    role = np.full((n_folds, *mask.shape), UNUSED, dtype=np.int8)
    for fold in range(n_folds):
        role_of = np.where(fold_of == fold, TEST, TRAIN).astype(np.int8)
        train_groups = np.flatnonzero(role_of == TRAIN)
        role_of[choose_share(train_groups, validation_share, rng)] = VALIDATION
        role[fold][mask] = role_of[groups[mask]]
    return FoldDesign(
        name="random",
        unit=unit,
        role=role,
        seed=seed,
        separates=frozenset({PLACE}) if unit == "cell" else frozenset(),
        parameters={"n_folds": n_folds, "validation_share": validation_share},
    )
