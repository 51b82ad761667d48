"""Landslide area density per epoch and cell, with what was seen kept apart from what was zero.

A cell where nothing new was mapped has density 0; a cell that nobody could see has none at all:
its density is NaN, `observed` is False, and `presence` is -1. Every count, total and rate here
leaves such cells out of numerator and denominator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from hazard.errors import DataError
from hazard.geo.cell_area import IntArray, cell_landslide_area
from hazard.geo.epochs import DAYS_PER_YEAR, Epoch, check_epochs
from hazard.geo.grid import FloatArray, Grid

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
PresenceArray = np.ndarray[Any, np.dtype[np.int8]]
SeriesKind = Literal["cumulative", "dated", "raster"]

NOT_OBSERVED = -1
# Any new area; a hundredth of a per cent; one Landsat pixel in a 1 km cell; half a per cent.
PRESENCE_THRESHOLDS_PERCENT = (0.0, 0.01, 0.09, 0.5)
QUANTILES = (0.5, 0.95, 0.99, 1.0)
# Densities this little above 100 % are rounding.
_ROUNDING_PERCENT = 1e-5


@dataclass(frozen=True, kw_only=True)
class EpochSeries:
    """New landslide area per epoch on a grid.

    Attributes:
        epochs: epochs in order of time.
        grid: grid of the cells.
        area_density_percent: (epoch, y, x) float64, new landslide area in percent of the cell;
            NaN exactly where not observed. From cumulative inventories it is the increase of the
            visible area, which is not the area of new failures (see docs/inventories.md).
        observed: (epoch, y, x) bool.
        recovered_percent: (epoch, y, x) decrease of the visible area in percent of the cell, NaN
            where not observed; None where the source does not tell.
        counts: (epoch, y, x) number of landslides, 0 where not observed; None where unknown.
        window_days: (epoch, y, x) days over which the new area appeared, longer than the epoch
            where earlier ones were not observed; None: the length of the epoch everywhere.
        kind: where the series comes from.
        interval_censored: True where landslides were assigned by dates known to an interval only.
        account: counts and areas of what was assigned, dropped or repaired on the way.
        notes: choices and caveats, in words.

    Raises:
        DataError: shapes that do not fit, densities outside 0-100 %, or NaN that disagrees with
            `observed`.
    """

    epochs: tuple[Epoch, ...]
    grid: Grid
    area_density_percent: FloatArray
    observed: BoolArray
    recovered_percent: FloatArray | None = None
    counts: IntArray | None = None
    window_days: FloatArray | None = None
    kind: SeriesKind
    interval_censored: bool = False
    account: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "epochs", check_epochs(self.epochs))
        shape = (len(self.epochs), *self.grid.shape)
        dtypes = {
            "area_density_percent": np.float64, "observed": np.bool_,
            "recovered_percent": np.float64, "counts": np.int64, "window_days": np.float64,
        }  # fmt: skip
        for name, dtype in dtypes.items():
            value = getattr(self, name)
            if value is None:
                continue
            array: np.ndarray[Any, np.dtype[Any]] = np.array(value, dtype=dtype)
            if array.shape != shape:
                raise DataError(name, found=f"shape {array.shape}", expected=f"{shape}")
            if name.endswith("_percent"):
                array = _checked_percent(name, array, self.observed)
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @property
    def area_m2(self) -> FloatArray:
        """(epoch, y, x) new landslide area [m2], NaN where not observed."""
        return self.area_density_percent / 100.0 * self.grid.cell_area_m2

    @property
    def window_years(self) -> FloatArray:
        """(epoch, y, x) years over which the new area appeared."""
        if self.window_days is not None:
            return self.window_days / DAYS_PER_YEAR
        lengths = np.array([epoch.length_years for epoch in self.epochs])
        return np.broadcast_to(lengths[:, None, None], self.observed.shape)

    @property
    def density_percent_per_year(self) -> FloatArray:
        """(epoch, y, x) new landslide area density per year [percent / year]."""
        return self.area_density_percent / self.window_years

    def presence(self, threshold_percent: float = 0.0) -> PresenceArray:
        """(epoch, y, x) int8: 1 present, 0 absent, -1 not observed.

        Args:
            threshold_percent: 0 means any new area; above 0, at least this density [percent].
        """
        density = np.nan_to_num(self.area_density_percent, nan=0.0)
        present = density > 0 if threshold_percent == 0 else density >= threshold_percent
        return np.where(self.observed, present, NOT_OBSERVED).astype(np.int8)

    def summary(
        self, thresholds_percent: Sequence[float] = PRESENCE_THRESHOLDS_PERCENT
    ) -> pd.DataFrame:
        """One row per epoch: cells, positives, prevalence, area, quantiles of positives, rates.

        Shares and totals are over observed cells. Columns: epoch, start, end, length_days,
        n_observed, n_positive, prevalence, total_area_km2, area_km2_per_year, recovered_area_km2
        (where known), n_landslides (where known), the quantiles of positive densities [percent],
        and n_positive_ge_X for every further threshold X [percent].
        """
        area_km2 = self.area_m2 / 1e6
        per_year = self.density_percent_per_year / 100.0 * self.grid.cell_area_m2 / 1e6
        rows = []
        for index, epoch in enumerate(self.epochs):
            seen = self.observed[index]
            density = self.area_density_percent[index][seen]
            positive = density[density > 0]
            row: dict[str, Any] = {
                "epoch": epoch.name,
                "start": epoch.start,
                "end": epoch.end,
                "length_days": epoch.length_days,
                "n_observed": int(seen.sum()),
                "n_positive": len(positive),
                "prevalence": len(positive) / len(density) if len(density) else np.nan,
                "total_area_km2": float(area_km2[index][seen].sum()),
                "area_km2_per_year": float(per_year[index][seen].sum()),
            }
            if self.recovered_percent is not None:
                share = self.recovered_percent[index][seen].sum() / 100.0
                row["recovered_area_km2"] = float(share * self.grid.cell_area_m2 / 1e6)
            if self.counts is not None:
                row["n_landslides"] = int(self.counts[index].sum())
            for q in QUANTILES:
                name = "max_percent" if q == 1 else f"q{round(q * 100):02d}_percent"
                row[name] = float(np.quantile(positive, q)) if len(positive) else np.nan
            for threshold in thresholds_percent:
                if threshold > 0:
                    row[f"n_positive_ge_{threshold:g}"] = int((density >= threshold).sum())
            rows.append(row)
        return pd.DataFrame(rows)


def _checked_percent(name: str, array: FloatArray, observed: BoolArray) -> FloatArray:
    missing = np.isnan(array)
    if not np.array_equal(~missing, np.asarray(observed, dtype=bool)):
        raise DataError(
            name,
            found=f"{int(missing.sum())} missing values for {int((~observed).sum())} cells "
            "not observed",
            expected="missing values exactly where not observed",
        )
    low, high = (np.nanmin(array), np.nanmax(array)) if not missing.all() else (0.0, 0.0)
    if low < 0 or high > 100 + _ROUNDING_PERCENT:
        raise DataError(
            name, found=f"values from {low:g} to {high:g}", expected="percent between 0 and 100"
        )
    return np.minimum(array, 100.0)


def observed_cells(
    observed: Any, grid: Grid, n_epochs: int, *, min_observed_share: float = 0.99
) -> BoolArray:
    """(epoch, y, x) mask of seen cells from masks or footprints.

    Args:
        observed: None (everything seen), one (epoch, y, x) array, or a sequence with, per epoch,
            None (all seen), a (y, x) mask, or polygons of the imaged ground.
        grid: grid of the cells.
        n_epochs: number of epochs.
        min_observed_share: a cell is seen where polygons cover at least this share of it. Below
            nearly 1, unseen ground in the cell would pass for ground without landslides.

    Raises:
        DataError: a wrong number of entries, or masks of another shape.
    """
    shape = grid.shape
    out = np.ones((n_epochs, *shape), dtype=bool)
    if observed is None:
        return out
    if len(observed) != n_epochs:
        raise DataError(
            "observed", found=f"{len(observed)} entries", expected=f"one per epoch ({n_epochs})"
        )
    for index, entry in enumerate(observed):
        if entry is None:
            continue
        if isinstance(entry, np.ndarray) and entry.dtype != object:
            if entry.dtype != np.bool_ or entry.shape != shape:
                raise DataError(
                    f"observed[{index}]",
                    found=f"a {entry.dtype} array of shape {entry.shape}",
                    expected=f"a boolean mask of shape {shape}",
                )
            out[index] = entry
            continue
        share = cell_landslide_area(entry, grid) / grid.cell_area_m2
        # 1e-9: a cell wholly inside comes out a rounding error below 1.
        out[index] = share >= min_observed_share - 1e-9
    return out
