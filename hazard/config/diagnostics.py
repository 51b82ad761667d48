"""What is looked at after the scores: residuals of one forecast, densities of the inventories."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hazard.config.study import Positive
from hazard.config.validation import Section


class ResidualsConfig(Section):
    """The residual section of one forecast: python -m stats.residuals."""

    scheme: str | None = None
    """how its data were held out; absent: forward chaining, else the first honest scheme"""
    model: str | None = None
    """whose forecast; absent: our first network, else the first model"""
    references: tuple[str, ...] | None = None
    """models it is held against, the best of them in maps; absent: the usual baselines"""
    draws: Annotated[int, Field(ge=39)] = 199
    """simulated outcomes behind each envelope"""


class DensitiesConfig(Section):
    """Densities of the inventories, where the study has outlines: python -m stats.density."""

    cell_m: Positive = 1000.0
    """side of a cell of the maps [m]"""
    simulations: Annotated[int, Field(ge=19)] = 39
    """simulated point patterns behind the envelopes of pair correlations"""
