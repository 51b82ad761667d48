"""The contract of a baseline: what it is fitted on, what it sees, and what it returns.

Held-out targets are taken out before a baseline is called: `TrainingCells` keeps those of the
training and the validation part alone and puts NaN over all others, so that a look at a held-out
target ends in an error and not in a good score.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from hazard.cube.cell_features import CellFeatures
from hazard.errors import DataError, UserError
from hazard.forecast import FULL_CELL_PERCENT, Forecast
from stats.resampling.folds import TRAIN, VALIDATION

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
Float32Array = np.ndarray[Any, np.dtype[np.float32]]
FloatArray = np.ndarray[Any, np.dtype[np.float64]]
Int8Array = np.ndarray[Any, np.dtype[np.int8]]

# Rasters are float32: a full cell may be stored a hair above 100 percent.
_SLACK_PERCENT = 1e-3


class MissingPackageError(UserError):
    """A baseline needs a package that is not installed."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingCells:
    """Features of all cells with the targets of the training and validation part alone.

    Attributes:
        features: (epoch, cell, feature) of all cell-epochs.
        area_density: (epoch, cell) percent of the cell; NaN outside training and validation.
        role: (epoch, cell) roles of one fold (`stats.resampling.folds`).
        presence_above: density [percent] above which there is a landslide.

    Raises:
        DataError: no training cell, a training density that is missing or outside 0 to 100.
        ValueError: arrays of different shapes.
    """

    features: CellFeatures
    area_density: FloatArray
    role: Int8Array
    presence_above: float = 0.0

    def __post_init__(self) -> None:
        expected = (self.features.n_epochs, self.features.n_cells)
        role, density = np.asarray(self.role), np.asarray(self.area_density, dtype=np.float64)
        if role.shape != expected or density.shape != expected:
            raise ValueError(
                f"area_density {density.shape}, role {role.shape}; use (epoch, cell) {expected}"
            )
        if not (role == TRAIN).any():
            raise DataError("training cells", found="none", expected="at least one cell-epoch")
        visible = np.where((role == TRAIN) | (role == VALIDATION), density, np.nan)
        used = visible[(role == TRAIN) | (role == VALIDATION)]
        missing = int(np.count_nonzero(~np.isfinite(used)))
        if missing:
            raise DataError(
                "area_density of training cells", found=f"{missing} missing", expected="none"
            )
        if used.min() < 0.0 or used.max() > FULL_CELL_PERCENT + _SLACK_PERCENT:
            raise DataError(
                "area_density of training cells",
                found=f"{used.min():g} to {used.max():g}", expected="0 to 100 %",
            )  # fmt: skip
        object.__setattr__(self, "role", role)
        object.__setattr__(self, "area_density", visible)

    def inputs(self, role: int = TRAIN) -> Float32Array:
        """(case, feature) values of the cell-epochs of a role, epoch by epoch."""
        return self.features.values[self._of(role)]

    def density(self, role: int = TRAIN) -> FloatArray:
        """(case,) densities [percent] of the cell-epochs of a role, in the order of `inputs`."""
        return self.area_density[self._of(role)]

    def presence(self, role: int = TRAIN) -> BoolArray:
        """(case,) True where there is a landslide."""
        return self.density(role) > self.presence_above

    def cells(self, role: int = TRAIN) -> np.ndarray[Any, np.dtype[np.int64]]:
        """(case,) row numbers of the cells."""
        return np.nonzero(self._of(role))[1]

    def _of(self, role: int) -> BoolArray:
        if role not in (TRAIN, VALIDATION):
            raise ValueError(f"role {role}; a baseline sees training and validation cells alone")
        return np.asarray(self.role == role)


@dataclass(frozen=True)
class PositiveRecord:
    """Location and spread of ln density over the training cells with landslides.

    Attributes:
        mean_log: mean of ln percent.
        sd_log: its standard deviation (divisor n - 1).
        low: smallest ln percent.
        high: largest ln percent.
        n: number of them.
    """

    mean_log: float
    sd_log: float
    low: float
    high: float
    n: int


def positive_record(cells: TrainingCells) -> PositiveRecord:
    """Summary of the training cells with landslides.

    Raises:
        DataError: fewer than two different densities: no law of positive densities can be fitted.
    """
    logs = np.log(cells.density()[cells.presence()])
    if logs.size < 2 or np.ptp(logs) == 0.0:
        raise DataError(
            "training cells",
            found=f"{logs.size} with landslides, {np.unique(logs).size} different densities",
            expected="at least two different densities",
        )
    return PositiveRecord(
        mean_log=float(logs.mean()), sd_log=float(logs.std(ddof=1)), low=float(logs.min()),
        high=float(logs.max()), n=int(logs.size),
    )  # fmt: skip


class FittedBaseline(Protocol):
    """A baseline after its fit."""

    def predict(self, features: CellFeatures) -> Forecast:
        """Forecast of every cell in every epoch."""

    def reads(self, prefix: str) -> bool:
        """Whether the forecast depends on a feature whose name starts so."""

    def record(self) -> dict[str, Any]:
        """What was fitted, as plain numbers and text for a model card."""


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """A baseline that a configuration can name.

    Attributes:
        name: name in configurations and tables.
        title: one line for reports; it says where a frequency is smoothed.
        needs_past: True where it cannot do without records of earlier epochs; others use them
            where the features hold them.
        fitted_by: fit from training cells and a seed.
        package: optional package that it needs.
        missing: why it cannot run here, None where it can.
    """

    name: str
    title: str
    needs_past: bool
    fitted_by: Callable[[TrainingCells, int], FittedBaseline]
    package: str | None = None
    missing: Callable[[], str | None] = lambda: None

    def fit(
        self,
        features: CellFeatures,
        area_density: FloatArray,
        role: Int8Array,
        *,
        seed: int,
        presence_above: float = 0.0,
    ) -> FittedBaseline:
        """Fit on the training part of one fold.

        Args:
            features: of all cell-epochs; past records made for this fold
                (`hazard.cube.cell_features.with_past` with `role`) and this `presence_above`.
            area_density: (epoch, cell) percent of the cell; held-out values are never looked at
                and may be NaN.
            role: (epoch, cell) roles of one fold.
            seed: of everything random in the fit.
            presence_above: density [percent] above which there is a landslide.

        Raises:
            MissingPackageError: its package is not installed.
            ValueError: it needs past records and the features hold none.
            DataError: the training part does not suffice.
        """
        reason = self.missing()
        if reason is not None:
            raise MissingPackageError(f"baseline {self.name!r}: {reason}")
        if self.needs_past and not features.has_past:
            raise ValueError(f"baseline {self.name!r} needs past records; add them (`with_past`)")
        cells = TrainingCells(
            features=features, area_density=area_density, role=role, presence_above=presence_above
        )
        return self.fitted_by(cells, seed)


def require_features(features: CellFeatures, names: tuple[str, ...], who: str) -> None:
    """Refuse features other than those of the fit.

    Raises:
        ValueError: other names, or another order.
    """
    if features.names != names:
        differing = sorted(set(features.names) ^ set(names)) or ["their order"]
        raise ValueError(f"{who}: features differ from those of the fit: {', '.join(differing)}")
