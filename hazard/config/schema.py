"""The configuration of a hazard study, whole."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from hazard.config.fit import FitConfig
from hazard.config.parsing import read_yaml
from hazard.config.sources import ExtraLayer, Rain, Shaking, Target, TerrainConfig
from hazard.config.study import Fraction, Positive, StudyConfig
from hazard.config.validation import Section, validate
from hazard.config.world import WorldConfig


class PatchConfig(Section):
    """How the lattice is cut into patches for networks."""

    cells: Annotated[int, Field(ge=1, le=64)] = 4
    """cells along one side of a patch"""
    shift_cells: Annotated[int, Field(ge=0)] = 2
    """shift of the second set of patches east and south [cells]; 0: no second set"""

    @model_validator(mode="after")
    def _shift_inside(self) -> PatchConfig:
        if self.shift_cells >= self.cells:
            raise ValueError(
                f"found shift_cells {self.shift_cells} for patches of {self.cells} cells; "
                "expected a smaller shift"
            )
        return self


class FoldConfig(Section):
    """One way to hold data out."""

    design: Literal[
        "random",
        "spatial_blocks",
        "leave_one_epoch_out",
        "forward_chaining",
        "space_time_blocks",
    ]
    """name of the design (stats.resampling)"""
    folds: Annotated[int, Field(ge=2, le=100)] = 5
    """number of folds; ignored where the epochs decide it"""
    block_km: Positive = 20.0
    """side of a spatial block [km]"""
    buffer_km: Annotated[float, Field(ge=0)] = 5.0
    """training cells closer than this to a test cell are left out [km]"""
    first_test_epoch: Annotated[int, Field(ge=1)] = 1
    """forward chaining: index of the first epoch to be forecast (0 is the first epoch)"""
    validation_share: Fraction = 0.1
    """share of the training blocks kept for early stopping"""


class CubeConfig(Section):
    """How the cube is built."""

    patches: PatchConfig = PatchConfig()
    """patches for networks"""
    folds: tuple[FoldConfig, ...] = (
        FoldConfig(design="random", folds=3),
        FoldConfig(design="spatial_blocks", folds=3),
        FoldConfig(design="leave_one_epoch_out"),
        FoldConfig(design="forward_chaining"),
        FoldConfig(design="space_time_blocks", folds=3),
    )
    """designs of held-out data, stored and audited with the cube"""
    trigger_factor: Annotated[int, Field(ge=1, le=64)] = 1
    """cells along one side of a trigger cell (shaking and rain vary slowly)"""
    memory_gib: Positive = 4.0
    """memory that building may use [GiB]; sets the size of the blocks"""


class IfMissing(Section):
    """What to build when none of the input files exists."""

    world: WorldConfig
    """the embedded, synthetic world"""


class HazardConfig(Section):
    """A hazard study: inputs, cube, fits and where results go."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    """short name; results go to runs/NAME"""
    title: str
    """title of maps and pages"""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """seed of everything random"""
    study: StudyConfig | None = None
    """where and when; needed unless the study is a world"""
    target: Target | None = None
    """landslides; needed unless the study is a world"""
    terrain: TerrainConfig | None = None
    """elevation; needed unless the study is a world"""
    shaking: Shaking | None = None
    """ground shaking; absent: no shaking predictors, and named so"""
    rain: Rain | None = None
    """daily rain; absent: no rain predictors, and named so"""
    layers: tuple[ExtraLayer, ...] = ()
    """further predictors"""
    if_missing: IfMissing | None = None
    """what to build when none of the input files exists; absent: missing files are an error"""
    cube: CubeConfig = CubeConfig()
    """how the cube is built"""
    fit: FitConfig = FitConfig()
    """what is fitted, held out, forecast and scored"""

    @model_validator(mode="after")
    def _complete(self) -> HazardConfig:
        given = [part for part in ("study", "target", "terrain") if getattr(self, part) is not None]
        if given and len(given) < 3:
            absent = [p for p in ("study", "target", "terrain") if p not in given]
            raise ValueError(f"missing {', '.join(absent)}; expected with {', '.join(given)}")
        if not given and self.if_missing is None:
            raise ValueError("missing study, target and terrain; expected them, or if_missing")
        names = [layer.name for layer in self.layers]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"found layer {twice[0]!r} twice; expected distinct names")
        if self.study is not None and self.target is not None:
            self._epochs_match(self.study, self.target)
        return self

    @staticmethod
    def _epochs_match(study: StudyConfig, target: Any) -> None:
        n_epochs = len(study.epochs)
        if target.kind == "cumulative":
            if len(target.files) != n_epochs:
                raise ValueError(
                    f"found {len(target.files)} target.files for {n_epochs} epochs; "
                    "expected one per epoch"
                )
            if target.observed is not None and len(target.observed) != n_epochs:
                raise ValueError(
                    f"found {len(target.observed)} target.observed for {n_epochs} epochs; "
                    "expected one (or null) per epoch"
                )
        bands = target.bands if target.kind == "density_raster" else None
        if bands is not None and len(bands) != n_epochs:
            raise ValueError(
                f"found {len(bands)} target.bands for {n_epochs} epochs; expected one per epoch"
            )
        if target.kind != "density_raster" and study.grid is None:
            raise ValueError(
                f"missing study.grid; expected with a target of kind {target.kind!r}, "
                "which has no grid of its own"
            )


def load_config(path: Path, *, overrides: Sequence[str] = ()) -> HazardConfig:
    """Read and check a study's YAML file.

    Raises:
        ConfigError: every problem at once (exit code 2).
    """
    return validate(HazardConfig, read_yaml(path, overrides=overrides))


def schema_text() -> str:
    """JSON schema for editors, as written to ``configs/hazard.schema.json``.

    Example:
        >>> '"HazardConfig"' in schema_text()
        True
    """
    return json.dumps(HazardConfig.model_json_schema(), indent=1, sort_keys=True) + "\n"
