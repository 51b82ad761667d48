"""The data of a study of transfer: per region the patches of all epochs, and who may see which.

Ground decides: blocks of ground are dealt to training, validation and test once per region, for all
epochs together. Training and validation patches are those of the event epoch; test ground is that
which no training sees in any epoch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray

from detection.chain.counts import block_numbers
from detection.patches.cut import join_sets
from detection.patches.ground import ground_boxes
from detection.patches.patch_set import PatchOrigin, PatchSet
from detection.patches.split_record import ROLES, Split
from detection.training.study import counted_once
from hazard.errors import DataError
from hazard.geo.grid import Grid


@dataclass(frozen=True, eq=False, kw_only=True)
class RegionPatches:
    """One region.

    Attributes:
        name: of the region.
        event_epoch: the epoch that is trained on.
        patches: of all epochs.
        role: (patch,) role of the ground of each patch, as in `detection.patches.split_record`.
        block: number of the block of ground of every patch, for the bootstrap; the same ground has
            the same number in every epoch, whatever the grid of its scene.
    """

    name: str
    event_epoch: str
    patches: PatchSet
    role: Int[ndarray, " patch"]
    block: Mapping[PatchOrigin, int]

    @property
    def epochs(self) -> tuple[str, ...]:
        """Epochs in order of appearance, the event's first."""
        found = dict.fromkeys(origin.epoch for origin in self.patches.origin)
        return (self.event_epoch, *(e for e in found if e != self.event_epoch))

    @cached_property
    def parts(self) -> Mapping[str, PatchSet]:
        """Patches of the event epoch by role; of validation and test, no pixel counts twice."""
        found = {}
        for role in ("train", "validation", "test"):
            here = np.array([o.epoch == self.event_epoch for o in self.patches.origin])
            part = self.patches.select(np.flatnonzero(here & (self.role == ROLES[role])))
            found[role] = part if role == "train" or len(part) == 0 else counted_once(part)
        return found

    @cached_property
    def _scored(self) -> dict[str, tuple[PatchSet, ndarray, ndarray]]:
        found = {}
        on_test = self.role == ROLES["test"]
        for epoch in self.epochs:
            here = np.array([origin.epoch == epoch for origin in self.patches.origin])
            once = counted_once(self.patches.select(np.flatnonzero(here & on_test)))
            unseen = np.ones(len(once), dtype=bool)
            others = np.flatnonzero(here & ~on_test)
            if epoch != self.event_epoch and others.size:
                rest = counted_once(without_ground(self.patches.select(others), once))
                unseen = np.concatenate([unseen, np.zeros(len(rest), dtype=bool)])
                once = join_sets([once, rest])
            found[epoch] = once, np.array([self.block[o] for o in once.origin]), unseen
        return found

    def to_score(
        self, epoch: str
    ) -> tuple[PatchSet, Int[ndarray, " patch"], Bool[ndarray, " patch"]]:
        """What is scored of an epoch: every pixel once.

        Of the event epoch, on which trainings saw the other ground, test ground alone.

        Returns:
            Patches, their blocks of ground (the same numbers in every epoch), and which of them
            lie on test ground.
        """
        return self._scored[epoch]


def region_patches(
    patches: PatchSet,
    split: Split,
    order: Sequence[str],
    *,
    event_epochs: Mapping[str, str],
    block_px: int,
    grids: Mapping[str, Grid] | None = None,
) -> dict[str, RegionPatches]:
    """The patches region by region, in the order of the chain.

    Args:
        patches: of all regions and epochs.
        split: roles by ground (`split_by_block`), all epochs of a region together.
        order: regions of the chain.
        event_epochs: epoch that is trained on, where it is not the first.
        block_px: side of the blocks of the bootstrap [px].
        grids: grid of every scene; where None, the scenes of a region share one grid.

    Raises:
        DataError: a region or an event epoch that is not there, or without patches to train,
            validate or test on, or without landslide in one of these.
    """
    regions = np.array([origin.region for origin in patches.origin])
    there = list(dict.fromkeys(regions.tolist()))
    found: dict[str, RegionPatches] = {}
    for name in order:
        if name not in there:
            raise DataError(
                "chain.order", found=f"region {name!r}", expected=f"regions of {', '.join(there)}"
            )
        own = np.flatnonzero(regions == name)
        mine = patches.select(own)
        epochs = list(dict.fromkeys(origin.epoch for origin in mine.origin))
        event = event_epochs.get(name, epochs[0])
        if event not in epochs:
            raise DataError(
                f"chain.event_epochs.{name}", found=repr(event),
                expected=f"one of {', '.join(epochs)}",
            )  # fmt: skip
        # The middle of a patch: scenes of other epochs may lie a fraction of a pixel off.
        middle = ground_boxes(mine, grids)[:, :2] + mine.image.shape[1] / 2
        numbers = block_numbers(middle[:, 0], middle[:, 1], block_px=block_px)
        region = RegionPatches(
            name=name, event_epoch=event, patches=mine, role=split.role[own],
            block=dict(zip(mine.origin, numbers.tolist(), strict=True)),
        )  # fmt: skip
        for role, part in region.parts.items():
            if not (part.truth & part.counted).any():
                raise DataError(
                    f"region {name!r}, epoch {event!r}",
                    found=f"{len(part)} {role} patches, none with landslide",
                    expected="some with; another seed, smaller blocks or larger scenes",
                )
        found[name] = region
    return found


def without_ground(patches: PatchSet, other: PatchSet) -> PatchSet:
    """The patches with what lies in patches of the same scene in `other` taken as not known."""
    size = patches.image.shape[1]
    places: dict[str, list[tuple[int, int]]] = {}
    for origin in other.origin:
        places.setdefault(origin.scene, []).append((origin.row, origin.column))
    known = patches.known.copy()
    for i, origin in enumerate(patches.origin):
        for row, column in places.get(origin.scene, ()):
            down, right = row - origin.row, column - origin.column
            if abs(down) < size and abs(right) < size:
                known[
                    i, max(down, 0) : size + min(down, 0), max(right, 0) : size + min(right, 0)
                ] = False
    return replace(patches, known=known)


def filled(patches: PatchSet, number: int, *, seed: int = 0) -> PatchSet:
    """The patches, repeated until there are `number`: each as often as another, or once more.

    Trainings on equally many patches take equally many steps, on the same schedule, and share one
    compiled program.

    Raises:
        DataError: no patches.

    Example:
        >>> from detection.patches.patch_set import PatchOrigin
        >>> seen = np.ones((3, 2, 2), bool)
        >>> three = PatchSet(bands=("red",), unit="1", pixel_m=3.0, valid=seen, truth=seen,
        ...     image=np.zeros((3, 2, 2, 1), np.float32), known=seen, origin=tuple(
        ...     PatchOrigin(scene="a", region="a", epoch="1", row=r, column=0) for r in range(3)))
        >>> sorted(o.row for o in filled(three, 7).origin)
        [0, 0, 1, 1, 2, 2, 2]
    """
    if len(patches) == 0:
        raise DataError("patches", found="none", expected="some to train on")
    whole, rest = divmod(number, len(patches))
    more = np.random.default_rng(seed).permutation(len(patches))[:rest]
    indices = np.concatenate([np.tile(np.arange(len(patches)), whole), np.sort(more)])
    return patches.select(indices.astype(np.int64))


def share_of(patches: PatchSet, share: float, *, seed: int) -> PatchSet:
    """A random part of the patches with landslide in it: the few that somebody mapped.

    Args:
        patches: to draw from.
        share: of their number; rounded up.
        seed: of the draw.

    Raises:
        DataError: no patch with landslide.
    """
    positive = np.flatnonzero((patches.truth & patches.counted).any(axis=(1, 2)))
    if positive.size == 0:
        raise DataError("patches", found="none with landslide", expected="some to draw from")
    order = np.random.default_rng(seed).permutation(len(patches))
    chosen = order[: max(1, int(np.ceil(share * len(patches))))]
    if not np.isin(chosen, positive).any():
        # Nobody maps a part of a region where there is nothing to map.
        chosen[-1] = order[np.isin(order, positive)][0]
    return patches.select(np.sort(chosen))


def joined(parts: Sequence[PatchSet], number: int, *, seed: int = 0) -> PatchSet:
    """Patches of several regions, of each equally many."""
    return join_sets([filled(part, number, seed=seed) for part in parts])
