r"""How likely what happened in a cell and epoch was recorded: the detection error of an inventory.

A landslide in a cell is recorded with probability :math:`\pi`, and :math:`\phi` false alarms are
expected there. Where the true probability of landslides is p, the record shows some with

.. math:: 1 - (1 - p)^\pi\, e^{-\phi},

because :math:`-\ln(1-p)` landslides are expected under p, and a thinned Poisson process is one.
The two are read from the netCDF that ``target.observation`` names. A cell and epoch in which
nothing can be recorded (:math:`\pi = 0`) was not observed, whatever the inventory says of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hazard.cube.mask import StudyMask
from hazard.errors import DataError
from hazard.geo.grid import Block, Grid
from hazard.geo.provenance import LayerSource

if TYPE_CHECKING:
    import xarray as xr

Float32Array = np.ndarray[Any, np.dtype[np.float32]]

PROBABILITY, FALSE_ALARMS = "observation_probability", "false_alarms"
OBSERVATION_LAYERS = (PROBABILITY, FALSE_ALARMS)
_DIMS = ("epoch", "y", "x")
_SLACK = 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class CellObservation:
    """The detection error of an inventory on the cells of a study.

    Attributes:
        probability: (epoch, y, x) probability that a landslide is recorded; NaN where unknown.
        false_alarms: (epoch, y, x) expected false alarms; NaN where unknown.
        source: provenance of both.
    """

    probability: Float32Array
    false_alarms: Float32Array
    source: LayerSource

    def layers(self) -> dict[str, Float32Array]:
        """Both by their names in the cube."""
        return {PROBABILITY: self.probability, FALSE_ALARMS: self.false_alarms}


def read_observation(path: Path, grid: Grid, epochs: Sequence[str]) -> CellObservation:
    """Read the file of `target.observation` on the cells of a study.

    Args:
        path: CF netCDF with ``observation_probability`` and ``false_alarms`` on (epoch, y, x),
            both of unit 1.
        grid: cells of the study; the file has them, or more cells of the same lattice.
        epochs: names of the study's epochs. The coordinate epoch of the file has them in its
            attribute ``names``, or is numbered from 0.

    Raises:
        DataError: missing or damaged file, other variables, units, cells or epochs, or values
            that are no probabilities or rates.
    """
    from hazard.geo.cf import grid_from_dataset
    from hazard.geo.provenance import file_sha256
    from hazard.geo.store import open_netcdf

    with open_netcdf(path, variables=(*OBSERVATION_LAYERS, "epoch"), load=True) as dataset:
        for name in OBSERVATION_LAYERS:
            _require_form(dataset[name], name, path)
        _require_epochs(dataset["epoch"], epochs, path)
        own = grid_from_dataset(dataset, source=path)
        part = _part(own, grid, path)
        probability, false = (
            np.asarray(dataset[name].values, np.float32)[:, part.slices[0], part.slices[1]]
            for name in OBSERVATION_LAYERS
        )
        synthetic = bool(dataset.attrs.get("synthetic", 0))
    _require_range(probability, PROBABILITY, 1.0, path)
    _require_range(false, FALSE_ALARMS, np.inf, path)
    if (np.isnan(probability) != np.isnan(false)).any():
        raise DataError(path, found=f"cells with one of {' and '.join(OBSERVATION_LAYERS)}",
                        expected="both or neither in every cell and epoch")  # fmt: skip
    notes = ["a landslide is recorded with this probability, whatever its size"]
    if synthetic:
        notes.append("SYNTHETIC: estimated on simulated landslides")
    if own.shape != grid.shape:
        notes.append("cropped to the cells of the study")
    source = LayerSource(
        file=str(path), sha256=file_sha256(path), crs=own.crs.to_string(), resampling="none",
        unit="1", source="detection error of the inventory", notes=tuple(notes),
    )  # fmt: skip
    return CellObservation(
        probability=np.clip(probability, 0.0, 1.0), false_alarms=np.maximum(false, 0.0),
        source=source,
    )  # fmt: skip


def seen_by_detection(mask: StudyMask, observation: CellObservation) -> StudyMask:
    """The mask without the cells and epochs in which no landslide can be recorded.

    Raises:
        DataError: an observed cell and epoch of unknown probability.
    """
    unknown = mask.observed & np.isnan(observation.probability)
    if unknown.any():
        raise DataError(
            observation.source.file,
            found=f"no {PROBABILITY} in {int(unknown.sum())} observed cells and epochs of the "
            "study mask",
            expected="a value in each; 0 where nothing can be recorded",
        )
    # NaN is not above 0, and warns of nothing.
    return replace(mask, observed=mask.observed & (observation.probability > 0.0))


def _require_form(variable: xr.DataArray, name: str, path: Path) -> None:
    if tuple(variable.dims) != _DIMS or variable.dtype.kind != "f":
        raise DataError(
            path, found=f"{name} as {variable.dtype} on ({', '.join(map(str, variable.dims))})",
            expected=f"floating point on ({', '.join(_DIMS)})",
        )  # fmt: skip
    unit = variable.attrs.get("units")
    if unit != "1":
        raise DataError(path, found=f"{name} in unit {unit!r}", expected="unit '1'")


def _require_epochs(axis: xr.DataArray, epochs: Sequence[str], path: Path) -> None:
    names = axis.attrs.get("names")
    if names is None:
        if axis.values.tolist() != list(range(len(epochs))):
            raise DataError(
                path, found=f"epochs {axis.values.tolist()} without attribute names",
                expected=f"epochs numbered from 0 to {len(epochs) - 1}",
            )  # fmt: skip
        return
    # A name may hold a comma itself.
    found, wanted = _parts(str(names)), _parts(",".join(epochs))
    if found != wanted or axis.size != len(epochs):
        raise DataError(
            path, found=f"{axis.size} epochs {names}",
            expected=f"{len(epochs)} epochs {', '.join(epochs)}, as in study.epochs",
        )  # fmt: skip


def _parts(names: str) -> list[str]:
    return [name.strip() for name in names.split(",")]


def _part(own: Grid, grid: Grid, path: Path) -> Block:
    """The study's cells among those of the file."""
    from hazard.geo.warp import lattice_offset

    offset = lattice_offset(own, grid) if own.crs == grid.crs else None
    if offset is not None:
        (row, col), (rows, cols) = offset, grid.shape
        if row >= 0 and col >= 0 and row + rows <= own.shape[0] and col + cols <= own.shape[1]:
            return Block(row0=row, row1=row + rows, col0=col, col1=col + cols)
    raise DataError(path, found=_in_words(own), expected=f"the study's cells, {_in_words(grid)}")


def _in_words(grid: Grid) -> str:
    rows, cols = grid.shape
    return (
        f"{rows} x {cols} cells of {grid.cell_size[0]:g} x {grid.cell_size[1]:g} within "
        f"{tuple(round(edge, 3) for edge in grid.bounds)} in {grid.crs.name}"
    )


def _require_range(values: Float32Array, name: str, highest: float, path: Path) -> None:
    known = values[~np.isnan(values)]
    if not known.size:
        raise DataError(path, found=f"no value of {name}", expected="values in observed cells")
    low, high = float(known.min()), float(known.max())
    if low < -_SLACK or high > highest + _SLACK or not np.isfinite(high):
        limits = "0 to 1" if np.isfinite(highest) else "0 or more"
        raise DataError(path, found=f"{name} from {low:g} to {high:g}", expected=limits)
