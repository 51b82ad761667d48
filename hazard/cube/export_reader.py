"""Read an export of batches where only NumPy is installed.

The format, version 1: one uncompressed .npz (no pickles) with the arrays of
`hazard.cube.batches.Batches` under their names, ``design_NAME`` (fold, epoch, cell) int8 roles of
every stored design, and ``metadata``, the bytes of a JSON text: ``format``, ``version``,
``arrays`` (type and shape of each), ``names``, ``standardisation``, ``notes`` and the rest.
"""

from __future__ import annotations

import json
import os
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hazard.cube.batches import Batches
from hazard.cube.standardise import Standardisation
from hazard.errors import DataError

FORMAT = "hazard-batches"
FORMAT_VERSION = 1
DESIGN_PREFIX = "design_"
EXPECTED = "an export of `python -m hazard.cube --export`"

Array = np.ndarray[Any, np.dtype[Any]]

# Axes of every array; names stand for sizes that must agree.
AXES: dict[str, tuple[str, ...]] = {
    "pixels": ("cell", "f", "f", "pixel band"),
    "static": ("cell", "static band"),
    "changing": ("epoch", "cell", "changing band"),
    "area_density": ("epoch", "cell"),
    "presence": ("epoch", "cell"),
    "weight": ("epoch", "cell"),
    "role": ("epoch", "cell"),
    "cell_flat": ("mapped cell",),
    "patch_cells": ("patch", "n", "n"),
    "patch_lattice": ("patch",),
    "patch_corner": ("patch", "2"),
    "epoch_days": ("epoch",),
}
# There where the detection error is known, both or neither.
OPTIONAL_AXES: dict[str, tuple[str, ...]] = {
    "observation": ("epoch", "cell"),
    "false_alarms": ("epoch", "cell"),
}
DTYPES = {
    "role": "int8",
    "patch_lattice": "int8",
    "cell_flat": "int32",
    "patch_cells": "int32",
    "patch_corner": "int32",
}


# What zipfile and NumPy raise for damaged archives (RuntimeError: encrypted, or an unknown method;
# MemoryError: a damaged size).
_UNREADABLE = (
    OSError, EOFError, ValueError, KeyError, RuntimeError, OverflowError, MemoryError,
    zipfile.BadZipFile, zlib.error, struct.error,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class Export:
    """What one export holds.

    Attributes:
        batches: the arrays, standardised on their own fold.
        designs: (fold, epoch, cell) int8 roles by design; `hazard.cube.refit.refit` turns the
            batches into those of any of these folds.
        design_attributes: per design: fold names, unit, what it promises, audit.
    """

    batches: Batches
    designs: dict[str, Array]
    design_attributes: dict[str, dict[str, Any]]


def load_export(path: str | os.PathLike[str]) -> Export:
    """Read and check an export.

    Raises:
        DataError: missing, empty, truncated or damaged file, another format or version, or
            arrays that do not fit each other.
    """
    file = Path(path)
    if not file.is_file():
        found = "a folder" if file.is_dir() else "no such file"
        raise DataError(file, found=found, expected=EXPECTED)
    try:
        # Opened here: NumPy leaves a file open that it fails to understand.
        with file.open("rb") as stream:
            archive = np.load(stream, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise DataError(file, found="a single array", expected=EXPECTED)
            with archive:
                arrays = {name: archive[name] for name in archive.files}
            if foreign := [n for n, a in arrays.items() if not isinstance(a, np.ndarray)]:
                raise DataError(file, found=f"members {foreign}", expected=EXPECTED)
    except _UNREADABLE as error:
        raise DataError(
            file, found=f"no readable archive ({error or 'empty'})", expected=EXPECTED
        ) from None
    metadata = _metadata(file, arrays)
    _check_arrays(file, arrays, metadata)
    try:
        names = metadata["names"]
        windows = metadata["past_windows"]
        batches = Batches(
            **{name: arrays[name] for name in _axes(arrays)},
            shape=(int(metadata["shape"][0]), int(metadata["shape"][1])),
            pixel_names=tuple(names["pixels"]),
            static_names=tuple(names["static"]),
            changing_names=tuple(names["changing"]),
            epoch_names=tuple(names["epochs"]),
            standardisation=Standardisation.from_json(
                json.dumps(metadata["standardisation"]), source=file
            ),
            past_windows=None if windows is None else tuple(int(w) for w in windows),
            past_per_year=bool(metadata["past_per_year"]),
            presence_above=float(metadata["presence_above"]),
            notes={str(k): str(v) for k, v in metadata["notes"].items()},
        )
        attributes = {str(k): dict(v) for k, v in metadata["designs"].items()}
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise DataError(file, found=f"incomplete metadata ({error!r})", expected=EXPECTED) from None
    designs = {
        name.removeprefix(DESIGN_PREFIX): array
        for name, array in arrays.items()
        if name.startswith(DESIGN_PREFIX)
    }
    if set(designs) != set(attributes):
        raise DataError(file, found=f"designs {sorted(designs)}", expected=f"{sorted(attributes)}")
    _check_content(file, batches, designs)
    return Export(batches=batches, designs=designs, design_attributes=attributes)


def _axes(arrays: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Axes of the arrays that must be there, and of those that may be and are."""
    return AXES | (OPTIONAL_AXES if OPTIONAL_AXES.keys() & arrays.keys() else {})


def _metadata(file: Path, arrays: dict[str, Array]) -> dict[str, Any]:
    raw = arrays.pop("metadata", None)
    if raw is None or raw.dtype != np.uint8 or raw.ndim != 1:
        raise DataError(file, found="no metadata", expected=EXPECTED)
    try:
        metadata = json.loads(raw.tobytes().decode("utf-8"))
    except ValueError as error:
        raise DataError(file, found=f"unreadable metadata ({error})", expected=EXPECTED) from None
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise DataError(file, found="another kind of archive", expected=EXPECTED)
    if metadata.get("version") != FORMAT_VERSION:
        raise DataError(
            file,
            found=f"format version {metadata.get('version')!r}",
            expected=f"{FORMAT_VERSION}; export again with `python -m hazard.cube --export`",
        )
    return metadata


def _check_arrays(file: Path, arrays: dict[str, Array], metadata: dict[str, Any]) -> None:
    listed = metadata.get("arrays")
    found = {name: [str(a.dtype), list(a.shape)] for name, a in arrays.items()}
    wanted = _axes(arrays)
    if listed != found or not set(wanted) <= set(found):
        listed = listed if isinstance(listed, dict) else {}
        wrong = sorted(n for n in {*listed, *found, *wanted} if listed.get(n) != found.get(n))
        wrong += sorted(set(wanted) - set(found) - set(wrong))
        raise DataError(
            file, found=f"other arrays than its list says: {', '.join(wrong)}", expected=EXPECTED
        )
    sizes: dict[str, int] = {"2": 2}
    for name, axes in wanted.items():
        array = arrays[name]
        expected = DTYPES.get(name, "float32")
        agrees = array.ndim == len(axes) and all(
            sizes.setdefault(axis, size) == size
            for axis, size in zip(axes, array.shape, strict=True)
        )
        if not agrees or str(array.dtype) != expected:
            raise DataError(
                file,
                found=f"{name} as {array.dtype} of shape {array.shape}",
                expected=f"{expected} ({', '.join(axes)})",
            )
    if sizes["cell"] != sizes["mapped cell"] + 1:
        raise DataError(file, found="no row of padding", expected="one after the mapped cells")


def _check_content(file: Path, batches: Batches, designs: dict[str, Array]) -> None:
    epochs, cells = batches.weight.shape
    counts = (
        ("pixel_names", len(batches.pixel_names), batches.pixels.shape[-1]),
        ("static_names", len(batches.static_names), batches.static.shape[-1]),
        ("changing_names", len(batches.changing_names), batches.changing.shape[-1]),
        ("epoch_names", len(batches.epoch_names), epochs),
    )
    problems = [f"{length} {name} for {size}" for name, length, size in counts if length != size]
    for name in ("pixels", "static", "changing", "area_density", "epoch_days"):
        if not np.isfinite(getattr(batches, name)).all():
            problems.append(f"values of {name} that are not finite")
    for name in ("presence", "weight"):
        if not np.isin(getattr(batches, name), (0, 1)).all():
            problems.append(f"values of {name} other than 0 and 1")
    if batches.detection_error is not None:
        pi, phi = batches.detection_error
        # Written so that NaN is refused.
        if not ((pi >= 0) & (pi <= 1) & (phi >= 0) & np.isfinite(phi)).all():
            problems.append("a detection error that is no probability and rate")
    flat, rows = batches.cell_flat, batches.patch_cells
    if flat.size == 0 or flat[0] < 0 or flat[-1] >= np.prod(batches.shape):
        problems.append("cells off the grid")
    elif (np.diff(flat) <= 0).any():
        problems.append("cells out of order")
    if rows.size and (rows.min() < 0 or rows.max() > batches.n_cells):
        problems.append("patch rows out of range")
    if batches.weight[:, -1].any() or batches.role[:, -1].any():
        problems.append("weight in the padding")
    roles = {DESIGN_PREFIX + name: array for name, array in designs.items()}
    for name, array in {"role": batches.role[None], **roles}.items():
        if array.dtype != np.int8 or array.ndim != 3 or array.shape[1:] != (epochs, cells):
            problems.append(f"{name} as {array.dtype} of shape {array.shape}")
        elif array.size and (array.min() < 0 or array.max() > 4):
            problems.append(f"{name} with codes outside 0 to 4")
    if problems:
        raise DataError(file, found="; ".join(problems), expected=EXPECTED)
