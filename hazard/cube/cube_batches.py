"""From a stored cube to the batches of one fold: the last module that sees xarray.

Besides its layers, every epoch tells the networks its season, its length and its distance from the
event: how much is mapped in an epoch depends on them before any terrain does.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hazard.cube.batches import Batches, build_batches
from hazard.cube.export import export_batches
from hazard.cube.layout import FLAG_CENSORED, NO_CLASS, Cube
from hazard.cube.observation import OBSERVATION_LAYERS
from hazard.cube.past import DEFAULT_WINDOWS
from hazard.cube.patches import PatchIndex, patch_index
from hazard.cube.predictors import USUAL_TRANSFORMS, Predictor, Support
from hazard.cube.splits import ROLE_PREFIX, design_from_layer
from hazard.errors import DataError
from hazard.variables import VARIABLES
from stats.resampling.folds import TRAIN, UNUSED, FoldDesign

Array = np.ndarray[Any, np.dtype[Any]]
BoolArray = np.ndarray[Any, np.dtype[np.bool_]]

# Pixels read at once: a row of stored chunks, so that each chunk is decompressed once.
_ROWS_OF_PIXELS = 1024
# Half-years differ by a day or two; that is the calendar, not the mapping window.
_LEAST_SPREAD_DAYS = 5.0
_NOT_PREDICTORS = ("filled", "spatial_ref", "epoch_start", "epoch_end", "epoch_days")


def predictors_of_cube(cube: Cube) -> tuple[Predictor, ...]:
    """Every predictor of the cube, read lazily.

    Layers of /pixels, /cells and /triggers by their own names; ``NAME_censored`` (0 or 1) for a
    censored layer; and per epoch ``season`` (classes), ``length_days`` and ``days_since_event``.
    """
    rows, trigger_rows = cube.grid.shape[0], cube.trigger_grid.shape[0]
    trigger = round(cube.trigger_grid.cell_size[1] / cube.grid.cell_size[1])
    if trigger_rows != -(-rows // trigger):
        raise DataError(
            cube.path, found=f"{trigger_rows} rows of triggers", expected=f"{-(-rows // trigger)}"
        )
    found: list[Predictor] = []
    groups: tuple[tuple[Any, Support, int], ...] = (
        (cube.pixels, "pixel", cube.pixels_per_cell),
        (cube.cells, "cell", 1),
        (cube.triggers, "trigger", trigger),
    )
    for dataset, support, factor in groups:
        found.extend(_layers(dataset, support, factor))
    return (*found, *_epoch_predictors(cube))


def patches_of_cube(cube: Cube, *, n: int | None = None, shift: int | None = None) -> PatchIndex:
    """Patches on the cube's mask, by its own configuration unless told otherwise."""
    settings = cube.config["cube"]["patches"]
    return patch_index(
        np.asarray(cube.root["mask"].values[0], dtype=bool),
        n=settings["cells"] if n is None else n,
        shift=settings["shift_cells"] if shift is None else shift,
    )


def designs_of_cube(cube: Cube) -> dict[str, FoldDesign]:
    """All stored designs by name, over the flattened grid."""
    return {
        str(name).removeprefix(ROLE_PREFIX): design_from_layer(
            layer.values, layer.attrs, source=cube.path
        )
        for name, layer in cube.folds.data_vars.items()
        if str(name).startswith(ROLE_PREFIX)
    }


def batches_of_cube(
    cube: Cube,
    *,
    design: str | None = None,
    fold: int = 0,
    index: PatchIndex | None = None,
    past_windows: Sequence[int] | None = DEFAULT_WINDOWS,
    past_per_year: bool = False,
    presence_above: float = 0.0,
    progress: Callable[[int], None] | None = None,
) -> Batches:
    """Standardise and lay out one fold of a cube.

    Args:
        cube: an open cube.
        design: name of a stored design; None trains on everything observed, as the final model
            does and as an export for other machines needs it.
        fold: number of the fold.
        index: patches; those of the cube's configuration where None.
        past_windows: windows of past records [cells, odd]; None leaves them out.
        past_per_year: past densities per year.
        presence_above: density [percent] above which there is a landslide.
        progress: called with 1 exactly twice per predictor of the cube.

    Raises:
        DataError: no such design or fold, or a layer that cannot be used.
    """
    observed = np.asarray(cube.root["observed"].values, dtype=bool)
    role = np.where(observed, TRAIN, UNUSED).astype(np.int8)
    if design is not None:
        name = ROLE_PREFIX + design
        stored = sorted(str(n).removeprefix(ROLE_PREFIX) for n in cube.folds.data_vars)
        if name not in cube.folds.data_vars:
            raise DataError(cube.path, found=f"designs {', '.join(stored)}", expected=design)
        layer = cube.folds[name]
        if not 0 <= fold < layer.shape[0]:
            raise DataError(
                cube.path, found=f"{layer.shape[0]} folds of {design}", expected=f"fold {fold}"
            )
        role = np.asarray(layer[fold], dtype=np.int8)
    return build_batches(
        predictors_of_cube(cube),
        np.asarray(cube.root["area_density"].values),
        observed,
        np.asarray(cube.root["mask"].values[0], dtype=bool),
        role,
        patches_of_cube(cube) if index is None else index,
        epoch_days=[float(epoch.length_days) for epoch in cube.epochs],
        observation=observation_of_cube(cube),
        epoch_names=[epoch.name for epoch in cube.epochs],
        past_windows=past_windows,
        past_per_year=past_per_year,
        presence_above=presence_above,
        rows_per_block=max(1, _ROWS_OF_PIXELS // cube.pixels_per_cell),
        notes=_notes(cube, design, fold),
        progress=progress,
    )


def observation_of_cube(cube: Cube) -> tuple[Array, Array] | None:
    """(epoch, y, x) probability that a landslide is recorded, and expected false alarms.

    None where the cube has no detection error: every landslide is recorded, and nothing else.
    """
    if not set(OBSERVATION_LAYERS) <= set(cube.root.data_vars):
        return None
    probability, false = (np.asarray(cube.root[name].values) for name in OBSERVATION_LAYERS)
    return probability, false


def export_cube(
    cube: Cube,
    path: str | os.PathLike[str],
    *,
    past_windows: Sequence[int] | None = DEFAULT_WINDOWS,
    progress: Callable[[int], None] | None = None,
) -> Batches:
    """Write the whole cube as one .npz: batches fitted on everything, and all stored designs.

    `hazard.cube.refit.refit` makes the batches of any fold of it.

    Args:
        cube: an open cube.
        path: destination.
        past_windows: windows of past records [cells, odd].
        progress: as in `batches_of_cube`.

    Returns:
        The batches written.
    """
    batches = batches_of_cube(cube, past_windows=past_windows, progress=progress)
    designs = designs_of_cube(cube)
    audits = {n: json.loads(cube.folds[ROLE_PREFIX + n].attrs["audit"]) for n in designs}
    mapped = {n: _on_mapped_cells(d, batches) for n, d in designs.items()}
    export_batches(path, batches, designs=mapped, audits=audits)
    return batches


def _on_mapped_cells(design: FoldDesign, batches: Batches) -> FoldDesign:
    return replace(design, role=np.ascontiguousarray(design.role[..., batches.cell_flat]))


def _layers(dataset: Any, support: Support, factor: int) -> Iterator[Predictor]:
    # Bands in the order of their declaration, further layers after them by name: a store lists its
    # arrays in no order at all, and a network's weights belong to band numbers.
    order = {name: number for number, name in enumerate(VARIABLES)}
    names = sorted(map(str, dataset.data_vars), key=lambda n: (order.get(n, len(order)), n))
    for name in names:
        layer = dataset.data_vars[name]
        if name in _NOT_PREDICTORS or name.endswith("_flag"):
            continue
        is_class = layer.dtype.kind in "iu" and layer.attrs.get("_FillValue", NO_CLASS) == NO_CLASS
        declared = VARIABLES.get(name)
        yield Predictor(
            name=name,
            unit=str(layer.attrs.get("units", declared.unit if declared else "1")),
            values=layer,
            support="epoch" if layer.dims == ("epoch",) else support,
            factor=factor,
            per_epoch=layer.dims == ("epoch", "y", "x"),
            transform=USUAL_TRANSFORMS.get(name, "identity"),
            is_class=is_class and name not in VARIABLES,
        )
        flag = dataset.data_vars.get(f"{name}_flag")
        if support == "cell" and flag is not None:
            censored = (np.asarray(flag) & FLAG_CENSORED) > 0
            if censored.any():
                yield Predictor(name=f"{name}_censored", unit="1", values=censored.astype(float))


def season_codes(seasons: Sequence[str]) -> dict[str, int]:
    """Class number of every season, from 1, in alphabetical order.

    Example:
        >>> season_codes(["pre-monsoon", "coseismic", "pre-monsoon"])
        {'coseismic': 1, 'pre-monsoon': 2}
    """
    return {name: number for number, name in enumerate(sorted(set(seasons)), start=1)}


def _epoch_predictors(cube: Cube) -> tuple[Predictor, ...]:
    codes = season_codes([epoch.season for epoch in cube.epochs])
    season = np.array([codes[epoch.season] for epoch in cube.epochs])
    length = np.array([float(epoch.length_days) for epoch in cube.epochs])
    event = dt.date.fromisoformat(str(json.loads(cube.root.attrs["event"])["date"]))
    # Epochs before the event have no distance after it.
    since = np.array([max(0.0, float((epoch.end - event).days)) for epoch in cube.epochs])
    return (
        Predictor(name="season", unit="1", values=season, support="epoch", is_class=True),
        Predictor(
            name="length_days",
            unit="day",
            values=length,
            support="epoch",
            least_spread=_LEAST_SPREAD_DAYS,
        ),
        Predictor(
            name="days_since_event", unit="day", values=since, support="epoch", transform="log1p"
        ),
    )


def _notes(cube: Cube, design: str | None, fold: int) -> dict[str, str]:
    return {
        "study": cube.name,
        "title": cube.title,
        "synthetic": "yes" if cube.synthetic else "no",
        "fold": "everything observed" if design is None else f"{design}, fold {fold}",
        "season_codes": json.dumps(season_codes([epoch.season for epoch in cube.epochs])),
        "absent": json.dumps(cube.absent),
    }
