"""Another fold from the same arrays: standardisation and past records fitted anew, NumPy only.

One export serves every fold: scaling is affine after its transform, so the transformed values come
back from the standardised ones to float32 rounding, and the moments are taken again over the
training cells of the other fold. Past records are computed again from the densities, because what
must be hidden from a training input depends on the fold.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from hazard.cube.batches import Batches
from hazard.cube.past import past_records_by_role
from hazard.cube.predictors import transform_values
from hazard.cube.standardise import (
    ClassColumns,
    Moments,
    Scaling,
    Standardisation,
    apply_scaling,
    fingerprint,
    undo_scaling,
)
from hazard.errors import DataError
from stats.resampling.folds import TRAIN, UNUSED

Array = np.ndarray[Any, np.dtype[Any]]
Column = tuple[str, Array]


def refit(batches: Batches, role: Array) -> Batches:
    """The batches of another fold.

    Args:
        batches: of a fold whose training part holds that of the new one, best all of it: a
            predictor or class that was constant or unseen there cannot come back.
        role: (epoch, cell) roles of the new fold, with or without the row of padding.

    Returns:
        Batches as `build_batches` makes them for that fold, to float32 rounding.

    Raises:
        DataError: the new fold has no training cell-epoch, or one that `batches` were not
            fitted on.
    """
    roles = np.zeros(batches.role.shape, dtype=np.int8)
    roles[:, : batches.n_cells] = np.asarray(role)[:, : batches.n_cells]
    roles = np.where(batches.weight > 0, roles, UNUSED).astype(np.int8)
    train = roles == TRAIN
    if not train.any():
        raise DataError("training cells", found="none", expected="at least one cell-epoch")
    beyond = int((train & (batches.role != TRAIN)).sum())
    if beyond:
        raise DataError(
            "refit", found=f"{beyond} training cell-epochs that the batches were not fitted on",
            expected="batches whose training part holds that of the new fold",
        )  # fmt: skip
    ever = train.any(axis=0)
    scalings: list[Scaling] = []
    codes: dict[str, list[int]] = {c.name: [] for c in batches.standardisation.classes}
    constant = [n for n in batches.standardisation.constant if not _is_past(batches, n)]
    out: dict[str, list[Column]] = {"pixels": [], "static": [], "changing": []}
    known = {s.name: s for s in batches.standardisation.scalings}
    for place, names, array in (
        ("pixels", batches.pixel_names, batches.pixels),
        ("static", batches.static_names, batches.static),
        ("changing", batches.changing_names, batches.changing),
    ):
        use = train if place == "changing" else ever
        for number, name in enumerate(names):
            column = array[..., number]
            if _is_past(batches, name):
                continue
            if name not in known:
                layer, code = name.rsplit("=", 1)
                if (column[use] > 0).any():
                    codes[layer].append(int(code))
                    out[place].append((name, column))
                continue
            old = known[name]
            values = undo_scaling(column, old)
            scaling = _scaling(old, Moments.of(values[use]))
            if scaling is None:
                constant.append(name)
                continue
            scalings.append(scaling)
            scaled = ((values - scaling.mean) / scaling.sd).astype(np.float32)
            out[place].append((name, _clear_padding(scaled, place)))
    if batches.past_windows is not None:
        _add_past(batches, roles, scalings, constant, out["changing"])
    every = Standardisation(
        scalings=tuple(scalings),
        classes=tuple(ClassColumns(name=n, codes=tuple(sorted(c))) for n, c in codes.items()),
        constant=tuple(constant),
        fitted_on=fingerprint(batches.to_grid(train, fill=False)),
        n_train=int(train.sum()),
    )
    return replace(
        batches,
        pixels=_stack(out["pixels"], batches.pixels),
        static=_stack(out["static"], batches.static),
        changing=_stack(out["changing"], batches.changing),
        pixel_names=tuple(name for name, _ in out["pixels"]),
        static_names=tuple(name for name, _ in out["static"]),
        changing_names=tuple(name for name, _ in out["changing"]),
        role=roles,
        standardisation=every,
    )


def _is_past(batches: Batches, name: str) -> bool:
    return batches.past_windows is not None and name.startswith("past_")


def _scaling(old: Scaling, moments: Moments) -> Scaling | None:
    # Values that went through float32 differ by rounding where they were equal before.
    if moments.sd <= 1e-6 * old.sd or moments.is_constant(old.least_spread):
        return None
    return replace(old, mean=moments.mean, sd=moments.sd, n=moments.n)


def _clear_padding(values: Array, place: str) -> Array:
    if place == "changing":
        values[:, -1] = 0
    else:
        values[-1] = 0
    return values


def _add_past(
    batches: Batches,
    roles: Array,
    scalings: list[Scaling],
    constant: list[str],
    columns: list[Column],
) -> None:
    past = past_records_by_role(
        batches.to_grid(batches.area_density, fill=0.0),
        batches.to_grid(batches.weight > 0, fill=False),
        batches.to_grid(roles, fill=UNUSED),
        windows=batches.past_windows or (),
        epoch_days=batches.epoch_days.tolist() if batches.past_per_year else None,
        presence_above=batches.presence_above,
    )
    train = roles == TRAIN
    for predictor in past.predictors():
        values = batches.from_grid(np.asarray(predictor.values))
        known = np.ones(values.shape, dtype=bool)
        if predictor.known is not None:
            known = batches.from_grid(predictor.known)
        of_training = values[train & known]
        moments = Moments.of(transform_values(of_training, predictor.transform, predictor.name))
        if moments.is_constant():
            constant.append(predictor.name)
            continue
        scaling = Scaling(
            name=predictor.name, unit=predictor.unit, transform=predictor.transform,
            mean=moments.mean, sd=moments.sd, n=moments.n,
        )  # fmt: skip
        scalings.append(scaling)
        scaled = np.where(known, apply_scaling(values, scaling), np.float32(0))
        columns.append((predictor.name, _clear_padding(scaled, "changing")))


def _stack(columns: list[Column], like: Array) -> Array:
    if not columns:
        return np.zeros((*like.shape[:-1], 0), dtype=np.float32)
    return np.ascontiguousarray(np.stack([values for _, values in columns], axis=-1))
