"""Forecasts that are the same in every cell: none at all, and the training climatology."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hazard.baselines.contract import PositiveRecord, TrainingCells, positive_record
from hazard.cube.cell_features import CellFeatures
from hazard.forecast import Forecast


@dataclass(frozen=True)
class Constant:
    """One probability and one law of density for every cell and epoch.

    Attributes:
        probability: probability of presence.
        positive: law of the training cells with landslides.
    """

    probability: float
    positive: PositiveRecord

    def reads(self, prefix: str) -> bool:
        """False: it reads no feature."""
        return False

    def predict(self, features: CellFeatures) -> Forecast:
        """Forecast of every cell in every epoch."""
        shape = (features.n_epochs, features.n_cells)
        return Forecast.from_lognormal(
            np.full(shape, self.probability), self.positive.mean_log, self.positive.sd_log
        )

    def record(self) -> dict[str, Any]:
        """What was fitted."""
        return {"probability": self.probability, **asdict(self.positive)}


def fit_zero(cells: TrainingCells, seed: int) -> Constant:
    """No landslide anywhere: probability 0; the law of density is there and never weighs in."""
    return Constant(0.0, positive_record(cells))


def fit_climatology(cells: TrainingCells, seed: int) -> Constant:
    """Share of training cell-epochs with landslides, and the lognormal of their densities."""
    return Constant(float(cells.presence().mean()), positive_record(cells))
