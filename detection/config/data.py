"""What is mapped: scenes or patches, how they are cut, and what is held out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from hazard.config.validation import Section

Share = Annotated[float, Field(ge=0.0, lt=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
Count = Annotated[int, Field(ge=1)]
Layout = Literal["scenes", "image_folders", "hr_gldd", "landslide4sense"]


class EmbeddedConfig(Section):
    """Synthetic scenes, rendered where no data are named; see docs/detection_scenes.md."""

    regions: Annotated[tuple[str, ...], Field(min_length=1)] = ("nepal_like",)
    """which of the regions"""
    size_px: Annotated[int, Field(ge=32, le=4096)] = 384
    """side of a scene [px]"""
    pixel_m: Positive = 5.0
    """side of a pixel [m]"""
    epochs: Count = 2
    """dates after the event; each has the date before as its earlier image"""
    sites: Count = 1
    """places per region; they may adjoin"""
    gap_px: Annotated[int, Field(ge=0, le=1024)] = 0
    """ground between them, at least [px]"""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """seed of the scenes; the study's own seed leaves them as they are"""
    truth: Literal["visible", "new"] = "visible"
    """all landslides that are still bare, or those that failed since the image before"""
    lookalikes: Annotated[float, Field(ge=0, le=1.5)] = 1.0
    """factor on fields, felled blocks, degraded ground, outcrops and roads"""
    dem_pixel_m: Positive = 30.0
    """pixel of the elevation raster [m]"""
    haze: Annotated[float, Field(ge=0)] = 1.0
    """factor on the haze"""
    cloud_share: Annotated[float, Field(ge=0)] = 1.0
    """factor on the share of cloud"""
    cloud_mask_error: Annotated[float, Field(ge=0, le=1)] = 0.2
    """share of cloud edges and shadows that the mask misses or overdraws"""
    snow_mask: bool = False
    """masks report snow with the cloud: nothing is seen there"""
    misregistration_px: Annotated[float, Field(ge=0)] = 0.5
    """shift between dates, standard deviation per axis [px]"""
    radiometric_sd: Annotated[float, Field(ge=0)] = 0.05
    """differences of gain between bands and dates, standard deviation in ln [1]"""
    noise: Annotated[float, Field(ge=0)] = 1.0
    """factor on the noise of the sensor"""
    psf_px: Annotated[float, Field(ge=0, le=3)] = 0.6
    """standard deviation of the point spread function [px]"""


class SourceConfig(Section):
    """How the files of `data` are read."""

    layout: Layout = "scenes"
    """scenes: a folder with scenes.yaml; image_folders: images beside masks of the same name;
    hr_gldd: trainX.npy, trainY.npy, ...; landslide4sense: .h5 files of 14 bands"""
    bands: tuple[str, ...] | None = None
    """names of the bands in the order of the files; layouts that name them themselves need none"""
    unit: str | None = None
    """unit of the values, such as 1 (reflectance) or dn; likewise"""
    pixel_m: Positive | None = None
    """side of a pixel [m]; likewise"""
    regions: tuple[str, ...] | None = None
    """regions to use; absent: all"""
    epochs: tuple[str, ...] | None = None
    """epochs to use; absent: all"""


class PatchConfig(Section):
    """How scenes are cut; patches that come cut are taken as they are."""

    size_px: Annotated[int, Field(ge=16, le=1024)] = 64
    """side of a patch [px], a multiple of 16 (32 for the bi-temporal network)"""
    stride_px: Annotated[int, Field(ge=1)] = 64
    """distance between the corners of patches [px]"""
    train_stride_px: Annotated[int, Field(ge=1)] | None = None
    """that of training patches, where it differs: overlapping ones show more"""
    keep_empty: bool = True
    """false leaves patches without landslide out, of training and test alike, as in several
    papers: false alarms on stable ground are then not counted"""
    minimum_counted: Share = 0.5
    """smallest share of a patch that was seen and mapped"""

    @model_validator(mode="after")
    def _divides(self) -> PatchConfig:
        if self.size_px % 16:
            raise ValueError(f"found size_px {self.size_px}; expected a multiple of 16")
        for name in ("stride_px", "train_stride_px"):
            stride = getattr(self, name)
            if stride is not None and stride > self.size_px:
                raise ValueError(
                    f"found {name} {stride} for patches of {self.size_px} px; expected at most as "
                    "much, so that no pixel is left out"
                )
        return self


class SplitConfig(Section):
    """What is held out. Training, validation and test never share a pixel of ground."""

    by: Literal["block", "place", "region", "epoch", "given", "group", "random_patches"] = "block"
    """block: squares of ground, the same on every date; place: whole pieces of ground that do not
    touch; region or epoch: by name; given: the parts that the data set comes in; group: patches
    that came cut, those that look alike together; random_patches: as several papers did, which
    puts neighbours of training patches into the test part"""
    block_m: Positive = 480.0
    """block, and validation by share: side of a square [m]; several times that of a patch"""
    buffer_m: Annotated[float, Field(ge=0)] | None = None
    """ground between patches of different parts [m]; absent: half a patch"""
    test_share: Share = 0.25
    """block, place, group and random_patches: share for testing"""
    validation_share: Share = 0.2
    """share for early stopping and the threshold, of the patches that are not tested"""
    test: tuple[str, ...] = ()
    """region and epoch: names for testing"""
    validation: tuple[str, ...] = ()
    """region and epoch: names for validation; absent: blocks of validation_share"""
    unseen_regions: tuple[str, ...] = ()
    """regions that are tested whole, beside the split of the others"""

    @model_validator(mode="after")
    def _names(self) -> SplitConfig:
        if self.by in ("region", "epoch"):
            if not self.test:
                raise ValueError(f"missing split.test; expected names of a {self.by} to test on")
        elif self.test or self.validation:
            raise ValueError(
                f"found names to test or validate on, and split.by {self.by!r}; expected them with "
                "region or epoch"
            )
        if both := sorted(set(self.test) & set(self.validation)):
            raise ValueError(f"found {both[0]!r} in test and validation; expected it in one")
        return self


class PreparationConfig(Section):
    """What networks are given beside the bands."""

    indices: tuple[str, ...] = ("ndvi",)
    """spectral indices, worked out from the bands behind the augmentation"""
    topography: tuple[str, ...] | None = None
    """layers from elevation (slope, hillshade, ...); absent: slope and hillshade where there is
    elevation; [] for none"""
    use_pre: bool | None = None
    """the earlier image; absent: where there is one"""


class StudyConfig(Section):
    """Where patches come from: the part of a configuration that all commands share."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    """short name; results go to runs/NAME"""
    title: str
    """title of pages and figures"""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """seed of everything random"""
    data: Path | None = None
    """file or folder of real data; absent or empty: the embedded scenes"""
    source: SourceConfig = SourceConfig()
    """how the files of data are read"""
    embedded: EmbeddedConfig = EmbeddedConfig()
    """the scenes to use where no data are named"""
    patches: PatchConfig = PatchConfig()
    """how scenes are cut"""
    split: SplitConfig = SplitConfig()
    """what is held out"""
    preparation: PreparationConfig = PreparationConfig()
    """what networks are given"""

    @field_validator("data", mode="before")
    @classmethod
    def _empty_is_absent(cls, value: Any) -> Any:
        return None if value == "" else value

    @property
    def is_synthetic(self) -> bool:
        """True where the scenes are rendered."""
        return self.data is None

    @model_validator(mode="after")
    def _split_fits_layout(self) -> StudyConfig:
        cut = self.data is not None and self.source.layout != "scenes"
        if cut and self.split.by not in ("given", "group", "random_patches"):
            raise ValueError(
                f"found split.by {self.split.by} for patches that came cut; expected given, group "
                "or random_patches"
            )
        if self.data is not None and self.split.by in ("given", "group") and not cut:
            raise ValueError(
                f"found split.by {self.split.by} for scenes; expected block, region or epoch"
            )
        if cut and self.split.unseen_regions:
            raise ValueError("found split.unseen_regions for patches that came cut; expected []")
        return self
