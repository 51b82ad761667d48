"""Fold designs: who trains, who validates, who is tested, and who is left out between them.

A design is a table of roles over (fold, epoch, cell), made by pure functions of arrays and a seed
(`folds_random`, `folds_spatial`, `folds_temporal`). Every cell-epoch has exactly one role in a
fold, so a design of its own cannot hold a cell-epoch twice; what a model's inputs share across
folds (patches, neighbourhoods, scaling) is the business of `fold_audit`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

UNUSED, TRAIN, VALIDATION, TEST, BUFFER = 0, 1, 2, 3, 4
ROLE_NAMES = ("unused", "train", "validation", "test", "buffer")

# What a scheme promises to keep apart between training and test.
PLACE, EPOCH, FUTURE, EVENT = "place", "epoch", "future", "event"

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
IntArray = np.ndarray[Any, np.dtype[np.integer[Any]]]
RoleArray = np.ndarray[Any, np.dtype[np.int8]]
FloatArray = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldDesign:
    """Roles of every cell-epoch in every fold.

    Attributes:
        name: scheme, such as ``spatial_blocks``.
        unit: what was resampled, in words ("20 km block", "epoch", "cell-epoch").
        role: (fold, epoch, cell) int8: 0 unused, 1 train, 2 validation, 3 test, 4 buffer.
        seed: seed of the assignment; None where nothing is random.
        separates: promises of the scheme, among place, epoch, future, event.
        buffer_m: distance [m] that training keeps from test, 0 where none is promised.
        fold_names: one short name per fold.
        parameters: settings of the scheme, for the record.
    """

    name: str
    unit: str
    role: RoleArray
    seed: int | None = None
    separates: frozenset[str] = frozenset()
    buffer_m: float = 0.0
    fold_names: tuple[str, ...] = ()
    parameters: dict[str, float | int | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        role = np.asarray(self.role)
        if role.ndim != 3 or role.dtype != np.int8:
            raise ValueError(
                f"role is {role.dtype} of {role.ndim} axes; use int8 (fold, epoch, cell)"
            )
        if role.size and (role.min() < UNUSED or role.max() > BUFFER):
            raise ValueError("role holds codes outside 0 to 4")
        if self.fold_names and len(self.fold_names) != role.shape[0]:
            raise ValueError(f"{len(self.fold_names)} names for {role.shape[0]} folds")
        if not self.fold_names:
            names = tuple(f"fold {index}" for index in range(role.shape[0]))
            object.__setattr__(self, "fold_names", names)

    @property
    def n_folds(self) -> int:
        """Number of folds."""
        return self.role.shape[0]

    @property
    def test_fold(self) -> np.ndarray[Any, np.dtype[np.int16]]:
        """(epoch, cell) fold in which each cell-epoch is tested, -1 where it never is.

        Raises:
            ValueError: a cell-epoch is tested in several folds.
        """
        tested = self.role == TEST
        if (tested.sum(axis=0) > 1).any():
            raise ValueError(f"{self.name}: cell-epochs are tested in several folds")
        return np.where(tested.any(axis=0), tested.argmax(axis=0), -1).astype(np.int16)

    def train_mask(self, fold: int) -> BoolArray:
        """(epoch, cell) True where the model is fitted."""
        return self.role[fold] == TRAIN

    def validation_mask(self, fold: int) -> BoolArray:
        """(epoch, cell) True where fitting is stopped and settings are chosen."""
        return self.role[fold] == VALIDATION

    def test_mask(self, fold: int) -> BoolArray:
        """(epoch, cell) True where the fold is scored."""
        return self.role[fold] == TEST

    def counts(self) -> tuple[dict[str, int], ...]:
        """Per fold: number of cell-epochs in each role."""
        return tuple(
            dict(zip(ROLE_NAMES, np.bincount(part.ravel(), minlength=5).tolist(), strict=True))
            for part in self.role
        )


def as_observed(observed: BoolArray) -> BoolArray:
    """The (epoch, cell) mask, checked.

    Example:
        >>> as_observed(np.ones((2, 3), bool)).shape
        (2, 3)
    """
    mask = np.asarray(observed)
    if mask.dtype != np.bool_ or mask.ndim != 2:
        raise ValueError(f"observed is {mask.dtype} of shape {mask.shape}; use bool (epoch, cell)")
    if not mask.any():
        raise ValueError("observed holds no cell-epoch")
    return mask


def near(x: FloatArray, y: FloatArray, *, of: BoolArray, distance_m: float) -> BoolArray:
    """(cell,) True where a cell lies within `distance_m` (inclusive) of any cell of the set `of`.

    Example:
        >>> x = np.arange(5.0); y = np.zeros(5)
        >>> near(x, y, of=np.array([True, False, False, False, False]), distance_m=2.0)
        array([ True,  True,  True, False, False])
    """
    from scipy.spatial import KDTree

    inside = np.asarray(of, dtype=bool).copy()
    if distance_m <= 0 or not inside.any() or inside.all():
        return inside
    points = np.column_stack([x, y]).astype(np.float64)
    # A hair of slack: a cell exactly at the distance belongs to the buffer despite rounding.
    reach = distance_m * (1 + 1e-9)
    others = np.flatnonzero(~inside)
    gap, _ = KDTree(points[inside]).query(points[others], distance_upper_bound=reach * (1 + 1e-9))
    inside[others[gap <= reach]] = True
    return inside


def assign_groups(
    n_groups: int, n_folds: int, rng: np.random.Generator
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Random fold of each group; the folds differ by at most one group.

    Raises:
        ValueError: fewer groups than folds, or fewer than two folds.

    Example:
        >>> sorted(assign_groups(5, 2, np.random.default_rng(0)).tolist())
        [0, 0, 0, 1, 1]
    """
    if n_folds < 2:
        raise ValueError(f"{n_folds} folds; use at least 2")
    if n_groups < n_folds:
        raise ValueError(
            f"{n_groups} groups for {n_folds} folds; use fewer folds or smaller groups"
        )
    return rng.permutation(np.arange(n_groups) % n_folds)


def choose_share(
    candidates: Sequence[int] | IntArray, share: float, rng: np.random.Generator
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """A random share of the candidates: at least one where the share is positive, never all.

    Raises:
        ValueError: share outside [0, 1), or too few candidates to split.

    Example:
        >>> len(choose_share(range(10), 0.2, np.random.default_rng(0)))
        2
    """
    values = np.asarray(candidates, dtype=np.int64)
    if not 0 <= share < 1:
        raise ValueError(f"validation share {share}; use 0 <= share < 1")
    if share == 0:
        return values[:0]
    if values.size < 2:
        raise ValueError("too few training groups to set a validation part aside")
    count = min(values.size - 1, max(1, round(share * values.size)))
    return np.sort(rng.permutation(values)[:count])
