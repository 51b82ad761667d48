"""Maps to files: one GeoTIFF per epoch and quantity, styles beside, CF netCDF and Zarr."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hazard.archive.names import MAPS_FOLDER, MAPS_NETCDF, MAPS_ZARR
from hazard.archive.predictions import LABEL, Predictions, open_predictions
from hazard.geo.beside import write_beside
from hazard.geo.cf import cf_dataset
from hazard.geo.cog import write_cog
from hazard.geo.grid import Grid
from hazard.geo.store import write_netcdf, write_zarr
from hazard.predict.quantities import HazardMaps, Quantity, hazard_maps
from hazard.predict.styles import style_text

Array = np.ndarray[Any, np.dtype[Any]]
# Upper end of a colour scale in percent: this quantile of the mapped values of all epochs.
_SCALE_QUANTILE = 0.995
DETECTION_ERROR = (
    "in the likelihood: probability of a true landslide; law of the recorded area density"
)


def write_maps(
    run: Path,
    *,
    held_out_scheme: str,
    colour_limit_percent: float | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[HazardMaps]:
    """Write `maps/`, `maps.nc` and `maps.zarr` of a run from its `predictions.zarr`.

    Args:
        run: run folder.
        held_out_scheme: see `hazard.predict.quantities.hazard_maps`.
        colour_limit_percent: upper end of the colour scales in percent; None: from the data.
        progress: called with 1 after each source.
    """
    predictions = open_predictions(run)
    found = hazard_maps(predictions, held_out_scheme=held_out_scheme)
    for maps in found:
        _write_geotiffs(run / MAPS_FOLDER / maps.source, maps, predictions, colour_limit_percent)
        if progress is not None:
            progress(1)
    dataset = maps_dataset(found, predictions)
    write_netcdf(run / MAPS_NETCDF, dataset)
    write_zarr(run / MAPS_ZARR, dataset)
    if progress is not None:
        progress(1)
    return found


def map_name(quantity: str, number: int, epoch: str) -> str:
    """File name of a map.

    Example:
        >>> map_name("hazard", 3, "pre-monsoon 2016")
        'hazard_03_pre-monsoon_2016.tif'
    """
    plain = re.sub(r"[^A-Za-z0-9.-]+", "_", epoch).strip("_")
    return f"{quantity}_{number:02d}_{plain}.tif"


def maps_dataset(found: Sequence[HazardMaps], run: Predictions) -> Any:
    """All maps as one CF dataset, variables SOURCE_QUANTITY on (epoch, y, x)."""
    variables: dict[str, Any] = {}
    for maps in found:
        for quantity in maps.quantities:
            attrs = {
                "units": quantity.unit, "long_name": quantity.long_name,
                "scheme": maps.scheme, "model": maps.model, "in_sample": int(maps.in_sample),
            }  # fmt: skip
            if run.of_truth(maps.model):
                attrs["detection_error"] = DETECTION_ERROR
            variables[f"{maps.source}_{quantity.name}"] = (
                ("epoch", "y", "x"), maps.values[quantity.name], attrs,
            )  # fmt: skip
    grid = run.grid
    names = [str(e["name"]) for e in run.epochs]
    codes = np.arange(len(names), dtype=np.int32)
    days = np.array([[e["start"], e["end"]] for e in run.epochs], dtype="datetime64[ns]")
    epoch = ("epoch", codes, {
        "long_name": "epoch", "flag_values": codes.tolist(),
        "flag_meanings": " ".join(name.replace(" ", "_") for name in names),
    })  # fmt: skip
    return cf_dataset(
        variables, grid,
        coords={
            "epoch": epoch,
            "epoch_start": ("epoch", days[:, 0], {"long_name": "first day of the epoch"}),
            "epoch_end": ("epoch", days[:, 1], {"long_name": "last day of the epoch"}),
        },
        attrs={
            "title": f"{_stamp(run)}{run.title}", "study": run.name, "label": LABEL,
            "synthetic": int(run.synthetic),
        },
    )  # fmt: skip


def _write_geotiffs(
    folder: Path, maps: HazardMaps, run: Predictions, colour_limit: float | None
) -> None:
    for quantity in maps.quantities:
        values = maps.values[quantity.name]
        for number, epoch in enumerate(maps.epochs):
            if not np.isfinite(values[number]).any():
                continue
            path = folder / map_name(quantity.name, number, str(epoch["name"]))
            _write_one(path, values[number], run.grid, quantity, maps, epoch, run)
        _write_style(folder, quantity, values, maps, colour_limit)


def _write_one(
    path: Path, values: Array, grid: Grid, quantity: Quantity, maps: HazardMaps,
    epoch: dict[str, Any], run: Predictions,
) -> None:  # fmt: skip
    tags: dict[str, Any] = {
        "study": run.name, "title": f"{_stamp(run)}{run.title}", "label": LABEL,
        "quantity": quantity.name, "epoch": epoch["name"], "epoch_start": epoch["start"],
        "epoch_end": epoch["end"], "scheme": maps.scheme, "model": maps.model,
        "in_sample": int(maps.in_sample),
    }  # fmt: skip
    if run.of_truth(maps.model):
        tags["detection_error"] = DETECTION_ERROR
    if run.synthetic:
        tags["SYNTHETIC"] = "yes: nothing here was observed"
    write_cog(
        path, values, grid, names=[quantity.name], units=[quantity.unit],
        descriptions=[quantity.long_name], tags=tags,
    )  # fmt: skip


def _write_style(
    folder: Path, quantity: Quantity, values: Array, maps: HazardMaps, colour_limit: float | None
) -> None:
    """One style per quantity, and a copy beside each map: QGIS takes the one of the same name."""
    largest = 1.0
    if quantity.unit != "1" or quantity.scale == "spread":
        mapped = values[np.isfinite(values)]
        largest = max(float(np.quantile(mapped, _SCALE_QUANTILE)), 1e-6)
        if colour_limit is not None and quantity.scale == "percent":
            largest = colour_limit
    text = style_text(unit=quantity.unit, scale=quantity.scale, largest=largest)
    names = [f"{quantity.name}.qml"]
    for number, epoch in enumerate(maps.epochs):
        name = map_name(quantity.name, number, str(epoch["name"]))
        if (folder / name).is_file():
            names.append(Path(name).with_suffix(".qml").name)
    for name in names:
        with write_beside(folder / name) as part:
            part.write_text(text, encoding="utf-8")


def _stamp(run: Predictions) -> str:
    return "SYNTHETIC: " if run.synthetic else ""
