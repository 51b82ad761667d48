r"""How often each patch is drawn in an epoch, and what that does to the share of landslide.

Landslides cover about a hundredth of a scene. Drawing patches with landslides more often makes a
network see more of them, and makes it expect more: under cross-entropy its log odds rise by

$$\Delta = \mathrm{logit}(\pi') - \mathrm{logit}(\pi),$$

with the share of landslide pixels $\pi$ of the patches and $\pi'$ of the draws, the positive weight
of the loss counted in (Elkan, 2001, "The foundations of cost-sensitive learning"). Both shares are
recorded with every model; for losses that are proper the shift can be taken back.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from detection.patches.patch_set import PatchSet


@dataclass(frozen=True, kw_only=True)
class Prior:
    """What a training saw of landslides.

    Attributes:
        patches: number of training patches.
        positive_patches: those with a landslide pixel that counts.
        draws: patches drawn per epoch.
        positive_draws: those with landslide.
        pixel_share: share of landslide among the pixels that count, each patch once.
        drawn_share: likewise, each patch as often as it is drawn.
        positive_weight: weight of landslide pixels in the loss.
    """

    patches: int
    positive_patches: int
    draws: int
    positive_draws: int
    pixel_share: float
    drawn_share: float
    positive_weight: float = 1.0

    @property
    def logit_shift(self) -> float:
        """By how much the log odds of a proper loss stand too high.

        Example:
            >>> prior = Prior(patches=4, positive_patches=1, draws=6, positive_draws=3,
            ...               pixel_share=0.1, drawn_share=0.5)
            >>> round(prior.logit_shift, 4) == round(math.log(9), 4)
            True
        """
        if not (0 < self.pixel_share < 1 and 0 < self.drawn_share < 1):
            return 0.0
        return _logit(self.drawn_share) - _logit(self.pixel_share) + math.log(self.positive_weight)

    def to_json(self) -> dict[str, Any]:
        """Plain values, the shift included."""
        return {**asdict(self), "logit_shift": self.logit_shift}


def has_landslide(patches: PatchSet) -> ndarray:
    """(patch,) True where a pixel of landslide counts."""
    found: ndarray = (patches.truth & patches.counted).any(axis=(1, 2))
    return found


def draws(
    positive: ndarray, *, positive_share: float | None, most_repeats: int = 20, seed: int = 0
) -> Int[ndarray, " draw"]:
    """Numbers of the patches of one epoch: each once, and positive ones as often as needed.

    Args:
        positive: (patch,) True where a patch has landslide.
        positive_share: share of positive draws to reach; None leaves every patch at one draw.
            A larger share that is there already is left as it is.
        most_repeats: no patch is drawn more often than this.
        seed: decides which positives are drawn once more where the repeats do not come out even.

    Raises:
        ValueError: a share that is not between 0 and 1.

    Example:
        >>> draws(np.array([True, False, False]), positive_share=0.5).tolist()
        [0, 1, 2, 0]
    """
    number = positive.size
    everyone = np.arange(number, dtype=np.int32)
    if positive_share is None:
        return everyone
    if not 0 < positive_share < 1:
        raise ValueError(f"share of positive draws {positive_share}; use one between 0 and 1")
    which = np.flatnonzero(positive).astype(np.int32)
    if which.size == 0 or which.size == number:
        return everyone
    negatives = number - which.size
    wanted = math.ceil(negatives * positive_share / (1.0 - positive_share))
    wanted = min(wanted, most_repeats * which.size)
    more = wanted - which.size
    if more <= 0:
        return everyone
    whole, rest = divmod(more, which.size)
    odd = np.random.default_rng(seed).permutation(which)[:rest]
    return np.concatenate([everyone, np.tile(which, whole), odd])


def prior_of(patches: PatchSet, drawn: ndarray, *, positive_weight: float = 1.0) -> Prior:
    """Shares of landslide, of the patches and of the draws."""
    counted = patches.counted
    pixels = counted.sum(axis=(1, 2)).astype(np.float64)
    landslide = (patches.truth & counted).sum(axis=(1, 2)).astype(np.float64)
    positive = landslide > 0
    return Prior(
        patches=len(patches),
        positive_patches=int(positive.sum()),
        draws=int(drawn.size),
        positive_draws=int(positive[drawn].sum()),
        pixel_share=float(landslide.sum() / max(pixels.sum(), 1.0)),
        drawn_share=float(landslide[drawn].sum() / max(pixels[drawn].sum(), 1.0)),
        positive_weight=positive_weight,
    )


def _logit(share: float) -> float:
    return math.log(share / (1.0 - share))
