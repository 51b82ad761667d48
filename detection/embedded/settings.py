"""Settings of the embedded scenes."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from typing import Literal

from detection.embedded.regions import REGIONS, Region
from hazard.world.settings import MAXIMUM_EPOCHS

# Part of the hash: a folder written by another version of the renderer is written again.
RENDERER_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class EmbeddedSettings:
    """What is rendered; equal settings give equal scenes.

    Attributes:
        regions: names of the regions, of `REGIONS`.
        size_px: side of a scene [px].
        pixel_m: side of a pixel [m]; 3, 5 and 10 are those of the sensors that the papers used.
        epochs: dates after the event, 1 to 8; each is a scene and has the date before as `pre`.
        sites: places per region; their scenes do not overlap, but may adjoin.
        gap_px: ground between the scenes of a region, at least [px].
        seed: root of every random draw.
        truth: mask of the scenes: all landslides that are still bare ("visible"), as a mapper of
            one image draws them, or those that failed since the image before ("new").
        lookalikes: factor on the region's shares of fields, felled blocks, degraded ground,
            outcrops and roads: what is bare and no landslide.
        dem_pixel_m: pixel of the elevation raster [m].
        haze: factor on the region's haze.
        cloud_share: factor on the region's mean share of cloud.
        cloud_mask_error: share of cloud edges and shadows that the mask misses or overdraws.
        snow_mask: whether the mask of an image reports snow with the cloud, as scene
            classifications do; else landslides under it are in the truth and on no image.
        misregistration_px: standard deviation per axis of the shift between dates [px].
        radiometric_sd: standard deviation of the gains of bands and dates, in ln [1].
        noise: factor on the sensor's noise.
        psf_px: standard deviation of the point spread function [px].

    Raises:
        ValueError: an unknown region or a number out of range.

    Example:
        >>> EmbeddedSettings(regions=("nepal_like",), size_px=128).extent_m
        640.0
    """

    regions: tuple[str, ...] = ("nepal_like", "wenchuan_like", "papua_like", "kaikoura_like")
    size_px: int = 512
    pixel_m: float = 5.0
    epochs: int = 3
    sites: int = 1
    gap_px: int = 0
    seed: int = 0
    truth: Literal["visible", "new"] = "visible"
    lookalikes: float = 1.0
    dem_pixel_m: float = 30.0
    haze: float = 1.0
    cloud_share: float = 1.0
    cloud_mask_error: float = 0.2
    snow_mask: bool = False
    misregistration_px: float = 0.5
    radiometric_sd: float = 0.05
    noise: float = 1.0
    psf_px: float = 0.6

    def __post_init__(self) -> None:
        unknown = [name for name in self.regions if name not in REGIONS]
        if unknown or not self.regions or len(set(self.regions)) != len(self.regions):
            raise ValueError(f"regions {self.regions}; use each of {', '.join(REGIONS)} once")
        if self.truth not in ("visible", "new"):
            raise ValueError(f"truth {self.truth!r}; use 'visible' or 'new'")
        for name, low, high in (
            ("size_px", 32, 4096),
            ("pixel_m", 1.0, 15.0),
            ("epochs", 1, MAXIMUM_EPOCHS),
            ("sites", 1, 64),
            ("gap_px", 0, 1024),
            ("seed", 0, 2**31),
            ("lookalikes", 0.0, 1.5),
            ("dem_pixel_m", 5.0, 100.0),
            ("haze", 0.0, 5.0),
            ("cloud_share", 0.0, 10.0),
            ("cloud_mask_error", 0.0, 1.0),
            ("misregistration_px", 0.0, 5.0),
            ("radiometric_sd", 0.0, 0.5),
            ("noise", 0.0, 20.0),
            ("psf_px", 0.0, 3.0),
        ):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} {getattr(self, name)}; use {low} to {high}")
        if self.extent_m > 20_000.0:
            raise ValueError(f"scenes of {self.extent_m:.0f} m; use at most 20 km")

    @property
    def extent_m(self) -> float:
        """Side of a scene [m]."""
        return self.size_px * self.pixel_m

    @property
    def pitch_m(self) -> float:
        """Distance between the corners of neighbouring places [m]."""
        return (self.size_px + self.gap_px) * self.pixel_m

    @property
    def settings_hash(self) -> str:
        """SHA-256 of the settings and of the renderer's version."""
        return hashlib.sha256(f"{RENDERER_VERSION}:{asdict(self)}".encode()).hexdigest()

    def region(self, name: str) -> Region:
        """The preset of a region, with its share of lookalikes."""
        found, f = REGIONS[name], self.lookalikes
        return replace(
            found, farmland=f * found.farmland, clearings=f * found.clearings,
            eroded=f * found.eroded, outcrops=f * found.outcrops, roads=f * found.roads,
        )  # fmt: skip
