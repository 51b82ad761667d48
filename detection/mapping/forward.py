"""What maps a batch of tiles to probabilities: one network, several, and under flips.

`Forward` is any function of a raw batch: arrays (patch, y, x[, band]) by key, always of one shape,
to probabilities (patch, y, x). Members and flips are averaged as probabilities, before the one
threshold of the map. Everything here can be pickled if what it holds can.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from hazard.errors import DataError

RawBatch = Mapping[str, ndarray]
Forward = Callable[[RawBatch], ndarray]
Flip = Literal["none", "left_right", "up_down", "both"]

ALL_FLIPS: tuple[Flip, ...] = get_args(Flip)
_AXES: Mapping[Flip, tuple[int, ...]] = {
    "none": (), "left_right": (2,), "up_down": (1,), "both": (1, 2)
}  # fmt: skip
ROUNDING = 1e-5


@dataclass(frozen=True, eq=False)
class Flipped:
    """The mean over mirror images of a batch, each mirrored back.

    A tile of a mirrored scene is the mirrored tile, so the result still equals that of the whole
    scene. Terrain is mirrored as elevation: a hillshade is then lit from where it always is.

    Attributes:
        forward: what to average.
        flips: which mirror images; each once.
    """

    forward: Forward
    flips: tuple[Flip, ...] = ALL_FLIPS

    def __post_init__(self) -> None:
        if not self.flips or len(set(self.flips)) < len(self.flips) or set(self.flips) - set(_AXES):
            raise ValueError(f"flips {self.flips}; use each of {', '.join(_AXES)} at most once")

    def __call__(self, batch: RawBatch) -> Float[ndarray, "patch y x"]:
        """Probability of every pixel."""
        total: ndarray | None = None
        for flip in self.flips:
            axes = _AXES[flip]
            turned = {key: np.flip(value, axes) for key, value in batch.items()}
            found = np.flip(np.asarray(self.forward(turned)), axes)
            total = found.astype(np.float32) if total is None else total + found
        assert total is not None
        return total / np.float32(len(self.flips))


@dataclass(frozen=True, eq=False)
class Ensemble:
    """The mean over members.

    Attributes:
        members: forward functions of the same batch.

    Example:
        >>> pair = Ensemble((lambda b: b["image"][..., 0], lambda b: b["image"][..., 1]))
        >>> pair({"image": np.array([[[[0.25, 0.75]]]], np.float32)}).tolist()
        [[[0.5]]]
    """

    members: tuple[Forward, ...]

    def __post_init__(self) -> None:
        if not self.members:
            raise ValueError("an ensemble without members; give at least one")

    def __call__(self, batch: RawBatch) -> Float[ndarray, "patch y x"]:
        """Probability of every pixel."""
        total = np.asarray(self.members[0](batch)).astype(np.float32)
        for member in self.members[1:]:
            total = total + np.asarray(member(batch))
        return total / np.float32(len(self.members))


def joined(forwards: Sequence[Forward], flips: Sequence[Flip]) -> Forward:
    """One function for members and flips; the member itself where there is one and no flip."""
    one: Forward = forwards[0] if len(forwards) == 1 else Ensemble(tuple(forwards))
    return one if tuple(flips) == ("none",) else Flipped(one, tuple(flips))


def checked(
    answer: ndarray, wanted: Bool[ndarray, "patch y x"], name: str
) -> Float[ndarray, "patch y x"]:
    """What a forward function gave, where it is wanted, and 0 elsewhere.

    Raises:
        DataError: another shape, or a value outside [0, 1] or not finite where it is wanted.
    """
    found = np.asarray(answer)
    if found.shape != wanted.shape:
        raise DataError(
            name,
            found=f"a forward function that returns shape {found.shape}",
            expected=f"(patch, y, x) = {wanted.shape}",
        )
    # NaN fails the comparison too.
    wrong = ~((found >= -ROUNDING) & (found <= 1 + ROUNDING)) & wanted
    if wrong.any():
        raise DataError(
            name,
            found=f"a forward function that returns {found[wrong][0]} in a valid pixel",
            expected="probabilities from 0 to 1",
        )
    return np.where(wanted, found, np.float32(0)).astype(np.float32, copy=False)
