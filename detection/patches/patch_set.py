"""The record of a set of patches: squares of pixels from one or many scenes, in physical units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray


@dataclass(frozen=True, kw_only=True)
class PatchOrigin:
    """Where a patch was cut.

    Attributes:
        scene: name of the scene (or of the file, for patches that came cut).
        region: its region.
        epoch: its epoch.
        row: first row of the patch in the scene [px].
        column: first column [px].
    """

    scene: str
    region: str
    epoch: str
    row: int
    column: int


@dataclass(frozen=True, eq=False, kw_only=True)
class PatchSet:
    """Patches of one size, bands in one order, values in the unit of the sensor.

    Nothing here is standardised: `Preparation` does that, behind the augmentation and inside the
    network that is stored.

    Attributes:
        bands: names of the bands.
        unit: unit of `image`.
        pixel_m: side of a pixel [m]; None where the files do not say.
        image: the date to be mapped (patch, y, x, band), float32.
        valid: pixels that were seen (patch, y, x).
        truth: landslides (patch, y, x).
        known: pixels that the mapper looked at (patch, y, x).
        origin: where each patch was cut.
        pre: an earlier date, as `image`, or None.
        pre_valid: what was seen of it, or None.
        elevation_m: ground elevation (patch, y, x), float32, or None.
        synthetic: True where any patch was rendered.

    Raises:
        ValueError: arrays of different size.
    """

    bands: tuple[str, ...]
    unit: str
    pixel_m: float | None
    image: Float[ndarray, "patch y x band"]
    valid: Bool[ndarray, "patch y x"]
    truth: Bool[ndarray, "patch y x"]
    known: Bool[ndarray, "patch y x"]
    origin: tuple[PatchOrigin, ...]
    pre: Float[ndarray, "patch y x band"] | None = None
    pre_valid: Bool[ndarray, "patch y x"] | None = None
    elevation_m: Float[ndarray, "patch y x"] | None = None
    synthetic: bool = False

    def __post_init__(self) -> None:
        shape = self.image.shape
        if len(shape) != 4 or shape[-1] != len(self.bands):
            raise ValueError(f"image of shape {shape}; use (patch, y, x, {len(self.bands)})")
        for name, value in self._arrays().items():
            expected = shape if name in ("image", "pre") else shape[:3]
            if value.shape != expected:
                raise ValueError(f"{name} of shape {value.shape}; use {expected}")
        if len(self.origin) != shape[0]:
            raise ValueError(f"{len(self.origin)} origins of {shape[0]} patches")
        if (self.pre is None) != (self.pre_valid is None):
            raise ValueError("give pre and pre_valid together")

    def __len__(self) -> int:
        return len(self.image)

    @property
    def counted(self) -> Bool[ndarray, "patch y x"]:
        """Pixels that were seen and mapped: those that train and score."""
        return self.valid & self.known

    def select(self, indices: Int[ndarray, " patch"] | Sequence[int]) -> PatchSet:
        """The patches of these numbers, in this order."""
        chosen = np.asarray(indices, dtype=np.int64)
        changes: dict[str, Any] = {name: v[chosen] for name, v in self._arrays().items()}
        changes["origin"] = tuple(self.origin[i] for i in chosen)
        return replace(self, **changes)

    def _arrays(self) -> dict[str, ndarray]:
        found = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: v for name, v in found.items() if isinstance(v, np.ndarray)}
