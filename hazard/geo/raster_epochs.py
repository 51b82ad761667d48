"""Epoch series from a ready raster of landslide area density, one band per epoch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hazard.errors import DataError
from hazard.geo.epoch_series import EpochSeries, observed_cells
from hazard.geo.epochs import Epoch, check_epochs
from hazard.geo.grid import Grid
from hazard.geo.raster import Raster, read_info, read_native, read_on_grid


def series_from_raster(
    path: str | Path,
    epochs: Sequence[Epoch],
    grid: Grid | None = None,
    *,
    bands: Sequence[int] | None = None,
    nodata: float | None = None,
    observed: Any = None,
) -> EpochSeries:
    """Read a raster of new landslide area density [percent of the cell].

    Args:
        path: raster with one band per epoch, in order of time.
        epochs: epochs in order of time.
        grid: grid to bring it to by averaging; None: the raster's own grid.
        bands: 1-based bands, one per epoch; None: all bands of the file.
        nodata: value of cells not mapped; None: the file's own. Missing cells are not observed.
        observed: further masks, as for `series_from_cumulative`.

    Raises:
        DataError: the file cannot be read, bands and epochs differ in number, values are not
            within 0-100 %, or the grid is not in metres.
    """
    epochs = check_epochs(epochs)
    info = read_info(path)
    if bands is None and info.count != len(epochs):
        raise DataError(
            path,
            found=f"{info.count} bands",
            expected=f"one per epoch ({len(epochs)}), or target.bands to choose them",
        )
    chosen = list(range(1, info.count + 1)) if bands is None else list(bands)
    if len(chosen) != len(epochs):
        raise DataError(
            path, found=f"{len(chosen)} bands chosen", expected=f"one per epoch ({len(epochs)})"
        )
    layers: list[Raster] = [
        read_native(path, band=band, nodata=nodata)
        if grid is None
        else read_on_grid(path, grid, band=band, resampling="average", nodata=nodata)
        for band in chosen
    ]
    own = layers[0].grid
    own.require_metres("landslide densities", path)
    density = np.stack([layer.values for layer in layers]).astype(np.float64)
    mapped = np.stack([layer.valid for layer in layers])
    if not mapped.any():
        raise DataError(path, found="no mapped cell in any band", expected="densities in percent")
    low, high = float(density[mapped].min()), float(density[mapped].max())
    if low < 0 or high > 100:
        raise DataError(
            path, found=f"densities from {low:g} to {high:g}", expected="percent from 0 to 100"
        )
    seen = mapped & observed_cells(observed, own, len(epochs))
    notes = ["density as in the file"] if grid is None else ["density averaged onto the grid"]
    if 0 < high <= 1:
        notes.append(f"the largest density is {high:g}: is the file in shares, not in percent?")
    return EpochSeries(
        epochs=epochs,
        grid=own,
        area_density_percent=np.where(seen, density, np.nan),
        observed=seen,
        kind="raster",
        account={"n_mapped": int(mapped.any(axis=0).sum())},
        notes=tuple(notes),
    )
