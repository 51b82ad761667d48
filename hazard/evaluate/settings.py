"""Settings of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hazard.config.fit import CeilingConfig

if TYPE_CHECKING:
    from hazard.config.schema import HazardConfig


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """What is scored, and what is resampled.

    Attributes:
        thresholds_percent: presence is density of at least this [percent]; 0 means any.
        quantile_levels: levels of the quantile scores.
        block_km: side of the blocks of the bootstrap [km].
        draws: resamples.
        corp_draws: resamples of the parts of the proper scores.
        level: level of the intervals.
        seed: seed of the resamples.
        mapping_units_km: sides of mapping units in which forecasts are scored again [km].
        ceiling_model: whose fit on the same epoch is the ceiling.
        susceptibility_edges: four limits of the five classes of susceptibility.
        hazard_edges_percent: four limits of the five classes of expected density [percent].
    """

    thresholds_percent: tuple[float, ...] = (0.0, 0.01, 0.09, 0.5)
    quantile_levels: tuple[float, ...] = (0.9, 0.95)
    block_km: float = 20.0
    draws: int = 1000
    corp_draws: int = 200
    level: float = 0.95
    seed: int = 0
    mapping_units_km: tuple[float, ...] = (1.0, 2.0, 4.0)
    ceiling_model: str = "lightgbm"
    susceptibility_edges: tuple[float, ...] = (0.02, 0.05, 0.15, 0.35)
    hazard_edges_percent: tuple[float, ...] = (0.01, 0.05, 0.2, 0.75)

    @property
    def resampled(self) -> str:
        """What the bootstrap resamples, in words."""
        return f"{self.block_km:g} km blocks within this epoch"


def settings_of(config: HazardConfig) -> EvaluationSettings:
    """The settings that a configuration asks for."""
    section = config.fit.evaluation
    ceiling = config.fit.ceiling or CeilingConfig()
    return EvaluationSettings(
        ceiling_model=ceiling.model,
        thresholds_percent=section.thresholds_percent,
        quantile_levels=section.quantile_levels,
        block_km=section.block_km,
        draws=section.draws,
        corp_draws=section.corp_draws,
        susceptibility_edges=section.susceptibility_edges,
        hazard_edges_percent=section.hazard_edges_percent,
        level=section.level,
        seed=config.seed,
        mapping_units_km=section.mapping_units_km,
    )
