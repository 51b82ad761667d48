"""Write the batches of a study as one .npz for a machine without the geospatial stack.

The file carries everything that training and prediction need: standardised arrays, index tables,
targets, the roles of every design, names, units and scaling. `hazard.cube.export_reader` reads it
with NumPy alone; `hazard.cube.refit` makes any fold of it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from hazard.cube.batches import Batches
from hazard.cube.export_reader import (
    DESIGN_PREFIX,
    FORMAT,
    FORMAT_VERSION,
    Export,
    load_export,
)
from hazard.geo.beside import write_beside
from stats.resampling.folds import FoldDesign

__all__ = ["Export", "export_batches", "load_export"]

Array = np.ndarray[Any, np.dtype[Any]]


def export_batches(
    path: str | os.PathLike[str],
    batches: Batches,
    *,
    designs: Mapping[str, FoldDesign] | None = None,
    audits: Mapping[str, Any] | None = None,
) -> None:
    """Write one uncompressed .npz, beside its name and then renamed.

    Args:
        path: destination; an earlier file is replaced when the new one is whole.
        batches: best of the fold that trains on everything observed, so that every other can be
            refitted from it.
        designs: designs by name, with roles on the mapped cells (fold, epoch, mapped cell).
        audits: plain values by design name, kept with the roles.

    Raises:
        ValueError: a design on other cells or epochs than the batches.
        DataError: the destination is not a file.
    """
    arrays = batches.arrays()
    attributes: dict[str, dict[str, Any]] = {}
    for name, design in (designs or {}).items():
        expected = (batches.role.shape[0], batches.n_cells)
        if design.role.shape[1:] != expected:
            raise ValueError(f"design {name} of shape {design.role.shape}; use (fold, *{expected})")
        padded = np.zeros((design.n_folds, *batches.role.shape), dtype=np.int8)
        padded[..., : batches.n_cells] = design.role
        arrays[DESIGN_PREFIX + name] = padded
        attributes[name] = {
            "unit": design.unit,
            "seed": design.seed,
            "separates": sorted(design.separates),
            "buffer_m": design.buffer_m,
            "fold_names": list(design.fold_names),
            "parameters": dict(design.parameters),
            "audit": (audits or {}).get(name),
        }
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    metadata = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "arrays": {name: [str(a.dtype), list(a.shape)] for name, a in arrays.items()},
        "names": {
            "pixels": batches.pixel_names,
            "static": batches.static_names,
            "changing": batches.changing_names,
            "epochs": batches.epoch_names,
        },
        "target_units": {"area_density": "percent", "presence": "1"},
        "shape": batches.shape,
        "standardisation": json.loads(batches.standardisation.to_json()),
        "past_windows": batches.past_windows,
        "past_per_year": batches.past_per_year,
        "presence_above": batches.presence_above,
        "notes": batches.notes,
        "designs": attributes,
    }
    text = json.dumps(metadata, allow_nan=False).encode("utf-8")
    arrays["metadata"] = np.frombuffer(text, dtype=np.uint8)
    with write_beside(path) as part, part.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
