r"""Persistence: a cell goes on as its own record.

A frequency of k in n past epochs is no probability yet: a cell with none in two epochs would be
certain. It is Laplace-smoothed, (k + 1) / (n + 2), and named so. Where nothing was observed before
there is nothing to persist: the training climatology stands there.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from hazard.baselines.contract import FloatArray, PositiveRecord, TrainingCells, positive_record
from hazard.cube.cell_features import CellFeatures
from hazard.forecast import Forecast
from stats.resampling.folds import TRAIN
from stats.scores.logarithmic import laplace_probability

Memory = Literal["mean", "last"]
_READ = {
    "mean": ("past_epochs", "past_frequency", "past_mean"), "last": ("past_epochs", "past_last"),
}  # fmt: skip


@dataclass(frozen=True)
class Persistence:
    """Forecast from a cell's record.

    Attributes:
        memory: ``mean`` of the past, or its ``last`` epoch.
        climatology: training share of cell-epochs with landslides.
        positive: law of the training cells with landslides.
        sigma: standard deviation of ln density around the forecast location.
        presence_above: density [percent] above which there is a landslide.
    """

    memory: Memory
    climatology: float
    positive: PositiveRecord
    sigma: float
    presence_above: float

    def reads(self, prefix: str) -> bool:
        """Whether the forecast depends on a feature whose name starts so."""
        return any(name.startswith(prefix) for name in _READ[self.memory])

    def predict(self, features: CellFeatures) -> Forecast:
        """Forecast of every cell in every epoch."""
        events, trials, density = _record(features, self.memory, self.presence_above)
        probability = np.where(trials > 0, laplace_probability(events, trials), self.climatology)
        location = _location(events, density, self.positive)
        return Forecast.from_lognormal(probability, location, self.sigma)

    def record(self) -> dict[str, Any]:
        """What was fitted."""
        return {
            "smoothing": "Laplace, (k + 1) / (n + 2)", "climatology": self.climatology,
            "sigma": self.sigma, **asdict(self.positive),
        }  # fmt: skip


def fit_persistence_mean(cells: TrainingCells, seed: int) -> Persistence:
    """The cell's past frequency, and the mean density of its past landslides."""
    return _fit(cells, "mean")


def fit_persistence_last(cells: TrainingCells, seed: int) -> Persistence:
    """What the last observed epoch showed, presence and density."""
    return _fit(cells, "last")


def _fit(cells: TrainingCells, memory: Memory) -> Persistence:
    positive = positive_record(cells)
    events, _, density = _record(cells.features, memory, cells.presence_above)
    location = _location(events, density, positive)[cells.role == TRAIN]
    present = cells.presence()
    residual = np.log(cells.density()[present]) - location[present]
    return Persistence(
        memory=memory, climatology=float(cells.presence().mean()), positive=positive,
        sigma=float(np.sqrt(np.mean(residual**2))), presence_above=cells.presence_above,
    )  # fmt: skip


def _record(
    features: CellFeatures, memory: Memory, presence_above: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(epoch, cell) past events, past trials, and density [percent] given an event (0 without)."""
    unit = features.units[features.names.index("past_mean")]
    if unit != "percent":
        raise ValueError(f"past densities in {unit}; persistence needs percent per epoch")
    trials = features.column("past_epochs")
    if memory == "last":
        density = features.column("past_last")
        events = (density > presence_above).astype(np.float64)
        return events, np.minimum(trials, 1.0), np.where(events > 0, density, 0.0)
    frequency = features.column("past_frequency")
    events = np.rint(frequency * trials)
    mean = np.divide(
        features.column("past_mean"), frequency, out=np.zeros_like(frequency), where=events > 0
    )
    return events, trials, mean


def _location(events: FloatArray, density: FloatArray, positive: PositiveRecord) -> FloatArray:
    """Ln percent: the record, with the training mean as one more event of the same weight."""
    logs = np.log(np.where(events > 0, density, 1.0))
    return (positive.mean_log + events * logs) / (1.0 + events)
