"""The record of a scene: images of one place and date on one grid, and what is known of them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from hazard.geo.grid import Grid


@dataclass(frozen=True, eq=False, kw_only=True)
class Scene:
    """Images of one place and date, on one projected grid.

    What was not seen (no data, cloud, beyond the edge) is False in `valid` and may hold any number
    in `image`; where nobody mapped, `known` is False. Both are masks of their own: an absent
    landslide is told from an unseen one, and 0 is a value.

    Attributes:
        name: unique among the scenes of a study; the key of manifests and tables.
        region: the place (a study area, an inventory); splits by event go by it.
        epoch: name of the epoch that `date` belongs to.
        date: when the image was taken; None where it is not known.
        bands: names of the bands of `image` (and of `pre`), such as blue, green, red, nir.
        unit: unit of the values ("1" for reflectance, "dn" for uncalibrated counts).
        sensor: what took the image.
        grid: where the pixels lie; projected, metres.
        image: the date to be mapped (y, x, band).
        valid: pixels that were seen (y, x).
        truth: landslides (y, x); None where there is no inventory.
        known: pixels that the mapper looked at (y, x); None exactly where `truth` is None.
        pre: an earlier image, bands and grid as `image`, or None.
        pre_valid: pixels of `pre` that were seen; None exactly where `pre` is None.
        elevation_m: ground elevation (y, x), or None.
        synthetic: True for rendered scenes; stamped on every figure.

    Raises:
        ValueError: arrays that do not fit the grid, the bands or each other.
    """

    name: str
    region: str
    epoch: str
    date: dt.date | None
    bands: tuple[str, ...]
    unit: str
    sensor: str
    grid: Grid
    image: Float[ndarray, "y x band"]
    valid: Bool[ndarray, "y x"]
    truth: Bool[ndarray, "y x"] | None = None
    known: Bool[ndarray, "y x"] | None = None
    pre: Float[ndarray, "y x band"] | None = None
    pre_valid: Bool[ndarray, "y x"] | None = None
    elevation_m: Float[ndarray, "y x"] | None = None
    synthetic: bool = False

    def __post_init__(self) -> None:
        if len(set(self.bands)) != len(self.bands) or not self.bands:
            raise ValueError(f"scene {self.name!r}: bands {self.bands}; name each band once")
        for one, other in (("truth", "known"), ("pre", "pre_valid")):
            if (getattr(self, one) is None) != (getattr(self, other) is None):
                raise ValueError(f"scene {self.name!r}: give {one} and {other} together")
        for item in fields(self):
            value = getattr(self, item.name)
            if not isinstance(value, np.ndarray):
                continue
            cube = item.name in ("image", "pre")
            expected = (*self.grid.shape, len(self.bands)) if cube else self.grid.shape
            if value.shape != expected:
                raise ValueError(
                    f"scene {self.name!r}: {item.name} of shape {value.shape}; use {expected}"
                )

    @property
    def counted(self) -> Bool[ndarray, "y x"]:
        """Pixels that were seen and mapped: those that train and score.

        Raises:
            ValueError: a scene without an inventory.
        """
        if self.known is None:
            raise ValueError(f"scene {self.name!r} has no inventory; nothing can be scored there")
        return self.valid & self.known
