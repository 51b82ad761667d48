"""Writing a cube: groups, layers with their attributes, checks of range, and parts that survive.

A cube grows beside its final name, in ``cube.zarr.partial``. It is made of parts (target, terrain,
flow, ...), each with a key: a hash of the settings and of the input files it depends on. A part is
entered in ``parts.json`` when it is whole, so that an interrupted build continues after the last
whole part, and a later build with other settings keeps the parts that these do not touch. The
folder gets its final name when everything is written and checked.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from hazard.cube.layout import CUBE_NAME, LAYOUT_VERSION
from hazard.errors import DataError
from hazard.geo.provenance import LayerSource
from hazard.geo.store import create_zarr_layer
from hazard.variables import VARIABLES
from stats.command.run_folder import RUN_RECORD

PARTIAL_NAME = f"{CUBE_NAME}.partial"
RECORD_NAME = "parts.json"

AnyArray = np.ndarray[Any, np.dtype[Any]]
BoolArray = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, kw_only=True)
class PartFacts:
    """What a part leaves behind besides its arrays; plain values, kept in ``parts.json``.

    Attributes:
        absent: predictors that could not be derived, each with its reason.
        sources: provenance records of its layers, as plain mappings with the layer's name.
        filled: positions of the mask filled per layer.
        censored: positions of the mask that are censored per layer.
        notes: sentences for the summary and the maps page.
        numbers: counts and figures by name.
    """

    absent: dict[str, str] = field(default_factory=dict)
    sources: list[dict[str, Any]] = field(default_factory=list)
    filled: dict[str, int] = field(default_factory=dict)
    censored: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    numbers: dict[str, Any] = field(default_factory=dict)

    def add_source(self, layer: str, source: LayerSource) -> None:
        """Record where a layer comes from."""
        record = {"layer": layer, **vars(source), "notes": list(source.notes)}
        self.sources.append(record)


class PartialCube:
    """The growing cube of a run folder and the record of its whole parts.

    Args:
        run: run folder.
        frame: what identifies the lattices and epochs; another frame shares nothing.
        fresh: forget everything that was built before.
    """

    def __init__(self, run: Path, frame: str, *, fresh: bool = False) -> None:
        self.run = run
        self.path = run / PARTIAL_NAME
        self.final = run / CUBE_NAME
        self._record_path = run / RECORD_NAME
        record = {} if fresh else self._read_record()
        same = record.get("frame") == frame and record.get("layout_version") == LAYOUT_VERSION
        self._parts: dict[str, Any] = dict(record.get("parts", {})) if same else {}
        self._frame = frame
        self.complete = bool(same and record.get("complete") and self.final.is_dir())
        if not same:
            self.complete = False
            _remove(self.path)

    def _read_record(self) -> dict[str, Any]:
        try:
            record = json.loads(self._record_path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            # No record, or one cut short: nothing is known to be whole, so all is built again.
            return {}
        return record if isinstance(record, dict) else {}

    def matches(self, keys: Mapping[str, str]) -> bool:
        """True where the finished cube holds exactly these parts."""
        return self.complete and {n: p["key"] for n, p in self._parts.items()} == dict(keys)

    def start(self) -> zarr.Group:
        """Open the partial store for writing, seeded from the finished cube where that helps."""
        if not self.path.is_dir():
            if self.complete:
                # Unchanged parts are linked, not copied: chunk files are never written twice.
                shutil.copytree(self.final, self.path, copy_function=_link_chunk)
            else:
                self._parts = {}
        self.complete = False
        self._write_record()
        return self.open()

    def open(self) -> zarr.Group:
        """The partial store for writing; a handle does not see attributes written by another."""
        return zarr.open_group(self.path, mode="a", zarr_format=3, use_consolidated=False)

    def facts(self, name: str, key: str, *, at: Path | None = None) -> PartFacts | None:
        """Facts of a part that is already whole under this key; None where it must be built."""
        part = self._parts.get(name)
        if part is None or part["key"] != key:
            return None
        if not all(((at or self.path) / array / "zarr.json").is_file() for array in part["arrays"]):
            return None
        return PartFacts(**part["facts"])

    def begin(self, name: str) -> None:
        """Forget a part and remove its arrays before it is built again."""
        part = self._parts.pop(name, None)
        self._write_record()
        for array in part["arrays"] if part else []:
            _remove(self.path / array)

    def finish(self, name: str, key: str, facts: PartFacts, arrays: Sequence[str]) -> None:
        """Enter a whole part."""
        self._parts[name] = {"key": key, "arrays": list(arrays), "facts": vars(facts)}
        self._write_record()

    def close(self) -> None:
        """Give the cube its final name; the one before is replaced."""
        aside = self.run / f".{CUBE_NAME}.replaced"
        _remove(aside)
        # It describes the cube before, and is written anew when the run is finished.
        (self.run / RUN_RECORD).unlink(missing_ok=True)
        if self.final.exists():
            self.final.rename(aside)
        self.path.rename(self.final)
        _remove(aside)
        self.complete = True
        self._write_record()

    def _write_record(self) -> None:
        record = {
            "layout_version": LAYOUT_VERSION,
            "frame": self._frame,
            "complete": self.complete,
            "parts": self._parts,
        }
        write_text(self._record_path, json.dumps(record, indent=1))


def write_text(path: Path, text: str) -> None:
    """Write a text file beside its name, then rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _link_chunk(source: str, target: str) -> object:
    if os.path.basename(source) != "zarr.json":
        try:
            os.link(source, target)
            return target
        except OSError:
            pass  # the file system has no links: copy
    return shutil.copy2(source, target)


class LayerWriter:
    """Creates the arrays of one part and remembers their names.

    Args:
        root: the partial store.
    """

    def __init__(self, root: zarr.Group) -> None:
        self.root = root
        self.names: list[str] = []

    def create(
        self,
        group: str,
        name: str,
        shape: Sequence[int],
        dtype: Any,
        *,
        dims: Sequence[str],
        attrs: Mapping[str, Any],
        chunks: Sequence[int] | None = None,
        fill: float | int | None = None,
    ) -> zarr.Array:
        """An empty layer; `fill`, where given, also becomes its ``_FillValue``."""
        parent: zarr.Group = self.root[group] if group else self.root
        path = f"{group}/{name}" if group else name
        if name in parent:
            del parent[name]
        attributes = dict(attrs) if fill is None else {**attrs, "_FillValue": fill}
        array = create_zarr_layer(
            parent, name, shape, dtype, dims=dims, chunks=chunks, attrs=attributes, fill=fill
        )
        self.names.append(path)
        return array


def layer_attributes(
    name: str, source: LayerSource, *, long_name: str | None = None, **extra: Any
) -> dict[str, Any]:
    """CF attributes of a layer: declared name and unit, provenance, and what else is told."""
    variable = VARIABLES.get(name)
    attributes = source.to_attrs()
    if variable is not None:
        attributes["long_name"] = variable.long_name
        attributes["units"] = variable.unit
        attributes["valid_range"] = [float(v) for v in variable.valid]
        if variable.standard_name:
            attributes["standard_name"] = variable.standard_name
    if long_name is not None:
        attributes["long_name"] = long_name
    return {**attributes, **extra}


def check_range(name: str, values: AnyArray, source: object) -> None:
    """Refuse values outside the declared range of a variable; NaN is another check's business.

    Raises:
        DataError: the layer, the extreme value found and the range.

    Example:
        >>> check_range("pga", np.array([0.3, 62.0]), "grid.xml")
        Traceback (most recent call last):
        stats.command.errors.DataError: grid.xml: found pga of 62 m s-2; expected 0 to 30 m s-2
    """
    variable = VARIABLES.get(name)
    if variable is None or values.size == 0:
        return
    low, high = variable.valid
    unit = "" if variable.unit == "1" else f" {variable.unit}"
    # fmin and fmax skip NaN without a warning where all are NaN.
    least, most = float(np.fmin.reduce(values, axis=None)), float(np.fmax.reduce(values, axis=None))
    for value in (least, most):
        if value < low or value > high:
            raise DataError(
                source,
                found=f"{name} of {value:g}{unit}",
                expected=f"{low:g} to {high:g}{unit}",
            )


def require_complete(name: str, values: AnyArray, needed: BoolArray, source: object) -> None:
    """Refuse a layer with a value missing inside the mask after filling.

    Raises:
        DataError: with the number of missing values.
    """
    missing = int(np.count_nonzero(np.isnan(values) & needed))
    if missing:
        raise DataError(
            source,
            found=f"{missing} missing values of {name} inside the study mask",
            expected="none after filling",
        )
