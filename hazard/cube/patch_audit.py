"""What training and test share once patches, neighbourhoods and scaling are in play.

A design gives every cell-epoch one role, but networks read patches and past records reach around a
cell. Loss weights per cell keep a held-out *target* out of training whatever the patches; then a
patch that straddles roles shares predictors only, which is worth a count and no alarm. What must
never happen is found by `stats.resampling.fold_audit` and by `audit_patches`: cell-epochs that
train and test at once (as when one lattice trains and the shifted one tests), a broken promise of
the scheme, and scaling fitted on more than the training part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hazard.cube.patches import PatchIndex
from hazard.cube.standardise import Standardisation
from hazard.errors import DataError
from stats.resampling.fold_audit import Finding, FoldMasks, audit_folds, leaks
from stats.resampling.folds import (
    ROLE_NAMES,
    TEST,
    TRAIN,
    VALIDATION,
    BoolArray,
    FloatArray,
    FoldDesign,
)

Array = np.ndarray[Any, np.dtype[Any]]
LATTICE_NAMES = ("first lattice", "shifted lattice")


def audit_design(
    design: FoldDesign,
    *,
    x: FloatArray,
    y: FloatArray,
    index: PatchIndex | None = None,
    past_reach_cells: int | None = None,
    past_withheld: bool = True,
    standardisations: Mapping[int, Standardisation] | None = None,
) -> tuple[Finding, ...]:
    """Audit a design with the geometry in which it is used.

    Args:
        design: roles over the flattened grid.
        x: (cell,) eastings [m].
        y: (cell,) northings [m].
        index: patches whose losses are weighted by role per cell.
        past_reach_cells: cells around a cell that past records look at; None where no past
            records are inputs.
        past_withheld: held-out targets are hidden from the past of training inputs
            (`hazard.cube.past.past_records_by_role`).
        standardisations: scaling by fold; anything fitted beyond training is a leak.

    Returns:
        Findings of `audit_folds`, then ``patch straddles ...`` (count: patches and epochs) and
        ``held-out target in the past of training inputs`` (count: training and validation
        cell-epochs).
    """
    scaling = {f: s.fitted_on for f, s in (standardisations or {}).items()}
    found = list(audit_folds(design, x=x, y=y, scaling=scaling))
    for fold, role in enumerate(design.role):
        if index is not None:
            found += _straddling(fold, role, index)
        if past_reach_cells is not None:
            if index is None:
                raise ValueError("past records need the grid: give the patches")
            found += _targets_in_past(fold, role, index.shape, past_reach_cells, past_withheld)
    return tuple(sorted(found, key=lambda finding: finding.fold))


def audit_patches(
    index: PatchIndex, train: Array, test: Array, *, n_epochs: int, x: FloatArray, y: FloatArray
) -> tuple[Finding, ...]:
    """Audit whole patches used as training and test samples, all their cells counting.

    Args:
        index: the patches.
        train: (sample, 2) patch and epoch of training.
        test: (sample, 2) patch and epoch of the test.
        n_epochs: epochs of the study.
        x: (cell,) eastings [m] of the flattened grid.
        y: (cell,) northings [m].

    Returns:
        Findings; a ``shared cell-epoch`` is a leak however the two sets were drawn.
    """
    held = [cell_epochs_of_patches(index, pairs, n_epochs) for pairs in (train, test)]
    masks = FoldMasks(train=held[0][None], validation=np.zeros_like(held[0])[None],
                      test=held[1][None])  # fmt: skip
    return audit_folds(masks, x=x, y=y)


def cell_epochs_of_patches(index: PatchIndex, pairs: Array, n_epochs: int) -> BoolArray:
    """(epoch, cell) cell-epochs that (patch, epoch) samples hold, over the flattened grid."""
    held = np.zeros((n_epochs, index.shape[0] * index.shape[1]), dtype=bool)
    table = np.asarray(pairs)
    cell = index.cell[table[:, 0]]
    epoch = np.broadcast_to(table[:, 1, None, None], cell.shape)
    inside = cell >= 0
    held[epoch[inside], cell[inside]] = True
    return held


def require_clean(findings: Sequence[Finding], design: FoldDesign) -> None:
    """Refuse outright leaks.

    Raises:
        DataError: with the kind, fold, count and an example of each.
    """
    outright = leaks(findings)
    if not outright:
        return
    shown = [
        f"{f.kind} in {_fold_name(design, f.fold)}: {f.count} ({f.example})" for f in outright[:5]
    ]
    more = f" and {len(outright) - 5} more" if len(outright) > 5 else ""
    raise DataError(
        f"design {design.name}",
        found="; ".join(shown) + more,
        expected="nothing that training may not know",
    )


def _fold_name(design: FoldDesign, fold: int) -> str:
    return design.fold_names[fold] if fold < design.n_folds else f"fold {fold}"


def _straddling(fold: int, role: Array, index: PatchIndex) -> list[Finding]:
    """Patches with cells of two parts in one epoch: predictors are shared, targets are not."""
    found = []
    for lattice, name in zip(range(len(index.anchors)), LATTICE_NAMES, strict=False):
        here = index.take(index.lattice == lattice)
        part = np.where(here.present, role[:, np.maximum(here.cell, 0)], -1)
        has = {code: (part == code).any(axis=(2, 3)) for code in (TRAIN, VALIDATION, TEST)}
        for one, other in ((TRAIN, TEST), (TRAIN, VALIDATION), (VALIDATION, TEST)):
            both = has[one] & has[other]
            if not both.any():
                continue
            epoch, patch = (int(i) for i in np.argwhere(both)[0])
            found.append(
                Finding(
                    fold=fold,
                    kind=f"patch straddles {ROLE_NAMES[one]} and {ROLE_NAMES[other]} ({name}), "
                    "predictors only",
                    count=int(both.sum()),
                    severity="warning",
                    example=f"epoch {epoch}, patch at row {int(here.row0[patch])}, "
                    f"column {int(here.col0[patch])}",
                )
            )
    return found


def _targets_in_past(
    fold: int, role: Array, shape: tuple[int, int], reach: int, withheld: bool
) -> list[Finding]:
    """Fitted cell-epochs whose neighbourhood holds a later-scored target of an earlier epoch."""
    found = []
    for fitted, hidden in ((TRAIN, (TEST, VALIDATION)), (VALIDATION, (TEST,))):
        target = np.isin(role, hidden).reshape(-1, *shape)
        earlier = np.zeros_like(target)
        earlier[1:] = np.logical_or.accumulate(target, axis=0)[:-1]
        hit = (role == fitted).reshape(-1, *shape) & _dilated(earlier, reach)
        if not hit.any():
            continue
        epoch, row, col = (int(i) for i in np.argwhere(hit)[0])
        how = "withheld" if withheld else "used as a predictor"
        found.append(
            Finding(
                fold=fold,
                kind=f"held-out target in the past of {ROLE_NAMES[fitted]} inputs, {how}",
                count=int(hit.sum()),
                severity="expected" if withheld else "leak",
                example=f"epoch {epoch}, row {row}, column {col}",
            )
        )
    return found


def _dilated(mask: BoolArray, reach: int) -> BoolArray:
    """True within a square of `reach` cells around any True, per epoch."""
    for axis in (-2, -1):
        size = mask.shape[axis]
        width = [(0, 0)] * mask.ndim
        width[axis] = (reach, reach)
        padded = np.moveaxis(np.pad(mask, width), axis, 0)
        shifted = [padded[start : start + size] for start in range(2 * reach + 1)]
        mask = np.moveaxis(np.logical_or.reduce(shifted), 0, axis)
    return mask
