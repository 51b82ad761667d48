"""The configuration of a detection study, whole."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from detection.config.chain import ChainConfig
from detection.config.data import PreparationConfig, StudyConfig
from detection.config.training import GridConfig, NetworkConfig, TrainingConfig
from hazard.config.parsing import read_yaml
from hazard.config.validation import Section, validate

Baseline = Literal["logistic_regression", "random_forest"]


class EvaluationConfig(Section):
    """What is scored, and how sure the scores are."""

    block_m: Annotated[float, Field(gt=0)] = 240.0
    """side of the blocks of ground that the bootstrap draws [m]"""
    draws: Annotated[int, Field(ge=20)] = 1000
    """bootstrap draws"""
    level: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """level of the intervals"""
    boundary_tolerance_m: Annotated[float, Field(gt=0)] = 10.0
    """distance within which outlines agree [m]"""
    sites: Literal["region", "epoch", "region_epoch", "scene"] = "region"
    """what the columns of the table of models and sites are"""


class ReportConfig(Section):
    """The report."""

    panels: Annotated[int, Field(ge=0, le=64)] = 8
    """test patches shown as image, truth, prediction and error"""
    papers: tuple[Literal["001", "002", "004"], ...] = ()
    """studies whose tables are looked up in the report (docs/detection_training.md)"""
    dpi: Annotated[int, Field(ge=50, le=600)] = 110
    """resolution of the figures [dots per inch]"""


class DetectionConfig(StudyConfig):
    """A study: patches, networks, baselines, scores."""

    networks: Annotated[tuple[NetworkConfig, ...], Field(min_length=1)] = (NetworkConfig(),)
    """networks to compare"""
    training: TrainingConfig = TrainingConfig()
    """how they are trained"""
    grid: GridConfig | None = None
    """a search over settings before; absent: none"""
    baselines: tuple[Baseline, ...] = ("logistic_regression", "random_forest")
    """models of single pixels beside the networks"""
    evaluation: EvaluationConfig = EvaluationConfig()
    """scores"""
    report: ReportConfig = ReportConfig()
    """report"""
    chain: ChainConfig | None = None
    """a study of transfer between regions: python -m detection.chain"""

    @model_validator(mode="after")
    def _labels_differ(self) -> DetectionConfig:
        names = [*(network.title for network in self.networks), *self.baselines]
        if twice := sorted({n for n in names if names.count(n) > 1}):
            raise ValueError(f"found {twice[0]!r} twice; expected a label for each network")
        if self.grid is not None and self.grid.network not in (None, *names):
            raise ValueError(
                f"found grid.network {self.grid.network!r}; expected one of "
                f"{', '.join(network.title for network in self.networks)}"
            )
        return self

    @model_validator(mode="after")
    def _own_settings(self) -> DetectionConfig:
        for network in self.networks:
            self.training_of(network)
            self.preparation_of(network)
        return self

    def training_of(self, network: NetworkConfig) -> TrainingConfig:
        """How one network is trained: what is said for it, over what is said for all.

        Raises:
            ValueError: its own keys cannot be used.
        """
        return _merged(TrainingConfig, self.training, network, "training")

    def preparation_of(self, network: NetworkConfig) -> PreparationConfig:
        """What one network is given, likewise."""
        return _merged(PreparationConfig, self.preparation, network, "preparation")


def _merged(kind: Any, base: Section, network: NetworkConfig, key: str) -> Any:
    own = getattr(network, key)
    try:
        return kind.model_validate({**base.model_dump(), **own})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(
            f"network {network.title!r}: {key}.{where}: {first['msg'][:1].lower()}"
            f"{first['msg'][1:]}"
        ) from None


def load_config(path: Path, *, overrides: Sequence[str] = ()) -> DetectionConfig:
    """Read and check a study's YAML file.

    Raises:
        ConfigError: every problem at once (exit code 2).
    """
    return validate(DetectionConfig, read_yaml(path, overrides=overrides))


def schema_text() -> str:
    """JSON schema for editors, as written to ``configs/detection.schema.json``.

    Example:
        >>> '"DetectionConfig"' in schema_text()
        True
    """
    return json.dumps(DetectionConfig.model_json_schema(), indent=1, sort_keys=True) + "\n"
