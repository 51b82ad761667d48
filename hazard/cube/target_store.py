"""The target part of a cube: axes of time, densities, presence, mask and what was observed."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import numpy as np

from hazard.config.schema import HazardConfig
from hazard.cube.layout import NOT_OBSERVED
from hazard.cube.mask import StudyMask
from hazard.cube.observation import CellObservation, seen_by_detection
from hazard.cube.target_layers import TargetLayers, cube_epochs
from hazard.cube.writer import LayerWriter, PartFacts, layer_attributes
from hazard.errors import DataError


def epoch_coordinates(config: HazardConfig) -> dict[str, Any]:
    """The epoch axis and its dates as CF coordinates."""
    import xarray as xr

    if config.study is None:
        raise ValueError("an incomplete configuration; resolve its sources first")
    epochs = cube_epochs(config.study)
    origin = dt.date(1970, 1, 1)
    calendar = {"units": "days since 1970-01-01", "calendar": "proleptic_gregorian"}

    def days(name: str, long_name: str) -> xr.Variable:
        values = np.array([(getattr(e, name) - origin).days for e in epochs], dtype=np.int32)
        return xr.Variable(("epoch",), values, {"long_name": long_name, **calendar})

    return {
        "epoch": xr.Variable(
            ("epoch",),
            np.arange(len(epochs), dtype=np.int32),
            {"long_name": "number of the epoch; names are in the attribute epochs of the root"},
        ),
        "epoch_start": days("start", "first day of the epoch"),
        "epoch_end": days("end", "last day of the epoch (inclusive)"),
        "epoch_days": xr.Variable(
            ("epoch",),
            np.array([e.length_days for e in epochs], dtype=np.float32),
            {"long_name": "length of the epoch", "units": "day"},
        ),
    }


def write_target(
    writer: LayerWriter,
    layers: TargetLayers,
    mask: StudyMask,
    observation: CellObservation | None = None,
) -> PartFacts:
    """Write density, presence, mask and observed; what lies outside the mask has no value.

    With an observation its two layers come along, and what cannot be recorded is not observed.

    Raises:
        DataError: an observed cell and epoch of which the observation says nothing.
    """
    series = layers.series
    facts = PartFacts()
    if observation is not None:
        mask = _write_observation(writer, layers, mask, observation, facts)
    shape = series.observed.shape
    dims = ("epoch", "y", "x")
    first = layers.sources[0]
    if len(layers.sources) > 1:
        first = replace(
            first,
            file=", ".join(source.file for source in layers.sources),
            sha256=",".join(source.sha256 for source in layers.sources),
        )
    density = np.where(mask.observed, series.area_density_percent, np.nan)
    presence = np.where(mask.observed, density > 0, NOT_OBSERVED).astype(np.int8)
    writer.create(
        "", "area_density", shape, "float32", dims=dims,
        attrs=layer_attributes(
            "area_density", first, cell_methods="area: sum",
            interval_censored=series.interval_censored,
        ),
    )[...] = density.astype(np.float32)  # fmt: skip
    writer.create(
        "", "presence", shape, "int8", dims=dims, fill=NOT_OBSERVED,
        attrs={
            "long_name": "new landslide area in the cell", "units": "1",
            "flag_values": [0, 1], "flag_meanings": "absent present",
        },
    )[...] = presence  # fmt: skip
    for name, values, meaning in (
        ("mask", np.broadcast_to(mask.cells, shape), "mapped cells of the study"),
        ("observed", mask.observed, "mapped cells seen in the epoch"),
    ):
        writer.create(
            "", name, shape, "bool", dims=dims, attrs={"long_name": meaning, "rule": mask.rule}
        )[...] = values
    if series.recovered_percent is not None:
        recovered = np.where(mask.observed, series.recovered_percent, np.nan)
        writer.create(
            "", "recovered", shape, "float32", dims=dims,
            attrs=layer_attributes(
                "recovered", first, long_name="decrease of the visible landslide area",
            ),
        )[...] = recovered.astype(np.float32)  # fmt: skip
    if series.window_days is not None:
        writer.create(
            "", "window_days", shape, "float32", dims=dims,
            attrs={
                "long_name": "days over which the new area appeared", "units": "day",
            },
        )[...] = series.window_days.astype(np.float32)  # fmt: skip
    for source in layers.sources:
        facts.add_source("area_density", source)
    facts.numbers["account"] = {k: float(v) for k, v in layers.account.items() if v is not None}
    facts.notes.append(f"mask: {int(mask.cells.sum())} cells ({mask.rule})")
    facts.notes.extend(f"target: {note}" for note in series.notes)
    if mask.area_dropped_m2 > 0:
        facts.notes.append(
            f"target: {mask.area_dropped_m2 / 1e6:.3f} km2 of landslides lie in cells that are "
            "not in the mask and are left out"
        )
    return facts


def _write_observation(
    writer: LayerWriter,
    layers: TargetLayers,
    mask: StudyMask,
    observation: CellObservation,
    facts: PartFacts,
) -> StudyMask:
    """Write the layers of the detection error; the mask without what cannot be recorded."""
    seen = seen_by_detection(mask, observation)
    lost = mask.observed & ~seen.observed
    for name, values in observation.layers().items():
        writer.create(
            "", name, values.shape, "float32", dims=("epoch", "y", "x"),
            attrs=layer_attributes(name, observation.source),
        )[...] = np.where(seen.observed, values, np.nan)  # fmt: skip
        facts.add_source(name, observation.source)
    if not seen.observed.any():
        raise DataError(
            observation.source.file, found="no cell in which anything can be recorded",
            expected="at least one",
        )  # fmt: skip
    middle = float(np.mean(observation.probability[seen.observed], dtype=np.float64))
    false = float(np.sum(observation.false_alarms[seen.observed], dtype=np.float64))
    shown = int(np.count_nonzero(np.nan_to_num(layers.series.area_density_percent)[lost] > 0))
    facts.notes.append(
        f"detection error: a landslide is recorded with probability {middle:.3f} in the mean of "
        f"the observed cells and epochs, and {false:.1f} false alarms are expected in all; "
        f"{int(lost.sum())} cells and epochs in which nothing can be recorded count as not "
        f"observed, {shown} of them with recorded landslides"
    )
    return seen
