"""Leak audit: what training and test share, by kind, with a severity that fits the scheme.

The audit takes masks, not only designs, because leaks come from outside a design: patches of a
shifted lattice that hold the same cells, inputs that reach over the edge, scaling computed on all
data, thresholds tuned on the test part. It counts, names an example, and judges:

- ``leak``: breaks what any honest test needs, or what the scheme promised;
- ``warning``: inputs of training and test overlap although the scheme promises nothing about place;
- ``expected``: shared by the scheme's own definition (the same place in another epoch, where only
  epochs are held out).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from stats.resampling.folds import (
    EPOCH,
    FUTURE,
    PLACE,
    BoolArray,
    FloatArray,
    FoldDesign,
    IntArray,
    near,
)

Severity = Literal["leak", "warning", "expected"]
MaskOrHash = BoolArray | str


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One kind of sharing in one fold.

    Attributes:
        fold: number of the fold.
        kind: what is shared, such as ``shared cell-epoch`` or ``overlapping patch (lattice b)``.
        count: number of test cell-epochs concerned (for scaling and tuning: cell-epochs that
            should not have been used; 0 where only a hash was given).
        severity: leak, warning or expected.
        example: one case in words.
    """

    fold: int
    kind: str
    count: int
    severity: Severity
    example: str


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldMasks:
    """What really goes into training and test, as masks that may overlap.

    Attributes:
        train: (fold, epoch, cell) used for fitting.
        validation: (fold, epoch, cell) used for early stopping and settings.
        test: (fold, epoch, cell) scored.
        separates: promises of the scheme (see `FoldDesign`).
        buffer_m: promised distance between training and test [m].
    """

    train: BoolArray
    validation: BoolArray
    test: BoolArray
    separates: frozenset[str] = frozenset()
    buffer_m: float = 0.0

    def __post_init__(self) -> None:
        if not self.train.shape == self.validation.shape == self.test.shape:
            raise ValueError("train, validation and test differ in shape")
        if self.train.ndim != 3:
            raise ValueError("masks are (fold, epoch, cell)")

    @classmethod
    def of(cls, design: FoldDesign) -> FoldMasks:
        """The masks of a design."""
        folds = range(design.n_folds)
        return cls(
            train=np.stack([design.train_mask(fold) for fold in folds]),
            validation=np.stack([design.validation_mask(fold) for fold in folds]),
            test=np.stack([design.test_mask(fold) for fold in folds]),
            separates=design.separates,
            buffer_m=design.buffer_m,
        )


def index_set_hash(mask: BoolArray) -> str:
    """SHA-256 of a set of cell-epochs: store it with scaling statistics to prove their source.

    Example:
        >>> a = np.array([[True, False]])
        >>> index_set_hash(a) == index_set_hash(a.copy()), index_set_hash(a) == index_set_hash(~a)
        (True, False)
    """
    array = np.ascontiguousarray(mask, dtype=bool)
    digest = hashlib.sha256(repr(array.shape).encode())
    digest.update(np.packbits(array).tobytes())
    return digest.hexdigest()


def cells_of_patches(patch_id: IntArray, chosen: Sequence[int] | IntArray) -> BoolArray:
    """(cell,) True where a cell lies in one of the chosen patches of a lattice.

    Example:
        >>> cells_of_patches(np.array([0, 0, 1, -1]), [0])
        array([ True,  True, False, False])
    """
    return np.isin(patch_id, np.asarray(chosen)) & (np.asarray(patch_id) >= 0)


def audit_folds(
    folds: FoldDesign | FoldMasks,
    *,
    x: FloatArray,
    y: FloatArray,
    neighbourhood_m: float = 0.0,
    patches: Mapping[str, IntArray] | None = None,
    scaling: Mapping[int, MaskOrHash] | None = None,
    tuning: Mapping[int, MaskOrHash] | None = None,
) -> tuple[Finding, ...]:
    """Everything that training and test share.

    Args:
        folds: a design, or the masks that were really used.
        x: (cell,) eastings [m].
        y: (cell,) northings [m].
        neighbourhood_m: reach of a cell's inputs [m]: two cells overlap when no farther apart.
        patches: lattice -> (cell,) patch number, -1 outside. A test cell in one patch with a
            training cell of the same epoch shares that patch's inputs.
        scaling: fold -> cell-epochs on which standardisation statistics were computed, as an
            (epoch, cell) mask or `index_set_hash` of it; anything beyond training is a leak.
        tuning: fold -> cell-epochs on which thresholds and settings were chosen, likewise; must
            lie in training and validation.

    Returns:
        Findings in order of folds; empty where nothing is shared.
    """
    masks = FoldMasks.of(folds) if isinstance(folds, FoldDesign) else folds
    n_folds, _, n_cells = masks.train.shape
    east, north = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if east.shape != (n_cells,) or north.shape != (n_cells,):
        raise ValueError(f"x and y have shapes {east.shape}, {north.shape}; use ({n_cells},)")
    for lattice, ids in (patches or {}).items():
        if np.shape(ids) != (n_cells,):
            raise ValueError(f"patches of {lattice!r} have shape {np.shape(ids)}; use ({n_cells},)")
    found: list[Finding] = []
    for fold in range(n_folds):
        # Validation decides when to stop and what to keep, so it counts as training here.
        fitted = masks.train[fold] | masks.validation[fold]
        test = masks.test[fold]
        found += _sharing(fold, masks, fitted, test)
        found += _validation(fold, masks)
        if neighbourhood_m > 0:
            found += _distance(
                fold, masks, fitted, test, east, north, neighbourhood_m, "inputs within"
            )
        if masks.buffer_m > 0:
            found += _distance(
                fold, masks, fitted, test, east, north, masks.buffer_m, "promised buffer of"
            )
        for lattice, ids in (patches or {}).items():
            found += _patches(fold, masks, fitted, test, lattice, np.asarray(ids))
        if scaling is not None and fold in scaling:
            found += _index_set(fold, "scaling", scaling[fold], [masks.train[fold]], "training")
        if tuning is not None and fold in tuning:
            allowed = [masks.validation[fold], masks.train[fold], fitted]
            found += _index_set(fold, "tuning", tuning[fold], allowed, "training and validation")
    return tuple(found)


def leaks(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings that are leaks."""
    return tuple(finding for finding in findings if finding.severity == "leak")


def _first(mask: BoolArray) -> str:
    epoch, cell = (int(index) for index in np.argwhere(mask)[0])
    return f"epoch {epoch}, cell {cell}"


def _promised(masks: FoldMasks, what: str, otherwise: Severity) -> Severity:
    return "leak" if what in masks.separates else otherwise


def _sharing(fold: int, masks: FoldMasks, fitted: BoolArray, test: BoolArray) -> list[Finding]:
    """Shared cell-epochs, same place in other epochs, same epoch elsewhere, and the future."""
    found: list[Finding] = []

    def add(kind: str, hit: BoolArray, severity: Severity) -> None:
        if hit.any():
            found.append(
                Finding(
                    fold=fold, kind=kind, count=int(hit.sum()), severity=severity,
                    example=_first(hit),
                )
            )  # fmt: skip

    both = fitted & test
    add("shared cell-epoch", both, "leak")
    epochs_fitted = fitted.sum(axis=0)
    elsewhen = test & (epochs_fitted[None] - fitted.astype(np.int64) > 0)
    add("same place, other epoch", elsewhen, _promised(masks, PLACE, "expected"))
    cells_fitted = fitted.sum(axis=1, keepdims=True)
    elsewhere = test & (cells_fitted - fitted.astype(np.int64) > 0)
    add("same epoch, other place", elsewhere, _promised(masks, EPOCH, "expected"))
    if FUTURE in masks.separates:
        live = np.flatnonzero(fitted.any(axis=1))
        if live.size:
            late = np.zeros_like(test)
            late[: int(live.max()) + 1] = test[: int(live.max()) + 1]
            add("training not before test", late, "leak")
    return found


def _validation(fold: int, masks: FoldMasks) -> list[Finding]:
    both = masks.train[fold] & masks.validation[fold]
    if not both.any():
        return []
    return [
        Finding(
            fold=fold,
            kind="validation shared with training",
            count=int(both.sum()),
            severity="leak",
            example=_first(both),
        )
    ]


def _distance(
    fold: int,
    masks: FoldMasks,
    fitted: BoolArray,
    test: BoolArray,
    x: FloatArray,
    y: FloatArray,
    distance_m: float,
    what: str,
) -> list[Finding]:
    """Test cells with a fitted cell (not themselves) within a distance, in the same epoch.

    A promised buffer holds whatever the epochs, so there all fitted epochs count.
    """
    hit = np.zeros_like(test)
    buffer = what.startswith("promised")
    for epoch in np.flatnonzero(test.any(axis=1)):
        source = fitted.any(axis=0) if buffer else fitted[epoch]
        # A cell in both is an outright leak and reported as such, not as a neighbour.
        alone = source & ~test[epoch]
        hit[epoch] = test[epoch] & near(x, y, of=alone, distance_m=distance_m)
    if not hit.any():
        return []
    return [
        Finding(
            fold=fold, kind=f"{what} {distance_m:g} m", count=int(hit.sum()),
            severity="leak" if buffer else _promised(masks, PLACE, "warning"),
            example=_first(hit),
        )
    ]  # fmt: skip


def _patches(
    fold: int,
    masks: FoldMasks,
    fitted: BoolArray,
    test: BoolArray,
    lattice: str,
    ids: np.ndarray[Any, Any],
) -> list[Finding]:
    """Test cell-epochs in a patch that also holds a fitted cell-epoch of the same epoch."""
    inside = ids >= 0
    hit = np.zeros_like(test)
    for epoch in np.flatnonzero(test.any(axis=1)):
        touched = np.unique(ids[fitted[epoch] & inside])
        hit[epoch] = test[epoch] & inside & np.isin(ids, touched)
    if not hit.any():
        return []
    patch = int(ids[np.argwhere(hit)[0][1]])
    return [
        Finding(
            fold=fold,
            kind=f"overlapping patch ({lattice})",
            count=int(hit.sum()),
            severity=_promised(masks, PLACE, "warning"),
            example=f"{_first(hit)}, patch {patch}",
        )
    ]


def _index_set(
    fold: int, what: str, given: MaskOrHash, allowed: Sequence[BoolArray], name: str
) -> list[Finding]:
    """Cell-epochs used for scaling or tuning that lie outside what may be used."""
    kind = f"{what} on cells outside {name}"
    if isinstance(given, str):
        if given in {index_set_hash(mask) for mask in allowed}:
            return []
        return [
            Finding(
                fold=fold, kind=kind, count=0, severity="leak",
                example=f"index set {given[:12]} is not that of {name}",
            )
        ]  # fmt: skip
    used = np.asarray(given, dtype=bool)
    beyond = used & ~np.logical_or.reduce(list(allowed))
    if not beyond.any():
        return []
    return [
        Finding(
            fold=fold, kind=kind, count=int(beyond.sum()), severity="leak", example=_first(beyond)
        )
    ]
