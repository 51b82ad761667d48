"""The record of a split: the role of every patch, and what the split promises."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from detection.patches.patch_set import PatchSet
from stats.resampling.folds import TEST, TRAIN, UNUSED, VALIDATION

ROLES = {"unused": UNUSED, "train": TRAIN, "validation": VALIDATION, "test": TEST}
NAMES = {code: name for name, code in ROLES.items()}


@dataclass(frozen=True, eq=False, kw_only=True)
class Split:
    """Roles of the patches of a set.

    Attributes:
        name: the scheme.
        unit: what was assigned, in words ("block of 256 px", "region", "patch").
        role: (patch,) int8: 0 unused, 1 train, 2 validation, 3 test, as in `stats.resampling`.
        separates: what training keeps from test: place, epoch, event; nothing for a random split.
        buffer_px: pixels of ground that lie between roles [px].
        seed: seed of the assignment; None where nothing is random.
        parameters: settings of the scheme, for the record.
    """

    name: str
    unit: str
    role: Int[ndarray, " patch"]
    separates: frozenset[str] = frozenset()
    buffer_px: float = 0.0
    seed: int | None = None
    parameters: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        role = np.asarray(self.role, dtype=np.int8)
        if role.ndim != 1 or not np.isin(role, list(NAMES)).all():
            raise ValueError("role holds codes outside 0 to 3, or has several axes")
        object.__setattr__(self, "role", role)

    def indices(self, role: str) -> Int[ndarray, " patch"]:
        """Numbers of the patches of a role (train, validation, test, unused)."""
        if role not in ROLES:
            raise ValueError(f"role {role!r}; use one of {', '.join(ROLES)}")
        return np.flatnonzero(self.role == ROLES[role])

    def select(self, patches: PatchSet, role: str) -> PatchSet:
        """The patches of a role."""
        if len(patches) != len(self.role):
            raise ValueError(f"{len(patches)} patches, {len(self.role)} roles")
        return patches.select(self.indices(role))

    def parts(self, patches: PatchSet) -> dict[str, PatchSet]:
        """Patches of train, validation and test; roles without patches are left out."""
        return {
            name: self.select(patches, name)
            for name in ("train", "validation", "test")
            if len(self.indices(name))
        }

    def counts(self) -> dict[str, int]:
        """Number of patches in every role.

        Example:
            >>> Split(name="x", unit="patch", role=np.array([1, 1, 3, 0])).counts()
            {'unused': 1, 'train': 2, 'validation': 0, 'test': 1}
        """
        return {name: int((self.role == code).sum()) for name, code in ROLES.items()}

    def with_roles(self, role: Int[ndarray, " patch"], **changes: Any) -> Split:
        """The same split with other roles."""
        return replace(self, role=role, **changes)
