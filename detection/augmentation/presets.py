"""The published menus and the default, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from detection.augmentation.config import AugmentationConfig, Change

_SEVENTH = 1.0 / 7.0

# The published script made six changed copies of every patch once, beside the patch itself, and
# shuffled them; here each of the seven comes up with equal chance each time a patch is drawn.
# The horizontal flip of the paper was computed there and then left out of the training set.
_ADSMS = AugmentationConfig(
    vertical_flip=_SEVENTH,
    rotation_deg=Change(low=-45.0, high=45.0, probability=_SEVENTH),
    shear_x_deg=Change(low=-20.0, high=20.0, probability=_SEVENTH),
    shear_y_deg=Change(low=-20.0, high=20.0, probability=_SEVENTH),
    blur_px=Change(low=0.0, high=3.0, probability=_SEVENTH),
    sharpen=Change(low=0.0, high=1.0, probability=_SEVENTH),
    sharpen_lightness=(0.75, 2.0),
    exclusive=True,
)

# Prakash et al. (2021), Scientific Reports 11, 9722, change geometry alike and radiometry apart
# for the two dates; no range is published, so the ranges are ours.
_BITEMPORAL = AugmentationConfig(
    vertical_flip=0.5,
    horizontal_flip=0.5,
    rotation_deg=Change(low=-180.0, high=180.0, probability=0.5),
    shear_x_deg=Change(low=-10.0, high=10.0, probability=0.25),
    shear_y_deg=Change(low=-10.0, high=10.0, probability=0.25),
    scale=Change(low=0.8, high=1.25, probability=0.5),
    blur_px=Change(low=0.0, high=1.0, probability=0.25),
    sharpen=Change(low=0.0, high=0.5, probability=0.25),
    noise=Change(low=0.0, high=0.1, probability=0.25),
    gain=Change(low=0.8, high=1.2, probability=0.5),
    offset=Change(low=-0.2, high=0.2, probability=0.5),
)

# Turns and flips that move pixels exactly; everything that blurs or cuts happens to few samples.
_DEFAULT = AugmentationConfig(
    vertical_flip=0.5,
    horizontal_flip=0.5,
    quarter_turn=1.0,
    rotation_deg=Change(low=-20.0, high=20.0, probability=0.25),
    scale=Change(low=0.8, high=1.25, probability=0.25),
    blur_px=Change(low=0.0, high=0.8, probability=0.1),
    noise=Change(low=0.0, high=0.1, probability=0.25),
    gain=Change(low=0.9, high=1.1, probability=0.5),
    offset=Change(low=-0.2, high=0.2, probability=0.5),
)

# Where training and test share sensor, dates and light, a short training learns more without haze
# and noise of our own.
_TURNS = AugmentationConfig(vertical_flip=0.5, horizontal_flip=0.5, quarter_turn=1.0)

AUGMENTATIONS: Mapping[str, AugmentationConfig] = {
    "none": AugmentationConfig(),
    "turns": _TURNS,
    "default": _DEFAULT,
    "adsms": _ADSMS,
    "adsms_published": replace(_ADSMS, interpolate_mask=True, count_filled=True),
    "bitemporal": _BITEMPORAL,
}
"""``none``; ``turns``, exact turns and flips alone; ``default``; ``adsms``, the menu of the ADSMS
U-Net with masks and edges put right; ``adsms_published``, with its interpolated masks and its edges
counted as ground; ``bitemporal``, the kinds of changes of Prakash et al. (2021), whose ranges are
not published."""


def augmentation(preset: str = "default", changes: Mapping[str, Any] | None = None) -> (
    AugmentationConfig
):  # fmt: skip
    """A preset, with some of its settings replaced.

    Args:
        preset: name in `AUGMENTATIONS`.
        changes: plain values of settings of `AugmentationConfig`.

    Raises:
        ValueError: an unknown preset or setting, or values that make no sense.

    Example:
        >>> augmentation("none", {"vertical_flip": 0.5}).shares
        {'vertical_flip': 0.5}
    """
    if preset not in AUGMENTATIONS:
        raise ValueError(f"augmentation {preset!r}; use one of {', '.join(AUGMENTATIONS)}")
    return AUGMENTATIONS[preset].changed(changes or {})
