"""Finished fits put together: `predictions.zarr`, and `models/` with a card for each fit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hazard.archive.names import FIELDS, MEMBER_FIELDS, MODELS_FOLDER
from hazard.archive.predictions import NO_FOLD, Header, predictions_writer
from hazard.config.schema import HazardConfig
from hazard.cube.batches import Batches
from hazard.cube.layout import Cube
from hazard.estimate.model_card import card_text
from hazard.estimate.models import variants
from hazard.estimate.plan import Plan
from hazard.estimate.store import FitStore
from hazard.geo.beside import write_beside

Array = np.ndarray[Any, np.dtype[Any]]
Loaded = Mapping[tuple[str, int, str], tuple[FitStore, str]]


def write_predictions(
    path: Path, cube: Cube, header: Header, plan: Plan, base: Batches, fits: Loaded
) -> None:
    """Every forecast on the grid, each cell-epoch from the fold that keeps it.

    Args:
        path: `predictions.zarr`.
        cube: gives grid and observations.
        header: axes.
        plan: folds.
        base: batches of the study, for the places of the cells.
        fits: finished fits by scheme, fold and model.
    """
    names = [m.name for m in header.models]
    with predictions_writer(path, cube, header) as writer:
        for scheme in header.schemes:
            folds = list(plan.of(scheme.name))
            where = np.full(folds[0].role.shape, NO_FOLD, dtype=np.int16)
            for fold in folds:
                where[fold.predict] = fold.number
            writer.fold(scheme.name, base.to_grid(where, fill=NO_FOLD))
            for model in [m.name for m in header.models if not m.variant_of]:
                parts: dict[str, dict[str, Array]] = {}
                for fold in folds:
                    place = (scheme.name, fold.number, model)
                    if place not in fits:
                        continue
                    store, key = fits[place]
                    arrays = store.load(key).arrays
                    for variant, name in variants(model).items():
                        if name not in names or f"{variant}/probability" not in arrays:
                            continue
                        writer.thresholds(
                            scheme.name, name, fold.number, arrays[f"{variant}/threshold"]
                        )
                        _merge(parts.setdefault(name, {}), arrays, variant, fold.predict)
                for name, fields in parts.items():
                    on_grid = {field: base.to_grid(values) for field, values in fields.items()}
                    writer.fields(scheme.name, name, on_grid)


def _merge(
    into: dict[str, Array], arrays: Mapping[str, Array], variant: str, predict: Array
) -> None:
    for field in (*FIELDS, *MEMBER_FIELDS):
        found = arrays[f"{variant}/{field}"]
        if field not in into:
            into[field] = np.full_like(found, np.nan)
        into[field][..., predict] = found[..., predict]


def write_models(run: Path, cube: Cube, plan: Plan, fits: Loaded, config: HazardConfig) -> None:
    """`models/SCHEME/fold_N/MODEL/` with `model.json`, `card.md` and, for networks, arrays."""
    for (scheme, number, model), (store, key) in fits.items():
        fit = store.load(key)
        record = dict(fit.record)
        if "standardisation" in record:
            record["standardisation"] = json.loads(record["standardisation"])
        record |= {
            "study": cube.name, "title": cube.title, "synthetic": cube.synthetic, "key": key,
            "epochs": [epoch.as_json() for epoch in cube.epochs], "absent": cube.absent,
            "threshold": {
                variant: fit.arrays[f"{variant}/threshold"].tolist()
                for variant in variants(model) if f"{variant}/threshold" in fit.arrays
            },
            "levels_percent": list(config.fit.evaluation.thresholds_percent),
        }  # fmt: skip
        folder = run / model_folder(scheme, number, model)
        members: dict[str, Any] = {
            name.removeprefix("variable/"): values
            for name, values in fit.arrays.items() if name.startswith("variable/")
        }  # fmt: skip
        if members:
            with write_beside(folder / "members.npz") as part, part.open("wb") as handle:
                np.savez(handle, **members)
        in_sample = next(s.in_sample for s in plan.schemes if s.name == scheme)
        _text(folder / "card.md", card_text(record, in_sample=in_sample, report=config.fit.report))
        _text(folder / "model.json", json.dumps(_without_nan(record), indent=1) + "\n")


def model_folder(scheme: str, fold: int, model: str) -> str:
    """Folder of a fit, below the run folder.

    Example:
        >>> model_folder("final", 0, "default")
        'models/final/fold_0/default'
    """
    return f"{MODELS_FOLDER}/{scheme}/fold_{fold}/{model}"


def _text(path: Path, text: str) -> None:
    with write_beside(path) as part:
        part.write_text(text, encoding="utf-8")


def _without_nan(value: Any) -> Any:
    """JSON has no NaN: null instead."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
