r"""The observation of cells as a layer: what a hazard likelihood needs of a detector.

Per epoch and cell, the probability that a landslide there would be recorded,

.. math:: \pi = \text{(share of the cell that was seen)} \times
          \int r(A, s)\, p(A)\, \mathrm{d}A,

with the recall r at the slope of the cell and the size law p, and the expected number of false
alarms :math:`\phi`. A cell then shows a landslide with probability
:math:`1 - \exp(-\lambda\pi - \phi)` (`detection.observation.presence`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from detection.observation.by_epoch import EpochFactors
from detection.observation.model import ObservationModel, false_rate_of
from hazard.errors import DataError
from hazard.geo.grid import Grid
from stats.case_arrays import FloatArray

_SLOPE_CLASSES = 64


def recall_by_slope(
    model: ObservationModel, slope_deg: ArrayLike, areas_m2: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Mean recall over a sample of sizes, at each slope, and its standard deviation over draws.

    Args:
        model: detection error.
        slope_deg: slopes of any shape; NaN stays.
        areas_m2: (k,) sizes of true landslides, such as quantiles of a fitted law.

    Returns:
        Two arrays in the shape of `slope_deg`.
    """
    slope = np.asarray(slope_deg, dtype=np.float64)
    areas = np.asarray(areas_m2, dtype=np.float64)
    known = slope[np.isfinite(slope)]
    if not known.size:
        return np.full(slope.shape, np.nan), np.full(slope.shape, np.nan)
    # Smooth in slope: a table of 64 slopes is exact to a ten-thousandth.
    at = np.linspace(known.min(), known.max(), _SLOPE_CLASSES)
    value = np.array([float(model.recall(areas, s).mean()) for s in at])
    spread = np.array(
        [
            float(model.recall_draws(areas, np.full(areas.size, s)).mean(axis=1).std(ddof=1))
            for s in at
        ]
    )
    return np.interp(slope, at, value), np.interp(slope, at, spread)


def observation_layer(
    model: ObservationModel,
    grid: Grid,
    *,
    slope_deg: ArrayLike,
    seen_share: ArrayLike,
    areas_m2: ArrayLike,
    epochs: Sequence[str],
    factors: EpochFactors | None = None,
) -> Any:
    """The layer as a CF data set.

    Args:
        model: detection error.
        grid: cells, in metres.
        slope_deg: (y, x) mean slope of the cells; NaN where unknown.
        seen_share: (epoch, y, x) share of each cell that each epoch looked at.
        areas_m2: (k,) sample of sizes of true landslides.
        epochs: names of the epochs.
        factors: how each epoch departs from all together; None: no epoch does.

    Returns:
        `xarray.Dataset` on (epoch, y, x): ``observation_probability`` and its standard deviation
        over the draws, ``false_alarms`` expected per cell and its standard deviation.

    Raises:
        DataError: shapes that do not fit the grid or the epochs, or shares outside 0 to 1.
    """
    import xarray as xr

    from hazard.geo.cf import cf_dataset

    grid.require_metres("observation of cells")
    slope = np.asarray(slope_deg, dtype=np.float64)
    share = np.asarray(seen_share, dtype=np.float64)
    if slope.shape != grid.shape or share.shape != (len(epochs), *grid.shape):
        raise DataError(
            "observation layer", found=f"slope {slope.shape}, shares {share.shape}",
            expected=f"{grid.shape} and {(len(epochs), *grid.shape)}",
        )  # fmt: skip
    if not ((share >= 0.0) & (share <= 1.0 + 1e-9)).all():
        raise DataError(
            "observation layer", found=f"shares from {share.min():g} to {share.max():g}",
            expected="shares of the cell from 0 to 1",
        )  # fmt: skip
    recall, recall_sd = recall_by_slope(model, slope, areas_m2)
    km2 = grid.cell_area_m2 / 1e6
    rates = np.stack([false_rate_of(model.named(d), slope) for d in range(len(model.draws))])
    false, false_sd = model.false_rate_per_km2(slope) * km2, rates.std(axis=0, ddof=1) * km2
    dims = ("epoch", "y", "x")
    one = np.ones(len(epochs))
    own = EpochFactors(recall=one, false=one) if factors is None else factors

    def layer(values: FloatArray, factor: FloatArray, most: float, meaning: str) -> Any:
        by_epoch = np.minimum(factor[:, None, None] * values[None], most)
        whole = (share * by_epoch).astype(np.float32)
        return (dims, whole, {"units": "1", "long_name": meaning})

    return cf_dataset(
        {
            "observation_probability": layer(
                recall, own.recall, 1.0, "probability that a landslide in the cell is recorded"
            ),
            "observation_probability_sd": layer(
                recall_sd, own.recall, np.inf, "its standard deviation"
            ),
            "false_alarms": layer(
                false, own.false, np.inf, "expected false alarms in the cell"
            ),
            "false_alarms_sd": layer(false_sd, own.false, np.inf, "their standard deviation"),
        },
        grid,
        coords={"epoch": xr.Variable(("epoch",), np.arange(len(epochs), dtype=np.int32),
                                     {"names": ", ".join(epochs)})},
        attrs={
            "title": "Observation of landslides by a detector",
            "minimum_mapping_area_m2": float(model.minimum_m2),
            "synthetic": int(model.synthetic),
        },
    )  # fmt: skip


def write_observation_layer(path: str | Path, dataset: Any) -> None:
    """Write the layer as netCDF, beside its name and then renamed."""
    from hazard.geo.store import write_netcdf

    write_netcdf(path, dataset)
