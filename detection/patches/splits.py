"""Split patches into training, validation and test without leaks, by ground, region or epoch.

Every scheme keeps whole patches together with all that overlaps or adjoins them; those that
straddle a boundary are unused. `split_at_random` is the published practice (every patch by itself,
neighbours and overlapping patches on both sides), here for comparison and under a name that says
what it does. `detection.patches.audit` looks for what any of them lets through.
Why blocks: Roberts et al. (2017), Ecography 40, 913-929, doi:10.1111/ecog.02881.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from detection.patches.blocks import block_classes, classes_of_patches, deal, settle
from detection.patches.ground import by_region, ground_boxes, pieces_of_ground
from detection.patches.patch_set import PatchSet
from detection.patches.split_record import ROLES, Split
from hazard.errors import DataError
from hazard.geo.grid import Grid
from stats.resampling.folds import EPOCH, EVENT, PLACE, TEST, TRAIN, UNUSED, VALIDATION

Shares = tuple[float, float, float]
SHARES: Shares = (0.6, 0.2, 0.2)
_ORDER = np.array([TRAIN, VALIDATION, TEST], dtype=np.int8)
Grids = Mapping[str, Grid] | None


def split_by_block(
    patches: PatchSet,
    *,
    block_px: int,
    buffer_px: int | None = None,
    shares: Shares = SHARES,
    seed: int = 0,
    grids: Grids = None,
) -> Split:
    """Square blocks of ground, dealt to the roles in every region, all epochs together.

    Args:
        patches: the set.
        block_px: side of a block [px]; several times that of a patch, or few patches lie inside.
        buffer_px: ground between patches of different roles [px]; half a patch where None.
        shares: of the blocks, for train, validation and test. Blocks with many landslides are
            dealt first, so that every role gets some.
        seed: of the dealing.
        grids: grid of every scene; where None, the scenes of a region share one grid.

    Raises:
        DataError: a role that should have patches gets none.

    Example:
        >>> from detection.patches.patch_set import PatchOrigin
        >>> origin = tuple(PatchOrigin(scene="a", region="a", epoch="1", row=8 * r, column=8 * c)
        ...     for r in range(16) for c in range(16))
        >>> seen = np.ones((256, 8, 8), bool)
        >>> patches = PatchSet(bands=("red",), unit="1", pixel_m=3.0, valid=seen, truth=seen,
        ...     image=np.zeros((256, 8, 8, 1), np.float32), known=seen, origin=origin)
        >>> split_by_block(patches, block_px=32).counts()
        {'unused': 68, 'train': 131, 'validation': 30, 'test': 27}
    """
    buffer = _buffer(patches, buffer_px)
    rng = np.random.default_rng(seed)
    boxes, landslide = ground_boxes(patches, grids), _landslide_px(patches)
    role = np.full(len(patches), UNUSED, dtype=np.int8)
    blocks = 0
    for places in by_region(patches).values():
        found, held = classes_of_patches(
            boxes[places], landslide[places], block_px=block_px, buffer_px=buffer,
            shares=shares, rng=rng,
        )  # fmt: skip
        role[places] = np.where(found >= 0, _ORDER[found], UNUSED)
        blocks += held
    split = Split(
        name="blocks", unit=f"block of {block_px} px", role=role, separates=frozenset({PLACE}),
        buffer_px=buffer, seed=seed,
        parameters={"block_px": block_px, "shares": list(shares), "blocks": blocks},
    )  # fmt: skip
    return _require_roles(split, _named(shares), f"smaller blocks than {block_px} px ({blocks})")


def block_folds(
    patches: PatchSet,
    n_folds: int,
    *,
    block_px: int,
    buffer_px: int | None = None,
    seed: int = 0,
    grids: Grids = None,
) -> tuple[Split, ...]:
    """Cross-validation by blocks: fold k tests the k-th part of the blocks, validates on the next.

    Within a fold, patches between blocks of one role are used, whatever parts these belong to.

    Args: as `split_by_block`; `n_folds` parts, at least 3.
    """
    if n_folds < 3:
        raise ValueError(f"{n_folds} folds; use at least 3 (test, validation, training)")
    buffer = _buffer(patches, buffer_px)
    rng = np.random.default_rng(seed)
    boxes, landslide = ground_boxes(patches, grids), _landslide_px(patches)
    regions = list(by_region(patches).values())
    dealt = [
        block_classes(boxes[p], landslide[p], block_px=block_px, shares=[1.0] * n_folds, rng=rng)
        for p in regions
    ]
    folds = []
    for fold in range(n_folds):
        role = np.full(len(patches), UNUSED, dtype=np.int8)
        for places, (lattice, inside, _) in zip(regions, dealt, strict=True):
            after = (fold + 1) % n_folds
            of_block = np.where(
                lattice == fold, TEST, np.where(lattice == after, VALIDATION, TRAIN)
            )
            found = settle(
                boxes[places], of_block, block_px=block_px, buffer_px=buffer, inside=inside
            )
            role[places] = np.where(found >= 0, found, UNUSED)
        split = Split(
            name="block_folds", unit=f"block of {block_px} px", role=role,
            separates=frozenset({PLACE}), buffer_px=buffer, seed=seed,
            parameters={"block_px": block_px, "fold": fold, "n_folds": n_folds},
        )  # fmt: skip
        folds.append(_require_roles(split, tuple(ROLES)[1:], f"blocks smaller than {block_px} px"))
    return tuple(folds)


def split_by_place(
    patches: PatchSet,
    *,
    buffer_px: int | None = None,
    shares: Shares = SHARES,
    seed: int = 0,
    grids: Grids = None,
) -> Split:
    """Whole pieces of ground that do not touch, all epochs together: no patch is lost to a border.

    Args: as `split_by_block`; pieces with many landslides are dealt first, over all regions.

    Raises:
        DataError: a role that should have patches gets none.
    """
    buffer = _buffer(patches, buffer_px)
    number, found = _dealt_groups(
        patches, pieces_of_ground(patches, grids, apart_px=buffer), shares, seed
    )
    split = Split(
        name="places", unit="piece of ground", role=_ORDER[found[number]],
        separates=frozenset({PLACE}), buffer_px=buffer, seed=seed,
        parameters={"shares": list(shares), "places": len(found)},
    )  # fmt: skip
    return _require_roles(split, _named(shares), f"blocks: the ground is in {len(found)} pieces")


def split_by_region(
    patches: PatchSet, *, test: Sequence[str], validation: Sequence[str] = ()
) -> Split:
    """Whole regions: what happens in a place that the network never saw.

    Args:
        patches: the set.
        test: regions that are tested.
        validation: regions that are validated on. Where empty, `hold_out_validation` makes a
            validation part from blocks of the training regions.

    Raises:
        DataError: a region that is not there, or is named twice, or nothing left to train on.
    """
    names = [origin.region for origin in patches.origin]
    role = _by_name(names, "region", test, validation)
    return Split(
        name="regions", unit="region", role=role, separates=frozenset({PLACE, EVENT}),
        parameters={"test": list(test), "validation": list(validation)},
    )  # fmt: skip


def region_folds(patches: PatchSet) -> tuple[Split, ...]:
    """Leave one region out: as many splits as regions, each tested once."""
    return tuple(split_by_region(patches, test=[name]) for name in by_region(patches))


def split_by_epoch(
    patches: PatchSet, *, train: Mapping[str, Sequence[str]] | Sequence[str]
) -> Split:
    """Train on some epochs, test on all others of the same regions, as paper 000 does.

    The places are the same: what is new is the date. The split promises an unseen epoch, not an
    unseen place, and the audit says how much ground the roles share.

    Args:
        patches: the set.
        train: epochs to train on, for all regions or region by region.

    Raises:
        DataError: an epoch that is not there, or nothing to train on or to test.
    """
    wanted = {
        name: set(train.get(name, ()) if isinstance(train, Mapping) else train)
        for name in by_region(patches)
    }
    there = {(origin.region, origin.epoch) for origin in patches.origin}
    asked = (
        {(name, epoch) for name, epochs in train.items() for epoch in epochs}
        if isinstance(train, Mapping)
        else {(name, epoch) for name, epoch in there if epoch in set(train)}
    )
    unknown = asked - there
    if not isinstance(train, Mapping):
        unknown = {("any region", epoch) for epoch in set(train) - {epoch for _, epoch in there}}
    if unknown:
        region, epoch = sorted(unknown)[0]
        raise DataError(
            "split by epoch", found=f"no patches of epoch {epoch!r} in {region!r}",
            expected=", ".join(f"{r}/{e}" for r, e in sorted(there)),
        )  # fmt: skip
    role = np.array(
        [TRAIN if o.epoch in wanted[o.region] else TEST for o in patches.origin], dtype=np.int8
    )
    split = Split(
        name="epochs", unit="epoch", role=role, separates=frozenset({EPOCH}),
        parameters={"train": {name: sorted(epochs) for name, epochs in wanted.items()}},
    )  # fmt: skip
    return _require_roles(split, ("train", "test"), "another choice of epochs")


def split_by_group(
    patches: PatchSet, group: Sequence[int] | Int[ndarray, " patch"], *,
    shares: Shares = SHARES, seed: int = 0,
) -> Split:  # fmt: skip
    """Whole groups of patches that nobody can place on the ground, such as near-duplicates.

    Args:
        patches: the set.
        group: number of the group of every patch (`detection.patches.audit.linked_groups`).
        shares: of the groups, for train, validation and test.
        seed: of the dealing; groups with many landslides are dealt first.
    """
    number, found = _dealt_groups(patches, group, shares, seed)
    split = Split(
        name="groups", unit="group of patches", role=_ORDER[found[number]],
        separates=frozenset({PLACE}), seed=seed,
        parameters={"shares": list(shares), "groups": len(found)},
    )  # fmt: skip
    return _require_roles(split, _named(shares), f"more groups than {len(found)}")


def group_folds(
    patches: PatchSet, group: Sequence[int] | Int[ndarray, " patch"], n_folds: int, *, seed: int = 0
) -> tuple[Split, ...]:
    """Cross-validation by groups: fold k tests the k-th part, validates on the next."""
    if n_folds < 3:
        raise ValueError(f"{n_folds} folds; use at least 3 (test, validation, training)")
    number, found = _dealt_groups(patches, group, [1.0] * n_folds, seed)
    part = found[number]
    folds = []
    for fold in range(n_folds):
        role = np.where(
            part == fold, TEST, np.where(part == (fold + 1) % n_folds, VALIDATION, TRAIN)
        )
        split = Split(
            name="group_folds", unit="group of patches", role=role, separates=frozenset({PLACE}),
            seed=seed, parameters={"fold": fold, "n_folds": n_folds, "groups": len(found)},
        )  # fmt: skip
        folds.append(_require_roles(split, tuple(ROLES)[1:], "fewer folds"))
    return tuple(folds)


def split_at_random(patches: PatchSet, *, shares: Shares = SHARES, seed: int = 0) -> Split:
    """Every patch by itself, as published: it LEAKS where patches adjoin or overlap.

    Neighbours share roads, rivers, light and, with overlap, pixels; scores on such a test part say
    how well a network fills gaps in a map it has seen. It promises nothing.

    Args:
        patches: the set.
        shares: of the patches, for train, validation and test.
        seed: of the permutation.
    """
    rng = np.random.default_rng(seed)
    role = _ORDER[deal(np.zeros(len(patches)), shares, rng)]
    return Split(
        name="random_patches", unit="patch", role=role, seed=seed,
        parameters={"shares": list(shares), "leaks": "adjoining and overlapping patches"},
    )  # fmt: skip


SPLITS: dict[str, Callable[..., Split]] = {
    "blocks": split_by_block,
    "places": split_by_place,
    "regions": split_by_region,
    "epochs": split_by_epoch,
    "groups": split_by_group,
    "random_patches": split_at_random,
}
"""Schemes by the name that a configuration gives; `random_patches` is the leaking one."""


def hold_out_validation(
    patches: PatchSet,
    split: Split,
    *,
    block_px: int,
    buffer_px: int | None = None,
    share: float = 0.2,
    seed: int = 0,
    grids: Grids = None,
) -> Split:
    """Set blocks of the training ground aside for validation; test patches stay as they are.

    Raises:
        DataError: no validation patch comes out of it.
    """
    train = split.indices("train")
    inner = split_by_block(
        patches.select(train), block_px=block_px, buffer_px=buffer_px,
        shares=(1 - share, share, 0.0), seed=seed, grids=grids,
    )  # fmt: skip
    role = split.role.copy()
    role[train] = inner.role
    return split.with_roles(role, parameters={**split.parameters, "validation": inner.parameters})


def _buffer(patches: PatchSet, buffer_px: int | None) -> float:
    buffer = patches.image.shape[1] / 2 if buffer_px is None else float(buffer_px)
    if not buffer >= 0:
        raise ValueError(f"buffer of {buffer_px} px; use 0 or more")
    return buffer


def _landslide_px(patches: PatchSet) -> Int[ndarray, " patch"]:
    return (patches.truth & patches.counted).sum(axis=(1, 2))


def _named(shares: Sequence[float]) -> tuple[str, ...]:
    names = ("train", "validation", "test")
    return tuple(name for name, share in zip(names, shares, strict=True) if share > 0)


def _dealt_groups(
    patches: PatchSet,
    group: Sequence[int] | Int[ndarray, " patch"],
    shares: Sequence[float],
    seed: int,
) -> tuple[Int[ndarray, " patch"], Int[ndarray, " group"]]:
    if len(group) != len(patches):
        raise ValueError(f"{len(group)} group numbers of {len(patches)} patches")
    _, number = np.unique(np.asarray(group), return_inverse=True)
    weight = np.bincount(number, weights=_landslide_px(patches))
    return number, deal(weight, shares, np.random.default_rng(seed))


def _by_name(
    names: Sequence[str], what: str, test: Sequence[str], validation: Sequence[str]
) -> Int[ndarray, " patch"]:
    there = list(dict.fromkeys(names))
    asked = [*test, *validation]
    wrong = [name for name in asked if name not in there or asked.count(name) > 1]
    if wrong or not set(there) - set(asked) or not test:
        problem = f"{what} {wrong[0]!r}" if wrong else f"test {list(test)}"
        raise DataError(
            f"split by {what}", found=problem,
            expected=f"each of {', '.join(there)} at most once, one in test, one left to train on",
        )  # fmt: skip
    code = dict.fromkeys(test, TEST) | dict.fromkeys(validation, VALIDATION)
    return np.array([code.get(name, TRAIN) for name in names], dtype=np.int8)


def _require_roles(split: Split, roles: Sequence[str], remedy: str) -> Split:
    counts = split.counts()
    empty = [name for name in roles if not counts[name]]
    if empty:
        raise DataError(
            f"split {split.name!r}",
            found=f"no patches for {' and '.join(empty)} ({counts})",
            expected=f"some in every role; try {remedy}",
        )
    return split
