"""A detection model on disk: a JSON record that says how to use it, and its arrays beside it.

    MODEL/
      model.json     layout, network, preparation (bands, unit, scale), threshold, provenance
      weights/       parameters and running statistics, float32, written by Orbax

The folder is written beside its name and renamed when whole. It needs no other file: neither the
configuration nor the data it was trained on.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np

from detection.models.registry import model_config
from detection.patches.preparation import Preparation
from detection.training.model import DetectionModel
from detection.training.threshold import ThresholdChoice
from hazard.errors import DataError
from hazard.geo.beside import write_beside
from hazard.training.checkpoint import read_model as read_arrays
from hazard.training.checkpoint import save_model as save_arrays
from hazard.training.functional import Variables, variables_of

LAYOUT = "detection-model"
LAYOUT_VERSION = 1
RECORD, WEIGHTS = "model.json", "weights"
_EXPECTED = f"layout {LAYOUT!r}, version {LAYOUT_VERSION}"


def weights_digest(variables: Variables) -> str:
    """SHA-256 over names, shapes and bytes of all arrays: equal exactly for equal weights."""
    digest = hashlib.sha256()
    for kind, arrays in (("params", variables.params), ("stats", variables.stats)):
        for name in sorted(arrays):
            value = np.ascontiguousarray(np.asarray(arrays[name]))
            digest.update(f"{kind}/{name}:{value.shape}:{value.dtype};".encode())
            digest.update(value.tobytes())
    return digest.hexdigest()


def save_model(model: DetectionModel, folder: Path | str) -> Path:
    """Write a model; an earlier model of that name is replaced when this one is whole.

    Raises:
        DataError: something else lies there.
    """
    record = {
        "layout": LAYOUT, "layout_version": LAYOUT_VERSION, "network": model.network_name,
        "settings": dict(model.settings), "preparation": json.loads(model.preparation.to_json()),
        "threshold": model.threshold.to_json(), "pixel_m": model.pixel_m,
        "logit_shift": model.logit_shift, "members": model.members,
        "receptive_field": vars(model.receptive_field),
        "weights_sha256": weights_digest(model.variables), "provenance": dict(model.provenance),
    }  # fmt: skip
    path = Path(folder)
    with write_beside(path, may_replace=_is_model) as part:
        part.mkdir()
        save_arrays(part / WEIGHTS, model.variables, {"layout": LAYOUT})
        text = json.dumps(record, indent=1, allow_nan=False)
        (part / RECORD).write_text(text + "\n", encoding="utf-8")
    return path


def load_model(folder: Path | str) -> DetectionModel:
    """Read a model.

    Raises:
        DataError: no model there, another layout version, or weights that do not fit the record.
    """
    path = Path(folder)
    record = model_record(path)
    try:
        preparation = Preparation.from_json(
            json.dumps(record["preparation"]), source=str(path / RECORD)
        )
        threshold = ThresholdChoice(**record["threshold"])
        name, members = str(record["network"]), int(record["members"])
        settings = _tuples(record["settings"])
        model_config(name, settings)
        pixel_m, shift = record["pixel_m"], float(record["logit_shift"])
        digest, provenance = str(record["weights_sha256"]), dict(record["provenance"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            path / RECORD, found=f"a record that cannot be used ({error})", expected=_EXPECTED
        ) from error
    empty = Variables({}, {})
    made = DetectionModel(
        network_name=name, settings=settings, preparation=preparation, variables=empty,
        threshold=threshold, pixel_m=pixel_m, logit_shift=shift, provenance=provenance,
    )  # fmt: skip
    shapes = jax.tree.map(
        lambda v: jax.ShapeDtypeStruct((members, *v.shape), v.dtype),  # type: ignore[no-untyped-call]
        variables_of(made.module),
    )
    variables = jax.device_get(read_arrays(path / WEIGHTS, shapes))
    if weights_digest(variables) != digest:
        raise DataError(
            path / WEIGHTS, found="weights of another digest",
            expected=f"those that {RECORD} was written with",
        )  # fmt: skip
    return DetectionModel(
        network_name=name, settings=settings, preparation=preparation, variables=variables,
        threshold=threshold, pixel_m=pixel_m, logit_shift=shift, provenance=provenance,
    )  # fmt: skip


def model_record(folder: Path | str) -> dict[str, Any]:
    """The record of a model, without its arrays.

    Raises:
        DataError: no readable record of this layout there.
    """
    file = Path(folder) / RECORD
    try:
        record = dict(json.loads(file.read_text(encoding="utf-8")))
        layout = record["layout"], record["layout_version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            file, found=f"no readable model ({type(error).__name__})", expected=_EXPECTED
        ) from error
    if layout != (LAYOUT, LAYOUT_VERSION):
        raise DataError(
            file, found=f"layout {layout[0]!r}, version {layout[1]}", expected=_EXPECTED
        )
    return record


def _is_model(path: Path) -> bool:
    return path.is_dir() and ((path / RECORD).is_file() or not any(path.iterdir()))


def _tuples(settings: Any) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()}
