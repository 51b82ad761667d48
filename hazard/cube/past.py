"""What earlier epochs showed in a cell and around it: the record that any forecaster has.

Everything for epoch e is a function of epochs before e (of e - horizon and earlier) alone. Where
nothing was observed before, the values are 0 and ``past_epochs`` is 0, so that a model can tell
"no record" from "no landslide on record".

A target of one fold can enter the inputs of its training part by this door: the epoch left out is
"the past" of the next one, and the neighbour left out is in the 3 x 3 mean. `past_records_by_role`
closes it: training inputs never see a test or validation target. NumPy only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hazard.cube.predictors import Array, Predictor, Transform, check_finite
from hazard.variables import PAST_WINDOWS
from stats.resampling.folds import TEST, TRAIN, VALIDATION

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
FloatArray = np.ndarray[Any, np.dtype[np.float64]]

DAYS_PER_YEAR = 365.25
DEFAULT_WINDOWS = PAST_WINDOWS
EPOCHS_ON_RECORD = "past_epochs"


@dataclass(frozen=True, kw_only=True, eq=False)
class PastRecords:
    """Predictors from earlier epochs.

    Attributes:
        values: (record, epoch, y, x) float64, finite everywhere.
        names: (record,) names, all with the prefix ``past_``.
        units: (record,) CF units.
        transforms: (record,) transform before scaling.
        reach_cells: cells around a cell that its records look at.
    """

    values: FloatArray
    names: tuple[str, ...]
    units: tuple[str, ...]
    transforms: tuple[Transform, ...]
    reach_cells: int

    def predictors(self) -> tuple[Predictor, ...]:
        """One predictor per record, on cells, changing with the epoch.

        Where a cell has no record nothing is known of its past; only the number of epochs on
        record, 0 there, is known everywhere.
        """
        recorded = self.values[self.names.index(EPOCHS_ON_RECORD)] > 0
        return tuple(
            Predictor(
                name=name,
                unit=unit,
                values=layer,
                per_epoch=True,
                transform=transform,
                known=None if name == EPOCHS_ON_RECORD else recorded,
            )
            for name, unit, layer, transform in zip(
                self.names, self.units, self.values, self.transforms, strict=True
            )
        )


def past_records(
    area_density: Array,
    observed: BoolArray,
    *,
    windows: Sequence[int] = DEFAULT_WINDOWS,
    horizon: int = 1,
    epoch_days: Sequence[float] | None = None,
    presence_above: float = 0.0,
) -> PastRecords:
    """Records of each cell and of square neighbourhoods, from earlier epochs only.

    Per cell: density when last observed, mean, maximum, share of observed epochs with landslides,
    number of observed epochs. Per window of w x w cells (centre included), over its observed
    cell-epochs: mean density, share with landslides, and mean of the densities last observed.

    Args:
        area_density: (epoch, y, x) percent of the cell; ignored where not observed.
        observed: (epoch, y, x) True where the record may be used: mapped, observed, not withheld.
        windows: odd sides of neighbourhoods [cells].
        horizon: 1 uses all epochs before e; 2 leaves the one just before unused, and so on.
        epoch_days: lengths [days]; densities then become percent per year.
        presence_above: density [percent] above which a cell-epoch counts as having landslides.

    Raises:
        DataError: a density that is not finite where observed.
        ValueError: shapes differ, an even window, or horizon < 1.

    Example:
        >>> density = np.array([1.0, 3.0, 9.0]).reshape(3, 1, 1)
        >>> past = past_records(density, np.ones((3, 1, 1), bool), windows=())
        >>> dict(zip(past.names, past.values[:, 2, 0, 0].tolist(), strict=True))["past_mean"]
        2.0
    """
    mask = np.asarray(observed)
    if mask.dtype != np.bool_ or mask.ndim != 3 or np.shape(area_density) != mask.shape:
        raise ValueError(
            f"observed is {mask.dtype} of shape {mask.shape}, area_density of shape "
            f"{np.shape(area_density)}; use bool and the same (epoch, y, x)"
        )
    if horizon < 1 or any(w < 3 or w % 2 == 0 for w in windows):
        raise ValueError(f"windows {tuple(windows)}, horizon {horizon}; use odd ones >= 3, >= 1")
    check_finite(np.asarray(area_density)[mask], "area_density", "observed cells")
    density = np.where(mask, np.asarray(area_density, dtype=np.float64), 0.0)
    present = (density > presence_above).astype(np.float64)
    unit = "percent"
    if epoch_days is not None:
        years = np.asarray(epoch_days, dtype=np.float64) / DAYS_PER_YEAR
        if years.shape != mask.shape[:1] or not (years > 0).all():
            raise ValueError(f"epoch_days {epoch_days}; use one positive length per epoch")
        density, unit = density / years[:, None, None], "percent year-1"

    seen = _before(mask.astype(np.float64), horizon)
    total, times = _before(density, horizon), _before(present, horizon)
    last, highest = _last_and_highest(density, mask, horizon)
    columns: list[tuple[str, str, Transform, FloatArray]] = [
        ("past_last", unit, "log_floor", last),
        ("past_mean", unit, "log_floor", _share(total, seen)),
        ("past_highest", unit, "log_floor", highest),
        ("past_frequency", "1", "identity", _share(times, seen)),
        (EPOCHS_ON_RECORD, "1", "identity", seen),
    ]
    ever = (seen > 0).astype(np.float64)
    for w in windows:
        around, cells = _box(seen, w), _box(ever, w)
        columns += [
            (f"past_mean_{w}x{w}", unit, "log_floor", _share(_box(total, w), around)),
            (f"past_frequency_{w}x{w}", "1", "identity", _share(_box(times, w), around)),
            (f"past_last_{w}x{w}", unit, "log_floor", _share(_box(last, w), cells)),
        ]
    names, units, transforms, values = zip(*columns, strict=True)
    return PastRecords(
        values=np.stack(values),
        names=names,
        units=units,
        transforms=transforms,
        reach_cells=max(windows, default=1) // 2,
    )


def past_records_by_role(
    area_density: Array,
    observed: BoolArray,
    role: Array,
    *,
    windows: Sequence[int] = DEFAULT_WINDOWS,
    horizon: int = 1,
    epoch_days: Sequence[float] | None = None,
    presence_above: float = 0.0,
) -> PastRecords:
    """Past records in which no held-out target reaches a training input.

    Training cell-epochs see earlier records without those of the test and validation parts,
    validation cell-epochs those without the test part. Every other cell-epoch, the test part
    included, sees all that was observed before it: that is what a forecaster would have.

    Args:
        area_density: as in `past_records`.
        observed: as in `past_records`.
        role: (epoch, y, x) roles of one fold (`stats.resampling.folds`).
        windows: as in `past_records`.
        horizon: as in `past_records`.
        epoch_days: as in `past_records`.
        presence_above: as in `past_records`.
    """

    def records(usable: BoolArray) -> PastRecords:
        return past_records(
            area_density, usable, windows=windows, horizon=horizon, epoch_days=epoch_days,
            presence_above=presence_above,
        )  # fmt: skip

    whole = records(observed)
    values = whole.values
    for part, hidden in ((TRAIN, (TEST, VALIDATION)), (VALIDATION, (TEST,))):
        if (role == part).any() and np.isin(role, hidden).any():
            values = np.where(
                role == part, records(observed & ~np.isin(role, hidden)).values, values
            )
    return PastRecords(
        values=values,
        names=whole.names,
        units=whole.units,
        transforms=whole.transforms,
        reach_cells=whole.reach_cells,
    )


def _before(values: FloatArray, horizon: int) -> FloatArray:
    """Sum over epochs up to e - horizon."""
    out = np.zeros_like(values)
    out[horizon:] = np.cumsum(values, axis=0)[: values.shape[0] - horizon]
    return out


def _last_and_highest(
    density: FloatArray, observed: BoolArray, horizon: int
) -> tuple[FloatArray, FloatArray]:
    last, highest = np.zeros_like(density), np.zeros_like(density)
    for epoch in range(horizon, density.shape[0]):
        newest = epoch - horizon
        last[epoch] = np.where(observed[newest], density[newest], last[epoch - 1])
        highest[epoch] = np.maximum(highest[epoch - 1], density[newest])
    return last, highest


def _share(total: FloatArray, count: FloatArray) -> FloatArray:
    return np.divide(total, count, out=np.zeros_like(total), where=count > 0)


def _box(values: FloatArray, w: int) -> FloatArray:
    """Sum over w x w cells around each; shifted additions keep zeros exact, running sums do not."""
    reach = w // 2
    for axis in (-2, -1):
        size = values.shape[axis]
        width = [(0, 0)] * values.ndim
        width[axis] = (reach, reach)
        padded = np.moveaxis(np.pad(values, width), axis, 0)
        total = np.zeros_like(padded[:size])
        for start in range(w):
            total += padded[start : start + size]
        values = np.moveaxis(total, 0, axis)
    return values
