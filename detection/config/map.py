"""The whole way from images to inventories, and on to hazard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from detection.config.data import Count, EmbeddedConfig
from hazard.config.parsing import read_yaml
from hazard.config.validation import Section, validate

NotNegative = Annotated[float, Field(ge=0.0)]
Flip = Literal["none", "left_right", "up_down", "both"]


class FitStage(Section):
    """The training of the network, where no stored model is named."""

    config: Path
    """configuration of detection.fit, seen from the folder of this file"""
    overrides: tuple[str, ...] = ()
    """settings of it to replace, each as A.B=C"""
    network: str | None = None
    """label of the network; absent: the first"""
    ensemble: tuple[str, ...] = ()
    """labels of further networks of that training, whose probabilities are averaged with its"""


class MappingConfig(Section):
    """How scenes are mapped; see docs/detection_mapping.md."""

    tile_px: Count | None = None
    """side of a tile [px]; absent: from the receptive field"""
    halo_px: Annotated[int, Field(ge=0)] | None = None
    """half of the overlap of tiles [px]; absent: as the receptive field needs; less, with cosine or
    mean, only comes near the map of the whole scene"""
    blend: Literal["centre", "cosine", "mean"] = "centre"
    """how overlapping tiles are joined"""
    flips: Annotated[tuple[Flip, ...], Field(min_length=1)] = ("none",)
    """mirror images whose probabilities are averaged"""
    batch: Count = 4
    """tiles that pass the network at once"""
    memory_mb: Count = 1024
    """bound of what reading, adding and writing hold [MB]"""
    threads: Count = 2
    """threads of one process"""
    scheduler: str | None = None
    """local, or the address of a dask scheduler; --scheduler names it too; absent: threads"""
    workers: Count = 2
    """processes of the scheduler `local`"""
    need_pre: bool = True
    """where the network reads an earlier image, ground that was not seen then has no probability"""
    threshold: Annotated[float, Field(gt=0, lt=1)] | None = None
    """probability from which a pixel is landslide; absent: the model's own, from validation; an
    ensemble needs it"""


class PolygonConfig(Section):
    """How landslides are outlined."""

    minimum_area_m2: NotNegative = 200.0
    """smaller ones are left out [m2]"""
    connectivity: Literal[4, 8] = 4
    """neighbours of a pixel"""
    sieve_px: Annotated[int, Field(ge=0)] = 0
    """patches and holes of fewer pixels go; 0 keeps all"""
    smooth: bool = False
    """cut the corners of pixels"""


class TrackingConfig(Section):
    """How epochs are compared; see docs/detection_inventories.md."""

    memory: Literal["everything", "previous"] = "everything"
    """each epoch against all that was ever seen, or (as published) against the previous one"""
    tolerance_px: NotNegative = 1.0
    """seams up to so many pixels wide are no change"""
    minimum_part_m2: NotNegative = 100.0
    """separate pieces of change smaller than this are none [m2]"""
    least_overlap: Annotated[float, Field(gt=0, le=1)] = 0.1
    """share of the smaller outline by which two are the same landslide"""


class ErrorConfig(Section):
    """How the detector errs, and what is done about it; see docs/detection_error.md."""

    calibrate: bool = True
    """estimate the detection error where there is a reference, and carry it on"""
    model: Path | None = None
    """detection_error.json of an earlier calibration, in place of one on this ground"""
    ground: Literal["all"] | Path | None = None
    """ground that neither trained the network nor chose its threshold: polygons, or all; absent:
    what no training or validation patch of `fit` lies on; a stored network needs it named"""
    share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """share of the blocks of that ground that calibrate; what comes of it is checked on the others,
    nowhere where it is 1"""
    block_m: Annotated[float, Field(gt=0)] = 1000.0
    """side of the blocks, which are also what the bootstrap draws [m]"""
    least_landslides: Annotated[int, Field(ge=10)] = 30
    """with fewer reference landslides on the calibrating ground there is no estimate"""
    draws: Annotated[int, Field(ge=50)] = 200
    """draws of the bootstrap, and simulated inventories"""
    level: Annotated[float, Field(gt=0, lt=1)] = 0.9
    """coverage of the intervals"""
    sizes_above_m2: NotNegative | None = None
    """exponent and total are those of larger landslides: above the rollover, because the law is a
    power law [m2]; absent: polygons.minimum_area_m2"""

    @field_validator("ground", mode="before")
    @classmethod
    def _empty_is_absent(cls, value: Any) -> Any:
        return None if value == "" else value


SIDE_TITLES = {
    "detected": "detected inventories",
    "carried": "detected inventories, their detection error carried on",
    "reference": "reference inventories",
}


class HazardStage(Section):
    """What python -m hazard.fit is run on."""

    config: Path
    """hazard configuration, seen from the folder of this file; its study.epochs and target are
    replaced by the inventories of this run, and terrain.elevation where the scenes are rendered"""
    reference: bool = True
    """also fit on the reference inventories, where there are any, to see what detection costs"""
    plain: bool = True
    """fit on the detected inventories as they are; false leaves that out where `carried` is made"""
    carried: bool = True
    """also fit on the detected inventories with their detection error carried on, where `error`
    gives one"""
    block_m: Annotated[float, Field(gt=0)] = 5000.0
    """side of the blocks that the bootstrap of that comparison draws [m]"""
    draws: Annotated[int, Field(ge=20)] = 1000
    """its draws"""

    def sides(self, *, with_error: bool, with_reference: bool) -> tuple[str, ...]:
        """What hazard is fitted on: detected inventories, as they are and with their error carried
        on, and reference inventories.

        Args:
            with_error: a detection error is known.
            with_reference: there are reference inventories.

        Example:
            >>> stage = HazardStage(config=Path("study.yaml"), plain=False)
            >>> stage.sides(with_error=True, with_reference=False)
            ('carried',)
            >>> stage.sides(with_error=False, with_reference=True)
            ('detected', 'reference')
        """
        carried = self.carried and with_error
        fitted = {
            "detected": self.plain or not carried,
            "carried": carried,
            "reference": self.reference and with_reference,
        }
        return tuple(side for side, wanted in fitted.items() if wanted)


class MapConfig(Section):
    """python -m detection.map: scenes of several dates, inventories, and hazard maps."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    """short name; results go to runs/NAME"""
    title: str
    """title of pages and figures"""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """seed of everything random"""
    data: Path | None = None
    """folder with scenes.yaml; absent or empty: rendered scenes"""
    region: str | None = None
    """which region of the scenes; absent: all must be of one"""
    embedded: EmbeddedConfig = EmbeddedConfig(epochs=3)
    """the scenes to render where no data are named; of one region"""
    model: Path | None = None
    """folder of a stored model; absent: one is trained by `fit`"""
    ensemble: tuple[Path, ...] = ()
    """folders of further stored models, whose probabilities are averaged with its"""
    fit: FitStage | None = None
    """training of the model"""
    mapping: MappingConfig = MappingConfig()
    """maps"""
    polygons: PolygonConfig = PolygonConfig()
    """outlines"""
    tracking: TrackingConfig = TrackingConfig()
    """the multi-temporal inventory"""
    least_for_fit: Count = 20
    """landslides that both inventories need for a size law to be fitted"""
    bandwidth_m: Annotated[float, Field(gt=0)] = 1000.0
    """of the maps of landslide density [m]"""
    error: ErrorConfig = ErrorConfig()
    """how the detector errs, and carrying it on"""
    hazard: HazardStage | None = None
    """hazard maps from the inventories; --hazard names a configuration as well"""

    @field_validator("data", mode="before")
    @classmethod
    def _empty_is_absent(cls, value: Any) -> Any:
        return None if value == "" else value

    @model_validator(mode="after")
    def _one_model(self) -> MapConfig:
        if (self.model is None) == (self.fit is None):
            raise ValueError(
                f"found {'neither model nor fit' if self.fit is None else 'model and fit'}; "
                "expected one of them"
            )
        several = self.ensemble or (self.fit is not None and self.fit.ensemble)
        if several and self.mapping.threshold is None:
            raise ValueError(
                "found an ensemble and no mapping.threshold; expected one: the threshold of a "
                "model was chosen for its own probabilities, not for a mean"
            )
        if self.data is None and len(self.embedded.regions) != 1:
            raise ValueError(
                f"found {len(self.embedded.regions)} embedded.regions; expected one: an inventory "
                "has one coordinate system"
            )
        return self

    @property
    def has_stored_network(self) -> bool:
        """True where a network maps whose training ground this run does not know."""
        return self.model is not None or bool(self.ensemble)

    @property
    def may_calibrate(self) -> bool:
        """True where the detection error can be estimated, given a reference."""
        told = not self.has_stored_network or self.error.ground is not None
        return self.error.calibrate and self.error.model is None and told

    @property
    def is_synthetic(self) -> bool:
        """True where the scenes are rendered."""
        return self.data is None


def load_map_config(
    path: Path,
    *,
    overrides: Sequence[str] = (),
    hazard: Path | None = None,
    scheduler: str | None = None,
) -> MapConfig:
    """Read and check a YAML file; configurations that it names are seen from its folder.

    Args:
        path: the file.
        overrides: ``key.path=value`` texts.
        hazard: hazard configuration in place of that of the file.
        scheduler: in place of mapping.scheduler.

    Raises:
        ConfigError: every problem at once (exit code 2).
    """
    config = validate(MapConfig, read_yaml(path, overrides=overrides))
    changes: dict[str, Any] = {}
    for name in ("fit", "hazard"):
        stage = getattr(config, name)
        if stage is not None:
            changes[name] = stage.model_copy(update={"config": path.parent / stage.config})
    if hazard is not None:
        stage = changes.get("hazard") or HazardStage(config=hazard)
        changes["hazard"] = stage.model_copy(update={"config": hazard})
    if scheduler is not None:
        changes["mapping"] = config.mapping.model_copy(update={"scheduler": scheduler})
    return config.model_copy(update=changes)
