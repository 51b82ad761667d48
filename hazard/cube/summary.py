"""The last look at a cube before it gets its name: checks of every layer, and the summary table.

One pass does both. Every predictor is read back inside the study mask: a value outside its
declared range or a missing one is an error here, whatever wrote it. What passes becomes a row:
layer, group, unit, minimum, median, maximum, missing, filled, censored and source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hazard.cube.layout import NO_CLASS, Cube
from hazard.cube.observation import OBSERVATION_LAYERS
from hazard.cube.terrain_layers import to_pixels
from hazard.cube.trigger_layers import under_mask
from hazard.cube.writer import check_range
from hazard.errors import DataError

Progress = Callable[[int], None]
AnyArray = np.ndarray[Any, np.dtype[Any]]
BoolArray = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, kw_only=True)
class LayerRow:
    """One layer of the summary table.

    Attributes:
        layer: name.
        group: pixels, cells, triggers or root.
        unit: CF unit.
        minimum: smallest value inside the mask.
        median: median inside the mask.
        maximum: largest value inside the mask.
        missing: positions of the mask without a value (area_density: not observed).
        filled: positions of the mask filled from the nearest value.
        censored: positions of the mask below the threshold of a censored layer.
        source: file name or derivation.
    """

    layer: str
    group: str
    unit: str
    minimum: float
    median: float
    maximum: float
    missing: int
    filled: int
    censored: int
    source: str


@dataclass(frozen=True, kw_only=True)
class EpochRow:
    """One epoch of the target.

    Attributes:
        epoch: name.
        length_days: length [day].
        mapped: cells of the study mask.
        observed: cells seen in the epoch.
        positive: cells with new landslide area.
        area_km2: new landslide area [km2].
    """

    epoch: str
    length_days: int
    mapped: int
    observed: int
    positive: int
    area_km2: float


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The summary of a cube.

    Attributes:
        layers: one row per layer.
        epochs: one row per epoch.
        absent: predictors that are not there, each with its reason.
        notes: sentences to read before trusting the numbers.
    """

    layers: tuple[LayerRow, ...]
    epochs: tuple[EpochRow, ...]
    absent: Mapping[str, str]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values for ``summary.json``."""
        return {
            "layers": [asdict(row) for row in self.layers],
            "epochs": [asdict(row) for row in self.epochs],
            "absent": dict(self.absent),
            "notes": list(self.notes),
        }


def summarise(
    cube: Cube,
    *,
    filled: Mapping[str, int],
    censored: Mapping[str, int],
    notes: Sequence[str],
    progress: Progress | None = None,
) -> Summary:
    """Check every layer inside the mask and tabulate it.

    Args:
        cube: the cube, opened.
        filled: positions filled, per layer.
        censored: positions censored, per layer.
        notes: sentences gathered while building.
        progress: called with 1 per layer.

    Raises:
        DataError: a predictor that lacks a value inside the mask, or holds one outside its range.
    """
    cells = np.asarray(cube.root["mask"].isel(epoch=0).values, dtype=np.bool_)
    factor = cube.pixels_per_cell
    per_trigger = cube.grid.shape[0] and -(-cube.grid.shape[0] // cube.trigger_grid.shape[0])
    masks = {
        "pixels": to_pixels(cells, factor),
        "cells": cells,
        "triggers": under_mask(cells, int(per_trigger)),
    }
    rows = []
    observed = np.asarray(cube.root["observed"].values, dtype=np.bool_)
    missing = int(np.count_nonzero(~observed & cells))
    for name in ("area_density", *(n for n in OBSERVATION_LAYERS if n in cube.root)):
        layer = cube.root[name]
        rows.append(
            _row(
                name, "root", layer.attrs, layer.values[observed], missing=missing, filled=0,
                censored=0,
            )
        )  # fmt: skip
    for group, mask in masks.items():
        dataset = getattr(cube, group)
        for name in sorted(str(n) for n in dataset.data_vars):
            if name == "filled" or name.endswith("_flag"):
                continue
            rows.append(_checked_row(dataset[name], name, group, mask, filled, censored))
            if progress is not None:
                progress(1)
    return Summary(
        layers=tuple(rows),
        epochs=epoch_rows(cube),
        absent=cube.absent,
        notes=tuple(notes),
    )


def _checked_row(
    variable: Any,
    name: str,
    group: str,
    mask: BoolArray,
    filled: Mapping[str, int],
    censored: Mapping[str, int],
) -> LayerRow:
    inside = values_inside(variable, mask)
    is_class = inside.dtype.kind in "iu"
    missing = int(np.count_nonzero(inside == NO_CLASS if is_class else np.isnan(inside)))
    if missing:
        raise DataError(
            name,
            found=f"{missing} missing values inside the study mask",
            expected="none after filling",
        )
    row = _row(
        name, group, variable.attrs, inside, missing=missing, filled=filled.get(name, 0),
        censored=censored.get(name, 0),
    )  # fmt: skip
    if not is_class:
        check_range(name, np.array([row.minimum, row.maximum]), name)
    return row


def values_inside(variable: Any, mask: BoolArray) -> AnyArray:
    """(n,) values of a layer inside the mask, all epochs in turn, in an array of their own.

    Large layers are read by bands of rows, so that only what is returned is held whole.

    Args:
        variable: (epoch,), (y, x) or (epoch, y, x) layer.
        mask: (y, x) positions that count.
    """
    if len(variable.dims) == 1:
        return np.array(variable.values)
    if len(variable.dims) == 3:
        return np.asarray(variable.values)[:, mask].reshape(-1)
    inside = np.empty(int(np.count_nonzero(mask)), variable.dtype)
    step = (variable.encoding.get("chunks") or mask.shape)[0]
    done = 0
    for row in range(0, mask.shape[0], step):
        part = np.asarray(variable[row : row + step].values)[mask[row : row + step]]
        inside[done : done + part.size] = part
        done += part.size
    return inside


def _row(
    name: str,
    group: str,
    attributes: Mapping[str, Any],
    inside: AnyArray,
    *,
    missing: int,
    filled: int,
    censored: int,
) -> LayerRow:
    # In place: the copy that `np.median` makes of 44 million pixels is another 177 MB.
    last = inside.size - 1
    inside.partition([0, last // 2, (last + 1) // 2, last])
    low, high = float(inside[0]), float(inside[last])
    median = 0.5 * (float(inside[last // 2]) + float(inside[(last + 1) // 2]))
    file = str(attributes.get("source_file", "")).split(",")[0]
    source = file.rsplit("/", 1)[-1] or str(attributes.get("source", ""))
    derived = attributes.get("derived_from")
    return LayerRow(
        layer=name,
        group=group,
        unit=str(attributes.get("units", "1")),
        minimum=low,
        median=median,
        maximum=high,
        missing=missing,
        filled=filled,
        censored=censored,
        source=f"{source} (derived)" if derived else source,
    )


def epoch_rows(cube: Cube) -> tuple[EpochRow, ...]:
    """Cells, positives and total area of every epoch of a cube."""
    presence = cube.root["presence"].values
    observed = np.asarray(cube.root["observed"].values, dtype=np.bool_)
    mask = np.asarray(cube.root["mask"].values, dtype=np.bool_)
    density = cube.root["area_density"].values
    cell_km2 = cube.grid.cell_area_m2 / 1e6
    rows = []
    for index, epoch in enumerate(cube.epochs):
        seen = observed[index]
        total = float(density[index][seen].sum(dtype=np.float64))
        rows.append(
            EpochRow(
                epoch=epoch.name,
                length_days=epoch.length_days,
                mapped=int(mask[index].sum()),
                observed=int(seen.sum()),
                positive=int((presence[index] == 1).sum()),
                area_km2=total / 100.0 * cell_km2,
            )
        )
    return tuple(rows)


def layer_table(summary: Summary) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the layer table as text."""
    header = [
        "layer", "group", "unit", "min", "median", "max", "missing", "filled", "censored", "source",
    ]  # fmt: skip
    rows = [
        [
            row.layer, row.group, row.unit, f"{row.minimum:.4g}", f"{row.median:.4g}",
            f"{row.maximum:.4g}", str(row.missing), str(row.filled), str(row.censored), row.source,
        ]
        for row in summary.layers
    ]  # fmt: skip
    return header, rows


def epoch_table(summary: Summary) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the epoch table as text."""
    header = ["epoch", "days", "mapped cells", "observed", "positive", "share", "area km2"]
    rows = [
        [
            row.epoch, str(row.length_days), str(row.mapped), str(row.observed), str(row.positive),
            f"{row.positive / row.observed:.3f}" if row.observed else "-", f"{row.area_km2:.1f}",
        ]
        for row in summary.epochs
    ]  # fmt: skip
    return header, rows


def plain_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns padded with blanks, for pipes and files.

    Example:
        >>> print(plain_table(["layer", "max"], [["pga", "3.1"]]))
        layer  max
        pga    3.1
    """
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in [header, *rows]
    ]
    return "\n".join(line.rstrip() for line in lines)
