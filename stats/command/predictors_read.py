"""Predictors of a run's cube at its forecasts, read by the written layout (docs/cube.md).

Pixels are averaged over their cell (classes take the one that most pixels have), triggers are those
of the trigger cell that holds the centre, and what earlier epochs showed is a predictor too. Flags
and coordinates are none.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from stats.case_arrays import BoolArray, FloatArray
from stats.command.errors import DataError

CUBE, LAYOUT, VERSION = "cube.zarr", "hazard-cube", 1
NO_CLASS = -32768
# Smaller classes are no group that a test could speak of.
_SMALLEST_CLASS = 10
_SKIPPED = ("x", "y", "epoch", "epoch_days", "epoch_start", "epoch_end", "spatial_ref", "filled")

Array = np.ndarray[Any, np.dtype[Any]]


def predictors_of(
    run: Path, where: BoolArray, x_m: FloatArray, y_m: FloatArray
) -> dict[str, Array]:
    """(case,) values of every predictor of the cube by its name in words; none without a cube.

    Args:
        run: run folder.
        where: (epoch, y, x) cells and epochs that are cases.
        x_m: (x,) eastings of the cell centres of the forecasts [m].
        y_m: (y,) northings [m].

    Raises:
        DataError: a cube of another layout or lattice, or a predictor without a value in a case.
    """
    import zarr

    path = run / CUBE
    if not path.is_dir():
        return {}
    try:
        root = zarr.open_group(path, mode="r", use_consolidated=False)
        found = root.attrs.get("layout"), root.attrs.get("layout_version")
    except Exception as error:  # damaged stores fail in many ways
        raise DataError(path, found=f"no readable store ({error})", expected="a cube") from None
    if found != (LAYOUT, VERSION):
        raise DataError(
            path, found=f"layout {found[0]!r}, version {found[1]!r}",
            expected=f"{LAYOUT!r}, version {VERSION} (docs/cube.md)",
        )  # fmt: skip
    lattice = where.shape[1:]
    for name, ours in (("x", x_m), ("y", y_m)):
        theirs = np.asarray(root[name][:], dtype=np.float64)
        if theirs.shape != ours.shape or not np.allclose(theirs, ours, rtol=0.0, atol=1.0):
            raise DataError(path, found=f"other cells along {name}", expected="those forecast")
    layers: dict[str, Array] = {}
    for group in ("pixels", "cells", "triggers"):
        if group in root:
            more = _layers(root[group], group, lattice, x_m, y_m, path)
            layers |= {
                (f"{name}, {group}" if name in layers else name): v for name, v in more.items()
            }
    layers |= _past(root, where)
    return _at_cases(layers, where, path)


def _layers(
    group: Any, name: str, lattice: tuple[int, ...], x_m: FloatArray, y_m: FloatArray, path: Path
) -> dict[str, Array]:
    """(y, x) or (epoch, y, x) layers of a group on the cells, by name."""
    found: dict[str, Array] = {}
    for layer in sorted(group.array_keys()):
        stored = group[layer]
        if layer in _SKIPPED or layer.endswith("_flag") or stored.ndim < 2:
            continue
        values = np.asarray(stored[:])
        if name == "pixels":
            values = _cell_values(values, lattice, path / name / layer)
        elif name == "triggers":
            rows, columns = (
                np.abs(np.asarray(group[axis][:], dtype=np.float64)[None] - ours[:, None]).argmin(1)
                for axis, ours in (("y", y_m), ("x", x_m))
            )
            values = values[..., rows[:, None], columns]
        elif values.shape[-2:] != lattice:
            raise DataError(
                path / name / layer, found=f"shape {values.shape}", expected=f"{lattice} cells"
            )
        # The name of the layer in words, for readers; what follows a comma explains it.
        words = str(stored.attrs.get("long_name", layer)).split(",")[0].split(" (")[0].strip()
        found[layer if not words or words in found else words] = values
    return found


def _cell_values(values: Array, lattice: tuple[int, ...], path: Path) -> Array:
    """(y, x) mean of the pixels of each cell, or the class that most of them have."""
    rows, columns = lattice
    side = values.shape[0] // rows
    if values.shape != (rows * side, columns * side) or side < 1:
        raise DataError(path, found=f"shape {values.shape}", expected=f"pixels nested in {lattice}")
    pixels = values.reshape(rows, side, columns, side)
    if not np.issubdtype(values.dtype, np.integer):
        held = np.isfinite(pixels)
        count = held.sum(axis=(1, 3))
        total = np.where(held, pixels, 0.0).sum(axis=(1, 3), dtype=np.float64)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)
    classes = [c for c in np.unique(values) if c != NO_CLASS]
    if not classes:
        return np.full(lattice, NO_CLASS)
    shares = np.stack([(pixels == c).sum(axis=(1, 3)) for c in classes])
    most = np.array(classes)[shares.argmax(axis=0)]
    return np.where(shares.max(axis=0) > 0, most, NO_CLASS)


def _past(root: Any, where: BoolArray) -> dict[str, Array]:
    """(epoch, y, x) mean area density of the earlier epochs; none where a case has no past."""
    density = np.asarray(root["area_density"][:], dtype=np.float64)
    seen = np.asarray(root["observed"][:], dtype=bool) & np.isfinite(density)
    if density.shape != where.shape:
        return {}
    times, held = seen.astype(np.int64), np.where(seen, density, 0.0)
    count: Array = np.cumsum(times, axis=0) - times
    total: Array = np.cumsum(held, axis=0) - held
    if (count[where] == 0).any():
        return {}
    return {"earlier area density": np.where(count > 0, total / np.maximum(count, 1), np.nan)}


def _at_cases(layers: Mapping[str, Array], where: BoolArray, path: Path) -> dict[str, Array]:
    """(case,) values; layers that do not vary over the cases say nothing and are left out."""
    cases: dict[str, Array] = {}
    for name, values in layers.items():
        at: Array = np.broadcast_to(values, where.shape)[where]
        if at.dtype.kind in "iub":
            _, number = np.unique(at, return_inverse=True)
            if np.count_nonzero(np.bincount(number.reshape(-1)) >= _SMALLEST_CLASS) > 1:
                cases[name] = at
            continue
        lost = int(np.count_nonzero(~np.isfinite(at)))
        if lost:
            raise DataError(
                path, found=f"{name} without a value in {lost} cells with a forecast",
                expected="a value in each (docs/cube.md)",
            )  # fmt: skip
        if at.min() < at.max():
            cases[name] = at.astype(np.float64)
    return cases
